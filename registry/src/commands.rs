//! What can be asked of the registry, as plain data.

use bytes::Bytes;
use domain::events::{Artifact, Port, Target, TrainedOn};
use domain::ids::{Code, DeploymentId, ModelName, PersonId};
use domain::values::Text;
use eventlog::{EventId, Position};
use indexmap::IndexMap;
use jiff::Timestamp;
use uuid::Uuid;

use crate::runtime::{Inputs, Outputs, Unavailable};

/// Who gives a command, and when it happened.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name that stands in the record (a token's name, a program).
    pub actor: String,
    /// The idempotency key, when the caller has one: a command repeated under it answers its first position.
    pub event_id: Option<EventId>,
    /// When it happened; without it, now.
    pub event_time: Option<Timestamp>,
    /// The conversation that the command belongs to.
    pub correlation_id: Option<Uuid>,
}

impl Caller {
    /// A caller with a name only: new event ids, the present time.
    pub fn named(actor: &str) -> Self {
        Self { actor: actor.to_owned(), event_id: None, event_time: None, correlation_id: None }
    }
}

/// Which version of a model is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// This very one.
    Number(u32),
    /// The one that the alias names at the moment.
    Alias(Code),
    /// The one with the greatest number.
    Latest,
}

/// A file of a new version.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its name in the version (`model.safetensors`).
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
}

/// A version to be made.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// The model, which must be registered.
    pub model: ModelName,
    /// What runs it (`mechanism`, `candle`).
    pub runtime: Code,
    /// Its files.
    pub files: Vec<NewFile>,
    /// Where its data came from.
    pub trained_on: Option<TrainedOn>,
    /// How good it was, by name.
    pub metrics: IndexMap<String, f64>,
    /// Anything else worth saying.
    pub note: Option<Text>,
    /// Inputs that the version must have an answer for before it is taken.
    pub example: Option<Inputs>,
}

/// A version that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionCreated {
    /// Its number.
    pub version: u32,
    /// Where the log says so.
    pub position: Position,
    /// What goes in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// Its files, by digest.
    pub artifacts: Vec<Artifact>,
    /// What it answered to the example.
    pub smoke: Option<Outputs>,
}

/// A deployment to be made, or to be moved to another version.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The model.
    pub model: ModelName,
    /// The version that is to run.
    pub version: VersionRef,
    /// Where.
    pub target: Target,
    /// Seconds between predictions for one asset; at least 1.
    pub period_s: u32,
    /// Who decided.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
}

/// A deployment runs a version from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The version.
    pub version: u32,
    /// The version that ran before.
    pub replaces: Option<u32>,
    /// Where the log says so.
    pub position: Position,
}

/// Who decided, and why.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Who.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
}

/// An answer that was computed on demand and is not logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The model.
    pub model: ModelName,
    /// The version that answered.
    pub version: u32,
    /// Where the version came to be.
    pub version_position: Position,
    /// What came out, or why nothing did.
    pub outputs: Result<Outputs, Unavailable>,
}

/// A moment, by what the system knew or by what was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As the log was known through this position (included).
    AsOf(Position),
    /// As it was at this event time, by everything that is known now.
    At(Timestamp),
}
