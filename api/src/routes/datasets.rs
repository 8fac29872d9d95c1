//! Tables for training: built as the log was known at a position, listed, downloaded, verified.

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use datasets::Spec;
use domain::ids::DatasetId;
use projections::AsOf;
use projections::Fold as _;
use projections::folds::datasets::{Dataset, Datasets};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, Page, offset, page_size, to_json, with};
use crate::auth::{Caller, Permission};
use crate::datasets::Unfinished;
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// The media type of Parquet files.
const PARQUET: &str = "application/vnd.apache.parquet";

/// At what position a dataset is built or looked at.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AsOfParameters {
    /// What was known then: a position or a record time.
    pub as_of: Option<String>,
}

/// A page of datasets.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DatasetsParameters {
    /// Only those with this name.
    pub name: Option<String>,
    /// What was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

async fn known(app: &App, as_of: Option<&String>, min_position: Option<u64>) -> Result<Option<AsOf>, Problem> {
    let asked = Asked { as_of: as_of.cloned(), min_position };
    asked.wait(app).await?;
    if asked.as_of.is_none() { Ok(Some(AsOf::LATEST)) } else { Ok(asked.position(app).await?.map(AsOf::through)) }
}

fn dataset_id(text: &str) -> Result<DatasetId, Problem> {
    DatasetId::new(text).map_err(|error| Problem::invalid("dataset", error))
}

fn show(dataset: &Dataset, as_of: AsOf) -> Result<Value, Problem> {
    let stale: Vec<_> = dataset.stale(as_of).collect();
    let members = [
        ("state", json!("built")),
        ("position", json!(dataset.position)),
        ("record_time", json!(dataset.record_time)),
        ("actor", json!(dataset.actor)),
        ("label_events", json!(dataset.label_events)),
        ("is_stale", json!(!stale.is_empty())),
        ("stale", json!(stale)),
    ];
    Ok(with(to_json(&dataset.built)?, members))
}

fn find(app: &App, id: &DatasetId, as_of: AsOf) -> Result<Option<Value>, Problem> {
    app.engine.datasets.read(|datasets, _| datasets.dataset(id, as_of).map(|dataset| show(dataset, as_of)).transpose())
}

/// Builds a table for training from the log as it was known at a position (now, when none is named). The body is the spec: assets, rows, features, labels, a span of time.
/// 201 with the dataset when it is built; 202 when it takes longer than a request may, and then `GET` tells how it goes. One is built at a time: 503 meanwhile.
#[utoipa::path(post, path = "/api/v1/datasets", tag = "models", params(AsOfParameters),
    request_body(content = Object, description = "The spec: docs/datasets.md has the language"),
    responses((status = 201, body = Object), (status = 202, body = Object), (status = "4XX", body = Problem)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AsOfParameters>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    caller.must(Permission::WriteModels)?;
    let spec = Spec::from_value(body)?;
    let asked = Asked { as_of: parameters.as_of, min_position: None };
    let Some(as_of) = asked.position(&app).await? else {
        return Err(Problem::invalid("as_of", "the log had no record then"));
    };
    let job = app.engine.dataset_builds.begin(&caller.name, spec, as_of)?;
    let id = job.dataset.clone();
    let location =
        HeaderValue::from_str(&format!("/api/v1/datasets/{id}")).map_err(|error| Problem::internal(&error))?;
    match job.wait(app.limits.patience()).await {
        Some(ended) => {
            let position = ended?;
            let wait = Duration::from_millis(app.limits.wait_ms);
            app.engine.wait_for_one(Datasets::NAME, position, wait).await?;
            let shown = find(&app, &id, AsOf::LATEST)?.ok_or_else(|| Problem::not_found("dataset", id.as_str()))?;
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(shown)).into_response())
        }
        None => {
            let shown = json!({"dataset": id, "state": "building", "as_of": as_of});
            Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(shown)).into_response())
        }
    }
}

/// The datasets, those that were built last first.
#[utoipa::path(get, path = "/api/v1/datasets", tag = "models", params(DatasetsParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<DatasetsParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, skip) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = known(&app, parameters.as_of.as_ref(), parameters.min_position).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), skip, limit)));
    };
    let items = app.engine.datasets.read(|datasets, _| {
        let named = |dataset: &&Dataset| parameters.name.as_ref().is_none_or(|name| dataset.built.name == *name);
        let found = datasets.datasets(as_of).rev().filter(named).skip(skip).take(limit + 1);
        found.map(|dataset| show(dataset, as_of)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, skip, limit)))
}

/// A dataset: what was asked for, what came out, and why it is stale, if it is. While it is being built its `state` is `building`.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}", tag = "models", params(("dataset" = String, Path, description = "The dataset's id"), AsOfParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<AsOfParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = dataset_id(&id)?;
    let as_of = known(&app, parameters.as_of.as_ref(), None).await?;
    if let Some(as_of) = as_of
        && let Some(shown) = find(&app, &id, as_of)?
    {
        return Ok(axum::Json(shown));
    }
    match app.engine.dataset_builds.unfinished(&id) {
        Some(Unfinished::Building) => Ok(axum::Json(json!({"dataset": id, "state": "building"}))),
        Some(Unfinished::Failed(problem)) => {
            Ok(axum::Json(json!({"dataset": id, "state": "failed", "problem": to_json(&problem)?})))
        }
        None => Err(Problem::not_found("dataset", id.as_str())),
    }
}

