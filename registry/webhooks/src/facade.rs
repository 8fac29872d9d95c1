//! The way in: commands, and what they show.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use domain::events::{WebhookCreated, WebhookDeleted, WebhookStatus, WebhookTrigger, WebhookUpdated};
use domain::ids::WebhookId;
use eventlog::{AppendCondition, AppendError, EventLog, Expected, Position, StreamId};
use futures::StreamExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;
use projections::folds::webhooks::{Webhook, Webhooks as Fold};
use projections::{Meta, ProjectionHandle, Shared, filters, seal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::WebhookError;
use crate::address::Policy;
use crate::delivery::Delivery;
use crate::message::{Message, TRIGGERS};
use crate::secrets::{MAX_SECRET_BYTES, Secrets};
use crate::sender::{Answer, SendError, Sender, with_causes};
use crate::state::{DeliveryState, States};

/// The most webhooks that there may be.
pub const MAX_WEBHOOKS: usize = 1_000;

/// The longest description, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 5_000;
/// The longest name, in characters.
const MAX_NAME: usize = 63;
/// How often a command is tried when others change the same webhook.
const MAX_ATTEMPTS: usize = 8;
/// How long a command waits until the read model shows what it did.
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);
/// How long the supervisor waits before it reads the log again after a failure.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where they may go.
    pub policy: Policy,
    /// How long a receiver may take to answer.
    pub patience: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A message about something that was logged longer ago than this is sent once more, and given up then.
    pub give_up_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            patience: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            give_up_after: Duration::from_secs(72 * 3_600),
        }
    }
}

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Folders {
    /// How far each webhook is. When it is lost, receivers are told everything again since they were made, under the same delivery ids.
    pub states: PathBuf,
    /// The secrets: among the keys, which are in no backup of the log.
    pub secrets: PathBuf,
}

/// A webhook that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct NewWebhook {
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
    /// What its messages are signed with; without one they are not.
    pub secret: Option<String>,
}

/// What is to be otherwise; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The address.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<Vec<WebhookTrigger>>,
    /// Whether it is told anything.
    pub status: Option<WebhookStatus>,
    /// The secret.
    pub secret: Option<String>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// Whether the receiver took the message.
    pub success: bool,
    /// The status that it answered.
    pub response_status: Option<u16>,
    /// The beginning of its answer.
    pub response_body: Option<String>,
    /// Why there is no answer.
    pub error_message: Option<String>,
}

/// What tasks and commands share.
pub(crate) struct Shelf {
    pub(crate) options: Options,
    pub(crate) states: States,
    pub(crate) shown: Mutex<BTreeMap<WebhookId, DeliveryState>>,
    secrets: Secrets,
    sender: Sender,
}

impl Shelf {
    /// Sends a message once, signed if the webhook has a secret.
    pub(crate) async fn attempt(&self, webhook: &Webhook, message: &Message) -> Result<Answer, SendError> {
        let secret = match webhook.secret {
            Some(name) => Some(self.secret(name).await?),
            None => None,
        };
        self.sender.send(&webhook.url, message, secret.as_deref()).await
    }

    /// A webhook that should sign must not go unsigned.
    async fn secret(&self, name: Uuid) -> Result<String, SendError> {
        let secrets = self.secrets.clone();
        let found = tokio::task::spawn_blocking(move || secrets.find(name)).await;
        match found {
            Ok(Ok(Some(secret))) => Ok(secret),
            Ok(Ok(None)) => Err(SendError::Secret("it is not in the folder of keys; set it anew".to_owned())),
            Ok(Err(error)) => Err(SendError::Secret(with_causes(&error))),
            Err(error) => Err(SendError::Secret(error.to_string())),
        }
    }
}

