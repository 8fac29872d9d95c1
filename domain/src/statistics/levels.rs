//! The levels that a quantity was at: speeds that somebody chose, seasons of humidity.
//!
//! A sample is cut into stretches of the number line, each with its own mean and spread, by the greatest likelihood of values and memberships together (Biernacki, Celeux
//! and Govaert 2000: the integrated completed likelihood, in its BIC form). A sample with one hump stays whole, however many values it has; it is cut where few values lie
//! between humps. For values on a line the best cuts can be found exactly (Fisher 1958; Wang and Song 2011), so that there is no start value and no chance in it.

use serde::{Deserialize, Serialize};

use super::{Robust, count, real};

/// A level: values from `from` on, and below `to`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Where it begins; `None` for the lowest level.
    pub from: Option<f64>,
    /// Where the next one begins; `None` for the highest level.
    pub to: Option<f64>,
    /// How many values of the sample are in it.
    pub n: u64,
}

impl Level {
    /// Whether a value is at this level.
    pub fn holds(&self, value: f64) -> bool {
        self.from.is_none_or(|from| value >= from) && self.to.is_none_or(|to| value < to)
    }
}

/// Where the next value is farther than this, in robust deviations of the whole sample, a group ends. Groups that are too small for a level are outliers, or moments between two levels: they
/// have no part in the cuts.
const GAP: f64 = 0.25;
/// The least spread of a level, in robust deviations of the whole sample: below that, differences are resolution.
const LEAST_SPREAD: f64 = 0.05;
/// At most so many places to cut at are tried.
const MOST_PLACES: usize = 512;

/// The levels of a sample, the lowest first: at most `most`, each of at least `least` values. Values that are not finite are left out; without a value there is no level.
pub fn levels(values: impl IntoIterator<Item = f64>, most: usize, least: usize) -> Vec<Level> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(robust) = Robust::of(sorted.iter().copied()) else { return Vec::new() };
    let groups = sorted.chunk_by(|value, next| next - value <= GAP * robust.scale);
    let kept: Vec<f64> = groups.filter(|group| group.len() >= least).flatten().copied().collect();
    let mut cuts = Vec::new();
    if robust.scale > 0.0 {
        let scaled = kept.iter().map(|value| (value - robust.median) / robust.scale);
        cuts = Sample::of(scaled).best_cuts(&places(&kept), most, least.max(1));
    }
    let between = |cut: usize| Some(f64::midpoint(*kept.get(cut.checked_sub(1)?)?, *kept.get(cut)?));
    let ends: Vec<f64> = cuts.into_iter().filter_map(between).collect();
    let below = |end: f64| sorted.partition_point(|value| *value < end);
    let begins = std::iter::once((None, 0)).chain(ends.iter().map(|end| (Some(*end), below(*end))));
    let closes = ends.iter().map(|end| (Some(*end), below(*end))).chain([(None, sorted.len())]);
    begins.zip(closes).map(|((from, first), (to, last))| Level { from, to, n: count(last - first) }).collect()
}

/// Where a sorted sample may be cut: before the values of these ranks. Equal values stay together; of a large sample's many ranks, those beside the widest gaps are tried.
fn places(sorted: &[f64]) -> Vec<usize> {
    let step = sorted.len().div_ceil(MOST_PLACES).max(1);
    let gap = |rank: usize| Some((rank, *sorted.get(rank)? - *sorted.get(rank.checked_sub(1)?)?));
    let widest = |begin: usize| {
        let gaps = (begin..begin + step).filter_map(gap).filter(|(_, gap)| *gap > 0.0);
        gaps.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(rank, _)| rank)
    };
    (1..sorted.len()).step_by(step).filter_map(widest).collect()
}

/// Sums over a sorted sample, from which the cost of any stretch follows.
struct Sample {
    /// Sums of the first values and of their squares; one more than there are values.
    sums: Vec<(f64, f64)>,
}

/// A way to cut the values up to some rank: its cost, and where it cuts.
type Cut = (f64, Vec<usize>);

impl Sample {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        sums.extend(values.scan((0.0, 0.0), |(sum, squares), value| {
            *sum += value;
            *squares += value * value;
            Some((*sum, *squares))
        }));
        Self { sums }
    }

    fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// Minus twice the logarithm of the likelihood of the values from one rank to another, and of their being at one level.
    fn cost(&self, from: usize, to: usize) -> f64 {
        let (Some(low), Some(high)) = (self.sums.get(from), self.sums.get(to)) else { return f64::INFINITY };
        let (n, all) = (real(count(to.saturating_sub(from))), real(count(self.len())));
        let mean = (high.0 - low.0) / n;
        let squares = (high.1 - low.1 - n * mean * mean).max(0.0);
        let variance = (squares / n).max(LEAST_SPREAD * LEAST_SPREAD);
        n * (std::f64::consts::TAU * variance).ln() + squares / variance - 2.0 * n * (n / all).ln()
    }

    /// The cuts of least cost with the penalty of BIC for their means, variances and shares.
    fn best_cuts(&self, places: &[usize], most: usize, least: usize) -> Vec<usize> {
        let n = self.len();
        let penalty = |levels: usize| real(count(3 * levels - 1)) * real(count(n)).ln();
        let whole = |end: usize| (end >= least).then(|| (self.cost(0, end), Vec::new()));
        // The best way to cut what lies before each place with one level, then with two, and so on.
        let mut before: Vec<Option<Cut>> = places.iter().map(|place| whole(*place)).collect();
        let mut best = (self.cost(0, n) + penalty(1), Vec::new());
        for levels in 2..=most {
            let ended_at = |end: usize| self.extended(places, &before, end, least);
            if let Some((cost, cuts)) = ended_at(n)
                && cost + penalty(levels) < best.0
            {
                best = (cost + penalty(levels), cuts);
            }
            before = places.iter().map(|place| ended_at(*place)).collect();
        }
        best.1
    }

    /// The best way to end at a rank with one level more.
    fn extended(&self, places: &[usize], before: &[Option<Cut>], end: usize, least: usize) -> Option<Cut> {
        let ways = places.iter().zip(before).filter_map(|(place, cut)| Some((*place, cut.as_ref()?)));
        let long = ways.take_while(|(place, _)| end.saturating_sub(*place) >= least);
        let priced = long.map(|(place, (cost, cuts))| (cost + self.cost(place, end), place, cuts));
        let (cost, place, cuts) = priced.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some((cost, cuts.iter().copied().chain([place]).collect()))
    }
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
