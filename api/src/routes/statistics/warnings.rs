//! Fault warning: what came before faults, the detection rules made of it, and what became of their warnings.
//!
//! A detection rule is a piece of knowledge of the kind `rule`: the addresses here draft, approve and supersede it with the commands of every other piece.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::Text;
use domain::events::{ArticleDrafted, ArticleKind, ArticleReviewed, ArticleSuperseded, Detection};
use domain::ids::{ArticleId, AssetClass, AssetId, Code, PersonId};
use domain::rules::Command;
use eventlog::EventId;
use jiff::Timestamp;
use precursors::history::{Judgement, MineError, Models, Plan, Scope, judgements, live};
use precursors::judge::Outcome;
use projections::folds::articles::{ArticleQuery, Standing};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::commands::carry_out;
use super::super::common::{to_json, with};
use super::super::events::Logged;
use super::{Basis, OneRecord, Records, id, limit};
use crate::auth::{Caller, Permission};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::server::App;

/// How long before a fault something counts as its precursor where the caller says nothing: two days.
const DEFAULT_HORIZON_S: u64 = 48 * 3_600;

/// Before which faults.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PrecursorParameters {
    /// The failure mode.
    pub mode: String,
    /// Only assets of this class; of every class with a fault of the mode, when absent.
    pub class: Option<String>,
    /// Only this asset.
    pub asset: Option<String>,
    /// How many hours before a fault something counts as its precursor; 48, when absent.
    pub horizon_hours: Option<u64>,
    /// How many precursors, up to 1000; 100, when absent.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

impl From<MineError> for Problem {
    fn from(error: MineError) -> Self {
        match error {
            MineError::Read(error) => error.into(),
            MineError::TooMany => Self::invalid("class", error),
        }
    }
}

/// Conditions on readings and alarms that came before faults of a mode: with lead time, precision, recall and false alarms a day on the later part of history, which no threshold was
/// chosen by, and a bound on false discoveries. `detection` of each is what a rule is made of.
#[utoipa::path(get, path = "/api/v1/fault-warning/precursors", tag = "knowledge", params(PrecursorParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn precursors(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PrecursorParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let most = limit(parameters.limit)?;
    let horizon_s = match parameters.horizon_hours {
        None => DEFAULT_HORIZON_S,
        Some(hours) if (1..=24 * 90).contains(&hours) => hours * 3_600,
        Some(hours) => return Err(Problem::invalid("horizon_hours", format!("{hours} is not from 1 to 2160"))),
    };
    let scope = Scope {
        mode: Code::new(&parameters.mode).map_err(|error| Problem::invalid("mode", error))?,
        class: id("class", parameters.class.as_ref(), AssetClass::new)?,
        asset: id("asset", parameters.asset.as_ref(), AssetId::new)?,
        horizon_s,
    };
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let engine = &app.engine;
    let plan = engine.alarms.read(|alarms, at_alarms| {
        engine.episodes.read(|episodes, at_episodes| {
            engine.catalog.read(|catalog, at_catalog| {
                let stores = [("alarms", at_alarms), ("episodes", at_episodes), ("catalog", at_catalog)];
                stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                basis.last().map(|last| Plan::of(Models { catalog, episodes, alarms }, &scope, last))
            })
        })
    });
    let Some(plan) = plan else { return basis.one(&json!({"precursors": []})) };
    // One question at a time: each reads much and computes long.
    let _turn = engine.mining.lock().await;
    let log = std::sync::Arc::clone(&engine.log);
    let handle = tokio::runtime::Handle::current();
    let mined = tokio::task::spawn_blocking(move || handle.block_on(plan.mine(&*log)))
        .await
        .map_err(|error| Problem::internal(&error))??;
    let found = mined.precursors.len();
    let shown: Vec<_> = mined.precursors.iter().take(most).collect();
    basis.one(&json!({
        "precursors": to_json(&shown)?,
        "found": found,
        "candidates": mined.candidates,
        "tried": mined.tried,
        "faults": mined.faults,
    }))
}

/// Which rules.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RuleParameters {
    /// Only for this failure mode.
    pub mode: Option<String>,
    /// Only for assets of this class.
    pub class: Option<String>,
    /// Only with this standing: `draft`, `approved` or `superseded`.
    #[param(value_type = Option<String>)]
    pub standing: Option<Standing>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// The detection rules, each with its revision that counts, what was measured when it was mined, and how good it has been live.
#[utoipa::path(get, path = "/api/v1/fault-warning/rules", tag = "knowledge", params(RuleParameters),
    responses((status = 200, body = Records), (status = "4XX", body = Problem)))]
