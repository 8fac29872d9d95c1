//! One SurrealDB database: its tables, its writes, and its checkpoint.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{Digest, Position};
use parking_lot::RwLock;
use projections::Entry;
use surrealdb::Surreal;
use surrealdb::engine::any::Any;
use surrealdb::types::Value;
use tokio::task::JoinHandle;

use super::rows::{self, Carried, Former, Rows, integer, list, node, number, object, position, unpack};
use crate::record::{KnowledgeRecord, RecordId};
use crate::versions::{self, Pending, SetDigest};

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;

/// The namespace of all our databases.
pub(super) const NAMESPACE: &str = "millwright";

/// Versions that gather before they are written in one transaction: a record with several of them is written once, and so is what points to a node, which is a third of all
/// rows where few gather. In memory each inserted row makes SurrealDB copy what the transaction has written so far (its save point), so that a transaction of thousands of rows
/// is slow there; on disk it is not.
pub(super) const WRITE_VERSIONS: usize = 8_192;
pub(super) const WRITE_VERSIONS_IN_MEMORY: usize = 2_048;

/// Entries that are folded between two looks at how much has gathered.
const FOLD_ENTRIES: usize = 256;

/// The longest time that a version waits for its write while entries arrive. A reader never waits for it: it writes what is pending.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// The latest versions that one query brings back.
const HEADS_PER_QUERY: usize = 500;

/// The rows that one query of a digest brings back.
const DIGEST_PAGE: usize = 1_000;

/// One row a record, with its present version in fields, those before it packed, and its edges; `past` has what became too much for that row, and `inward` who points
/// to a node. No table has an index: each costs a row two keys and more, and keys find everything. A `LIMIT` of a range that is known when the
/// statement is planned comes after all of its rows were read; so statements with a limit ask for `type::record($range ?? NONE)`, which is known only when they run.
const SCHEMA: &str = "
    DEFINE TABLE IF NOT EXISTS meta SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS node SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS past SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS inward SCHEMALESS;
";

/// Data and checkpoint change together, or not at all.
const WRITE: &str = "
    BEGIN;
    INSERT INTO node $new RETURN NONE;
    FOR $row IN $changed { UPDATE $row.id CONTENT $row RETURN NONE };
    INSERT INTO past $past RETURN NONE;
    INSERT INTO inward $inward RETURN NONE;
    UPSERT meta:state SET version = $version, checkpoint = $checkpoint RETURN NONE;
    COMMIT;
";

/// The records that are remembered as being in the database; beyond these it is asked whether it has one.
const MAX_KNOWN: usize = 1_000_000;

struct Writing {
    pending: Pending,
    /// What the rows of the records carry whose latest versions `pending` has.
    carried: HashMap<RecordId, Carried>,
    /// The records that the database has, as hashes: a record that is not among them is new without asking. Two of one hash only cost a question. `None` when it is
    /// not known which it has.
    known: Option<HashSet<u64>>,
    hashes: RandomState,
    /// The write that is on its way: it goes on while the next entries are folded.
    flight: Option<Flight>,
    /// The checkpoint in the database.
    stored: Position,
    last_write: Instant,
}

/// A transaction on its way. It is sent from a task of its own, so that a caller that goes away does not leave it half way.
struct Flight {
    batch: Arc<Batch>,
    /// `None` after it failed: then it is sent again.
    task: Option<JoinHandle<Result<(), String>>>,
}

/// What one transaction writes, with the checkpoint that goes with it.
struct Batch {
    new: Vec<Value>,
    changed: Vec<Value>,
    past: Vec<Value>,
    inward: Vec<Value>,
    version: u32,
    applied: Position,
}

/// One database.
pub(super) struct Store {
    /// The session in the database.
    pub db: Surreal<Any>,
    /// The database's name.
    pub name: String,
    write_versions: usize,
    writing: tokio::sync::Mutex<Writing>,
    progress: RwLock<Progress>,
}

#[derive(Clone, Copy)]
struct Progress {
    applied: Position,
    visible: Position,
}

impl Store {
    /// Opens the database over the connection, to write so many versions at once. One that another version wrote, or whose state cannot be read, is removed and begun anew.
    pub async fn open(
        connection: &Surreal<Any>,
        name: &str,
        version: u32,
        empty: bool,
        write_versions: usize,
    ) -> Result<Self, String> {
        let db = connection.clone();
        db.use_ns(NAMESPACE).await.map_err(text)?;
        if empty {
            remove(&db, name).await?;
        }
        define(&db, name).await?;
        let checkpoint = match state(&db).await? {
            None => Position::START,
            Some((stored, checkpoint)) if stored == i64::from(version) => checkpoint,
            Some((stored, _)) => {
                tracing::info!(from = stored, to = version, "the graph store is of another version and is built anew");
                remove(&db, name).await?;
                define(&db, name).await?;
                Position::START
            }
        };
        Ok(Self {
            db,
            name: name.to_owned(),
            write_versions,
            writing: tokio::sync::Mutex::new(Writing {
                pending: Pending::new(checkpoint),
                carried: HashMap::new(),
                known: (checkpoint == Position::START).then(HashSet::new),
                hashes: RandomState::new(),
                flight: None,
                stored: checkpoint,
                last_write: Instant::now(),
            }),
            progress: RwLock::new(Progress { applied: checkpoint, visible: checkpoint }),
        })
    }

