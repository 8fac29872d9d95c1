//! Changing the registry: models, versions, aliases, deployments; and answers on demand.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use domain::Text;
use domain::events::{Lineage, ModelKind, Target, TrainedOn};
use domain::ids::{Code, DeploymentId, ModelName, PersonId, RunId};
use eventlog::Position;
use indexmap::IndexMap;
use registry::{ArtifactError, Decision, Deploy, Inputs, NewFile, NewModel, NewVersion, RegistryError, VersionRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::common::to_json;
use crate::auth::{Caller, Permission};
use crate::extract::Json;
use crate::problem::Problem;
use crate::server::App;

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NotFound { kind, id } => Self::not_found(kind, &id),
            RegistryError::Conflict { .. }
            | RegistryError::Busy { .. }
            | RegistryError::NameTaken { .. }
            | RegistryError::InUse { .. } => Self::conflict(error),
            RegistryError::GateRefused { .. } => Self::gate(error),
            RegistryError::OwnApproval { .. } => Self::refused(error),
            RegistryError::Train(reason) => Self::refused(reason),
            RegistryError::NotVisible { .. } => Self::timeout(format!("{error}; it was done: ask again")),
            RegistryError::Invalid { field, reason } => Self::invalid(&field, reason),
            RegistryError::Rejected(rejection) => Self::conflict(format!("{rejection} ({})", rejection.rule)),
            RegistryError::Load(reason) => Self::invalid("files", reason),
            RegistryError::Artifact(error @ (ArtifactError::Name { .. } | ArtifactError::TooLarge { .. })) => {
                Self::invalid("files", error)
            }
            RegistryError::Append(reason) => reason.into(),
            RegistryError::Read(reason) => reason.into(),
            other => Self::internal(&other),
        }
    }
}

pub(super) fn caller_of(caller: &Caller) -> registry::Caller {
    registry::Caller::named(&caller.name)
}

/// The id of the model that is called so, or has this id.
pub(super) fn model_id(app: &App, name_or_id: &str) -> Result<ModelName, Problem> {
    Ok(app.engine.registry.find(name_or_id)?)
}

pub(super) fn deployment_id(text: &str) -> Result<DeploymentId, Problem> {
    DeploymentId::new(text).map_err(|error| Problem::invalid("deployment", error))
}

/// The position at which something was logged.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct At {
    /// The position.
    pub position: u64,
}

impl At {
    pub(super) fn new(position: Position) -> axum::Json<Self> {
        axum::Json(Self { position: position.get() })
    }
}

/// A model to register.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// What people call it; no other model may be called so.
    pub model: String,
    /// What it is made from: `mechanism`, `knowledge` or `data`.
    #[schema(value_type = String)]
    pub kind: ModelKind,
    /// What it is for: `{"zh": …, "en": …}`.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub description: Text,
}

/// A model that is registered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegisteredBody {
    /// Its id, which it keeps for ever.
    pub model: String,
    /// Where the log says so.
    pub position: u64,
}

/// Registers a model, or describes the one that is called so anew.
#[utoipa::path(post, path = "/api/v1/models", tag = "models", request_body = Registration, responses((status = 201, body = RegisteredBody), (status = "4XX", body = Problem)))]
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Registration>,
) -> Result<(StatusCode, axum::Json<RegisteredBody>), Problem> {
    caller.must(Permission::WriteModels)?;
    let new = NewModel { text: body.description, ..NewModel::named(&body.model, body.kind) };
    let registered = app.engine.registry.register_model(&caller_of(&caller), &new).await?;
    let (model, position) = (registered.model.to_string(), registered.position.get());
    Ok((StatusCode::CREATED, axum::Json(RegisteredBody { model, position })))
}

/// A file of a version: exactly one of `text`, `json` and `base64` holds it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// Its name in the version.
    pub name: String,
    /// Its content as text.
    pub text: Option<String>,
    /// Its content as a JSON document.
    #[schema(value_type = Option<Object>)]
    pub json: Option<Value>,
    /// Its content in base64.
    pub base64: Option<String>,
}

impl FileBody {
    fn into_file(self, index: usize) -> Result<NewFile, Problem> {
        let field = format!("files[{index}]");
        let bytes = match (self.text, self.json, self.base64) {
            (Some(text), None, None) => text.into_bytes(),
            (None, Some(json), None) => {
                serde_json::to_vec_pretty(&json).map_err(|error| Problem::invalid(&field, error))?
            }
            (None, None, Some(text)) => {
                BASE64.decode(text).map_err(|error| Problem::invalid(&format!("{field}.base64"), error))?
            }
            _ => return Err(Problem::invalid(&field, "exactly one of text, json and base64 is expected")),
        };
        Ok(NewFile { name: self.name, bytes: Bytes::from(bytes) })
    }
}

