//! Rows of the state as the language of searches sees them.

use std::borrow::Cow;

use domain::events::{LoggedModelStatus, RunStatus};

use crate::search::{Attribute, DatasetView, Field, MetricView, Row, Value};
use crate::state::rows::{ExperimentRow, Head, ModelRow, RunRow, Slot, time_or_none};
use crate::state::texts::TextId;
use crate::state::{DATASET_CONTEXT_TAG, State, pairs, run_artifact_uri};

/// The ids of the keys that a query names, looked up once and not for each row.
#[derive(Default)]
pub(super) struct Keys<'q>(Vec<(&'q str, Option<TextId>)>);

impl<'q> Keys<'q> {
    pub(super) fn of(state: &State, fields: impl Iterator<Item = &'q Field>) -> Self {
        let mut keys: Vec<(&str, Option<TextId>)> = Vec::new();
        for field in fields {
            if let Field::Metric(key) | Field::Param(key) | Field::Tag(key) = field
                && keys.iter().all(|(known, _)| known != key)
            {
                keys.push((key, state.texts.find(key)));
            }
        }
        Self(keys)
    }

    pub(super) fn get(&self, state: &State, key: &str) -> Option<TextId> {
        match self.0.iter().find(|(known, _)| *known == key) {
            Some((_, id)) => *id,
            None => state.texts.find(key),
        }
    }
}

/// A run.
#[derive(Clone, Copy)]
pub(super) struct RunView<'a> {
    pub state: &'a State,
    pub keys: &'a Keys<'a>,
    pub head: &'a Head,
    pub row: &'a RunRow,
}

impl<'a> RunView<'a> {
    pub(super) fn at(state: &'a State, keys: &'a Keys<'a>, slot: Slot) -> Option<Self> {
        let (head, row) = state.run_at(slot)?;
        Some(Self { state, keys, head, row })
    }
}

/// The name of a run's status in MLflow.
pub(crate) const fn run_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "RUNNING",
        RunStatus::Scheduled => "SCHEDULED",
        RunStatus::Finished => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Killed => "KILLED",
    }
}

impl Row for RunView<'_> {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::RunId => Value::Text(Cow::Owned(self.row.id.to_string())),
            Attribute::RunName => Value::text(self.state.texts.get(self.row.name)),
            Attribute::UserId => Value::text(self.row.user.map_or("", |user| self.state.texts.get(user))),
            Attribute::Status => Value::text(run_status(self.head.status)),
            Attribute::StartTime => Value::time_ms(time_or_none(self.head.started_ms)),
            Attribute::EndTime => Value::time_ms(time_or_none(self.row.ended_ms)),
            Attribute::ArtifactUri => match self.row.artifact_uri {
                Some(uri) => Value::text(self.state.texts.get(uri)),
                None => {
                    let location =
                        self.state.experiment_at(self.head.experiment).map_or("", |row| &*row.artifact_location);
                    Value::Text(Cow::Owned(run_artifact_uri(location, &self.row.id.to_string())))
                }
            },
            Attribute::LifecycleStage => Value::text(self.head.stage.stage().as_str()),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        let pair = pairs::find(&self.row.tags, self.keys.get(self.state, key)?)?;
        Some(self.state.texts.get(pair.value))
    }

    fn param(&self, key: &str) -> Option<&str> {
        let pair = pairs::find(&self.row.params, self.keys.get(self.state, key)?)?;
        Some(self.state.texts.get(pair.value))
    }

    fn metric(&self, key: &str) -> Option<f64> {
        pairs::find(&self.row.metrics, self.keys.get(self.state, key)?).map(|latest| latest.value)
    }

    fn any_dataset(&self, test: &mut dyn FnMut(DatasetView<'_>) -> bool) -> bool {
        let Some(links) = &self.row.links else { return false };
        let texts = &self.state.texts;
        links.datasets.iter().any(|dataset| {
            let context = dataset.tags.iter().find(|tag| texts.get(tag.key) == DATASET_CONTEXT_TAG);
            let context = context.map(|tag| texts.get(tag.value));
            test(DatasetView { name: texts.get(dataset.name), digest: texts.get(dataset.digest), context })
        })
    }
}

/// An experiment.
pub(super) struct ExperimentView<'a> {
    pub state: &'a State,
    pub row: &'a ExperimentRow,
}

impl Row for ExperimentView<'_> {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::ExperimentId => self.row.id.parse().map_or_else(|_| Value::text(&self.row.id), Value::Number),
            Attribute::Name => Value::text(&self.row.name),
            Attribute::CreationTime => Value::time_ms(Some(self.row.created_ms)),
            Attribute::LastUpdateTime => Value::time_ms(Some(self.row.updated_ms)),
            Attribute::LifecycleStage => Value::text(self.row.stage.as_str()),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.state.value_of(&self.row.tags, key)
    }
}

/// A logged model.
pub(super) struct ModelView<'a> {
    pub state: &'a State,
    pub row: &'a ModelRow,
}

/// The name of a logged model's status in MLflow.
pub(crate) const fn model_status(status: LoggedModelStatus) -> &'static str {
    match status {
        LoggedModelStatus::Pending => "PENDING",
        LoggedModelStatus::Ready => "READY",
        LoggedModelStatus::UploadFailed => "FAILED",
    }
}

impl Row for ModelView<'_> {
    fn attribute(&self, attribute: Attribute) -> Value<'_> {
        let text = |id: Option<TextId>| id.map_or(Value::Absent, |id| Value::text(self.state.texts.get(id)));
        match attribute {
            Attribute::ModelId => Value::text(&self.row.id),
            Attribute::ExperimentId => {
                Value::text(self.state.experiment_at(self.row.experiment).map_or("", |row| &*row.id))
            }
            Attribute::RunId => text(self.row.run),
            Attribute::Name => text(Some(self.row.name)),
            Attribute::ModelType => text(self.row.model_type),
            Attribute::Status => Value::text(model_status(self.row.status)),
            Attribute::ArtifactUri => text(Some(self.row.artifact_uri)),
            Attribute::LifecycleStage => Value::text(self.row.stage.as_str()),
            Attribute::CreationTime => Value::time_ms(Some(self.row.created_ms)),
            Attribute::LastUpdateTime => Value::time_ms(Some(self.row.updated_ms)),
            _ => Value::Absent,
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.state.value_of(&self.row.tags, key)
    }

    fn param(&self, key: &str) -> Option<&str> {
        self.state.value_of(&self.row.params, key)
    }

    fn any_metric(&self, test: &mut dyn FnMut(MetricView<'_>) -> bool) -> bool {
        let text = |id| self.state.texts.get(id);
        self.row.points.iter().any(|point| {
            let latest = point.latest;
            test(MetricView {
                key: text(latest.key),
                value: latest.value,
                at_ms: latest.at_ms,
                step: latest.step,
                dataset: point.dataset.map(text),
                dataset_digest: point.dataset_digest.map(text),
            })
        })
    }
}
