//! Operating performance: times and counts of machines that add up, and the key figures that follow from them (ISO 22400-2).
//!
//! Invariant: nothing here is an average. Figures of two assets, shifts or days are added, and ratios are made of the sums.
//!
//! What was produced is known roll by roll, when a roll is doffed. Times and stops between two doffs therefore *count*: their picks are known. The figures keep
//! counted times beside all times, so that no rate divides by time whose picks nobody knows yet.

use serde::{Deserialize, Serialize};

use crate::kpi::{FailureTimes, Ratio};
use crate::statistics::{Summary, real};
use crate::weaving::StopKind;

/// Version of the formulas, to be kept with what is stored of their results.
pub const FORMULA_VERSION: u32 = 1;

/// Stops of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stops {
    /// How many began.
    pub count: u64,
    /// Of these, how many began in counted time.
    pub counted: u64,
    /// Seconds from the stop until somebody came.
    pub waiting_s: f64,
    /// Seconds from then until it ran.
    pub repair_s: f64,
    /// Seconds of stops of which nobody knows when somebody came.
    pub unsplit_s: f64,
    /// How long each stop that began waited, in seconds, where that is known.
    pub waits: Summary,
    /// How long each stop that began was worked on, in seconds, where that is known.
    pub repairs: Summary,
}

impl Stops {
    /// All seconds.
    pub fn seconds(&self) -> f64 {
        self.waiting_s + self.repair_s + self.unsplit_s
    }
}

impl std::ops::AddAssign for Stops {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.counted += other.counted;
        self.waiting_s += other.waiting_s;
        self.repair_s += other.repair_s;
        self.unsplit_s += other.unsplit_s;
        self.waits = self.waits + other.waits;
        self.repairs = self.repairs + other.repairs;
    }
}

/// Times and counts of machines over a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Actual production time (APT): running.
    pub production_s: f64,
    /// Actual unit setup time (ASUT): beam and style changes.
    pub setup_s: f64,
    /// Actual unit delay time (ADET): stopped or out of order, though there was work.
    pub delay_s: f64,
    /// Without an order.
    pub no_order_s: f64,
    /// Maintained by plan.
    pub planned_down_s: f64,
    /// Switched off.
    pub off_s: f64,
    /// Before the machine's first known state: nothing can be said.
    pub unknown_s: f64,
    /// Seconds in which shifts were planned, less their breaks; all seconds where no shift is planned.
    pub scheduled_s: f64,
    /// Warp stops 经停.
    pub warp: Stops,
    /// Weft stops 纬停.
    pub weft: Stops,
    /// Stops by the machine itself.
    pub mechanical: Stops,
    /// Other stops.
    pub other: Stops,
    /// Counted running time.
    pub counted_s: f64,
    /// Picks woven in it (the produced quantity PQ).
    pub picks: f64,
    /// What these picks take at the nominal speed (PRU × PQ), in seconds, where it is known.
    pub ideal_s: f64,
    /// Counted running time in which the nominal speed is known.
    pub ideal_of_s: f64,
    /// Picks that the counted scheduled time had room for at the nominal speed.
    pub room_picks: f64,
    /// Picks woven while the nominal speed was known.
    pub room_of_picks: f64,
    /// Picks in rolls whose verdict is known.
    pub inspected_picks: f64,
    /// Picks in rolls that passed.
    pub good_picks: f64,
    /// Stretches of state that these figures come from.
    pub n: u64,
}

impl Performance {
    /// The stops of a kind.
    pub const fn stops(&self, kind: StopKind) -> &Stops {
        match kind {
            StopKind::Warp => &self.warp,
            StopKind::Weft => &self.weft,
            StopKind::Mechanical => &self.mechanical,
            StopKind::Other => &self.other,
        }
    }

    /// The stops of a kind, to add to.
    pub const fn stops_mut(&mut self, kind: StopKind) -> &mut Stops {
        match kind {
            StopKind::Warp => &mut self.warp,
            StopKind::Weft => &mut self.weft,
            StopKind::Mechanical => &mut self.mechanical,
            StopKind::Other => &mut self.other,
        }
    }

    /// Planned busy time (PBT): the time that is known, without orders that were missing, planned maintenance and the time switched off.
    pub fn planned_busy_s(&self) -> f64 {
        self.production_s + self.setup_s + self.delay_s
    }

    /// Availability: APT / PBT.
    pub fn availability(&self) -> Ratio {
        Ratio::new(self.production_s, self.planned_busy_s())
    }

    /// Effectiveness: PRU × PQ / APT, over counted time with a known nominal speed.
    pub const fn effectiveness(&self) -> Ratio {
        Ratio::new(self.ideal_s, self.ideal_of_s)
    }

    /// Quality ratio: GQ / PQ, over the picks of inspected rolls.
    pub const fn quality(&self) -> Ratio {
        Ratio::new(self.good_picks, self.inspected_picks)
    }

    /// Overall equipment effectiveness: availability × effectiveness × quality ratio; `None` while one of them has no value.
    pub fn oee(&self) -> Option<f64> {
        Some(self.availability().value()? * self.effectiveness().value()? * self.quality().value()?)
    }

    /// Net equipment effectiveness: AUPT / PBT × effectiveness × quality ratio, where the processing time AUPT includes setting up.
    pub fn nee(&self) -> Option<f64> {
        let processing = Ratio::new(self.production_s + self.setup_s, self.planned_busy_s());
        Some(processing.value()? * self.effectiveness().value()? * self.quality().value()?)
    }

    /// Technical efficiency: APT / (APT + ADET).
    pub fn technical_efficiency(&self) -> Ratio {
        Ratio::new(self.production_s, self.production_s + self.delay_s)
    }

    /// Setup rate: ASUT / AUPT.
    pub fn setup_rate(&self) -> Ratio {
        Ratio::new(self.setup_s, self.production_s + self.setup_s)
    }

    /// Loom efficiency 织机效率: picks by what the scheduled minutes had room for at the nominal speed, over counted time.
    pub const fn loom_efficiency(&self) -> Ratio {
        Ratio::new(self.room_of_picks, self.room_picks)
    }

    /// Stops of a kind in counted time by 100,000 picks (CMPX).
    pub fn stops_per_100_000_picks(&self, kind: StopKind) -> Ratio {
        Ratio::new(real(self.stops(kind).counted), self.picks / 1e5)
    }

    /// What the mean times are made of. Broken yarns are stops of the process: only those of the machine itself are failures.
    pub fn failure_times(&self) -> FailureTimes {
        FailureTimes {
            failures: self.mechanical.count,
            operating_s: self.production_s,
            repairs: self.mechanical.count,
            repair_s: self.mechanical.seconds(),
        }
    }
}

impl std::ops::AddAssign for Performance {
    fn add_assign(&mut self, other: Self) {
        self.production_s += other.production_s;
        self.setup_s += other.setup_s;
        self.delay_s += other.delay_s;
        self.no_order_s += other.no_order_s;
        self.planned_down_s += other.planned_down_s;
        self.off_s += other.off_s;
        self.unknown_s += other.unknown_s;
        self.scheduled_s += other.scheduled_s;
        self.warp += other.warp;
        self.weft += other.weft;
        self.mechanical += other.mechanical;
        self.other += other.other;
        self.counted_s += other.counted_s;
        self.picks += other.picks;
        self.ideal_s += other.ideal_s;
        self.ideal_of_s += other.ideal_of_s;
        self.room_picks += other.room_picks;
        self.room_of_picks += other.room_of_picks;
        self.inspected_picks += other.inspected_picks;
        self.good_picks += other.good_picks;
        self.n += other.n;
    }
}
