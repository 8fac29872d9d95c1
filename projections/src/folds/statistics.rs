//! What is in the log, in numbers. They are about now.

use std::collections::BTreeMap;

use domain::Event;
use eventlog::{Digest, Position};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::latest::takes_over;
use crate::{Content, Entry, Fold, READINGS_TYPE, state_digest};

/// Counts of one event type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCount {
    /// How many.
    pub count: u64,
    /// The newest position.
    pub last: Option<Position>,
}

/// Counts over the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Records.
    pub records: u64,
    /// Readings in frames.
    pub readings: u64,
    /// Frames that had expired before they were read, and whose expiry has not been read yet: only while the model is built anew.
    #[serde(default)]
    pub expired_frames: u64,
    /// Records without an event time.
    pub unknown_time: u64,
    /// Records that this program does not understand.
    pub not_understood: u64,
    /// By event type.
    pub by_type: BTreeMap<String, TypeCount>,
    /// Records by the day (UTC) on which they happened.
    pub by_day: BTreeMap<Date, u64>,
    /// Records by the source that they come from; those of our own are not in it.
    pub by_source: BTreeMap<String, u64>,
    /// The earliest event time.
    pub first_time: Option<Timestamp>,
    /// The latest event time.
    pub last_time: Option<Timestamp>,
    /// When the first record was logged.
    pub first_recorded: Option<Timestamp>,
    /// When the last record was logged.
    pub last_recorded: Option<Timestamp>,
}

impl Fold for Statistics {
    const NAME: &'static str = "statistics";
    const VERSION: u32 = 2;

    fn apply(&mut self, entry: &Entry) {
        self.records += 1;
        let name = match &entry.content {
            Content::Event(event) => {
                if let Event::RetentionApplied(expiry) = &**event
                    && takes_over(&mut self.expired_frames, expiry)
                {
                    self.readings += expiry.readings;
                }
                event.event_type()
            }
            Content::Readings(frame) => {
                self.readings += frame.len() as u64;
                READINGS_TYPE
            }
            Content::Gone { event_type } => {
                self.expired_frames += u64::from(event_type.as_str() == READINGS_TYPE);
                event_type.as_str()
            }
            Content::Unknown { event_type, .. } => {
                self.not_understood += 1;
                event_type.as_str()
            }
        };
        if let Some(count) = self.by_type.get_mut(name) {
            count.count += 1;
            count.last = Some(entry.position);
        } else {
            self.by_type.insert(name.to_owned(), TypeCount { count: 1, last: Some(entry.position) });
        }
        if let Some(source) = &entry.source {
            match self.by_source.get_mut(source) {
                Some(count) => *count += 1,
                None => drop(self.by_source.insert(source.clone(), 1)),
            }
        }
        match entry.event_time {
            Some(time) => {
                *self.by_day.entry(time.to_zoned(TimeZone::UTC).date()).or_default() += 1;
                self.first_time = Some(self.first_time.map_or(time, |first| first.min(time)));
                self.last_time = Some(self.last_time.map_or(time, |last| last.max(time)));
            }
            None => self.unknown_time += 1,
        }
        self.first_recorded.get_or_insert(entry.record_time);
        self.last_recorded = Some(entry.record_time);
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}
