//! What is near in meaning: vectors of the records' texts, kept up with the index away from its writing.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventlog::Position;
use retrieval::index::{Document, Weights};
use retrieval::vectors::{Batch, Change, Embedder, VectorError, Vectors};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::document::texts;
use super::projection::{Cell, stamp};
use super::store::{self, Store};
use crate::versions;

/// The versions that the meaning of a question brings along.
const NEAREST: usize = 200;

/// How long records gather before vectors of them are made; and before it is tried again after a failure.
const GATHER_FOR: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// The positions whose changes are taken in at once.
const STRETCH: u64 = 10_000;

/// What took part in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// The model's identity: its name, and a digest of what its vectors depend on.
    pub model: String,
    /// The first position that its vectors do not cover; what is later was found by words alone.
    pub through: Position,
}

/// Meaning cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum NearError {
    /// The file of vectors.
    #[error("opening the file of vectors failed")]
    Vectors(#[source] VectorError),
    /// A weight that is none.
    #[error("the weight {0} is not a number from 0 to 100")]
    Weight(f32),
    /// There is one already.
    #[error("a model of meaning is there already")]
    Twice,
}

/// The vectors of an index, and what they are worth beside words.
pub(super) struct Near {
    vectors: Vectors,
    weight: f32,
}

/// What the meaning of a question adds to it.
pub(super) struct Meant {
    pub near: Vec<(String, f32)>,
    pub weights: Weights,
    pub meaning: Meaning,
}

impl Near {
    pub fn open(embedder: Arc<dyn Embedder>, file: Option<&Path>, weight: f32) -> Result<Self, NearError> {
        if !(0.0..=100.0).contains(&weight) {
            return Err(NearError::Weight(weight));
        }
        Ok(Self { vectors: Vectors::open(embedder, file).map_err(NearError::Vectors)?, weight })
    }

    /// What is near to the question at the position. A question in a language that the model does not know is answered by words alone.
    pub fn to(&self, question: &str, position: u64) -> Option<Meant> {
        let (near, reach) = match self.vectors.nearest(question, position, NEAREST) {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            Err(error) => {
                tracing::warn!(error = %store::text(error), "a question has no vector; it is answered by words alone");
                return None;
            }
        };
        Some(Meant {
            near: near.into_iter().map(|near| (near.key, near.similarity)).collect(),
            weights: Weights { near: self.weight, ..Weights::of(question) },
            meaning: Meaning { model: self.vectors.model().to_owned(), through: Position::new(reach) },
        })
    }

    /// Takes in the next changes of the index; whether there were any.
    fn catch_up(&self, store: &Store, cancel: &CancellationToken) -> Result<bool, VectorError> {
        self.vectors.follow_unless(
            || cancel.is_cancelled(),
            |from| {
                store.show_all(&stamp())?;
                let snapshot = store.snapshot();
                let through = snapshot.visible.get().min(from.saturating_add(STRETCH));
                let bodies = snapshot.view.changed(from, through).map_err(store::text)?;
                let changes = bodies.iter().map(|body| {
                    let record = versions::decode(body)?;
                    Ok(Change {
                        key: Document::key(record.id.as_str(), record.valid_from.get()),
                        text: texts(&record).join(" "),
                        valid_from: record.valid_from.get(),
                        valid_to: record.valid_to.map(Position::get),
                    })
                });
                Ok(Batch { changes: changes.collect::<Result<_, String>>()?, through })
            },
        )
    }
}

/// Keeps the vectors up with the index until `cancel`.
pub(super) async fn follow(cell: Arc<Cell>, near: Arc<OnceLock<Near>>, cancel: CancellationToken) {
    let work = async {
        loop {
            let (store, near, stop) = (Arc::clone(&cell.store.read()), Arc::clone(&near), cancel.clone());
            let step =
                tokio::task::spawn_blocking(move || near.get().map_or(Ok(false), |near| near.catch_up(&store, &stop)));
            let pause = match step.await {
                Ok(Ok(true)) => continue,
                Ok(Ok(false)) => {
                    cell.moved.notified().await;
                    GATHER_FOR
                }
                Ok(Err(error)) => {
                    tracing::error!(error = %store::text(error), "vectors do not follow the index; it is tried again");
                    TRY_AGAIN
                }
                Err(error) => {
                    tracing::error!(%error, "vectors do not follow the index any more");
                    return;
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}
