//! History out of the log, as mining looks at it; and what became of warnings.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AlarmId, ArticleId, AssetClass, AssetId, Code, SignalId};
use domain::statistics::{Estimate, LEVEL, Share, wilson};
use eventlog::{EventLog, Position, ReadError};
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::alarms::Alarms;
use projections::folds::articles::Articles;
use projections::folds::catalog::Catalog;
use projections::folds::episodes::Episodes;
use projections::folds::warnings::{WarningView, Warnings};
use serde::Serialize;

use crate::feature::{Feature, FeatureSpec, seconds_ns};
use crate::judge::{Fault, Outcome, outcome, without_recurrences};
use crate::mine::{AlarmSeen, Mined, Question, Seen, Sight, mine, specs};
use crate::source::{each_reading, nanoseconds, timelines};

/// The most readings that one question looks at.
pub const MOST_READINGS: u64 = 50_000_000;

/// Why nothing can be mined.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// The log could not be read.
    #[error("history could not be read")]
    Read(#[from] ReadError),
    /// The assets in question have more readings than one question may look at.
    #[error("the assets in question have more than {MOST_READINGS} readings: ask for one asset")]
    TooMany,
}

/// The read models that a question rests on.
#[derive(Clone, Copy)]
pub struct Models<'a> {
    /// Assets and signals.
    pub catalog: &'a Catalog,
    /// Faults.
    pub episodes: &'a Episodes,
    /// Alarms.
    pub alarms: &'a Alarms,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The failure mode.
    pub mode: Code,
    /// Assets of this class; of every class with a fault of the mode, when absent.
    pub class: Option<AssetClass>,
    /// This asset alone.
    pub asset: Option<AssetId>,
    /// How long before a fault something counts as its precursor, in seconds.
    pub horizon_s: u64,
}

/// The facts of a question that read models hold: what is still missing are readings.
#[derive(Clone, Debug)]
pub struct Plan {
    question: Question,
    below: Position,
    signals: BTreeMap<AssetId, Vec<(Code, SignalId)>>,
    faults: BTreeMap<AssetId, Vec<Fault>>,
    sight: Sight,
}

/// The faults of each mode by asset: observed, coded as the mode last, as known.
pub fn faults_of(episodes: &Episodes, as_of: AsOf) -> BTreeMap<(&Code, &AssetId), Vec<Fault>> {
    let mut faults: BTreeMap<(&Code, &AssetId), Vec<Fault>> = BTreeMap::new();
    for view in episodes.at(as_of).filter(|view| view.fault.is_some()) {
        let (Some(mode), Some(asset), Some(opened)) = (view.mode, view.asset, view.opened_at) else { continue };
        let (Some(time_ns), Some(position)) = (nanoseconds(opened), view.first_position()) else { continue };
        let until_ns = if view.closed { Some(view.closed_at.and_then(nanoseconds).unwrap_or(time_ns)) } else { None };
        faults.entry((mode, asset)).or_default().push(Fault { time_ns, until_ns, position: position.get() });
    }
    faults
}

