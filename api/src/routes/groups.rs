//! Competing consumers over HTTP: groups, deliveries, acknowledgements, and what was parked.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use eventlog::groups::{Definition, GroupError, GroupName, GroupStatus, MAX_FETCH, Receipt, Refusal, Settled, Start};
use eventlog::{Category, EventType, Filter, Position, QueryItem, Tag};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Page, page_size, to_json, with};
use super::log::{Detail, show};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// Records that fulfil one item: one of the categories, one of the types, and all of the tags.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Categories; any, when empty.
    #[schema(value_type = Vec<String>)]
    pub categories: Vec<Category>,
    /// Types; any, when empty.
    #[schema(value_type = Vec<String>)]
    pub types: Vec<EventType>,
    /// Tags that the record must all carry.
    #[schema(value_type = Vec<String>)]
    pub tags: Vec<Tag>,
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum From {
    /// At a position.
    Position(u64),
    /// `beginning`, or `tail` for what is logged from now on.
    Named(Named),
}

/// A place in the log by name.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// The first record.
    Beginning,
    /// Behind the last record.
    Tail,
}

/// What a group delivers, and how.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupDefinition {
    /// The records that it delivers: those that fulfil at least one item; all but the log's own, when empty.
    pub filter: Vec<Selection>,
    /// Where it begins when it is new: a position, `beginning` (the default) or `tail`. A group that exists goes on where it is.
    #[schema(value_type = Option<Object>)]
    pub from: Option<From>,
    /// How long a delivery is a member's, in milliseconds: 30,000 when absent.
    pub lease_ms: Option<u64>,
    /// How often a record is delivered before it is parked: 10 when absent.
    pub max_attempts: Option<u32>,
    /// The most records that are with members or wait for a retry: 1,000 when absent.
    pub max_in_flight: Option<usize>,
}

impl GroupDefinition {
    fn definition(self) -> Definition {
        let usual = Definition::default();
        let item = |selection: Selection| QueryItem {
            categories: selection.categories,
            types: selection.types,
            tags: selection.tags,
        };
        Definition {
            filter: Filter { items: self.filter.into_iter().map(item).collect() },
            start: match self.from {
                None | Some(From::Named(Named::Beginning)) => Start::Beginning,
                Some(From::Named(Named::Tail)) => Start::Tail,
                Some(From::Position(index)) => Start::Position(Position::new(index)),
            },
            lease_ms: self.lease_ms.unwrap_or(usual.lease_ms),
            max_attempts: self.max_attempts.unwrap_or(usual.max_attempts),
            max_in_flight: self.max_in_flight.unwrap_or(usual.max_in_flight),
        }
    }
}

fn name(text: &str) -> Result<GroupName, Problem> {
    GroupName::new(text).map_err(|error| Problem::invalid("name", error))
}

fn shown(status: &GroupStatus) -> Result<Value, Problem> {
    Ok(json!({
        "name": status.name,
        "filter": to_json(&status.definition.filter.items)?,
        "lease_ms": status.definition.lease_ms,
        "max_attempts": status.definition.max_attempts,
        "max_in_flight": status.definition.max_in_flight,
        "cursor": status.cursor,
        "lag": status.lag,
        "leased": status.leased,
        "waiting": status.waiting,
        "parked": status.parked,
    }))
}

/// Every group: what it delivers and how it is doing.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn groups(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let items = app.engine.groups.list().await.iter().map(shown).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Makes a group, or changes what an existing one delivers from now on and how.
#[utoipa::path(put, path = "/api/v1/groups/{name}", tag = "groups", params(("name" = String, Path, description = "The group's name")), request_body = GroupDefinition,
    responses((status = 200, body = Object, description = "Changed"), (status = 201, body = Object, description = "Made"), (status = "4XX", body = Problem)))]
pub async fn define(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Json(definition): Json<GroupDefinition>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.must(Permission::Consume)?;
    let group = name(&group)?;
    let new = app.engine.groups.define(&group, definition.definition(), &caller.name).await?;
    let status = app.engine.groups.status(&group).await?;
    let code = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((code, axum::Json(shown(&status)?)))
}

