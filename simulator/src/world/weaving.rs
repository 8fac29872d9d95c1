//! What happens on the looms: stops, beams that run out and follow, rolls that are doffed.

use domain::Event;
use domain::events::{
    BeamFinished, BeamMounted, ClothDoffed, Joining, LotKind, MachineState, MachineStateChanged, MaterialConsumed,
    Origin, SetPointChanged, WarpTied, WeftLotChanged,
};
use domain::ids::{AssetId, PersonId};
use domain::values::{Interval, Quantity, Text};

use super::orders::style;
use super::preparation::{StockBeam, made};
use super::quality::centimetres;
use super::{Action, HOUR, MINUTE, World};
use crate::mill::{FIXERS, LOOMS, STYLES};
use crate::names;
use crate::physics::{Beam, Loom, Notice, Status};

/// Warp that stays on the beam when it is taken down, in metres.
pub(crate) const TAIL_M: f64 = 2.0;
/// A loom asks for its next beam when less warp than this is left, in metres.
const ASK_M: f64 = 700.0;
/// The length at which rolls are doffed, in metres of cloth.
const ROLL_M: (f64, f64) = (112.0, 128.0);
/// A shorter piece is not made a roll, in metres.
const SCRAP_M: f64 = 0.5;

/// What the mill knows of a loom besides its physics.
#[derive(Clone, Debug)]
pub(super) struct LoomBook {
    /// The order that is woven.
    pub(super) order: usize,
    /// The order for which it waits for a beam.
    pub(super) wants: Option<usize>,
    /// The beam that stands ready for it.
    pub(super) ready: Option<StockBeam>,
    /// Whether its beam is woven off and the next is not on.
    pub(super) bare: bool,
    /// Whether somebody changes the beam now.
    mounting: bool,
    /// Whether it is under repair or broken down.
    pub(super) held: bool,
    state: Option<(MachineState, &'static str)>,
}

impl World {
    pub(super) fn loom_id(&self, index: usize) -> AssetId {
        names::asset(&crate::mill::loom_name(index))
    }

    /// Every loom begins with a beam from stock of some length, so that they do not run out together.
    pub(super) fn set_up_looms(&mut self) {
        for index in 0..LOOMS {
            let order = index % STYLES.len();
            let kind = style(order);
            let stream = 100 + 2 * index as u64;
            self.looms.push(Loom::new(kind, self.seed, stream));
            let length_m = self.random.between(8.0, 52.0).round() * 50.0;
            self.preparation.weaver_beams += 1;
            let lot = format!("BM-{:05}", self.preparation.weaver_beams);
            self.emit(0.0, made(&lot, &format!("BEAM-{}", kind.id), LotKind::WeaverBeam, length_m));
            self.plan_beam(order, length_m);
            let ready = Some(StockBeam { lot: lot.into(), order, length_m });
            self.books.push(LoomBook {
                order,
                wants: None,
                ready,
                bare: true,
                mounting: true,
                held: false,
                state: None,
            });
            self.plan(MINUTE * (5.0 + 4.0 * index as f64), Action::StartLoom(index));
        }
    }

    pub(super) fn set_state(&mut self, t: f64, index: usize, state: MachineState, reason: &'static str) {
        let Some(book) = self.books.get_mut(index) else { return };
        if book.state == Some((state, reason)) {
            return;
        }
        book.state = Some((state, reason));
        let reason = Some(names::code(reason));
        let event = MachineStateChanged { asset: self.loom_id(index), state, reason };
        self.emit(t, event);
    }

