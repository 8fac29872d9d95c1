//! The five knowledge bases: search, browse, ask.

use axum::extract::{Path, State};
use eventlog::Position;
use knowledge::coding::CodeRequest;
use knowledge::graph::NeighbourRequest;
use knowledge::questions::{QualityBy, Scope};
use knowledge::record::{Base, Kind, RecordId};
use knowledge::search_index::{Facet, SearchRequest};
use knowledge::{Answer, QuestionError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, parse_optional_time, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// The largest page of these endpoints.
const MAX_LIMIT: usize = 500;

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Invalid { field, reason } => Self::invalid(field, reason),
            QuestionError::NotFound { kind, id } => Self::not_found(kind, &id),
            QuestionError::Behind { .. } => Self::unavailable(error.to_string()),
            QuestionError::Store { .. } => Self::internal(&error),
        }
    }
}

/// What is searched for, and when it was so.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchParameters {
    /// Words in Chinese or English, codes, or both. Without it the newest records are listed.
    pub q: Option<String>,
    /// Only this base: `operating`, `fault`, `control`, `maintenance` or `quality`.
    pub base: Option<String>,
    /// Only this kind of record.
    pub kind: Option<String>,
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// Only what is coded with this failure mode.
    pub mode: Option<String>,
    /// Only what concerns this maintainable item.
    pub item: Option<String>,
    /// What is like this record, named as `kind:key`.
    pub similar: Option<String>,
    /// Count the values of these facets among everything that fits, separated by commas: `base`, `kind`, `asset`, `class`, `mode`, `item`.
    pub facets: Option<String>,
    /// Only what happened at or after this event time.
    pub from: Option<String>,
    /// Only what happened before this event time.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 500.
    pub limit: Option<usize>,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

/// The asked position: `Ok(None)` for the present, an error where nothing was known yet.
pub(super) async fn as_of(
    app: &App,
    text: Option<String>,
    min_position: Option<u64>,
) -> Result<Option<Position>, Problem> {
    let asked = Asked { as_of: text, min_position };
    asked.wait(app).await?;
    match &asked.as_of {
        None => Ok(None),
        Some(text) => match asked.position(app).await? {
            Some(position) => Ok(Some(position)),
            None => Err(Problem::not_found("anything known at", text)),
        },
    }
}

pub(super) fn limit(limit: Option<usize>) -> Result<Option<usize>, Problem> {
    match limit {
        Some(limit) if !(1..=MAX_LIMIT).contains(&limit) => {
            Err(Problem::invalid("limit", format!("{limit} is not from 1 to {MAX_LIMIT}")))
        }
        limit => Ok(limit),
    }
}

fn base(text: Option<&String>) -> Result<Option<Base>, Problem> {
    text.map(|text| {
        Base::parse(text).ok_or_else(|| {
            Problem::invalid("base", format!("{text:?} is none of operating, fault, control, maintenance, quality"))
        })
    })
    .transpose()
}

fn kind(text: Option<&String>) -> Result<Option<Kind>, Problem> {
    text.map(|text| Kind::parse(text).ok_or_else(|| Problem::invalid("kind", format!("{text:?} is no kind of record"))))
        .transpose()
}

fn facets(text: Option<&String>) -> Result<Vec<Facet>, Problem> {
    let names = text.map(String::as_str).unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            Facet::parse(name).ok_or_else(|| {
                Problem::invalid("facets", format!("{name:?} is none of base, kind, asset, class, mode, item"))
            })
        })
        .collect()
}

impl SearchParameters {
    /// The request that the parameters ask for.
    ///
    /// # Errors
    /// A 400 problem that names the parameter.
    pub async fn request(self, app: &App) -> Result<SearchRequest, Problem> {
        Ok(SearchRequest {
            base: base(self.base.as_ref())?,
            kind: kind(self.kind.as_ref())?,
            from: parse_optional_time("from", self.from.as_ref())?,
            to: parse_optional_time("to", self.to.as_ref())?,
            limit: limit(self.limit)?,
            as_of: as_of(app, self.as_of, self.min_position).await?,
            facets: facets(self.facets.as_ref())?,
            similar: self.similar.as_deref().map(record_named).transpose()?,
            q: self.q,
            asset: self.asset,
            class: self.class,
            mode: self.mode,
            item: self.item,
            cursor: self.cursor,
        })
    }
}

/// Searches all knowledge. Each hit names the positions that it comes from.
#[utoipa::path(get, path = "/api/v1/knowledge/search", tag = "knowledge", params(SearchParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<SearchParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let request = parameters.request(&app).await?;
    Ok(axum::Json(to_json(&app.engine.knowledge.search(request).await?)?))
}

/// What a statistic covers.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ScopeParameters {
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// Only this failure mode, defect or parameter.
    pub code: Option<String>,
    /// Only what happened at or after this event time.
    pub from: Option<String>,
    /// Only what happened before this event time.
    pub to: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many rows, up to 500.
    pub limit: Option<usize>,
    /// For quality: ranked by `asset` (the default), `lot`, `product` or `defect`.
    #[param(value_type = Option<String>)]
    pub by: Option<QualityBy>,
}

