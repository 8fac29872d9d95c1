//! Operating regimes, learnt from readings: which product, at which level of speed, humidity and temperature; and what is usual for every signal in each.
//!
//! A pure function of pieces of running time ([`super::observed`]). Products are kept apart. Within a product each feature is cut into levels where few values lie between
//! ([`domain::statistics::levels`]); a regime is a product with one level of each feature. In a regime the median of each signal is its baseline, and the quantiles of 1 % and
//! 99 % are its envelope. Same pieces, same regimes: there is no chance and no start value.

use std::collections::{BTreeMap, BTreeSet};

use domain::Unit;
use domain::ids::{AssetId, Code, MaterialId};
use domain::statistics::{LEVEL, Level, Quantile, Robust, levels, quantile};
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::observed::{AssetPieces, Piece};

/// The quantities that tell regimes apart where the caller names none and an asset measures them.
pub const FEATURES: [&str; 3] = ["loom_speed", "humidity", "temperature"];
/// A feature has at most so many levels within a product.
pub const MOST_LEVELS: usize = 4;
/// A regime says what is usual from so many pieces on: six hours.
pub const LEAST_PIECES: usize = 36;
/// A level has at least so many pieces: two hours; and at least a twentieth of its product's.
const LEAST_OF_LEVEL: usize = 12;
/// A stop belongs to the regime before it for so long.
const INTERRUPTED: SignedDuration = SignedDuration::from_hours(2);
/// The envelope leaves out this share of pieces on each side.
pub const TAIL: f64 = 0.01;
/// A quantity of which so many of the steps from piece to piece rise is a counter, and has no usual value.
const COUNTER_SHARE: f64 = 0.95;
/// From so many pieces on a counter is told from a value.
const COUNTER_PIECES: usize = 12;

/// One feature's part in a regime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureRange {
    /// The quantity.
    pub quantity: Code,
    /// Which level it is, from 1 for the lowest.
    pub level: usize,
    /// How many levels this product has.
    pub levels: usize,
    /// From this value on; `None` for the lowest level.
    pub from: Option<f64>,
    /// Below this value; `None` for the highest level.
    pub to: Option<f64>,
}

/// What is usual for a signal in a regime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// The quantity.
    pub quantity: Code,
    /// The unit of all values.
    pub unit: Unit,
    /// The median of the pieces' means, with its number and 95 % bounds.
    pub median: Quantile,
    /// The lower end of the envelope: the quantile of 1 %.
    pub low: Quantile,
    /// The upper end of the envelope: the quantile of 99 %.
    pub high: Quantile,
    /// The robust deviation that distances are counted in; 0 when all pieces have the same value.
    pub scale: f64,
}

impl Baseline {
    /// How many robust deviations a value lies above the median; `None` without a spread.
    pub fn z(&self, value: f64) -> Option<f64> {
        Robust { median: self.median.value, scale: self.scale }.z(value)
    }
}

/// A regime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regime {
    /// Its name: the product, and the level of each feature that has several (`poplin;loom_speed=2/2`). It holds within one answer: other pieces may make other levels.
    pub regime: String,
    /// The product; `None` where nobody said what was made.
    pub product: Option<MaterialId>,
    /// The features that tell the regimes of this product apart; empty when it has one regime.
    pub ranges: Vec<FeatureRange>,
    /// How many pieces.
    pub pieces: usize,
    /// Hours of running in them.
    pub running_h: f64,
    /// Which assets.
    pub assets: BTreeSet<AssetId>,
    /// When the first piece begins.
    pub first: Timestamp,
    /// When the last piece ends.
    pub last: Timestamp,
    /// What is usual, by quantity; empty below [`LEAST_PIECES`] pieces: then nothing is known.
    pub baselines: Vec<Baseline>,
    /// The lowest and the highest position of the readings that say so.
    pub positions: Option<(Position, Position)>,
}

impl Regime {
    /// What is usual for a quantity.
    pub fn baseline(&self, quantity: &Code) -> Option<&Baseline> {
        self.baselines.iter().find(|baseline| baseline.quantity == *quantity)
    }
}

