//! Lifetimes of which some are not over: survival, and the mean time between failures.

use serde::{Deserialize, Serialize};

use super::{Estimate, chi_square_quantile, real, within, z_of_level};

/// How long something lasted, or how long it was watched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifetime {
    /// How long, in any unit; positive.
    pub duration: f64,
    /// Whether it ended in a failure. Otherwise it is censored: it was replaced before, or it still lasts (a suspension).
    pub failed: bool,
}

/// The share that survives from this time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurvivalStep {
    /// From when.
    pub time: f64,
    /// How many were watched just before.
    pub at_risk: u64,
    /// How many failed then.
    pub failures: u64,
    /// The share that survives, by Kaplan and Meier (1958).
    pub survival: f64,
    /// Its standard error by Greenwood's formula.
    pub error: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// The survival curve of Kaplan and Meier, a step for each time of a failure. What is censored at the time of a failure was still watched then. The
/// bounds are those of the complementary log-log transformation, which stay within 0 and 1. Durations that are not finite or negative are left out.
pub fn kaplan_meier(lifetimes: &[Lifetime], level: f64) -> Option<Vec<SurvivalStep>> {
    let z = z_of_level(level)?;
    let mut sorted: Vec<Lifetime> =
        lifetimes.iter().copied().filter(|life| life.duration.is_finite() && life.duration >= 0.0).collect();
    sorted.sort_by(|a, b| a.duration.total_cmp(&b.duration));
    let mut at_risk = super::count(sorted.len());
    let (mut survival, mut sum) = (1.0_f64, 0.0_f64);
    let mut steps = Vec::new();
    for group in sorted.chunk_by(|a, b| a.duration.total_cmp(&b.duration).is_eq()) {
        let failures = super::count(group.iter().filter(|life| life.failed).count());
        if failures > 0 {
            survival *= 1.0 - real(failures) / real(at_risk);
            sum += real(failures) / (real(at_risk) * real(at_risk - failures));
            let (low, high) = survival_bounds(survival, sum, z);
            let time = group.first().map_or(0.0, |life| life.duration);
            let error = if survival > 0.0 { survival * sum.sqrt() } else { 0.0 };
            steps.push(SurvivalStep { time, at_risk, failures, survival, error, low, high });
        }
        at_risk -= super::count(group.len());
    }
    Some(steps)
}

fn survival_bounds(survival: f64, sum: f64, z: f64) -> (f64, f64) {
    if survival <= 0.0 {
        return (0.0, 0.0);
    }
    let width = z * sum.sqrt() / survival.ln().abs();
    (survival.powf(width.exp()), survival.powf((-width).exp()))
}

/// When half have failed: the first time at which the survival is a half or less. `None` while more than half survive.
pub fn median_survival(steps: &[SurvivalStep]) -> Option<f64> {
    // A survival that is a half by its fractions can miss it by rounding.
    steps.iter().find(|step| step.survival <= 0.5 + 1e-12).map(|step| step.time)
}

/// Watched time by failures, with chi-square bounds for a constant failure rate: `2T / χ²` with `2n + 2` degrees of freedom below, since the watching
/// ended by time, and `2n` above (MIL-HDBK-338B, 8.3.2.5.2). `None` without a failure or without time.
pub fn mean_time_between_failures(failures: u64, watched: f64, level: f64) -> Option<Estimate> {
    if failures == 0 || !watched.is_finite() || watched <= 0.0 {
        return None;
    }
    let (n, tail) = (real(failures), (1.0 - within(level)?) / 2.0);
    Some(Estimate {
        low: 2.0 * watched / chi_square_quantile(1.0 - tail, 2.0 * n + 2.0)?,
        value: watched / n,
        high: 2.0 * watched / chi_square_quantile(tail, 2.0 * n)?,
    })
}
