//! Faults: how they grow, what they do to the loom, and how they are seen, named and repaired.

mod catalog;

pub(crate) use catalog::{Action, Spec, spec};

use crate::random::Random;

/// A way in which a loom of the mill fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The main bearing wears out: vibration, then heat.
    BearingWear,
    /// The main nozzle clogs with size and fly: the weft arrives late.
    NozzleClogging,
    /// The let-off hunts: the warp tension swings.
    LetOffDrift,
    /// A hose or valve leaks: more air, less pressure.
    AirLeak,
    /// Reed dents are bent: warp breaks and reed marks 筘痕.
    ReedDamage,
    /// The take-up slips: thick and thin places 稀密路.
    TakeUpSlip,
    /// The warp stop motion does not see broken ends 断经不停.
    StopMotionFailure,
    /// Contacts of the control age: trips without a broken yarn.
    ElectricalControl,
    /// The accumulator's winding sensor is dirty: false weft stops, scattered arrival.
    AccumulatorSensor,
    /// The brake wears: the loom stops late and leaves starting marks 开车痕.
    BrakeWear,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::BearingWear,
        Self::NozzleClogging,
        Self::LetOffDrift,
        Self::AirLeak,
        Self::ReedDamage,
        Self::TakeUpSlip,
        Self::StopMotionFailure,
        Self::ElectricalControl,
        Self::AccumulatorSensor,
        Self::BrakeWear,
    ];

    /// The kind's name in the truth.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BearingWear => "bearing_wear",
            Self::NozzleClogging => "nozzle_clogging",
            Self::LetOffDrift => "let_off_drift",
            Self::AirLeak => "air_leak",
            Self::ReedDamage => "reed_damage",
            Self::TakeUpSlip => "take_up_slip",
            Self::StopMotionFailure => "stop_motion_failure",
            Self::ElectricalControl => "electrical_control",
            Self::AccumulatorSensor => "accumulator_sensor",
            Self::BrakeWear => "brake_wear",
        }
    }
}

/// What faults do to a loom. The default is a sound loom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effects {
    /// Factor on vibration.
    pub(crate) vibration: f64,
    /// Added to the bearing's settled temperature, in degrees.
    pub(crate) bearing_heat: f64,
    /// Added to the motor current, in A.
    pub(crate) current_gain: f64,
    /// Scatter of the motor current, in A.
    pub(crate) current_scatter: f64,
    /// Part of the weft's velocity that is lost.
    pub(crate) velocity_loss: f64,
    /// Part of the nozzle pressure that is lost.
    pub(crate) pressure_loss: f64,
    /// Part of the air that is taken in addition.
    pub(crate) flow_gain: f64,
    /// Scatter of the arrival angle, in degrees.
    pub(crate) arrival_scatter: f64,
    /// Factor on weft stops.
    pub(crate) weft_stops: f64,
    /// Factor on warp stops.
    pub(crate) warp_stops: f64,
    /// Part of the broken ends that nobody sees.
    pub(crate) unseen_breaks: f64,
    /// Amplitude of the tension's swing, as a part of the mean.
    pub(crate) tension_swing: f64,
    /// Trips of the control for each hour of running.
    pub(crate) trips_per_hour: f64,
    /// Extra defects for each 100 m of cloth.
    pub(crate) defects: f64,
    /// The deviation of the pick density, as a part of it.
    pub(crate) density: f64,
}

impl Effects {
    /// A sound loom.
    pub(crate) const NONE: Self = Self {
        vibration: 1.0,
        bearing_heat: 0.0,
        current_gain: 0.0,
        current_scatter: 0.0,
        velocity_loss: 0.0,
        pressure_loss: 0.0,
        flow_gain: 0.0,
        arrival_scatter: 0.0,
        weft_stops: 1.0,
        warp_stops: 1.0,
        unseen_breaks: 0.0,
        tension_swing: 0.0,
        trips_per_hour: 0.0,
        defects: 0.0,
        density: 0.0,
    };

    /// What a fault of this kind and severity (0 is sound, 1 is failed) does.
    pub(crate) fn of(kind: FaultKind, severity: f64) -> Self {
        let s = severity.clamp(0.0, 1.3);
        let none = Self::NONE;
        match kind {
            FaultKind::BearingWear => {
                Self { vibration: 1.0 + 3.2 * s * s, bearing_heat: 30.0 * s.powf(1.5), current_gain: 0.7 * s, ..none }
            }
            FaultKind::NozzleClogging => Self { velocity_loss: 0.16 * s, defects: 5.0 * s, ..none },
            FaultKind::LetOffDrift => {
                Self { tension_swing: 0.22 * s, warp_stops: 1.0 + 0.8 * s, defects: 7.0 * s, ..none }
            }
            FaultKind::AirLeak => Self { pressure_loss: 0.20 * s, flow_gain: 0.40 * s, ..none },
            FaultKind::ReedDamage => Self { warp_stops: 1.0 + 4.0 * s, defects: 14.0 * s, ..none },
            FaultKind::TakeUpSlip => Self { density: 0.025 * s, defects: 12.0 * s, current_gain: -0.15 * s, ..none },
            FaultKind::StopMotionFailure => Self { unseen_breaks: 0.7 * s.min(1.0), defects: 13.0 * s, ..none },
            FaultKind::ElectricalControl => Self { trips_per_hour: 1.2 * s * s, current_scatter: 0.5 * s, ..none },
            FaultKind::AccumulatorSensor => Self { weft_stops: 1.0 + 7.0 * s, arrival_scatter: 6.0 * s, ..none },
            FaultKind::BrakeWear => {
                Self { defects: 9.0 * s, current_gain: 0.35 * s, current_scatter: 0.12 * s, ..none }
            }
        }
    }
}

/// A fault that is growing or there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveFault {
    /// What it is.
    pub(crate) kind: FaultKind,
    /// Its index in the truth.
    pub(crate) truth: usize,
    /// The severity at `since`.
    base: f64,
    /// From when it grows on, in seconds since the beginning.
    since: f64,
    /// How long it takes to full severity, in seconds.
    growth: f64,
    /// The severity at which the loom says so.
    pub(crate) alarm_at: f64,
    /// The severity at which somebody notices.
    pub(crate) noticed_at: f64,
}

impl ActiveFault {
    /// A fault that begins to grow.
    pub(crate) fn begin(kind: FaultKind, truth: usize, since: f64, random: &mut Random) -> Self {
        let growth = random.log_normal(spec(kind).growth_hours * 3600.0, 0.3);
        let noticed_at = random.between(0.82, 1.0);
        Self { kind, truth, base: 0.0, since, growth, alarm_at: noticed_at - random.between(0.02, 0.15), noticed_at }
    }

    /// How bad it is at a moment: 0 is sound, 1 is failed.
    pub(crate) fn severity(&self, t: f64) -> f64 {
        let passed = ((t - self.since) / self.growth).max(0.0);
        (self.base + (1.0 - self.base) * passed.powf(spec(self.kind).growth_shape)).min(1.3)
    }

    /// A repair that did not take the cause away: it is better for a while.
    pub(crate) fn soothe(&mut self, t: f64, random: &mut Random) {
        self.base = random.between(0.3, 0.5);
        self.since = t;
        self.growth = (self.growth * random.between(0.25, 0.5)).clamp(6.0 * 3600.0, 60.0 * 3600.0);
        self.noticed_at = random.between(0.82, 1.0);
        self.alarm_at = self.noticed_at - random.between(0.02, 0.15);
    }
}

#[cfg(test)]
mod tests;
