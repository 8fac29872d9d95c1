//! The log itself: records, streams, and the live feed.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event as ServerSentEvent, KeepAlive, Sse};
use eventlog::frames;
use eventlog::{
    ContentType, Direction, EventType, Filter, PayloadState, Position, Query as LogQuery, QueryItem, Record, Revision,
    StreamId, Tag, TimeSpan, Window,
};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::common::{Page, page_size, parse_optional_time, with};
use super::privacy::show_erasure;
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which way to read.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From older to newer.
    #[default]
    Forward,
    /// From newer to older.
    Backward,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Forward => Self::Forward,
            Way::Backward => Self::Backward,
        }
    }
}

/// Which records.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogParameters {
    /// The first position to read; the start of the log going forward, its end going backward, when absent.
    pub from: Option<u64>,
    /// Which way to read.
    #[param(inline)]
    pub direction: Option<Way>,
    /// Only records of these categories, separated by commas.
    pub category: Option<String>,
    /// Only records of these types, separated by commas.
    pub r#type: Option<String>,
    /// Only records that carry all of these tags (`asset:LOOM-07`), separated by commas.
    pub tag: Option<String>,
    /// Only records that were logged at or after this time (RFC 3339).
    pub recorded_from: Option<String>,
    /// Only records that were logged before this time.
    pub recorded_until: Option<String>,
    /// Only events that happened at or after this time; those whose time is unknown are left out.
    pub happened_from: Option<String>,
    /// Only events that happened before this time; those whose time is unknown are left out.
    pub happened_until: Option<String>,
    /// How many, up to 1000. A page can hold fewer and still have a next one: it is bounded in bytes, and looks at a part of the log.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl LogParameters {
    fn filter(&self) -> Result<Filter, Problem> {
        let list = |text: &Option<String>| -> Vec<String> {
            text.iter().flat_map(|text| text.split(',')).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let item = QueryItem {
            categories: names("category", &list(&self.category), eventlog::Category::new)?,
            types: names("type", &list(&self.r#type), EventType::new)?,
            tags: names("tag", &list(&self.tag), Tag::new)?,
        };
        if item == QueryItem::default() { Ok(LogQuery::all()) } else { Ok(LogQuery { items: vec![item] }) }
    }

    fn window(&self) -> Result<Window, Problem> {
        let recorded = TimeSpan {
            from: parse_optional_time("recorded_from", self.recorded_from.as_ref())?,
            until: parse_optional_time("recorded_until", self.recorded_until.as_ref())?,
        };
        let happened = TimeSpan {
            from: parse_optional_time("happened_from", self.happened_from.as_ref())?,
            until: parse_optional_time("happened_until", self.happened_until.as_ref())?,
        };
        Ok(Window { recorded, happened })
    }
}

fn names<T>(
    field: &str,
    texts: &[String],
    make: impl Fn(&str) -> Result<T, eventlog::InvalidName>,
) -> Result<Vec<T>, Problem> {
    texts.iter().map(|text| make(text).map_err(|error| Problem::invalid(field, error))).collect()
}

fn position(field: &str, cursor: Option<&String>) -> Result<Option<u64>, Problem> {
    cursor
        .map(|text| {
            text.parse().map_err(|_| Problem::invalid(field, format!("{text:?} is not a cursor of this server")))
        })
        .transpose()
}

/// Records of the log, in their order or against it.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", params(LogParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<LogParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let limit = page_size(parameters.limit)?;
    let direction = Direction::from(parameters.direction.unwrap_or_default());
    let from = position("cursor", parameters.cursor.as_ref())?.or(parameters.from);
    let from = Position::new(from.unwrap_or(match direction {
        Direction::Forward => 0,
        Direction::Backward => u64::MAX,
    }));
    let window = parameters.window()?;
    let page = app.engine.log.read_within(window, from, direction, parameters.filter()?, limit).await?;
    Ok(axum::Json(Page {
        items: page.iter().map(|record| show(record, Detail::Summary)).collect(),
        next_cursor: page.next.map(|next| next.to_string()),
    }))
}

/// One record, with all its readings when it is a frame.
#[utoipa::path(get, path = "/api/v1/log/{position}", tag = "log", params(("position" = u64, Path, description = "The record's position")),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(index): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadLog)?;
    let index: u64 = index.parse().map_err(|_| Problem::invalid("position", format!("{index:?} is not a position")))?;
    let position = Position::new(index);
    if position >= app.engine.log.tail() {
        return Err(Problem::not_found("position", &index.to_string()));
    }
    let records = app.engine.log.read(position, Direction::Forward, Filter::all(), 1).await?;
    let record = records.first().ok_or_else(|| Problem::not_found("position", &index.to_string()))?;
    let shown = show(record, Detail::Full);
    match record.payload_state {
        PayloadState::Present => Ok(axum::Json(shown)),
        PayloadState::Erased | PayloadState::Dropped => Ok(axum::Json(with(shown, [("gone", gone(&app, record)?)]))),
    }
}

