//! What only a weaving mill has: warping 整经, sizing 浆纱, beams on looms 上轴, 接经, 了机, weft lots and doffing 落布.
//!
//! Beams and rolls are many to many: one beam gives many rolls, and a roll can hold cloth from two beams. Consumption is by stretches of
//! metres; the module `weaving` has the arithmetic.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::events::production::Origin;
use crate::ids::{AssetId, LotId, MaterialId, OrderId, PersonId};

/// Warp beams were wound from yarn.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarpingCompleted {
    /// The order.
    pub order: OrderId,
    /// The warper.
    pub asset: AssetId,
    /// The warp beam 经轴.
    pub beam: LotId,
    /// The yarn lots that went in.
    pub from: Vec<Origin>,
    /// The number of ends.
    pub ends: u32,
    /// The length of the warp in metres.
    pub length_m: f64,
    /// The linear density of the yarn in tex (g/km).
    pub tex: f64,
}

/// A weaver's beam was sized from warp beams.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizingCompleted {
    /// The order.
    pub order: OrderId,
    /// The sizing machine.
    pub asset: AssetId,
    /// The weaver's beam 织轴.
    pub beam: LotId,
    /// The warp beams that went in, by stretch.
    pub from: Vec<Origin>,
    /// The number of ends.
    pub ends: u32,
    /// The length of the warp in metres.
    pub length_m: f64,
    /// Size on the yarn, in percent of its weight.
    pub size_percent: Option<f64>,
}

/// How a new beam was joined to the loom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joining {
    /// Drawn in anew 穿经: a change of style.
    DrawnIn,
    /// Tied to the old warp 接经: the same style goes on.
    TiedIn,
}

/// A weaver's beam was put on a loom 上轴.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeamMounted {
    /// The loom.
    pub asset: AssetId,
    /// The beam.
    pub beam: LotId,
    /// The order that is woven.
    pub order: OrderId,
    /// The style that is woven.
    pub product: MaterialId,
    /// How it was joined.
    pub joining: Joining,
    /// Who did it.
    pub person: Option<PersonId>,
}

/// The new warp was tied to the end of the old one 接经.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarpTied {
    /// The loom.
    pub asset: AssetId,
    /// The beam that ran out.
    pub old_beam: LotId,
    /// The beam that follows.
    pub new_beam: LotId,
    /// Knots that had to be redone by hand.
    pub repaired_knots: Option<u32>,
}

/// The beam is woven off or taken down 了机.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeamFinished {
    /// The loom.
    pub asset: AssetId,
    /// The beam.
    pub beam: LotId,
    /// Warp left on it, in metres.
    pub remaining_m: Option<f64>,
}

/// Weft from another lot from now on.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeftLotChanged {
    /// The loom.
    pub asset: AssetId,
    /// The order that is woven.
    pub order: OrderId,
    /// The weft lot.
    pub lot: LotId,
    /// The loom's pick counter at the change.
    pub at_pick: Option<u64>,
}

/// A roll was cut off the loom 落布.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClothDoffed {
    /// The loom.
    pub asset: AssetId,
    /// The roll.
    pub roll: LotId,
    /// The order that it belongs to.
    pub order: OrderId,
    /// The style.
    pub product: MaterialId,
    /// Picks in the roll.
    pub picks: u64,
    /// Length of cloth in metres.
    pub length_m: f64,
    /// The beams that went in, by stretch of warp; two when the roll spans a tie-in.
    pub beams: Vec<Origin>,
    /// The weft lots that went in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wefts: Vec<LotId>,
    /// Who doffed it.
    pub person: Option<PersonId>,
}
