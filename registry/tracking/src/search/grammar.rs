//! What each entity has: attributes, prefixes of keys, and comparisons.

use std::fmt::Write as _;

use super::SearchError;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// Experiments.
    Experiments,
    /// Runs.
    Runs,
    /// Logged models.
    LoggedModels,
    /// Registered models.
    RegisteredModels,
    /// Versions of registered models.
    ModelVersions,
}

/// An attribute, whatever a client calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// The id of a run, or of the run that a version or logged model comes from.
    RunId,
    /// The name of a run.
    RunName,
    /// Whose run it is.
    UserId,
    /// The status of a run or logged model.
    Status,
    /// When a run began.
    StartTime,
    /// When a run ended.
    EndTime,
    /// Where the files of a run or logged model live.
    ArtifactUri,
    /// The id of an experiment, or of the experiment of a logged model.
    ExperimentId,
    /// The id of a logged model.
    ModelId,
    /// The name of an experiment, a logged model, a registered model, or the model of a version.
    Name,
    /// When it came to be.
    CreationTime,
    /// When it changed last.
    LastUpdateTime,
    /// The number of a version.
    VersionNumber,
    /// Where a version was made from, as its maker wrote it.
    SourcePath,
    /// What kind of model a logged model is.
    ModelType,
    /// What a logged model says about its status.
    StatusMessage,
    /// Whether it is `active` or `deleted`.
    LifecycleStage,
}

/// A property of a dataset that went into a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetAttribute {
    /// Its name.
    Name,
    /// Its digest.
    Digest,
    /// What it was used for.
    Context,
}

/// What a condition or an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// An attribute.
    Attribute(Attribute),
    /// A metric.
    Metric(String),
    /// A parameter.
    Param(String),
    /// A tag.
    Tag(String),
    /// A property of a dataset.
    Dataset(DatasetAttribute),
}

/// What kind of field a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Attribute,
    Metric,
    Param,
    Tag,
    Dataset,
}

impl Kind {
    /// As MLflow's messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Metric => "metric",
            Self::Param => "parameter",
            Self::Tag => "tag",
            Self::Dataset => "dataset",
        }
    }
}

/// What may be done with an attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttributeRule {
    /// What a client calls it.
    pub key: &'static str,
    pub attribute: Attribute,
    pub numeric: bool,
    pub filter: bool,
    pub order: bool,
}

const fn rule(key: &'static str, attribute: Attribute) -> AttributeRule {
    AttributeRule { key, attribute, numeric: false, filter: true, order: true }
}

impl AttributeRule {
    const fn numeric(self) -> Self {
        Self { numeric: true, ..self }
    }

    const fn filter_only(self) -> Self {
        Self { order: false, ..self }
    }

    const fn order_only(self) -> Self {
        Self { filter: false, ..self }
    }
}

const RUNS: &[AttributeRule] = &[
    rule("artifact_uri", Attribute::ArtifactUri),
    rule("created", Attribute::StartTime).numeric(),
    rule("Created", Attribute::StartTime).numeric(),
    rule("end_time", Attribute::EndTime).numeric(),
    rule("run_id", Attribute::RunId),
    rule("run_name", Attribute::RunName),
    rule("run name", Attribute::RunName).filter_only(),
    rule("Run name", Attribute::RunName).filter_only(),
    rule("Run Name", Attribute::RunName).filter_only(),
    rule("start_time", Attribute::StartTime).numeric(),
    rule("status", Attribute::Status),
    rule("user_id", Attribute::UserId),
];

const EXPERIMENTS: &[AttributeRule] = &[
    rule("creation_time", Attribute::CreationTime).numeric(),
    rule("experiment_id", Attribute::ExperimentId).order_only(),
    rule("last_update_time", Attribute::LastUpdateTime).numeric(),
    rule("name", Attribute::Name),
];

const REGISTERED_MODELS: &[AttributeRule] = &[
    rule("creation_timestamp", Attribute::CreationTime).numeric().order_only(),
    rule("last_updated_timestamp", Attribute::LastUpdateTime).numeric().order_only(),
    rule("name", Attribute::Name),
    rule("timestamp", Attribute::LastUpdateTime).numeric().order_only(),
];

const MODEL_VERSIONS: &[AttributeRule] = &[
    rule("creation_timestamp", Attribute::CreationTime).numeric().order_only(),
    rule("last_updated_timestamp", Attribute::LastUpdateTime).numeric().order_only(),
    rule("name", Attribute::Name),
    rule("run_id", Attribute::RunId).filter_only(),
    rule("source_path", Attribute::SourcePath).filter_only(),
    rule("version_number", Attribute::VersionNumber).numeric(),
];

const LOGGED_MODELS: &[AttributeRule] = &[
    rule("artifact_location", Attribute::ArtifactUri),
    rule("creation_time", Attribute::CreationTime).numeric(),
    rule("creation_timestamp", Attribute::CreationTime).numeric(),
    rule("creation_timestamp_ms", Attribute::CreationTime).numeric(),
    rule("experiment_id", Attribute::ExperimentId),
    rule("last_updated_timestamp", Attribute::LastUpdateTime).numeric(),
    rule("last_updated_timestamp_ms", Attribute::LastUpdateTime).numeric(),
    rule("lifecycle_stage", Attribute::LifecycleStage),
    rule("model_id", Attribute::ModelId),
    rule("model_type", Attribute::ModelType),
    rule("name", Attribute::Name),
    rule("source_run_id", Attribute::RunId),
    rule("status", Attribute::Status),
    rule("status_message", Attribute::StatusMessage),
];