/// A version to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionBody {
    /// What runs it: `mechanism` (one JSON document) or `candle` (a manifest and safetensors).
    pub runtime: String,
    /// Its files.
    pub files: Vec<FileBody>,
    /// Where its data came from: log positions.
    #[schema(value_type = Option<Object>)]
    pub trained_on: Option<TrainedOn>,
    /// How good it was, by name.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub metrics: IndexMap<String, f64>,
    /// Anything else worth saying.
    #[schema(value_type = Option<Object>)]
    pub note: Option<Text>,
    /// Inputs that it must have an answer for before it is taken: `{"air_pressure": {"value": 5.2, "unit": "bar"}}`.
    #[schema(value_type = Option<Object>)]
    pub example: Option<Inputs>,
    /// Who made it: somebody who cannot approve it.
    pub author: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// What it was made from: dataset, query, code, parents, recipe.
    #[schema(value_type = Option<Object>)]
    pub lineage: Option<Lineage>,
}

/// Makes an immutable version: its files must load, and it must answer the example.
#[utoipa::path(post, path = "/api/v1/models/{model}/versions", tag = "models", params(("model" = String, Path)), request_body = VersionBody,
    responses((status = 201, body = Object), (status = "4XX", body = Problem)))]
pub async fn create_version(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Json(body): Json<VersionBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.must(Permission::WriteModels)?;
    let files =
        body.files.into_iter().enumerate().map(|(index, file)| file.into_file(index)).collect::<Result<_, _>>()?;
    let runtime = Code::new(&body.runtime).map_err(|error| Problem::invalid("runtime", error))?;
    let new = NewVersion {
        trained_on: body.trained_on,
        metrics: body.metrics,
        note: body.note,
        example: body.example,
        author: body
            .author
            .map(|text| PersonId::new(&text).map_err(|error| Problem::invalid("author", error)))
            .transpose()?,
        run: body.run.map(|text| RunId::new(&text).map_err(|error| Problem::invalid("run", error))).transpose()?,
        lineage: body.lineage,
        ..NewVersion::new(model_id(&app, &model)?, runtime, files)
    };
    let created = app.engine.registry.create_version(&caller_of(&caller), new).await?;
    let shown = json!({
        "model": model,
        "version": created.version,
        "position": created.position,
        "inputs": to_json(&created.inputs)?,
        "outputs": to_json(&created.outputs)?,
        "artifacts": to_json(&created.artifacts)?,
        "example_answer": to_json(&created.smoke)?,
    });
    Ok((StatusCode::CREATED, axum::Json(shown)))
}

/// The version that an alias is to name.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasBody {
    /// The version.
    pub version: u32,
}

/// Sets or moves an alias.
#[utoipa::path(put, path = "/api/v1/models/{model}/aliases/{alias}", tag = "models", params(("model" = String, Path), ("alias" = String, Path)), request_body = AliasBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn set_alias(
    State(app): State<App>,
    caller: Caller,
    Path((model, alias)): Path<(String, String)>,
    Json(body): Json<AliasBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let alias = Code::new(&alias).map_err(|error| Problem::invalid("alias", error))?;
    let position =
        app.engine.registry.set_alias(&caller_of(&caller), &model_id(&app, &model)?, &alias, body.version).await?;
    Ok(At::new(position))
}

/// Takes an alias away.
#[utoipa::path(delete, path = "/api/v1/models/{model}/aliases/{alias}", tag = "models", params(("model" = String, Path), ("alias" = String, Path)),
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn remove_alias(
    State(app): State<App>,
    caller: Caller,
    Path((model, alias)): Path<(String, String)>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let alias = Code::new(&alias).map_err(|error| Problem::invalid("alias", error))?;
    let position = app.engine.registry.remove_alias(&caller_of(&caller), &model_id(&app, &model)?, &alias).await?;
    Ok(At::new(position))
}

/// Which version: a number or an alias; the latest, when both are absent.
fn version_ref(version: Option<u32>, alias: Option<&String>) -> Result<VersionRef, Problem> {
    match (version, alias) {
        (Some(_), Some(_)) => Err(Problem::invalid("alias", "version and alias exclude each other")),
        (Some(version), None) => Ok(VersionRef::Number(version)),
        (None, Some(alias)) => {
            Code::new(alias).map(VersionRef::Alias).map_err(|error| Problem::invalid("alias", error))
        }
        (None, None) => Ok(VersionRef::Latest),
    }
}

