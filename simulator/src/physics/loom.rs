//! A loom: its state, and how it runs from one moment to the next.

use std::sync::Arc;

use super::{Hall, drive, insertion, warp};
use crate::fault::{ActiveFault, Effects, FaultKind};
use crate::mill::Style;
use crate::random::{Drift, Random};

/// A stop of one cloth roll is due at the target length; nothing shorter than this counts as length, in metres.
const EPSILON_M: f64 = 1e-9;

/// What differs from loom to loom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// Vibration of the sound bearing at 600 picks/min, in mm/s.
    pub(crate) vibration: f64,
    /// Idle motor current, in A.
    pub(crate) current: f64,
    /// How well the nozzle works: 1 is as new.
    pub(crate) nozzle: f64,
    /// How often warp breaks relative to the mill.
    pub(crate) warp: f64,
}

impl Traits {
    /// A loom as made.
    pub(crate) fn made(random: &mut Random) -> Self {
        Self {
            vibration: random.log_normal(1.25, 0.12),
            current: random.between(2.1, 2.6),
            nozzle: random.between(0.975, 1.02),
            warp: random.log_normal(1.0, 0.18),
        }
    }
}

/// The weaver's beam on the loom.
#[derive(Clone, Debug)]
pub(crate) struct Beam {
    /// Its lot.
    pub(crate) lot: Arc<str>,
    /// The index of the order that is woven from it.
    pub(crate) order: usize,
    /// Its whole length in metres of warp.
    pub(crate) length_m: f64,
    /// How far it is woven, in metres of warp.
    pub(crate) position_m: f64,
    /// Where the present roll began on it, in metres of warp.
    pub(crate) roll_from_m: f64,
}

/// A stretch of a beam that went into a roll.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    /// The beam's lot.
    pub(crate) lot: Arc<str>,
    /// From where on the beam, in metres.
    pub(crate) start_m: f64,
    /// To where on the beam, in metres.
    pub(crate) end_m: f64,
}

/// The roll that grows on the loom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growing {
    /// Picks in it.
    pub(crate) picks: f64,
    /// Its length in metres of cloth.
    pub(crate) length_m: f64,
    /// The length at which it is doffed.
    pub(crate) target_m: f64,
    /// Stretches of beams that are woven off, before the present one.
    pub(crate) stretches: Vec<Stretch>,
    /// Weft taken from each lot: the lot's index and kilograms.
    pub(crate) wefts: Vec<(usize, f64)>,
    /// Metres × severity of each fault (its truth and kind) while it was woven.
    pub(crate) exposure: Vec<(usize, FaultKind, f64)>,
    /// Metres × density deviation.
    pub(crate) density_m: f64,
    /// Stops of the warp and of the weft while it was woven.
    pub(crate) stops: u32,
}

/// Something that happened to a loom, which the mill must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A warp end broke.
    WarpBreak,
    /// The weft failed.
    WeftBreak,
    /// The control tripped.
    Trip,
    /// The roll has its length.
    RollFull,
    /// The beam is woven off.
    WarpOut,
    /// The stop is over.
    Resume,
}

/// Whether the loom runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Status {
    /// It weaves.
    Running,
    /// It stands until a moment, or until the mill says otherwise.
    Halted {
        /// Until when, in seconds since the beginning.
        until: Option<f64>,
    },
}

/// A loom.
#[derive(Clone, Debug)]
pub(crate) struct Loom {
    /// How far it has gone, in seconds since the beginning.
    pub(crate) t: f64,
    /// The style on it.
    pub(crate) style: &'static Style,
    /// Set-point of the mean tension, in cN.
    pub(crate) set_tension: f64,
    /// Set-point of the speed, in picks/min.
    pub(crate) set_speed: f64,
    /// Set-point of the main nozzle pressure, in bar.
    pub(crate) set_pressure: f64,
    /// Whether it runs.
    pub(crate) status: Status,
    /// The beam on it.
    pub(crate) beam: Option<Beam>,
    /// The roll on it.
    pub(crate) roll: Growing,
    /// The weft lot in use, by index.
    pub(crate) weft: usize,
    /// The fault that it has.
    pub(crate) fault: Option<ActiveFault>,
    /// Its pick counter.
    pub(crate) picks: f64,
    /// Seconds for which it has run.
    pub(crate) running_s: f64,
    /// How much its tension sensor shows too much, in cN.
    pub(crate) tension_offset: f64,
    /// The air that it takes now, in m3/h.
    pub(crate) flow_m3_h: f64,
    traits: Traits,
    tension: f64,
    bearing: f64,
    hazard_left: f64,
    tension_drift: Drift,
    nozzle_drift: Drift,
    offset_drift: Drift,
    random: Random,
    sensors: Random,
}

