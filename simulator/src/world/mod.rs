//! The mill as a whole: what is due when, and who answers what happens on the looms.
//!
//! Time goes in stretches that end at the next thing on the agenda or at the moment asked for. In each stretch every loom goes on by itself, and says what happens to it; then
//! what is due is done. Events are put in the order of time at the end of each stretch, so that they never go back.

mod maintenance;
mod orders;
mod preparation;
mod quality;
mod shifts;
mod weaving;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Event;
use eventlog::frames::{Reading, StatusCode, Value};
use jiff::Timestamp;

use crate::SimulationError;
use crate::mill::{self, LOOMS};
use crate::output::SimEvent;
use crate::physics::{Hall, Loom};
use crate::random::Random;
use crate::truth::{ContradictionTruth, Truth};

use maintenance::{Coding, Job, Upkeep};
use orders::Orders;
use preparation::Preparation;
use quality::Quality;
use shifts::Shifts;
use weaving::LoomBook;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// Something that is due.
#[derive(Clone, Debug)]
enum Action {
    StartLoom(usize),
    Mounted(usize),
    WarpingStarted(usize),
    Warped { set: usize, beam: usize },
    SizingStarted(usize),
    Sized { set: usize, beam: usize },
    Inspect(usize),
    Release(usize),
    Decide(usize),
    Ship,
    ShipHeld(usize),
    Look,
    FaultBegins(usize),
    Acknowledge { loom: usize, alarm: Arc<str> },
    OpenWork(usize),
    Work(Job),
    Code(Coding),
    CloseAgain(Job),
    Preventive(usize),
    Shift,
    Review(usize),
    Calibrate(usize),
}

/// The mill.
#[derive(Clone, Debug)]
pub(crate) struct World {
    seed: u64,
    start: i64,
    now_ms: i64,
    hall: Hall,
    looms: Vec<Loom>,
    books: Vec<LoomBook>,
    agenda: BTreeMap<(i64, u64), Action>,
    sequence: u64,
    pending: Vec<Pending>,
    emitted: u64,
    out: Vec<SimEvent>,
    truth: Truth,
    random: Random,
    orders: Orders,
    preparation: Preparation,
    quality: Quality,
    upkeep: Upkeep,
    shifts: Shifts,
    wiring: Wiring,
}

#[derive(Clone, Debug)]
struct Pending {
    at_ms: i64,
    event: Event,
    contradiction: Option<&'static str>,
}

/// The names of signals, made once.
#[derive(Clone, Debug)]
struct Wiring {
    looms: Vec<(Arc<str>, Vec<Arc<str>>)>,
    compressor: (Arc<str>, Vec<Arc<str>>),
}

impl Wiring {
    fn new() -> Self {
        let wire = |asset: &str, specs: &[mill::SignalSpec]| {
            let names = specs.iter().map(|spec| Arc::from(mill::signal_name(asset, spec.quantity))).collect();
            (Arc::from(asset), names)
        };
        Self {
            looms: (0..LOOMS).map(|index| wire(&mill::loom_name(index), &mill::LOOM_SIGNALS)).collect(),
            compressor: wire(mill::COMPRESSOR, &mill::COMPRESSOR_SIGNALS),
        }
    }
}

impl World {
    /// A mill that begins at `start`, in seconds since 1970.
    pub(crate) fn new(seed: u64, start: i64) -> Result<Self, SimulationError> {
        let mut world = Self {
            seed,
            start,
            now_ms: 0,
            hall: Hall::new(),
            looms: Vec::with_capacity(LOOMS),
            books: Vec::with_capacity(LOOMS),
            agenda: BTreeMap::new(),
            sequence: 0,
            pending: Vec::new(),
            emitted: 0,
            out: Vec::new(),
            truth: Truth::default(),
            random: Random::new(seed, 1),
            orders: Orders::default(),
            preparation: Preparation::default(),
            quality: Quality::default(),
            upkeep: Upkeep::default(),
            shifts: Shifts::default(),
            wiring: Wiring::new(),
        };
        // A mill that cannot be named cannot be simulated: names are checked here once, and made without a check after that.
        domain::ids::AssetId::new(&mill::loom_name(0))?;
        for event in mill::definition(1000) {
            world.emit(0.0, event);
        }
        world.begin();
        world.settle();
        Ok(world)
    }

    fn begin(&mut self) {
        self.open_orders();
        self.begin_shifts();
        self.begin_upkeep();
        self.plan(10.0 * MINUTE, Action::Look);
        self.plan(DAY - self.second_of_day() + 6.0 * HOUR, Action::Ship);
    }

    fn second_of_day(&self) -> f64 {
        seconds(self.start.rem_euclid(86_400) * 1000)
    }

    /// The seed.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// How far the mill has gone, in seconds since 1970.
    pub(crate) const fn second(&self) -> i64 {
        self.start + self.now_ms / 1000
    }

    /// What really happened so far.
    pub(crate) const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The looms, for tests and statistics.
    #[cfg(test)]
    pub(crate) fn looms(&self) -> &[Loom] {
        &self.looms
    }

    /// What was said since the last call, in the order of time.
    pub(crate) fn take_events(&mut self) -> Vec<SimEvent> {
        std::mem::take(&mut self.out)
    }

