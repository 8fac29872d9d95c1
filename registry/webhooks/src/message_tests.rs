use domain::events::{WebhookAction, WebhookEntity};
use eventlog::EventId;
use expect_test::expect;
use jiff::Timestamp;
use serde_json::json;

use super::{Message, Notice, TRIGGERS, action_name, entity_name};
use crate::testing::on;

#[test]
fn the_signature_is_what_other_programs_compute() {
    let message = Message { delivery_id: "d-1".to_owned(), body: "{\"a\":1}".to_owned(), position: None };
    // hmac.new(secret, b"d-1.1700000000.{...}", sha256) of Python's standard library.
    expect!["v1,LmMWjNZedRfYiKbhr3m+NSizrjiQcchsbjmyTAAHbAM="]
        .assert_eq(&message.signature("rahasia 织", 1_700_000_000).unwrap());
    assert_ne!(message.signature("rahasia 织", 1_700_000_001), message.signature("rahasia 织", 1_700_000_000));
}

#[test]
fn a_message_is_the_same_each_time_that_it_is_made() {
    let trigger = on(WebhookEntity::ModelVersionAlias, WebhookAction::Created);
    let notice = Notice { trigger, data: json!({ "name": "weave", "alias": "champion", "version": "3" }) };
    let event = EventId::derived("test", "1");
    let time: Timestamp = "2026-03-02T06:10:00.5Z".parse().unwrap();
    let message = Message::about(&notice, "hook-1", event, 17, time);
    assert_eq!(message, Message::about(&notice, "hook-1", event, 17, time));
    assert_ne!(message.delivery_id, Message::about(&notice, "hook-2", event, 17, time).delivery_id);
    expect![[r#"{"action":"created","data":{"alias":"champion","name":"weave","version":"3"},"entity":"model_version_alias","timestamp":"2026-03-02T06:10:00.500000+00:00"}"#]].assert_eq(&message.body);
}

#[test]
fn each_trigger_has_an_example() {
    let mut text = String::new();
    for trigger in TRIGGERS {
        let body: serde_json::Value =
            serde_json::from_str(&Message::test(trigger, Timestamp::UNIX_EPOCH).body).unwrap();
        let names: Vec<&String> = body["data"].as_object().unwrap().keys().collect();
        text.push_str(&format!("{}.{} {names:?}\n", entity_name(trigger.entity), action_name(trigger.action)));
    }
    expect![[r#"
        registered_model.created ["description", "name", "tags"]
        model_version.created ["description", "name", "run_id", "source", "tags", "version"]
        model_version_tag.set ["key", "name", "value", "version"]
        model_version_tag.deleted ["key", "name", "version"]
        model_version_alias.created ["alias", "name", "version"]
        model_version_alias.deleted ["alias", "name"]
        prompt.created ["description", "name", "tags"]
        prompt_version.created ["description", "name", "tags", "template", "version"]
        prompt_tag.set ["key", "name", "value"]
        prompt_tag.deleted ["key", "name"]
        prompt_version_tag.set ["key", "name", "value", "version"]
        prompt_version_tag.deleted ["key", "name", "version"]
        prompt_alias.created ["alias", "name", "version"]
        prompt_alias.deleted ["alias", "name"]
        warning.created ["asset", "evidence", "horizon_s", "mode", "revision", "rule", "warning"]
        warning.deleted ["asset", "by", "rule", "warning"]
        notice.created ["asset", "group", "notice", "positions", "step", "text"]
    "#]]
    .assert_eq(&text);
}