/// The regimes of some assets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Regimes {
    /// The features that were looked at, as far as they are measured.
    pub features: Vec<Code>,
    /// The regimes, by product and levels.
    pub regimes: Vec<Regime>,
    /// Quantities that count up and have no usual value.
    pub counters: BTreeSet<Code>,
    /// Pieces that are in no regime, since a feature was not measured in them.
    pub unassigned: usize,
    #[serde(skip)]
    levels: BTreeMap<Option<MaterialId>, BTreeMap<Code, Vec<Level>>>,
}

/// A machine was in a regime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegimeSpan {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Which regime.
    pub regime: String,
}

/// A regime's place among the levels.
type Key = (Option<MaterialId>, Vec<(Code, usize)>);

impl Regimes {
    /// Learns the regimes of these pieces.
    pub fn learn(observed: &[AssetPieces], features: &[Code]) -> Self {
        let counters = counters(observed);
        let measured = |feature: &&Code| observed.iter().any(|asset| asset.signals.contains_key(*feature));
        let features: Vec<Code> =
            features.iter().filter(measured).filter(|feature| !counters.contains(*feature)).cloned().collect();
        let mut by_product: BTreeMap<Option<MaterialId>, Vec<&Piece>> = BTreeMap::new();
        for piece in observed.iter().flat_map(|asset| &asset.pieces) {
            by_product.entry(piece.product.clone()).or_default().push(piece);
        }
        let levels = by_product.into_iter().map(|(product, pieces)| (product, levels_of(&pieces, &features))).collect();
        let mut learnt = Self { features, counters, levels, ..Self::default() };
        let mut members: BTreeMap<Key, Vec<(&AssetPieces, &Piece)>> = BTreeMap::new();
        for asset in observed {
            for piece in &asset.pieces {
                match learnt.key(piece) {
                    Some(key) => members.entry(key).or_default().push((asset, piece)),
                    None => learnt.unassigned += 1,
                }
            }
        }
        learnt.regimes = members.iter().filter_map(|(key, members)| learnt.regime_of(key, members)).collect();
        learnt
    }

    /// The regime that a piece is in; `None` when its product was not learnt, a feature was not measured, or its levels never came together.
    pub fn of(&self, piece: &Piece) -> Option<&Regime> {
        let name = name(&self.key(piece)?, &self.levels);
        self.regimes.iter().find(|regime| regime.regime == name)
    }

    /// When an asset was in which regime, by time. A stop belongs to the regime that it interrupts, for two hours at most; other stretches in no regime are left out.
    pub fn spans(&self, observed: &AssetPieces) -> Vec<RegimeSpan> {
        let mut spans: Vec<RegimeSpan> = Vec::new();
        for piece in &observed.pieces {
            let Some(regime) = self.of(piece) else { continue };
            if let Some(last) = spans.last_mut() {
                last.to = last.to.saturating_add(INTERRUPTED).unwrap_or(last.to).min(piece.from);
            }
            match spans.last_mut() {
                Some(last) if last.to == piece.from && last.regime == regime.regime => last.to = piece.to(),
                _ => spans.push(RegimeSpan { from: piece.from, to: piece.to(), regime: regime.regime.clone() }),
            }
        }
        spans
    }

    fn key(&self, piece: &Piece) -> Option<Key> {
        let levels = self.levels.get(&piece.product)?;
        let placed = levels.iter().map(|(quantity, levels)| {
            let value = piece.values.get(quantity)?.mean;
            Some((quantity.clone(), levels.iter().position(|level| level.holds(value))?))
        });
        Some((piece.product.clone(), placed.collect::<Option<Vec<_>>>()?))
    }

