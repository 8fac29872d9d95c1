//! Reading the registry, as it is or as it was known: models, versions, aliases, deployments.

use axum::extract::{Path, State};
use domain::ids::AssetId;
use projections::AsOf;
use projections::folds::models::{DeploymentChange, DeploymentView, LastPrediction, ModelView, Models, VersionView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::common::{Asked, Page, offset, page_size, to_json, with};
use super::models::deployment_id;
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// A page of the registry at a moment.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CatalogueParameters {
    /// What was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl CatalogueParameters {
    /// What counts: `None` when nothing was known yet.
    pub(super) async fn as_of(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        let asked = Asked { as_of: self.as_of.clone(), min_position: self.min_position };
        asked.wait(app).await?;
        if asked.as_of.is_none() { Ok(Some(AsOf::LATEST)) } else { Ok(asked.position(app).await?.map(AsOf::through)) }
    }
}

pub(super) fn show_version(models: &Models, version: &VersionView<'_>) -> Result<Value, Problem> {
    let created = version.created();
    let predictions = models.prediction_count(version.model().id(), version.number());
    let aliases: Vec<_> = version.aliases().collect();
    let tags: serde_json::Map<_, _> = version.tags().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let members = [
        ("position", json!(created.position)),
        ("time", json!(created.time)),
        ("actor", json!(created.actor)),
        ("predictions", json!(predictions)),
        ("stage", to_json(&version.stage())?),
        ("aliases", json!(aliases)),
        ("tags", tags.into()),
        ("description", json!(version.description())),
        ("updated", json!(version.updated())),
    ];
    Ok(with(to_json(&created.value)?, members))
}

fn show_model(models: &Models, model: ModelView<'_>) -> Result<Value, Problem> {
    let versions = model.versions().map(|version| show_version(models, &version));
    let versions = versions.collect::<Result<Vec<_>, Problem>>()?;
    let aliases: Vec<_> = model
        .aliases()
        .map(|(alias, version, position)| json!({"alias": alias, "version": version, "position": position}))
        .collect();
    let tags: serde_json::Map<_, _> = model.tags().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let registered = model.registered();
    let mut members = vec![
        ("position", json!(registered.position)),
        ("name", json!(model.name())),
        ("created", json!(model.created())),
        ("updated", json!(model.updated())),
        ("tags", tags.into()),
        ("versions", versions.into()),
        ("aliases", aliases.into()),
    ];
    if let Some(description) = model.description() {
        members.push(("description_text", json!(description)));
    }
    Ok(members.into_iter().fold(to_json(&registered.value)?, |shown, member| with(shown, [member])))
}

fn show_deployment(models: &Models, view: &DeploymentView<'_>, as_of: AsOf) -> Result<Value, Problem> {
    let history = models.deployment_history(view.deployment, as_of).iter().map(|said| {
        let members = [("position", json!(said.position)), ("time", json!(said.time)), ("actor", json!(said.actor))];
        let change = match &said.value {
            DeploymentChange::Deployed(deployed) => {
                json!({"change": "deployed", "version": deployed.version, "replaces": deployed.replaces, "person": deployed.person, "reason": deployed.reason})
            }
            DeploymentChange::Retired { reason } => json!({"change": "retired", "reason": reason}),
        };
        with(change, members)
    });
    let history: Vec<_> = history.collect();
    Ok(with(to_json(view)?, [("history", history.into())]))
}

fn show_prediction(asset: &AssetId, last: &LastPrediction) -> Result<Value, Problem> {
    Ok(with(to_json(last)?, [("asset", json!(asset))]))
}

/// Every registered model with its versions and aliases.
#[utoipa::path(get, path = "/api/v1/models", tag = "models", params(CatalogueParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn models(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.models.read(|models, _| {
        models
            .models(as_of)
            .skip(offset)
            .take(limit + 1)
            .map(|model| show_model(models, model))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// One model.
#[utoipa::path(get, path = "/api/v1/models/{model}", tag = "models", params(("model" = String, Path), CatalogueParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn model(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let unknown = || Problem::not_found("model", &model);
    let as_of = parameters.as_of(&app).await?.ok_or_else(unknown)?;
    app.engine
        .models
        .read(|models, _| models.find(&model, as_of).map(|found| show_model(models, found)))
        .ok_or_else(unknown)?
        .map(axum::Json)
}

/// Every deployment with its history, also those that run no longer.
#[utoipa::path(get, path = "/api/v1/deployments", tag = "models", params(CatalogueParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn deployments(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.models.read(|models, _| {
        models
            .deployments(as_of)
            .skip(offset)
            .take(limit + 1)
            .map(|view| show_deployment(models, &view, as_of))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// The last prediction of a deployment for each asset, with the readings that went in.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/predictions", tag = "models", params(("deployment" = String, Path)),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn predictions(
    State(app): State<App>,
    caller: Caller,
    Path(deployment): Path<String>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = deployment_id(&deployment)?;
    let items = app.engine.models.read(|models, _| {
        models.deployment(&id, AsOf::LATEST)?;
        Some(
            models
                .last_predictions(&id)
                .map(|(asset, last)| show_prediction(asset, last))
                .collect::<Result<Vec<_>, _>>(),
        )
    });
    let items = items.ok_or_else(|| Problem::not_found("deployment", &deployment))??;
    Ok(axum::Json(Page { items, next_cursor: None }))
}