impl ScopeParameters {
    async fn scope(self, app: &App) -> Result<(Scope, QualityBy), Problem> {
        let scope = Scope {
            from: parse_optional_time("from", self.from.as_ref())?,
            to: parse_optional_time("to", self.to.as_ref())?,
            limit: limit(self.limit)?,
            as_of: as_of(app, self.as_of, self.min_position).await?,
            asset: self.asset,
            class: self.class,
            code: self.code,
        };
        Ok((scope, self.by.unwrap_or_default()))
    }
}

/// A list of statistics with what it rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ranked {
    /// The rows, the most important first.
    #[schema(value_type = Vec<Object>)]
    pub items: Value,
    /// Always null: the rows are a ranking, and `limit` says how many.
    pub next_cursor: Option<String>,
    /// The last position that was taken into account.
    pub as_of: Option<u64>,
    /// Each store that was asked, with the first position that it has not taken in.
    #[schema(value_type = Object)]
    pub stores: std::collections::BTreeMap<String, u64>,
    /// How many observations the answer rests on.
    pub n: u64,
    /// The latest positions that it comes from.
    pub evidence: Vec<u64>,
}

pub(super) fn ranked<T: Serialize>(answer: Answer<Vec<T>>) -> Result<axum::Json<Ranked>, Problem> {
    Ok(axum::Json(Ranked {
        items: to_json(&answer.value)?,
        next_cursor: None,
        as_of: answer.as_of.map(Position::get),
        stores: answer.stores.into_iter().map(|(name, checkpoint)| (name, checkpoint.get())).collect(),
        n: answer.n,
        evidence: answer.evidence.into_iter().map(Position::get).collect(),
    }))
}

/// Failure modes in numbers, the most frequent first.
#[utoipa::path(get, path = "/api/v1/knowledge/faults", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn faults(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.fault_modes(scope).await?)
}

/// Fault episodes, the latest first.
#[utoipa::path(get, path = "/api/v1/knowledge/faults/episodes", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn fault_episodes(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.fault_episodes(scope).await?)
}

/// One failure mode: its numbers, its latest episodes, and what helped.
#[utoipa::path(get, path = "/api/v1/knowledge/faults/modes/{mode}", tag = "knowledge", params(("mode" = String, Path), ScopeParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn fault_mode(
    State(app): State<App>,
    caller: Caller,
    Path(mode): Path<String>,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    Ok(axum::Json(to_json(&app.engine.knowledge.fault_mode(&mode, scope).await?)?))
}

/// What was done about each failure mode, and how often it worked.
#[utoipa::path(get, path = "/api/v1/knowledge/maintenance", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn maintenance(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.maintenance(scope).await?)
}

/// Quality by asset, lot, product or defect, the worst first.
#[utoipa::path(get, path = "/api/v1/knowledge/quality", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn quality(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, by) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.quality(by, scope).await?)
}

/// Hours in each state, stops by reason, the share of running time, by asset.
#[utoipa::path(get, path = "/api/v1/knowledge/operating", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn operating(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.operating(scope).await?)
}

/// Set-point changes, the latest first, with what followed.
#[utoipa::path(get, path = "/api/v1/knowledge/control", tag = "knowledge", params(ScopeParameters), responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn control(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ScopeParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (scope, _) = parameters.scope(&app).await?;
    ranked(app.engine.knowledge.control(scope).await?)
}

/// When a record is looked at.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RecordParameters {
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How far from the record the graph is followed, where it is.
    pub depth: Option<usize>,
    /// The most nodes.
    pub limit: Option<usize>,
}

fn record_id(text: &str) -> Result<RecordId, Problem> {
    RecordId::parse(text).ok_or_else(|| Problem::invalid("id", format!("{text:?} is not of the form kind:key")))
}

fn record_named(text: &str) -> Result<RecordId, Problem> {
    RecordId::parse(text).ok_or_else(|| Problem::invalid("similar", format!("{text:?} is not of the form kind:key")))
}

/// One knowledge record with its versions.
#[utoipa::path(get, path = "/api/v1/knowledge/records/{id}", tag = "knowledge", params(("id" = String, Path), RecordParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn record(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<RecordParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let as_of = as_of(&app, parameters.as_of, parameters.min_position).await?;
    Ok(axum::Json(to_json(&app.engine.knowledge.record(&record_id(&id)?, as_of).await?)?))
}

/// What a record is related to.
#[utoipa::path(get, path = "/api/v1/knowledge/graph/{id}", tag = "knowledge", params(("id" = String, Path), RecordParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn graph(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<RecordParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let as_of = as_of(&app, parameters.as_of, parameters.min_position).await?;
    let request =
        NeighbourRequest { node: record_id(&id)?, depth: parameters.depth, as_of, limit: limit(parameters.limit)? };
    Ok(axum::Json(to_json(&app.engine.knowledge.neighbours(&request).await?)?))
}

/// What is to be coded.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// What was said, in Chinese or English.
    pub text: String,
    /// What was known then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// The most codes of each target.
    pub limit: Option<usize>,
}

/// Suggests failure mode, mechanism, cause and item for a text, each with its probability and support; says where it should be left to people.
#[utoipa::path(post, path = "/api/v1/knowledge/code", tag = "knowledge", request_body = CodeBody, responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn code(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CodeBody>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let as_of = as_of(&app, body.as_of, body.min_position).await?;
    let request = CodeRequest { text: body.text, as_of, limit: limit(body.limit)? };
    app.engine.wait_for_cases(as_of, app.limits.patience()).await?;
    Ok(axum::Json(to_json(&app.engine.knowledge.code(request).await?)?))
}
