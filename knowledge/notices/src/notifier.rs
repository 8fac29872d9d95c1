//! What sends what is due, and says in the log what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use domain::events::{NoticeFailed, NoticeGiven, NoticeSent};
use domain::ids::AlarmGroupId;
use eventlog::{AppendCondition, AppendError, EventId, EventLog};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use projections::folds::notices::{Due, Notices};
use projections::{Meta, ProjectionHandle, Shared, WaitError, seal};
use serde::Serialize;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Channel, Clock, Message, SendError};

/// The actor of what it appends.
const ACTOR: &str = "notices";

/// How long the first look waits for the read model: a rebuild of a large log takes its time.
const SETTLE_PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// How long it waits before it tries again what this machine did not do.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long stopping waits for messages that are on their way, so that what was sent is also logged.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How notices are sent.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long one attempt may take.
    pub patience: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A notice that was due longer ago than this is tried once more, and given up then.
    pub give_up_after: Duration,
    /// How many messages of one channel may be on their way at once.
    pub room: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            give_up_after: Duration::from_secs(24 * 3_600),
            room: 8,
        }
    }
}

/// A notice that was not taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retrying {
    /// The group.
    pub group: AlarmGroupId,
    /// The step of the ladder.
    pub step: u32,
    /// Whom it is for.
    pub recipient: String,
    /// When it was due.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not taken, the last time.
    pub reason: String,
    /// When it is tried again.
    pub next_attempt: Timestamp,
}

/// How a channel is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelStatus {
    /// Its name.
    pub channel: &'static str,
    /// Where it leads.
    pub leads_to: String,
    /// How many messages were taken since the start.
    pub sent: u64,
    /// How many were given up since the start.
    pub failed: u64,
    /// When one was taken last, since the start.
    pub last_sent: Option<Timestamp>,
    /// What was not taken yet.
    pub retrying: Vec<Retrying>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    sent: u64,
    failed: u64,
    last_sent: Option<Timestamp>,
}

#[derive(Default)]
struct Shown {
    counts: BTreeMap<&'static str, Counts>,
    retries: BTreeMap<EventId, (&'static str, Retrying, Duration)>,
}

/// The handle of what sends notices.
pub struct Notifier {
    channels: Vec<Arc<dyn Channel>>,
    shown: Arc<Mutex<Shown>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Notifier").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Notifier {
    /// Begins to send what is due, until it is cancelled. `read` is the running read model of the log, with its handle. It looks first when the read model has taken in everything that is in the
    /// log now: what a predecessor said is known then. `known` are the read models that channels look recipients up in: a message waits until they know what the log knows.
    pub fn start(
        log: Arc<dyn EventLog>,
        (read, progress): (Shared<Notices>, ProjectionHandle),
        (channels, known): (Vec<Arc<dyn Channel>>, Vec<ProjectionHandle>),
        clock: Arc<dyn Clock>,
        options: Options,
        cancel: CancellationToken,
    ) -> Self {
        let shown = Arc::new(Mutex::new(Shown::default()));
        let worker = Worker {
            log,
            read,
            progress,
            known: known.into(),
            channels: channels.iter().map(|channel| (channel.name(), Arc::clone(channel))).collect(),
            clock,
            options,
            shown: Arc::clone(&shown),
            looked: None,
            settled: BTreeSet::new(),
            flying: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        let task = tokio::spawn(worker.run(cancel));
        Self { channels, shown, task: Mutex::new(Some(task)) }
    }

    /// How each channel is doing.
    pub fn status(&self) -> Vec<ChannelStatus> {
        let shown = self.shown.lock();
        let status = |channel: &Arc<dyn Channel>| {
            let counts = shown.counts.get(channel.name()).cloned().unwrap_or_default();
            let of_channel = shown.retries.values().filter(|(name, ..)| *name == channel.name());
            ChannelStatus {
                channel: channel.name(),
                leads_to: channel.leads_to(),
                sent: counts.sent,
                failed: counts.failed,
                last_sent: counts.last_sent,
                retrying: of_channel.map(|(_, retrying, _)| retrying.clone()).collect(),
            }
        };
        self.channels.iter().map(status).collect()
    }

    /// Waits until it has ended, after a cancel.
    pub async fn stopped(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the sender of notices did not end as it should");
        }
    }
}

/// What became of an attempt.
enum Fate {
    /// Taken, and logged.
    Sent,
    /// Given up, and logged.
    Failed,
    /// It is tried again.
    Again(String),
    /// It was taken or given up, and the log does not take the event.
    NotLogged,
}

struct Flight {
    due: Due,
    attempts: u32,
    task: tokio::task::Id,
}

struct Worker {
    log: Arc<dyn EventLog>,
    read: Shared<Notices>,
    progress: ProjectionHandle,
    known: Arc<[ProjectionHandle]>,
    channels: BTreeMap<&'static str, Arc<dyn Channel>>,
    clock: Arc<dyn Clock>,
    options: Options,
    shown: Arc<Mutex<Shown>>,
    /// What the read model had taken in at the last look, and when to look again.
    looked: Option<(u64, Option<Timestamp>)>,
    /// What is done with and not yet in the read model.
    settled: BTreeSet<EventId>,
    flying: BTreeMap<EventId, Flight>,
    tasks: JoinSet<Fate>,
}

impl Worker {
    async fn run(mut self, cancel: CancellationToken) {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = self.caught_up() => {}
        }
        loop {
            // Ordering: the checkpoint is looked at before the state, so that a change in between is seen as one.
            let checkpoint = self.progress.checkpoint();
            let wake = self.look_if_changed();
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(done) = self.tasks.join_next_with_id() => self.landed(done),
                () = wait(&*self.clock, wake) => {}
                moved = self.progress.moved_from(checkpoint) => match moved {
                    Ok(()) => {}
                    Err(WaitError::Stopped { .. }) => break,
                    // Its failure is shown where projections are; it may be rebuilt.
                    Err(_) => tokio::time::sleep(RETRY_AFTER).await,
                },
            }
        }
        let landing = async {
            while let Some(done) = self.tasks.join_next_with_id().await {
                self.landed(done);
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, landing).await.is_err() {
            tracing::warn!("a notice was still on its way; it is sent again at the next start");
        }
    }

