//! What helps, how long repairs take, how long things last, what is due, which parts are missing.

use axum::extract::State;
use domain::ids::{AssetClass, AssetId, Code};
use eventlog::frames::StatusCode;
use jiff::{SignedDuration, Timestamp};
use projections::maintenance::{
    Clock, DueModels, MaintenanceScope, Reading, ReliabilityRequest, actions, due, parts, reliability, repair_times,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::common::parse_optional_time;
use super::{Basis, OneRecord, Records, amount, id};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which episodes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EpisodesParameters {
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// Only this failure mode.
    pub mode: Option<String>,
    /// Only this maintainable item.
    pub item: Option<String>,
    /// For actions: how many hours a mode must stay away for the work to have helped; 72, when absent.
    pub window_hours: Option<f64>,
    /// For lives: `running` (the default) or `calendar` hours.
    #[param(value_type = Option<String>)]
    pub clock: Option<Clock>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

impl EpisodesParameters {
    fn scope(&self) -> Result<MaintenanceScope, Problem> {
        Ok(MaintenanceScope {
            asset: id("asset", self.asset.as_ref(), AssetId::new)?,
            class: id("class", self.class.as_ref(), AssetClass::new)?,
            mode: id("mode", self.mode.as_ref(), Code::new)?,
            item: id("item", self.item.as_ref(), Code::new)?,
        })
    }
}

/// What was done about each failure mode, with the probability that it helps: ranked by its lower bound. What nobody observed counts neither way.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance/actions", tag = "knowledge", params(EpisodesParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn what_helps(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<EpisodesParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let scope = parameters.scope()?;
    let hours = amount("window_hours", parameters.window_hours, 72.0)?;
    let window =
        SignedDuration::try_from_secs_f64(hours * 3600.0).map_err(|error| Problem::invalid("window_hours", error))?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let records = app.engine.episodes.read(|episodes, checkpoint| {
        basis.store("episodes", checkpoint);
        actions(episodes, &scope, window, basis.as_of())
    });
    basis.records(&records)
}

/// How long repairs take, phase by phase: the half and nine tenths of the times, with bounds.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance/times", tag = "knowledge", params(EpisodesParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn times(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<EpisodesParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let scope = parameters.scope()?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let records = app.engine.episodes.read(|episodes, checkpoint| {
        basis.store("episodes", checkpoint);
        repair_times(episodes, &scope, basis.as_of())
    });
    basis.records(&records)
}

/// How long things last: mean time between failures with bounds, survival, Weibull. Preventive replacements and the present moment are suspensions.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance/reliability", tag = "knowledge", params(EpisodesParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn lives(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<EpisodesParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let request = ReliabilityRequest { scope: parameters.scope()?, clock: parameters.clock.unwrap_or_default() };
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let found = app.engine.states.read(|states, checkpoint| {
        basis.store("states", checkpoint);
        app.engine.episodes.read(|episodes, checkpoint| {
            basis.store("episodes", checkpoint);
            reliability(episodes, states, &request, basis.as_of())
        })
    });
    basis.one(&found)
}

/// When.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AtParameters {
    /// At this event time; now, when absent.
    pub at: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What preventive work is due, by hours, picks, days or condition: what is most used up first. Looking back with `as_of`, conditions say nothing, since only the newest readings are kept
/// at hand.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance/due", tag = "knowledge", params(AtParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn due_work(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AtParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let at = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let looks_back = parameters.as_of.is_some();
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let engine = &app.engine;
    let records = engine.upkeep.read(|upkeep, at_upkeep| {
        engine.states.read(|states, at_states| {
            engine.production.read(|production, at_production| {
                engine.catalog.read(|catalog, at_catalog| {
                    engine.latest.read(|latest, at_latest| {
                        let stores = [
                            ("upkeep", at_upkeep),
                            ("states", at_states),
                            ("production", at_production),
                            ("catalog", at_catalog),
                            ("latest", at_latest),
                        ];
                        stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                        let as_of = basis.as_of();
                        let newest = |asset: &AssetId, quantity: &Code| {
                            let signal = catalog.signal_for(asset, quantity.as_str(), as_of).filter(|_| !looks_back)?;
                            let sample = latest.value(signal.value.signal.as_str())?;
                            let is_usable = sample.status == StatusCode::GOOD && sample.time() <= at;
                            let value = sample.value.as_f64().filter(|_| is_usable)?;
                            let (unit, time) = (signal.value.unit.clone(), sample.time());
                            Some(Reading { value, unit, time, position: sample.position })
                        };
                        due(DueModels { upkeep, states, production, catalog }, at, as_of, &newest)
                    })
                })
            })
        })
    });
    basis.records(&records)
}

/// Parts: how many there are, how long they last, what is to be ordered, what takes their place.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance/parts", tag = "knowledge", params(AtParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn stock(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<AtParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let at = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let records = app.engine.upkeep.read(|upkeep, checkpoint| {
        basis.store("upkeep", checkpoint);
        parts(upkeep, at, basis.as_of())
    });
    basis.records(&records)
}
