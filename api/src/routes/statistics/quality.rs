//! Control charts, grades of rolls, ranked causes, and the freezing of limits.

use axum::extract::State;
use axum::http::StatusCode;
use domain::events::{ControlLimitsFrozen, Event};
use domain::ids::{AssetId, Code, LotId, MaterialId, OrderId, PersonId};
use domain::rules::Command;
use eventlog::{Direction, EventId, Query as LogQuery};
use jiff::Timestamp;
use projections::folds::quality::QualityScope;
use projections::quality_control::{
    CauseRequest, ChartError, ChartRecord, ChartRequest, Explained, Measured, QualityModels, causes, chart, grades,
};
use projections::{AsOf, Entry};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::commands::carry_out;
use super::super::events::Logged;
use super::{Basis, OneRecord, Records, false_discovery_rate, id, limit, window};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

impl From<ChartError> for Problem {
    fn from(error: ChartError) -> Self {
        match &error {
            ChartError::NoLimits(reason) => Self::no_answer(format!("{error}: {reason}")),
            ChartError::OtherLimits { .. } => Self::no_answer(error),
        }
    }
}

/// Looks at the read models of quality, all at once.
fn with_quality<R>(app: &App, basis: &mut Basis, look: impl FnOnce(QualityModels<'_>, AsOf) -> R) -> R {
    let engine = &app.engine;
    engine.quality.read(|quality, at_quality| {
        engine.production.read(|production, at_production| {
            engine.control_limits.read(|limits, at_limits| {
                engine.states.read(|states, at_states| {
                    engine.shifts.read(|shifts, at_shifts| {
                        let stores = [
                            ("quality", at_quality),
                            ("production", at_production),
                            ("control_limits", at_limits),
                            ("states", at_states),
                            ("shifts", at_shifts),
                        ];
                        stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                        look(QualityModels { quality, production, limits, states, shifts }, basis.as_of())
                    })
                })
            })
        })
    })
}

/// Which chart.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChartParameters {
    /// A measured characteristic (`width`); or `failed` for the share of inspections that failed, or `defects`, or `defects:CODE`.
    pub characteristic: String,
    /// Of this product.
    pub product: Option<String>,
    /// From this asset.
    pub asset: Option<String>,
    /// From this event time; 90 days before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

fn measured(text: &str) -> Result<Measured, Problem> {
    let code = |text: &str| Code::new(text).map_err(|error| Problem::invalid("characteristic", error));
    Ok(match text {
        "failed" => Measured::Failed,
        "defects" => Measured::Defects(None),
        other => match other.strip_prefix("defects:") {
            Some(defect) => Measured::Defects(Some(code(defect)?)),
            None => Measured::Characteristic(code(other)?),
        },
    })
}

/// A control chart with its signals, the dependence of successive values, and the capability.
#[utoipa::path(get, path = "/api/v1/knowledge/quality/chart", tag = "knowledge", params(ChartParameters),
    responses((status = 200, body = OneRecord), (status = 422, body = Problem, description = "No limits can be estimated, with the reason"), (status = "4XX", body = Problem)))]
pub async fn control_chart(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ChartParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 90)?;
    let measured = measured(&parameters.characteristic)?;
    let product = id("product", parameters.product.as_ref(), MaterialId::new)?;
    let asset = id("asset", parameters.asset.as_ref(), AssetId::new)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let record = with_quality(&app, &mut basis, |models, as_of| {
        chart(models, &ChartRequest { measured, product, asset, from, to, as_of })
    })?;
    basis.one(&record)
}

/// What limits are frozen from.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeBody {
    /// As for the chart.
    pub characteristic: String,
    /// Of this product.
    pub product: Option<String>,
    /// From this asset.
    pub asset: Option<String>,
    /// Phase I begins at this event time.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Phase I ends at this event time.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Who freezes them.
    pub person: Option<String>,
    /// The idempotency key: sent again under the same id, the limits are frozen once.
    pub id: Option<Uuid>,
}

