//! Discrepancies: observations that contradict what was known, for somebody to resolve.

use std::collections::BTreeMap;

use domain::events::{DiscrepancyResolved, SubjectKind};
use domain::rules::{AggregateKey, AggregateState, affected};
use domain::{Event, Text};
use eventlog::{Digest, EventId, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// An observation that did not fit what was known when it arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// The event that contradicts.
    pub event: EventId,
    /// Its position.
    pub position: Position,
    /// When it happened; `None` means unknown.
    pub time: Option<Timestamp>,
    /// Its type.
    pub event_type: String,
    /// What knows better.
    pub kind: SubjectKind,
    /// Its id.
    pub id: String,
    /// The rule's stable name (`lot.shipped_twice`).
    pub rule: String,
    /// What does not fit.
    pub reason: Text,
}

/// A discrepancy with its resolution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiscrepancyView<'a> {
    /// What does not fit.
    pub discrepancy: &'a Discrepancy,
    /// What somebody decided, as said last.
    pub resolved: Option<&'a Fact<DiscrepancyResolved>>,
}

/// Every discrepancy, and the states that the rules judge by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Discrepancies {
    states: BTreeMap<AggregateKey, AggregateState>,
    /// In log order.
    found: Vec<Discrepancy>,
    resolved: BTreeMap<Uuid, History<DiscrepancyResolved>>,
}

impl Fold for Discrepancies {
    const NAME: &'static str = "discrepancies";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::business()
    }

    fn apply(&mut self, entry: &Entry) {
        let Some(event) = entry.event() else { return };
        if let Event::DiscrepancyResolved(resolution) = event {
            self.resolved.entry(resolution.event).or_default().push(entry, resolution.clone());
        }
        for key in affected(event) {
            let state = self.states.remove(&key).unwrap_or_else(|| AggregateState::new(&key));
            if let Some(contradiction) = state.contradiction(event) {
                self.found.push(Discrepancy {
                    event: entry.id,
                    position: entry.position,
                    time: entry.event_time,
                    event_type: event.event_type().to_owned(),
                    kind: key.kind.subject_kind(),
                    id: key.id.clone(),
                    rule: contradiction.rule.to_owned(),
                    reason: Text::new(&contradiction.reason_zh, &contradiction.reason),
                });
            }
            // Reality is never refused: the state goes on with what was observed.
            self.states.insert(key, state.evolve(event));
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Discrepancies {
    /// Every discrepancy that was known, in log order.
    pub fn at(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = DiscrepancyView<'_>> {
        let end = self.found.partition_point(|found| as_of.includes(found.position));
        let known = self.found.get(..end).unwrap_or_default().iter();
        known.map(move |discrepancy| DiscrepancyView {
            discrepancy,
            resolved: self.resolved.get(discrepancy.event.as_uuid()).and_then(|history| history.last(as_of)),
        })
    }

    /// The discrepancies that nobody has resolved.
    pub fn open(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = DiscrepancyView<'_>> {
        self.at(as_of).filter(|view| view.resolved.is_none())
    }

    /// The discrepancies of one event.
    pub fn of_event(&self, event: EventId, as_of: AsOf) -> impl Iterator<Item = DiscrepancyView<'_>> {
        self.at(as_of).filter(move |view| view.discrepancy.event == event)
    }

    /// What the rules know of an aggregate now.
    pub fn state(&self, key: &AggregateKey) -> Option<&AggregateState> {
        self.states.get(key)
    }
}
