//! Why a segment was not sealed.

use crate::embedded::error::OpenError;
use crate::{Position, ReadError};

/// Why a segment was not sealed, or payloads were not dropped. The segment is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The segment that was to be sealed cannot be read.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// What was written cannot be read back, or what was sealed before is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
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
    /// The new file does not say what the old one says.
    #[error("record {position} of the sealed segment {file} is not what it was: {reason}")]
    Differs {
        /// The first such record.
        position: Position,
        /// The new file's name.
        file: String,
        /// What differs.
        reason: &'static str,
    },
    /// A new segment could not be begun.
    #[error("the segment that is written to could not be closed")]
    Rotate(#[source] crate::AppendError),
    /// The log is closing.
    #[error("the log is closing")]
    Stopped,
}

impl SealError {
    pub(in crate::embedded) fn io(action: &'static str, file: &str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Io { action, file, source }
    }
}
