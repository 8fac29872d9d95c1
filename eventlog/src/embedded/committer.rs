//! The committer: one thread that orders all appends, writes what waits as one batch, syncs once, and answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::background::Job;
use super::codec::{BATCH_HEADER, BatchHeader, padding, seal_record};
use super::disk::Folder;
use super::error::{RoomError, poisoned};
use super::index::{Index, MemoryIndex};
use super::recovery::Active;
use super::segment::{self, HEADER_BYTES, Header};
use super::store::{Segment, Store};
use crate::admission::{self, Admitted, LogState};
use crate::tree::Tree;
use crate::{
    AppendCondition, AppendError, Appended, Clock, Digest, EventId, NewEvent, Position, Query, ReadError, Record,
    Revision, StreamId,
};

/// The most bytes that one batch gathers from several calls.
const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The most events that one batch gathers from several calls.
const MAX_GROUP_EVENTS: usize = 20_000;

pub(super) type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// One append on its way: encoded already, but for what the committer decides.
pub(super) struct Request {
    pub(super) condition: AppendCondition,
    pub(super) events: Vec<NewEvent>,
    /// The records of the events, one after the other.
    pub(super) encoded: Vec<u8>,
    /// The length of each record.
    pub(super) lengths: Vec<usize>,
    pub(super) answer: Answer,
    /// Held until the answer is given: the bound of the queue in bytes.
    pub(super) permit: OwnedSemaphorePermit,
}

/// What the committer is told.
pub(super) enum Command {
    Append(Box<Request>),
    /// Write what waits, then end.
    Close,
}

/// An answer that waits for the sync.
struct Waiting {
    answer: Answer,
    result: Result<Appended, AppendError>,
    _permit: OwnedSemaphorePermit,
}

pub(super) struct Committer {
    pub(super) folder: Folder,
    pub(super) segment_bytes: u64,
    pub(super) clock: Clock,
    pub(super) store: Arc<Store>,
    pub(super) active: Active,
    pub(super) announce: watch::Sender<Position>,
    pub(super) tree: Arc<Mutex<Tree>>,
    pub(super) background: SyncSender<Job>,
    /// The records of the batch that is being gathered, encoded.
    pub(super) buffer: Vec<u8>,
    pub(super) pending: Pending,
    pub(super) poison: Option<String>,
}

/// What is decided but not synced yet.
#[derive(Default)]
pub(super) struct Pending {
    records: Vec<Record>,
    by_id: HashMap<EventId, usize>,
    waiting: Vec<WaitingBox>,
}

type WaitingBox = Box<Waiting>;

/// The log as the next append finds it: what is durable and what is pending.
struct View<'a> {
    store: &'a Store,
    pending: &'a Pending,
    next: Position,
}

impl LogState for View<'_> {
    fn position(&self, id: EventId) -> Result<Option<Position>, ReadError> {
        self.store.position_of(id)
    }

    fn known(&self, id: EventId) -> Result<Option<(Position, Digest)>, ReadError> {
        if let Some(record) = self.pending.by_id.get(&id).and_then(|index| self.pending.records.get(*index)) {
            return Ok(Some((record.position, record.content_digest())));
        }
        let Some(position) = self.store.position_of(id)? else { return Ok(None) };
        let page = self.store.read(position, crate::Direction::Forward, &Query::all(), 1)?;
        Ok(page.first().map(|record| (record.position, record.content_digest())))
    }

    fn last_revision(&self, stream: &StreamId) -> Result<Option<Revision>, ReadError> {
        self.store.last_revision(stream)
    }

    fn first_match(&self, query: &Query, after: Option<Position>) -> Result<Option<Position>, ReadError> {
        self.store.first_match(query, after.map_or(Position::START, Position::next), self.next)
    }
}

