//! The index of one segment: in memory while the segment grows, in a sorted file afterwards. Derived, always.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::codec::View;
use super::happened::Happened;
use super::index_file::FileIndex;
use super::names::Names;
use crate::{
    Category, EventId, EventType, NewEvent, Query, QueryItem, ReadError, Record, Revision, StreamId, Tag, TimeSpan,
};

/// Where the records of one stream, category, type or tag stand in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Posting {
    /// For a stream the revision of its first record in this segment, otherwise 0.
    pub(super) base: u64,
    /// Rows (positions within the segment), ascending.
    pub(super) rows: Vec<u32>,
}

impl Posting {
    /// Of a stream: the revision of its last record in this segment.
    fn last_revision(&self) -> u64 {
        self.base + (self.rows.len() as u64).saturating_sub(1)
    }
}

/// What a posting is about, as bytes that sort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(Box<[u8]>);

impl Key {
    fn of(kind: u8, name: &str) -> Self {
        let mut bytes = Vec::with_capacity(name.len() + 1);
        bytes.push(kind);
        bytes.extend(name.as_bytes());
        Self(bytes.into())
    }

    pub(super) fn stream(stream: &StreamId) -> Self {
        Self::of(b's', stream.as_str())
    }

    pub(super) fn category(name: &str) -> Self {
        Self::of(b'c', name)
    }

    pub(super) fn event_type(event_type: &EventType) -> Self {
        Self::of(b't', event_type.as_str())
    }

    pub(super) fn tag(tag: &Tag) -> Self {
        Self::of(b'g', tag.as_str())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// What an index takes up of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indexed<'a> {
    pub(super) id: EventId,
    pub(super) stream: &'a StreamId,
    pub(super) revision: Revision,
    pub(super) event_type: &'a EventType,
    pub(super) tags: &'a [Tag],
    pub(super) event_time: Option<Timestamp>,
}

impl<'a> Indexed<'a> {
    pub(super) fn of_event(event: &'a NewEvent, revision: Revision) -> Self {
        let NewEvent { id, stream, event_type, tags, event_time, .. } = event;
        Self { id: *id, stream, revision, event_type, tags, event_time: *event_time }
    }

    /// `None` when a name of the record is none.
    pub(super) fn of_view(view: &View<'_>, names: &'a mut Names) -> Option<Self> {
        if !view.has_texts() {
            return None;
        }
        let (stream, event_type, tags) = names.keys(view)?;
        Some(Self { id: view.id, stream, revision: view.revision, event_type, tags, event_time: view.event_time })
    }

    pub(super) fn of_record(record: &'a Record) -> Self {
        let Record { id, stream, revision, event_type, tags, event_time, .. } = record;
        Self { id: *id, stream, revision: *revision, event_type, tags, event_time: *event_time }
    }
}

/// Where the records of a segment stand, by stream, category, type and tag.
#[derive(Debug, Default)]
pub(super) struct Postings {
    by_key: HashMap<Key, Posting, RandomState>,
    /// The key that is being looked up.
    key: Vec<u8>,
}

impl Postings {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Posting> {
        self.by_key.get(key)
    }

    /// All of them, in the order of their keys.
    pub(super) fn sorted(&self) -> Vec<(&Key, &Posting)> {
        let mut sorted: Vec<_> = self.by_key.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted
    }

    /// Adds the record in this row, which is above all rows before.
    fn push(&mut self, record: &Indexed<'_>, row: u32) {
        let first = self.add(b's', record.stream.as_str(), row);
        if let Some(posting) = first {
            posting.base = record.revision.get();
        }
        self.add(b'c', record.stream.category(), row);
        self.add(b't', record.event_type.as_str(), row);
        for tag in record.tags {
            self.add(b'g', tag.as_str(), row);
        }
    }

    /// Adds a row under a key, and answers the posting when it is new. A tag that stands twice on a record counts once.
    fn add(&mut self, kind: u8, name: &str, row: u32) -> Option<&mut Posting> {
        // Most keys are known: they are looked up without making one.
        self.key.clear();
        self.key.push(kind);
        self.key.extend(name.as_bytes());
        if let Some(posting) = self.by_key.get_mut(self.key.as_slice()) {
            if posting.rows.last() != Some(&row) {
                posting.rows.push(row);
            }
            return None;
        }
        let posting = self.by_key.entry(Key(self.key.as_slice().into())).or_default();
        posting.rows.push(row);
        Some(posting)
    }
}

/// What an index file is made of.
pub(super) struct Contents<'a> {
    /// Where each record begins.
    pub(super) offsets: &'a [u32],
    /// The ids with their rows, in any order.
    pub(super) ids: Vec<([u8; 16], u32)>,
    pub(super) postings: &'a Postings,
    pub(super) happened: Happened,
}

/// The index of a segment that still grows, or whose file is not written yet.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    pub(super) offsets: Vec<u32>,
    ids: HashMap<EventId, u32, RandomState>,
    postings: Postings,
    happened: Happened,
}

impl MemoryIndex {
    /// Adds the next record, which begins at this offset of the file.
    pub(super) fn push(&mut self, record: Indexed<'_>, offset: u32) {
        let row = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        self.offsets.push(offset);
        self.ids.insert(record.id, row);
        self.happened.push(record.event_time);
        self.postings.push(&record, row);
    }

    /// The revision of the last record of the stream, when it has any here.
    pub(super) fn last_revision(&self, stream: &StreamId, key: &mut Vec<u8>) -> Option<Revision> {
        key.clear();
        key.push(b's');
        key.extend(stream.as_str().as_bytes());
        self.postings.get(key).map(|posting| Revision::new(posting.last_revision()))
    }

