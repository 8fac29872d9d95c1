//! `EventStore` and `EventSubscriber` on the log.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use eventlog::{
    AppendCondition, AppendError, Category, Direction, EventLog, Filter, InvalidName, Page, Position, ReadError,
    Record, Revision, StreamId,
};
use eventually_core::store::{EventStore, EventStream, Expected, Select};
use eventually_core::subscription::{self, EventSubscriber};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mapping::Mapping;
use crate::{EventKind, StoreError, StreamError, convert};

/// The most records that one read of a stream takes from the log.
const PAGE: usize = 500;

/// The events of one category of sources: `eventually_core`'s event store and event subscriber.
///
/// `Id` names a source; its text is the key of the source's stream. `E` is the event, which is kept as JSON. Clones share the log. Any number of stores
/// may write to one log at once: optimistic concurrency holds between all of them.
///
/// **append** is atomic and durable as the log promises it, and answers the source's new version. Without events it writes nothing, checks the
/// expected version all the same, and answers the present one. **stream** and **stream_all** are finite. **subscribe_all** hands out what is appended
/// after the call, in order, with no gap and no duplicate, until the log closes; a slow consumer reads later from the files, and misses nothing.
pub struct Store<Id, E> {
    log: Arc<dyn EventLog>,
    mapping: Mapping<Id, E>,
}

impl<Id, E> Clone for Store<Id, E> {
    fn clone(&self) -> Self {
        Self { log: Arc::clone(&self.log), mapping: self.mapping.clone() }
    }
}

impl<Id, E> fmt::Debug for Store<Id, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("log", &self.log.log_id())
            .field("category", &self.mapping.category)
            .finish_non_exhaustive()
    }
}

impl<Id, E> Store<Id, E> {
    /// A store for the sources of a category, whose events `naming` gives their types and schema versions.
    pub fn new(
        log: Arc<dyn EventLog>,
        category: Category,
        naming: impl Fn(&E) -> Result<EventKind, InvalidName> + Send + Sync + 'static,
    ) -> Self {
        Self { log, mapping: Mapping::new(category, Arc::new(naming)) }
    }

    /// Names who appends through this store (`eventually` otherwise).
    #[must_use]
    pub fn with_actor(mut self, actor: &str) -> Self {
        self.mapping.actor = actor.to_owned();
        self
    }

    /// The log underneath.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    pub(crate) fn mapping(&self) -> &Mapping<Id, E> {
        &self.mapping
    }

    /// The version that a source has now.
    async fn current_version(&self, stream: &StreamId) -> Result<u32, StoreError> {
        let from = Revision::new(u64::MAX);
        let last = self.log.read_stream(stream.clone(), from, Direction::Backward, 1).await;
        let last = last.map_err(StreamError::Read)?.records.pop();
        let version = convert::current_version(last.as_ref().map(|record| record.revision));
        let position = last.map_or(Position::START, |record| record.position);
        Ok(version.ok_or(StreamError::TooFar { position, what: "versions" })?)
    }

    /// Refuses events that would get a number that nobody could read back. For `Expected::Any` the version is known only afterwards.
    fn check_room(&self, expected: Expected, events: usize) -> Result<(), StoreError> {
        let full = |what| StoreError::Full { what, events };
        let count = u32::try_from(events).map_err(|_| full("versions"))?;
        if let Expected::Exact(version) = expected {
            version.checked_add(count).ok_or_else(|| full("versions"))?;
        }
        let last = self.log.tail().plus(u64::from(count)).previous();
        last.map_or(Some(0), convert::sequence_number).map(|_| ()).ok_or_else(|| full("sequence numbers"))
    }
}

impl<Id, E> Store<Id, E>
where
    Id: Display + FromStr + Eq,
    E: Serialize,
{
    async fn append_now(&self, id: Id, expected: Expected, events: Vec<E>) -> Result<u32, StoreError> {
        let stream = self.mapping.stream(&id)?;
        let new = self.mapping.encode(&stream, &events)?;
        // The events and the id are not held while the log works: the future can then move between threads whatever they are.
        drop((id, events));
        self.append_encoded(stream, expected, new).await
    }

    async fn append_encoded(
        &self,
        stream: StreamId,
        expected: Expected,
        new: Vec<eventlog::NewEvent>,
    ) -> Result<u32, StoreError> {
        if new.is_empty() {
            let actual = self.current_version(&stream).await?;
            return match expected {
                Expected::Exact(expected) if expected != actual => {
                    Err(StoreError::Conflict { stream, expected, actual })
                }
                _ => Ok(actual),
            };
        }
        let count = new.len();
        self.check_room(expected, count)?;
        let condition = match expected {
            Expected::Any => AppendCondition::none(),
            Expected::Exact(version) => AppendCondition::stream(stream.clone(), convert::expected(version)),
        };
        let appended = match self.log.append(condition, new).await {
            Ok(appended) => appended,
            Err(error) => return Err(refused(error, expected)),
        };
        match expected {
            // Checked above: the sum fits.
            Expected::Exact(version) => Ok(version.saturating_add(u32::try_from(count).unwrap_or(u32::MAX))),
            Expected::Any => {
                let written = self.log.read(appended.last, Direction::Forward, Filter::all(), 1).await;
                let last = written.map_err(StreamError::Read)?.records.pop();
                let version = convert::current_version(last.map(|record| record.revision));
                Ok(version.ok_or(StreamError::TooFar { position: appended.last, what: "versions" })?)
            }
        }
    }
}

