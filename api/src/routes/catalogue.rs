//! Reading the registry, as it is or as it was known: models, versions, aliases, deployments, what ran where.

use axum::extract::{Path, State};
use domain::ids::AssetId;
use projections::folds::models::{DeploymentChange, DeploymentView, LastPrediction, Models};
use projections::{AsOf, Fact};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::common::{Asked, Page, offset, page_size, parse_time, to_json, with};
use super::models::{deployment_id, model_name};
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
    async fn as_of(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        let asked = Asked { as_of: self.as_of.clone(), min_position: self.min_position };
        asked.wait(app).await?;
        if asked.as_of.is_none() { Ok(Some(AsOf::LATEST)) } else { Ok(asked.position(app).await?.map(AsOf::through)) }
    }
}

fn show_model(models: &Models, fact: &Fact<domain::events::ModelRegistered>, as_of: AsOf) -> Result<Value, Problem> {
    let name = &fact.value.model;
    let versions = models.versions(name, as_of).map(|version| {
        let predictions = models.prediction_count(name, version.value.version);
        let members =
            [("position", json!(version.position)), ("time", json!(version.time)), ("predictions", json!(predictions))];
        Ok(with(to_json(&version.value)?, members))
    });
    let versions = versions.collect::<Result<Vec<_>, Problem>>()?;
    let aliases: Vec<_> = models
        .aliases(name, as_of)
        .map(|(alias, version, position)| json!({"alias": alias, "version": version, "position": position}))
        .collect();
    let members = [("position", json!(fact.position)), ("versions", versions.into()), ("aliases", aliases.into())];
    Ok(with(to_json(&fact.value)?, members))
}

fn show_deployment(models: &Models, view: &DeploymentView<'_>, as_of: AsOf) -> Result<Value, Problem> {
    let history = models.deployment_history(view.deployment, as_of).iter().map(|fact| {
        Ok(match &fact.value {
            DeploymentChange::Deployed(deployed) => {
                json!({"position": fact.position, "time": fact.time, "change": "deployed", "version": deployed.version, "replaces": deployed.replaces, "person": deployed.person, "reason": deployed.reason})
            }
            DeploymentChange::Retired => json!({"position": fact.position, "time": fact.time, "change": "retired"}),
        })
    });
    let history = history.collect::<Result<Vec<_>, Problem>>()?;
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
            .map(|fact| show_model(models, fact, as_of))
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
    let name = model_name(&model)?;
    let unknown = || Problem::not_found("model", &model);
    let as_of = parameters.as_of(&app).await?.ok_or_else(unknown)?;
    app.engine
        .models
        .read(|models, _| models.model(&name, as_of).map(|fact| show_model(models, fact, as_of)))
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

/// At which moment.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MomentParameters {
    /// What was so at this event time; what runs now, when absent.
    pub at: Option<String>,
    /// As it was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What ran on an asset at a moment.
#[utoipa::path(get, path = "/api/v1/assets/{asset}/models", tag = "models", params(("asset" = String, Path), MomentParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn what_ran(
    State(app): State<App>,
    caller: Caller,
    Path(asset): Path<String>,
    Query(parameters): Query<MomentParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asset = AssetId::new(&asset).map_err(|error| Problem::invalid("asset", error))?;
    let at = parameters.at.as_deref().map(|text| parse_time("at", text)).transpose()?;
    let known = CatalogueParameters {
        as_of: parameters.as_of,
        min_position: parameters.min_position,
        ..CatalogueParameters::default()
    };
    let Some(as_of) = known.as_of(&app).await? else {
        return Ok(axum::Json(Page { items: Vec::new(), next_cursor: None }));
    };
    let items = app.engine.models.read(|models, _| match at {
        Some(at) => models
            .ran_on(&asset, at, as_of)
            .map(|(deployment, deployed, position)| json!({"deployment": deployment, "model": deployed.model, "version": deployed.version, "since_position": position}))
            .collect(),
        None => models
            .running_on(&asset, as_of)
            .map(|view| json!({"deployment": view.deployment, "model": view.deployed.model, "version": view.deployed.version, "since": view.since, "positions": view.positions}))
            .collect(),
    });
    Ok(axum::Json(Page { items, next_cursor: None }))
}
