//! What runs log: metrics, parameters, tags, what went in and what came out.

use std::fmt::Write as _;

use domain::events::{
    DatasetInput, KeyValue, MetricPoint, ModelOutput, RunInputsLogged, RunLogged, RunOutputsLogged, RunTagRemoved,
};
use domain::ids::{LoggedModelId, RunId};
use eventlog::Position;

use super::experiments::nothing;
use super::runs::{find, must_be_active, while_active};
use crate::error::TrackingError;
use crate::rules::{
    self, MAX_ENTITIES_PER_BATCH, MAX_LINKS_PER_REQUEST, MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH,
};
use crate::state::rows::RunRow;
use crate::state::{RUN_NAME_TAG, State};
use crate::tracking::{Decision, Tracking, at_revision};

/// What a run logs in one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Metrics.
    pub metrics: Vec<MetricPoint>,
    /// Parameters.
    pub params: Vec<KeyValue>,
    /// Tags.
    pub tags: Vec<KeyValue>,
}

/// How a parameter that changes is refused: the original has one text for a single one and another for a batch.
#[derive(Clone, Copy)]
enum Wording {
    One,
    Batch,
}

impl Tracking {
    /// Logs a point of a metric.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] for an unknown run or logged model, [`TrackingError::NotActive`] for a deleted run, [`TrackingError::Invalid`].
    pub async fn log_metric(&self, actor: &str, run: &str, point: MetricPoint) -> Result<(), TrackingError> {
        rules::metric("", &point)?;
        self.log_checked(actor, run, Batch { metrics: vec![point], ..Batch::default() }, Wording::One).await
    }

    /// Logs a parameter. The same value once more is fine.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric); [`TrackingError::Invalid`] when it was logged with another value.
    pub async fn log_param(&self, actor: &str, run: &str, mut param: KeyValue) -> Result<(), TrackingError> {
        rules::param("", &mut param)?;
        self.log_checked(actor, run, Batch { params: vec![param], ..Batch::default() }, Wording::One).await
    }

    /// Sets a tag. `mlflow.runName` renames the run.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric).
    pub async fn set_tag(&self, actor: &str, run: &str, mut tag: KeyValue) -> Result<(), TrackingError> {
        rules::tag("", &mut tag)?;
        self.log_checked(actor, run, Batch { tags: vec![tag], ..Batch::default() }, Wording::One).await
    }

    /// Logs everything in one event: all of it, or nothing.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric) and [`log_param`](Self::log_param); [`TrackingError::Invalid`] when there is more than a request may hold.
    pub async fn log_batch(&self, actor: &str, run: &str, mut batch: Batch) -> Result<(), TrackingError> {
        rules::run_id(run)?;
        for (index, point) in batch.metrics.iter().enumerate() {
            rules::metric(&format!("metrics[{index}]"), point)?;
        }
        for (index, param) in batch.params.iter_mut().enumerate() {
            rules::param(&format!("params[{index}]"), param)?;
        }
        for (index, tag) in batch.tags.iter_mut().enumerate() {
            rules::tag(&format!("tags[{index}]"), tag)?;
        }
        rules::batch("metrics", MAX_METRICS_PER_BATCH, batch.metrics.len())?;
        rules::batch("params", MAX_PARAMS_TAGS_PER_BATCH, batch.params.len())?;
        rules::batch("tags", MAX_PARAMS_TAGS_PER_BATCH, batch.tags.len())?;
        let total = batch.metrics.len() + batch.params.len() + batch.tags.len();
        rules::batch("metrics, params, and tags", MAX_ENTITIES_PER_BATCH, total)?;
        rules::unique_params(&batch.params)?;
        self.log_checked(actor, run, batch, Wording::Batch).await
    }

    async fn log_checked(&self, actor: &str, run: &str, batch: Batch, wording: Wording) -> Result<(), TrackingError> {
        for tag in batch.tags.iter().filter(|tag| tag.key == RUN_NAME_TAG) {
            rules::name("run_name", &tag.value)?;
        }
        let what = format!("run {run}");
        if batch.params.is_empty() {
            let _beside = self.beside(run).await;
            self.command(actor, &what, |state, checkpoint| decide(state, checkpoint, run, &batch, wording)).await
        } else {
            let _alone = self.alone(run).await;
            self.command(actor, &what, |state, checkpoint| decide(state, checkpoint, run, &batch, wording)).await
        }
    }

    /// Adds an item to the JSON list in a tag (`mlflow.log-model.history` is one), whoever else adds to it at the same time. A tag that holds no list begins a new one.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric); [`TrackingError::Invalid`] when the list is longer than a tag may be.
    pub async fn push_to_tag(
        &self,
        actor: &str,
        run: &str,
        key: &str,
        item: serde_json::Value,
    ) -> Result<(), TrackingError> {
        rules::key("key", key)?;
        rules::length("key", key, rules::MAX_KEY_LENGTH)?;
        let _alone = self.alone(run).await;
        self.command(actor, &format!("run {run}"), |state, checkpoint| {
            let found = find(state, run)?;
            must_be_active(found)?;
            let list = state.value_of(&found.1.tags, key).and_then(|text| serde_json::from_str(text).ok());
            let mut list: Vec<serde_json::Value> = list.unwrap_or_default();
            list.push(item.clone());
            let value = serde_json::Value::from(list).to_string();
            rules::length("value", &value, rules::MAX_TAG_VALUE_LENGTH)?;
            let tags = vec![KeyValue { key: key.to_owned(), value }];
            let event = RunLogged { run: RunId::new(run)?, metrics: Vec::new(), params: Vec::new(), tags };
            let (mut condition, events) = while_active(state, found, checkpoint, event.into())?;
            condition.streams.push(at_revision("run", run, Some(found.1.revision))?);
            Ok((condition, events))
        })
        .await
    }

