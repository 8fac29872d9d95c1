//! Warp preparation: yarn becomes warp beams 经轴 on the warper, and a set of them becomes weaver's beams 织轴 on the sizing machine.

use std::sync::Arc;

use domain::events::{
    LotCreated, LotKind, MachineState, MachineStateChanged, OrderCompleted, OrderCreated, OrderStarted, Origin,
    SizingCompleted, WarpingCompleted,
};
use domain::values::{Interval, Quantity};

use super::orders::style;
use super::{Action, MINUTE, World};
use crate::mill::{PREPARERS, SIZER, WARPER};
use crate::names;

/// Warp beams in a set; each has this part of the ends.
const WARP_BEAMS: usize = 8;
/// Weaver's beams that are made of a set.
const WEAVER_BEAMS: usize = 2;
/// Speed of the warper and of the sizing machine, in m/min.
const SPEEDS: (f64, f64) = (600.0, 55.0);

/// A set of beams that are prepared together.
#[derive(Clone, Debug)]
struct Set {
    order: usize,
    /// Length of each weaver's beam, in metres of warp.
    beam_m: f64,
    warp_beams: Vec<String>,
    sized: usize,
}

/// A weaver's beam that waits for a loom.
#[derive(Clone, Debug)]
pub(super) struct StockBeam {
    pub(super) lot: Arc<str>,
    pub(super) order: usize,
    pub(super) length_m: f64,
}

/// Preparation as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Preparation {
    sets: Vec<Set>,
    pub(super) stock: Vec<StockBeam>,
    warper_free: f64,
    sizer_free: f64,
    warp_beams: u32,
    pub(super) weaver_beams: u32,
}

impl World {
    /// Makes sure that there will be a beam of the order for each loom that waits for one.
    pub(super) fn prepare(&mut self, order: usize) {
        let waiting = self.books.iter().filter(|book| book.wants == Some(order)).count();
        let coming: usize =
            self.preparation.sets.iter().filter(|set| set.order == order).map(|set| WEAVER_BEAMS - set.sized).sum();
        if waiting > coming + self.preparation.stock.iter().filter(|beam| beam.order == order).count() {
            self.new_set(order);
        }
    }

    fn new_set(&mut self, order: usize) {
        let now = self.now();
        let number = self.preparation.sets.len();
        let beam_m = self.random.between(44.0, 60.0).round() * 50.0;
        let product = style(self.order_style(order));
        for (prefix, what) in [("WRP", "WARP"), ("SIZ", "BEAM")] {
            let event = OrderCreated {
                order: names::order(&format!("{prefix}-{:04}", number + 1)),
                product: names::material(&format!("{what}-{}", product.id)),
                quantity: Some(Quantity::new(beam_m * 2.0, names::unit("m"))),
                parent: Some(self.order_id(order)),
                customer: None,
                due: None,
                note: None,
            };
            self.emit(now, event);
        }
        for _ in 0..WEAVER_BEAMS {
            self.plan_beam(order, beam_m);
        }
        self.preparation.sets.push(Set { order, beam_m, warp_beams: Vec::new(), sized: 0 });
        let begin = self.preparation.warper_free.max(now + 20.0 * MINUTE);
        let each = 16.0 * MINUTE + beam_m * 2.0 / SPEEDS.0 * MINUTE;
        self.plan(begin - now, Action::WarpingStarted(number));
        let mut at = begin;
        for beam in 0..WARP_BEAMS {
            at += each * self.random.between(0.95, 1.15);
            self.plan(at - now, Action::Warped { set: number, beam });
        }
        self.preparation.warper_free = at + 15.0 * MINUTE;
    }

    fn machine(&mut self, machine: &str, state: MachineState, reason: &str) {
        let event = MachineStateChanged { asset: names::asset(machine), state, reason: Some(names::code(reason)) };
        self.emit(self.now(), event);
    }

    fn start_work(&mut self, machine: &str, order: &str) {
        let person = self.random.text(&PREPARERS);
        let event = OrderStarted {
            order: names::order(order),
            asset: Some(names::asset(machine)),
            person: Some(names::person(person)),
        };
        self.emit(self.now(), event);
        self.machine(machine, MachineState::Running, "order_started");
    }

    pub(super) fn warping_started(&mut self, set: usize) {
        self.start_work(WARPER, &format!("WRP-{:04}", set + 1));
    }

