//! A run: begun with its parameters and tags, finished with everything else.
//!
//! In between its logged models are copied, which name the run, and which its metrics, inputs and outputs name.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::experiment::{is_complete, run_tags, runs};
use super::logged_model::Points;
use crate::client::{Member as _, list, pair, text};
use crate::copy::{Exchange, Place, by_origin};
use crate::{COMPLETE, COPIED_FROM, ExchangeError, files};

/// How many parameters or tags go in one request.
const PAIRS: usize = 100;
/// How many values of metrics go in one request.
const POINTS: usize = 1_000;
/// The tag of a run that belongs to another.
const PARENT: &str = "mlflow.parentRunId";

/// A run whose copy is not finished.
#[derive(Debug)]
pub(crate) struct Begun {
    from: Value,
    id: String,
    place: Place,
}

/// Begins a copy of each run of an experiment that has none, and remembers those that have one.
pub(crate) async fn begin_all(
    exchange: &mut Exchange<'_>,
    (experiment, name): (&str, &str),
    target: &str,
) -> Result<Vec<Begun>, ExchangeError> {
    let deleted = runs(exchange.from, experiment, "DELETED_ONLY").await?.len();
    if deleted > 0 {
        exchange.report.skip(format!("{deleted} runs of experiment {name:?}"), "they are deleted");
    }
    let there = runs(exchange.to, target, "ACTIVE_ONLY").await?;
    let there: HashMap<String, Value> =
        by_origin(&there, run_tags).into_iter().map(|(origin, run)| (origin.to_owned(), run.clone())).collect();
    let mut begun = Vec::new();
    for from in runs(exchange.from, experiment, "ACTIVE_ONLY").await? {
        let Some(id) = text(from.at("info"), "run_id").map(str::to_owned) else { continue };
        let what = format!("run {id}");
        if matches!(text(from.at("info"), "status"), Some("RUNNING" | "SCHEDULED")) {
            exchange.report.skip(what, "it has not ended; copy it when it has");
            continue;
        }
        let from_uri = text(from.at("info"), "artifact_uri").unwrap_or_default().to_owned();
        if let Some(copy) = there.get(&exchange.origin("run", &id)) {
            let Some(copied) = text(copy.at("info"), "run_id") else { continue };
            if is_complete(run_tags(copy)) {
                let to_uri = text(copy.at("info"), "artifact_uri").unwrap_or_default().to_owned();
                exchange.copies.runs.insert(id, Place { id: copied.to_owned(), from_uri, to_uri });
                exchange.report.runs.unchanged += 1;
                continue;
            }
            exchange.to.post("runs/delete", &json!({ "run_id": copied })).await?;
        }
        exchange.say(&format!("run {id} of experiment {name}"));
        let made = begin(exchange, &from, &id, target).await;
        if let Some((copied, to_uri)) = exchange.forgive(&what, made)? {
            let place = Place { id: copied, from_uri, to_uri };
            exchange.copies.runs.insert(id.clone(), place.clone());
            begun.push(Begun { from, id, place });
        }
    }
    Ok(begun)
}

async fn begin(
    exchange: &Exchange<'_>,
    from: &Value,
    id: &str,
    target: &str,
) -> Result<(String, String), ExchangeError> {
    let info = from.at("info");
    let mut body = json!({
        "experiment_id": target,
        "start_time": info.at("start_time"),
        "tags": [exchange.origin_tag("run", id)],
    });
    if let Some(fields) = body.as_object_mut() {
        for name in ["run_name", "user_id"] {
            if let Some(value) = text(info, name) {
                fields.insert(name.to_owned(), json!(value));
            }
        }
    }
    let made = exchange.to.post("runs/create", &body).await?;
    let made = made.at("run").at("info");
    let copied = text(made, "run_id").unwrap_or_default().to_owned();
    let to_uri = text(made, "artifact_uri").unwrap_or_default().to_owned();
    let tags: Vec<Value> = run_tags(from).iter().filter_map(|tag| carried_tag(exchange, tag)).collect();
    for tags in tags.chunks(PAIRS) {
        exchange.to.post("runs/log-batch", &json!({ "run_id": copied, "tags": tags })).await?;
    }
    for params in list(from.at("data"), "params").chunks(PAIRS) {
        exchange.to.post("runs/log-batch", &json!({ "run_id": copied, "params": params })).await?;
    }
    Ok((copied, to_uri))
}

/// A tag as the copy has it: the parent is the parent's copy. Runs are copied in the order of their beginnings, so that a parent comes first.
fn carried_tag(exchange: &Exchange<'_>, tag: &Value) -> Option<Value> {
    let key = tag.at("key").as_str()?;
    match key {
        COPIED_FROM | COMPLETE => None,
        PARENT => {
            let parent = tag.at("value").as_str()?;
            let copied = exchange.copies.runs.get(parent).map_or(parent, |place| place.id.as_str());
            Some(pair(key, copied))
        }
        _ => Some(tag.clone()),
    }
}

