//! Each set-point change with what followed.

use std::collections::BTreeMap;

use domain::Unit;
use domain::events::SetPointChanged;
use domain::ids::{AssetId, Code, MaterialId, PersonId};
use domain::performance::Performance;
use domain::statistics::{Effect, benjamini_hochberg};
use domain::weaving::StopKind;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{compared, stop_rate};
use crate::operating::regimes::RegimeSpan;
use crate::operating::{OperatingModels, pieces};
use crate::{AsOf, Fact};

/// Which changes.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// Only at this asset.
    pub asset: Option<AssetId>,
    /// Only of this parameter.
    pub parameter: Option<Code>,
    /// Changes from this event time.
    pub from: Timestamp,
    /// Changes to this event time.
    pub to: Timestamp,
    /// How far is looked before and after a change. Another change at the asset ends a window sooner.
    pub window: SignedDuration,
    /// What was known.
    pub as_of: AsOf,
    /// The share of discoveries that may be false.
    pub false_discovery_rate: f64,
    /// The most changes, the latest first.
    pub limit: usize,
}

/// How stops of a kind changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StopEffect {
    /// Which stops.
    pub kind: StopKind,
    /// The rate after the change by that before it.
    pub against_before: Option<Effect>,
    /// The rate in `compared` by that in `baseline`.
    pub against_baseline: Option<Effect>,
    /// The probability of `against_before`, adjusted for everything that was compared (Benjamini and Hochberg).
    pub q_value: Option<f64>,
    /// Whether it is a discovery at the asked rate.
    pub is_discovery: bool,
}

/// What a baseline is a baseline of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "of", content = "regime")]
pub enum BaselineOf {
    /// Of the same product at the same asset.
    Product,
    /// Of this regime, in which the machine ran for most of the time after the change.
    Regime(String),
}

/// When assets were in which regime, each by time; an asset that is not in it has no known regime.
pub type RegimeTimes = BTreeMap<AssetId, Vec<RegimeSpan>>;

/// A change with what followed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeRecord {
    /// The asset.
    pub asset: AssetId,
    /// The parameter.
    pub parameter: Code,
    /// When it was changed.
    pub time: Timestamp,
    /// From which value, where that is known.
    pub from: Option<f64>,
    /// To which value.
    pub to: f64,
    /// The unit of both.
    pub unit: Unit,
    /// Who changed it.
    pub person: Option<PersonId>,
    /// What was woven.
    pub product: Option<MaterialId>,
    /// Parameters that were changed at the same moment: what followed, followed all of them.
    pub together_with: Vec<Code>,
    /// Since when the window before is.
    pub before_from: Timestamp,
    /// Until when the window after is.
    pub after_to: Timestamp,
    /// Before the change, while the same product was woven.
    pub before: Performance,
    /// After the change, while the same product was woven.
    pub after: Performance,
    /// What `baseline` is the baseline of: the regime, where it is known and was woven in before, else the product.
    pub baseline_of: BaselineOf,
    /// What was done up to the change: in the regime, as far back as regimes are known; or with the product at the same asset, in all time that was known.
    pub baseline: Performance,
    /// What is compared with the baseline: what was done after the change, in the regime where the baseline is one of a regime.
    pub compared: Performance,
    /// How stops changed.
    pub effects: Vec<StopEffect>,
    /// Where the log says so: the change.
    pub position: Position,
}

