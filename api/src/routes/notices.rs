//! Notices of alarms and warnings: who is told of what, which groups wait for somebody, and whom the system has told. Policies are set by the commands `notice_policy.set` and
//! `notice_policy.remove`, and a group is answered for by `notice.acknowledge`, or by acknowledging its alarms.

use axum::extract::{Path, State};
use domain::events::NoticePolicySet;
use domain::ids::{AlarmGroupId, AssetId, Code, PersonId};
use eventlog::Position;
use projections::folds::notices::GroupView;
use projections::{AsOf, Fact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, Page, offset, page_size, parse_optional_time, to_json};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// As known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PolicyParameters {
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of policies.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyPage {
    /// The position of the last change of any policy; null while there was none.
    pub version: Option<u64>,
    #[serde(flatten)]
    #[schema(inline)]
    page: Page,
}

async fn known(app: &App, as_of: Option<String>, min_position: Option<u64>) -> Result<Option<AsOf>, Problem> {
    let asked = Asked { as_of, min_position };
    asked.wait(app).await?;
    Ok(asked.position(app).await?.map(AsOf::through))
}

/// What was said of a policy; null where it was removed.
fn said(fact: &Fact<Option<NoticePolicySet>>) -> Result<Value, Problem> {
    Ok(json!({ "position": fact.position, "at": fact.time, "said": to_json(&fact.value)? }))
}

/// The policies that hold, by name.
#[utoipa::path(get, path = "/api/v1/notices/policies", tag = "operations", params(PolicyParameters),
    responses((status = 200, body = PolicyPage), (status = "4XX", body = Problem)))]
pub async fn policies(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<PolicyParameters>,
) -> Result<axum::Json<PolicyPage>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = known(&app, parameters.as_of, parameters.min_position).await? else {
        return Ok(axum::Json(PolicyPage { version: None, page: Page::of_offset(Vec::new(), start, limit) }));
    };
    let (version, items) = app.engine.notices.read(|notices, _| {
        let items = notices.policies(as_of).skip(start).take(limit + 1).map(said).collect::<Result<Vec<_>, _>>();
        (notices.version(as_of), items)
    });
    let page = Page::of_offset(items?, start, limit);
    Ok(axum::Json(PolicyPage { version: version.map(Position::get), page }))
}

/// Everything that was said of a policy, the oldest first.
#[utoipa::path(get, path = "/api/v1/notices/policies/{policy}", tag = "operations", params(("policy" = String, Path), PolicyParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn policy(
    State(app): State<App>,
    caller: Caller,
    Path(policy): Path<String>,
    Query(parameters): Query<PolicyParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let code = Code::new(&policy).map_err(|error| Problem::invalid("policy", error))?;
    let unknown = || Problem::not_found("notice policy", &policy);
    let as_of = known(&app, parameters.as_of, parameters.min_position).await?.ok_or_else(unknown)?;
    app.engine.notices.read(|notices, _| {
        let history = notices.policy(&code, as_of);
        if history.is_empty() {
            return Err(unknown());
        }
        let items = history.iter().skip(start).take(limit + 1).map(said).collect::<Result<Vec<_>, _>>()?;
        Ok(axum::Json(Page::of_offset(items, start, limit)))
    })
}

/// Which alarm, and as known when.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LadderParameters {
    /// The asset.
    pub asset: String,
    /// The alarm's code, or the failure mode of a warning.
    pub code: String,
    /// The alarm's severity, 1 to 1000; absent for a warning of a detection rule.
    pub severity: Option<u16>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
}

/// Whom the system tells, or would have told then, of an alarm: the policy that fits it best, with its position; null where nobody is told.
#[utoipa::path(get, path = "/api/v1/notices/ladder", tag = "operations", params(LadderParameters),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn ladder(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<LadderParameters>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let asset = AssetId::new(&parameters.asset).map_err(|error| Problem::invalid("asset", error))?;
    let code = Code::new(&parameters.code).map_err(|error| Problem::invalid("code", error))?;
    if let Some(severity) = parameters.severity.filter(|severity| !(1..=1000).contains(severity)) {
        return Err(Problem::invalid("severity", format!("{severity} is not from 1 to 1000")));
    }
    let Some(as_of) = known(&app, parameters.as_of, parameters.min_position).await? else {
        return Ok(axum::Json(json!({ "as_of": null, "policy": null })));
    };
    let policy = app
        .engine
        .notices
        .read(|notices, _| notices.chosen(&asset, &code, parameters.severity, as_of).map(said).transpose())?;
    Ok(axum::Json(json!({ "as_of": as_of.last(), "policy": policy })))
}

