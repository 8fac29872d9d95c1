//! Shifts and crews: the plan, what was worked, and what one crew tells the next.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::events::Suppression;
use crate::ids::{AssetId, Code, EquipmentId, FaultId, LotId, PersonId, ShiftId, WorkOrderId};
use crate::units::Unit;
use crate::values::{Text, finite};

/// One shift of a pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedShift {
    /// On which day of the cycle it begins, from 0.
    pub day: u32,
    /// What it is called (`early`, `late`, `night`).
    pub name: Code,
    /// Which crew works.
    pub crew: Code,
    /// When it begins, by the clock on the wall.
    pub start: Time,
    /// How long it lasts by the clock on the wall, in minutes, breaks included; it may end on the next day.
    pub minutes: u32,
    /// Planned breaks in it, in minutes.
    #[serde(default)]
    pub break_minutes: u32,
}

/// When crews work: a cycle of days that comes again and again. A later definition of the same pattern replaces it from its own first day on.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftPatternDefined {
    /// The pattern.
    pub pattern: Code,
    /// Its name.
    pub name: Text,
    /// The part of the plant that it is for; all of it, when absent.
    pub equipment: Option<EquipmentId>,
    /// The time zone of the clock on the wall, by its IANA name (`Asia/Shanghai`).
    pub time_zone: String,
    /// The first day, which is day 0 of the cycle.
    pub first_day: Date,
    /// The length of the cycle in days.
    pub cycle_days: u32,
    /// The shifts of a cycle.
    pub shifts: Vec<PlannedShift>,
}

/// A crew began to work.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftStarted {
    /// The shift.
    pub shift: ShiftId,
    /// The pattern that it is one of.
    pub pattern: Option<Code>,
    /// The part of the plant that it works in; all of it, when absent.
    pub equipment: Option<EquipmentId>,
    /// What it is called (`early`, `late`, `night`).
    pub name: Code,
    /// Which crew works.
    pub crew: Code,
    /// When it was to begin.
    pub planned_start: Timestamp,
    /// When it is to end.
    pub planned_end: Timestamp,
    /// Who leads it.
    pub person: Option<PersonId>,
}

/// A fault that is open at a handover.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenFault {
    /// The fault.
    pub fault: FaultId,
    /// Where.
    pub asset: Option<AssetId>,
    /// The failure mode, where it is coded.
    pub mode: Option<Code>,
    /// What was noticed first, in words.
    pub symptoms: Option<Text>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// An alarm that is shelved at a handover.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShelvedAlarm {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// Until when.
    pub until: Timestamp,
    /// Who shelved it.
    pub person: Option<PersonId>,
}

/// An alarm that is suppressed at a handover.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressedAlarm {
    /// The asset.
    pub asset: AssetId,
    /// The alarm's code.
    pub code: Code,
    /// How.
    pub how: Suppression,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// A set-point that is not what it was when the shift began.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedSetPoint {
    /// The machine.
    pub asset: AssetId,
    /// The parameter.
    pub parameter: Code,
    /// The value when the shift began, where it is known.
    pub from: Option<f64>,
    /// The value now.
    #[serde(deserialize_with = "finite")]
    pub to: f64,
    /// The unit of both.
    pub unit: Unit,
    /// When it was changed last.
    pub since: Option<Timestamp>,
}

/// A lot that is held at a handover.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldLot {
    /// The lot.
    pub lot: LotId,
    /// Why.
    pub reason: Option<Text>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// A work order that is open at a handover.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenWork {
    /// The work order.
    pub work_order: WorkOrderId,
    /// Where.
    pub asset: Option<AssetId>,
    /// What is to be done, in words.
    pub description: Option<Text>,
    /// Priority, 1 is the most urgent.
    pub priority: Option<u8>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// What the next crew must know, as the log knew it at a position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The last log position that it was composed from.
    pub as_of: u64,
    /// Faults that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_faults: Vec<OpenFault>,
    /// Alarms that are shelved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shelved_alarms: Vec<ShelvedAlarm>,
    /// Overrides: alarms that are suppressed or out of service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed_alarms: Vec<SuppressedAlarm>,
    /// Overrides: set-points that are not what they were when the shift began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_set_points: Vec<ChangedSetPoint>,
    /// Lots that are held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_lots: Vec<HeldLot>,
    /// Work that is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_work: Vec<OpenWork>,
}

/// A crew ended its work, and signed what it leaves to the next one.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftHandedOver {
    /// The shift.
    pub shift: ShiftId,
    /// Who signed.
    pub person: PersonId,
    /// What the next crew must know.
    pub content: Handover,
    /// What else the next crew should know, in words.
    pub remarks: Option<Text>,
}

/// The next crew has read a handover, and signed.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftTakenOver {
    /// The shift whose handover it is.
    pub shift: ShiftId,
    /// The shift that goes on.
    pub next: Option<ShiftId>,
    /// Who signed.
    pub person: PersonId,
    /// What is not as the handover says, in words.
    pub remarks: Option<Text>,
}
