//! The readings of one quantity of one asset, loaded in slices of time as rows go on, sorted by time whatever the order was in which the log learnt of them.

use std::sync::Arc;

use domain::conversion::Conversion;
use domain::ids::{AssetId, Code};
use domain::units::Unit;
use eventlog::{EventLog, Position, ReadingAddress, ReadingsQuery, SignalReading};
use jiff::Timestamp;

use crate::aggregate::Point;
use crate::bindings::{Bindings, Stretch};
use crate::error::DatasetError;
use crate::taken::Taken;
use crate::timeline::nanoseconds;

/// The most readings of one quantity of one asset that are in memory at once: those of the windows that are open.
pub const MAX_OPEN_READINGS: usize = 4_000_000;

/// How many readings a slice should hold, about.
const SLICE_READINGS: usize = 100_000;

/// The first slice: six hours.
const FIRST_SLICE_NS: i64 = 6 * 3600 * 1_000_000_000;

/// The shortest slice: one second.
const SHORTEST_SLICE_NS: i64 = 1_000_000_000;

/// The longest slice: 366 days.
const LONGEST_SLICE_NS: i64 = 366 * 24 * 3600 * 1_000_000_000;

/// Why a reading is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quality {
    Usable,
    BadStatus,
    NotANumber,
    NotFinite,
}

/// A reading, as it is kept.
#[derive(Clone, Copy, Debug)]
struct Sample {
    time_ns: i64,
    value: f64,
    position: Position,
    signal: u16,
    quality: Quality,
}

/// The readings of one quantity of one asset.
pub(crate) struct Window {
    asset: AssetId,
    quantity: Code,
    pub(crate) bindings: Bindings,
    /// How far the features look back and the labels ahead of a row's time, in nanoseconds.
    back_ns: i64,
    ahead_ns: i64,
    samples: Vec<Sample>,
    /// What rows look at is loaded up to here.
    loaded_ns: i64,
    /// Everything before this was counted.
    counted_ns: i64,
    slice_ns: i64,
    as_of: Position,
    /// The conversions that were needed so far.
    conversions: Vec<(Unit, Unit, Conversion)>,
}

impl Window {
    pub(crate) fn new(asset: &AssetId, quantity: &Code, bindings: Bindings, as_of: Position) -> Self {
        Self {
            asset: asset.clone(),
            quantity: quantity.clone(),
            bindings,
            back_ns: 0,
            ahead_ns: 0,
            samples: Vec::new(),
            loaded_ns: i64::MIN,
            counted_ns: i64::MIN,
            slice_ns: FIRST_SLICE_NS,
            as_of,
            conversions: Vec::new(),
        }
    }

    /// Lets rows look so far.
    pub(crate) fn reach(&mut self, back_ns: i64, ahead_ns: i64) {
        self.back_ns = self.back_ns.max(back_ns);
        self.ahead_ns = self.ahead_ns.max(ahead_ns);
    }

    /// Loads what a row at this time looks at. Rows come in the order of their times.
    pub(crate) async fn cover(
        &mut self,
        log: &dyn EventLog,
        time_ns: i64,
        last_row_ns: i64,
        taken: &mut Taken,
    ) -> Result<(), DatasetError> {
        let from_ns = time_ns.saturating_sub(self.back_ns);
        let to_ns = time_ns.saturating_add(self.ahead_ns);
        let end_ns = last_row_ns.saturating_add(self.ahead_ns);
        if from_ns > self.loaded_ns {
            self.samples.clear();
            self.loaded_ns = from_ns;
        }
        while self.loaded_ns < to_ns {
            // What no row looks at any more is dropped before more is loaded.
            let old = self.samples.partition_point(|sample| sample.time_ns < from_ns);
            self.samples.drain(..old);
            let slice_end_ns = self.loaded_ns.saturating_add(self.slice_ns).min(end_ns.max(to_ns));
            if self.load(log, slice_end_ns).await? {
                continue;
            }
            // The slice holds too many; a shorter one may not.
            if self.slice_ns <= SHORTEST_SLICE_NS {
                return Err(DatasetError::TooLarge {
                    what: format!("the readings of {} of {} within one window", self.quantity, self.asset),
                    limit: MAX_OPEN_READINGS as u64,
                    advice: "use shorter windows",
                });
            }
            self.slice_ns = (self.slice_ns / 4).max(SHORTEST_SLICE_NS);
        }
        self.count(from_ns.max(self.counted_ns), to_ns, taken);
        self.counted_ns = self.counted_ns.max(to_ns);
        Ok(())
    }

