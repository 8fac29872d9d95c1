//! Alarms by the life cycle of ISA-18.2: what is active, what was seen, what is kept back, and what came before.
//!
//! An alarm is raised, acknowledged and cleared occurrence by occurrence. It is shelved, suppressed or taken out of service by its code. What follows from
//! both over time (floods, chattering, bad actors) is computed in [`super::alarm_performance`].

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{AlarmRaised, Suppression};
use domain::ids::{AlarmId, AssetId, Code, PersonId};
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

/// How an alarm was kept back, or let through again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Handling {
    Shelved { until: Timestamp, person: Option<PersonId> },
    Unshelved,
    Suppressed(Suppression),
    Unsuppressed(Suppression),
}

/// The state of an alarm (ISA-18.2, figure "alarm state transitions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Its condition lasts, and nobody has seen it.
    Unacknowledged,
    /// Its condition lasts, and somebody has seen it.
    Acknowledged,
    /// Its condition is over, and nobody has seen it.
    ReturnedUnacknowledged,
    /// Its condition is over, and somebody has seen it.
    Normal,
}

/// An alarm as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmView<'a> {
    /// What was raised, as said last.
    pub raised: &'a AlarmRaised,
    /// When it was raised last.
    pub raised_at: Option<Timestamp>,
    /// Its state.
    pub state: AlarmState,
    /// Whether its condition lasts.
    pub active: bool,
    /// Whether somebody has seen it since it was raised last.
    pub acknowledged: bool,
    /// When its condition was over; `None` while it lasts, or when the time is unknown.
    pub cleared_at: Option<Timestamp>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// An alarm from being raised to being cleared, once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activation<'a> {
    /// What was raised.
    pub raised: &'a AlarmRaised,
    /// When. An alarm whose time is unknown is in no window, and in no activation.
    pub raised_at: Timestamp,
    /// Where the log says so.
    pub position: Position,
    /// When somebody saw it; `None` when nobody did, or when the time is unknown.
    pub acknowledged_at: Option<Timestamp>,
    /// Whether somebody saw it.
    pub acknowledged: bool,
    /// When its condition was over; `None` while it lasts, or when the time is unknown.
    pub cleared_at: Option<Timestamp>,
    /// Whether its condition is over.
    pub cleared: bool,
    /// Whether it was kept from the operator when it was raised.
    pub suppressed: bool,
}

/// How an alarm is kept from the operator at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuppressionView<'a> {
    /// The asset.
    pub asset: &'a AssetId,
    /// The alarm's code.
    pub code: &'a Code,
    /// Since when and until when an operator has shelved it, and who.
    pub shelved: Option<Shelving<'a>>,
    /// Since when it is suppressed by design.
    pub by_design: Option<Timestamp>,
    /// Since when it is out of service.
    pub out_of_service: Option<Timestamp>,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// An alarm is put aside for a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shelving<'a> {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub person: Option<&'a PersonId>,
}

/// Alarms by asset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarms {
    alarms: BTreeMap<AssetId, BTreeMap<AlarmId, History<Change>>>,
    handling: BTreeMap<AssetId, BTreeMap<Code, History<Handling>>>,
}

impl Fold for Alarms {
    const NAME: &'static str = "alarms";
    const VERSION: u32 = 2;

    fn filter() -> Filter {
        filters::types(&[
            "alarm.raised",
            "alarm.acknowledged",
            "alarm.cleared",
            "alarm.shelved",
            "alarm.unshelved",
            "alarm.suppressed",
            "alarm.unsuppressed",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        let (asset, alarm, change) = match entry.event() {
            Some(Event::AlarmRaised(event)) => (&event.asset, &event.alarm, Change::Raised(Box::new(event.clone()))),
            Some(Event::AlarmAcknowledged(event)) => {
                (&event.asset, &event.alarm, Change::Acknowledged(event.person.clone()))
            }
            Some(Event::AlarmCleared(event)) => (&event.asset, &event.alarm, Change::Cleared),
            Some(event) => return self.handle(entry, event),
            None => return,
        };
        self.alarms.entry(asset.clone()).or_default().entry(alarm.clone()).or_default().push(entry, change);
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Alarms {
    fn handle(&mut self, entry: &Entry, event: &Event) {
        let (asset, code, handling) = match event {
            Event::AlarmShelved(event) => {
                let shelved = Handling::Shelved { until: event.until, person: event.person.clone() };
                (&event.asset, &event.code, shelved)
            }
            Event::AlarmUnshelved(event) => (&event.asset, &event.code, Handling::Unshelved),
            Event::AlarmSuppressed(event) => (&event.asset, &event.code, Handling::Suppressed(event.how)),
            Event::AlarmUnsuppressed(event) => (&event.asset, &event.code, Handling::Unsuppressed(event.how)),
            _ => return,
        };
        self.handling.entry(asset.clone()).or_default().entry(code.clone()).or_default().push(entry, handling);
    }

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

    /// When somebody acknowledged an alarm of an asset, in a window of event time.
    pub fn acknowledged_between(&self, asset: &AssetId, from: Timestamp, to: Timestamp, as_of: AsOf) -> Vec<Timestamp> {
        let histories = self.alarms.get(asset).into_iter().flat_map(BTreeMap::values);
        let facts = histories.flat_map(|history| history.as_of(as_of));
        let seen = facts.filter(|fact| matches!(fact.value, Change::Acknowledged(_))).filter_map(|fact| fact.time);
        seen.filter(|time| from <= *time && *time <= to).collect()
    }

    /// Every time that an alarm was raised before `to`, and was not over before `from`, by time and position. What was not over is in it however long ago it
    /// was raised.
    pub fn activations(&self, from: Timestamp, to: Timestamp, as_of: AsOf) -> Vec<Activation<'_>> {
        let histories = self.alarms.values().flat_map(BTreeMap::values);
        let mut found: Vec<Activation<'_>> = histories
            .flat_map(|history| activations(history.as_of(as_of)))
            .filter(|activation| {
                activation.raised_at < to && activation.cleared_at.is_none_or(|cleared| cleared >= from)
            })
            .collect();
        for activation in &mut found {
            let raised = activation.raised;
            activation.suppressed =
                self.suppression(&raised.asset, &raised.code, activation.raised_at, as_of).is_some();
        }
        found.sort_by_key(|activation| (activation.raised_at, activation.position));
        found
    }

    /// How an alarm is kept from the operator at a time; `None` when it is not. What has no time says nothing about any time.
    pub fn suppression<'a>(
        &'a self,
        asset: &AssetId,
        code: &Code,
        at: Timestamp,
        as_of: AsOf,
    ) -> Option<SuppressionView<'a>> {
        let (asset, codes) = self.handling.get_key_value(asset)?;
        let (code, history) = codes.get_key_value(code)?;
        suppression(asset, code, history.as_of(as_of), at)
    }

    /// Every alarm that is kept from the operator at a time, by asset and code.
    pub fn suppressed_at(&self, at: Timestamp, as_of: AsOf) -> impl Iterator<Item = SuppressionView<'_>> {
        let all = self
            .handling
            .iter()
            .flat_map(|(asset, codes)| codes.iter().map(move |(code, history)| (asset, code, history)));
        all.filter_map(move |(asset, code, history)| suppression(asset, code, history.as_of(as_of), at))
    }
}

