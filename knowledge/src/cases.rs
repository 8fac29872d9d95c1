//! Past episodes and work orders as answers and statistics show them: what was said, the mode, what was done.

use std::collections::HashMap;

use domain::Text;
use domain::events::PartUsed;
use eventlog::Position;
use jiff::Timestamp;
use projections::AsOf;
use projections::folds::episode_view::EpisodeView;
use projections::folds::episodes::Episodes;

use crate::diagnose::{ActionScore, PastAction, PastCase};
use crate::record::{Kind, MAX_EVIDENCE, RecordId};

/// An action of a case, with what it took.
#[derive(Clone, Debug)]
pub(crate) struct CaseAction {
    pub work_order: String,
    pub activity: String,
    pub item: Option<String>,
    pub text: Option<Text>,
    pub outcome: Option<domain::events::Outcome>,
    pub parts: Vec<PartUsed>,
    pub hours: Option<f64>,
    pub cost: Option<f64>,
    pub position: Position,
}

/// A past episode, or a work order that answers no fault.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub id: RecordId,
    pub asset: Option<String>,
    pub class: Option<String>,
    pub text: Text,
    pub alarms: Vec<String>,
    pub mode: Option<String>,
    pub cause: Option<String>,
    pub item: Option<String>,
    pub time: Option<Timestamp>,
    pub hours_to_restore: Option<f64>,
    pub closed: bool,
    pub is_fault: bool,
    pub worked: Option<bool>,
    pub actions: Vec<CaseAction>,
    pub hours: Option<f64>,
    pub cost: Option<f64>,
    pub positions: Vec<Position>,
}

impl Case {
    pub fn new(view: &EpisodeView<'_>) -> Self {
        let text = joined(&view.symptoms);
        let kind = if view.fault.is_some() { Kind::FaultEpisode } else { Kind::WorkOrder };
        let owned = |code: Option<&domain::ids::Code>| code.map(|code| code.as_str().to_owned());
        Self {
            id: RecordId::new(kind, view.id()),
            asset: view.asset.map(|asset| asset.as_str().to_owned()),
            class: view.class.map(|class| class.as_str().to_owned()),
            text,
            alarms: view.alarms.iter().map(|code| code.as_str().to_owned()).collect(),
            mode: owned(view.mode),
            cause: owned(view.cause),
            item: owned(view.item),
            time: view.opened_at,
            hours_to_restore: view.hours_to_restore(),
            closed: view.closed,
            is_fault: view.fault.is_some(),
            worked: view.success.observed(),
            actions: actions(view),
            hours: view.hours_of_work(),
            cost: view
                .work_orders
                .iter()
                .filter_map(|work_order| work_order.cost)
                .fold(None, |sum, cost| Some(sum.unwrap_or(0.0) + cost)),
            positions: view.positions.clone(),
        }
    }

    /// What was done, and whether it worked.
    pub fn done(&self) -> (&[CaseAction], Option<bool>) {
        (&self.actions, self.worked)
    }

    /// The case as an answer shows it.
    pub fn shown(&self, similarity: f64) -> PastCase {
        PastCase {
            id: self.id.clone(),
            asset: self.asset.clone(),
            text: self.text.clone(),
            mode: self.mode.clone(),
            event_time: self.time,
            similarity,
            actions: self
                .actions
                .iter()
                .map(|action| PastAction {
                    work_order: action.work_order.clone(),
                    activity: action.activity.clone(),
                    item: action.item.clone(),
                    text: action.text.clone(),
                    outcome: action.outcome,
                    worked: self.worked,
                    position: action.position,
                })
                .collect(),
            positions: latest(self.positions.iter().copied()),
        }
    }
}

