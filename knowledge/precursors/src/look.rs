//! What an asset showed at a moment: which of its quantities were not as usual by then, and which alarms it had raised lately.

use std::collections::BTreeMap;

use domain::events::{Deviation, ReadingSign, Statistic};
use domain::ids::{AssetId, Code, SignalId};
use eventlog::{EventLog, Position, ReadError};
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::catalog::Catalog;

use crate::feature::{Feature, FeatureSpec, Point, seconds_ns};
use crate::source::{alarms_since, nanoseconds, readings_between, states_since, timestamp};

/// The windows that are looked at, the shortest first, each with its baseline, in seconds: what came suddenly, what came over a shift, what came over a day.
pub const WINDOWS_S: [(u64, u64); 3] = [(1_800, 86_400), (7_200, 3 * 86_400), (28_800, 3 * 86_400)];

/// From so many robust standard deviations on a quantity is high or low.
pub const LEAST_LEVEL: f64 = 3.0;

/// From so many times the usual spread on a quantity is unsteady.
pub const LEAST_RATIO: f64 = 1.5;

/// How long before the moment an alarm was raised at most, in seconds.
pub const ALARMS_S: u64 = 28_800;

/// The most readings of a signal that are looked at: at more than that, the look is of the newest windows that fit.
const MOST_READINGS: usize = 2_000_000;

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The quantities that were not as usual, by name.
    pub readings: Vec<ReadingSign>,
    /// The codes of the alarms, the first one first.
    pub alarms: Vec<Code>,
    /// Where the log says so: the alarms' positions.
    pub evidence: Vec<u64>,
    /// Since when something was not as usual: the first window of a sign begins there, or the first alarm was raised. The moment itself, where everything was.
    pub since: Timestamp,
}

/// Looks at the readings of one signal.
#[derive(Clone, Debug)]
pub struct Glance {
    features: Vec<(FeatureSpec, Feature)>,
}

impl Default for Glance {
    fn default() -> Self {
        Self { features: specs().map(|spec| (spec, Feature::new(spec))).collect() }
    }
}

fn specs() -> impl Iterator<Item = FeatureSpec> {
    WINDOWS_S.into_iter().flat_map(|(window_s, baseline_s)| {
        [Statistic::Level, Statistic::SpreadRatio].map(|statistic| FeatureSpec { statistic, window_s, baseline_s })
    })
}

/// How far before a moment readings count, in nanoseconds.
fn reach_ns() -> i64 {
    specs().map(FeatureSpec::reach_ns).max().unwrap_or_default()
}

/// What a value says.
fn said(statistic: Statistic, value: f64) -> Option<Deviation> {
    match statistic {
        Statistic::Level if value >= LEAST_LEVEL => Some(Deviation::High),
        Statistic::Level if value <= -LEAST_LEVEL => Some(Deviation::Low),
        Statistic::SpreadRatio if value >= LEAST_RATIO => Some(Deviation::Unsteady),
        _ => None,
    }
}

impl Glance {
    /// Takes a reading in, in the order of time.
    pub fn push(&mut self, time_ns: i64, value: f64, position: u64) {
        for (_, feature) in &mut self.features {
            feature.push(time_ns, value, position);
        }
    }

    /// What is not as usual at the moment, which no reading is later than: each deviation once, by the shortest window that shows it.
    pub fn signs(self, (quantity, signal): (&Code, &SignalId), at_ns: i64) -> Vec<ReadingSign> {
        let mut signs: BTreeMap<Deviation, ReadingSign> = BTreeMap::new();
        for (spec, mut feature) in self.features {
            let fresh = |point: &Point| point.time_ns.saturating_add(seconds_ns(spec.window_s)) >= at_ns;
            let Some(point) = feature.finish().filter(fresh) else { continue };
            let Some(is) = said(spec.statistic, point.value) else { continue };
            signs.entry(is).or_insert_with(|| ReadingSign {
                quantity: quantity.clone(),
                is,
                signal: signal.clone(),
                statistic: spec.statistic,
                value: point.value,
                window_s: spec.window_s,
                baseline_s: spec.baseline_s,
                until: timestamp(point.time_ns.min(at_ns)),
                positions: feature.positions(),
            });
        }
        signs.into_values().collect()
    }
}

/// The signals of an asset by quantity, as they were known. The first one by id stands for its quantity, as it does for rules.
pub fn signals(catalog: &Catalog, asset: &AssetId, as_of: AsOf) -> BTreeMap<Code, SignalId> {
    let mut signals = BTreeMap::new();
    for fact in catalog.signals_of(asset, as_of) {
        signals.entry(fact.value.quantity.clone()).or_insert_with(|| fact.value.signal.clone());
    }
    signals
}

/// Looks at an asset with these signals: what the log knew below a position, up to a moment of event time. Only readings count while the asset was running, or its state was not known.
///
/// # Errors
/// [`ReadError`].
pub async fn look(
    log: &dyn EventLog,
    (asset, signals): (&AssetId, &BTreeMap<Code, SignalId>),
    at: Timestamp,
    below: Position,
) -> Result<Look, ReadError> {
    let mut seen = Look { readings: Vec::new(), alarms: Vec::new(), evidence: Vec::new(), since: at };
    let Some(at_ns) = nanoseconds(at) else { return Ok(seen) };
    let from_ns = at_ns.saturating_sub(reach_ns());
    let mut timeline = None;
    for (quantity, signal) in signals {
        let mut readings = readings_between(log, signal, (from_ns, at_ns), below, MOST_READINGS).await?;
        if readings.is_empty() {
            continue;
        }
        let timeline = match &timeline {
            Some(timeline) => timeline,
            None => timeline.insert(states_since(log, asset, from_ns, below).await?),
        };
        readings.sort_by_key(|(time_ns, ..)| *time_ns);
        let mut glance = Glance::default();
        for (time_ns, value, position) in readings {
            if timeline.may_run(time_ns, below.get()) {
                glance.push(time_ns, value, position);
            }
        }
        seen.readings.extend(glance.signs((quantity, signal), at_ns));
    }
    for sign in &seen.readings {
        let from = nanoseconds(sign.until).map(|until| until.saturating_sub(seconds_ns(sign.window_s)));
        seen.since = from.map_or(seen.since, |from| seen.since.min(timestamp(from)));
    }
    let raised = alarms_since(log, asset, at_ns.saturating_sub(seconds_ns(ALARMS_S)), below).await?;
    let mut raised: Vec<_> = raised.into_iter().filter(|(time_ns, ..)| *time_ns <= at_ns).collect();
    raised.sort_by_key(|(time_ns, position, _)| (*time_ns, *position));
    for (time_ns, position, alarm) in raised {
        seen.since = seen.since.min(timestamp(time_ns));
        if !seen.alarms.contains(&alarm.code) {
            seen.alarms.push(alarm.code);
            seen.evidence.push(position);
        }
    }
    Ok(seen)
}

#[cfg(test)]
#[path = "look_tests.rs"]
pub(crate) mod tests;
