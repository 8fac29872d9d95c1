//! The best known value of a set-point, by product.

use std::collections::BTreeMap;

use domain::Unit;
use domain::ids::{AssetId, Code, MaterialId};
use domain::kpi::Ratio;
use domain::performance::Performance;
use domain::statistics::{Effect, Estimate, LEVEL, benjamini_hochberg, mean_time_between_failures};
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::changes::timelines;
use super::{compared, process_rate};
use crate::AsOf;
use crate::operating::{OperatingModels, pieces};

/// Which values.
#[derive(Clone, Debug)]
pub struct BestRequest {
    /// Only of this product.
    pub product: Option<MaterialId>,
    /// Only at this asset.
    pub asset: Option<AssetId>,
    /// Only of this parameter.
    pub parameter: Option<Code>,
    /// From this event time.
    pub from: Timestamp,
    /// To this event time.
    pub to: Timestamp,
    /// What was known.
    pub as_of: AsOf,
    /// The share of discoveries that may be false.
    pub false_discovery_rate: f64,
    /// A value is compared when at least this many picks were woven with it.
    pub min_picks: f64,
}

/// What was woven with one value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueRecord {
    /// The product.
    pub product: MaterialId,
    /// The parameter.
    pub parameter: Code,
    /// Its value.
    pub value: f64,
    /// The unit of the value.
    pub unit: Unit,
    /// What was done with it.
    pub figures: Performance,
    /// Process stops by 100,000 picks.
    pub process_stops: Ratio,
    /// The same between its 95 % bounds; `None` without a stop.
    pub bounds: Option<Estimate>,
    /// Picks by the room for picks.
    pub loom_efficiency: Ratio,
    /// Whether it has the lowest upper bound of process stops among the product's values of this parameter that were woven with enough picks.
    pub is_best: bool,
    /// The rate of process stops with it by that with all other values; `None` where there is nothing to compare.
    pub against_others: Option<Effect>,
    /// The probability of that, adjusted for everything that was compared (Benjamini and Hochberg).
    pub q_value: Option<f64>,
    /// Whether it is a discovery at the asked rate.
    pub is_discovery: bool,
    /// Assets that wove with it.
    pub assets: Vec<AssetId>,
    /// The latest positions of the changes that set it, at most [`MAX_POSITIONS`].
    pub positions: Vec<Position>,
}

/// The most positions of a record.
pub const MAX_POSITIONS: usize = 20;

#[derive(Default)]
struct Tally {
    figures: Performance,
    assets: std::collections::BTreeSet<AssetId>,
    positions: std::collections::BTreeSet<Position>,
}

/// Values are told apart by a millionth of themselves: what was typed as 2.1 and read back as 2.1000000001 is one value.
fn key_of(value: f64) -> i64 {
    let magnitude = value.abs().log10().floor();
    let step = if magnitude.is_finite() { 10_f64.powf(magnitude - 6.0) } else { 1e-9 };
    #[expect(clippy::cast_possible_truncation, reason = "seven digits and a sign")]
    let digits = (value / step).round() as i64;
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a float")]
    let exponent = if magnitude.is_finite() { magnitude as i64 } else { 0 };
    digits.saturating_mul(1_000).saturating_add(exponent)
}

