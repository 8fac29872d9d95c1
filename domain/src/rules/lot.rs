//! Material lots: what there is of them, what was taken, and whether they may be used.

use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, in_unit};
use super::{Aggregate, Contradiction, contradiction};
use crate::events::{Event, LotKind, Origin};
use crate::ids::{AssetId, LotId, MaterialId, ShipmentId};
use crate::units::Unit;
use crate::values::{Interval, Quantity};

/// By how much, relative to what there is, more may be taken than there is: metre counters and scales do not agree better.
pub const AMOUNT_TOLERANCE: f64 = 0.001;
/// By how many metres two stretches of a lot may overlap: lengths are rounded to centimetres on their way here.
pub const OVERLAP_TOLERANCE_M: f64 = 0.011;
/// How many stretches a lot remembers. Older ones are forgotten: then an overlap can be missed, and none is made up.
pub const MAX_STRETCHES: usize = 4096;
/// How many uses a lot remembers to know them again when another event tells them, too.
pub const MAX_UNPAIRED: usize = 256;

/// Whether a lot may be used or shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Nobody said: it may be used and not shipped.
    #[default]
    Undecided,
    /// It may be used and shipped.
    Released,
    /// It must not be used or shipped.
    Held,
}

/// A stretch of the lot that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Which.
    pub interval: Interval,
    /// The lot that it went into, where that is known.
    pub into: Option<LotId>,
}

/// Who tells of a use. The same use can be told twice: by what took the material, and by what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// A consumption tells where the material came from.
    Consumption,
    /// A product tells what went into it.
    Product,
}

/// A use of the lot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// Who told.
    pub told_by: Teller,
    /// The lot that it went into, where that is known.
    pub into: Option<LotId>,
    /// Which stretch.
    pub interval: Option<Interval>,
    /// How much.
    pub quantity: Option<Quantity>,
}

/// What is known of a lot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// Whether anything has brought it into being.
    pub known: bool,
    /// Whether it was created by name.
    pub created: bool,
    /// Whether it came out of warping, sizing, doffing, a split or a merge, which happens to a lot once.
    pub made: bool,
    /// What it is made of.
    pub material: Option<MaterialId>,
    /// What it is.
    pub kind: Option<LotKind>,
    /// Whether it may be used or shipped.
    pub release: Release,
    /// Nothing more is added to it.
    pub completed: bool,
    /// All of it was thrown away.
    pub scrapped: bool,
    /// It became other lots as a whole.
    pub divided: bool,
    /// The lot that it went into as a whole.
    pub merged_into: Option<LotId>,
    /// The shipment that it left with.
    pub shipped: Option<ShipmentId>,
    /// The loom that it is on, when it is a beam.
    pub mounted_on: Option<AssetId>,
    /// How much of it there was when it was created.
    pub created_quantity: Option<Quantity>,
    /// How much of it was made by the event that made it.
    pub made_quantity: Option<Quantity>,
    /// How much of it there is in the end.
    pub final_quantity: Option<Quantity>,
    /// What production added.
    pub produced: Amounts,
    /// What was taken from it.
    pub taken: Amounts,
    /// Which stretches were taken from it.
    pub stretches: Vec<Stretch>,
    /// Uses that only one teller has told.
    pub unpaired: Vec<Use>,
}

