//! The tracking state as a projection of the log.

use std::path::Path;
use std::sync::Arc;

use eventlog::{BoxFuture, Digest, Filter, Position};
use parking_lot::RwLock;
use projections::{Entry, Projection, ProjectionError, Rebuildable, filters};

use crate::state::{Dirty, State};
use crate::store::{Changes, Store, failed};

/// The projection's name.
pub const NAME: &str = "tracking";

/// The version of the fold.
pub const VERSION: u32 = 1;

/// The types of events that it takes in.
pub const TYPES: &[&str] = &[
    "experiment.created",
    "experiment.renamed",
    "experiment.deleted",
    "experiment.restored",
    "experiment.tag_set",
    "experiment.tag_removed",
    "run.created",
    "run.updated",
    "run.logged",
    "run.tag_removed",
    "run.deleted",
    "run.restored",
    "run.inputs_logged",
    "run.outputs_logged",
    "logged_model.created",
    "logged_model.finalized",
    "logged_model.params_logged",
    "logged_model.tags_set",
    "logged_model.tag_removed",
    "logged_model.deleted",
    "artifact.stored",
    "artifact.removed",
];

pub(crate) struct Cell {
    pub state: State,
    pub checkpoint: Position,
}

/// What readers of the state hold. Cheap to clone; it shows the new state after a rebuild too.
#[derive(Clone)]
pub(crate) struct Shared(Arc<RwLock<Cell>>);

impl Shared {
    fn new(state: State, checkpoint: Position) -> Self {
        Self(Arc::new(RwLock::new(Cell { state, checkpoint })))
    }

    /// Looks at the state and at the first position that is not in it. The fold waits meanwhile.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&State, Position) -> R) -> R {
        let cell = self.0.read();
        look(&cell.state, cell.checkpoint)
    }
}

/// The tracking events of the log, folded: the state in memory, and in one redb file a row for each thing.
///
/// A flush writes the rows that changed since the last one, and the checkpoint, in one transaction. A crash loses what was applied since; the log has it. A store that is
/// damaged, or that another version of the fold wrote, is thrown away, and the state is built anew from the log. Nothing that the fold takes in is about a person whom the
/// log may have to forget, so that no flush has to write a file anew, but after a rebuild.
pub struct TrackingProjection {
    shared: Shared,
    store: Option<Store>,
    stored_at: Option<Position>,
    /// Whether the file holds another state than this one's past.
    must_replace: bool,
}

impl TrackingProjection {
    /// Opens the store `tracking.redb` in the folder, or starts empty. Without a folder nothing is ever written.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] when the file cannot be opened or created.
    pub fn open(dir: Option<&Path>) -> Result<Self, ProjectionError> {
        let Some(dir) = dir else {
            let shared = Shared::new(State::new(false), Position::START);
            return Ok(Self { shared, store: None, stored_at: None, must_replace: false });
        };
        let store = Store::open(dir)?;
        let (state, checkpoint, stored_at) = match store.load()? {
            Some((state, checkpoint)) => (state, checkpoint, Some(checkpoint)),
            None => {
                store.clear()?;
                let mut state = State::new(true);
                state.dirty.experiment(0);
                (state, Position::START, None)
            }
        };
        let shared = Shared::new(state, checkpoint);
        Ok(Self { shared, store: Some(store), stored_at, must_replace: false })
    }

    pub(crate) fn shared(&self) -> Shared {
        self.shared.clone()
    }
}

impl Projection for TrackingProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn filter(&self) -> Filter {
        filters::types(TYPES)
    }

    fn checkpoint(&self) -> Position {
        self.shared.0.read().checkpoint
    }

    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        // Ordering: state and checkpoint change under one lock, so that no reader sees one without the other.
        let mut cell = self.shared.0.write();
        for entry in entries {
            cell.state.apply(entry);
        }
        cell.checkpoint = through;
        drop(cell);
        Box::pin(std::future::ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(async move {
            let Some(store) = self.store.clone() else { return Ok(()) };
            if self.stored_at == Some(self.checkpoint()) && !self.must_replace {
                return Ok(());
            }
            let (shared, replace) = (self.shared.clone(), self.must_replace);
            let saved = tokio::task::spawn_blocking(move || save(&shared, store, replace));
            let (store, checkpoint) = saved.await.map_err(failed)??;
            self.store = Some(store);
            self.stored_at = Some(checkpoint);
            self.must_replace = false;
            Ok(())
        })
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || shared.read(|state, _| state.digest())).await.map_err(failed)
        })
    }
}

/// Writes what changed; everything, to a file that takes the place of the old one, when the old one holds another state.
fn save(shared: &Shared, store: Store, replace: bool) -> Result<(Store, Position), ProjectionError> {
    let store = if replace { store.beside()? } else { store };
    let dirty = shared.0.write().state.dirty.take();
    let saved = shared.read(|state, checkpoint| {
        let all = replace.then(|| Dirty::all(state));
        Changes::of(state, all.as_ref().unwrap_or(&dirty)).map(|changes| (changes, checkpoint))
    });
    let saved = saved.map_err(failed).and_then(|(changes, checkpoint)| {
        store.save(&changes, checkpoint)?;
        if replace {
            store.take_place()?;
        }
        Ok((store, checkpoint))
    });
    if saved.is_err() {
        // The next flush writes it.
        shared.0.write().state.dirty.put_back(dirty);
    }
    saved
}

impl Rebuildable for TrackingProjection {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        let stored = self.store.is_some();
        let shared = Shared::new(State::new(stored), Position::START);
        Box::pin(std::future::ready(Ok(Self { shared, store: None, stored_at: None, must_replace: false })))
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        {
            let mut new = rebuilt.shared.0.write();
            let mut old = self.shared.0.write();
            std::mem::swap(&mut *old, &mut *new);
        }
        self.stored_at = None;
        self.must_replace = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
