//! Charts of measured values: X̄-R, X̄-S, individuals and moving ranges.

use serde::{Deserialize, Serialize};

use super::{Factors, MIN_SUBGROUPS, NoLimits, Point};
use crate::statistics::{Summary, count, real};

/// How the spread within subgroups is charted, and estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadChart {
    /// By the range of each subgroup (X̄-R): for subgroups up to about ten.
    Range,
    /// By the standard deviation of each subgroup (X̄-S): for larger ones, or ones of different sizes.
    Deviation,
    /// By the range of two successive values (I-MR): for single values.
    MovingRange,
}

/// Values that were taken together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredSubgroup {
    /// What they were taken from: a style, a beam. Moving ranges stay within one.
    pub segment: String,
    /// The values; for individuals one.
    pub values: Vec<f64>,
}

impl MeasuredSubgroup {
    /// Values of a segment.
    pub fn new(segment: &str, values: impl Into<Vec<f64>>) -> Self {
        Self { segment: segment.to_owned(), values: values.into() }
    }

    fn mean(&self) -> Option<f64> {
        self.values.iter().copied().collect::<Summary>().mean()
    }

    fn range(&self) -> f64 {
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        most - least
    }
}

/// Limits of a chart of measured values, frozen from phase I.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariableLimits {
    /// By what the spread is charted.
    pub spread: SpreadChart,
    /// The centre: the mean of all values.
    pub center: f64,
    /// The standard deviation within subgroups (σ̂): R̄/d2, s̄/c4 or MR̄/d2(2).
    pub sigma: f64,
    /// How many subgroups they come from.
    pub subgroups: u64,
    /// How many values these had.
    pub values: u64,
}

impl VariableLimits {
    /// Estimates limits. The choice of the chart follows from the subgroups: single values give [`SpreadChart::MovingRange`], up to ten
    /// values of one size [`SpreadChart::Range`], else [`SpreadChart::Deviation`]. Subgroups without a value say nothing; where larger ones exist, those of a single value
    /// say nothing about the spread.
    ///
    /// # Errors
    /// [`NoLimits`] below [`MIN_SUBGROUPS`] subgroups, without variation, or beyond the tabled sizes.
    pub fn freeze(subgroups: &[MeasuredSubgroup]) -> Result<Self, NoLimits> {
        let most = subgroups.iter().map(|subgroup| subgroup.values.len()).max().unwrap_or(0);
        let least = subgroups.iter().map(|subgroup| subgroup.values.len()).filter(|size| *size > 0).min().unwrap_or(0);
        let spread = match most {
            0 | 1 => SpreadChart::MovingRange,
            2..=10 if least == most => SpreadChart::Range,
            _ => SpreadChart::Deviation,
        };
        Self::freeze_with(subgroups, spread)
    }

    /// Estimates limits with this chart of the spread.
    ///
    /// # Errors
    /// See [`VariableLimits::freeze`].
    pub fn freeze_with(subgroups: &[MeasuredSubgroup], spread: SpreadChart) -> Result<Self, NoLimits> {
        if let Some(index) = subgroups.iter().position(|group| group.values.iter().any(|value| !value.is_finite())) {
            return Err(NoLimits::Invalid { index });
        }
        let filled = subgroups.iter().filter(|subgroup| !subgroup.values.is_empty()).count();
        let all: Summary = subgroups.iter().flat_map(|subgroup| subgroup.values.iter().copied()).collect();
        if filled < MIN_SUBGROUPS {
            return Err(NoLimits::NotEnough { found: filled });
        }
        let sigma = match spread {
            SpreadChart::MovingRange => {
                let ranges: Summary = moving_ranges(subgroups).into_iter().flatten().collect();
                let d2 = Factors::of(2).map_or(f64::NAN, |factors| factors.d2);
                ranges.mean().map(|mean| mean / d2)
            }
            SpreadChart::Range => mean_of(subgroups, |subgroup, factors| subgroup.range() / factors.d2)?,
            SpreadChart::Deviation => mean_of(subgroups, |subgroup, factors| {
                let summary: Summary = subgroup.values.iter().copied().collect();
                summary.deviation().unwrap_or(0.0) / factors.c4
            })?,
        };
        match sigma {
            Some(sigma) if sigma > 0.0 => {
                Ok(Self { spread, center: all.mean, sigma, subgroups: count(filled), values: all.n })
            }
            _ => Err(NoLimits::NoVariation),
        }
    }

    /// The chart of locations: a point for each subgroup (its mean, or its value), `None` for one without values.
    pub fn locations(&self, subgroups: &[MeasuredSubgroup]) -> Vec<Option<Point>> {
        let point = |subgroup: &MeasuredSubgroup| {
            let error = self.sigma / real(count(subgroup.values.len())).sqrt();
            Some(Point::new(subgroup.mean()?, self.center, error))
        };
        subgroups.iter().map(point).collect()
    }

    /// The chart of spreads: a point for each subgroup, `None` where a subgroup has no spread (a single value, the first of a segment) or is larger than
    /// the constants are known for.
    pub fn spreads(&self, subgroups: &[MeasuredSubgroup]) -> Vec<Option<Point>> {
        let chart = |value: f64, factors: Factors| match self.spread {
            SpreadChart::Range | SpreadChart::MovingRange => {
                Point::new(value, factors.d2 * self.sigma, factors.d3 * self.sigma).within(0.0, f64::INFINITY)
            }
            SpreadChart::Deviation => {
                let error = (1.0 - factors.c4 * factors.c4).max(0.0).sqrt() * self.sigma;
                Point::new(value, factors.c4 * self.sigma, error).within(0.0, f64::INFINITY)
            }
        };
        if self.spread == SpreadChart::MovingRange {
            return moving_ranges(subgroups).into_iter().map(|range| Some(chart(range?, Factors::of(2)?))).collect();
        }
        let point = |subgroup: &MeasuredSubgroup| {
            let factors = Factors::of(subgroup.values.len())?;
            let value = match self.spread {
                SpreadChart::Deviation => subgroup.values.iter().copied().collect::<Summary>().deviation()?,
                SpreadChart::Range | SpreadChart::MovingRange => subgroup.range(),
            };
            Some(chart(value, factors))
        };
        subgroups.iter().map(point).collect()
    }
}

/// The mean over subgroups of at least two values; `None` without one.
fn mean_of(
    subgroups: &[MeasuredSubgroup],
    estimate: impl Fn(&MeasuredSubgroup, Factors) -> f64,
) -> Result<Option<f64>, NoLimits> {
    let mut estimates = Summary::default();
    for subgroup in subgroups.iter().filter(|subgroup| subgroup.values.len() > 1) {
        let size = subgroup.values.len();
        let factors = Factors::of(size).ok_or(NoLimits::TooLarge { size })?;
        estimates.add(estimate(subgroup, factors));
    }
    if estimates.n < count(MIN_SUBGROUPS) {
        return Err(NoLimits::NotEnough { found: usize::try_from(estimates.n).unwrap_or(usize::MAX) });
    }
    Ok(estimates.mean())
}

/// The range from each subgroup's mean to the one before in the same segment, `None` for the first of a segment. Segments may alternate: each goes on
/// where it was left.
pub fn moving_ranges(subgroups: &[MeasuredSubgroup]) -> Vec<Option<f64>> {
    let mut last: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    let range = |subgroup| {
        let MeasuredSubgroup { segment, .. }: &MeasuredSubgroup = subgroup;
        let value = subgroup.mean()?;
        last.insert(segment, value).map(|before| (value - before).abs())
    };
    subgroups.iter().map(range).collect()
}
