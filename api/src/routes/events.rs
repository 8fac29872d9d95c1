//! What people and programs report: events, readings and commands.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use connectors::ingest::{IngestError, MAX_BATCH_READINGS};
use domain::events::{is_done, is_own};
use eventlog::frames::{Reading, StatusCode as Quality, Value as ReadingValue};
use eventlog::{AppendCondition, EventId};
use jiff::Timestamp;
use projections::Meta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// The most events in one request.
pub const MAX_EVENTS: usize = 1000;

/// The most readings in one request: one frame.
pub const MAX_READINGS: usize = MAX_BATCH_READINGS;

/// An event that happened.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventReport {
    /// The idempotency key: sent again under the same id, the event is logged once. Derived from `source` and `external_id` when absent, and new for each
    /// request when these are absent too.
    pub id: Option<Uuid>,
    /// What happened (`fault.observed`); `/api/v1/event-types` lists them all.
    pub r#type: String,
    /// The version of `data`'s shape; the first, when absent.
    pub schema_version: Option<u16>,
    /// When it happened; absent or null means unknown.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// The system that the event comes from.
    pub source: Option<String>,
    /// The event's name in that system.
    pub external_id: Option<String>,
    /// The conversation that the event belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// The event itself.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// One or many.
#[derive(Clone, Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, because serde's untagged enums forget which field was wrong.
        match Value::deserialize(deserializer)? {
            Value::Array(items) => {
                let items = items.into_iter().enumerate().map(|(index, item)| one(item, &format!("[{index}]")));
                items.collect::<Result<Vec<_>, _>>().map(Self).map_err(serde::de::Error::custom)
            }
            single => one(single, "").map(|item| Self(vec![item])).map_err(serde::de::Error::custom),
        }
    }
}

/// Reads one item; the error begins with the path to the wrong field.
fn one<T: serde::de::DeserializeOwned>(item: Value, place: &str) -> Result<T, String> {
    serde_path_to_error::deserialize(item).map_err(|error| {
        let path = error.path().to_string();
        let dot = if place.is_empty() || path == "." { "" } else { "." };
        let path = if path == "." { "" } else { path.as_str() };
        format!("{place}{dot}{path}: {}", error.inner())
    })
}

/// What to do about events that are in the log already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// A request of which only a part is known is refused: it is not the repetition of an earlier request.
    #[default]
    Refuse,
    /// Those known with the same content are left out, the others are logged: for imports, whose batches can be cut anew.
    Skip,
}

/// How events are taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReportParameters {
    /// What to do about events that are in the log already: `refuse` (the default) or `skip`.
    #[param(inline)]
    pub known: Option<Known>,
}

/// What was logged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Logged {
    /// The first position; null when the events of a `skip` request were logged in part before.
    pub first: Option<u64>,
    /// Everything of this request lies at or before this position.
    pub last: u64,
    /// True when it had been logged before and nothing was added now.
    pub repeated: bool,
    /// How many events were added now.
    pub added: u64,
    /// How many were known.
    pub known: u64,
    /// The events' ids, in their order.
    pub ids: Vec<Uuid>,
}

