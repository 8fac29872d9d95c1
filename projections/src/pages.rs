//! Reading the log in bounded pages.

use eventlog::frames::Decoder;
use eventlog::{Direction, EventLog, Filter, MAX_PAGE, Position, ReadError};

use crate::Entry;

/// What a page should weigh, in payload bytes; the number of records follows from it.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The records of the first page, and the fewest that a page shrinks to.
const LEAST_RECORDS: usize = 16;
const FIRST_RECORDS: usize = 512;

/// Reads matching records forward, page by page.
pub(crate) struct Pages {
    filter: Filter,
    limit: usize,
    frames: Decoder,
}

/// Entries with the first position that they do not cover.
pub(crate) struct Page {
    pub entries: Vec<Entry>,
    pub through: Position,
}

impl Pages {
    pub fn new(filter: Filter) -> Self {
        Self { filter, limit: FIRST_RECORDS, frames: Decoder::default() }
    }

    /// The next page from a position on, not beyond `end` (exclusive) where one is given. A page can be empty and still cover positions.
    pub async fn next(&mut self, log: &dyn EventLog, from: Position, end: Option<Position>) -> Result<Page, ReadError> {
        // Ordering: the tail is taken before the read, so that a page which ends early covers everything below it.
        let tail = log.tail();
        let tail = end.map_or(tail, |end| tail.min(end));
        let page = log.read(from, Direction::Forward, self.filter.clone(), self.limit).await?;
        let (records, ended) = (page.records, page.next.is_none());
        let bytes: usize = records.iter().map(|record| record.payload.len()).sum();
        if bytes > PAGE_BYTES {
            self.limit = (self.limit / 2).max(LEAST_RECORDS);
        } else if !ended && bytes < PAGE_BYTES / 2 {
            self.limit = (self.limit * 2).min(MAX_PAGE);
        }
        let mut through = if ended { tail.max(from) } else { from };
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            if end.is_some_and(|end| record.position >= end) {
                through = end.unwrap_or(through);
                break;
            }
            through = through.max(record.position.next());
            entries.push(Entry::decode_with(record, &mut self.frames));
        }
        Ok(Page { entries, through })
    }
}