/// The changes in a window of event time, the latest first, each with what followed: against the baseline of the regime where it is known, of the product elsewhere.
pub fn changes(models: OperatingModels<'_>, request: &ChangeRequest, regimes: &RegimeTimes) -> Vec<ChangeRecord> {
    let as_of = request.as_of;
    let assets = models.states.assets_with_set_points();
    let mut found: Vec<(Timestamp, &Fact<SetPointChanged>)> = Vec::new();
    for asset in assets.filter(|asset| request.asset.as_ref().is_none_or(|only| only == *asset)) {
        let wanted =
            |fact: &&Fact<SetPointChanged>| request.parameter.as_ref().is_none_or(|only| *only == fact.value.parameter);
        let timed = models.states.set_points(asset, as_of).iter().filter(wanted);
        found.extend(timed.filter_map(|fact| {
            let time = fact.time.filter(|time| request.from <= *time && *time < request.to)?;
            Some((time, fact))
        }));
    }
    found.sort_by_key(|(time, fact)| std::cmp::Reverse((*time, fact.position)));
    found.truncate(request.limit);
    let mut by_asset: BTreeMap<&AssetId, Vec<(Timestamp, &Fact<SetPointChanged>)>> = BTreeMap::new();
    for (time, fact) in found {
        by_asset.entry(&fact.value.asset).or_default().push((time, fact));
    }
    let of_asset = |(asset, changed): (&AssetId, Vec<(Timestamp, &Fact<SetPointChanged>)>)| {
        let spans = regimes.get(asset).map(Vec::as_slice).unwrap_or_default();
        records(models, request, (asset, spans), &changed)
    };
    let mut records: Vec<ChangeRecord> = by_asset.into_iter().flat_map(of_asset).collect();
    records.sort_by_key(|record| std::cmp::Reverse((record.time, record.position)));
    adjust(&mut records, request.false_discovery_rate);
    records
}

/// The windows around a change.
struct Windows {
    before_from: Timestamp,
    at: Timestamp,
    after_to: Timestamp,
}

impl Windows {
    /// As far as is looked, and not beyond another change at the asset or what is known.
    fn around(
        at: Timestamp,
        window: SignedDuration,
        others: &[(Timestamp, &SetPointChanged)],
        horizon: Timestamp,
    ) -> Self {
        let earlier = others.iter().map(|(other, _)| *other).filter(|other| *other < at).max();
        let later = others.iter().map(|(other, _)| *other).filter(|other| *other > at).min();
        let reach_back = at.checked_sub(window).unwrap_or(Timestamp::MIN);
        let reach_on = at.checked_add(window).unwrap_or(Timestamp::MAX);
        let before_from = earlier.map_or(reach_back, |earlier| earlier.max(reach_back));
        let after_to = later.map_or(reach_on, |later| later.min(reach_on)).min(horizon).max(at);
        Self { before_from, at, after_to }
    }
}

/// The changes of one asset: its time is cut into pieces once for all of them.
fn records(
    models: OperatingModels<'_>,
    request: &ChangeRequest,
    (asset, spans): (&AssetId, &[RegimeSpan]),
    changed: &[(Timestamp, &Fact<SetPointChanged>)],
) -> Vec<ChangeRecord> {
    let as_of = request.as_of;
    let states = models.states;
    let (Some(first), Some(newest)) = (states.first_change(asset, as_of), states.current(asset, as_of)) else {
        return Vec::new();
    };
    let facts = states.set_points(asset, as_of).iter();
    let others: Vec<(Timestamp, &SetPointChanged)> =
        facts.filter_map(|other| Some((other.time?, &other.value))).collect();
    let windows: Vec<Windows> =
        changed.iter().map(|(at, _)| Windows::around(*at, request.window, &others, newest.time)).collect();
    let mut cuts: Vec<Timestamp> =
        windows.iter().flat_map(|windows| [windows.before_from, windows.at, windows.after_to]).collect();
    let end = cuts.iter().copied().max().unwrap_or(first);
    cuts.extend(spans.iter().flat_map(|span| [span.from, span.to]));
    let span = pieces::Span { from: first, to: end, horizon: newest.time };
    let all = pieces::of_asset(models, asset, &[], span, &cuts, as_of);
    changed.iter().zip(windows).map(|((_, fact), windows)| record(fact, windows, (&all, spans), &others)).collect()
}

/// The regime at a time.
fn regime_at(spans: &[RegimeSpan], at: Timestamp) -> Option<&str> {
    let last = spans.partition_point(|span| span.from <= at).checked_sub(1)?;
    spans.get(last).filter(|span| at < span.to).map(|span| span.regime.as_str())
}

/// The regime in which a machine ran for more than half of the running time of these pieces.
fn regime_of<'a>(spans: &'a [RegimeSpan], pieces: &[&pieces::Piece<'_>]) -> Option<&'a str> {
    let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
    for piece in pieces {
        if let Some(regime) = regime_at(spans, piece.from) {
            *seconds.entry(regime).or_default() += piece.figures.production_s;
        }
    }
    let all = pieces.iter().fold(0.0, |sum, piece| sum + piece.figures.production_s);
    let (regime, longest) = seconds.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (2.0 * longest > all).then_some(regime)
}

/// The sum of pieces.
fn sum<'a>(pieces: impl IntoIterator<Item = &'a pieces::Piece<'a>>) -> Performance {
    pieces.into_iter().fold(Performance::default(), |mut sum, piece| {
        sum += piece.figures;
        sum
    })
}

