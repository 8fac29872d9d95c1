//! The first page, its fragments, and the API reference as a page.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Parameter;

use super::knowledge::SearchParameters;
use super::trace::{TraceParameters, answer};
use crate::auth::{Caller, Permission};
use crate::extract::Query;
use crate::page::{self, Language};
use crate::problem::Problem;
use crate::server::App;

/// Which language the page is in.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct PageParameters {
    lang: Option<Language>,
}

/// A page that may run its own script and style, and nothing from elsewhere.
fn page(markup: Markup) -> Response {
    let mut response = axum::response::Html(markup.into_string()).into_response();
    let policy = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn language(parameters: PageParameters, headers: &HeaderMap) -> Language {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    parameters.lang.unwrap_or_else(|| Language::of_browser(asked))
}

/// The first page. It holds data only where no token is needed.
pub async fn first(State(app): State<App>, headers: HeaderMap, Query(parameters): Query<PageParameters>) -> Response {
    let language = language(parameters, &headers);
    if app.tokens.is_empty() {
        let view = page::overview_of(&app.engine).await;
        page(page::document(language, &page::overview(language, &view), view.latest_roll.as_deref()))
    } else {
        page(page::document(language, &html! {}, None))
    }
}

/// The overview alone, for the page's script.
pub async fn overview(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(parameters): Query<PageParameters>,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    Ok(page(page::overview(language(parameters, &headers), &page::overview_of(&app.engine).await)))
}

/// Words to search for.
#[derive(Clone, Debug, Deserialize)]
pub struct SearchForm {
    q: String,
    lang: Option<Language>,
}

/// What a search found, for the page's script.
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(form): Query<SearchForm>,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let language = language(PageParameters { lang: form.lang }, &headers);
    let found = async {
        let request = SearchParameters { q: Some(form.q), ..SearchParameters::default() }.request(&app).await?;
        Ok::<_, Problem>(app.engine.knowledge.search(request).await?)
    };
    Ok(page(match found.await {
        Ok(found) => page::search_results(language, &found),
        Err(problem) => page::problem(&problem),
    }))
}

/// What to trace.
#[derive(Clone, Debug, Deserialize)]
pub struct TraceForm {
    kind: String,
    id: String,
    lang: Option<Language>,
}

/// What a trace found, for the page's script.
pub async fn trace(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(form): Query<TraceForm>,
) -> Result<Response, Problem> {
    caller.must(Permission::ReadKnowledge)?;
    let language = language(PageParameters { lang: form.lang }, &headers);
    Ok(page(match answer(&app, &form.kind, &form.id, TraceParameters::default()).await {
        Ok(found) => page::trace_results(language, &found),
        Err(problem) => page::problem(&problem),
    }))
}

/// The API reference: each address with its parameters, from the OpenAPI document.
pub async fn reference() -> Response {
    let (_, document) = super::all();
    let operations = document.paths.paths.iter().flat_map(|(path, item)| {
        let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
        methods.into_iter().filter_map(move |(method, operation)| Some((path, method, operation.as_ref()?)))
    });
    let mut by_tag: indexmap::IndexMap<String, Vec<_>> = indexmap::IndexMap::new();
    for (path, method, operation) in operations {
        let tag = operation.tags.as_ref().and_then(|tags| tags.first()).cloned().unwrap_or_default();
        by_tag.entry(tag).or_default().push((path, method, operation));
    }
    page(html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width, initial-scale=1"; title { "Millwright API" } style { (maud::PreEscaped(page::STYLE)) } }
            body {
                header { h1 { "Millwright API" } p { "OpenAPI 3.1: " a href="/openapi.json" { "/openapi.json" } } a href="/" { "Millwright" } }
                main { @for (tag, operations) in &by_tag { section {
                    h2 { (tag) }
                    @for (path, method, operation) in operations {
                        details {
                            summary { b { (method) } " " code { (path) } " " span.soft { (operation.summary.as_deref().or(operation.description.as_deref()).unwrap_or("")) } }
                            @if let Some(parameters) = &operation.parameters { table { tbody { @for parameter in parameters.iter().filter_map(plain) { tr {
                                td { code { (parameter.name) } } td.text { (parameter.description.as_deref().unwrap_or("")) }
                            } } } } }
                            @if let Some(description) = &operation.description { p.soft { (description) } }
                        }
                    }
                } } }
            }
        }
    })
}

/// The parameter itself; references to shared parameters are not in use here.
fn plain(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}
