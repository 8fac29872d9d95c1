//! The registry's governance: what versions are called and staged, what speaks for them, the gates before promotions, and what was so at any moment.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::Text;
use domain::events::{
    DatasetBuilt, GateDefined, Guarded, KeyValue, ModelApprovalWithdrawn, ModelVersionApproved, ModelVersionEvaluated,
    Requirement, Stage,
};
use domain::ids::{Code, DatasetId, PersonId};
use indexmap::IndexMap;
use projections::AsOf;
use projections::folds::models::{ModelView, Models, Said, VersionView};
use registry::candle::Recipe;
use registry::facade::{Training, standing};
use registry::{StageChange, Subject, VersionRef, compare, usage};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::catalogue::{CatalogueParameters, show_version};
use super::common::{Page, to_json, with};
use super::models::{At, caller_of, model_id, person};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

fn code(field: &str, text: &str) -> Result<Code, Problem> {
    Code::new(text).map_err(|error| Problem::invalid(field, error))
}

/// A version's number from an address.
fn number_of(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::invalid("version", format!("{text:?} is not the number of a version")))
}

fn person_id(text: &str) -> Result<PersonId, Problem> {
    PersonId::new(text).map_err(|error| Problem::invalid("person", error))
}

/// A name.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameBody {
    /// What the model is called from now on.
    pub name: String,
}

/// Calls a model otherwise. Its id, versions and history stay.
#[utoipa::path(post, path = "/api/v1/models/{model}/rename", tag = "models", params(("model" = String, Path)), request_body = NameBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn rename(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Json(body): Json<NameBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let model = model_id(&app, &model)?;
    Ok(At::new(app.engine.registry.rename_model(&caller_of(&caller), &model, &body.name).await?))
}

/// A description.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescriptionBody {
    /// The description.
    pub description: String,
}

/// A value.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagBody {
    /// The tag's value.
    pub value: String,
}

async fn describe(
    app: &App,
    caller: &Caller,
    model: &str,
    version: Option<u32>,
    body: DescriptionBody,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let subject = Subject { model: model_id(app, model)?, version };
    Ok(At::new(app.engine.registry.describe(&caller_of(caller), &subject, &body.description).await?))
}

async fn set_tag(
    app: &App,
    caller: &Caller,
    (model, version): (&str, Option<u32>),
    tag: KeyValue,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let subject = Subject { model: model_id(app, model)?, version };
    Ok(At::new(app.engine.registry.set_tags(&caller_of(caller), &subject, &[tag]).await?))
}

async fn remove_tag(
    app: &App,
    caller: &Caller,
    (model, version): (&str, Option<u32>),
    key: &str,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let subject = Subject { model: model_id(app, model)?, version };
    Ok(At::new(app.engine.registry.remove_tag(&caller_of(caller), &subject, key).await?))
}

/// Describes a model in words without a language.
#[utoipa::path(put, path = "/api/v1/models/{model}/description", tag = "models", params(("model" = String, Path)), request_body = DescriptionBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn describe_model(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Json(body): Json<DescriptionBody>,
) -> Result<axum::Json<At>, Problem> {
    describe(&app, &caller, &model, None, body).await
}

/// Describes a version in words without a language.
#[utoipa::path(put, path = "/api/v1/models/{model}/versions/{version}/description", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    request_body = DescriptionBody, responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn describe_version(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Json(body): Json<DescriptionBody>,
) -> Result<axum::Json<At>, Problem> {
    describe(&app, &caller, &model, Some(number_of(&version)?), body).await
}

/// Sets a tag of a model.
#[utoipa::path(put, path = "/api/v1/models/{model}/tags/{key}", tag = "models", params(("model" = String, Path), ("key" = String, Path)), request_body = TagBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn tag_model(
    State(app): State<App>,
    caller: Caller,
    Path((model, key)): Path<(String, String)>,
    Json(body): Json<TagBody>,
) -> Result<axum::Json<At>, Problem> {
    set_tag(&app, &caller, (&model, None), KeyValue { key, value: body.value }).await
}

