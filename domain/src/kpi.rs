//! Key figures (ISO 22400) and what a count of successes says about a probability.
//!
//! Invariant: a ratio is kept as its numerator and its denominator. Ratios are rolled up by adding both, never by averaging.

use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

use crate::statistics::real;

/// A ratio that can be rolled up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// What is counted or measured.
    pub numerator: f64,
    /// Out of how much, in the same unit unless the ratio has one of its own.
    pub denominator: f64,
}

impl Ratio {
    /// The ratio of these two.
    pub const fn new(numerator: f64, denominator: f64) -> Self {
        Self { numerator, denominator }
    }

    /// The value; `None` when the denominator is zero or the value is not finite.
    pub fn value(&self) -> Option<f64> {
        let value = self.numerator / self.denominator;
        (self.denominator != 0.0 && value.is_finite()).then_some(value)
    }
}

impl Add for Ratio {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.numerator + other.numerator, self.denominator + other.denominator)
    }
}

impl Sum for Ratio {
    fn sum<I: Iterator<Item = Self>>(ratios: I) -> Self {
        ratios.fold(Self::default(), Add::add)
    }
}

/// The times and counts that the overall equipment effectiveness is made of (ISO 22400-2), for a work unit and a stretch of time. They add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OeeTimes {
    /// Planned busy time (PBT) in seconds.
    pub planned_busy_s: f64,
    /// Actual production time (APT) in seconds.
    pub production_s: f64,
    /// Planned run time per unit × units produced (PRU × PQ), in seconds. On a loom: picks × 60 / speed in picks per minute.
    pub ideal_s: f64,
    /// Produced quantity (PQ).
    pub produced: f64,
    /// Good quantity (GQ).
    pub good: f64,
}

impl OeeTimes {
    /// Availability: APT / PBT.
    pub const fn availability(&self) -> Ratio {
        Ratio::new(self.production_s, self.planned_busy_s)
    }

    /// Effectiveness: PRU × PQ / APT.
    pub const fn effectiveness(&self) -> Ratio {
        Ratio::new(self.ideal_s, self.production_s)
    }

    /// Quality ratio: GQ / PQ.
    pub const fn quality(&self) -> Ratio {
        Ratio::new(self.good, self.produced)
    }

    /// Overall equipment effectiveness: the product of the three; `None` while one of them has no value.
    pub fn oee(&self) -> Option<f64> {
        Some(self.availability().value()? * self.effectiveness().value()? * self.quality().value()?)
    }
}

impl Add for OeeTimes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            planned_busy_s: self.planned_busy_s + other.planned_busy_s,
            production_s: self.production_s + other.production_s,
            ideal_s: self.ideal_s + other.ideal_s,
            produced: self.produced + other.produced,
            good: self.good + other.good,
        }
    }
}

/// Sums that mean times are made of (ISO 22400-2): they add up over assets and periods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureTimes {
    /// Failures.
    pub failures: u64,
    /// Operating time in seconds: the time between failures, with that since the last one, which is censored: it adds time and no failure.
    pub operating_s: f64,
    /// Repairs that were ended.
    pub repairs: u64,
    /// Time to repair in seconds, over those repairs.
    pub repair_s: f64,
}

impl FailureTimes {
    /// Mean operating time between failures (MTBF) in seconds: the estimate of a constant failure rate, which uses censored time. `None`
    /// without a failure.
    pub fn mtbf_s(&self) -> Option<f64> {
        mean(self.operating_s, self.failures)
    }

    /// Mean time to repair (MTTR) in seconds. `None` without a repair.
    pub fn mttr_s(&self) -> Option<f64> {
        mean(self.repair_s, self.repairs)
    }
}

impl Add for FailureTimes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            failures: self.failures.saturating_add(other.failures),
            operating_s: self.operating_s + other.operating_s,
            repairs: self.repairs.saturating_add(other.repairs),
            repair_s: self.repair_s + other.repair_s,
        }
    }
}

fn mean(sum: f64, count: u64) -> Option<f64> {
    Ratio::new(sum, real(count)).value()
}

/// What a count says about a probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The lower bound: the 5 % quantile.
    pub low: f64,
    /// The mean.
    pub mean: f64,
    /// The upper bound: the 95 % quantile.
    pub high: f64,
}

/// The probability of success after these counts, from a uniform prior: Beta(1 + successes, 1 + failures), its mean and its 5 % and 95 % quantiles. Ranking
/// by `low` prefers what has been shown often to what went well once.
pub fn beta_bounds(successes: u64, failures: u64) -> Bounds {
    let (a, b) = (1.0 + real(successes), 1.0 + real(failures));
    Bounds { low: beta_quantile(0.05, a, b), mean: a / (a + b), high: beta_quantile(0.95, a, b) }
}

/// Wilson's interval at 90 % (z = 1.645: 5 % on each side) around the share of successes; `None` without any trial.
pub fn wilson_bounds(successes: u64, failures: u64) -> Option<Bounds> {
    const Z: f64 = 1.644_853_626_951_472_2;
    let trials = real(successes) + real(failures);
    let mean = Ratio::new(real(successes), trials).value()?;
    let square = Z * Z / trials;
    let middle = (mean + square / 2.0) / (1.0 + square);
    let half = Z / (1.0 + square) * (mean * (1.0 - mean) / trials + square / (4.0 * trials)).sqrt();
    Some(Bounds { low: (middle - half).max(0.0), mean, high: (middle + half).min(1.0) })
}

/// The value below which a Beta(a, b) variable lies with this probability, by bisection; `a` and `b` are at least 1, the probability is from 0 to 1.
pub fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Each step halves the interval; after 60 it is below what an f64 near 1 can tell apart.
    for _ in 0..60 {
        let middle = low.midpoint(high);
        if beta_cdf(middle, a, b) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.midpoint(high)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22), evaluated by Lentz's method.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean; above it the symmetric one does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf_below(1.0 - x, b, a);
    }
    beta_cdf_below(x, a, b)
}

fn beta_cdf_below(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let front = (a * x.ln() + b * (-x).ln_1p() - (ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b))).exp() / a;
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    // The fraction needs about sqrt(max(a, b)) steps; the limit suffices for counts of ten million.
    for step in 1..5000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + term * denominator);
            numerator = away_from_zero(1.0 + term / numerator);
            change = numerator * denominator;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

#[cfg(test)]
#[path = "kpi_tests.rs"]
mod tests;