const NUMBERS: [&str; 6] = ["!=", "<", "<=", "=", ">", ">="];
const TEXTS: [&str; 4] = ["!=", "=", "ILIKE", "LIKE"];

impl Entity {
    pub(super) fn attributes(self) -> &'static [AttributeRule] {
        match self {
            Self::Experiments => EXPERIMENTS,
            Self::Runs => RUNS,
            Self::LoggedModels => LOGGED_MODELS,
            Self::RegisteredModels => REGISTERED_MODELS,
            Self::ModelVersions => MODEL_VERSIONS,
        }
    }

    /// What kind of field a prefix announces.
    ///
    /// # Errors
    /// When the entity has no such prefix.
    pub(super) fn kind(self, prefix: &str) -> Result<Kind, SearchError> {
        let (kind, valid) = match self {
            Self::Runs => (
                match prefix {
                    "attribute" | "attributes" | "attr" | "run" => Some(Kind::Attribute),
                    "metric" | "metrics" => Some(Kind::Metric),
                    "param" | "params" | "parameter" | "parameters" => Some(Kind::Param),
                    "tag" | "tags" => Some(Kind::Tag),
                    "dataset" | "datasets" => Some(Kind::Dataset),
                    _ => None,
                },
                "Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
            ),
            Self::LoggedModels => (
                match prefix {
                    "attributes" => Some(Kind::Attribute),
                    "metrics" => Some(Kind::Metric),
                    "params" => Some(Kind::Param),
                    "tags" => Some(Kind::Tag),
                    _ => None,
                },
                "Expected one of ['attributes', 'metrics', 'params', 'tags'].",
            ),
            Self::Experiments | Self::RegisteredModels | Self::ModelVersions => (
                match prefix {
                    "attribute" => Some(Kind::Attribute),
                    "tag" | "tags" => Some(Kind::Tag),
                    _ => None,
                },
                "Valid entity types are ('attribute', 'tag', 'tags')",
            ),
        };
        kind.ok_or_else(|| SearchError::Prefix { prefix: super::lexer::shortened(prefix), valid })
    }

    /// The attribute that a key names in a filter.
    pub(super) fn filter_attribute(self, key: &str) -> Result<AttributeRule, SearchError> {
        self.attribute(key, |rule| rule.filter)
    }

    /// The attribute that a key names in an order.
    pub(super) fn order_attribute(self, key: &str) -> Result<AttributeRule, SearchError> {
        self.attribute(key, |rule| rule.order)
    }

    fn attribute(self, key: &str, of: impl Fn(&AttributeRule) -> bool) -> Result<AttributeRule, SearchError> {
        let rules = || self.attributes().iter().filter(|rule| of(rule));
        rules().find(|rule| rule.key == key).copied().ok_or_else(|| SearchError::Attribute {
            key: super::lexer::shortened(key),
            valid: set(rules().map(|rule| rule.key)),
        })
    }

    /// Whether `IS NULL` may be asked of such a field.
    pub(super) fn may_be_null(self, kind: Kind) -> bool {
        match self {
            Self::Runs => matches!(kind, Kind::Param | Kind::Tag),
            Self::Experiments => kind == Kind::Tag,
            Self::LoggedModels | Self::RegisteredModels | Self::ModelVersions => false,
        }
    }

    /// Whether a field may be compared with a list: in both ways, or by `IN` alone.
    pub(super) fn list_comparators(self, field: &Field, numeric: bool) -> &'static [&'static str] {
        match (self, field) {
            (Self::Runs, Field::Attribute(Attribute::RunId) | Field::Dataset(_)) => &["IN", "NOT IN"],
            (Self::ModelVersions, Field::Attribute(Attribute::RunId)) => &["IN"],
            (Self::LoggedModels, _) if !numeric => &["IN", "NOT IN"],
            _ => &[],
        }
    }

    /// Every comparison that a field allows.
    pub(super) fn comparators(self, field: &Field, kind: Kind, numeric: bool) -> Vec<&'static str> {
        let mut all = if numeric { NUMBERS.to_vec() } else { TEXTS.to_vec() };
        all.extend(self.list_comparators(field, numeric));
        if self.may_be_null(kind) {
            all.extend(["IS NULL", "IS NOT NULL"]);
        }
        all
    }
}

impl DatasetAttribute {
    pub(super) fn named(key: &str) -> Result<Self, SearchError> {
        match key {
            "name" => Ok(Self::Name),
            "digest" => Ok(Self::Digest),
            "context" => Ok(Self::Context),
            _ => Err(SearchError::Dataset(super::lexer::shortened(key))),
        }
    }
}

/// A set of words, as MLflow's messages show one.
pub(super) fn set<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut sorted: Vec<&str> = words.collect();
    sorted.sort_unstable();
    let mut text = String::from("{");
    for (index, word) in sorted.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}'{word}'");
    }
    text.push('}');
    text
}
