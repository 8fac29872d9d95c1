//! Registered models.

use axum::extract::State;
use domain::events::{ModelKind, Stage};
use domain::ids::ModelName;
use projections::AsOf;
use projections::folds::models::{ModelView, Models};
use registry::{Caller, NewModel, Subject};
use tracking::search::Entity;

use super::answer::{ModelVersionAnswer, RegisteredModelAnswer};
use super::caller::{Reader, Writer};
use super::error::MlflowError;
use super::request::{Arguments, Fields, missing_value};
use super::search::{ModelRow, Query};
use super::{Answer, answer, done, named, names, page, sources};
use crate::server::App;

/// The most registered models in one answer, and how many there are when nobody says.
const MOST_MODELS: usize = 1_000;
const MODELS: usize = 100;

/// The model of this name.
///
/// # Errors
/// When there is none, or none can be called so.
pub fn find<'m>(models: &'m Models, name: &str) -> Result<ModelView<'m>, MlflowError> {
    names::model(name)?;
    models
        .by_name(name, AsOf::LATEST)
        .ok_or_else(|| MlflowError::not_found(format!("Registered Model with name={name} not found")))
}

/// The id of the model of this name.
///
/// # Errors
/// As [`find`].
pub fn id_of(app: &App, name: &str) -> Result<ModelName, MlflowError> {
    app.engine.registry.read(|models| find(models, name).map(|model| model.id().clone()))
}

/// A model as it is now, by its id.
fn shown(app: &App, id: &ModelName) -> Answer {
    let shown = app.engine.registry.read(|models| models.model(id, AsOf::LATEST).map(RegisteredModelAnswer::of));
    let gone = || MlflowError::not_found(format!("Registered Model with id={id} not found"));
    named("registered_model", &shown.ok_or_else(gone)?)
}

/// `registered-models/create`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    names::model(name)?;
    let new = NewModel {
        description: fields.some_text("description")?.map(str::to_owned),
        tags: fields.pairs("tags")?,
        ..NewModel::named(name, ModelKind::Data)
    };
    new.tags.iter().try_for_each(names::tag)?;
    let made = app.engine.registry.create_model(&Caller::named(&caller.name), &new).await?;
    shown(&app, &made.model)
}

/// `registered-models/get`
pub async fn get(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    let model = app.engine.registry.read(|models| find(models, name).map(RegisteredModelAnswer::of))?;
    named("registered_model", &model)
}

/// `registered-models/rename`
pub async fn rename(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, new_name) = (fields.required_text("name")?, fields.required_text("new_name")?);
    if new_name.trim().is_empty() {
        return Err(missing_value("new_name"));
    }
    names::model(new_name)?;
    let model = id_of(&app, name)?;
    app.engine.registry.rename_model(&Caller::named(&caller.name), &model, new_name).await?;
    shown(&app, &model)
}

/// `registered-models/update`
pub async fn update(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let model = id_of(&app, fields.required_text("name")?)?;
    let description = fields.text_or_empty("description")?;
    let subject = Subject { model, version: None };
    app.engine.registry.describe(&Caller::named(&caller.name), &subject, description).await?;
    shown(&app, &subject.model)
}

/// `registered-models/delete`
pub async fn delete(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let model = id_of(&app, arguments.fields().required_text("name")?)?;
    app.engine.registry.delete_model(&Caller::named(&caller.name), &model, None).await?;
    done()
}

/// `registered-models/search`
pub async fn search(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let query = Query::of(&arguments.fields(), Entity::RegisteredModels, MODELS, MOST_MODELS)?;
    let (found, next) = app.engine.registry.read(|models| {
        let rows: Vec<_> = models.models(AsOf::LATEST).map(ModelRow).collect();
        query.page(&rows, |row| RegisteredModelAnswer::of(row.0))
    });
    page("registered_models", &found, next)
}

/// The stages that a request names.
fn stages(fields: &Fields<'_>) -> Result<Vec<Stage>, MlflowError> {
    fields.texts("stages")?.into_iter().map(stage).collect()
}

/// The stage of this name.
///
/// # Errors
/// When there is none.
pub fn stage(name: &str) -> Result<Stage, MlflowError> {
    sources::stage(name).ok_or_else(|| {
        let shown: String = name.chars().take(80).collect();
        MlflowError::invalid(format!(
            "Invalid Model Version stage: {shown}. Value must be one of None, Staging, Production, Archived."
        ))
    })
}

/// `registered-models/get-latest-versions`
pub async fn latest_versions(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    let stages = stages(&fields)?;
    let latest = app.engine.registry.read(|models| {
        Ok::<_, MlflowError>(answer::latest_versions(find(models, name)?, &stages, ModelVersionAnswer::of))
    })?;
    page("model_versions", &latest, None)
}

/// `registered-models/set-tag`
pub async fn set_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    let tag = fields.pair()?;
    names::tag(&tag)?;
    let subject = Subject { model: id_of(&app, name)?, version: None };
    app.engine.registry.set_tags(&Caller::named(&caller.name), &subject, &[tag]).await?;
    done()
}

/// `registered-models/delete-tag`
pub async fn delete_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, key) = (fields.required_text("name")?, fields.required_text("key")?);
    names::tag_key(key)?;
    let subject = Subject { model: id_of(&app, name)?, version: None };
    app.engine.registry.remove_tag(&Caller::named(&caller.name), &subject, key).await?;
    done()
}

/// `registered-models/alias`, set.
pub async fn set_alias(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    let alias = names::new_alias(fields.required_text("alias")?)?;
    let (model, version) = super::model_versions::find_id(&app, name, fields.required_text("version")?)?;
    app.engine.registry.set_alias(&Caller::named(&caller.name), &model, &alias, version).await?;
    done()
}

/// `registered-models/alias`, taken away. One that is not there may be, too.
pub async fn delete_alias(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let name = fields.required_text("name")?;
    let alias = names::alias(fields.required_text("alias")?)?;
    let found = app.engine.registry.read(|models| {
        let model = find(models, name)?;
        Ok::<_, MlflowError>(model.alias(alias.as_str()).map(|_| model.id().clone()))
    })?;
    if let Some(model) = found {
        app.engine.registry.remove_alias(&Caller::named(&caller.name), &model, &alias).await?;
    }
    done()
}

/// `registered-models/alias`, looked up.
pub async fn get_by_alias(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    let alias = names::alias(alias)?;
    let version = app.engine.registry.read(|models| {
        let model = find(models, name)?;
        let version = model.alias(alias.as_str()).and_then(|number| model.version(number));
        let missing = || MlflowError::invalid(format!("Registered model alias {alias} not found."));
        version.map(ModelVersionAnswer::of).ok_or_else(missing)
    })?;
    named("model_version", &version)
}

/// Whether tags say that it is a prompt.
pub fn is_prompt(tags: &[domain::events::KeyValue]) -> bool {
    tags.iter().any(|tag| tag.key == tracking::search::IS_PROMPT_TAG)
}
