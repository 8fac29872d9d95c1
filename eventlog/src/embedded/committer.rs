//! The committers: two threads that take turns to order appends and to write them, one batch and one sync at a time (see [`super::handover`]).
//!
//! A batch is ordered while the one before it is being synced. It is admitted against what is durable and what is on its way, so its answers rest on
//! records that may still be lost: they are given after its own sync, which comes after the one of the batch before. When a sync fails, everything
//! behind it is refused as well.

use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::background::Job;
use super::batch::{Answer, Batch, Call, Target, Waiting};
use super::codec::{BATCH_HEADER, Place, place_record};
use super::disk::Folder;
use super::draft::Drafts;
use super::error::{RoomError, poisoned};
use super::handover::{Closed, Command, Handover, Next, Patience};
use super::index::{Index, Indexed, MemoryIndex};
use super::metadata::Ordered;
use super::recovery::Active;
use super::segment::{self, HEADER_BYTES, Header};
use super::store::{Segment, Store};
use crate::admission::{self, Admitted, LogState};
use crate::leaf::hash_placed;
use crate::metadata::{self, StreamMetadata};
use crate::page::PageLimit;
use crate::record::nanoseconds;
use crate::tree::Tree;
use crate::{AppendError, Appended, Clock, Digest, EventId, NewEvent, Position, Query, ReadError, Revision, StreamId};

/// Orders and writes until the log is closed; what was accepted is written and answered.
pub(super) fn run(handover: &Handover) {
    let _guard = BreakOff(handover);
    let mut patience = Patience::default();
    while let Some(mut sequencer) = handover.sequencer(&mut patience) {
        loop {
            match handover.next(sequencer) {
                Some(Next::Order(mut ordering, commands)) => {
                    commands.into_iter().for_each(|command| ordering.take(command, handover));
                    sequencer = ordering;
                }
                Some(Next::Write(writer, batch)) => break write(writer, batch, handover),
                Some(Next::Nothing) => break,
                None => return,
            }
        }
    }
}

/// Puts an append into the queue, or orders and writes it here where that takes less time than to wake a committer and be woken by it: nobody is before it, nobody shared a
/// batch of late, the disk synced quickly, and it is small. `Err` when the log is closed.
pub(super) fn submit(call: Box<Call>, answer: Answer, handover: &Handover) -> Result<(), Closed> {
    let bytes = call.drafts.bytes;
    let here = |sequencer: &Sequencer, writer: &Writer| {
        bytes <= MAX_BYTES_HERE && writer.lone_batches >= LONE_BATCHES && sequencer.has_room(bytes)
    };
    let command = Command::Append(call, answer);
    let Some(mut sequencer) = handover.idle(here) else { return handover.push(command) };
    let _guard = BreakOff(handover);
    sequencer.take(command, handover);
    if let Some(Next::Write(writer, batch)) = handover.write_gathered(sequencer) {
        write(writer, batch, handover);
    }
    Ok(())
}

/// The most bytes that a caller writes itself.
const MAX_BYTES_HERE: usize = 64 * 1024;

/// A write and sync that take no longer are quick. A caller's thread, which has other tasks too, stands still for that time.
const QUICK_SYNC: Duration = Duration::from_millis(1);

/// After so many quick batches of a single call in a row a caller writes itself. After one that is slow, or that several callers share, the committers do again: sharing a sync is worth more
/// than waking nobody.
const LONE_BATCHES: u32 = 4;

fn write(mut writer: Box<Writer>, batch: Batch, handover: &Handover) {
    writer.write(&batch);
    // Ordering: whether this batch is durable is known now; that a later one fails is not its callers' affair.
    let poison = writer.poison.get().cloned();
    // Ordering: the next batch is on its way to the disk before this one's callers are woken, one after the other.
    handover.release(writer);
    batch.give(poison.as_ref());
}

/// Says so when a thread ends by a panic.
struct BreakOff<'a>(&'a Handover);

impl Drop for BreakOff<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_off();
        }
    }
}

/// Set once, by the writer; read by whoever orders.
pub(super) type Poison = Arc<OnceLock<String>>;

/// The role of the thread that writes: whoever has it is the only one that touches the file of the log.
pub(super) struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) announce: watch::Sender<Position>,
    pub(super) tree: Arc<Mutex<Tree>>,
    /// Why the log takes nothing more, once a write has failed.
    pub(super) poison: Poison,
    /// How many of the last batches were a single call's and quick, one after the other.
    pub(super) lone_batches: u32,
}

