//! Where each signal's readings are in the log: derived from it, and deleted without loss.
//!
//! One row for each signal of each frame: (signal, newest time, position) to oldest time. To find the frames that may hold a time, the rows whose newest time lies between
//! that time and as much later as the signal's widest row spans are enough.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use eventlog::{LogId, Position};
use jiff::Timestamp;
use redb::{
    Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, TableDefinition,
};

use super::{Conflict, StartError};

/// Changed whenever the tables change; an index of another version is built anew.
const FORMAT: u64 = 1;
const FILE_NAME: &str = "readings.redb";
const CACHE_BYTES: usize = 64 * 1024 * 1024;

const META: TableDefinition<'static, &str, u128> = TableDefinition::new("meta");
const SPANS: TableDefinition<'static, &str, (i64, i64)> = TableDefinition::new("spans");
const ROWS: TableDefinition<'static, (&str, i64, u64), i64> = TableDefinition::new("rows");
/// (signal, time, whether there is a sequence, sequence, position of the later reading).
type ConflictKey = (&'static str, i64, bool, u64, u64);
const CONFLICTS: TableDefinition<'static, ConflictKey, ()> = TableDefinition::new("conflicts");

/// The index could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct IndexError(String);

impl<E: Into<redb::Error>> From<E> for IndexError {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

/// What is known of a signal's times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The newest source time.
    pub(super) newest_ns: i64,
    /// The longest stretch that one row covers.
    pub(super) widest_ns: i64,
}

/// One signal's part of one frame.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) signal: Arc<str>,
    pub(super) oldest_ns: i64,
    pub(super) newest_ns: i64,
    pub(super) position: Position,
}

/// What one round adds.
#[derive(Debug)]
pub(super) struct Update {
    /// The first position that is not indexed afterwards.
    pub(super) through: Position,
    pub(super) rows: Vec<Row>,
    pub(super) spans: Vec<(Arc<str>, Span)>,
    pub(super) conflicts: Vec<Conflict>,
}

pub(super) struct Index {
    database: Database,
}

impl Index {
    /// Opens the index of this log; one that is damaged, of another log, of another format, or ahead of the log, is replaced by an empty one.
    pub(super) fn open(directory: Option<&Path>, log: LogId, tail: Position) -> Result<Self, StartError> {
        let refuse = |error: IndexError| StartError::Index(error.to_string());
        let Some(directory) = directory else {
            let database = Database::builder()
                .create_with_backend(redb::backends::InMemoryBackend::new())
                .map_err(|error| StartError::Index(error.to_string()))?;
            let index = Self { database };
            index.prepare(log).map_err(refuse)?;
            return Ok(index);
        };
        std::fs::create_dir_all(directory)
            .map_err(|error| StartError::Index(format!("{}: {error}", directory.display())))?;
        let path = directory.join(FILE_NAME);
        let opened = Database::builder().set_cache_size(CACHE_BYTES).create(&path);
        let reason = match opened {
            // Another process or handle works with it: that is no damage.
            Err(error @ DatabaseError::DatabaseAlreadyOpen) => return Err(StartError::Index(error.to_string())),
            Err(error) => error.to_string(),
            Ok(database) => {
                let index = Self { database };
                match index.fits(log, tail) {
                    Ok(true) => return Ok(index),
                    Ok(false) => "it belongs to another log or format".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
        };
        tracing::warn!(path = %path.display(), reason, "the index of reading identities is built anew");
        std::fs::remove_file(&path).map_err(|error| StartError::Index(format!("{}: {error}", path.display())))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| StartError::Index(error.to_string()))?;
        let index = Self { database };
        index.prepare(log).map_err(refuse)?;
        Ok(index)
    }

    /// Whether the index can be caught up; a file that was just created is prepared first.
    fn fits(&self, log: LogId, tail: Position) -> Result<bool, IndexError> {
        let read = self.database.begin_read()?;
        if read.list_tables()?.next().is_none() {
            drop(read);
            self.prepare(log)?;
            return Ok(true);
        }
        let meta = read.open_table(META)?;
        let value = |key: &str| -> Result<Option<u128>, IndexError> { Ok(meta.get(key)?.map(|value| value.value())) };
        Ok(value("format")? == Some(u128::from(FORMAT))
            && value("log")? == Some(log.as_uuid().as_u128())
            && value("through")?.is_some_and(|through| through <= u128::from(tail.get())))
    }

    fn prepare(&self, log: LogId) -> Result<(), IndexError> {
        let write = self.database.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            meta.insert("format", u128::from(FORMAT))?;
            meta.insert("log", log.as_uuid().as_u128())?;
            meta.insert("through", 0)?;
            write.open_table(SPANS)?;
            write.open_table(ROWS)?;
            write.open_table(CONFLICTS)?;
        }
        write.commit()?;
        Ok(())
    }

