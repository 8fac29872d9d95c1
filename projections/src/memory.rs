//! Read models in memory, snapshotted with their checkpoint.

use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{BoxFuture, Digest, Filter, Position};
use parking_lot::RwLock;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use crate::{Entry, Fold, Projection, ProjectionError, Rebuildable};

/// One row: the version of the fold, the checkpoint, and the state in MessagePack, compressed, written in one transaction.
const SNAPSHOT: TableDefinition<'_, u8, (u32, u64, &[u8])> = TableDefinition::new("state");
const SNAPSHOT_KEY: u8 = 0;

/// How hard snapshots are compressed: MessagePack repeats its names, so that the least effort makes a twelfth of it, sooner than a disk would write the whole.
const COMPRESSION_LEVEL: i32 = 1;

/// What goes through the compression at once.
const BUFFER_BYTES: usize = 256 * 1024;

struct Cell<F> {
    state: F,
    checkpoint: Position,
}

/// What readers of a read model hold. Cheap to clone; it shows the new state after a rebuild too.
pub struct Shared<F>(Arc<RwLock<Cell<F>>>);

impl<F> Clone for Shared<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fold> Shared<F> {
    fn new(state: F, checkpoint: Position) -> Self {
        Self(Arc::new(RwLock::new(Cell { state, checkpoint })))
    }

    /// Looks at the state and at the first position that is not in it. The fold waits meanwhile: answer and leave.
    pub fn read<R>(&self, look: impl FnOnce(&F, Position) -> R) -> R {
        let cell = self.0.read();
        look(&cell.state, cell.checkpoint)
    }

    /// The first position that is not in the state.
    pub fn checkpoint(&self) -> Position {
        self.0.read().checkpoint
    }
}

/// A [`Fold`] as a projection: the state in memory, and a snapshot of it with its checkpoint in one redb file.
///
/// A crash loses what was applied since the last snapshot; the log has it. A snapshot of another [`Fold::VERSION`], or one that cannot be
/// read, is thrown away with its file, and the state is rebuilt.
///
/// A state that had to forget is written to a new file, which takes the place of the old one: a store that is written in place keeps old
/// bytes in pages that it does not use at present. Until then the old file counts, whose checkpoint lies before, so that a crash makes the state
/// forget again.
pub struct MemoryProjection<F: Fold> {
    shared: Shared<F>,
    store: Option<Store>,
    snapshot_at: Option<Position>,
    /// Whether the file holds what the state has forgotten, or something else than a state that can be read.
    must_scrub: bool,
    load_took: Duration,
}

/// The file of a snapshot. It is made for the first one: a file that is made costs syncs, and a new folder has nothing to keep.
#[derive(Clone)]
struct Store {
    path: PathBuf,
    database: Option<Arc<Database>>,
}

impl<F: Fold> MemoryProjection<F> {
    /// Opens the snapshot `NAME.redb` in the folder, or starts empty. Without a folder nothing is ever written.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] when the file cannot be opened or created.
    pub fn open(dir: Option<&Path>) -> Result<(Self, Shared<F>), ProjectionError> {
        let Some(dir) = dir else {
            let shared = Shared::new(F::default(), Position::START);
            return Ok((Self::over(shared.clone()), shared));
        };
        std::fs::create_dir_all(dir).map_err(store_error::<F>)?;
        let path = dir.join(format!("{}.redb", F::NAME));
        let is_there = path.try_exists().map_err(store_error::<F>)?;
        let begun = Instant::now();
        let database = is_there.then(|| open_database::<F>(&path).map(Arc::new)).transpose()?;
        let loaded = database.as_deref().map(load::<F>).transpose()?.flatten();
        let (state, checkpoint, snapshot_at) = match loaded {
            Some((state, checkpoint)) => (state, checkpoint, Some(checkpoint)),
            None => (F::default(), Position::START, None),
        };
        let shared = Shared::new(state, checkpoint);
        let projection = Self {
            must_scrub: database.is_some() && snapshot_at.is_none(),
            store: Some(Store { path, database }),
            snapshot_at,
            load_took: begun.elapsed(),
            ..Self::over(shared.clone())
        };
        Ok((projection, shared))
    }

    /// Without a file.
    fn over(shared: Shared<F>) -> Self {
        Self { shared, store: None, snapshot_at: None, must_scrub: false, load_took: Duration::ZERO }
    }
}

impl Store {
    fn unfinished(&self) -> PathBuf {
        self.path.with_extension("redb.unfinished")
    }

    /// An empty file beside this one.
    fn beside<F: Fold>(&self) -> Result<Self, ProjectionError> {
        let beside = self.unfinished();
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(store_error::<F>(error)),
            _ => {}
        }
        let database = Database::create(&beside).map_err(store_error::<F>)?;
        Ok(Self { path: self.path.clone(), database: Some(Arc::new(database)) })
    }

    /// The file itself, made where it is not there.
    fn made<F: Fold>(mut self) -> Result<(Self, Arc<Database>), ProjectionError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Arc::new(open_database::<F>(&self.path)?),
        };
        self.database = Some(Arc::clone(&database));
        Ok((self, database))
    }

    /// Gives the file that was made beside the name of the old one, whose bytes are no file's any more.
    fn take_place<F: Fold>(&self) -> Result<(), ProjectionError> {
        let renamed = std::fs::rename(self.unfinished(), &self.path);
        let folder = self.path.parent().unwrap_or(&self.path);
        renamed
            .and_then(|()| std::fs::File::open(folder))
            .and_then(|folder| folder.sync_all())
            .map_err(store_error::<F>)
    }
}

