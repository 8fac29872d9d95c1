//! What a dataset holds, as its author says it: plain data, complete, without a default that depends on anything.
//!
//! ```json
//! {"name": "loom-stops", "assets": {"class": "air-jet-loom"}, "rows": {"on": "grid", "period_s": 300},
//!  "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z",
//!  "features": [{"kind": "reading", "name": "tension_mean", "quantity": "warp_tension", "aggregate": "mean", "window_s": 600, "unit": "cN"},
//!               {"kind": "state", "name": "state"}],
//!  "labels": [{"kind": "fault_within", "name": "fault_8h", "horizon_s": 28800}]}
//! ```

use std::collections::BTreeSet;

use domain::ids::{AssetClass, AssetId, Code};
use domain::units::Unit;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::error::DatasetError;

/// The most features of one dataset.
pub const MAX_FEATURES: usize = 256;

/// The most labels of one dataset.
pub const MAX_LABELS: usize = 32;

/// The most assets that are named one by one.
pub const MAX_ASSETS: usize = 10_000;

/// The most rows of one dataset.
pub const MAX_ROWS: u64 = 5_000_000;

/// The longest window, lag or horizon, in seconds: 366 days.
pub const MAX_SPAN_S: u64 = 366 * 24 * 3600;

/// The longest name of a dataset or column, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// What a dataset holds.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What people call it.
    pub name: String,
    /// The assets that it has rows of.
    pub assets: Assets,
    /// Where rows come from.
    pub rows: Rows,
    /// The time of the earliest row, itself included.
    pub from: Timestamp,
    /// The time before which rows end.
    pub to: Timestamp,
    /// What was known before a row's time.
    #[serde(default)]
    pub features: Vec<Feature>,
    /// What came after it.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// What a feature may know.
    #[serde(default)]
    pub knowledge: Knowledge,
    /// Until when the future of a row counts as observed. When absent: until the newest event or reading that was known, but no longer than the record time of `as_of`.
    pub observed_until: Option<Timestamp>,
}

/// The assets of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assets {
    /// Those that were registered in this class when they were registered last.
    Class(AssetClass),
    /// These.
    Ids(BTreeSet<AssetId>),
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rows {
    /// One for each asset at `from`, and each period after it.
    Grid {
        /// Seconds between rows.
        period_s: u64,
    },
    /// One for each thing that happened to an asset.
    Event {
        /// What happened.
        event: RowEvent,
    },
}

/// What rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowEvent {
    /// A fault, when it was observed first.
    FaultObserved,
    /// An inspection, as recorded last.
    InspectionRecorded,
    /// A roll that was cut off.
    ClothDoffed,
    /// A set-point that was changed.
    SetPointChanged,
}

/// What a feature may know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knowledge {
    /// What happened before the row's time as it is known at `as_of`: late and corrected records count. This is the truth, and a little more than a model will have had.
    #[default]
    AsKnownNow,
    /// Of that, only what had been logged by the row's time: what a model that ran then could have known.
    AsKnownThen,
}

/// A number made of the readings of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The arithmetic mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The standard deviation of the sample (with n − 1); null below two readings.
    Std,
    /// The newest.
    Last,
    /// The oldest.
    First,
    /// How many there are; 0 when there is none.
    Count,
    /// The slope of the least-squares line, in the unit per second; null when all have one time.
    Slope,
    /// The greatest less the least.
    Range,
    /// The percentile from 0 to 100, interpolated between neighbours.
    Percentile(f64),
}

/// A column that knows what was before the row's time.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Feature {
    /// The readings of a quantity from `time − lag − window`, itself included, to before `time − lag`. Readings of bad status are left out.
    Reading {
        /// The column.
        name: String,
        /// The quantity, as in the tag catalog.
        quantity: Code,
        /// What is made of them.
        aggregate: Aggregate,
        /// The length of the window in seconds.
        window_s: u64,
        /// How long before the row's time the window ends, in seconds.
        #[serde(default)]
        lag_s: u64,
        /// The unit to convert to; that of the signals, which must be the same for all, when absent.
        unit: Option<Unit>,
    },
    /// The state of the machine (`running`, `stopped`, …).
    State {
        /// The column.
        name: String,
    },
    /// A set-point.
    SetPoint {
        /// The column.
        name: String,
        /// The parameter.
        parameter: Code,
        /// The unit to convert to.
        unit: Unit,
    },
    /// The product or style that was being made: that of the beam that was mounted last, or of the order that was started last at the asset.
    Product {
        /// The column.
        name: String,
    },
}

