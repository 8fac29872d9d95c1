//! Files over HTTP: `mlflow-artifacts`, and the addresses that MLflow's page reads files at.
//!
//! A file is streamed into the artifact store, named by its digest, and then the log says what it is called. The frozen files of versions are read only.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::events::Artifact;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use projections::folds::models::Models;
use serde::Serialize;

use super::answer::FileAnswer;
use super::caller::{Reader, Writer};
use super::error::{Code, MlflowError};
use super::request::{Arguments, InAddress};
use super::{Answer, done, page, paths, said, sources};
use crate::server::App;

/// What need not be encoded in a file's name (RFC 8187).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// The largest file that MLflow's page may send.
const MOST_PAGE_BYTES: usize = 10 * 1024 * 1024;

fn missing(path: &str) -> MlflowError {
    MlflowError::not_found(format!("No such artifact: '{path}'"))
}

fn read_only(path: &str) -> MlflowError {
    MlflowError::new(
        Code::PermissionDenied,
        format!("'{path}' belongs to a registered version, whose files never change."),
    )
}

/// The bytes that a path names: a file of a run or logged model, or of a version.
fn find(app: &App, path: &str) -> Result<Artifact, MlflowError> {
    if !sources::is_frozen(path) {
        let file = app.engine.tracking.artifact(path)?;
        return Ok(Artifact { name: file.path, sha256: file.sha256, bytes: file.bytes });
    }
    let found = app.engine.models.read(|models, _| {
        let (version, below) = sources::frozen(models, path)?;
        version.created().value.artifacts.iter().find(|file| file.name == below).cloned()
    });
    found.ok_or_else(|| missing(path))
}

/// What stands in a folder.
fn folder(app: &App, path: &str) -> Vec<FileAnswer> {
    if sources::is_frozen(path) {
        return app.engine.models.read(|models, _| frozen_folder(models, path));
    }
    let entries = app.engine.tracking.artifact_folder(path).into_iter();
    entries
        .map(|entry| FileAnswer { path: entry.name, is_dir: entry.bytes.is_none(), file_size: entry.bytes })
        .collect()
}

fn frozen_folder(models: &Models, path: &str) -> Vec<FileAnswer> {
    let Some((version, below)) = sources::frozen(models, path) else { return Vec::new() };
    let mut entries: std::collections::BTreeMap<&str, Option<u64>> = std::collections::BTreeMap::new();
    for file in &version.created().value.artifacts {
        let rest = match below {
            "" => Some(file.name.as_str()),
            below => file.name.strip_prefix(below).and_then(|rest| rest.strip_prefix('/')),
        };
        let entry = rest.map(|rest| match rest.split_once('/') {
            Some((folder, _)) => (folder, None),
            None => (rest, Some(file.bytes)),
        });
        entries.extend(entry);
    }
    entries
        .into_iter()
        .map(|(name, file_size)| FileAnswer { path: name.to_owned(), is_dir: file_size.is_none(), file_size })
        .collect()
}

/// The headers that a file is sent with: as an attachment, so that no browser shows what somebody stored.
fn headers_of(path: &str, bytes: u64) -> HeaderMap {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let disposition = if name.chars().all(is_token) {
        format!("attachment; filename={name}")
    } else {
        let plain: String = name.chars().map(|c| if is_token(c) || c == ' ' { c } else { '_' }).collect();
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, NAME))
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(paths::media_type(path)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers
}

/// Sends the file at a path of the tree.
///
/// # Errors
/// When there is none, a folder included.
pub async fn send(app: &App, path: &str) -> Result<Response, MlflowError> {
    let file = find(app, path)?;
    let content = app.engine.registry.artifacts().stream(&file).await?;
    Ok((headers_of(path, file.bytes), Body::from_stream(content)).into_response())
}

async fn store(app: &App, actor: &str, path: &str, body: Body) -> Result<(), MlflowError> {
    let stored = app.engine.registry.artifacts().put_stream(path, body.into_data_stream()).await?;
    // Ordering: the bytes are durable before the log names them.
    app.engine.tracking.store_artifact(actor, path, &stored.sha256.to_string(), stored.bytes).await?;
    Ok(())
}

#[derive(Debug, Serialize)]
struct FilesAnswer<'a> {
    root_uri: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileAnswer>,
}