/// What a running loom is like at one moment.
struct Condition {
    effects: Effects,
    insertion: insertion::Insertion,
    warp_stops: f64,
    trips: f64,
    current: f64,
    vibration: f64,
}

impl Loom {
    /// A loom that stands still until the mill starts it.
    pub(crate) fn new(style: &'static Style, seed: u64, stream: u64) -> Self {
        let mut random = Random::new(seed, stream);
        let traits = Traits::made(&mut random);
        let hazard_left = random.exponential(1.0);
        Self {
            t: 0.0,
            style,
            set_tension: style.tension,
            set_speed: style.speed,
            set_pressure: style.pressure,
            status: Status::Halted { until: None },
            beam: None,
            roll: Growing::default(),
            weft: 0,
            fault: None,
            picks: 0.0,
            running_s: 0.0,
            tension_offset: 0.0,
            flow_m3_h: 0.0,
            traits,
            tension: 0.0,
            bearing: 27.0,
            hazard_left,
            tension_drift: Drift::new(0.02, 40.0),
            nozzle_drift: Drift::new(0.008, 400.0),
            offset_drift: Drift::new(0.9, 10.0 * 86_400.0),
            random,
            sensors: Random::new(seed, stream + 1),
        }
    }

    /// Sets the loom up for a style.
    pub(crate) fn set_up(&mut self, style: &'static Style) {
        self.style = style;
        self.set_tension = style.tension;
        self.set_speed = style.speed;
        self.set_pressure = style.pressure;
    }

    /// Whether it weaves.
    pub(crate) fn runs(&self) -> bool {
        self.status == Status::Running
    }

    /// The severity of its fault now.
    pub(crate) fn severity(&self) -> f64 {
        self.fault.map_or(0.0, |fault| fault.severity(self.t))
    }

    /// Metres of warp that are left on its beam.
    pub(crate) fn warp_left_m(&self) -> f64 {
        self.beam.as_ref().map_or(0.0, |beam| beam.length_m - beam.position_m)
    }

    /// How much more often than usual the weft and the warp stop now.
    pub(crate) fn stop_factors(&self, hall: &Hall) -> (f64, f64) {
        let condition = self.condition(hall);
        (condition.insertion.stops_per_pick / 1.2e-5, condition.warp_stops / 0.75e-5)
    }

    /// Goes on until `until` or until something happens, whichever comes first. `tail_m` of warp stay on the beam.
    pub(crate) fn advance(&mut self, until: f64, hall: &Hall, tail_m: f64) -> Option<Notice> {
        match self.status {
            Status::Running => self.weave(until, hall, tail_m),
            Status::Halted { until: Some(end) } if end <= until => {
                self.rest(end, hall);
                Some(Notice::Resume)
            }
            Status::Halted { .. } => {
                self.rest(until, hall);
                None
            }
        }
    }

    fn rest(&mut self, until: f64, hall: &Hall) {
        let dt = (until - self.t).max(0.0);
        self.flow_m3_h = 2.0;
        self.relax(dt, self.set_tension * 0.9, hall.temperature);
        self.t = until;
    }

    /// First-order laws, exact over `dt`: tension towards what the let-off holds, the bearing towards its settled temperature.
    fn relax(&mut self, dt: f64, tension: f64, bearing: f64) {
        self.tension = tension + (self.tension - tension) * (-dt / warp::LET_OFF_SECONDS).exp();
        self.bearing = bearing + (self.bearing - bearing) * (-dt / drive::BEARING_SECONDS).exp();
        self.tension_drift.advance(dt, &mut self.random);
        self.nozzle_drift.advance(dt, &mut self.random);
        self.offset_drift.advance(dt, &mut self.random);
    }

    fn part_left(&self) -> f64 {
        self.beam.as_ref().map_or(1.0, |beam| 1.0 - beam.position_m / beam.length_m.max(1.0))
    }