/// Why a payload is gone, by whom, and where the log says so; null while the read model has not come to that.
fn gone(app: &App, record: &Record) -> Result<Value, Problem> {
    app.engine.privacy.read(|privacy, _| {
        if let Some(erasure) = record.data_key_id.and_then(|key| privacy.erasure_by_key(key)) {
            return Ok(with(show_erasure(erasure)?, [("by", json!("erasure"))]));
        }
        Ok(privacy.expiry_of(record.position).map_or(Value::Null, |expiry| {
            json!({"by": "retention", "class": expiry.class, "before": expiry.before, "position": expiry.position,
                "record_time": expiry.record_time, "actor": expiry.actor})
        }))
    })
}

/// The payload as it is stored, byte by byte: encrypted where it is personal. Its SHA-256, or for a frame the digest of its columns, is what the record's leaf commits to.
#[utoipa::path(get, path = "/api/v1/log/{position}/payload", tag = "log", params(("position" = u64, Path, description = "The record's position")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>,
        description = "The bytes; the header `Millwright-Payload-Digest` has `ALGORITHM=DIGEST`, `Millwright-Data-Key` the id of the key that they are encrypted with"),
        (status = 410, body = Problem, description = "Dropped for ever"), (status = "4XX", body = Problem)))]
pub async fn payload(
    State(app): State<App>,
    caller: Caller,
    Path(index): Path<String>,
) -> Result<(HeaderMap, bytes::Bytes), Problem> {
    caller.must(Permission::ReadLog)?;
    let position: u64 =
        index.parse().map_err(|_| Problem::invalid("position", format!("{index:?} is not a position")))?;
    let position = Position::new(position);
    if position >= app.engine.log.tail() {
        return Err(Problem::not_found("position", &index));
    }
    let records = app.engine.encrypted().stored().read(position, Direction::Forward, Filter::all(), 1).await?;
    let record = records.into_iter().next().ok_or_else(|| Problem::not_found("position", &index))?;
    if record.payload_state != PayloadState::Present {
        return Err(Problem::gone(format!(
            "the payload of record {position} was dropped; /api/v1/log/{position} says why"
        )));
    }
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| -> Result<(), Problem> {
        let value = HeaderValue::from_str(&value).map_err(|error| Problem::internal(&error))?;
        headers.insert(name, value);
        Ok(())
    };
    let digest = record.payload_digest;
    put("millwright-payload-digest", format!("{}={}", digest.algorithm.as_str(), digest.digest))?;
    // What is encrypted is bytes to everybody without the key, whatever its plaintext is.
    let content_type = if record.data_key_id.is_some() { ContentType::Octets } else { record.content_type };
    put("content-type", content_type.as_str().to_owned())?;
    if let Some(key) = record.data_key_id {
        put("millwright-data-key", key.to_string())?;
    }
    Ok((headers, record.payload))
}

/// Which part of a stream.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamParameters {
    /// The first revision to read.
    pub from: Option<u64>,
    /// Which way to read.
    #[param(inline)]
    pub direction: Option<Way>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

/// Records of one stream (`lot-ROLL-000123`).
#[utoipa::path(get, path = "/api/v1/streams/{stream}", tag = "log",
    params(("stream" = String, Path, description = "category-key"), StreamParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    Path(stream): Path<String>,
    Query(parameters): Query<StreamParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadLog)?;
    let limit = page_size(parameters.limit)?;
    let direction = Direction::from(parameters.direction.unwrap_or_default());
    let id = StreamId::new(&stream).map_err(|error| Problem::invalid("stream", error))?;
    let from = position("cursor", parameters.cursor.as_ref())?.or(parameters.from);
    let from = Revision::new(from.unwrap_or(match direction {
        Direction::Forward => 0,
        Direction::Backward => u64::MAX,
    }));
    let page = app.engine.log.read_stream(id, from, direction, limit).await?;
    if page.is_empty() && parameters.cursor.is_none() && parameters.from.is_none() {
        return Err(Problem::not_found("stream", &stream));
    }
    Ok(axum::Json(Page {
        items: page.iter().map(|record| show(record, Detail::Summary)).collect(),
        next_cursor: page.next.map(|next| next.to_string()),
    }))
}

