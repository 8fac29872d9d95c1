//! Alarms: what stands, what is kept back, and how well alarms serve the people who must act on them (ISA-18.2).

use std::collections::BTreeMap;

use axum::extract::State;
use domain::ids::AssetId;
use jiff::Timestamp;
use projections::folds::alarm_performance::{
    GROUP_GAP, bad_actors, chattering, fleeting, floods, groups, rates, stale,
};
use projections::folds::alarms::Activation;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::super::common::{parse_optional_time, to_json};
use super::{Basis, OneRecord, id, limit, window};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which alarms.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StandingParameters {
    /// Only this asset.
    pub asset: Option<String>,
    /// At this event time, for what is kept back; now, when absent.
    pub at: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// The alarms that stand: active, or over and not acknowledged; and those that are shelved, suppressed or out of service.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "plant", params(StandingParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn standing(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<StandingParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asset = id("asset", parameters.asset.as_ref(), AssetId::new)?;
    let at = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let items = app.engine.alarms.read(|alarms, checkpoint| {
        basis.store("alarms", checkpoint);
        let as_of = basis.as_of();
        let is_asked = |other: &AssetId| asset.as_ref().is_none_or(|asset| asset == other);
        let stands =
            alarms.all(as_of).filter(|view| is_asked(&view.raised.asset) && (view.active || !view.acknowledged));
        let kept_back = alarms.suppressed_at(at, as_of).filter(|view| is_asked(view.asset));
        Ok::<_, Problem>(json!({
            "standing": to_json(&stands.collect::<Vec<_>>())?,
            "kept_back": to_json(&kept_back.collect::<Vec<_>>())?,
        }))
    })?;
    basis.one(&items)
}

/// Which window.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PerformanceParameters {
    /// From this event time; a day before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// How many bad actors, up to 1000; 100, when absent. Of other lists the latest so many.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Rates by area, floods, bad actors, chattering, fleeting and stale alarms, and groups with their first-up alarm.
#[utoipa::path(get, path = "/api/v1/alarms/performance", tag = "knowledge", params(PerformanceParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn performance(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PerformanceParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 1)?;
    let limit = limit(parameters.limit)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let items = app.engine.catalog.read(|catalog, checkpoint| {
        basis.store("catalog", checkpoint);
        app.engine.alarms.read(|alarms, checkpoint| {
            basis.store("alarms", checkpoint);
            let as_of = basis.as_of();
            let activations = alarms.activations(from, to, as_of);
            // An asset that stands nowhere belongs to the place without a name: its alarms come to somebody, too.
            let places: BTreeMap<AssetId, String> = activations
                .iter()
                .map(|activation| activation.raised.asset.clone())
                .map(|asset| {
                    let area = catalog.area_of(&asset, to, as_of);
                    (asset, area.map_or_else(String::new, |area| area.as_str().to_owned()))
                })
                .collect();
            assess(&activations, (from, to), &places, limit)
        })
    })?;
    basis.one(&items)
}

/// The figures of a window. What had been raised before it burdens it only when it has become stale.
fn assess(
    activations: &[Activation<'_>],
    (from, to): (Timestamp, Timestamp),
    places: &BTreeMap<AssetId, String>,
    limit: usize,
) -> Result<Value, Problem> {
    let came: Vec<Activation<'_>> =
        activations.iter().filter(|activation| activation.raised_at >= from).cloned().collect();
    let place = |asset: &AssetId| places.get(asset).cloned();
    let (groups, fleeting) = (groups(&came, GROUP_GAP), fleeting(&came));
    let latest = |length: usize| length.saturating_sub(limit)..;
    Ok(json!({
        "rates": to_json(&rates(&came, (from, to), places.values().cloned(), place))?,
        "floods": to_json(&floods(&came, (from, to), place))?,
        "bad_actors": to_json(&bad_actors(&came, limit))?,
        "chattering": to_json(&chattering(&came))?,
        "fleeting": to_json(&fleeting.get(latest(fleeting.len())))?,
        "stale": to_json(&stale(activations, to))?,
        "groups": to_json(&groups.get(latest(groups.len())))?,
    }))
}
