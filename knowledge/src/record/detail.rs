//! What a record knows beyond its words, by kind.

use domain::Text;
use domain::events::{
    Category, Defect, Disposition, EquipmentLevel, Impact, MachineState, Measurement, Milestone, Outcome, PartUsed,
    Verdict,
};
use domain::ids::{AssetId, Code, EquipmentId, FaultId, InspectionId, LotId, MaterialId, OrderId, PersonId};
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ArticleDetail, FileDetail};

/// The structured part of a record. What did not arrive is absent: late and contradicting events are normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// See [`AssetDetail`].
    Asset(AssetDetail),
    /// See [`EquipmentDetail`].
    Equipment(EquipmentDetail),
    /// See [`SignalDetail`].
    Signal(SignalDetail),
    /// See [`StopDetail`].
    StateStop(StopDetail),
    /// See [`AlarmDetail`].
    Alarm(AlarmDetail),
    /// See [`FaultDetail`].
    FaultEpisode(FaultDetail),
    /// A failure mode. Its counts are asked at a position, not stored.
    FailureMode {
        /// The code.
        mode: Code,
    },
    /// See [`SetPointDetail`].
    SetPointChange(SetPointDetail),
    /// See [`WorkOrderDetail`].
    WorkOrder(WorkOrderDetail),
    /// See [`InspectionDetail`].
    Inspection(InspectionDetail),
    /// See [`NonconformanceDetail`].
    Nonconformance(NonconformanceDetail),
    /// See [`ArticleDetail`].
    Article(ArticleDetail),
    /// See [`FileDetail`].
    File(FileDetail),
}

/// An asset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssetDetail {
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// The maker's model name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The maker's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// A role in the hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EquipmentDetail {
    /// Its level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<EquipmentLevel>,
    /// The role that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<EquipmentId>,
    /// The assets that fill it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetId>,
}

/// A signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalDetail {
    /// The short name that models know it by.
    pub quantity: Code,
    /// The unit of its values (UCUM).
    pub unit: String,
    /// The least value that makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The greatest value that makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// A machine went out of order or into maintenance. How long it lasted is asked of the states, not stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopDetail {
    /// What it went over to.
    pub state: MachineState,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
}

/// An occurrence of an alarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlarmDetail {
    /// Its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Its severity from 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<u16>,
    /// Whether somebody has seen it.
    #[serde(default)]
    pub acknowledged: bool,
    /// Whether its condition is over.
    #[serde(default)]
    pub cleared: bool,
    /// When its condition was over, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_time: Option<Timestamp>,
}

/// A fault episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultDetail {
    /// What was noticed, in words.
    #[serde(default)]
    pub symptoms: Text,
    /// The alarms that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Code>,
    /// The failure mode; `None` while nobody has coded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Code>,
    /// The failure mechanism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Code>,
    /// The failure cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Code>,
    /// The maintainable item that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Code>,
    /// How it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Code>,
    /// How far it reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    /// What was being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<MaterialId>,
    /// Whether the episode is over.
    #[serde(default)]
    pub closed: bool,
    /// When the asset did again what it should, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Timestamp>,
}

/// One piece of work under a work order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The activity.
    pub activity: Code,
    /// The item that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Code>,
    /// What was done, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// Parts that were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartUsed>,
    /// Hours of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Where the log says so.
    pub position: Position,
}

/// A work order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkOrderDetail {
    /// The fault that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultId>,
    /// Why it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// What is to be done, or what is wrong.
    #[serde(default)]
    pub description: Text,
    /// The maintainable item, system or subunit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Code>,
    /// Priority, 1 is the most urgent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The milestones that it reached, in the order of the log, each with its time where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<(Milestone, Option<Timestamp>)>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub work: Vec<Work>,
    /// What came of it; `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Hours of work in all, as the closing says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// What it cost in all, as the closing says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// When the machine was up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_up: Option<Timestamp>,
}

/// An inspection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InspectionDetail {
    /// The lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<LotId>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<MaterialId>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<Defect>,
    /// The verdict.
    pub verdict: Verdict,
    /// Who inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// Equal to another row that has no identity of its own.
    #[serde(default)]
    pub repeated: bool,
}

/// A nonconformance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NonconformanceDetail {
    /// The inspection that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspection: Option<InspectionId>,
    /// The lot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<LotId>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The main defect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What becomes of the material; `None` while nobody has decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
}

/// A changed set-point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetPointDetail {
    /// The parameter.
    pub parameter: Code,
    /// The value before, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// The value from then on.
    pub to: f64,
    /// The unit of both (UCUM).
    pub unit: String,
    /// What was being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<MaterialId>,
    /// Who changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}
