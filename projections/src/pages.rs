//! Reading the log in bounded pages.

use std::sync::Arc;

use eventlog::frames::Decoder;
use eventlog::{Direction, EventLog, Filter, MAX_PAGE, Position, ReadError};

use crate::Entry;
use crate::feed::{Feed, Follower};

/// What a page should weigh, in payload bytes; the number of records follows from it.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The records of the first page, and the fewest that a page shrinks to.
const LEAST_RECORDS: usize = 16;
const FIRST_RECORDS: usize = 512;

/// How many records a page asks for: what pages weighed says it.
pub(crate) struct PageSize(usize);

impl Default for PageSize {
    fn default() -> Self {
        Self(FIRST_RECORDS)
    }
}

impl PageSize {
    pub const fn records(&self) -> usize {
        self.0
    }

    /// Takes in what a page weighed that should weigh so much.
    pub fn learn(&mut self, bytes: usize, ended: bool, wanted: usize) {
        if bytes > wanted {
            self.0 = (self.0 / 2).max(LEAST_RECORDS);
        } else if !ended && bytes < wanted / 2 {
            self.0 = (self.0 * 2).min(MAX_PAGE);
        }
    }
}

/// Reads matching records forward, page by page.
pub(crate) struct Pages {
    filter: Filter,
    size: PageSize,
    frames: Decoder,
    follower: Option<Follower>,
}

/// Entries with the first position that they do not cover.
pub(crate) struct Page {
    pub entries: Vec<Arc<Entry>>,
    pub through: Position,
}

impl Pages {
    /// Pages for one reader alone.
    pub fn new(filter: Filter) -> Self {
        Self { filter, size: PageSize::default(), frames: Decoder::default(), follower: None }
    }

    /// Pages for one of those who follow the feed.
    pub fn of(feed: &Feed, filter: Filter) -> Self {
        Self { follower: Some(feed.follower()), ..Self::new(filter) }
    }

    /// The next page from a position on, not beyond `end` (exclusive) where one is given. A page can be empty and still cover positions.
    pub async fn next(&mut self, log: &dyn EventLog, from: Position, end: Option<Position>) -> Result<Page, ReadError> {
        let Some(follower) = self.follower.as_ref().filter(|_| end.is_none()) else {
            return self.own(log, from, end).await;
        };
        let page = match follower.next(log, from, &self.filter, &mut self.frames).await? {
            Some(page) => page,
            None => self.own(log, from, None).await?,
        };
        if let Some(follower) = &self.follower {
            follower.reached(page.through);
        }
        Ok(page)
    }

    /// Reads no more: nothing is kept for it.
    pub fn rest(&self) {
        if let Some(follower) = &self.follower {
            follower.rests();
        }
    }

    async fn own(&mut self, log: &dyn EventLog, from: Position, end: Option<Position>) -> Result<Page, ReadError> {
        // Ordering: the tail is taken before the read, so that a page which ends early covers everything below it.
        let tail = log.tail();
        let tail = end.map_or(tail, |end| tail.min(end));
        let page = log.read(from, Direction::Forward, self.filter.clone(), self.size.records()).await?;
        let (records, ended) = (page.records, page.next.is_none());
        self.size.learn(records.iter().map(|record| record.payload.len()).sum(), ended, PAGE_BYTES);
        let mut through = if ended { tail.max(from) } else { from };
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            if end.is_some_and(|end| record.position >= end) {
                through = end.unwrap_or(through);
                break;
            }
            through = through.max(record.position.next());
            entries.push(Arc::new(Entry::decode_with(record, &mut self.frames)));
        }
        Ok(Page { entries, through })
    }
}
