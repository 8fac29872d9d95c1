//! Where everything of a sealed segment is: header, directory and trailer. docs/log-format.md has the bytes.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::bytes::{Cursor, compress, decompress, put_bytes, put_signed, put_varint};
use crate::checksum;
use crate::embedded::codec::timestamp;
use crate::embedded::error::OpenError;
use crate::embedded::fields::{Fields, put_at};
use crate::embedded::segment::{HEADER_BYTES, Header};
use crate::record::nanoseconds;

/// What a sealed segment begins with.
pub(super) const MAGIC: [u8; 8] = *b"MWSEALED";

const TRAILER_MAGIC: [u8; 8] = *b"MWSEALND";

/// The bytes at the end of the file that say where the directory is.
pub(super) const TRAILER_BYTES: usize = 64;

const AT_FACTS: usize = 4064;

/// The largest directory that is read.
const MAX_DIRECTORY_BYTES: u32 = 1 << 28;

const DIRECTORY_LEVEL: i32 = 6;

/// What a sealed segment's header says beyond what every segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Facts {
    /// The number of records.
    pub(in crate::embedded) rows: u32,
    /// The time of the last record.
    pub(in crate::embedded) last_record_time: Timestamp,
    /// The number of readings in chunks.
    pub(in crate::embedded) readings: u64,
}

pub(super) fn header_bytes(header: &Header, facts: &Facts) -> Vec<u8> {
    let mut extra = Vec::with_capacity(24);
    extra.extend(u64::from(facts.rows).to_le_bytes());
    extra.extend(nanoseconds(facts.last_record_time).to_le_bytes());
    extra.extend(facts.readings.to_le_bytes());
    header.to_bytes_as(MAGIC, AT_FACTS, &extra)
}

pub(super) fn read_header(bytes: &[u8], file: &str) -> Result<(Header, Facts), OpenError> {
    let header = Header::read_as(bytes, file, MAGIC)?;
    let facts = || {
        let mut fields = Fields::new(bytes.get(AT_FACTS..)?);
        let (rows, time, readings) = (fields.u64()?, fields.i64()?, fields.u64()?);
        Some(Facts { rows: rows.try_into().ok()?, last_record_time: timestamp(time)?, readings })
    };
    let facts =
        facts().ok_or_else(|| OpenError::corrupt(header.base, file, "segment header: its counts do not fit"))?;
    Ok((header, facts))
}

/// The last bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Trailer {
    /// Where the directory begins; it ends where the trailer begins.
    pub(in crate::embedded) directory_at: u64,
    pub(super) directory_raw_bytes: u32,
    pub(super) directory_checksum: u32,
    /// Where the first block begins.
    pub(super) blocks_at: u64,
    pub(in crate::embedded) file_bytes: u64,
}

impl Trailer {
    pub(super) fn directory_bytes(&self) -> u64 {
        self.file_bytes.saturating_sub(self.directory_at + TRAILER_BYTES as u64)
    }

    pub(super) fn to_bytes(self, seed: u32) -> Vec<u8> {
        let mut bytes = vec![0; TRAILER_BYTES - 4];
        put_at(&mut bytes, 0, &TRAILER_MAGIC);
        put_at(&mut bytes, 8, &self.directory_at.to_le_bytes());
        put_at(&mut bytes, 16, &self.directory_raw_bytes.to_le_bytes());
        put_at(&mut bytes, 20, &self.directory_checksum.to_le_bytes());
        put_at(&mut bytes, 24, &self.blocks_at.to_le_bytes());
        put_at(&mut bytes, 32, &self.file_bytes.to_le_bytes());
        bytes.extend(checksum::crc32c_append(seed, &bytes).to_le_bytes());
        bytes
    }

    /// Reads the trailer of a file of so many bytes.
    pub(super) fn read(bytes: &[u8], file_bytes: u64, seed: u32) -> Option<Self> {
        let (content, checksum) = bytes.split_at_checked(TRAILER_BYTES - 4)?;
        if Fields::new(checksum).u32()? != checksum::crc32c_append(seed, content) {
            return None;
        }
        let mut fields = Fields::new(content);
        if fields.array()? != TRAILER_MAGIC {
            return None;
        }
        let trailer = Self {
            directory_at: fields.u64()?,
            directory_raw_bytes: fields.u32()?,
            directory_checksum: fields.u32()?,
            blocks_at: fields.u64()?,
            file_bytes: fields.u64()?,
        };
        let fits = trailer.file_bytes == file_bytes
            && trailer.blocks_at >= HEADER_BYTES
            && trailer.directory_at >= trailer.blocks_at
            && trailer.directory_at.checked_add(TRAILER_BYTES as u64)? <= file_bytes
            && trailer.directory_raw_bytes <= MAX_DIRECTORY_BYTES;
        fits.then_some(trailer)
    }
}

/// What the directory says about a chunk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChunkPlace {
    /// The signal, as an index into the names.
    pub(super) signal: u32,
    /// The kind of the values, as in frames.
    pub(super) kind: u8,
    /// The rows of the first and the last frame that have readings here.
    pub(super) frames: (u32, u32),
    /// The number of readings.
    pub(super) rows: u32,
    pub(super) min_time_ns: i64,
    pub(super) max_time_ns: i64,
    /// The bits of the least and the greatest value, as in the columns of frames.
    pub(super) bounds: [u64; 2],
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) meta_bytes: u32,
    pub(super) meta_raw_bytes: u32,
    pub(super) meta_checksum: u32,
}

/// What the directory says about a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockPlace {
    pub(super) first_row: u32,
    pub(super) rows: u32,
    pub(super) offset: u64,
    pub(super) bytes: u32,
    pub(super) raw_bytes: u32,
    pub(super) checksum: u32,
}

