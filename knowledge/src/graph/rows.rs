//! What the database holds of one record: one row with everything, older versions in rows beside it.
//!
//! Each row costs SurrealDB tens of microseconds, and each index of a table several keys more; so a record has one row however many of its versions
//! a write brings, and nothing is found by an index: the key of a row says what it is.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use eventlog::Position;
use serde::{Deserialize, Serialize};
use surrealdb::types::{Array, Bytes, Object, RecordId as Row, RecordIdKey, RecordIdKeyRange, Value};

use crate::record::{KnowledgeRecord, RecordId, Relation};
use crate::versions::{self, Change};

/// The bytes of former versions that a record's row carries along before they go to a row of their own: what a later version writes again.
const MAX_PAST_BYTES: usize = 4_096;

/// The records that a row names as pointing to its record; further ones are in rows of their own.
const MAX_INWARD: usize = 16;

/// One interval of an edge that goes out from a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Edge {
    pub relation: Relation,
    pub to: RecordId,
    pub from: Position,
    /// The position that ended it.
    pub until: Option<Position>,
}

impl Edge {
    pub fn valid_at(&self, at: Position) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// A record that points to a node, or has it as its asset, since a position. Whether it still does is in the record's own row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Inward {
    pub at: Position,
    pub from: RecordId,
}

/// A former version as it lies between others: its interval, and its bytes as the digest takes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Former {
    pub from: Position,
    pub until: Position,
    #[serde(with = "packed")]
    pub body: Vec<u8>,
}

/// Bytes as bytes: MessagePack would otherwise write them number by number.
mod packed {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Vec<u8>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}

/// What a record's row carries besides the present version.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// Whether the database has the row.
    pub stored: bool,
    /// The beginning of the first version. A row has it where that is not the present one.
    pub first: Option<Position>,
    /// What ended before is in rows beside this one; `START` when nothing is.
    pub since: Position,
    /// The asset of the present version.
    pub asset: Option<String>,
    pub past: Vec<Former>,
    pub edges: Vec<Edge>,
    pub inward: Vec<Inward>,
}

impl Carried {
    /// What a record carries that has no row yet.
    pub fn new() -> Self {
        Self {
            stored: false,
            first: None,
            since: Position::START,
            asset: None,
            past: Vec::new(),
            edges: Vec::new(),
            inward: Vec::new(),
        }
    }

    /// Reads a row.
    pub fn read(row: &mut Object) -> Result<Self, String> {
        Ok(Self {
            stored: true,
            first: position(row.remove("first")),
            since: position(row.remove("since")).unwrap_or(Position::START),
            asset: row.remove("asset").and_then(|asset| asset.into_t::<String>().ok()),
            past: unpack(row.remove("past"))?,
            edges: unpack(row.remove("edges"))?,
            inward: unpack(row.remove("inward"))?,
        })
    }

    /// Takes in what is new of a record; its changes come by their beginning. Says which nodes it now points to.
    fn take(&mut self, changes: &[&Change]) -> Result<Vec<(RecordId, Position)>, String> {
        let mut pointed = Vec::new();
        for change in changes {
            let record = &change.record;
            if !change.stored {
                self.first.get_or_insert(record.valid_from);
                self.link(record, &mut pointed);
                self.lie_on(record, &mut pointed);
            }
            if let Some(until) = record.valid_to {
                self.past.push(Former { from: record.valid_from, until, body: versions::encode(record)? });
            }
        }
        Ok(pointed)
    }

    fn link(&mut self, record: &KnowledgeRecord, pointed: &mut Vec<(RecordId, Position)>) {
        let at = record.valid_from;
        for edge in self.edges.iter_mut().filter(|edge| edge.until.is_none()) {
            if !record.links.iter().any(|link| link.relation == edge.relation && link.to == edge.to) {
                edge.until = Some(at);
            }
        }
        for link in &record.links {
            let open = |edge: &Edge| edge.until.is_none() && edge.relation == link.relation && edge.to == link.to;
            if !self.edges.iter().any(open) {
                self.edges.push(Edge { relation: link.relation, to: link.to.clone(), from: at, until: None });
                pointed.push((link.to.clone(), at));
            }
        }
    }