/// Deletes a group with its progress and what it parked. The records stay where they are.
#[utoipa::path(delete, path = "/api/v1/groups/{name}", tag = "groups", params(("name" = String, Path, description = "The group's name")),
    responses((status = 204, description = "Deleted"), (status = "4XX", body = Problem)))]
pub async fn delete(State(app): State<App>, caller: Caller, Path(group): Path<String>) -> Result<StatusCode, Problem> {
    caller.must(Permission::Consume)?;
    app.engine.groups.delete(&name(&group)?, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a member asks for.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    /// The most records, up to 1000; one, when absent.
    pub max: Option<usize>,
    /// How long to wait for the first one, in milliseconds; the server's limits for waiting hold.
    pub wait_ms: Option<u64>,
}

/// Takes records from a group. Each is the caller's until its lease runs out.
#[utoipa::path(post, path = "/api/v1/groups/{name}/fetch", tag = "groups", params(("name" = String, Path, description = "The group's name")), request_body = Fetch,
    responses((status = 200, body = Object, description = "`deliveries`, which can be empty: each with `record`, and `attempt`, which settles it"), (status = "4XX", body = Problem)))]
pub async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Json(asked): Json<Fetch>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::Consume)?;
    let most = asked.max.unwrap_or(1);
    if !(1..=MAX_FETCH).contains(&most) {
        return Err(Problem::invalid("max", format!("{most} is not from 1 to {MAX_FETCH}")));
    }
    // Members that wait are few, so that they leave room for other requests: one too many is answered at once.
    let waiting = app.live_feeds.clone().try_acquire_owned();
    let patience = match &waiting {
        Ok(_) => Duration::from_millis(asked.wait_ms.unwrap_or(0).min(app.limits.wait_ms)),
        Err(_) => Duration::ZERO,
    };
    let group = name(&group)?;
    let deliveries = tokio::select! {
        deliveries = app.engine.groups.fetch(&group, most, patience) => deliveries?,
        () = app.stopping.cancelled() => Vec::new(),
    };
    let shown = deliveries.iter().map(|delivery| {
        json!({"position": delivery.record.position, "attempt": delivery.attempt, "record": show(&delivery.record, Detail::Full)})
    });
    Ok(axum::Json(json!({ "deliveries": shown.collect::<Vec<_>>() })))
}

/// Names one delivery.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveryReceipt {
    /// The record's position.
    pub position: u64,
    /// The `attempt` of the delivery.
    pub attempt: u32,
}

fn receipts(named: &[DeliveryReceipt]) -> Result<Vec<Receipt>, Problem> {
    if named.len() > MAX_FETCH {
        return Err(Problem::too_large(format!("{} deliveries, one request settles {MAX_FETCH}", named.len())));
    }
    let receipt = |named: &DeliveryReceipt| Receipt { position: Position::new(named.position), attempt: named.attempt };
    Ok(named.iter().map(receipt).collect())
}

/// What is done.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The deliveries, up to 1000.
    pub deliveries: Vec<DeliveryReceipt>,
}

/// What acknowledgements came to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct SettledCounts {
    /// Deliveries that were settled now.
    pub settled: usize,
    /// Deliveries that were not open any more.
    pub stale: usize,
    /// Of those settled, the records that were parked.
    pub parked: usize,
}

impl std::convert::From<Settled> for SettledCounts {
    fn from(settled: Settled) -> Self {
        Self { settled: settled.settled, stale: settled.stale, parked: settled.parked }
    }
}

/// Says that records are done. They are not delivered again, unless the server crashes within a second.
#[utoipa::path(post, path = "/api/v1/groups/{name}/ack", tag = "groups", params(("name" = String, Path, description = "The group's name")), request_body = Acknowledgement,
    responses((status = 200, body = SettledCounts), (status = "4XX", body = Problem)))]
