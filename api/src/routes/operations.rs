//! What needs somebody's attention, and how the server is doing.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use connectors::mqtt::{Release, ReleaseError};
use domain::Event;
use domain::events::InputQuarantined;
use domain::ids::PersonId;
use eventlog::{Direction, Filter, Position};
use projections::{AsOf, Content, Entry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, Page, offset, page_size, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// Which of them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AttentionParameters {
    /// Also those that are resolved or released.
    #[serde(default)]
    pub all: bool,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl AttentionParameters {
    async fn as_of(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        let asked = Asked { as_of: self.as_of.clone(), min_position: self.min_position };
        asked.wait(app).await?;
        if asked.as_of.is_none() { Ok(Some(AsOf::LATEST)) } else { Ok(asked.position(app).await?.map(AsOf::through)) }
    }
}

/// Observations that contradict what was known, the newest first; resolve one with the command `discrepancy.resolve`.
#[utoipa::path(get, path = "/api/v1/discrepancies", tag = "operations", params(AttentionParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn discrepancies(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AttentionParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.discrepancies.read(|model, _| {
        let found = model.at(as_of).rev().filter(|view| parameters.all || view.resolved.is_none());
        found.skip(offset).take(limit + 1).map(|view| to_json(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// Inputs that were not understood, the newest first. The record at the position holds the input itself.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "operations", params(AttentionParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn quarantine(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AttentionParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.quarantine.read(|model, _| {
        let found = model.inputs(as_of).rev().filter(|view| parameters.all || view.released.is_none());
        found.skip(offset).take(limit + 1).map(|view| to_json(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// Who releases.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    /// The person who releases it.
    #[schema(value_type = Option<String>)]
    pub person: Option<PersonId>,
}

/// What became of a released input.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReleasedInput {
    /// Everything of it, and the release itself, lies at or before this position: pass it as `min_position` to read it back.
    pub position: u64,
    /// How many readings are new.
    pub readings: u64,
    /// How many readings and events were known, and dropped.
    pub duplicates: u64,
    /// How many readings were known with another value: kept, and flagged.
    pub conflicts: u64,
    /// How many events are new.
    pub events: u64,
}

/// Sends a quarantined MQTT message through again, with the mapping that the source has now; 422 while any part of it is still not understood, 409 when it was released before.
///
/// Only MQTT messages can be released. What an OPC UA server said is kept for people to read, and rows that an import could not take are in its rejects file.
#[utoipa::path(post, path = "/api/v1/quarantine/{position}/release", tag = "operations", params(("position" = u64, Path, description = "The position of the quarantined input")),
    request_body = Option<ReleaseBody>,
    responses((status = 201, body = ReleasedInput), (status = 409, body = Problem), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(index): Path<String>,
    body: Option<Json<ReleaseBody>>,
) -> Result<(StatusCode, axum::Json<ReleasedInput>), Problem> {
    caller.must(Permission::WriteEvents)?;
    let person = body.and_then(|Json(body)| body.person);
    let (entry, input) = quarantined(&app, &index).await?;
    let Some(config) = app.engine.mqtt_config(&input.source) else {
        return Err(not_releasable(&input.source));
    };
    let asked = Release { event: entry.id, input: &input, arrival: entry.record_time, actor: &caller.name, person };
    let released = connectors::mqtt::release(asked, &config, &app.engine.ingest).await?;
    let answer = ReleasedInput {
        position: released.position.get(),
        readings: released.readings,
        duplicates: released.duplicates,
        conflicts: released.conflicts,
        events: released.events,
    };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// The quarantined input at a position.
async fn quarantined(app: &App, index: &str) -> Result<(Entry, InputQuarantined), Problem> {
    let unknown = || Problem::not_found("quarantined input", index);
    let position: u64 =
        index.parse().map_err(|_| Problem::invalid("position", format!("{index:?} is not a position")))?;
    let position = Position::new(position);
    if position >= app.engine.log.tail() {
        return Err(unknown());
    }
    let records = app.engine.log.read(position, Direction::Forward, Filter::all(), 1).await?;
    let entry = Entry::decode(records.into_iter().next().ok_or_else(unknown)?);
    match &entry.content {
        Content::Event(event) => match event.as_ref() {
            Event::InputQuarantined(input) => {
                let input = input.clone();
                Ok((entry, input))
            }
            _ => Err(unknown()),
        },
        Content::Gone { .. } => Err(Problem::gone(format!("the payload of record {index} expired or was erased"))),
        Content::Readings(_) | Content::Unknown { .. } => Err(unknown()),
    }
}

/// Why there is no mapping for a source.
fn not_releasable(source: &str) -> Problem {
    if source.starts_with("mqtt:") {
        Problem::not_found("a configured source", source)
    } else {
        Problem::refused(format!("it came from {source}; only messages of MQTT sources can be sent through again"))
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::AlreadyReleased(_) => Self::conflict(error),
            ReleaseError::NotUnderstood { ref field, .. } => {
                let field = field.clone();
                Self { field: Some(field), ..Self::refused(error) }
            }
            ReleaseError::OtherSource { .. } | ReleaseError::Config(_) => Self::refused(error),
            ReleaseError::Ingest(error) => error.into(),
            ReleaseError::Read(error) => error.into(),
            ReleaseError::Append(error) => error.into(),
        }
    }
}

/// How fresh.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FreshParameters {
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What is in the log, in numbers.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "operations", params(FreshParameters), responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn statistics(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<FreshParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    Asked { as_of: None, min_position: parameters.min_position }.wait(&app).await?;
    app.engine.statistics.read(|statistics, _| to_json(statistics)).map(axum::Json)
}

/// How far each projection and each reactor is.
#[utoipa::path(get, path = "/api/v1/projections", tag = "operations", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn projections(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let mut items = app.engine.projection_states().iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
    let reactors = app.engine.reactor_states();
    items.extend(
        reactors
            .into_iter()
            .map(|(name, lag, failed)| json!({"name": name, "reactor": true, "lag": lag, "failed": failed})),
    );
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// The digest of each projection's logical state, with the first position that is not in it. `millwright replay --to` gives the same for the position before.
#[utoipa::path(get, path = "/api/v1/projections/digests", tag = "operations", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn digests(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let digests = app.engine.projections().digests().await.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(axum::Json(Page { items: digests.iter().map(to_json).collect::<Result<Vec<_>, _>>()?, next_cursor: None }))
}