    /// What lies on an asset is found from the asset, whether or not an edge says so.
    fn lie_on(&mut self, record: &KnowledgeRecord, pointed: &mut Vec<(RecordId, Position)>) {
        if record.asset == self.asset {
            return;
        }
        self.asset.clone_from(&record.asset);
        let Some(asset) = record.asset.as_ref().map(|asset| RecordId::node("asset", asset)) else { return };
        if !pointed.iter().any(|(to, at)| *to == asset && *at == record.valid_from) {
            pointed.push((asset, record.valid_from));
        }
    }

    /// Moves what has ended to a row beside, when it has become much.
    fn spill(&mut self, id: &RecordId) -> Result<Option<Value>, String> {
        let bytes: usize = self.past.iter().map(|former| former.body.len()).sum();
        let Some(last) = self.past.last().filter(|_| bytes > MAX_PAST_BYTES) else { return Ok(None) };
        self.since = last.until;
        let (ended, open) = std::mem::take(&mut self.edges).into_iter().partition(|edge| edge.until.is_some());
        self.edges = open;
        let ended: Vec<Edge> = ended;
        let mut row = Object::new();
        row.insert("id", Value::RecordId(past_row(id, self.since)));
        row.insert("past", pack(&std::mem::take(&mut self.past))?);
        row.insert("edges", pack(&ended)?);
        Ok(Some(Value::Object(row)))
    }

    /// The row of a record with this present version.
    fn row(&self, record: &KnowledgeRecord) -> Result<Value, String> {
        let mut row = Object::new();
        row.insert("id", Value::RecordId(node(&record.id)));
        row.insert("base", record.base.as_str().to_owned());
        if let Some(asset) = &record.asset {
            row.insert("asset", asset.clone());
        }
        // For who browses the database; the kind stands in the id.
        let title: Vec<&str> = [&record.title.zh, &record.title.en].into_iter().flatten().map(String::as_str).collect();
        row.insert("title", title.join(" / "));
        row.insert("event_time_ns", event_time_ns(record));
        row.insert("valid_from", number(record.valid_from));
        row.insert("body", Bytes::from(versions::encode(record)?));
        if let Some(first) = self.first.filter(|first| *first < record.valid_from) {
            row.insert("first", number(first));
        }
        if self.since > Position::START {
            row.insert("since", number(self.since));
        }
        if !self.past.is_empty() {
            row.insert("past", pack(&self.past)?);
        }
        if !self.edges.is_empty() {
            row.insert("edges", pack(&self.edges)?);
        }
        if !self.inward.is_empty() {
            row.insert("inward", pack(&self.inward)?);
        }
        // For who browses the database: the nodes that the record points to now.
        let links: Vec<Value> =
            self.edges.iter().filter(|edge| edge.until.is_none()).map(|edge| Value::RecordId(node(&edge.to))).collect();
        if !links.is_empty() {
            row.insert("links", Value::Array(Array::from(links)));
        }
        Ok(Value::Object(row))
    }
}

/// What one transaction writes.
#[derive(Default)]
pub(super) struct Rows {
    /// Rows of records that have none yet.
    pub new: Vec<Value>,
    /// Rows of records that have one.
    pub changed: Vec<Value>,
    /// Rows of former versions.
    pub past: Vec<Value>,
    /// Rows of what points to a node.
    pub inward: Vec<Value>,
    /// What the rows of these records carry once they are written.
    pub carried: HashMap<RecordId, Carried>,
}

impl Rows {
    /// The rows of these changes, which come by record and beginning. `carried` has what the rows of these records carry in the database.
    pub fn of<'a>(
        changes: impl Iterator<Item = &'a Change>,
        carried: &HashMap<RecordId, Carried>,
    ) -> Result<Self, String> {
        let mut rows = Self::default();
        let mut records: BTreeMap<&RecordId, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            records.entry(&change.record.id).or_default().push(change);
        }
        let mut inward: BTreeMap<RecordId, Vec<Inward>> = BTreeMap::new();
        for (id, changes) in &records {
            let mut of_record = carried.get(*id).cloned().unwrap_or_else(Carried::new);
            for (to, at) in of_record.take(changes)? {
                inward.entry(to).or_default().push(Inward { at, from: (*id).clone() });
            }
            rows.carried.insert((*id).clone(), of_record);
        }
        for (to, mut pointing) in inward {
            pointing.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.from.cmp(&b.from)));
            pointing.dedup();
            // The row of a record of this batch is written anyway.
            match rows.carried.get_mut(&to).filter(|target| target.inward.len() + pointing.len() <= MAX_INWARD) {
                Some(target) => target.inward.extend(pointing),
                None => rows.inward.push(inward_row(&to, &pointing)?),
            }
        }
        for (id, changes) in &records {
            let (Some(of_record), Some(last)) = (rows.carried.get_mut(*id), changes.last()) else { continue };
            rows.past.extend(of_record.spill(id)?);
            let row = of_record.row(&last.record)?;
            if of_record.stored {
                rows.changed.push(row)
            } else {
                rows.new.push(row)
            }
            of_record.stored = true;
        }
        Ok(rows)
    }
}

