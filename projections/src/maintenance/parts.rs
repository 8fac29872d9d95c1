//! Which parts there are, which are missing, and what takes their place.

use domain::Text;
use domain::ids::Code;
use domain::kpi::Ratio;
use eventlog::Position;
use jiff::Timestamp;
use serde::Serialize;

use super::latest;
use crate::AsOf;
use crate::folds::upkeep::{PartView, Upkeep};

/// A part that can take another's place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Substitute {
    /// The part number.
    pub part: Code,
    /// How many there are; `None` when nobody knows.
    pub stock: Option<f64>,
}

/// A part in the store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartRecord {
    /// The part number.
    pub part: Code,
    /// Its name.
    pub name: Option<Text>,
    /// How many there are; `None` when nobody knows. Below zero more was used than was ever counted or received: the store is to be counted.
    pub stock: Option<f64>,
    /// How many were ordered and have not come.
    pub ordered: f64,
    /// When the next ones are to come.
    pub expected: Option<Timestamp>,
    /// From the order to the delivery, in days.
    pub lead_time_days: Option<f64>,
    /// How many were used, by the days from the first use to the asked time.
    pub used_per_day: Ratio,
    /// For how many days the stock lasts at this rate.
    pub days_left: Option<f64>,
    /// Whether it must be ordered: stock and orders together are below the minimum, or run out within the lead time.
    pub to_be_ordered: bool,
    /// What can take its place, the best first.
    pub substitutes: Vec<Substitute>,
    /// How often it was used.
    pub n: u64,
    /// The latest positions that say so.
    pub positions: Vec<Position>,
}

/// Every part at a time, those to be ordered first, then by number.
pub fn parts(upkeep: &Upkeep, at: Timestamp, as_of: AsOf) -> Vec<PartRecord> {
    let mut records: Vec<PartRecord> = upkeep.parts(as_of).map(|view| record(upkeep, &view, at, as_of)).collect();
    records.sort_by(|a, b| b.to_be_ordered.cmp(&a.to_be_ordered).then_with(|| a.part.cmp(&b.part)));
    records
}

fn record(upkeep: &Upkeep, view: &PartView<'_>, at: Timestamp, as_of: AsOf) -> PartRecord {
    let defined = view.defined;
    // Use on a single day says no rate: at least a day is counted.
    let days = view.used_between.map(|(first, _)| at.duration_since(first).as_secs_f64() / 86_400.0);
    let used_per_day = Ratio::new(view.used, days.map_or(0.0, |days| days.max(1.0)));
    let rate = used_per_day.value().filter(|rate| *rate > 0.0);
    let coming = view.stock.unwrap_or(0.0) + view.ordered;
    let lead_time_days = defined.and_then(|defined| defined.lead_time_days);
    let below_minimum = defined.and_then(|defined| defined.minimum).is_some_and(|minimum| coming < minimum);
    let runs_out = matches!((rate, lead_time_days), (Some(rate), Some(lead)) if coming < rate * lead);
    let substitute =
        |part: &Code| Substitute { part: part.clone(), stock: upkeep.part(part, as_of).and_then(|view| view.stock) };
    PartRecord {
        part: view.part.clone(),
        name: defined.map(|defined| defined.name.clone()),
        stock: view.stock,
        ordered: view.ordered,
        expected: view.expected,
        lead_time_days,
        used_per_day,
        days_left: rate.and_then(|rate| Some((view.stock?.max(0.0)) / rate)),
        to_be_ordered: below_minimum || runs_out,
        substitutes: defined.map(|defined| defined.substitutes.iter().map(substitute).collect()).unwrap_or_default(),
        n: view.n,
        positions: latest(view.positions.iter().copied()),
    }
}
