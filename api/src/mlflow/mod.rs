//! MLflow's REST API, as its clients speak it, over the tracking store and the registry.
//!
//! What it does: it reads requests ([`request`]), asks [`tracking::Tracking`] and [`registry::Registry`], and writes answers ([`answer`]) and refusals ([`error`]) in
//! MLflow's form. A model that is registered here is the same as one that is registered over `/api/v1`.
//!
//! What it does not do: it decides nothing that these two decide, and it never opens a file: what a client stores are opaque bytes.
//!
//! The addresses are under `/api/2.0`, and under `/ajax-api/2.0` for MLflow's page. Traces, prompts' optimisation, the gateway, scorers and the like are not here: their addresses
//! are unknown, as they are to an older server of MLflow, and clients do without them.

mod answer;
mod artifacts;
mod caller;
mod error;
mod experiments;
mod logged_models;
mod metrics;
mod model_versions;
mod names;
mod paths;
mod registered_models;
mod request;
mod runs;
mod search;
mod sources;
mod webhooks;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::json;

use crate::problem::Problem;
use crate::server::App;
use error::MlflowError;

pub use error::in_its_form;

/// The version of MLflow whose API this is.
const MLFLOW_VERSION: &str = "3.12.0";

/// The beginnings of the addresses that MLflow's clients use.
const PREFIXES: [&str; 4] = ["/api/2.0", "/api/3.0", "/ajax-api/", "/mlflow-artifacts"];

/// Its addresses that stand for themselves.
const PATHS: [&str; 3] = ["/get-artifact", "/model-versions/get-artifact", "/version"];

/// Whether who asks at this address understands MLflow's refusals.
pub fn speaks(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| path.starts_with(prefix)) || PATHS.contains(&path)
}

/// Whether a file goes over this address, which may take longer than other requests.
pub fn carries_file(path: &str) -> bool {
    path.starts_with("/api/2.0/mlflow-artifacts/artifacts/")
        || path.starts_with("/ajax-api/2.0/mlflow-artifacts/artifacts/")
}

/// An answer, written.
#[derive(Debug)]
pub struct Said(Vec<u8>);

/// What a handler says.
type Answer = Result<Said, MlflowError>;

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

fn said<T: Serialize>(value: &T) -> Answer {
    serde_json::to_vec(value).map(Said).map_err(|error| MlflowError::internal(&error))
}

/// Nothing but that it is done.
fn done() -> Answer {
    Ok(Said(b"{}".to_vec()))
}

/// Looks through much, while the requests that wait behind it on this thread are served by another one.
fn at_length<T>(look: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(look)
}

/// An object with one member.
fn named<T: Serialize>(name: &'static str, value: &T) -> Answer {
    struct Named<'a, T>(&'static str, &'a T);
    impl<T: Serialize> Serialize for Named<'_, T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(self.0, self.1)?;
            map.end()
        }
    }
    said(&Named(name, value))
}

/// A page of a list: an empty one has no list in it, and the last one no token.
fn page<T: Serialize>(name: &'static str, items: &[T], next_page_token: Option<String>) -> Answer {
    struct Page<'a, T>(&'static str, &'a [T], Option<String>);
    impl<T: Serialize> Serialize for Page<'_, T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            if !self.1.is_empty() {
                map.serialize_entry(self.0, self.1)?;
            }
            if let Some(token) = &self.2 {
                map.serialize_entry("next_page_token", token)?;
            }
            map.end()
        }
    }
    said(&Page(name, items, next_page_token))
}

/// Every address of MLflow's clients.
pub fn routes() -> Router<App> {
    Router::new()
        .nest("/api/2.0/mlflow", tracking_routes().merge(registry_routes()))
        .nest("/ajax-api/2.0/mlflow", tracking_routes().merge(registry_routes()))
        .nest("/api/2.0/mlflow-artifacts", file_routes())
        .nest("/ajax-api/2.0/mlflow-artifacts", file_routes())
        .route("/api/3.0/mlflow/server-info", get(server_info))
        .route("/ajax-api/3.0/mlflow/server-info", get(server_info))
        // Clients of the original know this address without its slash.
        .route("/api/2.0mlflow/experiments/search-datasets", post(experiments::search_datasets))
        .route("/get-artifact", get(artifacts::get_of_run))
        .route("/model-versions/get-artifact", get(model_versions::get_file))
        .route("/version", get(async || MLFLOW_VERSION))
}

