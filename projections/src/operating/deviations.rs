//! Deviation episodes: stretches in which a signal stayed outside of what is usual in the regime that the machine was in.

use domain::Unit;
use domain::ids::{AssetId, Code, SignalId};
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::observed::{AssetPieces, Measured, PIECE, Piece};
use super::regimes::{Baseline, Regime, Regimes};

/// Running time without a piece that counts, of this length, ends an episode: what comes after it is another one.
const GAP: SignedDuration = SignedDuration::from_hours(2);
/// The most positions of an episode.
const MAX_POSITIONS: usize = 20;

/// What counts as a deviation.
#[derive(Clone, Copy, Debug)]
pub struct DeviationRequest {
    /// Outside of the envelope, and at least so many robust deviations from the median.
    pub least_z: f64,
    /// For at least so long, in pieces of running time.
    pub least: SignedDuration,
    /// Only pieces from this event time on.
    pub from: Timestamp,
    /// Only pieces before this event time.
    pub to: Timestamp,
}

/// On which side of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// A signal stayed outside of its envelope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deviation {
    /// The asset.
    pub asset: AssetId,
    /// The quantity.
    pub quantity: Code,
    /// The signal.
    pub signal: SignalId,
    /// The unit of the values.
    pub unit: Unit,
    /// On which side.
    pub side: Side,
    /// When the first piece of it begins.
    pub start: Timestamp,
    /// When the last piece of it ends.
    pub end: Timestamp,
    /// Whether it lasts to the last piece that was looked at.
    pub open: bool,
    /// How many pieces of ten minutes.
    pub pieces: usize,
    /// When it was farthest out: the beginning of that piece.
    pub peak_at: Timestamp,
    /// The value then: the mean of the piece.
    pub peak: f64,
    /// How many robust deviations from the median that is; `None` where the regime knows one value only.
    pub robust_z: Option<f64>,
    /// The regime then.
    pub regime: String,
    /// What is usual in that regime.
    pub baseline: Baseline,
    /// Every regime that the episode went through, in order.
    pub regimes: Vec<String>,
    /// Where the log holds the readings: of the first, the farthest and the last pieces, at most 20 positions.
    pub positions: Vec<Position>,
}

/// The deviations of these assets from what was learnt, by start, asset and quantity. A piece in the regime of which nothing is known neither goes on nor ends an episode.
pub fn deviations(regimes: &Regimes, observed: &[AssetPieces], request: DeviationRequest) -> Vec<Deviation> {
    let mut found = Vec::new();
    for asset in observed {
        for quantity in asset.signals.keys() {
            found.extend(of_signal(regimes, asset, quantity, request));
        }
    }
    found.sort_by(|a, b| (a.start, &a.asset, &a.quantity).cmp(&(b.start, &b.asset, &b.quantity)));
    found
}

/// A piece that is outside.
#[derive(Clone, Copy)]
struct Outside<'a> {
    piece: &'a Piece,
    measured: Measured,
    regime: &'a Regime,
    baseline: &'a Baseline,
    side: Side,
}

impl Outside<'_> {
    /// How far out it is: by robust deviations, and where there is no spread, by the distance itself.
    fn distance(&self) -> (f64, f64) {
        let value = self.measured.mean;
        (self.baseline.z(value).map_or(f64::INFINITY, f64::abs), (value - self.baseline.median.value).abs())
    }
}

fn of_signal(regimes: &Regimes, asset: &AssetPieces, quantity: &Code, request: DeviationRequest) -> Vec<Deviation> {
    let in_window = asset.pieces.iter().filter(|piece| request.from <= piece.from && piece.from < request.to);
    let mut episodes: Vec<Vec<Outside<'_>>> = Vec::new();
    let mut current: Vec<Outside<'_>> = Vec::new();
    let mut open = false;
    for piece in in_window {
        let Some(judged) = judge(regimes, piece, quantity, request.least_z) else { continue };
        let goes_on = current
            .last()
            .zip(judged)
            .is_some_and(|(last, now)| last.side == now.side && piece.from.duration_since(last.piece.to()) <= GAP);
        if !goes_on {
            episodes.push(std::mem::take(&mut current));
        }
        current.extend(judged);
        open = judged.is_some();
    }
    episodes.push(current);
    let last = episodes.len() - 1;
    // A piece counts as a whole, though the machine may have stood for a part of it.
    let lasts = |pieces: usize| PIECE * i32::try_from(pieces).unwrap_or(i32::MAX);
    let long = |outside: &[Outside<'_>]| !outside.is_empty() && lasts(outside.len()) >= request.least;
    let episodes = episodes.iter().enumerate().filter(|(_, outside)| long(outside));
    episodes.filter_map(|(index, outside)| episode(asset, quantity, outside, open && index == last)).collect()
}

/// Whether a piece is outside; `None` when nothing is known of it.
fn judge<'a>(regimes: &'a Regimes, piece: &'a Piece, quantity: &Code, least_z: f64) -> Option<Option<Outside<'a>>> {
    let measured = *piece.values.get(quantity)?;
    let regime = regimes.of(piece)?;
    let baseline = regime.baseline(quantity)?;
    let side = match measured.mean {
        value if value > baseline.high.value => Side::Above,
        value if value < baseline.low.value => Side::Below,
        _ => return Some(None),
    };
    let far = baseline.z(measured.mean).is_none_or(|z| z.abs() >= least_z);
    Some(far.then_some(Outside { piece, measured, regime, baseline, side }))
}

fn episode(asset: &AssetPieces, quantity: &Code, outside: &[Outside<'_>], open: bool) -> Option<Deviation> {
    let (first, last) = (outside.first()?, outside.last()?);
    let farther = |a: &&Outside<'_>, b: &&Outside<'_>| {
        let (a, b) = (a.distance(), b.distance());
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    };
    let peak = outside.iter().max_by(farther)?;
    let mut regimes: Vec<String> = Vec::new();
    for one in outside {
        if !regimes.contains(&one.regime.regime) {
            regimes.push(one.regime.regime.clone());
        }
    }
    let shown = [first, peak, last].into_iter().chain(outside);
    let mut positions: Vec<Position> = Vec::new();
    for position in shown.flat_map(|one| [one.measured.first, one.measured.last]) {
        if positions.len() < MAX_POSITIONS && !positions.contains(&position) {
            positions.push(position);
        }
    }
    positions.sort_unstable();
    let signal = asset.signals.get(quantity)?;
    Some(Deviation {
        asset: asset.asset.clone(),
        quantity: quantity.clone(),
        signal: signal.signal.clone(),
        unit: signal.unit.clone(),
        side: first.side,
        start: first.piece.from,
        end: last.piece.to(),
        open,
        pieces: outside.len(),
        peak_at: peak.piece.from,
        peak: peak.measured.mean,
        robust_z: peak.baseline.z(peak.measured.mean),
        regime: peak.regime.regime.clone(),
        baseline: peak.baseline.clone(),
        regimes,
        positions,
    })
}
