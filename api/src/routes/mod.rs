//! Every address of the server, with its part of the OpenAPI document.

pub mod articles;
pub mod catalogue;
pub mod commands;
pub mod common;
pub mod datasets;
pub mod diagnose;
pub mod dictionary;
pub mod events;
pub mod governance;
pub mod groups;
pub mod health;
pub mod knowledge;
pub mod log;
pub mod metadata;
pub mod models;
pub mod notices;
pub mod operations;
pub mod packages;
pub mod pages;
pub mod plant;
pub mod privacy;
pub mod readings;
pub mod state;
pub mod statistics;
pub mod trace;
pub mod transparency;
pub mod webhooks;
pub mod what_ran;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::server::App;

/// What the document says about the whole.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Millwright",
        description = "The factory's memory: every reading and every event in one append-only, provable log; knowledge, models and traces folded from it.\n\n\
            Every answer names the log positions that it comes from. `as_of` asks what the system knew at a position or record time; `at` asks what was so \
            at an event time. A write answers with its position; a read takes `min_position` and waits for it. Errors are RFC 9457 problems."
    ),
    tags(
        (name = "intake", description = "What people, machines and programs report"),
        (name = "log", description = "The records themselves, their streams, and the live feed"),
        (name = "groups", description = "Competing consumers: the records of a filter, shared out among members, each at least once"),
        (name = "plant", description = "Assets, signals, latest values, machine states"),
        (name = "knowledge", description = "The five knowledge bases: search, statistics, diagnosis"),
        (name = "trace", description = "Where it came from, and where it went"),
        (name = "models", description = "The registry: models, versions, deployments, predictions"),
        (name = "privacy", description = "People and customers by name, erasures, legal holds, what expired"),
        (name = "transparency", description = "What auditors need to check the log without trusting it (C2SP tlog-tiles, tlog-checkpoint, tlog-proof)"),
        (name = "operations", description = "Health, metrics, projections, quarantine, discrepancies")
    ),
    // Tiles have addresses with slashes in them, which the document writes as one part and the router does not.
    paths(transparency::tile, transparency::entries),
    components(schemas(Problem))
)]
struct Document;