pub async fn rules(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<RuleParameters>,
) -> Result<axum::Json<Records>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let mode = id("mode", parameters.mode.as_ref(), Code::new)?;
    let query = ArticleQuery {
        kind: Some(ArticleKind::Rule),
        code: None,
        class: id("class", parameters.class.as_ref(), AssetClass::new)?,
        standing: parameters.standing,
    };
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let engine = &app.engine;
    let items = engine.warnings.read(|warnings, at_warnings| {
        engine.episodes.read(|episodes, at_episodes| {
            engine.articles.read(|articles, at_articles| {
                let stores = [("warnings", at_warnings), ("episodes", at_episodes), ("articles", at_articles)];
                stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                let as_of = basis.as_of();
                let judged = judgements(warnings, episodes, as_of);
                let all = live(&judged, articles, as_of);
                let rules = articles.find(&query, as_of).filter(|view| {
                    let detection = view.shown().drafted.value.detection.as_deref();
                    detection.is_some_and(|detection| mode.as_ref().is_none_or(|mode| *mode == detection.mode))
                });
                let shown = rules.map(|view| {
                    let of_rule: Vec<_> = all.iter().filter(|live| live.rule == *view.article).collect();
                    Ok(with(to_json(&view)?, [("live", to_json(&of_rule)?)]))
                });
                shown.collect::<Result<Vec<Value>, Problem>>()
            })
        })
    })?;
    basis.records(&items)
}

/// A detection rule, or a new revision of one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// The rule's id.
    pub rule: String,
    /// Its revision: 1 for a new rule, else the next number; the next one, when absent.
    pub revision: Option<u32>,
    /// What it detects: as it stands in an answer about precursors, or written by hand.
    #[schema(value_type = Object)]
    pub detection: Detection,
    /// The classes of assets that it is for.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What it is called; what it says, when absent.
    #[schema(value_type = Option<Object>)]
    pub title: Option<Text>,
    /// More about it (Markdown).
    #[serde(default)]
    #[schema(value_type = Object)]
    pub body: Text,
    /// The log positions that it rests on.
    #[serde(default)]
    pub evidence: Vec<u64>,
    /// Who proposes it.
    pub author: String,
    /// The idempotency key: sent again under the same id, it is proposed once.
    pub id: Option<Uuid>,
}

async fn command(app: &App, caller: &Caller, command: Command, id: Option<Uuid>) -> Logging {
    let id = id.map_or_else(EventId::generate, EventId::new);
    carry_out(app, caller, command, id, Timestamp::now()).await
}

type Logging = Result<(StatusCode, axum::Json<Logged>), Problem>;

fn rule_id(text: &str) -> Result<ArticleId, Problem> {
    ArticleId::new(text).map_err(|error| Problem::invalid("rule", error))
}

fn person(field: &'static str, text: &str) -> Result<PersonId, Problem> {
    PersonId::new(text).map_err(|error| Problem::invalid(field, error))
}

/// The newest revision of a rule that is known now; 0 where there is none.
async fn newest(app: &App, rule: &ArticleId) -> Result<u32, Problem> {
    if let Some(last) = app.engine.log.tail().previous() {
        let patience = std::time::Duration::from_millis(app.limits.wait_ms);
        app.engine.wait_for_one("articles", last, patience).await?;
    }
    Ok(app.engine.articles.read(|articles, _| {
        articles.article(rule, projections::AsOf::LATEST).map_or(0, |view| view.newest.drafted.value.revision)
    }))
}

/// Proposes a detection rule. It runs once somebody other than the author has approved it.
#[utoipa::path(post, path = "/api/v1/fault-warning/rules", tag = "knowledge", request_body = RuleBody,
    responses((status = 200, body = Logged, description = "Proposed before"), (status = 201, body = Logged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn propose(State(app): State<App>, caller: Caller, Json(body): Json<RuleBody>) -> Logging {
    caller.must(Permission::WriteEvents)?;
    let article = rule_id(&body.rule)?;
    let classes = body.classes.iter().map(|class| AssetClass::new(class)).collect::<Result<Vec<_>, _>>();
    let revision = match body.revision {
        Some(revision) => revision,
        None => newest(&app, &article).await?.saturating_add(1),
    };
    let drafted = ArticleDrafted {
        article,
        revision,
        kind: ArticleKind::Rule,
        title: body.title.unwrap_or_else(|| precursors::rules::title(&body.detection)),
        body: body.body,
        rows: Vec::new(),
        codes: vec![body.detection.mode.clone()],
        detection: Some(Box::new(body.detection)),
        classes: classes.map_err(|error| Problem::invalid("classes", error))?,
        attachments: Vec::new(),
        evidence: body.evidence,
        author: person("author", &body.author)?,
        origin: None,
    };
    command(&app, &caller, Command::from(drafted), body.id).await
}

/// Somebody's decision about a rule.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Who decides.
    pub person: String,
    /// For an approval: which revision; the newest one, when absent.
    pub revision: Option<u32>,
    /// For an approval: false refuses the revision.
    pub approved: Option<bool>,
    /// For a retirement: the rule that takes its place.
    pub by: Option<String>,
    /// Why.
    #[schema(value_type = Option<Object>)]
    pub note: Option<Text>,
    /// The idempotency key.
    pub id: Option<Uuid>,
}

/// Approves a revision of a rule, or refuses it: not by its author. What is approved runs from then on.
#[utoipa::path(post, path = "/api/v1/fault-warning/rules/{rule}/approve", tag = "knowledge", params(("rule" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = Logged, description = "Decided before"), (status = 201, body = Logged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(rule): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Logging {
    caller.must(Permission::WriteEvents)?;
    if body.by.is_some() {
        return Err(Problem::invalid("by", "it goes with a retirement only"));
    }
    let article = rule_id(&rule)?;
    let revision = match body.revision {
        Some(revision) => revision,
        None => newest(&app, &article).await?,
    };
    let person = person("person", &body.person)?;
    let reviewed =
        ArticleReviewed { article, revision, person, approved: body.approved.unwrap_or(true), note: body.note };
    command(&app, &caller, Command::from(reviewed), body.id).await
}

