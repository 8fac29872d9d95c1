//! Shifts, and what one crew hands over to the next.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::Text;
use domain::events::{Event, Handover, ShiftHandedOver, ShiftStarted};
use domain::ids::{PersonId, ShiftId};
use domain::rules::Command;
use eventlog::EventId;
use jiff::Timestamp;
use projections::handover::{HandoverModels, handover};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::commands::carry_out;
use super::super::common::{parse_optional_time, to_json};
use super::super::events::Logged;
use super::{Basis, OneRecord, Records, window};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// Which window.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ShiftsParameters {
    /// From this event time; a day before `to`, when absent.
    pub from: Option<String>,
    /// To this event time; now, when absent.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// The turns of crews in a window: those that somebody began, and those that are only planned. Night shifts cross midnight.
#[utoipa::path(get, path = "/api/v1/shifts", tag = "plant", params(ShiftsParameters),
    responses((status = 200, body = Records), (status = 422, body = Problem, description = "A shift pattern cannot be worked out"), (status = "4XX", body = Problem)))]
pub async fn shifts(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ShiftsParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (from, to) = window(parameters.from.as_ref(), parameters.to.as_ref(), 1)?;
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let turns = app.engine.shifts.read(|shifts, checkpoint| {
        basis.store("shifts", checkpoint);
        shifts.turns(from, to, basis.as_of())
    })?;
    basis.records(&turns)
}

/// When.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HandoverParameters {
    /// What is open at this event time; now, when absent.
    pub at: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// A handover as it would be signed now (`draft`), and as it was signed, with who took it over.
#[utoipa::path(get, path = "/api/v1/shifts/{shift}/handover", tag = "plant", params(("shift" = String, Path), HandoverParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn draft(
    State(app): State<App>,
    caller: Caller,
    Path(shift): Path<String>,
    Query(parameters): Query<HandoverParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let shift = ShiftId::new(&shift).map_err(|error| Problem::invalid("shift", error))?;
    let at = parse_optional_time("at", parameters.at.as_ref())?.unwrap_or_else(Timestamp::now);
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let started = begun(&app, &mut basis, &shift)?;
    let draft = compose(&app, &mut basis, &started, at);
    let items = app.engine.shifts.read(|shifts, _| {
        let known = shifts.shift(&shift, basis.as_of());
        let (signed, taken_over) = known.map_or((None, None), |view| (view.handed_over, view.taken_over));
        Ok::<_, Problem>(json!({
            "draft": to_json(&draft)?,
            "signed": to_json(&signed)?,
            "taken_over": to_json(&taken_over)?,
        }))
    })?;
    basis.one(&items)
}

/// Who signs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignBody {
    /// Who signs.
    pub person: String,
    /// What else the next crew should know, in words.
    #[schema(value_type = Option<Object>)]
    pub remarks: Option<Text>,
    /// When the shift ended; now, when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// The idempotency key.
    pub id: Option<Uuid>,
}

/// Signs the handover of a shift: what is open is composed from the read models, and logged with its content and its position.
#[utoipa::path(post, path = "/api/v1/shifts/{shift}/handover", tag = "plant", params(("shift" = String, Path)), request_body = SignBody,
    responses((status = 201, body = Logged), (status = 409, body = Problem, description = "It was signed before"), (status = "4XX", body = Problem)))]
pub async fn sign(
    State(app): State<App>,
    caller: Caller,
    Path(shift): Path<String>,
    Json(body): Json<SignBody>,
) -> Result<(StatusCode, axum::Json<Logged>), Problem> {
    caller.must(Permission::WriteEvents)?;
    let shift = ShiftId::new(&shift).map_err(|error| Problem::invalid("shift", error))?;
    let person = PersonId::new(&body.person).map_err(|error| Problem::invalid("person", error))?;
    let at = body.time.unwrap_or_else(Timestamp::now);
    // What was acknowledged before the signature is in it.
    let newest = app.engine.log.tail().previous().map(eventlog::Position::get);
    let mut basis = Basis::of(&app, None, newest).await?;
    let started = begun(&app, &mut basis, &shift)?;
    let signed = app.engine.shifts.read(|shifts, _| {
        shifts.shift(&shift, basis.as_of()).and_then(|view| view.handed_over.map(|fact| fact.position))
    });
    if let Some(position) = signed {
        return Err(Problem::conflict(format!("the handover of shift {shift} was signed at position {position}")));
    }
    let content = compose(&app, &mut basis, &started, at);
    let event = ShiftHandedOver { shift, person, content, remarks: body.remarks };
    let id = body.id.map_or_else(EventId::generate, EventId::new);
    carry_out(&app, &caller, Command::from(Event::from(event)), id, at).await
}

/// How the shift began.
fn begun(app: &App, basis: &mut Basis, shift: &ShiftId) -> Result<ShiftStarted, Problem> {
    let started = app.engine.shifts.read(|shifts, checkpoint| {
        basis.store("shifts", checkpoint);
        shifts.shift(shift, basis.as_of()).and_then(|view| view.started.map(|fact| fact.value.clone()))
    });
    started.ok_or_else(|| Problem::not_found("shift", shift.as_str()))
}

fn compose(app: &App, basis: &mut Basis, started: &ShiftStarted, at: Timestamp) -> Handover {
    let engine = &app.engine;
    engine.episodes.read(|episodes, at_episodes| {
        engine.alarms.read(|alarms, at_alarms| {
            engine.states.read(|states, at_states| {
                engine.production.read(|production, at_production| {
                    engine.catalog.read(|catalog, at_catalog| {
                        let stores = [
                            ("episodes", at_episodes),
                            ("alarms", at_alarms),
                            ("states", at_states),
                            ("production", at_production),
                            ("catalog", at_catalog),
                        ];
                        stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                        let Some(last) = basis.last() else { return Handover::default() };
                        let as_of = basis.as_of();
                        let is_ours = |asset: &domain::ids::AssetId| {
                            started.equipment.as_ref().is_none_or(|place| catalog.is_in(asset, place, at, as_of))
                        };
                        let models = HandoverModels { episodes, alarms, states, production };
                        handover(models, (started.planned_start, at), last, &is_ours)
                    })
                })
            })
        })
    })
}
