//! What the log knows about streams and categories besides their records.

use axum::extract::{Path, State};
use eventlog::metadata::{self, CategoryMetadata, RetentionClass, StreamMetadata};
use eventlog::{Category, Revision, StreamId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{Caller, Permission};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;

/// The metadata of a stream: all of them, since they take the place of those before.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamMetadataReport {
    /// How long payloads are kept, by name: 1 to 64 lowercase letters, digits, `_` or `-`. That of the category counts when it is absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub retention_class: Option<RetentionClass>,
    /// Reads of the stream leave out the revisions before this one. It cannot go back.
    #[serde(default)]
    pub truncate_before: Option<u64>,
    /// A deleted stream takes no more events and answers no more reads, for ever. Its records stay in the log, with their proofs.
    #[serde(default)]
    pub deleted: bool,
}

/// The metadata of a category.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryMetadataReport {
    /// How long payloads are kept, in streams that have no class of their own.
    #[schema(value_type = Option<String>)]
    pub retention_class: Option<RetentionClass>,
}

async fn shown(app: &App, stream: &StreamId) -> Result<axum::Json<Value>, Problem> {
    let log = &*app.engine.log;
    let metadata = metadata::stream(log, stream).await?;
    let effective = metadata::effective_retention_class(log, stream).await?;
    Ok(axum::Json(json!({
        "stream": stream,
        "retention_class": metadata.retention_class,
        "effective_retention_class": effective,
        "truncate_before": metadata.truncate_before,
        "deleted": metadata.deleted,
    })))
}

fn named(stream: &str) -> Result<StreamId, Problem> {
    let id = StreamId::new(stream).map_err(|error| Problem::invalid("stream", error))?;
    metadata::stream_of(&id).map_err(|error| Problem::invalid("stream", error))?;
    Ok(id)
}

/// The retention class, truncation and deletion of a stream; `effective_retention_class` is that of its category where it has none.
#[utoipa::path(get, path = "/api/v1/streams/{stream}/metadata", tag = "log", params(("stream" = String, Path, description = "category-key")),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    Path(stream): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadLog)?;
    shown(&app, &named(&stream)?).await
}

/// Sets the metadata of a stream.
#[utoipa::path(put, path = "/api/v1/streams/{stream}/metadata", tag = "log", params(("stream" = String, Path, description = "category-key")),
    request_body = StreamMetadataReport, responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn set_stream(
    State(app): State<App>,
    caller: Caller,
    Path(stream): Path<String>,
    Json(report): Json<StreamMetadataReport>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ManageLog)?;
    let id = named(&stream)?;
    let metadata = StreamMetadata {
        retention_class: report.retention_class,
        truncate_before: report.truncate_before.map(Revision::new),
        deleted: report.deleted,
    };
    let _ = metadata::set_stream(&*app.engine.log, &id, &metadata, &caller.name).await?;
    shown(&app, &id).await
}

/// Sets the metadata of a category.
#[utoipa::path(put, path = "/api/v1/categories/{category}/metadata", tag = "log", params(("category" = String, Path, description = "The part of stream ids before the hyphen")),
    request_body = CategoryMetadataReport, responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn set_category(
    State(app): State<App>,
    caller: Caller,
    Path(category): Path<String>,
    Json(report): Json<CategoryMetadataReport>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ManageLog)?;
    let category = Category::new(&category).map_err(|error| Problem::invalid("category", error))?;
    metadata::stream_of_category(&category).map_err(|error| Problem::invalid("category", error))?;
    let metadata = CategoryMetadata { retention_class: report.retention_class };
    let _ = metadata::set_category(&*app.engine.log, &category, &metadata, &caller.name).await?;
    Ok(axum::Json(json!({"category": category, "retention_class": metadata.retention_class})))
}

/// The metadata of a category.
#[utoipa::path(get, path = "/api/v1/categories/{category}/metadata", tag = "log", params(("category" = String, Path, description = "The part of stream ids before the hyphen")),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn category(
    State(app): State<App>,
    caller: Caller,
    Path(category): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadLog)?;
    let category = Category::new(&category).map_err(|error| Problem::invalid("category", error))?;
    let metadata = metadata::category(&*app.engine.log, &category).await?;
    Ok(axum::Json(json!({"category": category, "retention_class": metadata.retention_class})))
}
