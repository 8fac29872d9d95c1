//! Count, mean and spread of a sample.

use serde::{Deserialize, Serialize};

use super::real;

/// Count, mean and sum of squared deviations of a sample. Two summaries add up to that of both samples together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many values.
    pub n: u64,
    /// Their mean; 0 without a value.
    pub mean: f64,
    /// The sum of the squared deviations from the mean.
    pub squares: f64,
}

impl Summary {
    /// Takes a value in (Welford 1962); one that is not finite is left out.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / real(self.n);
        self.squares += before * (value - self.mean);
    }

    /// The mean, when there is a value.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// The sample variance, with n − 1; `None` below two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.squares / real(self.n - 1))
    }

    /// The sample standard deviation; `None` below two values.
    pub fn deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}

impl FromIterator<f64> for Summary {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut summary = Self::default();
        values.into_iter().for_each(|value| summary.add(value));
        summary
    }
}

impl std::ops::Add for Summary {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let n = self.n + other.n;
        if n == 0 {
            return Self::default();
        }
        let apart = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + apart * real(other.n) / real(n),
            squares: self.squares + other.squares + apart * apart * real(self.n) * real(other.n) / real(n),
        }
    }
}
