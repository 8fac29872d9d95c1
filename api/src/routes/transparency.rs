//! What auditors fetch: checkpoints, tiles and entry bundles as [c2sp.org/tlog-tiles](https://c2sp.org/tlog-tiles) has them, and proofs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use eventlog::Position;
use eventlog::transparency::{
    Covered, Notary, Proof, SignedCheckpoint, TILE_WIDTH, TileId, TileIndex, TreeError, WaitError, bundle,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

const PLAIN: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";

/// A checkpoint is another one a second later.
const CHANGES: &str = "no-cache";

/// A full tile never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A partial tile never changes either, but soon nobody asks for it.
const SHORTLY: &str = "public, max-age=60";

/// As [`FOR_EVER`] and [`SHORTLY`], for what not everybody may see.
const PRIVATE_FOR_EVER: &str = "private, max-age=31536000, immutable";
const PRIVATE_SHORTLY: &str = "private, max-age=60";

fn answer(kind: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], body.into()).into_response()
}

/// The newest checkpoint: the size and the root of the log, signed (c2sp.org/tlog-checkpoint), with cosignatures where witnesses have given any.
#[utoipa::path(get, path = "/log/checkpoint", tag = "transparency", responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn checkpoint(State(app): State<App>) -> Response {
    answer(PLAIN, CHANGES, app.engine.notary.checkpoint().note().to_owned())
}

/// The newest checkpoint that a witness has cosigned since the server started.
#[utoipa::path(get, path = "/log/checkpoint/witnessed", tag = "transparency",
    responses((status = 200, content_type = "text/plain", body = String), (status = "4XX", body = Problem)))]
pub async fn witnessed(State(app): State<App>) -> Result<Response, Problem> {
    let witnessed = app.engine.notary.witnessed().ok_or_else(|| Problem::not_found("checkpoint", "witnessed"))?;
    Ok(answer(PLAIN, CHANGES, witnessed.note().to_owned()))
}

/// The key that checkpoints are verified with. Whoever does not trust this server gets it by another way.
#[utoipa::path(get, path = "/log/vkey", tag = "transparency", responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn verifier_key(State(app): State<App>) -> Response {
    answer(PLAIN, CHANGES, format!("{}\n", app.engine.notary.verifier_key().as_str()))
}

/// A tile of hashes: up to 256 of one level. The index is written in groups of three digits (`x001/x234/067`), a partial tile ends with `.p/WIDTH`.
#[utoipa::path(get, path = "/log/tile/{level}/{index}", tag = "transparency",
    params(("level" = u8, Path, description = "0 holds leaf hashes"), ("index" = String, Path, description = "N or N.p/W")),
    responses((status = 200, content_type = "application/octet-stream", body = String), (status = "4XX", body = Problem)))]
pub async fn tile(
    State(app): State<App>,
    Path((level_text, index_text)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (index, width) = tile_index(&index_text)?;
    let level = level_text.parse::<u8>().ok().filter(|level| *level < 64 && level.to_string() == level_text);
    let level =
        level.ok_or_else(|| Problem::invalid("level", format!("{level_text:?} is not a level from 0 to 63")))?;
    let id = TileId { level, index };
    let bytes = blocking(&app, move |notary| notary.tile(id, width)).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("tile", &format!("{level_text}/{index_text}")))?;
    Ok(answer(OCTETS, if width == TILE_WIDTH { FOR_EVER } else { SHORTLY }, bytes))
}

/// A bundle of entries: up to 256 leaves, each behind its length (two bytes, big-endian). A leaf is a record's header with the digest of its payload.
#[utoipa::path(get, path = "/log/tile/entries/{index}", tag = "transparency",
    params(("index" = String, Path, description = "N or N.p/W")),
    responses((status = 200, content_type = "application/octet-stream", body = String), (status = "4XX", body = Problem)))]
