//! What goes with a defect, ranked: assets, styles, beams, weft lots, people, crews and set-points.
//!
//! Each candidate is compared with all other rolls in the window. What is ranked goes *with* the defect; whether it causes it is for an engineer to say, since one beam runs on one
//! loom and one style is woven by few. The false-discovery bound is over everything that was tried.

use std::collections::{BTreeMap, BTreeSet};

use domain::events::{ClothDoffed, InspectionRecorded, Verdict};
use domain::ids::Code;
use domain::statistics::{
    Effect, LEVEL, Share, Summary, benjamini_hochberg, difference_of_means, difference_of_shares, odds_ratio,
};
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::QualityModels;
use crate::{AsOf, Fact};

/// The fewest rolls with a candidate, and the fewest without it, that are compared.
pub const MIN_ROLLS: u64 = 5;
/// The most positions of a record.
pub const MAX_POSITIONS: usize = 50;

/// What is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "code")]
pub enum Explained {
    /// That a roll failed.
    Failed,
    /// That a roll has this defect.
    Defect(Code),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct CauseRequest {
    /// What is explained.
    pub outcome: Explained,
    /// Rolls doffed from this event time.
    pub from: Timestamp,
    /// Rolls doffed to this event time.
    pub to: Timestamp,
    /// What was known.
    pub as_of: AsOf,
    /// The share of discoveries that may be false.
    pub false_discovery_rate: f64,
}

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// The loom.
    Asset,
    /// The style.
    Product,
    /// A beam in the roll.
    Beam,
    /// A weft lot in the roll.
    WeftLot,
    /// Who doffed it.
    Person,
    /// The crew at the doffing.
    Crew,
    /// A set-point at the doffing: its mean with the outcome against without.
    SetPoint,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// What it is.
    pub factor: Factor,
    /// Which one: an id, or the name of a parameter.
    pub level: String,
    /// Rolls with the outcome among those with it; for a set-point, among all.
    pub with: Share,
    /// Rolls with the outcome among those without it; for a set-point, among all.
    pub without: Share,
    /// The difference: of shares with and without it; or of the set-point's means with and without the outcome, in its unit.
    pub effect: Effect,
    /// The odds with it by the odds without it; `None` for a set-point.
    pub odds_ratio: Option<Effect>,
    /// The probability adjusted for everything that was tried (Benjamini and Hochberg).
    pub q_value: f64,
    /// Whether it is a discovery at the asked rate.
    pub is_discovery: bool,
    /// The latest positions of rolls and inspections that say so.
    pub positions: Vec<Position>,
}

/// The candidates, ranked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Causes {
    /// Rolls with the outcome, of all rolls.
    pub rolls: Share,
    /// How many candidates were tried: what the adjustment is over.
    pub tried: u64,
    /// The candidates, by adjusted probability, then by the size of the effect.
    pub causes: Vec<Cause>,
}

/// A roll with its verdict.
struct Judged<'a> {
    doffed: &'a ClothDoffed,
    time: Timestamp,
    has: bool,
    positions: [Position; 2],
}

/// What goes with an outcome among the rolls of a window that were inspected.
pub fn causes(models: QualityModels<'_>, request: &CauseRequest) -> Causes {
    let rolls = judged(models, request);
    let all = share(rolls.iter());
    let mut found: Vec<Cause> = Vec::new();
    for ((factor, level), with) in levels(models, request, &rolls) {
        found.extend(level_cause(factor, level, &rolls, &with));
    }
    found.extend(set_point_causes(models, request, &rolls));
    let p_values: Vec<f64> = found.iter().map(|cause| cause.effect.p_value).collect();
    for (cause, q_value) in found.iter_mut().zip(benjamini_hochberg(&p_values)) {
        cause.q_value = q_value;
        cause.is_discovery = q_value <= request.false_discovery_rate;
    }
    found.sort_by(|a, b| {
        let p_values = a.effect.p_value.total_cmp(&b.effect.p_value);
        p_values
            .then(b.effect.value.abs().total_cmp(&a.effect.value.abs()))
            .then_with(|| (a.factor, &a.level).cmp(&(b.factor, &b.level)))
    });
    Causes { rolls: all, tried: u64::try_from(found.len()).unwrap_or(u64::MAX), causes: found }
}

/// Every roll of the window that was inspected and decided, once: the last inspection counts.
fn judged<'a>(models: QualityModels<'a>, request: &CauseRequest) -> Vec<Judged<'a>> {
    let mut last: BTreeMap<&str, &Fact<InspectionRecorded>> = BTreeMap::new();
    for fact in models.quality.inspections(request.as_of) {
        if let Some(lot) = fact.value.lot.as_ref().filter(|_| fact.value.verdict != Verdict::Undecided) {
            last.insert(lot.as_str(), fact);
        }
    }
    let judge = |fact: &'a Fact<InspectionRecorded>| {
        let roll = models.production.roll(fact.value.lot.as_ref()?, request.as_of)?;
        let time = roll.time.filter(|time| request.from <= *time && *time < request.to)?;
        let has = match &request.outcome {
            Explained::Failed => fact.value.verdict == Verdict::Fail,
            Explained::Defect(code) => fact.value.defects.iter().any(|defect| defect.code == *code),
        };
        Some(Judged { doffed: &roll.value, time, has, positions: [roll.position, fact.position] })
    };
    last.into_values().filter_map(judge).collect()
}

