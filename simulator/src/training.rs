//! What the demo's model learns: which quantities to read, and what to foretell. The numbers themselves come from the log.

use jiff::{SignedDuration, Timestamp};

use crate::truth::Truth;

/// A regression that a small network can learn from two hours of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingSet {
    /// The asset class.
    pub class: &'static str,
    /// The quantities to read, in order: each is a column of the inputs.
    pub features: &'static [&'static str],
    /// The quantity to foretell.
    pub target: &'static str,
    /// The quantity that says that the loom runs.
    pub running: &'static str,
    /// Only moments at which the loom ran faster than this, in {pick}/min, are examples.
    pub running_above: u32,
    /// For how long before an example the loom must have run, so that temperatures have settled, in seconds.
    pub settled_seconds: u32,
    /// The time between examples, in seconds: that of the history's readings.
    pub period_seconds: u32,
    /// How long the history has readings, in seconds.
    pub history_seconds: u32,
}

/// The bearing's temperature from what loads and wears it: a loom that is warmer than the model says has something in its bearing that the model does
/// not know.
pub const BEARING_TEMPERATURE: TrainingSet = TrainingSet {
    class: crate::mill::LOOM_CLASS,
    features: &["loom_speed", "motor_current", "bearing_vibration", "warp_tension", "humidity", "power"],
    target: "bearing_temperature",
    running: "loom_speed",
    running_above: 100,
    settled_seconds: 600,
    period_seconds: 5,
    history_seconds: 7200,
};

/// Whether an asset has a fault that is noticed within `horizon` after `time`, or was noticed and is not repaired yet: the label of a classifier. From the hidden truth, so only for
/// scoring and for supervised experiments.
pub fn fault_within(truth: &Truth, asset: &str, time: Timestamp, horizon: SignedDuration) -> bool {
    let until = time.saturating_add(horizon).unwrap_or(Timestamp::MAX);
    truth
        .faults
        .iter()
        .filter(|fault| fault.asset == asset)
        .any(|fault| fault.observed.is_some_and(|seen| seen <= until) && fault.ended.is_none_or(|ended| time < ended))
}
