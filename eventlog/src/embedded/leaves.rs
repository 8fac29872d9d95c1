//! What the transparency tree needs of the log: leaf digests in bulk, and leaves. Only the heads of records are read, never a payload.

use super::EmbeddedLog;
use super::codec::{read_leaf_digest, read_record_head};
use super::error::read_io;
use super::store::{Segment, Store};
use crate::transparency::LeafSource;
use crate::{Digest, EventLog, Position, ReadError, Tree};
use tokio::sync::watch;

/// The bytes of a record that hold its position and leaf digest.
const DIGEST_HEAD: u32 = 64;

/// What the head of most records fits into.
const USUAL_HEAD: u32 = 4096;

/// What the head of every record fits into: admission keeps leaves below 64 KiB.
const LARGEST_HEAD: u32 = 1 << 17;

/// The most bytes that one read asks for.
const READ_BYTES: u32 = 1 << 20;

/// Payloads that are smaller are read over; larger ones are skipped.
const WORTH_SKIPPING: u32 = 1 << 14;

impl LeafSource for EmbeddedLog {
    fn tree(&self) -> Tree {
        self.tree.lock().clone()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        EventLog::watch_tail(self)
    }

    fn leaf_digests(&self, from: Position, count: usize) -> Result<Vec<Digest>, ReadError> {
        let mut digests = Vec::with_capacity(count.min(1 << 20));
        heads(&self.store, from, count, DIGEST_HEAD, &mut |segment, row, bytes| {
            digests.push(digest_in(segment, row, bytes)?);
            Ok(())
        })?;
        Ok(digests)
    }

    fn leaves(&self, from: Position, count: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut leaves = Vec::with_capacity(count.min(1 << 16));
        heads(&self.store, from, count, USUAL_HEAD, &mut |segment, row, bytes| {
            leaves.push(leaf_in(segment, row, bytes)?);
            Ok(())
        })?;
        Ok(leaves)
    }
}

/// What is done with the head of a record: its segment, its row, the bytes from its start on.
type Visit<'a> = dyn FnMut(&Segment, u32, &[u8]) -> Result<(), ReadError> + 'a;

/// Visits up to `count` durable records from a position on, with at least `need` bytes of each, unless the file ends.
fn heads(store: &Store, from: Position, count: usize, need: u32, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    // Ordering: the tail before the segments, so that every position below it has its segment.
    let end = store.tail().min(from.plus(count as u64));
    let segments = store.segments();
    let first = segments.partition_point(|segment| segment.header.base <= from).saturating_sub(1);
    let mut at = from;
    for (index, segment) in segments.iter().enumerate().skip(first) {
        let segment_end = segments.get(index + 1).map_or(end, |next| next.header.base.min(end));
        let rows = segment_end.get().saturating_sub(at.get());
        if rows > 0 {
            let row = (at.get() - segment.header.base.get()) as u32;
            heads_of(segment, row, rows as u32, need, visit)?;
            at = segment_end;
        }
    }
    Ok(())
}

fn heads_of(segment: &Segment, row: u32, count: u32, need: u32, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    if let Some(sealed) = &segment.sealed {
        return sealed.heads(row, count, |row, bytes| visit(segment, row, bytes));
    }
    let offsets = segment.index.read().offsets(row, count)?;
    if offsets.len() != count as usize {
        return Err(ReadError::Index(format!("the index of {} has too few rows", segment.name)));
    }
    let mut buffer = Vec::new();
    let mut row = row;
    let mut rest = offsets.as_slice();
    while let Some(start) = rest.first().copied() {
        let near = |pair: &&[u32]| matches!(pair, [one, two] if two.saturating_sub(*one) <= WORTH_SKIPPING && two.saturating_sub(start) < READ_BYTES);
        let (now, later) = rest.split_at(rest.windows(2).take_while(near).count() + 1);
        let last = now.last().copied().unwrap_or(start);
        buffer.resize((last - start + need) as usize, 0);
        let read = segment.file.read_up_to(&mut buffer, u64::from(start)).map_err(read_io(&segment.name))?;
        for (index, offset) in now.iter().enumerate() {
            let bytes = buffer.get((offset - start) as usize..read).unwrap_or_default();
            visit(segment, row + index as u32, bytes)?;
        }
        row += now.len() as u32;
        rest = later;
    }
    Ok(())
}

fn digest_in(segment: &Segment, row: u32, bytes: &[u8]) -> Result<Digest, ReadError> {
    match read_leaf_digest(bytes) {
        Some((position, digest)) if position == segment.position(row) => Ok(digest),
        Some(_) => Err(segment.corrupt(row, "another record stands in its place")),
        None => Err(segment.corrupt(row, "the file ends before the record")),
    }
}

fn leaf_in(segment: &Segment, row: u32, bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let stored = match read_record_head(bytes) {
        Some(stored) => stored,
        None => {
            let offset = segment.index.read().offsets(row, 1)?.first().copied().unwrap_or(0);
            let mut buffer = vec![0; LARGEST_HEAD as usize];
            let read = segment.file.read_up_to(&mut buffer, u64::from(offset)).map_err(read_io(&segment.name))?;
            buffer
                .get(..read)
                .and_then(read_record_head)
                .ok_or_else(|| segment.corrupt(row, "the fields of the record do not fit together"))?
        }
    };
    let leaf = stored.record.leaf();
    // The head was read without its checksum; the digest says whether it is the leaf that was appended.
    if stored.record.position != segment.position(row)
        || Digest::of(&[&[0_u8], leaf.as_slice()].concat()) != stored.leaf
    {
        return Err(segment.corrupt(row, "its fields are not those of its leaf"));
    }
    Ok(leaf)
}
