//! A chunk: readings of one signal and kind from many frames, in pages that are decoded one by one.
//!
//! What belongs to the whole chunk (which frames it has parts of, how its numbers are packed, where its pages are) comes first, compressed. Each page
//! holds times, sequences, values and statuses of the same rows. docs/log-format.md has the bytes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::bytes::{Cursor, bits, compress, decompress, put_bits, put_bytes, put_signed, put_varint};
use super::columns::{Gathered, Lists, Part, Regrown};
use super::numbers::{Packed, Unpacker, pack};
use crate::checksum;
use crate::frames::StatusCode;

/// The most readings of a chunk that this program reads.
pub(super) const MAX_CHUNK_ROWS: u32 = 1 << 20;

/// The streams of a page.
const STREAMS: usize = 4;

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const MIXED: u8 = 2;
const SAME: u8 = 0;
const EACH: u8 = 1;

const META_LEVEL: i32 = 3;

/// A chunk in bytes, and what the directory says about it.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) meta_bytes: u32,
    pub(super) meta_raw_bytes: u32,
    pub(super) meta_checksum: u32,
}

/// A column of a chunk: what belongs to the whole, and its part of each page.
struct Stream {
    meta: Vec<u8>,
    pages: Vec<Vec<u8>>,
}

impl From<Packed> for Stream {
    fn from(packed: Packed) -> Self {
        Self { meta: packed.meta, pages: packed.pages }
    }
}

impl Stream {
    fn prefixed(self, byte: u8) -> Self {
        let mut meta = vec![byte];
        meta.extend(self.meta);
        Self { meta, pages: self.pages }
    }
}

/// Writes a chunk with pages of so many readings.
pub(super) fn write(gathered: &Gathered, page_rows: u32, seed: u32) -> std::io::Result<Written> {
    let rows = gathered.len();
    let pages = page_ranges(rows, page_rows);
    let lengths: Vec<usize> = pages.iter().map(Range::len).collect();
    let streams = [
        pack(&gathered.times_ns, &lengths)?.into(),
        pack_sequences(&gathered.sequences, &pages, &lengths)?,
        pack_values(&gathered.values, &pages, &lengths)?,
        pack_statuses(&gathered.statuses, &pages),
    ];
    let mut meta = Vec::new();
    put_parts(&mut meta, &gathered.parts);
    put_varint(&mut meta, u64::from(page_rows));
    for stream in &streams {
        put_bytes(&mut meta, &stream.meta);
    }
    let mut body = Vec::new();
    for (page, range) in pages.iter().enumerate() {
        let start = body.len();
        for stream in &streams {
            let bytes = stream.pages.get(page).map(Vec::as_slice).unwrap_or_default();
            put_varint(&mut meta, bytes.len() as u64);
            body.extend(bytes);
        }
        let times = gathered.times_ns.get(range.clone()).unwrap_or_default();
        put_signed(&mut meta, times.iter().copied().min().unwrap_or(0));
        put_signed(&mut meta, times.iter().copied().max().unwrap_or(0));
        meta.extend(checksum::crc32c_append(seed, body.get(start..).unwrap_or_default()).to_le_bytes());
    }
    let mut bytes = compress(&meta, META_LEVEL)?;
    let too_long = |_| std::io::Error::other("a chunk has more than 4 GiB");
    let written = Written {
        meta_bytes: bytes.len().try_into().map_err(too_long)?,
        meta_raw_bytes: meta.len().try_into().map_err(too_long)?,
        meta_checksum: checksum::crc32c_append(seed, &bytes),
        bytes: Vec::new(),
    };
    bytes.append(&mut body);
    Ok(Written { bytes, ..written })
}

fn page_ranges(rows: usize, page_rows: u32) -> Vec<Range<usize>> {
    (0..rows).step_by(page_rows.max(1) as usize).map(|start| start..rows.min(start + page_rows as usize)).collect()
}

/// Column by column, since each of them changes little from frame to frame.
fn put_parts(out: &mut Vec<u8>, parts: &[Part]) {
    put_varint(out, parts.len() as u64);
    let mut before = 0;
    for part in parts {
        put_varint(out, u64::from(part.row - before));
        before = part.row;
    }
    parts.iter().for_each(|part| put_varint(out, u64::from(part.count)));
    let mut before = 0;
    for part in parts {
        put_signed(out, i64::from(part.first_row) - before);
        before = i64::from(part.first_row);
    }
}

