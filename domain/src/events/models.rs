//! Models: registered, versioned, deployed, and what they predicted.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{
    AssetClass, AssetId, Code, DatasetId, DeploymentId, LoggedModelId, ModelName, PersonId, RunId, SignalId,
};
use crate::units::Unit;
use crate::values::Text;

/// What a model is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Physics 机理.
    Mechanism,
    /// Rules 知识.
    Knowledge,
    /// Data 数据: learnt from history.
    Data,
}

/// A model was registered, or described anew.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRegistered {
    /// The model: an id that it keeps for ever.
    pub model: ModelName,
    /// What people call it, when that is not its id. No two models that are there at one time have the same name.
    pub name: Option<String>,
    /// What it is made from.
    pub kind: ModelKind,
    /// What it is for.
    pub description: Text,
}

/// One input or output of a model.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The quantity, as in the tag catalog.
    pub name: Code,
    /// Its unit.
    pub unit: Unit,
    /// The least value that the model is valid for.
    pub low: Option<f64>,
    /// The greatest value that the model is valid for.
    pub high: Option<f64>,
}

/// A file of a model version, by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name in the version (`model.safetensors`).
    pub name: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Where the data behind a version came from: log positions, both inclusive.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedOn {
    /// The first position.
    pub first_position: u64,
    /// The last position.
    pub last_position: u64,
    /// How many samples were used.
    pub samples: u64,
    /// The seed of everything random.
    pub seed: Option<u64>,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentVersion {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
}

/// What a version was made from, as far as its maker said.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The dataset that it learnt from.
    pub dataset: Option<DatasetId>,
    /// SHA-256 of that dataset's file, 64 hexadecimal digits.
    pub dataset_sha256: Option<String>,
    /// The query that chose the data, when it is no dataset of ours.
    pub query: Option<String>,
    /// The revision of the code that trained it.
    pub code: Option<String>,
    /// The folds that the data went through, with their versions.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub projections: IndexMap<String, u32>,
    /// The versions that it was derived from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<ParentVersion>,
    /// What is needed to train it again here: the settings of the trainer.
    pub recipe: Option<serde_json::Value>,
}

/// An immutable version of a model came to be.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersionCreated {
    /// The model.
    pub model: ModelName,
    /// The version: 1, 2, 3, …
    pub version: u32,
    /// What runs it (`mechanism`, `candle`).
    pub runtime: Code,
    /// What goes in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// Its files.
    pub artifacts: Vec<Artifact>,
    /// Where its data came from.
    pub trained_on: Option<TrainedOn>,
    /// How good it was, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub metrics: IndexMap<String, f64>,
    /// Anything else worth saying.
    pub note: Option<Text>,
    /// Who made it, when that is a person.
    pub author: Option<PersonId>,
    /// Where its files were found, as its maker wrote it (`runs:/…`, `models:/m-…`).
    pub source: Option<String>,
    /// The run that made it.
    pub run: Option<RunId>,
    /// The logged model that it is.
    pub logged_model: Option<LoggedModelId>,
    /// What it was made from.
    pub lineage: Option<Box<Lineage>>,
}

/// A model is called otherwise from now on. Its id, its versions and its history stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRenamed {
    /// The model.
    pub model: ModelName,
    /// Its new name.
    pub name: String,
}

/// A model or one of its versions was described anew, in words without a language.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescribed {
    /// The model.
    pub model: ModelName,
    /// The version; the model itself, when absent.
    pub version: Option<u32>,
    /// The description.
    pub description: String,
}

/// A tag of a model or of one of its versions was set.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTagSet {
    /// The model.
    pub model: ModelName,
    /// The version; the model itself, when absent.
    pub version: Option<u32>,
    /// The tag.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A tag of a model or of one of its versions was taken away.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTagRemoved {
    /// The model.
    pub model: ModelName,
    /// The version; the model itself, when absent.
    pub version: Option<u32>,
    /// The tag.
    pub key: String,
}

/// The stages of a version that MLflow knew before there were aliases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// In no stage.
    #[default]
    None,
    /// Being tried.
    Staging,
    /// In use.
    Production,
    /// Put away.
    Archived,
}

/// A version moved to another stage.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelStageSet {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Its stage from now on.
    pub stage: Stage,
    /// The versions that were in that stage and are archived by this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<u32>,
    /// What was checked before, when gates guard the stage.
    pub checked: Option<GateCheck>,
}

/// A version is no longer offered. Its number is never used again.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersionDeleted {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Why.
    pub reason: Option<Text>,
}

/// A model with all its versions is no longer offered. Its name is free again, its id is not.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDeleted {
    /// The model.
    pub model: ModelName,
    /// Why.
    pub reason: Option<Text>,
}

/// A version was measured on a dataset.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersionEvaluated {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// The dataset, by the name that gates ask for.
    pub dataset: String,
    /// SHA-256 of the dataset's file, 64 hexadecimal digits: two evaluations compare only when it is the same.
    pub dataset_sha256: Option<String>,
    /// How good it was, by name.
    pub metrics: IndexMap<String, f64>,
    /// On how many samples.
    pub samples: Option<u64>,
    /// Who measured it.
    pub person: Option<PersonId>,
}

/// Somebody other than its author vouches for a version.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersionApproved {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Who.
    pub person: PersonId,
    /// What they looked at.
    pub note: Option<Text>,
}

/// Somebody takes an approval back.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelApprovalWithdrawn {
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// Whose approval.
    pub person: PersonId,
    /// Why.
    pub reason: Option<Text>,
}

