//! What was known of fault episodes and work orders at a position.

use std::collections::BTreeMap;

use domain::Text;
use domain::events::{Category, FaultCoded, Impact, Milestone, Outcome, PartUsed};
use domain::ids::{AssetClass, AssetId, Code, FaultId, MaterialId, PersonId, WorkOrderId};
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::episodes::{Episodes, FaultFacts, WorkOrderFacts};
use crate::{AsOf, Fact};

/// How long a fault must stay away after the repair for the repair to have worked.
pub const RECURRENCE_WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// Whether what was done helped, and what says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Success {
    /// It was closed, nobody said that it was not solved, and the same mode stayed away from the asset for the window.
    Worked,
    /// The same mode came back to the asset within the window.
    CameBack {
        /// Where the log says that it came back.
        position: Position,
    },
    /// The work order was closed as not solved.
    NotSolved {
        /// Where the log says so.
        position: Position,
    },
    /// The window is not over, or there is no time to count it from: nothing can be said.
    Censored,
    /// It is not closed.
    Open,
}

impl Success {
    /// Whether this counts as a trial: a success or a failure that was observed.
    pub const fn observed(self) -> Option<bool> {
        match self {
            Self::Worked => Some(true),
            Self::CameBack { .. } | Self::NotSolved { .. } => Some(false),
            Self::Censored | Self::Open => None,
        }
    }
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionView<'a> {
    /// Under which work order.
    pub work_order: &'a WorkOrderId,
    /// The activity.
    pub activity: &'a Code,
    /// What it was done to.
    pub item: Option<&'a Code>,
    /// In words.
    pub text: Option<&'a Text>,
    /// Parts that were used.
    pub parts: &'a [PartUsed],
    /// Hours of work.
    pub hours: Option<f64>,
    /// What it cost, in the plant's currency.
    pub cost: Option<f64>,
    /// Who did it.
    pub person: Option<&'a PersonId>,
    /// When.
    pub time: Option<Timestamp>,
    /// Where the log says so.
    pub position: Position,
}

/// A moment in the life of a work order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MilestoneView {
    /// Which moment.
    pub milestone: Milestone,
    /// When.
    pub time: Option<Timestamp>,
    /// Where the log says so.
    pub position: Position,
}

/// A work order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkOrderView<'a> {
    /// Its id.
    pub work_order: &'a WorkOrderId,
    /// The asset, once an event names it.
    pub asset: Option<&'a AssetId>,
    /// The faults that it answered.
    pub faults: Vec<&'a FaultId>,
    /// Why it was done; `None` while only later events are known.
    pub category: Option<Category>,
    /// What was wrong or to be done, in words.
    pub description: Option<&'a Text>,
    /// The maintainable item, system or subunit.
    pub item: Option<&'a Code>,
    /// Priority, 1 is the most urgent.
    pub priority: Option<u8>,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Whether it was closed.
    pub closed: bool,
    /// Where the log says that it was closed, last.
    pub closed_position: Option<Position>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Hours of work: as the closing says, or else the sum over what was done.
    pub hours: Option<f64>,
    /// What it cost: as the closing says, or else the sum over what was done.
    pub cost: Option<f64>,
    /// When the machine was up again.
    pub machine_up: Option<Timestamp>,
    /// Its milestones, in log order.
    pub milestones: Vec<MilestoneView>,
    /// What was done, in log order.
    pub actions: Vec<ActionView<'a>>,
    /// Every event of it that was known.
    pub positions: Vec<Position>,
}

impl WorkOrderView<'_> {
    /// When a milestone was reached: the last word about it.
    pub fn milestone(&self, milestone: Milestone) -> Option<Timestamp> {
        self.milestones.iter().rev().find(|reached| reached.milestone == milestone)?.time
    }
}

