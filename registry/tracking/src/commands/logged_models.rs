//! Logged models.

use domain::Event;
use domain::events::{
    KeyValue, LoggedModelCreated, LoggedModelDeleted, LoggedModelFinalized, LoggedModelParamsLogged, LoggedModelStatus,
    LoggedModelTagRemoved, LoggedModelTagsSet,
};
use domain::ids::{ExperimentId, LoggedModelId, RunId};
use eventlog::AppendCondition;

use super::experiments::{self, nothing};
use crate::error::TrackingError;
use crate::names;
use crate::rules::{self, MAX_ENTITIES_PER_BATCH};
use crate::state::rows::ModelRow;
use crate::state::{State, join_uri};
use crate::tracking::{Decision, Tracking, about, at_revision, unless_since};
use crate::view::{LoggedModel, Stage};

/// A logged model to be made.
#[derive(Clone, Debug, Default)]
pub struct NewLoggedModel {
    /// Its experiment; empty means the default one.
    pub experiment: String,
    /// Its name; one is made up where there is none.
    pub name: Option<String>,
    /// The run that makes it.
    pub run: Option<String>,
    /// What kind of model, in the maker's words.
    pub model_type: Option<String>,
    /// Its parameters.
    pub params: Vec<KeyValue>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
}

impl Tracking {
    /// Makes a logged model under a new id `m-` and 32 hexadecimal digits; it is pending until it is finalized.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] for an unknown experiment, [`TrackingError::NotActive`] for a deleted one, [`TrackingError::Invalid`].
    pub async fn create_logged_model(
        &self,
        actor: &str,
        mut new: NewLoggedModel,
    ) -> Result<LoggedModel, TrackingError> {
        let name = match new.name.take() {
            Some(name) => name,
            None => names::generated(),
        };
        rules::logged_model_name(&name)?;
        rules::name("model_type", new.model_type.as_deref().unwrap_or_default())?;
        check_params(&mut new.params)?;
        check_tags(&mut new.tags)?;
        rules::unique_params(&new.params)?;
        let run = new.run.as_deref().filter(|run| !run.is_empty());
        let run = run.map(|run| rules::run_id(run).and_then(|()| Ok(RunId::new(run)?))).transpose()?;
        let id = format!("m-{}", names::hexadecimal_id());
        self.command(actor, &format!("experiment {}", new.experiment), |state, checkpoint| {
            let experiment = experiments::find(state, &new.experiment)?;
            experiments::must_be_active(experiment)?;
            let event = LoggedModelCreated {
                logged_model: LoggedModelId::new(&id)?,
                experiment: ExperimentId::new(&experiment.id)?,
                name: name.clone(),
                run: run.clone(),
                model_type: new.model_type.clone(),
                artifact_uri: join_uri(&experiment.artifact_location, &["models", &id, "artifacts"]),
                params: new.params.clone(),
                tags: new.tags.clone(),
            };
            let deleted = about(&["experiment.deleted"], "experiment", &experiment.id)?;
            let mut condition = unless_since(vec![deleted], checkpoint);
            condition.streams.push(at_revision("logged_model", &id, None)?);
            Ok((condition, vec![event.into()]))
        })
        .await?;
        self.logged_model(&id, true)
    }

