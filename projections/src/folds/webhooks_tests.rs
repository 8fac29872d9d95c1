use domain::Event;
use domain::events::WebhookStatus;
use domain::ids::WebhookId;
use eventlog::Position;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Webhooks;
use crate::Fold;
use crate::testing::entries;

fn event(event_type: &str, payload: Value) -> Event {
    Event::from_value(event_type, 1, payload).unwrap()
}

fn created(id: &str) -> Event {
    let events = json!([{ "entity": "model_version", "action": "created" }]);
    event("webhook.created", json!({ "webhook": id, "name": "line", "url": "http://a/", "events": events }))
}

fn updated(id: &str, change: &Value) -> Event {
    let mut payload = json!({ "webhook": id });
    payload.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    event("webhook.updated", payload)
}

fn folded(events: Vec<Event>) -> Webhooks {
    let mut webhooks = Webhooks::default();
    entries(events).iter().for_each(|entry| webhooks.apply(entry));
    webhooks
}

#[test]
fn what_is_not_said_stays_and_being_switched_on_again_is_remembered() {
    let id = WebhookId::new("w").unwrap();
    let secret = "0195590c-7c00-7000-8000-000000000005";
    let webhooks = folded(vec![
        created("w"),
        updated("w", &json!({ "description": "tells the line", "secret": secret })),
        updated("w", &json!({ "status": "disabled" })),
        updated("w", &json!({ "status": "disabled", "url": "http://b/" })),
        updated("w", &json!({ "status": "active" })),
        updated("w", &json!({ "status": "active", "name": "line-2" })),
        updated("other", &json!({ "name": "nobody" })),
    ]);
    let webhook = webhooks.get(&id).unwrap();
    assert_eq!((webhook.name.as_str(), webhook.url.as_str()), ("line-2", "http://b/"));
    assert_eq!(webhook.description.as_deref(), Some("tells the line"));
    assert_eq!(webhook.secret.unwrap().to_string(), secret);
    assert_eq!((webhook.status, webhook.events.len()), (WebhookStatus::Active, 1));
    assert_eq!(webhook.active_since, Position::new(4));
    assert_eq!(webhooks.iter().count(), 1);
}

proptest! {
    #[test]
    fn a_webhook_is_there_when_it_was_made_and_not_deleted_since(steps in prop::collection::vec((0_u8..3, 0_u8..4), 0..40)) {
        let mut expected = std::collections::BTreeSet::new();
        let events = steps.iter().map(|(step, id)| {
            let id = id.to_string();
            match step {
                0 => { expected.insert(id.clone()); created(&id) }
                1 => updated(&id, &json!({ "name": "again" })),
                _ => { expected.remove(&id); event("webhook.deleted", json!({ "webhook": id })) }
            }
        }).collect();
        let webhooks = folded(events);
        let found: std::collections::BTreeSet<String> = webhooks.iter().map(|webhook| webhook.id.to_string()).collect();
        prop_assert_eq!(found, expected);
    }
}
