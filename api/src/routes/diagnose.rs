//! Diagnosis: what is seen, said by a person or looked up by the system itself, and what was shown then.

use axum::extract::State;
use domain::events::{AdviceVerdict, AdvisedAction, AdvisedMode, DiagnosisGiven};
use domain::ids::{AssetClass, AssetId, Code, FaultId};
use eventlog::{AppendCondition, Direction, Filter, Position};
use jiff::Timestamp;
use knowledge::diagnose::{ActionScore, Candidate, DiagnoseRequest, Diagnosis, Verdict};
use precursors::look::{Look, look, signals};
use projections::{AsOf, Meta};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::common::{parse_optional_time, to_json, with};
use super::knowledge::{as_of, limit};
use crate::auth::{Caller, Permission};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;

/// What is seen.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagnoseBody {
    /// The asset that it is seen at. Without symptoms and alarms, the system looks at its readings and alarms itself.
    pub asset: Option<String>,
    /// The moment at which the system looks at the readings and alarms of the asset (RFC 3339), also beside symptoms and alarms. Where it is absent and the system looks: the time of `as_of`, or now.
    pub at: Option<String>,
    /// Its class; that of the asset, when absent.
    pub class: Option<String>,
    /// What is seen, in Chinese or English words.
    #[serde(default)]
    pub symptoms: String,
    /// Codes of alarms that are active, the first one first.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// The fault episode that it is asked for, so that its coding later says whether the diagnosis was right.
    pub fault: Option<String>,
    /// What was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// The most modes, and the most past episodes for each.
    pub limit: Option<usize>,
}

/// Which failure modes fit what is seen, and what helped; or that nothing fits. `seen` is what the system saw at the asset itself, `lots` what was on it since then. What was shown is logged
/// (`diagnosis.given`): `logged` is its position, or null where the log takes nothing at present.
#[utoipa::path(post, path = "/api/v1/knowledge/diagnose", tag = "knowledge", request_body = DiagnoseBody, responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn diagnose(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<DiagnoseBody>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let fault =
        body.fault.as_deref().map(FaultId::new).transpose().map_err(|error| Problem::invalid("fault", error))?;
    let as_of = as_of(&app, body.as_of, body.min_position).await?;
    let limit = limit(body.limit)?;
    app.engine.wait_for_cases(as_of, app.limits.patience()).await?;
    let mut request = DiagnoseRequest {
        asset: body.asset,
        class: body.class,
        symptoms: body.symptoms,
        alarms: body.alarms,
        at: parse_optional_time("at", body.at.as_ref())?,
        readings: Vec::new(),
        as_of,
        limit,
    };
    let mut shown = looked(&app, &mut request).await?;
    let diagnosis = app.engine.knowledge.diagnose(request.clone()).await?;
    let given = given(&request, fault, &diagnosis);
    shown.push(("diagnosis", json!(given.diagnosis)));
    shown.push(("logged", json!(log_given(&app, &caller, given).await)));
    Ok(axum::Json(with(to_json(&diagnosis)?, shown)))
}

/// Looks at the asset where that is asked for, or nothing else is said: what it showed goes into the question, and is part of the answer with the lots that were there since.
async fn looked(app: &App, request: &mut DiagnoseRequest) -> Result<Vec<(&'static str, Value)>, Problem> {
    let said = !request.symptoms.trim().is_empty() || !request.alarms.is_empty();
    let asset = match (&request.asset, request.at) {
        (None, Some(_)) => return Err(Problem::invalid("at", "it says when to look, and no `asset` says where")),
        (Some(asset), at) if at.is_some() || !said => {
            AssetId::new(asset).map_err(|error| Problem::invalid("asset", error))?
        }
        _ => return Ok(Vec::new()),
    };
    let (below, known) = match request.as_of {
        Some(position) => (position.next(), AsOf::through(position)),
        None => (app.engine.log.tail(), AsOf::LATEST),
    };
    let at = match request.at {
        Some(at) => at,
        None => moment_of(app, request.as_of).await?,
    };
    let signals =
        app.engine.catalog.read(|catalog, _| catalog.asset(&asset, known).map(|_| signals(catalog, &asset, known)));
    let signals = signals.ok_or_else(|| Problem::not_found("asset", asset.as_str()))?;
    let Look { readings, alarms, evidence, since } = look(&*app.engine.log, (&asset, &signals), at, below).await?;
    let lots = app.engine.production.read(|production, _| to_json(&production.lots_on(&asset, since, at, known)))?;
    let seen =
        json!({"at": at, "since": since, "readings": to_json(&readings)?, "alarms": alarms, "evidence": evidence});
    let own: Vec<String> =
        alarms.iter().map(ToString::to_string).filter(|code| !request.alarms.contains(code)).collect();
    request.alarms.extend(own);
    (request.at, request.readings) = (Some(at), readings);
    Ok(vec![("seen", seen), ("lots", lots)])
}

