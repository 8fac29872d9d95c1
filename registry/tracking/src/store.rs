//! The tracking state on disk: one redb file with a row for each experiment, run, logged model and file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventlog::Position;
use projections::ProjectionError;
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use crate::projection::{NAME, VERSION};
use crate::state::record::RecordError;
use crate::state::{Dirty, State};

/// One row: the version of the fold and the checkpoint, written in one transaction with the rows that changed.
const META: TableDefinition<'_, u8, (u32, u64)> = TableDefinition::new("meta");
const META_KEY: u8 = 0;
/// By place: the order in which the log tells of them.
const EXPERIMENTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("experiments");
const RUNS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("runs");
const MODELS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("logged_models");
/// By path.
const FILES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("files");

/// The file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    path: PathBuf,
    database: Arc<Database>,
}

pub(crate) fn failed(error: impl std::fmt::Display) -> ProjectionError {
    ProjectionError::Store { projection: NAME, reason: error.to_string() }
}

impl Store {
    /// Opens the file `tracking.redb` in the folder, or makes it. A file that redb cannot read is deleted and made anew: the log has everything.
    pub(crate) fn open(dir: &Path) -> Result<Self, ProjectionError> {
        std::fs::create_dir_all(dir).map_err(failed)?;
        let path = dir.join(format!("{NAME}.redb"));
        let database = match Database::create(&path) {
            Ok(database) => database,
            Err(error) if is_damage(&error) => {
                tracing::warn!(projection = NAME, %error, "the store's file is unusable and is made anew");
                std::fs::remove_file(&path).map_err(failed)?;
                Database::create(&path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path, database: Arc::new(database) })
    }

    /// What is stored; `None` when nothing is, when another version of the fold wrote it, or when it cannot be read.
    pub(crate) fn load(&self) -> Result<Option<(State, Position)>, ProjectionError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let meta = match transaction.open_table(META) {
            Ok(table) => table.get(META_KEY).map_err(failed)?.map(|row| row.value()),
            Err(redb::TableError::Storage(error)) => return Err(failed(error)),
            Err(_) => None,
        };
        let Some((version, checkpoint)) = meta else { return Ok(None) };
        if version != VERSION {
            tracing::info!(projection = NAME, from = version, to = VERSION, "the fold has a new version: rebuilding");
            return Ok(None);
        }
        match read(&transaction) {
            Ok(state) => Ok(Some((state, Position::new(checkpoint)))),
            Err(error) => {
                tracing::warn!(projection = NAME, %error, "the store cannot be read: rebuilding");
                Ok(None)
            }
        }
    }

    /// Deletes every row: what is there is not the state any more.
    pub(crate) fn clear(&self) -> Result<(), ProjectionError> {
        let clear = || -> Result<(), redb::Error> {
            // A new file needs no transaction, which would cost a start of the server a sync.
            if self.database.begin_read()?.list_tables()?.next().is_none() {
                return Ok(());
            }
            let transaction = self.database.begin_write()?;
            transaction.delete_table(META)?;
            transaction.delete_table(EXPERIMENTS)?;
            transaction.delete_table(RUNS)?;
            transaction.delete_table(MODELS)?;
            transaction.delete_table(FILES)?;
            transaction.commit()?;
            Ok(())
        };
        clear().map_err(failed)
    }

    /// Writes the rows that changed and the checkpoint in one transaction.
    pub(crate) fn save(&self, changes: &Changes, checkpoint: Position) -> Result<(), ProjectionError> {
        let save = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            write(&transaction, changes, checkpoint)?;
            transaction.commit()?;
            Ok(())
        };
        save().map_err(failed)
    }

    /// An empty file beside this one, for a state that takes the place of this one's.
    pub(crate) fn beside(&self) -> Result<Self, ProjectionError> {
        let beside = self.unfinished();
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let database = Database::create(&beside).map_err(failed)?;
        Ok(Self { path: self.path.clone(), database: Arc::new(database) })
    }

    /// Gives the file that was made beside the name of the old one.
    pub(crate) fn take_place(&self) -> Result<(), ProjectionError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        std::fs::rename(self.unfinished(), &self.path)
            .and_then(|()| std::fs::File::open(folder))
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }

    fn unfinished(&self) -> PathBuf {
        self.path.with_extension("redb.unfinished")
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

/// Rows to be written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    experiments: Vec<(u32, Vec<u8>)>,
    runs: Vec<(u32, Vec<u8>)>,
    models: Vec<(u32, Vec<u8>)>,
    files: Vec<(Box<str>, Option<Vec<u8>>)>,
}

impl Changes {
    /// The rows of what changed.
    pub(crate) fn of(state: &State, dirty: &Dirty) -> Result<Self, RecordError> {
        let mut changes = Self::default();
        for &slot in &dirty.experiments {
            if let Some(row) = state.experiment_at(slot) {
                changes.experiments.push((slot, state.encode_experiment(row)?));
            }
        }
        for &slot in &dirty.runs {
            if let Some(row) = state.run_at(slot) {
                changes.runs.push((slot, state.encode_run(row)?));
            }
        }
        for &slot in &dirty.models {
            if let Some(row) = state.models.get(slot as usize) {
                changes.models.push((slot, state.encode_model(row)?));
            }
        }
        for path in &dirty.files {
            changes.files.push((path.clone(), state.files.get(path).map(State::encode_file).transpose()?));
        }
        // In the order of the keys, which a tree takes fastest.
        changes.experiments.sort_unstable_by_key(|(slot, _)| *slot);
        changes.runs.sort_unstable_by_key(|(slot, _)| *slot);
        changes.models.sort_unstable_by_key(|(slot, _)| *slot);
        changes.files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(changes)
    }
}

fn write(transaction: &WriteTransaction, changes: &Changes, checkpoint: Position) -> Result<(), redb::Error> {
    for (table, rows) in [(EXPERIMENTS, &changes.experiments), (RUNS, &changes.runs), (MODELS, &changes.models)] {
        let mut table = transaction.open_table(table)?;
        for (slot, bytes) in rows {
            table.insert(slot, bytes.as_slice())?;
        }
    }
    let mut files = transaction.open_table(FILES)?;
    for (path, bytes) in &changes.files {
        match bytes {
            Some(bytes) => drop(files.insert(&**path, bytes.as_slice())?),
            None => drop(files.remove(&**path)?),
        }
    }
    transaction.open_table(META)?.insert(META_KEY, (VERSION, checkpoint.get()))?;
    Ok(())
}

fn read(transaction: &ReadTransaction) -> Result<State, RecordError> {
    let mut state = State::empty(true);
    let places = |table, load: fn(&mut State, &[u8]) -> Result<(), RecordError>, state: &mut State| {
        for (row, place) in transaction.open_table::<u32, &[u8]>(table)?.iter()?.zip(0_u32..) {
            let (slot, bytes) = row?;
            if slot.value() != place {
                return Err(RecordError::from(format!("row {place} is missing")));
            }
            load(state, bytes.value())?;
        }
        Ok(())
    };
    places(EXPERIMENTS, State::load_experiment, &mut state)?;
    places(RUNS, State::load_run, &mut state)?;
    places(MODELS, State::load_model, &mut state)?;
    for row in transaction.open_table(FILES)?.iter()? {
        let (path, bytes) = row?;
        state.load_file(path.value(), bytes.value())?;
    }
    Ok(state)
}