/// A fault with the work that answered it, or a work order that answers no fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpisodeView<'a> {
    /// The fault; `None` for a work order without one.
    pub fault: Option<&'a FaultId>,
    /// The asset, once an event names it.
    pub asset: Option<&'a AssetId>,
    /// The asset's class.
    pub class: Option<&'a AssetClass>,
    /// What was noticed, in words: each observation, then the descriptions of its work orders.
    pub symptoms: Vec<&'a Text>,
    /// Codes of the alarms that came with it, each once.
    pub alarms: Vec<&'a Code>,
    /// How it was found.
    pub detection: Option<&'a Code>,
    /// How far it reached.
    pub impact: Option<Impact>,
    /// What was being made.
    pub product: Option<&'a MaterialId>,
    /// The failure mode, as coded last.
    pub mode: Option<&'a Code>,
    /// The mechanism, as coded last.
    pub mechanism: Option<&'a Code>,
    /// The cause, as coded last.
    pub cause: Option<&'a Code>,
    /// The maintainable item: as coded last, or else as a work order says.
    pub item: Option<&'a Code>,
    /// Every coding, in log order; the last one counts.
    pub codings: &'a [Fact<FaultCoded>],
    /// When it was noticed, or the work order opened; `None` means unknown.
    pub opened_at: Option<Timestamp>,
    /// When the asset did again what it should; `None` means open or unknown.
    pub closed_at: Option<Timestamp>,
    /// Whether it was closed: by itself, or because all its work orders were.
    pub closed: bool,
    /// What answered it, in log order.
    pub work_orders: Vec<WorkOrderView<'a>>,
    /// Whether that helped.
    pub success: Success,
    /// Every event of it that was known, in log order: the evidence.
    pub positions: Vec<Position>,
}

impl<'a> EpisodeView<'a> {
    /// The fault's id, or the work order's.
    pub fn id(&self) -> &'a str {
        match (self.fault, self.work_orders.first()) {
            (Some(fault), _) => fault.as_str(),
            (None, Some(work_order)) => work_order.work_order.as_str(),
            (None, None) => "",
        }
    }

    /// What was done, over all work orders.
    pub fn actions(&self) -> impl Iterator<Item = &ActionView<'a>> {
        self.work_orders.iter().flat_map(|work_order| &work_order.actions)
    }

    /// Hours from the opening to the closing, where both times are known.
    pub fn hours_to_restore(&self) -> Option<f64> {
        Some(self.closed_at?.duration_since(self.opened_at?).as_secs_f64() / 3600.0)
    }

    /// Hours of work, where anybody said.
    pub fn hours_of_work(&self) -> Option<f64> {
        sum(self.work_orders.iter().filter_map(|work_order| work_order.hours))
    }

    /// The first position: where the episode begins in the log.
    pub fn first_position(&self) -> Option<Position> {
        self.positions.first().copied()
    }
}

/// How often a mode happened to a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModeCount {
    /// Episodes.
    pub episodes: u64,
    /// Of these, how many are open.
    pub open: u64,
    /// Episodes of which it was observed that the work helped.
    pub worked: u64,
    /// Episodes of which it was observed that the work did not help.
    pub failed: u64,
}

/// The key of a count: the asset's class and the failure mode, `None` where unknown or not coded.
pub type ModeKey<'a> = (Option<&'a AssetClass>, Option<&'a Code>);

/// Where a mode was seen on an asset: times with positions, sorted.
type Occurrences<'a> = BTreeMap<(&'a AssetId, &'a Code), Vec<(Timestamp, Position, &'a FaultId)>>;

