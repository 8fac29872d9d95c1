//! Building datasets while the server goes on: one at a time, on a thread of its own, for as long as it takes.
//!
//! A request waits for its build as long as requests may; a longer build goes on behind it, and is asked after by its id. The event is appended when the file is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datasets::{Built, DatasetError, FILE_NAME, FileSink, Rebuilt, Spec, build, built_event, rebuild};
use domain::events::DatasetBuilt;
use domain::ids::DatasetId;
use eventlog::{AppendCondition, BoxFuture, EventLog, Position};
use futures::stream;
use parking_lot::Mutex;
use projections::{Meta, seal};
use registry::{ArtifactError, ArtifactStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::problem::Problem;

/// How many builds that failed are remembered.
const MAX_FAILED: usize = 100;

/// The pieces of a file that wait for the store.
const MAX_WAITING: usize = 4;

impl From<DatasetError> for Problem {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::Spec { field, reason } => Self::invalid(&field, reason),
            DatasetError::TooLarge { .. } => Self::too_large(error.to_string()),
            DatasetError::Beyond { .. } => Self::invalid("as_of", error),
            DatasetError::Builder { .. } => Self::conflict(error),
            DatasetError::Log(error) => error.into(),
            DatasetError::File(_) | DatasetError::Sink(_) => Self::internal(&error),
        }
    }
}

/// How a build ended: where its event stands, or why there is none.
pub type Ended = Result<Position, Problem>;

/// A build that was begun.
#[derive(Clone, Debug)]
pub struct Job {
    /// The dataset's id.
    pub dataset: DatasetId,
    ended: watch::Receiver<Option<Ended>>,
}

impl Job {
    /// How it ended, if it did within this time.
    pub async fn wait(mut self, patience: Duration) -> Option<Ended> {
        let ended = tokio::time::timeout(patience, self.ended.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(ended)) => ended.clone(),
            // The thread is gone without a word.
            Ok(Err(_)) => Some(Err(Problem::unavailable("the build was given up"))),
            Err(_) => None,
        }
    }
}

/// What is known of a dataset that is not in the log.
#[derive(Clone, Debug)]
pub enum Unfinished {
    /// It is being built.
    Building,
    /// It could not be built.
    Failed(Problem),
}

/// The builder of datasets.
pub struct Builder {
    log: Arc<dyn EventLog>,
    artifacts: ArtifactStore,
    turn: Arc<Semaphore>,
    jobs: Arc<Mutex<Jobs>>,
    stop: CancellationToken,
}

/// What is under way, and what failed.
#[derive(Debug, Default)]
struct Jobs {
    current: Option<DatasetId>,
    failed: VecDeque<(DatasetId, Problem)>,
}

impl Builder {
    /// A builder over a log and the store of its artifacts. What it is at ends when `stop` is cancelled.
    pub fn new(log: Arc<dyn EventLog>, artifacts: ArtifactStore, stop: CancellationToken) -> Self {
        Self { log, artifacts, turn: Arc::new(Semaphore::new(1)), jobs: Arc::default(), stop }
    }

    /// A dataset that is being built, or could not be.
    pub fn unfinished(&self, id: &DatasetId) -> Option<Unfinished> {
        let jobs = self.jobs.lock();
        if jobs.current.as_ref() == Some(id) {
            return Some(Unfinished::Building);
        }
        let failed = jobs.failed.iter().rev().find(|(failed, _)| failed == id)?;
        Some(Unfinished::Failed(failed.1.clone()))
    }

    fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.turn).try_acquire_owned().map_err(|_| {
            let current = self.jobs.lock().current.as_ref().map(ToString::to_string);
            let what = current.map_or_else(|| "a verification".to_owned(), |id| format!("dataset {id}"));
            Problem::unavailable(format!(
                "one dataset is built or verified at a time, and {what} is under way; try again later"
            ))
        })
    }

    /// Begins to build a dataset; its file is stored and its event appended in the name of the actor.
    ///
    /// # Errors
    /// A 503 problem when another one is being built.
    pub fn begin(&self, actor: &str, spec: Spec, as_of: Position) -> Result<Job, Problem> {
        let turn = self.turn()?;
        let dataset = DatasetId::new(&format!("ds-{}", Uuid::now_v7())).map_err(|error| Problem::internal(&error))?;
        self.jobs.lock().current = Some(dataset.clone());
        let (tell, ended) = watch::channel(None);
        let work = Work {
            log: Arc::clone(&self.log),
            artifacts: self.artifacts.clone(),
            stop: self.stop.clone(),
            actor: actor.to_owned(),
            dataset: dataset.clone(),
        };
        let (jobs, id) = (Arc::clone(&self.jobs), dataset.clone());
        let runtime = tokio::runtime::Handle::current();
        // A build computes for long between two reads: it must not hold up a thread that serves others.
        tokio::task::spawn_blocking(move || {
            let ended = runtime.block_on(work.run(&spec, as_of));
            let mut jobs = jobs.lock();
            jobs.current = None;
            if let Err(problem) = &ended {
                jobs.failed.push_back((id, problem.clone()));
                if jobs.failed.len() > MAX_FAILED {
                    jobs.failed.pop_front();
                }
            }
            tell.send_replace(Some(ended));
            drop(turn);
        });
        Ok(Job { dataset, ended })
    }

    /// Builds a dataset again, and compares. It is given up when the caller lets go.
    ///
    /// # Errors
    /// A 503 problem when another one is being built; and why it could not be.
    pub async fn verify(&self, built: DatasetBuilt) -> Result<Rebuilt, Problem> {
        let turn = self.turn()?;
        let log = Arc::clone(&self.log);
        let stop = self.stop.child_token();
        let given_up = stop.clone().drop_guard();
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            runtime.block_on(async {
                tokio::select! {
                    rebuilt = rebuild(&*log, &built) => rebuilt.map_err(Problem::from),
                    () = stop.cancelled() => Err(Problem::unavailable("the verification was given up")),
                }
            })
        });
        let rebuilt = done.await.map_err(|error| Problem::internal(&error))?;
        drop(given_up);
        rebuilt
    }
}

/// One build.
struct Work {
    log: Arc<dyn EventLog>,
    artifacts: ArtifactStore,
    stop: CancellationToken,
    actor: String,
    dataset: DatasetId,
}

impl Work {
    async fn run(&self, spec: &Spec, as_of: Position) -> Ended {
        let (pieces, arriving) = mpsc::channel(MAX_WAITING);
        let content = stream::unfold(arriving, |mut arriving| async move {
            let piece: std::io::Result<Bytes> = arriving.recv().await?;
            Some((piece, arriving))
        });
        let mut sink = Pieces { pieces, stop: self.stop.clone() };
        let making = async {
            let built = build(&*self.log, spec, as_of, &mut sink).await;
            if built.is_err() {
                // The store keeps nothing of a file that breaks off. When it takes nothing more either, it has failed itself.
                let _ = sink.pieces.send(Err(std::io::Error::other("the dataset could not be built"))).await;
            }
            // The file ends where nothing more can come.
            drop(sink);
            built
        };
        let (built, stored) = tokio::join!(making, self.artifacts.put_stream(FILE_NAME, content));
        let built: Built = built?;
        let stored = stored.map_err(|error: ArtifactError| Problem::internal(&error))?;
        if stored.sha256 != built.sha256 {
            return Err(Problem::internal(&std::io::Error::other("the stored file is not the one that was built")));
        }
        // Ordering: the file is durable before the log names it.
        let event = built_event(self.dataset.clone(), &built).into();
        let sealed = seal(&event, Meta::own(&self.actor, Some(jiff::Timestamp::now())))
            .map_err(|error| Problem::internal(&error))?;
        Ok(self.log.append(AppendCondition::none(), vec![sealed]).await?.first)
    }
}

/// Hands the pieces of a file to the store.
struct Pieces {
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    stop: CancellationToken,
}

impl FileSink for Pieces {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(async move {
            self.pieces.send(Ok(bytes)).await.map_err(|_| std::io::Error::other("the store takes nothing more"))
        })
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }
}
