//! Registered models with their versions, aliases and stages.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Member as _, list, pair, tag, text, whole};
use crate::copy::{Exchange, Place, own_tags};
use crate::{COPIED_FROM, ExchangeError};

/// The tag that prompts have, which are registered models otherwise.
const IS_PROMPT: &str = "mlflow.prompt.is_prompt";

/// Copies a registered model. One that is there already gets the versions that it lacks, if it was copied from here.
pub(crate) async fn copy(exchange: &mut Exchange<'_>, from: &Value) -> Result<(), ExchangeError> {
    let Some(name) = text(from, "name") else { return Ok(()) };
    exchange.say(&format!("registered model {name}"));
    let what = format!("registered model {name:?}");
    let Some(made) = obtain(exchange, from, name, &what).await? else { return Ok(()) };
    if made {
        exchange.report.registered_models.copied += 1;
    } else {
        exchange.report.registered_models.unchanged += 1;
    }
    let Some(filter) = versions_of(from, name) else {
        exchange
            .report
            .skip(format!("the versions of {what}"), "its name has both kinds of quotes, which no filter can say");
        return Ok(());
    };
    let query = [("filter", filter.as_str()), ("max_results", "1000"), ("order_by", "version_number ASC")];
    let versions = exchange.from.all_of("model-versions/search", &query, "model_versions").await?;
    let there = exchange.to.all_of("model-versions/search", &query, "model_versions").await?;
    let there: HashMap<String, u64> = there
        .iter()
        .filter_map(|version| {
            let origin = tag(list(version, "tags"), COPIED_FROM)?.to_owned();
            Some((origin, whole(version.at("version"))?))
        })
        .collect();
    let mut numbers: HashMap<u64, u64> = HashMap::new();
    for version in &versions {
        let Some(number) = whole(version.at("version")) else { continue };
        if let Some(copied) = there.get(&exchange.origin("model_version", &format!("{name}/{number}"))) {
            exchange.report.model_versions.unchanged += 1;
            numbers.insert(number, *copied);
            continue;
        }
        if let Some(copied) = copy_version(exchange, version, name, number).await? {
            exchange.report.model_versions.copied += 1;
            numbers.insert(number, copied);
        }
    }
    // The list of models may leave aliases out; the model itself has them.
    let whole_model = exchange.from.get("registered-models/get", &[("name", name)]).await?;
    aliases(exchange, whole_model.at("registered_model"), name, &numbers).await
}

/// Whether the model was made now; nothing, when it cannot be.
async fn obtain(
    exchange: &mut Exchange<'_>,
    from: &Value,
    name: &str,
    what: &str,
) -> Result<Option<bool>, ExchangeError> {
    let origin = exchange.origin("registered_model", name);
    match exchange.to.get("registered-models/get", &[("name", name)]).await {
        Ok(found) => {
            let there = tag(list(found.at("registered_model"), "tags"), COPIED_FROM);
            if there == Some(&origin) {
                return Ok(Some(false));
            }
            exchange
                .report
                .skip(what, "the other server has a model of this name that comes from elsewhere; it is left alone");
            Ok(None)
        }
        Err(error) if error.is_not_found() => {
            let mut tags = own_tags(from);
            tags.push(pair(COPIED_FROM, &origin));
            let body =
                json!({ "name": name, "description": text(from, "description").unwrap_or_default(), "tags": tags });
            let made = exchange.to.post("registered-models/create", &body).await;
            Ok(exchange.forgive(what, made)?.map(|_| true))
        }
        Err(error) => exchange.forgive(what, Err(error)),
    }
}

async fn copy_version(
    exchange: &mut Exchange<'_>,
    from: &Value,
    name: &str,
    number: u64,
) -> Result<Option<u64>, ExchangeError> {
    let what = format!("version {number} of {name:?}");
    let source = match source(exchange, from) {
        Ok(source) => source,
        Err(reason) => {
            exchange.report.skip(what, reason);
            return Ok(None);
        }
    };
    let mut tags = own_tags(from);
    tags.push(exchange.origin_tag("model_version", &format!("{name}/{number}")));
    let mut body = json!({ "name": name, "source": source.uri, "tags": tags });
    if let Some(fields) = body.as_object_mut() {
        let said = [
            ("description", text(from, "description").map(str::to_owned)),
            ("run_id", source.run),
            ("model_id", source.logged_model),
        ];
        for (field, value) in said {
            if let Some(value) = value {
                fields.insert(field.to_owned(), json!(value));
            }
        }
    }
    let made = exchange.to.post("model-versions/create", &body).await;
    let Some(made) = exchange.forgive(&what, made)? else { return Ok(None) };
    let Some(copied) = whole(made.at("model_version").at("version")) else { return Ok(None) };
    if copied != number {
        exchange
            .report
            .skip(what.as_str(), format!("it has become version {copied}: earlier ones were deleted or left out"));
    }
    if let Some(stage) = text(from, "current_stage").filter(|stage| *stage != "None") {
        let body =
            json!({ "name": name, "version": copied.to_string(), "stage": stage, "archive_existing_versions": false });
        let done = exchange.to.post("model-versions/transition-stage", &body).await;
        exchange.forgive(&format!("the stage of {what}"), done)?;
    }
    Ok(Some(copied))
}