fn record(
    fact: &Fact<SetPointChanged>,
    windows: Windows,
    (all, spans): (&[pieces::Piece<'_>], &[RegimeSpan]),
    others: &[(Timestamp, &SetPointChanged)],
) -> ChangeRecord {
    let change = &fact.value;
    let Windows { before_from, at, after_to } = windows;
    let woven = || all.iter().rev().find(|piece| piece.from <= at)?.product.cloned();
    let product = change.product.clone().or_else(woven);
    let own: Vec<&pieces::Piece<'_>> =
        all.iter().filter(|piece| piece.product == product.as_ref() && piece.from < after_to).collect();
    let (earlier, later) = own.split_at(own.partition_point(|piece| piece.from < at));
    let before = sum(earlier.iter().copied().filter(|piece| piece.from >= before_from));
    let after = sum(later.iter().copied());
    let (mut baseline_of, mut baseline, mut compared_part) = (BaselineOf::Product, sum(earlier.iter().copied()), after);
    if let Some(regime) = regime_of(spans, later) {
        let within = |pieces: &[&pieces::Piece<'_>]| {
            sum(pieces.iter().copied().filter(|piece| regime_at(spans, piece.from) == Some(regime)))
        };
        // A regime that was new with the change has no baseline of its own.
        let known = within(earlier);
        if known.picks > 0.0 {
            (baseline_of, baseline, compared_part) = (BaselineOf::Regime(regime.to_owned()), known, within(later));
        }
    }
    let effect = |kind: StopKind| StopEffect {
        kind,
        against_before: compared(stop_rate(&after, kind), stop_rate(&before, kind)),
        against_baseline: compared(stop_rate(&compared_part, kind), stop_rate(&baseline, kind)),
        q_value: None,
        is_discovery: false,
    };
    let same_moment = others.iter().filter(|(other, value)| *other == at && value.parameter != change.parameter);
    ChangeRecord {
        asset: change.asset.clone(),
        parameter: change.parameter.clone(),
        time: at,
        from: change.from,
        to: change.to,
        unit: change.unit.clone(),
        person: change.person.clone(),
        product,
        together_with: same_moment.map(|(_, value)| value.parameter.clone()).collect(),
        before_from,
        after_to,
        effects: [StopKind::Warp, StopKind::Weft, StopKind::Mechanical, StopKind::Other].map(effect).to_vec(),
        before,
        after,
        baseline_of,
        baseline,
        compared: compared_part,
        position: fact.position,
    }
}

/// Adjusts the probabilities of all comparisons together.
fn adjust(records: &mut [ChangeRecord], false_discovery_rate: f64) {
    let effects = || records.iter().flat_map(|record| &record.effects);
    let p_values: Vec<f64> = effects().filter_map(|effect| Some(effect.against_before?.p_value)).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    for effect in records.iter_mut().flat_map(|record| &mut record.effects) {
        if effect.against_before.is_some() {
            effect.q_value = adjusted.next();
            effect.is_discovery = effect.q_value.is_some_and(|q_value| q_value <= false_discovery_rate);
        }
    }
}

/// Set-points of an asset by parameter and time.
pub(super) fn timelines<'a>(
    models: OperatingModels<'a>,
    asset: &AssetId,
    as_of: AsOf,
) -> BTreeMap<&'a Code, Vec<(Timestamp, Position, &'a SetPointChanged)>> {
    let mut timelines: BTreeMap<&Code, Vec<(Timestamp, Position, &SetPointChanged)>> = BTreeMap::new();
    for fact in models.states.set_points(asset, as_of) {
        if let Some(time) = fact.time {
            timelines.entry(&fact.value.parameter).or_default().push((time, fact.position, &fact.value));
        }
    }
    for timeline in timelines.values_mut() {
        timeline.sort_by_key(|(time, position, _)| (*time, *position));
    }
    timelines
}
