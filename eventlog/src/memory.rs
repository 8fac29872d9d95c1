//! The log in memory: for tests and for replay. It keeps the whole contract except that nothing survives the process.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::watch;
use uuid::Uuid;

use crate::admission::{self, Admitted, LogState};
use crate::metadata::{self, MetadataState, RetentionClass, StreamMetadata};
use crate::page::{Gather, PageLimit};
use crate::subscription::{PageSource, follow};
use crate::transparency::LeafSource;
use crate::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, Clock, Digest, Direction, EventId, EventLog, Filter,
    LogId, NewEvent, Page, PayloadState, Position, Query, ReadError, Record, Revision, StreamId, Tree,
};

/// A log in memory. Clones share the records; the log closes (and its subscriptions end) when the last clone is dropped.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
    announce: Arc<watch::Sender<Position>>,
    clock: Clock,
}

struct Shared {
    id: LogId,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    positions: HashMap<EventId, Position>,
    streams: HashMap<StreamId, Vec<Position>>,
    metadata: MetadataState,
}

/// What a subscription holds: the records, but not the sender that keeps it alive.
#[derive(Clone)]
struct Pages(Arc<Shared>);

impl MemoryLog {
    /// An empty log with the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// An empty log that takes its record times from this clock.
    pub fn with_clock(clock: Clock) -> Self {
        let id = LogId::new(Uuid::now_v7());
        let shared = Arc::new(Shared { id, state: RwLock::new(State::default()) });
        Self { shared, announce: Arc::new(watch::Sender::new(Position::START)), clock }
    }

    /// Drops the payloads of these positions for ever; everything else of the records stays.
    pub fn drop_payloads(&self, positions: &[RangeInclusive<Position>]) {
        let mut state = self.shared.state.write();
        for record in &mut state.records {
            if positions.iter().any(|range| range.contains(&record.position)) {
                record.payload = Bytes::new();
                record.payload_state = PayloadState::Dropped;
            }
        }
    }

    fn append_now(&self, condition: &AppendCondition, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        admission::check_call(condition, &events)?;
        let mut state = self.shared.state.write();
        if let Admitted::Repeated(appended) = admission::admit(&*state, condition, &events)? {
            return Ok(appended);
        }
        let first = state.tail();
        let earliest = state.records.last().map_or(Timestamp::MIN, |record| record.record_time);
        let time = admission::record_time(self.clock.now(), earliest);
        for change in metadata::changes(&events) {
            state.metadata.apply(change);
        }
        for event in events {
            state.push(event, time);
        }
        let tail = state.tail();
        // Ordering: announced under the lock, so that the tail never goes back.
        self.announce.send_replace(tail);
        let last = tail.previous().unwrap_or(first);
        Ok(Appended { first, last, repeated: false })
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn tail(&self) -> Position {
        Position::new(self.records.len() as u64)
    }

    fn push(&mut self, event: NewEvent, time: Timestamp) {
        let position = self.tail();
        let stream = self.streams.entry(event.stream.clone()).or_default();
        let revision = Revision::new(stream.len() as u64);
        stream.push(position);
        self.positions.insert(event.id, position);
        self.records.push(Record::from_new(event, position, revision, time));
    }

    fn record(&self, position: Position) -> Option<&Record> {
        self.records.get(usize::try_from(position.get()).ok()?)
    }

    fn read(&self, from: Position, direction: Direction, filter: &Query, limit: PageLimit) -> Page {
        let mut gather = Gather::new(limit);
        let at = usize::try_from(from.get()).unwrap_or(usize::MAX);
        match direction {
            Direction::Forward => {
                fill(&mut gather, self.records.iter().skip(at).filter(|record| filter.matches(record)))
            }
            Direction::Backward => {
                let count = at.saturating_add(1).min(self.records.len());
                let records = self.records.iter().take(count).rev();
                fill(&mut gather, records.filter(|record| filter.matches(record)));
            }
        }
        gather.page(from, |last| match direction {
            Direction::Forward => Some(last.position.next()),
            Direction::Backward => last.position.previous(),
        })
    }

    fn read_stream(&self, stream: &StreamId, from: Revision, direction: Direction, limit: usize) -> Page<Revision> {
        let mut gather = Gather::new(PageLimit::of(limit));
        let positions = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let at = usize::try_from(from.get()).unwrap_or(usize::MAX);
        let record = |position: &Position| self.record(*position);
        match direction {
            Direction::Forward => fill(&mut gather, positions.iter().skip(at).filter_map(record)),
            Direction::Backward => {
                let count = at.saturating_add(1).min(positions.len());
                fill(&mut gather, positions.iter().take(count).rev().filter_map(record));
            }
        }
        gather.page(from, |last| match direction {
            Direction::Forward => Some(last.revision.next()),
            Direction::Backward => last.revision.previous(),
        })
    }
}

fn fill<'a>(gather: &mut Gather, records: impl Iterator<Item = &'a Record>) {
    for record in records {
        if gather.is_full() {
            return;
        }
        gather.push(record.clone());
    }
}