/// Values to answer for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictBody {
    /// The version.
    pub version: Option<u32>,
    /// Or an alias; the latest version, when both are absent.
    pub alias: Option<String>,
    /// The inputs by name: `{"air_pressure": {"value": 5.2, "unit": "bar"}}`.
    #[schema(value_type = Object)]
    pub inputs: Inputs,
}

/// Computes an answer on demand; nothing is logged.
#[utoipa::path(post, path = "/api/v1/models/{model}/predict", tag = "models", params(("model" = String, Path)), request_body = PredictBody,
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn predict(
    State(app): State<App>,
    caller: Caller,
    Path(model): Path<String>,
    Json(body): Json<PredictBody>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let version = version_ref(body.version, body.alias.as_ref())?;
    let answer = app.engine.registry.predict_now(&model_id(&app, &model)?, &version, &body.inputs).await?;
    let (outputs, unavailable) = match &answer.outputs {
        Ok(outputs) => (to_json(outputs)?, Value::Null),
        Err(reason) => (Value::Null, json!(reason.to_string())),
    };
    Ok(axum::Json(json!({
        "model": answer.model,
        "version": answer.version,
        "version_position": answer.version_position,
        "outputs": outputs,
        "unavailable": unavailable,
    })))
}

/// A version to deploy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployBody {
    /// The deployment: a new one, or one that is to be moved to another version.
    pub deployment: String,
    /// The model.
    pub model: String,
    /// The version.
    pub version: Option<u32>,
    /// Or an alias; the latest version, when both are absent.
    pub alias: Option<String>,
    /// Where: `{"asset": "LOOM-07"}` or `{"class": "air-jet-loom"}`.
    #[schema(value_type = Object)]
    pub target: Target,
    /// Seconds between predictions for one asset.
    pub period_s: u32,
    /// Who decided.
    pub person: Option<String>,
    /// Why.
    #[schema(value_type = Option<Object>)]
    pub reason: Option<Text>,
}

pub(super) fn person(text: Option<&String>) -> Result<Option<PersonId>, Problem> {
    text.map(|text| PersonId::new(text).map_err(|error| Problem::invalid("person", error))).transpose()
}

fn show_deployed(deployment: &str, deployed: &registry::Deployed) -> axum::Json<Value> {
    axum::Json(
        json!({"deployment": deployment, "version": deployed.version, "replaces": deployed.replaces, "position": deployed.position}),
    )
}

/// Deploys a version to an asset or a class of assets, or moves a deployment to another version.
#[utoipa::path(post, path = "/api/v1/deployments", tag = "models", request_body = DeployBody, responses((status = 201, body = Object), (status = "4XX", body = Problem)))]
pub async fn deploy(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<DeployBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    caller.must(Permission::WriteModels)?;
    let request = Deploy {
        deployment: deployment_id(&body.deployment)?,
        model: model_id(&app, &body.model)?,
        version: version_ref(body.version, body.alias.as_ref())?,
        target: body.target,
        period_s: body.period_s,
        person: person(body.person.as_ref())?,
        reason: body.reason,
    };
    let deployed = app.engine.registry.deploy(&caller_of(&caller), request).await?;
    Ok((StatusCode::CREATED, show_deployed(&body.deployment, &deployed)))
}

/// Who decides, and why.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Who.
    pub person: Option<String>,
    /// Why.
    #[schema(value_type = Option<Object>)]
    pub reason: Option<Text>,
}

impl DecisionBody {
    fn decision(self) -> Result<Decision, Problem> {
        Ok(Decision { person: person(self.person.as_ref())?, reason: self.reason })
    }
}

/// Ends a deployment.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/retire", tag = "models", params(("deployment" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = At), (status = "4XX", body = Problem)))]
pub async fn retire(
    State(app): State<App>,
    caller: Caller,
    Path(deployment): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Result<axum::Json<At>, Problem> {
    caller.must(Permission::WriteModels)?;
    let position =
        app.engine.registry.retire(&caller_of(&caller), &deployment_id(&deployment)?, body.decision()?).await?;
    Ok(At::new(position))
}

/// Moves a deployment back to the version that ran before.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/roll-back", tag = "models", params(("deployment" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn roll_back(
    State(app): State<App>,
    caller: Caller,
    Path(deployment): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::WriteModels)?;
    let deployed =
        app.engine.registry.roll_back(&caller_of(&caller), &deployment_id(&deployment)?, body.decision()?).await?;
    Ok(show_deployed(&deployment, &deployed))
}
