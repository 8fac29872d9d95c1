//! Precursors: conditions that came before faults of a mode more often than chance would have it.
//!
//! Time is split. The threshold of each candidate is chosen on the earlier part; precision, recall, lead time and false alarms are those of the later part, which nothing was
//! chosen by. The probability that so many faults are caught by chance is adjusted for every candidate that was tried (Benjamini and Hochberg).

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{Condition, Detection, Side, Statistic, TrackRecord};
use domain::ids::{AssetId, Code};
use domain::statistics::benjamini_hochberg;
use serde::Serialize;

use crate::feature::{FeatureSpec, Point, seconds_ns};
use crate::judge::{Fault, Judged, Tally, without_recurrences};
use crate::trigger::Change;
use crate::watch::{Watch, feature_of, trigger_of};

/// The share of faults that the earlier part holds.
pub const EARLIER_SHARE: f64 = 0.6;

/// The fewest faults that anything is looked for before.
pub const LEAST_FAULTS: usize = 5;

/// A candidate is tried on the later part when it caught so many faults of the earlier one.
pub const LEAST_CAUGHT: u64 = 2;

/// A precursor is believed when at most this share of those that are believed is false on average.
pub const FALSE_DISCOVERIES: f64 = 0.1;

/// The windows that are tried, in seconds.
pub const WINDOWS_S: [u64; 2] = [7_200, 28_800];

/// What a window is compared with: so many seconds before it.
pub const BASELINE_S: u64 = 3 * 86_400;

/// The windows that alarms are counted in, in seconds, and the counts that are tried.
pub const ALARM_WINDOWS_S: [u64; 2] = [3_600, 86_400];
const ALARM_COUNTS: [u32; 5] = [1, 2, 3, 5, 10];

/// The most positions that a precursor names as its evidence: the newest ones.
pub const MOST_EVIDENCE: usize = 500;

/// The quantiles of quiet values that are tried as thresholds; on the other side, what they leave.
const QUANTILES: [f64; 9] = [0.9, 0.95, 0.975, 0.99, 0.995, 0.998, 0.999, 0.9998, 1.0];

/// The most quiet values that quantiles are taken of.
const MOST_QUIET: usize = 200_000;

/// An alarm as it was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSeen {
    /// When.
    pub time_ns: i64,
    /// Where the log says so.
    pub position: u64,
    /// Its code.
    pub code: Code,
}

/// What an asset showed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its alarms, in the order in which the log learnt of them.
    pub alarms: Vec<AlarmSeen>,
    /// The values of features of its readings, by quantity.
    pub series: BTreeMap<(Code, FeatureSpec), Vec<Point>>,
}

/// Everything that was seen, and how far.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// By asset.
    pub assets: BTreeMap<AssetId, Seen>,
    /// From when on alarms were seen.
    pub from_ns: i64,
    /// How far is known what happened.
    pub to_ns: i64,
}

/// What precursors are looked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The failure mode.
    pub mode: Code,
    /// How long before a fault something counts as its precursor, in seconds.
    pub horizon_s: u64,
    /// The position that is asked at.
    pub as_of: u64,
}

/// Something that came before faults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Precursor {
    /// As a rule: the condition with its threshold, and how good it was on the later part.
    pub detection: Detection,
    /// How good it was on the earlier part, which its threshold was chosen by.
    pub earlier: TrackRecord,
    /// Where the later part begins, nanoseconds since 1970.
    pub split_ns: i64,
    /// Whether it is believed: [`FALSE_DISCOVERIES`].
    pub believed: bool,
    /// The log positions of the faults and alarms that were counted, in order; the newest [`MOST_EVIDENCE`].
    pub evidence: Vec<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mined {
    /// The precursors: those that are believed first, then by precision and recall on the earlier part, so that the figures of the later part flatter none of them.
    pub precursors: Vec<Precursor>,
    /// How many conditions were looked at, at every threshold of theirs.
    pub candidates: usize,
    /// How many of them were tried on the later part: what probabilities are adjusted for.
    pub tried: usize,
    /// The faults of the mode, without recurrences.
    pub faults: usize,
}

