//! The ways by which notices leave: e-mail, topics of a broker, webhooks.

use std::sync::Arc;

use ::notices::{Channel, Contacts, Email, Message, Notifier, Options, SendError, SystemClock};
use anyhow::Context;
use connectors::mqtt::{PublishError, Publisher, PublisherConfig};
use domain::events::NoticeTarget;
use domain::personal::DataSubject;
use eventlog::{BoxFuture, EventLog};
use projections::folds::notices::Notices;
use projections::folds::people::People;
use projections::folds::webhooks::Webhooks as WebhooksFold;
use projections::{AsOf, Fold as _, ProjectionSet, ReadModels};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use webhooks::Webhooks;

use crate::config::Config;

/// The broker that notices are published to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeMqttConfig {
    /// The broker's host name or address.
    pub host: String,
    /// The broker's port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The client id, which no other client of the broker may have.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// The user, where the broker wants one.
    #[serde(default)]
    pub username: Option<String>,
    /// The password, where the broker wants one.
    #[serde(default)]
    pub password: Option<String>,
    /// What topics begin with; a slash and the topic of the policy's target follow.
    #[serde(default = "default_prefix")]
    pub prefix: String,
}

const fn default_port() -> u16 {
    1_883
}

fn default_client_id() -> String {
    "millwright-notices".to_owned()
}

fn default_prefix() -> String {
    "millwright/notices".to_owned()
}

impl NoticeMqttConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The key, and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for (field, value) in [("host", &self.host), ("client_id", &self.client_id), ("prefix", &self.prefix)] {
            if value.trim().is_empty() {
                return Err(format!("{field}: it is empty"));
            }
        }
        if self.port == 0 {
            return Err("port: 0 is not a port".to_owned());
        }
        if self.prefix.contains(['+', '#']) || self.prefix.starts_with('/') || self.prefix.ends_with('/') {
            return Err(format!("prefix: {:?} has a wildcard in it, or begins or ends with a slash", self.prefix));
        }
        Ok(())
    }
}

/// Starts to send what is due. Channels that are not configured fail what a policy wants of them, and say so.
///
/// # Errors
/// When a channel cannot be set up, or a read model does not run.
pub fn start(
    config: &Config,
    log: &Arc<dyn EventLog>,
    (read, set): (&ReadModels, &ProjectionSet),
    hooks: &Webhooks,
    stop: CancellationToken,
) -> anyhow::Result<Notifier> {
    let handle = |name: &str| set.get(name).cloned().with_context(|| format!("the read model {name} does not run"));
    let mut channels: Vec<Arc<dyn Channel>> = vec![Arc::new(Hooks(hooks.clone()))];
    if let Some(email) = &config.notice_email {
        let people = read.people.clone();
        let contacts: Contacts = Arc::new(move |person| {
            let subject = DataSubject::Person(person.clone());
            people.read(|people, _| people.party(&subject, AsOf::LATEST)?.value.contact.clone())
        });
        channels.push(Arc::new(Email::new(email, contacts).context("notice_email")?));
    }
    if let Some(mqtt) = &config.notice_mqtt {
        channels.push(Arc::new(Topics::start(mqtt)?));
    }
    let known = vec![handle(People::NAME)?, handle(WebhooksFold::NAME)?];
    Ok(Notifier::start(
        Arc::clone(log),
        (read.notices.clone(), handle(Notices::NAME)?),
        (channels, known),
        Arc::new(SystemClock),
        Options::default(),
        stop,
    ))
}

/// Topics of a broker.
struct Topics {
    publisher: Publisher,
    prefix: String,
    leads_to: String,
}

impl Topics {
    fn start(config: &NoticeMqttConfig) -> anyhow::Result<Self> {
        let NoticeMqttConfig { host, port, client_id, username, password, prefix } = config.clone();
        let leads_to = format!("mqtt://{host}:{port}/{prefix}");
        let publisher = Publisher::start(PublisherConfig { host, port, client_id, username, password });
        Ok(Self { publisher: publisher.context("notice_mqtt")?, prefix, leads_to })
    }
}

impl Channel for Topics {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn leads_to(&self) -> String {
        self.leads_to.clone()
    }

    /// QoS 1 and not retained: a client that comes days later must not take an old notice for news; what is open, the API tells.
    fn send(&self, message: Arc<Message>) -> BoxFuture<'static, Result<(), SendError>> {
        let (publisher, prefix, leads_to) = (self.publisher.clone(), self.prefix.clone(), self.leads_to.clone());
        Box::pin(async move {
            let NoticeTarget::Mqtt { topic } = &message.to else {
                return Err(SendError::for_good("this is no message to a topic"));
            };
            // What is queued for a broker that is away would come again and again when it is back.
            if !publisher.is_connected() {
                return Err(SendError::for_now(format!("{leads_to} is not connected")));
            }
            let payload = message.json.to_string();
            publisher.publish(&format!("{prefix}/{topic}"), payload).await.map_err(|error| match error {
                PublishError::Stopped => SendError::for_now(error.to_string()),
                PublishError::Topic(_) | PublishError::TooLarge { .. } => SendError::for_good(error.to_string()),
            })
        })
    }
}

/// Webhooks that ask for notices.
struct Hooks(Webhooks);

impl Channel for Hooks {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn leads_to(&self) -> String {
        "the webhooks that ask for notices".to_owned()
    }

    fn send(&self, message: Arc<Message>) -> BoxFuture<'static, Result<(), SendError>> {
        let hooks = self.0.clone();
        Box::pin(async move {
            let NoticeTarget::Webhook { webhook } = &message.to else {
                return Err(SendError::for_good("this is no message to a webhook"));
            };
            let told =
                hooks.tell(webhook, message.id, (message.position, message.first_up), message.json.clone()).await;
            told.map_err(|error| SendError { is_final: error.is_final(), reason: error.to_string() })
        })
    }
}
