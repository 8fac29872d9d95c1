//! Versions of registered models.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use domain::events::{KeyValue, Stage};
use domain::ids::ModelName;
use projections::AsOf;
use projections::folds::models::{ModelView, Models, VersionView};
use registry::{Caller, ExternalVersion, StageChange, Subject};
use serde_json::{Value, json};
use tracking::search::Entity;

use super::answer::ModelVersionAnswer;
use super::caller::{Reader, Writer};
use super::error::MlflowError;
use super::registered_models::{find as find_model, is_prompt, stage};
use super::request::{Arguments, Fields};
use super::search::{Query, VersionRow};
use super::{Answer, artifacts, done, named, names, page, paths, sources};
use crate::server::App;

/// The most versions in one answer, and how many there are when nobody says.
const MOST_VERSIONS: usize = 200_000;
const VERSIONS: usize = 10_000;

/// The tag of a logged model that says which versions it became.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

/// The version of this number of the model of this name.
///
/// # Errors
/// When it is not there.
fn find<'m>(models: &'m Models, name: &str, version: &str) -> Result<VersionView<'m>, MlflowError> {
    names::model(name)?;
    let number = names::version(version)?;
    let missing =
        || MlflowError::not_found(format!("Model Version (name={name}, version={}) not found", version.trim()));
    models.by_name(name, AsOf::LATEST).and_then(|model| model.version(number)).ok_or_else(missing)
}

/// The model's id, and the number.
///
/// # Errors
/// When it is not there.
pub fn find_id(app: &App, name: &str, version: &str) -> Result<(ModelName, u32), MlflowError> {
    app.engine.registry.read(|models| {
        let version = find(models, name, version)?;
        Ok((version.model().id().clone(), version.number()))
    })
}

/// The version that a request names.
fn asked<'a>(fields: &Fields<'a>) -> Result<(&'a str, String), MlflowError> {
    let name = fields.required_text("name")?;
    // A client in a hurry writes the number as a number.
    let version = match fields.text("version") {
        Ok(_) => fields.required_text("version")?.to_owned(),
        Err(error) => fields.integer("version").ok().flatten().ok_or(error)?.to_string(),
    };
    Ok((name, version))
}

fn asked_id(app: &App, fields: &Fields<'_>) -> Result<(ModelName, u32), MlflowError> {
    let (name, version) = asked(fields)?;
    find_id(app, name, &version)
}

/// A version as it is now.
fn shown(app: &App, model: &ModelName, number: u32) -> Answer {
    let version = app.engine.registry.read(|models| {
        models.model(model, AsOf::LATEST).and_then(|model| model.version(number)).map(ModelVersionAnswer::of)
    });
    let gone = || MlflowError::not_found(format!("Model Version (id={model}, version={number}) not found"));
    named("model_version", &version.ok_or_else(gone)?)
}

/// `model-versions/create`
pub async fn create(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, source) = (fields.required_text("name")?, fields.required_text("source")?);
    let run = fields.some_text("run_id")?;
    let tags = fields.pairs("tags")?;
    let description = fields.some_text("description")?.map(str::to_owned);
    let logged_model = fields.some_text("model_id")?;
    tags.iter().try_for_each(names::tag)?;
    let wanted = sources::Wanted { source, run, logged_model, is_prompt: is_prompt(&tags) };
    let (model, resolved) = app.engine.registry.read(|models| {
        let model = find_model(models, name)?.id().clone();
        Ok::<_, MlflowError>((model, sources::resolve(&app.engine.tracking, models, wanted)?))
    })?;
    let noted = logged_model.and(resolved.logged_model.clone()).filter(|_| !wanted.is_prompt);
    let new = ExternalVersion {
        artifacts: resolved.files,
        source: Some(source.to_owned()),
        run: resolved.run,
        logged_model: resolved.logged_model,
        description,
        tags,
        ..ExternalVersion::of(model.clone())
    };
    let made = app.engine.registry.create_external_version(&Caller::named(&caller.name), &new).await?;
    if let Some(logged_model) = noted {
        // The version is there, whatever becomes of the note: a client that were told otherwise would make another one.
        if let Err(error) = note_version(&app, &caller.name, logged_model.as_str(), name, made.version).await {
            tracing::warn!(%logged_model, version = made.version, ?error, "the version is not noted on its logged model");
        }
    }
    shown(&app, &model, made.version)
}

