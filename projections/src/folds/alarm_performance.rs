//! How well alarms serve the people who must act on them (ISA-18.2, IEC 62682, clause "monitoring and assessment").
//!
//! Pure functions over the activations of a window. Alarms that were kept from the operator when they came ([`Activation::suppressed`]) burden nobody, and
//! count in none of the figures.

use std::collections::BTreeMap;

use domain::ids::{AssetId, Code};
use domain::kpi::Ratio;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::alarms::Activation;

/// Alarms of an asset that follow each other by no more than this come from one upset; the first is the one to look at (first-up).
pub const GROUP_GAP: SignedDuration = SignedDuration::from_secs(30);
/// An alarm chatters when it is raised this often ([`CHATTER_COUNT`]) within this time.
pub const CHATTER_WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// See [`CHATTER_WINDOW`].
pub const CHATTER_COUNT: usize = 3;
/// An alarm is fleeting when it is over sooner than anybody can act, and nobody has seen it.
pub const FLEETING: SignedDuration = SignedDuration::from_secs(10);
/// The time in which a flood is counted.
pub const FLOOD_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// A flood begins when more than this many alarms come to one operator within [`FLOOD_WINDOW`].
pub const FLOOD_BEGINS_ABOVE: usize = 10;
/// A flood ends when fewer than this many have come within [`FLOOD_WINDOW`].
pub const FLOOD_ENDS_BELOW: usize = 5;
/// An alarm is stale when its condition has lasted longer than this.
pub const STALE: SignedDuration = SignedDuration::from_hours(24);

/// Alarms that came together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmGroup<'a> {
    /// The first: where the upset began.
    pub first_up: &'a Activation<'a>,
    /// What followed, by time.
    pub followed: Vec<&'a Activation<'a>>,
}

/// An alarm that came again and again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chattering<'a> {
    /// The asset.
    pub asset: &'a AssetId,
    /// The alarm's code.
    pub code: &'a Code,
    /// Bursts: stretches in which any [`CHATTER_COUNT`] successive ones came within [`CHATTER_WINDOW`].
    pub bursts: u64,
    /// How often it was raised in bursts.
    pub raised: u64,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// More alarms than one operator can answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flood {
    /// Whose: the operator position or area.
    pub place: String,
    /// When the count exceeded [`FLOOD_BEGINS_ABOVE`].
    pub from: Timestamp,
    /// When the count fell below [`FLOOD_ENDS_BELOW`]; the end of the window, when it did not.
    pub to: Timestamp,
    /// How many alarms came from ten minutes before its beginning to its end.
    pub alarms: u64,
    /// The most alarms within ten minutes.
    pub peak: u64,
    /// Where the log says so.
    pub positions: Vec<Position>,
}

/// How many alarms came, in a window, to one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlarmRate {
    /// Whose: the operator position or area.
    pub place: String,
    /// Alarms by stretches of ten minutes.
    pub per_10_min: Ratio,
    /// Alarms by hours.
    pub per_hour: Ratio,
    /// Alarms by days.
    pub per_day: Ratio,
    /// The most alarms in one of the window's stretches of ten minutes.
    pub peak_10_min: u64,
    /// Seconds in flood by seconds of the window.
    pub in_flood: Ratio,
}

/// An alarm that burdens the operator more than others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BadActor<'a> {
    /// The asset.
    pub asset: &'a AssetId,
    /// The alarm's code.
    pub code: &'a Code,
    /// How often it came, by all alarms that came.
    pub share: Ratio,
    /// How often it and all worse ones came, by all alarms that came.
    pub cumulative: Ratio,
    /// The latest positions that say so, at most [`MAX_POSITIONS`].
    pub positions: Vec<Position>,
}

/// The most positions of a bad actor.
pub const MAX_POSITIONS: usize = 20;

/// The alarms that burden somebody.
fn shown<'a>(activations: &'a [Activation<'a>]) -> impl Iterator<Item = &'a Activation<'a>> {
    activations.iter().filter(|activation| !activation.suppressed)
}

fn by_code<'a>(activations: &'a [Activation<'a>]) -> BTreeMap<(&'a AssetId, &'a Code), Vec<&'a Activation<'a>>> {
    let mut groups: BTreeMap<_, Vec<&Activation<'_>>> = BTreeMap::new();
    for activation in shown(activations) {
        groups.entry((&activation.raised.asset, &activation.raised.code)).or_default().push(activation);
    }
    groups
}

