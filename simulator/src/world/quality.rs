//! Inspection of rolls by the four-point system, nonconformances, releases and shipments.

use domain::events::{
    Defect, Disposition, DispositionDecided, InspectionRecorded, LotHeld, LotReleased, LotScrapped, LotShipped,
    Measurement, NonconformanceRaised, Verdict,
};
use domain::values::Text;

use super::orders::style;
use super::{Action, DAY, HOUR, MINUTE, World};
use crate::fault::{Effects, FaultKind, spec};
use crate::mill::{ENGINEER, INSPECTORS, Style};
use crate::names;
use crate::physics::Growing;

/// A roll passes with at most this many points for each 100 m² (ASTM D5430).
const MOST_POINTS: f64 = 23.0;
/// Defects in 100 m of cloth from a sound loom.
const USUAL_DEFECTS: f64 = 7.0;
/// Defects that a stop leaves.
const DEFECTS_PER_STOP: f64 = 0.25;
/// The most defects that are written down one by one.
const MOST_DEFECTS: u32 = 80;
/// What a sound loom leaves in the cloth.
const USUAL: [&str; 6] = ["broken_pick", "slub", "oil_stain", "double_pick", "thick_yarn", "neps"];
/// A shipment leaves when this many rolls of an order are ready, or the order is completed.
const SHIPMENT_ROLLS: usize = 12;
/// A roll on hold is loaded by mistake with this probability.
const LOADED_BY_MISTAKE: f64 = 0.06;

/// A roll, as quality knows it.
#[derive(Clone, Debug)]
pub(super) struct Roll {
    id: String,
    loom: usize,
    order: usize,
    style: &'static Style,
    length_m: f64,
    stops: u32,
    exposure: Vec<(usize, FaultKind, f64)>,
    density: f64,
    inspections: u32,
    points: f64,
    worst: String,
    nonconformance: Option<String>,
    shipped: bool,
}

/// Quality as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Quality {
    rolls: Vec<Roll>,
    nonconformances: u32,
    shipments: u32,
    ready: Vec<usize>,
    numbered: u32,
}

impl World {
    pub(super) fn next_roll(&mut self) -> String {
        self.quality.numbered += 1;
        format!("RL-{:06}", self.quality.numbered)
    }

    pub(super) fn inspect_later(&mut self, t: f64, loom: usize, order: usize, roll: String, grown: &Growing) {
        for (truth, ..) in &grown.exposure {
            if let Some(fault) = self.truth.faults.get_mut(*truth) {
                fault.rolls.push(roll.clone());
            }
        }
        let index = self.quality.rolls.len();
        self.quality.rolls.push(Roll {
            id: roll,
            loom,
            order,
            style: self.looms.get(loom).map_or(style(0), |loom| loom.style),
            length_m: grown.length_m,
            stops: grown.stops,
            exposure: grown.exposure.clone(),
            density: grown.density_m / grown.length_m.max(1.0),
            inspections: 0,
            points: 0.0,
            worst: String::new(),
            nonconformance: None,
            shipped: false,
        });
        let after = self.random.between(1.0, 9.0) * HOUR;
        self.plan(t - self.now() + after, Action::Inspect(index));
    }

    fn defects(&mut self, roll: &Roll) -> Vec<Defect> {
        // Mended cloth has lost most of its defects.
        let left = if roll.inspections > 0 { 0.35 } else { 1.0 };
        let usual = (USUAL_DEFECTS * roll.length_m / 100.0 + DEFECTS_PER_STOP * f64::from(roll.stops)) * left;
        let mut defects = Vec::new();
        let count = self.random.poisson(usual).min(MOST_DEFECTS);
        for _ in 0..count {
            let code = self.random.text(&USUAL);
            let points = self.points(&[0.60, 0.82, 0.92]);
            defects.push(self.defect(roll, code, points));
        }
        for (_, kind, touched) in &roll.exposure {
            let rate = Effects::of(*kind, 1.0).defects;
            let count = self.random.poisson(rate * touched / 100.0 * left).min(MOST_DEFECTS);
            for _ in 0..count {
                let code = spec(*kind).defect.unwrap_or("broken_pick");
                let points = self.points(&[0.30, 0.60, 0.78]);
                defects.push(self.defect(roll, code, points));
            }
        }
        defects.sort_by(|a, b| a.at_m.unwrap_or(0.0).total_cmp(&b.at_m.unwrap_or(0.0)));
        defects
    }

    fn points(&mut self, below: &[f64; 3]) -> u8 {
        let draw = self.random.uniform();
        below.iter().fold(1, |points, limit| points + u8::from(draw >= *limit))
    }

