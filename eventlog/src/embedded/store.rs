//! What readers and the committer share: the segments with their indexes, and how records are read from them.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::codec::{AT_RECORD_TIME, RECORD_PREFIX, read_record, record_bytes, timestamp};
use super::disk::DiskFile;
use super::error::read_io;
use super::index::{Index, Key};
use super::names::Names;
use super::sealed::SealedFile;
use super::sealed::cache::Cache;
use super::segment::{Header, name};
use crate::metadata::MetadataState;
use crate::page::{Gather, PageLimit};
use crate::{Direction, EventId, LogId, Page, Position, Query, ReadError, Record, Revision, StreamId, TimeSpan};

/// What is read where one stands takes no longer than that many records and bytes: a third of a millisecond.
const ROWS_AT_ONCE: u32 = 1_000;
const BYTES_AT_ONCE: u32 = 512 * 1024;

/// The most bytes that one read of a file asks for, apart from a single larger record. They are decoded while they are in the processor's cache, and the
/// payloads share their memory: a record that is kept keeps no more than this beside itself.
const READ_BYTES: u32 = 1 << 15;

/// How many readers' names are kept for the next ones.
const MAX_READERS: usize = 4;

/// The rows of a sealed segment that are read in one go for a page.
const SEALED_ROWS: u32 = 64;

/// What the last record of a read takes at first guess.
const LAST_RECORD_GUESS: usize = 4096;

/// One segment that is open for reading.
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) index: RwLock<Index>,
    /// How the file is read, when it is sealed.
    pub(super) sealed: Option<Arc<SealedFile>>,
}

impl Segment {
    pub(super) fn new(header: Header, file: Arc<dyn DiskFile>, index: Index) -> Self {
        Self { name: name(header.number), header, file, index: RwLock::new(index), sealed: None }
    }

    pub(super) fn sealed(sealed: Arc<SealedFile>, index: Index) -> Self {
        Self {
            header: sealed.header.clone(),
            name: sealed.name.clone(),
            file: Arc::clone(&sealed.file),
            index: RwLock::new(index),
            sealed: Some(sealed),
        }
    }

    pub(super) fn position(&self, row: u32) -> Position {
        self.header.base.plus(u64::from(row))
    }

    /// The number of rows of this segment that lie below a position.
    pub(super) fn rows_below(&self, end: Position) -> u32 {
        u32::try_from(end.get().saturating_sub(self.header.base.get())).unwrap_or(u32::MAX)
    }

    /// The rows that are there, durable or not.
    pub(super) fn rows(&self) -> u32 {
        match &*self.index.read() {
            Index::Memory(index) => index.offsets.len() as u32,
            Index::File(index) => index.rows(),
        }
    }

    pub(super) fn corrupt(&self, row: u32, reason: &str) -> ReadError {
        ReadError::Corrupt { position: self.position(row), file: self.name.clone(), reason: reason.to_owned() }
    }

    /// Reads these rows (ascending or descending), in their order, until the page is full.
    fn records(&self, rows: &[u32], gather: &mut Gather, names: &mut Names) -> Result<(), ReadError> {
        let mut rest = rows;
        while let Some(first) = rest.first().filter(|_| !gather.is_full()) {
            // Rows that follow each other are read at once; a backward page is read forward, part by part from its end, and turned round.
            let upward = rest.windows(2).take_while(|pair| matches!(pair, [one, two] if *two == one + 1)).count() + 1;
            let downward = rest.windows(2).take_while(|pair| matches!(pair, [one, two] if two + 1 == *one)).count() + 1;
            let (count, lowest) = match downward > upward {
                true => (downward, rest.get(downward - 1).copied().unwrap_or(*first)),
                false => (upward, *first),
            };
            self.gather((lowest, count as u32), downward > upward, gather, names)?;
            rest = rest.split_at(count).1;
        }
        Ok(())
    }

    /// Hands over `count` rows from `row` on.
    pub(super) fn run(
        &self,
        (row, count): (u32, u32),
        names: &mut Names,
        mut visit: impl FnMut(Record),
    ) -> Result<(), ReadError> {
        if let Some(sealed) = &self.sealed {
            return sealed.records(row, count, names, visit);
        }
        let offsets = self.run_offsets(row, count)?;
        parts(row, &offsets).into_iter().try_for_each(|(row, offsets)| self.chunk(row, offsets, names, &mut visit))
    }