/// The statistics of readings that are looked at.
pub fn specs() -> Vec<FeatureSpec> {
    specs_with(&WINDOWS_S, BASELINE_S)
}

/// The same, with windows and a baseline of the caller's choice.
pub fn specs_with(windows_s: &[u64], baseline_s: u64) -> Vec<FeatureSpec> {
    let spec = |window_s: u64, statistic: Statistic| FeatureSpec {
        statistic,
        window_s,
        baseline_s: if statistic.needs_baseline() { baseline_s } else { 0 },
    };
    windows_s.iter().flat_map(|window_s| Statistic::ALL.map(|statistic| spec(*window_s, statistic))).collect()
}

/// When a rule would have warned on an asset: the same code as live.
pub fn raised(detection: &Detection, seen: &Seen, to_ns: i64) -> Vec<i64> {
    let mut times = Vec::new();
    let mut take = |change: Change| {
        if let Change::Raised { time_ns, .. } = change {
            times.push(time_ns);
        }
    };
    match (&detection.condition, feature_of(&detection.condition)) {
        (Condition::Readings { quantity, .. }, Some(spec)) => {
            let mut trigger = trigger_of(&detection.condition, detection.hold_s, detection.clear_s);
            let points = seen.series.get(&(quantity.clone(), spec)).into_iter().flatten();
            points.filter_map(|point| trigger.push(*point)).for_each(take);
        }
        _ => {
            let mut watch = Watch::new(detection);
            for alarm in &seen.alarms {
                watch.alarm(&alarm.code, alarm.time_ns, alarm.position).into_iter().for_each(&mut take);
            }
            watch.advance(to_ns).into_iter().for_each(take);
        }
    }
    times
}

/// A condition with every threshold of it that is tried.
struct Candidate {
    conditions: Vec<Condition>,
    /// Where it was watched, by asset.
    spans: BTreeMap<AssetId, (i64, i64)>,
}

struct Chosen {
    detection: Detection,
    earlier: Tally,
    later: Tally,
    split_ns: i64,
    evidence: Vec<u64>,
}

/// Looks for precursors of the mode's faults, which are given by asset.
pub fn mine(sight: &Sight, faults: &BTreeMap<AssetId, Vec<Fault>>, question: &Question) -> Mined {
    let horizon_ns = seconds_ns(question.horizon_s);
    let faults: BTreeMap<AssetId, Vec<Fault>> =
        faults.iter().map(|(asset, faults)| (asset.clone(), without_recurrences(faults.clone(), horizon_ns))).collect();
    let counted = faults.values().map(Vec::len).sum();
    if counted < LEAST_FAULTS {
        return Mined { precursors: Vec::new(), candidates: 0, tried: 0, faults: counted };
    }
    let candidates = candidates(sight, &faults, horizon_ns);
    let tried: Vec<Chosen> =
        candidates.iter().filter_map(|candidate| choose(sight, &faults, candidate, question)).collect();
    let p_values: Vec<f64> = tried.iter().map(|chosen| chosen.later.p_value().unwrap_or(1.0)).collect();
    let q_values = benjamini_hochberg(&p_values);
    let tried_count = tried.len();
    let mut precursors: Vec<(f64, Precursor)> = tried
        .into_iter()
        .zip(q_values)
        .map(|(chosen, q_value)| (chosen.earlier.score(), precursor(chosen, q_value, question.as_of)))
        .collect();
    precursors.sort_by(|(one, a), (other, b)| b.believed.cmp(&a.believed).then(other.total_cmp(one)));
    let precursors = precursors.into_iter().map(|(_, precursor)| precursor).collect();
    Mined { precursors, candidates: candidates.len(), tried: tried_count, faults: counted }
}

fn precursor(chosen: Chosen, q_value: f64, as_of: u64) -> Precursor {
    let Chosen { mut detection, earlier, later, split_ns, evidence } = chosen;
    detection.measured = Some(later.measured(as_of, Some(q_value)));
    let believed = q_value <= FALSE_DISCOVERIES;
    Precursor { detection, earlier: earlier.measured(as_of, None), split_ns, believed, evidence }
}