/// Takes a tag of a model away.
#[utoipa::path(delete, path = "/api/v1/models/{model}/tags/{key}", tag = "models", params(("model" = String, Path), ("key" = String, Path)),
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn untag_model(
    State(app): State<App>,
    caller: Caller,
    Path((model, key)): Path<(String, String)>,
) -> Result<axum::Json<At>, Problem> {
    remove_tag(&app, &caller, (&model, None), &key).await
}

/// Sets a tag of a version.
#[utoipa::path(put, path = "/api/v1/models/{model}/versions/{version}/tags/{key}", tag = "models", params(("model" = String, Path), ("version" = u32, Path), ("key" = String, Path)),
    request_body = TagBody, responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn tag_version(
    State(app): State<App>,
    caller: Caller,
    Path((model, version, key)): Path<(String, String, String)>,
    Json(body): Json<TagBody>,
) -> Result<axum::Json<At>, Problem> {
    set_tag(&app, &caller, (&model, Some(number_of(&version)?)), KeyValue { key, value: body.value }).await
}

/// Takes a tag of a version away.
#[utoipa::path(delete, path = "/api/v1/models/{model}/versions/{version}/tags/{key}", tag = "models", params(("model" = String, Path), ("version" = u32, Path), ("key" = String, Path)),
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn untag_version(
    State(app): State<App>,
    caller: Caller,
    Path((model, version, key)): Path<(String, String, String)>,
) -> Result<axum::Json<At>, Problem> {
    remove_tag(&app, &caller, (&model, Some(number_of(&version)?)), &key).await
}

/// Offers a model no longer, with all its versions. Refused (409) while one of them is deployed, would be rolled back to, or is a gate's champion.
#[utoipa::path(delete, path = "/api/v1/models/{model}", tag = "models", params(("model" = String, Path)), responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn delete_model(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let model = model_id(&app, &model)?;
    Ok(At::new(app.engine.registry.delete_model(&caller_of(&caller), &model, None).await?))
}

/// Offers a version no longer. Refused (409) while it is deployed, would be rolled back to, or is a gate's champion.
#[utoipa::path(delete, path = "/api/v1/models/{model}/versions/{version}", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn delete_version(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let model = model_id(&app, &model)?;
    Ok(At::new(app.engine.registry.delete_version(&caller_of(&caller), &model, version, None).await?))
}

/// A stage.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StageBody {
    /// `none`, `staging`, `production` or `archived`.
    #[schema(value_type = String)]
    pub stage: Stage,
    /// Whether the other versions in that stage are archived.
    #[serde(default)]
    pub archive_existing: bool,
}

/// Moves a version into a stage, when it passes the gates before it (403 with every reason, when it does not).
#[utoipa::path(put, path = "/api/v1/models/{model}/versions/{version}/stage", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    request_body = StageBody, responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn set_stage(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Json(body): Json<StageBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let StageBody { stage, archive_existing } = body;
    let change = StageChange { model: model_id(&app, &model)?, version, stage, archive_existing };
    Ok(At::new(app.engine.registry.set_stage(&caller_of(&caller), &change).await?))
}

/// How a version did on a dataset.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationBody {
    /// The dataset, by the name that gates ask for.
    pub dataset: String,
    /// SHA-256 of the dataset's file: two evaluations compare only when it is the same.
    pub dataset_sha256: Option<String>,
    /// How good it was, by name.
    #[schema(value_type = Object)]
    pub metrics: IndexMap<String, f64>,
    /// On how many samples.
    pub samples: Option<u64>,
    /// Who measured it.
    pub person: Option<String>,
}

