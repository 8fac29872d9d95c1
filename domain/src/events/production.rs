//! Production: job orders, material lots and what joins them (ISA-95 JobOrder, JobResponse, MaterialLot).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{AssetId, Code, LotId, MaterialId, OrderId, PersonId, ShipmentId};
use crate::values::{Interval, Quantity, Text};

/// Work was ordered.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderCreated {
    /// The order.
    pub order: OrderId,
    /// What is to be made.
    pub product: MaterialId,
    /// How much.
    pub quantity: Option<Quantity>,
    /// The order that this one is a part of.
    pub parent: Option<OrderId>,
    /// Who it is for.
    pub customer: Option<String>,
    /// When it is to be done.
    pub due: Option<Timestamp>,
    /// Anything else that the source says.
    pub note: Option<Text>,
}

/// Work began.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderStarted {
    /// The order.
    pub order: OrderId,
    /// Where.
    pub asset: Option<AssetId>,
    /// By whom.
    pub person: Option<PersonId>,
}

/// An operation of an order was reported (ISA-95 JobResponse). Its quantities count completions of this operation, never pieces made.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationReported {
    /// The order.
    pub order: OrderId,
    /// The operation.
    pub operation: Code,
    /// Where.
    pub asset: Option<AssetId>,
    /// By whom.
    pub person: Option<PersonId>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many completed the operation.
    pub completed: Option<f64>,
    /// How many went to the material review board.
    pub review: Option<f64>,
    /// How many were rejected.
    pub rejected: Option<f64>,
    /// Whether the operation repeated earlier work.
    pub rework: Option<bool>,
    /// The kind of report, as the source codes it.
    pub report: Option<Code>,
}

/// The order is done.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderCompleted {
    /// The order.
    pub order: OrderId,
    /// How much was made.
    pub quantity: Option<Quantity>,
}

/// What a lot is, physically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotKind {
    /// Yarn as delivered.
    Yarn,
    /// A warp beam from the warper 经轴.
    WarpBeam,
    /// A sized weaver's beam 织轴.
    WeaverBeam,
    /// A roll of grey fabric 坯布.
    Roll,
    /// Anything else.
    Other,
}

/// A lot came to be: received, or about to be produced.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotCreated {
    /// The lot.
    pub lot: LotId,
    /// What it is made of.
    pub material: MaterialId,
    /// What it is.
    pub kind: LotKind,
    /// How much of it there is.
    pub quantity: Option<Quantity>,
    /// Who delivered it.
    pub supplier: Option<String>,
    /// The order that it is made for.
    pub order: Option<OrderId>,
}

/// An order, or directly another lot, took material from a lot (MaterialActual, use Consumed).
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterialConsumed {
    /// The lot that the material came from.
    pub lot: LotId,
    /// The order that took it.
    pub order: OrderId,
    /// How much.
    pub quantity: Option<Quantity>,
    /// Which stretch of the lot.
    pub interval: Option<Interval>,
    /// Where.
    pub asset: Option<AssetId>,
    /// The lot that it went into, where that is known; otherwise into everything that the order produced.
    pub into: Option<LotId>,
}

/// A part of a produced lot's origin.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The lot that went in.
    pub lot: LotId,
    /// Which stretch of it.
    pub interval: Option<Interval>,
    /// How much of it.
    pub quantity: Option<Quantity>,
}

/// An order made material (MaterialActual, use Produced).
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterialProduced {
    /// The lot that was made, or grew.
    pub lot: LotId,
    /// The order that made it.
    pub order: OrderId,
    /// How much.
    pub quantity: Option<Quantity>,
    /// Where.
    pub asset: Option<AssetId>,
    /// By whom.
    pub person: Option<PersonId>,
    /// What went into it, where that is known lot by lot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Origin>,
}

/// A part of a lot that was split.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotPart {
    /// The new lot.
    pub lot: LotId,
    /// How much of the old one.
    pub quantity: Option<Quantity>,
    /// Which stretch of the old one.
    pub interval: Option<Interval>,
}

/// A lot was divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotSplit {
    /// The lot that was divided.
    pub lot: LotId,
    /// The lots that it became.
    pub into: Vec<LotPart>,
}

/// Lots were joined.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotsMerged {
    /// The new lot.
    pub lot: LotId,
    /// The lots that it is made of.
    pub from: Vec<Origin>,
    /// How much it is.
    pub quantity: Option<Quantity>,
}

/// Material was thrown away.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotScrapped {
    /// The lot.
    pub lot: LotId,
    /// How much; all of it, when absent.
    pub quantity: Option<Quantity>,
    /// Why.
    pub reason: Option<Code>,
}

/// Nothing more will be added to the lot.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotCompleted {
    /// The lot.
    pub lot: LotId,
    /// Its final quantity.
    pub quantity: Option<Quantity>,
}

/// The lot may be used or shipped.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotReleased {
    /// The lot.
    pub lot: LotId,
    /// Who released it.
    pub person: Option<PersonId>,
}

/// The lot must not be used or shipped.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotHeld {
    /// The lot.
    pub lot: LotId,
    /// Why.
    pub reason: Option<Text>,
}

/// The lot left the mill.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotShipped {
    /// The lot.
    pub lot: LotId,
    /// The shipment.
    pub shipment: ShipmentId,
    /// Who it went to.
    pub customer: Option<String>,
}
