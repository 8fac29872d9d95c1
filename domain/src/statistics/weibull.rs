//! The Weibull distribution of lifetimes, fitted with censoring.

use serde::{Deserialize, Serialize};

use super::{Estimate, Lifetime, count, real, z_of_level};

/// A fitted Weibull distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weibull {
    /// The shape: below 1 failures are of the early kind, near 1 by chance, above 1 by wear.
    pub shape: Estimate,
    /// The characteristic life, in the unit of the durations: 63.2 % have failed then.
    pub scale: f64,
    /// Failures.
    pub failures: u64,
    /// Lifetimes that were censored.
    pub censored: u64,
}

impl Weibull {
    /// The share that survives a duration.
    pub fn survival(&self, duration: f64) -> f64 {
        if duration <= 0.0 { 1.0 } else { (-(duration / self.scale).powf(self.shape.value)).exp() }
    }

    /// The duration that this share survives not; `None` unless 0 < share < 1. The share 0.1 gives the B10 life.
    pub fn life(&self, failed_share: f64) -> Option<f64> {
        let share = super::within(failed_share)?;
        Some(self.scale * (-(-share).ln_1p()).powf(1.0 / self.shape.value))
    }
}

/// The bounds within which a shape is looked for.
const SHAPES: (f64, f64) = (0.01, 200.0);

/// The distribution of greatest likelihood with right-censored lifetimes. The bounds of the shape are those of the normal approximation of its
/// logarithm, by the curvature of the profile likelihood. Durations that are not positive are left out; `None` with fewer than two failures at
/// different times, for which no shape is the most likely.
pub fn weibull(lifetimes: &[Lifetime], level: f64) -> Option<Weibull> {
    let z = z_of_level(level)?;
    let lives: Vec<Lifetime> =
        lifetimes.iter().copied().filter(|life| life.duration.is_finite() && life.duration > 0.0).collect();
    let longest = lives.iter().map(|life| life.duration).fold(0.0, f64::max);
    // Powers of durations by the longest one are at most 1: nothing overflows.
    let logarithm = |life: &Lifetime| (life.duration / longest).ln();
    let failed: Vec<f64> = lives.iter().filter(|life| life.failed).map(logarithm).collect();
    if failed.len() < 2 {
        return None;
    }
    let failures = real(count(failed.len()));
    let mean = failed.iter().sum::<f64>() / failures;
    let all: Vec<f64> = lives.iter().map(logarithm).collect();
    // The derivative of the profile likelihood by the shape, over the number of failures; it falls.
    let slope = |shape: f64| {
        let sums = Sums::of(&all, shape);
        1.0 / shape + mean - sums.first / sums.zeroth
    };
    let (mut low, mut high) = SHAPES;
    if slope(low) <= 0.0 || slope(high) >= 0.0 {
        return None;
    }
    for _ in 0..80 {
        let middle = low.midpoint(high);
        if slope(middle) > 0.0 { low = middle } else { high = middle }
    }
    let shape = low.midpoint(high);
    let sums = Sums::of(&all, shape);
    let scale = longest * (sums.zeroth / failures).powf(1.0 / shape);
    let curvature = 1.0 / (shape * shape) + sums.second / sums.zeroth - (sums.first / sums.zeroth).powi(2);
    let error = 1.0 / (shape * (failures * curvature).sqrt());
    Some(Weibull {
        shape: Estimate { low: shape * (-z * error).exp(), value: shape, high: shape * (z * error).exp() },
        scale,
        failures: count(failed.len()),
        censored: count(lives.len() - failed.len()),
    })
}

/// Sums of powers of durations, weighted by powers of their logarithms.
struct Sums {
    zeroth: f64,
    first: f64,
    second: f64,
}

impl Sums {
    fn of(logarithms: &[f64], shape: f64) -> Self {
        let mut sums = Self { zeroth: 0.0, first: 0.0, second: 0.0 };
        for logarithm in logarithms {
            let power = (shape * logarithm).exp();
            sums.zeroth += power;
            sums.first += power * logarithm;
            sums.second += power * logarithm * logarithm;
        }
        sums
    }
}