/// Copies what a run logged, and ends it as it ended.
pub(crate) async fn finish(exchange: &mut Exchange<'_>, run: &Begun, points: &Points) -> Result<(), ExchangeError> {
    let what = format!("run {}", run.id);
    let done = finish_whole(exchange, run, points, &what).await;
    if exchange.forgive(&what, done)?.is_some() {
        exchange.report.runs.copied += 1;
    }
    Ok(())
}

async fn finish_whole(
    exchange: &mut Exchange<'_>,
    run: &Begun,
    points: &Points,
    what: &str,
) -> Result<(), ExchangeError> {
    let copied = run.place.id.as_str();
    // A list of runs may leave inputs and outputs out; the run itself has them.
    let whole = exchange.from.get("runs/get", &[("run_id", &run.id)]).await?;
    let whole = whole.at("run");
    for metric in list(run.from.at("data"), "metrics") {
        let Some(key) = text(metric, "key") else { continue };
        metric_history(exchange, run, key, points).await?;
    }
    inputs_and_outputs(exchange, whole, copied, what).await?;
    let (from, to, options) = (exchange.from, exchange.to, exchange.options);
    files::copy((from, &run.place.from_uri), (to, &run.place.to_uri), what, options, &mut exchange.report).await?;
    let info = run.from.at("info");
    let mut end = json!({ "run_id": copied, "status": info.at("status") });
    if let (Some(fields), false) = (end.as_object_mut(), info.at("end_time").is_null()) {
        fields.insert("end_time".to_owned(), info.at("end_time").clone());
    }
    exchange.to.post("runs/update", &end).await?;
    exchange.to.post("runs/set-tag", &json!({ "run_id": copied, "key": COMPLETE, "value": "true" })).await?;
    Ok(())
}

/// Copies every value that a metric ever had. Values that were measured for a logged model name its copy.
async fn metric_history(
    exchange: &mut Exchange<'_>,
    run: &Begun,
    key: &str,
    points: &Points,
) -> Result<(), ExchangeError> {
    let query = [("run_id", run.id.as_str()), ("metric_key", key), ("max_results", "25000")];
    let history = exchange.from.all_of("metrics/get-history", &query, "metrics").await?;
    let mut values: Vec<Value> = Vec::new();
    for value in &history {
        let plain =
            json!({ "key": key, "value": value.at("value"), "timestamp": value.at("timestamp"), "step": step(value) });
        match points.of(&run.id, value) {
            Some(named) => values.extend(named.iter().map(|names| with(&plain, names))),
            None => values.push(plain),
        }
    }
    for values in values.chunks(POINTS) {
        exchange.to.post("runs/log-batch", &json!({ "run_id": run.place.id, "metrics": values })).await?;
    }
    exchange.report.metric_values += u64::try_from(history.len()).unwrap_or(u64::MAX);
    Ok(())
}

fn step(value: &Value) -> Value {
    if value.at("step").is_null() { json!(0) } else { value.at("step").clone() }
}

fn with(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    if let (Some(fields), Some(more)) = (value.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
    value
}

async fn inputs_and_outputs(
    exchange: &mut Exchange<'_>,
    whole: &Value,
    copied: &str,
    what: &str,
) -> Result<(), ExchangeError> {
    let mut renamed = |models: &[Value]| -> Vec<Value> {
        let mut found = Vec::new();
        for model in models {
            let id = text(model, "model_id").unwrap_or_default();
            match exchange.copies.logged_models.get(id) {
                Some(place) => found.push(with(model, &json!({ "model_id": place.id }))),
                None => exchange.report.skip(format!("logged model {id} of {what}"), "it was not copied"),
            }
        }
        found
    };
    let inputs = renamed(list(whole.at("inputs"), "model_inputs"));
    let outputs = renamed(list(whole.at("outputs"), "model_outputs"));
    let datasets = list(whole.at("inputs"), "dataset_inputs");
    if !datasets.is_empty() || !inputs.is_empty() {
        let body = json!({ "run_id": copied, "datasets": datasets, "models": inputs });
        let done = exchange.to.post("runs/log-inputs", &body).await;
        exchange.forgive(&format!("the inputs of {what}"), done)?;
    }
    if !outputs.is_empty() {
        let done = exchange.to.post("runs/outputs", &json!({ "run_id": copied, "models": outputs })).await;
        exchange.forgive(&format!("the outputs of {what}"), done)?;
    }
    Ok(())
}
