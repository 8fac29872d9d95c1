//! Reading a sealed segment: records as they were, frames put together again from their chunks.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::block::{Block, Body};
use super::cache::{Cache, Kept, Key, Part as CachePart};
use super::chunk::{Chunk, Page, PagePlace};
use super::columns::{Regrown, in_order};
use super::layout::{self, ChunkPlace, Directory, Facts, TRAILER_BYTES, Trailer};
use crate::checksum;
use crate::embedded::codec::{RECORD_PREFIX, Stored};
use crate::embedded::disk::DiskFile;
use crate::embedded::error::{OpenError, read_io};
use crate::embedded::names::Names;
use crate::embedded::segment::{HEADER_BYTES, Header};
use crate::frames;
use crate::{PayloadState, Position, ReadError, Record};

/// What a read holds of the chunks of one frame for the next one, about; where they take more, each frame asks the cache.
const OPEN_BYTES: usize = 64 * 1024 * 1024;

/// The rows that are read at once. Frames of the same signals are put together side by side, chunk by chunk, so that each page is gone to once for all of them.
const ROWS_AT_ONCE: usize = 8;

/// A sealed segment that is open for reading. What was decoded is kept in the log's cache.
#[derive(Debug)]
pub(in crate::embedded) struct SealedFile {
    pub(in crate::embedded) header: Header,
    pub(in crate::embedded) facts: Facts,
    pub(in crate::embedded) trailer: Trailer,
    pub(in crate::embedded) name: String,
    pub(in crate::embedded) file: Arc<dyn DiskFile>,
    cache: Arc<Cache>,
    number_in_cache: u64,
}

impl SealedFile {
    /// Reads header and trailer.
    pub(in crate::embedded) fn open(
        name: String,
        file: Arc<dyn DiskFile>,
        cache: &Arc<Cache>,
    ) -> Result<Self, OpenError> {
        let failed = || OpenError::io("reading", &name);
        let mut head = vec![0; usize::try_from(HEADER_BYTES).unwrap_or(0)];
        let read = file.read_up_to(&mut head, 0).map_err(failed())?;
        head.truncate(read);
        let (header, facts) = layout::read_header(&head, &name)?;
        let bytes = file.len().map_err(failed())?;
        let mut tail = vec![0; TRAILER_BYTES];
        let read = file.read_up_to(&mut tail, bytes.saturating_sub(TRAILER_BYTES as u64)).map_err(failed())?;
        tail.truncate(read);
        let trailer = Trailer::read(&tail, bytes, header.seed());
        let trailer = trailer.ok_or_else(|| OpenError::corrupt(header.base, &name, "its trailer does not fit"))?;
        let number_in_cache = cache.next_file();
        Ok(Self { header, facts, trailer, name, file, cache: Arc::clone(cache), number_in_cache })
    }

    pub(super) fn position(&self, row: u32) -> Position {
        self.header.base.plus(u64::from(row))
    }

    pub(super) fn corrupt(&self, row: u32, reason: impl Into<String>) -> ReadError {
        ReadError::Corrupt { position: self.position(row), file: self.name.clone(), reason: reason.into() }
    }

    /// Bytes whose checksum fits; `row` is the first one that cannot be read without them.
    fn fetch(&self, what: &str, row: u32, (at, bytes): (u64, usize), checksum: u32) -> Result<Vec<u8>, ReadError> {
        let mut reason = "";
        // What came wrong over a network may come right: it is read twice before it counts as damage.
        for _ in 0..2 {
            let mut found = Vec::new();
            let read = self.file.read_append(&mut found, bytes, at).map_err(read_io(&self.name))?;
            match checksum::crc32c_append(self.header.seed(), &found) == checksum {
                true if read == bytes => return Ok(found),
                _ if read < bytes => reason = "the file ends within",
                _ => reason = "the checksum does not fit:",
            }
            self.file.forget();
        }
        Err(self.corrupt(row, format!("{reason} {what}")))
    }

