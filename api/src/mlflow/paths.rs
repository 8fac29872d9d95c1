//! Paths of files as clients write them. A path names something in a tree of our own and never touches a file system, so that nothing can be reached with `..`; it is refused all
//! the same, in every encoding, for the sake of the clients that will make a file of it.

use percent_encoding::percent_decode_str;

use super::error::MlflowError;

/// How often a path may be encoded over and over.
const MOST_ENCODINGS: usize = 10;

/// The longest path, in bytes.
const MOST_PATH_BYTES: usize = 1024;

fn invalid() -> MlflowError {
    MlflowError::invalid("Invalid path")
}

/// The path of a file or folder: no part of it is empty, `.` or `..`, however it is encoded.
///
/// # Errors
/// `Invalid path`.
pub fn safe(path: &str) -> Result<&str, MlflowError> {
    let mut seen = path.to_owned();
    for _ in 0..MOST_ENCODINGS {
        check(&seen)?;
        let decoded = percent_decode_str(&seen).decode_utf8().map_err(|_| invalid())?.into_owned();
        if decoded == seen {
            return Ok(path);
        }
        seen = decoded;
    }
    Err(invalid())
}

/// The path of a folder: as [`safe`], with or without a slash at its end; the empty path is the folder of everything.
///
/// # Errors
/// `Invalid path`.
pub fn safe_folder(path: &str) -> Result<&str, MlflowError> {
    match path.strip_suffix('/').unwrap_or(path) {
        "" if path.is_empty() => Ok(path),
        // Clients write the folder that they are in as a dot.
        "." => Ok(""),
        path => safe(path),
    }
}

fn check(path: &str) -> Result<(), MlflowError> {
    let has_drive =
        path.as_bytes().get(1) == Some(&b':') && path.starts_with(|first: char| first.is_ascii_alphabetic());
    let part_is_bad = |part: &str| matches!(part.trim_end(), "" | "." | "..");
    let character_is_bad = |character: char| character.is_control() || matches!(character, '\\' | '#');
    if path.len() > MOST_PATH_BYTES
        || has_drive
        || path.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
        || path.contains(character_is_bad)
        || path.split('/').any(part_is_bad)
    {
        return Err(invalid());
    }
    Ok(())
}

/// The path of something in a folder.
pub fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

/// What kind of file it is by its name, as MLflow says it. Everything is sent as an attachment, so that no browser shows it.
pub fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => name,
    };
    match extension.to_ascii_lowercase().as_str() {
        "txt" | "log" | "err" | "cfg" | "conf" | "cnf" | "cf" | "ini" | "properties" | "prop" | "hocon" | "toml"
        | "yaml" | "yml" | "xml" | "json" | "js" | "py" | "py3" | "csv" | "tsv" | "md" | "rst" | "mlmodel"
        | "mlproject" => "text/plain",
        "htm" | "html" => "text/html",
        "css" => "text/css",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "tar" => "application/x-tar",
        "mp4" => "video/mp4",
        "wav" => "audio/x-wav",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