    /// Stops a loom until a moment, or until somebody starts it again.
    pub(super) fn halt(&mut self, t: f64, index: usize, state: (MachineState, &'static str), until: Option<f64>) {
        if let Some(loom) = self.looms.get_mut(index) {
            loom.status = Status::Halted { until };
        }
        self.set_state(t, index, state.0, state.1);
    }

    /// Starts a loom.
    pub(super) fn run(&mut self, t: f64, index: usize) {
        self.follow_weft(t, index);
        if let Some(loom) = self.looms.get_mut(index) {
            loom.status = Status::Running;
        }
        self.set_state(t, index, MachineState::Running, "running");
    }

    /// Whether somebody can work on the loom now: not while its beam is changed or somebody else repairs it.
    pub(super) fn is_free(&self, index: usize) -> bool {
        self.books.get(index).is_some_and(|book| !book.bare && !book.mounting && !book.held)
    }

    /// Answers what happened to a loom.
    pub(super) fn answer(&mut self, index: usize, notice: Notice) {
        let Some(t) = self.looms.get(index).map(|loom| loom.t) else { return };
        match notice {
            Notice::WarpBreak => {
                let lasts = self.random.exponential(70.0) + self.random.log_normal(85.0, 0.4);
                self.stop(t, index, "warp_break", lasts);
            }
            Notice::WeftBreak => {
                // The loom mends two of five weft failures by itself.
                let lasts = if self.random.chance(0.4) {
                    self.random.between(14.0, 30.0)
                } else {
                    self.random.exponential(55.0) + self.random.log_normal(45.0, 0.4)
                };
                self.stop(t, index, "weft_break", lasts);
            }
            Notice::Trip => {
                let lasts = self.random.exponential(180.0) + 60.0;
                self.stop(t, index, "electrical_fault", lasts);
            }
            Notice::RollFull => {
                self.doff(t, index);
                let lasts = self.random.between(90.0, 180.0);
                self.halt(t, index, (MachineState::Stopped, "doffing"), Some(t + lasts));
            }
            Notice::WarpOut => self.warp_out(t, index),
            Notice::Resume => self.run(t, index),
        }
    }

    fn stop(&mut self, t: f64, index: usize, reason: &'static str, lasts: f64) {
        if let Some(loom) = self.looms.get_mut(index) {
            loom.roll.stops += 1;
        }
        self.halt(t, index, (MachineState::Stopped, reason), Some(t + lasts));
    }

    /// Looks whether looms need their next beam soon.
    pub(super) fn look_at_beams(&mut self) {
        for index in 0..self.looms.len() {
            let left = self.looms.get(index).map_or(0.0, Loom::warp_left_m);
            let asks = self
                .books
                .get(index)
                .filter(|book| book.wants.is_none() && book.ready.is_none())
                .map(|book| book.order);
            if let Some(present) = asks
                && left < ASK_M
            {
                let order = self.next_order(present);
                if let Some(book) = self.books.get_mut(index) {
                    book.wants = Some(order);
                }
                self.prepare(order);
            }
        }
        self.hand_out_beams();
    }

    /// Gives beams from stock to the looms that wait for them; looms that stand still come first.
    pub(super) fn hand_out_beams(&mut self) {
        for bare_ones in [true, false] {
            for index in 0..self.books.len() {
                let wanted = self.books.get(index).filter(|book| book.bare == bare_ones).and_then(|book| book.wants);
                let Some(order) = wanted else { continue };
                let Some(place) = self.preparation.stock.iter().position(|beam| beam.order == order) else { continue };
                let beam = self.preparation.stock.remove(place);
                if let Some(book) = self.books.get_mut(index) {
                    book.ready = Some(beam);
                    book.wants = None;
                }
                if bare_ones {
                    self.begin_mounting(self.now(), index);
                }
            }
        }
    }

    fn warp_out(&mut self, t: f64, index: usize) {
        let Some(book) = self.books.get_mut(index) else { return };
        book.bare = true;
        if book.ready.is_some() {
            self.begin_mounting(t, index);
        } else {
            self.halt(t, index, (MachineState::Idle, "no_yarn"), None);
        }
    }

    fn begin_mounting(&mut self, t: f64, index: usize) {
        let Some(book) = self.books.get_mut(index).filter(|book| !book.mounting) else { return };
        book.mounting = true;
        let present = book.order;
        let next = book.ready.as_ref().map_or(present, |beam| beam.order);
        let same_style = self.order_style(present) == self.order_style(next);
        self.halt(t, index, (MachineState::Setup, "beam_change"), None);
        if next != present {
            // The cloth of one order ends with it: it is cut off before the next warp comes.
            self.doff(t, index);
        }
        if !same_style {
            self.finish_beam(t, index);
        }
        let lasts = if same_style { self.random.log_normal(1.7, 0.2) } else { self.random.log_normal(5.0, 0.2) } * HOUR;
        self.plan(t + lasts - self.now(), Action::Mounted(index));
    }

    /// Takes the old beam off; answers its lot.
    fn finish_beam(&mut self, t: f64, index: usize) -> Option<domain::ids::LotId> {
        let beam = self.looms.get_mut(index)?.take_beam()?;
        let lot = names::lot(&beam.lot);
        let remaining_m = Some(centimetres(beam.length_m - beam.position_m));
        self.emit(t, BeamFinished { asset: self.loom_id(index), beam: lot.clone(), remaining_m });
        self.beam_woven_off(beam.order);
        Some(lot)
    }

    pub(super) fn start_loom(&mut self, index: usize) {
        self.mounted(index);
        let target_m = self.random.between(ROLL_M.0, ROLL_M.1).round();
        if let Some(loom) = self.looms.get_mut(index) {
            loom.roll.target_m = target_m;
        }
    }

    /// The next beam is on.
    pub(super) fn mounted(&mut self, index: usize) {
        let now = self.now();
        let Some(ready) = self.books.get_mut(index).and_then(|book| book.ready.take()) else { return };
        let style_index = self.order_style(ready.order);
        let kind = style(style_index);
        let ties = self.looms.get(index).is_some_and(|loom| loom.beam.is_some());
        let changes = self.looms.get(index).is_none_or(|loom| loom.style != kind || loom.picks == 0.0);
        let person = self.fixer();
        let asset = self.loom_id(index);
        let new_beam = names::lot(&ready.lot);
        if changes {
            self.set_up_for(index, style_index, &person);
        }
        self.emit(
            now,
            BeamMounted {
                asset: asset.clone(),
                beam: new_beam.clone(),
                order: self.order_id(ready.order),
                product: names::material(kind.id),
                joining: if ties { Joining::TiedIn } else { Joining::DrawnIn },
                person: Some(person),
            },
        );
        if ties
            && let Some(old) = self.looms.get(index).and_then(|loom| loom.beam.as_ref()).map(|beam| beam.lot.clone())
        {
            let repaired_knots = Some(self.random.poisson(6.0));
            self.emit(now, WarpTied { asset, old_beam: names::lot(&old), new_beam, repaired_knots });
            self.finish_beam(now, index);
        }
        let new_order = self.books.get(index).is_none_or(|book| book.order != ready.order);
        self.start_order(ready.order, index);
        if let Some(loom) = self.looms.get_mut(index) {
            loom.beam = Some(Beam {
                lot: ready.lot,
                order: ready.order,
                length_m: ready.length_m,
                position_m: 0.0,
                roll_from_m: 0.0,
            });
        }
        if let Some(book) = self.books.get_mut(index) {
            book.order = ready.order;
            book.bare = false;
            book.mounting = false;
        }
        if changes || new_order {
            self.change_weft(now, index);
        }
        self.run(now, index);
    }

    fn set_up_for(&mut self, index: usize, style_index: usize, person: &PersonId) {
        let kind = style(style_index);
        let Some(loom) = self.looms.get_mut(index) else { return };
        let first = loom.picks == 0.0;
        let before = (loom.set_tension, loom.set_speed, loom.set_pressure);
        loom.set_up(kind);
        let changes = [
            ("warp_tension", before.0, kind.tension, "cN"),
            ("loom_speed", before.1, kind.speed, "{pick}/min"),
            ("air_pressure", before.2, kind.pressure, "bar"),
        ];
        for (parameter, from, to, unit) in changes {
            let event = SetPointChanged {
                asset: self.loom_id(index),
                parameter: names::code(parameter),
                from: (!first).then_some(from),
                to,
                unit: names::unit(unit),
                person: Some(person.clone()),
                product: Some(names::material(kind.id)),
                reason: Some(Text::new("上机工艺", "set up for the style")),
            };
            self.emit(self.now(), event);
        }
    }

    /// Goes over to the weft lot that the style takes now, when it is another one.
    fn follow_weft(&mut self, t: f64, index: usize) {
        let Some(order) = self.books.get(index).map(|book| book.order) else { return };
        let lot = self.weft_lot(self.order_style(order));
        if self.looms.get(index).is_some_and(|loom| loom.weft != lot) {
            self.use_weft(t, index, lot);
        }
    }

    fn change_weft(&mut self, t: f64, index: usize) {
        let Some(order) = self.books.get(index).map(|book| book.order) else { return };
        let lot = self.weft_lot(self.order_style(order));
        self.use_weft(t, index, lot);
    }

    fn use_weft(&mut self, t: f64, index: usize, lot: usize) {
        let Some(loom) = self.looms.get_mut(index) else { return };
        loom.weft = lot;
        let at_pick = Some(count(loom.picks));
        let order = self.books.get(index).map_or(0, |book| book.order);
        let event =
            WeftLotChanged { asset: self.loom_id(index), order: self.order_id(order), lot: self.yarn_id(lot), at_pick };
        self.emit(t, event);
    }

    /// Cuts the roll off.
    fn doff(&mut self, t: f64, index: usize) {
        let target_m = self.random.between(ROLL_M.0, ROLL_M.1).round();
        let Some(order) = self.books.get(index).map(|book| book.order) else { return };
        let Some(loom) = self.looms.get_mut(index).filter(|loom| loom.roll.length_m > SCRAP_M) else { return };
        let kind = loom.style;
        let grown = loom.doff(target_m);
        let roll = self.next_roll();
        let lot = names::lot(&roll);
        let person = Some(self.weaver_of(index));
        let beams = grown
            .stretches
            .iter()
            .map(|stretch| Origin {
                lot: names::lot(&stretch.lot),
                interval: Some(Interval { start_m: fine(stretch.start_m), end_m: fine(stretch.end_m) }),
                quantity: None,
            })
            .collect();
        self.emit(
            t,
            ClothDoffed {
                asset: self.loom_id(index),
                roll: lot.clone(),
                order: self.order_id(order),
                product: names::material(kind.id),
                picks: count(grown.picks),
                length_m: fine(grown.length_m),
                beams,
                wefts: grown.wefts.iter().map(|(weft, _)| self.yarn_id(*weft)).collect(),
                person,
            },
        );
        for (weft, kg) in &grown.wefts {
            self.book_weft(*weft, *kg);
            let consumed = Event::from(MaterialConsumed {
                lot: self.yarn_id(*weft),
                order: self.order_id(order),
                quantity: Some(Quantity::new(fine(*kg), names::unit("kg"))),
                interval: None,
                asset: Some(self.loom_id(index)),
                into: Some(lot.clone()),
            });
            self.emit(t, consumed);
        }
        if let Some(order) = self.orders.all.get_mut(order) {
            order.woven_m += grown.length_m;
        }
        self.inspect_later(t, index, order, roll, &grown);
    }

    pub(super) fn fixer(&mut self) -> PersonId {
        names::person(self.random.text(&FIXERS))
    }
}

/// A counter's whole picks.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pick counters are positive and far below 2^53"
)]
pub(super) fn count(picks: f64) -> u64 {
    picks.max(0.0).floor() as u64
}

/// Metres to a tenth of a millimetre and kilograms to a tenth of a gram: no counter or scale says more.
pub(super) fn fine(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
