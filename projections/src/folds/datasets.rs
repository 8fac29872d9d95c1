//! Tables for training: which were built, and which of them no longer say what the log says now.
//!
//! A dataset never changes, and neither does the answer to what was known at its position. What was learnt since makes it *stale*: a fault that a label came from was
//! coded anew, a fault came in late, a signal was bound to something else, readings that went in have expired. Erasures change no dataset: none is made of
//! personal data.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::events::{DatasetBuilt, FaultObserved, PositionRange, RetentionApplied, SignalDefined};
use domain::ids::{AssetId, DatasetId, FaultId, InspectionId, NonconformanceId, SignalId};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fold, filters, state_digest};

/// The most reasons that are kept of one dataset; it is stale from the first one on.
pub const MAX_REASONS: usize = 1000;

/// A dataset, with where the log says that it was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// Where the log says so.
    pub position: Position,
    /// When it was logged.
    pub record_time: Timestamp,
    /// Who had it built.
    pub actor: String,
    /// What was said. The positions of its labels are left out: they stand in the event.
    pub built: DatasetBuilt,
    /// How many events its labels came from.
    pub label_events: u64,
    reasons: Vec<Stale>,
}

/// Why a dataset no longer says what the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// What happened.
    pub reason: Reason,
    /// To which fault, inspection, nonconformance or signal, or by which retention class.
    pub id: String,
    /// Where the log says so.
    pub position: Position,
    /// Since when it is so, where that is known.
    pub time: Option<Timestamp>,
}

/// What makes a dataset stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A fault that a label came from was coded, or coded anew.
    Recoded,
    /// An inspection that a label came from was recorded anew.
    InspectedAgain,
    /// A nonconformance that a label came from was raised anew or decided.
    Decided,
    /// A fault of one of its assets, within its span of time, was logged after its position.
    LateFault,
    /// A signal was bound to another asset, quantity or unit.
    Rebound,
    /// Payloads of readings that went in have expired: it cannot be built again.
    Expired,
}

/// What a label can come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Thing {
    Fault(FaultId),
    Inspection(InspectionId),
    Nonconformance(NonconformanceId),
}

impl Thing {
    fn id(&self) -> &str {
        match self {
            Self::Fault(id) => id.as_str(),
            Self::Inspection(id) => id.as_str(),
            Self::Nonconformance(id) => id.as_str(),
        }
    }
}

/// Something that was said of a thing or signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    position: Position,
    time: Option<Timestamp>,
    /// Whether it can change a label.
    changes: Option<Reason>,
}

/// What a signal measures, and where that became something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Binding {
    last: SignalDefined,
    rebound: Vec<Said>,
}

/// Every dataset, and what it depends on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Datasets {
    datasets: BTreeMap<DatasetId, Dataset>,
    /// In log order.
    order: Vec<DatasetId>,
    by_thing: BTreeMap<Thing, BTreeSet<DatasetId>>,
    by_signal: BTreeMap<SignalId, BTreeSet<DatasetId>>,
    /// Those that look at faults.
    by_asset: BTreeMap<AssetId, BTreeSet<DatasetId>>,
    /// What the event at a position is about.
    things: BTreeMap<Position, Thing>,
    said: BTreeMap<Thing, Vec<Said>>,
    faults: BTreeMap<AssetId, Vec<(FaultId, Said)>>,
    bindings: BTreeMap<SignalId, Binding>,
}

