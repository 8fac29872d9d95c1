//! Operating regimes learnt from readings, and where signals left what is usual in them.

use axum::extract::State;
use domain::ids::{AssetClass, AssetId, Code};
use eventlog::EventLog;
use jiff::{SignedDuration, Timestamp};
use projections::AsOf;
use projections::operating::deviations::{DeviationRequest, deviations};
use projections::operating::observed::{AssetPieces, GatherError, ObservationModels, ObservationPlan, gather};
use projections::operating::regimes::{FEATURES, Regimes};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Basis, MAX_DAYS, OneRecord, Records, amount, id, limit, window};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::routes::common::parse_optional_time;
use crate::server::App;

impl From<GatherError> for Problem {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::TooMany => Self::too_large(error.to_string()),
            GatherError::Log(error) => Self::from(error),
        }
    }
}

/// The most features.
const MAX_FEATURES: usize = 8;
/// Days that regimes are learnt from, where the caller names no number.
pub(super) const DEFAULT_DAYS: f64 = 7.0;

/// Whose regimes.
pub(super) struct Whose {
    asset: Option<AssetId>,
    class: Option<AssetClass>,
}

impl Whose {
    /// One asset, or all of a class.
    pub(super) fn asked(asset: Option<&String>, class: Option<&String>) -> Result<Self, Problem> {
        let (asset, class) = (id("asset", asset, AssetId::new)?, id("class", class, AssetClass::new)?);
        if asset.is_some() == class.is_some() {
            return Err(Problem::invalid("asset", "name an asset or a class"));
        }
        Ok(Self { asset, class })
    }

    pub(super) const fn of(asset: AssetId) -> Self {
        Self { asset: Some(asset), class: None }
    }
}

/// The quantities that tell regimes apart: those that are named, with commas; or the usual ones.
fn features(text: Option<&String>) -> Result<Vec<Code>, Problem> {
    let names: Vec<&str> = text.map_or_else(|| FEATURES.to_vec(), |text| text.split(',').map(str::trim).collect());
    if names.len() > MAX_FEATURES {
        return Err(Problem::invalid("features", format!("{} are more than {MAX_FEATURES}", names.len())));
    }
    names.into_iter().map(|name| Code::new(name).map_err(|error| Problem::invalid("features", error))).collect()
}

/// How many days regimes are learnt from.
fn learnt_days(asked: Option<f64>) -> Result<SignedDuration, Problem> {
    let days = amount("days", asked, DEFAULT_DAYS)?;
    #[expect(clippy::cast_precision_loss, reason = "a number of days")]
    let most = MAX_DAYS as f64;
    if days <= 0.0 || days > most {
        return Err(Problem::invalid("days", format!("{days} is not above 0 and up to {MAX_DAYS}")));
    }
    SignedDuration::try_from_secs_f64(days * 86_400.0).map_err(|error| Problem::invalid("days", error))
}

fn before(field: &str, time: Timestamp, span: SignedDuration) -> Result<Timestamp, Problem> {
    time.checked_sub(span).map_err(|error| Problem::invalid(field, error))
}

/// Reads what was measured while the assets ran: plans with the read models, and then asks the log for each signal's range.
pub(super) async fn observe(
    app: &App,
    basis: &mut Basis,
    whose: &Whose,
    window: (Timestamp, Timestamp),
    quantities: Option<&[Code]>,
) -> Result<Vec<AssetPieces>, Problem> {
    let engine = &app.engine;
    let plan = engine.catalog.read(|catalog, at_catalog| {
        engine.states.read(|states, at_states| {
            engine.production.read(|production, at_production| {
                let stores = [("catalog", at_catalog), ("states", at_states), ("production", at_production)];
                stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                let as_of: AsOf = basis.as_of();
                let assets: Vec<AssetId> = match (&whose.asset, &whose.class) {
                    (Some(asset), _) => catalog.asset(asset, as_of).map(|_| asset.clone()).into_iter().collect(),
                    (None, Some(class)) => {
                        catalog.assets_of_class(class, as_of).map(|fact| fact.value.asset.clone()).collect()
                    }
                    (None, None) => Vec::new(),
                };
                if assets.is_empty() {
                    return Err(match (&whose.asset, &whose.class) {
                        (Some(asset), _) => Problem::not_found("asset", asset.as_str()),
                        (None, class) => {
                            Problem::not_found("asset of class", class.as_ref().map_or("", AssetClass::as_str))
                        }
                    });
                }
                let models = ObservationModels { catalog, states, production };
                Ok(ObservationPlan::new(models, &assets, window, quantities, as_of))
            })
        })
    })?;
    basis.pin();
    let log: &dyn EventLog = &*engine.log;
    Ok(gather(log, plan).await?)
}

/// Which regimes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RegimesParameters {
    /// Of this asset; or of a class.
    pub asset: Option<String>,
    /// Of all assets of this class together.
    pub class: Option<String>,
    /// The quantities that tell regimes apart, with commas; `loom_speed,humidity,temperature` as far as they are measured, when absent. The product always does.
    pub features: Option<String>,
    /// As learnt at this event time, and which regime the assets were in then; now, when absent.
    pub at: Option<String>,
    /// From so many days before `at`; 7, when absent.
    pub days: Option<f64>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// In which regime an asset was last.
