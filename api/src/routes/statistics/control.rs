//! Set-point changes with what followed, and the best known values.

use axum::extract::State;
use domain::ids::{AssetId, Code, MaterialId};
use jiff::SignedDuration;
use projections::control::{BestRequest, ChangeRequest, RegimeTimes, best_values, changes};
use serde::Deserialize;
use utoipa::IntoParams;

use super::regimes::{DEFAULT_DAYS, regime_times};
use super::{Basis, Records, amount, false_discovery_rate, id, limit, window, with_operating};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which changes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChangesParameters {
    /// Only at this asset.
    pub asset: Option<String>,
    /// Only of this parameter.
    pub parameter: Option<String>,
    /// Changes from this event time; 30 days before `to`, when absent.
    pub from: Option<String>,
    /// Changes to this event time; now, when absent.
    pub to: Option<String>,
    /// How many hours are looked before and after a change; 24, when absent. Another change at the asset ends a window sooner.
    pub window_hours: Option<f64>,
    /// What stops are compared with beside the window before: `regime`, for which the asset must be named (the default where it is), or `product`. Regimes are learnt from 7 days before `from`
    /// to `to`; where none is known, the product's baseline takes its place, and the record says so.
    pub baseline: Option<String>,
    /// The share of discoveries that may be false; 0.05, when absent.
    pub false_discovery_rate: Option<f64>,
    /// How many, up to 1000, the latest first.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Which baseline is asked for: whether regimes are learnt.
fn by_regime(baseline: Option<&str>, asset: Option<&AssetId>) -> Result<bool, Problem> {
    match baseline {
        None => Ok(asset.is_some()),
        Some("product") => Ok(false),
        Some("regime") if asset.is_some() => Ok(true),
        Some("regime") => Err(Problem::invalid("asset", "regimes are learnt for one asset: name it")),
        Some(other) => Err(Problem::invalid("baseline", format!("{other:?} is neither regime nor product"))),
    }
}

/// Each set-point change with what followed: stops before and after it, and against the baseline of the regime or the product.
#[utoipa::path(get, path = "/api/v1/knowledge/control/changes", tag = "knowledge", params(ChangesParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn what_followed(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ChangesParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 30)?;
    let hours = amount("window_hours", parameters.window_hours, 24.0)?;
    let window =
        SignedDuration::try_from_secs_f64(hours * 3600.0).map_err(|error| Problem::invalid("window_hours", error))?;
    let asset = id("asset", parameters.asset.as_ref(), AssetId::new)?;
    let parameter = id("parameter", parameters.parameter.as_ref(), Code::new)?;
    let false_discovery_rate = false_discovery_rate(parameters.false_discovery_rate)?;
    let limit = limit(parameters.limit)?;
    let by_regime = by_regime(parameters.baseline.as_deref(), asset.as_ref())?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let regimes = match asset.clone().filter(|_| by_regime) {
        Some(asset) => {
            let learnt_from = SignedDuration::try_from_secs_f64(DEFAULT_DAYS * 86_400.0)
                .ok()
                .and_then(|days| from.checked_sub(days).ok())
                .unwrap_or(from);
            let reach = to.checked_add(window).unwrap_or(to);
            regime_times(&app, &mut basis, asset, (learnt_from, reach)).await?
        }
        None => RegimeTimes::new(),
    };
    let records = with_operating(&app, &mut basis, |models, as_of| {
        let request = ChangeRequest { asset, parameter, from, to, window, as_of, false_discovery_rate, limit };
        changes(models, &request, &regimes)
    });
    basis.records(&records)
}

/// Which values.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BestParameters {
    /// Only of this product.
    pub product: Option<String>,
    /// Only at this asset.
    pub asset: Option<String>,
    /// Only of this parameter.
    pub parameter: Option<String>,
    /// From this event time; 90 days before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// The share of discoveries that may be false; 0.05, when absent.
    pub false_discovery_rate: Option<f64>,
    /// A value is compared when at least this many picks were woven with it; 100,000, when absent.
    pub min_picks: Option<f64>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// The values of set-points by product: what was woven with each, and which one is the best known.
#[utoipa::path(get, path = "/api/v1/knowledge/control/best", tag = "knowledge", params(BestParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn best(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<BestParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 90)?;
    let product = id("product", parameters.product.as_ref(), MaterialId::new)?;
    let asset = id("asset", parameters.asset.as_ref(), AssetId::new)?;
    let parameter = id("parameter", parameters.parameter.as_ref(), Code::new)?;
    let false_discovery_rate = false_discovery_rate(parameters.false_discovery_rate)?;
    let min_picks = amount("min_picks", parameters.min_picks, 100_000.0)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let records = with_operating(&app, &mut basis, |models, as_of| {
        best_values(
            models,
            &BestRequest { product, asset, parameter, from, to, as_of, false_discovery_rate, min_picks },
        )
    });
    basis.records(&records)
}
