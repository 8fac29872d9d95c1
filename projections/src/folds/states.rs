//! Machine states and set-points over event time.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{MachineState, MachineStateChanged, SetPointChanged};
use domain::ids::{AssetId, Code};
use eventlog::{Digest, Filter, Position};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// One change on a machine's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    /// Since when.
    pub time: Timestamp,
    /// Where the log says so.
    pub position: Position,
    /// What the machine does from then on.
    pub state: MachineState,
    /// Why.
    pub reason: Option<Code>,
}

/// A stretch of time in one state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateInterval {
    /// The state.
    pub state: MachineState,
    /// Why.
    pub reason: Option<Code>,
    /// Since when, not before the window.
    pub from: Timestamp,
    /// Until when, not after the window.
    pub to: Timestamp,
    /// Where the log says that it began.
    pub position: Position,
}

/// How long a machine was in a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StateTotal {
    /// Seconds in all.
    pub seconds: f64,
    /// How many stretches.
    pub intervals: u64,
}

/// The timeline of each machine, in event time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct States {
    /// Sorted by (time, position): late events go where they belong.
    timelines: BTreeMap<AssetId, Vec<StateChange>>,
    /// Changes whose time is unknown have no place on a timeline.
    untimed: BTreeMap<AssetId, History<MachineStateChanged>>,
    set_points: BTreeMap<AssetId, History<SetPointChanged>>,
}

impl Fold for States {
    const NAME: &'static str = "states";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["asset.state_changed", "asset.set_point_changed"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::MachineStateChanged(event)) => match entry.event_time {
                Some(time) => {
                    let timeline = self.timelines.entry(event.asset.clone()).or_default();
                    // Later positions go behind equal times: the last word counts.
                    let place = timeline.partition_point(|change| change.time <= time);
                    let reason = event.reason.clone();
                    timeline.insert(place, StateChange { time, position: entry.position, state: event.state, reason });
                }
                None => self.untimed.entry(event.asset.clone()).or_default().push(entry, event.clone()),
            },
            Some(Event::SetPointChanged(event)) => {
                self.set_points.entry(event.asset.clone()).or_default().push(entry, event.clone());
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl States {
    /// The assets that have a timeline, by id.
    pub fn assets(&self) -> impl Iterator<Item = &AssetId> {
        self.timelines.keys()
    }

    /// The assets of which a set-point was ever changed, by id.
    pub fn assets_with_set_points(&self) -> impl Iterator<Item = &AssetId> {
        self.set_points.keys()
    }

    /// What a machine did at a time.
    pub fn state_at(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Option<&StateChange> {
        let timeline = self.timelines.get(asset)?;
        let end = timeline.partition_point(|change| change.time <= at);
        timeline.get(..end)?.iter().rev().find(|change| as_of.includes(change.position))
    }

    /// When the first change of a machine's state was, as far as is known: before that nothing can be said.
    pub fn first_change(&self, asset: &AssetId, as_of: AsOf) -> Option<Timestamp> {
        self.timelines.get(asset)?.iter().find(|change| as_of.includes(change.position)).map(|change| change.time)
    }

    /// When a machine last began to run, at or before a time.
    pub fn last_running_before(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Option<Timestamp> {
        let timeline = self.timelines.get(asset)?;
        let end = timeline.partition_point(|change| change.time <= at);
        let runs = |change: &&StateChange| change.state == MachineState::Running && as_of.includes(change.position);
        timeline.get(..end)?.iter().rev().find(runs).map(|change| change.time)
    }

    /// When a machine next began to run, after a time.
    pub fn next_running_after(&self, asset: &AssetId, at: Timestamp, as_of: AsOf) -> Option<Timestamp> {
        let timeline = self.timelines.get(asset)?;
        let begin = timeline.partition_point(|change| change.time <= at);
        let runs = |change: &&StateChange| change.state == MachineState::Running && as_of.includes(change.position);
        timeline.get(begin..)?.iter().find(runs).map(|change| change.time)
    }

    /// What a machine does, as far as is known.
    pub fn current(&self, asset: &AssetId, as_of: AsOf) -> Option<&StateChange> {
        self.timelines.get(asset)?.iter().rev().find(|change| as_of.includes(change.position))
    }

    /// The stretches of a window, in order. Before its first change a machine's state is not known, and such time is in no stretch.
    pub fn intervals(&self, asset: &AssetId, from: Timestamp, to: Timestamp, as_of: AsOf) -> Vec<StateInterval> {
        let mut intervals: Vec<StateInterval> = Vec::new();
        if to <= from {
            return intervals;
        }
        let timeline = self.timelines.get(asset).map(Vec::as_slice).unwrap_or_default();
        let first = timeline.partition_point(|change| change.time <= from);
        let before = self.state_at(asset, from, as_of);
        let later = timeline.get(first..).unwrap_or_default();
        let inside =
            later.iter().take_while(|change| change.time < to).filter(|change| as_of.includes(change.position));
        for change in before.into_iter().chain(inside) {
            let begin = change.time.max(from);
            if let Some(last) = intervals.last_mut() {
                last.to = begin;
            }
            intervals.push(StateInterval {
                state: change.state,
                reason: change.reason.clone(),
                from: begin,
                to,
                position: change.position,
            });
        }
        // Of several changes at one time the last counts; the others lasted no time.
        intervals.retain(|interval| interval.from < interval.to);
        intervals
    }

    /// How long a machine was in each state within a window.
    pub fn totals(
        &self,
        asset: &AssetId,
        from: Timestamp,
        to: Timestamp,
        as_of: AsOf,
    ) -> IndexMap<MachineState, StateTotal> {
        let mut totals: IndexMap<MachineState, StateTotal> = IndexMap::new();
        for interval in self.intervals(asset, from, to, as_of) {
            let total = totals.entry(interval.state).or_default();
            total.seconds += interval.to.duration_since(interval.from).as_secs_f64();
            total.intervals += 1;
        }
        totals
    }

    /// Changes of a machine's state whose time is unknown, in log order.
    pub fn untimed(&self, asset: &AssetId, as_of: AsOf) -> &[Fact<MachineStateChanged>] {
        self.untimed.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// The changes of a machine's set-points, in log order.
    pub fn set_points(&self, asset: &AssetId, as_of: AsOf) -> &[Fact<SetPointChanged>] {
        self.set_points.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// A set-point as it was at a time: the last change at or before it.
    pub fn set_point_at(
        &self,
        asset: &AssetId,
        parameter: &str,
        at: Timestamp,
        as_of: AsOf,
    ) -> Option<&Fact<SetPointChanged>> {
        let changes = self.set_points(asset, as_of).iter();
        let before = changes
            .filter(|fact| fact.value.parameter.as_str() == parameter && fact.time.is_some_and(|time| time <= at));
        before.max_by_key(|fact| (fact.time, fact.position))
    }
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
