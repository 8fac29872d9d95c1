//! Webhooks: who wants to be told what happens in the registry.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{WebhookCreated, WebhookStatus, WebhookTrigger, WebhookUpdated};
use domain::ids::WebhookId;
use eventlog::{Digest, Filter, Position, Revision};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Entry, Fold, filters, state_digest};

/// A webhook as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where the messages go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<WebhookTrigger>,
    /// Whether it is told anything.
    pub status: WebhookStatus,
    /// The name of its secret.
    pub secret: Option<Uuid>,
    /// Where the log says that it is active: what happened before, it is not told.
    pub active_since: Position,
    /// The last revision of its stream: what a change is conditional on.
    pub revision: Revision,
    /// When it came to be.
    pub created: Timestamp,
    /// When it changed last.
    pub updated: Timestamp,
}

/// Every webhook that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Webhooks(BTreeMap<WebhookId, Webhook>);

impl Fold for Webhooks {
    const NAME: &'static str = "webhooks";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["webhook.created", "webhook.updated", "webhook.deleted"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::WebhookCreated(event)) => {
                self.0.insert(event.webhook.clone(), created(entry, event));
            }
            Some(Event::WebhookUpdated(event)) => {
                if let Some(webhook) = self.0.get_mut(&event.webhook) {
                    update(webhook, entry, event);
                }
            }
            Some(Event::WebhookDeleted(event)) => {
                self.0.remove(&event.webhook);
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

fn created(entry: &Entry, event: &WebhookCreated) -> Webhook {
    Webhook {
        id: event.webhook.clone(),
        name: event.name.clone(),
        description: event.description.clone(),
        url: event.url.clone(),
        events: event.events.clone(),
        status: event.status,
        secret: event.secret,
        active_since: entry.position,
        revision: entry.revision,
        created: entry.record_time,
        updated: entry.record_time,
    }
}

fn update(webhook: &mut Webhook, entry: &Entry, event: &WebhookUpdated) {
    fn take<T: Clone>(into: &mut T, said: Option<&T>) {
        if let Some(said) = said {
            *into = said.clone();
        }
    }
    take(&mut webhook.name, event.name.as_ref());
    take(&mut webhook.url, event.url.as_ref());
    take(&mut webhook.events, event.events.as_ref());
    if event.status == Some(WebhookStatus::Active) && webhook.status == WebhookStatus::Disabled {
        webhook.active_since = entry.position;
    }
    take(&mut webhook.status, event.status.as_ref());
    webhook.description = event.description.clone().or(webhook.description.take());
    webhook.secret = event.secret.or(webhook.secret);
    webhook.revision = entry.revision;
    webhook.updated = entry.record_time;
}

impl Webhooks {
    /// A webhook.
    pub fn get(&self, id: &WebhookId) -> Option<&Webhook> {
        self.0.get(id)
    }

    /// Every webhook, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Webhook> {
        self.0.values()
    }
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;