/// Logs how a version did on a dataset.
#[utoipa::path(post, path = "/api/v1/models/{model}/versions/{version}/evaluations", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    request_body = EvaluationBody, responses((status = 201, body = At), (status = "4XX", body = Problem)))]
pub async fn evaluate(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Json(body): Json<EvaluationBody>,
) -> Result<(StatusCode, axum::Json<At>), Problem> {
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let evaluated = ModelVersionEvaluated {
        model: model_id(&app, &model)?,
        version,
        dataset: body.dataset,
        dataset_sha256: body.dataset_sha256,
        metrics: body.metrics,
        samples: body.samples,
        person: person(body.person.as_ref())?,
    };
    let position = app.engine.registry.evaluate(&caller_of(&caller), &evaluated).await?;
    Ok((StatusCode::CREATED, At::new(position)))
}

/// Somebody, and what they say.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBody {
    /// Who.
    pub person: String,
    /// What they looked at, or why they take it back.
    #[schema(value_type = Option<Object>)]
    pub note: Option<Text>,
}

/// Vouches for a version. Its author cannot, nor can the caller that registered it.
#[utoipa::path(post, path = "/api/v1/models/{model}/versions/{version}/approvals", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    request_body = ApprovalBody, responses((status = 201, body = At), (status = "4XX", body = Problem)))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Json(body): Json<ApprovalBody>,
) -> Result<(StatusCode, axum::Json<At>), Problem> {
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let (model, person) = (model_id(&app, &model)?, person_id(&body.person)?);
    let approved = ModelVersionApproved { model, version, person, note: body.note };
    Ok((StatusCode::CREATED, At::new(app.engine.registry.approve(&caller_of(&caller), &approved).await?)))
}

/// Takes an approval back.
#[utoipa::path(post, path = "/api/v1/models/{model}/versions/{version}/approvals/withdraw", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    request_body = ApprovalBody, responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Json(body): Json<ApprovalBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let (model, person) = (model_id(&app, &model)?, person_id(&body.person)?);
    let withdrawn = ModelApprovalWithdrawn { model, version, person, reason: body.note };
    Ok(At::new(app.engine.registry.withdraw(&caller_of(&caller), &withdrawn).await?))
}

/// Lets an alias name the version again that it named before. No gate is asked: a roll-back is possible at any hour, and says which gates were not asked.
#[utoipa::path(post, path = "/api/v1/models/{model}/aliases/{alias}/roll-back", tag = "models", params(("model" = String, Path), ("alias" = String, Path)),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn roll_back_alias(
    State(app): State<App>,
    caller: Caller,
    Path((model, alias)): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::WriteModels)?;
    let (model, alias) = (model_id(&app, &model)?, code("alias", &alias)?);
    let (version, position) = app.engine.registry.roll_back_alias(&caller_of(&caller), &model, &alias).await?;
    Ok(axum::Json(json!({"model": model, "alias": alias, "version": version, "position": position})))
}

/// A gate.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateBody {
    /// The model that it is for, by name or id; every model, when absent.
    pub model: Option<String>,
    /// What it stands before: `"deployment"`, `{"alias": "champion"}`, `{"stage": "production"}`.
    #[schema(value_type = Vec<Object>)]
    pub guards: Vec<Guarded>,
    /// How many people other than the author must have approved the version.
    #[serde(default)]
    pub approvals: u32,
    /// What it must have reached: `{"dataset": …, "metric": …, "better": "higher"|"lower", "threshold": …, "beats_champion_by": …}`.
    #[schema(value_type = Vec<Object>)]
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// The alias of the version to compare with; `champion`, when absent.
    pub champion: Option<String>,
}

/// Puts a gate up, or defines it anew.
#[utoipa::path(put, path = "/api/v1/gates/{gate}", tag = "models", params(("gate" = String, Path)), request_body = GateBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn define_gate(
    State(app): State<App>,
    caller: Caller,
    Path(gate): Path<String>,
    Json(body): Json<GateBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let gate = GateDefined {
        gate: code("gate", &gate)?,
        model: body.model.map(|model| model_id(&app, &model)).transpose()?,
        guards: body.guards,
        approvals: body.approvals,
        requires: body.requires,
        champion: body.champion.map(|alias| code("champion", &alias)).transpose()?,
    };
    Ok(At::new(app.engine.registry.define_gate(&caller_of(&caller), &gate).await?))
}

