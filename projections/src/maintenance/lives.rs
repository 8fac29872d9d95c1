//! How long something lasts, with what has not failed yet.

use std::collections::BTreeMap;

use domain::events::{Category, MachineState};
use domain::ids::AssetId;
use domain::statistics::{
    Estimate, LEVEL, Lifetime, SurvivalStep, Weibull, kaplan_meier, mean_time_between_failures, median_survival,
    weibull,
};
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MaintenanceScope, latest};
use crate::AsOf;
use crate::folds::episode_view::EpisodeView;
use crate::folds::episodes::Episodes;
use crate::folds::states::States;

/// What time is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Hours in which the machine ran: what wears it out. It needs machine states.
    #[default]
    Running,
    /// Hours of the calendar.
    Calendar,
}

/// Whose lives.
#[derive(Clone, Debug, Default)]
pub struct ReliabilityRequest {
    /// Of which failures. A life is that of an asset between two of them; with a mode or an item, between two failures of that mode or item.
    pub scope: MaintenanceScope,
    /// What time is counted in.
    pub clock: Clock,
}

/// How long something lasts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// What time was counted in.
    pub clock: Clock,
    /// Lives that ended in a failure.
    pub failures: u64,
    /// Lives that did not end: by a preventive replacement, or at the present moment.
    pub suspensions: u64,
    /// Hours watched in all.
    pub watched_h: f64,
    /// Mean time between failures in hours: hours watched by failures, between its 95 % bounds for a constant rate. `None` without a failure.
    pub mtbf_h: Option<Estimate>,
    /// The survival curve of Kaplan and Meier, in hours.
    pub survival: Vec<SurvivalStep>,
    /// When half have failed; `None` while more than half survive.
    pub median_h: Option<f64>,
    /// The Weibull distribution of greatest likelihood; `None` below two failures.
    pub weibull: Option<Weibull>,
    /// The life in hours that nine of ten reach, by the Weibull distribution (B10).
    pub b10_h: Option<f64>,
    /// The latest positions that say so.
    pub positions: Vec<Position>,
}

/// What ended or interrupted a life.
struct End {
    at: Timestamp,
    failed: bool,
    positions: Vec<Position>,
}

/// The lives in a scope. A life begins where the watching of the asset begins (its first known state or episode) or where the one before it ended. It ends with a failure,
/// with a preventive replacement (a suspension), or at the newest known event time (a suspension). How old something was when its watching began is not known, and left out.
pub fn reliability(episodes: &Episodes, states: &States, request: &ReliabilityRequest, as_of: AsOf) -> Reliability {
    let scope = &request.scope;
    let mut ends: BTreeMap<&AssetId, Vec<End>> = BTreeMap::new();
    let mut first: BTreeMap<&AssetId, Timestamp> = BTreeMap::new();
    let mut horizon = episodes.horizon(as_of);
    for asset in states.assets() {
        if let (Some(begin), Some(newest)) = (states.first_change(asset, as_of), states.current(asset, as_of)) {
            first.insert(asset, begin);
            horizon = Some(horizon.map_or(newest.time, |horizon| horizon.max(newest.time)));
        }
    }
    for episode in episodes.at(as_of) {
        let (Some(asset), Some(opened)) = (episode.asset, episode.opened_at) else { continue };
        let begin = first.entry(asset).or_insert(opened);
        *begin = (*begin).min(opened);
        ends.entry(asset).or_default().extend(end_of(&episode, scope));
    }
    let wanted = |asset: &&AssetId| {
        scope.asset.as_ref().is_none_or(|only| only == *asset)
            && (scope.class.is_none() || scope.class.as_ref() == episodes.class_of(asset, as_of))
    };
    let (mut lives, mut positions) = (Vec::new(), Vec::new());
    let Some(horizon) = horizon else { return summarize(request.clock, &lives, positions) };
    for (asset, begin) in first.into_iter().filter(|(asset, _)| wanted(asset)) {
        let mut ends = ends.remove(asset).unwrap_or_default();
        ends.sort_by_key(|end| end.at);
        let mut since = begin;
        let present = End { at: horizon, failed: false, positions: Vec::new() };
        for end in ends.into_iter().chain([present]) {
            let duration = hours(states, request.clock, asset, (since, end.at), as_of);
            // What failed at the moment at which it was put in was watched for no time, and says nothing about times.
            if duration > 0.0 {
                lives.push(Lifetime { duration, failed: end.failed });
                positions.extend(end.positions);
            }
            since = since.max(end.at);
        }
    }
    summarize(request.clock, &lives, positions)
}

/// How an episode ends a life in the scope: as a failure, or as a preventive replacement of the scope's item.
fn end_of(episode: &EpisodeView<'_>, scope: &MaintenanceScope) -> Option<End> {
    let at = episode.opened_at?;
    let by_plan = |category| matches!(category, Some(Category::Preventive | Category::ConditionBased));
    if episode.fault.is_some() {
        return scope.holds(episode).then(|| End { at, failed: true, positions: episode.positions.clone() });
    }
    let item = scope.item.as_ref()?;
    let order = episode.work_orders.first().filter(|order| by_plan(order.category))?;
    let replaced =
        order.actions.iter().find(|action| action.activity.as_str() == "replace" && action.item == Some(item))?;
    Some(End { at: replaced.time.unwrap_or(at), failed: false, positions: episode.positions.clone() })
}

fn hours(states: &States, clock: Clock, asset: &AssetId, (from, to): (Timestamp, Timestamp), as_of: AsOf) -> f64 {
    let seconds = match clock {
        Clock::Calendar => to.duration_since(from).as_secs_f64(),
        Clock::Running => {
            states.totals(asset, from, to, as_of).get(&MachineState::Running).map_or(0.0, |total| total.seconds)
        }
    };
    seconds / 3600.0
}

fn summarize(clock: Clock, lives: &[Lifetime], positions: Vec<Position>) -> Reliability {
    let count =
        |failed: bool| u64::try_from(lives.iter().filter(|life| life.failed == failed).count()).unwrap_or(u64::MAX);
    let watched_h = lives.iter().fold(0.0, |sum, life| sum + life.duration);
    let survival = kaplan_meier(lives, LEVEL).unwrap_or_default();
    let weibull = weibull(lives, LEVEL);
    Reliability {
        clock,
        failures: count(true),
        suspensions: count(false),
        watched_h,
        mtbf_h: mean_time_between_failures(count(true), watched_h, LEVEL),
        median_h: median_survival(&survival),
        survival,
        b10_h: weibull.and_then(|fit| fit.life(0.1)),
        weibull,
        positions: latest(positions),
    }
}