fn candidates(sight: &Sight, faults: &BTreeMap<AssetId, Vec<Fault>>, horizon_ns: i64) -> Vec<Candidate> {
    let mut found = Vec::new();
    let keys: BTreeSet<&(Code, FeatureSpec)> = sight.assets.values().flat_map(|seen| seen.series.keys()).collect();
    for key in keys {
        let spans: BTreeMap<AssetId, (i64, i64)> = sight
            .assets
            .iter()
            .filter_map(|(asset, seen)| {
                let points = seen.series.get(key)?;
                Some((asset.clone(), (points.first()?.time_ns, points.last()?.time_ns)))
            })
            .collect();
        let Some(split_ns) = split(faults, &spans) else { continue };
        let quiet = quiet_values(sight, faults, key, split_ns, horizon_ns);
        for side in [Side::AtLeast, Side::AtMost] {
            let conditions = thresholds(&quiet, side).into_iter().map(|threshold| readings(key, side, threshold));
            found.push(Candidate { conditions: conditions.collect(), spans: spans.clone() });
        }
    }
    let codes: BTreeSet<&Code> =
        sight.assets.values().flat_map(|seen| seen.alarms.iter().map(|alarm| &alarm.code)).collect();
    let any = (codes.len() > 1).then(|| Code::new("*").ok()).flatten();
    let spans: BTreeMap<AssetId, (i64, i64)> =
        sight.assets.keys().map(|asset| (asset.clone(), (sight.from_ns, sight.to_ns))).collect();
    for code in codes.into_iter().chain(&any) {
        for window_s in ALARM_WINDOWS_S {
            let alarms = |at_least| Condition::Alarms { codes: vec![code.clone()], window_s, at_least };
            found.push(Candidate { conditions: ALARM_COUNTS.map(alarms).to_vec(), spans: spans.clone() });
        }
    }
    found
}

fn readings((quantity, spec): &(Code, FeatureSpec), side: Side, threshold: f64) -> Condition {
    Condition::Readings {
        quantity: quantity.clone(),
        statistic: spec.statistic,
        window_s: spec.window_s,
        baseline_s: (spec.baseline_s > 0).then_some(spec.baseline_s),
        while_running: true,
        side,
        threshold,
    }
}

/// Where the later part begins: after the share of the faults that the spans hold. `None` when they are too few.
fn split(faults: &BTreeMap<AssetId, Vec<Fault>>, spans: &BTreeMap<AssetId, (i64, i64)>) -> Option<i64> {
    let mut times: Vec<i64> = faults
        .iter()
        .filter_map(|(asset, faults)| Some((spans.get(asset)?, faults)))
        .flat_map(|((from, to), faults)| {
            faults.iter().map(|fault| fault.time_ns).filter(move |time| from <= time && time < to)
        })
        .collect();
    times.sort_unstable();
    if times.len() < LEAST_FAULTS {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let earlier = (times.len() as f64 * EARLIER_SHARE).round() as usize;
    let (last, next) = (times.get(earlier.checked_sub(1)?)?, times.get(earlier)?);
    Some(last.midpoint(*next).max(last + 1))
}

/// The values of a feature on the earlier part, away from faults of the mode and from the horizon before them; sorted.
fn quiet_values(
    sight: &Sight,
    faults: &BTreeMap<AssetId, Vec<Fault>>,
    key: &(Code, FeatureSpec),
    split_ns: i64,
    horizon_ns: i64,
) -> Vec<f64> {
    let mut quiet: Vec<f64> = Vec::new();
    for (asset, seen) in &sight.assets {
        let faults = faults.get(asset).map(Vec::as_slice).unwrap_or_default();
        let points = seen.series.get(key).into_iter().flatten().take_while(|point| point.time_ns < split_ns);
        quiet.extend(points.filter(|point| !is_near(faults, point.time_ns, horizon_ns)).map(|point| point.value));
    }
    let every = quiet.len().div_ceil(MOST_QUIET).max(1);
    let mut quiet: Vec<f64> = quiet.into_iter().step_by(every).collect();
    quiet.sort_by(f64::total_cmp);
    quiet
}

/// Whether a moment lies within a fault or within the horizon before one.
fn is_near(faults: &[Fault], time_ns: i64, horizon_ns: i64) -> bool {
    let next = faults.partition_point(|fault| fault.time_ns <= time_ns);
    let within = next.checked_sub(1).and_then(|index| faults.get(index));
    within.is_some_and(|fault| fault.until_ns.is_none_or(|until| time_ns <= until))
        || faults.get(next).is_some_and(|fault| fault.time_ns.saturating_sub(horizon_ns) <= time_ns)
}

fn thresholds(sorted: &[f64], side: Side) -> Vec<f64> {
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let mut found: Vec<f64> = Vec::new();
    for quantile in QUANTILES {
        let probability = if side == Side::AtLeast { quantile } else { 1.0 - quantile };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place within the sample"
        )]
        let place = (last as f64 * probability).round() as usize;
        found.extend(sorted.get(place).copied().filter(|value| found.last() != Some(value)));
    }
    found
}

