//! Personal data: people and customers by name, erasures, and legal holds.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::Text;
use domain::events::{HoldScope, LegalHoldPlaced, LegalHoldReleased, SubjectErased};
use domain::ids::HoldId;
use domain::personal::DataSubject;
use domain::rules::Command;
use eventlog::privacy::{DataKeys, KeyState};
use eventlog::{Direction, EventId, Filter, Position, QueryItem};
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::people::Party;
use projections::folds::privacy::{Erasure, Hold};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::commands::carry_out;
use super::common::{Asked, Page, offset, page_size, to_json, with};
use crate::auth::{Caller, Permission};
use crate::engine::privacy::shred;
use crate::engine::retention::{self, Expired};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// A text that a person wrote, in one language or two.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Words {
    /// In one language, told from its characters.
    One(String),
    /// In both.
    Both {
        /// Chinese.
        zh: Option<String>,
        /// English.
        en: Option<String>,
    },
}

impl From<Words> for Text {
    fn from(words: Words) -> Self {
        match words {
            Words::One(text) => Self::guessed(&text),
            Words::Both { zh, en } => Self { zh, en },
        }
    }
}

/// Asks to erase somebody.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureBody {
    /// Who: `person:P-17` or `customer:C-4`.
    pub subject: String,
    /// Why. It stays in the log for ever, and must not say again what is erased.
    pub reason: Words,
    /// The legal basis (`GDPR Art. 17(1)(a)`).
    pub basis: Option<String>,
    /// Who asked for it: a pseudonym or the number of a request, never a name.
    pub requested_by: Option<String>,
    /// The idempotency key.
    pub id: Option<Uuid>,
}

/// What became of an erasure.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Erased {
    /// Who.
    pub subject: String,
    /// The position of the event that says so.
    pub position: u64,
    /// Whether it had been done before under this id.
    pub repeated: bool,
    /// The id of the key that was destroyed.
    pub data_key: Uuid,
    /// How many records of the subject cannot be read any more.
    pub records: usize,
    /// Records that were logged before their type was encrypted: they are not erased by destroying the key. Empty for a log that was always encrypted.
    pub not_encrypted: Vec<u64>,
    /// Whether every read model, and every file of one, has forgotten the subject. If not, that goes on in the background.
    pub forgotten: bool,
}

