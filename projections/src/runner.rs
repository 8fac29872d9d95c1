//! The task that keeps a projection up with the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{BoxFuture, EventLog, Position};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::handle::{MAX_WAITING_REQUESTS, Progress, Request};
use crate::pages::Pages;
use crate::{Feed, Projection, ProjectionError, ProjectionHandle, Rebuildable, RequestError};

/// The time and the entries between two flushes of a projection that changes: what a crash makes it read again. A flush that takes long waits until as much more work was done
/// as [`WORK_PER_FLUSH`] says: a large state is written as a whole each time.
pub const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// See [`FLUSH_EVERY`].
pub const FLUSH_AFTER_ENTRIES: u64 = 250_000;

/// How many times as long as the last flush took a projection works before the next one: so much of its time goes into flushes at most, and so much work is lost in a crash.
const WORK_PER_FLUSH: u32 = 4;

/// Starts projections.
pub struct Runner;

/// How a projection is rebuilt, where it can be.
struct Hooks<P> {
    beside: for<'a> fn(&'a P) -> BoxFuture<'a, Result<P, ProjectionError>>,
    replace: for<'a> fn(&'a mut P, P) -> BoxFuture<'a, Result<(), ProjectionError>>,
}

impl Runner {
    /// Runs a projection until `cancel`: it catches up in large pages, then follows the tail, and flushes at times and at the end. It cannot
    /// be rebuilt while it runs; see [`Runner::start_rebuildable`].
    pub fn start<P: Projection>(feed: impl Into<Feed>, projection: P, cancel: CancellationToken) -> ProjectionHandle {
        Worker::spawn(feed.into(), projection, None, cancel)
    }

    /// Like [`Runner::start`], for a projection that can be rebuilt beside itself.
    pub fn start_rebuildable<P: Rebuildable>(
        feed: impl Into<Feed>,
        projection: P,
        cancel: CancellationToken,
    ) -> ProjectionHandle {
        let hooks = Hooks { beside: P::beside, replace: P::replace };
        Worker::spawn(feed.into(), projection, Some(hooks), cancel)
    }

    /// Like [`Runner::start_rebuildable`], for a projection of this name and version whose store is still being opened: its handle says so until then. One that cannot be opened has failed.
    pub fn start_opening<P: Rebuildable>(
        feed: impl Into<Feed>,
        (name, version): (&'static str, u32),
        opening: impl Future<Output = Result<P, ProjectionError>> + Send + 'static,
        cancel: CancellationToken,
    ) -> ProjectionHandle {
        let feed = feed.into();
        let log = Arc::clone(feed.log());
        let (progress, watching) = watch::channel(Progress::at(Position::START, true));
        let (requests, waiting) = mpsc::channel(MAX_WAITING_REQUESTS);
        let wanted = Arc::new(Notify::new());
        let opened = Opened { name, feed, progress, waiting, wanted: Arc::clone(&wanted), cancel };
        let task = tokio::spawn(opened.run(opening));
        ProjectionHandle::new((name, version), log, watching, (requests, wanted), task)
    }
}

/// What runs a projection once it is open.
struct Opened {
    name: &'static str,
    feed: Feed,
    progress: watch::Sender<Progress>,
    waiting: mpsc::Receiver<Request>,
    wanted: Arc<Notify>,
    cancel: CancellationToken,
}

impl Opened {
    async fn run<P: Rebuildable>(self, opening: impl Future<Output = Result<P, ProjectionError>>) {
        let Self { name, feed, progress, waiting, wanted, cancel } = self;
        let opened = tokio::select! {
            opened = opening => opened,
            () = cancel.cancelled() => {
                progress.send_modify(|progress| progress.stopped = true);
                return;
            }
        };
        match opened {
            Ok(projection) => {
                progress.send_replace(Progress::at(projection.checkpoint(), false));
                let hooks = Hooks { beside: P::beside, replace: P::replace };
                Worker::new(feed, projection, Some(hooks), progress).run(waiting, &wanted, cancel).await;
            }
            Err(error) => {
                tracing::error!(projection = name, %error, "the projection could not be opened");
                // Nobody answers requests any more: who asks learns it at once.
                drop(waiting);
                progress.send_modify(|progress| {
                    progress.opening = false;
                    progress.failed = Some(error_chain(&error));
                });
                cancel.cancelled().await;
                progress.send_modify(|progress| progress.stopped = true);
            }
        }
    }
}

struct Rebuild<P> {
    candidate: P,
    pages: Pages,
    done: oneshot::Sender<Result<Position, RequestError>>,
}

struct Worker<P: Projection> {
    name: &'static str,
    feed: Feed,
    projection: P,
    pages: Pages,
    hooks: Option<Hooks<P>>,
    rebuild: Option<Rebuild<P>>,
    progress: watch::Sender<Progress>,
    unflushed: u64,
    /// How long reading and applying took since the last flush, and that flush; before the first one, what it will take.
    worked: Duration,
    flush_took: Duration,
}

impl<P: Projection> Worker<P> {
    fn spawn(feed: Feed, projection: P, hooks: Option<Hooks<P>>, cancel: CancellationToken) -> ProjectionHandle {
        let (name, version) = (projection.name(), projection.version());
        let (progress, watching) = watch::channel(Progress::at(projection.checkpoint(), false));
        let (requests, waiting) = mpsc::channel(MAX_WAITING_REQUESTS);
        let log = Arc::clone(feed.log());
        let worker = Self::new(feed, projection, hooks, progress);
        let wanted = Arc::new(Notify::new());
        let task = {
            let wanted = Arc::clone(&wanted);
            tokio::spawn(async move { worker.run(waiting, &wanted, cancel).await })
        };
        ProjectionHandle::new((name, version), log, watching, (requests, wanted), task)
    }

