//! The log as those see it who follow it: its tail moves in small steps of time.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, Direction, EventId, EventLog, Filter, LogId,
    NewEvent, Page, Position, ReadError, ReadingsPage, ReadingsQuery, Record, Revision, StreamId, TimeSpan, Window,
    subscribe_behind,
};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long appends are gathered before those who follow are woken.
pub const GATHER_FOR: Duration = Duration::from_millis(20);

/// A log whose watched tail moves at most once in [`GATHER_FOR`], and that much behind the log; its subscriptions likewise.
///
/// There are many followers on few cores. If all of them woke after each append, whoever waits for one of them would wait for all. Who waits for a
/// projection wakes it at once ([`ProjectionHandle::wait_for`](crate::ProjectionHandle::wait_for)); everything else is that of the log itself.
pub struct Gathered {
    inner: Arc<dyn EventLog>,
    tail: watch::Receiver<Position>,
}

impl Gathered {
    /// Gathers until `cancel`, or until the log closes; the watched tail ends then.
    pub fn start(inner: Arc<dyn EventLog>, cancel: CancellationToken) -> Arc<Self> {
        let mut log = inner.watch_tail();
        let (announce, tail) = watch::channel(*log.borrow_and_update());
        tokio::spawn(async move {
            let gather = async {
                while log.changed().await.is_ok() {
                    tokio::time::sleep(GATHER_FOR).await;
                    announce.send_replace(*log.borrow_and_update());
                }
            };
            tokio::select! {
                () = gather => {}
                () = cancel.cancelled() => {}
            }
        });
        Arc::new(Self { inner, tail })
    }
}

impl EventLog for Gathered {
    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    fn tail(&self) -> Position {
        self.inner.tail()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.tail.clone()
    }

    fn append(
        &self,
        condition: AppendCondition,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.inner.append(condition, events)
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.inner.read(from, direction, filter, limit)
    }

    fn read_within(
        &self,
        window: Window,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.inner.read_within(window, from, direction, filter, limit)
    }

    fn seek_happened(
        &self,
        from: Position,
        direction: Direction,
        span: TimeSpan,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.seek_happened(from, direction, span)
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        self.inner.read_stream(stream, from, direction, limit)
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.position_of(id)
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.last_position_at(record_time)
    }

    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<ReadingsPage, ReadError>> {
        self.inner.readings(query)
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        subscribe_behind(Arc::clone(&self.inner), self.tail.clone(), from, filter)
    }
}

#[cfg(test)]
#[path = "gathered_tests.rs"]
mod tests;