/// Erases a data subject for ever: logs why, destroys the key of everything personal about it, and makes every read model forget. Refused (422) while a legal hold is
/// about it.
#[utoipa::path(post, path = "/api/v1/erasures", tag = "privacy", request_body = ErasureBody,
    responses((status = 200, body = Erased, description = "Done before"), (status = 201, body = Erased), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn erase(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ErasureBody>,
) -> Result<(StatusCode, axum::Json<Erased>), Problem> {
    caller.must(Permission::Erase)?;
    let subject = DataSubject::parse(&body.subject).map_err(|error| Problem::invalid("subject", error))?;
    let tag = projections::subject_tag(&subject).map_err(|error| Problem::invalid("subject", error))?;
    let data_key = DataKeys::id_of(&tag);
    let (records, not_encrypted) = personal_records(&app, &subject).await?;
    let key = app.engine.encrypted().keys().find(data_key);
    let known = records > 0 || !not_encrypted.is_empty() || !matches!(key, Ok(KeyState::Missing));
    if !known {
        return Err(Problem::not_found("data subject", &body.subject));
    }
    let erased = SubjectErased {
        subject: subject.clone(),
        reason: body.reason.into(),
        basis: body.basis,
        requested_by: body.requested_by,
        data_key,
    };
    let id = body.id.map_or_else(EventId::generate, EventId::new);
    // Ordering: the event is durable before the key is destroyed. A crash in between is made good at the next start, which enforces every erasure of the log.
    let (status, logged) = carry_out(&app, &caller, Command::from(erased), id, Timestamp::now()).await?;
    shred(app.engine.encrypted(), &subject).await.map_err(|error| {
        tracing::error!(%subject, error = format!("{error:#}"), "the key could not be destroyed; the next start tries again");
        Problem::unavailable("the erasure is logged, and its key could not be destroyed: send it again under another id, or restart")
    })?;
    let position = logged.last;
    let answer = Erased {
        subject: body.subject,
        position,
        repeated: logged.repeated,
        data_key,
        records,
        not_encrypted,
        forgotten: forgotten(&app, Position::new(position)).await,
    };
    Ok((status, axum::Json(answer)))
}

/// Waits, within the server's limit, until every read model has forgotten and has written so.
async fn forgotten(app: &App, position: Position) -> bool {
    let within = Duration::from_millis(app.limits.wait_ms);
    app.engine.wait_for(position, within).await.is_ok()
        && matches!(tokio::time::timeout(within, app.engine.projections().flush()).await, Ok(Ok(())))
}

/// How many records hold something personal about the subject, and the positions of those that are not encrypted.
async fn personal_records(app: &App, subject: &DataSubject) -> Result<(usize, Vec<u64>), Problem> {
    let invalid = |error: eventlog::InvalidName| Problem::invalid("subject", error);
    let tag = projections::subject_tag(subject).map_err(invalid)?;
    let personal = domain::personal::PERSONAL.iter().filter(|(_, kind)| *kind == subject.kind());
    let types = personal.map(|(name, _)| eventlog::EventType::new(name).map_err(invalid));
    let item = QueryItem { types: types.collect::<Result<Vec<_>, _>>()?, tags: vec![tag], ..QueryItem::default() };
    let filter = Filter { items: vec![item] };
    let (mut from, mut encrypted, mut plain) = (Position::START, 0, Vec::new());
    loop {
        let page =
            app.engine.encrypted().stored().read(from, Direction::Forward, filter.clone(), eventlog::MAX_PAGE).await?;
        for record in &page {
            match (record.data_key_id, record.payload_state) {
                (Some(_), _) => encrypted += 1,
                (None, eventlog::PayloadState::Present) => plain.push(record.position.get()),
                (None, _) => {}
            }
        }
        match page.next {
            Some(next) => from = next,
            None => return Ok((encrypted, plain)),
        }
    }
}

/// An erasure for an answer.
pub(super) fn show_erasure(erasure: &Erasure) -> Result<Value, Problem> {
    let Erasure { event, position, record_time, actor, erased } = erasure;
    let said = with(to_json(erased)?, [("position", json!(position)), ("event", json!(event))]);
    Ok(with(said, [("record_time", json!(record_time)), ("actor", json!(actor))]))
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Every erasure, the newest first.
#[utoipa::path(get, path = "/api/v1/erasures", tag = "privacy", params(ListParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn erasures(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ListParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let items = app.engine.privacy.read(|privacy, _| {
        let newest = privacy.erasures().iter().rev().skip(start).take(limit + 1);
        newest.map(show_erasure).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

/// Asks to keep something for a procedure of law.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// The hold's name.
    pub hold: String,
    /// What it is about: `subjects`, `streams` and `tags` (any of them; everything, when none is named), and record times `from` and `to`.
    #[schema(value_type = Object)]
    pub scope: HoldScope,
    /// Why.
    pub reason: Words,
    /// The idempotency key.
    pub id: Option<Uuid>,
}

/// Where a hold stands in the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HoldLogged {
    /// The hold.
    pub hold: String,
    /// The position of the event.
    pub position: u64,
    /// Whether it had been logged before under this id.
    pub repeated: bool,
}

