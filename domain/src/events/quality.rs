//! Inspections, nonconformances and dispositions (ISO 9000, ASTM D5430), calibrations.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, InspectionId, LotId, MaterialId, NonconformanceId, OrderId, PersonId, SignalId};
use crate::units::Unit;
use crate::values::{Text, finite};

/// A measured characteristic.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// What was measured.
    pub characteristic: Code,
    /// The value.
    #[serde(deserialize_with = "finite")]
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// The lower specification limit.
    pub lower_limit: Option<f64>,
    /// The upper specification limit.
    pub upper_limit: Option<f64>,
}

/// A defect on a piece.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// The kind of defect.
    pub code: Code,
    /// Penalty points, 1 to 4 by length (ASTM D5430 four-point system).
    pub points: Option<u8>,
    /// Where it is, in metres from the beginning of the roll.
    pub at_m: Option<f64>,
    /// How many of the kind; one, when absent.
    pub count: Option<u32>,
}

/// The verdict of an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As specified.
    Pass,
    /// Not as specified.
    Fail,
    /// Not decided.
    Undecided,
}

/// An inspection was made.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectionRecorded {
    /// The inspection.
    pub inspection: InspectionId,
    /// The lot that was inspected.
    pub lot: Option<LotId>,
    /// The order that was inspected.
    pub order: Option<OrderId>,
    /// The asset that was inspected, or that made what was inspected.
    pub asset: Option<AssetId>,
    /// The product.
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
    pub person: Option<PersonId>,
    /// The row has no identity of its own and equals another one: flagged, not merged.
    pub repeated: Option<bool>,
}

/// Something is not as it must be.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonconformanceRaised {
    /// The nonconformance.
    pub nonconformance: NonconformanceId,
    /// The inspection that found it.
    pub inspection: Option<InspectionId>,
    /// The lot.
    pub lot: Option<LotId>,
    /// The order.
    pub order: Option<OrderId>,
    /// The asset.
    pub asset: Option<AssetId>,
    /// The main defect.
    pub code: Code,
    /// In words.
    pub description: Option<Text>,
}

/// What becomes of nonconforming material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Used as it is.
    UseAsIs,
    /// Worked on again.
    Rework,
    /// Sold as second quality.
    Downgrade,
    /// Thrown away.
    Scrap,
    /// Sent back.
    ReturnToSupplier,
}

/// A nonconformance was decided.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispositionDecided {
    /// The nonconformance.
    pub nonconformance: NonconformanceId,
    /// The lot.
    pub lot: Option<LotId>,
    /// The decision.
    pub disposition: Disposition,
    /// Who decided.
    pub person: Option<PersonId>,
}

/// A measuring chain was calibrated.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationPerformed {
    /// The signal whose chain it was.
    pub signal: SignalId,
    /// The reference value.
    #[serde(deserialize_with = "finite")]
    pub reference: f64,
    /// What the chain showed before.
    #[serde(deserialize_with = "finite")]
    pub as_found: f64,
    /// What it shows now.
    #[serde(deserialize_with = "finite")]
    pub as_left: f64,
    /// The unit of all three.
    pub unit: Unit,
    /// The greatest deviation that is allowed, in the same unit.
    pub tolerance: Option<f64>,
    /// Who did it.
    pub person: Option<PersonId>,
}
