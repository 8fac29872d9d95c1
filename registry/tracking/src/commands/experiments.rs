//! Experiments.

use domain::events::{
    ExperimentCreated, ExperimentDeleted, ExperimentRenamed, ExperimentRestored, ExperimentTagRemoved,
    ExperimentTagSet, KeyValue,
};
use domain::ids::ExperimentId;
use eventlog::{AppendCondition, Position, QueryItem};

use crate::error::TrackingError;
use crate::rules;
use crate::state::rows::ExperimentRow;
use crate::state::{DEFAULT_EXPERIMENT, State, default_location};
use crate::tracking::{Decision, Tracking, at_revision, event_types, unless_since};
use crate::view::{Experiment, Stage};

/// An experiment to be made.
#[derive(Clone, Debug, Default)]
pub struct NewExperiment {
    /// Its name.
    pub name: String,
    /// Where its files are to live; without it, and when it is empty, `mlflow-artifacts:/ID`.
    pub artifact_location: Option<String>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

impl Tracking {
    /// Makes an experiment under the next number.
    ///
    /// # Errors
    /// [`TrackingError::Exists`] when one has the name, a deleted one included; [`TrackingError::Invalid`] for a name or place that none can have.
    pub async fn create_experiment(&self, actor: &str, new: NewExperiment) -> Result<Experiment, TrackingError> {
        rules::experiment_name(&new.name)?;
        let location = new.artifact_location.filter(|location| !location.is_empty());
        rules::artifact_location(location.as_deref().unwrap_or_default())?;
        new.tags.iter().try_for_each(rules::experiment_tag)?;
        let _naming = self.naming().await;
        let mut made = String::new();
        self.command(actor, "the list of experiments", |state, checkpoint| {
            name_is_free(state, &new.name)?;
            made = state.next_experiment_number().to_string();
            let event = ExperimentCreated {
                experiment: ExperimentId::new(&made)?,
                name: new.name.clone(),
                artifact_location: location.clone().unwrap_or_else(|| default_location(&made)),
                tags: new.tags.clone(),
            };
            let mut condition = unless_named_since(checkpoint)?;
            condition.streams.push(at_revision("experiment", &made, None)?);
            Ok((condition, vec![event.into()]))
        })
        .await?;
        self.experiment(&made)
    }

    /// An experiment by its id, deleted or not; an empty id means the default experiment.
    ///
    /// # Errors
    /// [`TrackingError::Invalid`] when the id is no whole number, [`TrackingError::NotFound`].
    pub fn experiment(&self, id: &str) -> Result<Experiment, TrackingError> {
        self.read(|state| Ok(state.view_experiment(find(state, id)?)?))
    }

    /// An experiment by its name, deleted or not.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub fn experiment_by_name(&self, name: &str) -> Result<Experiment, TrackingError> {
        self.read(|state| {
            let missing = || TrackingError::not_found(format!("Could not find experiment with name '{name}'"));
            Ok(state.view_experiment(state.experiment_named(name).ok_or_else(missing)?)?)
        })
    }

    /// Calls an experiment otherwise.
    ///
    /// # Errors
    /// [`TrackingError::State`] when it is deleted, [`TrackingError::Exists`] when another one has the name.
    pub async fn rename_experiment(&self, actor: &str, id: &str, name: &str) -> Result<(), TrackingError> {
        rules::experiment_name(name)?;
        let _naming = self.naming().await;
        self.command(actor, &format!("experiment {id}"), |state, checkpoint| {
            let row = find(state, id)?;
            if row.stage == Stage::Deleted {
                return Err(TrackingError::State("Cannot rename a non-active experiment.".to_owned()));
            }
            if *row.name == *name {
                return Ok(nothing());
            }
            name_is_free(state, name)?;
            let event = ExperimentRenamed { experiment: ExperimentId::new(&row.id)?, name: name.to_owned() };
            let mut condition = unless_named_since(checkpoint)?;
            condition.streams.push(at_revision("experiment", &row.id, row.revision)?);
            Ok((condition, vec![event.into()]))
        })
        .await
    }

    /// Puts an experiment aside, and each run of it that is active.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`], also when it is deleted already.
    pub async fn delete_experiment(&self, actor: &str, id: &str) -> Result<(), TrackingError> {
        self.change_experiment(actor, id, |row| {
            if row.stage == Stage::Deleted {
                return Err(missing(&row.id));
            }
            Ok(ExperimentDeleted { experiment: ExperimentId::new(&row.id)? }.into())
        })
        .await
    }

