//! Production: what was woven where, from which beams, and which lots are held.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{BeamMounted, ClothDoffed, LotHeld};
use domain::ids::{AssetId, LotId, MaterialId};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// A roll, and the time in which it was woven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roll<'a> {
    /// How it was doffed.
    pub doffed: &'a Fact<ClothDoffed>,
    /// Since when it was woven: since the roll before it was doffed. `None` for the first one.
    pub from: Option<Timestamp>,
    /// When it was doffed.
    pub to: Timestamp,
}

/// A lot that was on an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LotThere<'a> {
    /// The lot.
    pub lot: &'a LotId,
    /// Whether it is a roll that was woven, or a beam that was woven off.
    pub is: LotRole,
    /// Since when it was there, where that is known.
    pub since: Option<Timestamp>,
    /// Until when it was there; absent while it is.
    pub until: Option<Timestamp>,
    /// Where the log says so.
    pub position: Position,
}

/// What a lot is to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LotRole {
    /// A roll that was woven there.
    Roll,
    /// A beam that was mounted there.
    Beam,
}

/// What happened to a lot's freedom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hold {
    Held(LotHeld),
    /// Released, scrapped or shipped.
    Over,
}

/// What was woven, and which lots are held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Production {
    rolls: BTreeMap<AssetId, History<ClothDoffed>>,
    mounts: BTreeMap<AssetId, History<BeamMounted>>,
    /// The asset of each roll, for questions that begin at the roll.
    loom_of: BTreeMap<LotId, AssetId>,
    holds: BTreeMap<LotId, History<Hold>>,
}

impl Fold for Production {
    const NAME: &'static str = "production";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "weaving.cloth_doffed",
            "weaving.beam_mounted",
            "lot.held",
            "lot.released",
            "lot.scrapped",
            "lot.shipped",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::ClothDoffed(event)) => {
                self.rolls.entry(event.asset.clone()).or_default().push(entry, event.clone());
                self.loom_of.entry(event.roll.clone()).or_insert_with(|| event.asset.clone());
            }
            Some(Event::BeamMounted(event)) => {
                self.mounts.entry(event.asset.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::LotHeld(event)) => {
                self.holds.entry(event.lot.clone()).or_default().push(entry, Hold::Held(event.clone()));
            }
            Some(Event::LotReleased(event)) => self.over(entry, &event.lot),
            Some(Event::LotShipped(event)) => self.over(entry, &event.lot),
            // A part that is scrapped leaves the rest as it is.
            Some(Event::LotScrapped(event)) if event.quantity.is_none() => self.over(entry, &event.lot),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Production {
    fn over(&mut self, entry: &Entry, lot: &LotId) {
        // A lot that was never held need not be remembered.
        if let Some(history) = self.holds.get_mut(lot) {
            history.push(entry, Hold::Over);
        }
    }

    /// The assets that cloth was doffed from or that beams were mounted on, by id.
    pub fn assets(&self) -> std::collections::BTreeSet<&AssetId> {
        self.rolls.keys().chain(self.mounts.keys()).collect()
    }

    /// The rolls of an asset by the time at which they were doffed, with the time in which each was woven. Rolls without a time are left out.
    pub fn rolls(&self, asset: &AssetId, as_of: AsOf) -> Vec<Roll<'_>> {
        let facts = self.rolls.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default();
        let mut rolls: Vec<Roll<'_>> =
            facts.iter().filter_map(|doffed| Some(Roll { doffed, from: None, to: doffed.time? })).collect();
        rolls.sort_by_key(|roll| (roll.to, roll.doffed.position));
        let mut before = None;
        for roll in &mut rolls {
            roll.from = before.replace(roll.to);
        }
        rolls
    }

    /// The rolls and beams that were on an asset in a stretch of event time, both ends included, by time. A roll that is being woven has no name yet: its beam stands for it.
    pub fn lots_on(&self, asset: &AssetId, from: Timestamp, to: Timestamp, as_of: AsOf) -> Vec<LotThere<'_>> {
        let rolls = self.rolls(asset, as_of).into_iter().map(|roll| LotThere {
            lot: &roll.doffed.value.roll,
            is: LotRole::Roll,
            since: roll.from,
            until: Some(roll.to),
            position: roll.doffed.position,
        });
        let mounts = self.mounts.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default();
        let mut mounts: Vec<&Fact<BeamMounted>> = mounts.iter().filter(|fact| fact.time.is_some()).collect();
        mounts.sort_by_key(|fact| (fact.time, fact.position));
        // A beam is there until the next one is mounted.
        let ends = mounts.iter().skip(1).map(|next| next.time).chain([None]);
        let beams = mounts.iter().zip(ends).map(|(fact, until)| LotThere {
            lot: &fact.value.beam,
            is: LotRole::Beam,
            since: fact.time,
            until,
            position: fact.position,
        });
        let there = |lot: &LotThere<'_>| {
            lot.since.is_none_or(|since| since <= to) && lot.until.is_none_or(|until| until >= from)
        };
        let mut lots: Vec<LotThere<'_>> = rolls.chain(beams).filter(there).collect();
        lots.sort_by_key(|lot| (lot.since, lot.is, lot.position));
        lots
    }

    /// How a roll was doffed, as said last.
    pub fn roll(&self, roll: &LotId, as_of: AsOf) -> Option<&Fact<ClothDoffed>> {
        let history = self.rolls.get(self.loom_of.get(roll)?)?;
        history.as_of(as_of).iter().rev().find(|fact| fact.value.roll == *roll)
    }

    /// The styles of a loom: since when each was woven, by time, as the beams and the rolls say. A roll says what was woven since the roll before.
    pub fn styles(&self, asset: &AssetId, as_of: AsOf) -> Vec<(Timestamp, &MaterialId)> {
        let mounts = self.mounts.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default();
        let mounted = mounts.iter().filter_map(|fact| Some((fact.time?, fact.position, &fact.value.product)));
        let rolls = self.rolls(asset, as_of);
        let woven =
            rolls.iter().filter_map(|roll| Some((roll.from?, roll.doffed.position, &roll.doffed.value.product)));
        let mut styles: Vec<_> = mounted.chain(woven).collect();
        styles.sort_by_key(|(time, position, _)| (*time, *position));
        let mut found: Vec<(Timestamp, &MaterialId)> = Vec::new();
        for (time, _, product) in styles {
            if found.last().is_none_or(|(_, last)| *last != product) {
                found.push((time, product));
            }
        }
        found
    }

    /// The lots that are held, by id, with the event that says so.
    pub fn held(&self, as_of: AsOf) -> impl Iterator<Item = (Position, Option<Timestamp>, &LotHeld)> {
        self.holds.values().filter_map(move |history| match history.last(as_of)? {
            Fact { position, time, value: Hold::Held(held) } => Some((*position, *time, held)),
            Fact { value: Hold::Over, .. } => None,
        })
    }
}

#[cfg(test)]
#[path = "production_tests.rs"]
mod tests;
