//! What ran on an asset at a moment, made from what, approved by whom; with proofs.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use domain::ids::AssetId;
use eventlog::Position;
use projections::AsOf;
use projections::folds::models::{Models, Ran, VersionView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::catalogue::CatalogueParameters;
use super::common::{Page, parse_time, to_json, with};
use super::transparency::inclusions;
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// At which moment.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MomentParameters {
    /// What was so at this event time; what runs now, when absent.
    pub at: Option<String>,
    /// As it was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// Whether each record that the answer rests on comes with the proof that it is in the log (for those who may read the log).
    pub proof: Option<bool>,
}

/// What ran on an asset at a moment: each deployment with its version, what that was made from, how it did and who had approved it when it was deployed, and the
/// position of everything that the answer rests on.
#[utoipa::path(get, path = "/api/v1/assets/{asset}/models", tag = "models", params(("asset" = String, Path), MomentParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn what_ran(
    State(app): State<App>,
    caller: Caller,
    Path(asset): Path<String>,
    Query(parameters): Query<MomentParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let proof = parameters.proof.unwrap_or(false);
    if proof {
        caller.must(Permission::ReadLog)?;
    }
    let asset = AssetId::new(&asset).map_err(|error| Problem::invalid("asset", error))?;
    let at = parameters.at.as_deref().map(|text| parse_time("at", text)).transpose()?;
    let known = CatalogueParameters {
        as_of: parameters.as_of,
        min_position: parameters.min_position,
        ..CatalogueParameters::default()
    };
    let Some(as_of) = known.as_of(&app).await? else {
        return Ok(axum::Json(Page { items: Vec::new(), next_cursor: None }));
    };
    let answers = app.engine.models.read(|models, _| {
        let show = |ran: Ran<'_>| answer(&app, models, ran);
        match at {
            Some(at) => models.ran_on(&asset, at, as_of).map(show).collect::<Result<Vec<_>, _>>(),
            None => models.running_on(&asset, as_of).map(show).collect(),
        }
    })?;
    let mut items = Vec::with_capacity(answers.len());
    for (shown, positions) in answers {
        let rests_on: Vec<u64> = positions.iter().map(|position| position.get()).collect();
        let shown = with(shown, [("positions", json!(rests_on))]);
        items.push(if proof {
            let proofs = inclusions(&app, positions.into_iter().collect()).await?;
            with(shown, [("proofs", to_json(&proofs)?)])
        } else {
            shown
        });
    }
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// One deployment, and the positions that the answer rests on.
fn answer(app: &App, models: &Models, ran: Ran<'_>) -> Result<(Value, BTreeSet<Position>), Problem> {
    let Ran { deployment, deployed, said } = ran;
    let mut positions = BTreeSet::from([said.position]);
    let mut shown = json!({
        "deployment": deployment,
        "model": deployed.model,
        "version": deployed.version,
        "since": said.time,
        "since_recorded": said.recorded,
        "since_position": said.position,
        "replaces": deployed.replaces,
        "deployed_by": {"actor": said.actor, "person": deployed.person, "reason": deployed.reason},
        "checked": to_json(&deployed.checked)?,
    });
    // What counted is what was known when it was deployed.
    let then = AsOf::through(said.position);
    if let Some(model) = models.model_ever(&deployed.model, then) {
        shown = with(shown, [("name", json!(model.name()))]);
        if let Some(version) = model.version_ever(deployed.version) {
            shown = with(shown, made(app, version, &mut positions)?);
        }
    }
    Ok((shown, positions))
}

/// What a version was made from and what spoke for it.
fn made(
    app: &App,
    version: VersionView<'_>,
    positions: &mut BTreeSet<Position>,
) -> Result<[(&'static str, Value); 4], Problem> {
    let created = version.created();
    positions.insert(created.position);
    let event = &created.value;
    let dataset = event.lineage.as_deref().and_then(|lineage| lineage.dataset.as_ref());
    let dataset = dataset.and_then(|id| {
        app.engine.datasets.read(|datasets, _| {
            let found = datasets.dataset(id, AsOf::LATEST)?;
            positions.insert(found.position);
            let built = &found.built;
            Some(json!({
                "dataset": id, "name": built.name, "position": found.position, "as_of": built.as_of, "rows": built.rows, "sha256": built.file.sha256,
                "first_position": built.first_position, "last_position": built.last_position,
            }))
        })
    });
    let mut approvals = Vec::new();
    for said in version.approvals() {
        positions.insert(said.position);
        approvals.push(json!({
            "person": said.value.person, "given": said.value.given, "note": said.value.note, "time": said.time, "actor": said.actor, "position": said.position,
        }));
    }
    let mut evaluations = Vec::new();
    for said in version.evaluations() {
        positions.insert(said.position);
        let members = [("time", json!(said.time)), ("actor", json!(said.actor)), ("position", json!(said.position))];
        evaluations.push(with(to_json(&said.value)?, members));
    }
    let made_from = json!({
        "author": event.author, "actor": created.actor, "time": created.time, "position": created.position, "runtime": event.runtime,
        "run": event.run, "logged_model": event.logged_model, "source": event.source,
        "trained_on": event.trained_on, "lineage": event.lineage, "dataset": dataset, "artifacts": event.artifacts, "metrics": event.metrics,
    });
    Ok([
        ("created", made_from),
        ("approvals", approvals.into()),
        ("evaluations", evaluations.into()),
        ("stage", to_json(&version.stage())?),
    ])
}