    pub(super) fn contents(&self) -> Contents<'_> {
        let ids = self.ids.iter().map(|(id, row)| (*id.as_uuid().as_bytes(), *row)).collect();
        Contents { offsets: &self.offsets, ids, postings: &self.postings, happened: self.happened }
    }
}

/// The index of a segment that will not change any more, while it is built from the records for its file. Nothing is looked up in it, so that its ids are a list.
#[derive(Debug, Default)]
pub(super) struct Collected {
    offsets: Vec<u32>,
    ids: Vec<([u8; 16], u32)>,
    postings: Postings,
    happened: Happened,
}

impl Collected {
    /// An index with room for so many records.
    pub(super) fn with_room(records: u64) -> Self {
        let records = usize::try_from(records).unwrap_or(0);
        Self { offsets: Vec::with_capacity(records), ids: Vec::with_capacity(records), ..Self::default() }
    }

    /// Adds the next record, which begins at this offset of the file.
    pub(super) fn push(&mut self, record: Indexed<'_>, offset: u32) {
        let row = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        self.offsets.push(offset);
        self.ids.push((*record.id.as_uuid().as_bytes(), row));
        self.happened.push(record.event_time);
        self.postings.push(&record, row);
    }

    pub(super) fn contents(&mut self) -> Contents<'_> {
        let ids = std::mem::take(&mut self.ids);
        Contents { offsets: &self.offsets, ids, postings: &self.postings, happened: self.happened }
    }
}

/// The index of a segment, wherever it is.
#[derive(Debug)]
pub(super) enum Index {
    /// In memory.
    Memory(MemoryIndex),
    /// In a file beside the segment.
    File(FileIndex),
}

impl Index {
    /// The row of the event with this id.
    pub(super) fn id(&self, id: EventId) -> Result<Option<u32>, ReadError> {
        match self {
            Self::Memory(index) => Ok(index.ids.get(&id).copied()),
            Self::File(index) => index.id(id),
        }
    }

    /// The rows under a key, and for a stream its first revision here.
    pub(super) fn posting(&self, key: &Key) -> Result<Option<Posting>, ReadError> {
        match self {
            Self::Memory(index) => Ok(index.postings.get(key.as_bytes()).cloned()),
            Self::File(index) => index.posting(key),
        }
    }

    /// Whether a record of this segment may have happened within the span.
    pub(super) fn may_have_happened(&self, span: TimeSpan) -> bool {
        match self {
            Self::Memory(index) => index.happened.meets(span),
            Self::File(index) => index.happened().is_none_or(|happened| happened.meets(span)),
        }
    }

    /// The revision of the last record of the stream in this segment.
    pub(super) fn last_revision(&self, key: &Key) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Memory(index) => Ok(index.postings.get(key.as_bytes()).map(Posting::last_revision)),
            Self::File(index) => Ok(index.posting(key)?.as_ref().map(Posting::last_revision)),
        }
    }

    /// Where the records of `count` rows begin in the file.
    pub(super) fn offsets(&self, row: u32, count: u32) -> Result<Vec<u32>, ReadError> {
        match self {
            Self::Memory(index) => {
                let rows = index.offsets.iter().skip(row as usize).take(count as usize);
                Ok(rows.copied().collect())
            }
            Self::File(index) => index.offsets(row, count),
        }
    }

    /// The rows among these that fulfil a query, in order. What it costs follows from how many of these there are, not from how many the segment has.
    pub(super) fn matching(&self, query: &Query, among: &Range<u32>) -> Result<Vec<u32>, ReadError> {
        let items = query.items.iter().map(|item| self.matching_item(item, among));
        Ok(union(items.collect::<Result<_, _>>()?))
    }

    fn matching_item(&self, item: &QueryItem, among: &Range<u32>) -> Result<Vec<u32>, ReadError> {
        let mut parts = Vec::new();
        for tag in &item.tags {
            parts.push(self.rows(&Key::tag(tag), among)?);
        }
        if !item.types.is_empty() {
            let keys = item.types.iter().map(Key::event_type);
            parts.push(self.any_of(keys, among)?);
        }
        if !item.categories.is_empty() {
            let keys = item.categories.iter().map(Category::as_str).map(Key::category);
            parts.push(self.any_of(keys, among)?);
        }
        let rows = parts.into_iter().reduce(|one, two| intersection(&one, &two));
        Ok(rows.unwrap_or_else(|| among.clone().collect()))
    }

    /// The rows among these under a key.
    fn rows(&self, key: &Key, among: &Range<u32>) -> Result<Vec<u32>, ReadError> {
        let index = match self {
            Self::Memory(index) => index,
            Self::File(index) => return index.rows_among(key, among),
        };
        let rows = index.postings.get(key.as_bytes()).map(|posting| posting.rows.as_slice()).unwrap_or_default();
        let (from, to) = (rows.partition_point(|row| *row < among.start), rows.partition_point(|row| *row < among.end));
        Ok(rows.get(from..to).unwrap_or_default().to_vec())
    }

    fn any_of(&self, keys: impl Iterator<Item = Key>, among: &Range<u32>) -> Result<Vec<u32>, ReadError> {
        keys.map(|key| self.rows(&key, among)).collect::<Result<Vec<_>, _>>().map(union)
    }
}

fn union(mut lists: Vec<Vec<u32>>) -> Vec<u32> {
    if lists.len() <= 1 {
        return lists.pop().unwrap_or_default();
    }
    let mut all = lists.concat();
    all.sort_unstable();
    all.dedup();
    all
}

fn intersection(one: &[u32], two: &[u32]) -> Vec<u32> {
    let (short, long) = if one.len() <= two.len() { (one, two) } else { (two, one) };
    short.iter().copied().filter(|row| long.binary_search(row).is_ok()).collect()
}