/// Alarms of one asset that came together, with the first one of each group, by time. `gap` is the longest time between two of a group ([`GROUP_GAP`] is
/// usual). The activations must be sorted, as [`super::alarms::Alarms::activations`] gives them.
pub fn groups<'a>(activations: &'a [Activation<'a>], gap: SignedDuration) -> Vec<AlarmGroup<'a>> {
    let mut by_asset: BTreeMap<&AssetId, Vec<&Activation<'_>>> = BTreeMap::new();
    for activation in shown(activations) {
        by_asset.entry(&activation.raised.asset).or_default().push(activation);
    }
    let mut groups: Vec<AlarmGroup<'a>> = Vec::new();
    for sorted in by_asset.values() {
        for group in sorted.chunk_by(|before, next| next.raised_at.duration_since(before.raised_at) <= gap) {
            if let Some((first_up, followed)) = group.split_first() {
                groups.push(AlarmGroup { first_up, followed: followed.to_vec() });
            }
        }
    }
    groups.sort_by_key(|group| (group.first_up.raised_at, group.first_up.position));
    groups
}

/// The alarms that chatter, the most often raised first.
pub fn chattering<'a>(activations: &'a [Activation<'a>]) -> Vec<Chattering<'a>> {
    let mut found = Vec::new();
    for ((asset, code), raised) in by_code(activations) {
        let mut bursts = 0;
        let mut positions: Vec<Position> = Vec::new();
        let mut last_end: Option<usize> = None;
        for (begin, run) in raised.windows(CHATTER_COUNT).enumerate() {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if last.raised_at.duration_since(first.raised_at) > CHATTER_WINDOW {
                continue;
            }
            // Runs that share an alarm are one burst.
            bursts += u64::from(last_end.is_none_or(|end| begin > end));
            last_end = Some(begin + CHATTER_COUNT - 1);
            positions.extend(run.iter().map(|activation| activation.position));
        }
        positions.sort_unstable();
        positions.dedup();
        if bursts > 0 {
            found.push(Chattering { asset, code, bursts, raised: count(positions.len()), positions });
        }
    }
    found.sort_by(|a, b| b.raised.cmp(&a.raised).then_with(|| (a.asset, a.code).cmp(&(b.asset, b.code))));
    found
}

/// The alarms that were over within [`FLEETING`] and that nobody acknowledged, by time.
pub fn fleeting<'a>(activations: &'a [Activation<'a>]) -> Vec<&'a Activation<'a>> {
    let over = |activation: &&Activation<'_>| {
        let lasted = activation.cleared_at.map(|cleared| cleared.duration_since(activation.raised_at));
        !activation.acknowledged && lasted.is_some_and(|lasted| !lasted.is_negative() && lasted < FLEETING)
    };
    shown(activations).filter(over).collect()
}

/// The alarms whose condition has lasted longer than [`STALE`] at a time, the longest first.
pub fn stale<'a>(activations: &'a [Activation<'a>], at: Timestamp) -> Vec<&'a Activation<'a>> {
    let lasts = |activation: &&Activation<'_>| {
        let over = match activation.cleared_at {
            Some(cleared) => cleared <= at,
            // It was cleared at a time that nobody knows: it cannot be said to last.
            None => activation.cleared,
        };
        !over && at.duration_since(activation.raised_at) > STALE
    };
    shown(activations).filter(lasts).collect()
}

/// The alarms that came in the window, by place and time. `place` says to whose position an asset belongs; one without is left out.
fn by_place<'a>(
    activations: &'a [Activation<'a>],
    (from, to): (Timestamp, Timestamp),
    place: impl Fn(&AssetId) -> Option<String>,
) -> BTreeMap<String, Vec<&'a Activation<'a>>> {
    let mut places: BTreeMap<String, Vec<&Activation<'_>>> = BTreeMap::new();
    for activation in shown(activations).filter(|activation| from <= activation.raised_at && activation.raised_at < to)
    {
        if let Some(place) = place(&activation.raised.asset) {
            places.entry(place).or_default().push(activation);
        }
    }
    places
}

/// The floods in a window of event time, by place and time.
pub fn floods<'a>(
    activations: &'a [Activation<'a>],
    window: (Timestamp, Timestamp),
    place: impl Fn(&AssetId) -> Option<String>,
) -> Vec<Flood> {
    let places = by_place(activations, window, place);
    places.into_iter().flat_map(|(place, raised)| floods_of(&place, &raised, window.1)).collect()
}