fn suppression<'a>(
    asset: &'a AssetId,
    code: &'a Code,
    facts: &'a [Fact<Handling>],
    at: Timestamp,
) -> Option<SuppressionView<'a>> {
    let mut timed: Vec<(Timestamp, &Fact<Handling>)> =
        facts.iter().filter_map(|fact| Some((fact.time?, fact))).filter(|(time, _)| *time <= at).collect();
    // Late facts go where they belong; of equal times the last word counts.
    timed.sort_by_key(|(time, fact)| (*time, fact.position));
    let (mut shelved, mut by_design, mut out_of_service) = (None, None, None);
    for (since, fact) in timed {
        match &fact.value {
            Handling::Shelved { until, person } => {
                let shelving = Shelving { since, until: *until, person: person.as_ref() };
                shelved = Some((shelving, fact.position));
            }
            Handling::Unshelved => shelved = None,
            Handling::Suppressed(Suppression::ByDesign) => by_design = Some((since, fact.position)),
            Handling::Suppressed(Suppression::OutOfService) => out_of_service = Some((since, fact.position)),
            Handling::Unsuppressed(Suppression::ByDesign) => by_design = None,
            Handling::Unsuppressed(Suppression::OutOfService) => out_of_service = None,
        }
    }
    let shelved = shelved.filter(|(shelving, _)| at < shelving.until);
    let mut positions: Vec<Position> = Vec::new();
    positions.extend(shelved.map(|(_, position)| position));
    positions.extend(by_design.map(|(_, position)| position));
    positions.extend(out_of_service.map(|(_, position)| position));
    positions.sort_unstable();
    (!positions.is_empty()).then(|| SuppressionView {
        asset,
        code,
        shelved: shelved.map(|(shelving, _)| shelving),
        by_design: by_design.map(|(since, _)| since),
        out_of_service: out_of_service.map(|(since, _)| since),
        positions,
    })
}

/// The activations of one alarm, in log order.
fn activations<'a>(facts: &'a [Fact<Change>]) -> impl Iterator<Item = Activation<'a>> {
    // Each begins with a fact that raises the alarm, and lasts until the next one that does.
    let stretches = facts.chunk_by(|_, next| !matches!(next.value, Change::Raised(_)));
    stretches.filter_map(|stretch| {
        let (first, rest) = stretch.split_first()?;
        let Change::Raised(raised) = &first.value else { return None };
        let acknowledged = rest.iter().find(|fact| matches!(fact.value, Change::Acknowledged(_)));
        let cleared = rest.iter().find(|fact| fact.value == Change::Cleared);
        Some(Activation {
            raised,
            raised_at: first.time?,
            position: first.position,
            acknowledged_at: acknowledged.and_then(|fact| fact.time),
            acknowledged: acknowledged.is_some(),
            cleared_at: cleared.and_then(|fact| fact.time),
            cleared: cleared.is_some(),
            suppressed: false,
        })
    })
}

fn view(facts: &[Fact<Change>]) -> Option<AlarmView<'_>> {
    let (index, fact, raised) = facts.iter().enumerate().rev().find_map(|(index, fact)| match &fact.value {
        Change::Raised(raised) => Some((index, fact, &**raised)),
        Change::Acknowledged(_) | Change::Cleared => None,
    })?;
    let since = facts.get(index..).unwrap_or_default();
    let cleared = since.iter().find(|fact| fact.value == Change::Cleared);
    let acknowledged = since.iter().any(|fact| matches!(fact.value, Change::Acknowledged(_)));
    Some(AlarmView {
        raised,
        raised_at: fact.time,
        state: match (cleared.is_none(), acknowledged) {
            (true, false) => AlarmState::Unacknowledged,
            (true, true) => AlarmState::Acknowledged,
            (false, false) => AlarmState::ReturnedUnacknowledged,
            (false, true) => AlarmState::Normal,
        },
        active: cleared.is_none(),
        acknowledged,
        cleared_at: cleared.and_then(|fact| fact.time),
        positions: facts.iter().map(|fact| fact.position).collect(),
    })
}

#[cfg(test)]
#[path = "alarms_tests.rs"]
mod tests;
