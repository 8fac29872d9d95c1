//! The single way in.
//!
//! Every source, the HTTP interface and the import hand their readings and foreign events to one [`Ingest`]. It drops what is known already, joins what
//! waits into frames, appends once for all of them, and answers each caller when its part is durable.
//!
//! Invariant: one log has one `Ingest`, and nothing else appends frames of readings. The index of identities is derived from the log, catches up when
//! it starts, and may be deleted at any time.

mod error;
mod events;
mod index;
mod limits;
mod quarantine;
mod screen;
mod statistics;
mod stored;
mod worker;

use std::path::Path;
use std::sync::Arc;

use eventlog::frames::Reading;
use eventlog::{EventLog, NewEvent, Position};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use error::{IngestError, StartError};
pub use limits::{Limits, MAX_BATCH_READINGS, MAX_QUARANTINED_BYTES, MAX_TEXT_BYTES};
pub use quarantine::{NotKept, Quarantined, payload_of};
pub use statistics::IngestStatistics;

use index::Index;
use worker::Call;

/// What became of a batch of readings. It exists only for batches that are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestReceipt {
    /// Everything of the batch lies at or before this position; waiting for it makes the batch visible.
    pub position: Position,
    /// Readings that were new (conflicting ones included).
    pub accepted: u64,
    /// Readings that were known with the same value, and dropped.
    pub duplicates: u64,
    /// Readings whose identity was known with another value: they were kept, and both are listed as a [`Conflict`].
    pub conflicts: u64,
}

/// What became of foreign events. It exists only for events that are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsReceipt {
    /// Every event of the call lies at or before this position.
    pub position: Position,
    /// Events that were new.
    pub appended: u64,
    /// Events that were known with the same content.
    pub repeated: u64,
}

/// A reading that contradicts an earlier reading of the same identity. Both are in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The signal.
    pub signal: Arc<str>,
    /// The source time that both have.
    pub time: Timestamp,
    /// The sequence that both have.
    pub sequence: Option<u64>,
    /// The record that holds the later one.
    pub position: Position,
}

/// The handle: cheap to clone, shared by every source. When the last one is gone, what waits is still appended and answered.
#[derive(Clone)]
pub struct Ingest {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<dyn EventLog>,
    limits: Limits,
    statistics: Arc<IngestStatistics>,
    index: Arc<Index>,
    /// How many readings may wait: callers wait here first, so that the queue is bounded in readings too.
    room: Arc<Semaphore>,
    queue: Mutex<Option<mpsc::Sender<Call>>>,
    worker: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Ingest {
    /// Opens the index of identities in `index_dir` (in memory when there is none), catches it up with the log, and starts to take batches.
    ///
    /// An index that is missing, damaged, or of another log is built anew from the log.
    ///
    /// # Errors
    /// [`StartError`] when the log cannot be read or no index can be made.
    pub async fn start(log: Arc<dyn EventLog>, index_dir: Option<&Path>, limits: Limits) -> Result<Self, StartError> {
        limits.check()?;
        let statistics = Arc::new(IngestStatistics::default());
        let directory = index_dir.map(Path::to_path_buf);
        let (queue, requests) = mpsc::channel(limits.queued_batches);
        let (started, answer) = oneshot::channel();
        let room = Arc::new(Semaphore::new(limits.queued_readings));
        let seed = worker::Seed {
            log: Arc::clone(&log),
            directory,
            limits,
            statistics: Arc::clone(&statistics),
            runtime: tokio::runtime::Handle::current(),
        };
        let worker = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || worker::run(&seed, requests, started))
            .map_err(StartError::Thread)?;
        let index = answer.await.map_err(|_| StartError::Index("the ingest thread ended".to_owned()))??;
        Ok(Self {
            shared: Arc::new(Shared {
                log,
                limits,
                statistics,
                index,
                room,
                queue: Mutex::new(Some(queue)),
                worker: Mutex::new(Some(worker)),
            }),
        })
    }

    /// Takes readings of a source; the source is also the actor. See [`Ingest::readings_by`].
    ///
    /// # Errors
    /// [`IngestError`]; nothing of the batch is in the log then, unless the error says that the log itself failed.
    pub async fn readings(&self, source: &str, readings: Vec<Reading>) -> Result<IngestReceipt, IngestError> {
        self.readings_by(source, source, readings).await
    }