    fn new(feed: Feed, projection: P, hooks: Option<Hooks<P>>, progress: watch::Sender<Progress>) -> Self {
        let pages = Pages::of(&feed, projection.filter());
        let flush_took = projection.flush_takes();
        Self {
            name: projection.name(),
            feed,
            projection,
            pages,
            hooks,
            rebuild: None,
            progress,
            unflushed: 0,
            worked: Duration::ZERO,
            flush_took,
        }
    }

    async fn run(mut self, mut requests: mpsc::Receiver<Request>, wanted: &Notify, cancel: CancellationToken) {
        let mut tail = self.feed.log().watch_tail();
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tail_open = true;
        loop {
            // Ordering: the tail is marked as seen before the log is asked, so that an append in between wakes the wait below.
            tail.borrow_and_update();
            let end = self.feed.log().tail();
            let busy = (!self.has_failed() && self.projection.checkpoint() < end) || self.rebuild.is_some();
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(request) = requests.recv() => self.answer(request).await,
                _ = flush.tick() => self.flush_if_worth().await,
                () = std::future::ready(()), if busy => self.step(end).await,
                () = wanted.notified(), if !busy => {}
                changed = tail.changed(), if !busy && tail_open => tail_open = changed.is_ok(),
            }
        }
        self.finish().await;
    }

    fn has_failed(&self) -> bool {
        self.progress.borrow().failed.is_some()
    }

    /// One page for the projection, and one for its successor while there is one.
    async fn step(&mut self, end: Position) {
        if !self.has_failed() && self.projection.checkpoint() < end {
            let begun = Instant::now();
            let advanced = advance(self.name, &**self.feed.log(), &mut self.pages, &mut self.projection).await;
            self.worked += begun.elapsed();
            match advanced {
                Ok(Advance { applied, forgets }) => {
                    self.unflushed += applied;
                    if forgets {
                        // Ordering: what was forgotten is gone from the disk, too, before anybody learns that the projection has come so far.
                        self.flush().await;
                    }
                    self.publish();
                }
                Err(error) => self.fail(&error),
            }
            if self.unflushed >= FLUSH_AFTER_ENTRIES {
                self.flush_if_worth().await;
            }
        }
        if let Some(mut rebuild) = self.rebuild.take() {
            match advance(self.name, &**self.feed.log(), &mut rebuild.pages, &mut rebuild.candidate).await {
                Ok(_) if rebuild.candidate.checkpoint() < self.goal() => self.rebuild = Some(rebuild),
                Ok(_) => self.swap(rebuild).await,
                Err(error) => drop(rebuild.done.send(Err(error.into()))),
            }
        }
    }

