//! Statistics over the read models: operating performance, alarms, control, maintenance, quality, shifts.
//!
//! Each answer is computed at one position: the asked one, or the lowest that all of its read models have come to. Each record says what it rests on.

pub mod alarms;
pub mod control;
pub mod fmea;
pub mod maintenance;
pub mod operating;
pub mod quality;
pub mod regimes;
pub mod shifts;
pub mod warnings;

use std::collections::BTreeMap;

use domain::ids::InvalidId;
use eventlog::Position;
use jiff::{SignedDuration, Timestamp};
use projections::AsOf;
use projections::operating::OperatingModels;
use serde::Serialize;
use utoipa::ToSchema;

use super::common::{Asked, parse_optional_time, to_json};
use crate::problem::Problem;
use crate::server::App;

/// The most records of one answer.
const MAX_LIMIT: usize = 1000;
/// The records of an answer where the caller names no number.
const DEFAULT_LIMIT: usize = 100;
/// The longest window, in days: ten years and a bit.
const MAX_DAYS: i64 = domain::schedule::MAX_DAYS;

/// Records, with the position that they hold at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Records {
    /// The records.
    #[schema(value_type = Vec<Object>)]
    pub items: serde_json::Value,
    /// The last position that was taken into account.
    pub as_of: Option<u64>,
    /// Each read model that was asked, with the first position that it has not taken in.
    #[schema(value_type = Object)]
    pub stores: BTreeMap<&'static str, u64>,
}

/// One record, with the position that it holds at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OneRecord {
    /// The record.
    #[schema(value_type = Object)]
    pub item: serde_json::Value,
    /// The last position that was taken into account.
    pub as_of: Option<u64>,
    /// Each read model that was asked, with the first position that it has not taken in.
    #[schema(value_type = Object)]
    pub stores: BTreeMap<&'static str, u64>,
}

/// What an answer holds at.
#[derive(Clone, Debug, Default)]
struct Basis {
    asked: Option<Position>,
    stores: BTreeMap<&'static str, u64>,
}

impl Basis {
    /// The basis of an answer: the asked position, once every read model has come to it; the present, without one.
    async fn of(app: &App, as_of: Option<String>, min_position: Option<u64>) -> Result<Self, Problem> {
        let asked = Asked { as_of, min_position };
        asked.wait(app).await?;
        let Some(text) = &asked.as_of else { return Ok(Self::default()) };
        match asked.position(app).await? {
            Some(position) => Ok(Self { asked: Some(position), stores: BTreeMap::new() }),
            None => Err(Problem::not_found("anything known at", text)),
        }
    }

    fn store(&mut self, name: &'static str, checkpoint: Position) {
        self.stores.insert(name, checkpoint.get());
    }

    /// The last position that counts: the asked one, or the last that all stores have taken in.
    fn last(&self) -> Option<Position> {
        let lowest = self.stores.values().min().and_then(|checkpoint| Position::new(*checkpoint).previous());
        match (self.asked, lowest) {
            (Some(asked), Some(lowest)) => Some(asked.min(lowest)),
            (_, lowest) => lowest,
        }
    }

    /// Keeps the answer at the position that it has now: what is asked afterwards is asked at the same one.
    fn pin(&mut self) {
        self.asked = self.last();
    }

    /// What counts. A log without a record is as empty as its newest position.
    fn as_of(&self) -> AsOf {
        self.last().map_or(AsOf::LATEST, AsOf::through)
    }

    fn one<T: Serialize>(self, item: &T) -> Result<axum::Json<OneRecord>, Problem> {
        let as_of = self.last().map(Position::get);
        Ok(axum::Json(OneRecord { item: to_json(item)?, as_of, stores: self.stores }))
    }

    fn records<T: Serialize>(self, items: &[T]) -> Result<axum::Json<Records>, Problem> {
        let as_of = self.last().map(Position::get);
        Ok(axum::Json(Records { items: to_json(&items)?, as_of, stores: self.stores }))
    }
}

/// Looks at the read models of operating performance, all at once.
fn with_operating<R>(app: &App, basis: &mut Basis, look: impl FnOnce(OperatingModels<'_>, AsOf) -> R) -> R {
    let engine = &app.engine;
    // Ordering: the locks are taken in the order of this nesting, and each writer holds one of them only.
    engine.states.read(|states, at_states| {
        engine.production.read(|production, at_production| {
            engine.quality.read(|quality, at_quality| {
                engine.shifts.read(|shifts, at_shifts| {
                    engine.alarms.read(|alarms, at_alarms| {
                        engine.episodes.read(|episodes, at_episodes| {
                            let stores = [
                                ("states", at_states),
                                ("production", at_production),
                                ("quality", at_quality),
                                ("shifts", at_shifts),
                                ("alarms", at_alarms),
                                ("episodes", at_episodes),
                            ];
                            stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                            let models = OperatingModels { states, production, quality, shifts, alarms, episodes };
                            look(models, basis.as_of())
                        })
                    })
                })
            })
        })
    })
}

/// A window of event time: up to now, and `days` long, where the caller says nothing.
fn window(from: Option<&String>, to: Option<&String>, days: i64) -> Result<(Timestamp, Timestamp), Problem> {
    let to = parse_optional_time("to", to)?.unwrap_or_else(Timestamp::now);
    let from = match parse_optional_time("from", from)? {
        Some(from) => from,
        None => to.checked_sub(SignedDuration::from_hours(24 * days)).map_err(|error| Problem::invalid("to", error))?,
    };
    if from >= to {
        return Err(Problem::invalid("from", format!("{from} is not before {to}")));
    }
    if to.duration_since(from).as_hours() > 24 * MAX_DAYS {
        return Err(Problem::invalid("from", format!("a window has at most {MAX_DAYS} days")));
    }
    Ok((from, to))
}

fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::invalid("limit", format!("{limit} is not from 1 to {MAX_LIMIT}"))),
    }
}

/// An id that a parameter may hold.
fn id<T>(
    field: &'static str,
    text: Option<&String>,
    make: fn(&str) -> Result<T, InvalidId>,
) -> Result<Option<T>, Problem> {
    text.map(|text| make(text).map_err(|error| Problem::invalid(field, error))).transpose()
}

/// The share of discoveries that may be false: 5 %, where the caller says nothing.
fn false_discovery_rate(asked: Option<f64>) -> Result<f64, Problem> {
    match asked {
        None => Ok(0.05),
        Some(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        Some(rate) => Err(Problem::invalid("false_discovery_rate", format!("{rate} is not between 0 and 1"))),
    }
}

/// A number that must not be negative.
fn amount(field: &'static str, asked: Option<f64>, default: f64) -> Result<f64, Problem> {
    match asked {
        None => Ok(default),
        Some(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Some(value) => Err(Problem::invalid(field, format!("{value} is not an amount"))),
    }
}
