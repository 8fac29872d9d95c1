//! Knowledge packages: what is approved here as one signed file for another plant, and what another plant sends as drafts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Event;
use domain::events::{ArticleDrafted, Artifact};
use domain::ids::{ArticleId, PersonId};
use eventlog::transparency::{Covered, VerifierKey};
use eventlog::{
    AppendCondition, AppendError, Direction, EventId, EventType, NewEvent, Position, Query as LogQuery, QueryItem, Tag,
};
use jiff::Timestamp;
use packages::{
    DraftError, Drafts, LocalArticle, MAX_ARTICLES, MAX_PACKAGE_BYTES, Manifest, Package, PackageError, PackedArticle,
    PackedFile, PackedRecord,
};
use projections::folds::articles::Standing;
use projections::{AsOf, Meta};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::transparency::{blocking, covering};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// How often an import is decided again when somebody writes to the same pieces meanwhile.
const MAX_ATTEMPTS: usize = 5;

impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::TooLarge { .. } => Self::too_large(error.to_string()),
            other => Self::invalid("package", other),
        }
    }
}

impl From<DraftError> for Problem {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Name(error) => Self::invalid("prefix", error),
            other => Self::conflict(other),
        }
    }
}

/// What is packed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportBody {
    /// The pieces, by id: the newest approved revision of each.
    pub articles: Vec<String>,
}

/// Packs approved articles, procedures, rules and FMEA sheets for another plant: one file, signed with the log's key, with the proofs of each piece, its approval and its evidence, and with its
/// files (docs/packages.md).
#[utoipa::path(post, path = "/api/v1/packages/export", tag = "knowledge", request_body = ExportBody,
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 422, body = Problem, description = "A piece is not approved"), (status = "4XX", body = Problem)))]
pub async fn export(State(app): State<App>, caller: Caller, Json(body): Json<ExportBody>) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    caller.must(Permission::ReadLog)?;
    if body.articles.is_empty() || body.articles.len() > MAX_ARTICLES {
        return Err(Problem::invalid("articles", format!("{} are not from 1 to {MAX_ARTICLES}", body.articles.len())));
    }
    let wanted = body.articles.iter().map(|id| ArticleId::new(id)).collect::<Result<BTreeSet<_>, _>>();
    let wanted = wanted.map_err(|error| Problem::invalid("articles", error))?;
    let (articles, drafts): (Vec<PackedArticle>, Vec<ArticleDrafted>) =
        wanted.iter().map(|id| approved(&app, id)).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let (files, contents) = contents(&app, &drafts).await?;
    let (checkpoint, records) = records(&app, &articles, &drafts).await?;
    let log = app.engine.notary.origin().as_str().to_owned();
    let manifest = Manifest { version: 1, log, checkpoint, articles, records, files };
    let notary = app.engine.notary.clone();
    let written = tokio::task::spawn_blocking(move || {
        Package::write(&manifest, &contents, notary.verifier_key(), &|text| notary.sign_statement(text))
    });
    let bytes = written.await.map_err(|error| Problem::internal(&error))??;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"knowledge.millwright-package\""),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// The approved revision of a piece.
fn approved(app: &App, id: &ArticleId) -> Result<(PackedArticle, ArticleDrafted), Problem> {
    app.engine.articles.read(|articles, _| {
        let view = articles.article(id, AsOf::LATEST).ok_or_else(|| Problem::not_found("article", id.as_str()))?;
        let revision = view.approved.filter(|_| view.standing == Standing::Approved);
        let reviewed = revision.and_then(|revision| Some((revision.drafted, revision.reviewed?)));
        let Some((drafted, reviewed)) = reviewed else {
            return Err(Problem::refused(format!(
                "article {id} is not approved, or superseded: only what counts is packed"
            )));
        };
        let packed = PackedArticle {
            article: id.clone(),
            revision: drafted.value.revision,
            drafted: drafted.position.get(),
            reviewed: reviewed.position.get(),
        };
        Ok((packed, drafted.value.clone()))
    })
}

/// The files of the pieces with their bytes, by digest.
async fn contents(app: &App, drafts: &[ArticleDrafted]) -> Result<(Vec<PackedFile>, Vec<Bytes>), Problem> {
    let named = drafts.iter().flat_map(|draft| &draft.attachments).map(|attachment| &attachment.file);
    let named: BTreeMap<&str, &Artifact> = named.map(|file| (file.sha256.as_str(), file)).collect();
    let bytes = named.values().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    if bytes > MAX_PACKAGE_BYTES as u64 {
        return Err(Problem::too_large(format!("the files have {bytes} bytes, and {MAX_PACKAGE_BYTES} is the most")));
    }
    let (mut files, mut contents) = (Vec::new(), Vec::new());
    for (sha256, file) in named {
        let stored = app.engine.registry.artifacts().get(file).await.map_err(|error| Problem::internal(&error))?;
        files.push(PackedFile { sha256: sha256.to_owned(), bytes: file.bytes });
        contents.push(stored.bytes().clone());
    }
    Ok((files, contents))
}