impl Fold for Datasets {
    const NAME: &'static str = "datasets";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "dataset.built",
            "fault.observed",
            "fault.coded",
            "inspection.recorded",
            "nonconformance.raised",
            "nonconformance.decided",
            "signal.defined",
            "retention.applied",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::DatasetBuilt(event)) => self.built(entry, event),
            Some(Event::FaultObserved(event)) => self.observed(entry, event),
            Some(Event::FaultCoded(event)) => {
                self.say(entry, Thing::Fault(event.fault.clone()), Some(Reason::Recoded));
            }
            Some(Event::InspectionRecorded(event)) => {
                self.say(entry, Thing::Inspection(event.inspection.clone()), Some(Reason::InspectedAgain));
            }
            Some(Event::NonconformanceRaised(event)) => {
                self.say(entry, Thing::Nonconformance(event.nonconformance.clone()), Some(Reason::Decided));
            }
            Some(Event::DispositionDecided(event)) => {
                self.say(entry, Thing::Nonconformance(event.nonconformance.clone()), Some(Reason::Decided));
            }
            Some(Event::SignalDefined(event)) => self.defined(entry, event),
            Some(Event::RetentionApplied(event)) => self.expired(entry, event),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Dataset {
    /// Why it is stale, in log order; empty when it is not. At most [`MAX_REASONS`].
    pub fn stale(&self, as_of: AsOf) -> impl Iterator<Item = &Stale> {
        self.reasons.iter().filter(move |stale| as_of.includes(stale.position))
    }

    /// Adds a reason that stands behind what the dataset knows of.
    fn add(&mut self, stale: Stale) {
        let seen = |one: &Stale| one.position == stale.position && one.id == stale.id;
        if stale.position.get() <= self.built.as_of
            || self.reasons.len() >= MAX_REASONS
            || self.reasons.iter().any(seen)
        {
            return;
        }
        let place = self.reasons.partition_point(|one| one.position <= stale.position);
        self.reasons.insert(place, stale);
    }

    fn looks_at(&self, time: Option<Timestamp>) -> bool {
        let (from, until) = (self.built.from, self.built.until);
        time.is_some_and(|time| from.is_none_or(|from| from <= time) && until.is_none_or(|until| time < until))
    }

    fn looks_at_faults(&self) -> bool {
        self.built.event_types.iter().any(|name| name == "fault.observed")
    }
}

impl Datasets {
    /// A dataset that was built by then.
    pub fn dataset(&self, id: &DatasetId, as_of: AsOf) -> Option<&Dataset> {
        self.datasets.get(id).filter(|dataset| as_of.includes(dataset.position))
    }

