//! Keeping vectors up with documents, away from their writing: whoever writes documents says that there are more, and a thread of its own asks for what
//! has changed since, makes the vectors that are missing, and says how far it has come.

use std::path::Path;
use std::sync::{Arc, Weak};

use parking_lot::{RwLock, RwLockWriteGuard};

use super::index::{LISTING, Listing, Near, VectorIndex, digest_of};
use super::lists::Lists;
use super::rows::Rows;
use super::{Embedder, VectorError};

/// A version that is new, or that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key of the version, as in the text index.
    pub key: String,
    /// What it says.
    pub text: String,
    /// The first position at which it is valid.
    pub valid_from: u64,
    /// The first position at which it is not valid any more.
    pub valid_to: Option<u64>,
}

/// What has changed from a position on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The versions; one whose end came in the same stretch may be there once or twice.
    pub changes: Vec<Change>,
    /// The first position that the batch does not cover; the asked one where nothing has changed.
    pub through: u64,
}

/// The vectors of an index of texts, with the model that makes them.
pub struct Vectors {
    embedder: Arc<dyn Embedder>,
    state: Arc<RwLock<State>>,
}

struct State {
    index: VectorIndex,
    /// The first position that vectors do not cover.
    reach: u64,
    /// Whether a thread trains lists.
    training: bool,
}

/// How many rows may be placed into lists while questions wait.
const PLACED_AT_ONCE: usize = 256;

/// Trains the lists that are due, until none are or nobody wants them any more. Questions and rows go on meanwhile: what is needed of the rows is copied in
/// short stretches, and the last few rows are placed when the lists come into use.
fn train(state: &Weak<RwLock<State>>) -> Option<()> {
    loop {
        let (due, width) = {
            let held = state.upgrade()?;
            let mut state = held.write();
            let due = state.index.due();
            state.training = due.is_some();
            (due?, state.index.width())
        };
        let copy = |part| state.upgrade()?.read().index.directions(part);
        let mut lists = Lists::train(due, width, &copy)?;
        loop {
            let held = state.upgrade()?;
            let count = held.read().index.texts();
            if lists.placed() + PLACED_AT_ONCE >= count {
                held.write().index.list(lists);
                break;
            }
            lists.catch_up(count, PLACED_AT_ONCE, &copy)?;
        }
    }
}

impl Vectors {
    /// No version has a vector; what the file at `path` knows of this model is not computed again.
    ///
    /// # Errors
    /// [`VectorError`].
    pub fn open(embedder: Arc<dyn Embedder>, path: Option<&Path>) -> Result<Self, VectorError> {
        Self::with_lists(embedder, path, LISTING)
    }

    /// As [`open`](Self::open), but with lists of other sizes.
    pub(super) fn with_lists(
        embedder: Arc<dyn Embedder>,
        path: Option<&Path>,
        listing: Listing,
    ) -> Result<Self, VectorError> {
        let rows = match path {
            Some(path) => Rows::open(path, embedder.identity(), embedder.dimensions())?,
            None => Rows::in_memory(embedder.dimensions()),
        };
        let index = VectorIndex::with_lists(rows, listing);
        let state = Arc::new(RwLock::new(State { index, reach: 0, training: false }));
        let vectors = Self { embedder, state };
        vectors.train_where_due(vectors.state.write());
        Ok(vectors)
    }

    /// Lets a thread train the lists that as many rows want; questions look at all vectors, or at the former lists, until they are there.
    fn train_where_due(&self, mut state: RwLockWriteGuard<'_, State>) {
        if state.training || state.index.due().is_none() {
            return;
        }
        state.training = true;
        drop(state);
        let own = Arc::downgrade(&self.state);
        let started = std::thread::Builder::new().name("vector-lists".to_owned()).spawn(move || train(&own));
        if let Err(error) = started {
            tracing::warn!(%error, "no thread trains lists of vectors; searches are slower until one can");
            self.state.write().training = false;
        }
    }

    /// How many lists there are; none where every vector is looked at.
    pub fn lists(&self) -> usize {
        self.state.read().index.lists()
    }

    /// The model's identity.
    pub fn model(&self) -> &str {
        self.embedder.identity()
    }

    /// The first position that vectors do not cover yet.
    pub fn reach(&self) -> u64 {
        self.state.read().reach
    }

    /// How many versions have a vector.
    pub fn len(&self) -> usize {
        self.state.read().index.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for what has changed since, and takes it in; whether there was anything. Readers wait for no text to be embedded.
    ///
    /// # Errors
    /// [`VectorError`]; what was embedded before the error is kept, and the next call asks for the same stretch again.
    pub fn follow(&self, changed: impl FnOnce(u64) -> Result<Batch, String>) -> Result<bool, VectorError> {
        self.follow_unless(|| false, changed)
    }

    /// As [`follow`](Self::follow), but asks before each text whether to stop. Then nothing is taken in; vectors that were made are kept.
    ///
    /// # Errors
    /// As [`follow`](Self::follow).
    pub fn follow_unless(
        &self,
        stopped: impl Fn() -> bool,
        changed: impl FnOnce(u64) -> Result<Batch, String>,
    ) -> Result<bool, VectorError> {
        let from = self.reach();
        let batch = changed(from).map_err(VectorError::Documents)?;
        if batch.through <= from {
            return Ok(false);
        }
        for change in &batch.changes {
            if stopped() {
                return Ok(false);
            }
            if change.text.trim().is_empty() {
                continue;
            }
            let digest = digest_of(&change.text);
            if !self.state.read().index.knows(&digest)
                && let Some(vector) = self.embedder.document(&change.text)?
            {
                let mut state = self.state.write();
                state.index.learn(digest, &vector)?;
                self.train_where_due(state);
            }
        }
        let mut state = self.state.write();
        for change in &batch.changes {
            state.index.hold(&change.key, &digest_of(&change.text), (change.valid_from, change.valid_to))?;
        }
        state.reach = batch.through;
        Ok(true)
    }

    /// The nearest versions that were valid at the position, and the first position that they do not cover. `None` where the model does not know the question's language.
    ///
    /// # Errors
    /// [`VectorError`].
    pub fn nearest(
        &self,
        question: &str,
        position: u64,
        limit: usize,
    ) -> Result<Option<(Vec<Near>, u64)>, VectorError> {
        let Some(vector) = self.embedder.question(question)? else { return Ok(None) };
        let state = self.state.read();
        Ok(Some((state.index.nearest(&vector, position, limit)?, state.reach)))
    }

    /// A digest of every version with its vector.
    pub fn digest(&self) -> [u8; 32] {
        self.state.read().index.digest()
    }
}
