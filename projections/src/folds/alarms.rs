//! Alarms: which are active, and what came before.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::AlarmRaised;
use domain::ids::{AlarmId, AssetId, PersonId};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// What happened to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Raised(Box<AlarmRaised>),
    Acknowledged(Option<PersonId>),
    Cleared,
}

/// An alarm as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmView<'a> {
    /// What was raised, as said last.
    pub raised: &'a AlarmRaised,
    /// When it was raised last.
    pub raised_at: Option<Timestamp>,
    /// Whether its condition lasts.
    pub active: bool,
    /// Whether somebody has seen it since it was raised last.
    pub acknowledged: bool,
    /// When its condition was over; `None` while it lasts, or when the time is unknown.
    pub cleared_at: Option<Timestamp>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// Alarms by asset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarms {
    alarms: BTreeMap<AssetId, BTreeMap<AlarmId, History<Change>>>,
}

impl Fold for Alarms {
    const NAME: &'static str = "alarms";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["alarm.raised", "alarm.acknowledged", "alarm.cleared"])
    }

    fn apply(&mut self, entry: &Entry) {
        let (asset, alarm, change) = match entry.event() {
            Some(Event::AlarmRaised(event)) => (&event.asset, &event.alarm, Change::Raised(Box::new(event.clone()))),
            Some(Event::AlarmAcknowledged(event)) => {
                (&event.asset, &event.alarm, Change::Acknowledged(event.person.clone()))
            }
            Some(Event::AlarmCleared(event)) => (&event.asset, &event.alarm, Change::Cleared),
            _ => return,
        };
        self.alarms.entry(asset.clone()).or_default().entry(alarm.clone()).or_default().push(entry, change);
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Alarms {
    /// Every alarm of an asset that was known, by id.
    pub fn of<'a>(&'a self, asset: &AssetId, as_of: AsOf) -> impl Iterator<Item = AlarmView<'a>> + use<'a> {
        let alarms = self.alarms.get(asset).into_iter().flat_map(BTreeMap::values);
        alarms.filter_map(move |history| view(history.as_of(as_of)))
    }

    /// Every alarm that was known, by asset and id.
    pub fn all(&self, as_of: AsOf) -> impl Iterator<Item = AlarmView<'_>> {
        let alarms = self.alarms.values().flat_map(BTreeMap::values);
        alarms.filter_map(move |history| view(history.as_of(as_of)))
    }

    /// The alarms whose condition lasts, by asset and id.
    pub fn active(&self, as_of: AsOf) -> impl Iterator<Item = AlarmView<'_>> {
        self.all(as_of).filter(|alarm| alarm.active)
    }

    /// The alarms of an asset that were raised in a window of event time.
    pub fn raised_between<'a>(
        &'a self,
        asset: &AssetId,
        from: Timestamp,
        to: Timestamp,
        as_of: AsOf,
    ) -> impl Iterator<Item = AlarmView<'a>> + use<'a> {
        self.of(asset, as_of).filter(move |alarm| alarm.raised_at.is_some_and(|time| from <= time && time < to))
    }
}

fn view(facts: &[Fact<Change>]) -> Option<AlarmView<'_>> {
    let (index, fact, raised) = facts.iter().enumerate().rev().find_map(|(index, fact)| match &fact.value {
        Change::Raised(raised) => Some((index, fact, &**raised)),
        Change::Acknowledged(_) | Change::Cleared => None,
    })?;
    let since = facts.get(index..).unwrap_or_default();
    let cleared = since.iter().find(|fact| fact.value == Change::Cleared);
    Some(AlarmView {
        raised,
        raised_at: fact.time,
        active: cleared.is_none(),
        acknowledged: since.iter().any(|fact| matches!(fact.value, Change::Acknowledged(_))),
        cleared_at: cleared.and_then(|fact| fact.time),
        positions: facts.iter().map(|fact| fact.position).collect(),
    })
}