fn floods_of(place: &str, raised: &[&Activation<'_>], end: Timestamp) -> Vec<Flood> {
    let mut floods: Vec<Flood> = Vec::new();
    let mut open: Option<Flood> = None;
    let mut first = 0;
    for (index, activation) in raised.iter().enumerate() {
        let now = activation.raised_at;
        // A flood is over when the newest of those that keep it up has left the window, before the next alarm comes.
        if let Some(over) = open.as_ref().and_then(|_| falls_silent(raised.get(..index)?))
            && over <= now
            && let Some(flood) = open.take()
        {
            floods.push(Flood { to: over, ..flood });
        }
        while raised.get(first).is_some_and(|earlier| now.duration_since(earlier.raised_at) >= FLOOD_WINDOW) {
            first += 1;
        }
        let recent = raised.get(first..=index).unwrap_or_default();
        match &mut open {
            Some(flood) => {
                flood.alarms += 1;
                flood.peak = flood.peak.max(count(recent.len()));
                flood.positions.push(activation.position);
            }
            None if recent.len() > FLOOD_BEGINS_ABOVE => {
                let positions = recent.iter().map(|activation| activation.position).collect();
                let number = count(recent.len());
                open = Some(Flood {
                    place: place.to_owned(),
                    from: now,
                    to: end,
                    alarms: number,
                    peak: number,
                    positions,
                });
            }
            None => {}
        }
    }
    if let Some(flood) = open {
        let over = falls_silent(raised).unwrap_or(end);
        floods.push(Flood { to: over.min(end), ..flood });
    }
    floods
}

/// When fewer than [`FLOOD_ENDS_BELOW`] alarms are left within [`FLOOD_WINDOW`], when no further one comes.
fn falls_silent(raised: &[&Activation<'_>]) -> Option<Timestamp> {
    let keeps_up = raised.len().checked_sub(FLOOD_ENDS_BELOW)?;
    raised.get(keeps_up)?.raised_at.checked_add(FLOOD_WINDOW).ok()
}

/// Rates in a window of event time, by place: those in `places` and any other to which an alarm came. A place without an alarm has a rate, too.
pub fn rates<'a>(
    activations: &'a [Activation<'a>],
    window: (Timestamp, Timestamp),
    places: impl IntoIterator<Item = String>,
    place: impl Fn(&AssetId) -> Option<String>,
) -> Vec<AlarmRate> {
    let (from, to) = window;
    let seconds = to.duration_since(from).as_secs_f64().max(0.0);
    let mut raised = by_place(activations, window, place);
    for place in places {
        raised.entry(place).or_default();
    }
    let rate = |(place, raised): (String, Vec<&Activation<'_>>)| {
        let alarms = real(raised.len());
        let mut stretches: BTreeMap<i64, u64> = BTreeMap::new();
        for activation in &raised {
            let stretch = activation.raised_at.duration_since(from).as_secs() / FLOOD_WINDOW.as_secs();
            *stretches.entry(stretch).or_default() += 1;
        }
        let floods = floods_of(&place, &raised, to);
        let flooded = floods.iter().fold(0.0, |sum, flood| sum + flood.to.duration_since(flood.from).as_secs_f64());
        AlarmRate {
            place,
            per_10_min: Ratio::new(alarms, seconds / 600.0),
            per_hour: Ratio::new(alarms, seconds / 3600.0),
            per_day: Ratio::new(alarms, seconds / 86_400.0),
            peak_10_min: stretches.into_values().max().unwrap_or(0),
            in_flood: Ratio::new(flooded, seconds),
        }
    };
    raised.into_iter().map(rate).collect()
}

/// The alarms that came most often, the worst first, at most `limit`.
pub fn bad_actors<'a>(activations: &'a [Activation<'a>], limit: usize) -> Vec<BadActor<'a>> {
    let all = real(shown(activations).count());
    let mut groups: Vec<_> = by_code(activations).into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
    let mut sum = 0.0;
    let actor = |((asset, code), raised): ((&'a AssetId, &'a Code), Vec<&'a Activation<'a>>)| {
        let times = real(raised.len());
        sum += times;
        let newest = raised.get(raised.len().saturating_sub(MAX_POSITIONS)..).unwrap_or_default();
        BadActor {
            asset,
            code,
            share: Ratio::new(times, all),
            cumulative: Ratio::new(sum, all),
            positions: newest.iter().map(|activation| activation.position).collect(),
        }
    };
    groups.into_iter().take(limit).map(actor).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a count of alarms is far below 2^52")]
fn real(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "alarm_performance_tests.rs"]
mod tests;
