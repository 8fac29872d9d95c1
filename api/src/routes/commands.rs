//! Commands: decided by the domain's rules, and refused with the reason where they are impossible.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use domain::Event;
use domain::rules::{AggregateKey, Command, InvalidCommand, States, decide};
use eventlog::{
    AppendCondition, AppendError, Direction, EventId, NewEvent, Position, Query as LogQuery, QueryItem, Tag,
};
use jiff::Timestamp;
use projections::{AsOf, Content, Entry, Fact, Meta};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::common::Page;
use super::events::Logged;
use crate::auth::{Caller, Permission};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;

/// How often a command is decided anew when the things that it is about change meanwhile.
const MAX_ATTEMPTS: usize = 16;

/// A command.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandBody {
    /// The command (`lot.ship`); `GET /api/v1/commands` lists them all.
    pub command: String,
    /// What it is about.
    #[schema(value_type = Object)]
    pub data: Value,
    /// The idempotency key: sent again under the same id, the command is carried out once.
    pub id: Option<Uuid>,
    /// When it happened; now, when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
}

/// Carries a command out, or refuses it with the reason (422).
#[utoipa::path(post, path = "/api/v1/commands", tag = "intake", request_body = CommandBody,
    responses((status = 200, body = Logged, description = "Carried out before"), (status = 201, body = Logged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn command(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CommandBody>,
) -> Result<(StatusCode, axum::Json<Logged>), Problem> {
    caller.must(Permission::WriteEvents)?;
    if is_of_the_registry(&body.command) {
        let elsewhere = "models and deployments are changed through /api/v1/models and /api/v1/deployments, which check that a version can be loaded";
        return Err(Problem::invalid("command", elsewhere));
    }
    if is_of_privacy(&body.command) {
        let elsewhere =
            "erasures and legal holds are made through /api/v1/erasures and /api/v1/legal-holds, which carry them out";
        return Err(Problem::invalid("command", elsewhere));
    }
    let command = Command::from_value(&body.command, body.data).map_err(|error| match &error {
        InvalidCommand::Unknown(_) => Problem::invalid("command", error),
        InvalidCommand::Data { .. } => Problem::invalid("data", error),
    })?;
    let id = body.id.map_or_else(EventId::generate, EventId::new);
    let time = body.time.unwrap_or_else(Timestamp::now);
    carry_out(&app, &caller, command, id, time).await
}

/// Decides a command on what is known, and logs what follows from it; under a known id, answers what was logged then.
///
/// # Errors
/// A 422 problem with the reason when a rule refuses it.
pub(super) async fn carry_out(
    app: &App,
    caller: &Caller,
    command: Command,
    id: EventId,
    time: Timestamp,
) -> Result<(StatusCode, axum::Json<Logged>), Problem> {
    if let Some(logged) = carried_out(app, id, &command).await? {
        return Ok((StatusCode::OK, axum::Json(logged)));
    }
    must_be_defined(app, &command).await?;
    for _ in 0..MAX_ATTEMPTS {
        let (states, known_to) = states(app, &command).await?;
        let events = decide(&states, command.clone()).map_err(|rejection| {
            Problem::refused(format!("{} ({}, {})", rejection.reason, rejection.rule, rejection.on))
        })?;
        let sealed = seal_all(&events, id, time, caller)?;
        let condition = AppendCondition {
            streams: Vec::new(),
            no_match_after: Some((touching(&command, &events)?, known_to.previous())),
        };
        let ids: Vec<Uuid> = sealed.iter().map(|event| *event.id.as_uuid()).collect();
        match app.engine.log.append(condition, sealed).await {
            Ok(appended) => {
                let (repeated, count) = (appended.repeated, ids.len() as u64);
                let (added, known) = if repeated { (0, count) } else { (count, 0) };
                let logged = Logged {
                    first: Some(appended.first.get()),
                    last: appended.last.get(),
                    repeated,
                    added,
                    known,
                    ids,
                };
                let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
                return Ok((status, axum::Json(logged)));
            }
            // The same command, sent twice at once, has been carried out meanwhile.
            Err(AppendError::IdConflict { .. }) => {
                return match carried_out(app, id, &command).await? {
                    Some(logged) => Ok((StatusCode::OK, axum::Json(logged))),
                    None => Err(Problem::conflict(format!("id {id} is taken by another event"))),
                };
            }
            // Something happened to one of these things meanwhile: decide again on what is known now.
            Err(AppendError::QueryMatched { .. }) => {
                if let Some(logged) = carried_out(app, id, &command).await? {
                    return Ok((StatusCode::OK, axum::Json(logged)));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::conflict(format!(
        "what the command is about was changed {MAX_ATTEMPTS} times while it was being decided; try again"
    )))
}

/// Refuses to end what nobody defined, or what has ended: a slip in its name would go unnoticed.
async fn must_be_defined(app: &App, command: &Command) -> Result<(), Problem> {
    fn is_said<T>(history: &[Fact<Option<T>>]) -> bool {
        history.last().is_some_and(|fact| fact.value.is_some())
    }
    let Command::Propose(event) = command else { return Ok(()) };
    let now = AsOf::LATEST;
    let (what, name, is_defined) = match &**event {
        Event::DictionaryEntryRemoved(e) => {
            catch_up(app, "dictionary").await?;
            let is_defined = app.engine.dictionary.read(|model, _| is_said(model.history(&e.entry, now)));
            ("dictionary entry", e.entry.as_str(), is_defined)
        }
        Event::NoticePolicyRemoved(e) => {
            catch_up(app, "notices").await?;
            let is_defined = app.engine.notices.read(|model, _| is_said(model.policy(&e.policy, now)));
            ("notice policy", e.policy.as_str(), is_defined)
        }
        Event::MaintenancePlanRetired(e) => {
            catch_up(app, "upkeep").await?;
            let is_defined = app.engine.upkeep.read(|model, _| model.plans(now).any(|(_, plan)| plan.plan == e.plan));
            ("maintenance plan", e.plan.as_str(), is_defined)
        }
        _ => return Ok(()),
    };
    if is_defined { Ok(()) } else { Err(Problem::refused(format!("there is no {what} {name}"))) }
}

/// Waits until a read model holds everything that is in the log now.
async fn catch_up(app: &App, model: &str) -> Result<(), Problem> {
    match app.engine.log.tail().previous() {
        Some(last) => app.engine.wait_for_one(model, last, Duration::from_millis(app.limits.wait_ms)).await,
        None => Ok(()),
    }
}

/// Whether the registry carries the command out, with checks of its own.
fn is_of_the_registry(command: &str) -> bool {
    command.starts_with("model.") || command.starts_with("deployment.")
}

/// Whether the command is carried out where it also has an effect.
fn is_of_privacy(command: &str) -> bool {
    command.starts_with("subject.") || command.starts_with("legal_hold.")
}

/// The answer to a command that was carried out before under the same id.
async fn carried_out(app: &App, id: EventId, command: &Command) -> Result<Option<Logged>, Problem> {
    let Some(first) = app.engine.log.position_of(event_id(id, 0)).await? else { return Ok(None) };
    let records = app.engine.log.read(first, Direction::Forward, LogQuery::all(), 1).await?;
    let logged = records.into_iter().next().map(Entry::decode);
    // What was erased since cannot be compared any more: the id alone says that it was this command.
    let erased = logged.as_ref().is_some_and(|entry| matches!(entry.content, Content::Gone { .. }));
    if let Command::Propose(proposed) = command
        && !erased
        && logged.as_ref().and_then(Entry::event) != Some(&**proposed)
    {
        return Err(Problem::conflict(format!("id {id} names another event (position {first})")));
    }
    let mut last = first;
    let mut ids = vec![*event_id(id, 0).as_uuid()];
    // The events of one command stand together.
    while let Some(next) = app.engine.log.position_of(event_id(id, ids.len())).await? {
        last = next;
        ids.push(*event_id(id, ids.len()).as_uuid());
    }
    Ok(Some(Logged {
        first: Some(first.get()),
        last: last.get(),
        repeated: true,
        added: 0,
        known: ids.len() as u64,
        ids,
    }))
}

/// The id of a command's event: the command's own for the first, derived from it for the others.
fn event_id(command: EventId, ordinal: usize) -> EventId {
    if ordinal == 0 { command } else { EventId::derived("command", &format!("{command}/{ordinal}")) }
}

/// What is known of the things that the command is about, and the first position that is not in it.
async fn states(app: &App, command: &Command) -> Result<(States, Position), Problem> {
    catch_up(app, "discrepancies").await?;
    Ok(app.engine.discrepancies.read(|model, checkpoint| {
        let mut states = States::new();
        for key in command.affected() {
            if let Some(state) = model.state(&key) {
                states.insert(key, state.clone());
            }
        }
        (states, checkpoint)
    }))
}

fn seal_all(events: &[Event], id: EventId, time: Timestamp, caller: &Caller) -> Result<Vec<NewEvent>, Problem> {
    events
        .iter()
        .enumerate()
        .map(|(ordinal, event)| {
            let mut meta = Meta::own(&caller.name, Some(time));
            meta.id = event_id(id, ordinal);
            meta.correlation_id = Some(*id.as_uuid());
            projections::seal(event, meta).map_err(|error| Problem::invalid("data", error))
        })
        .collect()
}

/// Matches every event that touches one of the things that the command or its events are about.
fn touching(command: &Command, events: &[Event]) -> Result<LogQuery, Problem> {
    let mut keys: Vec<AggregateKey> = command.affected();
    keys.extend(events.iter().flat_map(domain::rules::affected));
    keys.sort();
    keys.dedup();
    let items = keys
        .iter()
        .map(|key| {
            let tag = Tag::of(key.kind.as_str(), &key.id).map_err(|error| Problem::invalid("data", error))?;
            Ok(QueryItem { tags: vec![tag], types: rule_types()?, ..QueryItem::default() })
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(LogQuery { items })
}

/// The types that rules look at: all but those that only tell what a model or a machine said.
pub(super) fn rule_types() -> Result<Vec<eventlog::EventType>, Problem> {
    let told = [
        "prediction.made",
        "alarm.raised",
        "alarm.cleared",
        "warning.raised",
        "warning.cleared",
        "notice.sent",
        "notice.failed",
        "diagnosis.given",
        "fault.examined",
        "input.quarantined",
        "input.released",
    ];
    Event::TYPES
        .iter()
        .filter(|(name, _)| !told.contains(name))
        .map(|(name, _)| eventlog::EventType::new(name).map_err(|error| Problem::internal(&error)))
        .collect()
}

/// Every command's name.
#[utoipa::path(get, path = "/api/v1/commands", tag = "intake", responses((status = 200, body = Page)))]
pub async fn names(caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    Ok(axum::Json(Page {
        items: Command::names()
            .filter(|name| !is_of_the_registry(name) && !is_of_privacy(name))
            .map(|name| json!({"command": name}))
            .collect(),
        next_cursor: None,
    }))
}

/// Every event type with its version and an example of its data.
#[utoipa::path(get, path = "/api/v1/event-types", tag = "intake", responses((status = 200, body = Page)))]
pub async fn event_types(caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let items = domain::events::examples()
        .iter()
        .map(|event| {
            let data: Value = event.encode().and_then(|bytes| serde_json::from_slice(&bytes)).map_err(|error| Problem::internal(&error))?;
            Ok(json!({"type": event.event_type(), "version": event.schema_version(), "stream": event.category(), "example": data}))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}
