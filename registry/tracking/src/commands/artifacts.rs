//! The tree of files. What is in them lies in the artifact store, by digest; here stands what is called what.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{ArtifactRemoved, ArtifactStored};
use eventlog::{AppendCondition, Digest, MAX_BATCH_EVENTS};

use super::experiments::nothing;
use crate::error::TrackingError;
use crate::rules;
use crate::state::{State, file_path};
use crate::tracking::{Decision, Tracking};
use crate::view::{ArtifactFile, FolderEntry};

impl Tracking {
    /// Lets a path (`1/RUN/artifacts/sub/x.txt`) name these bytes from now on. They must be in the artifact store already.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] for a path that no file can have, or when a file stands where a folder would have to be, or a folder where the file would.
    pub async fn store_artifact(
        &self,
        actor: &str,
        path: &str,
        sha256: &str,
        bytes: u64,
    ) -> Result<ArtifactFile, TrackingError> {
        rules::artifact_path(path)?;
        Digest::parse(sha256)?;
        let (root, rest) = split(path);
        let _alone = self.alone(root).await;
        self.command(actor, path, |state, _| {
            let event =
                ArtifactStored { root: root.to_owned(), path: rest.to_owned(), sha256: sha256.to_owned(), bytes };
            must_have_room(state, path)?;
            Ok((AppendCondition::none(), vec![event.into()]))
        })
        .await?;
        self.artifact(path)
    }

    /// Removes a file, or a folder with everything in it, and answers how many files are gone. The bytes stay in the artifact store as long as anything else names them.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] when there is neither a file nor a folder.
    pub async fn remove_artifacts(&self, actor: &str, path: &str) -> Result<usize, TrackingError> {
        rules::artifact_path(path)?;
        let (root, _) = split(path);
        let _alone = self.alone(root).await;
        let mut removed = 0;
        self.command(actor, path, |state, _| {
            removed = state.files_under(path).count();
            if removed == 0 {
                return Err(missing(path));
            }
            removal(state, path)
        })
        .await?;
        Ok(removed)
    }

    /// The file at a path.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`], also when it is a folder.
    pub fn artifact(&self, path: &str) -> Result<ArtifactFile, TrackingError> {
        self.read(|state| {
            let (name, row) = state.files.get_key_value(path).ok_or_else(|| missing(path))?;
            Ok(State::view_file(name, row))
        })
    }

    /// What stands in a folder, by name: files, and folders without what is in them. Nothing, when there is no such folder; the empty path is the folder of everything.
    pub fn artifact_folder(&self, path: &str) -> Vec<FolderEntry> {
        self.read(|state| state.folder(path))
    }

    /// The file at a path, and every file in the folder at it, in the order of their paths; all files for the empty path.
    pub fn artifacts_under(&self, path: &str) -> Vec<ArtifactFile> {
        self.read(|state| state.files_under(path).map(|(path, row)| State::view_file(path, row)).collect())
    }
}

fn missing(path: &str) -> TrackingError {
    let shown: String = path.chars().take(200).collect();
    TrackingError::not_found(format!("No such artifact: '{shown}'"))
}

/// The part of a path that the files of one run, or of one logged model, share, and the rest. What lies beside every run has the root `.`.
fn split(path: &str) -> (&str, &str) {
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).take(3).collect();
    let end = match *slashes {
        [first, second, third] if path.get(first + 1..second) == Some("models") => third,
        [_, second, ..] => second,
        _ => return (".", path),
    };
    match (path.get(..end), path.get(end + 1..)) {
        (Some(root), Some(rest)) => (root, rest),
        _ => (".", path),
    }
}

/// Refuses a path on which something else stands.
fn must_have_room(state: &State, path: &str) -> Result<(), TrackingError> {
    let taken = |reason: String| Err(rules::invalid_value("path", path, &reason));
    for (at, _) in path.match_indices('/') {
        if let Some(parent) = path.get(..at)
            && state.files.contains_key(parent)
        {
            return taken(format!("'{parent}' is a file."));
        }
    }
    if state.files_under(path).any(|(file, _)| file != path) {
        return taken("It is a folder.".to_owned());
    }
    Ok(())
}

/// An event for each root that has files there.
fn removal(state: &State, path: &str) -> Result<Decision, TrackingError> {
    let mut gone: BTreeMap<String, Event> = BTreeMap::new();
    for (file, _) in state.files_under(path) {
        let (root, rest) = split(file);
        let rest = match path.strip_prefix(root) {
            // Files beside every run are removed one by one.
            _ if root == "." => rest,
            // The folder is within the root, or it is the root.
            Some(within) => within.strip_prefix('/').unwrap_or(within),
            // The root is within the folder.
            None => "",
        };
        let key = file_path(root, rest);
        gone.entry(key).or_insert_with(|| ArtifactRemoved { root: root.to_owned(), path: rest.to_owned() }.into());
    }
    if gone.len() > MAX_BATCH_EVENTS {
        let reason = format!("It holds the files of more than {MAX_BATCH_EVENTS} runs; remove them one by one.");
        return Err(rules::invalid_value("path", path, &reason));
    }
    if gone.is_empty() {
        return Ok(nothing());
    }
    Ok((AppendCondition::none(), gone.into_values().collect()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_root_is_what_the_files_of_a_run_or_model_share() {
        for (path, root, rest) in [
            ("1/r/artifacts/sub/x.txt", "1/r", "artifacts/sub/x.txt"),
            ("1/models/m-1/artifacts/MLmodel", "1/models/m-1", "artifacts/MLmodel"),
            ("1/models/x", "1/models", "x"),
            ("1/r/x", "1/r", "x"),
            ("1/r", ".", "1/r"),
            ("x", ".", "x"),
        ] {
            assert_eq!(super::split(path), (root, rest), "{path}");
        }
    }
}
