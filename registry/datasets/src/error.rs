//! Why there is no dataset.

use eventlog::{Position, ReadError};

/// Why a dataset was not built.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The spec is not valid, or does not fit what the log knows.
    #[error("{field}: {reason}")]
    Spec {
        /// The field (`features[2].unit`).
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It would be larger than allowed.
    #[error("{what} would be more than {limit}: {advice}")]
    TooLarge {
        /// What was counted.
        what: String,
        /// The most that is allowed.
        limit: u64,
        /// What to change.
        advice: &'static str,
    },
    /// The position is not written yet.
    #[error("position {as_of} is not written yet; the log ends before {tail}")]
    Beyond {
        /// The position.
        as_of: Position,
        /// The first position that is not written.
        tail: Position,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    /// The file could not be made.
    #[error("the file could not be made")]
    File(#[from] parquet::errors::ParquetError),
    /// What makes the file was not able to hand it on.
    #[error("the file could not be stored")]
    Sink(#[source] std::io::Error),
    /// The dataset was built by a version of the builder that this program does not have.
    #[error("it was built by version {built} of the builder; this program has version {here}")]
    Builder {
        /// The version that built it.
        built: u32,
        /// The version that is here.
        here: u32,
    },
}

impl DatasetError {
    pub(crate) fn spec(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Spec { field: field.into(), reason: reason.to_string() }
    }

    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Log(error) => error.retryable(),
            Self::Sink(_) => true,
            Self::Spec { .. } | Self::TooLarge { .. } | Self::Beyond { .. } | Self::File(_) | Self::Builder { .. } => {
                false
            }
        }
    }
}