    /// Where a successor must be to take over: where the old one is, or at the tail when the old one is broken.
    fn goal(&self) -> Position {
        if self.has_failed() { self.feed.log().tail() } else { self.projection.checkpoint() }
    }

    async fn swap(&mut self, rebuild: Rebuild<P>) {
        let Some(hooks) = &self.hooks else { return };
        let done = match (hooks.replace)(&mut self.projection, rebuild.candidate).await {
            Ok(()) => {
                self.pages = Pages::of(&self.feed, self.projection.filter());
                self.progress.send_modify(|progress| progress.failed = None);
                self.publish();
                self.unflushed += 1;
                self.flush().await;
                Ok(self.projection.checkpoint())
            }
            Err(error) => Err(error.into()),
        };
        // The asker may have gone; the swap stands.
        drop(rebuild.done.send(done));
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Digest(answer) => {
                let checkpoint = self.projection.checkpoint();
                let digest = self.projection.digest().await.map(|digest| (checkpoint, digest));
                drop(answer.send(digest));
            }
            Request::Flush(answer) => {
                let flushed = self.projection.flush().await;
                drop(answer.send(flushed.map(|()| self.projection.checkpoint())));
            }
            Request::Rebuild(answer) => self.begin_rebuild(answer).await,
        }
    }

    async fn begin_rebuild(&mut self, done: oneshot::Sender<Result<Position, RequestError>>) {
        let projection = self.name;
        let refusal = match &self.hooks {
            None => RequestError::NotRebuildable { projection },
            Some(_) if self.rebuild.is_some() => RequestError::Rebuilding { projection },
            Some(hooks) => match (hooks.beside)(&self.projection).await {
                Ok(candidate) => {
                    let pages = Pages::of(&self.feed, candidate.filter());
                    self.rebuild = Some(Rebuild { candidate, pages, done });
                    return;
                }
                Err(error) => error.into(),
            },
        };
        drop(done.send(Err(refusal)));
    }

    async fn flush_if_worth(&mut self) {
        if self.worked >= self.flush_took * WORK_PER_FLUSH {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        if self.unflushed == 0 {
            return;
        }
        let begun = Instant::now();
        match self.projection.flush().await {
            Ok(()) => {
                self.unflushed = 0;
                self.worked = Duration::ZERO;
                self.flush_took = begun.elapsed();
            }
            // The log has everything: a disk that is full for a while must not stop the answers. The next tick tries again.
            Err(error) => {
                tracing::warn!(projection = self.name, %error, "the projection could not be flushed and will be tried again")
            }
        }
    }

    async fn finish(mut self) {
        if let Err(error) = self.projection.flush().await {
            tracing::error!(projection = self.name, %error, "the last flush failed; the log will be read again from the last one");
        }
        // The store is closed before anybody learns that the projection has stopped, so that it can be opened again at once.
        let Self { projection, progress, .. } = self;
        drop(projection);
        progress.send_modify(|progress| progress.stopped = true);
    }

    fn fail(&mut self, error: &ProjectionError) {
        tracing::error!(projection = self.name, %error, checkpoint = %self.projection.checkpoint(), "the projection stops applying");
        self.pages.rest();
        self.progress.send_modify(|progress| progress.failed = Some(error_chain(error)));
    }

    fn publish(&self) {
        let checkpoint = self.projection.checkpoint();
        self.progress.send_if_modified(|progress| {
            let changed = progress.checkpoint != checkpoint;
            progress.checkpoint = checkpoint;
            changed
        });
    }
}

/// What one page did.
struct Advance {
    /// How many entries were applied, and one more for the page.
    applied: u64,
    /// Whether an entry made the projection forget something.
    forgets: bool,
}

async fn advance<P: Projection>(
    name: &'static str,
    log: &dyn EventLog,
    pages: &mut Pages,
    projection: &mut P,
) -> Result<Advance, ProjectionError> {
    let page = pages
        .next(log, projection.checkpoint(), None)
        .await
        .map_err(|source| ProjectionError::Log { projection: name, source })?;
    projection.apply(&page.entries, page.through).await?;
    Ok(Advance {
        applied: page.entries.len() as u64 + 1,
        forgets: page.entries.iter().any(|entry| entry.makes_forget()),
    })
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