    /// A logged model by its id; a deleted one only when it is asked for.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub fn logged_model(&self, id: &str, with_deleted: bool) -> Result<LoggedModel, TrackingError> {
        self.read(|state| {
            let row = find(state, id)?;
            if row.stage == Stage::Deleted && !with_deleted {
                return Err(missing(id));
            }
            Ok(state.view_model(row)?)
        })
    }

    /// Says that a logged model is complete, or will never be, and answers it.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub async fn finalize_logged_model(
        &self,
        actor: &str,
        id: &str,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel, TrackingError> {
        self.change_model(actor, id, |_, row, model| {
            let event = LoggedModelFinalized { logged_model: model, status };
            Ok((row.status != status).then(|| event.into()))
        })
        .await?;
        self.logged_model(id, true)
    }

    /// Logs parameters of a logged model. The same value once more is fine.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`]; [`TrackingError::Invalid`] when one was logged with another value.
    pub async fn log_logged_model_params(
        &self,
        actor: &str,
        id: &str,
        mut params: Vec<KeyValue>,
    ) -> Result<(), TrackingError> {
        check_params(&mut params)?;
        rules::unique_params(&params)?;
        self.change_model(actor, id, |state, row, model| {
            let mut new = Vec::new();
            for param in &params {
                match state.value_of(&row.params, &param.key) {
                    None => new.push(param.clone()),
                    Some(old) if old == param.value => {}
                    Some(old) => {
                        return Err(TrackingError::invalid(format!(
                            "Changing param values is not allowed. Param with key='{}' was already logged with value='{old}' for model ID='{id}'. Attempted logging new value '{}'.",
                            param.key, param.value
                        )));
                    }
                }
            }
            let event = LoggedModelParamsLogged { logged_model: model, params: new };
            Ok((!event.params.is_empty()).then(|| event.into()))
        })
        .await
    }

    /// Sets tags of a logged model.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub async fn set_logged_model_tags(
        &self,
        actor: &str,
        id: &str,
        mut tags: Vec<KeyValue>,
    ) -> Result<(), TrackingError> {
        check_tags(&mut tags)?;
        self.change_model(actor, id, |_, _, model| {
            let event = LoggedModelTagsSet { logged_model: model, tags: tags.clone() };
            Ok((!event.tags.is_empty()).then(|| event.into()))
        })
        .await
    }

    /// Takes a tag of a logged model away.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`] when the model is unknown or has no such tag.
    pub async fn delete_logged_model_tag(&self, actor: &str, id: &str, key: &str) -> Result<(), TrackingError> {
        self.change_model(actor, id, |state, row, model| {
            if !state.has_tag(&row.tags, key) {
                let (key, id) = (rules::python_text(key), rules::python_text(id));
                return Err(TrackingError::not_found(format!("No tag with key {key} found for model with ID {id}.")));
            }
            Ok(Some(LoggedModelTagRemoved { logged_model: model, key: key.to_owned() }.into()))
        })
        .await
    }

    /// Puts a logged model aside; one that is put aside already stays so.
    ///
    /// # Errors
    /// [`TrackingError::NotFound`].
    pub async fn delete_logged_model(&self, actor: &str, id: &str) -> Result<(), TrackingError> {
        self.change_model(actor, id, |_, row, model| {
            Ok((row.stage == Stage::Active).then(|| LoggedModelDeleted { logged_model: model }.into()))
        })
        .await
    }

    /// One change after the other: none depends on more than the model itself.
    async fn change_model(
        &self,
        actor: &str,
        id: &str,
        event: impl Fn(&State, &ModelRow, LoggedModelId) -> Result<Option<Event>, TrackingError>,
    ) -> Result<(), TrackingError> {
        let _alone = self.alone(id).await;
        self.command(actor, &format!("logged model {id}"), |state, _| -> Result<Decision, TrackingError> {
            let row = find(state, id)?;
            let Some(event) = event(state, row, LoggedModelId::new(&row.id)?)? else { return Ok(nothing()) };
            let streams = vec![at_revision("logged_model", &row.id, Some(row.revision))?];
            Ok((AppendCondition { streams, no_match_after: None }, vec![event]))
        })
        .await
    }
}

fn missing(id: &str) -> TrackingError {
    let shown: String = id.chars().take(256).collect();
    TrackingError::not_found(format!("Logged model with ID '{shown}' not found."))
}

/// The logged model with an id, deleted or not.
pub(crate) fn find<'a>(state: &'a State, id: &str) -> Result<&'a ModelRow, TrackingError> {
    state.model(id).ok_or_else(|| missing(id))
}

fn check_params(params: &mut [KeyValue]) -> Result<(), TrackingError> {
    rules::batch("params", MAX_ENTITIES_PER_BATCH, params.len())?;
    params.iter_mut().enumerate().try_for_each(|(index, param)| rules::param(&format!("params[{index}]"), param))
}

fn check_tags(tags: &mut [KeyValue]) -> Result<(), TrackingError> {
    rules::batch("tags", MAX_ENTITIES_PER_BATCH, tags.len())?;
    tags.iter_mut().enumerate().try_for_each(|(index, tag)| rules::tag(&format!("tags[{index}]"), tag))
}