/// Every chunk and block of a sealed segment.
#[derive(Debug, Default, PartialEq)]
pub(in crate::embedded) struct Directory {
    /// Ascending.
    pub(super) signals: Vec<Arc<str>>,
    /// Ascending by signal, kind and first frame.
    pub(super) chunks: Vec<ChunkPlace>,
    /// Ascending by row.
    pub(super) blocks: Vec<BlockPlace>,
}

impl Directory {
    /// The bytes to store, and their length before compression.
    pub(super) fn to_bytes(&self) -> std::io::Result<(Vec<u8>, u32)> {
        let mut raw = Vec::new();
        put_varint(&mut raw, self.signals.len() as u64);
        self.signals.iter().for_each(|signal| put_bytes(&mut raw, signal.as_bytes()));
        put_varint(&mut raw, self.chunks.len() as u64);
        let mut signal = 0;
        for chunk in &self.chunks {
            put_varint(&mut raw, u64::from(chunk.signal - signal));
            signal = chunk.signal;
            raw.push(chunk.kind);
            put_varint(&mut raw, u64::from(chunk.frames.0));
            put_varint(&mut raw, u64::from(chunk.frames.1 - chunk.frames.0));
            put_varint(&mut raw, u64::from(chunk.rows));
            put_signed(&mut raw, chunk.min_time_ns);
            put_signed(&mut raw, chunk.max_time_ns);
            chunk.bounds.iter().for_each(|bound| raw.extend(bound.to_le_bytes()));
            put_varint(&mut raw, u64::from(chunk.bytes));
            put_varint(&mut raw, u64::from(chunk.meta_bytes));
            put_varint(&mut raw, u64::from(chunk.meta_raw_bytes));
            raw.extend(chunk.meta_checksum.to_le_bytes());
        }
        put_varint(&mut raw, self.blocks.len() as u64);
        for block in &self.blocks {
            put_varint(&mut raw, u64::from(block.rows));
            put_varint(&mut raw, u64::from(block.bytes));
            put_varint(&mut raw, u64::from(block.raw_bytes));
            raw.extend(block.checksum.to_le_bytes());
        }
        let length = u32::try_from(raw.len()).ok().filter(|length| *length <= MAX_DIRECTORY_BYTES);
        let length = length.ok_or_else(|| std::io::Error::other("the directory of a sealed segment is too large"))?;
        Ok((compress(&raw, DIRECTORY_LEVEL)?, length))
    }

    /// Reads a directory whose checksum fits. The rows of the blocks add up to those of the segment.
    pub(super) fn read(stored: &[u8], trailer: &Trailer, facts: &Facts) -> Option<Self> {
        let raw = decompress(stored, trailer.directory_raw_bytes as usize)?;
        let mut cursor = Cursor::new(&raw);
        let mut directory = Self::default();
        for _ in 0..cursor.length()? {
            let bytes = cursor.length()?;
            directory.signals.push(std::str::from_utf8(cursor.take(bytes)?).ok()?.into());
        }
        let (mut signal, mut offset) = (0_u32, HEADER_BYTES);
        for _ in 0..cursor.length()? {
            signal = signal.checked_add(cursor.small()?)?;
            let kind = cursor.u8()?;
            let first = cursor.small()?;
            let chunk = ChunkPlace {
                signal,
                kind,
                frames: (first, first.checked_add(cursor.small()?)?),
                rows: cursor.small()?,
                min_time_ns: cursor.signed()?,
                max_time_ns: cursor.signed()?,
                bounds: [cursor.u64()?, cursor.u64()?],
                offset,
                bytes: cursor.small()?,
                meta_bytes: cursor.small()?,
                meta_raw_bytes: cursor.small()?,
                meta_checksum: cursor.u32()?,
            };
            let known = (signal as usize) < directory.signals.len();
            offset = offset.checked_add(u64::from(chunk.bytes))?;
            (known && chunk.meta_bytes <= chunk.bytes).then_some(())?;
            directory.chunks.push(chunk);
        }
        (offset == trailer.blocks_at).then_some(())?;
        let mut row = 0_u32;
        for _ in 0..cursor.length()? {
            let rows = cursor.small()?;
            let (bytes, raw_bytes) = (cursor.small()?, cursor.small()?);
            let block = BlockPlace { first_row: row, rows, offset, bytes, raw_bytes, checksum: cursor.u32()? };
            row = row.checked_add(rows)?;
            offset = offset.checked_add(u64::from(bytes))?;
            directory.blocks.push(block);
        }
        (cursor.is_empty() && offset == trailer.directory_at && row == facts.rows).then_some(directory)
    }

    /// The block that holds a row.
    pub(super) fn block_of(&self, row: u32) -> Option<u32> {
        let after = self.blocks.partition_point(|block| block.first_row <= row);
        u32::try_from(after.checked_sub(1)?).ok()
    }

    /// The chunks of a signal.
    pub(super) fn chunks_of(&self, signal: &str) -> Range<usize> {
        let Ok(index) = self.signals.binary_search_by(|name| (**name).cmp(signal)) else { return 0..0 };
        let start = self.chunks.partition_point(|chunk| (chunk.signal as usize) < index);
        let end = self.chunks.partition_point(|chunk| (chunk.signal as usize) <= index);
        start..end
    }

    /// What this takes in memory, roughly.
    pub(super) fn memory(&self) -> usize {
        self.signals.iter().map(|signal| signal.len() + 32).sum::<usize>()
            + self.chunks.len() * size_of::<ChunkPlace>()
            + self.blocks.len() * size_of::<BlockPlace>()
    }
}
