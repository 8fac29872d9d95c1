//! What answers the log with further events: predictions, alerts, commands.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{
    AppendCondition, AppendError, BoxFuture, EventId, EventLog, Filter, MAX_BATCH_EVENTS, NewEvent, Position,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::pages::Pages;
use crate::{Entry, Feed, WaitError};

/// The longest time between two saves of the progress of a reactor that answers nothing.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How long a reactor waits before it tries again what may succeed later.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Follows the log and answers it with events. It never runs in a replay or a rebuild.
///
/// **Ids.** Each event that it makes carries [`reaction_id`] of the reactor, its version, the causing event and an ordinal, and names the
/// causing event in `causation_id`. After a crash the runner shows the reactor some entries again; what it appended then has the same
/// ids, and the log takes it once. When the second answer differs from the first, the first one stands.
/// **Grouping.** Events of one cause are appended together or not at all.
/// **No loops.** The filter must not match what the reactor itself appends.
pub trait Reactor: Send + 'static {
    /// The name, unique in the process; the actor of its events should say it too.
    fn name(&self) -> &'static str;

    /// The version: a new one makes new ids, so that old causes could be answered anew.
    fn version(&self) -> u32;

    /// The entries that it wants.
    fn filter(&self) -> Filter;

    /// Answers a batch of entries.
    fn react<'a>(&'a mut self, entries: &'a [Arc<Entry>]) -> BoxFuture<'a, Result<Vec<NewEvent>, ReactorError>>;
}

/// The id of a reaction: from the reactor, its version, the cause, and which of the reactions to that cause it is.
pub fn reaction_id(reactor: &str, version: u32, cause: EventId, ordinal: u32) -> EventId {
    EventId::derived(&format!("reactor:{reactor}/{version}"), &format!("{cause}/{ordinal}"))
}