    /// Reads `count` rows from `row` on, or from the last of them down to `row`, until the page is full.
    fn gather(
        &self,
        (row, count): (u32, u32),
        downward: bool,
        gather: &mut Gather,
        names: &mut Names,
    ) -> Result<(), ReadError> {
        gather.expect(count as usize);
        let offsets = if self.sealed.is_some() { Vec::new() } else { self.run_offsets(row, count)? };
        // What is read at once stays small in bytes, since the page may be full after a part of it.
        let mut parts: Vec<(u32, u32)> = match &self.sealed {
            Some(_) => (0..count)
                .step_by(SEALED_ROWS as usize)
                .map(|done| (row + done, SEALED_ROWS.min(count - done)))
                .collect(),
            None => parts(row, &offsets).into_iter().map(|(row, offsets)| (row, offsets.len() as u32)).collect(),
        };
        if downward {
            parts.reverse();
        }
        let first = row;
        let mut turned = Vec::new();
        for (row, count) in parts {
            if gather.is_full() {
                break;
            }
            let take = |record| if downward { turned.push(record) } else { gather.push(record) };
            let at = (row - first) as usize;
            match (&self.sealed, offsets.get(at..at + count as usize)) {
                (Some(sealed), _) => sealed.records(row, count, names, take)?,
                (None, offsets) => self.chunk(row, offsets.unwrap_or_default(), names, take)?,
            }
            turned.drain(..).rev().for_each(|record| gather.push(record));
        }
        Ok(())
    }

    fn run_offsets(&self, row: u32, count: u32) -> Result<Vec<u32>, ReadError> {
        let offsets = self.index.read().offsets(row, count)?;
        if offsets.len() != count as usize {
            return Err(ReadError::Index(format!("the index of {} has too few rows", self.name)));
        }
        Ok(offsets)
    }

    /// Reads the rows at these offsets in one go.
    fn chunk(
        &self,
        row: u32,
        offsets: &[u32],
        names: &mut Names,
        mut visit: impl FnMut(Record),
    ) -> Result<(), ReadError> {
        let (Some(start), Some(last)) = (offsets.first().copied(), offsets.last().copied()) else { return Ok(()) };
        let last_at = (last - start) as usize;
        let mut buffer = Vec::new();
        let read = |buffer: &mut Vec<u8>, bytes| {
            let at = u64::from(start) + buffer.len() as u64;
            self.file.read_append(buffer, bytes, at).map_err(read_io(&self.name))
        };
        read(&mut buffer, last_at + LAST_RECORD_GUESS)?;
        let last_row = row + offsets.len() as u32 - 1;
        let needed = buffer.get(last_at..).and_then(record_bytes).map(|bytes| last_at + bytes);
        let needed = needed.ok_or_else(|| self.corrupt(last_row, "the file ends before the record"))?;
        if needed > buffer.len() {
            // A length that is damaged must not make us read the whole file.
            if needed - last_at > crate::MAX_PAYLOAD_BYTES + (1 << 17) {
                return Err(self.corrupt(last_row, "the length of the record is impossible"));
            }
            let missing = needed - buffer.len();
            if read(&mut buffer, missing)? < missing {
                return Err(self.corrupt(last_row, "the file ends before the record"));
            }
        }
        let (buffer, seed) = (Bytes::from(buffer), self.header.seed());
        for (row, offset) in (row..).zip(offsets) {
            let bytes = buffer.get((offset - start) as usize..).unwrap_or_default();
            let record = read_record(bytes, seed, &buffer, names).map_err(|reason| self.corrupt(row, reason))?;
            if record.position != self.position(row) {
                return Err(self.corrupt(row, "another record stands in its place"));
            }
            visit(record);
        }
        Ok(())
    }

    fn record_time(&self, row: u32) -> Result<Timestamp, ReadError> {
        if let Some(sealed) = &self.sealed {
            return Ok(sealed.head(row)?.record_time);
        }
        let offset = self.index.read().offsets(row, 1)?.first().copied().unwrap_or(0);
        let mut bytes = [0; 8];
        let at = u64::from(offset) + (RECORD_PREFIX + AT_RECORD_TIME) as u64;
        self.file.read_exact_at(&mut bytes, at).map_err(read_io(&self.name))?;
        timestamp(i64::from_le_bytes(bytes)).ok_or_else(|| self.corrupt(row, "its record time is out of range"))
    }
}

