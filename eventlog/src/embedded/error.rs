//! Why a directory cannot be opened as a log, or does not verify.

use crate::{AppendError, Position, ReadError};

/// Why a log cannot be opened or verified. No segment was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has the directory open for writing.
    #[error("the log in {directory} is open in another process")]
    Locked {
        /// The directory.
        directory: String,
    },
    /// An operation on a file failed.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file's name.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The file is of a newer version than this program knows.
    #[error("{file} has format version {version}, this program reads version 1")]
    Version {
        /// The file's name.
        file: String,
        /// The version found.
        version: u16,
    },
    /// Something that was durable is damaged or missing. Restore it from a copy; it is never cut off.
    #[error("record {position} in {file} is damaged: {reason}")]
    Corrupt {
        /// The first record that cannot be trusted.
        position: Position,
        /// The file's name.
        file: String,
        /// What does not fit.
        reason: String,
    },
    /// The metadata of streams cannot be read.
    #[error("the metadata of the streams cannot be read")]
    Metadata(#[source] ReadError),
    /// There is no log in the directory.
    #[error("there is no log in {directory}")]
    NoLog {
        /// The directory.
        directory: String,
    },
    /// An option is out of range.
    #[error("option {option}: {reason}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl OpenError {
    pub(super) fn io(action: &'static str, file: &str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Io { action, file, source }
    }

    pub(super) fn corrupt(position: Position, file: &str, reason: impl Into<String>) -> Self {
        Self::Corrupt { position, file: file.to_owned(), reason: reason.into() }
    }
}

/// Why the committer could not make room.
#[derive(Debug)]
pub(super) enum RoomError {
    /// Nothing was written; it may work later.
    Full(std::io::Error),
    /// What is on disk is not known any more.
    Broken(std::io::Error),
}

impl From<std::io::Error> for RoomError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Broken(error),
        }
    }
}

pub(super) fn read_io(file: &str) -> impl FnOnce(std::io::Error) -> ReadError + use<> {
    let file = file.to_owned();
    move |source| {
        if super::tier::is_unreachable(&source) {
            ReadError::Unreachable { file, source }
        } else {
            ReadError::Io { file, source }
        }
    }
}

pub(super) fn poisoned(reason: &str) -> AppendError {
    AppendError::Poisoned(reason.to_owned())
}
