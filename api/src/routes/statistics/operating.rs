//! Operating performance by asset, product and shift; what the best crew does differently.

use axum::extract::State;
use domain::ids::{AssetId, MaterialId};
use domain::schedule::ScheduleError;
use projections::control::{CrewRequest, crews};
use projections::operating::{ByShift, OperatingRequest, operating};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Basis, OneRecord, Records, amount, false_discovery_rate, id, window, with_operating};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::TooLong { .. } => Self::invalid("from", error),
            ScheduleError::TimeZone { .. } | ScheduleError::Pattern { .. } => Self::no_answer(error),
        }
    }
}

/// Which figures.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FiguresParameters {
    /// Only this asset.
    pub asset: Option<String>,
    /// From this event time; a day before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// What is told apart, with commas: `asset` (the default), `product`, and one of `shift`, `crew` or `turn`; `none` for the sum of all.
    pub by: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What is told apart: assets, products, shifts.
fn by(text: Option<&str>) -> Result<(bool, bool, ByShift), Problem> {
    let (mut by_asset, mut by_product, mut by_shift) = (false, false, ByShift::None);
    for part in text.unwrap_or("asset").split(',').map(str::trim) {
        let shift = match part {
            "asset" => {
                by_asset = true;
                continue;
            }
            "product" => {
                by_product = true;
                continue;
            }
            "none" => continue,
            "shift" => ByShift::Name,
            "crew" => ByShift::Crew,
            "turn" => ByShift::Turn,
            other => {
                let known = "asset, product, shift, crew, turn, none";
                return Err(Problem::invalid("by", format!("{other:?} is none of {known}")));
            }
        };
        if by_shift != ByShift::None {
            return Err(Problem::invalid("by", "shifts are told apart in one way: by shift, crew or turn"));
        }
        by_shift = shift;
    }
    Ok((by_asset, by_product, by_shift))
}

/// ISO 22400 figures with their numerators and denominators, stops by kind, loom efficiency, mean times: by asset, product and shift.
#[utoipa::path(get, path = "/api/v1/knowledge/operating/figures", tag = "knowledge", params(FiguresParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn figures(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<FiguresParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 1)?;
    let (by_asset, by_product, by_shift) = by(parameters.by.as_deref())?;
    let assets = id("asset", parameters.asset.as_ref(), AssetId::new)?.into_iter().collect();
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let records = app.engine.catalog.read(|catalog, checkpoint| {
        basis.store("catalog", checkpoint);
        with_operating(&app, &mut basis, |models, as_of| {
            let request = OperatingRequest { assets, from, to, as_of, by_asset, by_product, by_shift };
            operating(models, &request, &|asset, equipment, at| catalog.is_in(asset, equipment, at, as_of))
        })
    })?;
    basis.records(&records)
}

/// Which crews.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CrewsParameters {
    /// Only this product: crews that weave other styles cannot be compared.
    pub product: Option<String>,
    /// `crew` (the default) or `shift`, for the shift's name.
    pub by: Option<String>,
    /// From this event time; 30 days before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// The share of discoveries that may be false; 0.05, when absent.
    pub false_discovery_rate: Option<f64>,
    /// A crew is ranked when it wove at least this many picks; 100,000, when absent.
    pub min_picks: Option<f64>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Crews by loom efficiency, and what the best one does differently, with intervals and a false-discovery bound.
#[utoipa::path(get, path = "/api/v1/knowledge/operating/crews", tag = "knowledge", params(CrewsParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn best_crew(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<CrewsParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 30)?;
    let by = match parameters.by.as_deref() {
        None | Some("crew") => ByShift::Crew,
        Some("shift") => ByShift::Name,
        Some(other) => return Err(Problem::invalid("by", format!("{other:?} is neither crew nor shift"))),
    };
    let product = id("product", parameters.product.as_ref(), MaterialId::new)?;
    let false_discovery_rate = false_discovery_rate(parameters.false_discovery_rate)?;
    let min_picks = amount("min_picks", parameters.min_picks, 100_000.0)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let found = app.engine.catalog.read(|catalog, checkpoint| {
        basis.store("catalog", checkpoint);
        with_operating(&app, &mut basis, |models, as_of| {
            let request = CrewRequest { by, product, from, to, as_of, false_discovery_rate, min_picks };
            crews(models, &request, &|asset, equipment, at| catalog.is_in(asset, equipment, at, as_of))
        })
    })?;
    basis.one(&found)
}