/// Adds a version to those that a logged model says that it became.
async fn note_version(app: &App, actor: &str, logged_model: &str, name: &str, version: u32) -> Result<(), MlflowError> {
    // The list is read and written: one after the other.
    let _turn = app.logged_model_notes.lock().await;
    let model = app.engine.tracking.logged_model(logged_model, false)?;
    let known = model.tags.iter().find(|tag| tag.key == VERSIONS_TAG).map(|tag| tag.value.as_str());
    let known: Vec<Value> = known.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let list = known.into_iter().chain([json!({ "name": name, "version": version })]);
    let entries: Vec<String> = list.map(|entry| spaced(&entry)).collect();
    let tag = KeyValue { key: VERSIONS_TAG.to_owned(), value: format!("[{}]", entries.join(", ")) };
    app.engine.tracking.set_logged_model_tags(actor, logged_model, vec![tag]).await?;
    Ok(())
}

/// An object of plain values as Python writes it: clients compare the text.
fn spaced(entry: &Value) -> String {
    let Some(object) = entry.as_object() else { return entry.to_string() };
    let members: Vec<String> =
        object.iter().map(|(key, value)| format!("{}: {value}", Value::from(key.as_str()))).collect();
    format!("{{{}}}", members.join(", "))
}

/// `model-versions/get`
pub async fn get(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, version) = asked(&fields)?;
    let version = app.engine.registry.read(|models| find(models, name, &version).map(ModelVersionAnswer::of))?;
    named("model_version", &version)
}

/// `model-versions/update`
pub async fn update(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (model, number) = asked_id(&app, &fields)?;
    if let Some(description) = fields.text("description")? {
        let subject = Subject { model: model.clone(), version: Some(number) };
        app.engine.registry.describe(&Caller::named(&caller.name), &subject, description).await?;
    }
    shown(&app, &model, number)
}

/// `model-versions/delete`
pub async fn delete(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let (model, number) = asked_id(&app, &arguments.fields())?;
    app.engine.registry.delete_version(&Caller::named(&caller.name), &model, number, None).await?;
    done()
}

/// `model-versions/transition-stage`
pub async fn set_stage(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, version) = asked(&fields)?;
    let named_stage = fields.required_text("stage")?;
    let stage = stage(named_stage)?;
    let archive_existing = fields.boolean("archive_existing_versions")?.unwrap_or(false);
    if archive_existing && !matches!(stage, Stage::Staging | Stage::Production) {
        return Err(MlflowError::invalid(format!(
            "Model version transition cannot archive existing model versions because '{named_stage}' is not an Active stage. Valid stages are ['Staging', 'Production']"
        )));
    }
    let (model, number) = find_id(&app, name, &version)?;
    let change = StageChange { model, version: number, stage, archive_existing };
    app.engine.registry.set_stage(&Caller::named(&caller.name), &change).await?;
    shown(&app, &change.model, number)
}

/// `model-versions/search`
pub async fn search(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let query = Query::of(&arguments.fields(), Entity::ModelVersions, VERSIONS, MOST_VERSIONS)?;
    let (found, next) = app.engine.registry.read(|models| {
        let rows: Vec<_> =
            models.models(AsOf::LATEST).flat_map(|model: ModelView<'_>| model.versions().map(VersionRow)).collect();
        query.page(&rows, |row| ModelVersionAnswer::in_list(row.0))
    });
    page("model_versions", &found, next)
}

/// `model-versions/get-download-uri`
pub async fn download_uri(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let (name, version) = asked(&fields)?;
    let uri = app.engine.registry.read(|models| {
        let version = find(models, name, &version)?;
        sources::download_uri(&app.engine.tracking, models, version)
    })?;
    named("artifact_uri", &uri)
}

/// `model-versions/set-tag`
pub async fn set_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let tag = fields.pair()?;
    names::tag(&tag)?;
    let (model, number) = asked_id(&app, &fields)?;
    let subject = Subject { model, version: Some(number) };
    app.engine.registry.set_tags(&Caller::named(&caller.name), &subject, &[tag]).await?;
    done()
}

/// `model-versions/delete-tag`
pub async fn delete_tag(State(app): State<App>, Writer(caller): Writer, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let key = fields.required_text("key")?;
    names::tag_key(key)?;
    let (model, number) = asked_id(&app, &fields)?;
    let subject = Subject { model, version: Some(number) };
    app.engine.registry.remove_tag(&Caller::named(&caller.name), &subject, key).await?;
    done()
}

/// `/model-versions/get-artifact`: a file of a version.
pub async fn get_file(State(app): State<App>, _: Reader, RawQuery(query): RawQuery) -> Result<Response, MlflowError> {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let fields = arguments.fields();
    let path = artifacts::path_in(&fields)?;
    let (name, version) = asked(&fields)?;
    let uri = app.engine.registry.read(|models| {
        let version = find(models, name, &version)?;
        sources::download_uri(&app.engine.tracking, models, version)
    })?;
    artifacts::send(&app, &paths::join(&sources::own_folder(&uri)?, path)).await
}