    fn defect(&mut self, roll: &Roll, code: &str, points: u8) -> Defect {
        let at_m = (self.random.between(0.0, roll.length_m) * 10.0).floor() / 10.0;
        Defect { code: names::code(code), points: Some(points), at_m: Some(at_m), count: None }
    }

    fn measurements(&mut self, roll: &Roll, points_per_100_m2: f64) -> Vec<Measurement> {
        let kind = roll.style;
        let measured = |characteristic: &str, value: f64, unit: &str, limits: (Option<f64>, Option<f64>)| Measurement {
            characteristic: names::code(characteristic),
            value,
            unit: names::unit(unit),
            lower_limit: limits.0,
            upper_limit: limits.1,
        };
        let width = kind.cloth_width_cm + 0.25 * self.random.normal();
        let density = kind.picks_per_cm * (1.0 + roll.density) + 0.08 * self.random.normal();
        let warp = f64::from(kind.ends) / (kind.cloth_width_cm / 100.0) * kind.warp_tex / 1000.0 / (1.0 - kind.crimp);
        let weft = density * 100.0 * kind.weft_tex / 1000.0 * kind.reed_width_cm / kind.cloth_width_cm;
        let mass = (warp + weft) * (1.0 + 0.006 * self.random.normal());
        let around =
            |value: f64, part: f64| (Some(hundredths(value * (1.0 - part))), Some(hundredths(value * (1.0 + part))));
        vec![
            measured("points_per_100_m2", hundredths(points_per_100_m2), "1", (None, Some(MOST_POINTS))),
            measured("cloth_width", hundredths(width), "cm", around(kind.cloth_width_cm, 0.01)),
            measured("pick_density", hundredths(density), "/cm", around(kind.picks_per_cm, 0.02)),
            measured("mass_per_area", hundredths(mass), "g/m2", (None, None)),
        ]
    }

    pub(super) fn inspect(&mut self, index: usize) {
        let Some(roll) = self.quality.rolls.get(index).cloned() else { return };
        let defects = self.defects(&roll);
        let area = roll.length_m * roll.style.cloth_width_cm / 100.0;
        let points = defects.iter().filter_map(|defect| defect.points).map(f64::from).sum::<f64>() * 100.0 / area;
        let measurements = self.measurements(&roll, points);
        let good = measurements.iter().all(|measured| {
            measured.lower_limit.is_none_or(|limit| measured.value >= limit)
                && measured.upper_limit.is_none_or(|limit| measured.value <= limit)
        });
        // Cloth that was mended is judged by what can still be mended: its density stays as it is.
        let good = good || roll.inspections > 0;
        let worst = worst(&defects, &measurements);
        let inspection = format!("IN-{}-{}", roll.id, roll.inspections + 1);
        let person = names::person(self.random.text(&INSPECTORS));
        let now = self.now();
        self.emit(
            now,
            InspectionRecorded {
                inspection: names::inspection(&inspection),
                lot: Some(names::lot(&roll.id)),
                order: Some(self.order_id(roll.order)),
                asset: Some(self.loom_id(roll.loom)),
                product: Some(names::material(roll.style.id)),
                measurements,
                defects,
                verdict: if good { Verdict::Pass } else { Verdict::Fail },
                person: Some(person),
                repeated: None,
            },
        );
        if let Some(roll) = self.quality.rolls.get_mut(index) {
            roll.inspections += 1;
            roll.points = points;
            roll.worst.clone_from(&worst);
        }
        if good {
            self.plan(2.0 * MINUTE, Action::Release(index));
        } else {
            self.hold(index, &inspection, &worst);
        }
    }

    fn hold(&mut self, index: usize, inspection: &str, worst: &str) {
        let now = self.now();
        self.quality.nonconformances += 1;
        let nonconformance = format!("NC-{:05}", self.quality.nonconformances);
        let Some(roll) = self.quality.rolls.get_mut(index) else { return };
        roll.nonconformance = Some(nonconformance.clone());
        let roll = roll.clone();
        self.emit(
            now,
            NonconformanceRaised {
                nonconformance: names::nonconformance(&nonconformance),
                inspection: Some(names::inspection(inspection)),
                lot: Some(names::lot(&roll.id)),
                order: Some(self.order_id(roll.order)),
                asset: Some(self.loom_id(roll.loom)),
                code: names::code(worst),
                description: Some(Text::new(
                    &format!("每百平方米 {:.1} 分，主要疵点 {worst}", roll.points),
                    &format!("{:.1} points per 100 m2, mainly {worst}", roll.points),
                )),
            },
        );
        let reason = Some(Text::new("检验不合格", "failed inspection"));
        self.emit(now, LotHeld { lot: names::lot(&roll.id), reason });
        let after = self.random.between(3.0, 24.0) * HOUR;
        self.plan(after, Action::Decide(index));
        if self.random.chance(LOADED_BY_MISTAKE) {
            self.plan(after * 0.5, Action::ShipHeld(index));
        }
    }

