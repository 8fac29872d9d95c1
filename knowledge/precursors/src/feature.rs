//! Statistics of readings and counts of alarms, as a stream: what mining and live rules both look at.
//!
//! A feature takes readings of one signal in the order in which the log learnt of them and says a [`Point`] whenever a bucket of time is full. What it says depends on
//! the readings of the window and its baseline only, so that a feature that begins that much earlier says the same.

use std::collections::VecDeque;

use domain::events::{BUCKETS_PER_WINDOW, MAX_EVIDENCE, Statistic};
use domain::statistics::Summary;

/// Nanoseconds of a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// A feature begins anew after so many readings in a row that are older than its newest one: the newest one had a wrong clock.
pub const LATE_BEFORE_RESET: u32 = 100;

/// The part of the window's buckets that must hold readings: half of them.
const LEAST_WINDOW: usize = 3;

/// The least buckets of a baseline that must hold readings, and the part of it: a quarter.
const LEAST_BASELINE: usize = 12;
const BASELINE_PART: usize = 4;

/// From a median of absolute deviations to the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;

const NS_PER_HOUR: f64 = 3.6e12;

/// A value of a feature at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When: the end of the window, nanoseconds since 1970.
    pub time_ns: i64,
    /// The value.
    pub value: f64,
}

/// Which statistic of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureSpec {
    /// What is computed.
    pub statistic: Statistic,
    /// Over the newest so many seconds.
    pub window_s: u64,
    /// Compared with so many seconds before the window; 0 without a baseline.
    pub baseline_s: u64,
}

impl FeatureSpec {
    /// The length of a bucket in nanoseconds, at least one second.
    pub fn step_ns(self) -> i64 {
        seconds_ns((self.window_s / BUCKETS_PER_WINDOW).max(1))
    }

    /// How far back readings count, in nanoseconds, a bucket more than window and baseline together: where it begins within a bucket, that one is left out.
    pub fn reach_ns(self) -> i64 {
        seconds_ns(self.window_s.saturating_add(self.baseline_s)).saturating_add(2 * self.step_ns())
    }
}

/// Seconds as nanoseconds.
pub(crate) fn seconds_ns(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_NS)
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    index: i64,
    summary: Summary,
    /// The newest positions, oldest first; only while the bucket is in the window.
    positions: Vec<u64>,
}

/// A statistic of one signal's readings.
#[derive(Clone, Debug)]
pub struct Feature {
    spec: FeatureSpec,
    step_ns: i64,
    window: i64,
    baseline: i64,
    open: Option<Bucket>,
    closed: VecDeque<Bucket>,
    late: u32,
}

impl Feature {
    /// A feature that has seen nothing.
    pub fn new(spec: FeatureSpec) -> Self {
        let step_ns = spec.step_ns();
        let buckets = |seconds: u64| seconds_ns(seconds) / step_ns;
        Self {
            spec,
            step_ns,
            window: buckets(spec.window_s).max(1),
            baseline: buckets(spec.baseline_s),
            open: None,
            closed: VecDeque::new(),
            late: 0,
        }
    }

    /// Takes a reading in. Says a point when it is the first one after a bucket's end, and the bucket's window can be judged. Values that are not finite are left out.
    pub fn push(&mut self, time_ns: i64, value: f64, position: u64) -> Option<Point> {
        if !value.is_finite() {
            return None;
        }
        let index = time_ns.div_euclid(self.step_ns);
        let point = match self.open.as_ref().map(|open| open.index.cmp(&index)) {
            None => None,
            Some(std::cmp::Ordering::Greater) => {
                self.late += 1;
                if self.late < LATE_BEFORE_RESET {
                    return None;
                }
                *self = Self::new(self.spec);
                None
            }
            Some(std::cmp::Ordering::Equal) => None,
            Some(std::cmp::Ordering::Less) => self.close(),
        };
        self.late = 0;
        let open = self.open.get_or_insert_with(|| Bucket { index, ..Bucket::default() });
        open.summary.add(value);
        if open.positions.last() != Some(&position) {
            if open.positions.len() >= MAX_EVIDENCE {
                open.positions.remove(0);
            }
            open.positions.push(position);
        }
        point
    }

    /// Closes the bucket that is open, full or not, and says its point.
    pub fn finish(&mut self) -> Option<Point> {
        self.close()
    }

    fn close(&mut self) -> Option<Point> {
        let bucket = self.open.take()?;
        let last = bucket.index;
        self.closed.push_back(bucket);
        let (window_from, baseline_from) = (last - self.window, last - self.window - self.baseline);
        while self.closed.front().is_some_and(|bucket| bucket.index <= baseline_from) {
            self.closed.pop_front();
        }
        let split = self.closed.partition_point(|bucket| bucket.index <= window_from);
        // A bucket leaves the window a few at a time; those before it have no positions any more.
        for bucket in self.closed.range_mut(..split).rev().take_while(|bucket| !bucket.positions.is_empty()) {
            bucket.positions = Vec::new();
        }
        let value = self.value(split).filter(|value| value.is_finite())?;
        Some(Point { time_ns: (last + 1).saturating_mul(self.step_ns), value })
    }