/// All segments of a log that is open.
pub(super) struct Store {
    pub(super) log: LogId,
    segments: RwLock<Arc<Vec<Arc<Segment>>>>,
    tail: watch::Receiver<Position>,
    cache: Arc<Cache>,
    pub(super) metadata: RwLock<MetadataState>,
    /// What readers leave behind for the next ones.
    names: Mutex<Vec<Names>>,
}

impl Store {
    pub(super) fn new(
        log: LogId,
        segments: Vec<Arc<Segment>>,
        tail: watch::Receiver<Position>,
        cache: Arc<Cache>,
    ) -> Self {
        let names = Mutex::new(Vec::new());
        Self { log, segments: RwLock::new(Arc::new(segments)), tail, cache, metadata: RwLock::default(), names }
    }

    pub(super) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Reads with the names that a reader before came across.
    pub(super) fn reading<T>(&self, read: impl FnOnce(&mut Names) -> T) -> T {
        let mut names = self.names.lock().pop().unwrap_or_else(Names::keeping);
        let result = read(&mut names);
        let mut kept = self.names.lock();
        if kept.len() < MAX_READERS {
            kept.push(names);
        }
        result
    }

    pub(super) fn tail(&self) -> Position {
        *self.tail.borrow()
    }

    pub(super) fn watch_tail(&self) -> watch::Receiver<Position> {
        self.tail.clone()
    }

