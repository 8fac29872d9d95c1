//! What goes by the calendar: shifts, set-point changes by operators, calibrations.

use domain::events::{CalibrationPerformed, PersonLoggedIn, PersonLoggedOut, SetPointChanged};
use domain::ids::PersonId;
use domain::values::Text;

use super::{Action, DAY, HOUR, World};
use crate::mill::{self, CREWS, LOOMS, LOOMS_PER_WEAVER};
use crate::names;
use crate::physics::Loom;

/// A shift begins at midnight, at eight and at sixteen by UTC.
const SHIFT_SECONDS: f64 = 8.0 * HOUR;
/// Days between two calibrations of a loom's tension sensor.
const CALIBRATION_DAYS: f64 = 12.0;
/// Mean days between two looks of an operator at a loom's set-points.
const REVIEW_DAYS: f64 = 2.0;
/// The greatest deviation of a tension sensor that is allowed, in cN.
const TENSION_TOLERANCE_CN: f64 = 0.5;

/// Who is at work.
#[derive(Clone, Debug, Default)]
pub(super) struct Shifts {
    crew: Option<usize>,
    turn: usize,
}

impl World {
    pub(super) fn begin_shifts(&mut self) {
        self.shift();
        for loom in 0..LOOMS {
            let review = self.random.exponential(REVIEW_DAYS * DAY) + 6.0 * HOUR;
            self.plan(review, Action::Review(loom));
            let calibration = self.random.between(0.5, CALIBRATION_DAYS) * DAY;
            self.plan(calibration, Action::Calibrate(loom));
        }
    }

    /// The weaver who tends a loom now.
    pub(super) fn weaver_of(&self, loom: usize) -> PersonId {
        names::person(&mill::weaver(self.shifts.crew.unwrap_or(0), loom / LOOMS_PER_WEAVER))
    }

    /// One crew leaves, the next takes over.
    pub(super) fn shift(&mut self) {
        let now = self.now();
        if self.shifts.crew.is_some() {
            for loom in 0..LOOMS {
                self.emit(now, PersonLoggedOut { person: self.weaver_of(loom), asset: self.loom_id(loom) });
            }
        }
        self.shifts.crew = Some(self.shifts.turn % CREWS);
        self.shifts.turn += 1;
        for loom in 0..LOOMS {
            self.emit(now, PersonLoggedIn { person: self.weaver_of(loom), asset: self.loom_id(loom) });
        }
        let into = (self.second_of_day() + now) % SHIFT_SECONDS;
        self.plan(SHIFT_SECONDS - into, Action::Shift);
    }

    /// An operator looks at a loom's stops and changes a set-point, or leaves it.
    pub(super) fn review(&mut self, index: usize) {
        let again = self.random.exponential(REVIEW_DAYS * DAY) + HOUR;
        self.plan(again, Action::Review(index));
        let Some(loom) = self.looms.get(index).filter(|loom| loom.runs()) else { return };
        let (weft, warp) = loom.stop_factors(&self.hall);
        let style = loom.style;
        let (tension, speed, pressure) = (loom.set_tension, loom.set_speed, loom.set_pressure);
        if weft > 2.0 && speed > style.speed * 0.93 {
            self.set_speed(index, speed - 15.0, ("纬停多，降速", "many weft stops, slowed down"));
        } else if weft > 1.7 && pressure < style.pressure + 0.5 {
            self.set_pressure(index, pressure + 0.2, ("纬停偏多，加压", "weft stops, more pressure"));
        } else if warp > 1.8 && tension > style.tension * 0.92 {
            self.set_tension(index, tension - 1.0, ("断经多，降张力", "many warp stops, less tension"));
        } else if warp < 0.9 && tension < style.tension {
            self.set_tension(index, tension + 0.5, ("布面松，加张力", "cloth slack, more tension"));
        } else if weft < 1.2 && warp < 1.3 && speed < style.speed {
            self.set_speed(index, (speed + 15.0).min(style.speed), ("运转正常，恢复车速", "runs well, speed restored"));
        }
    }

    fn set_point(&mut self, index: usize, change: (&str, f64, f64, &str), reason: (&str, &str)) {
        let (parameter, from, to, unit) = change;
        let event = SetPointChanged {
            asset: self.loom_id(index),
            parameter: names::code(parameter),
            from: Some(from),
            to,
            unit: names::unit(unit),
            person: Some(self.weaver_of(index)),
            product: self.looms.get(index).map(|loom| names::material(loom.style.id)),
            reason: Some(Text::new(reason.0, reason.1)),
        };
        self.emit(self.now(), event);
    }

    pub(super) fn set_speed(&mut self, index: usize, to: f64, reason: (&str, &str)) {
        let Some(loom) = self.looms.get_mut(index) else { return };
        let from = std::mem::replace(&mut loom.set_speed, to);
        self.set_point(index, ("loom_speed", from, to, "{pick}/min"), reason);
    }

    pub(super) fn set_pressure(&mut self, index: usize, to: f64, reason: (&str, &str)) {
        let Some(loom) = self.looms.get_mut(index) else { return };
        let to = (to * 100.0).round() / 100.0;
        let from = std::mem::replace(&mut loom.set_pressure, to);
        self.set_point(index, ("air_pressure", from, to, "bar"), reason);
    }

    pub(super) fn set_tension(&mut self, index: usize, to: f64, reason: (&str, &str)) {
        let Some(loom) = self.looms.get_mut(index) else { return };
        let from = std::mem::replace(&mut loom.set_tension, to);
        self.set_point(index, ("warp_tension", from, to, "cN"), reason);
    }

    pub(super) fn calibrate(&mut self, index: usize) {
        self.plan(CALIBRATION_DAYS * DAY, Action::Calibrate(index));
        let error = self.looms.get(index).map_or(0.0, Loom::sensor_error);
        let reference = 25.0;
        let as_found = ((reference + error) * 100.0).round() / 100.0;
        let adjusted = (as_found - reference).abs() > TENSION_TOLERANCE_CN * 0.6;
        if adjusted && let Some(loom) = self.looms.get_mut(index) {
            loom.calibrate();
        }
        let person = Some(self.fixer());
        let event = CalibrationPerformed {
            signal: names::signal(&mill::signal_name(&mill::loom_name(index), "warp_tension")),
            reference,
            as_found,
            as_left: if adjusted { reference } else { as_found },
            unit: names::unit("cN"),
            tolerance: Some(TENSION_TOLERANCE_CN),
            person,
        };
        self.emit(self.now(), event);
    }
}
