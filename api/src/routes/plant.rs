//! The plant: assets, signals, latest values and machine states.

use axum::extract::{Path, State};
use domain::ids::{AssetId, SignalId};
use jiff::Timestamp;
use projections::folds::latest::Series;
use projections::{AsOf, Fact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::common::{Asked, Page, offset, page_size, parse_optional_time, to_json, with};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which assets or signals.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PlantParameters {
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

impl PlantParameters {
    async fn as_of(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        known(app, self.as_of.clone(), self.min_position).await
    }

    fn asset(&self) -> Result<Option<AssetId>, Problem> {
        self.asset
            .as_deref()
            .map(|text| AssetId::new(text).map_err(|error| Problem::invalid("asset", error)))
            .transpose()
    }
}

/// What counts: `None` when nothing was known yet at the asked moment.
async fn known(app: &App, as_of: Option<String>, min_position: Option<u64>) -> Result<Option<AsOf>, Problem> {
    let asked = Asked { as_of, min_position };
    asked.wait(app).await?;
    if asked.as_of.is_none() {
        return Ok(Some(AsOf::LATEST));
    }
    Ok(asked.position(app).await?.map(AsOf::through))
}

fn fact<T: Serialize>(fact: &Fact<T>) -> Result<Value, Problem> {
    Ok(with(to_json(&fact.value)?, [("position", json!(fact.position))]))
}

/// Every asset.
#[utoipa::path(get, path = "/api/v1/assets", tag = "plant", params(PlantParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn assets(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PlantParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.catalog.read(|catalog, _| {
        catalog
            .assets(as_of)
            .filter(|asset| parameters.class.as_deref().is_none_or(|class| asset.value.class.as_str() == class))
            .filter(|asset| parameters.asset.as_deref().is_none_or(|id| asset.value.asset.as_str() == id))
            .skip(offset)
            .take(limit + 1)
            .map(fact)
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// At which moments.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AssetParameters {
    /// What was so then (event time); now, when absent.
    pub at: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// One asset: what it is, the roles that it fills, what it does, and its signals.
#[utoipa::path(get, path = "/api/v1/assets/{asset}", tag = "plant", params(("asset" = String, Path), AssetParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn asset(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<AssetParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asset = AssetId::new(&id).map_err(|error| Problem::invalid("asset", error))?;
    let at = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let unknown = || Problem::not_found("asset", &id);
    let as_of = known(&app, parameters.as_of, parameters.min_position).await?.ok_or_else(unknown)?;
    let (registered, roles, signals) = app.engine.catalog.read(|catalog, _| {
        let registered = catalog.asset(&asset, as_of).map(fact);
        let roles: Vec<_> =
            catalog.roles_of(&asset, at, as_of).iter().map(|mapping| mapping.equipment.clone()).collect();
        let signals = catalog.signals_of(&asset, as_of).map(fact).collect::<Result<Vec<_>, _>>();
        (registered, roles, signals)
    });
    let state = app.engine.states.read(|states, _| states.state_at(&asset, at, as_of).map(to_json).transpose())?;
    let shown = match registered {
        Some(registered) => registered?,
        // An asset that only its events know is shown too: imports often have no register of assets.
        None if state.is_some() => json!({"asset": id, "position": null}),
        None => return Err(unknown()),
    };
    let members = [
        ("at", json!(at)),
        ("roles", to_json(&roles)?),
        ("signals", signals?.into()),
        ("state", state.unwrap_or(Value::Null)),
    ];
    Ok(axum::Json(with(shown, members)))
}

/// The tag catalog.
#[utoipa::path(get, path = "/api/v1/signals", tag = "plant", params(PlantParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn signals(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PlantParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let asset = parameters.asset()?;
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), offset, limit)));
    };
    let items = app.engine.catalog.read(|catalog, _| {
        catalog
            .signals(as_of)
            .filter(|signal| asset.as_ref().is_none_or(|asset| &signal.value.asset == asset))
            .skip(offset)
            .take(limit + 1)
            .map(fact)
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

/// The latest value of each signal, with the address of its reading.
#[utoipa::path(get, path = "/api/v1/values", tag = "plant", params(PlantParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn values(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PlantParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    if parameters.as_of.is_some() {
        return Err(Problem::invalid("as_of", "latest values are of the present; read the log for values of the past"));
    }
    let (limit, offset) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let asset = parameters.asset()?;
    parameters.as_of(&app).await?;
    let wanted: Option<Vec<SignalId>> = asset.map(|asset| {
        app.engine.catalog.read(|catalog, _| {
            catalog.signals_of(&asset, AsOf::LATEST).map(|signal| signal.value.signal.clone()).collect()
        })
    });
    let items: Vec<Value> = app.engine.latest.read(|latest, _| match &wanted {
        Some(signals) => signals
            .iter()
            .filter_map(|signal| Some((signal.as_str(), latest.signal(signal.as_str())?)))
            .skip(offset)
            .take(limit + 1)
            .map(|(signal, series)| latest_value(&app, signal, series))
            .collect(),
        None => latest
            .signals()
            .skip(offset)
            .take(limit + 1)
            .map(|(signal, series)| latest_value(&app, signal, series))
            .collect(),
    });
    Ok(axum::Json(Page::of_offset(items, offset, limit)))
}