    /// Brings an experiment back, and each run that was put aside with it.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`], also when it is not deleted.
    pub async fn restore_experiment(&self, actor: &str, id: &str) -> Result<(), TrackingError> {
        self.change_experiment(actor, id, |row| {
            if row.stage == Stage::Active {
                return Err(missing(&row.id));
            }
            Ok(ExperimentRestored { experiment: ExperimentId::new(&row.id)? }.into())
        })
        .await
    }

    /// Sets a tag.
    ///
    /// # Errors
    /// [`TrackingError::NotActive`] when the experiment is deleted.
    pub async fn set_experiment_tag(&self, actor: &str, id: &str, tag: KeyValue) -> Result<(), TrackingError> {
        rules::experiment_tag(&tag)?;
        self.change_experiment(actor, id, |row| {
            must_be_active(row)?;
            let experiment = ExperimentId::new(&row.id)?;
            Ok(ExperimentTagSet { experiment, key: tag.key.clone(), value: tag.value.clone() }.into())
        })
        .await
    }

    /// Takes a tag away.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] when there is no such tag, [`TrackingError::NotActive`] when the experiment is deleted.
    pub async fn delete_experiment_tag(&self, actor: &str, id: &str, key: &str) -> Result<(), TrackingError> {
        let _alone = self.alone(id).await;
        self.command(actor, &format!("experiment {id}"), |state, _| {
            let row = find(state, id)?;
            must_be_active(row)?;
            if !state.has_tag(&row.tags, key) {
                return Err(TrackingError::not_found(format!("No tag with name: {key} in experiment with id {id}")));
            }
            let event = ExperimentTagRemoved { experiment: ExperimentId::new(&row.id)?, key: key.to_owned() };
            on_revision(row, event.into())
        })
        .await
    }

    async fn change_experiment(
        &self,
        actor: &str,
        id: &str,
        event: impl Fn(&ExperimentRow) -> Result<domain::Event, TrackingError>,
    ) -> Result<(), TrackingError> {
        let _alone = self.alone(id).await;
        self.command(actor, &format!("experiment {id}"), |state, _| {
            let row = find(state, id)?;
            on_revision(row, event(row)?)
        })
        .await
    }
}

/// Nothing is to be done.
pub(super) fn nothing() -> Decision {
    (AppendCondition::none(), Vec::new())
}

fn on_revision(row: &ExperimentRow, event: domain::Event) -> Result<Decision, TrackingError> {
    let streams = vec![at_revision("experiment", &row.id, row.revision)?];
    Ok((AppendCondition { streams, no_match_after: None }, vec![event]))
}

fn unless_named_since(checkpoint: Position) -> Result<AppendCondition, TrackingError> {
    let types = event_types(&["experiment.created", "experiment.renamed"])?;
    Ok(unless_since(vec![QueryItem { types, ..QueryItem::default() }], checkpoint))
}

fn name_is_free(state: &State, name: &str) -> Result<(), TrackingError> {
    match state.experiment_named(name) {
        Some(_) => Err(TrackingError::Exists(format!("Experiment(name={name}) already exists."))),
        None => Ok(()),
    }
}

fn missing(id: &str) -> TrackingError {
    TrackingError::not_found(format!("No Experiment with id={id} exists"))
}

/// The experiment with an id as clients write it: a whole number, or nothing for the default experiment.
pub(crate) fn find<'a>(state: &'a State, id: &str) -> Result<&'a ExperimentRow, TrackingError> {
    let id = normalised(id)?;
    state.experiment(&id).ok_or_else(|| missing(&id))
}

fn normalised(id: &str) -> Result<String, TrackingError> {
    if id.is_empty() {
        return Ok(DEFAULT_EXPERIMENT.to_owned());
    }
    let invalid = |_| {
        let shown: String = id.chars().take(80).collect();
        TrackingError::invalid(format!("Invalid experiment ID '{shown}'. Experiment ID must be a valid integer."))
    };
    Ok(id.trim().parse::<i128>().map_err(invalid)?.to_string())
}

/// Refuses a deleted experiment.
pub(super) fn must_be_active(row: &ExperimentRow) -> Result<(), TrackingError> {
    if row.stage == Stage::Active {
        return Ok(());
    }
    let (id, stage) = (&row.id, row.stage.as_str());
    Err(TrackingError::NotActive(format!(
        "The experiment {id} must be in the 'active' state. Current state is {stage}."
    )))
}
