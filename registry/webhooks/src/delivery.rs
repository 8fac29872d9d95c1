//! The task of one webhook: it follows the log, and sends.

use std::sync::Arc;
use std::time::Duration;

use domain::events::WebhookStatus;
use eventlog::{BoxStream, EventLog, Position, ReadError, Record};
use futures::StreamExt as _;
use jiff::Timestamp;
use projections::folds::webhooks::Webhook;
use projections::{Entry, filters};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::WebhookError;
use crate::context::{Contexts, TYPES};
use crate::facade::Shelf;
use crate::message::{Message, Notice};
use crate::sender::{Answer, SendError, with_causes};
use crate::state::{Delivered, DeliveryState, Failing};

/// What ends a task before it is told to end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    #[error(transparent)]
    State(#[from] WebhookError),
    #[error("the work was broken off")]
    Task(#[from] tokio::task::JoinError),
}

/// Why following the log ends for the moment.
enum Pause {
    /// The webhook is otherwise now, or gone.
    Changed,
    /// The log is closed.
    Closed,
}

/// What became of a message.
enum Fate {
    /// It is done with: taken, given up, or not wanted any more.
    Done,
    /// It was not, since the webhook is told nothing any more.
    Dropped,
}

/// The task of one webhook.
pub(crate) struct Delivery {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) webhook: watch::Receiver<Webhook>,
    contexts: Contexts,
    state: DeliveryState,
    pause: Duration,
}

impl Delivery {
    pub(crate) fn new(log: Arc<dyn EventLog>, shelf: Arc<Shelf>, webhook: watch::Receiver<Webhook>) -> Self {
        let pause = shelf.options.first_pause;
        let contexts = Contexts::new(Arc::clone(&log));
        Self { log, shelf, webhook, contexts, state: DeliveryState::default(), pause }
    }