fn parts(cursor: &mut Cursor<'_>) -> Option<Vec<Part>> {
    let count = cursor.length()?;
    let mut parts = Vec::with_capacity(count);
    let mut row = 0_u32;
    for _ in 0..count {
        row = row.checked_add(cursor.small()?)?;
        parts.push(Part { row, start: 0, count: 0, first_row: 0 });
    }
    let mut start = 0_u32;
    for part in &mut parts {
        part.count = cursor.small()?;
        part.start = start;
        start = start.checked_add(part.count)?;
    }
    let mut first_row = 0_i64;
    for part in &mut parts {
        first_row = first_row.checked_add(cursor.signed()?)?;
        part.first_row = first_row.try_into().ok()?;
    }
    Some(parts)
}

fn pack_sequences(sequences: &[Option<u64>], pages: &[Range<usize>], lengths: &[usize]) -> std::io::Result<Stream> {
    if sequences.iter().all(Option::is_none) {
        return Ok(Stream { meta: vec![ABSENT], pages: vec![Vec::new(); pages.len()] });
    }
    let mut before = 0;
    let counts: Vec<u64> = sequences
        .iter()
        .map(|sequence| {
            before = sequence.unwrap_or(before);
            before
        })
        .collect();
    let packed = Stream::from(pack(&counts, lengths)?);
    if sequences.iter().all(Option::is_some) {
        return Ok(packed.prefixed(PRESENT));
    }
    let mut stream = packed.prefixed(MIXED);
    for (page, range) in stream.pages.iter_mut().zip(pages) {
        let has: Vec<bool> = sequences.get(range.clone()).unwrap_or_default().iter().map(Option::is_some).collect();
        let mut bytes = Vec::new();
        put_bits(&mut bytes, &has);
        bytes.append(page);
        *page = bytes;
    }
    Ok(stream)
}

fn pack_values(values: &Lists, pages: &[Range<usize>], lengths: &[usize]) -> std::io::Result<Stream> {
    match values {
        Lists::Boolean(values) => Ok(pack_booleans(values, pages)),
        Lists::Integer(values) => Ok(pack(values, lengths)?.into()),
        Lists::Float(values) => Ok(pack(values, lengths)?.into()),
        Lists::Text(values) => {
            let mut dictionary: HashMap<&str, u64> = HashMap::new();
            let mut texts = Vec::new();
            let mut different = 0;
            let mut indexes = Vec::with_capacity(values.len());
            for value in values {
                indexes.push(*dictionary.entry(value).or_insert_with(|| {
                    put_bytes(&mut texts, value.as_bytes());
                    different += 1;
                    different - 1
                }));
            }
            let packed = pack(&indexes, lengths)?;
            let mut meta = Vec::new();
            put_varint(&mut meta, different);
            meta.append(&mut texts);
            meta.extend(packed.meta);
            Ok(Stream { meta, pages: packed.pages })
        }
    }
}

fn pack_booleans(values: &[bool], pages: &[Range<usize>]) -> Stream {
    let first = values.first().copied().unwrap_or(false);
    if values.iter().all(|value| *value == first) {
        return Stream { meta: vec![SAME, u8::from(first)], pages: vec![Vec::new(); pages.len()] };
    }
    let packed = |range: &Range<usize>| {
        let mut bytes = Vec::new();
        put_bits(&mut bytes, values.get(range.clone()).unwrap_or_default());
        bytes
    };
    Stream { meta: vec![EACH], pages: pages.iter().map(packed).collect() }
}

fn pack_statuses(statuses: &[u32], pages: &[Range<usize>]) -> Stream {
    let first = statuses.first().copied().unwrap_or(0);
    if statuses.iter().all(|status| *status == first) {
        let mut meta = vec![SAME];
        meta.extend(first.to_le_bytes());
        return Stream { meta, pages: vec![Vec::new(); pages.len()] };
    }
    let packed = |range: &Range<usize>| {
        let mut bytes = Vec::new();
        for run in statuses.get(range.clone()).unwrap_or_default().chunk_by(PartialEq::eq) {
            put_varint(&mut bytes, run.len() as u64);
            bytes.extend(run.first().copied().unwrap_or(0).to_le_bytes());
        }
        bytes
    };
    Stream { meta: vec![EACH], pages: pages.iter().map(packed).collect() }
}