/// The webhooks of one log. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    log: Arc<dyn EventLog>,
    read: Shared<Fold>,
    progress: ProjectionHandle,
    shelf: Arc<Shelf>,
    /// Held while a webhook is made or changed: their number stays bounded, and no secret is tidied away on its way to the log.
    making: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Webhooks").field("options", &self.shelf.options).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// The webhooks of a log, with the running projection that shows them. Nothing is sent before [`Webhooks::start`].
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(
        log: Arc<dyn EventLog>,
        (read, progress): (Shared<Fold>, ProjectionHandle),
        folders: &Folders,
        options: Options,
    ) -> Result<Self, WebhookError> {
        let shelf = Shelf {
            options,
            states: States::open(&folders.states)?,
            shown: Mutex::default(),
            secrets: Secrets::open(&folders.secrets)?,
            sender: Sender::new(options.policy, options.patience)?,
        };
        Ok(Self { log, read, progress, shelf: Arc::new(shelf), making: Arc::default() })
    }

    /// Every webhook, the newest first.
    pub fn list(&self) -> Vec<Webhook> {
        let mut all: Vec<Webhook> = self.read.read(|webhooks, _| webhooks.iter().cloned().collect());
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// A webhook.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub fn get(&self, id: &str) -> Result<Webhook, WebhookError> {
        let known = WebhookId::new(id).ok();
        known
            .and_then(|id| self.read.read(|webhooks, _| webhooks.get(&id).cloned()))
            .ok_or_else(|| WebhookError::NotFound(id.chars().take(80).collect()))
    }

    /// How a webhook is doing; nothing, when nothing was ever sent or is to be.
    pub fn state(&self, id: &WebhookId) -> Option<DeliveryState> {
        self.shelf.shown.lock().get(id).cloned()
    }

    /// Makes a webhook. It is told of what happens from now on.
    ///
    /// # Errors
    /// [`WebhookError`] names the field that is wrong.
    pub async fn create(&self, actor: &str, new: NewWebhook) -> Result<Webhook, WebhookError> {
        check_name(&new.name)?;
        check_description(new.description.as_deref())?;
        check_secret(new.secret.as_deref())?;
        self.shelf.sender.policy().check(&new.url)?;
        let events = checked_events(new.events)?;
        let _turn = self.making.lock().await;
        if self.read.read(|webhooks, _| webhooks.iter().count()) >= MAX_WEBHOOKS {
            return Err(WebhookError::Invalid(format!(
                "There are {MAX_WEBHOOKS} webhooks already, which is the most."
            )));
        }
        let id = new_id()?;
        let event = WebhookCreated {
            webhook: id.clone(),
            name: new.name,
            description: new.description,
            url: new.url,
            events,
            status: new.status,
            secret: self.keep_secret(new.secret).await?,
        };
        self.append(actor, event.into(), Expected::NoStream).await?;
        self.get(id.as_str())
    }

    /// Changes a webhook. Messages that wait go to the new address, and only those that it still asks for.
    ///
    /// # Errors
    /// [`WebhookError`] names the field that is wrong.
    pub async fn update(&self, actor: &str, id: &str, change: Change) -> Result<Webhook, WebhookError> {
        change.name.as_deref().map_or(Ok(()), check_name)?;
        check_description(change.description.as_deref())?;
        check_secret(change.secret.as_deref())?;
        if let Some(url) = &change.url {
            self.shelf.sender.policy().check(url)?;
        }
        let events = change.events.map(checked_events).transpose()?;
        let webhook = self.get(id)?.id;
        let turn = self.making.lock().await;
        let event = WebhookUpdated {
            webhook,
            name: change.name,
            description: change.description,
            url: change.url,
            events,
            status: change.status,
            secret: self.keep_secret(change.secret).await?,
        };
        self.change(actor, id, event.into()).await?;
        drop(turn);
        self.tidy().await;
        self.get(id)
    }

    /// Deletes a webhook with everything that waits for it.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], or when the log does not take it.
    pub async fn delete(&self, actor: &str, id: &str) -> Result<(), WebhookError> {
        let webhook = self.get(id)?.id;
        self.change(actor, id, WebhookDeleted { webhook }.into()).await?;
        self.tidy().await;
        Ok(())
    }

    /// Sends a message with made-up content, once, about the first thing that the webhook asked for or another one. It does not matter whether it is active.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`]. A receiver that does not answer is no error: see [`TestResult`].
    pub async fn test(&self, id: &str, trigger: Option<WebhookTrigger>) -> Result<TestResult, WebhookError> {
        let webhook = self.get(id)?;
        let trigger = match (trigger, webhook.events.first()) {
            (Some(trigger), _) => checked_events(vec![trigger]).map(|_| trigger)?,
            (None, Some(first)) => *first,
            (None, None) => return Err(WebhookError::Invalid("Webhook events cannot be empty".to_owned())),
        };
        let message = Message::test(trigger, Timestamp::now());
        Ok(match self.shelf.attempt(&webhook, &message).await {
            Ok(answer) => TestResult {
                success: answer.is_taken(),
                response_status: Some(answer.status),
                response_body: Some(answer.body),
                error_message: None,
            },
            Err(error) => TestResult {
                success: false,
                response_status: None,
                response_body: None,
                error_message: Some(format!("Failed to test webhook: {}", with_causes(&error))),
            },
        })
    }

    /// Sends a message to a webhook once.
    pub(crate) async fn attempt(&self, webhook: &Webhook, message: &Message) -> Result<Answer, SendError> {
        self.shelf.attempt(webhook, message).await
    }

    /// Begins to send, until it is stopped.
    pub fn start(&self, stop: CancellationToken) {
        tokio::spawn(supervise(self.clone(), stop));
    }

    /// Keeps a secret under a new name.
    async fn keep_secret(&self, secret: Option<String>) -> Result<Option<Uuid>, WebhookError> {
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else { return Ok(None) };
        let (secrets, name) = (self.shelf.secrets.clone(), Uuid::now_v7());
        tokio::task::spawn_blocking(move || secrets.keep(name, &secret)).await??;
        Ok(Some(name))
    }

    /// Appends an event of a webhook that is there.
    async fn change(&self, actor: &str, id: &str, event: Event) -> Result<(), WebhookError> {
        for _ in 0..MAX_ATTEMPTS {
            let revision = self.get(id)?.revision;
            match self.append(actor, event.clone(), Expected::Exactly(revision)).await {
                Err(WebhookError::Append(AppendError::Conflict { .. })) => self.catch_up().await?,
                done => return done.map(|_| ()),
            }
        }
        Err(WebhookError::Busy(id.to_owned()))
    }

    async fn append(&self, actor: &str, event: Event, expected: Expected) -> Result<Position, WebhookError> {
        let stream = StreamId::of(event.category(), &event.key())?;
        let sealed = seal(&event, Meta::own(actor, Some(Timestamp::now())))?;
        let condition = AppendCondition::stream(stream, expected);
        let appended = self.log.append(condition, vec![sealed]).await.map_err(WebhookError::Append)?;
        self.progress.wait_for(appended.last, VISIBLE_WITHIN).await?;
        Ok(appended.last)
    }

    async fn catch_up(&self) -> Result<(), WebhookError> {
        match self.log.tail().previous() {
            Some(last) => Ok(self.progress.wait_for(last, VISIBLE_WITHIN).await?),
            None => Ok(()),
        }
    }

    /// Removes secrets that nobody has any more. What cannot be removed now is removed the next time.
    async fn tidy(&self) {
        let _turn = self.making.lock().await;
        let secrets = self.shelf.secrets.clone();
        let named: Vec<Uuid> =
            self.read.read(|webhooks, _| webhooks.iter().filter_map(|webhook| webhook.secret).collect());
        match tokio::task::spawn_blocking(move || secrets.keep_only(&named)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %with_causes(&error), "old secrets could not be removed"),
            Err(error) => tracing::warn!(%error, "old secrets could not be removed"),
        }
    }
}

