//! Customers' orders, and the yarn for them.

use domain::events::{LotCreated, LotKind, OrderCompleted, OrderCreated, OrderStarted};
use domain::values::{Quantity, Text};
use jiff::SignedDuration;

use super::World;
use crate::mill::{STYLES, Style};
use crate::names;

/// The customers of the mill.
const CUSTOMERS: [&str; 6] =
    ["恒丰服饰", "Northgate Textiles", "华美家纺", "Lindqvist AB", "三和工装", "Castellano SpA"];
/// The spinning mills that deliver yarn.
const SPINNERS: [&str; 4] = ["鲁东纺纱", "Ganges Spinning", "江南棉纺", "中原纱业"];
/// Weight of a lot of warp yarn and of weft yarn as delivered, in kg.
const LOT_KG: (f64, f64) = (3000.0, 900.0);
/// A loom that is free takes an order of its present style with this probability, so that it need not be drawn in anew.
const SAME_STYLE: f64 = 0.7;

/// A customer's order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) style: usize,
    pub(super) customer: &'static str,
    /// Metres of cloth that were ordered.
    pub(super) quantity_m: f64,
    /// Metres of cloth that beams were planned for.
    pub(super) planned_m: f64,
    /// Metres of cloth that were doffed.
    pub(super) woven_m: f64,
    /// Beams that were planned and are not woven off.
    pub(super) open_beams: u32,
    started: bool,
    pub(super) completed: bool,
}

/// What the yarn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Warp,
    Weft,
}

/// A lot of yarn.
#[derive(Clone, Debug)]
pub(super) struct Yarn {
    pub(super) id: String,
    kg: f64,
    /// What was booked as taken, in kg.
    booked_kg: f64,
}

/// Orders and yarn.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) all: Vec<Order>,
    yarns: Vec<Yarn>,
    /// The lot in use for each style: warp and weft.
    current: Vec<(Option<usize>, Option<usize>)>,
}

/// The style with this index; the first, where there is none.
pub(super) fn style(index: usize) -> &'static Style {
    STYLES.get(index).unwrap_or(&STYLES[0])
}

impl World {
    /// The mill begins with one order for each style, and looms that are set up for them.
    pub(super) fn open_orders(&mut self) {
        self.orders.current = vec![(None, None); STYLES.len()];
        for index in 0..STYLES.len() {
            self.new_order(index, 1.6);
        }
        self.set_up_looms();
    }

    fn new_order(&mut self, style_index: usize, size: f64) -> usize {
        let index = self.orders.all.len();
        let quantity_m = (self.random.between(18.0, 44.0) * size).round() * 500.0;
        let customer = self.random.text(&CUSTOMERS);
        let id = format!("JO-{:04}", index + 1);
        let now = self.now();
        let due = self.instant(now).saturating_add(SignedDuration::from_hours(24 * 35)).ok();
        self.emit(
            now,
            OrderCreated {
                order: names::order(&id),
                product: names::material(style(style_index).id),
                quantity: Some(Quantity::new(quantity_m, names::unit("m"))),
                parent: None,
                customer: Some(customer.to_owned()),
                due,
                note: Some(Text::new(style(style_index).zh, style(style_index).en)),
            },
        );
        self.orders.all.push(Order {
            id,
            style: style_index,
            customer,
            quantity_m,
            planned_m: 0.0,
            woven_m: 0.0,
            open_beams: 0,
            started: false,
            completed: false,
        });
        index
    }

    /// The order that a loom weaves next: the one that it weaves, while that wants more; else one of the same style, or of another.
    pub(super) fn next_order(&mut self, present: usize) -> usize {
        let wants = |order: &Order| !order.completed && order.planned_m < order.quantity_m;
        let present_style = self.orders.all.get(present).map_or(0, |order| order.style);
        if self.orders.all.get(present).is_some_and(wants) {
            return present;
        }
        let stay = self.random.chance(SAME_STYLE);
        let fits = |order: &Order| wants(order) && (order.style == present_style) == stay;
        if let Some(found) = self.orders.all.iter().position(fits) {
            return found;
        }
        let style_index = if stay { present_style } else { self.random.below(STYLES.len()) };
        self.new_order(style_index, 1.0)
    }

    pub(super) fn order_id(&self, index: usize) -> domain::ids::OrderId {
        names::order(self.orders.all.get(index).map_or("JO-0000", |order| &order.id))
    }