    pub(super) fn decide(&mut self, index: usize) {
        let Some(roll) = self.quality.rolls.get(index).cloned() else { return };
        let Some(nonconformance) = &roll.nonconformance else { return };
        let disposition = if roll.shipped {
            Disposition::UseAsIs
        } else if roll.points > 2.6 * MOST_POINTS {
            Disposition::Scrap
        } else {
            match self.random.uniform() {
                draw if draw < 0.45 => Disposition::Downgrade,
                draw if draw < 0.80 => Disposition::Rework,
                _ => Disposition::UseAsIs,
            }
        };
        let now = self.now();
        self.emit(
            now,
            DispositionDecided {
                nonconformance: names::nonconformance(nonconformance),
                lot: Some(names::lot(&roll.id)),
                disposition,
                person: Some(names::person(ENGINEER)),
            },
        );
        match disposition {
            _ if roll.shipped => {}
            Disposition::Scrap | Disposition::ReturnToSupplier => {
                let reason = Some(names::code(&roll.worst));
                self.emit(now, LotScrapped { lot: names::lot(&roll.id), quantity: None, reason });
            }
            Disposition::Rework => {
                let after = self.random.between(4.0, 16.0) * HOUR;
                self.plan(after, Action::Inspect(index));
            }
            Disposition::Downgrade | Disposition::UseAsIs => self.plan(10.0 * MINUTE, Action::Release(index)),
        }
    }

    pub(super) fn release(&mut self, index: usize) {
        let Some(roll) = self.quality.rolls.get(index).filter(|roll| !roll.shipped) else { return };
        let lot = names::lot(&roll.id);
        let person = Some(names::person(self.random.text(&INSPECTORS)));
        self.emit(self.now(), LotReleased { lot, person });
        self.quality.ready.push(index);
    }

    /// Loads every order of which enough rolls are ready.
    pub(super) fn ship(&mut self) {
        for order in 0..self.orders.all.len() {
            let completed = self.orders.all.get(order).is_some_and(|order| order.completed);
            let of_order = |index: &usize| self.quality.rolls.get(*index).is_some_and(|roll| roll.order == order);
            let (going, staying): (Vec<usize>, Vec<usize>) =
                self.quality.ready.iter().partition(|index| of_order(index));
            if going.is_empty() || (going.len() < SHIPMENT_ROLLS && !completed) {
                continue;
            }
            self.quality.ready = staying;
            let shipment = self.next_shipment();
            for index in going {
                if let Some(event) = self.shipped(index, &shipment) {
                    self.emit(self.now(), event);
                }
            }
        }
        self.plan(DAY, Action::Ship);
    }

    /// Somebody loads a roll that is on hold.
    pub(super) fn ship_held(&mut self, index: usize) {
        let shipment = self.next_shipment();
        if let Some(event) = self.shipped(index, &shipment) {
            self.emit_contradicting(self.now(), event, "a roll that was on hold was loaded by mistake");
        }
    }

    fn next_shipment(&mut self) -> String {
        self.quality.shipments += 1;
        format!("SHP-{:05}", self.quality.shipments)
    }

    fn shipped(&mut self, index: usize, shipment: &str) -> Option<LotShipped> {
        let roll = self.quality.rolls.get_mut(index).filter(|roll| !roll.shipped)?;
        roll.shipped = true;
        let customer = self.orders.all.get(roll.order).map(|order| order.customer.to_owned());
        Some(LotShipped { lot: names::lot(&roll.id), shipment: names::shipment(shipment), customer })
    }
}

/// The defect with the most points; the pick density, when that is what is out of limits.
fn worst(defects: &[Defect], measurements: &[Measurement]) -> String {
    let points_of = |code: &str| -> u32 {
        defects
            .iter()
            .filter(|defect| defect.code.as_str() == code)
            .filter_map(|defect| defect.points)
            .map(u32::from)
            .sum()
    };
    let density = measurements.iter().any(|measured| {
        measured.characteristic.as_str() == "pick_density"
            && (measured.lower_limit.is_some_and(|limit| measured.value < limit)
                || measured.upper_limit.is_some_and(|limit| measured.value > limit))
    });
    if density {
        return "thick_thin_place".to_owned();
    }
    let mut codes: Vec<&str> = defects.iter().map(|defect| defect.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().max_by_key(|code| points_of(code)).unwrap_or("wrong_width").to_owned()
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Metres to the centimetre.
pub(super) fn centimetres(metres: f64) -> f64 {
    hundredths(metres)
}