impl LogState for State {
    fn position(&self, id: EventId) -> Result<Option<Position>, ReadError> {
        Ok(self.positions.get(&id).copied())
    }

    fn known(&self, id: EventId) -> Result<Option<(Position, Digest)>, ReadError> {
        let record = self.positions.get(&id).and_then(|position| self.record(*position));
        Ok(record.map(|record| (record.position, record.content_digest())))
    }

    fn last_revision(&self, stream: &StreamId) -> Result<Option<Revision>, ReadError> {
        let count = self.streams.get(stream).map_or(0, Vec::len);
        Ok(count.checked_sub(1).map(|index| Revision::new(index as u64)))
    }

    fn metadata(&self, stream: &StreamId) -> Option<StreamMetadata> {
        self.metadata.stream(stream).cloned()
    }

    fn metadata_subjects(&self) -> usize {
        self.metadata.subjects()
    }

    fn first_match(&self, query: &Query, after: Option<Position>) -> Result<Option<Position>, ReadError> {
        let from = after.map_or(Position::START, Position::next);
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        Ok(self.records.iter().skip(from).find(|record| query.matches(record)).map(|record| record.position))
    }
}

impl MemoryLog {
    /// The retention class of a stream: its own, otherwise that of its category, otherwise none.
    pub fn retention_class(&self, stream: &StreamId) -> Option<RetentionClass> {
        self.shared.state.read().metadata.effective_retention_class(stream).cloned()
    }
}

impl PageSource for Pages {
    async fn page(&self, from: Position, filter: &Filter, limit: PageLimit) -> Result<Page, ReadError> {
        Ok(self.0.state.read().read(from, Direction::Forward, filter, limit))
    }
}

impl EventLog for MemoryLog {
    fn log_id(&self) -> LogId {
        self.shared.id
    }

    fn tail(&self) -> Position {
        *self.announce.borrow()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.announce.subscribe()
    }

    fn append(
        &self,
        condition: AppendCondition,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.append_now(&condition, events) })
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { Ok(self.shared.state.read().read(from, direction, &filter, PageLimit::of(limit))) })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        Box::pin(async move {
            let state = self.shared.state.read();
            metadata::read_stream(state.metadata.stream(&stream), &stream, from, direction, |from| {
                Ok(state.read_stream(&stream, from, direction, limit))
            })
        })
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        Box::pin(async move { self.shared.state.read().position(id) })
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        Box::pin(async move {
            let state = self.shared.state.read();
            let count = state.records.partition_point(|record| record.record_time <= record_time);
            Ok(Position::new(count as u64).previous())
        })
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        follow(Pages(Arc::clone(&self.shared)), self.announce.subscribe(), from, filter)
    }
}

impl LeafSource for MemoryLog {
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        for record in &self.shared.state.read().records {
            tree.push(record.leaf_digest());
        }
        tree
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.announce.subscribe()
    }

    fn leaf_digests(&self, from: Position, count: usize) -> Result<Vec<Digest>, ReadError> {
        let state = self.shared.state.read();
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        Ok(state.records.iter().skip(from).take(count).map(Record::leaf_digest).collect())
    }

    fn leaves(&self, from: Position, count: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let state = self.shared.state.read();
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        Ok(state.records.iter().skip(from).take(count).map(Record::leaf).collect())
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