/// Freezes the limits of a chart from phase I, which needs 25 subgroups or more: from then on what comes is judged by them.
#[utoipa::path(post, path = "/api/v1/knowledge/quality/limits", tag = "knowledge", request_body = FreezeBody,
    responses((status = 200, body = Logged, description = "Frozen before"), (status = 201, body = Logged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn freeze(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<FreezeBody>,
) -> Result<(StatusCode, axum::Json<Logged>), Problem> {
    caller.must(Permission::WriteEvents)?;
    if body.from >= body.to {
        return Err(Problem::invalid("from", format!("{} is not before {}", body.from, body.to)));
    }
    let measured = measured(&body.characteristic)?;
    let characteristic = measured
        .characteristic()
        .ok_or_else(|| Problem::invalid("characteristic", "it is too long to be the name of a chart"))?;
    let product = id("product", body.product.as_ref(), MaterialId::new)?;
    let asset = id("asset", body.asset.as_ref(), AssetId::new)?;
    let person = id("person", body.person.as_ref(), PersonId::new)?;
    let id = body.id.map_or_else(EventId::generate, EventId::new);
    // Sent again, the limits are those that were frozen then: more is known by now, and would make others.
    if let Some(before) = frozen_under(&app, id).await?
        && (&before.characteristic, &before.product, &before.asset, &before.person)
            == (&characteristic, &product, &asset, &person)
    {
        return carry_out(&app, &caller, Command::from(Event::from(before)), id, Timestamp::now()).await;
    }
    let mut basis = Basis::default();
    let estimated: ChartRecord = with_quality(&app, &mut basis, |models, as_of| {
        // Limits that were frozen before must not judge the phase that new ones come from.
        let unjudged = projections::folds::control_limits::ControlLimits::default();
        let request = ChartRequest {
            measured,
            product: product.clone(),
            asset: asset.clone(),
            from: body.from,
            to: body.to,
            as_of,
        };
        chart(QualityModels { limits: &unjudged, ..models }, &request)
    })?;
    let frozen = ControlLimitsFrozen {
        characteristic,
        product,
        asset,
        limits: estimated.limits,
        from: estimated.points.first().map(|point| point.time),
        to: estimated.points.last().map(|point| point.time),
        as_of: basis.last().map_or(0, eventlog::Position::get),
        person,
    };
    carry_out(&app, &caller, Command::from(Event::from(frozen)), id, Timestamp::now()).await
}

/// The limits that were frozen under an id.
async fn frozen_under(app: &App, id: EventId) -> Result<Option<ControlLimitsFrozen>, Problem> {
    let Some(position) = app.engine.log.position_of(id).await? else { return Ok(None) };
    let records = app.engine.log.read(position, Direction::Forward, LogQuery::all(), 1).await?;
    let entry = records.into_iter().next().map(Entry::decode);
    Ok(match entry.as_ref().and_then(Entry::event) {
        Some(Event::ControlLimitsFrozen(frozen)) => Some(frozen.clone()),
        _ => None,
    })
}

/// What is explained.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CausesParameters {
    /// The code of a defect; rolls that failed, when absent.
    pub defect: Option<String>,
    /// Rolls doffed from this event time; 90 days before `to`, when absent.
    pub from: Option<String>,
    /// Rolls doffed to this event time; now, when absent.
    pub to: Option<String>,
    /// The share of discoveries that may be false; 0.05, when absent.
    pub false_discovery_rate: Option<f64>,
    /// How many candidates, up to 1000.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What goes with a defect: looms, styles, beams, weft lots, people, crews, set-points, ranked with effect sizes and a false-discovery bound.
#[utoipa::path(get, path = "/api/v1/knowledge/quality/causes", tag = "knowledge", params(CausesParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn ranked_causes(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<CausesParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 90)?;
    let defect = id("defect", parameters.defect.as_ref(), Code::new)?;
    let outcome = defect.map_or(Explained::Failed, Explained::Defect);
    let false_discovery_rate = false_discovery_rate(parameters.false_discovery_rate)?;
    let limit = limit(parameters.limit)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let mut found = with_quality(&app, &mut basis, |models, as_of| {
        causes(models, &CauseRequest { outcome, from, to, as_of, false_discovery_rate })
    });
    found.causes.truncate(limit);
    basis.one(&found)
}

/// Which rolls.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GradesParameters {
    /// Only this roll.
    pub lot: Option<String>,
    /// Only this order.
    pub order: Option<String>,
    /// Only this asset.
    pub asset: Option<String>,
    /// Only this product.
    pub product: Option<String>,
    /// How many, up to 1000, the latest first.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Rolls graded by the four-point system (ASTM D5430): points per 100 m² and per 100 yd², the latest first.
#[utoipa::path(get, path = "/api/v1/knowledge/quality/grades", tag = "knowledge", params(GradesParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn graded(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<GradesParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let scope = QualityScope {
        lot: id("lot", parameters.lot.as_ref(), LotId::new)?,
        order: id("order", parameters.order.as_ref(), OrderId::new)?,
        asset: id("asset", parameters.asset.as_ref(), AssetId::new)?,
        product: id("product", parameters.product.as_ref(), MaterialId::new)?,
    };
    let limit = limit(parameters.limit)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let mut rolls = with_quality(&app, &mut basis, |models, as_of| grades(models, &scope, as_of));
    rolls.reverse();
    rolls.truncate(limit);
    basis.records(&rolls)
}
