//! Operating performance 运行性能: what machines did, by asset, product and shift.
//!
//! A pure join of read models at a position: states say what a machine did, rolls what it made, beams which style, shifts who worked, alarms and work orders when
//! somebody came. Time is cut where any of these changes, and every piece is booked once.

pub mod deviations;
pub mod observed;
pub(crate) mod pieces;
pub mod regimes;

#[cfg(test)]
mod regimes_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use domain::ids::{AssetId, Code, EquipmentId, MaterialId, ShiftId};
use domain::kpi::Ratio;
use domain::performance::{FORMULA_VERSION, Performance};
use domain::schedule::ScheduleError;
use domain::statistics::{Estimate, LEVEL, mean_time_between_failures};
use domain::weaving::StopKind;
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use crate::AsOf;
use crate::folds::alarms::Alarms;
use crate::folds::episodes::Episodes;
use crate::folds::production::Production;
use crate::folds::quality::Quality;
use crate::folds::shifts::Shifts;
use crate::folds::states::States;

pub use pieces::NOMINAL_SPEED;

/// The read models that the figures come from.
#[derive(Clone, Copy)]
pub struct OperatingModels<'a> {
    /// Machine states and set-points.
    pub states: &'a States,
    /// Rolls and beams.
    pub production: &'a Production,
    /// Verdicts on rolls.
    pub quality: &'a Quality,
    /// Who worked.
    pub shifts: &'a Shifts,
    /// When somebody acknowledged an alarm.
    pub alarms: &'a Alarms,
    /// When somebody came to repair.
    pub episodes: &'a Episodes,
}

/// By what shifts are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByShift {
    /// Not at all.
    #[default]
    None,
    /// By name: early, late, night.
    Name,
    /// By crew.
    Crew,
    /// Each turn by itself.
    Turn,
}

/// Which figures.
#[derive(Clone, Debug)]
pub struct OperatingRequest {
    /// Only these assets; all, when empty.
    pub assets: Vec<AssetId>,
    /// From this event time.
    pub from: Timestamp,
    /// To this event time. What a machine did last is not drawn out beyond the newest change of any machine's state.
    pub to: Timestamp,
    /// What was known.
    pub as_of: AsOf,
    /// Whether assets are told apart.
    pub by_asset: bool,
    /// Whether products are told apart.
    pub by_product: bool,
    /// By what shifts are told apart.
    pub by_shift: ByShift,
}

/// What figures are about. An absent field means that it is not told apart, or not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OperatingKey {
    /// The asset.
    pub asset: Option<AssetId>,
    /// The product.
    pub product: Option<MaterialId>,
    /// The shift's name.
    pub shift_name: Option<Code>,
    /// The crew.
    pub crew: Option<Code>,
    /// The shift, where turns are told apart and somebody began it.
    pub shift: Option<ShiftId>,
    /// When the turn began, where turns are told apart.
    pub turn: Option<Timestamp>,
}

/// A rate of stops, with bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StopRate {
    /// Which stops.
    pub kind: StopKind,
    /// Stops by 100,000 picks.
    pub per_100_000_picks: Ratio,
    /// The value between its 95 % bounds (chi-square, for stops that come by chance); `None` without picks or without a stop.
    pub bounds: Option<Estimate>,
}

/// The figures of one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperatingRecord {
    /// What they are about.
    pub key: OperatingKey,
    /// The version of the formulas.
    pub formula_version: u32,
    /// Times and counts: they add up.
    pub figures: Performance,
    /// APT / PBT.
    pub availability: Ratio,
    /// PRU × PQ / APT.
    pub effectiveness: Ratio,
    /// GQ / PQ.
    pub quality: Ratio,
    /// Picks by the room for picks 织机效率.
    pub loom_efficiency: Ratio,
    /// APT / (APT + ADET).
    pub technical_efficiency: Ratio,
    /// ASUT / AUPT.
    pub setup_rate: Ratio,
    /// The product of availability, effectiveness and quality ratio.
    pub oee: Option<f64>,
    /// The same with setting up as processing.
    pub nee: Option<f64>,
    /// Stops by kind.
    pub stop_rates: Vec<StopRate>,
    /// Mean operating time between failures of the machine in hours, between its 95 % bounds.
    pub mtbf_h: Option<Estimate>,
    /// Mean time to repair in hours: from the failure until it ran.
    pub mttr_h: Option<f64>,
    /// The latest positions that say so, at most [`MAX_POSITIONS`].
    pub positions: Vec<Position>,
}