/// A column that knows what came at the row's time or after it, as far as that is known at `as_of`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Label {
    /// Whether a fault is observed within the horizon. Null when the horizon is not observed to its end and none was seen, and when a fault that nobody has coded might be
    /// of one of the modes.
    FaultWithin {
        /// The column.
        name: String,
        /// From the row's time on, in seconds.
        horizon_s: u64,
        /// Of these failure modes; of any or none, when empty.
        #[serde(default)]
        modes: BTreeSet<Code>,
    },
    /// The failure mode of the first fault within the horizon, as coded last; `otherwise` when there is none. Null when that is not observed, or not coded.
    FailureMode {
        /// The column.
        name: String,
        /// From the row's time on, in seconds.
        horizon_s: u64,
        /// What is said when there is no fault.
        #[serde(default = "none")]
        otherwise: String,
    },
    /// The time to the next fault, and a second column `NAME_censored`: true when no fault was seen, and the time is that to the end of what was observed.
    TimeToFault {
        /// The column.
        name: String,
        /// Of these failure modes; of any or none, when empty.
        #[serde(default)]
        modes: BTreeSet<Code>,
        /// The unit of time.
        unit: Unit,
    },
    /// A measured characteristic of the inspection that belongs to the row: of the inspection itself, of the roll, or else the next one of the asset.
    Measurement {
        /// The column.
        name: String,
        /// What was measured.
        characteristic: Code,
        /// The unit to convert to.
        unit: Unit,
        /// How soon after the row's time, in seconds.
        within_s: u64,
    },
    /// The verdict of the inspection that belongs to the row (`pass`, `fail`, `undecided`).
    Verdict {
        /// The column.
        name: String,
        /// How soon after the row's time, in seconds.
        within_s: u64,
    },
    /// What became of nonconforming material: the last decision about the row's inspection or roll, or else about the asset's next nonconformance.
    Disposition {
        /// The column.
        name: String,
        /// How soon after the row's time the nonconformance was raised, in seconds.
        within_s: u64,
    },
    /// The readings of a quantity from `time + ahead`, itself included, to before `time + ahead + window`. Null when that is not observed to its end.
    Value {
        /// The column.
        name: String,
        /// The quantity, as in the tag catalog.
        quantity: Code,
        /// What is made of them.
        aggregate: Aggregate,
        /// How long after the row's time the window begins, in seconds.
        ahead_s: u64,
        /// The length of the window in seconds.
        window_s: u64,
        /// The unit to convert to; that of the signals, which must be the same for all, when absent.
        unit: Option<Unit>,
    },
}

fn none() -> String {
    "none".to_owned()
}

impl Feature {
    /// The name of its column.
    pub fn name(&self) -> &str {
        match self {
            Self::Reading { name, .. }
            | Self::State { name }
            | Self::SetPoint { name, .. }
            | Self::Product { name } => name,
        }
    }

    /// How far it looks back, in seconds.
    pub(crate) fn looks_back_s(&self) -> u64 {
        match self {
            Self::Reading { window_s, lag_s, .. } => window_s + lag_s,
            Self::State { .. } | Self::SetPoint { .. } | Self::Product { .. } => 0,
        }
    }
}

impl Label {
    /// The name of its column, or of the first one.
    pub fn name(&self) -> &str {
        match self {
            Self::FaultWithin { name, .. }
            | Self::FailureMode { name, .. }
            | Self::TimeToFault { name, .. }
            | Self::Measurement { name, .. }
            | Self::Verdict { name, .. }
            | Self::Disposition { name, .. }
            | Self::Value { name, .. } => name,
        }
    }

    /// How far it looks ahead, in seconds; `None` when there is no end.
    pub(crate) fn looks_ahead_s(&self) -> Option<u64> {
        match self {
            Self::FaultWithin { horizon_s, .. } | Self::FailureMode { horizon_s, .. } => Some(*horizon_s),
            Self::Measurement { within_s, .. }
            | Self::Verdict { within_s, .. }
            | Self::Disposition { within_s, .. } => Some(*within_s),
            Self::Value { ahead_s, window_s, .. } => Some(ahead_s + window_s),
            Self::TimeToFault { .. } => None,
        }
    }

    /// The second column of a label that has one.
    pub(crate) fn censored(&self) -> Option<String> {
        match self {
            Self::TimeToFault { name, .. } => Some(format!("{name}_censored")),
            _ => None,
        }
    }
}

impl Spec {
    /// The spec in a JSON value.
    ///
    /// # Errors
    /// [`DatasetError::Spec`] names the field.
    pub fn from_value(value: serde_json::Value) -> Result<Self, DatasetError> {
        let spec: Self = serde_json::from_value(value).map_err(|error| DatasetError::spec("spec", error))?;
        spec.check()?;
        Ok(spec)
    }

    /// Whether it can mean something in any log.
    ///
    /// # Errors
    /// [`DatasetError::Spec`] names the field.
    pub fn check(&self) -> Result<(), DatasetError> {
        check_name("name", &self.name)?;
        if self.from >= self.to {
            return Err(DatasetError::spec("to", format!("{} is not after from ({})", self.to, self.from)));
        }
        if let Assets::Ids(ids) = &self.assets {
            check_count("assets.ids", ids.len(), 1, MAX_ASSETS)?;
        }
        if let Rows::Grid { period_s } = &self.rows {
            check_span("rows.period_s", *period_s, 1)?;
        }
        check_count("features", self.features.len(), 0, MAX_FEATURES)?;
        check_count("labels", self.labels.len(), 0, MAX_LABELS)?;
        if self.features.is_empty() && self.labels.is_empty() {
            return Err(DatasetError::spec("features", "a dataset needs a feature or a label"));
        }
        for (index, feature) in self.features.iter().enumerate() {
            check_feature(&format!("features[{index}]"), feature)?;
        }
        for (index, label) in self.labels.iter().enumerate() {
            check_label(&format!("labels[{index}]"), label)?;
        }
        self.check_columns()
    }