impl State {
    /// A lot that nothing has happened to.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            known: false,
            created: false,
            made: false,
            material: None,
            kind: None,
            release: Release::Undecided,
            completed: false,
            scrapped: false,
            divided: false,
            merged_into: None,
            shipped: None,
            mounted_on: None,
            created_quantity: None,
            made_quantity: None,
            final_quantity: None,
            produced: Amounts::default(),
            taken: Amounts::default(),
            stretches: Vec::new(),
            unpaired: Vec::new(),
        }
    }

    /// How much of the lot there was in all, in this unit; `None` when that is not known.
    pub fn total(&self, unit: &Unit) -> Option<f64> {
        if let Some(total) = in_unit(self.final_quantity.as_ref(), unit) {
            return Some(total);
        }
        let made = in_unit(self.made_quantity.as_ref(), unit);
        let added = match (in_unit(self.created_quantity.as_ref(), unit), self.produced.in_unit(unit)) {
            (None, None) => None,
            (created, produced) => Some(created.unwrap_or(0.0) + produced.unwrap_or(0.0)),
        };
        match (made, added) {
            (Some(made), Some(added)) => Some(made.max(added)),
            (made, added) => made.or(added),
        }
    }

    /// How much of the lot is left, in this unit; `None` when it is not known how much there was.
    pub fn left(&self, unit: &Unit) -> Option<f64> {
        Some(self.total(unit)? - self.taken.in_unit(unit).unwrap_or(0.0))
    }

    fn is(&self, lot: &LotId) -> bool {
        self.id == lot.as_str()
    }

    /// The uses of this lot that the event tells.
    fn uses(&self, event: &Event) -> Vec<Use> {
        let origins = |from: &[Origin], into: &LotId| {
            from.iter()
                .filter(|origin| self.is(&origin.lot))
                .map(|origin| Use {
                    told_by: Teller::Product,
                    into: Some(into.clone()),
                    interval: origin.interval,
                    quantity: origin.quantity.clone(),
                })
                .collect::<Vec<_>>()
        };
        match event {
            Event::MaterialConsumed(e) if self.is(&e.lot) => {
                let (into, interval, quantity) = (e.into.clone(), e.interval, e.quantity.clone());
                vec![Use { told_by: Teller::Consumption, into, interval, quantity }]
            }
            Event::MaterialProduced(e) => origins(&e.from, &e.lot),
            Event::LotsMerged(e) => origins(&e.from, &e.lot),
            Event::WarpingCompleted(e) => origins(&e.from, &e.beam),
            Event::SizingCompleted(e) => origins(&e.from, &e.beam),
            Event::ClothDoffed(e) => {
                let mut uses = origins(&e.beams, &e.roll);
                if e.wefts.iter().any(|weft| self.is(weft)) {
                    uses.push(Use {
                        told_by: Teller::Product,
                        into: Some(e.roll.clone()),
                        interval: None,
                        quantity: None,
                    });
                }
                uses
            }
            Event::LotSplit(e) if self.is(&e.lot) => e
                .into
                .iter()
                .map(|part| Use {
                    told_by: Teller::Product,
                    into: Some(part.lot.clone()),
                    interval: part.interval,
                    quantity: part.quantity.clone(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the other teller has told of this use before.
    fn told_before(&self, using: &Use) -> Option<usize> {
        using.into.as_ref()?;
        self.unpaired.iter().position(|known| {
            known.told_by != using.told_by
                && known.into == using.into
                && known.interval == using.interval
                && known.quantity == using.quantity
        })
    }

    fn take(&mut self, using: Use) {
        if let Some(index) = self.told_before(&using) {
            self.unpaired.remove(index);
            return;
        }
        if let Some(amount) = amount_of(&using) {
            self.taken.add(&amount);
        }
        if let Some(interval) =
            using.interval.filter(|interval| interval.start_m.is_finite() && interval.end_m.is_finite())
        {
            if self.stretches.len() >= MAX_STRETCHES {
                self.stretches.remove(0);
            }
            self.stretches.push(Stretch { interval, into: using.into.clone() });
        }
        if using.into.is_some() {
            if self.unpaired.len() >= MAX_UNPAIRED {
                self.unpaired.remove(0);
            }
            self.unpaired.push(Use { quantity: using.quantity.filter(|quantity| quantity.value.is_finite()), ..using });
        }
    }

    /// Why the lot cannot be used at all.
    fn unusable(&self) -> Option<Contradiction> {
        let id = &self.id;
        if !self.known {
            return contradiction("lot.unknown", format!("lot {id} is not known"), format!("批次 {id} 不存在"));
        }
        if self.scrapped {
            return contradiction(
                "lot.used_after_scrap",
                format!("lot {id} was scrapped"),
                format!("批次 {id} 已报废"),
            );
        }
        if let Some(shipment) = &self.shipped {
            let reason = format!("lot {id} has left with shipment {shipment}");
            return contradiction("lot.used_after_shipment", reason, format!("批次 {id} 已随 {shipment} 发货"));
        }
        if let Some(into) = &self.merged_into {
            let reason = format!("lot {id} was merged into lot {into}");
            return contradiction("lot.used_after_merge", reason, format!("批次 {id} 已并入批次 {into}"));
        }
        if self.divided {
            let reason = format!("lot {id} was split into other lots");
            return contradiction("lot.used_after_split", reason, format!("批次 {id} 已拆分"));
        }
        if self.release == Release::Held {
            return contradiction("lot.used_while_held", format!("lot {id} is held"), format!("批次 {id} 已被扣留"));
        }
        None
    }

    fn misuse(&self, using: &Use) -> Option<Contradiction> {
        if self.told_before(using).is_some() {
            return None;
        }
        self.made_from_itself(using)
            .or_else(|| self.unusable())
            .or_else(|| using.interval.and_then(|interval| self.bad_stretch(interval)))
            .or_else(|| amount_of(using).and_then(|amount| self.too_much(&amount)))
    }

    fn made_from_itself(&self, using: &Use) -> Option<Contradiction> {
        let id = &self.id;
        using.into.as_ref().filter(|into| self.is(into))?;
        contradiction(
            "lot.made_from_itself",
            format!("lot {id} cannot go into itself"),
            format!("批次 {id} 不能投入自身"),
        )
    }

    fn bad_stretch(&self, interval: Interval) -> Option<Contradiction> {
        let (id, start, end) = (&self.id, interval.start_m, interval.end_m);
        if !(start >= 0.0 && end > start) {
            let reason = format!("{start} m to {end} m is no stretch of lot {id}");
            return contradiction(
                "lot.not_a_stretch",
                reason,
                format!("{start} 米至 {end} 米不是批次 {id} 的有效区间"),
            );
        }
        if let Some(total) = self.total(&Unit::metre())
            && end > total * (1.0 + AMOUNT_TOLERANCE) + OVERLAP_TOLERANCE_M
        {
            let reason = format!("lot {id} is {total} m long, so that it has no stretch from {start} m to {end} m");
            let reason_zh = format!("批次 {id} 长 {total} 米，没有 {start} 米至 {end} 米的区间");
            return contradiction("lot.beyond_its_end", reason, reason_zh);
        }
        let twice = self
            .stretches
            .iter()
            .find(|known| known.interval.end_m.min(end) - known.interval.start_m.max(start) > OVERLAP_TOLERANCE_M)?;
        let Interval { start_m, end_m } = twice.interval;
        let went = twice.into.as_ref().map(|into| format!(" for lot {into}")).unwrap_or_default();
        let reason =
            format!("{start} m to {end} m of lot {id} overlaps {start_m} m to {end_m} m, which was taken{went}");
        contradiction(
            "lot.stretch_taken_twice",
            reason,
            format!("批次 {id} 的 {start}–{end} 米与已领用的 {start_m}–{end_m} 米重叠"),
        )
    }

    fn too_much(&self, amount: &Quantity) -> Option<Contradiction> {
        let (id, value, unit) = (&self.id, amount.value, &amount.unit);
        if !(value.is_finite() && value >= 0.0) {
            let reason = format!("{value} {unit} of lot {id} is no amount that can be taken");
            return contradiction("lot.not_an_amount", reason, format!("不能从批次 {id} 领用 {value} {unit}"));
        }
        let total = self.total(unit)?;
        let left = self.left(unit)?;
        if value > left + total.abs() * AMOUNT_TOLERANCE {
            let reason =
                format!("{value} {unit} cannot be taken from lot {id}: of {total} {unit}, {left} {unit} are left");
            let reason_zh = format!("无法从批次 {id} 领用 {value} {unit}：共 {total} {unit}，剩余 {left} {unit}");
            return contradiction("lot.more_than_there_is", reason, reason_zh);
        }
        None
    }

    /// Why an event that brings the lot into being does not fit.
    fn not_new(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        let repeated = match event {
            Event::LotCreated(e) if self.is(&e.lot) => self.created,
            event => made_by(event, id).is_some() && self.made,
        };
        if repeated {
            return contradiction(
                "lot.made_twice",
                format!("lot {id} came to be before"),
                format!("批次 {id} 此前已产生"),
            );
        }
        None
    }

    /// Why the amount that the event gives the lot does not fit: it is none, or less than was taken before.
    fn bad_total(&self, event: &Event) -> Option<Contradiction> {
        let id = &self.id;
        let given = match event {
            Event::LotCreated(e) if self.is(&e.lot) => e.quantity.clone(),
            Event::MaterialProduced(e) if self.is(&e.lot) => e.quantity.clone(),
            Event::LotCompleted(e) if self.is(&e.lot) => e.quantity.clone(),
            event => made_by(event, id).flatten(),
        }?;
        let (value, unit) = (given.value, &given.unit);
        if !(value.is_finite() && value >= 0.0) {
            let reason = format!("{value} {unit} is no amount of lot {id}");
            return contradiction("lot.not_an_amount", reason, format!("批次 {id} 的数量不能是 {value} {unit}"));
        }
        let next = self.clone().evolve(event);
        let (total, taken) = (next.total(unit)?, next.taken.in_unit(unit)?);
        if taken <= total * (1.0 + AMOUNT_TOLERANCE) {
            return None;
        }
        let reason = format!("lot {id} cannot be {total} {unit} in all: {taken} {unit} were taken from it");
        contradiction(
            "lot.less_than_was_taken",
            reason,
            format!("批次 {id} 总量不能是 {total} {unit}：已领用 {taken} {unit}"),
        )
    }

    fn not_growing(&self) -> Option<Contradiction> {
        let id = &self.id;
        if self.shipped.is_some() || self.scrapped {
            let reason = format!("lot {id} is gone, so that nothing can be added to it");
            return contradiction("lot.grown_after_its_end", reason, format!("批次 {id} 已不在，无法再增加"));
        }
        if self.completed {
            let reason = format!("lot {id} is complete, so that nothing can be added to it");
            return contradiction("lot.grown_after_completion", reason, format!("批次 {id} 已完成，无法再增加"));
        }
        None
    }

    fn not_shippable(&self) -> Option<Contradiction> {
        let id = &self.id;
        if let Some(shipment) = &self.shipped {
            let reason = format!("lot {id} was shipped before, with shipment {shipment}");
            return contradiction("lot.shipped_twice", reason, format!("批次 {id} 此前已随 {shipment} 发货"));
        }
        self.unusable().or_else(|| match self.release {
            Release::Released => None,
            _ => {
                let reason = format!("lot {id} was not released, so that it cannot be shipped");
                contradiction("lot.shipped_before_release", reason, format!("批次 {id} 未放行，不能发货"))
            }
        })
    }

    fn not_scrappable(&self, quantity: Option<&Quantity>) -> Option<Contradiction> {
        let id = &self.id;
        if self.scrapped {
            return contradiction(
                "lot.scrapped_twice",
                format!("lot {id} was scrapped before"),
                format!("批次 {id} 此前已报废"),
            );
        }
        if let Some(shipment) = &self.shipped {
            let reason = format!("lot {id} has left with shipment {shipment}");
            return contradiction("lot.used_after_shipment", reason, format!("批次 {id} 已随 {shipment} 发货"));
        }
        if !self.known {
            return contradiction("lot.unknown", format!("lot {id} is not known"), format!("批次 {id} 不存在"));
        }
        quantity.and_then(|quantity| self.too_much(quantity))
    }

    /// Whether the lot, which is gone or not known, can be released, held or completed.
    fn not_there(&self) -> Option<Contradiction> {
        let id = &self.id;
        if !self.known {
            return contradiction("lot.unknown", format!("lot {id} is not known"), format!("批次 {id} 不存在"));
        }
        if self.shipped.is_some() || self.scrapped {
            let reason = format!("lot {id} is gone: it was shipped or scrapped");
            return contradiction("lot.changed_after_its_end", reason, format!("批次 {id} 已发货或报废"));
        }
        None
    }

    fn not_mountable(&self, loom: &AssetId) -> Option<Contradiction> {
        let id = &self.id;
        match &self.mounted_on {
            Some(other) if other != loom => {
                let reason = format!("beam {id} is on loom {other}, so that it cannot be on loom {loom}");
                contradiction(
                    "lot.on_two_looms",
                    reason,
                    format!("织轴 {id} 在织机 {other} 上，不能同时在织机 {loom} 上"),
                )
            }
            _ => self.unusable(),
        }
    }

    fn not_on(&self, loom: &AssetId) -> Option<Contradiction> {
        let (id, other) = (&self.id, self.mounted_on.as_ref().filter(|other| *other != loom)?);
        let reason = format!("beam {id} is on loom {other}, not on loom {loom}");
        contradiction("lot.on_another_loom", reason, format!("织轴 {id} 在织机 {other} 上，不在织机 {loom} 上"))
    }
}

/// How much a use takes: what it says, or else the length of its stretch.
fn amount_of(using: &Use) -> Option<Quantity> {
    let length = || using.interval.map(|interval| Quantity::new(interval.length_m(), Unit::metre()));
    using.quantity.clone().or_else(length)
}

/// How much of the lot the event makes, when it makes it.
fn made_by(event: &Event, id: &str) -> Option<Option<Quantity>> {
    let metres = |length_m: f64| Some(Some(Quantity::new(length_m, Unit::metre())));
    match event {
        Event::WarpingCompleted(e) if e.beam.as_str() == id => metres(e.length_m),
        Event::SizingCompleted(e) if e.beam.as_str() == id => metres(e.length_m),
        Event::ClothDoffed(e) if e.roll.as_str() == id => metres(e.length_m),
        Event::LotsMerged(e) if e.lot.as_str() == id => Some(e.quantity.clone()),
        Event::LotSplit(e) if e.lot.as_str() != id => e.into.iter().find(|part| part.lot.as_str() == id).map(|part| {
            let length = || part.interval.map(|interval| Quantity::new(interval.length_m(), Unit::metre()));
            part.quantity.clone().or_else(length)
        }),
        _ => None,
    }
}

fn finite(quantity: Option<Quantity>) -> Option<Quantity> {
    quantity.filter(|quantity| quantity.value.is_finite())
}

impl Aggregate for State {
    fn evolve(mut self, event: &Event) -> Self {
        for using in self.uses(event) {
            self.take(using);
        }
        if let Some(quantity) = made_by(event, &self.id) {
            self.known = true;
            self.made = true;
            self.made_quantity = finite(quantity).or(self.made_quantity);
            let kind = match event {
                Event::WarpingCompleted(_) => Some(LotKind::WarpBeam),
                Event::SizingCompleted(_) => Some(LotKind::WeaverBeam),
                Event::ClothDoffed(_) => Some(LotKind::Roll),
                _ => None,
            };
            self.kind = self.kind.or(kind);
        }
        match event {
            Event::LotCreated(e) if self.is(&e.lot) => {
                self.known = true;
                self.created = true;
                self.material = Some(e.material.clone());
                self.kind = Some(e.kind);
                self.created_quantity = finite(e.quantity.clone()).or(self.created_quantity);
            }
            Event::MaterialProduced(e) if self.is(&e.lot) => {
                self.known = true;
                if let Some(quantity) = &e.quantity {
                    self.produced.add(quantity);
                }
            }
            Event::ClothDoffed(e) if self.is(&e.roll) => {
                self.material = self.material.or_else(|| Some(e.product.clone()))
            }
            Event::LotSplit(e) if self.is(&e.lot) => {
                self.divided |= e.into.iter().all(|part| part.quantity.is_none() && part.interval.is_none());
            }
            Event::LotsMerged(e) => {
                let whole =
                    |origin: &Origin| self.is(&origin.lot) && origin.quantity.is_none() && origin.interval.is_none();
                if e.from.iter().any(whole) {
                    self.merged_into = Some(e.lot.clone());
                }
            }
            Event::LotScrapped(e) if self.is(&e.lot) => match &e.quantity {
                Some(quantity) => self.taken.add(quantity),
                None => self.scrapped = true,
            },
            Event::LotCompleted(e) if self.is(&e.lot) => {
                self.completed = true;
                self.final_quantity = finite(e.quantity.clone()).or(self.final_quantity);
            }
            Event::LotReleased(e) if self.is(&e.lot) => self.release = Release::Released,
            Event::LotHeld(e) if self.is(&e.lot) => self.release = Release::Held,
            Event::LotShipped(e) if self.is(&e.lot) => self.shipped = Some(e.shipment.clone()),
            Event::BeamMounted(e) if self.is(&e.beam) => self.mounted_on = Some(e.asset.clone()),
            Event::BeamFinished(e) if self.is(&e.beam) => self.mounted_on = None,
            Event::WarpTied(e) if self.is(&e.old_beam) => self.mounted_on = None,
            _ => {}
        }
        self
    }

    fn contradiction(&self, event: &Event) -> Option<Contradiction> {
        let uses = self.uses(event);
        if let [using] = uses.as_slice() {
            if let Some(found) = self.misuse(using) {
                return Some(found);
            }
        } else {
            // Several uses in one event are judged one after the other: parts of a split must not exceed the lot together.
            let mut known = self.clone();
            for using in uses {
                if let Some(found) = known.misuse(&using) {
                    return Some(found);
                }
                known.take(using);
            }
        }
        self.not_new(event).or_else(|| self.bad_total(event)).or_else(|| match event {
            Event::MaterialProduced(e) if self.is(&e.lot) => self.not_growing(),
            Event::LotSplit(e) if self.is(&e.lot) && e.into.is_empty() => self.unusable(),
            Event::LotScrapped(e) if self.is(&e.lot) => self.not_scrappable(e.quantity.as_ref()),
            Event::LotCompleted(e) if self.is(&e.lot) => self.not_there().or_else(|| {
                let id = &self.id;
                let twice = || {
                    contradiction(
                        "lot.completed_twice",
                        format!("lot {id} was completed before"),
                        format!("批次 {id} 此前已完成"),
                    )
                };
                self.completed.then(twice).flatten()
            }),
            Event::LotReleased(e) if self.is(&e.lot) => self.not_there(),
            Event::LotHeld(e) if self.is(&e.lot) => self.not_there(),
            Event::LotShipped(e) if self.is(&e.lot) => self.not_shippable(),
            Event::BeamMounted(e) if self.is(&e.beam) => self.not_mountable(&e.asset),
            Event::BeamFinished(e) if self.is(&e.beam) => self.not_on(&e.asset),
            Event::WarpTied(e) if self.is(&e.old_beam) || self.is(&e.new_beam) => self.not_on(&e.asset),
            Event::WeftLotChanged(e) if self.is(&e.lot) => self.unusable(),
            _ => None,
        })
    }
}