fn joined(symptoms: &[&Text]) -> Text {
    let join = |pick: fn(&Text) -> Option<&str>| {
        let mut parts: Vec<&str> = Vec::new();
        for part in symptoms.iter().filter_map(|text| pick(text)) {
            // A work order often repeats the words of its fault.
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        (!parts.is_empty()).then(|| parts.join("\n"))
    };
    Text { zh: join(|text| text.zh.as_deref()), en: join(|text| text.en.as_deref()) }
}

/// What was done in an episode.
pub(crate) fn actions(view: &EpisodeView<'_>) -> Vec<CaseAction> {
    let orders = view.work_orders.iter();
    orders
        .flat_map(|order| {
            // The closing counts hours and cost of the whole order; they are an action's where it is the only one.
            let alone = order.actions.len() == 1;
            order.actions.iter().map(move |action| CaseAction {
                work_order: action.work_order.as_str().to_owned(),
                activity: action.activity.as_str().to_owned(),
                item: action.item.map(|item| item.as_str().to_owned()),
                text: action.text.cloned(),
                outcome: order.outcome,
                parts: action.parts.to_vec(),
                hours: action.hours.or(order.hours.filter(|_| alone)),
                cost: action.cost.or(order.cost.filter(|_| alone)),
                position: action.position,
            })
        })
        .collect()
}

/// Every case that was known, by id. The same log and position give the same cases in the same order.
pub(crate) fn cases(episodes: &Episodes, as_of: AsOf) -> Vec<Case> {
    episodes.at(as_of).map(|view| Case::new(&view)).collect()
}

/// The latest positions, in log order, at most [`MAX_EVIDENCE`].
pub(crate) fn latest(positions: impl Iterator<Item = Position>) -> Vec<Position> {
    let mut positions: Vec<Position> = positions.collect();
    positions.sort_unstable();
    positions.dedup();
    let from = positions.len().saturating_sub(MAX_EVIDENCE);
    positions.split_off(from)
}

/// What was done in these cases, each with whether it worked, and how often it did: ranked by the lower bound.
pub(crate) fn scores<'a>(cases: impl Iterator<Item = (&'a [CaseAction], Option<bool>)>) -> Vec<ActionScore> {
    let mut tallies: HashMap<(&str, Option<&str>), Tally<'_>> = HashMap::new();
    for (actions, worked) in cases {
        let mut counted: Vec<(&str, Option<&str>)> = Vec::new();
        for action in actions {
            let key = (action.activity.as_str(), action.item.as_deref());
            let tally = tallies.entry(key).or_default();
            // The same action twice in a case is one trial: only the case as a whole is known to have ended well.
            if !counted.contains(&key) {
                counted.push(key);
                match worked {
                    Some(true) => tally.successes += 1,
                    Some(false) => tally.failures += 1,
                    None => tally.unknown += 1,
                }
            }
            tally.hours.extend(action.hours);
            tally.costs.extend(action.cost);
            tally.positions.push(action.position);
            for part in &action.parts {
                *tally.parts.entry(part.part.as_str()).or_default() += part.count;
            }
        }
    }
    let mut scores: Vec<ActionScore> = tallies.into_iter().map(|(key, tally)| tally.score(key)).collect();
    scores.sort_by(|a, b| {
        (b.low.total_cmp(&a.low))
            .then(b.attempts.cmp(&a.attempts))
            .then(b.unknown.cmp(&a.unknown))
            .then_with(|| (&a.activity, &a.item).cmp(&(&b.activity, &b.item)))
    });
    scores
}

#[derive(Default)]
struct Tally<'a> {
    successes: u64,
    failures: u64,
    unknown: u64,
    hours: Vec<f64>,
    costs: Vec<f64>,
    parts: HashMap<&'a str, f64>,
    positions: Vec<Position>,
}

impl Tally<'_> {
    fn score(self, (activity, item): (&str, Option<&str>)) -> ActionScore {
        let bounds = domain::kpi::beta_bounds(self.successes, self.failures);
        let mut parts: Vec<(String, f64)> =
            self.parts.into_iter().map(|(part, count)| (part.to_owned(), count)).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ActionScore {
            activity: activity.to_owned(),
            item: item.map(str::to_owned),
            successes: self.successes,
            attempts: self.successes + self.failures,
            unknown: self.unknown,
            success_rate: bounds.mean,
            low: bounds.low,
            high: bounds.high,
            median_hours: median(self.hours),
            median_cost: median(self.costs),
            parts,
            evidence: latest(self.positions.into_iter()),
        }
    }
}

/// The middle value; the mean of the two middle ones where their number is even.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let high = values.get(values.len() / 2).copied()?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    values.get(values.len() / 2 - 1).map(|low| low.midpoint(high))
}
