//! Parameters and answers that many endpoints share.

use std::time::Duration;

use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::server::App;

/// The page size where the caller names none.
pub const DEFAULT_PAGE: usize = 100;

/// The largest page.
pub const MAX_PAGE: usize = 1000;

/// When the answer is to be true, and how fresh it must be.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// What the system knew then: a log position, or a record time (RFC 3339), which stands for its last position. The present, when absent.
    pub as_of: Option<String>,
    /// Wait until this position is taken in (bounded by the server's limit).
    pub min_position: Option<u64>,
}

impl Asked {
    /// The position that `as_of` means, and the present one when it is absent. `None` is the time before the first record.
    ///
    /// # Errors
    /// A 400 problem when it is neither a position nor a time, or lies beyond the log.
    pub async fn position(&self, app: &App) -> Result<Option<Position>, Problem> {
        let tail = app.engine.log.tail();
        let Some(text) = &self.as_of else { return Ok(tail.previous()) };
        if let Ok(index) = text.parse::<u64>() {
            if index >= tail.get() {
                return Err(Problem::invalid(
                    "as_of",
                    format!("position {index} is not written yet; the log ends before {tail}"),
                ));
            }
            return self.reached(app, Position::new(index)).await.map(Some);
        }
        let time = parse_time("as_of", text)?;
        match app.engine.log.last_position_at(time).await? {
            Some(position) => self.reached(app, position).await.map(Some),
            None => Ok(None),
        }
    }

    /// A question about what was known at a position has one answer: it waits until all read models have come that far.
    async fn reached(&self, app: &App, position: Position) -> Result<Position, Problem> {
        app.engine.wait_for(position, Duration::from_millis(app.limits.wait_ms)).await?;
        Ok(position)
    }

    /// Waits until `min_position`, and every record before it, has been taken in by all projections.
    ///
    /// # Errors
    /// A 400 problem when the position is beyond the log, a 504 problem when it takes too long.
    pub async fn wait(&self, app: &App) -> Result<(), Problem> {
        let Some(index) = self.min_position else { return Ok(()) };
        let position = Position::new(index);
        if position >= app.engine.log.tail() {
            return Err(Problem::invalid(
                "min_position",
                format!("position {index} is not written yet; the log ends before {}", app.engine.log.tail()),
            ));
        }
        app.engine.wait_for(position, Duration::from_millis(app.limits.wait_ms)).await
    }
}

/// Reads a time.
///
/// # Errors
/// A 400 problem that names the field.
pub fn parse_time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    // A plus sign that was not encoded arrives as a space.
    text.replace(' ', "+").parse().map_err(|error| {
        Problem::invalid(field, format!("{text:?} is neither a position nor an RFC 3339 time: {error}"))
    })
}

/// Reads an optional time.
///
/// # Errors
/// A 400 problem that names the field.
pub fn parse_optional_time(field: &str, text: Option<&String>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| parse_time(field, text)).transpose()
}

/// The page size that a caller gets.
///
/// # Errors
/// A 400 problem when it is zero or above the limit.
pub fn page_size(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(DEFAULT_PAGE),
        Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::invalid("limit", format!("{limit} is not from 1 to {MAX_PAGE}"))),
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page {
    /// The items.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<serde_json::Value>,
    /// Pass it as `cursor` for the next page; null at the end of the list.
    pub next_cursor: Option<String>,
}

impl Page {
    /// The page of `items` from `offset` on, where the list holds `items` beyond it when there are more than `limit`.
    pub fn of_offset(items: Vec<serde_json::Value>, offset: usize, limit: usize) -> Self {
        let more = items.len() > limit;
        let items: Vec<_> = items.into_iter().take(limit).collect();
        let next_cursor = more.then(|| (offset + limit).to_string());
        Self { items, next_cursor }
    }
}

/// Reads an offset cursor.
///
/// # Errors
/// A 400 problem when it was not made by this server.
pub fn offset(cursor: Option<&String>) -> Result<usize, Problem> {
    cursor.map_or(Ok(0), |text| {
        text.parse().map_err(|_| Problem::invalid("cursor", format!("{text:?} is not a cursor of this server")))
    })
}

/// A JSON object with more members.
pub fn with<'a>(
    mut object: serde_json::Value,
    members: impl IntoIterator<Item = (&'a str, serde_json::Value)>,
) -> serde_json::Value {
    if let Some(map) = object.as_object_mut() {
        map.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

/// Writes a value as JSON for an answer.
///
/// # Errors
/// A 500 problem when it holds a number that JSON cannot say.
pub fn to_json<T: Serialize>(value: &T) -> Result<serde_json::Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::internal(&error))
}
