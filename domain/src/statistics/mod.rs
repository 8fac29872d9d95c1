//! What counts and measurements say, and how surely: shares, differences, discoveries among many, quantiles, lifetimes.
//!
//! Special functions and the normal, Student and chi-square distributions come from `statrs`. The incomplete beta function of [`crate::kpi`] is our
//! own: the one of `statrs` ends after 140 terms of its fraction, which is too early for counts above some thousands.
//!
//! Invariants:
//! - Every estimate comes with its bounds or not at all: where the data say nothing, the answer is `None`.
//! - Nothing panics: numbers that are not finite are left out or answered with `None`.

pub mod compare;
pub mod discoveries;
pub mod levels;
pub mod lifetimes;
pub mod quantiles;
pub mod robust;
pub mod summary;
pub mod weibull;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

pub use compare::{
    Effect, Measure, Rate, Share, difference_of_means, difference_of_shares, odds_ratio, rate_ratio, wilson,
};
pub use discoveries::benjamini_hochberg;
pub use levels::{Level, levels};
pub use lifetimes::{Lifetime, SurvivalStep, kaplan_meier, mean_time_between_failures, median_survival};
pub use quantiles::{Quantile, quantile};
pub use robust::Robust;
pub use summary::Summary;
pub use weibull::{Weibull, weibull};

use statrs::distribution::{ChiSquared, ContinuousCDF as _, Normal, StudentsT};

/// The share of intervals that hold the true value, where nothing else is said.
pub const LEVEL: f64 = 0.95;

/// An estimate between its bounds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The lower bound.
    pub low: f64,
    /// The estimate.
    pub value: f64,
    /// The upper bound.
    pub high: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts above 2^52 do not occur, and would only lose their last digits")]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// The number of things, as a count.
pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The z that leaves half of what the level leaves out on each side; `None` when the level is not between 0 and 1.
pub fn z_of_level(level: f64) -> Option<f64> {
    within(level).map(|level| Normal::standard().inverse_cdf(0.5 + level / 2.0))
}

/// The probability that a standard normal variable is at most this.
pub fn normal_cdf(z: f64) -> f64 {
    if z.is_nan() { f64::NAN } else { Normal::standard().cdf(z) }
}

/// Above so many degrees of freedom the series of `statrs` take long, and the normal approximations are exact to a millionth.
const MANY_DEGREES: f64 = 1e6;

/// The quantile of the chi-square distribution; `None` outside of 0 < probability < 1 and degrees > 0.
pub fn chi_square_quantile(probability: f64, degrees: f64) -> Option<f64> {
    let probability = within(probability)?;
    if degrees > MANY_DEGREES && degrees.is_finite() {
        // Wilson and Hilferty (1931).
        let part = 2.0 / (9.0 * degrees);
        return Some(degrees * (1.0 - part + Normal::standard().inverse_cdf(probability) * part.sqrt()).powi(3));
    }
    Some(ChiSquared::new(degrees).ok()?.inverse_cdf(probability))
}

/// The t that leaves half of what the level leaves out on each side, and the two-sided probability of a value as far out as `t`.
fn student(degrees: f64, level: f64, t: f64) -> Option<(f64, f64)> {
    let level = within(level)?;
    let distribution = StudentsT::new(0.0, 1.0, degrees.min(MANY_DEGREES)).ok()?;
    Some((distribution.inverse_cdf(0.5 + level / 2.0), (2.0 * distribution.cdf(-t.abs())).min(1.0)))
}

fn within(probability: f64) -> Option<f64> {
    (probability > 0.0 && probability < 1.0).then_some(probability)
}
