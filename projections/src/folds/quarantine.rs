//! Inputs that were not understood.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{InputQuarantined, QuarantineReleased};
use eventlog::{Digest, EventId, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::privacy::covers;
use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// A quarantined input; the log has the input itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The event that put it here: its name for a release.
    pub event: EventId,
    /// Its position.
    pub position: Position,
    /// When it came in.
    pub time: Option<Timestamp>,
    /// Where it came from.
    pub source: String,
    /// Where in the source.
    pub address: String,
    /// The field that is wrong.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// A quarantined input with its release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuarantinedView<'a> {
    /// The input.
    pub input: &'a Quarantined,
    /// Its release, as said last.
    pub released: Option<&'a Fact<QuarantineReleased>>,
}

/// Counts of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuarantineCount {
    /// Inputs that were quarantined.
    pub quarantined: u64,
    /// Of these, how many were sent through again.
    pub released: u64,
    /// By reason.
    pub by_reason: BTreeMap<String, u64>,
}

/// Every input that was not understood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    inputs: Vec<Quarantined>,
    released: BTreeMap<Uuid, History<QuarantineReleased>>,
}

impl Fold for Quarantine {
    const NAME: &'static str = "quarantine";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["input.quarantined", "input.released", "retention.applied"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::InputQuarantined(InputQuarantined { source, address, field, reason, .. })) => {
                self.inputs.push(Quarantined {
                    event: entry.id,
                    position: entry.position,
                    time: entry.event_time,
                    source: source.clone(),
                    address: address.clone(),
                    field: field.clone(),
                    reason: reason.clone(),
                });
            }
            Some(Event::QuarantineReleased(event)) => {
                self.released.entry(event.quarantined).or_default().push(entry, event.clone());
            }
            // An input whose payload expired is known no more; that something was there, its record says.
            Some(Event::RetentionApplied(expiry)) => {
                self.inputs.retain(|input| !covers(&expiry.ranges, input.position));
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Quarantine {
    /// Every input that was known, in log order.
    pub fn inputs(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = QuarantinedView<'_>> {
        let end = self.inputs.partition_point(|input| as_of.includes(input.position));
        let known = self.inputs.get(..end).unwrap_or_default().iter();
        known.map(move |input| QuarantinedView {
            input,
            released: self.released.get(input.event.as_uuid()).and_then(|history| history.last(as_of)),
        })
    }

    /// The inputs that wait.
    pub fn waiting(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = QuarantinedView<'_>> {
        self.inputs(as_of).filter(|view| view.released.is_none())
    }

    /// Counts by source.
    pub fn counts(&self, as_of: AsOf) -> BTreeMap<&str, QuarantineCount> {
        let mut counts: BTreeMap<&str, QuarantineCount> = BTreeMap::new();
        for view in self.inputs(as_of) {
            let count = counts.entry(&view.input.source).or_default();
            count.quarantined += 1;
            count.released += u64::from(view.released.is_some());
            *count.by_reason.entry(view.input.reason.clone()).or_default() += 1;
        }
        counts
    }
}
