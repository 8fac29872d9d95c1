//! What was done about a failure mode, and how often it helped.

use std::collections::BTreeMap;

use domain::ids::Code;
use domain::kpi::{Bounds, beta_bounds};
use domain::statistics::{Quantile, quantile};
use eventlog::Position;
use jiff::SignedDuration;
use serde::Serialize;

use super::{MaintenanceScope, latest};
use crate::AsOf;
use crate::folds::episode_view::{EpisodeView, WorkOrderView};
use crate::folds::episodes::Episodes;
use domain::events::Outcome;

/// An action against a failure mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionRecord {
    /// The failure mode, as coded last; `None` for episodes that nobody has coded.
    pub mode: Option<Code>,
    /// The activity.
    pub activity: Code,
    /// What it was done to.
    pub item: Option<Code>,
    /// Trials: work of which it was observed whether it helped.
    pub n: u64,
    /// Of these, how many helped.
    pub worked: u64,
    /// Work of which nobody knows yet whether it helped: it counts neither way.
    pub censored: u64,
    /// The probability that it helps, with 5 % and 95 % quantiles (Beta, from a uniform prior). Records are ranked by `low`.
    pub success: Bounds,
    /// Hours of work, half of the times.
    pub hours_p50: Option<Quantile>,
    /// Hours of work, in nine of ten times.
    pub hours_p90: Option<Quantile>,
    /// Parts that were used, with how often, the most often first.
    pub parts: Vec<(Code, u64)>,
    /// The latest positions that say so.
    pub positions: Vec<Position>,
}

#[derive(Default)]
struct Tally {
    worked: u64,
    failed: u64,
    censored: u64,
    hours: Vec<f64>,
    parts: BTreeMap<Code, u64>,
    positions: Vec<Position>,
}

/// The actions against each mode: within a mode by the lower bound of their success, the best first. An action helped when the same mode stayed away from the asset for
/// the window after the episode's end.
///
/// An episode is a trial of what its last work order did. What an earlier order did was tried, too, when that order was closed as not solved; otherwise nobody knows.
pub fn actions(
    episodes: &Episodes,
    scope: &MaintenanceScope,
    window: SignedDuration,
    as_of: AsOf,
) -> Vec<ActionRecord> {
    let mut tallies: BTreeMap<(Option<Code>, Code, Option<Code>), Tally> = BTreeMap::new();
    for episode in episodes.at_with_window(as_of, window).filter(|episode| scope.holds(episode)) {
        let last = episode.work_orders.iter().max_by_key(|order| (order.closed_at, order.closed_position));
        for order in &episode.work_orders {
            let is_last = last.is_some_and(|last| last.work_order == order.work_order);
            let helped = if is_last {
                episode.success.observed()
            } else {
                (order.outcome == Some(Outcome::NotSolved)).then_some(false)
            };
            tally(&mut tallies, &episode, order, helped);
        }
    }
    let mut records: Vec<ActionRecord> = tallies.into_iter().map(|(key, tally)| record(key, tally)).collect();
    records.sort_by(|a, b| {
        a.mode
            .cmp(&b.mode)
            .then(b.success.low.total_cmp(&a.success.low))
            .then(b.n.cmp(&a.n))
            .then_with(|| (&a.activity, &a.item).cmp(&(&b.activity, &b.item)))
    });
    records
}

fn tally(
    tallies: &mut BTreeMap<(Option<Code>, Code, Option<Code>), Tally>,
    episode: &EpisodeView<'_>,
    order: &WorkOrderView<'_>,
    helped: Option<bool>,
) {
    // What was done twice under one order was tried once.
    let mut tried: Vec<(&Code, Option<&Code>)> = Vec::new();
    for action in &order.actions {
        let what = (action.activity, action.item);
        let key = (episode.mode.cloned(), action.activity.clone(), action.item.cloned());
        let tally = tallies.entry(key).or_default();
        tally.positions.push(action.position);
        for part in action.parts {
            *tally.parts.entry(part.part.clone()).or_default() += 1;
        }
        tally.hours.extend(action.hours);
        if tried.contains(&what) {
            continue;
        }
        tried.push(what);
        match helped {
            Some(true) => tally.worked += 1,
            Some(false) => tally.failed += 1,
            None => tally.censored += 1,
        }
        tally.positions.extend(order.closed_position);
    }
}

fn record((mode, activity, item): (Option<Code>, Code, Option<Code>), tally: Tally) -> ActionRecord {
    let mut parts: Vec<(Code, u64)> = tally.parts.into_iter().collect();
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ActionRecord {
        mode,
        activity,
        item,
        n: tally.worked + tally.failed,
        worked: tally.worked,
        censored: tally.censored,
        success: beta_bounds(tally.worked, tally.failed),
        hours_p50: quantile(tally.hours.iter().copied(), 0.5, 0.9),
        hours_p90: quantile(tally.hours.iter().copied(), 0.9, 0.9),
        parts,
        positions: latest(tally.positions),
    }
}
