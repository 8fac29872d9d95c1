//! Many readings in one record: columns sorted by signal and time.
//!
//! A frame is the payload of one event. The address of a reading is the position of that event and the row: rows count through the columns in
//! order, signals sorted by name, within a signal by time, then sequence, then arrival. The frame's digest is taken over the canonical decoded
//! columns, so that another encoding of the same readings keeps every proof.
//!
//! This module knows numbers, times and statuses. What a signal means is somebody else's business.

mod bytes;
mod canonical;
mod codec;
mod column;
mod values;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use canonical::digest;
pub use codec::{Encoded, FrameError, MAX_FRAME_READINGS, MAX_SIGNAL_BYTES, MAX_TEXT_BYTES, decode, encode, summaries};
pub use column::ColumnSummary;

/// An OPC UA StatusCode (OPC 10000-4, 7.39): the quality of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusCode(u32);

impl StatusCode {
    /// The value is usable.
    pub const GOOD: StatusCode = StatusCode(0);

    /// The status with this code.
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// The code.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the severity bits say Good.
    pub const fn is_good(self) -> bool {
        self.0 >> 30 == 0
    }

    /// Whether the severity bits say Bad.
    pub const fn is_bad(self) -> bool {
        self.0 >> 30 >= 2
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{:08X}", self.0)
    }
}

/// One value of a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number in the signal's unit. NaN and infinities are kept bit by bit.
    Float(f64),
    /// A text, for example a recipe name.
    Text(Arc<str>),
}

impl Value {
    /// The value as a number: booleans are 0 and 1, a text is none.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            #[expect(
                clippy::cast_precision_loss,
                reason = "analysis works on floating-point numbers; the exact integer stays in the log"
            )]
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(_) => None,
        }
    }
}

/// One reading of one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The signal's id.
    pub signal: Arc<str>,
    /// When the source says that it was so.
    pub time: Timestamp,
    /// The source's own count, where it sends one: part of the reading's identity.
    pub sequence: Option<u64>,
    /// What was read.
    pub value: Value,
    /// How good it is.
    pub status: StatusCode,
}

/// Readings of one event, decoded.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Frame {
    /// One column for each signal and kind of value, sorted by signal.
    pub columns: Vec<Column>,
}

/// The readings of one signal that have values of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The signal's id.
    pub signal: Arc<str>,
    /// The row of the column's first reading in its frame.
    pub first_row: u32,
    /// Source times, nanoseconds since 1970, ascending.
    pub times_ns: Vec<i64>,
    /// The source's own counts; as long as `times_ns`.
    pub sequences: Vec<Option<u64>>,
    /// The values; as long as `times_ns`.
    pub values: Values,
    /// The qualities; as long as `times_ns`.
    pub statuses: Vec<StatusCode>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// True or false.
    Boolean(Vec<bool>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// Texts.
    Text(Vec<Arc<str>>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value in this place.
    pub fn get(&self, index: usize) -> Option<Value> {
        match self {
            Self::Boolean(values) => values.get(index).copied().map(Value::Boolean),
            Self::Integer(values) => values.get(index).copied().map(Value::Integer),
            Self::Float(values) => values.get(index).copied().map(Value::Float),
            Self::Text(values) => values.get(index).cloned().map(Value::Text),
        }
    }
}

impl Frame {
    /// The number of readings.
    pub fn len(&self) -> usize {
        self.columns.iter().map(|column| column.times_ns.len()).sum()
    }

    /// Whether there is no reading.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|column| column.times_ns.is_empty())
    }

    /// Every reading with its row, in row order.
    pub fn readings(&self) -> impl Iterator<Item = (u32, Reading)> + '_ {
        self.columns.iter().flat_map(Column::readings)
    }
}

impl Column {
    /// Every reading of the column with its row in the frame.
    pub fn readings(&self) -> impl Iterator<Item = (u32, Reading)> + '_ {
        (0..self.times_ns.len()).filter_map(|index| {
            let reading = Reading {
                signal: Arc::clone(&self.signal),
                time: Timestamp::from_nanosecond(i128::from(*self.times_ns.get(index)?)).ok()?,
                sequence: *self.sequences.get(index)?,
                value: self.values.get(index)?,
                status: *self.statuses.get(index)?,
            };
            Some((self.first_row + u32::try_from(index).ok()?, reading))
        })
    }
}
