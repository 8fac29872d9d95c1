//! Runs: their beginning, their end, and what becomes of them.

use domain::Event;
use domain::events::{KeyValue, RunCreated, RunDeleted, RunRestored, RunStatus, RunUpdated};
use domain::ids::{ExperimentId, RunId};
use eventlog::{AppendCondition, Position};

use super::experiments::{self, nothing};
use crate::error::TrackingError;
use crate::state::rows::{Head, RunRow, RunStage};
use crate::state::{RUN_NAME_TAG, State, run_artifact_uri};
use crate::tracking::{Decision, Tracking, about, at_revision, unless_since};
use crate::view::Run;
use crate::{names, rules};

/// A run to be begun.
#[derive(Clone, Debug, Default)]
pub struct NewRun {
    /// Its experiment; empty means the default one.
    pub experiment: String,
    /// Its name; without it that of its tag `mlflow.runName`, or one that is made up.
    pub name: Option<String>,
    /// Whose it is, in the client's words.
    pub user: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

/// What changes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunUpdate {
    /// Its status from now on.
    pub status: Option<RunStatus>,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// Its new name; an empty one is none.
    pub name: Option<String>,
}

impl Tracking {
    /// Begins a run under a new id of 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] for an unknown experiment, [`TrackingError::NotActive`] for a deleted one, [`TrackingError::Invalid`].
    pub async fn create_run(&self, actor: &str, mut new: NewRun) -> Result<Run, TrackingError> {
        for (index, tag) in new.tags.iter_mut().enumerate() {
            rules::tag(&format!("tags[{index}]"), tag)?;
        }
        let name = name_of(&new)?;
        rules::name("run_name", &name)?;
        rules::name("user_id", new.user.as_deref().unwrap_or_default())?;
        // The name says it already.
        new.tags.retain(|tag| tag.key != RUN_NAME_TAG);
        let id = names::hexadecimal_id();
        self.command(actor, &format!("experiment {}", new.experiment), |state, checkpoint| {
            let experiment = experiments::find(state, &new.experiment)?;
            experiments::must_be_active(experiment)?;
            let event = RunCreated {
                run: RunId::new(&id)?,
                experiment: ExperimentId::new(&experiment.id)?,
                name: name.clone(),
                user: new.user.clone().filter(|user| !user.is_empty()),
                started_ms: new.started_ms,
                artifact_uri: run_artifact_uri(&experiment.artifact_location, &id),
                tags: new.tags.clone(),
            };
            let deleted = about(&["experiment.deleted"], "experiment", &experiment.id)?;
            let mut condition = unless_since(vec![deleted], checkpoint);
            condition.streams.push(at_revision("run", &id, None)?);
            Ok((condition, vec![event.into()]))
        })
        .await?;
        self.run(&id)
    }

    /// A run by its id, deleted or not.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub fn run(&self, id: &str) -> Result<Run, TrackingError> {
        self.read(|state| Ok(state.view_run(find(state, id)?)?))
    }

    /// Changes how a run is doing, or what it is called, and answers it.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`]; [`TrackingError::NotActive`] when it is deleted.
    pub async fn update_run(&self, actor: &str, id: &str, update: RunUpdate) -> Result<Run, TrackingError> {
        let name = update.name.filter(|name| !name.is_empty());
        rules::name("run_name", name.as_deref().unwrap_or_default())?;
        let _beside = self.beside(id).await;
        self.command(actor, &format!("run {id}"), |state, checkpoint| {
            let run = find(state, id)?;
            must_be_active(run)?;
            if update.status.is_none() && update.ended_ms.is_none() && name.is_none() {
                return Ok(nothing());
            }
            let event = RunUpdated {
                run: RunId::new(id)?,
                status: update.status,
                ended_ms: update.ended_ms,
                name: name.clone(),
            };
            while_active(state, run, checkpoint, event.into())
        })
        .await?;
        self.run(id)
    }

    /// Puts a run aside; one that is put aside already stays so.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub async fn delete_run(&self, actor: &str, id: &str) -> Result<(), TrackingError> {
        self.stage_run(actor, id, |stage, run| (stage != RunStage::Deleted).then(|| RunDeleted { run }.into())).await
    }

    /// Brings a run back; one that is active stays so.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub async fn restore_run(&self, actor: &str, id: &str) -> Result<(), TrackingError> {
        self.stage_run(actor, id, |stage, run| (stage != RunStage::Active).then(|| RunRestored { run }.into())).await
    }

    async fn stage_run(
        &self,
        actor: &str,
        id: &str,
        event: impl Fn(RunStage, RunId) -> Option<Event>,
    ) -> Result<(), TrackingError> {
        let _alone = self.alone(id).await;
        self.command(actor, &format!("run {id}"), |state, _| {
            let (head, row) = find(state, id)?;
            let streams = vec![at_revision("run", id, Some(row.revision))?];
            let event = event(head.stage, RunId::new(id)?);
            Ok((AppendCondition { streams, no_match_after: None }, event.into_iter().collect()))
        })
        .await
    }
}

fn name_of(new: &NewRun) -> Result<String, TrackingError> {
    let given = new.name.as_deref().filter(|name| !name.is_empty());
    let tagged = new.tags.iter().find(|tag| tag.key == RUN_NAME_TAG).map(|tag| &*tag.value);
    if let (Some(given), Some(tagged)) = (given, tagged.filter(|tagged| !tagged.is_empty()))
        && given != tagged
    {
        return Err(TrackingError::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='{given}', mlflow.runName='{tagged}')."
        )));
    }
    let name = given.or(tagged.filter(|tagged| !tagged.is_empty()));
    Ok(name.map_or_else(names::generated, str::to_owned))
}

/// The run with an id.
pub(crate) fn find<'a>(state: &'a State, id: &str) -> Result<(&'a Head, &'a RunRow), TrackingError> {
    let missing = || {
        let shown: String = id.chars().take(256).collect();
        TrackingError::not_found(format!("Run with id={shown} not found"))
    };
    state.run(id).ok_or_else(missing)
}

/// Refuses a deleted run.
pub(super) fn must_be_active((head, row): (&Head, &RunRow)) -> Result<(), TrackingError> {
    if head.stage == RunStage::Active {
        return Ok(());
    }
    let (id, stage) = (&row.id, head.stage.stage().as_str());
    Err(TrackingError::NotActive(format!("The run {id} must be in the 'active' state. Current state is {stage}.")))
}

/// Appends an event about a run unless the run, or its experiment, was deleted since.
pub(super) fn while_active(
    state: &State,
    (head, row): (&Head, &RunRow),
    checkpoint: Position,
    event: Event,
) -> Result<Decision, TrackingError> {
    let mut deleted = vec![about(&["run.deleted"], "run", &row.id.to_string())?];
    if let Some(experiment) = state.experiment_at(head.experiment) {
        deleted.push(about(&["experiment.deleted"], "experiment", &experiment.id)?);
    }
    Ok((unless_since(deleted, checkpoint), vec![event]))
}
