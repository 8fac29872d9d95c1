//! What readers get: experiments, runs, logged models and files, as they are now.

use domain::events::{DatasetInput, KeyValue, LoggedModelStatus, MetricPoint, ModelOutput, RunStatus};
use domain::ids::{ExperimentId, LoggedModelId, RunId};

/// Whether a thing counts, or was put aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It counts.
    #[default]
    Active,
    /// It was put aside, and can be restored.
    Deleted,
}

impl Stage {
    /// The word for it in MLflow's answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// Which stages a search looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewType {
    /// What counts.
    #[default]
    ActiveOnly,
    /// What was put aside.
    DeletedOnly,
    /// Both.
    All,
}

impl ViewType {
    /// Whether a thing at this stage is looked at.
    pub const fn includes(self, stage: Stage) -> bool {
        match self {
            Self::ActiveOnly => matches!(stage, Stage::Active),
            Self::DeletedOnly => matches!(stage, Stage::Deleted),
            Self::All => true,
        }
    }
}

/// A set of runs that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Its id: a whole number as text.
    pub id: ExperimentId,
    /// Its name; no two have the same, deleted ones included.
    pub name: String,
    /// Where its files live (`mlflow-artifacts:/1`).
    pub artifact_location: String,
    /// Whether it counts.
    pub stage: Stage,
    /// When it was logged, in milliseconds since 1970; 0 for the default experiment, which nobody made.
    pub created_ms: i64,
    /// When it was last renamed, deleted or restored, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Its tags, by key.
    pub tags: Vec<KeyValue>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name.
    pub name: String,
    /// Whose it is, as the client said; empty when it did not.
    pub user: String,
    /// How it is doing.
    pub status: RunStatus,
    /// When it began, in milliseconds since 1970, as the client said.
    pub started_ms: Option<i64>,
    /// When it ended, in milliseconds since 1970, as the client said.
    pub ended_ms: Option<i64>,
    /// Where its files live (`mlflow-artifacts:/1/RUN/artifacts`).
    pub artifact_uri: String,
    /// Whether it counts.
    pub stage: Stage,
    /// The latest point of each metric, by key: the greatest by step, then time, then value. The model and dataset of a point are not kept here.
    pub metrics: Vec<MetricPoint>,
    /// Its parameters, by key.
    pub params: Vec<KeyValue>,
    /// Its tags, by key.
    pub tags: Vec<KeyValue>,
    /// Datasets that went into it, in the order of the log.
    pub datasets: Vec<DatasetInput>,
    /// Logged models that went into it.
    pub model_inputs: Vec<LoggedModelId>,
    /// Logged models that came out of it.
    pub model_outputs: Vec<ModelOutput>,
}

/// A model that a run logged.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModel {
    /// Its id.
    pub id: LoggedModelId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name, which need not be its own only.
    pub name: String,
    /// The run that made it.
    pub run: Option<RunId>,
    /// What kind of model, in the maker's words.
    pub model_type: Option<String>,
    /// Whether it is complete.
    pub status: LoggedModelStatus,
    /// Where its files live (`mlflow-artifacts:/1/models/ID/artifacts`).
    pub artifact_uri: String,
    /// Whether it counts.
    pub stage: Stage,
    /// When it was logged, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last finalized or deleted, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Its parameters, by key.
    pub params: Vec<KeyValue>,
    /// Its tags, by key.
    pub tags: Vec<KeyValue>,
    /// What was measured of it, in the order of the log.
    pub metrics: Vec<ModelMetric>,
}

/// A point of a metric that is about a logged model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetric {
    /// The run that logged it.
    pub run: RunId,
    /// The point.
    pub point: MetricPoint,
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<T> {
    /// What was found, in order.
    pub items: Vec<T>,
    /// How to ask for what follows; `None` at the end.
    pub next_page_token: Option<String>,
}

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Its whole path (`1/RUN/artifacts/sub/x.txt`).
    pub path: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits: its name in the artifact store.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was logged, in milliseconds since 1970.
    pub stored_ms: i64,
}

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name in the folder, without the folder's path.
    pub name: String,
    /// The size in bytes of a file; `None` for a folder.
    pub bytes: Option<u64>,
}

/// The history of one metric of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricHistory {
    /// Points by time, step and value, each once.
    pub points: Vec<MetricPoint>,
    /// How to ask for what follows; `None` at the end.
    pub next_page_token: Option<String>,
}

/// Points of a metric of one run among several.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPoints {
    /// The run.
    pub run: String,
    /// Points by step, time and value.
    pub points: Vec<MetricPoint>,
}

/// A dataset that went into runs of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetSummary {
    /// The experiment.
    pub experiment: String,
    /// The dataset's name.
    pub name: String,
    /// Its digest, as the client computed it.
    pub digest: String,
    /// What it was used for (the tag `mlflow.data.context`).
    pub context: Option<String>,
}