/// The records that the pieces rest on, all under one checkpoint.
async fn records(
    app: &App,
    articles: &[PackedArticle],
    drafts: &[ArticleDrafted],
) -> Result<(String, Vec<PackedRecord>), Problem> {
    // Whether the payload goes with the record: what was written and approved does, evidence does not.
    let mut positions: BTreeMap<u64, bool> =
        drafts.iter().flat_map(|draft| &draft.evidence).map(|position| (*position, false)).collect();
    positions.extend(articles.iter().flat_map(|article| [(article.drafted, true), (article.reviewed, true)]));
    let tail = app.engine.log.tail();
    if let Some(beyond) = positions.keys().find(|position| **position >= tail.get()) {
        return Err(Problem::refused(format!("the evidence at position {beyond} is not in this log")));
    }
    let newest = positions.keys().next_back().copied().unwrap_or_default();
    let checkpoint = covering(app, Position::new(newest), Covered::Signed).await?;
    let note = checkpoint.note().to_owned();
    let wanted: Vec<Position> = positions.keys().map(|position| Position::new(*position)).collect();
    let proofs = blocking(app, move |notary| {
        wanted.into_iter().map(|position| notary.proof(position, checkpoint.clone())).collect::<Result<Vec<_>, _>>()
    });
    let mut records = Vec::new();
    for proof in proofs.await? {
        let position = proof.position;
        let payload = match positions.get(&position.get()) {
            Some(true) => {
                let page = app.engine.log.read(position, Direction::Forward, LogQuery::all(), 1).await?;
                let record = page.into_iter().next();
                let payload = record.and_then(|record| String::from_utf8(record.payload.to_vec()).ok());
                Some(payload.ok_or_else(|| Problem::gone(format!("the payload at position {position} is gone")))?)
            }
            _ => None,
        };
        records.push(PackedRecord {
            position: position.get(),
            leaf: String::from_utf8_lossy(&proof.leaf).into_owned(),
            path: proof.path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect(),
            payload,
        });
    }
    Ok((note, records))
}

/// Whose package, and who brings it in.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportParameters {
    /// The sender's verifier key (`name+id+key`), by another way than the package itself.
    pub key: String,
    /// Who brings it in: the author of the drafts, whom somebody else must review.
    pub person: String,
    /// What the names of the pieces begin with here (`mill-2/`); nothing, when absent.
    pub prefix: Option<String>,
}

/// What an import has done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imported {
    /// The package, by the SHA-256 of its manifest.
    pub package: String,
    /// The sender's log.
    pub log: String,
    /// The drafts that wait for a review, as they are called here.
    pub drafts: Vec<String>,
    /// Pieces that came before in the same revision.
    pub known: Vec<String>,
    /// Where the log says that the package came; `null` when there was nothing new in it.
    pub position: Option<u64>,
    /// Whether this package had been brought in before.
    pub repeated: bool,
}

