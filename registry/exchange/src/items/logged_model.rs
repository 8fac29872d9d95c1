//! Models that runs logged.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::experiment::is_complete;
use crate::client::{Member as _, Server, list, text};
use crate::copy::{Exchange, Place, by_origin, own_tags};
use crate::{COMPLETE, ExchangeError, files};

/// How many parameters or tags go in one request.
const PAIRS: usize = 100;

/// Which values of a run's metrics were measured for logged models: run, metric, time, step and value, and what names the copies.
#[derive(Debug, Default)]
pub(crate) struct Points(HashMap<(String, String), Vec<Value>>);

impl Points {
    fn key(value: &Value) -> String {
        let step = if value.at("step").is_null() { json!(0) } else { value.at("step").clone() };
        format!("{} {} {} {}", value.at("key"), value.at("timestamp"), step, value.at("value"))
    }

    /// What names the logged models that a value of a run's metric was measured for.
    pub(crate) fn of(&self, run: &str, value: &Value) -> Option<&[Value]> {
        self.0.get(&(run.to_owned(), Self::key(value))).map(Vec::as_slice)
    }

    fn add(&mut self, metric: &Value, copy: &str) {
        let Some(run) = text(metric, "run_id") else { return };
        let mut names = Map::new();
        names.insert("model_id".to_owned(), json!(copy));
        for name in ["dataset_name", "dataset_digest"] {
            if let Some(value) = text(metric, name) {
                names.insert(name.to_owned(), json!(value));
            }
        }
        self.0.entry((run.to_owned(), Self::key(metric))).or_default().push(Value::Object(names));
    }
}

/// Every logged model of an experiment.
async fn logged_models(server: &Server, experiment: &str) -> Result<Vec<Value>, ExchangeError> {
    let asked = json!({ "experiment_ids": [experiment], "max_results": 50 });
    match server.all("logged-models/search", &asked, "models").await {
        // A server before MLflow 3 has none.
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        found => found,
    }
}

/// Copies the logged models of an experiment that are not there yet, and answers which values of metrics belong to all of them.
pub(crate) async fn copy_all(
    exchange: &mut Exchange<'_>,
    (experiment, name): (&str, &str),
    target: &str,
) -> Result<Points, ExchangeError> {
    let mut points = Points::default();
    let found = logged_models(exchange.from, experiment).await?;
    if found.is_empty() {
        return Ok(points);
    }
    let there = logged_models(exchange.to, target).await?;
    let there: HashMap<String, Value> =
        by_origin(&there, tags).into_iter().map(|(origin, model)| (origin.to_owned(), model.clone())).collect();
    for from in found {
        let Some(id) = text(from.at("info"), "model_id").map(str::to_owned) else { continue };
        let what = format!("logged model {id}");
        if text(from.at("info"), "status") != Some("LOGGED_MODEL_READY") {
            exchange.report.skip(what, "it is not complete: its status is not READY");
            continue;
        }
        let from_uri = text(from.at("info"), "artifact_uri").unwrap_or_default().to_owned();
        let copied = match there.get(&exchange.origin("logged_model", &id)) {
            Some(copy) if is_complete(tags(copy)) => {
                exchange.report.logged_models.unchanged += 1;
                Some(place(copy.at("info"), &from_uri))
            }
            unfinished => {
                if let Some(copied) = unfinished.and_then(|copy| text(copy.at("info"), "model_id")) {
                    exchange.to.tell(Method::DELETE, &format!("logged-models/{copied}"), &json!({})).await?;
                }
                exchange.say(&format!("{what} of experiment {name}"));
                let made = copy(exchange, &from, &id, target, &what).await;
                let made = exchange.forgive(&what, made)?;
                exchange.report.logged_models.copied += u64::from(made.is_some());
                made
            }
        };
        if let Some(place) = copied {
            for metric in list(from.at("data"), "metrics") {
                points.add(metric, &place.id);
            }
            exchange.copies.logged_models.insert(id, place);
        }
    }
    Ok(points)
}

fn tags(model: &Value) -> &[Value] {
    list(model.at("info"), "tags")
}

fn place(info: &Value, from_uri: &str) -> Place {
    Place {
        id: text(info, "model_id").unwrap_or_default().to_owned(),
        from_uri: from_uri.to_owned(),
        to_uri: text(info, "artifact_uri").unwrap_or_default().to_owned(),
    }
}

async fn copy(
    exchange: &mut Exchange<'_>,
    from: &Value,
    id: &str,
    target: &str,
    what: &str,
) -> Result<Place, ExchangeError> {
    let info = from.at("info");
    let mut body = json!({
        "experiment_id": target,
        "name": info.at("name"),
        "tags": [exchange.origin_tag("logged_model", id)],
    });
    let run = text(info, "source_run_id").and_then(|run| exchange.copies.runs.get(run)).map(|place| place.id.clone());
    if let Some(fields) = body.as_object_mut() {
        if let Some(kind) = text(info, "model_type") {
            fields.insert("model_type".to_owned(), json!(kind));
        }
        match (run, text(info, "source_run_id")) {
            (Some(run), _) => drop(fields.insert("source_run_id".to_owned(), json!(run))),
            (None, Some(run)) => exchange.report.skip(format!("the run {run} of {what}"), "it was not copied"),
            (None, None) => {}
        }
    }
    let made = exchange.to.post("logged-models", &body).await?;
    let from_uri = text(info, "artifact_uri").unwrap_or_default();
    let place = place(made.at("model").at("info"), from_uri);
    let path = format!("logged-models/{}", place.id);
    for params in list(from.at("data"), "params").chunks(PAIRS) {
        let body = json!({ "model_id": place.id, "params": params });
        exchange.to.post(&format!("{path}/params"), &body).await?;
    }
    let (source, to, options) = (exchange.from, exchange.to, exchange.options);
    files::copy((source, from_uri), (to, &place.to_uri), what, options, &mut exchange.report).await?;
    let ready = json!({ "model_id": place.id, "status": "LOGGED_MODEL_READY" });
    exchange.to.tell(Method::PATCH, &path, &ready).await?;
    // Ordering: the mark comes last. Which versions it became is written anew when these are registered.
    let mut carried: Vec<Value> =
        own_tags(info).into_iter().filter(|tag| tag.at("key") != "mlflow.modelVersions").collect();
    carried.push(crate::client::pair(COMPLETE, "true"));
    for tags in carried.chunks(PAIRS) {
        let body = json!({ "model_id": place.id, "tags": tags });
        exchange.to.tell(Method::PATCH, &format!("{path}/tags"), &body).await?;
    }
    Ok(place)
}