/// Takes a gate down.
#[utoipa::path(delete, path = "/api/v1/gates/{gate}", tag = "models", params(("gate" = String, Path)), responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn remove_gate(
    State(app): State<App>,
    caller: Caller,
    Path(gate): Path<String>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    Ok(At::new(app.engine.registry.remove_gate(&caller_of(&caller), &code("gate", &gate)?, None).await?))
}

/// Every gate that stands.
#[utoipa::path(get, path = "/api/v1/gates", tag = "models", params(CatalogueParameters), responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn gates(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let Some(as_of) = parameters.as_of(&app).await? else {
        return Ok(axum::Json(Page { items: Vec::new(), next_cursor: None }));
    };
    let items = app.engine.models.read(|models, _| {
        let shown =
            models.gates(as_of).map(|(gate, position)| Ok(with(to_json(gate)?, [("position", json!(position))])));
        shown.collect::<Result<Vec<_>, Problem>>()
    })?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Which promotion: exactly one of them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PromotionParameters {
    /// Setting this alias.
    pub alias: Option<String>,
    /// Moving into this stage.
    #[param(value_type = Option<String>)]
    pub stage: Option<Stage>,
}

/// What stands before a promotion of a version now (a deployment, when neither alias nor stage is named), and what of it is not so.
#[utoipa::path(get, path = "/api/v1/models/{model}/versions/{version}/promotion", tag = "models", params(("model" = String, Path), ("version" = u32, Path), PromotionParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn promotion(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
    Query(parameters): Query<PromotionParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let version = number_of(&version)?;
    let guarded = match (parameters.alias, parameters.stage) {
        (Some(_), Some(_)) => return Err(Problem::invalid("stage", "alias and stage exclude each other")),
        (Some(alias), None) => Guarded::Alias(code("alias", &alias)?),
        (None, Some(stage)) => Guarded::Stage(stage),
        (None, None) => Guarded::Deployment,
    };
    let model = model_id(&app, &model)?;
    let found = app.engine.models.read(|models, _| {
        let version = models.model(&model, AsOf::LATEST)?.version(version)?;
        Some(standing(models, version, &guarded))
    });
    let found = found.ok_or_else(|| Problem::not_found("version", &format!("{model}/{version}")))?;
    let passes = found.unmet.is_empty();
    Ok(axum::Json(with(to_json(&found)?, [("promotion", to_json(&guarded)?), ("passes", json!(passes))])))
}

fn told<T: serde::Serialize>(said: &Said<T>, what: &str) -> Value {
    json!({"position": said.position, "time": said.time, "recorded": said.recorded, "actor": said.actor, what: said.value})
}

/// Why the dataset of a version no longer says what the log says; null, when it has none of ours.
fn staleness(app: &App, version: &VersionView<'_>, as_of: AsOf) -> Result<Value, Problem> {
    let Some(id) = version.created().value.lineage.as_deref().and_then(|lineage| lineage.dataset.clone()) else {
        return Ok(Value::Null);
    };
    app.engine.datasets.read(|datasets, _| match datasets.dataset(&id, as_of) {
        Some(dataset) => to_json(&dataset.stale(as_of).collect::<Vec<_>>()),
        None => Ok(Value::Null),
    })
}

/// A version with what speaks for it and who needs it.
fn whole_version(app: &App, models: &Models, version: VersionView<'_>, as_of: AsOf) -> Result<Value, Problem> {
    let evaluations: Vec<Value> = version.evaluations().iter().map(|said| told(said, "evaluation")).collect();
    let approvals: Vec<Value> = version.approvals().iter().map(|said| told(said, "approval")).collect();
    let stages: Vec<Value> = version.stages().iter().map(|said| told(said, "stage")).collect();
    let stale = staleness(app, &version, as_of)?;
    let used_by = usage::uses(models, version.model(), &[version.number()]);
    Ok(with(
        show_version(models, &version)?,
        [
            ("evaluations", evaluations.into()),
            ("approvals", approvals.into()),
            ("stages", stages.into()),
            ("stale", json!(stale.as_array().is_some_and(|reasons| !reasons.is_empty()))),
            ("stale_because", stale),
            ("used_by", to_json(&used_by)?),
        ],
    ))
}

