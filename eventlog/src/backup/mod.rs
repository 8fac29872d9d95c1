//! Backups of a log, taken while it is in use, into a folder or a bucket, and logs restored from them.
//!
//! A backup has the layout of a data folder (`log/…`, and what else its caller names) and a manifest, `backup.json`, that is written last: it names each file with
//! its length and SHA-256, and what the log was: tail and root. Closed segments never change, so that a second backup into the same place copies only what is new.
//!
//! **What a crash leaves.** The manifest of the backup before stays valid until the new one takes its place: files of the new one only extend files of the old one,
//! or have other names. One exception is told by [`check`]: a segment that was written anew because payloads were dropped.
//!
//! **Keys are never in it.** Data keys and the signing key are backed up apart, so that an erased subject stays erased wherever copies of the log are.

mod check;
mod create;
mod manifest;
mod restore;

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;

pub use check::{BackupCheck, check};
pub use create::{BackupReport, Source, create};
pub use manifest::{FORMAT_VERSION, MANIFEST, Manifest, ManifestFile};
pub use restore::{RestoreReport, Upto, restore};

use crate::embedded::{CutError, OpenError, VerifyError};
use crate::{Digest, LogId};

/// The folder of the log in a backup.
pub const LOG_FOLDER: &str = "log";

/// The folder of a restored data folder for what belongs to the log that the backup was taken from: its last checkpoint and its verifier key.
pub const ORIGIN_FOLDER: &str = "restored-from";

/// The names in a backup that describe the log it was taken from. A restored log goes its own way from there, so that they must not become its own.
pub const OF_THE_ORIGIN: [&str; 2] = ["log/checkpoint", "log.vkey"];

/// Why a backup was not taken, is not good, or was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// A file could not be read or written.
    #[error("{action} {file} failed")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The bucket did not do what it was asked to.
    #[error("{action} {object} in {bucket} failed")]
    Bucket {
        /// What was tried.
        action: &'static str,
        /// The object.
        object: String,
        /// The bucket's address.
        bucket: String,
        /// The bucket's reason.
        #[source]
        source: Box<object_store::Error>,
    },
    /// There is no backup.
    #[error("there is no backup in {bucket}: it holds no {MANIFEST}")]
    None {
        /// The bucket's address.
        bucket: String,
    },
    /// The manifest is not one that this program reads.
    #[error("the manifest of {bucket} cannot be used: {reason}")]
    Manifest {
        /// The bucket's address.
        bucket: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The place holds a backup of another log.
    #[error("{bucket} holds a backup of log {found}, this is log {log}")]
    OtherLog {
        /// The bucket's address.
        bucket: String,
        /// Whose backup is there.
        found: LogId,
        /// Whose backup was to be taken.
        log: LogId,
    },
    /// A file of the backup is not what the manifest says.
    #[error("{file} is damaged in the backup: {what} is {found}, the manifest says {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// What differs.
        what: &'static str,
        /// What the manifest says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The log's files changed faster than they could be listed.
    #[error("the segments of the log went on changing while they were listed; try again")]
    Restless,
    /// The folder to restore into is in use.
    #[error("{folder} is not empty: a backup is restored into a folder that holds no log")]
    Occupied {
        /// The folder.
        folder: String,
    },
    /// The restored log does not verify.
    #[error("the restored log is not good")]
    Verify(#[from] VerifyError),
    /// The restored log has another root than the manifest names.
    #[error("the restored log has root {found}, the manifest says {expected}")]
    Root {
        /// What the manifest says.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// The restored log could not be cut off where it was asked for.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// The log had no record at the time.
    #[error("the log had no record at {time} yet")]
    Before {
        /// The time that was asked for.
        time: jiff::Timestamp,
    },
}

impl BackupError {
    fn file(action: &'static str, file: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let file = file.display().to_string();
        move |source| Self::File { action, file, source }
    }

    fn bucket(
        action: &'static str,
        object: &str,
        bucket: &crate::bucket::Bucket,
    ) -> impl FnOnce(object_store::Error) -> Self + use<> {
        let (object, bucket) = (object.to_owned(), bucket.address.clone());
        move |source| Self::Bucket { action, object, bucket, source: Box::new(source) }
    }
}