    /// What the cache has, or what is read now and kept.
    fn kept<T>(
        &self,
        part: CachePart,
        pick: impl FnOnce(Kept) -> Option<Arc<T>>,
        read: impl FnOnce() -> Result<(T, usize), ReadError>,
        wrap: impl FnOnce(Arc<T>) -> Kept,
    ) -> Result<Arc<T>, ReadError> {
        let key = Key { file: self.number_in_cache, part };
        if let Some(found) = self.cache.get(key).and_then(pick) {
            return Ok(found);
        }
        let (value, bytes) = read()?;
        let value = Arc::new(value);
        self.cache.put(key, wrap(Arc::clone(&value)), bytes);
        Ok(value)
    }

    pub(super) fn directory(&self) -> Result<Arc<Directory>, ReadError> {
        let pick = |kept| if let Kept::Directory(directory) = kept { Some(directory) } else { None };
        let read = || {
            let place = (self.trailer.directory_at, usize::try_from(self.trailer.directory_bytes()).unwrap_or(0));
            let stored = self.fetch("the directory", 0, place, self.trailer.directory_checksum)?;
            let directory = Directory::read(&stored, &self.trailer, &self.facts);
            let directory = directory.ok_or_else(|| self.corrupt(0, "the directory does not fit together"))?;
            let memory = directory.memory();
            Ok((directory, memory))
        };
        self.kept(CachePart::Directory, pick, read, Kept::Directory)
    }

    fn block(&self, directory: &Directory, index: u32) -> Result<Arc<Block>, ReadError> {
        let pick = |kept| if let Kept::Block(block) = kept { Some(block) } else { None };
        let read = || {
            let place = directory.blocks.get(index as usize).ok_or_else(|| self.corrupt(0, "a block is missing"))?;
            let what = format!("block {index}");
            let stored = self.fetch(&what, place.first_row, (place.offset, place.bytes as usize), place.checksum)?;
            let block = Block::read(&stored, place.raw_bytes).filter(|block| block.rows() == place.rows as usize);
            let block = block.ok_or_else(|| self.corrupt(place.first_row, format!("{what} does not fit together")))?;
            let memory = block.memory();
            Ok((block, memory))
        };
        self.kept(CachePart::Block(index), pick, read, Kept::Block)
    }

    pub(super) fn chunk(&self, place: &ChunkPlace, index: u32, row: u32) -> Result<Arc<Chunk>, ReadError> {
        let pick = |kept| if let Kept::Chunk(chunk) = kept { Some(chunk) } else { None };
        let read = || {
            let what = format!("the head of chunk {index}");
            let stored = self.fetch(&what, row, (place.offset, place.meta_bytes as usize), place.meta_checksum)?;
            let chunk = Chunk::read(&stored, place.meta_raw_bytes, place.kind, place.rows);
            let chunk = chunk.ok_or_else(|| self.corrupt(row, format!("chunk {index} does not fit together")))?;
            let memory = chunk.memory(place.meta_raw_bytes);
            Ok((chunk, memory))
        };
        self.kept(CachePart::Chunk(index), pick, read, Kept::Chunk)
    }

    pub(super) fn page(
        &self,
        (chunk, place, index): (&Chunk, &ChunkPlace, u32),
        page: u32,
        row: u32,
    ) -> Result<Arc<Page>, ReadError> {
        let pick = |kept| if let Kept::Page(page) = kept { Some(page) } else { None };
        let read = || {
            let what = format!("page {page} of chunk {index}");
            let missing = || self.corrupt(row, format!("{what} is missing"));
            let in_chunk: &PagePlace = chunk.pages.get(page as usize).ok_or_else(missing)?;
            let at = place.offset + u64::from(in_chunk.offset);
            let bytes = self.fetch(&what, row, (at, in_chunk.bytes()), in_chunk.checksum)?;
            let decoded = chunk.page(in_chunk, &bytes);
            let decoded = decoded.ok_or_else(|| self.corrupt(row, format!("{what} does not fit together")))?;
            let memory = decoded.memory();
            Ok((decoded, memory))
        };
        self.kept(CachePart::Page(index, page), pick, read, Kept::Page)
    }