/// One version: what it was made from, how it did, who vouches for it, whether its dataset is stale, and who needs it.
#[utoipa::path(get, path = "/api/v1/models/{model}/versions/{version}", tag = "models", params(("model" = String, Path), ("version" = u32, Path), CatalogueParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn version(
    State(app): State<App>,
    caller: Caller,
    Path((model, number)): Path<(String, String)>,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let number = number_of(&number)?;
    let unknown = || Problem::not_found("version", &format!("{model}/{number}"));
    let as_of = parameters.as_of(&app).await?.ok_or_else(unknown)?;
    let shown = app.engine.models.read(|models, _| {
        let version = models.find(&model, as_of)?.version(number)?;
        Some(whole_version(&app, models, version, as_of))
    });
    shown.ok_or_else(unknown)?.map(axum::Json)
}

/// Everything that happened to a model, in log order: names, versions, aliases, stages, evaluations, approvals, deployments, deletions; also of a model that is no longer
/// offered, by its id.
#[utoipa::path(get, path = "/api/v1/models/{model}/history", tag = "models", params(("model" = String, Path), CatalogueParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Query(parameters): Query<CatalogueParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let unknown = || Problem::not_found("model", &model);
    let as_of = parameters.as_of(&app).await?.ok_or_else(unknown)?;
    let items = app.engine.models.read(|models, _| {
        let ever = || domain::ids::ModelName::new(&model).ok().and_then(|id| models.model_ever(&id, as_of));
        let found = models.find(&model, as_of).or_else(ever)?;
        Some(events_of(models, found, as_of))
    });
    let mut items = items.ok_or_else(unknown)?;
    items.sort_by_key(|(position, _)| *position);
    Ok(axum::Json(Page { items: items.into_iter().map(|(_, item)| item).collect(), next_cursor: None }))
}

fn events_of(models: &Models, model: ModelView<'_>, as_of: AsOf) -> Vec<(eventlog::Position, Value)> {
    let mut events = Vec::new();
    let mut add = |position, what: &str, item: Value| events.push((position, with(item, [("what", json!(what))])));
    for said in model.names() {
        add(said.position, "named", told(said, "name"));
    }
    for alias in model.aliases_ever() {
        for said in model.alias_history(alias) {
            add(said.position, "alias", with(told(said, "version"), [("alias", json!(alias))]));
        }
    }
    for version in model.versions_ever() {
        let of = [("version", json!(version.number()))];
        add(version.created().position, "created", with(told(version.created(), "created"), of.clone()));
        for said in version.stages() {
            add(said.position, "stage", with(told(said, "stage"), of.clone()));
        }
        for said in version.evaluations() {
            add(said.position, "evaluated", with(told(said, "evaluation"), of.clone()));
        }
        for said in version.approvals() {
            let what = if said.value.given { "approved" } else { "approval_withdrawn" };
            add(said.position, what, with(told(said, "approval"), of.clone()));
        }
        if let Some(said) = version.deleted().filter(|_| model.deleted().is_none()) {
            add(said.position, "version_deleted", with(told(said, "reason"), of.clone()));
        }
    }
    if let Some(said) = model.deleted() {
        add(said.position, "deleted", told(said, "reason"));
    }
    for deployment in models.deployments(as_of).filter(|deployment| deployment.deployed.model == *model.id()) {
        for said in models.deployment_history(deployment.deployment, as_of) {
            let of = [("deployment", json!(deployment.deployment))];
            add(said.position, "deployment", with(told(said, "change"), of));
        }
    }
    events
}

