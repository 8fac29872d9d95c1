//! One batch on its way to the disk: what was ordered, not yet written.

use std::io::IoSlice;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::codec::{BATCH_HEADER, BatchHeader, SharedPayload, padding};
use super::disk::DiskFile;
use super::draft::Drafts;
use super::error::poisoned;
use crate::checksum;
use crate::metadata::Change;
use crate::tree::Tree;
use crate::{AppendCondition, AppendError, Appended, Digest, EventId, NewEvent, Position};

/// The most bytes that one batch gathers from several calls.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The most events that one batch gathers from several calls.
const MAX_BATCH_RECORDS: usize = 20_000;

/// Records of a call that take fewer bytes are copied beside each other; what is larger is written from where it is.
const PART_BYTES: usize = 64 * 1024;

/// Zeros between batches.
const PADDING: [u8; 16] = [0; 16];

/// One append with everything that belongs to it. It goes back to its caller with the answer, so that its memory is given free over there.
pub(super) struct Call {
    pub(super) condition: AppendCondition,
    pub(super) events: Vec<NewEvent>,
    pub(super) drafts: Drafts,
    /// Held until the answer is given: the bound of the queue in bytes.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// What a caller waits for.
pub(super) type Answer = oneshot::Sender<(Result<Appended, AppendError>, Box<Call>)>;

/// A call whose answer waits for the sync.
pub(super) struct Waiting {
    pub(super) call: Box<Call>,
    pub(super) result: Result<Appended, AppendError>,
    pub(super) answer: Answer,
}

impl Waiting {
    pub(super) fn give(self, poison: Option<&String>) {
        let result = match poison {
            Some(reason) => Err(poisoned(reason)),
            None => self.result,
        };
        // A caller that went away has no use for the answer; the events stay.
        let _ = self.answer.send((result, self.call));
    }
}

/// A run of bytes of a batch.
enum Part {
    Own(Vec<u8>),
    Shared(SharedPayload),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(payload) => &payload.bytes,
        }
    }
}

/// Where a batch goes.
pub(super) struct Target {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) offset: u64,
    pub(super) seed: u32,
}

/// Whether a batch that holds so much takes another call, whatever its size.
pub(super) fn takes_more(bytes: usize, records: usize) -> bool {
    bytes < MAX_BATCH_BYTES && records < MAX_BATCH_RECORDS
}

/// What is decided but not synced yet.
#[derive(Default)]
pub(super) struct Batch {
    parts: Vec<Part>,
    bytes: usize,
    records: usize,
    /// The calls in their order, also those that write nothing.
    pub(super) waiting: Vec<Waiting>,
    /// The calls that write: their first positions, and where they are in `waiting`.
    written: Vec<(Position, usize)>,
    /// What it sets of the metadata of streams.
    pub(super) metadata: Vec<Change>,
    /// Where it goes, once it is closed.
    target: Option<Target>,
    /// The tail and the tree when it is durable.
    pub(super) after: Option<(Position, Tree)>,
}

impl Batch {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Whether nobody waits for it.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes over the records of a call that begin at this position, and leaves the memory of the drafts with the call where it is copied.
    pub(super) fn add_records(&mut self, first: Position, drafts: &mut Drafts) {
        self.bytes += drafts.bytes;
        self.records += drafts.each.len();
        self.written.push((first, self.waiting.len()));
        let whole = drafts.each.iter().all(|draft| draft.payload.is_none());
        if whole && drafts.records.len() >= PART_BYTES {
            self.parts.push(Part::Own(std::mem::take(&mut drafts.records)));
            return;
        }
        let mut rest = drafts.records.as_slice();
        for draft in &mut drafts.each {
            let (record, after) = rest.split_at_checked(draft.record_bytes).unwrap_or_default();
            rest = after;
            self.copy(record);
            if let Some(payload) = draft.payload.take() {
                self.parts.push(Part::Shared(payload));
            }
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Own(last)) if last.len() < PART_BYTES => last.extend_from_slice(bytes),
            _ => {
                let mut part = Vec::with_capacity(PART_BYTES);
                part.extend_from_slice(bytes);
                self.parts.push(Part::Own(part));
            }
        }
    }

    /// The event of this batch at a position: its content.
    pub(super) fn content(&self, position: Position, id: EventId) -> Option<Digest> {
        let after = self.written.partition_point(|(first, _)| *first <= position);
        let (first, index) = self.written.get(after.checked_sub(1)?)?;
        let row = usize::try_from(position.get() - first.get()).ok()?;
        let event = self.waiting.get(*index)?.call.events.get(row)?;
        (event.id == id).then(|| event.content_digest())
    }

    /// Nothing more comes in. Answers the bytes that it takes in its file.
    pub(super) fn close(&mut self, target: Target, after: (Position, Tree)) -> u64 {
        self.after = Some(after);
        if self.records == 0 {
            return 0;
        }
        let end = target.offset + (BATCH_HEADER + self.bytes) as u64;
        let bytes = end + padding(end) as u64 - target.offset;
        self.target = Some(target);
        bytes
    }

    /// One write and one sync. `durable` is the tail before this batch, and the position of its first record.
    pub(super) fn write(&self, durable: Position) -> std::io::Result<()> {
        let Some(Target { file, offset, seed }) = &self.target else { return Ok(()) };
        let count = u32::try_from(self.records).unwrap_or(u32::MAX);
        let header = BatchHeader::to_bytes_over((durable, count, durable), self.bytes, *seed, |checksum| {
            self.parts.iter().fold(checksum, |checksum, part| match part {
                Part::Own(bytes) => checksum::crc32c_append(checksum, bytes),
                Part::Shared(payload) => checksum::append_checksum(checksum, payload.checksum, payload.bytes.len()),
            })
        });
        let end = offset + (BATCH_HEADER + self.bytes) as u64;
        let gap = PADDING.get(..padding(end)).unwrap_or_default();
        let parts = self.parts.iter().map(Part::bytes);
        let mut parts: Vec<IoSlice<'_>> = std::iter::once(header.as_slice())
            .chain(parts)
            .chain([gap])
            .filter(|part| !part.is_empty())
            .map(IoSlice::new)
            .collect();
        file.write_all_parts_at(&mut parts, *offset)?;
        file.sync_data()
    }

    /// Answers everybody.
    pub(super) fn give(self, poison: Option<&String>) {
        self.waiting.into_iter().for_each(|waiting| waiting.give(poison));
    }
}
