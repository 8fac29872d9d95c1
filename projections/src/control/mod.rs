//! Operating control 操控: what followed a set-point change, which values did best, and what the best crew does differently.
//!
//! Pure functions over read models at a position. They compare rates of process stops by picks, which roll by roll are known; what differs is ranked with its interval and a
//! false-discovery bound. A change is made for a reason: stops that fall after it had often risen before it, and would have fallen anyway. The long-run baseline stands beside
//! the window before for that.

mod best;
mod changes;
mod crews;

#[cfg(test)]
mod tests;

pub use best::{BestRequest, ValueRecord, best_values};
pub use changes::{BaselineOf, ChangeRecord, ChangeRequest, RegimeTimes, StopEffect, changes};
pub use crews::{CrewRecord, CrewRequest, Crews, Difference, Trait, crews};

use domain::performance::Performance;
use domain::statistics::{Effect, LEVEL, Rate, rate_ratio};
use domain::weaving::StopKind;

/// Stops of one kind in counted time, over the picks woven in it.
fn stop_rate(figures: &Performance, kind: StopKind) -> Rate {
    Rate { events: figures.stops(kind).counted, exposure: figures.picks / 1e5 }
}

/// Process stops, which are those by a broken yarn, in counted time over picks.
fn process_rate(figures: &Performance) -> Rate {
    Rate { events: figures.warp.counted + figures.weft.counted, exposure: figures.picks / 1e5 }
}

/// The rate of stops in `a` by that in `b`; `None` where picks or stops say nothing.
fn compared(a: Rate, b: Rate) -> Option<Effect> {
    rate_ratio(a, b, LEVEL)
}
