//! What expires: which payloads a retention class drops, what is carried over of them, and whether a payload that is gone was dropped rightly.
//!
//! **Which class a record is in.** A stream may name its class in its metadata, or have that of its category ([`eventlog::metadata`]): then this class alone decides about its payloads,
//! whatever types it lists. Other streams are in every class that lists the record's type. A stream that names a class which is not configured keeps its payloads.
//!
//! Invariants:
//! - Nothing that a legal hold is about expires, and nothing without an event that says so *before* its payload is dropped.
//! - What read models in memory know of a frame is in that event: a rebuild without the frame equals the model that read it.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{CarriedReading, CarriedSignal, HoldScope, PositionRange, RetentionApplied};
use domain::ids::Code;
use eventlog::metadata::{self, RetentionClasses};
use eventlog::{ContentType, Direction, EventLog, Filter, PayloadState, Position, ReadError, Record, Tag, frames};
use jiff::Timestamp;

use crate::folds::latest::{Latest, carried};
use crate::{Entry, READINGS_TYPE, filters};

/// The types whose payloads may expire. What read models learn from any other type is not carried over.
pub const EXPIRING_TYPES: [&str; 2] = [READINGS_TYPE, "input.quarantined"];

/// The most ranges of positions in one event.
const MAX_RANGES: usize = 10_000;

/// The most readings that one event carries over, but for those of its last frame.
const MAX_CARRIED: usize = 10_000;

/// The records of one page of a scan: frames are large.
const SCAN_PAGE: usize = 64;

/// Payloads that are kept for a time only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionClass {
    /// Its name.
    pub class: Code,
    /// The types that it is about in streams that have no class: some of [`EXPIRING_TYPES`], or none for a class that streams alone are put in.
    pub types: Vec<String>,
}

impl RetentionClass {
    /// Whether it decides about the payload of a record.
    fn decides(&self, record: &Record, classes: &RetentionClasses) -> bool {
        match classes.of(&record.stream) {
            Some(class) => class.as_str() == self.class.as_str(),
            None => self.types.iter().any(|name| name == record.event_type.as_str()),
        }
    }
}

/// What may change between a plan and its event and would make the plan wrong: a legal hold, or another class of a stream or category. Who appends the events of a
/// plan does so on the condition that nothing of this came after what the plan had read.
pub fn unsettling() -> Filter {
    filters::types(&["legal_hold.placed", metadata::STREAM_TYPE, metadata::CATEGORY_TYPE])
}

/// The events that a class makes when everything in it that was logged before a time expires; none when nothing does. `latest` must have taken in the whole log as it is.
///
/// # Errors
/// [`ReadError`] names the record that cannot be read.
pub async fn plan(
    log: &dyn EventLog,
    class: &RetentionClass,
    before: Timestamp,
    holds: &[HoldScope],
    latest: &Newest,
) -> Result<Vec<RetentionApplied>, ReadError> {
    let classes = metadata::retention_classes(log).await?;
    let filter = filters::types(&EXPIRING_TYPES);
    let mut plan = Plan::new(class, before);
    let mut from = Position::START;
    loop {
        let page = log.read(from, Direction::Forward, filter.clone(), SCAN_PAGE).await?;
        let next = page.next;
        for record in &page {
            // Record times never decrease: nothing after this one is older.
            if record.record_time >= before {
                return Ok(plan.finish());
            }
            let held = |hold: &HoldScope| {
                hold.covers_record(record.stream.as_str(), record.tags.iter().map(Tag::as_str), record.record_time)
            };
            let expires = record.payload_state == PayloadState::Present && class.decides(record, &classes);
            if expires && !holds.iter().any(held) {
                plan.take(record, latest)?;
            }
        }
        match next {
            Some(next) => from = next,
            None => return Ok(plan.finish()),
        }
    }
}

/// The readings that the model of the latest values holds, by the position of their frame.
#[derive(Clone, Debug, Default)]
pub struct Newest(BTreeMap<Position, Vec<(String, CarriedReading)>>);

