//! A condition on one asset, evaluated as values come in. Mining and the live rules both go through here.

use std::collections::BTreeMap;

use domain::events::{Condition, Detection, MachineState, Side, code_matches};
use domain::ids::Code;

use crate::feature::{AlarmCount, Feature, FeatureSpec, Point, seconds_ns};
use crate::trigger::{Change, Limits, Trigger};

/// When an asset was running, as the log learnt of it.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// By time; of equal times the last word counts.
    changes: BTreeMap<(i64, u64), bool>,
}

impl Timeline {
    /// Takes a change of state in.
    pub fn add(&mut self, time_ns: i64, position: u64, state: MachineState) {
        self.changes.insert((time_ns, position), state == MachineState::Running);
    }

    /// Whether it was running then, or nothing was known of it at the position.
    pub fn may_run(&self, time_ns: i64, position: u64) -> bool {
        let mut before = self.changes.range(..=(time_ns, u64::MAX)).rev();
        before.find(|((_, said), _)| *said <= position).is_none_or(|(_, runs)| *runs)
    }

    /// Forgets what is before a time, but for the last word before it.
    pub fn forget_before(&mut self, time_ns: i64) {
        let Some((&last, _)) = self.changes.range(..(time_ns, 0)).next_back() else { return };
        self.changes = self.changes.split_off(&last);
    }
}

#[derive(Clone, Debug)]
enum Source {
    Readings { quantity: Code, feature: Feature, while_running: bool },
    Alarms { codes: Vec<Code>, count: AlarmCount },
}

/// A rule on one asset.
#[derive(Clone, Debug)]
pub struct Watch {
    source: Source,
    trigger: Trigger,
    window_ns: i64,
    reach_ns: i64,
    threshold: f64,
}

/// The feature that a condition on readings looks at.
pub fn feature_of(condition: &Condition) -> Option<FeatureSpec> {
    match condition {
        Condition::Readings { statistic, window_s, baseline_s, .. } => {
            Some(FeatureSpec { statistic: *statistic, window_s: *window_s, baseline_s: baseline_s.unwrap_or_default() })
        }
        Condition::Alarms { .. } => None,
    }
}

/// The trigger of a condition: one for readings knows nothing of a stretch without any, one for alarms takes silence for none.
pub fn trigger_of(condition: &Condition, hold_s: u64, clear_s: u64) -> Trigger {
    match condition {
        Condition::Readings { side, threshold, window_s, .. } => {
            let limits = Limits { side: *side, threshold: *threshold, hold_s, clear_s };
            Trigger::new(limits, Some(seconds_ns(*window_s)))
        }
        Condition::Alarms { at_least, .. } => {
            let limits = Limits { side: Side::AtLeast, threshold: f64::from(*at_least), hold_s, clear_s };
            Trigger::new(limits, None)
        }
    }
}

impl Watch {
    /// A rule on an asset that has seen nothing.
    pub fn new(detection: &Detection) -> Self {
        let trigger = trigger_of(&detection.condition, detection.hold_s, detection.clear_s);
        let (source, window_s, feature_ns, threshold) = match &detection.condition {
            Condition::Readings { quantity, window_s, baseline_s, while_running, statistic, threshold, .. } => {
                let baseline_s = baseline_s.unwrap_or_default();
                let spec = FeatureSpec { statistic: *statistic, window_s: *window_s, baseline_s };
                let feature = Feature::new(spec);
                let source = Source::Readings { quantity: quantity.clone(), feature, while_running: *while_running };
                (source, *window_s, spec.reach_ns(), *threshold)
            }
            Condition::Alarms { codes, window_s, at_least } => {
                let count = AlarmCount::new(*window_s);
                let source = Source::Alarms { codes: codes.clone(), count };
                (source, *window_s, seconds_ns(*window_s), f64::from(*at_least))
            }
        };
        let waits_ns = seconds_ns(detection.hold_s.saturating_add(detection.clear_s));
        Self {
            source,
            trigger,
            window_ns: seconds_ns(window_s),
            reach_ns: feature_ns.saturating_add(waits_ns),
            threshold,
        }
    }

    /// The quantity whose readings it looks at.
    pub fn quantity(&self) -> Option<&Code> {
        match &self.source {
            Source::Readings { quantity, .. } => Some(quantity),
            Source::Alarms { .. } => None,
        }
    }

    /// Takes a reading of its signal in; only good ones are to be given.
    pub fn reading(&mut self, time_ns: i64, value: f64, position: u64, timeline: Option<&Timeline>) -> Option<Change> {
        let Source::Readings { feature, while_running, .. } = &mut self.source else { return None };
        if *while_running && timeline.is_some_and(|timeline| !timeline.may_run(time_ns, position)) {
            return None;
        }
        let point = feature.push(time_ns, value, position)?;
        self.trigger.push(point)
    }

    /// Takes an alarm of its asset in; it says what changed until then too.
    pub fn alarm(&mut self, code: &Code, time_ns: i64, position: u64) -> Vec<Change> {
        let Source::Alarms { codes, .. } = &self.source else { return Vec::new() };
        if !codes.iter().any(|pattern| code_matches(pattern, code)) {
            return Vec::new();
        }
        let mut changes = self.advance(time_ns);
        let Source::Alarms { count, .. } = &mut self.source else { return changes };
        if let Some(point) = count.push(time_ns, position) {
            changes.extend(self.trigger.push(point));
        }
        changes
    }

    /// Lets time pass: alarms leave the window, and what waits comes due. Readings wait for readings.
    pub fn advance(&mut self, now_ns: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        let Source::Alarms { count, .. } = &mut self.source else { return changes };
        loop {
            let (expiry, due) = (count.next_ns(), self.trigger.next_ns());
            // Ordering: what comes due at the moment at which an alarm leaves comes first, since the condition held until then.
            let Some(next) = expiry.into_iter().chain(due).min().filter(|next| *next <= now_ns) else { return changes };
            if due == Some(next) {
                changes.extend(self.trigger.due(next));
            } else {
                let point = Point { time_ns: next, ..count.expire(next) };
                changes.extend(self.trigger.push(point));
            }
        }
    }

    /// See [`Trigger::resume`].
    pub fn resume(&mut self, open: bool) {
        self.trigger.resume(open);
    }

    /// Whether a warning is open.
    pub fn is_open(&self) -> bool {
        self.trigger.is_open()
    }

    /// The positions of what it looked at last.
    pub fn positions(&self) -> Vec<u64> {
        match &self.source {
            Source::Readings { feature, .. } => feature.positions(),
            Source::Alarms { count, .. } => count.positions(),
        }
    }

    /// The length of its window, in nanoseconds.
    pub fn window_ns(&self) -> i64 {
        self.window_ns
    }

    /// How far back it must be fed to be in the state that it would be in if it had always run, in nanoseconds.
    pub fn reach_ns(&self) -> i64 {
        self.reach_ns
    }

    /// Its threshold.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