    fn value(&self, split: usize) -> Option<f64> {
        let window = || self.closed.range(split..);
        let least = LEAST_WINDOW.min(usize::try_from(self.window).unwrap_or(LEAST_WINDOW));
        if self.closed.len() - split < least {
            return None;
        }
        let whole = || window().fold(Summary::default(), |sum, bucket| sum + bucket.summary);
        match self.spec.statistic {
            Statistic::Mean => whole().mean(),
            Statistic::Spread => whole().deviation(),
            Statistic::Slope => self.slope(split),
            Statistic::Level => {
                let mut means = self.baseline(split, |summary| summary.mean())?;
                let middle = median(&mut means)?;
                means.iter_mut().for_each(|mean| *mean = (*mean - middle).abs());
                let deviation = MAD_TO_DEVIATION * median(&mut means)?;
                (deviation > 0.0).then_some((whole().mean()? - middle) / deviation)
            }
            Statistic::SpreadRatio => {
                let usual = median(&mut self.baseline(split, |summary| summary.deviation())?)?;
                let spread = within(window().map(|bucket| bucket.summary)).deviation()?;
                (usual > 0.0).then_some(spread / usual)
            }
        }
    }

    /// What the buckets of the baseline say; `None` when too few of them hold readings.
    fn baseline(&self, split: usize, of: impl Fn(&Summary) -> Option<f64>) -> Option<Vec<f64>> {
        let said: Vec<f64> = self.closed.range(..split).filter_map(|bucket| of(&bucket.summary)).collect();
        let least = LEAST_BASELINE.max(usize::try_from(self.baseline).unwrap_or(usize::MAX) / BASELINE_PART);
        (said.len() >= least).then_some(said)
    }

    /// By hour.
    fn slope(&self, split: usize) -> Option<f64> {
        let first = self.closed.get(split)?.index;
        let points = || {
            self.closed.range(split..).filter_map(|bucket| {
                #[expect(clippy::cast_precision_loss, reason = "a few buckets, of at most days")]
                let hours = ((bucket.index - first) * self.step_ns) as f64 / NS_PER_HOUR;
                Some((hours, bucket.summary.mean()?))
            })
        };
        let (x, y): (Summary, Summary) = (points().map(|(x, _)| x).collect(), points().map(|(_, y)| y).collect());
        let products: f64 = points().map(|(at, value)| (at - x.mean) * (value - y.mean)).sum();
        (x.squares > 0.0).then(|| products / x.squares)
    }

    /// The positions of the newest frames of the window that was judged last, oldest first.
    pub fn positions(&self) -> Vec<u64> {
        let mut positions: Vec<u64> = self.closed.iter().flat_map(|bucket| &bucket.positions).copied().collect();
        positions.sort_unstable();
        positions.dedup();
        let first = positions.len().saturating_sub(MAX_EVIDENCE);
        positions.split_off(first)
    }
}

/// What several buckets say of the spread within them, whatever their means are.
fn within(buckets: impl Iterator<Item = Summary>) -> Summary {
    buckets.fold(Summary::default(), |sum, bucket| Summary {
        n: sum.n + bucket.n,
        mean: 0.0,
        squares: sum.squares + bucket.squares,
    })
}

/// The median; the values change their order.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = (!values.is_empty()).then(|| values.select_nth_unstable_by(middle, f64::total_cmp))?;
    let upper = *upper;
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(lower, upper))
}

/// How many alarms were raised within a window that ends now.
#[derive(Clone, Debug)]
pub struct AlarmCount {
    window_ns: i64,
    /// Times and positions, by time.
    raised: VecDeque<(i64, u64)>,
    now_ns: i64,
}

impl AlarmCount {
    /// A count that has seen nothing.
    pub fn new(window_s: u64) -> Self {
        Self { window_ns: seconds_ns(window_s), raised: VecDeque::new(), now_ns: i64::MIN }
    }

    /// Takes an alarm in, and says the count then. One that comes late counts from now on, if it is still within the window.
    pub fn push(&mut self, time_ns: i64, position: u64) -> Option<Point> {
        self.now_ns = self.now_ns.max(time_ns);
        if time_ns.saturating_add(self.window_ns) <= self.now_ns {
            return None;
        }
        let place = self.raised.partition_point(|(other, _)| *other <= time_ns);
        self.raised.insert(place, (time_ns, position));
        Some(self.point(self.now_ns))
    }

    /// When the next alarm leaves the window.
    pub fn next_ns(&self) -> Option<i64> {
        self.raised.front().map(|(time_ns, _)| time_ns.saturating_add(self.window_ns))
    }

    /// Lets the alarms go that leave the window at this moment, which is not before any other one that it was told.
    pub fn expire(&mut self, at_ns: i64) -> Point {
        self.now_ns = self.now_ns.max(at_ns);
        while self.next_ns().is_some_and(|next| next <= self.now_ns) {
            self.raised.pop_front();
        }
        self.point(self.now_ns)
    }

    #[expect(clippy::cast_precision_loss, reason = "no window holds 2^52 alarms")]
    fn point(&self, time_ns: i64) -> Point {
        Point { time_ns, value: self.raised.len() as f64 }
    }

    /// The positions of the newest alarms of the window, oldest first.
    pub fn positions(&self) -> Vec<u64> {
        let mut positions: Vec<u64> = self.raised.iter().map(|(_, position)| *position).collect();
        positions.sort_unstable();
        let first = positions.len().saturating_sub(MAX_EVIDENCE);
        positions.split_off(first)
    }
}

#[cfg(test)]
#[path = "feature_tests.rs"]
mod tests;