/// What belongs to a whole chunk.
#[derive(Debug)]
pub(in crate::embedded) struct Chunk {
    /// The parts of frames, ascending by row.
    pub(super) parts: Vec<Part>,
    pub(super) pages: Vec<PagePlace>,
    page_rows: u32,
    times: Unpacker<i64>,
    sequences: SequenceUnpacker,
    values: ValueUnpacker,
    statuses: Option<u32>,
}

/// Where a page is, and what times it has.
#[derive(Clone, Debug)]
pub(super) struct PagePlace {
    /// Its first reading in the chunk.
    pub(super) first: u32,
    pub(super) rows: u32,
    /// From the start of the chunk.
    pub(super) offset: u32,
    lengths: [u32; STREAMS],
    pub(super) min_time_ns: i64,
    pub(super) max_time_ns: i64,
    pub(super) checksum: u32,
}

impl PagePlace {
    pub(super) fn bytes(&self) -> usize {
        self.lengths.iter().map(|length| *length as usize).sum()
    }
}

#[derive(Debug)]
enum SequenceUnpacker {
    Absent,
    Present(Unpacker<u64>),
    Mixed(Unpacker<u64>),
}

#[derive(Debug)]
enum ValueUnpacker {
    Same(bool),
    Booleans,
    Integers(Unpacker<i64>),
    Floats(Unpacker<f64>),
    Texts(Vec<Arc<str>>, Unpacker<u64>),
}

/// Some rows of a chunk, decoded.
#[derive(Debug)]
pub(in crate::embedded) struct Page {
    first: u32,
    pub(super) times_ns: Vec<i64>,
    sequences: Counts,
    pub(super) values: Lists,
    statuses: Codes,
}

#[derive(Debug)]
enum Counts {
    Absent,
    Present(Vec<u64>),
    Mixed(Vec<bool>, Vec<u64>),
}

#[derive(Debug)]
enum Codes {
    Same(u32),
    Each(Vec<u32>),
}

impl Chunk {
    /// Reads what belongs to the whole chunk; `rows` is what the directory says, and so is everything that `stored` must fit to.
    pub(super) fn read(stored: &[u8], raw_bytes: u32, kind: u8, rows: u32) -> Option<Self> {
        let meta = decompress(stored, raw_bytes as usize)?;
        let mut cursor = Cursor::new(&meta);
        let parts = parts(&mut cursor)?;
        let counted: u64 = parts.iter().map(|part| u64::from(part.count)).sum();
        let page_rows = cursor.small()?;
        if rows == 0 || rows > MAX_CHUNK_ROWS || counted != u64::from(rows) || page_rows == 0 {
            return None;
        }
        let mut section = || {
            let bytes = cursor.length()?;
            Some(Cursor::new(cursor.take(bytes)?))
        };
        let (mut times, mut sequences, mut values, mut statuses) = (section()?, section()?, section()?, section()?);
        let times = whole(Unpacker::read(&mut times)?, &times)?;
        let sequences = SequenceUnpacker::read(&mut sequences)?;
        let values = ValueUnpacker::read(&mut values, kind)?;
        let statuses = match statuses.u8()? {
            SAME => Some(statuses.u32()?),
            EACH => None,
            _ => return None,
        };
        let mut pages = Vec::new();
        let mut offset = u32::try_from(stored.len()).ok()?;
        for range in page_ranges(rows as usize, page_rows) {
            let mut lengths = [0; STREAMS];
            for length in &mut lengths {
                *length = cursor.small()?;
            }
            let place = PagePlace {
                first: range.start as u32,
                rows: range.len() as u32,
                offset,
                lengths,
                min_time_ns: cursor.signed()?,
                max_time_ns: cursor.signed()?,
                checksum: cursor.u32()?,
            };
            offset = lengths.iter().try_fold(offset, |offset, length| offset.checked_add(*length))?;
            pages.push(place);
        }
        cursor.is_empty().then_some(Self { parts, pages, page_rows, times, sequences, values, statuses })
    }

