//! What is to be done before something fails, and the parts for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::events::PartUsed;
use crate::ids::{AssetClass, AssetId, Code, PlanId};
use crate::units::Unit;
use crate::values::Text;

/// A reading that calls for maintenance (condition-based, EN 13306).
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueCondition {
    /// The quantity (`bearing_temperature`).
    pub quantity: Code,
    /// It is due above this value.
    pub above: Option<f64>,
    /// It is due below this value.
    pub below: Option<f64>,
    /// The unit of both.
    pub unit: Unit,
}

/// When maintenance is due: by whichever comes first. At least one is given.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DueEvery {
    /// Hours of running.
    pub running_hours: Option<f64>,
    /// Picks.
    pub picks: Option<f64>,
    /// Days of the calendar.
    pub days: Option<f64>,
    /// A reading.
    pub condition: Option<DueCondition>,
}

/// Preventive maintenance was planned, or planned anew.
///
/// Work answers the plan when it was done on the asset with the plan's activity and, where the plan names an item, on that item.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenancePlanDefined {
    /// The plan.
    pub plan: PlanId,
    /// What is to be done, in words.
    pub name: Text,
    /// For this asset.
    pub asset: Option<AssetId>,
    /// For every asset of this class.
    pub class: Option<AssetClass>,
    /// The activity (ISO 14224 B.5: replace, check, service, …).
    pub activity: Code,
    /// The item that it is done to.
    pub item: Option<Code>,
    /// When it is due.
    pub every: DueEvery,
    /// Parts that it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartUsed>,
    /// Hours of work that it takes.
    pub hours: Option<f64>,
}

/// The plan is no longer followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenancePlanRetired {
    /// The plan.
    pub plan: PlanId,
}

/// A part was described, or described anew.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDefined {
    /// The part number.
    pub part: Code,
    /// Its name.
    pub name: Text,
    /// Parts that can take its place, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<Code>,
    /// From the order to the delivery, in days.
    pub lead_time_days: Option<f64>,
    /// It is ordered when fewer are left.
    pub minimum: Option<f64>,
}

/// Parts came into the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsReceived {
    /// The part number.
    pub part: Code,
    /// How many.
    pub count: f64,
}

/// Parts in the store were counted: this many there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsCounted {
    /// The part number.
    pub part: Code,
    /// How many.
    pub count: f64,
}

/// Parts were ordered.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsOrdered {
    /// The part number.
    pub part: Code,
    /// How many.
    pub count: f64,
    /// When they are to come.
    pub expected: Option<Timestamp>,
}
