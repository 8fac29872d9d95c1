//! The state of one thing: an order, a lot, a fault, … as it was at a moment, or as it was known at a position.

use axum::extract::{Path, State};
use domain::rules::{AggregateKey, AggregateKind, AggregateState};
use eventlog::{Direction, Filter, MAX_PAGE, Position, QueryItem, Record, Tag};
use jiff::Timestamp;
use projections::Entry;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::commands::rule_types;
use super::common::{Asked, parse_optional_time, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// The most events that one answer rests on.
const MAX_EVENTS: usize = 100_000;

/// The most events that are listed in an answer: the latest ones.
const MAX_LISTED: usize = 1000;

/// At which moment, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StateParameters {
    /// What was so then: only what happened up to this event time. Events of unknown time are left out, and counted.
    pub at: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
}

/// The state of an order, lot, fault, work order, inspection, nonconformance, asset, model, deployment or person, folded from the events that concern it.
#[utoipa::path(get, path = "/api/v1/state/{kind}/{id}", tag = "trace",
    params(("kind" = String, Path, description = "order, lot, fault, work_order, inspection, nonconformance, asset, model, deployment, person"),
        ("id" = String, Path), StateParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn state(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(parameters): Query<StateParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let kind: AggregateKind = serde_json::from_value(Value::String(kind.clone()))
        .map_err(|_| Problem::invalid("kind", format!("{kind:?} is no kind of thing that has a state")))?;
    let at = parse_optional_time("at", parameters.at.as_ref())?;
    let unknown = || Problem::not_found(kind.as_str(), &id);
    let asked = Asked { as_of: parameters.as_of, min_position: None };
    let last = asked.position(&app).await?.ok_or_else(unknown)?;
    let tag = Tag::of(kind.as_str(), &id).map_err(|error| Problem::invalid("id", error))?;
    let records = about(&app, tag, last).await?;
    if records.is_empty() {
        return Err(unknown());
    }
    let all = records.len();
    let (mut entries, without_time): (Vec<Entry>, usize) = match at {
        None => (records.into_iter().map(Entry::decode).collect(), 0),
        Some(at) => up_to(records, at),
    };
    if at.is_some() {
        // Ordering: what was so is told by event time; of equal times the log's order holds.
        entries.sort_by_key(|entry| (entry.event_time, entry.position));
    }
    let key = AggregateKey::new(kind, &id);
    let state = entries.iter().filter_map(Entry::event).fold(AggregateState::new(&key), AggregateState::evolve);
    let listed: Vec<Value> = entries
        .iter()
        .skip(entries.len().saturating_sub(MAX_LISTED))
        .map(|entry| json!({"position": entry.position, "time": entry.event_time, "type": entry.event().map(|event| event.event_type())}))
        .collect();
    Ok(axum::Json(json!({
        "kind": kind,
        "id": id,
        "at": at,
        "as_of": last,
        "state": to_json(&state)?,
        "events": listed,
        "n": entries.len(),
        "later": all - entries.len() - without_time,
        "without_time": without_time,
    })))
}

/// The events that concern a thing, in log order, up to a position.
async fn about(app: &App, tag: Tag, last: Position) -> Result<Vec<Record>, Problem> {
    let filter = Filter { items: vec![QueryItem { tags: vec![tag], types: rule_types()?, ..QueryItem::default() }] };
    let mut records: Vec<Record> = Vec::new();
    let mut from = Position::START;
    while from <= last {
        let page = app.engine.log.read(from, Direction::Forward, filter.clone(), MAX_PAGE).await?;
        let Some(newest) = page.last().map(|record| record.position) else { break };
        from = newest.next();
        records.extend(page.into_iter().filter(|record| record.position <= last));
        if records.len() > MAX_EVENTS {
            return Err(Problem::too_large(format!(
                "more than {MAX_EVENTS} events concern it; read the log by its tag instead"
            )));
        }
    }
    Ok(records)
}

/// What had happened by then, and how many events have no time.
fn up_to(records: Vec<Record>, at: Timestamp) -> (Vec<Entry>, usize) {
    let without_time = records.iter().filter(|record| record.event_time.is_none()).count();
    let happened = records
        .into_iter()
        .filter(|record| record.event_time.is_some_and(|time| time <= at))
        .map(Entry::decode)
        .collect();
    (happened, without_time)
}