pub async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(index_text): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadLog)?;
    let (index, width) = tile_index(&index_text)?;
    let leaves = blocking(&app, move |notary| notary.entries(index, width)).await?;
    let leaves = leaves.ok_or_else(|| Problem::not_found("bundle", &index_text))?;
    let bytes = bundle(leaves.iter().map(Vec::as_slice)).map_err(|error| Problem::internal(&error))?;
    let cache = match (width == TILE_WIDTH, app.tokens.is_empty()) {
        (true, true) => FOR_EVER,
        (true, false) => PRIVATE_FOR_EVER,
        (false, true) => SHORTLY,
        (false, false) => PRIVATE_SHORTLY,
    };
    Ok(answer(OCTETS, cache, bytes))
}

fn tile_index(text: &str) -> Result<(u64, u64), Problem> {
    let parsed = TileIndex::parse(text).ok_or_else(|| {
        Problem::invalid("index", format!("{text:?} is not of the form x001/x234/067 or x001/x234/067.p/112"))
    })?;
    Ok((parsed.index, parsed.width.map_or(TILE_WIDTH, u64::from)))
}

/// Which proof.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProofParameters {
    /// `json`, or `tlog-proof` for a file that can be checked without this server. The header `Accept: text/plain` asks for the file too.
    #[param(inline)]
    pub format: Option<Format>,
    /// Whether the proof must lead to a checkpoint that a witness has cosigned.
    pub witnessed: Option<bool>,
}

/// How a proof is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An object.
    Json,
    /// c2sp.org/tlog-proof.
    TlogProof,
}

/// A record's proof of inclusion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Inclusion {
    /// The leaf: the record's header with the digest of its payload, as the log has hashed it.
    pub leaf: String,
    /// SHA-256 of a zero byte and the leaf, in hexadecimal digits.
    pub leaf_hash: String,
    /// The leaf's index: the record's position.
    pub index: u64,
    /// The number of records under the checkpoint.
    pub size: u64,
    /// The root of the tree, in hexadecimal digits.
    pub root: String,
    /// The audit path from the leaf's sibling to the root's child (RFC 6962, section 2.1.1), in hexadecimal digits.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl From<&Proof> for Inclusion {
    fn from(proof: &Proof) -> Self {
        let checkpoint = proof.checkpoint.checkpoint();
        Self {
            leaf: String::from_utf8_lossy(&proof.leaf).into_owned(),
            leaf_hash: proof.leaf_hash.to_string(),
            index: proof.position.get(),
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            path: proof.path.iter().map(ToString::to_string).collect(),
            checkpoint: proof.checkpoint.note().to_owned(),
        }
    }
}

/// The proof that a record is in the log: its leaf, the path to the root, and the signed checkpoint. A record that is newer than the last checkpoint is waited
/// for (bounded by the server's limit).
#[utoipa::path(get, path = "/api/v1/log/{position}/proof", tag = "transparency",
    params(("position" = u64, Path, description = "The record's position"), ProofParameters),
    responses((status = 200, body = Inclusion), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub async fn proof(
    State(app): State<App>,
    caller: Caller,
    Path(index): Path<String>,
    headers: HeaderMap,
    Query(parameters): Query<ProofParameters>,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadLog)?;
    let position = position_of(&app, &index)?;
    let which = if parameters.witnessed.unwrap_or(false) { Covered::Witnessed } else { Covered::Signed };
    let checkpoint = covering(&app, position, which).await?;
    let proof = blocking(&app, move |notary| notary.proof(position, checkpoint)).await?;
    let accepts_text = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
    match parameters.format {
        Some(Format::TlogProof) => Ok(file(&proof)),
        None if accepts_text => Ok(file(&proof)),
        _ => Ok(axum::Json(Inclusion::from(&proof)).into_response()),
    }
}