/// Where a live feed begins.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LiveParameters {
    /// The first position; only what comes from now on, when absent. The header `Last-Event-ID` of a client that reconnects wins.
    pub from: Option<u64>,
    /// Only records of these categories, separated by commas.
    pub category: Option<String>,
    /// Only records of these types, separated by commas.
    pub r#type: Option<String>,
    /// Only records that carry all of these tags, separated by commas.
    pub tag: Option<String>,
}

/// Every record as it is logged, as server-sent events whose id is the position.
#[utoipa::path(get, path = "/api/v1/live", tag = "log", params(LiveParameters),
    responses((status = 200, description = "text/event-stream", content_type = "text/event-stream", body = String), (status = "4XX", body = Problem)))]
pub async fn live(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(parameters): Query<LiveParameters>,
) -> Result<Sse<impl Stream<Item = Result<ServerSentEvent, Infallible>>>, Problem> {
    caller.must(Permission::ReadLog)?;
    let permit = app
        .live_feeds
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("as many live feeds as allowed are open"))?;
    let resumed =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    let from =
        resumed.map(|last| last.saturating_add(1)).or(parameters.from).unwrap_or_else(|| app.engine.log.tail().get());
    let filter = LogParameters {
        category: parameters.category,
        r#type: parameters.r#type,
        tag: parameters.tag,
        ..LogParameters::default()
    }
    .filter()?;
    let records = app.engine.log.subscribe(Position::new(from), filter);
    let events = records
        .map(move |record| {
            let _held_while_open = &permit;
            let event = match record {
                Ok(record) => ServerSentEvent::default()
                    .id(record.position.to_string())
                    .event(record.event_type.as_str())
                    .data(show(&record, Detail::Summary).to_string()),
                Err(error) => {
                    ServerSentEvent::default().event("error").data(json!({"detail": error.to_string()}).to_string())
                }
            };
            Ok(event)
        })
        .take_until(app.stopping.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// How much of a record is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Frames by their counts.
    Summary,
    /// Frames with each reading.
    Full,
}

/// A record as JSON.
pub fn show(record: &Record, detail: Detail) -> Value {
    let data = match record.content_type {
        _ if record.payload_state != PayloadState::Present => Value::Null,
        ContentType::Json => serde_json::from_slice(&record.payload).unwrap_or(Value::Null),
        ContentType::Frame => show_frame(&record.payload, detail),
        ContentType::Octets => json!({"bytes": record.payload.len()}),
    };
    json!({
        "position": record.position,
        "revision": record.revision,
        "stream": record.stream,
        "type": record.event_type,
        "schema_version": record.schema_version,
        "id": record.id,
        "record_time": record.record_time,
        "event_time": record.event_time,
        "source": record.source,
        "external_id": record.external_id,
        "tags": record.tags,
        "actor": record.actor,
        "correlation_id": record.correlation_id,
        "causation_id": record.causation_id,
        "data_key_id": record.data_key_id,
        "content_type": record.content_type,
        "digest_algorithm": record.payload_digest.algorithm,
        "payload_digest": record.payload_digest.digest,
        "leaf_digest": record.leaf_digest(),
        "payload_state": record.payload_state,
        "data": data,
    })
}

fn show_frame(payload: &[u8], detail: Detail) -> Value {
    let frame = match frames::decode(payload) {
        Ok(frame) => frame,
        Err(error) => return json!({"damaged": error.to_string()}),
    };
    let shown = json!({
        "readings": frame.len(),
        "signals": frame.columns().map(|column| &**column.signal).collect::<Vec<_>>(),
    });
    match detail {
        Detail::Summary => shown,
        Detail::Full => with(shown, [("rows", frame.readings().map(show_reading).collect())]),
    }
}

fn show_reading((row, reading): (u32, frames::Reading)) -> Value {
    json!({"row": row, "signal": &*reading.signal, "time": reading.time, "sequence": reading.sequence, "value": reading.value, "status": reading.status})
}