fn store_error<F: Fold>(error: impl std::fmt::Display) -> ProjectionError {
    ProjectionError::Store { projection: F::NAME, reason: error.to_string() }
}

fn open_database<F: Fold>(path: &Path) -> Result<Database, ProjectionError> {
    match Database::create(path) {
        Ok(database) => Ok(database),
        // The snapshot is derived from the log: one that redb cannot read is deleted and made anew.
        Err(error) if is_damage(&error) => {
            tracing::warn!(projection = F::NAME, %error, "the snapshot file is unusable and is made anew");
            std::fs::remove_file(path).map_err(store_error::<F>)?;
            Database::create(path).map_err(store_error::<F>)
        }
        Err(error) => Err(store_error::<F>(error)),
    }
}

/// Whether the file itself is at fault, and not the disk or another process that holds it.
fn is_damage(error: &redb::DatabaseError) -> bool {
    use std::io::ErrorKind;
    match error {
        redb::DatabaseError::Storage(redb::StorageError::Io(error)) => {
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
        }
        redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) | redb::DatabaseError::UpgradeRequired(_) => {
            true
        }
        _ => false,
    }
}

fn load<F: Fold>(database: &Database) -> Result<Option<(F, Position)>, ProjectionError> {
    let transaction = database.begin_read().map_err(store_error::<F>)?;
    let table = match transaction.open_table(SNAPSHOT) {
        Ok(table) => table,
        Err(redb::TableError::Storage(error)) => return Err(store_error::<F>(error)),
        Err(_) => return Ok(None),
    };
    let Some(row) = table.get(SNAPSHOT_KEY).map_err(store_error::<F>)? else { return Ok(None) };
    let (version, checkpoint, bytes) = row.value();
    if version != F::VERSION {
        tracing::info!(projection = F::NAME, from = version, to = F::VERSION, "the fold has a new version: rebuilding");
        return Ok(None);
    }
    let uncompressed = zstd::stream::read::Decoder::with_buffer(bytes).map_err(store_error::<F>)?;
    match rmp_serde::from_read(BufReader::with_capacity(BUFFER_BYTES, uncompressed)) {
        Ok(state) => Ok(Some((state, Position::new(checkpoint)))),
        Err(error) => {
            tracing::warn!(projection = F::NAME, %error, "the snapshot cannot be read: rebuilding");
            Ok(None)
        }
    }
}

fn compressed<F: Fold>(state: &F) -> Result<Vec<u8>, ProjectionError> {
    let encoder = zstd::stream::write::Encoder::new(Vec::new(), COMPRESSION_LEVEL).map_err(store_error::<F>)?;
    let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, encoder);
    rmp_serde::encode::write_named(&mut buffer, state).map_err(store_error::<F>)?;
    buffer.into_inner().map_err(store_error::<F>)?.finish().map_err(store_error::<F>)
}

fn save<F: Fold>(database: &Database, shared: &Shared<F>) -> Result<Position, ProjectionError> {
    let (bytes, checkpoint) = shared.read(|state, checkpoint| Ok((compressed(state)?, checkpoint)))?;
    let transaction = database.begin_write().map_err(store_error::<F>)?;
    {
        let mut table = transaction.open_table(SNAPSHOT).map_err(store_error::<F>)?;
        table.insert(SNAPSHOT_KEY, (F::VERSION, checkpoint.get(), bytes.as_slice())).map_err(store_error::<F>)?;
    }
    transaction.commit().map_err(store_error::<F>)?;
    Ok(checkpoint)
}

impl<F: Fold> Projection for MemoryProjection<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn version(&self) -> u32 {
        F::VERSION
    }

    fn filter(&self) -> Filter {
        F::filter()
    }

    fn checkpoint(&self) -> Position {
        self.shared.checkpoint()
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
        self.must_scrub |= entries.iter().any(|entry| entry.makes_forget());
        Box::pin(std::future::ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(async move {
            let Some(store) = self.store.clone() else { return Ok(()) };
            let checkpoint = self.shared.checkpoint();
            let has_nothing = store.database.is_none() && checkpoint == Position::START;
            if (has_nothing || self.snapshot_at == Some(checkpoint)) && !self.must_scrub {
                return Ok(());
            }
            let (shared, anew) = (self.shared.clone(), self.must_scrub);
            let saved = tokio::task::spawn_blocking(move || {
                let store = if anew { store.beside::<F>()? } else { store };
                let (store, database) = store.made::<F>()?;
                let saved = save::<F>(&database, &shared)?;
                if anew {
                    store.take_place::<F>()?;
                }
                Ok((store, saved))
            });
            let (store, saved) = saved.await.map_err(store_error::<F>)??;
            self.store = Some(store);
            self.snapshot_at = Some(saved);
            self.must_scrub = false;
            Ok(())
        })
    }

    fn flush_takes(&self) -> Duration {
        // Writing a state takes about as long as reading it.
        self.load_took
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        Box::pin(std::future::ready(Ok(self.shared.read(|state, _| state.digest()))))
    }
}

impl<F: Fold> Rebuildable for MemoryProjection<F> {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        let shared = Shared::new(F::default(), Position::START);
        Box::pin(std::future::ready(Ok(Self::over(shared))))
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        {
            let mut new = rebuilt.shared.0.write();
            let mut old = self.shared.0.write();
            std::mem::swap(&mut *old, &mut *new);
        }
        self.snapshot_at = None;
        // What the old state held and the new one does not may be in the file.
        self.must_scrub = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