/// The values by product and parameter, the lowest upper bound of process stops first.
pub fn best_values(models: OperatingModels<'_>, request: &BestRequest) -> Vec<ValueRecord> {
    type Key<'a> = (MaterialId, &'a Code, i64);
    let mut tallies: BTreeMap<Key<'_>, (f64, Unit, Tally)> = BTreeMap::new();
    for asset in models.states.assets_with_set_points() {
        let Some(newest) = models.states.current(asset, request.as_of) else { continue };
        if request.asset.as_ref().is_some_and(|only| only != asset) {
            continue;
        }
        let timelines = timelines(models, asset, request.as_of);
        let wanted = |parameter: &&Code| request.parameter.as_ref().is_none_or(|only| only == *parameter);
        let cuts: Vec<Timestamp> = timelines.values().flatten().map(|(time, ..)| *time).collect();
        let window = (request.from, request.to.min(newest.time));
        let span = pieces::Span { from: window.0, to: window.1, horizon: newest.time };
        let pieces = pieces::of_asset(models, asset, &[], span, &cuts, request.as_of);
        for (parameter, timeline) in timelines.iter().filter(|(parameter, _)| wanted(parameter)) {
            for piece in &pieces {
                let Some(product) =
                    piece.product.filter(|product| request.product.as_ref().is_none_or(|only| only == *product))
                else {
                    continue;
                };
                let end = timeline.partition_point(|(time, ..)| *time <= piece.from);
                let Some((_, position, set)) = end.checked_sub(1).and_then(|last| timeline.get(last)) else { continue };
                let place = tallies.entry((product.clone(), *parameter, key_of(set.to)));
                let (_, _, tally) = place.or_insert_with(|| (set.to, set.unit.clone(), Tally::default()));
                tally.figures += piece.figures;
                tally.assets.insert(asset.clone());
                tally.positions.insert(*position);
            }
        }
    }
    let mut records: Vec<ValueRecord> = tallies
        .into_iter()
        .map(|((product, parameter, _), (value, unit, tally))| record(product, parameter.clone(), (value, unit), tally))
        .collect();
    compare(&mut records, request);
    records
}

fn record(product: MaterialId, parameter: Code, (value, unit): (f64, Unit), tally: Tally) -> ValueRecord {
    let rate = process_rate(&tally.figures);
    let between = mean_time_between_failures(rate.events, rate.exposure, LEVEL);
    let mut positions: Vec<Position> = tally.positions.into_iter().collect();
    let oldest = positions.len().saturating_sub(MAX_POSITIONS);
    positions.drain(..oldest);
    #[expect(clippy::cast_precision_loss, reason = "a count of stops is far below 2^52")]
    let process_stops = Ratio::new(rate.events as f64, rate.exposure);
    ValueRecord {
        product,
        parameter,
        value,
        unit,
        process_stops,
        bounds: between.map(|mean| Estimate { low: 1.0 / mean.high, value: 1.0 / mean.value, high: 1.0 / mean.low }),
        loom_efficiency: tally.figures.loom_efficiency(),
        figures: tally.figures,
        is_best: false,
        against_others: None,
        q_value: None,
        is_discovery: false,
        assets: tally.assets.into_iter().collect(),
        positions,
    }
}

/// The rate that the true one is not above, at 97.5 %; without a stop, what three and a half stops would make.
fn upper(record: &ValueRecord) -> f64 {
    let exposure = record.process_stops.denominator;
    // With no stop seen, the upper bound is χ²(0.975; 2) / 2 = 3.689 stops.
    record.bounds.map_or(3.689 / exposure, |bounds| bounds.high)
}

fn compare(records: &mut [ValueRecord], request: &BestRequest) {
    records.sort_by(|a, b| {
        let group = (&a.product, &a.parameter).cmp(&(&b.product, &b.parameter));
        group.then(upper(a).total_cmp(&upper(b))).then(a.value.total_cmp(&b.value))
    });
    let enough = |record: &ValueRecord| record.figures.picks >= request.min_picks && record.figures.picks > 0.0;
    for group in records.chunk_by_mut(|a, b| a.product == b.product && a.parameter == b.parameter) {
        let all = group.iter().fold(Performance::default(), |mut sum, record| {
            sum += record.figures;
            sum
        });
        let several = group.iter().filter(|record| enough(record)).count() > 1;
        if let Some(best) = group.iter_mut().find(|record| enough(record)) {
            best.is_best = several;
        }
        for record in group.iter_mut().filter(|record| several && enough(record)) {
            let (own, all) = (process_rate(&record.figures), process_rate(&all));
            let others =
                domain::statistics::Rate { events: all.events - own.events, exposure: all.exposure - own.exposure };
            record.against_others = compared(own, others);
        }
    }
    let p_values: Vec<f64> = records.iter().filter_map(|record| Some(record.against_others?.p_value)).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    for record in records.iter_mut().filter(|record| record.against_others.is_some()) {
        record.q_value = adjusted.next();
        record.is_discovery = record.q_value.is_some_and(|q_value| q_value <= request.false_discovery_rate);
    }
}
