use std::sync::Arc;

use domain::Event;
use eventlog::{Direction, EventLog, Position};
use expect_test::expect;
use projections::{Entry, filters};
use serde_json::{Value, json};

use super::{Contexts, TYPES};
use crate::message::{action_name, entity_name};
use crate::testing::{Mill, alias_set, event};

fn registered(model: &str, name: Option<&str>, description: &str) -> Event {
    let description = json!({ "en": description });
    event("model.registered", json!({ "model": model, "name": name, "kind": "data", "description": description }))
}

fn version(model: &str, version: u32, more: Value) -> Event {
    let mut payload = json!({ "model": model, "version": version, "runtime": "mlflow", "inputs": [], "outputs": [], "artifacts": [] });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event("model.version_created", payload)
}

fn tag(model: &str, version: Option<u32>, key: &str, value: &str) -> Event {
    event("model.tag_set", json!({ "model": model, "version": version, "key": key, "value": value }))
}

fn tag_removed(model: &str, version: Option<u32>, key: &str) -> Event {
    event("model.tag_removed", json!({ "model": model, "version": version, "key": key }))
}

/// What is told from a position on.
async fn told(log: &Arc<dyn EventLog>, from: Position) -> String {
    let mut contexts = Contexts::new(Arc::clone(log));
    let mut text = String::new();
    for record in log.read(from, Direction::Forward, filters::types(&TYPES), 1000).await.unwrap() {
        let entry = Entry::decode(record);
        if let Some(notice) = contexts.notice(&entry).await.unwrap() {
            let (entity, action) = (entity_name(notice.trigger.entity), action_name(notice.trigger.action));
            text.push_str(&format!("{entity}.{action} {}\n", notice.data));
        }
    }
    text
}

#[tokio::test]
async fn a_model_is_told_as_it_was_at_that_moment() {
    let mill = Mill::new();
    mill.append([registered("weave", None, ""), tag("weave", None, "team", "mill 3")]).await;
    let described = json!({ "model": "weave", "version": 1, "description": "the first one" });
    mill.append([
        version("weave", 1, json!({ "source": "runs:/r1/model", "run": "r1" })),
        event("model.described", described),
        tag("weave", Some(1), "stage", "trial"),
    ])
    .await;
    mill.append([tag("weave", Some(1), "stage", "done")]).await;
    mill.append([tag("weave", None, "team", "mill 4")]).await;
    mill.append([alias_set("weave", "champion", 1)]).await;
    mill.append([event("model.renamed", json!({ "model": "weave", "name": "织造 weave" }))]).await;
    let after_rename = mill.append([version("weave", 2, json!({}))]).await;
    mill.append([tag_removed("weave", Some(1), "stage")]).await;
    mill.append([event("model.alias_removed", json!({ "model": "weave", "alias": "champion" }))]).await;
    mill.append([registered("weave", Some("weave again"), "described anew")]).await;

    let all = told(&mill.log, Position::START).await;
    expect![[r#"
        registered_model.created {"description":null,"name":"weave","tags":{"team":"mill 3"}}
        model_version.created {"description":"the first one","name":"weave","run_id":"r1","source":"runs:/r1/model","tags":{"stage":"trial"},"version":"1"}
        model_version_tag.set {"key":"stage","name":"weave","value":"done","version":"1"}
        model_version_alias.created {"alias":"champion","name":"weave","version":"1"}
        model_version.created {"description":null,"name":"织造 weave","run_id":null,"source":"models:/织造 weave/2","tags":{},"version":"2"}
        model_version_tag.deleted {"key":"stage","name":"织造 weave","version":"1"}
        model_version_alias.deleted {"alias":"champion","name":"织造 weave"}
    "#]].assert_eq(&all);
    // Whoever begins in the middle is told the same.
    let rest = told(&mill.log, after_rename).await;
    assert!(all.ends_with(&rest) && !rest.is_empty());
}

#[tokio::test]
async fn prompts_are_told_as_prompts() {
    let mill = Mill::new();
    mill.append([
        registered("greeting", Some("greeting prompt"), "says hello"),
        tag("greeting", None, "mlflow.prompt.is_prompt", "true"),
        tag("greeting", None, "language", "zh"),
    ])
    .await;
    mill.append([
        version("greeting", 1, json!({})),
        tag("greeting", Some(1), "mlflow.prompt.text", "你好 {{name}}"),
        tag("greeting", Some(1), "mlflow.prompt.is_prompt", "true"),
        tag("greeting", Some(1), "author", "Li"),
    ])
    .await;
    mill.append([tag("greeting", None, "language", "en")]).await;
    mill.append([tag_removed("greeting", None, "language")]).await;
    mill.append([tag("greeting", Some(1), "author", "Wang")]).await;
    mill.append([tag_removed("greeting", Some(1), "author")]).await;
    mill.append([alias_set("greeting", "live", 1)]).await;
    mill.append([event("model.alias_removed", json!({ "model": "greeting", "alias": "live" }))]).await;
    expect![[r#"
        prompt.created {"description":"says hello","name":"greeting prompt","tags":{"language":"zh"}}
        prompt_version.created {"description":null,"name":"greeting prompt","tags":{"author":"Li"},"template":"你好 {{name}}","version":"1"}
        prompt_tag.set {"key":"language","name":"greeting prompt","value":"en"}
        prompt_tag.deleted {"key":"language","name":"greeting prompt"}
        prompt_version_tag.set {"key":"author","name":"greeting prompt","value":"Wang","version":"1"}
        prompt_version_tag.deleted {"key":"author","name":"greeting prompt","version":"1"}
        prompt_alias.created {"alias":"live","name":"greeting prompt","version":"1"}
        prompt_alias.deleted {"alias":"live","name":"greeting prompt"}
    "#]].assert_eq(&told(&mill.log, Position::START).await);
}

#[tokio::test]
async fn a_warning_is_told_when_it_begins_and_when_it_ends() {
    let mill = Mill::new();
    let evidence = json!({ "value": 6.0, "threshold": 5.0, "from": "2026-03-02T04:10:00Z", "to": "2026-03-02T05:10:00Z", "since": "2026-03-02T05:10:00Z", "positions": [3] });
    let raised = json!({ "warning": "w", "rule": "R", "revision": 2, "asset": "L1", "mode": "BEA", "horizon_s": 60, "evidence": evidence });
    let cleared = json!({ "warning": "w", "rule": "R", "asset": "L1", "by": "calm" });
    mill.append([event("warning.raised", raised), event("warning.cleared", cleared)]).await;
    expect![[""]].assert_eq(&told(&mill.log, Position::START).await);
}