    pub(super) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        Arc::clone(&self.segments.read())
    }

    pub(super) fn add_segment(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write();
        let mut all = segments.as_ref().clone();
        all.push(segment);
        *segments = Arc::new(all);
    }

    /// Puts another form of a segment in the place of the one that is there.
    pub(super) fn replace_segment(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write();
        let mut all = segments.as_ref().clone();
        if let Some(place) = all.iter_mut().find(|old| old.header.number == segment.header.number) {
            *place = segment;
        }
        *segments = Arc::new(all);
    }

    /// Durable records that match, within the limit.
    pub(super) fn read(
        &self,
        from: Position,
        direction: Direction,
        query: &Query,
        limit: PageLimit,
    ) -> Result<Page, ReadError> {
        // Ordering: the tail before the segments, so that every position below it has its segment.
        let tail = self.tail();
        let segments = self.segments();
        let mut gather = Gather::new(limit);
        let take = |segment: &Arc<Segment>, gather: &mut Gather| match rows_of(
            segment,
            from,
            direction,
            query,
            (tail, gather.room()),
        )? {
            Rows::Run(row, count) => {
                let downward = direction == Direction::Backward;
                self.reading(|names| segment.gather((row, count), downward, gather, names))
            }
            Rows::Listed(rows) => self.reading(|names| segment.records(&rows, gather, names)),
        };
        match direction {
            Direction::Forward => {
                let skip = segments.partition_point(|segment| segment.header.base <= from).saturating_sub(1);
                for segment in segments.iter().skip(skip) {
                    if gather.is_full() {
                        break;
                    }
                    take(segment, &mut gather)?;
                }
            }
            Direction::Backward => {
                for segment in segments.iter().rev().skip_while(|segment| segment.header.base > from) {
                    if gather.is_full() {
                        break;
                    }
                    take(segment, &mut gather)?;
                }
            }
        }
        Ok(gather.page(from, |last| match direction {
            Direction::Forward => Some(last.position.next()),
            Direction::Backward => last.position.previous(),
        }))
    }

    /// Whether a page of everything from a position on is small, stands in one segment that is as it was written, and most probably in memory.
    pub(super) fn lies_in_memory(&self, from: Position, limit: PageLimit) -> bool {
        let tail = self.tail();
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.header.base <= from).saturating_sub(1);
        let Some(segment) = segments.get(at).filter(|segment| segment.sealed.is_none()) else { return false };
        let wanted = (tail, limit.records());
        let Ok(Rows::Run(row, count)) = rows_of(segment, from, Direction::Forward, &Query::all(), wanted) else {
            return false;
        };
        let ends_here = count as usize == limit.records() || at + 1 == segments.len();
        if !ends_here || !(1..=ROWS_AT_ONCE).contains(&count) {
            return false;
        }
        let index = segment.index.read();
        let offset = |row| index.offsets(row, 1).ok().and_then(|offsets| offsets.first().copied());
        let (Some(first), Some(last)) = (offset(row), offset(row + count - 1)) else { return false };
        last - first <= BYTES_AT_ONCE && segment.file.lies_in_memory(u64::from(first)..=u64::from(last))
    }

    pub(super) fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: PageLimit,
    ) -> Result<Page<Revision>, ReadError> {
        let mut gather = Gather::new(limit);
        let tail = self.tail();
        let segments = self.segments();
        let key = Key::stream(stream);
        let start = from;
        let from = from.get();
        // Newest first, since a stream's last records are asked for most; each part is (segment, rows) in the direction of the read.
        let mut parts = Vec::new();
        let mut count = 0;
        for segment in segments.iter().rev() {
            let Some(posting) = segment.index.read().posting(&key)? else { continue };
            let below = segment.rows_below(tail);
            let rows = posting.rows.iter().enumerate().filter(|(_, row)| **row < below);
            let revision = |index: usize| posting.base + index as u64;
            let rows: Vec<u32> = match direction {
                Direction::Forward => rows.filter(|(index, _)| revision(*index) >= from).map(|(_, row)| *row).collect(),
                Direction::Backward => {
                    let mut rows: Vec<u32> =
                        rows.filter(|(index, _)| revision(*index) <= from).map(|(_, row)| *row).collect();
                    rows.reverse();
                    rows
                }
            };
            count += rows.len();
            parts.push((Arc::clone(segment), rows));
            let complete = match direction {
                Direction::Forward => posting.base <= from,
                Direction::Backward => count >= gather.room(),
            };
            if complete || posting.base == 0 {
                break;
            }
        }
        if direction == Direction::Forward {
            parts.reverse();
        }
        for (segment, rows) in parts {
            let wanted = rows.get(..gather.room().min(rows.len())).unwrap_or_default();
            self.reading(|names| segment.records(wanted, &mut gather, names))?;
        }
        Ok(gather.page(start, |last| match direction {
            Direction::Forward => Some(last.revision.next()),
            Direction::Backward => last.revision.previous(),
        }))
    }

    /// The nearest position, from `from` on in the direction, in a segment of which a record may have happened within the span.
    pub(super) fn seek_happened(&self, from: Position, direction: Direction, span: TimeSpan) -> Option<Position> {
        let segments = self.segments();
        let may = |segment: &&Arc<Segment>| segment.index.read().may_have_happened(span);
        match direction {
            Direction::Forward => {
                let skip = segments.partition_point(|segment| segment.header.base <= from).saturating_sub(1);
                segments.iter().skip(skip).find(may).map(|segment| from.max(segment.header.base))
            }
            Direction::Backward => {
                let mut last = None;
                for segment in segments.iter().rev() {
                    if segment.header.base <= from && may(&segment) {
                        return Some(last.map_or(from, |last| from.min(last)));
                    }
                    last = segment.header.base.previous();
                }
                None
            }
        }
    }

    /// Where the event stands, whether it is durable already or not.
    pub(super) fn position_of(&self, id: EventId) -> Result<Option<Position>, ReadError> {
        for segment in self.segments().iter().rev() {
            if let Some(row) = segment.index.read().id(id)? {
                return Ok(Some(segment.position(row)));
            }
        }
        Ok(None)
    }

    /// The last revision of a stream, counting records that are not durable yet.
    pub(super) fn last_revision(&self, stream: &StreamId) -> Result<Option<Revision>, ReadError> {
        let key = Key::stream(stream);
        for segment in self.segments().iter().rev() {
            if let Some(revision) = segment.index.read().last_revision(&key)? {
                return Ok(Some(Revision::new(revision)));
            }
        }
        Ok(None)
    }

    /// The first record from `from` on, below `end`, that matches.
    pub(super) fn first_match(
        &self,
        query: &Query,
        from: Position,
        end: Position,
    ) -> Result<Option<Position>, ReadError> {
        let segments = self.segments();
        let skip = segments.partition_point(|segment| segment.header.base <= from).saturating_sub(1);
        for segment in segments.iter().skip(skip) {
            let row = match rows_of(segment, from, Direction::Forward, query, (end, 1))? {
                Rows::Run(row, count) => (count > 0).then_some(row),
                Rows::Listed(rows) => rows.first().copied(),
            };
            if let Some(row) = row {
                return Ok(Some(segment.position(row)));
            }
        }
        Ok(None)
    }

    pub(super) fn last_position_at(&self, time: Timestamp) -> Result<Option<Position>, ReadError> {
        let tail = self.tail();
        let segments = self.segments();
        // A segment's header holds the time of the last record before it.
        let after = segments
            .partition_point(|segment| segment.header.base.get() == 0 || segment.header.last_record_time <= time);
        let Some(segment) = after.checked_sub(1).and_then(|index| segments.get(index)) else { return Ok(None) };
        let (mut low, mut high) = (0, segment.rows_below(tail).min(rows_in(&segments, after, segment)));
        while low < high {
            let middle = low.midpoint(high);
            if segment.record_time(middle)? <= time { low = middle + 1 } else { high = middle }
        }
        Ok(segment.position(low).previous())
    }
}

