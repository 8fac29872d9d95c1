//! Readings of one signal from a sealed segment: only chunks and pages whose times are within the span.

use std::sync::Arc;

use super::chunk::{Chunk, Page};
use super::columns::Part;
use super::layout::{ChunkPlace, Directory};
use super::read::SealedFile;
use crate::readings::{Filling, ReadingAddress, ReadingsQuery, SignalReading};
use crate::{Position, ReadError};

/// The parts of one kind, in the order of their frames.
struct Parts<'a> {
    /// The chunks that are not opened yet.
    places: std::slice::Iter<'a, ChunkPlace>,
    /// The number of the next one.
    number: u32,
    open: Option<(Arc<Chunk>, &'a ChunkPlace, u32)>,
    at: usize,
    /// The page that was used last.
    page: Option<(u32, u32, Arc<Page>)>,
}

impl SealedFile {
    /// Fills the page with what this segment has. `false` when it is full.
    pub(in crate::embedded) fn readings(
        &self,
        query: &ReadingsQuery,
        below: Position,
        filling: &mut Filling,
    ) -> Result<bool, ReadError> {
        let directory = self.directory()?;
        let base = self.header.base.get();
        let first = u32::try_from(query.start.position.get().saturating_sub(base)).unwrap_or(u32::MAX);
        let end = u32::try_from(below.get().saturating_sub(base)).unwrap_or(u32::MAX);
        let mut kinds = self.kinds(&directory, &query.signal);
        if !kinds.is_empty() {
            filling.page.touched.segments += 1;
        }
        loop {
            // The kinds of one signal are apart in the directory, and beside each other in a frame.
            let mut nearest: Option<(usize, Part)> = None;
            for (index, parts) in kinds.iter_mut().enumerate() {
                let Some(part) = self.next_part(parts, first, filling)? else { continue };
                let before = |(_, other): &(usize, Part)| (part.row, part.first_row) < (other.row, other.first_row);
                if nearest.as_ref().is_none_or(before) {
                    nearest = Some((index, part));
                }
            }
            let Some((index, part)) = nearest.filter(|(_, part)| part.row < end) else { return Ok(true) };
            let Some(parts) = kinds.get_mut(index) else { return Ok(true) };
            if !self.take_part(parts, part, query.start, filling)? {
                return Ok(false);
            }
            parts.at += 1;
        }
    }

    fn kinds<'a>(&self, directory: &'a Directory, signal: &str) -> Vec<Parts<'a>> {
        let range = directory.chunks_of(signal);
        let mut number = u32::try_from(range.start).unwrap_or(u32::MAX);
        let chunks = directory.chunks.get(range).unwrap_or_default();
        let mut kinds = Vec::new();
        for places in chunks.chunk_by(|one, two| one.kind == two.kind) {
            kinds.push(Parts { places: places.iter(), number, open: None, at: 0, page: None });
            number += places.len() as u32;
        }
        kinds
    }

    /// The next part in a frame from this row on, in a chunk that has times of the span.
    fn next_part(&self, parts: &mut Parts<'_>, first: u32, filling: &mut Filling) -> Result<Option<Part>, ReadError> {
        loop {
            if let Some((chunk, ..)) = &parts.open {
                if let Some(part) = chunk.parts.get(parts.at) {
                    return Ok(Some(*part));
                }
                parts.open = None;
            }
            let Some(place) = parts.places.next() else { return Ok(None) };
            let number = parts.number;
            parts.number += 1;
            if place.frames.1 < first || !filling.overlaps(place.min_time_ns, place.max_time_ns) {
                continue;
            }
            let chunk = self.chunk(place, number, place.frames.0)?;
            filling.page.touched.chunks += 1;
            filling.page.touched.bytes += u64::from(place.meta_bytes);
            parts.at = chunk.parts.partition_point(|part| part.row < first);
            parts.open = Some((chunk, place, number));
        }
    }

    /// Takes what a part has within the span. `false` when the page is full.
    fn take_part(
        &self,
        parts: &mut Parts<'_>,
        part: Part,
        start: ReadingAddress,
        filling: &mut Filling,
    ) -> Result<bool, ReadError> {
        let Some((chunk, place, number)) = &parts.open else { return Ok(true) };
        let position = self.position(part.row);
        let readings = part.start..part.start + part.count;
        let pages = chunk.page_of(readings.start)..=chunk.page_of(readings.end.saturating_sub(1));
        for index in pages {
            let Some(in_chunk) = chunk.pages.get(index as usize) else { continue };
            if !filling.overlaps(in_chunk.min_time_ns, in_chunk.max_time_ns) {
                continue;
            }
            let page = match &parts.page {
                Some((of, at, page)) if (*of, *at) == (*number, index) => Arc::clone(page),
                _ => {
                    filling.page.touched.bytes += in_chunk.bytes() as u64;
                    self.page((chunk, place, *number), index, part.row)?
                }
            };
            parts.page = Some((*number, index, Arc::clone(&page)));
            for reading in readings.start.max(in_chunk.first)..readings.end.min(in_chunk.first + in_chunk.rows) {
                let address = ReadingAddress { position, row: part.first_row + (reading - part.start) };
                let at = (reading - in_chunk.first) as usize;
                let Some(time_ns) = page.times_ns.get(at).copied().filter(|_| address >= start) else { continue };
                let taken = filling.take(time_ns, |time| {
                    let (sequence, status) = (page.sequence(at), page.status(at));
                    Some(SignalReading { address, time, sequence, value: page.values.get(at)?, status })
                });
                if !taken {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