    /// The first position that is not folded.
    pub fn applied(&self) -> Position {
        self.progress.read().applied
    }

    /// The first position that readers do not see yet.
    pub fn visible(&self) -> Position {
        self.progress.read().visible
    }

    /// Folds entries; writes when enough has gathered or enough time has passed.
    pub async fn apply(&self, entries: &[Arc<Entry>], through: Position, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        for chunk in entries.chunks(FOLD_ENTRIES) {
            let missing = writing.pending.missing(chunk);
            let found = self.heads(&mut writing, &missing).await?;
            writing.pending.loaded(missing, found);
            for entry in chunk {
                writing.pending.apply(entry);
                writing.pending.applied = entry.position.next();
            }
            if writing.pending.len() >= self.write_versions {
                self.write(&mut writing, version).await?;
            }
        }
        writing.pending.applied = through;
        if writing.pending.len() > 0 && writing.last_write.elapsed() >= WRITE_AFTER {
            self.write(&mut writing, version).await?;
        }
        let mut progress = self.progress.write();
        progress.applied = through;
        if writing.pending.len() == 0 && writing.flight.is_none() {
            // Nothing is waiting, so what readers see holds for the new position, too.
            progress.visible = through;
        }
        Ok(())
    }

    /// Writes what is pending, so that readers see everything that was applied.
    pub async fn show_all(&self, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        if writing.pending.len() > 0 {
            self.write(&mut writing, version).await?;
        }
        self.land(&mut writing).await?;
        let mut progress = self.progress.write();
        progress.visible = progress.visible.max(writing.pending.applied);
        Ok(())
    }

    /// Makes everything applied so far durable.
    pub async fn flush(&self, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        self.land(&mut writing).await?;
        if writing.stored == writing.pending.applied && writing.pending.len() == 0 {
            return Ok(());
        }
        self.write(&mut writing, version).await?;
        self.land(&mut writing).await
    }

    /// Waits until no write is on its way, however it ends.
    pub async fn settle(&self) {
        let mut writing = self.writing.lock().await;
        if let Err(reason) = self.land(&mut writing).await {
            tracing::debug!(%reason, "a last write into a graph store that goes away");
        }
    }

    /// Sends what is pending, once the former write has arrived.
    async fn write(&self, writing: &mut Writing, version: u32) -> Result<(), String> {
        let rows = Rows::of(writing.pending.changes(), &writing.carried)?;
        self.land(writing).await?;
        let Rows { new, changed, past, inward, carried } = rows;
        let batch = Arc::new(Batch { new, changed, past, inward, version, applied: writing.pending.applied });
        // Invariant: no await from here on, so that what is sent and what counts as sent are the same.
        if let Some(known) = &mut writing.known {
            known.extend(carried.keys().map(|id| writing.hashes.hash_one(id)));
        }
        writing.known.take_if(|known| known.len() > MAX_KNOWN);
        writing.carried.extend(carried);
        if !writing.pending.written() {
            writing.carried.clear();
        }
        writing.last_write = Instant::now();
        let task = tokio::spawn(send(self.db.clone(), Arc::clone(&batch), false));
        writing.flight = Some(Flight { batch, task: Some(task) });
        Ok(())
    }

    /// Waits for the write that is on its way; one that failed is sent again first.
    async fn land(&self, writing: &mut Writing) -> Result<(), String> {
        let Some(flight) = &mut writing.flight else { return Ok(()) };
        let (db, batch) = (&self.db, &flight.batch);
        let task = flight.task.get_or_insert_with(|| tokio::spawn(send(db.clone(), Arc::clone(batch), true)));
        let ended = task.await.map_err(|error| error.to_string()).and_then(|sent| sent);
        flight.task = None;
        ended?;
        let applied = flight.batch.applied;
        writing.flight = None;
        writing.stored = applied;
        let mut progress = self.progress.write();
        progress.applied = progress.applied.max(applied);
        progress.visible = progress.visible.max(applied);
        Ok(())
    }

