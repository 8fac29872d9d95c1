//! Why ingest refuses.

use std::sync::Arc;

use eventlog::{AppendError, EventId, Position, ReadError};

/// Why ingest did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A limit is too small to work with.
    #[error("limit {field} must be at least {least}")]
    Limit {
        /// The field of [`super::Limits`].
        field: &'static str,
        /// The least value.
        least: usize,
    },
    /// The thread could not be started.
    #[error("the ingest thread could not be started")]
    Thread(#[source] std::io::Error),
    /// The log could not be read to catch up.
    #[error("the index of reading identities could not catch up with the log")]
    Read(#[from] ReadError),
    /// The index could not be made.
    #[error("the index of reading identities failed: {0}")]
    Index(String),
}

/// Why ingest did not take something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// The call holds nothing.
    #[error("a batch needs at least one {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// The call holds too much.
    #[error("{what} is {actual}, the limit is {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The count.
        actual: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A reading, or the name of its source, is not valid.
    #[error("{field} of item {index}: {reason}")]
    Invalid {
        /// The index of the item in the call.
        index: usize,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An event's id is known with other content.
    #[error("event id {id} is taken by other content{}", .position.map_or_else(String::new, |at| format!(" at position {at}")))]
    IdConflict {
        /// The id.
        id: EventId,
        /// Where it is in the log, unless it stands twice in the call itself.
        position: Option<Position>,
    },
    /// The log refused the append.
    #[error("the log refused the append")]
    Append(#[source] Arc<AppendError>),
    /// The log could not be read to look for duplicates.
    #[error("the log could not be read to look for duplicates")]
    Read(#[source] Arc<ReadError>),
    /// The index of reading identities failed.
    #[error("the index of reading identities failed: {0}")]
    Index(String),
    /// The readings do not make a frame.
    #[error("the readings do not make a frame: {0}")]
    Frame(String),
    /// Ingest is closed.
    #[error("ingest is closed")]
    Closed,
}

impl IngestError {
    /// Whether the same call may succeed later without a change. When it is false because of the input itself, the input belongs in quarantine.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Append(error) => error.retryable(),
            Self::Read(_) | Self::Index(_) => true,
            Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::IdConflict { .. }
            | Self::Frame(_)
            | Self::Closed => false,
        }
    }

    /// Whether the input is at fault, and would be refused again.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::IdConflict { .. }
            | Self::Frame(_) => true,
            Self::Append(error) => matches!(
                **error,
                AppendError::Empty
                    | AppendError::TooLarge { .. }
                    | AppendError::Invalid { .. }
                    | AppendError::Name(_)
                    | AppendError::IdConflict { .. }
                    | AppendError::Erased { .. }
            ),
            Self::Read(_) | Self::Index(_) | Self::Closed => false,
        }
    }
}

impl From<AppendError> for IngestError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::IdConflict { id, position, .. } => Self::IdConflict { id, position },
            other => Self::Append(Arc::new(other)),
        }
    }
}

impl From<ReadError> for IngestError {
    fn from(error: ReadError) -> Self {
        Self::Read(Arc::new(error))
    }
}
