//! Webhooks: addresses that are told what happens in the registry.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::ids::WebhookId;

/// What kind of thing a webhook is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEntity {
    /// A registered model.
    RegisteredModel,
    /// A version of a model.
    ModelVersion,
    /// A tag of a version of a model.
    ModelVersionTag,
    /// An alias of a version of a model.
    ModelVersionAlias,
    /// A prompt: a registered model that MLflow keeps a text in.
    Prompt,
    /// A version of a prompt.
    PromptVersion,
    /// A tag of a prompt.
    PromptTag,
    /// A tag of a version of a prompt.
    PromptVersionTag,
    /// An alias of a version of a prompt.
    PromptAlias,
    /// A warning of a detection rule: it is raised (created) and cleared (deleted). MLflow knows no such thing.
    Warning,
    /// A notice of alarms and warnings that a policy sends to this webhook by name. MLflow knows no such thing.
    Notice,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookAction {
    /// It came to be.
    Created,
    /// It got a value.
    Set,
    /// It is gone.
    Deleted,
}

/// What a webhook is told of: `entity.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTrigger {
    /// The kind of thing.
    pub entity: WebhookEntity,
    /// What happened to it.
    pub action: WebhookAction,
}

/// Whether a webhook is told anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// It is.
    #[default]
    Active,
    /// It is not; what happens meanwhile it is never told.
    Disabled,
}

/// Somebody wants to be told what happens in the registry.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookCreated {
    /// The webhook.
    pub webhook: WebhookId,
    /// What people call it; several may have one name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where the messages go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookTrigger>,
    /// Whether it is told anything.
    #[serde(default)]
    pub status: WebhookStatus,
    /// The name of the secret that its messages are signed with. The secret itself is not in the log.
    pub secret: Option<Uuid>,
}

/// A webhook is otherwise from now on. What is absent stays as it was.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookUpdated {
    /// The webhook.
    pub webhook: WebhookId,
    /// Its new name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where the messages go from now on, also those that wait.
    pub url: Option<String>,
    /// What it is told of from now on, also of what waits.
    pub events: Option<Vec<WebhookTrigger>>,
    /// Whether it is told anything.
    pub status: Option<WebhookStatus>,
    /// The name of its new secret.
    pub secret: Option<Uuid>,
}

/// A webhook is told nothing any more, not even what waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookDeleted {
    /// The webhook.
    pub webhook: WebhookId,
}
