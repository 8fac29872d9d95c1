//! Who was erased, what must be kept, and what expired.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{LegalHoldPlaced, LegalHoldReleased, PositionRange, SubjectErased};
use domain::ids::{Code, HoldId};
use domain::personal::DataSubject;
use eventlog::{Digest, EventId, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AsOf, Entry, Fact, Fold, filters, state_digest};

/// An erasure, and who had it done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    /// The event.
    pub event: EventId,
    /// Where the log says so.
    pub position: Position,
    /// When it was logged.
    pub record_time: Timestamp,
    /// Who had it done.
    pub actor: String,
    /// What it says.
    pub erased: SubjectErased,
}

/// A legal hold with its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// How it began.
    pub placed: Fact<LegalHoldPlaced>,
    /// How it ended, if it did.
    pub released: Option<Fact<LegalHoldReleased>>,
}

/// A run of a retention class: the parts of it that answers need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expiry {
    /// Where the log says so.
    pub position: Position,
    /// When it was logged.
    pub record_time: Timestamp,
    /// Who had it done.
    pub actor: String,
    /// The class.
    pub class: Code,
    /// Everything of the class that was logged before this time expired.
    pub before: Timestamp,
    /// The positions whose payloads were dropped.
    pub ranges: Vec<PositionRange>,
    /// How many records these are.
    pub records: u64,
    /// How many readings they held.
    pub readings: u64,
}

/// The register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Privacy {
    erasures: Vec<Erasure>,
    by_subject: BTreeMap<DataSubject, usize>,
    by_key: BTreeMap<Uuid, usize>,
    /// Each hold's placings and releases, in log order: a name can be used again.
    holds: BTreeMap<HoldId, Vec<Hold>>,
    expiries: Vec<Expiry>,
}

impl Fold for Privacy {
    const NAME: &'static str = "privacy";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["subject.erased", "legal_hold.placed", "legal_hold.released", "retention.applied"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::SubjectErased(event)) => {
                let index = self.erasures.len();
                // The first erasure is the one that destroyed the key.
                self.by_subject.entry(event.subject.clone()).or_insert(index);
                self.by_key.entry(event.data_key).or_insert(index);
                self.erasures.push(Erasure {
                    event: entry.id,
                    position: entry.position,
                    record_time: entry.record_time,
                    actor: entry.actor.clone(),
                    erased: event.clone(),
                });
            }
            Some(Event::LegalHoldPlaced(event)) => {
                let placed = Fact::of(entry, event.clone());
                self.holds.entry(event.hold.clone()).or_default().push(Hold { placed, released: None });
            }
            Some(Event::LegalHoldReleased(event)) => {
                let hold = self.holds.get_mut(&event.hold).and_then(|holds| holds.last_mut());
                if let Some(hold) = hold.filter(|hold| hold.released.is_none()) {
                    hold.released = Some(Fact::of(entry, event.clone()));
                }
            }
            Some(Event::RetentionApplied(event)) => self.expiries.push(Expiry {
                position: entry.position,
                record_time: entry.record_time,
                actor: entry.actor.clone(),
                class: event.class.clone(),
                before: event.before,
                ranges: event.ranges.clone(),
                records: event.records,
                readings: event.readings,
            }),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Privacy {
    /// Every erasure, in log order.
    pub fn erasures(&self) -> &[Erasure] {
        &self.erasures
    }

    /// The erasure of a subject.
    pub fn erasure_of(&self, subject: &DataSubject) -> Option<&Erasure> {
        self.erasures.get(*self.by_subject.get(subject)?)
    }

    /// The erasure that destroyed the key.
    pub fn erasure_by_key(&self, key: Uuid) -> Option<&Erasure> {
        self.erasures.get(*self.by_key.get(&key)?)
    }

    /// Every hold that was known, by name and then in log order.
    pub fn holds(&self, as_of: AsOf) -> impl Iterator<Item = &Hold> {
        self.holds.values().flatten().filter(move |hold| as_of.includes(hold.placed.position))
    }

    /// The holds that last.
    pub fn lasting(&self) -> impl Iterator<Item = &LegalHoldPlaced> {
        self.holds(AsOf::LATEST).filter(|hold| hold.released.is_none()).map(|hold| &hold.placed.value)
    }

    /// Every run of a retention class, in log order.
    pub fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    /// The run that dropped the payload at a position.
    pub fn expiry_of(&self, position: Position) -> Option<&Expiry> {
        self.expiries.iter().find(|expiry| covers(&expiry.ranges, position))
    }
}

/// Whether a position lies in one of the ranges, which ascend.
pub fn covers(ranges: &[PositionRange], position: Position) -> bool {
    let index = ranges.partition_point(|range| range.last < position.get());
    ranges.get(index).is_some_and(|range| range.first <= position.get())
}

#[cfg(test)]
#[path = "privacy_tests.rs"]
mod tests;
