//! Fault episodes joined with the work that answered them: the store that diagnosis and maintenance knowledge count in.
//!
//! The fold only collects facts; every view is computed at the asked position. See [`super::episode_view`] for the views.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::events::{
    FaultClosed, FaultCoded, FaultObserved, Milestone, WorkDone, WorkOrderClosed, WorkOrderOpened, WorkOrderProgressed,
};
use domain::ids::{AssetClass, AssetId, FaultId, WorkOrderId};
use eventlog::{Digest, Filter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fold, History, filters, state_digest};

/// What the log says about one fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultFacts {
    pub(super) observed: History<FaultObserved>,
    pub(super) coded: History<FaultCoded>,
    pub(super) closed: History<FaultClosed>,
    /// The work orders that answered it, each with the first event that says so.
    pub(super) work_orders: History<WorkOrderId>,
}

/// What the log says about one work order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkOrderFacts {
    pub(super) opened: History<WorkOrderOpened>,
    pub(super) progressed: History<WorkOrderProgressed>,
    pub(super) done: History<WorkDone>,
    pub(super) closed: History<WorkOrderClosed>,
    /// The faults that it answered, each with the first event that says so.
    pub(super) faults: History<FaultId>,
}

/// Fault episodes and work orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Episodes {
    pub(super) faults: BTreeMap<FaultId, FaultFacts>,
    pub(super) work_orders: BTreeMap<WorkOrderId, WorkOrderFacts>,
    pub(super) classes: BTreeMap<AssetId, History<AssetClass>>,
    faults_by_asset: BTreeMap<AssetId, BTreeSet<FaultId>>,
    /// Milestones of work orders by asset.
    milestones: BTreeMap<AssetId, History<Milestone>>,
    /// The newest event time that was known, at each position where it moved: how far success can be observed.
    pub(super) horizon: History<Timestamp>,
}

impl Fold for Episodes {
    const NAME: &'static str = "episodes";
    const VERSION: u32 = 2;

    fn filter() -> Filter {
        filters::types(&[
            "asset.registered",
            "fault.observed",
            "fault.coded",
            "fault.closed",
            "work_order.opened",
            "work_order.progressed",
            "work_order.work_done",
            "work_order.closed",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::AssetRegistered(event)) => {
                self.classes.entry(event.asset.clone()).or_default().push(entry, event.class.clone());
                // A registration says nothing about how far faults are observed.
                return;
            }
            Some(Event::FaultObserved(event)) => {
                self.place(&event.asset, &event.fault);
                self.fault(&event.fault).observed.push(entry, event.clone());
            }
            Some(Event::FaultCoded(event)) => {
                self.place(&event.asset, &event.fault);
                self.fault(&event.fault).coded.push(entry, event.clone());
            }
            Some(Event::FaultClosed(event)) => {
                self.place(&event.asset, &event.fault);
                self.fault(&event.fault).closed.push(entry, event.clone());
            }
            Some(Event::WorkOrderOpened(event)) => {
                self.link(entry, event.fault.as_ref(), &event.work_order);
                self.work_order(&event.work_order).opened.push(entry, event.clone());
            }
            Some(Event::WorkOrderProgressed(event)) => {
                self.milestones.entry(event.asset.clone()).or_default().push(entry, event.milestone);
                self.work_order(&event.work_order).progressed.push(entry, event.clone());
            }
            Some(Event::WorkDone(event)) => {
                self.link(entry, event.fault.as_ref(), &event.work_order);
                self.work_order(&event.work_order).done.push(entry, event.clone());
            }
            Some(Event::WorkOrderClosed(event)) => {
                self.work_order(&event.work_order).closed.push(entry, event.clone());
            }
            _ => return,
        }
        if let Some(time) = entry.event_time
            && self.horizon.last(AsOf::LATEST).is_none_or(|newest| newest.value < time)
        {
            self.horizon.push(entry, time);
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Episodes {
    fn fault(&mut self, id: &FaultId) -> &mut FaultFacts {
        self.faults.entry(id.clone()).or_default()
    }

    fn work_order(&mut self, id: &WorkOrderId) -> &mut WorkOrderFacts {
        self.work_orders.entry(id.clone()).or_default()
    }

    fn place(&mut self, asset: &AssetId, fault: &FaultId) {
        self.faults_by_asset.entry(asset.clone()).or_default().insert(fault.clone());
    }

    fn link(&mut self, entry: &Entry, fault: Option<&FaultId>, work_order: &WorkOrderId) {
        let Some(fault) = fault else { return };
        let facts = self.fault(fault);
        if !facts.work_orders.all().iter().any(|fact| fact.value == *work_order) {
            facts.work_orders.push(entry, work_order.clone());
        }
        let facts = self.work_order(work_order);
        if !facts.faults.all().iter().any(|fact| fact.value == *fault) {
            facts.faults.push(entry, fault.clone());
        }
    }

    /// The class of an asset, as it was registered last.
    pub fn class_of(&self, asset: &AssetId, as_of: AsOf) -> Option<&AssetClass> {
        self.classes.get(asset)?.last(as_of).map(|fact| &fact.value)
    }

    /// The faults that any event names together with this asset, by id.
    pub fn faults_of(&self, asset: &AssetId) -> impl Iterator<Item = &FaultId> {
        self.faults_by_asset.get(asset).into_iter().flatten()
    }

    /// When a milestone was reached by a work order on an asset, in a window of event time.
    pub fn reached_between(
        &self,
        asset: &AssetId,
        milestone: Milestone,
        from: Timestamp,
        to: Timestamp,
        as_of: AsOf,
    ) -> Vec<Timestamp> {
        let facts = self.milestones.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default();
        let reached = facts.iter().filter(|fact| fact.value == milestone).filter_map(|fact| fact.time);
        reached.filter(|time| from <= *time && *time <= to).collect()
    }

    /// How many faults and how many work orders the log names.
    pub fn len(&self) -> (usize, usize) {
        (self.faults.len(), self.work_orders.len())
    }

    /// Whether the log names no fault and no work order.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.work_orders.is_empty()
    }

    /// The newest event time of a fault or of work: what happened later is not observed yet.
    pub fn horizon(&self, as_of: AsOf) -> Option<Timestamp> {
        self.horizon.last(as_of).map(|fact| fact.value)
    }
}

#[cfg(test)]
#[path = "episodes_tests.rs"]
mod tests;