/// What a gate stands before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarded {
    /// Setting this alias.
    Alias(Code),
    /// Moving a version into this stage.
    Stage(Stage),
    /// Every deployment.
    Deployment,
}

/// Which of two values of a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The greater one (accuracy).
    Higher,
    /// The lesser one (error).
    Lower,
}

/// A metric that a version must reach on a dataset.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The dataset, by name.
    pub dataset: String,
    /// The metric.
    pub metric: String,
    /// Which value is better.
    pub better: Better,
    /// The worst value that passes; any, when absent.
    pub threshold: Option<f64>,
    /// How much better than the present champion it must be, in the metric's own unit; 0 means at least as good. It need not be compared, when absent.
    pub beats_champion_by: Option<f64>,
}

/// A gate was put up, or defined anew: what must be so before a version is promoted.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateDefined {
    /// The gate.
    pub gate: Code,
    /// The model that it is for; every model, when absent.
    pub model: Option<ModelName>,
    /// What it stands before.
    pub guards: Vec<Guarded>,
    /// How many people other than the author must have approved the version.
    pub approvals: u32,
    /// What it must have reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// The alias whose version is the champion to compare with; `champion`, when absent.
    pub champion: Option<Code>,
}

/// A gate was taken down.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRemoved {
    /// The gate.
    pub gate: Code,
    /// Why.
    pub reason: Option<Text>,
}

/// What was found when a promotion was checked against its gates. The promotion was appended on the condition that nothing of it had changed since.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateCheck {
    /// The last position that the check knew of.
    pub position: u64,
    /// The gates that were passed.
    pub gates: Vec<Code>,
    /// The version that was the champion.
    pub champion: Option<u32>,
    /// Who had approved the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<PersonId>,
    /// The positions of the evaluations that were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<u64>,
    /// The gates that stood before it and were not asked, because it takes back what came after the version: a roll-back is possible at any hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<Code>,
}

/// A column of a dataset.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetColumn {
    /// Its name.
    pub name: String,
    /// Its type in the file (`float64`, `int64`, `utf8`, `timestamp`, `boolean`).
    pub kind: String,
    /// The unit of its values.
    pub unit: Option<Unit>,
}

/// A table for training was built from the log as it was known at a position.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetBuilt {
    /// The dataset. Built again, it gets a new id: a dataset never changes.
    pub dataset: DatasetId,
    /// What people call it; several datasets may have one name.
    pub name: String,
    /// What was asked for, complete: with it and `as_of`, the same file comes out again.
    pub spec: serde_json::Value,
    /// The last position that it knows of.
    pub as_of: u64,
    /// The version of the builder.
    pub builder: u32,
    /// How many rows it has.
    pub rows: u64,
    /// Its columns, in order.
    pub columns: Vec<DatasetColumn>,
    /// The file (Parquet), by content.
    pub file: Artifact,
    /// The first position that it took something from; absent when it is empty.
    pub first_position: Option<u64>,
    /// The last position that it took something from.
    pub last_position: Option<u64>,
    /// The signals that it read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalId>,
    /// The events that its labels came from, by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_positions: Vec<u64>,
    /// The folds that it went through, with their versions.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub projections: IndexMap<String, u32>,
    /// The assets that it looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetId>,
    /// The earliest moment that it looked at: where the first row's longest look back begins.
    pub from: Option<Timestamp>,
    /// The moment before which everything happened that it looked at: where the last row's longest look ahead ends.
    pub until: Option<Timestamp>,
    /// How many readings it took.
    pub readings: Option<u64>,
    /// The types of the events that it looked at, besides readings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// What it met and left out, by the reason (`bad_status`): how many.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub left_out: IndexMap<String, u64>,
}

/// A name for a version was set or moved.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasSet {
    /// The model.
    pub model: ModelName,
    /// The alias (`champion`).
    pub alias: Code,
    /// The version that it names from now on.
    pub version: u32,
    /// What was checked before, when gates guard the alias.
    pub checked: Option<GateCheck>,
}

/// A name for a version is no longer in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasRemoved {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub alias: Code,
}

/// What a deployment runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One asset.
    Asset(AssetId),
    /// Every asset of a class.
    Class(AssetClass),
}

/// A version was deployed, or a deployment was moved to another version (an upgrade or a roll-back).
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDeployed {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The model.
    pub model: ModelName,
    /// The version that runs from now on.
    pub version: u32,
    /// Where.
    pub target: Target,
    /// Seconds between predictions for one asset.
    pub period_s: u32,
    /// The version that ran before, when this is an upgrade or a roll-back.
    pub replaces: Option<u32>,
    /// Who decided.
    pub person: Option<PersonId>,
    /// Why.
    pub reason: Option<Text>,
    /// What was checked before, when gates guard deployments.
    pub checked: Option<GateCheck>,
}

/// A deployment runs no longer.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRetired {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Why.
    pub reason: Option<Text>,
}

/// A reading that a prediction was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputUsed {
    /// The input of the model.
    pub name: Code,
    /// The signal.
    pub signal: SignalId,
    /// The position of the frame.
    pub position: u64,
    /// The row in the frame.
    pub row: u32,
    /// The value that went in.
    pub value: f64,
}

/// A deployed version made a prediction, or says why it could not.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionMade {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: u32,
    /// The asset that it is about.
    pub asset: AssetId,
    /// What it was made from.
    pub inputs: Vec<InputUsed>,
    /// What came out, by output name; empty when unavailable.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<String, f64>,
    /// Why there is no output.
    pub unavailable: Option<String>,
}
