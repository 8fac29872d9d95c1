//! Readings of one signal: which segments have some, and in segments that are not sealed, which frames.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::sealed::cache::{Kept, Key};
use super::store::{Segment, Store};
use crate::readings::{Filling, ReadingsPage, ReadingsQuery};
use crate::{ContentType, DigestAlgorithm, PayloadState, Position, ReadError, Record, frames};

/// The frames that are looked at before the lock is given to others.
const ROWS_AT_ONCE: u32 = 64;

/// The readings of one signal in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    row: u32,
    min_time_ns: i64,
    max_time_ns: i64,
}

/// Which frames of the first rows of a segment hold which signal, and when: derived from the heads of their columns, kept in memory for a while.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The rows that were looked at.
    rows: u32,
    seen: HashMap<Arc<str>, Vec<Seen>>,
    memory: usize,
}

impl Signals {
    fn add(&mut self, row: u32, record: &Record) {
        self.rows = row + 1;
        let readable = record.content_type == ContentType::Frame
            && record.payload_digest.algorithm == DigestAlgorithm::FrameSha256
            && record.payload_state == PayloadState::Present;
        if !readable {
            return;
        }
        // A frame that cannot be read is met, and named, by whoever asks for it.
        for column in frames::summaries(&record.payload).unwrap_or_default() {
            let (min_time_ns, max_time_ns) = (column.min_time_ns, column.max_time_ns);
            self.memory += size_of::<Seen>();
            let seen = self.seen.entry(column.signal).or_insert_with_key(|signal| {
                self.memory += signal.len() + 96;
                Vec::new()
            });
            seen.push(Seen { row, min_time_ns, max_time_ns });
        }
    }
}

impl Store {
    /// The readings that match, below the tail.
    pub(super) fn readings(&self, query: &ReadingsQuery) -> Result<ReadingsPage, ReadError> {
        // Ordering: the tail before the segments, so that every position below it has its segment.
        let below = self.tail().min(query.below);
        let segments = self.segments();
        let mut filling = Filling::new(query);
        let skip = segments.partition_point(|segment| segment.header.base <= query.start.position).saturating_sub(1);
        for segment in segments.iter().skip(skip).take_while(|segment| segment.header.base < below) {
            let room = match &segment.sealed {
                Some(sealed) => sealed.readings(query, below, &mut filling)?,
                None => self.unsealed_readings(segment, query, below, &mut filling)?,
            };
            if !room {
                break;
            }
        }
        Ok(filling.page)
    }

    fn unsealed_readings(
        &self,
        segment: &Segment,
        query: &ReadingsQuery,
        below: Position,
        filling: &mut Filling,
    ) -> Result<bool, ReadError> {
        let base = segment.header.base.get();
        let first = u32::try_from(query.start.position.get().saturating_sub(base)).unwrap_or(u32::MAX);
        let end = segment.rows_below(below).min(segment.rows());
        let signals = self.signals(segment, end)?;
        let rows: Vec<u32> = {
            let signals = signals.lock();
            let seen = signals.seen.get(query.signal.as_str()).map(Vec::as_slice).unwrap_or_default();
            let overlapping = seen.iter().filter(|seen| filling.overlaps(seen.min_time_ns, seen.max_time_ns));
            overlapping.map(|seen| seen.row).filter(|row| (first..end).contains(row)).collect()
        };
        let mut last = None;
        if !rows.is_empty() {
            filling.page.touched.segments += 1;
        }
        for row in rows {
            // A signal with values of two kinds has two columns in one frame.
            if last.replace(row) == Some(row) {
                continue;
            }
            let mut records = Vec::new();
            self.reading(|names| segment.run((row, 1), names, |record| records.push(record)))?;
            for record in &records {
                if !filling.take_frame(record, query)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The signals of the first `end` rows of a segment, looked up where that was not done yet.
    fn signals(&self, segment: &Segment, end: u32) -> Result<Arc<Mutex<Signals>>, ReadError> {
        let key = Key::signals(segment.header.number);
        let signals = match self.cache().get(key) {
            Some(Kept::Signals(signals)) => signals,
            _ => Arc::default(),
        };
        let mut grown = false;
        loop {
            let mut held = signals.lock();
            let count = end.saturating_sub(held.rows).min(ROWS_AT_ONCE);
            if count == 0 {
                let memory = held.memory;
                drop(held);
                if grown {
                    self.cache().put(key, Kept::Signals(Arc::clone(&signals)), memory);
                }
                return Ok(signals);
            }
            let mut records = Vec::new();
            let row = held.rows;
            self.reading(|names| segment.run((row, count), names, |record| records.push(record)))?;
            for (index, record) in records.iter().enumerate() {
                held.add(row + index as u32, record);
            }
            grown = true;
        }
    }
}
