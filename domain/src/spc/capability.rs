//! What a process can do, against what is asked of it.

use serde::{Deserialize, Serialize};

use crate::statistics::{Estimate, Summary, chi_square_quantile, real, z_of_level};

/// What is asked of a characteristic; at least one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// The lower specification limit (LSL).
    pub lower: Option<f64>,
    /// The upper specification limit (USL).
    pub upper: Option<f64>,
}

/// Capability (by the spread within subgroups) and performance (by the spread of all values).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// (USL − LSL) / 6σ̂, σ̂ from within subgroups; needs both limits.
    pub cp: Option<f64>,
    /// The distance from the mean to the nearer limit by 3σ̂.
    pub cpk: Option<f64>,
    /// (USL − LSL) / 6s, s from all values, with chi-square bounds; needs both limits.
    pub pp: Option<Estimate>,
    /// The distance from the mean to the nearer limit by 3s, with the bounds of Bissell (1990).
    pub ppk: Option<Estimate>,
    /// How many values.
    pub n: u64,
}

/// Capability and performance of these values. The capability needs the standard deviation within subgroups, of a process that is in control. `None` without a
/// limit, with limits that are not in order, below two values, or without spread.
pub fn capability(
    values: &Summary,
    sigma_within: Option<f64>,
    specification: Specification,
    level: f64,
) -> Option<Capability> {
    let Specification { lower, upper } = specification;
    if lower.is_none() && upper.is_none() || matches!((lower, upper), (Some(lower), Some(upper)) if lower >= upper) {
        return None;
    }
    let overall = values.deviation().filter(|deviation| *deviation > 0.0)?;
    let potential = |sigma: f64| Some((upper? - lower?) / (6.0 * sigma));
    let centered = |sigma: f64| {
        let above = upper.map(|upper| (upper - values.mean) / (3.0 * sigma));
        let below = lower.map(|lower| (values.mean - lower) / (3.0 * sigma));
        above.into_iter().chain(below).reduce(f64::min)
    };
    let within = sigma_within.filter(|sigma| sigma.is_finite() && *sigma > 0.0);
    let degrees = real(values.n.saturating_sub(1));
    let tail = (1.0 - level) / 2.0;
    let z = z_of_level(level)?;
    let bounded_pp = |value: f64| {
        let bound = |probability| Some(value * (chi_square_quantile(probability, degrees)? / degrees).sqrt());
        Some(Estimate { low: bound(tail)?, value, high: bound(1.0 - tail)? })
    };
    let bounded_ppk = |value: f64| {
        let half = z * (1.0 / (9.0 * real(values.n)) + value * value / (2.0 * degrees)).sqrt();
        Estimate { low: value - half, value, high: value + half }
    };
    Some(Capability {
        cp: within.and_then(potential),
        cpk: within.and_then(centered),
        pp: potential(overall).and_then(bounded_pp),
        ppk: centered(overall).map(bounded_ppk),
        n: values.n,
    })
}
