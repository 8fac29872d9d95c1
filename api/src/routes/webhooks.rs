//! Webhooks as they are doing. They are made, changed, tested and deleted over MLflow's addresses.

use axum::extract::{Path, State};
use projections::folds::webhooks::Webhook;
use serde_json::{Value, json};

use super::common::{Page, offset, page_size, to_json, with};
use super::privacy::ListParameters;
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Every webhook, the newest first, with how far its messages are and why one is not taken.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "models", params(ListParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn webhooks(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ListParameters>,
) -> Result<axum::Json<Page>, Problem> {
    // An address may hold a token of its receiver.
    caller.must(Permission::WriteModels)?;
    super::common::Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let all = app.engine.webhooks.list();
    let items = all.iter().skip(start).take(limit + 1).map(|webhook| shown(&app, webhook)).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

/// One webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook}", tag = "models", params(("webhook" = String, Path, description = "The webhook's id")),
    responses((status = 200), (status = "4XX", body = Problem)))]
pub async fn webhook(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::WriteModels)?;
    let found = app.engine.webhooks.get(&id).map_err(|_| Problem::not_found("webhook", &id))?;
    Ok(axum::Json(shown(&app, &found)?))
}

fn shown(app: &App, webhook: &Webhook) -> Result<Value, Problem> {
    let mut said = to_json(webhook)?;
    if let Some(fields) = said.as_object_mut() {
        // The name of a secret helps nobody.
        fields.remove("secret");
    }
    let delivery = app.engine.webhooks.state(&webhook.id);
    Ok(with(said, [("signed", json!(webhook.secret.is_some())), ("delivery", to_json(&delivery)?)]))
}