/// The threshold that is best on the earlier part, and how good it is on the later one; `None` when it caught too few faults.
fn choose(
    sight: &Sight,
    faults: &BTreeMap<AssetId, Vec<Fault>>,
    candidate: &Candidate,
    question: &Question,
) -> Option<Chosen> {
    let split_ns = split(faults, &candidate.spans)?;
    let tallied = |condition: &Condition| {
        let detection = Detection {
            mode: question.mode.clone(),
            asset: None,
            condition: condition.clone(),
            hold_s: 0,
            clear_s: window_s(condition),
            horizon_s: question.horizon_s,
            measured: None,
        };
        let (earlier, later) = tally(sight, faults, &candidate.spans, &detection, split_ns);
        (detection, earlier, later)
    };
    let best = candidate
        .conditions
        .iter()
        .map(tallied)
        .filter(|(_, earlier, _)| earlier.caught >= LEAST_CAUGHT)
        // Of equal ones the first is kept, which warns most readily.
        .reduce(|best, other| if other.1.score() > best.1.score() { other } else { best });
    let (detection, earlier, later) = best?;
    let evidence = evidence(sight, &detection, earlier.positions.iter().chain(&later.positions));
    Some(Chosen { detection, earlier, later, split_ns, evidence })
}

fn window_s(condition: &Condition) -> u64 {
    match condition {
        Condition::Readings { window_s, .. } | Condition::Alarms { window_s, .. } => *window_s,
    }
}

/// How good a rule was before a moment and from it on.
pub fn tally(
    sight: &Sight,
    faults: &BTreeMap<AssetId, Vec<Fault>>,
    spans: &BTreeMap<AssetId, (i64, i64)>,
    detection: &Detection,
    split_ns: i64,
) -> (Tally, Tally) {
    let horizon_ns = seconds_ns(detection.horizon_s);
    let (mut earlier, mut later) = (Tally::default(), Tally::default());
    for (asset, (from_ns, to_ns)) in spans {
        let Some(seen) = sight.assets.get(asset) else { continue };
        let raised = raised(detection, seen, *to_ns);
        let faults = faults.get(asset).map(Vec::as_slice).unwrap_or_default();
        let part = |from_ns, to_ns| Judged { raised_ns: &raised, faults, from_ns, to_ns };
        earlier.add(part(*from_ns, split_ns.min(*to_ns)), horizon_ns);
        later.add(part(split_ns.max(*from_ns), *to_ns), horizon_ns);
    }
    (earlier, later)
}

fn evidence<'a>(sight: &Sight, detection: &Detection, faults: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut positions: BTreeSet<u64> = faults.copied().collect();
    if let Condition::Alarms { codes, .. } = &detection.condition {
        let alarms = sight.assets.values().flat_map(|seen| &seen.alarms);
        let counted =
            alarms.filter(|alarm| codes.iter().any(|pattern| domain::events::code_matches(pattern, &alarm.code)));
        positions.extend(counted.map(|alarm| alarm.position));
    }
    let before = positions.len().saturating_sub(MOST_EVIDENCE);
    positions.into_iter().skip(before).collect()
}

#[cfg(test)]
#[path = "mine_tests.rs"]
mod tests;