    fn condition(&self, hall: &Hall) -> Condition {
        let effects = self.fault.map_or(Effects::NONE, |fault| Effects::of(fault.kind, fault.severity(self.t)));
        let nozzle = self.traits.nozzle * (1.0 + self.nozzle_drift.value());
        let insertion =
            insertion::insert(self.style, self.set_speed, self.set_pressure, hall.network_bar, nozzle, &effects);
        let peak = self.tension + warp::shed(self.style) + warp::beat_up(self.style);
        let current =
            drive::current(self.style, self.set_speed, warp::beat_up(self.style), self.traits.current, &effects);
        Condition {
            warp_stops: self.traits.warp * warp::stops_per_pick(self.style, peak, hall.humidity, &effects),
            trips: effects.trips_per_hour / (60.0 * self.set_speed),
            current,
            vibration: drive::vibration(self.traits.vibration, self.set_speed, &effects),
            insertion,
            effects,
        }
    }

    fn weave(&mut self, until: f64, hall: &Hall, tail_m: f64) -> Option<Notice> {
        let condition = self.condition(hall);
        let picks_s = self.set_speed / 60.0;
        let cloth_m = 1.0 / (100.0 * self.style.picks_per_cm);
        let warp_m = cloth_m / (1.0 - self.style.crimp);
        let hazard = condition.warp_stops + condition.insertion.stops_per_pick + condition.trips;
        let to_stop = self.hazard_left / hazard.max(1e-12);
        let to_roll = ((self.roll.target_m - self.roll.length_m) / cloth_m).max(0.0);
        let to_end = ((self.warp_left_m() - tail_m) / warp_m).max(0.0);
        let to_until = ((until - self.t) * picks_s).max(0.0);
        let picks = to_stop.min(to_roll).min(to_end).min(to_until);
        let dt = picks / picks_s;
        let held = warp::held_tension(self.set_tension, self.part_left());
        let settled = drive::settled_temperature(
            hall.temperature,
            self.set_speed,
            condition.current,
            condition.vibration,
            &condition.effects,
        );
        self.relax(dt, held, settled);
        self.flow_m3_h = condition.insertion.flow_m3_h;
        self.grow(picks, cloth_m, warp_m, &condition.effects);
        self.hazard_left -= picks * hazard;
        self.running_s += dt;
        if to_until <= picks {
            self.t = until;
            return None;
        }
        self.t += dt;
        if to_stop <= picks {
            self.hazard_left = self.random.exponential(1.0);
            return Some(self.stop_of(&condition, hazard));
        }
        Some(if to_end <= picks { Notice::WarpOut } else { Notice::RollFull })
    }

    fn stop_of(&mut self, condition: &Condition, hazard: f64) -> Notice {
        let draw = self.random.uniform() * hazard;
        if draw < condition.warp_stops {
            Notice::WarpBreak
        } else if draw < condition.warp_stops + condition.insertion.stops_per_pick {
            Notice::WeftBreak
        } else {
            Notice::Trip
        }
    }

    fn grow(&mut self, picks: f64, cloth_m: f64, warp_m: f64, effects: &Effects) {
        let woven_m = picks * cloth_m;
        self.picks += picks;
        self.roll.picks += picks;
        self.roll.length_m += woven_m;
        self.roll.density_m += woven_m * effects.density;
        if let Some(beam) = &mut self.beam {
            beam.position_m += picks * warp_m;
        }
        let weft_kg = picks * self.weft_kg_per_pick();
        match self.roll.wefts.iter_mut().find(|(lot, _)| *lot == self.weft) {
            Some((_, kg)) => *kg += weft_kg,
            None => self.roll.wefts.push((self.weft, weft_kg)),
        }
        if let Some(fault) = self.fault {
            let touched = woven_m * fault.severity(self.t);
            match self.roll.exposure.iter_mut().find(|(truth, ..)| *truth == fault.truth) {
                Some((_, _, metres)) => *metres += touched,
                None => self.roll.exposure.push((fault.truth, fault.kind, touched)),
            }
        }
    }

    /// Kilograms of weft for a pick: the reed's width and three centimetres of waste on each side.
    fn weft_kg_per_pick(&self) -> f64 {
        (self.style.reed_width_cm + 6.0) / 100.0 * self.style.weft_tex / 1e6
    }

