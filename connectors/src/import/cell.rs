//! One value of a row, on its way from a column to a field.

use std::cmp::Ordering;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A value that a column, a field, a join or a group gives. A missing value is the absence of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Text, as a CSV column always is.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// An instant.
    Time(Timestamp),
    /// A length of time; in an event it is a number in the unit (seconds per unit is the second part).
    Duration(SignedDuration, f64),
    /// A list of a JSON line.
    Json(Value),
}

impl Cell {
    /// The cell of a JSON scalar or list; `None` for null.
    pub(super) fn from_json(value: Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Boolean(value),
            Value::String(text) => Self::Text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(value)) => Self::Number(value),
                (None, None) => Self::Text(number.to_string()),
            },
            other => Self::Json(other),
        })
    }

    /// The value in the JSON of an event.
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text),
            Self::Integer(value) => Value::from(value),
            Self::Number(value) => Value::from(value),
            Self::Boolean(value) => Value::Bool(value),
            Self::Time(time) => Value::String(time.to_string()),
            Self::Duration(duration, unit) => Value::from(duration.as_secs_f64() / unit),
            Self::Json(value) => value,
        }
    }

    /// The value as a number, where it is one or reads as one.
    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse::<f64>().ok().filter(|value| value.is_finite()),
            #[expect(clippy::cast_precision_loss, reason = "comparisons and sums work on floating-point numbers")]
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            Self::Duration(duration, unit) => Some(duration.as_secs_f64() / unit),
            Self::Time(_) | Self::Json(_) => None,
        }
    }

    /// The value as text without a copy, when it is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How two values are ordered: times by instant, numbers by value, anything else by its text.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => match (self.as_f64(), other.as_f64()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                _ => self.to_string().cmp(&other.to_string()),
            },
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Integer(value) => value.fmt(formatter),
            Self::Number(value) => value.fmt(formatter),
            Self::Boolean(value) => value.fmt(formatter),
            Self::Time(time) => time.fmt(formatter),
            Self::Duration(duration, unit) => (duration.as_secs_f64() / unit).fmt(formatter),
            Self::Json(value) => value.fmt(formatter),
        }
    }
}