    fn regime_of(&self, key: &Key, members: &[(&AssetPieces, &Piece)]) -> Option<Regime> {
        let levels = self.levels.get(&key.0)?;
        let ranges = key.1.iter().filter_map(|(quantity, place)| {
            let levels = levels.get(quantity)?;
            let Level { from, to, .. } = *levels.get(*place)?;
            Some(FeatureRange { quantity: quantity.clone(), level: place + 1, levels: levels.len(), from, to })
        });
        let measured = || members.iter().flat_map(|(_, piece)| piece.values.values());
        let span = measured().map(|measured| measured.first).min().zip(measured().map(|measured| measured.last).max());
        Some(Regime {
            regime: name(key, &self.levels),
            product: key.0.clone(),
            ranges: ranges.collect(),
            pieces: members.len(),
            running_h: members.iter().fold(0.0, |sum, (_, piece)| sum + piece.running_s) / 3600.0,
            assets: members.iter().map(|(asset, _)| asset.asset.clone()).collect(),
            first: members.iter().map(|(_, piece)| piece.from).min()?,
            last: members.iter().map(|(_, piece)| piece.to()).max()?,
            baselines: if members.len() < LEAST_PIECES { Vec::new() } else { self.baselines(members) },
            positions: span,
        })
    }

    fn baselines(&self, members: &[(&AssetPieces, &Piece)]) -> Vec<Baseline> {
        let mut units: BTreeMap<&Code, &Unit> = BTreeMap::new();
        for (quantity, signal) in members.iter().flat_map(|(asset, _)| &asset.signals) {
            if !self.counters.contains(quantity) {
                units.entry(quantity).or_insert(&signal.unit);
            }
        }
        let baseline = |(quantity, unit): (&Code, &Unit)| {
            // Assets that measure a quantity in another unit say nothing about this one.
            let same_unit = members
                .iter()
                .filter(|(asset, _)| asset.signals.get(quantity).is_some_and(|signal| signal.unit == *unit));
            let values: Vec<f64> = same_unit.filter_map(|(_, piece)| Some(piece.values.get(quantity)?.mean)).collect();
            if values.len() < LEAST_PIECES {
                return None;
            }
            let at = |probability| quantile(values.iter().copied(), probability, LEVEL);
            Some(Baseline {
                quantity: quantity.clone(),
                unit: unit.clone(),
                median: at(0.5)?,
                low: at(TAIL)?,
                high: at(1.0 - TAIL)?,
                scale: Robust::of(values.iter().copied())?.scale,
            })
        };
        units.into_iter().filter_map(baseline).collect()
    }
}

fn name((product, places): &Key, levels: &BTreeMap<Option<MaterialId>, BTreeMap<Code, Vec<Level>>>) -> String {
    let mut name = product.as_ref().map_or("unknown product", MaterialId::as_str).to_owned();
    for (quantity, place) in places {
        let of = levels.get(product).and_then(|levels| levels.get(quantity)).map_or(0, Vec::len);
        name.push_str(&format!(";{quantity}={}/{of}", place + 1));
    }
    name
}

/// The levels of each feature that has several.
fn levels_of(pieces: &[&Piece], features: &[Code]) -> BTreeMap<Code, Vec<Level>> {
    let least = LEAST_OF_LEVEL.max(pieces.len().div_ceil(20));
    let levels_of = |feature: &Code| {
        let values = pieces.iter().filter_map(|piece| Some(piece.values.get(feature)?.mean));
        let levels = levels(values, MOST_LEVELS, least);
        (levels.len() > 1).then(|| (feature.clone(), levels))
    };
    features.iter().filter_map(levels_of).collect()
}

/// The quantities that count up: at some asset nearly every step from piece to piece rises.
fn counters(observed: &[AssetPieces]) -> BTreeSet<Code> {
    let mut counters = BTreeSet::new();
    for asset in observed {
        for quantity in asset.signals.keys() {
            let values: Vec<f64> =
                asset.pieces.iter().filter_map(|piece| Some(piece.values.get(quantity)?.mean)).collect();
            let rises = values.windows(2).filter(|pair| matches!(pair, [before, after] if after > before)).count();
            #[expect(clippy::cast_precision_loss, reason = "pieces of a window are far below 2^52")]
            let share = rises as f64 / values.len().saturating_sub(1).max(1) as f64;
            if values.len() >= COUNTER_PIECES && share >= COUNTER_SHARE {
                counters.insert(quantity.clone());
            }
        }
    }
    counters
}