/// A running task.
struct Task {
    webhook: watch::Sender<Webhook>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

/// Starts and ends tasks as webhooks come and go.
async fn supervise(webhooks: Webhooks, stop: CancellationToken) {
    let mut tasks: HashMap<WebhookId, Task> = HashMap::new();
    let work = async {
        loop {
            let from = webhooks.log.tail();
            if let Err(error) = webhooks.catch_up().await {
                tracing::error!(error = %with_causes(&error), "the webhooks are not up to date; it is tried again");
                tokio::time::sleep(READ_AGAIN).await;
                continue;
            }
            reconcile(&webhooks, &mut tasks, &stop).await;
            let mut changes = webhooks
                .log
                .subscribe(from, filters::types(&["webhook.created", "webhook.updated", "webhook.deleted"]));
            loop {
                match changes.next().await {
                    Some(Ok(record)) => {
                        if let Err(error) = webhooks.progress.wait_for(record.position, VISIBLE_WITHIN).await {
                            tracing::error!(%error, "a change of a webhook is not visible yet");
                            break;
                        }
                        reconcile(&webhooks, &mut tasks, &stop).await;
                    }
                    Some(Err(error)) => {
                        tracing::error!(%error, "changes of webhooks cannot be read; it is tried again");
                        break;
                    }
                    None => return,
                }
            }
            tokio::time::sleep(READ_AGAIN).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

async fn reconcile(webhooks: &Webhooks, tasks: &mut HashMap<WebhookId, Task>, stop: &CancellationToken) {
    let now = webhooks.list();
    let gone: Vec<WebhookId> =
        tasks.keys().filter(|id| now.iter().all(|webhook| webhook.id != **id)).cloned().collect();
    for id in gone {
        if let Some(task) = tasks.remove(&id) {
            task.stop.cancel();
            // Ordering: what it says of itself is forgotten when it says nothing more.
            if let Err(error) = task.running.await {
                tracing::error!(webhook = %id, %error, "the task of a webhook ended badly");
            }
        }
        webhooks.shelf.shown.lock().remove(&id);
        let shelf = Arc::clone(&webhooks.shelf);
        let forgotten = tokio::task::spawn_blocking(move || shelf.states.remove(&id)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!(error = %with_causes(&error), "how far a deleted webhook was could not be forgotten");
        }
    }
    for webhook in now {
        match tasks.get(&webhook.id) {
            Some(task) => {
                task.webhook.send_if_modified(|known| {
                    let changed = *known != webhook;
                    *known = webhook;
                    changed
                });
            }
            None => {
                let (id, stop) = (webhook.id.clone(), stop.child_token());
                let (sender, receiver) = watch::channel(webhook);
                let delivery = Delivery::new(Arc::clone(&webhooks.log), Arc::clone(&webhooks.shelf), receiver);
                let running = tokio::spawn(delivery.run(stop.clone()));
                tasks.insert(id, Task { webhook: sender, stop, running });
            }
        }
    }
}

fn new_id() -> Result<WebhookId, WebhookError> {
    WebhookId::new(&Uuid::now_v7().to_string()).map_err(|error| WebhookError::Invalid(error.to_string()))
}

fn check_name(name: &str) -> Result<(), WebhookError> {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let fits =
        name.len() <= MAX_NAME && end(name.chars().next()) && end(name.chars().last()) && name.chars().all(inner);
    if fits {
        return Ok(());
    }
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    Err(WebhookError::Invalid(format!(
        "Webhook name '{shown}' is invalid. It must start and end with a lower-case letter or digit, have at most {MAX_NAME} characters, and \
         contain only lower-case letters, digits, dots (.), underscores (_), and hyphens (-)."
    )))
}

fn check_description(description: Option<&str>) -> Result<(), WebhookError> {
    match description {
        Some(text) if text.len() > MAX_DESCRIPTION_BYTES => Err(WebhookError::Invalid(format!(
            "Webhook description is {} bytes long, and at most {MAX_DESCRIPTION_BYTES} are allowed.",
            text.len()
        ))),
        _ => Ok(()),
    }
}

fn check_secret(secret: Option<&str>) -> Result<(), WebhookError> {
    match secret {
        Some(text) if text.len() > MAX_SECRET_BYTES => {
            Err(WebhookError::Invalid(format!("Webhook secret is longer than {MAX_SECRET_BYTES} bytes.")))
        }
        _ => Ok(()),
    }
}

/// The triggers, each once.
fn checked_events(mut events: Vec<WebhookTrigger>) -> Result<Vec<WebhookTrigger>, WebhookError> {
    if let Some(wrong) = events.iter().find(|trigger| !TRIGGERS.contains(trigger)) {
        use crate::message::{action_name, entity_name};
        let valid: Vec<&str> = TRIGGERS
            .iter()
            .filter(|trigger| trigger.entity == wrong.entity)
            .map(|trigger| action_name(trigger.action))
            .collect();
        return Err(WebhookError::Invalid(format!(
            "Invalid action '{}' for entity '{}'. Valid actions are: {valid:?}",
            action_name(wrong.action),
            entity_name(wrong.entity)
        )));
    }
    if events.is_empty() {
        return Err(WebhookError::Invalid(
            "Webhook events must be a non-empty list of WebhookEvent objects: [].".to_owned(),
        ));
    }
    let mut seen = Vec::new();
    events.retain(|trigger| {
        !seen.contains(trigger) && {
            seen.push(*trigger);
            true
        }
    });
    Ok(events)
}

#[cfg(test)]
#[path = "facade_tests.rs"]
mod tests;