/// Retires a rule: it runs no more, and its open warnings end.
#[utoipa::path(post, path = "/api/v1/fault-warning/rules/{rule}/retire", tag = "knowledge", params(("rule" = String, Path)), request_body = DecisionBody,
    responses((status = 200, body = Logged, description = "Retired before"), (status = 201, body = Logged), (status = 422, body = Problem), (status = "4XX", body = Problem)))]
pub async fn retire(
    State(app): State<App>,
    caller: Caller,
    Path(rule): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Logging {
    caller.must(Permission::WriteEvents)?;
    if body.revision.is_some() || body.approved.is_some() {
        return Err(Problem::invalid("revision", "a rule is retired with all its revisions"));
    }
    let superseded = ArticleSuperseded {
        article: rule_id(&rule)?,
        by: body.by.as_deref().map(rule_id).transpose()?,
        person: person("person", &body.person)?,
        reason: body.note,
    };
    command(&app, &caller, Command::from(superseded), body.id).await
}

/// Which warnings.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WarningParameters {
    /// Only of this failure mode.
    pub mode: Option<String>,
    /// Only about this asset.
    pub asset: Option<String>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only those that are not cleared, or only those that are.
    pub open: Option<bool>,
    /// How many, the newest first, up to 1000; 100, when absent.
    pub limit: Option<usize>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// The warnings, the newest first, each with what became of it (`hit`: a fault of the mode followed within the horizon; `false`; `open`: not known yet; `known`: the fault was
/// there already), and what they say of each rule's live precision.
#[utoipa::path(get, path = "/api/v1/fault-warning/warnings", tag = "knowledge", params(WarningParameters),
    responses((status = 200, body = OneRecord), (status = "4XX", body = Problem)))]
pub async fn warnings(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<WarningParameters>,
) -> Result<axum::Json<OneRecord>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let most = limit(parameters.limit)?;
    let mode = id("mode", parameters.mode.as_ref(), Code::new)?;
    let asset = id("asset", parameters.asset.as_ref(), AssetId::new)?;
    let rule = id("rule", parameters.rule.as_ref(), ArticleId::new)?;
    let is_asked = |judged: &Judgement<'_>| {
        let raised = &judged.warning.raised.value;
        mode.as_ref().is_none_or(|mode| *mode == raised.mode)
            && asset.as_ref().is_none_or(|asset| *asset == raised.asset)
            && rule.as_ref().is_none_or(|rule| *rule == raised.rule)
            && parameters.open.is_none_or(|open| open == judged.warning.cleared.is_none())
    };
    let mut basis = Basis::of(&app, parameters.as_of, parameters.min_position).await?;
    let engine = &app.engine;
    let items = engine.warnings.read(|warnings, at_warnings| {
        engine.episodes.read(|episodes, at_episodes| {
            engine.articles.read(|articles, at_articles| {
                let stores = [("warnings", at_warnings), ("episodes", at_episodes), ("articles", at_articles)];
                stores.into_iter().for_each(|(name, checkpoint)| basis.store(name, checkpoint));
                let as_of = basis.as_of();
                let judged = judgements(warnings, episodes, as_of);
                let asked: Vec<&Judgement<'_>> = judged.iter().rev().filter(|judged| is_asked(judged)).collect();
                let shown: Vec<_> = asked.iter().take(most).collect();
                let rules = live(&judged, articles, as_of);
                let rules: Vec<_> =
                    rules.iter().filter(|live| rule.as_ref().is_none_or(|rule| *rule == live.rule)).collect();
                let hits = asked.iter().filter(|judged| judged.outcome == Outcome::Hit).count();
                Ok::<_, Problem>(json!({
                    "warnings": to_json(&shown)?,
                    "found": asked.len(),
                    "hits": hits,
                    "rules": to_json(&rules)?,
                }))
            })
        })
    })?;
    basis.one(&items)
}