    /// The part of the frame in this row, and its number; it is looked for first where it is guessed.
    pub(super) fn part(&self, row: u32, guess: usize) -> Option<(usize, Part)> {
        if let Some(part) = self.parts.get(guess).filter(|part| part.row == row) {
            return Some((guess, *part));
        }
        let index = self.parts.binary_search_by_key(&row, |part| part.row).ok()?;
        Some((index, *self.parts.get(index)?))
    }

    /// The page that holds this reading of the chunk.
    pub(super) fn page_of(&self, reading: u32) -> u32 {
        reading / self.page_rows
    }

    /// Decodes a page whose checksum fits.
    pub(super) fn page(&self, place: &PagePlace, bytes: &[u8]) -> Option<Page> {
        let mut cursor = Cursor::new(bytes);
        let [times, sequences, values, statuses] = place.lengths;
        let mut stream = |length: u32| cursor.take(length as usize);
        let (times, sequences) = (stream(times)?, stream(sequences)?);
        let (values, statuses) = (stream(values)?, stream(statuses)?);
        let (first, rows) = (place.first as usize, place.rows as usize);
        Some(Page {
            first: place.first,
            times_ns: self.times.page(times, first, rows)?,
            sequences: self.sequences.page(sequences, first, rows)?,
            values: self.values.page(values, first, rows)?,
            statuses: match self.statuses {
                Some(status) => Codes::Same(status),
                None => Codes::Each(status_runs(statuses, rows)?),
            },
        })
    }

    /// What this takes in memory, roughly.
    pub(super) fn memory(&self, raw_bytes: u32) -> usize {
        let sequences = match &self.sequences {
            SequenceUnpacker::Absent => 0,
            SequenceUnpacker::Present(unpacker) | SequenceUnpacker::Mixed(unpacker) => unpacker.memory(),
        };
        let values = match &self.values {
            ValueUnpacker::Same(_) | ValueUnpacker::Booleans => 0,
            ValueUnpacker::Integers(unpacker) => unpacker.memory(),
            ValueUnpacker::Floats(unpacker) => unpacker.memory(),
            ValueUnpacker::Texts(texts, unpacker) => raw_bytes as usize + texts.len() * 32 + unpacker.memory(),
        };
        size_of::<Self>()
            + self.parts.len() * size_of::<Part>()
            + self.pages.len() * size_of::<PagePlace>()
            + self.times.memory()
            + sequences
            + values
    }
}

/// The value, when nothing follows it.
fn whole<T>(value: T, cursor: &Cursor<'_>) -> Option<T> {
    cursor.is_empty().then_some(value)
}

fn status_runs(bytes: &[u8], rows: usize) -> Option<Vec<u32>> {
    let mut cursor = Cursor::new(bytes);
    let mut codes = Vec::with_capacity(rows);
    while codes.len() < rows {
        let run = usize::try_from(cursor.varint()?).ok().filter(|run| *run > 0 && *run <= rows - codes.len())?;
        let code = cursor.u32()?;
        codes.resize(codes.len() + run, code);
    }
    whole(codes, &cursor)
}

impl SequenceUnpacker {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let read = match cursor.u8()? {
            ABSENT => Self::Absent,
            PRESENT => Self::Present(Unpacker::read(cursor)?),
            MIXED => Self::Mixed(Unpacker::read(cursor)?),
            _ => return None,
        };
        whole(read, cursor)
    }

    fn page(&self, bytes: &[u8], first: usize, rows: usize) -> Option<Counts> {
        match self {
            Self::Absent => bytes.is_empty().then_some(Counts::Absent),
            Self::Present(unpacker) => unpacker.page(bytes, first, rows).map(Counts::Present),
            Self::Mixed(unpacker) => {
                let mut cursor = Cursor::new(bytes);
                let has = bits(&mut cursor, rows)?;
                let counts = unpacker.page(bytes.get(rows.div_ceil(8)..)?, first, rows)?;
                Some(Counts::Mixed(has, counts))
            }
        }
    }
}

