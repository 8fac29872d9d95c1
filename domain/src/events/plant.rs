//! The plant: equipment roles, physical assets, signals, states and set-points (ISA-95).

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetClass, AssetId, Code, EquipmentId, MaterialId, PersonId, SignalId};
use crate::units::Unit;
use crate::values::{Text, finite};

/// A level of the equipment hierarchy (IEC 62264-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EquipmentLevel {
    /// The company.
    Enterprise,
    /// A place.
    Site,
    /// A part of a site.
    Area,
    /// A line of discrete production.
    ProductionLine,
    /// A cell of batch production.
    ProcessCell,
    /// A group of machines of any kind.
    WorkCenter,
    /// A machine's place.
    WorkUnit,
    /// A part of a machine's place.
    EquipmentModule,
}

/// A role in the hierarchy came to be, or was described anew.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquipmentDefined {
    /// The role.
    pub equipment: EquipmentId,
    /// Its name.
    pub name: Text,
    /// Its level.
    pub level: EquipmentLevel,
    /// The role that it is a part of.
    pub parent: Option<EquipmentId>,
}

/// A physical asset was registered, or described anew.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetRegistered {
    /// The asset.
    pub asset: AssetId,
    /// Its name.
    pub name: Text,
    /// The class that it shares failure modes and models with.
    pub class: AssetClass,
    /// Who made it.
    pub maker: Option<String>,
    /// The maker's model name.
    pub model: Option<String>,
    /// The maker's serial number.
    pub serial: Option<String>,
}

/// From now on the asset fills the role (a time-bounded mapping, ISA-95).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetMapped {
    /// The asset.
    pub asset: AssetId,
    /// The role that it fills.
    pub equipment: EquipmentId,
}

/// From now on the asset no longer fills the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetUnmapped {
    /// The asset.
    pub asset: AssetId,
    /// The role that it filled.
    pub equipment: EquipmentId,
}

/// A signal entered the tag catalog, or was described anew.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalDefined {
    /// The signal.
    pub signal: SignalId,
    /// The asset that it is measured at.
    pub asset: AssetId,
    /// The short name that models know it by, the same for every asset of a class (`warp_tension`).
    pub quantity: Code,
    /// Its name.
    pub name: Text,
    /// The unit of its values.
    pub unit: Unit,
    /// The least value that makes sense.
    pub low: Option<f64>,
    /// The greatest value that makes sense.
    pub high: Option<f64>,
    /// The sampling period in milliseconds.
    pub period_ms: Option<u64>,
    /// Changes smaller than this are not sent, in the signal's unit.
    pub deadband: Option<f64>,
    /// Where it comes from: an MQTT topic and field, or an OPC UA node id.
    pub address: Option<String>,
}

/// What a machine does (ISO 22400 time model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// It produces.
    Running,
    /// A short stop in the process, such as a broken yarn.
    Stopped,
    /// It is prepared for other work.
    Setup,
    /// It could run, and has no work.
    Idle,
    /// It is out of order.
    Down,
    /// It is being maintained.
    Maintenance,
    /// It is switched off.
    Off,
}

/// A machine went over to another state.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineStateChanged {
    /// The machine.
    pub asset: AssetId,
    /// What it does from now on.
    pub state: MachineState,
    /// Why (`warp_break`, `weft_break`, `doffing`, `no_order`).
    pub reason: Option<Code>,
}

/// A set-point was changed.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetPointChanged {
    /// The machine.
    pub asset: AssetId,
    /// The parameter (`warp_tension`).
    pub parameter: Code,
    /// The value before, where it is known.
    pub from: Option<f64>,
    /// The value from now on.
    #[serde(deserialize_with = "finite")]
    pub to: f64,
    /// The unit of both.
    pub unit: Unit,
    /// Who changed it.
    pub person: Option<PersonId>,
    /// What was being made.
    pub product: Option<MaterialId>,
    /// Why.
    pub reason: Option<Text>,
}