impl Writer {
    /// Writes and syncs the batch, and announces the tail.
    fn write(&mut self, batch: &Batch) {
        if self.poison.get().is_some() {
            return;
        }
        let durable = *self.announce.borrow();
        let begun = Instant::now();
        match batch.write(durable) {
            Ok(()) => {
                let lone = batch.waiting.len() == 1 && begun.elapsed() <= QUICK_SYNC;
                self.lone_batches = if lone { self.lone_batches.saturating_add(1) } else { 0 };
                if let Some((tail, tree)) = batch.after.as_ref().filter(|(tail, _)| *tail > durable) {
                    // Ordering: who sees the new tail sees the metadata that are below it.
                    self.store.set_metadata(&batch.metadata);
                    self.tree.lock().clone_from(tree);
                    self.announce.send_replace(*tail);
                }
            }
            Err(error) => drop(self.poison_with(&error)),
        }
    }

    fn poison_with(&mut self, error: &std::io::Error) -> AppendError {
        let reason = error.to_string();
        tracing::error!(%reason, "the log takes no more appends until it is opened again");
        let answer = poisoned(&reason);
        // It is set once: whoever is poisoned writes nothing more.
        let _ = self.poison.set(reason);
        answer
    }
}

/// The role of the thread that orders, with everything that places rest on.
pub(super) struct Sequencer {
    pub(super) folder: Folder,
    pub(super) segment_bytes: u64,
    pub(super) clock: Clock,
    pub(super) store: Arc<Store>,
    /// Where the next batch goes: behind everything that was ordered before, written or not.
    pub(super) active: Active,
    pub(super) background: SyncSender<Job>,
    pub(super) poison: Poison,
    /// What is being gathered.
    pub(super) batch: Batch,
    pub(super) metadata: Ordered,
    /// Room for one leaf.
    pub(super) leaf: Vec<u8>,
    /// Room for one key of the index.
    pub(super) key: Vec<u8>,
}

/// The log as the next append finds it: what is durable, what is on its way, and what is gathered.
struct View<'a> {
    store: &'a Store,
    batch: &'a Batch,
    metadata: &'a Ordered,
    next: Position,
    handover: &'a Handover,
}

impl LogState for View<'_> {
    fn position(&self, id: EventId) -> Result<Option<Position>, ReadError> {
        self.store.position_of(id)
    }

    fn known(&self, id: EventId) -> Result<Option<(Position, Digest)>, ReadError> {
        let Some(position) = self.store.position_of(id)? else { return Ok(None) };
        if let Some(digest) = self.batch.content(position, id) {
            return Ok(Some((position, digest)));
        }
        if position >= self.store.tail() {
            // It is on its way. When that fails, so does whatever rests on it.
            let writer = self.handover.writer().ok_or(ReadError::Closed)?;
            self.handover.release(writer);
        }
        let page = self.store.read(position, crate::Direction::Forward, &Query::all(), PageLimit::of(1))?;
        Ok(page.first().map(|record| (record.position, record.content_digest())))
    }

    fn last_revision(&self, stream: &StreamId) -> Result<Option<Revision>, ReadError> {
        self.store.last_revision(stream)
    }

    fn metadata(&self, stream: &StreamId) -> Option<StreamMetadata> {
        self.metadata.stream(stream, self.store)
    }

    fn metadata_subjects(&self) -> usize {
        self.metadata.subjects(self.store)
    }

    fn first_match(&self, query: &Query, after: Option<Position>) -> Result<Option<Position>, ReadError> {
        self.store.first_match(query, after.map_or(Position::START, Position::next), self.next)
    }
}

impl Sequencer {
    fn take(&mut self, command: Command, handover: &Handover) {
        match command {
            Command::Append(call, answer) => self.append(call, answer, handover),
            Command::Rotate(answer) => {
                // Whoever went away has no use for the answer.
                let _ = answer.send(self.rotate_now(handover));
            }
        }
    }

