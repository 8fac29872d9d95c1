//! Alarms (ISA-18.2) and fault episodes (ISO 14224, EN 13306).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Statistic;
use crate::ids::{AlarmId, AssetId, Code, FaultId, MaterialId, PersonId, SignalId};
use crate::values::Text;

/// An alarm became active.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmRaised {
    /// This occurrence of the alarm.
    pub alarm: AlarmId,
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// What it says.
    pub text: Text,
    /// Severity from 1 to 1000 (OPC UA part 9).
    pub severity: u16,
}

/// A person has seen the alarm.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmAcknowledged {
    /// The alarm.
    pub alarm: AlarmId,
    /// The asset.
    pub asset: AssetId,
    /// Who.
    pub person: Option<PersonId>,
}

/// The alarm's condition is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmCleared {
    /// The alarm.
    pub alarm: AlarmId,
    /// The asset.
    pub asset: AssetId,
}

/// How far a failure reaches (ISO 14224).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// The function is lost at once.
    Critical,
    /// The function suffers.
    Degraded,
    /// The function does not suffer yet.
    Incipient,
}

/// Somebody or something noticed that an asset does not do what it should: the episode begins.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultObserved {
    /// The episode.
    pub fault: FaultId,
    /// The asset.
    pub asset: AssetId,
    /// What was noticed, in words.
    pub symptoms: Text,
    /// Codes of the alarms that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Code>,
    /// How it was found (ISO 14224 detection method).
    pub detection: Option<Code>,
    /// How far it reaches.
    pub impact: Option<Impact>,
    /// What was being made.
    pub product: Option<MaterialId>,
    /// Who noticed.
    pub person: Option<PersonId>,
}

/// The episode was coded, or coded anew: the last coding counts.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultCoded {
    /// The episode.
    pub fault: FaultId,
    /// The asset.
    pub asset: AssetId,
    /// The failure mode: how it failed.
    pub mode: Code,
    /// The failure mechanism: the process behind it.
    pub mechanism: Option<Code>,
    /// The failure cause.
    pub cause: Option<Code>,
    /// The maintainable item that failed.
    pub item: Option<Code>,
    /// Who coded it.
    pub person: Option<PersonId>,
}

/// The asset does again what it should.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultClosed {
    /// The episode.
    pub fault: FaultId,
    /// The asset.
    pub asset: AssetId,
    /// When the asset was up again, where that differs from the event's time.
    pub restored: Option<Timestamp>,
}

/// How a quantity differs from what it usually is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deviation {
    /// It is higher.
    High,
    /// It is lower.
    Low,
    /// It varies more.
    Unsteady,
}

impl Deviation {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Unsteady => "unsteady",
        }
    }
}

/// A quantity that is not as usual: what readings show of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingSign {
    /// The quantity (`warp_tension`).
    pub quantity: Code,
    /// How it differs.
    pub is: Deviation,
    /// The signal that was looked at.
    pub signal: SignalId,
    /// What was computed: [`Statistic::Level`] for high and low, [`Statistic::SpreadRatio`] for unsteady.
    pub statistic: Statistic,
    /// Its value.
    pub value: f64,
    /// Over so many seconds.
    pub window_s: u64,
    /// Compared with so many seconds before them.
    pub baseline_s: u64,
    /// Where the window ends.
    pub until: Timestamp,
    /// The positions of the newest frames in the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<u64>,
}

/// Millwright looked at the asset when a fault was observed: what its readings and alarms showed by then, as known at the position of the observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultExamined {
    /// The episode.
    pub fault: FaultId,
    /// The asset.
    pub asset: AssetId,
    /// The moment that was looked at.
    pub at: Timestamp,
    /// What readings showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<ReadingSign>,
    /// The codes of the alarms that had been raised lately, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Code>,
    /// Where the log says so: the alarms' positions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
}
