//! The words of the plant: what means the same, and what abbreviations stand for. Entries are written by the commands `dictionary.define_entry` and
//! `dictionary.remove_entry`; every search, diagnosis and coding takes them into account from then on.

use axum::extract::{Path, State};
use domain::events::DictionaryEntryDefined;
use domain::ids::Code;
use eventlog::Position;
use projections::{AsOf, Fact};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::common::{Asked, Page, offset, page_size, to_json};
use super::knowledge::{Ranked, as_of, ranked};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::problem::Problem;
use crate::server::App;

/// Which entries, and as known when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DictionaryParameters {
    /// What the system knew then: a position or a record time.
    pub as_of: Option<String>,
    /// Wait until this position is taken in.
    pub min_position: Option<u64>,
    /// How many, up to 1000; up to 500 suggestions.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl DictionaryParameters {
    async fn known(&self, app: &App) -> Result<Option<AsOf>, Problem> {
        let asked = Asked { as_of: self.as_of.clone(), min_position: self.min_position };
        asked.wait(app).await?;
        Ok(asked.position(app).await?.map(AsOf::through))
    }
}

/// A page of the dictionary.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DictionaryPage {
    /// The position of the last change of any entry; null while there was none.
    pub version: Option<u64>,
    #[serde(flatten)]
    #[schema(inline)]
    page: Page,
}

/// What was said of an entry; null where it was removed.
fn said(fact: &Fact<Option<DictionaryEntryDefined>>) -> Result<Value, Problem> {
    Ok(json!({ "position": fact.position, "at": fact.time, "said": to_json(&fact.value)? }))
}

/// The entries that hold, by name.
#[utoipa::path(get, path = "/api/v1/dictionary", tag = "knowledge", params(DictionaryParameters),
    responses((status = 200, body = DictionaryPage), (status = "4XX", body = Problem)))]
pub async fn entries(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<DictionaryParameters>,
) -> Result<axum::Json<DictionaryPage>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let Some(as_of) = parameters.known(&app).await? else {
        return Ok(axum::Json(DictionaryPage { version: None, page: Page::of_offset(Vec::new(), start, limit) }));
    };
    let (version, items) = app.engine.dictionary.read(|dictionary, _| {
        let items = dictionary.entries(as_of).skip(start).take(limit + 1).map(said).collect::<Result<Vec<_>, _>>();
        (dictionary.version(as_of), items)
    });
    let page = Page::of_offset(items?, start, limit);
    Ok(axum::Json(DictionaryPage { version: version.map(Position::get), page }))
}

/// Everything that was said of an entry, the oldest first.
#[utoipa::path(get, path = "/api/v1/dictionary/entries/{entry}", tag = "knowledge", params(("entry" = String, Path), DictionaryParameters),
    responses((status = 200, body = Page), (status = "4XX", body = Problem)))]
pub async fn entry(
    State(app): State<App>,
    caller: Caller,
    Path(entry): Path<String>,
    Query(parameters): Query<DictionaryParameters>,
) -> Result<axum::Json<Page>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let (limit, start) = (page_size(parameters.limit)?, offset(parameters.cursor.as_ref())?);
    let code = Code::new(&entry).map_err(|error| Problem::invalid("entry", error))?;
    let unknown = || Problem::not_found("dictionary entry", &entry);
    let as_of = parameters.known(&app).await?.ok_or_else(unknown)?;
    app.engine.dictionary.read(|dictionary, _| {
        let history = dictionary.history(&code, as_of);
        if history.is_empty() {
            return Err(unknown());
        }
        let items = history.iter().skip(start).take(limit + 1).map(said).collect::<Result<Vec<_>, _>>()?;
        Ok(axum::Json(Page::of_offset(items, start, limit)))
    })
}

/// Pairs of words that may mean the same, as past fault episodes use them: questions to whoever curates the dictionary.
#[utoipa::path(get, path = "/api/v1/dictionary/suggestions", tag = "knowledge", params(DictionaryParameters),
    responses((status = 200, body = Ranked), (status = "4XX", body = Problem)))]
pub async fn suggestions(
    State(app): State<App>,
    caller: Caller,
    Query(parameters): Query<DictionaryParameters>,
) -> Result<axum::Json<Ranked>, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    if parameters.cursor.is_some() {
        return Err(Problem::invalid("cursor", "suggestions are a ranking of one page; limit says how many"));
    }
    let limit = super::knowledge::limit(parameters.limit)?.unwrap_or(20);
    let as_of = as_of(&app, parameters.as_of, parameters.min_position).await?;
    ranked(app.engine.knowledge.suggested_words(as_of, limit).await?)
}
