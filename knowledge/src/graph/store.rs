//! One SurrealDB database: its tables, its writes, and its checkpoint.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, Instant};

use eventlog::{Digest, Position};
use parking_lot::RwLock;
use projections::Entry;
use surrealdb::Surreal;
use surrealdb::engine::any::Any;
use surrealdb::types::{Array, Bytes, Object, RecordId as Row, RecordIdKey, RecordIdKeyRange, Value};

use crate::record::{KnowledgeRecord, Link, RecordId};
use crate::versions::{self, Change, Pending, SetDigest};

/// The namespace of all our databases.
pub(super) const NAMESPACE: &str = "millwright";

/// Versions that are written in one transaction. Each inserted row makes SurrealDB copy what the transaction has written so far (its save point), so that the cost of a
/// transaction grows with the square of its rows: small ones are much faster.
const WRITE_VERSIONS: usize = 64;

/// The longest time that a version waits for its write while entries arrive. A reader never waits for it: it writes what is pending.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// The latest versions that one query brings back.
const HEADS_PER_QUERY: usize = 500;

/// The rows that one query of a digest brings back.
const DIGEST_PAGE: usize = 2_000;

/// The end of a version or edge that has none.
pub(super) const OPEN: i64 = i64::MAX;

/// One row an edge or a version; `node` has the beginning of each record's latest version, so that it is found by its key.
const SCHEMA: &str = "
    DEFINE TABLE IF NOT EXISTS meta SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS version SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS node SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS link TYPE RELATION SCHEMALESS;
    DEFINE INDEX IF NOT EXISTS version_kind ON version FIELDS kind;
    DEFINE INDEX IF NOT EXISTS version_asset ON version FIELDS asset;
    DEFINE INDEX IF NOT EXISTS link_in ON link FIELDS in;
    DEFINE INDEX IF NOT EXISTS link_out ON link FIELDS out;
";

/// Data and checkpoint change together, or not at all.
const WRITE: &str = "
    BEGIN;
    INSERT INTO version $versions ON DUPLICATE KEY UPDATE valid_to = $input.valid_to RETURN NONE;
    INSERT INTO node $nodes ON DUPLICATE KEY UPDATE head = $input.head, title_zh = $input.title_zh, title_en = $input.title_en RETURN NONE;
    INSERT RELATION INTO link $links RETURN NONE;
    FOR $end IN $ends {
        UPDATE link SET valid_to = $end.at WHERE in = $end.from AND relation = $end.relation AND out = $end.to AND valid_to = $open RETURN NONE;
    };
    UPSERT meta:state SET version = $version, checkpoint = $checkpoint RETURN NONE;
    COMMIT;
";

struct Writing {
    pending: Pending,
    /// The checkpoint in the database.
    stored: Position,
    last_write: Instant,
}

/// One database.
pub(super) struct Store {
    /// The session in the database.
    pub db: Surreal<Any>,
    /// The database's name.
    pub name: String,
    writing: tokio::sync::Mutex<Writing>,
    progress: RwLock<Progress>,
}

#[derive(Clone, Copy)]
struct Progress {
    applied: Position,
    visible: Position,
}