fn tracking_routes() -> Router<App> {
    Router::new()
        .route("/experiments/create", post(experiments::create))
        .route("/experiments/get", get(experiments::get))
        .route("/experiments/get-by-name", get(experiments::get_by_name))
        .route("/experiments/update", post(experiments::update))
        .route("/experiments/delete", post(experiments::delete))
        .route("/experiments/restore", post(experiments::restore))
        .route("/experiments/search", get(experiments::search).post(experiments::search))
        .route("/experiments/search-datasets", post(experiments::search_datasets))
        .route("/experiments/set-experiment-tag", post(experiments::set_tag))
        .route("/experiments/delete-experiment-tag", post(experiments::delete_tag))
        .route("/runs/create", post(runs::create))
        .route("/runs/get", get(runs::get))
        .route("/runs/update", post(runs::update))
        .route("/runs/delete", post(runs::delete))
        .route("/runs/restore", post(runs::restore))
        .route("/runs/search", post(runs::search))
        .route("/runs/log-metric", post(runs::log_metric))
        .route("/runs/log-parameter", post(runs::log_parameter))
        .route("/runs/log-batch", post(runs::log_batch))
        .route("/runs/log-model", post(runs::log_model))
        .route("/runs/log-inputs", post(runs::log_inputs))
        .route("/runs/outputs", post(runs::log_outputs))
        .route("/runs/set-tag", post(runs::set_tag))
        .route("/runs/delete-tag", post(runs::delete_tag))
        .route("/metrics/get-history", get(metrics::history))
        .route("/metrics/get-history-bulk", get(metrics::history_bulk))
        .route("/metrics/get-history-bulk-interval", get(metrics::history_bulk_interval))
        .route("/artifacts/list", get(artifacts::list_of_run))
        .route("/upload-artifact", post(artifacts::upload_of_run))
        .route("/logged-models", post(logged_models::create))
        .route("/logged-models/search", post(logged_models::search))
        .route(
            "/logged-models/{id}",
            get(logged_models::get).patch(logged_models::finalize).delete(logged_models::delete),
        )
        .route("/logged-models/{id}/params", post(logged_models::log_params))
        .route("/logged-models/{id}/tags", patch(logged_models::set_tags))
        .route("/logged-models/{id}/tags/{key}", delete(logged_models::delete_tag))
        .route("/logged-models/{id}/artifacts/directories", get(logged_models::list_files))
        .route("/logged-models/{id}/artifacts/files", get(logged_models::file))
}

fn registry_routes() -> Router<App> {
    Router::new()
        .route("/registered-models/create", post(registered_models::create))
        .route("/registered-models/get", get(registered_models::get))
        .route("/registered-models/rename", post(registered_models::rename))
        .route("/registered-models/update", patch(registered_models::update))
        .route("/registered-models/delete", delete(registered_models::delete))
        .route("/registered-models/search", get(registered_models::search))
        .route(
            "/registered-models/get-latest-versions",
            get(registered_models::latest_versions).post(registered_models::latest_versions),
        )
        .route("/registered-models/set-tag", post(registered_models::set_tag))
        .route("/registered-models/delete-tag", delete(registered_models::delete_tag))
        .route(
            "/registered-models/alias",
            get(registered_models::get_by_alias)
                .post(registered_models::set_alias)
                .delete(registered_models::delete_alias),
        )
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", get(webhooks::get).patch(webhooks::update).delete(webhooks::delete))
        .route("/webhooks/{id}/test", post(webhooks::test))
        .route("/model-versions/create", post(model_versions::create))
        .route("/model-versions/get", get(model_versions::get))
        .route("/model-versions/update", patch(model_versions::update))
        .route("/model-versions/delete", delete(model_versions::delete))
        .route("/model-versions/search", get(model_versions::search))
        .route("/model-versions/get-download-uri", get(model_versions::download_uri))
        .route("/model-versions/transition-stage", post(model_versions::set_stage))
        .route("/model-versions/set-tag", post(model_versions::set_tag))
        .route("/model-versions/delete-tag", delete(model_versions::delete_tag))
}

fn file_routes() -> Router<App> {
    Router::new()
        .route("/artifacts", get(artifacts::list))
        .route(
            "/artifacts/{*path}",
            get(artifacts::download)
                .put(artifacts::upload)
                .delete(artifacts::remove)
                // A file is streamed: the store has a limit of its own.
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/mpu/{*path}", post(artifacts::no_parts))
        .route("/presigned/{*path}", get(artifacts::no_parts))
}

/// What this server can do beyond the least.
async fn server_info(_: caller::Reader) -> Answer {
    said(&json!({
        "store_type": "Millwright",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
        "presigned_upload_run_id_supported": false,
        "presigned_upload_model_id_supported": false,
        "features_enabled": { "gateway": false },
    }))
}

impl From<tracking::TrackingError> for MlflowError {
    fn from(error: tracking::TrackingError) -> Self {
        use error::Code;
        use tracking::TrackingError as E;
        match error {
            E::NotFound(text) => Self::not_found(text),
            E::Exists(text) => Self::new(Code::ResourceAlreadyExists, text),
            E::Invalid(text) | E::NotActive(text) => Self::invalid(text),
            E::State(text) => Self::new(Code::InvalidState, text),
            E::Busy { .. } => Self::new(Code::TemporarilyUnavailable, error.to_string()),
            E::Append(reason) => Problem::from(reason).into(),
            E::Read(reason) => Problem::from(reason).into(),
            E::Unavailable(reason) => Self::new(Code::TemporarilyUnavailable, reason.to_string()),
            E::Seal(_) => Self::internal(&error),
        }
    }
}

impl From<tracking::search::SearchError> for MlflowError {
    fn from(error: tracking::search::SearchError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<registry::RegistryError> for MlflowError {
    fn from(error: registry::RegistryError) -> Self {
        use error::Code;
        use registry::RegistryError as E;
        match error {
            E::NameTaken { name, .. } => {
                Self::new(Code::ResourceAlreadyExists, format!("Registered Model (name={name}) already exists."))
            }
            E::Rejected(rejection) => Self::new(Code::ResourceConflict, rejection.to_string()),
            E::Busy { .. } => Self::new(Code::TemporarilyUnavailable, error.to_string()),
            other => Problem::from(other).into(),
        }
    }
}

impl From<registry::ArtifactError> for MlflowError {
    fn from(error: registry::ArtifactError) -> Self {
        registry::RegistryError::from(error).into()
    }
}