/// The rows from `row` on at these offsets, in parts that are read in one go.
fn parts(row: u32, offsets: &[u32]) -> Vec<(u32, &[u32])> {
    let mut parts = Vec::new();
    let (mut row, mut rest) = (row, offsets);
    while let Some(start) = rest.first().copied() {
        let count = rest.iter().take_while(|offset| **offset - start < READ_BYTES).count().max(1);
        let (now, later) = rest.split_at(count);
        parts.push((row, now));
        row += count as u32;
        rest = later;
    }
    parts
}

/// The number of rows of a segment when another one follows it.
fn rows_in(segments: &[Arc<Segment>], next: usize, segment: &Segment) -> u32 {
    segments.get(next).map_or(u32::MAX, |next| segment.rows_below(next.header.base))
}

/// Which rows of a segment are read.
enum Rows {
    /// So many from a row on, all of them.
    Run(u32, u32),
    /// These, in the direction of the read.
    Listed(Vec<u32>),
}

/// How many rows are looked through first for each that is wanted, and by how much more each time that they were too few.
const FIRST_STRETCH: u32 = 16;
const STRETCH_GROWTH: u32 = 8;

/// The first `limit` rows of one segment in the direction, below `end`, that match.
fn rows_of(
    segment: &Segment,
    from: Position,
    direction: Direction,
    query: &Query,
    (end, limit): (Position, usize),
) -> Result<Rows, ReadError> {
    let index = segment.index.read();
    let count = match &*index {
        Index::Memory(index) => index.offsets.len() as u32,
        Index::File(index) => index.rows(),
    };
    let count = count.min(segment.rows_below(end));
    let base = segment.header.base;
    let (low, high) = match direction {
        Direction::Forward => (segment.rows_below(from).min(count), count),
        Direction::Backward if from < base => (0, 0),
        Direction::Backward => (0, count.min(segment.rows_below(from.next()))),
    };
    if query.items.is_empty() {
        let taken = (high - low).min(u32::try_from(limit).unwrap_or(u32::MAX));
        return Ok(Rows::Run(if direction == Direction::Forward { low } else { high - taken }, taken));
    }
    // A page near the end of a segment must not look at all of it, so that rows are looked through in stretches, longer ones as long as few match.
    let (mut low, mut high, mut stretch) =
        (low, high, u32::try_from(limit).unwrap_or(u32::MAX).saturating_mul(FIRST_STRETCH));
    let mut listed = Vec::new();
    while low < high && listed.len() < limit {
        let wanted = limit - listed.len();
        match direction {
            Direction::Forward => {
                let end = low.saturating_add(stretch).min(high);
                listed.extend(index.matching(query, &(low..end))?.into_iter().take(wanted));
                low = end;
            }
            Direction::Backward => {
                let start = high.saturating_sub(stretch).max(low);
                listed.extend(index.matching(query, &(start..high))?.into_iter().rev().take(wanted));
                high = start;
            }
        }
        stretch = stretch.saturating_mul(STRETCH_GROWTH);
    }
    Ok(Rows::Listed(listed))
}