    fn check_columns(&self) -> Result<(), DatasetError> {
        let mut names: BTreeSet<String> = ["asset", "time"].map(str::to_owned).into();
        if let Rows::Event { .. } = self.rows {
            names.extend(["id", "position"].map(str::to_owned));
        }
        let features =
            self.features.iter().enumerate().map(|(index, one)| (format!("features[{index}]"), one.name().to_owned()));
        let labels = self.labels.iter().enumerate().flat_map(|(index, one)| {
            let field = format!("labels[{index}]");
            let second = one.censored().map(|name| (field.clone(), name));
            std::iter::once((field, one.name().to_owned())).chain(second)
        });
        for (field, name) in features.chain(labels) {
            check_name(&format!("{field}.name"), &name)?;
            if names.contains(&name) {
                return Err(DatasetError::spec(format!("{field}.name"), format!("{name:?} is a column already")));
            }
            names.insert(name);
        }
        Ok(())
    }

    /// How far its features look back, in seconds.
    pub(crate) fn looks_back_s(&self) -> u64 {
        self.features.iter().map(Feature::looks_back_s).max().unwrap_or(0)
    }

    /// How far its labels look ahead, in seconds; `None` when there is no end.
    pub(crate) fn looks_ahead_s(&self) -> Option<u64> {
        self.labels.iter().map(Label::looks_ahead_s).try_fold(0, |most, one| one.map(|ahead| ahead.max(most)))
    }
}

fn check_feature(field: &str, feature: &Feature) -> Result<(), DatasetError> {
    match feature {
        Feature::Reading { aggregate, window_s, lag_s, .. } => {
            check_aggregate(field, *aggregate)?;
            check_span(&format!("{field}.window_s"), *window_s, 1)?;
            check_span(&format!("{field}.lag_s"), *lag_s, 0)
        }
        Feature::State { .. } | Feature::SetPoint { .. } | Feature::Product { .. } => Ok(()),
    }
}

fn check_label(field: &str, label: &Label) -> Result<(), DatasetError> {
    match label {
        Label::FaultWithin { horizon_s, .. } => check_span(&format!("{field}.horizon_s"), *horizon_s, 1),
        Label::FailureMode { horizon_s, otherwise, .. } => {
            check_span(&format!("{field}.horizon_s"), *horizon_s, 1)?;
            check_name(&format!("{field}.otherwise"), otherwise)
        }
        Label::TimeToFault { unit, .. } => {
            let second = Unit::new("s").map_err(|error| DatasetError::spec(format!("{field}.unit"), error))?;
            if unit.commensurable(&second) {
                Ok(())
            } else {
                Err(DatasetError::spec(format!("{field}.unit"), format!("{unit} is no unit of time")))
            }
        }
        Label::Measurement { within_s, .. } | Label::Verdict { within_s, .. } | Label::Disposition { within_s, .. } => {
            check_span(&format!("{field}.within_s"), *within_s, 1)
        }
        Label::Value { aggregate, ahead_s, window_s, .. } => {
            check_aggregate(field, *aggregate)?;
            check_span(&format!("{field}.ahead_s"), *ahead_s, 0)?;
            check_span(&format!("{field}.window_s"), *window_s, 1)
        }
    }
}

fn check_aggregate(field: &str, aggregate: Aggregate) -> Result<(), DatasetError> {
    match aggregate {
        Aggregate::Percentile(percent) if !(0.0..=100.0).contains(&percent) => {
            let field = format!("{field}.aggregate.percentile");
            Err(DatasetError::spec(field, format!("{percent} is not from 0 to 100")))
        }
        _ => Ok(()),
    }
}

fn check_span(field: &str, seconds: u64, least: u64) -> Result<(), DatasetError> {
    if (least..=MAX_SPAN_S).contains(&seconds) {
        return Ok(());
    }
    Err(DatasetError::spec(field, format!("{seconds} s is not from {least} to {MAX_SPAN_S} s")))
}

fn check_count(field: &str, count: usize, least: usize, most: usize) -> Result<(), DatasetError> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(DatasetError::spec(field, format!("there are {count}, and there may be {least} to {most}")))
}

/// Names of datasets, columns and categories are not empty, not too long, and hold nothing that does not show.
fn check_name(field: &str, name: &str) -> Result<(), DatasetError> {
    let reason = if name.trim().is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "it is longer than 128 bytes"
    } else if name.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(DatasetError::spec(field, reason))
}