/// Which groups, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GroupParameters {
    /// Only those in which something waits for somebody, or only those in which nothing does.
    pub open: Option<bool>,
    /// Only those of this asset or line.
    pub place: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// Groups of alarms and warnings that belong together, the newest first: what is in each, at which step of its ladder it is, when the next one comes, and who was told.
#[utoipa::path(get, path = "/api/v1/notices/groups", tag = "operations", params(GroupParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn groups(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<GroupParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = known(&app, parameters.as_of, parameters.min_position).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), start, limit)));
    };
    let is_asked = |view: &GroupView<'_>| {
        parameters.open.is_none_or(|open| open == view.open)
            && parameters.place.as_ref().is_none_or(|place| place == view.place)
    };
    let items = app.engine.notices.read(|notices, _| {
        let asked = notices.groups(as_of).rev().filter(is_asked).skip(start).take(limit + 1);
        asked.map(|view| to_json(&view)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

/// One group.
#[utoipa::path(get, path = "/api/v1/notices/groups/{group}", tag = "operations", params(("group" = String, Path), Asked),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn group(
    State(app): State<App>,
    caller: Caller,
    Path(group): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Value>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let id = AlarmGroupId::new(&group).map_err(|error| Problem::invalid("group", error))?;
    let unknown = || Problem::not_found("group of alarms", &group);
    let as_of = known(&app, asked.as_of, asked.min_position).await?.ok_or_else(unknown)?;
    let found =
        app.engine.notices.read(|notices, _| notices.group(&id, as_of).map(|view| to_json(&view)).transpose())?;
    found.map(axum::Json).ok_or_else(unknown)
}

/// Which notices, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ToldParameters {
    /// Only those that were sent, or given up, at or after this time.
    pub from: Option<String>,
    /// Only those before this time.
    pub to: Option<String>,
    /// Only those for this person.
    pub person: Option<String>,
    /// Only those about this group.
    pub group: Option<String>,
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// Whom the system has told, or could not tell, and when: the newest first, each with the position that says so and those of its causes.
#[utoipa::path(get, path = "/api/v1/notices", tag = "operations", params(ToldParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn told(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<ToldParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let from = parse_optional_time("from", parameters.from.as_ref())?;
    let to = parse_optional_time("to", parameters.to.as_ref())?;
    let person = parameters.person.as_deref().map(PersonId::new).transpose();
    let person = person.map_err(|error| Problem::invalid("person", error))?;
    let group = parameters.group.as_deref().map(AlarmGroupId::new).transpose();
    let group = group.map_err(|error| Problem::invalid("group", error))?;
    let Some(as_of) = known(&app, parameters.as_of, parameters.min_position).await? else {
        return Ok(axum::Json(Page::of_offset(Vec::new(), start, limit)));
    };
    let items = app.engine.notices.read(|notices, _| {
        let asked = notices.told(as_of).iter().rev().filter(|told| {
            from.is_none_or(|from| told.at >= from)
                && to.is_none_or(|to| told.at < to)
                && person.as_ref().is_none_or(|person| told.notice.to.person() == Some(person))
                && group.as_ref().is_none_or(|group| told.group == *group)
        });
        asked.skip(start).take(limit + 1).map(to_json).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(axum::Json(Page::of_offset(items, start, limit)))
}

/// How each channel is doing since the start: where it leads, how many messages were taken and given up, and what is tried again, with the reason.
#[utoipa::path(get, path = "/api/v1/notices/channels", tag = "operations", responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn channels(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let items = app.engine.notice_channels().iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
    Ok(axum::Json(Page { items, next_cursor: None }))
}