impl ValueUnpacker {
    fn read(cursor: &mut Cursor<'_>, kind: u8) -> Option<Self> {
        let read = match kind {
            0 => match cursor.u8()? {
                SAME => Self::Same(cursor.u8()? != 0),
                EACH => Self::Booleans,
                _ => return None,
            },
            1 => Self::Integers(Unpacker::read(cursor)?),
            2 => Self::Floats(Unpacker::read(cursor)?),
            3 => {
                let different = cursor.length()?;
                let mut texts = Vec::with_capacity(different);
                for _ in 0..different {
                    let bytes = cursor.length()?;
                    texts.push(std::str::from_utf8(cursor.take(bytes)?).ok()?.into());
                }
                Self::Texts(texts, Unpacker::read(cursor)?)
            }
            _ => return None,
        };
        whole(read, cursor)
    }

    fn page(&self, bytes: &[u8], first: usize, rows: usize) -> Option<Lists> {
        match self {
            Self::Same(value) => bytes.is_empty().then(|| Lists::Boolean(vec![*value; rows])),
            Self::Booleans => {
                let mut cursor = Cursor::new(bytes);
                let values = bits(&mut cursor, rows)?;
                whole(Lists::Boolean(values), &cursor)
            }
            Self::Integers(unpacker) => unpacker.page(bytes, first, rows).map(Lists::Integer),
            Self::Floats(unpacker) => unpacker.page(bytes, first, rows).map(Lists::Float),
            Self::Texts(texts, unpacker) => {
                let indexes = unpacker.page(bytes, first, rows)?;
                let text = |index: u64| texts.get(usize::try_from(index).ok()?).cloned();
                indexes.into_iter().map(text).collect::<Option<_>>().map(Lists::Text)
            }
        }
    }
}

impl Page {
    /// The readings of this page among those of the chunk.
    fn inside(&self, readings: &Range<u32>) -> Range<usize> {
        let end = self.first + self.times_ns.len() as u32;
        let start = readings.start.clamp(self.first, end) - self.first;
        let stop = readings.end.clamp(self.first, end) - self.first;
        start as usize..stop as usize
    }

    /// Adds those of these readings of the chunk that the page has.
    pub(super) fn append_to(&self, regrown: &mut Regrown, readings: &Range<u32>) {
        let range = self.inside(readings);
        regrown.add_times(self.times_ns.get(range.clone()).unwrap_or_default());
        match &self.sequences {
            Counts::Absent => regrown.add_sequences(range.clone().map(|_| None)),
            Counts::Present(counts) => {
                regrown.add_sequences(counts.get(range.clone()).unwrap_or_default().iter().map(|count| Some(*count)));
            }
            Counts::Mixed(..) => regrown.add_sequences(range.clone().map(|index| self.sequence(index))),
        }
        regrown.add_values(self.values.part(range.clone()));
        match &self.statuses {
            Codes::Same(code) => regrown.add_statuses(range.map(|_| StatusCode::new(*code))),
            Codes::Each(codes) => {
                regrown.add_statuses(codes.get(range).unwrap_or_default().iter().map(|code| StatusCode::new(*code)));
            }
        }
    }

    /// The sequence in this place of the page.
    pub(super) fn sequence(&self, index: usize) -> Option<u64> {
        match &self.sequences {
            Counts::Absent => None,
            Counts::Present(counts) => counts.get(index).copied(),
            Counts::Mixed(has, counts) => counts.get(index).copied().filter(|_| has.get(index) == Some(&true)),
        }
    }

    /// The status in this place of the page.
    pub(super) fn status(&self, index: usize) -> StatusCode {
        StatusCode::new(match &self.statuses {
            Codes::Same(code) => *code,
            Codes::Each(codes) => codes.get(index).copied().unwrap_or(0),
        })
    }

    /// What this takes in memory, roughly.
    pub(super) fn memory(&self) -> usize {
        let rows = self.times_ns.len();
        let sequences = match &self.sequences {
            Counts::Absent => 0,
            Counts::Present(_) => rows * 8,
            Counts::Mixed(..) => rows * 9,
        };
        let values = match self.values {
            Lists::Boolean(_) => rows,
            Lists::Integer(_) | Lists::Float(_) => rows * 8,
            Lists::Text(_) => rows * 16,
        };
        let statuses = if matches!(self.statuses, Codes::Each(_)) { rows * 4 } else { 0 };
        size_of::<Self>() + rows * 8 + sequences + values + statuses
    }
}
