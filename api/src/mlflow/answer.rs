//! Answers in MLflow's form: fields that are not set are left out, whole numbers are numbers, versions are texts, and enumerations are names.

use domain::events::{DatasetInput, KeyValue, LoggedModelStatus, MetricPoint, Real, RunStatus, Stage};
use projections::folds::models::{ModelView, VersionView};
use serde::Serialize;
use serde_with::skip_serializing_none;
use tracking::view::{DatasetSummary, Experiment, LoggedModel, Run};

use super::sources;

/// An experiment.
#[derive(Debug, Serialize)]
pub struct ExperimentAnswer {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
}

impl From<Experiment> for ExperimentAnswer {
    fn from(experiment: Experiment) -> Self {
        Self {
            experiment_id: experiment.id.as_str().to_owned(),
            name: experiment.name,
            artifact_location: experiment.artifact_location,
            lifecycle_stage: experiment.stage.as_str(),
            last_update_time: experiment.updated_ms,
            creation_time: experiment.created_ms,
            tags: experiment.tags,
        }
    }
}

/// What MLflow calls the status of a run.
pub const fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Scheduled => "SCHEDULED",
        RunStatus::Finished => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Killed => "KILLED",
    }
}

/// What a run is, without what it logged.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct RunInfo {
    run_uuid: String,
    experiment_id: String,
    run_name: String,
    user_id: String,
    status: &'static str,
    start_time: Option<i64>,
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
    run_id: String,
}

impl RunInfo {
    fn of(run: &Run) -> Self {
        Self {
            run_uuid: run.id.as_str().to_owned(),
            experiment_id: run.experiment.as_str().to_owned(),
            run_name: run.name.clone(),
            user_id: run.user.clone(),
            status: status_name(run.status),
            start_time: run.started_ms,
            end_time: run.ended_ms,
            artifact_uri: run.artifact_uri.clone(),
            lifecycle_stage: run.stage.as_str(),
            run_id: run.id.as_str().to_owned(),
        }
    }
}

impl From<Run> for RunInfo {
    fn from(run: Run) -> Self {
        Self::of(&run)
    }
}

/// A point of a metric.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct MetricAnswer {
    key: String,
    value: Real,
    timestamp: i64,
    step: i64,
    model_id: Option<String>,
    dataset_name: Option<String>,
    dataset_digest: Option<String>,
    run_id: Option<String>,
}

impl From<MetricPoint> for MetricAnswer {
    fn from(point: MetricPoint) -> Self {
        Self {
            key: point.key,
            value: point.value,
            timestamp: point.at_ms,
            step: point.step,
            model_id: point.logged_model.map(|id| id.as_str().to_owned()),
            dataset_name: point.dataset,
            dataset_digest: point.dataset_digest,
            run_id: None,
        }
    }
}

impl MetricAnswer {
    /// The point of a run, named.
    pub fn of_run(run: &str, point: MetricPoint) -> Self {
        Self { run_id: Some(run.to_owned()), ..Self::from(point) }
    }
}

#[derive(Debug, Serialize)]
struct RunData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricAnswer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize)]
struct DatasetAnswer {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    schema: Option<String>,
    profile: Option<String>,
}

#[derive(Debug, Serialize)]
struct DatasetInputAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    dataset: DatasetAnswer,
}

impl From<DatasetInput> for DatasetInputAnswer {
    fn from(input: DatasetInput) -> Self {
        let dataset = DatasetAnswer {
            name: input.name,
            digest: input.digest,
            source_type: input.source_type,
            source: input.source,
            schema: input.schema,
            profile: input.profile,
        };
        Self { tags: input.tags, dataset }
    }
}

#[derive(Debug, Serialize)]
struct ModelInputAnswer {
    model_id: String,
}

#[derive(Debug, Serialize)]
struct ModelOutputAnswer {
    model_id: String,
    step: i64,
}

#[derive(Debug, Serialize)]
struct RunInputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputAnswer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInputAnswer>,
}

#[derive(Debug, Serialize)]
struct RunOutputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutputAnswer>,
}

/// A run with everything that it logged.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct RunAnswer {
    info: RunInfo,
    data: RunData,
    inputs: RunInputs,
    outputs: Option<RunOutputs>,
}

impl RunAnswer {
    /// A run that has just begun: nothing is said of what came out of it.
    pub fn begun(run: Run) -> Self {
        Self { outputs: None, ..Self::from(run) }
    }
}

impl From<Run> for RunAnswer {
    fn from(run: Run) -> Self {
        let info = RunInfo::of(&run);
        let outputs: Vec<_> = run
            .model_outputs
            .into_iter()
            .map(|output| ModelOutputAnswer { model_id: output.logged_model.as_str().to_owned(), step: output.step })
            .collect();
        Self {
            info,
            data: RunData {
                metrics: run.metrics.into_iter().map(MetricAnswer::from).collect(),
                params: run.params,
                tags: run.tags,
            },
            inputs: RunInputs {
                dataset_inputs: run.datasets.into_iter().map(DatasetInputAnswer::from).collect(),
                model_inputs: run
                    .model_inputs
                    .into_iter()
                    .map(|id| ModelInputAnswer { model_id: id.as_str().to_owned() })
                    .collect(),
            },
            outputs: Some(RunOutputs { model_outputs: outputs }),
        }
    }
}

/// A dataset that went into runs.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct DatasetSummaryAnswer {
    experiment_id: String,
    name: String,
    digest: String,
    context: Option<String>,
}

