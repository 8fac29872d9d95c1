//! The way in and the way out: commands and questions of one log's tracking store.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use eventlog::{
    AppendCondition, AppendError, EventLog, EventType, Expected, Position, Query, QueryItem, StreamId, Tag,
};
use jiff::Timestamp;
use projections::{Feed, Meta, ProjectionError, ProjectionHandle, Runner, seal};
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio_util::sync::CancellationToken;

use crate::error::TrackingError;
use crate::projection::{Shared, TrackingProjection};
use crate::query::Histories;
use crate::state::State;

/// How often a command is tried when others change the same things.
pub const MAX_ATTEMPTS: usize = 16;

/// How long a command waits until its event is applied. The event is durable before the waiting begins.
pub const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The locks that commands about the same run share out among themselves.
const SHARDS: usize = 256;

/// The tracking store of one log.
///
/// **Commands** take the name of who gives them first (it stands in the record). They check the request, decide on the present state, append one event on the condition that
/// nothing which the decision rests on has changed since, and answer once the event is durable *and* applied: whoever asks next sees it. When others came in between, the command
/// is tried again, at most [`MAX_ATTEMPTS`] times.
///
/// **Questions** are answered from memory, without waiting; only the history of metrics is read from the log.
///
/// Metrics and tags for one run go side by side: their condition is only that the run was not deleted meanwhile. Parameters, which never change, go one after the other for
/// each run, so that many writers starve nobody.
pub struct Tracking {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) shared: Shared,
    handle: ProjectionHandle,
    naming: Mutex<()>,
    shards: Vec<RwLock<()>>,
    pub(crate) histories: Histories,
}

/// The events that a command appends, and on what condition; nothing when there is nothing to do.
pub(crate) type Decision = (AppendCondition, Vec<Event>);

impl Tracking {
    /// Opens the store in the folder (in memory, without one) and starts to follow the log, until `cancel`.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] when the store's file cannot be opened.
    pub fn start(
        feed: impl Into<Feed>,
        dir: Option<&Path>,
        cancel: &CancellationToken,
    ) -> Result<Self, ProjectionError> {
        let projection = TrackingProjection::open(dir)?;
        let shared = projection.shared();
        let feed = feed.into();
        let handle = Runner::start_rebuildable(&feed, projection, cancel.clone());
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Ok(Self {
            log: Arc::clone(feed.log()),
            shared,
            handle,
            naming: Mutex::default(),
            shards,
            histories: Histories::default(),
        })
    }

    /// The running projection, for the set of all projections.
    pub const fn handle(&self) -> &ProjectionHandle {
        &self.handle
    }

    /// The log that it decides on.
    pub const fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// The first position that no answer holds yet.
    pub fn checkpoint(&self) -> Position {
        self.shared.read(|_, checkpoint| checkpoint)
    }

    /// Looks at the state.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        self.shared.read(|state, _| look(state))
    }

    /// Decides on the present state, appends, and waits until the events are applied. `what` names the thing in the error when others are always faster.
    pub(crate) async fn command(
        &self,
        actor: &str,
        what: &str,
        mut decide: impl FnMut(&State, Position) -> Result<Decision, TrackingError>,
    ) -> Result<(), TrackingError> {
        for _ in 0..MAX_ATTEMPTS {
            let (condition, events) = self.shared.read(&mut decide)?;
            if events.is_empty() {
                return Ok(());
            }
            let now = Timestamp::now();
            let sealed =
                events.iter().map(|event| seal(event, Meta::own(actor, Some(now)))).collect::<Result<_, _>>()?;
            match self.log.append(condition, sealed).await {
                Ok(appended) => return Ok(self.handle.wait_for(appended.last, APPLY_TIMEOUT).await?),
                Err(AppendError::Conflict { .. } | AppendError::QueryMatched { .. }) => self.catch_up().await?,
                Err(error) => return Err(TrackingError::Append(error)),
            }
        }
        Err(TrackingError::Busy { what: what.to_owned(), attempts: MAX_ATTEMPTS })
    }

    /// Waits until everything that the log holds now is applied.
    ///
    /// # Errors
    /// [`TrackingError::Unavailable`] when that takes too long, or the projection has ended.
    pub async fn catch_up(&self) -> Result<(), TrackingError> {
        match self.log.tail().previous() {
            Some(last) => Ok(self.handle.wait_for(last, APPLY_TIMEOUT).await?),
            None => Ok(()),
        }
    }

    /// Names of experiments are given one after the other.
    pub(crate) async fn naming(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.naming.lock().await
    }

    fn shard(&self, key: &str) -> &RwLock<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        #[expect(clippy::indexing_slicing, reason = "the place is a remainder by the number of shards")]
        &self.shards[place]
    }

    /// For commands that may go side by side.
    pub(crate) async fn beside(&self, key: &str) -> RwLockReadGuard<'_, ()> {
        self.shard(key).read().await
    }

    /// For commands that go one after the other.
    pub(crate) async fn alone(&self, key: &str) -> RwLockWriteGuard<'_, ()> {
        self.shard(key).write().await
    }
}

impl std::fmt::Debug for Tracking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tracking").field("checkpoint", &self.checkpoint()).finish_non_exhaustive()
    }
}

/// Records of these types, about this thing.
pub(crate) fn about(types: &[&str], kind: &str, id: &str) -> Result<QueryItem, TrackingError> {
    Ok(QueryItem { categories: Vec::new(), types: event_types(types)?, tags: vec![Tag::of(kind, id)?] })
}

pub(crate) fn event_types(types: &[&str]) -> Result<Vec<EventType>, TrackingError> {
    Ok(types.iter().map(|name| EventType::new(name)).collect::<Result<_, _>>()?)
}

/// Nothing of the kind since the state that has everything below the position.
pub(crate) fn unless_since(items: Vec<QueryItem>, checkpoint: Position) -> AppendCondition {
    AppendCondition { streams: Vec::new(), no_match_after: Some((Query { items }, checkpoint.previous())) }
}

/// The stream of a thing is at the revision that the state knows.
pub(crate) fn at_revision(
    category: &str,
    key: &str,
    revision: Option<u64>,
) -> Result<(StreamId, Expected), TrackingError> {
    let expected = revision.map_or(Expected::NoStream, |last| Expected::Exactly(eventlog::Revision::new(last)));
    Ok((StreamId::of(category, key)?, expected))
}
