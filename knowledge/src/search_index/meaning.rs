//! What records mean, as vectors that follow the index: made away from its writing, by a task of their own.

use std::path::Path;
use std::sync::Arc;

use eventlog::Position;
use retrieval::index::IndexError;
use retrieval::vectors::{Batch, Change, Embedder, VectorError, Vectors};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::document::{key, texts};
use super::projection::Cell;
use super::store::{self, Store};
use crate::versions;

/// The positions that are asked for at once.
const STRETCH: u64 = 5_000;

/// How many near versions are judged with what words find.
pub(super) const NEAREST: usize = 100;

/// How far the vectors of an answer reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorReach {
    /// The model, with a digest of its weights and settings.
    pub model: String,
    /// The last position whose records have vectors; what is later was found by words alone. `None` while there is none.
    pub through: Option<Position>,
}

/// The vectors of an index, and what they are worth beside words.
pub(super) struct Meaning {
    pub vectors: Vectors,
    /// What a near meaning is worth (see [`retrieval::index::Weights::near`]).
    pub worth: f32,
    /// Told when readers may see more.
    more: Notify,
}

impl Meaning {
    /// Vectors by this model, with what the folder knows of them.
    pub fn open(embedder: Arc<dyn Embedder>, worth: f32, dir: Option<&Path>) -> Result<Self, VectorError> {
        let path = dir.map(|dir| dir.join("vectors"));
        Ok(Self { vectors: Vectors::open(embedder, path.as_deref())?, worth, more: Notify::new() })
    }

    pub fn told(&self) {
        self.more.notify_one();
    }

    /// How far they reach.
    pub fn reach(&self, first_missing: u64) -> VectorReach {
        let through = first_missing.checked_sub(1).map(Position::new);
        VectorReach { model: self.vectors.model().to_owned(), through }
    }

    /// Follows the index until `cancel`. What fails is said once for each time that the index grew, and tried again when it grows.
    pub async fn follow(self: Arc<Self>, cell: Arc<Cell>, cancel: CancellationToken) {
        loop {
            let (own, store) = (Arc::clone(&self), Arc::clone(&cell.0.read()));
            let step = tokio::task::spawn_blocking(move || own.vectors.follow(|from| changed(&store, from)));
            match step.await {
                Ok(Ok(true)) if !cancel.is_cancelled() => continue,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(error = %reason(&error), "vectors do not follow the search index"),
                Err(error) => tracing::warn!(%error, "vectors do not follow the search index"),
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.more.notified() => {}
            }
        }
    }
}

fn reason(error: &VectorError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// The versions that began or ended from a position on.
fn changed(store: &Store, from: u64) -> Result<Batch, String> {
    let snapshot = store.snapshot();
    let through = snapshot.visible.get().min(from.saturating_add(STRETCH));
    let bodies = snapshot.view.changed(from, through).map_err(|error: IndexError| store::text(error))?;
    let mut changes = Vec::with_capacity(bodies.len());
    for body in bodies {
        let record = versions::decode(&body)?;
        changes.push(Change {
            key: key(&record),
            text: texts(&record).join("\n"),
            valid_from: record.valid_from.get(),
            valid_to: record.valid_to.map(Position::get),
        });
    }
    // In the order of the log, so that vectors are numbered alike wherever it is folded.
    changes.sort_by(|a, b| a.valid_from.cmp(&b.valid_from).then_with(|| a.key.cmp(&b.key)));
    Ok(Batch { changes, through: through.max(from) })
}
