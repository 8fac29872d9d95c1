//! Readings in buckets of equal time.

use eventlog::SignalReading;
use jiff::Timestamp;
use serde::Serialize;

use crate::timeline::nanoseconds;

/// The most buckets of one range.
pub const MAX_BUCKETS: usize = 10_000;

/// The readings of one stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// Where it begins; it ends where the next one begins.
    pub time: Timestamp,
    /// How many usable readings it holds.
    pub count: u64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// Their arithmetic mean.
    pub mean: f64,
    /// The newest of them.
    pub last: f64,
    /// How many readings it holds that are of bad status, or no finite numbers: they are in no other column. With such alone the numbers are NaN, which JSON shows as null.
    pub left_out: u64,
}

/// Why there are no buckets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketsError {
    /// The number of buckets is not allowed.
    #[error("{0} is not from 1 to {MAX_BUCKETS}")]
    Count(usize),
    /// The span is empty, or shorter than a nanosecond for each bucket.
    #[error("the span from {from} to {to} is too short for {count} buckets")]
    Span {
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
        /// The number of buckets.
        count: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Filling {
    count: u64,
    min: f64,
    max: f64,
    sum: f64,
    last: (i64, f64),
    left_out: u64,
}

impl Default for Filling {
    fn default() -> Self {
        Self { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, last: (i64::MIN, f64::NAN), left_out: 0 }
    }
}

/// Buckets that are being filled, in any order of the readings.
#[derive(Clone, Debug)]
pub struct Buckets {
    from_ns: i64,
    width_ns: i64,
    filling: Vec<Filling>,
}

impl Buckets {
    /// So many buckets from one time to before another. The last one is longer where the span does not divide evenly.
    ///
    /// # Errors
    /// [`BucketsError`].
    pub fn new(from: Timestamp, to: Timestamp, count: usize) -> Result<Self, BucketsError> {
        if !(1..=MAX_BUCKETS).contains(&count) {
            return Err(BucketsError::Count(count));
        }
        let (from_ns, to_ns) = (nanoseconds(from), nanoseconds(to));
        let width_ns = i64::try_from(count).map_or(0, |count| to_ns.saturating_sub(from_ns) / count);
        if width_ns < 1 {
            return Err(BucketsError::Span { from, to, count });
        }
        Ok(Self { from_ns, width_ns, filling: vec![Filling::default(); count] })
    }

    /// Takes a reading of the span.
    pub fn add(&mut self, reading: &SignalReading) {
        let time_ns = nanoseconds(reading.time);
        let Ok(index) = usize::try_from(time_ns.saturating_sub(self.from_ns).div_euclid(self.width_ns)) else { return };
        let last = self.filling.len().saturating_sub(1);
        let Some(filling) = self.filling.get_mut(index.min(last)) else { return };
        let value = reading.value.as_f64().filter(|value| value.is_finite() && !reading.status.is_bad());
        let Some(value) = value else {
            filling.left_out += 1;
            return;
        };
        filling.count += 1;
        filling.min = filling.min.min(value);
        filling.max = filling.max.max(value);
        filling.sum += value;
        if time_ns >= filling.last.0 {
            filling.last = (time_ns, value);
        }
    }

    /// The buckets that hold something, in order.
    pub fn finish(&self) -> Vec<Bucket> {
        let starts = (0_i64..).map(|index| self.from_ns.saturating_add(index.saturating_mul(self.width_ns)));
        let held = self.filling.iter().zip(starts).filter(|(filling, _)| filling.count + filling.left_out > 0);
        let shown = held.map(|(filling, start_ns)| {
            let or_nan = |value: f64| if filling.count > 0 { value } else { f64::NAN };
            #[expect(clippy::cast_precision_loss, reason = "a range holds far fewer than 2^52 readings")]
            let mean = filling.sum / filling.count as f64;
            Bucket {
                time: Timestamp::from_nanosecond(i128::from(start_ns)).unwrap_or(Timestamp::UNIX_EPOCH),
                count: filling.count,
                min: or_nan(filling.min),
                max: or_nan(filling.max),
                mean: or_nan(mean),
                last: or_nan(filling.last.1),
                left_out: filling.left_out,
            }
        });
        shown.collect()
    }
}
