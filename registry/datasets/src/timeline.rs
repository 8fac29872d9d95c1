//! What was so from a moment on, with where the log says so.

use eventlog::Position;
use jiff::Timestamp;

/// Nanoseconds since 1970; an instant outside the years 1678 to 2262, which the log does not take, is clamped.
pub(crate) fn nanoseconds(time: Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

/// A span of whole seconds in nanoseconds. Spans of a spec are at most 366 days, which fit.
pub(crate) fn span_ns(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000)
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment<T> {
    /// When, in nanoseconds since 1970.
    pub(crate) time_ns: i64,
    /// Where the log says so.
    pub(crate) position: Position,
    /// What.
    pub(crate) value: T,
}

/// Moments by time, and by position where times are equal. They are added in any order, then sorted once.
#[derive(Clone, Debug)]
pub(crate) struct Timeline<T>(Vec<Moment<T>>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Timeline<T> {
    /// Adds a moment.
    pub(crate) fn add(&mut self, time_ns: i64, position: Position, value: T) {
        self.0.push(Moment { time_ns, position, value });
    }

    /// Puts the moments in order.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by_key(|moment| (moment.time_ns, moment.position));
    }

    /// The last moment before a time, among those that stand at or before a position.
    pub(crate) fn last_before(&self, time_ns: i64, known: Position) -> Option<&Moment<T>> {
        let end = self.0.partition_point(|moment| moment.time_ns < time_ns);
        self.0.get(..end)?.iter().rev().find(|moment| moment.position <= known)
    }

    /// The moments from a time on, in order.
    pub(crate) fn from(&self, time_ns: i64) -> &[Moment<T>] {
        let start = self.0.partition_point(|moment| moment.time_ns < time_ns);
        self.0.get(start..).unwrap_or_default()
    }

    /// The moments from a time on, and before another one.
    pub(crate) fn within(&self, from_ns: i64, to_ns: i64) -> &[Moment<T>] {
        let from = self.from(from_ns);
        let count = from.partition_point(|moment| moment.time_ns < to_ns);
        from.get(..count).unwrap_or_default()
    }
}
