//! Is it alive, is it ready, and its metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::server::App;

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Object)))]
pub async fn alive() -> axum::Json<Value> {
    axum::Json(json!({"status": "ok"}))
}

/// The same as `/healthz`.
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Object)))]
pub async fn alive_too() -> axum::Json<Value> {
    alive().await
}

/// Whether every projection and reactor runs, whether the log is still signed, and how the sources are; 503 when one has failed, and while a store is still being opened.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200, body = Object), (status = 503, body = Object)))]
pub async fn ready(State(app): State<App>) -> (StatusCode, axum::Json<Value>) {
    let projections = app.engine.projection_states();
    let reactors = app.engine.reactor_states();
    let failed = projections.iter().any(|projection| projection.failed.is_some())
        || reactors.iter().any(|(_, _, failed)| failed.is_some())
        || app.engine.notary.stopped().is_some();
    let opening = projections.iter().any(|projection| projection.opening);
    let (status, word) = match (failed, opening) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "opening"),
        (false, false) => (StatusCode::OK, "ready"),
    };
    let body = json!({
        "status": word,
        "tail": app.engine.log.tail(),
        "signed": app.engine.notary.checkpoint().checkpoint().size,
        "signing_stopped": app.engine.notary.stopped(),
        "projections": projections,
        "sources": app.engine.source_states(),
    });
    (status, axum::Json(body))
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    app.metrics.set_log_records(app.engine.log.tail().get());
    let notary = &app.engine.notary;
    app.metrics.set_checkpoint(notary.checkpoint().checkpoint().size, notary.stopped().is_none());
    for witness in app.engine.witnesses.states() {
        app.metrics.set_witness(&witness.name, witness.cosigned_size.unwrap_or(0));
    }
    let sealing = app.engine.sealing();
    for (figure, value) in [
        ("segments_sealed", sealing.sealed_segments),
        ("segments_waiting", sealing.unsealed_segments),
        ("bytes_before", sealing.bytes_before),
        ("bytes_after", sealing.bytes_after),
        ("milliseconds", sealing.milliseconds),
        ("failures", sealing.failures),
    ] {
        app.metrics.set_log_sealing(figure, value);
    }
    for projection in app.engine.projection_states() {
        app.metrics.set_projection_lag(projection.name, projection.lag);
    }
    for source in app.engine.source_states() {
        app.metrics.set_source_connected(&source.name, source.connected);
    }
    for (fate, count) in app.engine.reading_counts() {
        app.metrics.set_readings(fate, count);
    }
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text()))
}