/// Logs one event, or several at once: all or none.
#[utoipa::path(post, path = "/api/v1/events", tag = "intake", request_body(content = EventReport, description = "One event, or an array of up to 1000"),
    params(ReportParameters),
    responses((status = 200, body = Logged, description = "Known already"), (status = 201, body = Logged), (status = "4XX", body = Problem)))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ReportParameters>,
    Json(OneOrMany(reports)): Json<OneOrMany<EventReport>>,
) -> Result<(StatusCode, axum::Json<Logged>), Problem> {
    caller.must(Permission::WriteEvents)?;
    if reports.iter().any(|report| is_own(&report.r#type)) {
        // What the registry and the intake say themselves is said with checks: no gate, no approval and no digest is asked of an event that is reported. That is for
        // those who manage the log, for example to move a history.
        caller.must(Permission::ManageLog)?;
    }
    if let Some(report) = reports.iter().find(|report| is_done(&report.r#type)) {
        let elsewhere =
            "is not reported but done: through /api/v1/erasures, /api/v1/legal-holds, or by a retention class";
        return Err(Problem::invalid("type", format!("{} {elsewhere}", report.r#type)));
    }
    if reports.len() > MAX_EVENTS {
        return Err(Problem::too_large(format!("{} events, one request takes {MAX_EVENTS}", reports.len())));
    }
    let single = reports.len() == 1;
    let sealed = reports
        .into_iter()
        .enumerate()
        .map(|(index, report)| {
            let field = if single { "data".to_owned() } else { format!("[{index}].data") };
            let meta = meta(&report, &caller);
            let event = projections::event_from_value(&report.r#type, report.schema_version.unwrap_or(1), report.data)
                .map_err(|error| match error {
                    domain::DecodeError::Payload { .. } => Problem::invalid(&field, error),
                    domain::DecodeError::UnknownType(_) => Problem::invalid(&field.replace("data", "type"), error),
                    domain::DecodeError::UnknownVersion { .. } => {
                        Problem::invalid(&field.replace("data", "schema_version"), error)
                    }
                })?;
            projections::seal(&event, meta).map_err(|error| Problem::invalid(&field, error))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<Uuid> = sealed.iter().map(|event| *event.id.as_uuid()).collect();
    let count = ids.len() as u64;
    let logged = match parameters.known.unwrap_or_default() {
        Known::Refuse => {
            let appended = app.engine.log.append(AppendCondition::none(), sealed).await?;
            let (added, known) = if appended.repeated { (0, count) } else { (count, 0) };
            Logged {
                first: Some(appended.first.get()),
                last: appended.last.get(),
                repeated: appended.repeated,
                added,
                known,
                ids,
            }
        }
        Known::Skip => {
            let receipt = app.engine.ingest.events(sealed).await?;
            Logged {
                first: None,
                last: receipt.position.get(),
                repeated: receipt.appended == 0,
                added: receipt.appended,
                known: receipt.repeated,
                ids,
            }
        }
    };
    let status = if logged.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(logged)))
}

fn meta(report: &EventReport, caller: &Caller) -> Meta {
    let id = match (&report.id, &report.source, &report.external_id) {
        (Some(id), ..) => EventId::new(*id),
        (None, Some(source), Some(external_id)) => EventId::derived(source, external_id),
        (None, ..) => EventId::generate(),
    };
    Meta {
        id,
        event_time: report.time,
        source: report.source.clone(),
        external_id: report.external_id.clone(),
        actor: caller.name.to_string(),
        correlation_id: report.correlation_id,
        causation_id: report.causation_id,
    }
}

/// A reading of a signal.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadingReport {
    /// The signal's id.
    pub signal: String,
    /// When it was read, by the source's clock (RFC 3339).
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// What was read.
    #[schema(value_type = Object)]
    pub value: ReadingValue,
    /// The source's own count, where it has one.
    pub sequence: Option<u64>,
    /// OPC UA StatusCode; Good (0) when absent.
    pub status: Option<u32>,
    /// The device or program that reads; the caller's name when absent.
    pub source: Option<String>,
}

/// What became of readings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadingsLogged {
    /// Everything of this request lies at or before this position: pass it as `min_position` to read it back.
    pub position: u64,
    /// How many are new.
    pub accepted: u64,
    /// How many were known with the same value, and dropped.
    pub duplicates: u64,
    /// How many were known with another value: kept, and flagged.
    pub conflicts: u64,
}

/// Logs readings of one source: one, or an array; all or none.
#[utoipa::path(post, path = "/api/v1/readings", tag = "intake", request_body(content = ReadingReport, description = "One reading, or an array of up to 20,000"),
    responses((status = 201, body = ReadingsLogged), (status = "4XX", body = Problem)))]
pub async fn readings(
    State(app): State<App>,
    caller: Caller,
    Json(OneOrMany(reports)): Json<OneOrMany<ReadingReport>>,
) -> Result<(StatusCode, axum::Json<ReadingsLogged>), Problem> {
    caller.must(Permission::WriteEvents)?;
    if reports.is_empty() {
        return Err(Problem::body("at least one reading is needed"));
    }
    if reports.len() > MAX_READINGS {
        return Err(Problem::too_large(format!("{} readings, one request takes {MAX_READINGS}", reports.len())));
    }
    let source = reports.first().and_then(|first| first.source.clone());
    let readings = reports
        .into_iter()
        .enumerate()
        .map(|(index, report)| {
            if report.source != source {
                return Err(Problem::invalid(
                    &format!("[{index}].source"),
                    "the readings of one request come from one source",
                ));
            }
            let signal = domain::ids::SignalId::new(&report.signal)
                .map_err(|error| Problem::invalid(&format!("[{index}].signal"), error))?;
            Ok(Reading {
                signal: Arc::from(signal.as_str()),
                time: report.time,
                sequence: report.sequence,
                value: report.value,
                status: Quality::new(report.status.unwrap_or(0)),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let source = source.unwrap_or_else(|| caller.name.to_string());
    let receipt = app.engine.ingest.readings_by(&caller.name, &source, readings).await?;
    let logged = ReadingsLogged {
        position: receipt.position.get(),
        accepted: receipt.accepted,
        duplicates: receipt.duplicates,
        conflicts: receipt.conflicts,
    };
    Ok((StatusCode::CREATED, axum::Json(logged)))
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Empty { .. } => Self::body(error),
            IngestError::TooLarge { .. } => Self::too_large(error.to_string()),
            IngestError::Invalid { index, field, reason } => Self::invalid(&format!("[{index}].{field}"), reason),
            IngestError::IdConflict { .. } => Self::conflict(error),
            IngestError::Closed => Self::unavailable("the server is stopping"),
            retryable if retryable.retryable() => Self::unavailable(retryable.to_string()),
            other => Self::internal(&other),
        }
    }
}
