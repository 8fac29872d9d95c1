//! The contract of the log.

use std::pin::Pin;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::privacy::KeyError;
use crate::{
    AppendCondition, EventId, Filter, InvalidName, LogId, NewEvent, Page, Position, ReadingsPage, ReadingsQuery,
    Record, Revision, StreamId, Tag, TimeSpan, Window,
};

/// A future that an engine hands out behind the trait.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stream that an engine hands out behind the trait.
pub type BoxStream<'a, T> = Pin<Box<dyn futures::Stream<Item = T> + Send + 'a>>;

/// The most events that one append takes.
pub const MAX_BATCH_EVENTS: usize = 10_000;

/// The largest payload of one event, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;

/// The most records that one read hands out.
pub const MAX_PAGE: usize = 10_000;

/// The most bytes of records (payloads, texts, and a little for the rest) that one page holds, unless a single record is larger.
pub const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Which way a read goes along the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From older to newer records.
    Forward,
    /// From newer to older records.
    Backward,
}

/// Proof of an append: what it names is durable as far as the engine promises durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an append that is not looked at cannot be acknowledged"]
pub struct Appended {
    /// The position of the first event of the call.
    pub first: Position,
    /// The position of the last event of the call.
    pub last: Position,
    /// True when every event had been appended by an earlier call, and nothing was written now.
    pub repeated: bool,
}

/// An append-only log of events in one total order.
///
/// **Append.** [`append`](Self::append) is atomic: all events of the call become visible together, at consecutive positions, in the order
/// given, or none does. When the future answers `Ok`, the events are durable: they survive a crash of the process and of the machine as far
/// as the disk keeps what it synced. A caller that drops the future takes nothing back. An empty call is refused.
///
/// **Idempotency** is checked before everything that depends on what the log holds. When every id of the call is known with the same content, in the same order and at
/// consecutive positions, the first result comes back with `repeated` set. When an id is known with other content, when only a part of the call is known, or when an id
/// stands twice in the call, the answer is [`AppendError::IdConflict`]. Ids are remembered for as long as the log lives, in bounded memory.
///
/// **Conditions** are checked against the log as it is when the events would be written, in one step with the writing: expectations of streams in the order given,
/// whether the call writes to them or only read them, then the query that nothing after a position may match. A failed one is [`AppendError::Conflict`] with the
/// actual revision, or [`AppendError::QueryMatched`] with the first position that matches, and nothing is written.
///
/// **Deleted streams** take no events: [`AppendError::StreamDeleted`], checked in the same step, after idempotency and before conditions. See [`crate::metadata`], also for
/// what truncation and deletion leave visible.
///
/// **Reads** see every acknowledged append, and nothing that is not durable. A page holds at most `limit` and at most [`MAX_PAGE`] records, and at most
/// [`MAX_PAGE_BYTES`] unless its only record is larger; [`Page::next`] says where to go on, and is `None` only when everything that was durable when
/// the read began has been read in that direction. The number of records in a page says nothing about that. A limit of 0 answers an empty page whose next is `from`.
///
/// **Subscriptions** hand out what a read hands out, in the same order, first what is there, then what becomes durable, with no gap and no duplicate. They are
/// pulled: each holds one bounded page, the writer waits for no reader, and a slow one is served from where it stands for as long as it takes.
///
/// **Record time** never decreases, also when the clock of the machine does. So a time stands for a position, and a span of record time for a range of positions.
///
/// **Damage** that is found while reading is an error that names the position. It is never skipped.
///
/// **What a crash loses.** Nothing that was acknowledged. An append that was not answered, because the process died or the machine lost power, is there entirely or not
/// at all: the same call under the same ids finds out, and does it once. After [`AppendError::Poisoned`] the same holds for every call that was not answered. A subscription
/// ends with the process; its subscriber goes on from the position that it kept. What a group of consumers had acknowledged within the last second is delivered again
/// (see [`crate::groups`]). The memory engine loses everything with its process, and says so.
pub trait EventLog: Send + Sync + 'static {
    /// The identity of this log.
    fn log_id(&self) -> LogId;

    /// The first position that is not written yet: the number of durable records.
    fn tail(&self) -> Position;

    /// The tail as a value to wait on; it changes after each durable append.
    fn watch_tail(&self) -> watch::Receiver<Position>;

    /// Appends the events under the condition.
    fn append(&self, condition: AppendCondition, events: Vec<NewEvent>)
    -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Records that match the filter: forward from `from` on, or backward from `from` down, both including it. Backward from beyond the tail starts at the last record.
    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>>;

    /// As [`read`](Self::read), and only records whose times are within the window. A page can be empty and still name a next one: a read looks at a bounded
    /// part of the log.
    fn read_within(
        &self,
        window: Window,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(crate::window::read_within(self, window, from, direction, filter, limit))
    }

    /// The nearest position, from `from` on in the direction, before which certainly no record happened within the span; `None` when none did at all.
    /// An engine that keeps the range of event times of parts of the log skips those parts; the default skips nothing.
    fn seek_happened(
        &self,
        from: Position,
        direction: Direction,
        span: TimeSpan,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        let _ = (direction, span);
        Box::pin(std::future::ready(Ok(Some(from))))
    }

    /// Records of one stream, forward from a revision on or backward from it down. A stream that does not exist is empty.
    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>>;

    /// The position of the event with this id.
    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>>;

    /// The last position that was recorded at or before the time: what `as_of` a record time means. `None` when the log was empty then.
    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>>;

    /// The readings of one signal within a span of source times, from records below a position, in the order of their addresses (position, row): the order
    /// in which the log learnt of them, so that a page never changes. Readings in payloads that were dropped are not among them. An engine that knows where a
    /// signal's readings are reads little else; the default reads every frame.
    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<ReadingsPage, ReadError>> {
        Box::pin(crate::readings::scan(self, query))
    }

    /// Every record from a position on that matches the filter: first those that are there, then each new one once it is durable, with no
    /// gap and no duplicate. The stream ends only with an error or when the log closes. The subscriber keeps its own checkpoint.
    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>>;
}