impl Newest {
    /// Those that the model holds now.
    pub fn of(latest: &Latest) -> Self {
        let mut newest: BTreeMap<Position, Vec<(String, CarriedReading)>> = BTreeMap::new();
        for (signal, series) in latest.signals() {
            for sample in series.recent() {
                newest.entry(sample.position).or_default().push((signal.to_owned(), carried(sample)));
            }
        }
        Self(newest)
    }
}

struct Plan<'a> {
    class: &'a RetentionClass,
    before: Timestamp,
    done: Vec<RetentionApplied>,
    open: RetentionApplied,
    signals: BTreeMap<String, CarriedSignal>,
    carried: usize,
}

impl<'a> Plan<'a> {
    fn new(class: &'a RetentionClass, before: Timestamp) -> Self {
        let open = empty(class, before);
        Self { class, before, done: Vec::new(), open, signals: BTreeMap::new(), carried: 0 }
    }

    fn take(&mut self, record: &Record, latest: &Newest) -> Result<(), ReadError> {
        let position = record.position.get();
        match self.open.ranges.last_mut() {
            Some(range) if range.last + 1 == position => range.last = position,
            _ => self.open.ranges.push(PositionRange { first: position, last: position }),
        }
        self.open.records += 1;
        if record.content_type == ContentType::Frame {
            let frame = frames::decode(&record.payload).map_err(|error| ReadError::Corrupt {
                position: record.position,
                file: "the log".to_owned(),
                reason: error.to_string(),
            })?;
            self.open.frames += 1;
            self.open.readings += frame.len() as u64;
            for column in frame.columns() {
                self.signal(column.signal).readings += column.times_ns.len() as u64;
            }
            for (signal, reading) in latest.0.get(&record.position).into_iter().flatten() {
                self.signal(signal).newest.push(reading.clone());
                self.carried += 1;
            }
        }
        if self.open.ranges.len() >= MAX_RANGES || self.carried >= MAX_CARRIED {
            self.close();
        }
        Ok(())
    }

    fn signal(&mut self, signal: &str) -> &mut CarriedSignal {
        self.signals.entry(signal.to_owned()).or_insert_with(|| CarriedSignal {
            signal: signal.to_owned(),
            readings: 0,
            newest: Vec::new(),
        })
    }

    fn close(&mut self) {
        let mut closed = std::mem::replace(&mut self.open, empty(self.class, self.before));
        closed.carried = std::mem::take(&mut self.signals).into_values().collect();
        self.carried = 0;
        if closed.records > 0 {
            self.done.push(closed);
        }
    }

    fn finish(mut self) -> Vec<RetentionApplied> {
        self.close();
        self.done
    }
}

fn empty(class: &RetentionClass, before: Timestamp) -> RetentionApplied {
    RetentionApplied {
        class: class.class.clone(),
        before,
        ranges: Vec::new(),
        records: 0,
        frames: 0,
        readings: 0,
        carried: Vec::new(),
    }
}

/// Which payloads the log's own events allow to be gone.
#[derive(Clone, Debug, Default)]
pub struct Justified {
    ranges: Vec<(Position, Position)>,
}

impl Justified {
    /// Looks at a record of the log; every one is to be shown, in order.
    pub fn observe(&mut self, record: &Record) {
        if record.event_type.as_str() != "retention.applied" {
            return;
        }
        if let Some(Event::RetentionApplied(expiry)) = Entry::decode(record.clone()).event() {
            // An event speaks of what stands before it only.
            let past = |range: &&PositionRange| range.last < record.position.get();
            let ranges = expiry.ranges.iter().filter(past);
            self.ranges.extend(ranges.map(|range| (Position::new(range.first), Position::new(range.last))));
        }
    }

    /// The first position of these runs that no event allows to be gone.
    pub fn first_unjustified(mut self, dropped: &[(Position, Position)]) -> Option<Position> {
        self.ranges.sort_unstable();
        dropped.iter().find_map(|(first, last)| {
            let mut next = *first;
            for (from, to) in &self.ranges {
                if *from <= next && next <= *to {
                    next = to.next();
                }
            }
            (next <= *last).then_some(next)
        })
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
