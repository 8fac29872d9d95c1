//! From values to warnings: a warning begins when the condition has held long enough, and ends when it has not held for long enough.

use domain::events::Side;

use crate::feature::{Point, seconds_ns};

/// What turns values into warnings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// On which side of the threshold the condition holds.
    pub side: Side,
    /// The threshold.
    pub threshold: f64,
    /// The condition must hold for so many seconds.
    pub hold_s: u64,
    /// It must not hold for so many seconds, for the warning to end.
    pub clear_s: u64,
}

/// A warning began or ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It began.
    Raised {
        /// When the condition had held long enough.
        time_ns: i64,
        /// Since when it has held.
        since_ns: i64,
        /// The value then.
        value: f64,
    },
    /// It ended.
    Cleared {
        /// When.
        time_ns: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Quiet,
    Pending { since_ns: i64, value: f64 },
    Open { since_ns: i64, value: f64 },
    Calming { since_ns: i64, value: f64, calm_ns: i64 },
}

/// The state of one rule on one asset.
#[derive(Clone, Debug)]
pub struct Trigger {
    limits: Limits,
    state: State,
    /// Beyond so many nanoseconds without a value nothing is known of the condition; `None` where a value holds until the next one.
    most_gap_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl Trigger {
    /// A rule on an asset that nothing is known of.
    pub fn new(limits: Limits, most_gap_ns: Option<i64>) -> Self {
        Self { limits, state: State::Quiet, most_gap_ns, last_ns: None }
    }

    /// Whether a warning is open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::Calming { .. })
    }

    /// Makes the state fit what the log says: whether a warning is open. Where none is, though the condition has held, the next value that fits begins one.
    pub fn resume(&mut self, open: bool) {
        self.state = match (open, self.state) {
            (true, State::Quiet) => State::Open { since_ns: self.last_ns.unwrap_or(i64::MIN), value: 0.0 },
            (true, State::Pending { since_ns, value }) => State::Open { since_ns, value },
            (false, State::Open { since_ns, value } | State::Calming { since_ns, value, .. }) => {
                State::Pending { since_ns, value }
            }
            (_, state) => state,
        };
    }

    /// Takes a value in.
    pub fn push(&mut self, point: Point) -> Option<Change> {
        let Point { time_ns, value } = point;
        let gap = self.last_ns.zip(self.most_gap_ns).is_some_and(|(last, most)| time_ns.saturating_sub(last) > most);
        self.last_ns = Some(time_ns);
        let holds = self.limits.side.holds(value, self.limits.threshold);
        self.state = match (self.state, holds) {
            (State::Quiet, false) | (State::Pending { .. }, false) => State::Quiet,
            (State::Quiet, true) => State::Pending { since_ns: time_ns, value },
            (State::Pending { .. }, true) if gap => State::Pending { since_ns: time_ns, value },
            (State::Pending { since_ns, .. }, true) => State::Pending { since_ns, value },
            (State::Open { since_ns, .. } | State::Calming { since_ns, .. }, true) => State::Open { since_ns, value },
            (State::Open { since_ns, value }, false) => State::Calming { since_ns, value, calm_ns: time_ns },
            (State::Calming { since_ns, value, .. }, false) if gap => {
                State::Calming { since_ns, value, calm_ns: time_ns }
            }
            (calming @ State::Calming { .. }, false) => calming,
        };
        self.due(time_ns)
    }

    /// When the state changes by itself, where a value holds until the next one.
    pub fn next_ns(&self) -> Option<i64> {
        match self.state {
            State::Pending { since_ns, .. } => Some(since_ns.saturating_add(seconds_ns(self.limits.hold_s))),
            State::Calming { calm_ns, .. } => Some(calm_ns.saturating_add(seconds_ns(self.limits.clear_s))),
            State::Quiet | State::Open { .. } => None,
        }
    }

    /// Changes the state when its time has come.
    pub fn due(&mut self, now_ns: i64) -> Option<Change> {
        self.next_ns().filter(|next| *next <= now_ns)?;
        match self.state {
            State::Pending { since_ns, value } => {
                self.state = State::Open { since_ns, value };
                Some(Change::Raised { time_ns: now_ns, since_ns, value })
            }
            State::Calming { .. } => {
                self.state = State::Quiet;
                Some(Change::Cleared { time_ns: now_ns })
            }
            State::Quiet | State::Open { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "trigger_tests.rs"]
mod tests;