    /// Sends until it is stopped. A failure of this machine's disk or log is tried again, like one of the receiver.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let id = self.webhook.borrow().id.clone();
        let work = async {
            loop {
                match self.follow().await {
                    Ok(Pause::Changed) => {}
                    Ok(Pause::Closed) => return,
                    Err(error) => {
                        tracing::error!(webhook = %id, error = %with_causes(&error), "a webhook cannot be served; it is tried again");
                        self.contexts.clear();
                        self.back_off(None).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn follow(&mut self) -> Result<Pause, Broken> {
        let webhook = self.webhook.borrow_and_update().clone();
        if webhook.status == WebhookStatus::Disabled {
            self.state.failing = None;
            self.show(&webhook);
            let changed = self.webhook.changed().await;
            return Ok(if changed.is_ok() { Pause::Changed } else { Pause::Closed });
        }
        self.resume(&webhook).await?;
        let mut records = self.log.subscribe(Position::new(self.state.position), filters::types(&TYPES));
        self.contexts.clear();
        loop {
            let record = tokio::select! {
                biased;
                changed = self.webhook.changed() => return Ok(if changed.is_ok() { Pause::Changed } else { Pause::Closed }),
                record = next(&mut records) => record,
            };
            let Some(record) = record? else { return Ok(Pause::Closed) };
            let entry = Entry::decode(record);
            if let Some(notice) = self.contexts.notice(&entry).await?
                && let Fate::Dropped = self.deliver(&entry, &notice).await?
            {
                return Ok(Pause::Changed);
            }
            self.state.position = entry.position.next().get();
        }
    }

    /// Where it goes on: where it was, but not before it was switched on.
    async fn resume(&mut self, webhook: &Webhook) -> Result<(), Broken> {
        let (shelf, id) = (Arc::clone(&self.shelf), webhook.id.clone());
        let kept = tokio::task::spawn_blocking(move || shelf.states.load(&id)).await??;
        let failing = self.state.failing.take();
        self.state = DeliveryState { failing, ..kept.unwrap_or_default() };
        self.state.position = self.state.position.max(webhook.active_since.next().get());
        self.show(webhook);
        Ok(())
    }

    /// Sends a message until it is taken or given up.
    async fn deliver(&mut self, entry: &Entry, notice: &Notice) -> Result<Fate, Broken> {
        let mut attempts = 0_u32;
        let mut since = Timestamp::now();
        loop {
            let webhook = self.webhook.borrow_and_update().clone();
            if webhook.status == WebhookStatus::Disabled {
                return Ok(Fate::Dropped);
            }
            if !webhook.events.contains(&notice.trigger) {
                return Ok(Fate::Done);
            }
            let position = entry.position.get();
            let message = Message::about(notice, webhook.id.as_str(), entry.id, position, entry.record_time);
            let answer = self.shelf.attempt(&webhook, &message).await;
            let now = Timestamp::now();
            if attempts == 0 {
                since = now;
            }
            attempts = attempts.saturating_add(1);
            let reason = match &answer {
                Ok(answer) if answer.is_taken() => {
                    self.taken(&webhook, &message, entry, answer.status, now).await?;
                    return Ok(Fate::Done);
                }
                Ok(answer) => format!("it answered with status {}", answer.status),
                Err(error) => with_causes(error),
            };
            if is_older(entry.record_time, now, self.shelf.options.give_up_after) {
                tracing::warn!(webhook = %webhook.id, position, attempts, %reason, "a message is given up");
                self.state.given_up += 1;
                self.finish(&webhook, entry).await?;
                self.back_off(retry_after(&answer)).await;
                return Ok(Fate::Done);
            }
            let pause = self.next_pause(retry_after(&answer));
            if attempts == 1 {
                tracing::warn!(webhook = %webhook.id, position, %reason, "a message was not taken; it is sent again");
            }
            let next_attempt = now + pause;
            self.state.failing = Some(Failing { position, since, attempts, reason, next_attempt });
            self.show(&webhook);
            self.rest(pause).await;
        }
    }

    async fn taken(
        &mut self,
        webhook: &Webhook,
        message: &Message,
        entry: &Entry,
        status: u16,
        at: Timestamp,
    ) -> Result<(), Broken> {
        self.pause = self.shelf.options.first_pause;
        self.state.delivered += 1;
        let delivery_id = message.delivery_id.clone();
        self.state.last = Some(Delivered { delivery_id, position: entry.position.get(), at, status });
        self.finish(webhook, entry).await
    }

    /// The entry is done with, durably.
    async fn finish(&mut self, webhook: &Webhook, entry: &Entry) -> Result<(), Broken> {
        self.state.failing = None;
        self.state.position = entry.position.next().get();
        let (shelf, id, state) = (Arc::clone(&self.shelf), webhook.id.clone(), self.state.clone());
        tokio::task::spawn_blocking(move || shelf.states.save(&id, &state)).await??;
        self.show(webhook);
        Ok(())
    }

    fn show(&self, webhook: &Webhook) {
        self.shelf.shown.lock().insert(webhook.id.clone(), self.state.clone());
    }

    /// How long to wait now; the next time it is longer.
    fn next_pause(&mut self, asked: Option<Duration>) -> Duration {
        let longest = self.shelf.options.longest_pause;
        let pause = self.pause.max(asked.unwrap_or_default()).min(longest);
        self.pause = (self.pause * 2).min(longest);
        pause
    }

    async fn back_off(&mut self, asked: Option<Duration>) {
        let pause = self.next_pause(asked);
        self.rest(pause).await;
    }

    /// Waits, but not when the webhook is changed meanwhile: somebody may have mended it.
    async fn rest(&mut self, pause: Duration) {
        let mut changes = self.webhook.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = changes.changed() => self.pause = self.shelf.options.first_pause,
        }
    }
}

async fn next(records: &mut BoxStream<'static, Result<Record, ReadError>>) -> Result<Option<Record>, ReadError> {
    records.next().await.transpose()
}

fn retry_after(answer: &Result<Answer, SendError>) -> Option<Duration> {
    answer.as_ref().ok()?.retry_after
}

fn is_older(time: Timestamp, now: Timestamp, age: Duration) -> bool {
    now.duration_since(time).unsigned_abs() > age && now > time
}
