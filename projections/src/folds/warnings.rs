//! Warnings of detection rules: which are open, and when each began and ended. What became of them is computed from the faults, at the asked position.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{WarningCleared, WarningRaised};
use domain::ids::{ArticleId, AssetId, WarningId};
use eventlog::{Digest, Filter};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// How far event time goes on before it is noted that it has: outcomes are judged by it, and hours matter to them.
const HORIZON_STEP: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Life {
    raised: Fact<WarningRaised>,
    cleared: Option<Fact<WarningCleared>>,
}

/// A warning as it was known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WarningView<'a> {
    /// How it began.
    pub raised: &'a Fact<WarningRaised>,
    /// How it ended; `None` while it is open.
    pub cleared: Option<&'a Fact<WarningCleared>>,
}

/// Every warning, in log order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Warnings {
    lives: Vec<Life>,
    by_id: BTreeMap<WarningId, usize>,
    /// How far event time had come, at each position where it moved by [`HORIZON_STEP`] or more.
    horizon: History<Timestamp>,
}

impl Fold for Warnings {
    const NAME: &'static str = "warnings";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "warning.raised",
            "warning.cleared",
            "fault.observed",
            "fault.coded",
            "fault.closed",
            "alarm.raised",
            "asset.state_changed",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::WarningRaised(event)) => {
                if !self.by_id.contains_key(&event.warning) {
                    self.by_id.insert(event.warning.clone(), self.lives.len());
                    self.lives.push(Life { raised: Fact::of(entry, event.clone()), cleared: None });
                }
            }
            Some(Event::WarningCleared(event)) => {
                let life = self.by_id.get(&event.warning).and_then(|index| self.lives.get_mut(*index));
                if let Some(life) = life {
                    life.cleared.get_or_insert_with(|| Fact::of(entry, event.clone()));
                }
            }
            Some(
                Event::FaultObserved(_)
                | Event::FaultCoded(_)
                | Event::FaultClosed(_)
                | Event::AlarmRaised(_)
                | Event::MachineStateChanged(_),
            ) => {}
            _ => return,
        }
        // A clock that is ahead must not make the future look observed.
        let known = entry.event_time.filter(|time| *time <= entry.record_time);
        if let Some(time) = known
            && self.horizon.last(AsOf::LATEST).is_none_or(|newest| time.duration_since(newest.value) >= HORIZON_STEP)
        {
            self.horizon.push(entry, time);
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Life {
    fn view(&self, as_of: AsOf) -> WarningView<'_> {
        WarningView {
            raised: &self.raised,
            cleared: self.cleared.as_ref().filter(|fact| as_of.includes(fact.position)),
        }
    }
}

impl Warnings {
    /// Every warning that was known, in log order.
    pub fn all(&self, as_of: AsOf) -> impl DoubleEndedIterator<Item = WarningView<'_>> {
        let end = self.lives.partition_point(|life| as_of.includes(life.raised.position));
        self.lives.get(..end).unwrap_or_default().iter().map(move |life| life.view(as_of))
    }

    /// A warning, when it was known.
    pub fn warning(&self, id: &WarningId, as_of: AsOf) -> Option<WarningView<'_>> {
        let life = self.lives.get(*self.by_id.get(id)?)?;
        as_of.includes(life.raised.position).then(|| life.view(as_of))
    }

    /// The warnings that are not over, in log order.
    pub fn open(&self, as_of: AsOf) -> impl Iterator<Item = WarningView<'_>> {
        self.all(as_of).filter(|view| view.cleared.is_none())
    }

    /// The warning of a rule on an asset that is not over.
    pub fn open_of(&self, rule: &ArticleId, asset: &AssetId, as_of: AsOf) -> Option<WarningView<'_>> {
        self.open(as_of).find(|view| view.raised.value.rule == *rule && view.raised.value.asset == *asset)
    }

    /// How far event time had come, to ten minutes: what happened later is not observed yet.
    pub fn horizon(&self, as_of: AsOf) -> Option<Timestamp> {
        self.horizon.last(as_of).map(|fact| fact.value)
    }
}

#[cfg(test)]
#[path = "warnings_tests.rs"]
mod tests;
