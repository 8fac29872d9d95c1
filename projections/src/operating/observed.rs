//! What readings were while machines ran, in pieces of ten minutes: read from the log signal by signal, never as a whole.

use std::collections::BTreeMap;

use domain::Unit;
use domain::events::MachineState;
use domain::ids::{AssetId, Code, MaterialId, SignalId};
use domain::statistics::Summary;
use eventlog::{EventLog, MAX_PAGE, Position, ReadError, ReadingAddress, ReadingsQuery, SignalReading};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::AsOf;
use crate::folds::catalog::Catalog;
use crate::folds::production::Production;
use crate::folds::states::States;

/// How long a piece is. Pieces begin at whole multiples of it since 1970, so that windows share them.
pub const PIECE: SignedDuration = SignedDuration::from_mins(10);
/// A piece counts when the machine ran for this share of it.
const LEAST_RUNNING: f64 = 0.5;
/// A signal that is sent when it changes keeps its last value for so long at most.
const HELD: SignedDuration = SignedDuration::from_hours(1);
/// The most readings that one question looks at.
pub const MAX_SCANNED: u64 = 20_000_000;

/// What a signal's readings were in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Their mean; where there was no reading, the last one before.
    pub mean: f64,
    /// How many readings; 0 where the value was held.
    pub n: u64,
    /// Where the log says the first of them: the lowest position.
    pub first: Position,
    /// Where the log says the last of them.
    pub last: Position,
}

/// A piece of a machine's running time in which one product was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Piece {
    /// When it begins.
    pub from: Timestamp,
    /// How many seconds of it the machine ran.
    pub running_s: f64,
    /// What was made; `None` when nobody said.
    pub product: Option<MaterialId>,
    /// What was measured, by quantity.
    pub values: BTreeMap<Code, Measured>,
}

impl Piece {
    /// When it ends.
    pub fn to(&self) -> Timestamp {
        self.from.saturating_add(PIECE).unwrap_or(Timestamp::MAX)
    }
}

/// A signal of an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedSignal {
    /// The signal.
    pub signal: SignalId,
    /// The unit of its values.
    pub unit: Unit,
}

/// The pieces of one asset, by time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssetPieces {
    /// The asset.
    pub asset: AssetId,
    /// Its signals, by quantity.
    pub signals: BTreeMap<Code, ObservedSignal>,
    /// Its pieces.
    pub pieces: Vec<Piece>,
}

/// What is to be read: made from read models, carried out on the log.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationPlan {
    from: Timestamp,
    to: Timestamp,
    as_of: AsOf,
    assets: Vec<(AssetPieces, Vec<(Timestamp, Timestamp)>)>,
}

/// The read models that a plan is made from.
#[derive(Clone, Copy)]
pub struct ObservationModels<'a> {
    /// Signals of assets.
    pub catalog: &'a Catalog,
    /// When machines ran.
    pub states: &'a States,
    /// What they made.
    pub production: &'a Production,
}

impl ObservationPlan {
    /// The running time of these assets in a window of event time, in pieces, and the signals that are to be read: all of an asset's, or those that measure `quantities`.
    /// A piece in which the product changed is left out. What a machine did last lasts until the end of the window; where it sends nothing, nothing is counted.
    pub fn new(
        models: ObservationModels<'_>,
        assets: &[AssetId],
        (from, to): (Timestamp, Timestamp),
        quantities: Option<&[Code]>,
        as_of: AsOf,
    ) -> Self {
        let planned = assets.iter().map(|asset| {
            let mut signals = BTreeMap::new();
            for fact in models.catalog.signals_of(asset, as_of) {
                let defined = &fact.value;
                if quantities.is_none_or(|wanted| wanted.contains(&defined.quantity)) {
                    let observed = ObservedSignal { signal: defined.signal.clone(), unit: defined.unit.clone() };
                    signals.entry(defined.quantity.clone()).or_insert(observed);
                }
            }
            let running = running(models.states, asset, (from, to), as_of);
            let pieces = grid(&running, &models.production.styles(asset, as_of));
            (AssetPieces { asset: asset.clone(), signals, pieces }, running)
        });
        Self { from, to, as_of, assets: planned.collect() }
    }
}

fn running(
    states: &States,
    asset: &AssetId,
    (from, to): (Timestamp, Timestamp),
    as_of: AsOf,
) -> Vec<(Timestamp, Timestamp)> {
    let intervals = states.intervals(asset, from, to, as_of).into_iter();
    let runs = intervals.filter(|interval| interval.state == MachineState::Running);
    let mut running: Vec<(Timestamp, Timestamp)> = Vec::new();
    for interval in runs {
        match running.last_mut() {
            Some((_, end)) if *end == interval.from => *end = interval.to,
            _ => running.push((interval.from, interval.to)),
        }
    }
    running
}