    /// Weft taken for the present roll since the lot was changed, of one lot in kg.
    pub(crate) fn weft_taken_kg(&self, lot: usize) -> f64 {
        self.roll.wefts.iter().find(|(known, _)| *known == lot).map_or(0.0, |(_, kg)| *kg)
    }

    /// Takes the roll off, with the stretch of the beam that is still on the loom.
    pub(crate) fn doff(&mut self, target_m: f64) -> Growing {
        let mut roll = std::mem::replace(&mut self.roll, Growing { target_m, ..Growing::default() });
        if let Some(beam) = &mut self.beam {
            push_stretch(&mut roll, beam);
            beam.roll_from_m = beam.position_m;
        }
        roll
    }

    /// Takes the beam off; what the present roll took from it stays with the roll.
    pub(crate) fn take_beam(&mut self) -> Option<Beam> {
        let beam = self.beam.take()?;
        push_stretch(&mut self.roll, &beam);
        Some(beam)
    }

    /// What the sensors show, in the order of the loom's signals; a loom that stands inserts no weft and beats up none.
    pub(crate) fn sense(&mut self, hall: &Hall) -> [Option<f64>; 12] {
        let condition = self.condition(hall);
        let runs = self.runs();
        let effects = &condition.effects;
        let noise = &mut self.sensors;
        let wave = (std::f64::consts::TAU * self.t / warp::HUNTING_SECONDS).sin();
        let swing = 1.0 + self.tension_drift.value() + if runs { effects.tension_swing * wave } else { 0.0 };
        let tension =
            self.tension * swing + self.tension_offset + self.offset_drift.value() * 0.2 + 0.12 * noise.normal();
        let added = warp::shed(self.style) + warp::beat_up(self.style);
        let peak = (tension + added * (1.0 + 0.02 * noise.normal())).max(tension);
        let speed = if runs { self.set_speed * (1.0 + 0.0015 * noise.normal()) } else { 0.0 };
        let arrival = condition.insertion.arrival_deg + (1.1 + effects.arrival_scatter) * noise.normal();
        let current = if runs {
            condition.current + (0.07 + effects.current_scatter) * noise.normal()
        } else {
            0.35 + 0.01 * noise.normal()
        };
        let vibration = if runs { condition.vibration * (1.0 + 0.05 * noise.normal()) } else { 0.08 };
        let bearing = self.bearing + 0.15 * noise.normal();
        let humidity = hall.humidity + 0.3 * noise.normal();
        let pressure =
            if runs { condition.insertion.pressure_bar } else { self.set_pressure.min(hall.network_bar - 0.4) }
                + 0.012 * noise.normal();
        let flow = if runs { condition.insertion.flow_m3_h * (1.0 + 0.01 * noise.normal()) } else { 2.0 };
        let power = drive::power(current.max(0.0)) + if runs { 0.25 } else { 0.1 };
        [
            Some(round(tension.max(0.0), 100.0)),
            runs.then(|| round(peak.max(0.0), 100.0)),
            Some(round(speed, 10.0)),
            runs.then(|| round(arrival.clamp(180.0, 330.0), 10.0)),
            Some(round(current.max(0.0), 100.0)),
            Some(round(vibration.max(0.0), 1000.0)),
            Some(round(bearing, 100.0)),
            Some(round(humidity.clamp(20.0, 100.0), 10.0)),
            Some(round(pressure.max(0.0), 1000.0)),
            Some(round(flow.max(0.0), 10.0)),
            Some(round(power, 1000.0)),
            Some(self.picks.floor()),
        ]
    }

    /// What its tension sensor shows too much, in cN.
    pub(crate) fn sensor_error(&self) -> f64 {
        self.tension_offset + self.offset_drift.value() * 0.2
    }

    /// Takes the sensor's error away: what drifts from now on is new.
    pub(crate) fn calibrate(&mut self) {
        self.tension_offset = -self.offset_drift.value() * 0.2;
    }
}

fn push_stretch(roll: &mut Growing, beam: &Beam) {
    if beam.position_m > beam.roll_from_m + EPSILON_M {
        roll.stretches.push(Stretch { lot: beam.lot.clone(), start_m: beam.roll_from_m, end_m: beam.position_m });
    }
}

/// Sensors have a resolution: `steps` to the unit.
pub(crate) fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