impl Episodes {
    /// Every episode that was known: faults by id, then work orders without a fault by id. Success is judged by [`RECURRENCE_WINDOW`].
    pub fn at(&self, as_of: AsOf) -> impl Iterator<Item = EpisodeView<'_>> {
        self.at_with_window(as_of, RECURRENCE_WINDOW)
    }

    /// Like [`Episodes::at`], with another window for success.
    pub fn at_with_window(&self, as_of: AsOf, window: SignedDuration) -> impl Iterator<Item = EpisodeView<'_>> {
        let occurrences = self.occurrences(as_of);
        let horizon = self.horizon(as_of);
        let faults = self.faults.iter().filter_map(move |(id, facts)| {
            let mut view = self.view_fault(id, facts, as_of)?;
            view.success = judge(&view, &occurrences, horizon, window);
            Some(view)
        });
        let alone = self.work_orders.iter().filter_map(move |(id, facts)| self.view_alone(id, facts, as_of));
        faults.chain(alone)
    }

    /// One fault, when it was known.
    pub fn fault_at(&self, id: &FaultId, as_of: AsOf) -> Option<EpisodeView<'_>> {
        let (id, facts) = self.faults.get_key_value(id)?;
        let mut view = self.view_fault(id, facts, as_of)?;
        let occurrences = match view.asset {
            Some(asset) => self.occurrences_among(self.faults_of(asset), as_of),
            None => Occurrences::new(),
        };
        view.success = judge(&view, &occurrences, self.horizon(as_of), RECURRENCE_WINDOW);
        Some(view)
    }

    /// These faults, where they were known. Whether the work on them helped is judged by what `after` gives: every fault of their modes that happened after a time, at least.
    pub fn judged_by<'a>(
        &'a self,
        faults: &[FaultId],
        as_of: AsOf,
        after: impl FnOnce(Timestamp) -> Vec<FaultId>,
    ) -> Vec<EpisodeView<'a>> {
        let known = faults.iter().filter_map(|fault| self.faults.get_key_value(fault));
        let mut views: Vec<_> = known.filter_map(|(id, facts)| self.view_fault(id, facts, as_of)).collect();
        let later = views.iter().filter_map(|view| view.closed_at).min().map(after).unwrap_or_default();
        let occurrences = self.occurrences_among(later.iter(), as_of);
        let horizon = self.horizon(as_of);
        for view in &mut views {
            view.success = judge(view, &occurrences, horizon, RECURRENCE_WINDOW);
        }
        views
    }

    /// A work order that answers no fault, when it was known, as an episode.
    pub fn alone_at(&self, id: &WorkOrderId, as_of: AsOf) -> Option<EpisodeView<'_>> {
        let (id, facts) = self.work_orders.get_key_value(id)?;
        self.view_alone(id, facts, as_of)
    }

    /// One work order, when it was known.
    pub fn work_order_at(&self, id: &WorkOrderId, as_of: AsOf) -> Option<WorkOrderView<'_>> {
        let (id, facts) = self.work_orders.get_key_value(id)?;
        view_work_order(id, facts, as_of)
    }

    /// Every work order that was known, by id.
    pub fn work_orders_at(&self, as_of: AsOf) -> impl Iterator<Item = WorkOrderView<'_>> {
        self.work_orders.iter().filter_map(move |(id, facts)| view_work_order(id, facts, as_of))
    }

    /// The episodes of an asset: its faults by id, then its work orders without a fault.
    pub fn of_asset<'a>(&'a self, asset: &'a AssetId, as_of: AsOf) -> impl Iterator<Item = EpisodeView<'a>> {
        self.at(as_of).filter(move |view| view.asset == Some(asset))
    }

    /// Episodes by class and mode.
    pub fn counts(&self, as_of: AsOf) -> BTreeMap<ModeKey<'_>, ModeCount> {
        let mut counts: BTreeMap<ModeKey<'_>, ModeCount> = BTreeMap::new();
        for view in self.at(as_of) {
            let count = counts.entry((view.class, view.mode)).or_default();
            count.episodes += 1;
            count.open += u64::from(!view.closed);
            match view.success.observed() {
                Some(true) => count.worked += 1,
                Some(false) => count.failed += 1,
                None => {}
            }
        }
        counts
    }

    fn occurrences(&self, as_of: AsOf) -> Occurrences<'_> {
        self.occurrences_among(self.faults.keys(), as_of)
    }

    fn occurrences_among<'f>(&self, faults: impl Iterator<Item = &'f FaultId>, as_of: AsOf) -> Occurrences<'_> {
        let mut occurrences = Occurrences::new();
        for fault in faults {
            let Some((fault, facts)) = self.faults.get_key_value(fault) else { continue };
            let (Some(observed), Some(coded)) = (facts.observed.as_of(as_of).first(), facts.coded.last(as_of)) else {
                continue;
            };
            if let Some(time) = observed.time {
                let key = (&observed.value.asset, &coded.value.mode);
                occurrences.entry(key).or_default().push((time, observed.position, fault));
            }
        }
        for seen in occurrences.values_mut() {
            seen.sort_unstable();
        }
        occurrences
    }

    fn view_fault<'a>(&'a self, id: &'a FaultId, facts: &'a FaultFacts, as_of: AsOf) -> Option<EpisodeView<'a>> {
        let observed = facts.observed.as_of(as_of);
        let codings = facts.coded.as_of(as_of);
        let closed = facts.closed.as_of(as_of);
        let linked = facts.work_orders.as_of(as_of);
        if observed.is_empty() && codings.is_empty() && closed.is_empty() && linked.is_empty() {
            return None;
        }
        let work_orders: Vec<_> = linked
            .iter()
            .filter_map(|fact| self.work_orders.get_key_value(&fact.value))
            .filter_map(|(id, facts)| view_work_order(id, facts, as_of))
            .collect();
        let asset = (observed.last().map(|fact| &fact.value.asset))
            .or_else(|| codings.last().map(|fact| &fact.value.asset))
            .or_else(|| closed.last().map(|fact| &fact.value.asset))
            .or_else(|| work_orders.first().and_then(|work_order| work_order.asset));
        let coding = codings.last().map(|fact| &fact.value);
        let mut alarms: Vec<&Code> = Vec::new();
        for code in observed.iter().flat_map(|fact| &fact.value.alarms) {
            if !alarms.contains(&code) {
                alarms.push(code);
            }
        }
        let (is_closed, closed_at) = closing(closed.last(), &work_orders);
        let mut positions: Vec<Position> = observed.iter().map(|fact| fact.position).collect();
        positions.extend(codings.iter().map(|fact| fact.position));
        positions.extend(closed.iter().map(|fact| fact.position));
        positions.extend(work_orders.iter().flat_map(|work_order| &work_order.positions));
        positions.sort_unstable();
        positions.dedup();
        let last = |pick: fn(&'a domain::events::FaultObserved) -> Option<&'a Code>| {
            observed.iter().rev().find_map(|fact| pick(&fact.value))
        };
        Some(EpisodeView {
            fault: Some(id),
            asset,
            class: asset.and_then(|asset| self.class_of(asset, as_of)),
            symptoms: observed
                .iter()
                .map(|fact| &fact.value.symptoms)
                .chain(work_orders.iter().filter_map(|work_order| work_order.description))
                .collect(),
            alarms,
            detection: last(|observed| observed.detection.as_ref()),
            impact: observed.iter().rev().find_map(|fact| fact.value.impact),
            product: observed.iter().rev().find_map(|fact| fact.value.product.as_ref()),
            mode: coding.map(|coding| &coding.mode),
            mechanism: coding.and_then(|coding| coding.mechanism.as_ref()),
            cause: coding.and_then(|coding| coding.cause.as_ref()),
            item: coding
                .and_then(|coding| coding.item.as_ref())
                .or_else(|| work_orders.iter().find_map(|work_order| work_order.item)),
            codings,
            opened_at: match observed.first() {
                Some(first) => first.time,
                None => work_orders.first().and_then(|work_order| work_order.opened_at),
            },
            closed_at,
            closed: is_closed,
            work_orders,
            success: Success::Open,
            positions,
        })
    }

    /// A work order that answers no fault, as an episode.
    fn view_alone<'a>(
        &'a self,
        id: &'a WorkOrderId,
        facts: &'a WorkOrderFacts,
        as_of: AsOf,
    ) -> Option<EpisodeView<'a>> {
        if !facts.faults.as_of(as_of).is_empty() {
            return None;
        }
        let work_order = view_work_order(id, facts, as_of)?;
        let success = match (work_order.closed, work_order.outcome) {
            (false, _) => Success::Open,
            (true, Some(Outcome::NotSolved)) => {
                work_order.closed_position.map_or(Success::Censored, |position| Success::NotSolved { position })
            }
            // Without a mode nobody can tell whether it came back.
            (true, _) => Success::Censored,
        };
        Some(EpisodeView {
            fault: None,
            asset: work_order.asset,
            class: work_order.asset.and_then(|asset| self.class_of(asset, as_of)),
            symptoms: work_order.description.into_iter().collect(),
            alarms: Vec::new(),
            detection: None,
            impact: None,
            product: None,
            mode: None,
            mechanism: None,
            cause: None,
            item: work_order.item,
            codings: &[],
            opened_at: work_order.opened_at,
            closed_at: work_order.machine_up.or(work_order.closed_at),
            closed: work_order.closed,
            success,
            positions: work_order.positions.clone(),
            work_orders: vec![work_order],
        })
    }
}