/// The file of a dataset (Parquet). Its ETag is its SHA-256; one range of bytes can be asked for. The whole file is checked while it is sent: a damaged one ends in an error.
#[utoipa::path(get, path = "/api/v1/datasets/{dataset}/file", tag = "models", params(("dataset" = String, Path, description = "The dataset's id")),
    responses((status = 200, description = "The file", content_type = "application/vnd.apache.parquet"), (status = 206, description = "A part of it"),
        (status = 304, description = "The caller has it"), (status = "4XX", body = Problem)))]
pub async fn file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = dataset_id(&id)?;
    let found = app.engine.datasets.read(|datasets, _| {
        datasets.dataset(&id, AsOf::LATEST).map(|dataset| (dataset.built.file.clone(), dataset.built.name.clone()))
    });
    let Some((artifact, name)) = found else { return Err(Problem::not_found("dataset", id.as_str())) };
    let etag = format!("\"{}\"", artifact.sha256);
    let text = |name: header::HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| Problem::internal(&error));
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, value(&etag)?);
    // A file never changes, and who asks is asked for a token each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    if text(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == etag))
    {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PARQUET));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_DISPOSITION, value(&format!("attachment; filename=\"{}.parquet\"", plain(&name)))?);
    let same = text(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    let store = app.engine.registry.artifacts();
    let failed = |error: registry::ArtifactError| Problem::internal(&error);
    match text(header::RANGE).filter(|_| same).map_or(Asking::Whole, |range| asked_for(range, artifact.bytes)) {
        Asking::Whole => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(artifact.bytes));
            let content = store.stream(&artifact).await.map_err(failed)?;
            Ok((headers, Body::from_stream(content)).into_response())
        }
        Asking::Part(part) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, artifact.bytes);
            headers.insert(header::CONTENT_RANGE, value(&range)?);
            let content = store.stream_part(&artifact, part).await.map_err(failed)?;
            Ok((StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(content)).into_response())
        }
        Asking::Nothing => {
            let range = value(&format!("bytes */{}", artifact.bytes))?;
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response())
        }
    }
}

/// A name that every system takes for a file.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    name.chars().map(safe).collect()
}

/// What a `Range` header asks for (RFC 9110, 14).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asking {
    /// All of it: no range, several ranges, or something that is no range.
    Whole,
    Part(Range<u64>),
    /// A part that is not there.
    Nothing,
}

fn asked_for(range: &str, size: u64) -> Asking {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asking::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asking::Whole,
    };
    if part.is_empty() { Asking::Nothing } else { Asking::Part(part) }
}

/// Whether a dataset comes out again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verified {
    /// The dataset.
    pub dataset: String,
    /// Whether the same file came out, byte by byte.
    pub is_same: bool,
    /// The digest that the event names.
    pub expected_sha256: String,
    /// The digest of the file that came out now.
    pub sha256: String,
    /// The rows that came out now.
    pub rows: u64,
    /// The readings that went in now.
    pub readings: u64,
    /// Why the dataset is stale, if it is. What expired can keep the same file from coming out; what was learnt later cannot.
    #[schema(value_type = Vec<Object>)]
    pub stale: Vec<Value>,
}

/// Builds a dataset again at its position, and compares the digests. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/datasets/{dataset}/verify", tag = "models", params(("dataset" = String, Path, description = "The dataset's id")),
    responses((status = 200, body = Verified), (status = "4XX", body = Problem)))]
pub async fn verify(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Verified>, Problem> {
    caller.must(Permission::ReadLog)?;
    let id = dataset_id(&id)?;
    let found = app.engine.datasets.read(|datasets, _| {
        let dataset = datasets.dataset(&id, AsOf::LATEST)?;
        Some((dataset.built.clone(), dataset.stale(AsOf::LATEST).map(to_json).collect::<Result<Vec<_>, _>>()))
    });
    let Some((built, stale)) = found else { return Err(Problem::not_found("dataset", id.as_str())) };
    let rebuilt = app.engine.dataset_builds.verify(built).await?;
    Ok(axum::Json(Verified {
        dataset: id.to_string(),
        is_same: rebuilt.is_same(),
        sha256: rebuilt.sha256.to_string(),
        expected_sha256: rebuilt.expected,
        rows: rebuilt.rows,
        readings: rebuilt.readings,
        stale: stale?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        let part = |first, end| Asking::Part(first..end);
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 20)),
            ("bytes=90-", part(90, 100)),
            ("bytes=90-1000", part(90, 100)),
            ("bytes=-10", part(90, 100)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=100-", Asking::Nothing),
            ("bytes=100-200", Asking::Nothing),
            ("bytes=-0", Asking::Nothing),
            ("bytes=5-4", Asking::Whole),
            ("bytes=0-1,5-6", Asking::Whole),
            ("lines=0-1", Asking::Whole),
            ("bytes=a-b", Asking::Whole),
        ] {
            assert_eq!(asked_for(range, 100), expected, "{range}");
        }
    }
}
