//! A block: the headers of some hundred records, and the payloads of those that are no regrouped frames.

use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Cursor, compress, decompress, put_bytes, put_varint};
use crate::embedded::codec::{Stored, read_header};
use crate::embedded::names::Names;

/// The most records of a block.
pub(super) const MAX_ROWS: usize = 256;

/// A block ends with the record that takes it beyond this.
pub(super) const FULL_BYTES: usize = 256 * 1024;

/// The most bytes of a block that this program decompresses: a full one with the largest record.
pub(super) const MAX_RAW_BYTES: u32 = 16 * 1024 * 1024;

const INLINE: u8 = 0;
const REGROUPED: u8 = 1;
const DROPPED: u8 = 2;

const LEVEL: i32 = 6;

/// What a record's payload became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Its bytes.
    Inline(Bytes),
    /// The chunks that its columns are in, ascending.
    Regrouped(Arc<[u32]>),
    /// It is gone.
    Dropped,
}

/// A record of a block: its header in bytes, and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    header: std::ops::Range<usize>,
    body: Body,
}

/// Gathers records.
#[derive(Default)]
pub(super) struct Builder {
    headers: Vec<u8>,
    bodies: Vec<u8>,
    rows: usize,
    chunks: Arc<[u32]>,
}

impl Builder {
    pub(super) fn push(&mut self, header: &[u8], body: &Body) {
        put_bytes(&mut self.headers, header);
        match body {
            Body::Inline(payload) => {
                self.bodies.push(INLINE);
                put_bytes(&mut self.bodies, payload);
            }
            Body::Regrouped(chunks) => {
                self.bodies.push(REGROUPED);
                // Frames of one source have the same signals, one after the other: then nothing is written.
                if *chunks == self.chunks {
                    put_varint(&mut self.bodies, 0);
                } else {
                    put_varint(&mut self.bodies, chunks.len() as u64);
                    let mut before = 0;
                    for chunk in chunks.iter() {
                        put_varint(&mut self.bodies, u64::from(chunk - before));
                        before = *chunk;
                    }
                    self.chunks.clone_from(chunks);
                }
            }
            Body::Dropped => self.bodies.push(DROPPED),
        }
        self.rows += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.headers.len() + self.bodies.len() >= FULL_BYTES
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes to store, with their length before compression. The next block begins empty.
    pub(super) fn finish(&mut self) -> std::io::Result<(Vec<u8>, u32)> {
        let mut raw = Vec::with_capacity(self.headers.len() + self.bodies.len() + 4);
        put_varint(&mut raw, self.rows as u64);
        raw.append(&mut self.headers);
        raw.append(&mut self.bodies);
        *self = Self::default();
        let length = u32::try_from(raw.len()).map_err(|_| std::io::Error::other("a block has more than 4 GiB"))?;
        Ok((compress(&raw, LEVEL)?, length))
    }
}

/// A block, decompressed.
#[derive(Debug)]
pub(in crate::embedded) struct Block {
    raw: Bytes,
    entries: Vec<Entry>,
}

impl Block {
    pub(super) fn read(stored: &[u8], raw_bytes: u32) -> Option<Self> {
        if raw_bytes > MAX_RAW_BYTES {
            return None;
        }
        let raw = Bytes::from(decompress(stored, raw_bytes as usize)?);
        let mut cursor = Cursor::new(&raw);
        let place = |part: &[u8]| part.as_ptr().addr() - raw.as_ptr().addr();
        let rows = cursor.length()?;
        let mut entries = Vec::with_capacity(rows.min(MAX_ROWS));
        for _ in 0..rows {
            let length = cursor.length()?;
            let start = place(cursor.take(length)?);
            entries.push(Entry { header: start..start + length, body: Body::Dropped });
        }
        let mut chunks: Arc<[u32]> = Arc::default();
        for entry in &mut entries {
            entry.body = match cursor.u8()? {
                INLINE => {
                    let length = cursor.length()?;
                    Body::Inline(raw.slice_ref(cursor.take(length)?))
                }
                REGROUPED => {
                    let count = cursor.length()?;
                    if count > 0 {
                        let mut before = 0_u32;
                        let mut listed = Vec::with_capacity(count);
                        for _ in 0..count {
                            before = before.checked_add(cursor.small()?)?;
                            listed.push(before);
                        }
                        chunks = listed.into();
                    }
                    Body::Regrouped(Arc::clone(&chunks))
                }
                DROPPED => Body::Dropped,
                _ => return None,
            };
        }
        cursor.is_empty().then_some(())?;
        Some(Self { raw, entries })
    }

    pub(super) fn rows(&self) -> usize {
        self.entries.len()
    }

    /// The header of a record in bytes.
    pub(super) fn header(&self, index: usize) -> Option<&[u8]> {
        self.raw.get(self.entries.get(index)?.header.clone())
    }

    /// The record without its payload, and what became of that.
    pub(super) fn record(&self, index: usize, names: &mut Names) -> Option<(Stored, &Body)> {
        let entry = self.entries.get(index)?;
        let view = read_header(self.raw.get(entry.header.clone())?)?;
        Some((view.stored(names, Bytes::new())?, &entry.body))
    }

    /// What this takes in memory, roughly.
    pub(super) fn memory(&self) -> usize {
        self.raw.len() * 2 + self.entries.len() * size_of::<Entry>()
    }
}
