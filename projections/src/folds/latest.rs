//! The latest values of every signal.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Event;
use domain::events::{CarriedReading, CarriedValue, RetentionApplied};
use eventlog::frames::{Column, StatusCode, Value};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Content, Entry, Fold, READINGS_TYPE, filters, state_digest};

/// How many recent readings are kept for each signal: what models can look back over.
pub const RECENT_READINGS: usize = 256;

/// One reading with its address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When the source says that it was so, in nanoseconds since 1970.
    pub time_ns: i64,
    /// The position of its frame.
    pub position: Position,
    /// Its row in the frame.
    pub row: u32,
    /// What was read.
    pub value: Value,
    /// How good it is.
    pub status: StatusCode,
}

impl Sample {
    /// When the source says that it was so.
    pub fn time(&self) -> Timestamp {
        // Every 64-bit count of nanoseconds is an instant between the years 1677 and 2262.
        Timestamp::from_nanosecond(i128::from(self.time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn order(&self) -> (i64, Position, u32) {
        (self.time_ns, self.position, self.row)
    }
}

/// The newest readings of a signal, by source time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    recent: std::collections::VecDeque<Sample>,
    count: u64,
}

impl Series {
    /// The newest reading by source time; of two with the same time the one that was logged later.
    pub fn latest(&self) -> Option<&Sample> {
        self.recent.back()
    }

    /// The newest readings, oldest first; at most [`RECENT_READINGS`].
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Sample> + ExactSizeIterator {
        self.recent.iter()
    }

    /// The kept readings from a source time on, oldest first.
    pub fn since(&self, time: Timestamp) -> impl Iterator<Item = &Sample> {
        let from = i64::try_from(time.as_nanosecond()).unwrap_or(i64::MIN);
        let start = self.recent.partition_point(|sample| sample.time_ns < from);
        self.recent.iter().skip(start)
    }

    /// How many readings the log holds.
    pub const fn count(&self) -> u64 {
        self.count
    }

    fn add(&mut self, sample: Sample) {
        if self.recent.back().is_none_or(|newest| newest.order() <= sample.order()) {
            self.recent.push_back(sample);
        } else {
            let place = self.recent.partition_point(|known| known.order() <= sample.order());
            self.recent.insert(place, sample);
        }
        if self.recent.len() > RECENT_READINGS {
            self.recent.pop_front();
        }
    }
}

/// The newest readings of each signal. They are about now: questions about the past go to the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    signals: BTreeMap<Arc<str>, Series>,
    /// Frames that had expired before they were read, and whose expiry has not been read yet: only while the model is built anew.
    expired_frames: u64,
}

impl Fold for Latest {
    const NAME: &'static str = "latest";
    const VERSION: u32 = 2;

    fn filter() -> Filter {
        filters::types(&[READINGS_TYPE, "retention.applied"])
    }

    fn apply(&mut self, entry: &Entry) {
        match &entry.content {
            Content::Gone { event_type } if event_type.as_str() == READINGS_TYPE => self.expired_frames += 1,
            Content::Event(event) => {
                if let Event::RetentionApplied(expiry) = &**event {
                    self.carry_over(expiry);
                }
            }
            _ => {}
        }
        let Some(frame) = entry.readings() else { return };
        for column in frame.columns() {
            if !self.signals.contains_key(column.signal) {
                self.signals.insert(Arc::clone(column.signal), Series::default());
            }
            if let Some(series) = self.signals.get_mut(column.signal) {
                add_column(series, column, entry.position);
            }
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

/// Whether a fold must take in what an expiry carried over: it met the frames without their payloads. A fold that has read them has it all already.
/// `expired_frames` counts those that it met.
pub(super) fn takes_over(expired_frames: &mut u64, expiry: &RetentionApplied) -> bool {
    match expired_frames.checked_sub(expiry.frames) {
        Some(others) if expiry.frames > 0 => {
            *expired_frames = others;
            true
        }
        _ => false,
    }
}

/// What a reading says, in the form in which it is carried over.
pub fn carried(sample: &Sample) -> CarriedReading {
    let value = match &sample.value {
        Value::Boolean(value) => CarriedValue::Boolean(*value),
        Value::Integer(value) => CarriedValue::Integer(*value),
        Value::Float(value) if value.is_finite() => CarriedValue::Float(*value),
        Value::Float(value) => CarriedValue::Bits(value.to_bits()),
        Value::Text(value) => CarriedValue::Text(value.to_string()),
    };
    let (position, status) = (sample.position.get(), sample.status.get());
    CarriedReading { time_ns: sample.time_ns, position, row: sample.row, value, status }
}

fn taken_over(reading: &CarriedReading) -> Sample {
    let value = match &reading.value {
        CarriedValue::Boolean(value) => Value::Boolean(*value),
        CarriedValue::Integer(value) => Value::Integer(*value),
        CarriedValue::Float(value) => Value::Float(*value),
        CarriedValue::Bits(bits) => Value::Float(f64::from_bits(*bits)),
        CarriedValue::Text(value) => Value::Text(value.as_str().into()),
    };
    let (position, status) = (Position::new(reading.position), StatusCode::new(reading.status));
    Sample { time_ns: reading.time_ns, position, row: reading.row, value, status }
}

/// Only the last readings of a column can stay: it is sorted by time.
fn add_column(series: &mut Series, column: Column<'_>, position: Position) {
    let length = column.times_ns.len();
    series.count += length as u64;
    for index in length.saturating_sub(RECENT_READINGS)..length {
        let (Some(&time_ns), Some(value), Some(status)) =
            (column.times_ns.get(index), column.values.get(index), column.statuses.get(index))
        else {
            continue;
        };
        let row = column.first_row.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        series.add(Sample { time_ns, position, row, value, status });
    }
}

impl Latest {
    fn carry_over(&mut self, expiry: &RetentionApplied) {
        if !takes_over(&mut self.expired_frames, expiry) {
            return;
        }
        for signal in &expiry.carried {
            let series = self.signals.entry(signal.signal.as_str().into()).or_default();
            series.count += signal.readings;
            signal.newest.iter().for_each(|reading| series.add(taken_over(reading)));
        }
    }

    /// The newest readings of a signal.
    pub fn signal(&self, id: &str) -> Option<&Series> {
        self.signals.get(id)
    }

    /// Every signal that was ever read, by id.
    pub fn signals(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.signals.iter().map(|(id, series)| (&**id, series))
    }

    /// The newest reading of a signal.
    pub fn value(&self, id: &str) -> Option<&Sample> {
        self.signal(id)?.latest()
    }
}

#[cfg(test)]
#[path = "latest_tests.rs"]
mod tests;