fn share<'a>(rolls: impl Iterator<Item = &'a Judged<'a>>) -> Share {
    rolls.fold(Share::default(), |share, roll| Share::new(share.cases + u64::from(roll.has), share.trials + 1))
}

/// The candidates that a roll can have, with the rolls that have each.
fn levels(
    models: QualityModels<'_>,
    request: &CauseRequest,
    rolls: &[Judged<'_>],
) -> BTreeMap<(Factor, String), BTreeSet<usize>> {
    // A pattern that cannot be worked out gives no crews; the question about shifts says why.
    let turns = models.shifts.turns(request.from, request.to, request.as_of).unwrap_or_default();
    let mut levels: BTreeMap<(Factor, String), BTreeSet<usize>> = BTreeMap::new();
    for (index, roll) in rolls.iter().enumerate() {
        let doffed = roll.doffed;
        let mut add = |factor, level: &str| {
            levels.entry((factor, level.to_owned())).or_default().insert(index);
        };
        add(Factor::Asset, doffed.asset.as_str());
        add(Factor::Product, doffed.product.as_str());
        doffed.beams.iter().for_each(|beam| add(Factor::Beam, beam.lot.as_str()));
        doffed.wefts.iter().for_each(|weft| add(Factor::WeftLot, weft.as_str()));
        doffed.person.iter().for_each(|person| add(Factor::Person, person.as_str()));
        let working = turns.iter().rev().find(|turn| turn.from <= roll.time && roll.time < turn.to);
        working.iter().for_each(|turn| add(Factor::Crew, turn.crew.as_str()));
    }
    levels
}

fn level_cause(factor: Factor, level: String, rolls: &[Judged<'_>], with: &BTreeSet<usize>) -> Option<Cause> {
    let of = |inside: bool| {
        let chosen = rolls.iter().enumerate().filter(move |(index, _)| with.contains(index) == inside);
        chosen.map(|(_, roll)| roll)
    };
    let (inside, outside) = (share(of(true)), share(of(false)));
    if inside.trials < MIN_ROLLS || outside.trials < MIN_ROLLS {
        return None;
    }
    Some(Cause {
        factor,
        level,
        with: inside,
        without: outside,
        effect: difference_of_shares(inside, outside, LEVEL)?,
        odds_ratio: odds_ratio(inside, outside, LEVEL),
        q_value: 1.0,
        is_discovery: false,
        positions: latest(of(true).filter(|roll| roll.has)),
    })
}

/// Set-points at the doffing: their means among rolls with the outcome against those without, of each parameter in the unit in which it was set last.
fn set_point_causes(models: QualityModels<'_>, request: &CauseRequest, rolls: &[Judged<'_>]) -> Vec<Cause> {
    let assets: BTreeSet<_> = rolls.iter().map(|roll| &roll.doffed.asset).collect();
    let mut parameters: BTreeMap<&Code, &domain::Unit> = BTreeMap::new();
    for asset in assets {
        for fact in models.states.set_points(asset, request.as_of) {
            parameters.insert(&fact.value.parameter, &fact.value.unit);
        }
    }
    let cause = |(parameter, unit): (&Code, &domain::Unit)| {
        let (mut with, mut without) = (Summary::default(), Summary::default());
        for roll in rolls {
            let set = models.states.set_point_at(&roll.doffed.asset, parameter.as_str(), roll.time, request.as_of);
            let Some(value) = set.and_then(|set| set.value.unit.convert(set.value.to, unit).ok()) else { continue };
            if roll.has { with.add(value) } else { without.add(value) }
        }
        if with.n < MIN_ROLLS || without.n < MIN_ROLLS {
            return None;
        }
        let all = Share::new(with.n, with.n + without.n);
        Some(Cause {
            factor: Factor::SetPoint,
            level: parameter.as_str().to_owned(),
            with: all,
            without: all,
            effect: difference_of_means(&with, &without, LEVEL)?,
            odds_ratio: None,
            q_value: 1.0,
            is_discovery: false,
            positions: latest(rolls.iter().filter(|roll| roll.has)),
        })
    };
    parameters.into_iter().filter_map(cause).collect()
}

fn latest<'a>(rolls: impl Iterator<Item = &'a Judged<'a>>) -> Vec<Position> {
    let mut positions: Vec<Position> = rolls.flat_map(|roll| roll.positions).collect();
    positions.sort_unstable();
    let oldest = positions.len().saturating_sub(MAX_POSITIONS);
    positions.drain(..oldest);
    positions
}