    /// Every dataset that was built by then, in log order.
    pub fn datasets(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = &Dataset> {
        let all = self.order.iter().filter_map(|id| self.datasets.get(id));
        all.filter(move |dataset| as_of.includes(dataset.position))
    }

    /// The datasets with this name, in log order.
    pub fn named<'a>(&'a self, name: &'a str, as_of: AsOf) -> impl DoubleEndedIterator<Item = &'a Dataset> {
        self.datasets(as_of).filter(move |dataset| dataset.built.name == name)
    }

    /// The dataset that was built last among those whose file has this digest.
    pub fn by_digest(&self, sha256: &str, as_of: AsOf) -> Option<&Dataset> {
        self.datasets(as_of).rev().find(|dataset| dataset.built.file.sha256 == sha256)
    }

    fn built(&mut self, entry: &Entry, event: &DatasetBuilt) {
        let mut built = event.clone();
        let labels = std::mem::take(&mut built.label_positions);
        let mut dataset = Dataset {
            position: entry.position,
            record_time: entry.record_time,
            actor: entry.actor.clone(),
            label_events: labels.len() as u64,
            built,
            reasons: Vec::new(),
        };
        let id = &event.dataset;
        let things: BTreeSet<Thing> =
            labels.iter().filter_map(|position| self.things.get(&Position::new(*position))).cloned().collect();
        // What was said between the position that it knows of and the event itself.
        for thing in things {
            for said in self.said.get(&thing).into_iter().flatten() {
                if let Some(reason) = said.changes {
                    dataset.add(stale(reason, thing.id(), said));
                }
            }
            self.by_thing.entry(thing).or_default().insert(id.clone());
        }
        for signal in &event.signals {
            for said in self.bindings.get(signal).into_iter().flat_map(|binding| &binding.rebound) {
                dataset.add(stale(Reason::Rebound, signal.as_str(), said));
            }
            self.by_signal.entry(signal.clone()).or_default().insert(id.clone());
        }
        if dataset.looks_at_faults() {
            for asset in &event.assets {
                for (fault, said) in self.faults.get(asset).into_iter().flatten() {
                    if dataset.looks_at(said.time) {
                        dataset.add(stale(Reason::LateFault, fault.as_str(), said));
                    }
                }
                self.by_asset.entry(asset.clone()).or_default().insert(id.clone());
            }
        }
        // An id is given once; where it is not, the first dataset keeps it.
        if !self.datasets.contains_key(id) {
            self.order.push(id.clone());
            self.datasets.insert(id.clone(), dataset);
        }
    }

    fn observed(&mut self, entry: &Entry, event: &FaultObserved) {
        let thing = Thing::Fault(event.fault.clone());
        let is_new = !self.said.contains_key(&thing);
        self.say(entry, thing, None);
        if !is_new {
            return;
        }
        let said = Said { position: entry.position, time: entry.event_time, changes: None };
        self.faults.entry(event.asset.clone()).or_default().push((event.fault.clone(), said));
        for id in self.by_asset.get(&event.asset).into_iter().flatten() {
            let Some(dataset) = self.datasets.get_mut(id) else { continue };
            if dataset.looks_at(said.time) {
                dataset.add(stale(Reason::LateFault, event.fault.as_str(), &said));
            }
        }
    }

    /// Takes in what an event says of a thing that labels can come from.
    fn say(&mut self, entry: &Entry, thing: Thing, changes: Option<Reason>) {
        let said = Said { position: entry.position, time: entry.event_time, changes };
        if let Some(reason) = changes {
            for id in self.by_thing.get(&thing).into_iter().flatten() {
                if let Some(dataset) = self.datasets.get_mut(id) {
                    dataset.add(stale(reason, thing.id(), &said));
                }
            }
        }
        self.things.insert(entry.position, thing.clone());
        self.said.entry(thing).or_default().push(said);
    }

    fn defined(&mut self, entry: &Entry, event: &SignalDefined) {
        let Some(binding) = self.bindings.get_mut(&event.signal) else {
            self.bindings.insert(event.signal.clone(), Binding { last: event.clone(), rebound: Vec::new() });
            return;
        };
        let bound = |one: &SignalDefined| (one.asset.clone(), one.quantity.clone(), one.unit.clone());
        let is_same = bound(&binding.last) == bound(event);
        binding.last = event.clone();
        if is_same {
            return;
        }
        let said = Said { position: entry.position, time: entry.event_time, changes: Some(Reason::Rebound) };
        binding.rebound.push(said);
        for id in self.by_signal.get(&event.signal).into_iter().flatten() {
            if let Some(dataset) = self.datasets.get_mut(id) {
                dataset.add(stale(Reason::Rebound, event.signal.as_str(), &said));
            }
        }
    }

    /// Only what expires after a dataset was built had gone into it.
    fn expired(&mut self, entry: &Entry, event: &RetentionApplied) {
        let said = Said { position: entry.position, time: None, changes: None };
        for carried in &event.carried {
            let Ok(signal) = SignalId::new(&carried.signal) else { continue };
            for id in self.by_signal.get(&signal).into_iter().flatten() {
                let Some(dataset) = self.datasets.get_mut(id) else { continue };
                let took = dataset.built.first_position.zip(dataset.built.last_position);
                if took.is_some_and(|(first, last)| touches(&event.ranges, first, last)) {
                    dataset.add(stale(Reason::Expired, event.class.as_str(), &said));
                }
            }
        }
    }
}

fn stale(reason: Reason, id: &str, said: &Said) -> Stale {
    Stale { reason, id: id.to_owned(), position: said.position, time: said.time }
}

/// Whether one of the ranges, which ascend, has a position from the first to the last one.
fn touches(ranges: &[PositionRange], first: u64, last: u64) -> bool {
    let index = ranges.partition_point(|range| range.last < first);
    ranges.get(index).is_some_and(|range| range.first <= last)
}

#[cfg(test)]
#[path = "datasets_tests.rs"]
mod tests;
