//! What needs somebody's attention, and how the server is doing.

use axum::extract::State;
use projections::AsOf;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::common::{Asked, Page, offset, page_size, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which of them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AttentionParameters {
    /// Also those that are resolved or released.
    #[serde(default)]
    pub all: bool,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl AttentionParameters {
    async fn as_of(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        let asked = Asked { as_of: self.as_of.clone(), min_position: self.min_position };
        asked.wait(app).await?;
        if asked.as_of.is_none() { Ok(Some(AsOf::LATEST)) } else { Ok(asked.position(app).await?.map(AsOf::through)) }
    }
}

/// Observations that contradict what was known, the newest first; resolve one with the command `discrepancy.resolve`.
#[utoipa::path(get, path = "/api/v1/discrepancies", tag = "operations", params(AttentionParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn discrepancies(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AttentionParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.discrepancies.read(|model, _| {
        let found = model.at(as_of).rev().filter(|view| parameters.all || view.resolved.is_none());
        found.skip(offset).take(limit + 1).map(|view| to_json(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// Inputs that were not understood, the newest first. The record at the position holds the input itself.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "operations", params(AttentionParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn quarantine(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AttentionParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.quarantine.read(|model, _| {
        let found = model.inputs(as_of).rev().filter(|view| parameters.all || view.released.is_none());
        found.skip(offset).take(limit + 1).map(|view| to_json(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// How fresh.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FreshParameters {
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What is in the log, in numbers.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "operations", params(FreshParameters), responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn statistics(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<FreshParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    app.engine.statistics.read(|statistics, _| to_json(statistics)).map(axum::Json)
}

/// How far each projection and each reactor is.
#[utoipa::path(get, path = "/api/v1/projections", tag = "operations", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn projections(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let mut items = app.engine.projection_states().iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
    let reactors = app.engine.reactor_states();
    items.extend(
        reactors
            .into_iter()
            .map(|(name, lag, failed)| json!({"name": name, "reactor": true, "lag": lag, "failed": failed})),
    );
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// The digest of each projection's logical state, with the first position that is not in it. `millwright replay --to` gives the same for the position before.
#[utoipa::path(get, path = "/api/v1/projections/digests", tag = "operations", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn digests(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let digests = app.engine.projections().digests().await.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(axum::Json(Page { items: digests.iter().map(to_json).collect::<Result<Vec<_>, _>>()?, next_cursor: None }))
}