#[derive(Debug, Serialize)]
struct Current<'a> {
    asset: &'a AssetId,
    /// `null` when the last piece is in none.
    regime: Option<&'a str>,
    /// When the last piece of running time begins.
    from: Timestamp,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    from: Timestamp,
    to: Timestamp,
    #[serde(flatten)]
    regimes: &'a Regimes,
    current: Vec<Current<'a>>,
}

/// The operating regimes of an asset or a class, learnt from its readings in running time: by product, then by levels of speed, humidity and temperature; with the baseline (median) and
/// the envelope (1 % and 99 %) of each signal in each.
#[utoipa::path(get, path = "/api/v1/knowledge/operating/regimes", tag = "knowledge", params(RegimesParameters),
    responses((status = 200, body = OneRecord), (status = 413, body = Problem, description = "Too many readings are in the window"), (status = "4XX", body = Problem)))]
pub async fn regimes(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<RegimesParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let whose = Whose::asked(parameters.asset.as_ref(), parameters.class.as_ref())?;
    let features = features(parameters.features.as_ref())?;
    let to = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let from = before("days", to, learnt_days(parameters.days)?)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let observed = observe(&app, &mut basis, &whose, (from, to), None).await?;
    let learnt = Regimes::learn(&observed, &features);
    let current = observed.iter().filter_map(|asset| {
        let last = asset.pieces.last()?;
        let regime = learnt.of(last).map(|regime| regime.regime.as_str());
        Some(Current { asset: &asset.asset, regime, from: last.from })
    });
    basis.one(&Shown { from, to, regimes: &learnt, current: current.collect() })
}

/// Which deviations.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeviationsParameters {
    /// Of this asset; or of a class.
    pub asset: Option<String>,
    /// Of all assets of this class, judged by what is usual for them together.
    pub class: Option<String>,
    /// The quantities that tell regimes apart, with commas, as for regimes.
    pub features: Option<String>,
    /// Deviations from this event time; a day before `to`, when absent.
    pub from: Option<String>,
    /// Deviations to this event time; now, when absent.
    pub to: Option<String>,
    /// Only episodes that lasted at this event time.
    pub at: Option<String>,
    /// What is usual is learnt from so many days before `from`; 7, when absent.
    pub days: Option<f64>,
    /// Outside for at least so many minutes of running time, in pieces of ten; 30, when absent.
    pub min_minutes: Option<f64>,
    /// Outside of the envelope, and at least so many robust deviations from the median; 3, when absent.
    pub min_z: Option<f64>,
    /// How many, up to 1000, the latest first.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Episodes in which a signal stayed outside of what is usual in the regime that the machine was in, with start, end, robust distance and the positions of the readings. What is usual is
/// learnt from the time before the window, so that a long deviation does not become usual while it lasts.
#[utoipa::path(get, path = "/api/v1/knowledge/operating/deviations", tag = "knowledge", params(DeviationsParameters),
    responses((status = 200, body = Records), (status = 413, body = Problem, description = "Too many readings are in the window"), (status = "4XX", body = Problem)))]
pub async fn deviating(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<DeviationsParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let whose = Whose::asked(parameters.asset.as_ref(), parameters.class.as_ref())?;
    let features = features(parameters.features.as_ref())?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 1)?;
    let at = parse_optional_time("at", parameters.at.as_ref())?;
    let since = before("days", from, learnt_days(parameters.days)?)?;
    let minutes = amount("min_minutes", parameters.min_minutes, 30.0)?;
    let least =
        SignedDuration::try_from_secs_f64(minutes * 60.0).map_err(|error| Problem::invalid("min_minutes", error))?;
    let least_z = amount("min_z", parameters.min_z, 3.0)?;
    let limit = limit(parameters.limit)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let observed = observe(&app, &mut basis, &whose, (since, to), None).await?;
    let mut earlier = observed.clone();
    earlier.iter_mut().for_each(|asset| asset.pieces.retain(|piece| piece.to() <= from));
    let learnt = Regimes::learn(&earlier, &features);
    let mut found = deviations(&learnt, &observed, DeviationRequest { least_z, least, from, to });
    found.retain(|deviation| at.is_none_or(|at| deviation.start <= at && at < deviation.end));
    found.reverse();
    found.truncate(limit);
    basis.records(&found)
}

/// When an asset was in which regime, by the usual features, in a window; nothing for an asset that is not in the catalog.
pub(super) async fn regime_times(
    app: &App,
    basis: &mut Basis,
    asset: AssetId,
    window: (Timestamp, Timestamp),
) -> Result<projections::control::RegimeTimes, Problem> {
    let features = features(None)?;
    if app.engine.catalog.read(|catalog, _| catalog.asset(&asset, AsOf::LATEST).is_none()) {
        return Ok(projections::control::RegimeTimes::new());
    }
    let observed = observe(app, basis, &Whose::of(asset), window, Some(&features)).await?;
    let learnt = Regimes::learn(&observed, &features);
    Ok(observed.iter().map(|asset| (asset.asset.clone(), learnt.spans(asset))).collect())
}
