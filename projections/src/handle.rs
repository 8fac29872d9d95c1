//! What the rest of the program holds of a running projection.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{Digest, EventLog, Position};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::ProjectionError;

/// The most requests that wait for one projection.
pub(crate) const MAX_WAITING_REQUESTS: usize = 64;

/// How far a projection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub checkpoint: Position,
    pub opening: bool,
    pub failed: Option<String>,
    pub stopped: bool,
}

impl Progress {
    pub(crate) fn at(checkpoint: Position, opening: bool) -> Self {
        Self { checkpoint, opening, failed: None, stopped: false }
    }
}

/// What a handle asks of the task that runs the projection.
pub(crate) enum Request {
    Digest(oneshot::Sender<Result<(Position, Digest), ProjectionError>>),
    Flush(oneshot::Sender<Result<Position, ProjectionError>>),
    Rebuild(oneshot::Sender<Result<Position, RequestError>>),
}

/// Why a projection did not get there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// It did not get there in time.
    #[error("projection {projection} is at {checkpoint}, before {wanted}, after {waited_ms} ms")]
    Timeout {
        /// The projection.
        projection: &'static str,
        /// The first position that it has not applied.
        checkpoint: Position,
        /// The position that was waited for.
        wanted: Position,
        /// How long, in milliseconds.
        waited_ms: u64,
    },
    /// It has failed, and applies nothing more until it is rebuilt.
    #[error("projection {projection} has failed: {reason}")]
    Failed {
        /// The projection.
        projection: &'static str,
        /// Why.
        reason: String,
    },
    /// It has ended.
    #[error("projection {projection} has stopped")]
    Stopped {
        /// The projection.
        projection: &'static str,
    },
}

/// Why a request to a projection was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It has ended.
    #[error("projection {projection} has stopped")]
    Stopped {
        /// The projection.
        projection: &'static str,
    },
    /// It does not know how to be rebuilt beside itself.
    #[error("projection {projection} cannot be rebuilt while it runs")]
    NotRebuildable {
        /// The projection.
        projection: &'static str,
    },
    /// A rebuild is under way already.
    #[error("projection {projection} is being rebuilt already")]
    Rebuilding {
        /// The projection.
        projection: &'static str,
    },
    /// The projection refused.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

/// A running projection, seen from outside. Cheap to clone.
#[derive(Clone)]
pub struct ProjectionHandle {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    version: u32,
    log: Arc<dyn EventLog>,
    progress: watch::Receiver<Progress>,
    requests: mpsc::Sender<Request>,
    wanted: Arc<Notify>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl ProjectionHandle {
    pub(crate) fn new(
        (name, version): (&'static str, u32),
        log: Arc<dyn EventLog>,
        progress: watch::Receiver<Progress>,
        (requests, wanted): (mpsc::Sender<Request>, Arc<Notify>),
        task: tokio::task::JoinHandle<()>,
    ) -> Self {
        Self { inner: Arc::new(Inner { name, version, log, progress, requests, wanted, task: Mutex::new(Some(task)) }) }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// The version of the fold.
    pub fn version(&self) -> u32 {
        self.inner.version
    }

    /// The first position that is not applied yet.
    pub fn checkpoint(&self) -> Position {
        self.inner.progress.borrow().checkpoint
    }

    /// How many records of the log are not applied yet.
    pub fn lag(&self) -> u64 {
        self.inner.log.tail().get().saturating_sub(self.checkpoint().get())
    }

    /// Whether its store is still being opened. What waits for it waits for that, too.
    pub fn opening(&self) -> bool {
        self.inner.progress.borrow().opening
    }

    /// Why it failed, if it did. It answers what it knew then, and can be rebuilt.
    pub fn failed(&self) -> Option<String> {
        self.inner.progress.borrow().failed.clone()
    }

    /// Waits until the record at `min_position` is applied.
    ///
    /// # Errors
    /// [`WaitError`]: not in time, or never.
    pub async fn wait_for(&self, min_position: Position, timeout: Duration) -> Result<(), WaitError> {
        let projection = self.inner.name;
        let mut progress = self.inner.progress.clone();
        if progress.borrow().checkpoint <= min_position {
            self.inner.wanted.notify_one();
        }
        let arrived = progress.wait_for(|now| now.checkpoint > min_position || now.failed.is_some() || now.stopped);
        match tokio::time::timeout(timeout, arrived).await {
            Ok(Ok(now)) if now.checkpoint > min_position => Ok(()),
            Ok(Ok(now)) => Err(match &now.failed {
                Some(reason) => WaitError::Failed { projection, reason: reason.clone() },
                None => WaitError::Stopped { projection },
            }),
            Ok(Err(_)) => Err(WaitError::Stopped { projection }),
            Err(_) => Err(WaitError::Timeout {
                projection,
                checkpoint: self.checkpoint(),
                wanted: min_position,
                waited_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    /// Waits until the checkpoint is not this one any more, without hurrying the projection; also until it has failed.
    ///
    /// # Errors
    /// [`WaitError::Stopped`] when it has ended, [`WaitError::Failed`] when it has failed.
    pub async fn moved_from(&self, checkpoint: Position) -> Result<(), WaitError> {
        let projection = self.inner.name;
        let mut progress = self.inner.progress.clone();
        let moved = progress.wait_for(|now| now.checkpoint != checkpoint || now.failed.is_some() || now.stopped).await;
        match moved {
            Ok(now) if now.checkpoint != checkpoint => Ok(()),
            Ok(now) => Err(match &now.failed {
                Some(reason) => WaitError::Failed { projection, reason: reason.clone() },
                None => WaitError::Stopped { projection },
            }),
            Err(_) => Err(WaitError::Stopped { projection }),
        }
    }

    /// The digest of the logical state, and the first position that is not in it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn digest(&self) -> Result<(Position, Digest), RequestError> {
        Ok(self.ask(Request::Digest).await??)
    }

    /// Makes everything applied so far durable, and answers the checkpoint.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn flush(&self) -> Result<Position, RequestError> {
        Ok(self.ask(Request::Flush).await??)
    }

    /// Rebuilds the projection from the start of the log beside the old one, which answers meanwhile; returns the checkpoint at which the two were swapped.
    ///
    /// # Errors
    /// [`RequestError`]; the old one stays then.
    pub async fn rebuild(&self) -> Result<Position, RequestError> {
        self.ask(Request::Rebuild).await?
    }

    /// Waits until the projection has ended: after a cancel, when it has flushed.
    pub async fn stopped(&self) {
        let task = self.inner.task.lock().take();
        match task {
            Some(task) => {
                if let Err(error) = task.await {
                    tracing::error!(projection = self.inner.name, %error, "the task of the projection ended badly");
                }
            }
            None => {
                let mut progress = self.inner.progress.clone();
                // The sender is dropped when the task ends, which ends the waiting too.
                progress.wait_for(|now| now.stopped).await.map(|_| ()).unwrap_or_default();
            }
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, RequestError> {
        let stopped = || RequestError::Stopped { projection: self.inner.name };
        let (answer, answered) = oneshot::channel();
        self.inner.requests.send(request(answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}