pub async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Json(done): Json<Acknowledgement>,
) -> Result<axum::Json<SettledCounts>, Problem> {
    caller.must(Permission::Consume)?;
    let settled = app.engine.groups.acknowledge(&name(&group)?, &receipts(&done.deliveries)?).await?;
    Ok(axum::Json(settled.into()))
}

/// What is to become of records that could not be handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// They are delivered again, now or after `delay_ms`.
    #[default]
    Retry,
    /// They are parked.
    Park,
}

/// What could not be handled.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NegativeAcknowledgement {
    /// The deliveries, up to 1000.
    pub deliveries: Vec<DeliveryReceipt>,
    /// What is to become of them: `retry` (the default) or `park`.
    pub action: Option<What>,
    /// When they are delivered again, in milliseconds from now; at once, when absent.
    pub delay_ms: Option<u64>,
    /// Why, for whoever looks at what is parked.
    pub reason: Option<String>,
}

/// Gives records back: for another try, or to be parked.
#[utoipa::path(post, path = "/api/v1/groups/{name}/nack", tag = "groups", params(("name" = String, Path, description = "The group's name")), request_body = NegativeAcknowledgement,
    responses((status = 200, body = SettledCounts), (status = "4XX", body = Problem)))]
pub async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Json(refused): Json<NegativeAcknowledgement>,
) -> Result<axum::Json<SettledCounts>, Problem> {
    caller.must(Permission::Consume)?;
    let refusal = match refused.action.unwrap_or_default() {
        What::Retry => Refusal::Retry(Duration::from_millis(refused.delay_ms.unwrap_or(0))),
        What::Park => Refusal::Park,
    };
    let reason = refused.reason.as_deref().unwrap_or("no reason was given");
    let receipts = receipts(&refused.deliveries)?;
    let settled = app.engine.groups.refuse(&name(&group)?, &receipts, refusal, reason).await?;
    Ok(axum::Json(settled.into()))
}

/// Which part of what is parked.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ParkedParameters {
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

/// Records that a group delivers no more, with the reasons.
#[utoipa::path(get, path = "/api/v1/groups/{name}/parked", tag = "groups", params(("name" = String, Path, description = "The group's name"), ParkedParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn parked(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Query(parameters): Query<ParkedParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let limit = page_size(parameters.limit)?;
    let from = super::common::offset(parameters.cursor.as_ref())?;
    let mut parked = app.engine.groups.parked(&name(&group)?, Position::new(from as u64), limit + 1).await?;
    let next = parked.get(limit).map(|next| next.position.to_string());
    parked.truncate(limit);
    let items = parked.iter().map(to_json).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items, next_cursor: next }))
}

/// What to deliver again.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayRequest {
    /// Positions of parked records; all, when absent.
    pub positions: Option<Vec<u64>>,
}

/// Delivers parked records again, as if for the first time: no more than may be in flight.
#[utoipa::path(post, path = "/api/v1/groups/{name}/replay-parked", tag = "groups", params(("name" = String, Path, description = "The group's name")), request_body = ReplayRequest,
    responses((status = 200, body = Object, description = "`replayed`: the positions; and how the group is doing"), (status = "4XX", body = Problem)))]
pub async fn replay_parked(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Json(asked): Json<ReplayRequest>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::Consume)?;
    let group = name(&group)?;
    let positions: Option<Vec<Position>> =
        asked.positions.map(|positions| positions.into_iter().map(Position::new).collect());
    let replayed = app.engine.groups.replay_parked(&group, positions.as_deref()).await?;
    let status = app.engine.groups.status(&group).await?;
    Ok(axum::Json(with(shown(&status)?, [("replayed", to_json(&replayed)?)])))
}

impl std::convert::From<GroupError> for Problem {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Unknown(name) => Self::not_found("group", name.as_str()),
            GroupError::Invalid { field, reason } => Self::invalid(field, reason),
            GroupError::TooMany | GroupError::ParkedFull(_) | GroupError::Elsewhere(_) => Self::conflict(error),
            GroupError::Save { source, .. } => source.into(),
            GroupError::Read(error) => error.into(),
            GroupError::State { .. } => Self::internal(&error),
        }
    }
}
