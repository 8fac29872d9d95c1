//! Centre and spread that a few wild values do not move.

use serde::{Deserialize, Serialize};

use super::{LEVEL, Summary, quantile};

/// The median of a sample, and a deviation that equals the standard deviation where values are normal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robust {
    /// The median.
    pub median: f64,
    /// 1.4826 times the median distance from it; where that is 0, the interquartile range by 1.349; where that is 0, too, the standard deviation. 0 when all values are the same.
    pub scale: f64,
}

impl Robust {
    /// Of these values; those that are not finite are left out, and without a value there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let at = |probability| Some(quantile(values.iter().copied(), probability, LEVEL)?.value);
        let median = at(0.5)?;
        let distance = quantile(values.iter().map(|value| (value - median).abs()), 0.5, LEVEL)?.value;
        let quartiles = (at(0.75)? - at(0.25)?) / 1.349;
        let deviation = values.iter().copied().collect::<Summary>().deviation().unwrap_or(0.0);
        let scale =
            [1.4826 * distance, quartiles, deviation].into_iter().find(|scale| *scale > 0.0 && scale.is_finite());
        Some(Self { median, scale: scale.unwrap_or(0.0) })
    }

    /// How many deviations a value lies above the median; `None` where the sample has no spread.
    pub fn z(&self, value: f64) -> Option<f64> {
        (self.scale > 0.0).then(|| (value - self.median) / self.scale)
    }
}
