//! Where it came from, and where it went.

use axum::extract::{Path, State};
use domain::Interval;
use projections::AsOf;
use projections::folds::genealogy::NodeKind;
use projections::trace::{MAX_DEPTH, MAX_NODES, TraceAnswer, TraceDirection, TraceError, TraceRequest};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::common::{Asked, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// How far, which way, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TraceParameters {
    /// `back` (what went into it), `forward` (what became of it) or `both` (the default).
    #[param(value_type = Option<String>)]
    pub direction: Option<TraceDirection>,
    /// How many steps, up to 64.
    pub depth: Option<u32>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many nodes, up to 5000.
    pub limit: Option<usize>,
    /// Only the stretch of the lot from this metre on.
    pub start_m: Option<f64>,
    /// Only the stretch of the lot up to this metre.
    pub end_m: Option<f64>,
}

/// The trace that the parameters ask for.
///
/// # Errors
/// A 400 problem that names the parameter, or a 404 problem when the thing was not known.
pub async fn answer(app: &App, kind: &str, id: &str, parameters: TraceParameters) -> Result<TraceAnswer, Problem> {
    let kind = NodeKind::parse(kind).ok_or_else(|| {
        let known: Vec<_> = NodeKind::ALL.iter().map(|kind| kind.as_str()).collect();
        Problem::invalid("kind", format!("{kind:?} is none of {}", known.join(", ")))
    })?;
    let mut request = TraceRequest::new(kind, id);
    request.direction = parameters.direction.unwrap_or_default();
    request.depth = within("depth", parameters.depth, request.depth, MAX_DEPTH)?;
    request.limit = within("limit", parameters.limit, request.limit, MAX_NODES)?;
    request.stretch = match (parameters.start_m, parameters.end_m) {
        (None, None) => None,
        (start, end) => {
            let interval = Interval { start_m: start.unwrap_or(0.0), end_m: end.unwrap_or(f64::MAX) };
            if interval.length_m().is_nan() || interval.length_m() <= 0.0 {
                return Err(Problem::invalid(
                    "start_m",
                    format!("{} is not before end_m {}", interval.start_m, interval.end_m),
                ));
            }
            Some(interval)
        }
    };
    let asked = Asked { as_of: parameters.as_of, min_position: parameters.min_position };
    asked.wait(app).await?;
    let unknown = |error: &TraceError| match error {
        TraceError::Unknown { kind, id } => Problem::not_found(kind.as_str(), id),
    };
    if asked.as_of.is_some() {
        let nothing_yet = TraceError::Unknown { kind, id: id.to_owned() };
        request.as_of = asked.position(app).await?.map(AsOf::through).ok_or_else(|| unknown(&nothing_yet))?;
    }
    app.engine
        .genealogy
        .read(|genealogy, _| projections::trace::query(genealogy, &request))
        .map_err(|error| unknown(&error))
}

fn within<T: PartialOrd + Default + Copy + std::fmt::Display>(
    field: &str,
    asked: Option<T>,
    default: T,
    most: T,
) -> Result<T, Problem> {
    match asked {
        None => Ok(default),
        Some(value) if value > T::default() && value <= most => Ok(value),
        Some(value) => Err(Problem::invalid(field, format!("{value} is not from 1 to {most}"))),
    }
}

/// Traces a lot, order, asset, prediction or model version: nodes, edges, and the positions of the events behind them.
#[utoipa::path(get, path = "/api/v1/trace/{kind}/{id}", tag = "trace",
    params(("kind" = String, Path, description = "lot, order, operation, asset, material, person, shipment, inspection, nonconformance, signal, model, model_version, deployment, prediction"),
        ("id" = String, Path), TraceParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn trace(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    Query(parameters): Query<TraceParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    Ok(axum::Json(to_json(&answer(&app, &kind, &id, parameters).await?)?))
}
