//! A message to one webhook by name, once: for who keeps its own order and tries again by itself.

use domain::events::{WebhookAction, WebhookEntity, WebhookStatus, WebhookTrigger};
use eventlog::EventId;
use jiff::Timestamp;
use serde_json::Value;

use crate::facade::Webhooks;
use crate::message::{Message, Notice};
use crate::sender::with_causes;

/// What a webhook must ask for to be told of alarms and warnings by a policy.
pub const NOTICES: WebhookTrigger = WebhookTrigger { entity: WebhookEntity::Notice, action: WebhookAction::Created };

/// Why a webhook was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTold {
    /// There is none of this name.
    #[error("no webhook is called {0:?}")]
    Unknown(String),
    /// There is one, and it does not want it.
    #[error("the webhook {0:?} is disabled, or does not ask for NOTICE CREATED")]
    NotAsked(String),
    /// Its receiver did not take it.
    #[error("the receiver did not take it: {0}")]
    NotTaken(String),
}

impl NotTold {
    /// Whether trying again is of no use.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::NotAsked(_))
    }
}

impl Webhooks {
    /// Sends a notice to the webhook of this name that asks for notices, once, signed as every message. `id` makes the id of the delivery, the same each time; `about` is the position and the time of
    /// what it is about.
    ///
    /// # Errors
    /// [`NotTold`].
    pub async fn tell(&self, name: &str, id: EventId, about: (u64, Timestamp), data: Value) -> Result<(), NotTold> {
        let named: Vec<_> = self.list().into_iter().filter(|webhook| webhook.name == name).collect();
        if named.is_empty() {
            return Err(NotTold::Unknown(name.to_owned()));
        }
        let asks = named
            .into_iter()
            .find(|webhook| webhook.status == WebhookStatus::Active && webhook.events.contains(&NOTICES));
        let webhook = asks.ok_or_else(|| NotTold::NotAsked(name.to_owned()))?;
        let notice = Notice { trigger: NOTICES, data };
        let message = Message::about(&notice, webhook.id.as_str(), id, about.0, about.1);
        match self.attempt(&webhook, &message).await {
            Ok(answer) if answer.is_taken() => Ok(()),
            Ok(answer) => Err(NotTold::NotTaken(format!("it answered with status {}", answer.status))),
            Err(error) => Err(NotTold::NotTaken(with_causes(&error))),
        }
    }
}