impl From<DatasetSummary> for DatasetSummaryAnswer {
    fn from(summary: DatasetSummary) -> Self {
        let DatasetSummary { experiment, name, digest, context } = summary;
        Self { experiment_id: experiment, name, digest, context }
    }
}

/// What MLflow calls the status of a logged model.
const fn logged_model_status_name(status: LoggedModelStatus) -> &'static str {
    match status {
        LoggedModelStatus::Pending => "LOGGED_MODEL_PENDING",
        LoggedModelStatus::Ready => "LOGGED_MODEL_READY",
        LoggedModelStatus::UploadFailed => "LOGGED_MODEL_UPLOAD_FAILED",
    }
}

#[skip_serializing_none]
#[derive(Debug, Serialize)]
struct LoggedModelInfo {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: String,
    source_run_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
}

#[derive(Debug, Serialize)]
struct LoggedModelData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricAnswer>,
}

/// A model that a run logged.
#[derive(Debug, Serialize)]
pub struct LoggedModelAnswer {
    info: LoggedModelInfo,
    data: LoggedModelData,
}

impl From<LoggedModel> for LoggedModelAnswer {
    fn from(model: LoggedModel) -> Self {
        let metrics = model.metrics.into_iter().map(|metric| MetricAnswer::of_run(metric.run.as_str(), metric.point));
        let data = LoggedModelData { params: model.params, metrics: metrics.collect() };
        let info = LoggedModelInfo {
            model_id: model.id.as_str().to_owned(),
            experiment_id: model.experiment.as_str().to_owned(),
            name: model.name,
            creation_timestamp_ms: model.created_ms,
            last_updated_timestamp_ms: model.updated_ms,
            artifact_uri: model.artifact_uri,
            status: logged_model_status_name(model.status),
            model_type: model.model_type.unwrap_or_default(),
            source_run_id: model.run.map(|run| run.as_str().to_owned()),
            tags: model.tags,
        };
        Self { info, data }
    }
}

/// What MLflow calls a stage.
pub const fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::None => "None",
        Stage::Staging => "Staging",
        Stage::Production => "Production",
        Stage::Archived => "Archived",
    }
}

fn pairs<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<KeyValue> {
    tags.map(|(key, value)| KeyValue { key: key.to_owned(), value: value.to_owned() }).collect()
}

/// A version of a registered model.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct ModelVersionAnswer {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    current_stage: &'static str,
    description: String,
    source: String,
    run_id: String,
    status: &'static str,
    run_link: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    model_id: Option<String>,
}

impl ModelVersionAnswer {
    /// A version by itself, with the aliases that name it.
    pub fn of(version: VersionView<'_>) -> Self {
        let aliases = version.aliases().map(|alias| alias.as_str().to_owned()).collect();
        Self { aliases, ..Self::in_list(version) }
    }

    /// A version in a list: there, MLflow names no aliases.
    pub fn in_list(version: VersionView<'_>) -> Self {
        let created = version.created();
        let said = &created.value;
        Self {
            name: version.model().name().to_owned(),
            version: version.number().to_string(),
            creation_timestamp: created.since().as_millisecond(),
            last_updated_timestamp: version.updated().as_millisecond(),
            current_stage: stage_name(version.stage()),
            description: version.description().unwrap_or_default().to_owned(),
            source: sources::shown(version),
            run_id: said.run.as_ref().map(|run| run.as_str().to_owned()).unwrap_or_default(),
            status: "READY",
            run_link: "",
            tags: pairs(version.tags()),
            aliases: Vec::new(),
            model_id: said.logged_model.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

#[derive(Debug, Serialize)]
struct AliasAnswer {
    alias: String,
    version: String,
}

/// A registered model.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct RegisteredModelAnswer {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersionAnswer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasAnswer>,
}

impl RegisteredModelAnswer {
    /// A registered model, with the latest version of each stage.
    pub fn of(model: ModelView<'_>) -> Self {
        let text = model.text();
        let description = model.description().or(text.en.as_deref()).or(text.zh.as_deref());
        Self {
            name: model.name().to_owned(),
            creation_timestamp: model.created().as_millisecond(),
            last_updated_timestamp: model.updated().as_millisecond(),
            description: description.filter(|text| !text.is_empty()).map(str::to_owned),
            latest_versions: latest_versions(model, &[], ModelVersionAnswer::in_list),
            tags: pairs(model.tags()),
            aliases: model
                .aliases()
                .map(|(alias, version, _)| AliasAnswer {
                    alias: alias.as_str().to_owned(),
                    version: version.to_string(),
                })
                .collect(),
        }
    }
}

/// The version with the greatest number of each of these stages (of all, when none is named), the lowest number first.
pub fn latest_versions(
    model: ModelView<'_>,
    stages: &[Stage],
    show: impl Fn(VersionView<'_>) -> ModelVersionAnswer,
) -> Vec<ModelVersionAnswer> {
    let mut seen: Vec<Stage> = Vec::new();
    let mut latest: Vec<ModelVersionAnswer> = Vec::new();
    for version in model.versions().rev() {
        let stage = version.stage();
        if !seen.contains(&stage) && (stages.is_empty() || stages.contains(&stage)) {
            seen.push(stage);
            latest.push(show(version));
        }
    }
    latest.reverse();
    latest
}

/// A file or folder in a list.
#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub struct FileAnswer {
    /// Its path, as the question has it.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// The size of a file in bytes.
    pub file_size: Option<u64>,
}