/// The routes, and the document that describes them.
pub fn all() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(events::report))
        .routes(routes!(events::readings, readings::read))
        .routes(routes!(commands::command))
        .routes(routes!(commands::names))
        .routes(routes!(commands::event_types))
        .routes(routes!(log::read))
        .routes(routes!(log::one))
        .routes(routes!(log::payload))
        .routes(routes!(log::stream))
        .routes(routes!(log::live))
        .routes(routes!(metadata::stream, metadata::set_stream))
        .routes(routes!(metadata::category, metadata::set_category))
        .routes(routes!(groups::groups))
        .routes(routes!(groups::define, groups::delete))
        .routes(routes!(groups::fetch))
        .routes(routes!(groups::acknowledge))
        .routes(routes!(groups::refuse))
        .routes(routes!(groups::parked))
        .routes(routes!(groups::replay_parked))
        .routes(routes!(transparency::checkpoint))
        .routes(routes!(transparency::witnessed))
        .routes(routes!(transparency::verifier_key))
        .routes(routes!(transparency::proof))
        .routes(routes!(transparency::consistency))
        .routes(routes!(transparency::status))
        .route("/log/tile/entries/{*index}", get(transparency::entries))
        .route("/log/tile/{level}/{*index}", get(transparency::tile))
        .routes(routes!(plant::assets))
        .routes(routes!(plant::asset))
        .routes(routes!(plant::states))
        .routes(routes!(plant::signals))
        .routes(routes!(plant::recent))
        .routes(routes!(plant::values))
        .routes(routes!(knowledge::search))
        .routes(routes!(knowledge::faults))
        .routes(routes!(knowledge::fault_episodes))
        .routes(routes!(knowledge::fault_mode))
        .routes(routes!(knowledge::maintenance))
        .routes(routes!(knowledge::quality))
        .routes(routes!(knowledge::operating))
        .routes(routes!(knowledge::control))
        .routes(routes!(statistics::operating::figures))
        .routes(routes!(statistics::operating::best_crew))
        .routes(routes!(statistics::regimes::regimes))
        .routes(routes!(statistics::regimes::deviating))
        .routes(routes!(statistics::fmea::compared))
        .routes(routes!(statistics::alarms::standing))
        .routes(routes!(statistics::alarms::performance))
        .routes(routes!(statistics::control::what_followed))
        .routes(routes!(statistics::control::best))
        .routes(routes!(statistics::maintenance::what_helps))
        .routes(routes!(statistics::maintenance::times))
        .routes(routes!(statistics::maintenance::lives))
        .routes(routes!(statistics::maintenance::due_work))
        .routes(routes!(statistics::maintenance::stock))
        .routes(routes!(statistics::quality::control_chart))
        .routes(routes!(statistics::quality::freeze))
        .routes(routes!(statistics::quality::ranked_causes))
        .routes(routes!(statistics::quality::graded))
        .routes(routes!(statistics::shifts::shifts))
        .routes(routes!(statistics::shifts::draft, statistics::shifts::sign))
        .routes(routes!(statistics::warnings::precursors))
        .routes(routes!(statistics::warnings::rules, statistics::warnings::propose))
        .routes(routes!(statistics::warnings::approve))
        .routes(routes!(statistics::warnings::retire))
        .routes(routes!(statistics::warnings::warnings))
        .routes(routes!(knowledge::record))
        .routes(routes!(knowledge::graph))
        .routes(routes!(diagnose::diagnose))
        .routes(routes!(articles::articles))
        .routes(routes!(articles::article))
        .routes(routes!(articles::attach))
        .routes(routes!(dictionary::entries))
        .routes(routes!(dictionary::entry))
        .routes(routes!(dictionary::suggestions))
        .routes(routes!(packages::export))
        .routes(routes!(packages::import))
        .routes(routes!(articles::file))
        .routes(routes!(articles::files))
        .routes(routes!(knowledge::code))
        .routes(routes!(trace::trace))
        .routes(routes!(state::state))
        .routes(routes!(catalogue::models, models::register))
        .routes(routes!(catalogue::model, governance::delete_model))
        .routes(routes!(models::create_version))
        .routes(routes!(models::set_alias, models::remove_alias))
        .routes(routes!(models::predict))
        .routes(routes!(catalogue::deployments, models::deploy))
        .routes(routes!(catalogue::predictions))
        .routes(routes!(models::retire))
        .routes(routes!(models::roll_back))
        .routes(routes!(datasets::list, datasets::create))
        .routes(routes!(datasets::one))
        .routes(routes!(datasets::file))
        .routes(routes!(datasets::verify))
        .routes(routes!(what_ran::what_ran))
        .routes(routes!(governance::rename))
        .routes(routes!(governance::describe_model))
        .routes(routes!(governance::describe_version))
        .routes(routes!(governance::tag_model, governance::untag_model))
        .routes(routes!(governance::tag_version, governance::untag_version))
        .routes(routes!(governance::version, governance::delete_version))
        .routes(routes!(governance::set_stage))
        .routes(routes!(governance::evaluate))
        .routes(routes!(governance::approve))
        .routes(routes!(governance::withdraw))
        .routes(routes!(governance::roll_back_alias))
        .routes(routes!(governance::gates))
        .routes(routes!(governance::define_gate, governance::remove_gate))
        .routes(routes!(governance::promotion))
        .routes(routes!(governance::history))
        .routes(routes!(governance::compare_versions))
        .routes(routes!(governance::train))
        .routes(routes!(governance::reproduce))
        .routes(routes!(webhooks::webhooks))
        .routes(routes!(webhooks::webhook))
        .routes(routes!(notices::told))
        .routes(routes!(notices::policies))
        .routes(routes!(notices::policy))
        .routes(routes!(notices::ladder))
        .routes(routes!(notices::groups))
        .routes(routes!(notices::group))
        .routes(routes!(notices::channels))
        .routes(routes!(operations::discrepancies))
        .routes(routes!(operations::quarantine))
        .routes(routes!(operations::release))
        .routes(routes!(operations::statistics))
        .routes(routes!(operations::projections))
        .routes(routes!(operations::digests))
        .routes(routes!(privacy::erase, privacy::erasures))
        .routes(routes!(privacy::place_hold, privacy::holds))
        .routes(routes!(privacy::release_hold))
        .routes(routes!(privacy::expire, privacy::expiries))
        .routes(routes!(privacy::subjects))
        .routes(routes!(privacy::subject))
        .routes(routes!(health::alive))
        .routes(routes!(health::alive_too))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .split_for_parts();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("token", bearer);
    document.security = Some(vec![
        utoipa::openapi::security::SecurityRequirement::default(),
        utoipa::openapi::security::SecurityRequirement::new("token", Vec::<String>::new()),
    ]);
    complete(&mut document);
    (router, document)
}

/// Gives each answer a description, and problems their media type.
fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            for (status, answer) in &mut operation.responses.responses {
                let utoipa::openapi::RefOr::T(answer) = answer else { continue };
                if answer.description.is_empty() {
                    answer.description = described(status).to_owned();
                }
                let is_problem = status.starts_with('4') || (status.starts_with('5') && status != "503");
                if let Some(content) = answer.content.swap_remove("application/json").filter(|_| is_problem) {
                    answer.content.insert(crate::problem::PROBLEM_JSON.to_owned(), content);
                }
            }
        }
    }
}

fn described(status: &str) -> &'static str {
    match status {
        "200" => "The answer",
        "201" => "Logged: the answer has the position",
        "422" => "Refused by a rule, with the reason",
        _ => "A problem (RFC 9457), with the field and the reason where there are such",
    }
}

/// The OpenAPI document, the page that shows it, and the first page.
pub fn documents(document: Arc<str>) -> Router<App> {
    let json = move || {
        let document = Arc::clone(&document);
        async move { ([(header::CONTENT_TYPE, "application/json")], document.to_string()) }
    };
    Router::new()
        .route("/openapi.json", get(json))
        .route("/docs", get(pages::reference))
        .route("/", get(pages::first))
        .route("/fragments/overview", get(pages::overview))
        .route("/fragments/search", get(pages::search))
        .route("/fragments/trace", get(pages::trace))
}
