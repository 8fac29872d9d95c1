//! The index as a projection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventlog::{BoxFuture, Digest, Filter, Position};
use parking_lot::RwLock;
use projections::{Entry, Projection, ProjectionError, Rebuildable};
use tokio::sync::Notify;

use super::query::SearchIndex;
use super::store::Store;
use crate::versions;

/// The projection's name.
pub(crate) const NAME: &str = "knowledge_search";

/// The version of fold, schema and tokenizers together: a change of any of them begins the index anew.
pub(crate) const VERSION: u32 = 3;

/// What an index was made with: [`VERSION`], and the dictionary that its words were cut by.
pub(super) fn stamp() -> String {
    format!("{VERSION}.{}", retrieval::dictionary::VERSION)
}

/// The file that names the generation that counts.
const GENERATION_FILE: &str = "generation";

/// The store that counts now; a rebuild puts another one there.
pub(super) struct Cell {
    pub store: RwLock<Arc<Store>>,
    /// Told when the store has taken something in.
    pub moved: Notify,
}

impl Cell {
    fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self { store: RwLock::new(store), moved: Notify::new() })
    }
}

/// The search index as the runner holds it.
pub struct SearchProjection {
    cell: Arc<Cell>,
    root: Option<PathBuf>,
    generation: u64,
}

impl SearchProjection {
    /// Opens the index in the folder (in memory without one) and gives out the handle that searches it.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] when the folder cannot be read or written.
    pub fn open(root: Option<&Path>) -> Result<(Self, SearchIndex), ProjectionError> {
        let generation = match root {
            Some(root) => read_generation(root).map_err(error)?,
            None => 0,
        };
        let projection = Self::open_generation(root.map(Path::to_path_buf), generation)?;
        let handle = SearchIndex::new(Arc::clone(&projection.cell));
        Ok((projection, handle))
    }

    fn open_generation(root: Option<PathBuf>, generation: u64) -> Result<Self, ProjectionError> {
        let dir = root.as_deref().map(|root| folder(root, generation));
        let store = Store::open(dir.as_deref(), &stamp()).map_err(error)?;
        Ok(Self { cell: Cell::new(store), root, generation })
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.cell.store.read())
    }
}

fn folder(root: &Path, generation: u64) -> PathBuf {
    root.join(format!("index-{generation}"))
}

fn read_generation(root: &Path) -> Result<u64, String> {
    match std::fs::read_to_string(root.join(GENERATION_FILE)) {
        Ok(text) => text.trim().parse().map_err(|_| format!("{GENERATION_FILE} does not hold a number")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.to_string()),
    }
}

fn write_generation(root: &Path, generation: u64) -> std::io::Result<()> {
    let beside = root.join(format!("{GENERATION_FILE}.new"));
    let file = std::fs::File::create(&beside)?;
    std::io::Write::write_all(&mut &file, generation.to_string().as_bytes())?;
    file.sync_all()?;
    // Ordering: the new name is durable before the old index is deleted.
    std::fs::rename(beside, root.join(GENERATION_FILE))?;
    std::fs::File::open(root)?.sync_all()
}

fn error(reason: impl ToString) -> ProjectionError {
    ProjectionError::Store { projection: NAME, reason: reason.to_string() }
}

/// Runs work that blocks on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, ProjectionError> {
    tokio::task::spawn_blocking(work).await.map_err(error)?.map_err(error)
}

impl Projection for SearchProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn filter(&self) -> Filter {
        versions::filter()
    }

    fn checkpoint(&self) -> Position {
        self.store().applied()
    }

    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        let (store, cell) = (self.store(), Arc::clone(&self.cell));
        let entries = entries.to_vec();
        Box::pin(blocking(move || {
            store.apply(&entries, through, &stamp())?;
            cell.moved.notify_one();
            Ok(())
        }))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        let store = self.store();
        Box::pin(blocking(move || store.flush(&stamp())))
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        let store = self.store();
        Box::pin(blocking(move || store.digest(&stamp())))
    }
}

impl Rebuildable for SearchProjection {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        Box::pin(async move {
            let generation = self.generation + 1;
            if let Some(root) = &self.root {
                let dir = folder(root, generation);
                if dir.exists() {
                    std::fs::remove_dir_all(&dir).map_err(error)?;
                }
            }
            Self::open_generation(self.root.clone(), generation)
        })
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(async move {
            let new = rebuilt.store();
            let flushed = Arc::clone(&new);
            blocking(move || flushed.flush(&stamp())).await?;
            if let Some(root) = &self.root {
                write_generation(root, rebuilt.generation).map_err(error)?;
            }
            let old = std::mem::replace(&mut *self.cell.store.write(), new);
            if let Some(root) = &self.root {
                old.doom(folder(root, self.generation));
            }
            self.generation = rebuilt.generation;
            Ok(())
        })
    }
}