/// Which versions.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CompareParameters {
    /// The first version.
    pub a: u32,
    /// The second version.
    pub b: u32,
}

/// Two versions side by side: metrics, evaluations, inputs and outputs, parameters, lineage, files.
#[utoipa::path(get, path = "/api/v1/models/{model}/compare", tag = "models", params(("model" = String, Path), CompareParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn compare_versions(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Query(parameters): Query<CompareParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = model_id(&app, &model)?;
    let compared = app.engine.models.read(|models, _| {
        let found = models.model(&id, AsOf::LATEST).ok_or_else(|| Problem::not_found("model", &model))?;
        let version = |number: u32| {
            found.version(number).ok_or_else(|| Problem::not_found("version", &format!("{model}/{number}")))
        };
        to_json(&compare::compare(version(parameters.a)?, version(parameters.b)?))
    })?;
    Ok(axum::Json(compared))
}

/// The dataset of this id.
fn dataset_of(app: &App, id: &DatasetId) -> Option<DatasetBuilt> {
    app.engine.datasets.read(|datasets, _| datasets.dataset(id, AsOf::LATEST).map(|dataset| dataset.built.clone()))
}

/// A training.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainBody {
    /// The dataset to learn from.
    pub dataset: String,
    /// How: `{"trainer": "candle.mlp", "features": [...], "targets": [...], "config": {...}}`.
    #[schema(value_type = Object)]
    pub recipe: Recipe,
    /// Who has it trained.
    pub author: Option<String>,
    /// Anything worth saying.
    #[schema(value_type = Option<Object>)]
    pub note: Option<Text>,
}

/// Trains a version from a dataset, with its lineage: the same dataset and recipe give the same files.
#[utoipa::path(post, path = "/api/v1/models/{model}/train", tag = "models", params(("model" = String, Path)), request_body = TrainBody,
    responses((status = 201, body = Object), (status = "4XX", body = Problem)))]
pub async fn train(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Json(body): Json<TrainBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.must(Permission::WriteModels)?;
    let id = DatasetId::new(&body.dataset).map_err(|error| Problem::invalid("dataset", error))?;
    let dataset = dataset_of(&app, &id).ok_or_else(|| Problem::not_found("dataset", &body.dataset))?;
    let author = body.author.as_deref().map(person_id).transpose()?;
    let training = Training { model: model_id(&app, &model)?, recipe: body.recipe, author, note: body.note };
    let created = app.engine.registry.train(&caller_of(&caller), training, &dataset).await?;
    let shown = json!({
        "model": model, "version": created.version, "position": created.position, "dataset": id,
        "inputs": to_json(&created.inputs)?, "outputs": to_json(&created.outputs)?, "artifacts": to_json(&created.artifacts)?,
    });
    Ok((StatusCode::CREATED, axum::Json(shown)))
}

/// Builds the dataset of a version again as the log was known then, trains the version again where it was trained here, and says whether the same came out.
#[utoipa::path(post, path = "/api/v1/models/{model}/versions/{version}/reproduce", tag = "models", params(("model" = String, Path), ("version" = u32, Path)),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn reproduce(
    State(app): State<App>,
    caller: Caller,
    Path((model, version)): Path<(String, String)>,
) -> Result<axum::Json<Value>, Problem> {
    // It reads much of the log and computes for long.
    caller.must(Permission::WriteModels)?;
    let version = number_of(&version)?;
    let (id, version) = (model_id(&app, &model)?, VersionRef::Number(version));
    let created = app.engine.registry.version(&id, &version)?.created;
    let lineage = created.lineage.as_deref();
    let dataset = lineage.and_then(|lineage| lineage.dataset.as_ref()).and_then(|id| dataset_of(&app, id));
    let again = app.engine.registry.reproduce(&id, &version, dataset.as_ref()).await?;
    let members = [("model", json!(id)), ("version", json!(created.version))];
    Ok(axum::Json(with(to_json(&again)?, members)))
}