    pub(super) fn order_style(&self, index: usize) -> usize {
        self.orders.all.get(index).map_or(0, |order| order.style)
    }

    pub(super) fn plan_beam(&mut self, index: usize, length_m: f64) {
        if let Some(order) = self.orders.all.get_mut(index) {
            order.planned_m += length_m * (1.0 - style(order.style).crimp);
            order.open_beams += 1;
        }
    }

    pub(super) fn start_order(&mut self, index: usize, loom: usize) {
        let Some(order) = self.orders.all.get_mut(index).filter(|order| !order.started) else { return };
        order.started = true;
        let event = OrderStarted { order: names::order(&order.id), asset: Some(self.loom_id(loom)), person: None };
        self.emit(self.now(), event);
    }

    /// A beam of the order is woven off. The last one completes the order, once beams for all of it were planned.
    pub(super) fn beam_woven_off(&mut self, index: usize) {
        let now = self.now();
        let Some(order) = self.orders.all.get_mut(index) else { return };
        order.open_beams = order.open_beams.saturating_sub(1);
        if order.open_beams > 0 || order.planned_m < order.quantity_m || order.completed {
            return;
        }
        order.completed = true;
        let event = OrderCompleted {
            order: names::order(&order.id),
            quantity: Some(Quantity::new(super::quality::centimetres(order.woven_m), names::unit("m"))),
        };
        self.emit(now, event);
    }

    fn receive_yarn(&mut self, style_index: usize, purpose: Use) -> usize {
        let index = self.orders.yarns.len();
        let warp = purpose == Use::Warp;
        let kind = style(style_index);
        let kg = if warp { LOT_KG.0 } else { LOT_KG.1 };
        let id = format!("YL-{:05}", index + 1);
        let supplier = self.random.text(&SPINNERS);
        let event = LotCreated {
            lot: names::lot(&id),
            material: names::material(if warp { kind.warp_yarn } else { kind.weft_yarn }),
            kind: LotKind::Yarn,
            quantity: Some(Quantity::new(kg, names::unit("kg"))),
            supplier: Some(supplier.to_owned()),
            order: None,
        };
        self.emit(self.now(), event);
        self.orders.yarns.push(Yarn { id, kg, booked_kg: 0.0 });
        if let Some(current) = self.orders.current.get_mut(style_index) {
            let slot = if warp { &mut current.0 } else { &mut current.1 };
            *slot = Some(index);
        }
        index
    }

    /// Takes warp yarn of a style: the lots and kilograms, more than one lot when the first runs out.
    pub(super) fn take_warp_yarn(&mut self, style_index: usize, mut kg: f64) -> Vec<(String, f64)> {
        let mut taken = Vec::new();
        while kg > 1e-6 {
            let current = self.orders.current.get(style_index).and_then(|current| current.0);
            let index = current.unwrap_or_else(|| self.receive_yarn(style_index, Use::Warp));
            let Some(yarn) = self.orders.yarns.get_mut(index) else { break };
            let part = kg.min(yarn.kg - yarn.booked_kg);
            if part > 1e-6 {
                yarn.booked_kg += part;
                taken.push((yarn.id.clone(), part));
                kg -= part;
            }
            if kg > 1e-6 {
                self.receive_yarn(style_index, Use::Warp);
            }
        }
        taken
    }

    /// The weft lot that looms of a style take from now. The next one, when the present one is almost used up, counting what is woven and not booked yet.
    pub(super) fn weft_lot(&mut self, style_index: usize) -> usize {
        let Some(index) = self.orders.current.get(style_index).and_then(|current| current.1) else {
            return self.receive_yarn(style_index, Use::Weft);
        };
        let unbooked: f64 = self.looms.iter().map(|loom| loom.weft_taken_kg(index)).sum();
        let used_up = self.orders.yarns.get(index).is_none_or(|yarn| yarn.booked_kg + unbooked > 0.93 * yarn.kg);
        if used_up { self.receive_yarn(style_index, Use::Weft) } else { index }
    }

    pub(super) fn yarn_id(&self, index: usize) -> domain::ids::LotId {
        names::lot(self.orders.yarns.get(index).map_or("YL-00000", |yarn| &yarn.id))
    }

    pub(super) fn book_weft(&mut self, index: usize, kg: f64) {
        if let Some(yarn) = self.orders.yarns.get_mut(index) {
            yarn.booked_kg += kg;
        }
    }
}
