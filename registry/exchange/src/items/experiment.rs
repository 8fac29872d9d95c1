//! An experiment, with everything in it.

use serde_json::{Value, json};

use super::{logged_model, run};
use crate::ExchangeError;
use crate::client::{Member as _, Server, list, tag, text};
use crate::copy::{Exchange, own_tags};

/// Copies an experiment with its runs and logged models. One that has the same name on the other server takes them in.
pub(crate) async fn copy(exchange: &mut Exchange<'_>, from: &Value) -> Result<(), ExchangeError> {
    let (Some(name), Some(id)) = (text(from, "name"), text(from, "experiment_id")) else { return Ok(()) };
    exchange.say(&format!("experiment {name}"));
    let what = format!("experiment {name:?}");
    let Some((target, made)) = obtain(exchange, from, name, &what).await? else { return Ok(()) };
    if made {
        exchange.report.experiments.copied += 1;
    } else {
        exchange.report.experiments.unchanged += 1;
    }
    for tag in own_tags(from) {
        let body = json!({ "experiment_id": target, "key": tag.at("key"), "value": tag.at("value") });
        let done = exchange.to.post("experiments/set-experiment-tag", &body).await;
        exchange.forgive(&format!("tag {} of {what}", tag.at("key")), done)?;
    }
    let runs = run::begin_all(exchange, (id, name), &target).await?;
    let points = logged_model::copy_all(exchange, (id, name), &target).await?;
    for one in runs {
        run::finish(exchange, &one, &points).await?;
    }
    Ok(())
}

/// The id of the experiment of this name on the other server, and whether it was made now.
async fn obtain(
    exchange: &mut Exchange<'_>,
    from: &Value,
    name: &str,
    what: &str,
) -> Result<Option<(String, bool)>, ExchangeError> {
    let found = match exchange.to.get("experiments/get-by-name", &[("experiment_name", name)]).await {
        Err(error) if error.is_not_found() => None,
        Err(error) => return exchange.forgive(what, Err(error)),
        Ok(found) => Some(found),
    };
    if let Some(found) = found {
        let there = found.at("experiment");
        if text(there, "lifecycle_stage") == Some("deleted") {
            exchange.report.skip(what, "the other server has a deleted experiment of this name");
            return Ok(None);
        }
        return Ok(text(there, "experiment_id").map(|id| (id.to_owned(), false)));
    }
    let origin = exchange.origin_tag("experiment", text(from, "experiment_id").unwrap_or_default());
    let body = json!({ "name": name, "tags": [origin] });
    let made = exchange.to.post("experiments/create", &body).await;
    let made = exchange.forgive(what, made)?;
    Ok(made.and_then(|made| Some((text(&made, "experiment_id")?.to_owned(), true))))
}

/// Every run of an experiment.
pub(crate) async fn runs(server: &Server, experiment: &str, view: &str) -> Result<Vec<Value>, ExchangeError> {
    let asked = json!({
        "experiment_ids": [experiment],
        "run_view_type": view,
        "max_results": 1000,
        "order_by": ["attributes.start_time ASC"],
    });
    server.all("runs/search", &asked, "runs").await
}

/// The tags of a run.
pub(crate) fn run_tags(run: &Value) -> &[Value] {
    list(run.at("data"), "tags")
}

/// Whether a copy was finished.
pub(crate) fn is_complete(tags: &[Value]) -> bool {
    tag(tags, crate::COMPLETE) == Some("true")
}