    /// Goes on to a second since 1970.
    pub(crate) fn advance(&mut self, second: i64) {
        let target_ms = (second - self.start) * 1000;
        while self.now_ms < target_ms {
            let next_ms = self.agenda.first_key_value().map_or(target_ms, |((at_ms, _), _)| *at_ms);
            self.stretch(next_ms.clamp(self.now_ms, target_ms));
            self.do_what_is_due();
            self.settle();
        }
    }

    fn stretch(&mut self, until_ms: i64) {
        let dt = seconds(until_ms - self.now_ms);
        if dt <= 0.0 {
            return;
        }
        let until = seconds(until_ms);
        let demand = self.looms.iter().map(|loom| loom.flow_m3_h).sum();
        self.hall.advance(seconds(self.start * 1000) + until, dt, demand, &mut self.random);
        for index in 0..self.looms.len() {
            while let Some(notice) =
                self.looms.get_mut(index).and_then(|loom| loom.advance(until, &self.hall, weaving::TAIL_M))
            {
                self.answer(index, notice);
            }
        }
        self.now_ms = until_ms;
    }

    fn do_what_is_due(&mut self) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > self.now_ms {
                break;
            }
            let action = entry.remove();
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::StartLoom(loom) => self.start_loom(loom),
            Action::Mounted(loom) => self.mounted(loom),
            Action::WarpingStarted(set) => self.warping_started(set),
            Action::Warped { set, beam } => self.warped(set, beam),
            Action::SizingStarted(set) => self.sizing_started(set),
            Action::Sized { set, beam } => self.sized(set, beam),
            Action::Inspect(roll) => self.inspect(roll),
            Action::Release(roll) => self.release(roll),
            Action::Decide(roll) => self.decide(roll),
            Action::Ship => self.ship(),
            Action::ShipHeld(roll) => self.ship_held(roll),
            Action::Look => self.look(),
            Action::FaultBegins(loom) => self.fault_begins(loom),
            Action::Acknowledge { loom, alarm } => self.acknowledge(loom, &alarm),
            Action::OpenWork(loom) => self.open_work(loom),
            Action::Work(job) => self.work(job),
            Action::Code(coding) => self.code(coding),
            Action::CloseAgain(job) => self.close_again(&job),
            Action::Preventive(loom) => self.preventive(loom),
            Action::Shift => self.shift(),
            Action::Review(loom) => self.review(loom),
            Action::Calibrate(loom) => self.calibrate(loom),
        }
    }

    /// Puts an action on the agenda, so many seconds from now.
    fn plan(&mut self, after: f64, action: Action) {
        self.sequence += 1;
        self.agenda.insert((self.now_ms + milliseconds(after.max(0.0)), self.sequence), action);
    }

    fn now(&self) -> f64 {
        seconds(self.now_ms)
    }

    /// The instant of a moment in seconds since the beginning, as it is written in events.
    fn instant(&self, t: f64) -> Timestamp {
        let ms = self.start * 1000 + milliseconds(t);
        Timestamp::from_millisecond(ms).unwrap_or_else(|_| mill::timestamp(self.start))
    }

    fn emit(&mut self, t: f64, event: impl Into<Event>) {
        self.pending.push(Pending { at_ms: milliseconds(t), event: event.into(), contradiction: None });
    }

    /// Says something that contradicts what was said, on purpose.
    fn emit_contradicting(&mut self, t: f64, event: impl Into<Event>, why: &'static str) {
        self.pending.push(Pending { at_ms: milliseconds(t), event: event.into(), contradiction: Some(why) });
    }

    /// Puts what was said in this stretch in the order of time.
    fn settle(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_by_key(|pending| pending.at_ms);
        for Pending { at_ms, event, contradiction } in pending.drain(..) {
            self.emitted += 1;
            let external_id: Arc<str> = format!("{}-{:08}", self.start, self.emitted).into();
            let time = self.instant(seconds(at_ms));
            if let Some(why) = contradiction {
                self.truth.contradictions.push(ContradictionTruth { time, external_id: external_id.to_string(), why });
            }
            self.out.push(SimEvent { event, time, external_id, contradiction });
        }
        self.pending = pending;
    }

    /// What all sensors show now, asset by asset.
    pub(crate) fn sample(&mut self, take: &mut impl FnMut(&Arc<str>, Vec<Reading>)) {
        let time = self.instant(self.now());
        let reading = |signal: &Arc<str>, value: f64| Reading {
            signal: signal.clone(),
            time,
            sequence: None,
            value: Value::Float(value),
            status: StatusCode::GOOD,
        };
        for (loom, (asset, signals)) in self.looms.iter_mut().zip(&self.wiring.looms) {
            let values = loom.sense(&self.hall);
            let readings =
                signals.iter().zip(values).filter_map(|(signal, value)| Some(reading(signal, value?))).collect();
            take(asset, readings);
        }
        let hall = &self.hall;
        let values = [hall.network_bar, hall.demand_m3_h, hall.compressor_kw()];
        let (asset, signals) = &self.wiring.compressor;
        take(
            asset,
            signals
                .iter()
                .zip(values)
                .map(|(signal, value)| reading(signal, (value * 100.0).round() / 100.0))
                .collect(),
        );
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "centuries of milliseconds fit a double exactly")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Seconds as whole milliseconds; rounded down, so that nothing happens later than it does.
#[expect(clippy::cast_possible_truncation, reason = "a simulation lasts no 292 million years")]
fn milliseconds(seconds: f64) -> i64 {
    // A thousandth of a millisecond covers what the division by 1000 rounded off.
    (seconds * 1000.0 + 0.001).floor() as i64
}
