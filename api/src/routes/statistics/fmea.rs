//! FMEA sheets beside history.

use axum::extract::{Path, State};
use domain::ids::ArticleId;
use jiff::SignedDuration;
use projections::fmea::{FmeaError, FmeaModels, FmeaRequest, compare};
use projections::maintenance::Clock;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Basis, OneRecord, amount};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::routes::common::parse_optional_time;
use crate::server::App;

impl From<FmeaError> for Problem {
    fn from(error: FmeaError) -> Self {
        match &error {
            FmeaError::Unknown { article } => Self::not_found("article", article.as_str()),
            FmeaError::OtherKind { .. } => Self::invalid("article", error),
        }
    }
}

/// How a sheet is compared.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FmeaParameters {
    /// Only episodes from this event time on; since each asset was first watched, when absent.
    pub from: Option<String>,
    /// Only episodes before this event time; up to the newest known event, when absent.
    pub to: Option<String>,
    /// What rates are counted by: `calendar` (the default) or `running`.
    #[param(value_type = Option<String>)]
    pub clock: Option<Clock>,
    /// How many hours before an episode an alarm counts as its warning; 24, when absent.
    pub lead_hours: Option<f64>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// An FMEA sheet with occurrence and detection recomputed from history beside the expert's ranks, with bounds; severity stays the expert's. Ranks that differ by two classes or more are
/// flagged.
#[utoipa::path(get, path = "/api/v1/knowledge/fmea/{article}", tag = "knowledge", params(("article" = String, Path), FmeaParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn compared(
    State(app): State<App>,
    caller: Caller,
    Path(article): Path<String>,
    Query(parameters): Query<FmeaParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let article = ArticleId::new(&article).map_err(|error| Problem::invalid("article", error))?;
    let from = parse_optional_time("from", parameters.from.as_ref())?;
    let to = parse_optional_time("to", parameters.to.as_ref())?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Problem::invalid("from", format!("{from} is not before {to}")));
    }
    let hours = amount("lead_hours", parameters.lead_hours, 24.0)?;
    let lead =
        SignedDuration::try_from_secs_f64(hours * 3600.0).map_err(|error| Problem::invalid("lead_hours", error))?;
    let clock = parameters.clock.unwrap_or(Clock::Calendar);
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let engine = &app.engine;
    let shown = engine.articles.read(|articles, at_articles| {
        engine.states.read(|states, at_states| {
            engine.alarms.read(|alarms, at_alarms| {
                engine.episodes.read(|episodes, at_episodes| {
                    let stores = [
                        ("articles", at_articles),
                        ("states", at_states),
                        ("alarms", at_alarms),
                        ("episodes", at_episodes),
                    ];
                    stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                    let request = FmeaRequest { article, from, to, clock, lead, as_of: basis.as_of() };
                    let sheet = compare(FmeaModels { articles, episodes, states, alarms }, &request)?;
                    super::to_json(&sheet)
                })
            })
        })
    })?;
    basis.one(&shown)
}