fn latest_value(app: &App, signal: &str, series: &Series) -> Value {
    let unit = SignalId::new(signal).ok().and_then(|id| {
        app.engine.catalog.read(|catalog, _| catalog.signal(&id, AsOf::LATEST).map(|signal| signal.value.unit.clone()))
    });
    match series.latest() {
        Some(sample) => json!({
            "signal": signal, "value": sample.value, "unit": unit, "time": sample.time(), "status": sample.status,
            "position": sample.position, "row": sample.row, "count": series.count(),
        }),
        None => json!({"signal": signal, "value": null, "count": series.count()}),
    }
}

/// The most recent readings of a signal that are kept at hand (up to 256), oldest first, each with its address.
#[utoipa::path(get, path = "/api/v1/signals/{signal}/recent", tag = "plant", params(("signal" = String, Path)),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn recent(
    State(app): State<App>,
    caller: Caller,
    Path(signal): Path<String>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let items = app.engine.latest.read(|latest, _| {
        let series = latest.signal(&signal)?;
        let shown = series.recent().map(|sample| {
            json!({"time": sample.time(), "value": sample.value, "status": sample.status, "position": sample.position, "row": sample.row})
        });
        Some(shown.collect::<Vec<_>>())
    });
    let items = items.ok_or_else(|| Problem::not_found("signal", &signal))?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Which stretch of time.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WindowParameters {
    /// From this event time; a day before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// What a machine did in a stretch of time: its states, and how long it was in each.
#[utoipa::path(get, path = "/api/v1/assets/{asset}/states", tag = "plant", params(("asset" = String, Path), WindowParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn states(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<WindowParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asset = AssetId::new(&id).map_err(|error| Problem::invalid("asset", error))?;
    let to = parse_optional_time("to", parameters.to.as_ref())?.unwrap_or_else(Timestamp::now);
    let day = jiff::SignedDuration::from_hours(24);
    let from = match parse_optional_time("from", parameters.from.as_ref())? {
        Some(from) => from,
        None => to.checked_sub(day).map_err(|error| Problem::invalid("to", error))?,
    };
    if from >= to {
        return Err(Problem::invalid("from", format!("{from} is not before {to}")));
    }
    let Some(as_of) = known(&app, parameters.as_of, parameters.min_position).await? else {
        return Err(Problem::not_found("asset", &id));
    };
    let (intervals, totals) = app
        .engine
        .states
        .read(|states, _| (states.intervals(&asset, from, to, as_of), states.totals(&asset, from, to, as_of)));
    Ok(axum::Json(
        json!({"asset": id, "from": from, "to": to, "items": to_json(&intervals)?, "totals": to_json(&totals)?}),
    ))
}