    pub(super) fn warped(&mut self, number: usize, beam: usize) {
        let Some((order, beam_m)) = self.preparation.sets.get(number).map(|set| (set.order, set.beam_m)) else {
            return;
        };
        let style_index = self.order_style(order);
        let product = style(style_index);
        let length_m = beam_m * 2.0;
        let ends = part_of_ends(product.ends, beam);
        let Some(kg) = domain::weaving::warp_kg(ends, length_m, product.warp_tex) else { return };
        self.preparation.warp_beams += 1;
        let lot = format!("WB-{:05}", self.preparation.warp_beams);
        let from = self.take_warp_yarn(style_index, kg);
        let order_id = names::order(&format!("WRP-{:04}", number + 1));
        let now = self.now();
        self.emit(now, made(&lot, &format!("WARP-{}", product.id), LotKind::WarpBeam, length_m));
        self.emit(
            now,
            WarpingCompleted {
                order: order_id.clone(),
                asset: names::asset(WARPER),
                beam: names::lot(&lot),
                from: from
                    .into_iter()
                    .map(|(yarn, kg)| Origin {
                        lot: names::lot(&yarn),
                        interval: None,
                        quantity: Some(Quantity::new(super::weaving::fine(kg), names::unit("kg"))),
                    })
                    .collect(),
                ends,
                length_m,
                tex: product.warp_tex,
            },
        );
        if let Some(set) = self.preparation.sets.get_mut(number) {
            set.warp_beams.push(lot);
        }
        if beam + 1 == WARP_BEAMS {
            self.emit(
                now,
                OrderCompleted { order: order_id, quantity: Some(Quantity::new(length_m, names::unit("m"))) },
            );
            self.machine(WARPER, MachineState::Idle, "no_order");
            self.plan_sizing(number, beam_m);
        }
    }

    fn plan_sizing(&mut self, set: usize, beam_m: f64) {
        let now = self.now();
        let begin = self.preparation.sizer_free.max(now + 30.0 * MINUTE);
        self.plan(begin - now, Action::SizingStarted(set));
        let mut at = begin + 50.0 * MINUTE;
        for beam in 0..WEAVER_BEAMS {
            at += beam_m / SPEEDS.1 * MINUTE + 8.0 * MINUTE;
            self.plan(at - now, Action::Sized { set, beam });
        }
        self.preparation.sizer_free = at + 20.0 * MINUTE;
    }

    pub(super) fn sizing_started(&mut self, set: usize) {
        self.start_work(SIZER, &format!("SIZ-{:04}", set + 1));
    }

    pub(super) fn sized(&mut self, number: usize, beam: usize) {
        let Some(set) = self.preparation.sets.get_mut(number) else { return };
        set.sized += 1;
        let (order, beam_m, warp_beams) = (set.order, set.beam_m, set.warp_beams.clone());
        self.preparation.weaver_beams += 1;
        let lot = format!("BM-{:05}", self.preparation.weaver_beams);
        let product = style(self.order_style(order));
        let now = self.now();
        let start_m = if beam == 0 { 0.0 } else { beam_m };
        let interval = Interval { start_m, end_m: start_m + beam_m };
        let size_percent = Some((self.random.between(10.5, 13.5) * 10.0).round() / 10.0);
        self.emit(now, made(&lot, &format!("BEAM-{}", product.id), LotKind::WeaverBeam, beam_m));
        let order_id = names::order(&format!("SIZ-{:04}", number + 1));
        self.emit(
            now,
            SizingCompleted {
                order: order_id.clone(),
                asset: names::asset(SIZER),
                beam: names::lot(&lot),
                from: warp_beams
                    .iter()
                    .map(|warp| Origin { lot: names::lot(warp), interval: Some(interval), quantity: None })
                    .collect(),
                ends: product.ends,
                length_m: beam_m,
                size_percent,
            },
        );
        self.preparation.stock.push(StockBeam { lot: lot.into(), order, length_m: beam_m });
        if beam + 1 == WEAVER_BEAMS {
            let quantity = Some(Quantity::new(beam_m * 2.0, names::unit("m")));
            self.emit(now, OrderCompleted { order: order_id, quantity });
            self.machine(SIZER, MachineState::Idle, "no_order");
        }
        self.hand_out_beams();
    }
}

/// The ends of one warp beam of a set; the last beam has what the division left over.
fn part_of_ends(ends: u32, beam: usize) -> u32 {
    let parts = WARP_BEAMS as u32;
    if beam + 1 == WARP_BEAMS { ends - ends / parts * (parts - 1) } else { ends / parts }
}

/// A beam that is about to be produced.
pub(super) fn made(lot: &str, material: &str, kind: LotKind, length_m: f64) -> LotCreated {
    LotCreated {
        lot: names::lot(lot),
        material: names::material(material),
        kind,
        quantity: Some(Quantity::new(length_m, names::unit("m"))),
        supplier: None,
        order: None,
    }
}