impl Committer {
    /// Serves the queue until it closes; what was accepted is written and answered.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut open = true;
        while open {
            match queue.blocking_recv() {
                Some(Command::Append(request)) => self.take(*request),
                Some(Command::Close) | None => open = false,
            }
            while open && self.buffer.len() < MAX_GROUP_BYTES && self.pending.records.len() < MAX_GROUP_EVENTS {
                match queue.try_recv() {
                    Ok(Command::Append(request)) => self.take(*request),
                    Ok(Command::Close) => open = false,
                    Err(_) => break,
                }
            }
            self.commit();
        }
        queue.close();
        while let Ok(command) = queue.try_recv() {
            if let Command::Append(request) = command {
                let _ = request.answer.send(Err(AppendError::Closed));
            }
        }
        let tail = *self.announce.borrow();
        // A poisoned log was not closed in order; the next one to open it looks closely.
        let _ = self.background.send(Job::Close { tail, in_order: self.poison.is_none() });
    }

    /// Admits one request into the batch, or keeps its refusal until everything that it rests on is durable.
    fn take(&mut self, request: Request) {
        if let Some(reason) = &self.poison {
            let _ = request.answer.send(Err(poisoned(reason)));
            return;
        }
        let view = View { store: &self.store, pending: &self.pending, next: self.active.next };
        let Request { condition, events, encoded, lengths, answer, permit } = request;
        let result = match admission::admit(&view, &condition, &events) {
            // Only what is written needs room: a repetition is answered, and a conflict told, on a full disk too.
            Ok(Admitted::Write) => match self.make_room(encoded.len()) {
                Ok(()) => self.add(events, encoded, &lengths).map_err(AppendError::Check),
                Err(RoomError::Full(source)) => Err(AppendError::DiskFull(source)),
                Err(RoomError::Broken(source)) => Err(self.poison_with(&source)),
            },
            Ok(Admitted::Repeated(appended)) => Ok(appended),
            Err(error) => Err(error),
        };
        // Ordering: also a refusal may rest on a record of this very batch, so that every answer waits for the sync.
        self.pending.waiting.push(Box::new(Waiting { answer, result, _permit: permit }));
    }

    /// Gives the events their places and adds them to the batch.
    fn add(&mut self, events: Vec<NewEvent>, mut encoded: Vec<u8>, lengths: &[usize]) -> Result<Appended, ReadError> {
        let first = self.active.next;
        let time = admission::record_time(self.clock.now(), self.active.time);
        let revisions = self.revisions(&events)?;
        let seed = self.active.segment.header.seed();
        let batch_at = self.active.offset + BATCH_HEADER as u64;
        let mut rest = encoded.as_mut_slice();
        let start = self.pending.records.len();
        for ((event, length), revision) in events.into_iter().zip(lengths).zip(revisions) {
            let record = Record::from_new(event, self.active.next, revision, time);
            let leaf = record.leaf_digest();
            let (bytes, after) = rest.split_at_mut_checked(*length).unwrap_or_default();
            seal_record(bytes, &record, &leaf, seed);
            rest = after;
            self.active.tree.push(leaf);
            self.active.next = self.active.next.next();
            self.pending.by_id.insert(record.id, self.pending.records.len());
            self.pending.records.push(record);
        }
        // The hashing is done before readers are kept out of the index.
        let mut at = batch_at + self.buffer.len() as u64;
        if let Index::Memory(index) = &mut *self.active.segment.index.write() {
            for (record, length) in self.pending.records.iter().skip(start).zip(lengths) {
                index.push(record, u32::try_from(at).unwrap_or(u32::MAX));
                at += *length as u64;
            }
        }
        self.active.time = time;
        self.buffer.append(&mut encoded);
        Ok(Appended { first, last: self.active.next.previous().unwrap_or(first), repeated: false })
    }

    /// The revision of each event. Everything that may fail happens here, before anything changes.
    fn revisions(&self, events: &[NewEvent]) -> Result<Vec<Revision>, ReadError> {
        let mut next: HashMap<&StreamId, Revision> = HashMap::new();
        let mut revisions = Vec::with_capacity(events.len());
        for event in events {
            let revision = match next.get(&event.stream) {
                Some(revision) => *revision,
                None => self.store.last_revision(&event.stream)?.map_or(Revision::START, Revision::next),
            };
            revisions.push(revision);
            next.insert(&event.stream, revision.next());
        }
        Ok(revisions)
    }

    /// Writes and syncs the batch, announces the tail, and answers.
    fn commit(&mut self) {
        if !self.buffer.is_empty() && self.poison.is_none() {
            match self.write_batch() {
                Ok(()) => {
                    self.tree.lock().clone_from(&self.active.tree);
                    self.announce.send_replace(self.active.next);
                }
                Err(error) => {
                    let _ = self.poison_with(&error);
                }
            }
        }
        self.buffer.clear();
        self.pending.records.clear();
        self.pending.by_id.clear();
        for waiting in self.pending.waiting.drain(..) {
            let result = match &self.poison {
                Some(reason) => Err(poisoned(reason)),
                None => waiting.result,
            };
            // A caller that went away has no use for the answer; the events stay.
            let _ = waiting.answer.send(result);
        }
        if self.buffer.capacity() > 2 * MAX_GROUP_BYTES {
            self.buffer.shrink_to(MAX_GROUP_BYTES);
        }
    }

    /// One write and one sync.
    fn write_batch(&mut self) -> std::io::Result<()> {
        let durable = *self.announce.borrow();
        let count = u32::try_from(self.pending.records.len()).unwrap_or(u32::MAX);
        let seed = self.active.segment.header.seed();
        let header = BatchHeader::to_bytes(durable, count, durable, &self.buffer, seed);
        let mut batch = Vec::with_capacity(BATCH_HEADER + self.buffer.len() + 16);
        batch.extend(header);
        batch.append(&mut self.buffer);
        let end = self.active.offset + batch.len() as u64;
        batch.resize(batch.len() + padding(end), 0);
        self.active.file.write_all_at(&batch, self.active.offset)?;
        self.active.file.sync_data()?;
        self.active.offset += batch.len() as u64;
        batch.clear();
        self.buffer = batch;
        Ok(())
    }

    fn poison_with(&mut self, error: &std::io::Error) -> AppendError {
        let reason = error.to_string();
        tracing::error!(%reason, "the log takes no more appends until it is opened again");
        let answer = poisoned(&reason);
        self.poison = Some(reason);
        answer
    }

    /// Makes sure that the batch with this many bytes more fits into the segment, with a new segment when needed.
    fn make_room(&mut self, bytes: usize) -> Result<(), RoomError> {
        let needed = |start: u64, buffered: usize| start + (BATCH_HEADER + buffered + bytes) as u64 + 16;
        if needed(self.active.offset, self.buffer.len()) <= self.active.file_bytes {
            return Ok(());
        }
        // What was gathered is written first: a new segment begins with an empty batch.
        self.commit();
        if let Some(reason) = &self.poison {
            return Err(RoomError::Broken(std::io::Error::other(reason.clone())));
        }
        let file_bytes = self.segment_bytes.max(needed(HEADER_BYTES, 0).next_multiple_of(4096));
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