    /// Hands over these rows in order.
    pub(in crate::embedded) fn records(
        &self,
        row: u32,
        count: u32,
        names: &mut Names,
        mut visit: impl FnMut(Record),
    ) -> Result<(), ReadError> {
        let Some(last) = count.checked_sub(1).and_then(|more| row.checked_add(more)) else { return Ok(()) };
        self.stored(row..=last, names, |stored| {
            visit(stored.record);
            Ok(())
        })
    }

    /// Visits these rows in order.
    pub(in crate::embedded) fn stored<E: From<ReadError>>(
        &self,
        rows: RangeInclusive<u32>,
        names: &mut Names,
        mut visit: impl FnMut(Stored) -> Result<(), E>,
    ) -> Result<(), E> {
        let directory = self.directory()?;
        let mut open = Open::default();
        for first in rows.clone().step_by(ROWS_AT_ONCE) {
            let rows = first..=first.saturating_add(ROWS_AT_ONCE as u32 - 1).min(*rows.end());
            match self.group(&directory, rows.clone(), names, &mut open) {
                Ok(group) => group.into_iter().try_for_each(&mut visit)?,
                // One after the other, so that the error is that of the first row that cannot be read.
                Err(_) => {
                    for row in rows {
                        self.group(&directory, row..=row, names, &mut open)?.into_iter().try_for_each(&mut visit)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A few rows in order.
    fn group(
        &self,
        directory: &Directory,
        rows: RangeInclusive<u32>,
        names: &mut Names,
        open: &mut Open,
    ) -> Result<Vec<Stored>, ReadError> {
        let mut group = Vec::with_capacity(ROWS_AT_ONCE);
        let mut frames = Vec::new();
        for row in rows {
            let index = directory.block_of(row).ok_or_else(|| self.corrupt(row, "no block holds it"))?;
            let block = match &open.block {
                Some((at, block)) if *at == index => Arc::clone(block),
                _ => self.block(directory, index)?,
            };
            let first = directory.blocks.get(index as usize).map_or(0, |place| place.first_row);
            let (mut stored, body) = block
                .record((row - first) as usize, names)
                .ok_or_else(|| self.corrupt(row, "the fields of the record do not fit together"))?;
            if stored.record.position != self.position(row) {
                return Err(self.corrupt(row, "another record stands in its place"));
            }
            match (body, stored.record.payload_state) {
                (Body::Inline(payload), PayloadState::Present) => stored.record.payload = payload.clone(),
                (Body::Regrouped(chunks), PayloadState::Present) => {
                    frames.push(Parted { row, place: group.len(), chunks: Arc::clone(chunks) });
                }
                (Body::Dropped, PayloadState::Dropped) => {}
                _ => return Err(self.corrupt(row, "its payload is not what its header says")),
            }
            open.block = Some((index, Arc::clone(&block)));
            group.push(stored);
        }
        while let Some(chunks) = frames.first().map(|frame| Arc::clone(&frame.chunks)) {
            let (now, later): (Vec<Parted>, _) = frames.into_iter().partition(|frame| frame.chunks == chunks);
            let payloads = self.payloads(directory, &now, &chunks, &mut open.chunks)?;
            for (frame, payload) in now.iter().zip(payloads) {
                if let Some(stored) = group.get_mut(frame.place) {
                    stored.record.payload = payload;
                }
            }
            frames = later;
        }
        Ok(group)
    }

    /// The record in this row without its payload.
    pub(in crate::embedded) fn head(&self, row: u32) -> Result<Record, ReadError> {
        let directory = self.directory()?;
        let index = directory.block_of(row).ok_or_else(|| self.corrupt(row, "no block holds it"))?;
        let first = directory.blocks.get(index as usize).map_or(0, |place| place.first_row);
        let block = self.block(&directory, index)?;
        let found = block.record((row - first) as usize, &mut Names::default()).map(|(stored, _)| stored.record);
        found.ok_or_else(|| self.corrupt(row, "the fields of the record do not fit together"))
    }

    /// Visits these rows in order, each as a record in a segment begins: a prefix that says nothing, the header, no payload.
    pub(in crate::embedded) fn heads(
        &self,
        row: u32,
        count: u32,
        mut visit: impl FnMut(u32, &[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let directory = self.directory()?;
        let mut head = Vec::new();
        for row in row..row.saturating_add(count) {
            let index = directory.block_of(row).ok_or_else(|| self.corrupt(row, "no block holds it"))?;
            let first = directory.blocks.get(index as usize).map_or(0, |place| place.first_row);
            let block = self.block(&directory, index)?;
            let header = block.header((row - first) as usize);
            head.clear();
            head.extend([0; RECORD_PREFIX]);
            head.extend(header.ok_or_else(|| self.corrupt(row, "the fields of the record do not fit together"))?);
            head.extend([0; 4]);
            visit(row, &head)?;
        }
        Ok(())
    }

    /// Puts frames together again that have parts in the same chunks.
    fn payloads(
        &self,
        directory: &Directory,
        frames: &[Parted],
        chunks: &[u32],
        open: &mut Vec<Option<OpenChunk>>,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut regrown: Vec<Regrown> = frames.iter().map(|_| Regrown::default()).collect();
        open.resize_with(chunks.len(), || None);
        for (slot, index) in open.iter_mut().zip(chunks) {
            for (row, regrown) in frames.iter().map(|frame| frame.row).zip(&mut regrown) {
                let missing = || self.corrupt(row, format!("chunk {index} does not hold its part of the frame"));
                let place = directory.chunks.get(*index as usize).ok_or_else(missing)?;
                let opened = match slot {
                    Some(opened) if opened.index == *index => opened,
                    _ => slot.insert(OpenChunk {
                        index: *index,
                        chunk: self.chunk(place, *index, row)?,
                        part: 0,
                        page: None,
                    }),
                };
                let (number, part) =
                    opened.chunk.part(row, opened.part).filter(|(_, part)| part.count > 0).ok_or_else(missing)?;
                opened.part = number + 1;
                let readings = part.start..part.start + part.count;
                regrown.begin(place.kind).ok_or_else(missing)?;
                for wanted in opened.chunk.page_of(readings.start)..=opened.chunk.page_of(readings.end - 1) {
                    let page = match &mut opened.page {
                        Some((number, page)) if *number == wanted => page,
                        page => {
                            let read = self.page((&opened.chunk, place, *index), wanted, row)?;
                            &mut page.insert((wanted, read)).1
                        }
                    };
                    page.append_to(regrown, &readings);
                }
                let signal = directory.signals.get(place.signal as usize).ok_or_else(missing)?;
                regrown.end(Arc::clone(signal), place.kind, part.first_row);
            }
            let raw_bytes = directory.chunks.get(*index as usize).map_or(0, |place| place.meta_raw_bytes);
            let memory = |opened: &OpenChunk| opened.memory(raw_bytes).saturating_mul(chunks.len());
            *slot = slot.take().filter(|opened| memory(opened) <= OPEN_BYTES);
        }
        let payload = |(frame, regrown): (&Parted, Regrown)| {
            let columns = regrown.finish();
            if !in_order(&columns) {
                return Err(self.corrupt(frame.row, "the columns of the frame do not follow each other"));
            }
            frames::payload(&columns).map_err(|error| self.corrupt(frame.row, error.to_string()))
        };
        frames.iter().zip(regrown).map(payload).collect()
    }
}

/// What a read holds open for the next rows.
#[derive(Default)]
struct Open {
    block: Option<(u32, Arc<Block>)>,
    chunks: Vec<Option<OpenChunk>>,
}

/// A frame whose readings are in chunks.
struct Parted {
    row: u32,
    /// Its place among the rows that are read at once.
    place: usize,
    chunks: Arc<[u32]>,
}

/// A chunk that the frames before had parts of: the next frame most likely has the next part, in the same page.
struct OpenChunk {
    index: u32,
    chunk: Arc<Chunk>,
    part: usize,
    page: Option<(u32, Arc<Page>)>,
}

impl OpenChunk {
    fn memory(&self, meta_raw_bytes: u32) -> usize {
        self.chunk.memory(meta_raw_bytes) + self.page.as_ref().map_or(0, |(_, page)| page.memory())
    }
}