/// The pieces in which the machine ran for long enough.
fn grid(running: &[(Timestamp, Timestamp)], styles: &[(Timestamp, &MaterialId)]) -> Vec<Piece> {
    let mut seconds: BTreeMap<i128, f64> = BTreeMap::new();
    for (from, to) in running {
        for number in number_of(*from)..=number_of(*to) {
            let (Some(begin), Some(end)) = (begin_of(number), begin_of(number + 1)) else { continue };
            let ran = end.min(*to).duration_since(begin.max(*from)).as_secs_f64();
            *seconds.entry(number).or_default() += ran.max(0.0);
        }
    }
    let made_at = |at: Timestamp| {
        let end = styles.partition_point(|(since, _)| *since <= at);
        styles.get(end.checked_sub(1)?).map(|(_, product)| (*product).clone())
    };
    let counted = seconds.into_iter().filter(|(_, ran)| *ran >= LEAST_RUNNING * PIECE.as_secs_f64());
    let pieces = counted.filter_map(|(number, running_s)| {
        let (from, to) = (begin_of(number)?, begin_of(number + 1)?);
        let changes = styles.iter().any(|(since, _)| from < *since && *since < to);
        (!changes).then(|| Piece { from, running_s, product: made_at(from), values: BTreeMap::new() })
    });
    pieces.collect()
}

fn number_of(time: Timestamp) -> i128 {
    time.as_nanosecond().div_euclid(PIECE.as_nanos())
}

fn begin_of(number: i128) -> Option<Timestamp> {
    Timestamp::from_nanosecond(number.checked_mul(PIECE.as_nanos())?).ok()
}

/// Why readings cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// There are too many of them.
    #[error("more than {MAX_SCANNED} readings are in the window: ask for less time, fewer assets or fewer signals")]
    TooMany,
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
}

/// Reads what a plan asks for. Readings of bad status, numbers that are not finite, texts, and what was read while the machine stood, are left out; so is a piece without any value.
///
/// # Errors
/// [`GatherError`].
pub async fn gather(log: &dyn EventLog, plan: ObservationPlan) -> Result<Vec<AssetPieces>, GatherError> {
    let below = plan.as_of.last().map_or(Position::new(u64::MAX), Position::next);
    let mut scanned = 0;
    let mut observed = Vec::new();
    for (mut asset, running) in plan.assets {
        for (quantity, signal) in &asset.signals {
            let mut tallies = vec![Tally::default(); asset.pieces.len()];
            let mut start = ReadingAddress::START;
            loop {
                let query = ReadingsQuery {
                    signal: signal.signal.as_str().to_owned(),
                    from: plan.from,
                    to: plan.to,
                    below,
                    start,
                    limit: MAX_PAGE,
                };
                let page = log.readings(query).await?;
                scanned += page.readings.len() as u64;
                if scanned > MAX_SCANNED {
                    return Err(GatherError::TooMany);
                }
                for reading in &page.readings {
                    let Some(place) = place_of(&asset.pieces, &running, reading.time) else { continue };
                    if let Some(tally) = tallies.get_mut(place) {
                        tally.add(reading);
                    }
                }
                match page.next {
                    Some(next) => start = next,
                    None => break,
                }
            }
            fill(&mut asset.pieces, quantity, &tallies);
        }
        asset.pieces.retain(|piece| piece.values.values().any(|measured| measured.n > 0));
        observed.push(asset);
    }
    Ok(observed)
}

/// In which piece a time lies, when the machine ran then.
fn place_of(pieces: &[Piece], running: &[(Timestamp, Timestamp)], time: Timestamp) -> Option<usize> {
    let stretch = running.partition_point(|(from, _)| *from <= time).checked_sub(1)?;
    running.get(stretch).filter(|(_, to)| time < *to)?;
    let place = pieces.partition_point(|piece| piece.from <= time).checked_sub(1)?;
    pieces.get(place).filter(|piece| time < piece.to()).map(|_| place)
}

#[derive(Clone, Copy, Default)]
struct Tally {
    summary: Summary,
    newest: Option<(Timestamp, ReadingAddress, f64)>,
    first: Option<Position>,
    last: Option<Position>,
}

impl Tally {
    fn add(&mut self, reading: &SignalReading) {
        let usable = reading.value.as_f64().filter(|value| value.is_finite() && !reading.status.is_bad());
        let Some(value) = usable else { return };
        self.summary.add(value);
        let position = reading.address.position;
        self.first = Some(self.first.map_or(position, |first| first.min(position)));
        self.last = self.last.max(Some(position));
        if self.newest.is_none_or(|(time, address, _)| (time, address) < (reading.time, reading.address)) {
            self.newest = Some((reading.time, reading.address, value));
        }
    }
}

/// Writes what was tallied into the pieces, and holds the last value where nothing was sent.
fn fill(pieces: &mut [Piece], quantity: &Code, tallies: &[Tally]) {
    let mut held: Option<(Timestamp, f64, Position)> = None;
    for (piece, tally) in pieces.iter_mut().zip(tallies) {
        let measured = match (tally.summary.mean(), tally.first, tally.last, tally.newest) {
            (Some(mean), Some(first), Some(last), Some((_, address, value))) => {
                held = Some((piece.from, value, address.position));
                Some(Measured { mean, n: tally.summary.n, first, last })
            }
            _ => held
                .filter(|(since, ..)| piece.from.duration_since(*since) <= HELD)
                .map(|(_, mean, position)| Measured { mean, n: 0, first: position, last: position }),
        };
        if let Some(measured) = measured {
            piece.values.insert(quantity.clone(), measured);
        }
    }
}
