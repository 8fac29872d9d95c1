//! What is sent: MLflow's envelope, headers and signature.
//!
//! The body is `{"entity", "action", "timestamp", "data"}`. The signature is `v1,` and the Base64 of HMAC-SHA256, with the webhook's secret, over `DELIVERY_ID.TIMESTAMP.BODY`, where the
//! timestamp is that of the header: when this attempt was made, in seconds since 1970.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::events::{WebhookAction, WebhookEntity, WebhookTrigger};
use eventlog::EventId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "X-MLflow-Signature";
/// The header with the id of the delivery: the same each time that the same event is sent to the same webhook.
pub const DELIVERY_ID_HEADER: &str = "X-MLflow-Delivery-Id";
/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "X-MLflow-Timestamp";
/// The header with the position in the log of the event that the message is about.
pub const POSITION_HEADER: &str = "X-Millwright-Position";

/// Every trigger there is, in the order of the entities.
pub const TRIGGERS: [WebhookTrigger; 17] = {
    use WebhookAction::{Created, Deleted, Set};
    use WebhookEntity as E;
    const fn on(entity: WebhookEntity, action: WebhookAction) -> WebhookTrigger {
        WebhookTrigger { entity, action }
    }
    [
        on(E::RegisteredModel, Created),
        on(E::ModelVersion, Created),
        on(E::ModelVersionTag, Set),
        on(E::ModelVersionTag, Deleted),
        on(E::ModelVersionAlias, Created),
        on(E::ModelVersionAlias, Deleted),
        on(E::Prompt, Created),
        on(E::PromptVersion, Created),
        on(E::PromptTag, Set),
        on(E::PromptTag, Deleted),
        on(E::PromptVersionTag, Set),
        on(E::PromptVersionTag, Deleted),
        on(E::PromptAlias, Created),
        on(E::PromptAlias, Deleted),
        on(E::Warning, Created),
        on(E::Warning, Deleted),
        on(E::Notice, Created),
    ]
};

/// The name of an entity in messages.
pub const fn entity_name(entity: WebhookEntity) -> &'static str {
    match entity {
        WebhookEntity::RegisteredModel => "registered_model",
        WebhookEntity::ModelVersion => "model_version",
        WebhookEntity::ModelVersionTag => "model_version_tag",
        WebhookEntity::ModelVersionAlias => "model_version_alias",
        WebhookEntity::Prompt => "prompt",
        WebhookEntity::PromptVersion => "prompt_version",
        WebhookEntity::PromptTag => "prompt_tag",
        WebhookEntity::PromptVersionTag => "prompt_version_tag",
        WebhookEntity::PromptAlias => "prompt_alias",
        WebhookEntity::Warning => "warning",
        WebhookEntity::Notice => "notice",
    }
}

/// The name of an action in messages.
pub const fn action_name(action: WebhookAction) -> &'static str {
    match action {
        WebhookAction::Created => "created",
        WebhookAction::Set => "set",
        WebhookAction::Deleted => "deleted",
    }
}

/// What happened, for a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What it is.
    pub trigger: WebhookTrigger,
    /// What MLflow says about it; of a warning, what its event says.
    pub data: Value,
}

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id: the same for each attempt.
    pub delivery_id: String,
    /// The body, to the byte: that is what is signed.
    pub body: String,
    /// Where the log says what it is about; nowhere, when it is a test.
    pub position: Option<u64>,
}

impl Message {
    /// The message about an event for a webhook.
    pub fn about(notice: &Notice, webhook: &str, event: EventId, position: u64, happened: Timestamp) -> Self {
        let delivery_id = EventId::derived(&format!("webhook:{webhook}"), &event.to_string()).to_string();
        Self { delivery_id, body: envelope(notice, happened), position: Some(position) }
    }

    /// A message with made-up content, for a test of the receiver.
    pub fn test(trigger: WebhookTrigger, now: Timestamp) -> Self {
        let notice = Notice { trigger, data: example(trigger) };
        Self { delivery_id: Uuid::now_v7().to_string(), body: envelope(&notice, now), position: None }
    }

    /// The signature of an attempt at this time.
    pub fn signature(&self, secret: &str, timestamp_s: i64) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(format!("{}.{timestamp_s}.{}", self.delivery_id, self.body).as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

fn envelope(notice: &Notice, at: Timestamp) -> String {
    // As Python's `isoformat` writes a time with its zone.
    let timestamp = at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string();
    json!({
        "entity": entity_name(notice.trigger.entity),
        "action": action_name(notice.trigger.action),
        "timestamp": timestamp,
        "data": notice.data,
    })
    .to_string()
}

/// Made-up data of a trigger, as MLflow's tests of webhooks send it.
fn example(trigger: WebhookTrigger) -> Value {
    use WebhookAction as A;
    use WebhookEntity as E;
    let tags = json!({ "example_key": "example_value" });
    match (trigger.entity, trigger.action) {
        (E::RegisteredModel, _) => {
            json!({ "name": "example_model", "tags": tags, "description": "An example registered model" })
        }
        (E::ModelVersion, _) => json!({
            "name": "example_model",
            "version": "1",
            "source": "models:/123",
            "run_id": "abcd1234abcd5678",
            "tags": tags,
            "description": "An example model version",
        }),
        (E::ModelVersionTag, A::Deleted) => json!({ "name": "example_model", "version": "1", "key": "example_key" }),
        (E::ModelVersionTag, _) => {
            json!({ "name": "example_model", "version": "1", "key": "example_key", "value": "example_value" })
        }
        (E::ModelVersionAlias, A::Deleted) => json!({ "name": "example_model", "alias": "example_alias" }),
        (E::ModelVersionAlias, _) => json!({ "name": "example_model", "alias": "example_alias", "version": "1" }),
        (E::Prompt, _) => json!({ "name": "example_prompt", "tags": tags, "description": "An example prompt" }),
        (E::PromptVersion, _) => json!({
            "name": "example_prompt",
            "version": "1",
            "template": "Hello {{name}}!",
            "tags": tags,
            "description": "An example prompt version",
        }),
        (E::PromptTag, A::Deleted) => json!({ "name": "example_prompt", "key": "example_key" }),
        (E::PromptTag, _) => json!({ "name": "example_prompt", "key": "example_key", "value": "example_value" }),
        (E::PromptVersionTag, A::Deleted) => json!({ "name": "example_prompt", "version": "1", "key": "example_key" }),
        (E::PromptVersionTag, _) => {
            json!({ "name": "example_prompt", "version": "1", "key": "example_key", "value": "example_value" })
        }
        (E::PromptAlias, A::Deleted) => json!({ "name": "example_prompt", "alias": "example_alias" }),
        (E::PromptAlias, _) => json!({ "name": "example_prompt", "alias": "example_alias", "version": "1" }),
        (E::Notice, _) => json!({
            "notice": "example_notice",
            "group": "example_group",
            "step": 1,
            "asset": "example_asset",
            "text": { "zh": "示例", "en": "example" },
            "positions": [17],
        }),
        (E::Warning, A::Deleted) => {
            json!({ "warning": "example_warning", "rule": "example_rule", "asset": "example_asset", "by": "calm" })
        }
        (E::Warning, _) => json!({
            "warning": "example_warning",
            "rule": "example_rule",
            "revision": 1,
            "asset": "example_asset",
            "mode": "example_mode",
            "horizon_s": 172_800,
            "evidence": {
                "value": 6.2,
                "threshold": 5.0,
                "from": "2026-03-02T04:10:00Z",
                "to": "2026-03-02T05:10:00Z",
                "since": "2026-03-02T05:10:00Z",
                "positions": [17],
            },
        }),
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
