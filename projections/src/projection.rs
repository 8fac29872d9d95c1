//! The contract of a projection.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{BoxFuture, Digest, Filter, Position};
use serde::{Serialize, de::DeserializeOwned};

use crate::Entry;

/// A read model that follows the log.
///
/// The runner owns it and calls it from one task. Readers use a handle that the projection gave out before it went to the runner.
///
/// **Order.** `apply` gets every entry that matches the filter once, in log order, and `through`: the first position that the batch does
/// not cover (positions between entries that the filter left out are covered too).
/// **Atomicity.** After `apply` answers `Ok`, the data and the checkpoint `through` are both in the store, or will both be lost together by a crash.
/// A crash loses at most what was applied since the store last synced; the runner then starts again at [`checkpoint`](Self::checkpoint).
/// **Batches never show**: any cut of the same entries into batches leaves the same state and digest.
/// **No effects**: `apply` changes its own store and nothing else; what reacts to the log is a reactor.
pub trait Projection: Send + 'static {
    /// The name, unique in the process, in metrics, file names and on the command line.
    fn name(&self) -> &'static str;

    /// The version of the fold. A store written by another version is deleted and rebuilt.
    fn version(&self) -> u32;

    /// The entries that it wants.
    fn filter(&self) -> Filter;

    /// The first position that is not applied yet.
    fn checkpoint(&self) -> Position;

    /// Applies a batch.
    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>>;

    /// Makes everything applied so far durable; called at times and when the process ends.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>>;

    /// About how long the first flush will take, as far as that is known. Later ones are measured.
    fn flush_takes(&self) -> Duration {
        Duration::ZERO
    }

    /// The digest of the logical state: the same for the same entries, however they were batched and whatever store holds them.
    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>>;
}

/// Why a projection stopped. The log has the data; a stopped projection can be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The store refused.
    #[error("the store of projection {projection} failed: {reason}")]
    Store {
        /// The projection.
        projection: &'static str,
        /// The store's reason.
        reason: String,
    },
    /// The log could not be read.
    #[error("projection {projection} could not read the log")]
    Log {
        /// The projection.
        projection: &'static str,
        /// Why.
        #[source]
        source: eventlog::ReadError,
    },
}

/// A read model in memory: a pure fold, snapshotted with its checkpoint by `MemoryProjection`.
pub trait Fold: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// See [`Projection::name`].
    const NAME: &'static str;
    /// See [`Projection::version`].
    const VERSION: u32;

    /// The entries that it wants.
    fn filter() -> Filter {
        Filter::all()
    }

    /// Takes one entry in. It must depend on the state and the entry only.
    fn apply(&mut self, entry: &Entry);

    /// The digest of the logical state.
    fn digest(&self) -> Digest;
}