/// The log's refusal in the words of the trait.
fn refused(error: AppendError, expected: Expected) -> StoreError {
    match (error, expected) {
        (AppendError::Conflict { stream, actual, .. }, Expected::Exact(expected)) => {
            // A source beyond 32 bits is at no version that could be expected; the most that can be said of it is the highest.
            let actual = convert::current_version(actual).unwrap_or(u32::MAX);
            StoreError::Conflict { stream, expected, actual }
        }
        (error, _) => StoreError::Append(error),
    }
}

impl<Id, E> EventStore for Store<Id, E>
where
    Id: Display + FromStr + Eq + Send + Sync + 'static,
    E: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type SourceId = Id;
    type Event = E;
    type Error = StoreError;

    fn append(&mut self, id: Id, expected: Expected, events: Vec<E>) -> BoxFuture<'_, Result<u32, StoreError>> {
        Box::pin(self.append_now(id, expected, events))
    }

    fn stream(&self, id: Id, select: Select) -> BoxFuture<'_, Result<EventStream<'_, Self>, StoreError>> {
        Box::pin(async move {
            let stream = self.mapping.stream(&id)?;
            let first = match select {
                Select::All => Revision::START,
                Select::From(version) => convert::revision(version),
            };
            let records =
                paged(first, move |from| self.log.read_stream(stream.clone(), from, Direction::Forward, PAGE));
            let events = records.map(|record| Ok(self.mapping.decode(record.map_err(StreamError::Read)?)?));
            Ok(events.boxed())
        })
    }

    fn stream_all(&self, select: Select) -> BoxFuture<'_, Result<EventStream<'_, Self>, StoreError>> {
        Box::pin(async move {
            let first = match select {
                Select::All => Position::START,
                Select::From(sequence_number) => Position::new(u64::from(sequence_number)),
            };
            let (tail, filter) = (self.log.tail(), self.mapping.filter());
            let records = paged(first, move |from| self.log.read(from, Direction::Forward, filter.clone(), PAGE));
            // What is appended while this is read is left to the next call: otherwise it need not end under a busy writer.
            let records = records.try_take_while(move |record| std::future::ready(Ok(record.position < tail)));
            let events = records.map(|record| Ok(self.mapping.decode(record.map_err(StreamError::Read)?)?));
            Ok(events.boxed())
        })
    }

    fn remove(&mut self, id: Id) -> BoxFuture<'_, Result<(), StoreError>> {
        let stream = self.mapping.stream(&id);
        Box::pin(std::future::ready(stream.and_then(|stream| Err(StoreError::NotRemovable { stream }))))
    }
}

impl<Id, E> EventSubscriber for Store<Id, E>
where
    Id: Display + FromStr + Eq + Send + Sync + 'static,
    E: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type SourceId = Id;
    type Event = E;
    type Error = StreamError;

    fn subscribe_all(&self) -> BoxFuture<'_, Result<subscription::EventStream<'_, Self>, StreamError>> {
        // Ordering: the tail is taken by the call and not by the first poll, so that nothing appended in between is missed.
        let records = self.log.subscribe(self.log.tail(), self.mapping.filter());
        let events = records.map(|record| self.mapping.decode(record.map_err(StreamError::Read)?));
        Box::pin(std::future::ready(Ok(events.boxed())))
    }
}

/// Records page by page, until there is no next page.
fn paged<'a, C, F>(
    first: C,
    read: impl Fn(C) -> F + Send + 'a,
) -> impl Stream<Item = Result<Record, ReadError>> + Send + 'a
where
    C: Send + 'a,
    F: Future<Output = Result<Page<C>, ReadError>> + Send + 'a,
{
    let pages = futures::stream::try_unfold((Some(first), read), |(next, read)| async move {
        let Some(from) = next else { return Ok(None) };
        let page = read(from).await?;
        Ok::<_, ReadError>(Some((page.records, (page.next, read))))
    });
    pages.map_ok(|page| futures::stream::iter(page.into_iter().map(Ok))).try_flatten()
}