    /// Takes readings of a source on behalf of an actor, and answers when every one of them is durable: appended now, or known already.
    ///
    /// Waits while the queue is full. A caller that goes away after its batch was queued does not take the batch back.
    ///
    /// # Errors
    /// [`IngestError`]; nothing of the batch is in the log then, unless the error says that the log itself failed.
    pub async fn readings_by(
        &self,
        actor: &str,
        source: &str,
        readings: Vec<Reading>,
    ) -> Result<IngestReceipt, IngestError> {
        screen::check_batch(source, &readings)?;
        let count = u32::try_from(readings.len()).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.shared.room).acquire_many_owned(count).await.map_err(|_| IngestError::Closed)?;
        let (answer, receipt) = oneshot::channel();
        let call = Call { actor: actor.into(), source: source.into(), readings, answer, _room: permit };
        self.send(call).await?;
        receipt.await.map_err(|_| IngestError::Closed)?
    }

    /// Appends foreign events, all or none, and answers when they are durable. Events that are known with the same content are dropped and counted,
    /// so that a redelivery in another cut succeeds too.
    ///
    /// # Errors
    /// [`IngestError::IdConflict`] when an id is known with other content.
    pub async fn events(&self, events: Vec<NewEvent>) -> Result<EventsReceipt, IngestError> {
        events::append(&self.shared.log, &self.shared.statistics, events).await
    }

    /// Keeps an input that was not understood, whole, with the field and the reason, and answers with its position when it is durable.
    ///
    /// The event's id follows from the source, the address, the reason, the payload and the occurrence: the same input again is the same event. Payloads
    /// over [`MAX_QUARANTINED_BYTES`] are cut, and the reason then names length and digest of the whole.
    ///
    /// # Errors
    /// [`IngestError`] when the log refuses.
    pub async fn quarantine(&self, input: Quarantined<'_>) -> Result<Position, IngestError> {
        let event = quarantine::seal(&input)?;
        let receipt = events::append_one(&self.shared.log, event).await?;
        self.shared.statistics.quarantined(receipt.repeated);
        Ok(receipt.first)
    }

    /// The log that it appends to.
    pub(crate) fn log(&self) -> &Arc<dyn EventLog> {
        &self.shared.log
    }

    /// The counters.
    pub fn statistics(&self) -> &IngestStatistics {
        &self.shared.statistics
    }

    /// The limits that it works under.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Contradicting readings, in the order of signal and time: at most `limit`, those after `after` only.
    ///
    /// # Errors
    /// [`IngestError::Index`] when the index cannot be read.
    pub async fn conflicts(&self, after: Option<&Conflict>, limit: usize) -> Result<Vec<Conflict>, IngestError> {
        let index = Arc::clone(&self.shared.index);
        let after = after.cloned();
        tokio::task::spawn_blocking(move || index.conflicts(after.as_ref(), limit))
            .await
            .map_err(|error| IngestError::Index(error.to_string()))?
            .map_err(|error| IngestError::Index(error.to_string()))
    }

    /// Takes nothing more, appends and answers what waits, makes the index durable, and returns when that is done.
    pub async fn close(&self) {
        drop(self.shared.queue.lock().take());
        self.shared.room.close();
        let worker = self.shared.worker.lock().take();
        if let Some(worker) = worker {
            // The thread ends by itself once the queue is closed and empty.
            let joined = tokio::task::spawn_blocking(move || worker.join().is_ok()).await;
            if !matches!(joined, Ok(true)) {
                tracing::error!("the ingest thread did not end as it should");
            }
        }
    }

    async fn send(&self, call: Call) -> Result<(), IngestError> {
        let queue = self.shared.queue.lock().clone().ok_or(IngestError::Closed)?;
        queue.send(call).await.map_err(|_| IngestError::Closed)
    }
}

/// Whether ingest would take the reading.
#[cfg(test)]
pub(crate) fn takes(reading: &Reading) -> bool {
    screen::check_batch("test", std::slice::from_ref(reading)).is_ok()
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
