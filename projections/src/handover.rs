//! What one crew must tell the next, composed from what the log knows.

use std::collections::BTreeMap;

use domain::events::{
    ChangedSetPoint, Handover, HeldLot, OpenFault, OpenWork, ShelvedAlarm, SuppressedAlarm, Suppression,
};
use domain::ids::{AssetId, Code};
use eventlog::Position;
use jiff::Timestamp;

use crate::AsOf;
use crate::folds::alarms::Alarms;
use crate::folds::episodes::Episodes;
use crate::folds::production::Production;
use crate::folds::states::States;

/// The read models that a handover comes from.
#[derive(Clone, Copy)]
pub struct HandoverModels<'a> {
    /// Faults and work orders.
    pub episodes: &'a Episodes,
    /// Alarms that are kept back.
    pub alarms: &'a Alarms,
    /// Set-points.
    pub states: &'a States,
    /// Lots that are held.
    pub production: &'a Production,
}

/// The handover of a shift that began at `from` and ends at `at`, as the log knew it at a position. `is_ours` says which assets the shift tended; faults and work
/// whose asset is not known belong to every shift, and so do lots, which lie where nobody has said.
pub fn handover(
    models: HandoverModels<'_>,
    (from, at): (Timestamp, Timestamp),
    as_of: Position,
    is_ours: &dyn Fn(&AssetId) -> bool,
) -> Handover {
    let then = AsOf::through(as_of);
    let of_us = |asset: Option<&AssetId>| asset.is_none_or(is_ours);
    Handover {
        as_of: as_of.get(),
        open_faults: open_faults(models.episodes, then, &of_us),
        shelved_alarms: shelved(models.alarms, at, then, is_ours),
        suppressed_alarms: suppressed(models.alarms, at, then, is_ours),
        changed_set_points: changed(models.states, (from, at), then, is_ours),
        held_lots: held(models.production, then),
        open_work: open_work(models.episodes, then, &of_us),
    }
}

fn open_faults(episodes: &Episodes, as_of: AsOf, of_us: &dyn Fn(Option<&AssetId>) -> bool) -> Vec<OpenFault> {
    let open = episodes.at(as_of).filter(|episode| !episode.closed && of_us(episode.asset));
    let mut faults: Vec<OpenFault> = open
        .filter_map(|episode| {
            Some(OpenFault {
                fault: episode.fault?.clone(),
                asset: episode.asset.cloned(),
                mode: episode.mode.cloned(),
                symptoms: episode.symptoms.first().map(|text| (*text).clone()),
                since: episode.opened_at,
            })
        })
        .collect();
    faults.sort_by(|a, b| (a.since, &a.fault).cmp(&(b.since, &b.fault)));
    faults
}

fn open_work(episodes: &Episodes, as_of: AsOf, of_us: &dyn Fn(Option<&AssetId>) -> bool) -> Vec<OpenWork> {
    let open = episodes.work_orders_at(as_of).filter(|order| !order.closed && of_us(order.asset));
    let mut work: Vec<OpenWork> = open
        .map(|order| OpenWork {
            work_order: order.work_order.clone(),
            asset: order.asset.cloned(),
            description: order.description.cloned(),
            priority: order.priority,
            since: order.opened_at,
        })
        .collect();
    // The most urgent first; work without a priority after that which has one.
    work.sort_by(|a, b| {
        let key = |work: &OpenWork| (work.priority.is_none(), work.priority, work.since);
        key(a).cmp(&key(b)).then_with(|| a.work_order.cmp(&b.work_order))
    });
    work
}

fn shelved(alarms: &Alarms, at: Timestamp, as_of: AsOf, is_ours: &dyn Fn(&AssetId) -> bool) -> Vec<ShelvedAlarm> {
    let ours = alarms.suppressed_at(at, as_of).filter(|view| is_ours(view.asset));
    ours.filter_map(|view| {
        let shelving = view.shelved?;
        let person = shelving.person.cloned();
        Some(ShelvedAlarm { asset: view.asset.clone(), code: view.code.clone(), until: shelving.until, person })
    })
    .collect()
}

fn suppressed(alarms: &Alarms, at: Timestamp, as_of: AsOf, is_ours: &dyn Fn(&AssetId) -> bool) -> Vec<SuppressedAlarm> {
    let ours = alarms.suppressed_at(at, as_of).filter(|view| is_ours(view.asset));
    ours.flat_map(|view| {
        let ways = [(Suppression::ByDesign, view.by_design), (Suppression::OutOfService, view.out_of_service)];
        ways.into_iter().filter_map(move |(how, since)| {
            let since = Some(since?);
            Some(SuppressedAlarm { asset: view.asset.clone(), code: view.code.clone(), how, since })
        })
    })
    .collect()
}

/// Set-points whose value at the end differs from that at the beginning. One that was changed and set back is no override.
fn changed(
    states: &States,
    (from, at): (Timestamp, Timestamp),
    as_of: AsOf,
    is_ours: &dyn Fn(&AssetId) -> bool,
) -> Vec<ChangedSetPoint> {
    let mut found = Vec::new();
    for asset in states.assets_with_set_points().filter(|asset| is_ours(asset)) {
        let mut last: BTreeMap<&Code, _> = BTreeMap::new();
        for fact in states.set_points(asset, as_of).iter() {
            if let Some(time) = fact.time.filter(|time| from < *time && *time <= at) {
                let newest = last.entry(&fact.value.parameter).or_insert((time, fact));
                if (time, fact.position) >= (newest.0, newest.1.position) {
                    *newest = (time, fact);
                }
            }
        }
        for (parameter, (since, fact)) in last {
            let before = states.set_point_at(asset, parameter.as_str(), from, as_of);
            let from = before.and_then(|before| before.value.unit.convert(before.value.to, &fact.value.unit).ok());
            if from != Some(fact.value.to) {
                let (parameter, unit) = (parameter.clone(), fact.value.unit.clone());
                found.push(ChangedSetPoint {
                    asset: asset.clone(),
                    parameter,
                    from,
                    to: fact.value.to,
                    unit,
                    since: Some(since),
                });
            }
        }
    }
    found
}

fn held(production: &Production, as_of: AsOf) -> Vec<HeldLot> {
    let held = production.held(as_of);
    held.map(|(_, since, held)| HeldLot { lot: held.lot.clone(), reason: held.reason.clone(), since }).collect()
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
