//! Where a subscription remembers how far it came. The log keeps no subscriber's progress: the subscriber owns it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use eventlog::LogId;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// How far a subscription came, in which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The log that the number belongs to: in another log it means nothing.
    pub log: LogId,
    /// The sequence number of the last event that was processed.
    pub sequence_number: u32,
}

/// Keeps the checkpoint of one subscription. Keep it in the store of the read model, in the transaction that changes the read model, and each event counts
/// exactly once; keep it apart, and events between the last checkpoint and a crash come twice.
///
/// When `save` answers `Ok`, `load` gives that checkpoint from then on, for as long as the implementation says that it keeps things.
pub trait Checkpoints: Send + Sync + 'static {
    /// The last checkpoint that was saved; `None` when there is none yet.
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, CheckpointError>>;

    /// Keeps this checkpoint instead of the one before, which may be higher: that repeats events.
    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>>;
}

/// Why a checkpoint was not loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be read or written.
    #[error("{operation} {} failed", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a checkpoint. It is never taken for none: that would repeat every event.
    #[error("{} is not a checkpoint", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
    /// A place of somebody else's failed.
    #[error("the checkpoint could not be kept")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps a checkpoint for as long as the process lives. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryCheckpoints(Arc<Mutex<Option<Checkpoint>>>);

impl Checkpoints for MemoryCheckpoints {
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, CheckpointError>> {
        Box::pin(std::future::ready(Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))))
    }

    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Keeps a checkpoint in a small file of its own, synced before it counts. A crash while it is saved leaves the one before or the new one. One subscription to a file.
#[derive(Clone, Debug)]
pub struct FileCheckpoints {
    path: Arc<Path>,
}

impl FileCheckpoints {
    /// The checkpoint in this file, which need not be there yet; its folder must be.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }
}

impl Checkpoints for FileCheckpoints {
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, CheckpointError>> {
        let path = Arc::clone(&self.path);
        Box::pin(apart(move || read(&path)))
    }

    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), CheckpointError>> {
        let path = Arc::clone(&self.path);
        Box::pin(apart(move || write(&path, checkpoint)))
    }
}

/// Does what blocks away from the threads that run tasks.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckpointError> + Send + 'static,
) -> Result<T, CheckpointError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(CheckpointError::Other(error.into())),
    }
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    move |source| CheckpointError::Io { operation, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(io("reading", path))?,
    };
    let checkpoint = serde_json::from_slice(&bytes);
    checkpoint.map(Some).map_err(|source| CheckpointError::Damaged { path: path.to_owned(), source })
}

fn write(path: &Path, checkpoint: Checkpoint) -> Result<(), CheckpointError> {
    let unfinished = path.with_added_extension("unfinished");
    let bytes = serde_json::to_vec(&checkpoint).map_err(|error| CheckpointError::Other(error.into()))?;
    let mut file = File::create(&unfinished).map_err(io("creating", &unfinished))?;
    file.write_all(&bytes).map_err(io("writing", &unfinished))?;
    // Ordering: the bytes are on disk before the name points to them, and the name before the checkpoint counts.
    file.sync_all().map_err(io("syncing", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(io("naming", path))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("syncing the folder of", path))
}