    /// The first position that is not indexed.
    pub(super) fn through(&self) -> Result<Position, IndexError> {
        let read = self.database.begin_read()?;
        let through = read.open_table(META)?.get("through")?.map_or(0, |value| value.value());
        Ok(Position::new(u64::try_from(through).unwrap_or(0)))
    }

    /// Every signal's span.
    pub(super) fn spans(&self) -> Result<HashMap<Arc<str>, Span>, IndexError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(SPANS)?;
        let mut spans = HashMap::new();
        for row in table.iter()? {
            let (signal, span) = row?;
            let (newest_ns, widest_ns) = span.value();
            spans.insert(Arc::from(signal.value()), Span { newest_ns, widest_ns });
        }
        Ok(spans)
    }

    /// A view of the rows as they are now.
    pub(super) fn rows(&self) -> Result<Rows, IndexError> {
        Ok(Rows { table: self.database.begin_read()?.open_table(ROWS)? })
    }

    /// Writes what a round added. A crash loses at most what was written since the last durable write, and the next start catches up with the log.
    pub(super) fn write(&self, update: &Update, durable: bool) -> Result<(), IndexError> {
        let mut write = self.database.begin_write()?;
        if !durable {
            write.set_durability(Durability::None)?;
        }
        {
            let mut rows = write.open_table(ROWS)?;
            for row in &update.rows {
                rows.insert((&*row.signal, row.newest_ns, row.position.get()), row.oldest_ns)?;
            }
            let mut spans = write.open_table(SPANS)?;
            for (signal, span) in &update.spans {
                spans.insert(&**signal, (span.newest_ns, span.widest_ns))?;
            }
            let mut conflicts = write.open_table(CONFLICTS)?;
            for conflict in &update.conflicts {
                conflicts.insert(key_of(conflict), ())?;
            }
            write.open_table(META)?.insert("through", u128::from(update.through.get()))?;
        }
        write.commit()?;
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        self.database.begin_write()?.commit()?;
        Ok(())
    }

    /// Contradicting readings in key order, after the given one.
    pub(super) fn conflicts(&self, after: Option<&Conflict>, limit: usize) -> Result<Vec<Conflict>, IndexError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(CONFLICTS)?;
        let start = match after {
            Some(conflict) => std::ops::Bound::Excluded(key_of(conflict)),
            None => std::ops::Bound::Unbounded,
        };
        let mut conflicts = Vec::new();
        for row in table.range((start, std::ops::Bound::Unbounded))?.take(limit) {
            let (key, _) = row?;
            let (signal, time_ns, has_sequence, sequence, position) = key.value();
            let Ok(time) = Timestamp::from_nanosecond(i128::from(time_ns)) else { continue };
            conflicts.push(Conflict {
                signal: Arc::from(signal),
                time,
                sequence: has_sequence.then_some(sequence),
                position: Position::new(position),
            });
        }
        Ok(conflicts)
    }
}

fn key_of(conflict: &Conflict) -> (&str, i64, bool, u64, u64) {
    (
        &*conflict.signal,
        i64::try_from(conflict.time.as_nanosecond()).unwrap_or(i64::MAX),
        conflict.sequence.is_some(),
        conflict.sequence.unwrap_or(0),
        conflict.position.get(),
    )
}

/// The rows at one moment.
pub(super) struct Rows {
    table: ReadOnlyTable<(&'static str, i64, u64), i64>,
}

impl Rows {
    /// The frames that may hold the signal at this time, oldest row first.
    pub(super) fn covering(&self, signal: &str, time_ns: i64, span: Span) -> Result<Vec<Position>, IndexError> {
        let last = time_ns.saturating_add(span.widest_ns);
        let mut positions = Vec::new();
        for row in self.table.range((signal, time_ns, 0)..=(signal, last, u64::MAX))? {
            let (key, oldest) = row?;
            if oldest.value() <= time_ns {
                positions.push(Position::new(key.value().2));
            }
        }
        Ok(positions)
    }
}