impl Plan {
    /// Gathers what the read models know at a position.
    pub fn of(models: Models<'_>, scope: &Scope, last: Position) -> Self {
        let as_of = AsOf::through(last);
        let by_mode = faults_of(models.episodes, as_of);
        let of_mode: BTreeMap<&AssetId, &Vec<Fault>> = by_mode
            .iter()
            .filter(|((mode, _), _)| **mode == scope.mode)
            .map(|((_, asset), faults)| (*asset, faults))
            .collect();
        let classes: BTreeSet<&AssetClass> = match &scope.class {
            Some(class) => BTreeSet::from([class]),
            None => of_mode.keys().filter_map(|asset| models.catalog.class_of(asset, as_of)).collect(),
        };
        let is_asked = |asset: &AssetId, class: &AssetClass| match &scope.asset {
            Some(only) => only == asset,
            None => classes.contains(class),
        };
        let assets: Vec<AssetId> = models
            .catalog
            .assets(as_of)
            .filter(|fact| is_asked(&fact.value.asset, &fact.value.class))
            .map(|fact| fact.value.asset.clone())
            .collect();
        let mut sight = Sight { from_ns: i64::MAX, to_ns: i64::MIN, ..Sight::default() };
        let mut signals = BTreeMap::new();
        let mut faults = BTreeMap::new();
        for asset in &assets {
            let of_asset = models.catalog.signals_of(asset, as_of);
            // The first signal by id stands for its quantity, as live.
            let first: BTreeMap<Code, SignalId> = of_asset.fold(BTreeMap::new(), |mut first, fact| {
                first.entry(fact.value.quantity.clone()).or_insert_with(|| fact.value.signal.clone());
                first
            });
            signals.insert(asset.clone(), first.into_iter().collect());
            sight.assets.insert(asset.clone(), Seen::default());
            if let Some(of_asset) = of_mode.get(asset) {
                faults.insert(asset.clone(), (*of_asset).clone());
            }
        }
        let mut note = |time_ns: i64| {
            sight.from_ns = sight.from_ns.min(time_ns);
            sight.to_ns = sight.to_ns.max(time_ns);
        };
        by_mode.values().flatten().for_each(|fault| note(fault.time_ns));
        let raised = models.alarms.activations(Timestamp::MIN, Timestamp::MAX, as_of);
        let mut by_position: BTreeMap<(u64, &AlarmId), (&AssetId, AlarmSeen)> = BTreeMap::new();
        for activation in &raised {
            let Some(time_ns) = nanoseconds(activation.raised_at) else { continue };
            note(time_ns);
            let position = activation.position.get();
            let alarm = AlarmSeen { time_ns, position, code: activation.raised.code.clone() };
            by_position.insert((position, &activation.raised.alarm), (&activation.raised.asset, alarm));
        }
        for (asset, alarm) in by_position.into_values() {
            if let Some(seen) = sight.assets.get_mut(asset) {
                seen.alarms.push(alarm);
            }
        }
        let horizon = models.episodes.horizon(as_of).and_then(nanoseconds);
        sight.to_ns = sight.to_ns.max(horizon.unwrap_or(i64::MIN));
        let question = Question { mode: scope.mode.clone(), horizon_s: scope.horizon_s, as_of: last.get() };
        Self { question, below: last.next(), signals, faults, sight }
    }

    /// Reads the readings that are missing, and looks for precursors.
    ///
    /// # Errors
    /// [`MineError`].
    pub async fn mine(mut self, log: &dyn EventLog) -> Result<Mined, MineError> {
        let counted: usize = self.faults.values().map(Vec::len).sum();
        if counted >= crate::mine::LEAST_FAULTS {
            let timelines = timelines(log, self.below).await?;
            let mut left = MOST_READINGS;
            for (asset, signals) in &self.signals {
                let Some(seen) = self.sight.assets.get_mut(asset) else { continue };
                for (quantity, signal) in signals {
                    let mut features: Vec<(FeatureSpec, Feature, Vec<_>)> =
                        specs().into_iter().map(|spec| (spec, Feature::new(spec), Vec::new())).collect();
                    let timeline = timelines.get(asset);
                    each_reading(log, signal, Timestamp::MIN, self.below, |time_ns, value, position| {
                        left = left.saturating_sub(1);
                        self.sight.to_ns = self.sight.to_ns.max(time_ns);
                        if timeline.is_none_or(|timeline| timeline.may_run(time_ns, position)) {
                            for (_, feature, points) in &mut features {
                                points.extend(feature.push(time_ns, value, position));
                            }
                        }
                        left > 0
                    })
                    .await?;
                    if left == 0 {
                        return Err(MineError::TooMany);
                    }
                    seen.series.extend(
                        features
                            .into_iter()
                            .filter(|(_, _, points)| !points.is_empty())
                            .map(|(spec, _, points)| ((quantity.clone(), spec), points)),
                    );
                }
            }
        }
        Ok(mine(&self.sight, &self.faults, &self.question))
    }
}