    /// The latest versions in the store of these records; what their rows carry is kept, too.
    async fn heads(&self, writing: &mut Writing, ids: &[RecordId]) -> Result<Vec<KnowledgeRecord>, String> {
        let hashes = &writing.hashes;
        let stored = |id: &&RecordId| writing.known.as_ref().is_none_or(|known| known.contains(&hashes.hash_one(*id)));
        let nodes: Vec<Value> = ids.iter().filter(stored).map(|id| Value::RecordId(node(id))).collect();
        if !nodes.is_empty() {
            // Ordering: what is on its way may be what is asked for.
            self.land(writing).await?;
        }
        let mut found = Vec::new();
        for chunk in nodes.chunks(HEADS_PER_QUERY) {
            let query = self.db.query("SELECT asset, body, first, since, past, edges, inward FROM $nodes");
            let mut answers = query.bind(("nodes", chunk.to_vec())).await.map_err(text)?;
            for row in list(answers.take(0).map_err(text)?) {
                let mut row = object(row)?;
                let body = row.remove("body").ok_or("a row holds no record")?;
                let record = versions::decode(&rows::bytes(body)?)?;
                let mut carried = Carried::read(&mut row)?;
                carried.first.get_or_insert(record.valid_from);
                writing.carried.insert(record.id.clone(), carried);
                found.push(record);
            }
        }
        Ok(found)
    }

    /// The digest of all versions and their edges.
    pub async fn digest(&self, version: u32) -> Result<Digest, String> {
        self.show_all(version).await?;
        let mut digest = SetDigest::default();
        for table in ["node", "past"] {
            let mut from = Bound::Unbounded;
            loop {
                let range = Value::RecordId(rows::range(table, from.clone(), Bound::Unbounded));
                let sql = format!("SELECT id, body, past FROM type::record($range ?? NONE) LIMIT {DIGEST_PAGE}");
                let mut answers = self.db.query(sql).bind(("range", range)).await.map_err(text)?;
                let found = list(answers.take(0).map_err(text)?);
                let count = found.len();
                for row in found {
                    let mut row = object(row)?;
                    if let Some(Value::RecordId(id)) = row.remove("id") {
                        from = Bound::Excluded(id.key);
                    }
                    if let Some(body) = row.remove("body").filter(|body| !matches!(body, Value::None | Value::Null)) {
                        digest.add(&rows::bytes(body)?);
                    }
                    for former in unpack::<Former>(row.remove("past"))? {
                        digest.add(&former.body);
                    }
                }
                if count < DIGEST_PAGE {
                    break;
                }
            }
        }
        Ok(digest.finish())
    }
}

/// Sends a transaction. One that is sent again may have arrived the first time: then its new rows are there, all of them, as it says.
async fn send(db: Surreal<Any>, batch: Arc<Batch>, again: bool) -> Result<(), String> {
    let sql = if again { WRITE.replace("INSERT INTO", "INSERT IGNORE INTO") } else { WRITE.to_owned() };
    db.query(sql)
        .bind(("new", batch.new.clone()))
        .bind(("changed", batch.changed.clone()))
        .bind(("past", batch.past.clone()))
        .bind(("inward", batch.inward.clone()))
        .bind(("version", i64::from(batch.version)))
        .bind(("checkpoint", number(batch.applied)))
        .await
        .and_then(|answers| answers.check())
        .map_err(text)
        .map(drop)
}

/// Removes a database with everything in it.
pub(super) async fn remove(db: &Surreal<Any>, name: &str) -> Result<(), String> {
    db.use_ns(NAMESPACE).await.map_err(text)?;
    let sql = format!("REMOVE DATABASE IF EXISTS {name}");
    db.query(sql).await.and_then(|answers| answers.check()).map_err(text).map(drop)
}

async fn define(db: &Surreal<Any>, name: &str) -> Result<(), String> {
    let sql = format!(
        "DEFINE NAMESPACE IF NOT EXISTS {NAMESPACE}; USE NS {NAMESPACE}; DEFINE DATABASE IF NOT EXISTS {name};"
    );
    db.query(sql).await.and_then(|answers| answers.check()).map_err(text)?;
    db.use_ns(NAMESPACE).use_db(name).await.map_err(text)?;
    db.query(SCHEMA).await.and_then(|answers| answers.check()).map_err(text).map(drop)
}

async fn state(db: &Surreal<Any>) -> Result<Option<(i64, Position)>, String> {
    let mut answers = db.query("SELECT version, checkpoint FROM meta:state").await.map_err(text)?;
    let Some(row) = list(answers.take(0).map_err(text)?).pop() else { return Ok(None) };
    let mut row = object(row)?;
    let version = integer(row.remove("version")).ok_or("the stored version is not a number")?;
    let checkpoint = position(row.remove("checkpoint")).ok_or("the stored checkpoint is not a number")?;
    Ok(Some((version, checkpoint)))
}

pub(super) fn text(error: surrealdb::Error) -> String {
    error.to_string()
}