/// The most positions of a record.
pub const MAX_POSITIONS: usize = 50;

/// The figures by key, in the order of keys. `works_in` says whether an asset is in a part of the plant at a time: whose shifts are its own.
///
/// # Errors
/// [`ScheduleError`] when a shift pattern cannot be worked out.
pub fn operating(
    models: OperatingModels<'_>,
    request: &OperatingRequest,
    works_in: &dyn Fn(&AssetId, &EquipmentId, Timestamp) -> bool,
) -> Result<Vec<OperatingRecord>, ScheduleError> {
    let turns = models.shifts.turns(request.from, request.to, request.as_of)?;
    let known = models.states.assets().filter(|asset| {
        (request.assets.is_empty() || request.assets.contains(asset))
            && models.states.current(asset, request.as_of).is_some()
    });
    let newest =
        models.states.assets().filter_map(|asset| Some(models.states.current(asset, request.as_of)?.time)).max();
    let horizon = newest.unwrap_or(request.from);
    let to = horizon.min(request.to);
    let mut booked: BTreeMap<OperatingKey, (Performance, Vec<Position>)> = BTreeMap::new();
    for asset in known {
        let own = turns.iter().filter(|turn| {
            turn.equipment.as_ref().is_none_or(|equipment| works_in(asset, equipment, turn.from.max(request.from)))
        });
        let own: Vec<_> = own.collect();
        for piece in
            pieces::of_asset(models, asset, &own, pieces::Span { from: request.from, to, horizon }, &[], request.as_of)
        {
            let (figures, positions) = booked.entry(piece.key(asset, request)).or_default();
            *figures += piece.figures;
            positions.extend(piece.position);
        }
    }
    Ok(booked.into_iter().map(|(key, (figures, positions))| record(key, figures, positions)).collect())
}

fn record(key: OperatingKey, figures: Performance, mut positions: Vec<Position>) -> OperatingRecord {
    positions.sort_unstable();
    positions.dedup();
    let oldest = positions.len().saturating_sub(MAX_POSITIONS);
    positions.drain(..oldest);
    let kinds = [StopKind::Warp, StopKind::Weft, StopKind::Mechanical, StopKind::Other];
    let rate = |kind| {
        let per_100_000_picks = figures.stops_per_100_000_picks(kind);
        // The bounds of the mean between two stops, turned over.
        let between = mean_time_between_failures(figures.stops(kind).counted, figures.picks / 1e5, LEVEL);
        let bounds =
            between.map(|mean| Estimate { low: 1.0 / mean.high, value: 1.0 / mean.value, high: 1.0 / mean.low });
        StopRate { kind, per_100_000_picks, bounds }
    };
    let failures = figures.failure_times();
    OperatingRecord {
        key,
        formula_version: FORMULA_VERSION,
        availability: figures.availability(),
        effectiveness: figures.effectiveness(),
        quality: figures.quality(),
        loom_efficiency: figures.loom_efficiency(),
        technical_efficiency: figures.technical_efficiency(),
        setup_rate: figures.setup_rate(),
        oee: figures.oee(),
        nee: figures.nee(),
        stop_rates: kinds.map(rate).to_vec(),
        mtbf_h: mean_time_between_failures(failures.failures, failures.operating_s / 3600.0, LEVEL),
        mttr_h: failures.mttr_s().map(|seconds| seconds / 3600.0),
        figures,
        positions,
    }
}