    /// Loads the readings up to a time. `false`, and nothing is loaded, when there would be more of them than are kept at once.
    async fn load(&mut self, log: &dyn EventLog, to_ns: i64) -> Result<bool, DatasetError> {
        let from_ns = self.loaded_ns;
        let before = self.samples.len();
        let mut slice: Vec<(Option<u64>, u32, Sample)> = Vec::new();
        for (index, signal) in self.bindings.signals.iter().enumerate() {
            let mut query = ReadingsQuery {
                from: timestamp(from_ns),
                to: timestamp(to_ns),
                below: self.as_of.next(),
                ..ReadingsQuery::all(signal.as_str())
            };
            loop {
                let page = log.readings(query.clone()).await?;
                if before + slice.len() + page.readings.len() > MAX_OPEN_READINGS {
                    return Ok(false);
                }
                let signal = u16::try_from(index).unwrap_or(u16::MAX);
                slice.extend(page.readings.iter().map(|reading| sample(signal, reading)));
                match page.next {
                    Some(next) => query.start = next,
                    None => break,
                }
            }
        }
        // The order that does not depend on when the log learnt of a reading, as far as there is one.
        slice.sort_by_key(|(sequence, row, sample)| (sample.time_ns, sample.signal, *sequence, sample.position, *row));
        let count = slice.len();
        self.samples.extend(slice.into_iter().map(|(_, _, sample)| sample));
        self.loaded_ns = to_ns;
        // The cut into slices never shows: only what a slice costs depends on it.
        if count > 2 * SLICE_READINGS {
            self.slice_ns = (self.slice_ns / 2).max(SHORTEST_SLICE_NS);
        } else if count < SLICE_READINGS / 2 {
            self.slice_ns = self.slice_ns.saturating_mul(2).min(LONGEST_SLICE_NS);
        }
        Ok(true)
    }

    fn range(&self, from_ns: i64, to_ns: i64) -> &[Sample] {
        let start = self.samples.partition_point(|sample| sample.time_ns < from_ns);
        let end = self.samples.partition_point(|sample| sample.time_ns < to_ns);
        self.samples.get(start..end).unwrap_or_default()
    }

    /// Counts what is looked at for the first time.
    fn count(&mut self, from_ns: i64, to_ns: i64, taken: &mut Taken) {
        if from_ns >= to_ns {
            return;
        }
        let stretches = self.bindings.at(self.as_of);
        for sample in self.range(from_ns, to_ns) {
            if stretch_of(&stretches, sample).is_none() {
                continue;
            }
            match sample.quality {
                Quality::Usable => taken.reading(sample.position),
                Quality::BadStatus => taken.left_out("bad_status"),
                Quality::NotANumber => taken.left_out("not_a_number"),
                Quality::NotFinite => taken.left_out("not_finite"),
            }
        }
    }

    /// The usable readings of a span that were known at a position, in the unit that is wanted, in the order of time.
    pub(crate) fn points(
        &mut self,
        (from_ns, to_ns): (i64, i64),
        known: Position,
        unit: &Unit,
        points: &mut Vec<Point>,
    ) -> Result<(), DatasetError> {
        points.clear();
        let stretches = self.bindings.at(known);
        let conversions: Vec<Conversion> =
            stretches.iter().map(|stretch| self.conversion(&stretch.unit, unit)).collect::<Result<_, _>>()?;
        for sample in self.range(from_ns, to_ns) {
            if sample.quality != Quality::Usable || sample.position > known {
                continue;
            }
            let Some(conversion) = stretch_of(&stretches, sample).and_then(|index| conversions.get(index)) else {
                continue;
            };
            points.push((sample.time_ns, conversion.apply(sample.value)));
        }
        Ok(())
    }

    fn conversion(&mut self, from: &Unit, to: &Unit) -> Result<Conversion, DatasetError> {
        if let Some((_, _, known)) = self.conversions.iter().find(|(one, other, _)| one == from && other == to) {
            return Ok(*known);
        }
        let conversion = Conversion::between(from, to)
            .map_err(|error| DatasetError::spec(format!("the unit of {}", self.quantity), error))?;
        self.conversions.push((from.clone(), to.clone(), conversion));
        Ok(conversion)
    }
}

/// The stretch that a reading lies in, if its signal was the one that counted then.
fn stretch_of(stretches: &Arc<[Stretch]>, sample: &Sample) -> Option<usize> {
    let index = stretches.partition_point(|stretch| stretch.to_ns <= sample.time_ns);
    let stretch = stretches.get(index)?;
    (stretch.from_ns <= sample.time_ns && stretch.signal == sample.signal).then_some(index)
}

fn sample(signal: u16, reading: &SignalReading) -> (Option<u64>, u32, Sample) {
    let ReadingAddress { position, row } = reading.address;
    let (value, quality) = match reading.value.as_f64() {
        _ if reading.status.is_bad() => (0.0, Quality::BadStatus),
        None => (0.0, Quality::NotANumber),
        Some(value) if !value.is_finite() => (0.0, Quality::NotFinite),
        Some(value) => (value, Quality::Usable),
    };
    (reading.sequence, row, Sample { time_ns: nanoseconds(reading.time), value, position, signal, quality })
}

fn timestamp(time_ns: i64) -> Timestamp {
    // Every 64-bit count of nanoseconds is an instant between the years 1677 and 2262.
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}
