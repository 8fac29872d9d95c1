//! The past of the mill, and its continuation.

use eventlog::frames::Reading;
use jiff::{SignedDuration, Timestamp};

use crate::output::{Output, SimEvent};
use crate::truth::Truth;
use crate::world::World;
use crate::{SimulationError, mill};

/// The most days of history that can be asked for: events are held in memory.
pub const MAX_DAYS: u32 = 400;
/// The most seconds that one call of [`Live::advance`] goes forward, so that its answer stays small. Call again until [`Live::now`] is where it should be.
pub const MAX_ADVANCE_SECONDS: i64 = 600;
/// The step of the history in which no readings are taken, in seconds: the same equations over a longer stretch.
const COARSE_STEP_SECONDS: i64 = 60;

/// How a history is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// The seed of everything random.
    pub seed: u64,
    /// Where the history ends and the live mill begins.
    pub end: Timestamp,
    /// How many days before the end it begins.
    pub days: u32,
    /// How long before the end readings begin, in seconds.
    pub readings_seconds: u32,
    /// The time between two readings of a signal in the history, in seconds.
    pub reading_period_seconds: u32,
    /// The time between two readings of a signal in the live mill, in seconds.
    pub live_period_seconds: u32,
}

impl HistoryOptions {
    /// Two hours of readings every five seconds; live readings every second.
    pub const fn new(seed: u64, end: Timestamp, days: u32) -> Self {
        Self { seed, end, days, readings_seconds: 7200, reading_period_seconds: 5, live_period_seconds: 1 }
    }
}

/// The past of the mill.
#[derive(Clone, Debug)]
pub struct History {
    /// The name of the source: `simulator:<seed>`.
    pub source: String,
    /// Its first moment.
    pub start: Timestamp,
    /// Its last moment.
    pub end: Timestamp,
    /// Everything that happened, in the order of event time.
    pub events: Vec<SimEvent>,
    readings: Vec<Reading>,
    live: Live,
}

impl History {
    /// The readings, in the order of time.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// What really happened, up to the end of the history.
    pub fn truth(&self) -> &Truth {
        self.live.truth()
    }

    /// The mill as it stands at the end of the history, ready to go on.
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// The mill as it stands at the end of the history, and the history's events and readings, without a copy.
    pub fn into_parts(self) -> (Vec<SimEvent>, Vec<Reading>, Live) {
        (self.events, self.readings, self.live)
    }
}

/// The past of the mill: `days` of events that end at `end`, with readings every five seconds in the last two hours.
///
/// # Errors
/// [`SimulationError`] when the days or the end are not possible.
pub fn history(seed: u64, end: Timestamp, days: u32) -> Result<History, SimulationError> {
    history_with(HistoryOptions::new(seed, end, days))
}

/// As [`history`], with all choices.
///
/// # Errors
/// [`SimulationError`] when the days or the end are not possible.
pub fn history_with(options: HistoryOptions) -> Result<History, SimulationError> {
    if options.days == 0 || options.days > MAX_DAYS {
        return Err(SimulationError::Days { days: options.days, most: MAX_DAYS });
    }
    let impossible = |_| SimulationError::End { end: options.end, days: options.days };
    let end = Timestamp::from_second(options.end.as_second()).map_err(impossible)?;
    let start = end.checked_sub(SignedDuration::from_hours(24 * i64::from(options.days))).map_err(impossible)?;
    let mut world = World::new(options.seed, start.as_second())?;
    let days_seconds = i64::from(options.days) * 86_400;
    let fine_from = end.as_second() - i64::from(options.readings_seconds).min(days_seconds);
    while world.second() < fine_from {
        let to = (world.second() + COARSE_STEP_SECONDS).min(fine_from);
        world.advance(to);
    }
    let period = i64::from(options.reading_period_seconds.max(1));
    let mut readings = Vec::new();
    while world.second() < end.as_second() {
        let to = (world.second() + period).min(end.as_second());
        world.advance(to);
        world.sample(&mut |_, mut sampled| readings.append(&mut sampled));
    }
    let events = world.take_events();
    Ok(History {
        source: crate::output::source_name(options.seed),
        start,
        end,
        events,
        readings,
        live: Live { world, period_seconds: i64::from(options.live_period_seconds.max(1)) },
    })
}

/// The mill while it runs: the history goes on without a break.
///
/// The same seed, end and days give the same future too: a process that starts again can make the same history, advance to the present, and repeats the same
/// event ids.
#[derive(Clone, Debug)]
pub struct Live {
    world: World,
    period_seconds: i64,
}

impl Live {
    /// How far the mill has gone.
    pub fn now(&self) -> Timestamp {
        mill::timestamp(self.world.second())
    }

    /// The name of the source: `simulator:<seed>`.
    pub fn source(&self) -> String {
        crate::output::source_name(self.world.seed())
    }

    /// Goes on to `to`, in whole periods and at most [`MAX_ADVANCE_SECONDS`], and says what happened, in the order of time. Never later than `to`; a `to` in the past does
    /// nothing.
    pub fn advance(&mut self, to: Timestamp) -> Vec<Output> {
        let first = self.world.second();
        let last = to.as_second().min(first + MAX_ADVANCE_SECONDS);
        let mut outputs = Vec::new();
        while self.world.second() + self.period_seconds <= last {
            self.world.advance(self.world.second() + self.period_seconds);
            outputs.extend(self.world.take_events().into_iter().map(|event| Output::Event(Box::new(event))));
            let time = self.now();
            self.world.sample(&mut |asset, readings| {
                outputs.push(Output::Readings { asset: asset.clone(), time, readings });
            });
        }
        outputs
    }

    /// What all sensors show at [`Live::now`]; the mill does not change.
    pub fn present(&self) -> Vec<Reading> {
        let mut present = Vec::new();
        self.world.clone().sample(&mut |_, mut readings| present.append(&mut readings));
        present
    }

    /// What really happened so far.
    pub fn truth(&self) -> &Truth {
        self.world.truth()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
