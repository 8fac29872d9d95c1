//! Files of runs and logged models.

use crate::client::Server;
use crate::report::Report;
use crate::{ExchangeError, Options};

/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 64;
/// The most files of one run or logged model.
const MAX_FILES: usize = 100_000;
/// What an address begins with whose files the server keeps itself.
const SCHEME: &str = "mlflow-artifacts:";

/// The path below which the server keeps the files of an address; nothing, when they lie elsewhere.
pub(crate) fn kept_path(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix(SCHEME)?;
    // `mlflow-artifacts://HOST/PATH` names the host, too.
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
        None => rest,
    };
    Some(path.trim_matches('/'))
}

/// A name that is one part of a path, and leads nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

/// Copies every file below an address to another one.
///
/// # Errors
/// When a server refuses or does not answer. Files that lie elsewhere than on the servers are left out, which the report says.
pub(crate) async fn copy(
    (from, uri): (&Server, &str),
    (to, target): (&Server, &str),
    what: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), ExchangeError> {
    if !options.files {
        return Ok(());
    }
    let Some(root) = kept_path(uri) else {
        report.skip(format!("the files of {what}"), format!("they lie at {uri}, which the server does not hand out"));
        return Ok(());
    };
    let Some(target) = kept_path(target) else {
        report
            .skip(format!("the files of {what}"), format!("they would go to {target}, which the server does not take"));
        return Ok(());
    };
    let mut folders = vec![(String::new(), 0)];
    let mut files = 0;
    while let Some((folder, depth)) = folders.pop() {
        let path = joined(root, &folder);
        let entries = match from.folder(&path).await {
            Err(error) if error.is_not_found() => continue,
            entries => entries?,
        };
        for (name, is_folder, bytes) in entries {
            let inner = joined(&folder, &name);
            if !is_plain(&name) || depth >= MAX_DEPTH || files >= MAX_FILES {
                report.skip(
                    format!("the file {inner:?} of {what}"),
                    "its name, depth or number is beyond what is copied",
                );
                continue;
            }
            if is_folder {
                folders.push((inner, depth + 1));
                continue;
            }
            match from.send_file((&joined(root, &inner), bytes), to, &joined(target, &inner)).await {
                Ok(sent) => {
                    files += 1;
                    report.files += 1;
                    report.bytes += sent;
                }
                Err(error) if error.is_about_one_file() => {
                    report.skip(format!("the file {inner:?} of {what}"), error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn joined(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (false, true) => folder.to_owned(),
        (false, false) => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_plain, kept_path};

    #[test]
    fn what_the_server_keeps_has_a_path() {
        let cases = [
            ("mlflow-artifacts:/1/abc/artifacts", Some("1/abc/artifacts")),
            ("mlflow-artifacts://host:5000/1/abc/artifacts", Some("1/abc/artifacts")),
            ("mlflow-artifacts:/", Some("")),
            ("s3://bucket/1", None),
            ("/mnt/mlruns/1", None),
            ("file:///mnt/mlruns/1", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(kept_path(uri), expected, "{uri}");
        }
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for name in ["", ".", "..", "a/b", "a\\b", "a\nb", "\u{0}"] {
            assert!(!is_plain(name), "{name:?}");
        }
        assert!(is_plain("织造.json") && is_plain("..x") && is_plain(" "));
    }
}