/// The list of a folder below the place of a run's or logged model's files.
///
/// # Errors
/// When they are elsewhere.
pub fn list_below(app: &App, uri: &str, below: &str) -> Answer {
    let mut files = folder(app, &paths::join(&sources::own_folder(uri)?, below));
    for file in &mut files {
        file.path = paths::join(below, &file.path);
    }
    said(&FilesAnswer { root_uri: uri, files })
}

/// `GET mlflow-artifacts/artifacts?path=FOLDER`
pub async fn list(State(app): State<App>, _: Reader, RawQuery(query): RawQuery) -> Answer {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let path = paths::safe_folder(arguments.fields().text_or_empty("path")?)?;
    page("files", &folder(&app, path), None)
}

/// `GET mlflow-artifacts/artifacts/PATH`
pub async fn download(
    State(app): State<App>,
    _: Reader,
    InAddress(path): InAddress<String>,
) -> Result<Response, MlflowError> {
    send(&app, paths::safe(&path)?).await
}

/// `PUT mlflow-artifacts/artifacts/PATH`
pub async fn upload(
    State(app): State<App>,
    Writer(caller): Writer,
    InAddress(path): InAddress<String>,
    body: Body,
) -> Answer {
    let path = paths::safe(&path)?;
    if sources::is_frozen(path) {
        return Err(read_only(path));
    }
    store(&app, &caller.name, path, body).await?;
    done()
}

/// `DELETE mlflow-artifacts/artifacts/PATH`
pub async fn remove(State(app): State<App>, Writer(caller): Writer, InAddress(path): InAddress<String>) -> Answer {
    let path = paths::safe_folder(&path)?;
    if sources::is_frozen(path) {
        return Err(read_only(path));
    }
    app.engine.tracking.remove_artifacts(&caller.name, paths::safe(path)?).await?;
    done()
}

/// Uploads in parts, and addresses at a store behind this server, are for servers that have such a store.
pub async fn no_parts() -> MlflowError {
    MlflowError::new(
        Code::NotImplemented,
        "This server takes and sends files whole: send a PUT or GET to mlflow-artifacts/artifacts/PATH.",
    )
}

/// `artifacts/list`: the files of a run.
pub async fn list_of_run(State(app): State<App>, _: Reader, arguments: Arguments) -> Answer {
    let fields = arguments.fields();
    let run = fields.run_id()?;
    let below = paths::safe_folder(fields.text_or_empty("path")?)?;
    let uri = app.engine.tracking.run(run)?.artifact_uri;
    list_below(&app, &uri, below)
}

/// The path in the query of an address that sends a file.
pub fn path_in<'a>(fields: &super::request::Fields<'a>) -> Result<&'a str, MlflowError> {
    let path = fields.some_text("path")?.ok_or_else(|| MlflowError::invalid("Request must specify path."))?;
    paths::safe(path)
}

/// `/get-artifact`: a file of a run.
pub async fn get_of_run(State(app): State<App>, _: Reader, RawQuery(query): RawQuery) -> Result<Response, MlflowError> {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let fields = arguments.fields();
    let path = path_in(&fields)?;
    let uri = app.engine.tracking.run(fields.run_id()?)?.artifact_uri;
    send(&app, &paths::join(&sources::own_folder(&uri)?, path)).await
}

/// `upload-artifact`: a file of a run, from MLflow's page.
pub async fn upload_of_run(
    State(app): State<App>,
    Writer(caller): Writer,
    RawQuery(query): RawQuery,
    body: Body,
) -> Answer {
    let arguments = Arguments::of_query(&query.unwrap_or_default());
    let fields = arguments.fields();
    let Some(run) = fields.some_text("run_uuid")? else {
        return Err(MlflowError::invalid("Request must specify run_uuid."));
    };
    let path = path_in(&fields)?;
    let content = axum::body::to_bytes(body, MOST_PAGE_BYTES)
        .await
        .map_err(|_| MlflowError::invalid("Artifact size is too large. Max size is 10MB."))?;
    if content.is_empty() {
        return Err(MlflowError::invalid("Request must specify data."));
    }
    let uri = app.engine.tracking.run(run)?.artifact_uri;
    let path = paths::join(&sources::own_folder(&uri)?, path);
    store(&app, &caller.name, &path, Body::from(content)).await?;
    done()
}
