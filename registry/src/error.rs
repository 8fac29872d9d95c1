//! Why a command or a question to the registry was not answered.

use domain::ids::{InvalidId, ModelName, PersonId};
use domain::rules::Rejection;
use domain::rules::gate::Unmet;
use eventlog::{AppendError, InvalidName, Position, ReadError};
use projections::{SealError, WaitError};

use crate::artifacts::ArtifactError;
use crate::runtime::LoadError;
use crate::usage::Use;

/// Why the registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The thing is not there.
    #[error("{kind} {id} is not known")]
    NotFound {
        /// What kind of thing (`model`, `version`, `alias`, `deployment`, `asset`).
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// Another model is called so.
    #[error("another model is called {name:?}")]
    NameTaken {
        /// The name.
        name: String,
        /// The model that has it.
        model: ModelName,
    },
    /// Gates stand before the promotion, and the version does not pass them.
    #[error("version {version} of model {model} is not promoted: {}", list(.unmet))]
    GateRefused {
        /// The model.
        model: ModelName,
        /// The version.
        version: u32,
        /// Everything that is asked for and is not so.
        unmet: Vec<Unmet>,
    },
    /// Somebody vouches for their own work.
    #[error("{person} cannot approve version {version} of model {model}: {reason}")]
    OwnApproval {
        /// The model.
        model: ModelName,
        /// The version.
        version: u32,
        /// Who.
        person: PersonId,
        /// Why not.
        reason: String,
    },
    /// It cannot be deleted as long as it is needed.
    #[error("model {model} is in use: {}", list(.by))]
    InUse {
        /// The model.
        model: ModelName,
        /// Who needs it.
        by: Vec<Use>,
    },
    /// The state of things does not allow it.
    #[error("{kind} {id}: {reason}")]
    Conflict {
        /// What kind of thing.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Why not.
        reason: String,
    },
    /// The domain's rules forbid it: it contradicts what is known.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A part of the request is wrong in itself.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field of the request.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The files do not make a model.
    #[error("the version cannot be loaded")]
    Load(#[from] LoadError),
    /// The dataset could not be built or read.
    #[error("the dataset failed")]
    Dataset(#[source] datasets::DatasetError),
    /// The training failed.
    #[error("the training failed")]
    Train(#[source] crate::candle::train::TrainError),
    /// The work was given up, because the program ends.
    #[error("the work was interrupted")]
    Interrupted,
    /// A file could not be stored or is not what the log says.
    #[error("an artifact failed")]
    Artifact(#[from] ArtifactError),
    /// Other commands came in between each time.
    #[error("{topic} was changed by others {attempts} times in a row")]
    Busy {
        /// What the command is about.
        topic: String,
        /// How often the command was tried.
        attempts: usize,
    },
    /// It was done, and cannot be read yet.
    #[error("it stands in the log at position {position}, and the read model has not come so far")]
    NotVisible {
        /// The last position that must be taken in.
        position: Position,
        /// Why the read model is not there.
        #[source]
        source: WaitError,
    },
    /// The log took nothing.
    #[error("the log refused the event")]
    Append(#[source] AppendError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The event cannot be written.
    #[error("the event cannot be written")]
    Seal(#[from] SealError),
}

impl RegistryError {
    pub(crate) fn not_found(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    pub(crate) fn conflict(kind: &'static str, id: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::Conflict { kind, id: id.to_string(), reason: reason.to_string() }
    }

    pub(crate) fn invalid(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field: field.into(), reason: reason.to_string() }
    }

    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Append(error) => error.retryable(),
            Self::Artifact(error) => error.retryable(),
            Self::Dataset(error) => error.retryable(),
            _ => false,
        }
    }
}

fn list(reasons: &[impl ToString]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<datasets::DatasetError> for RegistryError {
    fn from(error: datasets::DatasetError) -> Self {
        match error {
            datasets::DatasetError::Spec { field, reason } => Self::Invalid { field, reason },
            datasets::DatasetError::Log(source) => Self::Read(source),
            other => Self::Dataset(other),
        }
    }
}

impl From<InvalidName> for RegistryError {
    fn from(error: InvalidName) -> Self {
        Self::invalid("name", error)
    }
}

impl From<InvalidId> for RegistryError {
    fn from(error: InvalidId) -> Self {
        Self::invalid("id", error)
    }
}

/// An error with everything that caused it, in one line: for reasons that are kept as text.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