/// Checks a package of another plant, and logs its pieces as drafts: each waits for a review by somebody else, and none counts before. Sent again, a package changes nothing; where anything in it is
/// wrong, nothing of it is taken.
#[utoipa::path(post, path = "/api/v1/packages", tag = "knowledge", params(ImportParameters),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Imported, description = "It was brought in before, or brings nothing new"), (status = 201, body = Imported), (status = "4XX", body = Problem)))]
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ImportParameters>,
    body: Bytes,
) -> Result<(StatusCode, axum::Json<Imported>), Problem> {
    caller.must(Permission::WriteEvents)?;
    // A plus sign that was not encoded arrives as a space.
    let key = VerifierKey::parse(&parameters.key.trim().replace(' ', "+"));
    let key = key.map_err(|error| Problem::invalid("key", error))?;
    let person = PersonId::new(&parameters.person).map_err(|error| Problem::invalid("person", error))?;
    let prefix = parameters.prefix.unwrap_or_default();
    let opened = tokio::task::spawn_blocking(move || Package::open(&body, &key)).await;
    let package = opened.map_err(|error| Problem::internal(&error))??;
    let id = EventId::derived("package", &package.digest().to_string());
    for _ in 0..MAX_ATTEMPTS {
        if let Some(position) = app.engine.log.position_of(id).await? {
            return Ok((StatusCode::OK, axum::Json(answer(&package, None, Some(position), true))));
        }
        let (drafts, known_to) = drafts(&app, &package, &prefix, &person).await?;
        if drafts.drafts.is_empty() {
            return Ok((StatusCode::OK, axum::Json(answer(&package, Some(&drafts), None, false))));
        }
        // Ordering: the files are durable before the events that name them are appended.
        store(&app, &package, &drafts).await?;
        let condition =
            AppendCondition { streams: Vec::new(), no_match_after: Some((touching(&drafts)?, known_to.previous())) };
        match app.engine.log.append(condition, sealed(&drafts, id, &caller)?).await {
            Ok(appended) => {
                let (status, repeated) =
                    if appended.repeated { (StatusCode::OK, true) } else { (StatusCode::CREATED, false) };
                return Ok((status, axum::Json(answer(&package, Some(&drafts), Some(appended.first), repeated))));
            }
            // Somebody wrote to one of the pieces, or brought the same package in: decide again.
            Err(AppendError::QueryMatched { .. } | AppendError::IdConflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::conflict(format!("the pieces were changed {MAX_ATTEMPTS} times meanwhile; try again")))
}

fn answer(package: &Package, drafts: Option<&Drafts>, position: Option<Position>, repeated: bool) -> Imported {
    let names = |ids: Vec<&ArticleId>| ids.into_iter().map(ToString::to_string).collect();
    Imported {
        package: package.digest().to_string(),
        log: package.log().to_owned(),
        drafts: names(drafts.iter().flat_map(|drafts| &drafts.drafts).map(|draft| &draft.article).collect()),
        known: names(drafts.iter().flat_map(|drafts| &drafts.known).collect()),
        position: position.map(Position::get),
        repeated,
    }
}

/// What is to be logged by what is here, and the first position that is not taken into account.
async fn drafts(app: &App, package: &Package, prefix: &str, person: &PersonId) -> Result<(Drafts, Position), Problem> {
    if let Some(last) = app.engine.log.tail().previous() {
        app.engine.wait_for_one("articles", last, Duration::from_millis(app.limits.wait_ms)).await?;
    }
    app.engine.articles.read(|articles, checkpoint| {
        let local = |id: &ArticleId| {
            let view = articles.article(id, AsOf::LATEST)?;
            let revisions: Vec<&ArticleDrafted> =
                articles.revisions(id, AsOf::LATEST).map(|revision| &revision.drafted.value).collect();
            Some(LocalArticle {
                last: revisions.iter().map(|draft| draft.revision).max()?,
                kind: revisions.first()?.kind,
                superseded: view.standing == Standing::Superseded,
                origins: revisions.iter().map(|draft| draft.origin.clone()).collect(),
            })
        };
        Ok((package.drafts(prefix, person, local)?, checkpoint))
    })
}

async fn store(app: &App, package: &Package, drafts: &Drafts) -> Result<(), Problem> {
    let attachments = drafts.drafts.iter().flat_map(|draft| &draft.attachments);
    let names: BTreeMap<&str, &str> =
        attachments.map(|attachment| (attachment.file.sha256.as_str(), attachment.file.name.as_str())).collect();
    for (file, bytes) in package.files() {
        let Some(name) = names.get(file.sha256.as_str()) else { continue };
        app.engine.registry.artifacts().put(name, bytes.clone()).await.map_err(|error| {
            if error.retryable() { Problem::internal(&error) } else { Problem::invalid("package", error) }
        })?;
    }
    Ok(())
}

/// Everything that happens to the pieces.
fn touching(drafts: &Drafts) -> Result<LogQuery, Problem> {
    let types = ["article.drafted", "article.reviewed", "article.superseded"].into_iter().map(EventType::new);
    let types = types.collect::<Result<Vec<_>, _>>().map_err(|error| Problem::internal(&error))?;
    let item = |draft: &ArticleDrafted| {
        let tag = Tag::of("article", draft.article.as_str()).map_err(|error| Problem::invalid("package", error))?;
        Ok(QueryItem { tags: vec![tag], types: types.clone(), ..QueryItem::default() })
    };
    Ok(LogQuery { items: drafts.drafts.iter().map(item).collect::<Result<Vec<_>, Problem>>()? })
}

fn sealed(drafts: &Drafts, id: EventId, caller: &Caller) -> Result<Vec<NewEvent>, Problem> {
    let now = Timestamp::now();
    let seal = |event: &Event, own: EventId| {
        let mut meta = Meta::own(&caller.name, Some(now));
        meta.id = own;
        meta.correlation_id = Some(*id.as_uuid());
        projections::seal(event, meta).map_err(|error| Problem::invalid("package", error))
    };
    let mut events = vec![seal(&Event::from(drafts.imported.clone()), id)?];
    for draft in &drafts.drafts {
        let own = EventId::derived("package", &format!("{}/{}", drafts.imported.package, draft.article));
        events.push(seal(&Event::from(draft.clone()), own)?);
    }
    Ok(events)
}