    /// Waits until the read model knows what the log holds now: else it would tell again what was told.
    async fn caught_up(&self) {
        let Some(last) = self.log.tail().previous() else { return };
        let mut said = false;
        while let Err(error) = self.progress.wait_for(last, SETTLE_PATIENCE).await {
            if matches!(error, WaitError::Stopped { .. }) {
                return;
            }
            if !std::mem::replace(&mut said, true) {
                tracing::error!(%error, "no notice is sent before the read model of notices is there");
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// The read model moves on with every reading of the log; only what is about notices, a time that has come or a message that has landed makes it look.
    fn look_if_changed(&mut self) -> Option<Timestamp> {
        let applied = self.read.read(|notices, _| notices.applied());
        if let Some((seen, wake)) = self.looked
            && seen == applied
            && wake.is_none_or(|wake| wake > self.clock.now())
        {
            return wake;
        }
        let wake = self.look();
        self.looked = Some((applied, wake));
        wake
    }

    /// Lets go what is due, and answers when to look again.
    fn look(&mut self) -> Option<Timestamp> {
        let now = self.clock.now();
        let (due, mut wake) = self.read.read(|notices, _| notices.due(now));
        let known: BTreeSet<EventId> = due.iter().map(|due| due.id).collect();
        self.settled.retain(|id| known.contains(id));
        // Who answered meanwhile ends what was not sent yet.
        self.shown.lock().retries.retain(|id, _| known.contains(id));
        for due in due {
            if self.settled.contains(&due.id) || self.flying.contains_key(&due.id) {
                continue;
            }
            let retry =
                self.shown.lock().retries.get(&due.id).map(|(_, retry, _)| (retry.attempts, retry.next_attempt));
            let (attempts, not_before) = retry.unwrap_or((0, now));
            if not_before > now {
                wake = Some(wake.map_or(not_before, |wake| wake.min(not_before)));
                continue;
            }
            let channel = due.notice.to.channel();
            let on_their_way = self.flying.values().filter(|flight| flight.due.notice.to.channel() == channel).count();
            // Who finds no room is looked at again when one of the others has landed.
            if on_their_way < self.options.room {
                self.fly(due, attempts.saturating_add(1));
            }
        }
        wake
    }

    fn fly(&mut self, due: Due, attempts: u32) {
        let channel = self.channels.get(due.notice.to.channel()).map(Arc::clone);
        let notice = NoticeGiven { attempts, ..due.notice.clone() };
        let (log, clock, options, flying) = (Arc::clone(&self.log), Arc::clone(&self.clock), self.options, due.clone());
        let known = Arc::clone(&self.known);
        let task =
            self.tasks.spawn(async move { attempt((&*log, &known), channel, &flying, notice, &*clock, options).await });
        self.flying.insert(due.id, Flight { due, attempts, task: task.id() });
    }

    fn landed(&mut self, done: Result<(tokio::task::Id, Fate), JoinError>) {
        self.looked = None;
        let (task, fate) = match done {
            Ok(done) => done,
            Err(error) => (error.id(), Fate::Again(format!("the attempt was broken off: {error}"))),
        };
        let Some(id) = self.flying.iter().find(|(_, flight)| flight.task == task).map(|(id, _)| *id) else { return };
        let Some(Flight { due, attempts, .. }) = self.flying.remove(&id) else { return };
        let channel = due.notice.to.channel();
        let mut shown = self.shown.lock();
        let counts = shown.counts.entry(channel).or_default();
        match fate {
            Fate::Again(reason) => {
                let before = shown.retries.remove(&id).map(|(_, _, pause)| pause);
                let pause = before.map_or(self.options.first_pause, |pause| pause * 2).min(self.options.longest_pause);
                if attempts == 1 {
                    tracing::warn!(channel, recipient = due.notice.to.recipient(), %reason, "a notice was not taken; it is tried again");
                }
                let retrying = Retrying {
                    group: due.group,
                    step: due.notice.step,
                    recipient: due.notice.to.recipient().to_owned(),
                    due: due.notice.due,
                    attempts,
                    reason,
                    next_attempt: self.clock.now() + pause,
                };
                shown.retries.insert(id, (channel, retrying, pause));
                return;
            }
            Fate::Sent => {
                counts.sent += 1;
                counts.last_sent = Some(self.clock.now());
            }
            Fate::Failed => counts.failed += 1,
            Fate::NotLogged => {}
        }
        shown.retries.remove(&id);
        self.settled.insert(id);
    }
}

async fn wait(clock: &dyn Clock, wake: Option<Timestamp>) {
    match wake {
        Some(time) => clock.wait_until(time).await,
        None => std::future::pending().await,
    }
}

async fn attempt(
    (log, known): (&dyn EventLog, &[ProjectionHandle]),
    channel: Option<Arc<dyn Channel>>,
    due: &Due,
    notice: NoticeGiven,
    clock: &dyn Clock,
    options: Options,
) -> Fate {
    let answer = match channel {
        None => Err(SendError::for_good(format!("the channel {} is not configured", notice.to.channel()))),
        Some(channel) => match tokio::time::timeout(options.patience, send(log, known, &*channel, due)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::for_now(format!("no answer within {} s", options.patience.as_secs()))),
        },
    };
    let now = clock.now();
    let is_late =
        now.duration_since(notice.due) > SignedDuration::try_from(options.give_up_after).unwrap_or(SignedDuration::MAX);
    let group = due.group.clone();
    match answer {
        Ok(()) => {
            let event = NoticeSent { group, notice };
            if logged(log, event.into(), due, now).await { Fate::Sent } else { Fate::NotLogged }
        }
        Err(SendError { reason, is_final }) if is_final || is_late => {
            tracing::warn!(channel = notice.to.channel(), recipient = notice.to.recipient(), %reason, "a notice is given up");
            let event = NoticeFailed { group, notice, reason };
            if logged(log, event.into(), due, now).await { Fate::Failed } else { Fate::NotLogged }
        }
        Err(SendError { reason, .. }) => Fate::Again(reason),
    }
}

async fn send(
    log: &dyn EventLog,
    known: &[ProjectionHandle],
    channel: &dyn Channel,
    due: &Due,
) -> Result<(), SendError> {
    if let Some(last) = log.tail().previous() {
        for model in known {
            // The time-out is the caller's.
            let behind = |error: WaitError| SendError::for_now(error.to_string());
            model.wait_for(last, SETTLE_PATIENCE).await.map_err(behind)?;
        }
    }
    channel.send(Arc::new(Message::about(due))).await
}

/// Appends what became of a notice; answers whether the log says it.
async fn logged(log: &dyn EventLog, event: Event, due: &Due, now: Timestamp) -> bool {
    let meta = Meta { id: due.id, causation_id: Some(*due.cause.as_uuid()), ..Meta::own(ACTOR, Some(now)) };
    let sealed = match seal(&event, meta) {
        Ok(sealed) => sealed,
        Err(error) => {
            tracing::error!(notice = %due.id, %error, "what became of a notice cannot be logged");
            return false;
        }
    };
    loop {
        match log.append(AppendCondition::none(), vec![sealed.clone()]).await {
            // The same notice was settled before: the first word stands.
            Ok(_) | Err(AppendError::IdConflict { .. }) => return true,
            Err(error) if error.retryable() => {
                tracing::warn!(%error, "the append will be tried again");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => {
                tracing::error!(notice = %due.id, %error, "what became of a notice is not logged; it is not sent again before the next start");
                return false;
            }
        }
    }
}

#[cfg(test)]
#[path = "notifier_tests.rs"]
mod tests;
