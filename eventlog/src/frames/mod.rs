//! Many readings in one record: columns sorted by signal and time.
//!
//! A frame is the payload of one event. The address of a reading is the position of that event and the row: rows count through the columns in
//! order, signals sorted by name, within a signal by time, then sequence, then arrival. The frame's digest is taken over the canonical decoded
//! columns, so that another encoding of the same readings keeps every proof.
//!
//! This module knows numbers, times and statuses. What a signal means is somebody else's business.

mod body;
mod bounds;
mod bytes;
mod canonical;
mod check;
mod codec;
mod fingerprint;
mod group;
mod sequences;
mod signals;
mod statuses;
mod v1;
mod v2;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use body::Frame;
use body::Lists;
pub(crate) use body::{Added, Builder};
pub use canonical::digest;
pub use codec::{
    Decoder, Encoded, FrameError, MAX_FRAME_READINGS, MAX_SIGNAL_BYTES, MAX_TEXT_BYTES, decode, decode_columns, encode,
    encode_columns, payload, summaries,
};
pub use sequences::Sequences;
pub use statuses::Statuses;

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

/// The readings of one signal that have values of one kind, as they stand in their [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column<'a> {
    /// The signal's id.
    pub signal: &'a Arc<str>,
    /// The row of the column's first reading in its frame.
    pub first_row: u32,
    /// Source times, nanoseconds since 1970, ascending. Columns of one frame that were sampled at the same moments share them.
    pub times_ns: &'a [i64],
    /// The source's own counts; for as many rows as `times_ns`. Rows that share a time ascend by them.
    pub sequences: &'a Sequences,
    /// The values; as long as `times_ns`.
    pub values: Values<'a>,
    /// The qualities; as long as `times_ns`.
    pub statuses: &'a Statuses,
}

/// What the header of a column says about its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSummary {
    /// The signal's id.
    pub signal: Arc<str>,
    /// The row of the column's first reading in its frame.
    pub first_row: u32,
    /// The number of readings.
    pub rows: usize,
    /// The least source time, nanoseconds since 1970.
    pub min_time_ns: i64,
    /// The greatest source time, nanoseconds since 1970.
    pub max_time_ns: i64,
    /// The least and the greatest value, NaN left out; `None` for texts.
    pub bounds: Option<(Value, Value)>,
}

/// The values of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// True or false.
    Boolean(&'a [bool]),
    /// Whole numbers.
    Integer(&'a [i64]),
    /// Numbers.
    Float(&'a [f64]),
    /// Texts.
    Text(&'a [Arc<str>]),
}

impl Values<'_> {
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

    /// The number of the kind in frames and digests: 0 boolean, 1 integer, 2 float, 3 text.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
        }
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
    /// Every reading with its row, in row order.
    pub fn readings(&self) -> impl Iterator<Item = (u32, Reading)> + '_ {
        self.columns().flat_map(Column::readings)
    }
}

impl<'a> Column<'a> {
    /// Every reading of the column with its row in the frame.
    pub fn readings(self) -> impl Iterator<Item = (u32, Reading)> + 'a {
        (0..self.times_ns.len()).filter_map(move |index| {
            let reading = Reading {
                signal: Arc::clone(self.signal),
                time: timestamp(*self.times_ns.get(index)?)?,
                sequence: self.sequences.get(index),
                value: self.values.get(index)?,
                status: self.statuses.get(index)?,
            };
            Some((self.first_row + u32::try_from(index).ok()?, reading))
        })
    }
}

/// The moment, which is within a timestamp's years for every number of nanoseconds.
fn timestamp(time_ns: i64) -> Option<Timestamp> {
    let nanosecond = i32::try_from(time_ns.rem_euclid(1_000_000_000)).ok()?;
    Timestamp::new(time_ns.div_euclid(1_000_000_000), nanosecond).ok()
}

#[cfg(test)]
#[path = "fixture_tests.rs"]
mod tests;
