//! The constants of control charts for normally distributed values.

use serde::Serialize;
use statrs::function::gamma::ln_gamma;

use crate::statistics::{count, real};

/// The largest subgroup that d2 and d3 are tabled for.
pub const MAX_SIZE: usize = 25;

/// Mean and standard deviation of the range of n standard normal values, for n from 2 (Harter 1960; the tables of ASTM MNL 7 and Montgomery, appendix
/// VI, have the same digits).
#[rustfmt::skip]
const RANGE: [(f64, f64); MAX_SIZE - 1] = [
    (1.128, 0.853), (1.693, 0.888), (2.059, 0.880), (2.326, 0.864), (2.534, 0.848), (2.704, 0.833), (2.847, 0.820), (2.970, 0.808),
    (3.078, 0.797), (3.173, 0.787), (3.258, 0.778), (3.336, 0.770), (3.407, 0.763), (3.472, 0.756), (3.532, 0.750), (3.588, 0.744),
    (3.640, 0.739), (3.689, 0.734), (3.735, 0.729), (3.778, 0.724), (3.819, 0.720), (3.858, 0.716), (3.895, 0.712), (3.931, 0.708),
];

/// The factors of a subgroup size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Factors {
    /// The size n.
    pub size: usize,
    /// Mean of the range, in standard deviations.
    pub d2: f64,
    /// Standard deviation of the range, in standard deviations.
    pub d3: f64,
    /// Mean of the sample standard deviation, in standard deviations.
    pub c4: f64,
}

impl Factors {
    /// The factors of a size from 2 to [`MAX_SIZE`].
    pub fn of(size: usize) -> Option<Self> {
        let (d2, d3) = *RANGE.get(size.checked_sub(2)?)?;
        let n = real(count(size));
        let c4 = (2.0 / (n - 1.0)).sqrt() * (ln_gamma(n / 2.0) - ln_gamma((n - 1.0) / 2.0)).exp();
        Some(Self { size, d2, d3, c4 })
    }

    fn root(&self) -> f64 {
        real(count(self.size)).sqrt()
    }

    /// X̄ limits by the mean range: X̿ ± A2 R̄.
    pub fn a2(&self) -> f64 {
        3.0 / (self.d2 * self.root())
    }

    /// X̄ limits by the mean standard deviation: X̿ ± A3 s̄.
    pub fn a3(&self) -> f64 {
        3.0 / (self.c4 * self.root())
    }

    /// The lower limit of a range: D3 R̄.
    pub fn lower_range(&self) -> f64 {
        (1.0 - 3.0 * self.d3 / self.d2).max(0.0)
    }

    /// The upper limit of a range: D4 R̄.
    pub fn upper_range(&self) -> f64 {
        1.0 + 3.0 * self.d3 / self.d2
    }

    /// The lower limit of a standard deviation: B3 s̄.
    pub fn lower_deviation(&self) -> f64 {
        (1.0 - self.relative_error()).max(0.0)
    }

    /// The upper limit of a standard deviation: B4 s̄.
    pub fn upper_deviation(&self) -> f64 {
        1.0 + self.relative_error()
    }

    fn relative_error(&self) -> f64 {
        3.0 * (1.0 - self.c4 * self.c4).max(0.0).sqrt() / self.c4
    }
}