/// A warning with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement<'a> {
    /// The warning.
    #[serde(flatten)]
    pub warning: WarningView<'a>,
    /// What became of it.
    pub outcome: Outcome,
    /// The log position of the fault that followed.
    pub fault: Option<u64>,
}

/// What became of every warning that was known, in log order. What is known of faults is known as of the position too.
pub fn judgements<'a>(warnings: &'a Warnings, episodes: &Episodes, as_of: AsOf) -> Vec<Judgement<'a>> {
    let faults = faults_of(episodes, as_of);
    let end_ns = warnings
        .horizon(as_of)
        .into_iter()
        .chain(episodes.horizon(as_of))
        .filter_map(nanoseconds)
        .max()
        .unwrap_or(i64::MIN);
    let judged = warnings.all(as_of).map(|warning| {
        let raised = &warning.raised.value;
        let horizon_ns = seconds_ns(raised.horizon_s);
        let faults = faults.get(&(&raised.mode, &raised.asset)).cloned().unwrap_or_default();
        let faults = without_recurrences(faults, horizon_ns);
        let time_ns = nanoseconds(raised.evidence.to).unwrap_or(i64::MIN);
        let (outcome, fault) = outcome(time_ns, &faults, horizon_ns, end_ns);
        Judgement { warning, outcome, fault: fault.map(|fault| fault.position) }
    });
    judged.collect()
}

/// How good a rule's revision has been live, beside what was measured when it was mined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Live {
    /// The rule.
    pub rule: ArticleId,
    /// The revision.
    pub revision: u32,
    /// Warnings that a fault followed, of those that are decided.
    pub warnings: Share,
    /// The share of them, with its bounds (Wilson, 95 %).
    pub precision: Option<Estimate>,
    /// The precision that was measured when it was mined.
    pub mined: Option<Estimate>,
    /// Warnings whose horizon is not over.
    pub open: u64,
    /// Warnings that came while the fault was there.
    pub known: u64,
    /// The positions of the warnings.
    pub positions: Vec<u64>,
}

/// The live precision of every revision of a rule that ever warned, by rule and revision.
pub fn live(judged: &[Judgement<'_>], articles: &Articles, as_of: AsOf) -> Vec<Live> {
    let mut by_rule: BTreeMap<(&ArticleId, u32), Live> = BTreeMap::new();
    for judgement in judged {
        let raised = &judgement.warning.raised.value;
        let live = by_rule.entry((&raised.rule, raised.revision)).or_insert_with(|| {
            let revision =
                articles.revisions(&raised.rule, as_of).find(|view| view.drafted.value.revision == raised.revision);
            let detection = revision.and_then(|view| view.drafted.value.detection.as_deref());
            let measured = detection.and_then(|detection| detection.measured.as_ref());
            let mined = measured.and_then(|measured| measured.precision);
            let (rule, revision) = (raised.rule.clone(), raised.revision);
            let warnings = Share::default();
            Live { rule, revision, warnings, precision: None, mined, open: 0, known: 0, positions: Vec::new() }
        });
        match judgement.outcome {
            Outcome::Hit => live.warnings = Share::new(live.warnings.cases + 1, live.warnings.trials + 1),
            Outcome::False => live.warnings = Share::new(live.warnings.cases, live.warnings.trials + 1),
            Outcome::Open => live.open += 1,
            Outcome::Known => live.known += 1,
        }
        live.positions.push(judgement.warning.raised.position.get());
    }
    let mut found: Vec<Live> = by_rule.into_values().collect();
    found.iter_mut().for_each(|live| live.precision = wilson(live.warnings, LEVEL));
    found
}
