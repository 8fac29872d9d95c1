//! Restoring a log.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;

use super::check::each_part;
use super::{BackupError, LOG_FOLDER, Manifest, ManifestFile, OF_THE_ORIGIN, ORIGIN_FOLDER};
use crate::bucket::Bucket;
use crate::embedded::{CutError, EmbeddedLog, Options, VerifyReport, cut, sync_folder, verify};
use crate::{EventLog as _, Position};

/// How far a restored log reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upto {
    /// To the end of the backup.
    End,
    /// To this position, which is the last one.
    Position(Position),
    /// To the last record that was logged at or before this time.
    Time(Timestamp),
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// The restored log, reread and found right.
    pub verified: VerifyReport,
}

/// Restores a backup into a data folder that holds no log, as a whole or up to a point in time, and verifies it.
///
/// The restored log goes its own way from its last record on: it gets a signing key of its own when it is first opened, since two histories under one key would
/// be a lie to every auditor. The verifier key and the last checkpoint of the log that the backup was taken from lie in [`ORIGIN_FOLDER`].
///
/// # Errors
/// [`BackupError`]; the folder is of no use then.
pub async fn restore(bucket: &Bucket, data_folder: &Path, upto: Upto) -> Result<RestoreReport, BackupError> {
    let manifest = Manifest::expect(bucket).await?;
    let log = data_folder.join(LOG_FOLDER);
    if std::fs::read_dir(&log).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::Occupied { folder: log.display().to_string() });
    }
    // Ordering: the durable mark comes first, so that a log that was restored in part is never taken for a shorter one.
    let mut files: Vec<&ManifestFile> = manifest.files.iter().collect();
    files.sort_by_key(|file| !file.name.ends_with(".mark"));
    for file in files {
        let name = if OF_THE_ORIGIN.contains(&file.name.as_str()) {
            format!("{ORIGIN_FOLDER}/{}", file.name.rsplit('/').next().unwrap_or(&file.name))
        } else {
            file.name.clone()
        };
        fetch(bucket, file, &data_folder.join(name)).await?;
    }
    let last = match upto {
        Upto::End => None,
        Upto::Position(position) => Some(position),
        Upto::Time(time) => Some(last_at(&log, time).await?),
    };
    let verified = blocking(data_folder, move || {
        last.map_or(Ok(()), |last| cut(&log, last))?;
        Ok(verify(&log)?)
    })
    .await?;
    if upto == Upto::End && verified.root != manifest.root {
        return Err(BackupError::Root { expected: manifest.root, found: verified.root });
    }
    Ok(RestoreReport { manifest, verified })
}

/// Writes one file durably, and compares it with the manifest.
async fn fetch(bucket: &Bucket, file: &ManifestFile, path: &PathBuf) -> Result<(), BackupError> {
    let folder = path.parent().unwrap_or(path);
    tokio::fs::create_dir_all(folder).await.map_err(BackupError::file("making", folder))?;
    let mut written = tokio::fs::File::create(path).await.map_err(BackupError::file("creating", path))?;
    each_part(bucket, file, async |part| written.write_all(part).await.map_err(BackupError::file("writing", path)))
        .await?;
    written.flush().await.map_err(BackupError::file("writing", path))?;
    written.sync_all().await.map_err(BackupError::file("syncing", path))?;
    sync_folder(folder).map_err(BackupError::file("syncing", folder))
}

/// The last position that was logged at or before a time.
async fn last_at(log: &Path, time: Timestamp) -> Result<Position, BackupError> {
    let folder = log.to_owned();
    let opened = blocking(log, move || Ok(EmbeddedLog::open(&folder, Options::default())?)).await?;
    let found = opened.last_position_at(time).await.map_err(CutError::Read)?;
    blocking(log, move || {
        opened.close();
        Ok(())
    })
    .await?;
    found.ok_or(BackupError::Before { time })
}

/// Works on files away from the threads that run tasks.
async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(BackupError::file("working on", folder)(std::io::Error::other(error))),
    }
}
