//! How much two groups differ, with an interval and a probability.

use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_factorial;

use super::{Estimate, Summary, real, student, z_of_level};
use crate::kpi::beta_cdf;

/// What an effect is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The share of one group minus that of the other; 0 is no effect.
    DifferenceOfShares,
    /// The mean of one group minus that of the other, in the unit of the values; 0 is no effect.
    DifferenceOfMeans,
    /// The odds of one group by those of the other; 1 is no effect.
    OddsRatio,
    /// The rate of one group by that of the other; 1 is no effect.
    RateRatio,
}

/// How much two groups differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What `value` measures.
    pub measure: Measure,
    /// The lower bound.
    pub low: f64,
    /// The estimate.
    pub value: f64,
    /// The upper bound; infinite where one group has no case (written as null in JSON).
    pub high: f64,
    /// The two-sided probability of a difference as large as this one where there is none.
    pub p_value: f64,
}

/// Cases out of trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many had it.
    pub cases: u64,
    /// Out of how many; at least `cases`.
    pub trials: u64,
}

impl Share {
    /// This many cases out of this many trials.
    pub const fn new(cases: u64, trials: u64) -> Self {
        Self { cases, trials }
    }

    /// The share; `None` without a trial, or with more cases than trials.
    pub fn value(self) -> Option<f64> {
        (self.trials > 0 && self.cases <= self.trials).then(|| real(self.cases) / real(self.trials))
    }
}

/// Events over an exposure: defects over an area, stops over picks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many events.
    pub events: u64,
    /// Over how much, in any unit that both sides share; positive.
    pub exposure: f64,
}

impl Rate {
    /// Events by exposure; `None` without a positive exposure.
    pub fn value(self) -> Option<f64> {
        (self.exposure.is_finite() && self.exposure > 0.0).then(|| real(self.events) / self.exposure)
    }
}

/// Wilson's score interval around a share (Wilson 1927, without continuity correction).
pub fn wilson(share: Share, level: f64) -> Option<Estimate> {
    let (value, z) = (share.value()?, z_of_level(level)?);
    let square = z * z / real(share.trials);
    let middle = (value + square / 2.0) / (1.0 + square);
    let half = (value * (1.0 - value) * square + square * square / 4.0).sqrt() / (1.0 + square);
    // At no and at all cases the bound is the share itself; rounding would miss it by a hair.
    let low = if share.cases == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if share.cases == share.trials { 1.0 } else { (middle + half).min(1.0) };
    Some(Estimate { low, value, high })
}

/// The difference `a − b` of two shares: Newcombe's hybrid score interval (1998, method 10) and Fisher's exact probability.
pub fn difference_of_shares(a: Share, b: Share, level: f64) -> Option<Effect> {
    let (of_a, of_b) = (wilson(a, level)?, wilson(b, level)?);
    let value = of_a.value - of_b.value;
    let below = (of_a.value - of_a.low).hypot(of_b.high - of_b.value);
    let above = (of_a.high - of_a.value).hypot(of_b.value - of_b.low);
    let measure = Measure::DifferenceOfShares;
    Some(Effect { measure, low: value - below, value, high: value + above, p_value: fisher(a, b)? })
}

/// The odds of `a` by the odds of `b`, with Woolf's interval on the logarithm (1955) and Fisher's exact probability. Where a cell of the table is
/// empty, a half is added to each (Haldane and Anscombe).
pub fn odds_ratio(a: Share, b: Share, level: f64) -> Option<Effect> {
    a.value().and(b.value())?;
    let z = z_of_level(level)?;
    let cells = [a.cases, a.trials - a.cases, b.cases, b.trials - b.cases];
    let half = if cells.contains(&0) { 0.5 } else { 0.0 };
    let [with_a, without_a, with_b, without_b] = cells.map(|cell| real(cell) + half);
    let logarithm = (with_a * without_b / (without_a * with_b)).ln();
    let error = (1.0 / with_a + 1.0 / without_a + 1.0 / with_b + 1.0 / without_b).sqrt();
    Some(Effect {
        measure: Measure::OddsRatio,
        low: (logarithm - z * error).exp(),
        value: logarithm.exp(),
        high: (logarithm + z * error).exp(),
        p_value: fisher(a, b)?,
    })
}

/// The difference `a − b` of two means: Welch's interval and probability (1947), for spreads that need not be equal. `None` below two values on a
/// side, or where neither side has any spread.
pub fn difference_of_means(a: &Summary, b: &Summary, level: f64) -> Option<Effect> {
    let (share_a, share_b) = (a.variance()? / real(a.n), b.variance()? / real(b.n));
    let error = (share_a + share_b).sqrt();
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let degrees = (share_a + share_b).powi(2)
        / (share_a * share_a / real(a.n.saturating_sub(1)) + share_b * share_b / real(b.n.saturating_sub(1)));
    let value = a.mean - b.mean;
    let (t, p_value) = student(degrees, level, value / error)?;
    let measure = Measure::DifferenceOfMeans;
    Some(Effect { measure, low: value - t * error, value, high: value + t * error, p_value })
}

/// The rate of `a` by the rate of `b`, by the exact conditional test: given all events, those of `a` are binomial. The interval is that of Clopper and
/// Pearson for this share, carried over to the ratio; the probability is twice the smaller tail. `None` without an event.
pub fn rate_ratio(a: Rate, b: Rate, level: f64) -> Option<Effect> {
    let (rate_a, rate_b) = (a.value()?, b.value()?);
    let all = a.events.checked_add(b.events).filter(|all| *all > 0)?;
    let tail = (1.0 - super::within(level)?) / 2.0;
    let ratio = |share: f64| share / (1.0 - share) * b.exposure / a.exposure;
    let (events, others) = (real(a.events), real(b.events));
    let low = if a.events == 0 { 0.0 } else { crate::kpi::beta_quantile(tail, events, others + 1.0) };
    let high = if b.events == 0 { 1.0 } else { crate::kpi::beta_quantile(1.0 - tail, events + 1.0, others) };
    let expected = a.exposure / (a.exposure + b.exposure);
    // P(X ≥ k) and P(X ≤ k) of a binomial variable by the incomplete beta function.
    let above = if a.events == 0 { 1.0 } else { beta_cdf(expected, events, real(all - a.events) + 1.0) };
    let below = if a.events == all { 1.0 } else { 1.0 - beta_cdf(expected, events + 1.0, real(all - a.events)) };
    Some(Effect {
        measure: Measure::RateRatio,
        low: ratio(low),
        value: rate_a / rate_b,
        high: ratio(high),
        p_value: (2.0 * above.min(below)).min(1.0),
    })
}

/// Fisher's exact two-sided probability: that of all tables with these margins that are no more probable than this one.
fn fisher(a: Share, b: Share) -> Option<f64> {
    a.value().and(b.value())?;
    let (cases, trials) = (a.cases.checked_add(b.cases)?, a.trials.checked_add(b.trials)?);
    let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let all = choose(trials, cases);
    let logarithm = |of_a: u64| choose(a.trials, of_a) + choose(b.trials, cases - of_a) - all;
    let observed = logarithm(a.cases);
    let (first, last) = (cases.saturating_sub(b.trials), cases.min(a.trials));
    // Tables as probable as the observed one count, and their logarithms differ by rounding only.
    let tables = (first..=last).map(logarithm).filter(|table| *table <= observed + 1e-7);
    Some(tables.map(f64::exp).sum::<f64>().min(1.0))
}
