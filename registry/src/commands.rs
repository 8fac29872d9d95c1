//! What can be asked of the registry, as plain data.

use bytes::Bytes;
use domain::events::{Artifact, KeyValue, Lineage, ModelKind, ModelVersionCreated, Port, Stage, Target, TrainedOn};
use domain::ids::{Code, DeploymentId, LoggedModelId, ModelName, PersonId, RunId};
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

/// A model, or one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The model.
    pub model: ModelName,
    /// The version; the model itself, when absent.
    pub version: Option<u32>,
}

/// A model to be registered.
#[derive(Clone, Debug)]
pub struct NewModel {
    /// What people call it.
    pub name: String,
    /// What it is made from.
    pub kind: ModelKind,
    /// What it is for, in Chinese and English.
    pub text: Text,
    /// What it is for, in words without a language.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

impl NewModel {
    /// A model without a description.
    pub fn named(name: &str, kind: ModelKind) -> Self {
        Self { name: name.to_owned(), kind, text: Text::default(), description: None, tags: Vec::new() }
    }
}

/// A model that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id, which it keeps for ever.
    pub model: ModelName,
    /// Where the log says so.
    pub position: Position,
}

/// A version with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionEntry {
    /// What the log says about it, its files and what it was trained on included.
    pub created: ModelVersionCreated,
    /// Where.
    pub position: Position,
}

/// A version to be made of files that are stored already, and that are never loaded here.
#[derive(Clone, Debug)]
pub struct ExternalVersion {
    /// The model, which must be registered.
    pub model: ModelName,
    /// Its files, by relative path.
    pub artifacts: Vec<Artifact>,
    /// Where the files were found, as its maker wrote it.
    pub source: Option<String>,
    /// The run that made it.
    pub run: Option<RunId>,
    /// The logged model that it is.
    pub logged_model: Option<LoggedModelId>,
    /// What it is, in words without a language.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
    /// Who made it, when that is a person.
    pub author: Option<PersonId>,
    /// What it was made from.
    pub lineage: Option<Lineage>,
}

impl ExternalVersion {
    /// A version without files, of which nothing is said.
    pub const fn of(model: ModelName) -> Self {
        Self {
            model,
            artifacts: Vec::new(),
            source: None,
            run: None,
            logged_model: None,
            description: None,
            tags: Vec::new(),
            author: None,
            lineage: None,
        }
    }
}

/// A version that is to move into a stage.
#[derive(Clone, Debug)]
pub struct StageChange {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Its stage from now on.
    pub stage: Stage,
    /// Whether the other versions in that stage are archived.
    pub archive_existing: bool,
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
    /// Who made it, when that is a person.
    pub author: Option<PersonId>,
    /// The run that made it.
    pub run: Option<RunId>,
    /// What it was made from.
    pub lineage: Option<Lineage>,
}

impl NewVersion {
    /// A version of these files, of which nothing more is said.
    pub fn new(model: ModelName, runtime: Code, files: Vec<NewFile>) -> Self {
        Self {
            model,
            runtime,
            files,
            trained_on: None,
            metrics: IndexMap::new(),
            note: None,
            example: None,
            author: None,
            run: None,
            lineage: None,
        }
    }
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
