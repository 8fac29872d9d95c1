//! Maintenance work orders (EN 13306, with the times of Nestor's scheme).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, FaultId, PersonId, WorkOrderId};
use crate::values::Text;

/// Why maintenance is done (EN 13306).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// After a fault.
    Corrective,
    /// By plan.
    Preventive,
    /// By the state of the asset.
    ConditionBased,
}

/// A work order was opened.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrderOpened {
    /// The work order.
    pub work_order: WorkOrderId,
    /// The asset.
    pub asset: AssetId,
    /// The fault that it answers.
    pub fault: Option<FaultId>,
    /// Why it is done.
    pub category: Category,
    /// What is to be done, or what is wrong, in words.
    pub description: Text,
    /// The maintainable item, system or subunit.
    pub item: Option<Code>,
    /// Priority, 1 is the most urgent.
    pub priority: Option<u8>,
}

/// A moment in the life of a work order (NIST Nestor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// The machine went down.
    MachineDown,
    /// The work order was started.
    WorkorderStart,
    /// The technician arrived.
    TechnicianArrive,
    /// It is known what to do.
    SolutionFound,
    /// A part was ordered.
    PartOrdered,
    /// The part came.
    PartReceived,
    /// The solution is in place.
    SolutionSolve,
    /// The machine is up.
    MachineUp,
    /// The work order was completed.
    WorkorderCompletion,
}

/// A work order reached a milestone; the event's time says when.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrderProgressed {
    /// The work order.
    pub work_order: WorkOrderId,
    /// The asset.
    pub asset: AssetId,
    /// The milestone.
    pub milestone: Milestone,
    /// Who.
    pub person: Option<PersonId>,
}

/// A part that was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartUsed {
    /// The part number or name.
    pub part: Code,
    /// How many.
    pub count: f64,
}

/// Work was done under a work order.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkDone {
    /// The work order.
    pub work_order: WorkOrderId,
    /// The asset.
    pub asset: AssetId,
    /// The fault that it answers.
    pub fault: Option<FaultId>,
    /// The activity (ISO 14224 B.5: replace, repair, adjust, …).
    pub activity: Code,
    /// The item that it was done to.
    pub item: Option<Code>,
    /// What was done, in words.
    pub text: Option<Text>,
    /// Parts that were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartUsed>,
    /// Hours of work.
    pub hours: Option<f64>,
    /// What it cost, in the plant's currency.
    pub cost: Option<f64>,
    /// Who did it.
    pub person: Option<PersonId>,
}

/// What came of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The fault is gone.
    Solved,
    /// The fault is still there or came back during the work.
    NotSolved,
    /// Nobody said.
    Unknown,
}

/// The work order is closed.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrderClosed {
    /// The work order.
    pub work_order: WorkOrderId,
    /// The asset.
    pub asset: AssetId,
    /// What came of it.
    pub outcome: Outcome,
    /// Hours of work in all.
    pub hours: Option<f64>,
    /// What it cost in all, in the plant's currency.
    pub cost: Option<f64>,
    /// When the machine was up again.
    pub machine_up: Option<Timestamp>,
}
