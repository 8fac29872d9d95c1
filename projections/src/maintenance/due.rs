//! What preventive maintenance is due.

use domain::events::{DueCondition, MachineState, MaintenancePlanDefined, WorkDone};
use domain::ids::{AssetId, Code, PlanId};
use domain::kpi::Ratio;
use domain::{Text, Unit};
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::latest;
use crate::folds::catalog::Catalog;
use crate::folds::production::Production;
use crate::folds::states::States;
use crate::folds::upkeep::Upkeep;
use crate::{AsOf, Fact};

/// The read models that the list comes from.
#[derive(Clone, Copy)]
pub struct DueModels<'a> {
    /// Plans and work.
    pub upkeep: &'a Upkeep,
    /// Hours of running.
    pub states: &'a States,
    /// Picks.
    pub production: &'a Production,
    /// Which assets are of a class.
    pub catalog: &'a Catalog,
}

/// The newest reading of a quantity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// When.
    pub time: Timestamp,
    /// Where the log has it.
    pub position: Position,
}

/// How far a criterion of a plan is used up.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "criterion")]
pub enum Criterion {
    /// Hours of running since the work was done last, by those that it is due at.
    RunningHours {
        /// Used by allowed.
        used: Ratio,
    },
    /// Picks of doffed rolls since the work was done last, by those that it is due at.
    Picks {
        /// Used by allowed.
        used: Ratio,
    },
    /// Days since the work was done last, by those that it is due at.
    Days {
        /// Used by allowed.
        used: Ratio,
    },
    /// The newest reading, and whether it calls for the work.
    Condition {
        /// What calls for it.
        condition: DueCondition,
        /// The newest reading; `None` where there is none, or none in a unit that can be converted.
        reading: Option<Reading>,
        /// Whether it is beyond the limit.
        met: bool,
    },
}

impl Criterion {
    /// How far it is used up: 1 or more is due.
    pub fn share(&self) -> Option<f64> {
        match self {
            Self::RunningHours { used } | Self::Picks { used } | Self::Days { used } => used.value(),
            Self::Condition { reading, met, .. } => reading.as_ref().map(|_| if *met { 1.0 } else { 0.0 }),
        }
    }
}

/// A plan and an asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DueRecord {
    /// The plan.
    pub plan: PlanId,
    /// What is to be done.
    pub name: Text,
    /// The activity.
    pub activity: Code,
    /// The item.
    pub item: Option<Code>,
    /// The asset.
    pub asset: AssetId,
    /// When the work was done last; `None` when it never was: the time since then counts from the asset's first known state.
    pub last_done: Option<Timestamp>,
    /// Whether any criterion is used up.
    pub due: bool,
    /// The greatest share of a criterion that is used up; `None` when none can be said.
    pub share: Option<f64>,
    /// The criteria.
    pub criteria: Vec<Criterion>,
    /// Where the log says so: the plan, the work, the readings.
    pub positions: Vec<Position>,
}

/// Every plan with each of its assets at a time, what is most used up first. `reading` answers the newest reading of an asset's quantity; a caller who looks back to a position at
/// which nobody kept readings answers nothing, and the condition then says nothing.
pub fn due(
    models: DueModels<'_>,
    at: Timestamp,
    as_of: AsOf,
    reading: &dyn Fn(&AssetId, &Code) -> Option<Reading>,
) -> Vec<DueRecord> {
    let mut records: Vec<DueRecord> = Vec::new();
    for (position, plan) in models.upkeep.plans(as_of) {
        for asset in assets(models.catalog, plan, as_of) {
            records.push(record(models, (position, plan), asset, at, as_of, reading));
        }
    }
    records.sort_by(|a, b| {
        let share = |record: &DueRecord| record.share.unwrap_or(-1.0);
        share(b).total_cmp(&share(a)).then_with(|| (&a.plan, &a.asset).cmp(&(&b.plan, &b.asset)))
    });
    records
}

fn assets(catalog: &Catalog, plan: &MaintenancePlanDefined, as_of: AsOf) -> std::collections::BTreeSet<AssetId> {
    let of_class = plan.class.iter().flat_map(|class| catalog.assets_of_class(class, as_of));
    plan.asset.iter().cloned().chain(of_class.map(|fact| fact.value.asset.clone())).collect()
}

fn answers(plan: &MaintenancePlanDefined, done: &WorkDone) -> bool {
    done.activity == plan.activity && (plan.item.is_none() || done.item == plan.item)
}

fn record(
    models: DueModels<'_>,
    (position, plan): (Position, &MaintenancePlanDefined),
    asset: AssetId,
    at: Timestamp,
    as_of: AsOf,
    reading: &dyn Fn(&AssetId, &Code) -> Option<Reading>,
) -> DueRecord {
    let done = models.upkeep.done(&asset, as_of).iter().filter(|fact| answers(plan, &fact.value));
    let before = |fact: &&Fact<WorkDone>| fact.time.is_some_and(|time| time <= at);
    let last = done.filter(before).max_by_key(|fact| (fact.time, fact.position));
    let last_done = last.and_then(|fact| fact.time);
    let since = last_done.or_else(|| models.states.first_change(&asset, as_of)).filter(|since| *since < at);
    let mut positions = vec![position];
    positions.extend(last.map(|fact| fact.position));
    let mut criteria = Vec::new();
    let every = &plan.every;
    if let Some(allowed) = every.running_hours {
        let totals = since.map(|since| models.states.totals(&asset, since, at, as_of)).unwrap_or_default();
        let hours = totals.get(&MachineState::Running).map_or(0.0, |total| total.seconds / 3600.0);
        criteria.push(Criterion::RunningHours { used: Ratio::new(hours, allowed) });
    }
    if let Some(allowed) = every.picks {
        let rolls = models.production.rolls(&asset, as_of);
        let counted = rolls.iter().filter(|roll| roll.to <= at && since.is_some_and(|since| since < roll.to));
        #[expect(clippy::cast_precision_loss, reason = "picks are far below 2^52")]
        let picks = counted.fold(0.0, |sum, roll| sum + roll.doffed.value.picks as f64);
        criteria.push(Criterion::Picks { used: Ratio::new(picks, allowed) });
    }
    if let Some(allowed) = every.days {
        let days = since.map_or(0.0, |since| at.duration_since(since).as_secs_f64() / 86_400.0);
        criteria.push(Criterion::Days { used: Ratio::new(days, allowed) });
    }
    if let Some(condition) = &every.condition {
        let reading = reading(&asset, &condition.quantity).and_then(|reading| {
            let value = reading.unit.convert(reading.value, &condition.unit).ok()?;
            Some(Reading { value, unit: condition.unit.clone(), ..reading })
        });
        positions.extend(reading.as_ref().map(|reading| reading.position));
        let beyond = |reading: &Reading| {
            condition.above.is_some_and(|above| reading.value > above)
                || condition.below.is_some_and(|below| reading.value < below)
        };
        let met = reading.as_ref().is_some_and(beyond);
        criteria.push(Criterion::Condition { condition: condition.clone(), reading, met });
    }
    let share = criteria.iter().filter_map(Criterion::share).reduce(f64::max);
    DueRecord {
        plan: plan.plan.clone(),
        name: plan.name.clone(),
        activity: plan.activity.clone(),
        item: plan.item.clone(),
        asset,
        last_done,
        due: share.is_some_and(|share| share >= 1.0),
        share,
        criteria,
        positions: latest(positions),
    }
}