/// The row of a node.
pub(super) fn node(id: &RecordId) -> Row {
    Row::new("node", id.as_str())
}

/// The rows of all records of a kind.
pub(super) fn nodes_of_kind(kind: &str) -> Row {
    let key = |end: &str| RecordIdKey::String(format!("{kind}{end}"));
    // `;` is the character after `:`.
    range("node", Bound::Included(key(":")), Bound::Excluded(key(";")))
}

/// The rows of a table between two keys.
pub(super) fn range(table: &str, start: Bound<RecordIdKey>, end: Bound<RecordIdKey>) -> Row {
    Row::new(table, RecordIdKey::Range(Box::new(RecordIdKeyRange { start, end })))
}

fn pair(id: &RecordId, number: i64) -> RecordIdKey {
    RecordIdKey::Array(Array::from(vec![Value::String(id.as_str().to_owned()), Value::from_t(number)]))
}

/// Former versions lie under the end of the last one of them.
fn past_row(id: &RecordId, until: Position) -> Row {
    Row::new("past", pair(id, number(until)))
}

/// The rows of former versions and edges of a record that ended after `at`, the first to end first.
pub(super) fn past_after(id: &RecordId, at: Position) -> Row {
    range("past", Bound::Excluded(pair(id, number(at))), Bound::Included(pair(id, OPEN)))
}

/// The rows of former versions of a record that all ended by `at`.
pub(super) fn past_until(id: &RecordId, at: Position) -> Row {
    range("past", Bound::Included(pair(id, 0)), Bound::Included(pair(id, number(at))))
}

/// What points to a node lies under the beginning of the first one, the newest first.
fn inward_row(to: &RecordId, pointing: &[Inward]) -> Result<Value, String> {
    let first = pointing.first().map_or(Position::START, |first| first.at);
    let mut row = Object::new();
    row.insert("id", Value::RecordId(Row::new("inward", pair(to, OPEN - number(first)))));
    row.insert("inward", pack(&pointing)?);
    Ok(Value::Object(row))
}

/// The rows of what pointed to a node at a position, the newest first.
pub(super) fn inward_until(to: &RecordId, at: Position) -> Row {
    range("inward", Bound::Included(pair(to, OPEN - number(at))), Bound::Included(pair(to, OPEN)))
}

/// The end of what has none.
const OPEN: i64 = i64::MAX;

fn pack<T: Serialize>(items: &T) -> Result<Bytes, String> {
    rmp_serde::to_vec(items).map(Bytes::from).map_err(|error| format!("a row cannot be written: {error}"))
}

/// Reads what was packed in a field; an absent one holds nothing.
pub(super) fn unpack<T: for<'de> Deserialize<'de>>(field: Option<Value>) -> Result<Vec<T>, String> {
    match field {
        None | Some(Value::None | Value::Null) => Ok(Vec::new()),
        Some(value) => {
            rmp_serde::from_slice(&bytes(value)?).map_err(|error| format!("a stored row cannot be read: {error}"))
        }
    }
}

/// When it happened, as rows are ordered by; unknown times sort as the oldest.
pub(super) fn event_time_ns(record: &KnowledgeRecord) -> i64 {
    let Some(time) = record.event_time else { return i64::MIN };
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN + 1 } else { i64::MAX })
}

pub(super) fn number(position: Position) -> i64 {
    i64::try_from(position.get()).unwrap_or(OPEN)
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

/// The bytes of a field.
pub(super) fn bytes(value: Value) -> Result<Vec<u8>, String> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.into_inner().to_vec()),
        other => Err(format!("a field is a {:?}", other.kind())),
    }
}

/// The id of a record from the row's.
pub(super) fn record_id(value: Option<Value>) -> Option<RecordId> {
    match value? {
        Value::RecordId(Row { key: RecordIdKey::String(key), .. }) => RecordId::parse(&key),
        _ => None,
    }
}