/// Places a legal hold: until it is released, nothing that it is about is erased, and nothing of it expires.
#[utoipa::path(post, path = "/api/v1/legal-holds", tag = "privacy", request_body = HoldBody,
    responses((status = 200, body = HoldLogged, description = "Placed before"), (status = 201, body = HoldLogged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn place_hold(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<HoldBody>,
) -> Result<(StatusCode, axum::Json<HoldLogged>), Problem> {
    caller.must(Permission::Erase)?;
    let hold = HoldId::new(&body.hold).map_err(|error| Problem::invalid("hold", error))?;
    let placed = LegalHoldPlaced { hold, scope: body.scope, reason: body.reason.into(), person: None };
    let id = body.id.map_or_else(EventId::generate, EventId::new);
    let (status, logged) = carry_out(&app, &caller, Command::from(placed), id, Timestamp::now()).await?;
    Ok((status, axum::Json(HoldLogged { hold: body.hold, position: logged.last, repeated: logged.repeated })))
}

/// Why a hold ends.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReleaseParameters {
    /// Why.
    pub reason: String,
}

/// Releases a legal hold.
#[utoipa::path(delete, path = "/api/v1/legal-holds/{hold}", tag = "privacy", params(("hold" = String, Path, description = "The hold"), ReleaseParameters),
    responses((status = 201, body = HoldLogged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn release_hold(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(parameters): Query<ReleaseParameters>,
) -> Result<(StatusCode, axum::Json<HoldLogged>), Problem> {
    caller.must(Permission::Erase)?;
    let hold = HoldId::new(&name).map_err(|error| Problem::invalid("hold", error))?;
    let released = LegalHoldReleased { hold, reason: Text::guessed(&parameters.reason), person: None };
    let (status, logged) =
        carry_out(&app, &caller, Command::from(released), EventId::generate(), Timestamp::now()).await?;
    Ok((status, axum::Json(HoldLogged { hold: name, position: logged.last, repeated: logged.repeated })))
}

/// Every legal hold, by name, with its end.
#[utoipa::path(get, path = "/api/v1/legal-holds", tag = "privacy", params(ListParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn holds(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ListParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let items = app.engine.privacy.read(|privacy, _| {
        let holds = privacy.holds(AsOf::LATEST).skip(start).take(limit + 1);
        holds.map(show_hold).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

fn show_hold(hold: &Hold) -> Result<Value, Problem> {
    let placed = with(to_json(&hold.placed.value)?, [("position", json!(hold.placed.position))]);
    let released = hold
        .released
        .as_ref()
        .map(|fact| json!({"position": fact.position, "time": fact.time, "reason": fact.value.reason}));
    Ok(with(
        placed,
        [("placed", json!(hold.placed.time)), ("lasts", json!(released.is_none())), ("released", json!(released))],
    ))
}

/// Who is looked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubjectParameters {
    /// Words of the name, the id or the contact; everybody, when absent.
    pub q: Option<String>,
    /// What the system knew then: a log position or a record time.
    pub as_of: Option<String>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// People and customers by name. Names are kept here only: the knowledge search knows everybody by id.
#[utoipa::path(get, path = "/api/v1/subjects", tag = "privacy", params(SubjectParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn subjects(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<SubjectParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asked = Asked { as_of: parameters.as_of, min_position: parameters.min_position };
    asked.wait(&app).await?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = asked.position(&app).await? else { return Ok(axum::Json(Page::of_offset(Vec::new(), 0, limit))) };
    let words = parameters.q.unwrap_or_default();
    let items = app.engine.people.read(|people, _| {
        let found = people.find(&words, AsOf::through(as_of)).skip(start).take(limit + 1);
        found.map(|(subject, fact)| show_party(subject, fact.position, &fact.value)).collect()
    });
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

fn show_party(subject: &DataSubject, position: Position, party: &Party) -> Value {
    json!({"subject": subject, "name": party.name, "contact": party.contact, "note": party.note, "position": position})
}

/// What identifies one person (`person:P-17`) or customer; of one who was erased, that and why (410).
#[utoipa::path(get, path = "/api/v1/subjects/{subject}", tag = "privacy", params(("subject" = String, Path, description = "person:ID or customer:ID"), Asked),
    responses((status = 200, body = Object), (status = 410, body = Problem, description = "Erased"), (status = "4XX", body = Problem)))]
pub async fn subject(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let subject = DataSubject::parse(&name).map_err(|error| Problem::invalid("subject", error))?;
    asked.wait(&app).await?;
    let as_of = asked.position(&app).await?;
    let erased = app.engine.privacy.read(|privacy, _| {
        let erasure = privacy.erasure_of(&subject)?;
        Some(format!(
            "{subject} was erased at position {} by {}: {}",
            erasure.position,
            erasure.actor,
            erasure.erased.reason.any()
        ))
    });
    if let Some(reason) = erased {
        return Err(Problem::gone(reason));
    }
    let shown = app.engine.people.read(|people, _| {
        let fact = people.party(&subject, AsOf::through(as_of?))?;
        Some(show_party(&subject, fact.position, &fact.value))
    });
    shown.map(axum::Json).ok_or_else(|| Problem::not_found("data subject", &name))
}

/// Asks for a run of retention.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionBody {
    /// Only count what would expire.
    pub dry_run: bool,
}

/// Lets expire what the retention classes of the configuration say, as a server does once a day. What a legal hold is about stays.
#[utoipa::path(post, path = "/api/v1/retention", tag = "privacy", request_body = RetentionBody,
    responses((status = 200, body = Expired), (status = "4XX", body = Problem)))]
pub async fn expire(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RetentionBody>,
) -> Result<axum::Json<Expired>, Problem> {
    caller.must(Permission::Erase)?;
    let expired = retention::expire(&app.engine, &caller.name, Timestamp::now(), body.dry_run).await;
    expired.map(axum::Json).map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the run of retention failed");
        Problem::unavailable(format!("the run of retention failed, and can be done again: {error}"))
    })
}

/// Every run of a retention class that dropped something, the newest first.
#[utoipa::path(get, path = "/api/v1/retention", tag = "privacy", params(ListParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn expiries(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ListParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let items = app.engine.privacy.read(|privacy, _| {
        let newest = privacy.expiries().iter().rev().skip(start).take(limit + 1);
        newest.map(to_json).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}