/// The record time of a position; now, without one.
async fn moment_of(app: &App, position: Option<Position>) -> Result<Timestamp, Problem> {
    let Some(position) = position else { return Ok(Timestamp::now()) };
    let page = app.engine.log.read(position, Direction::Backward, Filter::all(), 1).await?;
    Ok(page.first().map_or_else(Timestamp::now, |record| record.record_time))
}

/// The actions of a mode that are logged with it.
const LOGGED_ACTIONS: usize = 3;

/// What was shown, as an event. A code that the domain refuses was never logged and cannot be a candidate; names that the caller made up are left out.
fn given(request: &DiagnoseRequest, fault: Option<FaultId>, diagnosis: &Diagnosis) -> DiagnosisGiven {
    let positions = |positions: &[Position]| positions.iter().map(|position| position.get()).collect();
    let action = |score: &ActionScore| {
        Some(AdvisedAction {
            activity: Code::new(&score.activity).ok()?,
            item: score.item.as_deref().and_then(|item| Code::new(item).ok()),
            success_rate: score.success_rate,
            low: score.low,
            attempts: score.attempts,
        })
    };
    let mode = |candidate: &Candidate| {
        Some(AdvisedMode {
            mode: Code::new(&candidate.mode).ok()?,
            probability: candidate.probability,
            n: candidate.n,
            actions: candidate.actions.iter().take(LOGGED_ACTIONS).filter_map(action).collect(),
        })
    };
    DiagnosisGiven {
        diagnosis: Uuid::now_v7(),
        asset: request.asset.as_deref().and_then(|asset| AssetId::new(asset).ok()),
        class: request.class.as_deref().and_then(|class| AssetClass::new(class).ok()),
        fault,
        symptoms: request.symptoms.clone(),
        at: request.at,
        readings: request.readings.clone(),
        alarms: request.alarms.iter().filter_map(|alarm| Code::new(alarm).ok()).collect(),
        as_of: diagnosis.as_of.map(Position::get),
        verdict: match diagnosis.verdict {
            Verdict::Match => AdviceVerdict::Match,
            Verdict::NoGoodMatch => AdviceVerdict::NoGoodMatch,
        },
        reason: diagnosis.reason.clone(),
        n: diagnosis.n,
        candidates: diagnosis.candidates.iter().filter_map(mode).collect(),
        checks: diagnosis.checks.iter().map(|check| check.sign.clone()).collect(),
        evidence: positions(&diagnosis.evidence),
        code: diagnosis.made.code.clone(),
        dictionary: diagnosis.made.dictionary,
        words: diagnosis.made.words.map(Position::get),
        experience: diagnosis.made.experience.map(Position::get),
    }
}

/// Logs what was shown. A log that takes nothing does not keep an engineer from her answer: it is given all the same, and says that it is not logged.
async fn log_given(app: &App, caller: &Caller, given: DiagnosisGiven) -> Option<u64> {
    let meta = Meta::own(&caller.name, Some(Timestamp::now()));
    let sealed = match projections::seal(&given.into(), meta) {
        Ok(sealed) => sealed,
        Err(error) => {
            tracing::warn!(%error, "a diagnosis could not be sealed");
            return None;
        }
    };
    match app.engine.log.append(AppendCondition::none(), vec![sealed]).await {
        Ok(appended) => Some(appended.last.get()),
        Err(error) => {
            tracing::warn!(%error, "a diagnosis was shown and could not be logged");
            None
        }
    }
}
