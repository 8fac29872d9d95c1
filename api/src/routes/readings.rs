//! The readings of one signal, straight from the log.

use axum::extract::State;
use eventlog::{Position, ReadingAddress, ReadingsQuery, SignalReading};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, page_size, parse_optional_time};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which readings.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReadingsParameters {
    /// The signal's id.
    pub signal: String,
    /// The earliest source time (RFC 3339), itself included.
    pub from: Option<String>,
    /// The source time before which readings end.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

/// Readings in the order in which the log learnt of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadingsAnswer {
    /// Readings, each with position and row of its frame, time, sequence, value and status.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Value>,
    /// Pass it as `cursor` for the next page; null at the end of the list.
    pub next_cursor: Option<String>,
    /// What was read of the log to answer: segments, frames, chunks and bytes.
    #[schema(value_type = Object)]
    pub touched: eventlog::Touched,
}

/// Readings of one signal within a span of source times, by position and row: the order in which the log learnt of them, which is that of their times but for late
/// ones. Pages never change.
#[utoipa::path(get, path = "/api/v1/readings", tag = "log", params(ReadingsParameters),
    responses((status = 200, body = ReadingsAnswer), (status = "4XX", body = Problem)))]
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ReadingsParameters>,
) -> Result<axum::Json<ReadingsAnswer>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let limit = page_size(parameters.limit)?;
    let start = match &parameters.cursor {
        Some(text) => address(text).ok_or_else(|| Problem::invalid("cursor", format!("{text:?} is no cursor")))?,
        None => ReadingAddress::START,
    };
    let asked = Asked { as_of: parameters.as_of.clone(), min_position: None };
    let known = asked.position(&app).await?;
    let query = ReadingsQuery {
        from: parse_optional_time("from", parameters.from.as_ref())?.unwrap_or(Timestamp::MIN),
        to: parse_optional_time("to", parameters.to.as_ref())?.unwrap_or(Timestamp::MAX),
        below: known.map_or(Position::START, Position::next),
        start,
        limit,
        signal: parameters.signal,
    };
    let page = app.engine.log.readings(query).await?;
    Ok(axum::Json(ReadingsAnswer {
        items: page.readings.iter().map(show).collect(),
        next_cursor: page.next.map(|next| format!("{}-{}", next.position, next.row)),
        touched: page.touched,
    }))
}

fn address(text: &str) -> Option<ReadingAddress> {
    let (position, row) = text.split_once('-')?;
    Some(ReadingAddress { position: Position::new(position.parse().ok()?), row: row.parse().ok()? })
}

fn show(reading: &SignalReading) -> Value {
    let ReadingAddress { position, row } = reading.address;
    json!({"position": position, "row": row, "time": reading.time, "sequence": reading.sequence, "value": reading.value, "status": reading.status})
}
