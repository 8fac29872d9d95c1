//! Preventive maintenance: plans, the work that answers them, and the parts in the store.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{MaintenancePlanDefined, PartDefined, PartsOrdered, WorkDone};
use domain::ids::{AssetId, Code, PlanId};
use eventlog::{Digest, Filter, Position};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// What happened to a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlanChange {
    Defined(Box<MaintenancePlanDefined>),
    Retired,
}

/// What happened to the stock of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StockChange {
    Received(f64),
    Counted(f64),
    Used(f64),
    Ordered(PartsOrdered),
}

/// What the log says about one part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PartFacts {
    defined: History<PartDefined>,
    stock: History<StockChange>,
}

/// A part as it was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartView<'a> {
    /// The part number.
    pub part: &'a Code,
    /// How it was described, as said last.
    pub defined: Option<&'a PartDefined>,
    /// How many there are: the last count, and what came and went since. `None` when the store was never counted and nothing was received.
    pub stock: Option<f64>,
    /// How many were ordered and have not come.
    pub ordered: f64,
    /// When the next ones are to come, where anybody said.
    pub expected: Option<Timestamp>,
    /// How many were used in all.
    pub used: f64,
    /// How often.
    pub n: u64,
    /// When one was used first, and last.
    pub used_between: Option<(Timestamp, Timestamp)>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

/// Plans, work and parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Upkeep {
    plans: BTreeMap<PlanId, History<PlanChange>>,
    done: BTreeMap<AssetId, History<WorkDone>>,
    parts: BTreeMap<Code, PartFacts>,
}

impl Fold for Upkeep {
    const NAME: &'static str = "upkeep";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&[
            "maintenance_plan.defined",
            "maintenance_plan.retired",
            "work_order.work_done",
            "part.defined",
            "part.received",
            "part.counted",
            "part.ordered",
        ])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::MaintenancePlanDefined(event)) => {
                let defined = PlanChange::Defined(Box::new(event.clone()));
                self.plans.entry(event.plan.clone()).or_default().push(entry, defined);
            }
            Some(Event::MaintenancePlanRetired(event)) => {
                self.plans.entry(event.plan.clone()).or_default().push(entry, PlanChange::Retired);
            }
            Some(Event::WorkDone(event)) => {
                for part in &event.parts {
                    self.stock(entry, &part.part, StockChange::Used(part.count));
                }
                self.done.entry(event.asset.clone()).or_default().push(entry, event.clone());
            }
            Some(Event::PartDefined(event)) => {
                self.parts.entry(event.part.clone()).or_default().defined.push(entry, event.clone());
            }
            Some(Event::PartsReceived(event)) => self.stock(entry, &event.part, StockChange::Received(event.count)),
            Some(Event::PartsCounted(event)) => self.stock(entry, &event.part, StockChange::Counted(event.count)),
            Some(Event::PartsOrdered(event)) => self.stock(entry, &event.part, StockChange::Ordered(event.clone())),
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Upkeep {
    fn stock(&mut self, entry: &Entry, part: &Code, change: StockChange) {
        self.parts.entry(part.clone()).or_default().stock.push(entry, change);
    }

    /// The plans that are followed, as said last, by id.
    pub fn plans(&self, as_of: AsOf) -> impl Iterator<Item = (Position, &MaintenancePlanDefined)> {
        self.plans.values().filter_map(move |history| {
            let last = history.last(as_of)?;
            match &last.value {
                PlanChange::Defined(plan) => Some((last.position, &**plan)),
                PlanChange::Retired => None,
            }
        })
    }

    /// What was done on an asset, in log order.
    pub fn done(&self, asset: &AssetId, as_of: AsOf) -> &[Fact<WorkDone>] {
        self.done.get(asset).map(|history| history.as_of(as_of)).unwrap_or_default()
    }

    /// One part, when it was known.
    pub fn part(&self, part: &Code, as_of: AsOf) -> Option<PartView<'_>> {
        let (part, facts) = self.parts.get_key_value(part)?;
        view(part, facts, as_of)
    }

    /// Every part that was known, by number.
    pub fn parts(&self, as_of: AsOf) -> impl Iterator<Item = PartView<'_>> {
        self.parts.iter().filter_map(move |(part, facts)| view(part, facts, as_of))
    }
}

fn view<'a>(part: &'a Code, facts: &'a PartFacts, as_of: AsOf) -> Option<PartView<'a>> {
    let changes = facts.stock.as_of(as_of);
    let defined = facts.defined.as_of(as_of);
    let mut positions: Vec<Position> = defined.iter().map(|fact| fact.position).collect();
    positions.extend(changes.iter().map(|fact| fact.position));
    if positions.is_empty() {
        return None;
    }
    positions.sort_unstable();
    let (mut stock, mut used, mut n) = (None, 0.0, 0);
    let mut ordered: Vec<(f64, Option<Timestamp>)> = Vec::new();
    let mut used_between: Option<(Timestamp, Timestamp)> = None;
    for fact in in_time(changes) {
        match &fact.value {
            StockChange::Counted(count) => stock = Some(*count),
            StockChange::Received(count) => {
                stock = Some(stock.unwrap_or(0.0) + count);
                receive(&mut ordered, *count);
            }
            StockChange::Used(count) => {
                stock = stock.map(|stock| stock - count);
                used += count;
                n += 1;
                if let Some(time) = fact.time {
                    used_between =
                        Some(used_between.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
                }
            }
            StockChange::Ordered(order) => ordered.push((order.count, order.expected)),
        }
    }
    Some(PartView {
        part,
        defined: defined.last().map(|fact| &fact.value),
        stock,
        ordered: ordered.iter().fold(0.0, |sum, (count, _)| sum + count),
        expected: ordered.iter().filter_map(|(_, expected)| *expected).min(),
        used,
        n,
        used_between,
        positions,
    })
}

/// The changes as they happened, however late they were logged. One of which nobody knows when it happened stands where it was logged.
fn in_time(changes: &[Fact<StockChange>]) -> Vec<&Fact<StockChange>> {
    let mut known = None;
    let mut timed: Vec<_> = changes
        .iter()
        .map(|fact| {
            known = known.max(fact.time);
            (fact.time.or(known), fact)
        })
        .collect();
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, fact)| fact).collect()
}

/// What comes answers the oldest orders first.
fn receive(ordered: &mut Vec<(f64, Option<Timestamp>)>, mut count: f64) {
    for (open, _) in ordered.iter_mut() {
        let came = count.min(*open);
        *open -= came;
        count -= came;
    }
    ordered.retain(|(open, _)| *open > 0.0);
}

#[cfg(test)]
#[path = "upkeep_tests.rs"]
mod tests;