    /// Admits one call into the batch, or keeps its refusal until everything that it rests on is durable.
    fn append(&mut self, mut call: Box<Call>, answer: Answer, handover: &Handover) {
        if let Some(reason) = self.poison.get() {
            let _ = answer.send((Err(poisoned(reason)), call));
            return;
        }
        let (store, batch, metadata) = (&*self.store, &self.batch, &self.metadata);
        let view = View { store, batch, metadata, next: self.active.next, handover };
        let result = match admission::admit(&view, &call.condition, &call.events) {
            // Only what is written needs room: a repetition is answered, and a conflict told, on a full disk too.
            Ok(Admitted::Write) => match self.make_room(call.drafts.bytes, handover) {
                Ok(()) => self.add(&call.events, &mut call.drafts).map_err(AppendError::Check),
                Err(error) => Err(error),
            },
            Ok(Admitted::Repeated(appended)) => Ok(appended),
            Err(error) => Err(error),
        };
        // Ordering: also a refusal may rest on a record of this very batch, so that every answer waits for the sync.
        self.batch.waiting.push(Waiting { call, result, answer });
    }

    /// Gives the events their places and adds them to the batch.
    fn add(&mut self, events: &[NewEvent], drafts: &mut Drafts) -> Result<Appended, ReadError> {
        let first = self.active.next;
        let time = admission::record_time(self.clock.now(), self.active.time);
        let record_time_ns = nanoseconds(time);
        let revisions = self.revisions(events)?;
        let mut changes = metadata::changes(events);
        self.metadata.push(&changes, first, &self.store);
        self.batch.metadata.append(&mut changes);
        let seed = self.active.segment.header.seed();
        let mut at = self.active.offset + (BATCH_HEADER + self.batch.bytes()) as u64;
        let Drafts { records, leaves, each, .. } = drafts;
        let (mut records, mut leaves) = (records.as_mut_slice(), leaves.as_slice());
        for (draft, revision) in each.iter().zip(&revisions) {
            let (split, leaf_bytes) = draft.leaf_bytes;
            let (leaf, later_leaves) = leaves.split_at_checked(leaf_bytes).unwrap_or_default();
            let (before, after) = leaf.split_at_checked(split).unwrap_or_default();
            let position = self.active.next;
            let leaf = hash_placed(&mut self.leaf, (position, *revision, record_time_ns), before, after);
            let place = Place { position, revision: *revision, record_time_ns, leaf };
            let (record, later_records) =
                std::mem::take(&mut records).split_at_mut_checked(draft.record_bytes).unwrap_or_default();
            place_record(record, draft.payload.as_ref(), &place, seed);
            (records, leaves) = (later_records, later_leaves);
            self.active.tree.push(leaf);
            self.active.next = position.next();
        }
        // The hashing is done before readers are kept out of the index.
        if let Index::Memory(index) = &mut *self.active.segment.index.write() {
            for ((event, draft), revision) in events.iter().zip(each.iter()).zip(&revisions) {
                index.push(Indexed::of_event(event, *revision), u32::try_from(at).unwrap_or(u32::MAX));
                let payload = draft.payload.as_ref().map_or(0, |payload| payload.bytes.len());
                at += (draft.record_bytes + payload) as u64;
            }
        }
        self.active.time = time;
        self.batch.add_records(first, drafts);
        Ok(Appended { first, last: self.active.next.previous().unwrap_or(first), repeated: false })
    }

    /// The revision of each event. Everything that may fail happens here, before anything changes.
    fn revisions(&mut self, events: &[NewEvent]) -> Result<Vec<Revision>, ReadError> {
        let after_last = |last: Option<Revision>| last.map_or(Revision::START, Revision::next);
        if let [event] = events {
            return Ok(vec![after_last(self.last_revision(&event.stream)?)]);
        }
        let mut next: HashMap<&StreamId, Revision, RandomState> = HashMap::default();
        let mut revisions = Vec::with_capacity(events.len());
        for event in events {
            let revision = match next.get(&event.stream) {
                Some(revision) => *revision,
                None => after_last(self.last_revision(&event.stream)?),
            };
            revisions.push(revision);
            next.insert(&event.stream, revision.next());
        }
        Ok(revisions)
    }

    fn last_revision(&mut self, stream: &StreamId) -> Result<Option<Revision>, ReadError> {
        // Most streams were written to lately.
        if let Index::Memory(index) = &*self.active.segment.index.read()
            && let Some(revision) = index.last_revision(stream, &mut self.key)
        {
            return Ok(Some(revision));
        }
        self.store.last_revision(stream)
    }