fn file(proof: &Proof) -> Response {
    let mut response = answer(PLAIN, CHANGES, proof.file().text());
    let name = format!("attachment; filename=\"{}.tlog-proof\"", proof.position);
    if let Ok(name) = name.parse() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// The proofs that records are in the log, all under one checkpoint. Positions that the log does not have are left out.
///
/// # Errors
/// A 504 problem when the newest of them is not under a checkpoint in time.
pub(super) async fn inclusions(app: &App, positions: Vec<Position>) -> Result<Vec<Inclusion>, Problem> {
    let tail = app.engine.log.tail();
    let positions: Vec<Position> = positions.into_iter().filter(|position| *position < tail).collect();
    let Some(newest) = positions.iter().max() else { return Ok(Vec::new()) };
    let checkpoint = covering(app, *newest, Covered::Signed).await?;
    let proofs = blocking(app, move |notary| {
        positions
            .into_iter()
            .map(|position| notary.proof(position, Arc::clone(&checkpoint)))
            .collect::<Result<Vec<_>, _>>()
    });
    Ok(proofs.await?.iter().map(Inclusion::from).collect())
}

pub(super) async fn covering(app: &App, position: Position, which: Covered) -> Result<Arc<SignedCheckpoint>, Problem> {
    let patience = Duration::from_millis(app.limits.wait_ms);
    app.engine.notary.covering(position, which, patience).await.map_err(|error| match error {
        WaitError::Timeout { .. } => Problem::timeout(error.to_string()),
        WaitError::Stopped { .. } => Problem::unavailable(error.to_string()),
    })
}

/// Between which sizes.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyParameters {
    /// The size of the earlier tree.
    pub from: u64,
    /// The size of the later tree; that of the newest checkpoint, when absent.
    pub to: Option<u64>,
}

/// A proof that the log only grew.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Consistency {
    /// The size of the earlier tree.
    pub from: u64,
    /// Its root, in hexadecimal digits.
    pub from_root: String,
    /// The size of the later tree.
    pub to: u64,
    /// Its root, in hexadecimal digits.
    pub to_root: String,
    /// The proof (RFC 6962, section 2.1.2), in hexadecimal digits.
    pub path: Vec<String>,
    /// The newest signed checkpoint.
    pub checkpoint: String,
}

/// The proof that the first `from` records of the log's first `to` records are those that they were: that it only grew.
#[utoipa::path(get, path = "/api/v1/log/consistency", tag = "transparency", params(ConsistencyParameters),
    responses((status = 200, body = Consistency), (status = "4XX", body = Problem)))]
pub async fn consistency(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ConsistencyParameters>,
) -> Result<axum::Json<Consistency>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let checkpoint = app.engine.notary.checkpoint();
    let size = checkpoint.checkpoint().size;
    let (from, to) = (parameters.from, parameters.to.unwrap_or(size));
    if to > size {
        return Err(Problem::invalid("to", format!("{to} records are not under a checkpoint; the newest has {size}")));
    }
    if from > to {
        return Err(Problem::invalid("from", format!("{from} is larger than {to}")));
    }
    let (path, [from_root, to_root]) = blocking(&app, move |notary| notary.consistency(from, to)).await?;
    Ok(axum::Json(Consistency {
        from,
        from_root: from_root.to_string(),
        to,
        to_root: to_root.to_string(),
        path: path.iter().map(ToString::to_string).collect(),
        checkpoint: checkpoint.note().to_owned(),
    }))
}

fn position_of(app: &App, text: &str) -> Result<Position, Problem> {
    let index: u64 = text.parse().map_err(|_| Problem::invalid("position", format!("{text:?} is not a position")))?;
    let position = Position::new(index);
    if position < app.engine.log.tail() { Ok(position) } else { Err(Problem::not_found("position", text)) }
}

/// What the log calls itself, how far it is signed, and how its witnesses are doing.
#[utoipa::path(get, path = "/api/v1/log/transparency", tag = "transparency", responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn status(State(app): State<App>, caller: Caller) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let notary = &app.engine.notary;
    let signed = notary.checkpoint();
    Ok(axum::Json(json!({
        "origin": notary.origin().as_str(),
        "vkey": notary.verifier_key().as_str(),
        "size": signed.checkpoint().size,
        "root": signed.checkpoint().root,
        "witnessed_size": notary.witnessed().map(|witnessed| witnessed.checkpoint().size),
        "stopped": notary.stopped(),
        "witnesses": app.engine.witnesses.states(),
    })))
}

/// Reads files away from the threads that run tasks.
pub(super) async fn blocking<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&Notary) -> Result<T, TreeError> + Send + 'static,
) -> Result<T, Problem> {
    let notary = app.engine.notary.clone();
    match tokio::task::spawn_blocking(move || read(&notary)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(error) => Err(Problem::internal(&error)),
    }
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Read(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}