/// Why a reactor stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    /// The reactor could not answer.
    #[error("reactor {reactor} cannot go on: {reason}")]
    Refused {
        /// The reactor.
        reactor: &'static str,
        /// Why.
        reason: String,
    },
    /// The log could not be read.
    #[error("reactor {reactor} could not read the log")]
    Read {
        /// The reactor.
        reactor: &'static str,
        /// Why.
        #[source]
        source: eventlog::ReadError,
    },
    /// The log did not take the events.
    #[error("reactor {reactor} could not append")]
    Append {
        /// The reactor.
        reactor: &'static str,
        /// Why.
        #[source]
        source: AppendError,
    },
    /// The file with its progress could not be read or written.
    #[error("the progress of reactor {reactor} in {path}")]
    Progress {
        /// The reactor.
        reactor: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Where a reactor keeps its progress and where it begins without one.
#[derive(Clone, Debug)]
pub struct ReactorOptions {
    /// The folder of the file `NAME.position`; without one the reactor begins at `start` each time.
    pub dir: Option<PathBuf>,
    /// The first position that it answers when it has no progress yet: the tail for what must only answer what is new.
    pub start: Position,
}

#[derive(Clone, Debug)]
struct State {
    checkpoint: Position,
    failed: Option<String>,
    stopped: bool,
}

/// A running reactor, seen from outside. Cheap to clone.
#[derive(Clone)]
pub struct ReactorHandle {
    name: &'static str,
    log: Arc<dyn EventLog>,
    state: watch::Receiver<State>,
}

impl ReactorHandle {
    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first position that it has not answered.
    pub fn checkpoint(&self) -> Position {
        self.state.borrow().checkpoint
    }

    /// How many records it has not answered.
    pub fn lag(&self) -> u64 {
        self.log.tail().get().saturating_sub(self.checkpoint().get())
    }

    /// Why it failed, if it did.
    pub fn failed(&self) -> Option<String> {
        self.state.borrow().failed.clone()
    }

    /// Waits until the record at the position is answered, and the answer is in the log.
    ///
    /// # Errors
    /// [`WaitError`].
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), WaitError> {
        let projection = self.name;
        let mut state = self.state.clone();
        let arrived = state.wait_for(|now| now.checkpoint > position || now.failed.is_some() || now.stopped);
        match tokio::time::timeout(timeout, arrived).await {
            Ok(Ok(now)) if now.checkpoint > position => Ok(()),
            Ok(Ok(now)) => Err(match &now.failed {
                Some(reason) => WaitError::Failed { projection, reason: reason.clone() },
                None => WaitError::Stopped { projection },
            }),
            Ok(Err(_)) => Err(WaitError::Stopped { projection }),
            Err(_) => Err(WaitError::Timeout {
                projection,
                checkpoint: self.checkpoint(),
                wanted: position,
                waited_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    /// Waits until it has ended, after a cancel or a failure.
    pub async fn stopped(&self) {
        let mut state = self.state.clone();
        // The sender is dropped when the task ends, which ends the waiting too.
        state.wait_for(|now| now.stopped).await.map(|_| ()).unwrap_or_default();
    }
}

/// Starts a reactor: it answers from its progress on, then follows the tail until `cancel`.
///
/// # Errors
/// [`ReactorError::Progress`] when the file with its progress cannot be read.
pub fn start_reactor<R: Reactor>(
    feed: impl Into<Feed>,
    reactor: R,
    options: ReactorOptions,
    cancel: CancellationToken,
) -> Result<ReactorHandle, ReactorError> {
    let (name, feed) = (reactor.name(), feed.into());
    let progress = options.dir.map(|dir| ProgressFile { reactor: name, path: dir.join(format!("{name}.position")) });
    let checkpoint = match &progress {
        Some(file) => file.load()?.unwrap_or(options.start),
        None => options.start,
    };
    let (sender, state) = watch::channel(State { checkpoint, failed: None, stopped: false });
    let log = Arc::clone(feed.log());
    let handle = ReactorHandle { name, log: Arc::clone(&log), state };
    let worker = Worker {
        pages: Pages::of(&feed, reactor.filter()),
        log,
        reactor,
        progress,
        checkpoint,
        saved: Instant::now(),
        sender,
    };
    tokio::spawn(worker.run(cancel));
    Ok(handle)
}

struct ProgressFile {
    reactor: &'static str,
    path: PathBuf,
}

impl ProgressFile {
    fn error(&self, source: io::Error) -> ReactorError {
        ReactorError::Progress { reactor: self.reactor, path: self.path.clone(), source }
    }

    fn load(&self) -> Result<Option<Position>, ReactorError> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => match text.trim().parse() {
                Ok(index) => Ok(Some(Position::new(index))),
                // The file is not synced: a power cut can leave it empty. Then it is as if there were none.
                Err(error) => {
                    tracing::warn!(reactor = self.reactor, %error, "the progress is not readable; the reactor begins anew");
                    Ok(None)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Not synced: losing it means that some entries are answered again, under the same ids.
    fn save(&self, checkpoint: Position) -> Result<(), ReactorError> {
        let write = || {
            if let Some(dir) = self.path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let fresh = self.path.with_extension("position.new");
            std::fs::write(&fresh, checkpoint.to_string())?;
            std::fs::rename(&fresh, Path::new(&self.path))
        };
        write().map_err(|error| self.error(error))
    }
}

/// What came of an append.
enum Appending {
    Done,
    /// This id is in the log already, with other content or other company.
    Known(EventId),
    Cancelled,
}

struct Worker<R> {
    log: Arc<dyn EventLog>,
    reactor: R,
    pages: Pages,
    progress: Option<ProgressFile>,
    checkpoint: Position,
    saved: Instant,
    sender: watch::Sender<State>,
}

impl<R: Reactor> Worker<R> {
    async fn run(mut self, cancel: CancellationToken) {
        let mut tail = self.log.watch_tail();
        loop {
            // Ordering: the tail is marked as seen before it is compared, so that an append in between wakes the wait below.
            let end = *tail.borrow_and_update();
            if self.checkpoint < end {
                // A step is not cut off in the middle; the cancel is seen after it.
                match self.step(&cancel).await {
                    Ok(()) if cancel.is_cancelled() => break,
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::error!(reactor = self.reactor.name(), %error, checkpoint = %self.checkpoint, "the reactor stops");
                        self.sender.send_modify(|state| state.failed = Some(error.to_string()));
                        break;
                    }
                }
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                changed = tail.changed() => if changed.is_err() { break },
            }
        }
        if let Err(error) = self.save() {
            tracing::warn!(reactor = self.reactor.name(), %error, "the progress was not saved; what was answered since is looked at again");
        }
        self.sender.send_modify(|state| state.stopped = true);
    }

    async fn step(&mut self, cancel: &CancellationToken) -> Result<(), ReactorError> {
        let reactor = self.reactor.name();
        let page = self
            .pages
            .next(&*self.log, self.checkpoint, None)
            .await
            .map_err(|source| ReactorError::Read { reactor, source })?;
        let mut answered = false;
        if !page.entries.is_empty() {
            let reactions = self.reactor.react(&page.entries).await?;
            answered = !reactions.is_empty();
            if !self.append_all(reactions, cancel).await? {
                return Ok(());
            }
        }
        // Ordering: the reactions are durable before the progress says so.
        self.checkpoint = page.through;
        if answered || self.saved.elapsed() >= SAVE_EVERY {
            self.save()?;
        }
        self.sender.send_modify(|state| state.checkpoint = page.through);
        Ok(())
    }

    fn save(&mut self) -> Result<(), ReactorError> {
        self.saved = Instant::now();
        self.progress.as_ref().map_or(Ok(()), |file| file.save(self.checkpoint))
    }

    /// Appends the reactions to a page: in one call, so that one sync serves them all, and cause by cause where some are in the log already.
    /// Answers false when it was cancelled before they were in.
    async fn append_all(&mut self, reactions: Vec<NewEvent>, cancel: &CancellationToken) -> Result<bool, ReactorError> {
        if reactions.is_empty() {
            return Ok(true);
        }
        if reactions.len() <= MAX_BATCH_EVENTS {
            match self.append(reactions.clone(), cancel).await? {
                Appending::Done => return Ok(true),
                Appending::Cancelled => return Ok(false),
                Appending::Known(_) => {}
            }
        }
        for group in by_cause(reactions) {
            match self.append(group, cancel).await? {
                Appending::Done => {}
                Appending::Cancelled => return Ok(false),
                Appending::Known(id) => {
                    tracing::debug!(reactor = self.reactor.name(), %id, "this cause was answered before; the first answer stands");
                }
            }
        }
        Ok(true)
    }

    async fn append(&mut self, group: Vec<NewEvent>, cancel: &CancellationToken) -> Result<Appending, ReactorError> {
        let reactor = self.reactor.name();
        loop {
            match self.log.append(AppendCondition::none(), group.clone()).await {
                Ok(_) => return Ok(Appending::Done),
                Err(AppendError::IdConflict { id, .. }) => return Ok(Appending::Known(id)),
                Err(error) if error.retryable() => {
                    tracing::warn!(reactor, %error, "the append will be tried again");
                    tokio::select! {
                        () = cancel.cancelled() => return Ok(Appending::Cancelled),
                        () = tokio::time::sleep(RETRY_AFTER) => {}
                    }
                }
                Err(source) => return Err(ReactorError::Append { reactor, source }),
            }
        }
    }
}

/// Runs of events with the same cause.
fn by_cause(events: Vec<NewEvent>) -> Vec<Vec<NewEvent>> {
    let mut groups: Vec<Vec<NewEvent>> = Vec::new();
    for event in events {
        match groups.last_mut() {
            Some(group)
                if event.causation_id.is_some()
                    && group.first().is_some_and(|first| first.causation_id == event.causation_id) =>
            {
                group.push(event);
            }
            _ => groups.push(vec![event]),
        }
    }
    groups
}

#[cfg(test)]
#[path = "reactor_tests.rs"]
mod tests;