    /// The batch that was gathered, with its place on the disk; the next one begins behind it.
    pub(super) fn close_batch(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        let active = &mut self.active;
        let target =
            Target { file: Arc::clone(&active.file), offset: active.offset, seed: active.segment.header.seed() };
        active.offset += batch.close(target, (active.next, active.tree.clone()));
        batch
    }

    /// Whether the batch with this many bytes more fits into the segment.
    fn has_room(&self, bytes: usize) -> bool {
        batch_end(self.active.offset, self.batch.bytes() + bytes) <= self.active.file_bytes
    }

    /// Makes sure that the batch with this many bytes more fits into the segment, with a new segment when needed.
    fn make_room(&mut self, bytes: usize, handover: &Handover) -> Result<(), AppendError> {
        if self.has_room(bytes) {
            return Ok(());
        }
        let file_bytes = self.segment_bytes.max(batch_end(HEADER_BYTES, bytes).next_multiple_of(4096));
        self.once_written(handover, |sequencer| sequencer.grow(file_bytes))
    }

    /// Closes the segment and begins the next one, unless it is empty.
    fn rotate_now(&mut self, handover: &Handover) -> Result<bool, AppendError> {
        if let Some(reason) = self.poison.get() {
            return Err(poisoned(reason));
        }
        let empty = self.active.next == self.active.segment.header.base;
        let file_bytes = self.segment_bytes;
        if !empty {
            self.once_written(handover, |sequencer| sequencer.rotate(file_bytes))?;
        }
        Ok(!empty)
    }

    /// Writes what was gathered, and then changes the segment.
    fn once_written(
        &mut self,
        handover: &Handover,
        change: impl FnOnce(&mut Self) -> Result<(), RoomError>,
    ) -> Result<(), AppendError> {
        // Ordering: a segment is closed when everything in it is durable, and a new one begins with an empty batch.
        let mut writer = handover.writer().ok_or(AppendError::Closed)?;
        let batch = self.close_batch();
        writer.write(&batch);
        batch.give(writer.poison.get());
        let changed = match writer.poison.get() {
            Some(reason) => Err(poisoned(reason)),
            None => change(self).map_err(|error| match error {
                RoomError::Full(source) => AppendError::DiskFull(source),
                RoomError::Broken(source) => writer.poison_with(&source),
            }),
        };
        handover.release(writer);
        changed
    }

    /// Makes room for a batch that the segment has none for: a larger segment while it is empty, otherwise the next one.
    fn grow(&mut self, file_bytes: u64) -> Result<(), RoomError> {
        if self.active.next == self.active.segment.header.base {
            self.active.file.allocate(file_bytes)?;
            self.active.file.sync_all()?;
            self.active.file_bytes = self.active.file_bytes.max(file_bytes);
            return Ok(());
        }
        self.rotate(file_bytes)
    }

    /// Seals the segment and begins the next one.
    fn rotate(&mut self, file_bytes: u64) -> Result<(), RoomError> {
        let sealed = Arc::clone(&self.active.segment);
        let header = Header {
            log: self.store.log,
            number: sealed.header.number + 1,
            base: self.active.next,
            last_record_time: self.active.time,
            tree: self.active.tree.clone(),
        };
        let file = segment::prepare(&self.folder, &header, file_bytes)?;
        // Ordering: the sealed file has its final length on disk before the next segment has a name, and never changes afterwards.
        let used = self.active.offset;
        let seal = self.active.file.set_len(used).and_then(|()| self.active.file.sync_all());
        self.active.file_bytes = used;
        seal.and_then(|()| segment::publish(&self.folder, header.number)).map_err(RoomError::Broken)?;
        let index = Index::Memory(MemoryIndex::default());
        let segment = Arc::new(Segment::new(header, Arc::clone(&file), index));
        self.store.add_segment(Arc::clone(&segment));
        self.active.segment = segment;
        self.active.file = file;
        self.active.offset = HEADER_BYTES;
        self.active.file_bytes = file_bytes;
        // The queue of the background is bounded: when indexing cannot keep up, appends wait here instead of filling the memory.
        let _ = self.background.send(Job::Sealed { segment: sealed, bytes: used });
        Ok(())
    }
}

/// Where a batch of records ends at the latest that begins here, with its header and what fills it up.
fn batch_end(start: u64, bytes: usize) -> u64 {
    start + (BATCH_HEADER + bytes) as u64 + 16
}
