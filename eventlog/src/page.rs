//! What a read hands out: some records, and where the next ones begin.

use std::ops::Deref;

use crate::{MAX_PAGE, MAX_PAGE_BYTES, Position, Record};

/// What a record takes besides its texts and its payload, at a guess.
const FIXED_BYTES: usize = 256;

/// Some records in the order of the read, and where the next page begins. It reads like a list of its records.
///
/// How many records it holds says nothing about whether more follow: a page also ends where its bytes are used up.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<C = Position> {
    /// The records.
    pub records: Vec<Record>,
    /// Where the next page begins; `None` when the log (or stream) was read to its end in this direction. The next page can be empty.
    pub next: Option<C>,
}

impl<C> Deref for Page<C> {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records
    }
}

impl<C> IntoIterator for Page<C> {
    type Item = Record;
    type IntoIter = std::vec::IntoIter<Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a, C> IntoIterator for &'a Page<C> {
    type Item = &'a Record;
    type IntoIter = std::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}

/// How large a page may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimit {
    records: usize,
    bytes: usize,
}

impl PageLimit {
    /// As many records as asked for, within what any page may hold.
    pub(crate) fn of(records: usize) -> Self {
        Self { records: records.min(MAX_PAGE), bytes: MAX_PAGE_BYTES }
    }

    /// As [`of`](Self::of), with fewer bytes.
    pub(crate) fn within(records: usize, bytes: usize) -> Self {
        Self { records: records.min(MAX_PAGE), bytes: bytes.min(MAX_PAGE_BYTES) }
    }
}

/// Gathers the records of a page until it is full. Every engine fills its pages with this, so that they end at the same record.
#[derive(Debug)]
pub(crate) struct Gather {
    limit: PageLimit,
    records: Vec<Record>,
    bytes: usize,
    full: bool,
}

impl Gather {
    pub(crate) fn new(limit: PageLimit) -> Self {
        Self { limit, records: Vec::new(), bytes: 0, full: limit.records == 0 }
    }

    /// How many records more it takes.
    pub(crate) fn room(&self) -> usize {
        if self.full { 0 } else { self.limit.records - self.records.len() }
    }

    /// Makes room for so many records more, as far as they may fit.
    pub(crate) fn expect(&mut self, records: usize) {
        let by_bytes = self.limit.bytes.saturating_sub(self.bytes) / FIXED_BYTES;
        self.records.reserve(records.min(self.room()).min(by_bytes));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Takes a record, unless the page is full without it. The first one always fits.
    #[inline(always)]
    pub(crate) fn push(&mut self, record: Record) {
        if self.full {
            return;
        }
        let bytes = self.bytes + weight(&record);
        if bytes > self.limit.bytes && !self.records.is_empty() {
            self.full = true;
            return;
        }
        self.bytes = bytes;
        self.records.push(record);
        self.full = self.records.len() >= self.limit.records;
    }

    /// The page; `after` says where a read goes on behind a record, and `from` where it goes on when nothing was wanted at all.
    pub(crate) fn page<C>(self, from: C, after: impl FnOnce(&Record) -> Option<C>) -> Page<C> {
        let next = match (self.full, self.records.last()) {
            (true, Some(last)) => after(last),
            (true, None) => Some(from),
            (false, _) => None,
        };
        Page { records: self.records, next }
    }
}

/// The bytes that a record counts for in a page.
pub(crate) fn weight(record: &Record) -> usize {
    let optional = |text: Option<&str>| text.map_or(0, str::len);
    let tags: usize = record.tags.iter().map(|tag| tag.as_str().len()).sum();
    let names = record.stream.as_str().len() + record.event_type.as_str().len() + record.actor.len();
    FIXED_BYTES
        + names
        + tags
        + optional(record.source.as_deref())
        + optional(record.external_id.as_deref())
        + record.payload.len()
}
