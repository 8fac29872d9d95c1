//! Charts of counts: p, np, u, c, and Laney's p′ and u′.

use serde::{Deserialize, Serialize};

use super::{Factors, MIN_SUBGROUPS, NoLimits, Point};
use crate::statistics::{Summary, count, real};

/// Which chart of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeChart {
    /// The share of defective units (binomial).
    P,
    /// The number of defective units (binomial), for subgroups of one size.
    Np,
    /// Defects per unit of area, length or time (Poisson).
    U,
    /// Defects in subgroups of one size (Poisson).
    C,
    /// The share of defective units, where it varies between subgroups by more (or less) than by chance (Laney 2002).
    LaneyP,
    /// Defects per unit, where they vary by more (or less) than by chance (Laney 2002).
    LaneyU,
}

impl AttributeChart {
    const fn is_binomial(self) -> bool {
        matches!(self, Self::P | Self::Np | Self::LaneyP)
    }

    /// Whether the plotted value is the count itself.
    const fn plots_counts(self) -> bool {
        matches!(self, Self::Np | Self::C)
    }

    const fn is_adjusted(self) -> bool {
        matches!(self, Self::LaneyP | Self::LaneyU)
    }
}

/// What was counted in a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountedSubgroup {
    /// Defective units, or defects.
    pub count: f64,
    /// Units inspected; or the area, length or time inspected. Positive.
    pub size: f64,
}

impl CountedSubgroup {
    /// This many in a subgroup of this size.
    pub const fn new(count: f64, size: f64) -> Self {
        Self { count, size }
    }

    fn is_valid(&self, chart: AttributeChart) -> bool {
        self.count.is_finite()
            && self.count >= 0.0
            && self.size.is_finite()
            && self.size > 0.0
            && (!chart.is_binomial() || self.count <= self.size)
    }
}

/// Limits of a chart of counts, frozen from phase I.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeLimits {
    /// Which chart.
    pub chart: AttributeChart,
    /// The centre: all that was counted by all that was inspected.
    pub center: f64,
    /// Laney's σz: how many times larger the variation between subgroups is than by chance; 1 for the charts that do not adjust.
    pub sigma_z: f64,
    /// How many subgroups they come from.
    pub subgroups: u64,
    /// How much these had inspected.
    pub inspected: f64,
}

impl AttributeLimits {
    /// Estimates limits.
    ///
    /// # Errors
    /// [`NoLimits`] below [`MIN_SUBGROUPS`] subgroups, for a subgroup that is no count, or when nothing (or everything) was counted.
    pub fn freeze(chart: AttributeChart, subgroups: &[CountedSubgroup]) -> Result<Self, NoLimits> {
        if let Some(index) = subgroups.iter().position(|subgroup| !subgroup.is_valid(chart)) {
            return Err(NoLimits::Invalid { index });
        }
        if subgroups.len() < MIN_SUBGROUPS {
            return Err(NoLimits::NotEnough { found: subgroups.len() });
        }
        let inspected: f64 = subgroups.iter().map(|subgroup| subgroup.size).sum();
        let center = subgroups.iter().map(|subgroup| subgroup.count).sum::<f64>() / inspected;
        let by_chance = Self { chart, center, sigma_z: 1.0, subgroups: count(subgroups.len()), inspected };
        let scores: Vec<f64> = subgroups.iter().map(|subgroup| by_chance.point(subgroup).z).collect();
        let steps: Summary = scores.windows(2).filter_map(|pair| Some((pair.last()? - pair.first()?).abs())).collect();
        let d2 = Factors::of(2).map_or(f64::NAN, |factors| factors.d2);
        let sigma_z = if chart.is_adjusted() { steps.mean / d2 } else { 1.0 };
        let varies = center > 0.0 && (!chart.is_binomial() || center < 1.0) && sigma_z > 0.0;
        if varies { Ok(Self { sigma_z, ..by_chance }) } else { Err(NoLimits::NoVariation) }
    }

    /// The point of a subgroup; its limits follow from its size.
    pub fn point(&self, subgroup: &CountedSubgroup) -> Point {
        let variance = if self.chart.is_binomial() { self.center * (1.0 - self.center) } else { self.center };
        let error = self.sigma_z * (variance / subgroup.size).sqrt();
        let share = Point::new(subgroup.count / subgroup.size, self.center, error);
        let most = if self.chart.is_binomial() { 1.0 } else { f64::INFINITY };
        let share = share.within(0.0, most);
        if !self.chart.plots_counts() {
            return share;
        }
        let scale = subgroup.size;
        Point {
            value: subgroup.count,
            center: share.center * scale,
            lower: share.lower * scale,
            upper: share.upper * scale,
            z: share.z,
        }
    }

    /// The points of subgroups.
    pub fn points(&self, subgroups: &[CountedSubgroup]) -> Vec<Point> {
        subgroups.iter().map(|subgroup| self.point(subgroup)).collect()
    }
}

/// How many times larger the variation of counts between subgroups is than by chance (σz), and whether that is beyond chance itself, so that Laney's chart is
/// to be taken. By chance σz is near 1 with the standard error √(0.826 / n): the variance of the mean moving range of n independent normal values, whose successive
/// ranges share a value (Cryer and Ryan 1990).
///
/// # Errors
/// See [`AttributeLimits::freeze`].
pub fn overdispersion(chart: AttributeChart, subgroups: &[CountedSubgroup]) -> Result<(f64, bool), NoLimits> {
    let adjusted = if chart.is_binomial() { AttributeChart::LaneyP } else { AttributeChart::LaneyU };
    let sigma_z = AttributeLimits::freeze(adjusted, subgroups)?.sigma_z;
    let error = (0.826 / real(count(subgroups.len()))).sqrt();
    Ok((sigma_z, (sigma_z - 1.0).abs() > 1.96 * error))
}