/// What a copied version is made from.
struct Source {
    uri: String,
    run: Option<String>,
    logged_model: Option<String>,
}

/// What a version was made from, with the copies in place of the originals.
fn source(exchange: &Exchange<'_>, version: &Value) -> Result<Source, String> {
    let uri = text(version, "source").unwrap_or_default();
    let run_id = text(version, "run_id");
    let run = run_id.and_then(|id| exchange.copies.runs.get(id));
    let logged = uri.strip_prefix("models:/m-").map(|rest| format!("m-{rest}"));
    let logged = logged.as_deref().or_else(|| text(version, "model_id"));
    if let Some(id) = logged {
        let place = exchange.copies.logged_models.get(id);
        let place = place.ok_or_else(|| format!("its logged model {id} was not copied"))?;
        return Ok(Source {
            uri: format!("models:/{}", place.id),
            run: run.map(|place| place.id.clone()),
            logged_model: Some(place.id.clone()),
        });
    }
    if let Some((id, path)) = uri.strip_prefix("runs:/").and_then(|rest| rest.split_once('/')) {
        let place = exchange.copies.runs.get(id).ok_or_else(|| format!("its run {id} was not copied"))?;
        let uri = format!("runs:/{}/{path}", place.id);
        return Ok(Source { uri, run: Some(place.id.clone()), logged_model: None });
    }
    if uri.starts_with("mlflow-artifacts:") {
        let place = run.into_iter().chain(exchange.copies.logged_models.values()).find_map(|place| moved(uri, place));
        let uri = place.ok_or_else(|| format!("the files at {uri} belong to nothing that was copied"))?;
        return Ok(Source { uri, run: run.map(|place| place.id.clone()), logged_model: None });
    }
    // Files that lie elsewhere stay there, and the text of a prompt is in its tags.
    Ok(Source { uri: uri.to_owned(), run: run.map(|place| place.id.clone()), logged_model: None })
}

/// An address below the original's files, below the copy's.
fn moved(uri: &str, place: &Place) -> Option<String> {
    let rest = uri.strip_prefix(place.from_uri.as_str()).filter(|_| !place.from_uri.is_empty())?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", place.to_uri))
}

async fn aliases(
    exchange: &mut Exchange<'_>,
    from: &Value,
    name: &str,
    numbers: &HashMap<u64, u64>,
) -> Result<(), ExchangeError> {
    let there = exchange.to.get("registered-models/get", &[("name", name)]).await?;
    let there = list(there.at("registered_model"), "aliases");
    for alias in list(from, "aliases") {
        let Some(called) = text(alias, "alias") else { continue };
        let what = format!("alias {called:?} of {name:?}");
        let Some(number) = whole(alias.at("version")).and_then(|number| numbers.get(&number)) else {
            exchange.report.skip(what, "its version was not copied");
            continue;
        };
        if there.iter().any(|alias| text(alias, "alias") == Some(called) && whole(alias.at("version")) == Some(*number))
        {
            continue;
        }
        let body = json!({ "name": name, "alias": called, "version": number.to_string() });
        let done = exchange.to.tell(Method::POST, "registered-models/alias", &body).await;
        exchange.report.aliases += u64::from(exchange.forgive(&what, done)?.is_some());
    }
    Ok(())
}

/// A filter for the versions of a model. Those of prompts are found only when they are asked for.
fn versions_of(model: &Value, name: &str) -> Option<String> {
    let called = match (name.contains('\''), name.contains('"')) {
        (false, _) => format!("name = '{name}'"),
        (true, false) => format!("name = \"{name}\""),
        (true, true) => return None,
    };
    let prompt = tag(list(model, "tags"), IS_PROMPT) == Some("true");
    Some(if prompt { format!("{called} AND tags.`{IS_PROMPT}` = 'true'") } else { called })
}