/// Why an append did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The call holds no event.
    #[error("an append needs at least one event")]
    Empty,
    /// The call is larger than the log takes.
    #[error("{what} is {actual}, the limit is {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The count.
        actual: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A part of an event is not valid.
    #[error("event {id}: {reason}")]
    Invalid {
        /// The event.
        id: EventId,
        /// What is wrong with it.
        reason: String,
    },
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A stream is not as expected.
    #[error("stream {stream} is at {}, which is not what the append expects ({expected})", revision_text(.actual))]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What the append expected, in words.
        expected: String,
        /// The last revision of the stream; `None` when it does not exist.
        actual: Option<Revision>,
    },
    /// A record matches the query that must not match.
    #[error("record {position} matches the query of the condition")]
    QueryMatched {
        /// The first such record after the condition's position.
        position: Position,
    },
    /// The id is known with other content, or a part of the call is known already.
    #[error("event id {id} is taken (position {}): {reason}", position_text(.position))]
    IdConflict {
        /// The id.
        id: EventId,
        /// Where it stands in the log, unless it stands twice in the call itself.
        position: Option<Position>,
        /// What does not fit.
        reason: &'static str,
    },
    /// The stream is deleted and takes no more events, for ever.
    #[error("stream {stream} is deleted")]
    StreamDeleted {
        /// The stream.
        stream: StreamId,
    },
    /// The disk has no room; nothing was written, and appends work again when there is room.
    #[error("the disk is full; nothing was written")]
    DiskFull(#[source] std::io::Error),
    /// A write or sync failed once: the log takes nothing more until it is opened again, because what is on disk is not known.
    #[error("the log is poisoned by an earlier write error and must be opened again: {0}")]
    Poisoned(String),
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
    /// The log could not be read to check the condition.
    #[error("the condition could not be checked")]
    Check(#[source] ReadError),
    /// A new event is about a data subject that was erased; nothing of the call was written.
    #[error("{subject} was erased: nothing new about it is taken")]
    Erased {
        /// The event.
        id: EventId,
        /// The subject's name.
        subject: Tag,
    },
    /// The key that the event must be encrypted with cannot be had; nothing was written.
    #[error("the data key of an event cannot be had; nothing was written")]
    Key(#[source] KeyError),
}

impl AppendError {
    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream was deleted. Its records still stand in the log, where they can be read by position.
    #[error("stream {stream} is deleted")]
    StreamDeleted {
        /// The stream.
        stream: StreamId,
    },
    /// The bytes on disk are not what was written.
    #[error("record {position} in {file} is damaged: {reason}")]
    Corrupt {
        /// The record, or the first of the batch that cannot be read.
        position: Position,
        /// The file's name.
        file: String,
        /// What does not fit.
        reason: String,
    },
    /// The file could not be read.
    #[error("reading {file} failed")]
    Io {
        /// The file's name.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The bucket that the bytes live in did not answer. Nothing is damaged; the same read may succeed later.
    #[error("{file} cannot be read from its bucket now")]
    Unreachable {
        /// The file that stands for it.
        file: String,
        /// The bucket's reason.
        #[source]
        source: std::io::Error,
    },
    /// The derived index could not be read; it can be deleted and is then rebuilt.
    #[error("the index failed: {0}")]
    Index(String),
    /// The payload is encrypted with a key that is neither there nor destroyed by an erasure: the folder of the keys is not the one that belongs to the log.
    #[error("the data key {key} of record {position} is missing, and its subject was not erased")]
    KeyMissing {
        /// The record.
        position: Position,
        /// The key's id.
        key: Uuid,
    },
    /// The payload's key could not be read.
    #[error("the data key of record {position} cannot be read")]
    Key {
        /// The record.
        position: Position,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

impl ReadError {
    /// Whether the same read may succeed later without a change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

fn revision_text(revision: &Option<Revision>) -> String {
    revision.map_or_else(|| "no record".to_owned(), |revision| format!("revision {revision}"))
}

fn position_text(position: &Option<Position>) -> String {
    position.map_or_else(|| "in this call".to_owned(), |position| position.to_string())
}
