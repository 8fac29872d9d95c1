//! Control limits, frozen from phase I (statistical process control).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, MaterialId, PersonId};
use crate::spc::{AttributeLimits, VariableLimits};

/// Limits of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FrozenLimits {
    /// Of measured values.
    Variables(VariableLimits),
    /// Of counts.
    Attributes(AttributeLimits),
}

/// Limits were frozen: from now on what comes is judged by them.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlLimitsFrozen {
    /// The characteristic; for charts of counts `defects`, `points` or the code of a defect.
    pub characteristic: Code,
    /// Of this product.
    pub product: Option<MaterialId>,
    /// From this asset.
    pub asset: Option<AssetId>,
    /// The limits.
    pub limits: FrozenLimits,
    /// The earliest of the inspections that they come from.
    pub from: Option<Timestamp>,
    /// The latest of the inspections that they come from.
    pub to: Option<Timestamp>,
    /// The last log position that they were computed from.
    pub as_of: u64,
    /// Who froze them.
    pub person: Option<PersonId>,
}
