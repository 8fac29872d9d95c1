//! Quantiles of a sample, with bounds from its order statistics.

use serde::{Deserialize, Serialize};

use super::{count, real, within};
use crate::kpi::beta_cdf;

/// A quantile of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// The estimate, between the two nearest values (Hyndman and Fan 1996, type 7).
    pub value: f64,
    /// A value of the sample that the true quantile is not below, at the level; `None` when the sample is too small to say.
    pub low: Option<f64>,
    /// A value of the sample that the true quantile is not above, at the level; `None` when the sample is too small to say.
    pub high: Option<f64>,
    /// How many values.
    pub n: u64,
}

/// The quantile of these values at a probability. The bounds hold for any distribution: each is an order statistic, and each misses with at most half
/// of what the level leaves out. Values that are not finite are left out; `None` without a value.
pub fn quantile(values: impl IntoIterator<Item = f64>, probability: f64, level: f64) -> Option<Quantile> {
    let (probability, tail) = (within(probability)?, (1.0 - within(level)?) / 2.0);
    let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let n = count(sorted.len());
    let place = probability * real(n.checked_sub(1)?);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the sample")]
    let below = place.floor() as usize;
    let left = *sorted.get(below)?;
    let right = sorted.get(below + 1).copied().unwrap_or(left);
    // P(at most k of n lie below the quantile) = 1 − I_p(k + 1, n − k).
    let at_most = |k: u64| if k >= n { 1.0 } else { 1.0 - beta_cdf(probability, real(k + 1), real(n - k)) };
    // The r-th smallest value lies above the quantile when fewer than r values lie below it. That grows likelier with the rank.
    let ranks_while = |holds: &dyn Fn(f64) -> bool| {
        let (mut most, mut beyond) = (0, n + 1);
        while beyond - most > 1 {
            let rank = most + (beyond - most) / 2;
            if holds(at_most(rank - 1)) { most = rank } else { beyond = rank }
        }
        most
    };
    let low = Some(ranks_while(&|chance| chance <= tail)).filter(|rank| *rank > 0);
    let high = Some(ranks_while(&|chance| chance < 1.0 - tail) + 1).filter(|rank| *rank <= n);
    let ranked = |rank: Option<u64>| sorted.get(usize::try_from(rank?.checked_sub(1)?).ok()?).copied();
    Some(Quantile { value: left + (right - left) * (place - place.floor()), low: ranked(low), high: ranked(high), n })
}
