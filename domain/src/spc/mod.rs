//! Statistical process control: control charts, rules for signals, capability.
//!
//! Phase I estimates limits from [`MIN_SUBGROUPS`] subgroups or more ([`variables::VariableLimits::freeze`], [`attributes::AttributeLimits::freeze`]);
//! phase II judges new subgroups by the frozen limits. Limits are values: who keeps them says from what they were estimated.
//!
//! A subgroup of values belongs to a *segment* (a style, a beam). Ranges between successive values never reach over the end of a segment: the step from
//! one beam to the next is no variation of the process.
//!
//! Sources: Montgomery, *Introduction to Statistical Quality Control* (6.2, 6.3, 7.2–7.3); NIST/SEMATECH e-Handbook 6.3; Laney, *Improved control charts for
//! attributes*, Quality Engineering 14 (2002).

pub mod attributes;
pub mod autocorrelation;
pub mod capability;
pub mod constants;
pub mod rules;
pub mod variables;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use serde::{Deserialize, Serialize};

pub use attributes::{AttributeChart, AttributeLimits, CountedSubgroup};
pub use autocorrelation::{Autocorrelation, autocorrelation, residuals};
pub use capability::{Capability, Specification, capability};
pub use constants::Factors;
pub use rules::{Rule, Signal, signals};
pub use variables::{MeasuredSubgroup, SpreadChart, VariableLimits};

/// The fewest subgroups that limits are frozen from.
pub const MIN_SUBGROUPS: usize = 25;

/// Why there are no limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum NoLimits {
    /// Too few subgroups that say something.
    #[error("{found} subgroups are not enough for limits: {MIN_SUBGROUPS} are")]
    NotEnough {
        /// How many there are.
        found: usize,
    },
    /// The subgroups do not vary at all: a chart would signal every change of the last digit.
    #[error("the subgroups do not vary, so that there are no limits")]
    NoVariation,
    /// A subgroup is larger than the constants are known for.
    #[error("a subgroup of {size} values is larger than the {} that the constants are known for", constants::MAX_SIZE)]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// A count or a size is negative, not finite, or more units are counted than there are.
    #[error("subgroup {index} is not a count out of a positive size")]
    Invalid {
        /// Which one, from 0.
        index: usize,
    },
}

/// A point of a chart with its own limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What is plotted.
    pub value: f64,
    /// The centre line.
    pub center: f64,
    /// The lower control limit.
    pub lower: f64,
    /// The upper control limit.
    pub upper: f64,
    /// How many standard errors the value lies above the centre.
    pub z: f64,
}

impl Point {
    fn new(value: f64, center: f64, error: f64) -> Self {
        let z = if error > 0.0 { (value - center) / error } else { 0.0 };
        Self { value, center, lower: center - 3.0 * error, upper: center + 3.0 * error, z }
    }

    /// The same with limits that are not beyond what the value can be.
    fn within(self, least: f64, most: f64) -> Self {
        Self { lower: self.lower.max(least), upper: self.upper.min(most), ..self }
    }
}
