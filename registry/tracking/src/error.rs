//! Why a command or a question was not answered.

use domain::ids::InvalidId;
use eventlog::{AppendError, InvalidName, ReadError};
use projections::{SealError, WaitError};

/// Why the tracking store did not do what it was asked for. The first five texts are meant for the client, and are those that MLflow's clients look for.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// The thing is not there (`RESOURCE_DOES_NOT_EXIST`).
    #[error("{0}")]
    NotFound(String),
    /// Something of that name is there already (`RESOURCE_ALREADY_EXISTS`).
    #[error("{0}")]
    Exists(String),
    /// A part of the request is wrong in itself, or contradicts what was logged (`INVALID_PARAMETER_VALUE`).
    #[error("{0}")]
    Invalid(String),
    /// The thing was deleted, and takes nothing until it is restored (`INVALID_PARAMETER_VALUE` too: the original makes no difference).
    #[error("{0}")]
    NotActive(String),
    /// The state of things forbids it (`INVALID_STATE`).
    #[error("{0}")]
    State(String),
    /// Other commands came in between each time; the same call may succeed later.
    #[error("{what} was changed by others {attempts} times in a row")]
    Busy {
        /// What the command is about.
        what: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// The log took nothing.
    #[error("the log refused the event")]
    Append(#[source] AppendError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The event cannot be written.
    #[error("the event cannot be written")]
    Seal(#[source] SealError),
    /// The event is in the log, but the store has not applied it: it does not answer at present.
    #[error("the tracking store does not answer")]
    Unavailable(#[from] WaitError),
}

impl TrackingError {
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::NotFound(text.into())
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unavailable(WaitError::Timeout { .. }) => true,
            Self::Append(error) => error.retryable(),
            Self::Read(error) => error.retryable(),
            _ => false,
        }
    }
}

impl From<InvalidId> for TrackingError {
    fn from(error: InvalidId) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<InvalidName> for TrackingError {
    fn from(error: InvalidName) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<SealError> for TrackingError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Name(error) => error.into(),
            other => Self::Seal(other),
        }
    }
}