impl Store {
    /// Opens the database over the connection. One that another version wrote, or whose state cannot be read, is removed and begun anew.
    pub async fn open(connection: &Surreal<Any>, name: &str, version: u32, empty: bool) -> Result<Self, String> {
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
            writing: tokio::sync::Mutex::new(Writing {
                pending: Pending::new(checkpoint),
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
    pub async fn apply(&self, entries: &[Entry], through: Position, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        for chunk in entries.chunks(WRITE_VERSIONS / 2) {
            let missing = writing.pending.missing(chunk);
            let found = self.heads(&missing).await?;
            writing.pending.loaded(missing, found);
            for entry in chunk {
                writing.pending.apply(entry);
                writing.pending.applied = entry.position.next();
            }
            if writing.pending.len() >= WRITE_VERSIONS {
                self.write(&mut writing, version).await?;
            }
        }
        writing.pending.applied = through;
        if writing.pending.len() > 0 && writing.last_write.elapsed() >= WRITE_AFTER {
            self.write(&mut writing, version).await?;
        }
        let mut progress = self.progress.write();
        progress.applied = through;
        if writing.pending.len() == 0 {
            // Nothing is waiting, so what readers see holds for the new position, too.
            progress.visible = through;
        }
        Ok(())
    }

    /// Writes what is pending, so that readers see everything that was applied.
    pub async fn show_all(&self, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        if writing.pending.len() > 0 { self.write(&mut writing, version).await } else { Ok(()) }
    }

    /// Makes everything applied so far durable.
    pub async fn flush(&self, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock().await;
        if writing.stored == writing.pending.applied && writing.pending.len() == 0 {
            return Ok(());
        }
        self.write(&mut writing, version).await
    }

    async fn write(&self, writing: &mut Writing, version: u32) -> Result<(), String> {
        let rows = Rows::of(writing.pending.changes())?;
        let applied = writing.pending.applied;
        self.db
            .query(WRITE)
            .bind(("versions", rows.versions))
            .bind(("nodes", rows.nodes))
            .bind(("links", rows.links))
            .bind(("ends", rows.ends))
            .bind(("open", OPEN))
            .bind(("version", i64::from(version)))
            .bind(("checkpoint", number(applied)))
            .await
            .and_then(|answers| answers.check())
            .map_err(text)?;
        writing.pending.written();
        writing.stored = applied;
        writing.last_write = Instant::now();
        let mut progress = self.progress.write();
        progress.applied = progress.applied.max(applied);
        progress.visible = applied;
        Ok(())
    }

    /// The latest versions in the store of these records.
    async fn heads(&self, ids: &[RecordId]) -> Result<Vec<KnowledgeRecord>, String> {
        let mut found = Vec::new();
        for chunk in ids.chunks(HEADS_PER_QUERY) {
            let nodes: Vec<Value> = chunk.iter().map(|id| Value::RecordId(node(id))).collect();
            let mut answers = self
                .db
                .query(
                    "LET $heads = (SELECT VALUE head FROM $nodes WHERE head != NONE); SELECT VALUE body FROM $heads;",
                )
                .bind(("nodes", nodes))
                .await
                .map_err(text)?;
            let bodies: Value = answers.take(1).map_err(text)?;
            for body in list(bodies) {
                found.push(versions::decode(&bytes(body)?)?);
            }
        }
        Ok(found)
    }

    /// The digest of all versions and their edges.
    pub async fn digest(&self, version: u32) -> Result<Digest, String> {
        self.show_all(version).await?;
        let mut digest = SetDigest::default();
        let mut from = Bound::Unbounded;
        loop {
            let range = RecordIdKeyRange { start: from.clone(), end: Bound::Unbounded };
            let range = Row::new("version", RecordIdKey::Range(Box::new(range)));
            let sql = format!("SELECT id, body, valid_to FROM $range LIMIT {DIGEST_PAGE}");
            let mut answers = self.db.query(sql).bind(("range", Value::RecordId(range))).await.map_err(text)?;
            let rows = list(answers.take(0).map_err(text)?);
            let count = rows.len();
            for row in rows {
                let mut row = object(row)?;
                if let Some(Value::RecordId(id)) = row.remove("id") {
                    from = Bound::Excluded(id.key);
                }
                digest.add(&versions::encode(&stored_version(row)?)?);
            }
            if count < DIGEST_PAGE {
                return Ok(digest.finish());
            }
        }
    }
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

/// What one transaction writes.
#[derive(Default)]
struct Rows {
    versions: Vec<Value>,
    nodes: Vec<Value>,
    links: Vec<Value>,
    ends: Vec<Value>,
}

impl Rows {
    /// The rows of these changes, which come by record and beginning.
    fn of<'a>(changes: impl Iterator<Item = &'a Change>) -> Result<Self, String> {
        let mut rows = Self::default();
        let mut before: Option<&Change> = None;
        // The edges of the record at hand that began in this batch, with their beginning.
        let mut begun: BTreeMap<&Link, Position> = BTreeMap::new();
        for change in changes {
            let record = &change.record;
            let former = before.filter(|former| former.record.id == record.id);
            if let (None, Some(last)) = (former, before) {
                rows.open_links(&last.record, std::mem::take(&mut begun));
                rows.nodes.push(node_row(&last.record));
            }
            rows.versions.push(version_row(record)?);
            if !change.stored {
                let earlier = former.map(|former| former.record.links.as_slice()).unwrap_or_default();
                for link in earlier.iter().filter(|link| !record.links.contains(link)) {
                    match begun.remove(link) {
                        Some(from) => rows.links.push(link_row(record, link, from, Some(record.valid_from))),
                        None => rows.ends.push(link_end(record, link)),
                    }
                }
                for link in record.links.iter().filter(|link| !earlier.contains(link)) {
                    begun.insert(link, record.valid_from);
                }
            }
            before = Some(change);
        }
        if let Some(last) = before {
            rows.open_links(&last.record, begun);
            rows.nodes.push(node_row(&last.record));
        }
        Ok(rows)
    }

    fn open_links(&mut self, record: &KnowledgeRecord, begun: BTreeMap<&Link, Position>) {
        self.links.extend(begun.into_iter().map(|(link, from)| link_row(record, link, from, None)));
    }
}

/// The row of a node.
pub(super) fn node(id: &RecordId) -> Row {
    Row::new("node", id.as_str())
}

fn version_key(id: &RecordId, valid_from: Position) -> Row {
    Row::new("version", Array::from(vec![Value::String(id.as_str().to_owned()), Value::from_t(number(valid_from))]))
}

/// The rows of all versions of a record up to a position.
pub(super) fn versions_of(id: &RecordId, as_of: Position) -> Row {
    let bound = |at: i64| {
        Bound::Included(RecordIdKey::Array(Array::from(vec![Value::String(id.as_str().to_owned()), Value::from_t(at)])))
    };
    Row::new("version", RecordIdKey::Range(Box::new(RecordIdKeyRange { start: bound(0), end: bound(number(as_of)) })))
}

fn version_row(record: &KnowledgeRecord) -> Result<Value, String> {
    let mut row = Object::new();
    row.insert("id", Value::RecordId(version_key(&record.id, record.valid_from)));
    row.insert("record", Value::RecordId(node(&record.id)));
    row.insert("kind", record.kind.as_str().to_owned());
    row.insert("base", record.base.as_str().to_owned());
    if let Some(asset) = &record.asset {
        row.insert("asset", asset.clone());
    }
    // Unknown times sort as the oldest.
    row.insert("event_time_ns", record.event_time.map_or(i64::MIN, time_ns));
    row.insert("valid_from", number(record.valid_from));
    row.insert("valid_to", record.valid_to.map_or(OPEN, number));
    row.insert("body", Bytes::from(versions::encode(&KnowledgeRecord { valid_to: None, ..record.clone() })?));
    Ok(Value::Object(row))
}

fn node_row(record: &KnowledgeRecord) -> Value {
    let mut row = Object::new();
    row.insert("id", Value::RecordId(node(&record.id)));
    row.insert("kind", record.kind.as_str().to_owned());
    row.insert("title_zh", record.title.zh.clone().unwrap_or_default());
    row.insert("title_en", record.title.en.clone().unwrap_or_default());
    row.insert("head", Value::RecordId(version_key(&record.id, record.valid_from)));
    Value::Object(row)
}

fn link_row(record: &KnowledgeRecord, link: &Link, from: Position, to: Option<Position>) -> Value {
    let key = vec![
        Value::String(record.id.as_str().to_owned()),
        Value::String(link.relation.as_str().to_owned()),
        Value::String(link.to.as_str().to_owned()),
        Value::from_t(number(from)),
    ];
    let mut row = Object::new();
    row.insert("id", Value::RecordId(Row::new("link", Array::from(key))));
    row.insert("in", Value::RecordId(node(&record.id)));
    row.insert("out", Value::RecordId(node(&link.to)));
    row.insert("relation", link.relation.as_str().to_owned());
    row.insert("valid_from", number(from));
    row.insert("valid_to", to.map_or(OPEN, number));
    Value::Object(row)
}

fn link_end(record: &KnowledgeRecord, link: &Link) -> Value {
    let mut row = Object::new();
    row.insert("from", Value::RecordId(node(&record.id)));
    row.insert("relation", link.relation.as_str().to_owned());
    row.insert("to", Value::RecordId(node(&link.to)));
    row.insert("at", number(record.valid_from));
    Value::Object(row)
}

/// The version in a row with `body` and `valid_to`.
pub(super) fn stored_version(mut row: Object) -> Result<KnowledgeRecord, String> {
    let body = row.remove("body").ok_or("a row holds no record")?;
    let end = integer(row.remove("valid_to")).ok_or("a row holds no end")?;
    let mut record = versions::decode(&bytes(body)?)?;
    record.valid_to = u64::try_from(end).ok().filter(|_| end != OPEN).map(Position::new);
    Ok(record)
}

pub(super) fn number(position: Position) -> i64 {
    i64::try_from(position.get()).unwrap_or(OPEN)
}

pub(super) fn time_ns(time: jiff::Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN + 1 } else { i64::MAX })
}

pub(super) fn position(value: Option<Value>) -> Option<Position> {
    integer(value).and_then(|number| u64::try_from(number).ok()).map(Position::new)
}

pub(super) fn integer(value: Option<Value>) -> Option<i64> {
    value?.into_t::<i64>().ok()
}

pub(super) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.into_vec(),
        Value::None | Value::Null => Vec::new(),
        other => vec![other],
    }
}

pub(super) fn object(value: Value) -> Result<Object, String> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("a row is a {:?}", other.kind())),
    }
}

fn bytes(value: Value) -> Result<Vec<u8>, String> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.into_inner().to_vec()),
        other => Err(format!("a record is a {:?}", other.kind())),
    }
}

pub(super) fn text(error: surrealdb::Error) -> String {
    error.to_string()
}