/// Whether an episode is closed, and when: as its closing says, or else when the last of its work orders was closed.
fn closing(
    closed: Option<&Fact<domain::events::FaultClosed>>,
    work_orders: &[WorkOrderView<'_>],
) -> (bool, Option<Timestamp>) {
    if let Some(fact) = closed {
        return (true, fact.value.restored.or(fact.time));
    }
    if work_orders.is_empty() || work_orders.iter().any(|work_order| !work_order.closed) {
        return (false, None);
    }
    let times = work_orders.iter().map(|work_order| work_order.machine_up.or(work_order.closed_at));
    (true, times.max().flatten())
}

fn judge(
    view: &EpisodeView<'_>,
    occurrences: &Occurrences<'_>,
    horizon: Option<Timestamp>,
    window: SignedDuration,
) -> Success {
    if !view.closed {
        return Success::Open;
    }
    let closed_orders = view.work_orders.iter().filter(|work_order| work_order.closed);
    // Of several work orders the last one's outcome counts: a first try that failed was followed by another.
    if let Some(last) = closed_orders.max_by_key(|work_order| (work_order.closed_at, work_order.closed_position))
        && last.outcome == Some(Outcome::NotSolved)
        && let Some(position) = last.closed_position
    {
        return Success::NotSolved { position };
    }
    let (Some(asset), Some(mode), Some(closed_at)) = (view.asset, view.mode, view.closed_at) else {
        return Success::Censored;
    };
    let Ok(end) = closed_at.checked_add(window) else { return Success::Censored };
    let seen = occurrences.get(&(asset, mode)).map(Vec::as_slice).unwrap_or_default();
    let after = seen.partition_point(|(time, ..)| *time <= closed_at);
    let again = seen.get(after..).unwrap_or_default().iter().take_while(|(time, ..)| *time <= end);
    match again.into_iter().find(|(_, _, fault)| Some(*fault) != view.fault) {
        Some((_, position, _)) => Success::CameBack { position: *position },
        None if horizon.is_some_and(|horizon| horizon >= end) => Success::Worked,
        None => Success::Censored,
    }
}

fn view_work_order<'a>(id: &'a WorkOrderId, facts: &'a WorkOrderFacts, as_of: AsOf) -> Option<WorkOrderView<'a>> {
    let opened = facts.opened.as_of(as_of);
    let progressed = facts.progressed.as_of(as_of);
    let done = facts.done.as_of(as_of);
    let closed = facts.closed.as_of(as_of);
    let mut positions: Vec<Position> = opened.iter().map(|fact| fact.position).collect();
    positions.extend(progressed.iter().map(|fact| fact.position));
    positions.extend(done.iter().map(|fact| fact.position));
    positions.extend(closed.iter().map(|fact| fact.position));
    if positions.is_empty() {
        return None;
    }
    positions.sort_unstable();
    let opening = opened.last().map(|fact| &fact.value);
    let closing = closed.last();
    let milestones: Vec<MilestoneView> = progressed
        .iter()
        .map(|fact| MilestoneView { milestone: fact.value.milestone, time: fact.time, position: fact.position })
        .collect();
    let machine_up = closing.and_then(|fact| fact.value.machine_up).or_else(|| {
        milestones
            .iter()
            .rev()
            .find(|reached| reached.milestone == Milestone::MachineUp)
            .and_then(|reached| reached.time)
    });
    Some(WorkOrderView {
        work_order: id,
        asset: (opening.map(|opening| &opening.asset))
            .or_else(|| done.last().map(|fact| &fact.value.asset))
            .or_else(|| progressed.last().map(|fact| &fact.value.asset))
            .or_else(|| closing.map(|fact| &fact.value.asset)),
        faults: facts.faults.as_of(as_of).iter().map(|fact| &fact.value).collect(),
        category: opening.map(|opening| opening.category),
        description: opening.map(|opening| &opening.description),
        item: (opening.and_then(|opening| opening.item.as_ref()))
            .or_else(|| done.iter().find_map(|fact| fact.value.item.as_ref())),
        priority: opening.and_then(|opening| opening.priority),
        opened_at: opened.first().and_then(|fact| fact.time),
        closed_at: closing.and_then(|fact| fact.time),
        closed: closing.is_some(),
        closed_position: closing.map(|fact| fact.position),
        outcome: closing.map(|fact| fact.value.outcome),
        hours: closing
            .and_then(|fact| fact.value.hours)
            .or_else(|| sum(done.iter().filter_map(|fact| fact.value.hours))),
        cost: closing.and_then(|fact| fact.value.cost).or_else(|| sum(done.iter().filter_map(|fact| fact.value.cost))),
        machine_up,
        milestones,
        actions: done
            .iter()
            .map(|fact| ActionView {
                work_order: id,
                activity: &fact.value.activity,
                item: fact.value.item.as_ref(),
                text: fact.value.text.as_ref(),
                parts: &fact.value.parts,
                hours: fact.value.hours,
                cost: fact.value.cost,
                person: fact.value.person.as_ref(),
                time: fact.time,
                position: fact.position,
            })
            .collect(),
        positions,
    })
}

/// The sum, or `None` of nothing.
fn sum(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    numbers.fold(None, |sum, number| Some(sum.unwrap_or(0.0) + number))
}
