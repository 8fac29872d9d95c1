//! Values that depend on the one before: how much, and what remains when that is taken out.

use serde::{Deserialize, Serialize};

use super::MeasuredSubgroup;
use crate::statistics::{Summary, count, real};

/// How much values depend on the one before in their segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autocorrelation {
    /// The lag-1 coefficient r₁; also the coefficient φ of the first-order autoregressive model (Yule and Walker).
    pub coefficient: f64,
    /// Pairs of successive values.
    pub pairs: u64,
    /// The bound beyond which it is no chance: 1.96 / √n (Bartlett 1946).
    pub bound: f64,
}

impl Autocorrelation {
    /// Whether it is so large that limits for independent values would give false alarms: a residual chart is then to be looked at.
    pub fn matters(&self) -> bool {
        self.coefficient.abs() > self.bound
    }
}

/// The lag-1 autocorrelation of the subgroups' means within segments, around the mean of all. `None` below ten pairs, or without variation.
pub fn autocorrelation(subgroups: &[MeasuredSubgroup]) -> Option<Autocorrelation> {
    let mean = overall(subgroups)?;
    let mut squares = Summary::default();
    let (mut products, mut pairs) = (0.0, 0_u64);
    each(subgroups, |_, value, before| {
        squares.add((value - mean).powi(2));
        if let Some(before) = before {
            products += (value - mean) * (before - mean);
            pairs += 1;
        }
    });
    if pairs < 10 || squares.mean <= 0.0 {
        return None;
    }
    // Both sums are taken to one pair and one value, since segments have a value more than pairs.
    let coefficient = (products / real(pairs) / squares.mean).clamp(-1.0, 1.0);
    Some(Autocorrelation { coefficient, pairs, bound: 1.96 / real(squares.n).sqrt() })
}

/// What remains of each subgroup's mean when what follows from the one before in its segment is taken out: `(x − μ) − φ (x₋₁ − μ)`. The first of a segment
/// has no residual. The residuals of one segment stand for independent values; a subgroup of a residual chart has one value.
pub fn residuals(subgroups: &[MeasuredSubgroup], mean: f64, coefficient: f64) -> Vec<MeasuredSubgroup> {
    let mut residuals: Vec<MeasuredSubgroup> =
        subgroups.iter().map(|subgroup| MeasuredSubgroup::new(&subgroup.segment, Vec::new())).collect();
    each(subgroups, |index, value, before| {
        if let (Some(before), Some(place)) = (before, residuals.get_mut(index)) {
            place.values.push((value - mean) - coefficient * (before - mean));
        }
    });
    residuals
}

fn overall(subgroups: &[MeasuredSubgroup]) -> Option<f64> {
    let mut all = Summary::default();
    each(subgroups, |_, value, _| all.add(value));
    (all.n >= count(2)).then_some(all.mean)
}

/// Shows each subgroup's index and mean with the mean before it in the same segment.
fn each(subgroups: &[MeasuredSubgroup], mut show: impl FnMut(usize, f64, Option<f64>)) {
    let mut last: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (index, subgroup) in subgroups.iter().enumerate() {
        let summary: Summary = subgroup.values.iter().copied().collect();
        if let Some(value) = summary.mean() {
            let before = last.insert(&subgroup.segment, value);
            show(index, value, before);
        }
    }
}