    /// Takes a tag away.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] when the run is unknown or has no such tag, [`TrackingError::NotActive`] for a deleted run.
    pub async fn delete_tag(&self, actor: &str, run: &str, key: &str) -> Result<(), TrackingError> {
        let _beside = self.beside(run).await;
        self.command(actor, &format!("run {run}"), |state, checkpoint| {
            let found = find(state, run)?;
            must_be_active(found)?;
            if !state.has_tag(&found.1.tags, key) {
                return Err(TrackingError::not_found(format!("No tag with name: {key} in run with id {run}")));
            }
            while_active(state, found, checkpoint, RunTagRemoved { run: RunId::new(run)?, key: key.to_owned() }.into())
        })
        .await
    }

    /// Logs what went into a run. A dataset that went in already, by name and digest, is left as it was.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric).
    pub async fn log_inputs(
        &self,
        actor: &str,
        run: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<LoggedModelId>,
    ) -> Result<(), TrackingError> {
        rules::run_id(run)?;
        rules::batch("datasets", MAX_LINKS_PER_REQUEST, datasets.len())?;
        rules::batch("models", MAX_LINKS_PER_REQUEST, models.len())?;
        datasets.iter().try_for_each(rules::dataset)?;
        let _beside = self.beside(run).await;
        self.command(actor, &format!("run {run}"), |state, checkpoint| {
            let found = find(state, run)?;
            must_be_active(found)?;
            if datasets.is_empty() && models.is_empty() {
                return Ok(nothing());
            }
            let (datasets, models) = (datasets.clone(), models.clone());
            while_active(state, found, checkpoint, RunInputsLogged { run: RunId::new(run)?, datasets, models }.into())
        })
        .await
    }

    /// Logs which models came out of a run, and at which step. A model that came out already has the new step.
    ///
    /// # Errors
    /// As [`log_metric`](Self::log_metric).
    pub async fn log_outputs(&self, actor: &str, run: &str, models: Vec<ModelOutput>) -> Result<(), TrackingError> {
        rules::batch("models", MAX_LINKS_PER_REQUEST, models.len())?;
        let _beside = self.beside(run).await;
        self.command(actor, &format!("run {run}"), |state, checkpoint| {
            let found = find(state, run)?;
            must_be_active(found)?;
            if models.is_empty() {
                return Ok(nothing());
            }
            let event = RunOutputsLogged { run: RunId::new(run)?, models: models.clone() };
            while_active(state, found, checkpoint, event.into())
        })
        .await
    }
}

fn decide(
    state: &State,
    checkpoint: Position,
    run: &str,
    batch: &Batch,
    wording: Wording,
) -> Result<Decision, TrackingError> {
    let found = find(state, run)?;
    must_be_active(found)?;
    for model in batch.metrics.iter().filter_map(|point| point.logged_model.as_ref()) {
        super::logged_models::find(state, model.as_str())?;
    }
    let params = new_params(state, found.1, &batch.params, wording)?;
    if batch.metrics.is_empty() && batch.tags.is_empty() && params.is_empty() {
        return Ok(nothing());
    }
    let with_params = !params.is_empty();
    let (metrics, tags) = (batch.metrics.clone(), batch.tags.clone());
    let event = RunLogged { run: RunId::new(run)?, metrics, params, tags };
    let (mut condition, events) = while_active(state, found, checkpoint, event.into())?;
    if with_params {
        // That a parameter was not logged meanwhile is known only when nothing was.
        condition.streams.push(at_revision("run", run, Some(found.1.revision))?);
    }
    Ok((condition, events))
}

/// The parameters that are not logged yet.
fn new_params(
    state: &State,
    row: &RunRow,
    params: &[KeyValue],
    wording: Wording,
) -> Result<Vec<KeyValue>, TrackingError> {
    let mut new = Vec::new();
    let mut changed = String::new();
    for param in params {
        match state.value_of(&row.params, &param.key) {
            None => new.push(param.clone()),
            Some(old) if old == param.value => {}
            Some(old) => {
                if let Wording::One = wording {
                    return Err(TrackingError::invalid(format!(
                        "Changing param values is not allowed. Param with key='{}' was already logged with value='{old}' for run ID='{}'. Attempted logging new value '{}'.",
                        param.key, row.id, param.value
                    )));
                }
                let (key, old, value) =
                    (rules::python_text(&param.key), rules::python_text(old), rules::python_text(&param.value));
                let comma = if changed.is_empty() { "" } else { ", " };
                write!(changed, "{comma}{{'key': {key}, 'old_value': {old}, 'new_value': {value}}}")
                    .unwrap_or_default();
            }
        }
    }
    if changed.is_empty() {
        return Ok(new);
    }
    Err(TrackingError::invalid(format!(
        "Changing param values is not allowed. Params were already logged='[{changed}]' for run ID='{}'.",
        row.id
    )))
}
