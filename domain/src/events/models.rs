//! Models: registered, versioned, deployed, and what they predicted.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetClass, AssetId, Code, DeploymentId, ModelName, PersonId, SignalId};
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
    /// The model.
    pub model: ModelName,
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
}

/// A name for a version was set or moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasSet {
    /// The model.
    pub model: ModelName,
    /// The alias (`champion`).
    pub alias: Code,
    /// The version that it names from now on.
    pub version: u32,
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
