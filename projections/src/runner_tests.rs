use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, BoxFuture, Digest, EventLog, Filter, Position};
use tokio_util::sync::CancellationToken;

use super::{Progress, Runner, Worker, watch};
use crate::folds::statistics::Statistics;
use crate::testing::history;
use crate::{
    Entry, Feed, MemoryProjection, Projection, ProjectionError, ProjectionSet, Rebuildable, RequestError, WaitError,
};

const WAIT: Duration = Duration::from_secs(60);

async fn append(log: &MemoryLog, range: std::ops::Range<u64>) {
    let seeds: Vec<u64> = (0..range.end).collect();
    let events = history(&seeds).split_off(usize::try_from(range.start).unwrap());
    assert!(!log.append(AppendCondition::none(), events).await.unwrap().repeated);
}

#[tokio::test]
async fn it_catches_up_follows_and_flushes_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let log = MemoryLog::new();
    append(&log, 0..600).await;
    let cancel = CancellationToken::new();
    let (projection, shared) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
    let handle = Runner::start_rebuildable(Feed::new(Arc::new(log.clone())), projection, cancel.clone());
    handle.wait_for(Position::new(599), WAIT).await.unwrap();
    append(&log, 600..601).await;
    handle.wait_for(Position::new(600), WAIT).await.unwrap();
    assert_eq!(
        (shared.read(|state, _| state.records), handle.lag(), handle.checkpoint()),
        (601, 0, Position::new(601))
    );
    cancel.cancel();
    handle.stopped().await;
    assert!(matches!(handle.digest().await, Err(RequestError::Stopped { .. })));
    assert!(matches!(handle.wait_for(Position::new(700), WAIT).await, Err(WaitError::Stopped { .. })));
    let (projection, _) = MemoryProjection::<Statistics>::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), Position::new(601));
}

#[tokio::test]
async fn a_wait_for_what_is_not_there_times_out() {
    let log = MemoryLog::new();
    append(&log, 0..2).await;
    let (projection, _) = MemoryProjection::<Statistics>::open(None).unwrap();
    let handle = Runner::start(Feed::new(Arc::new(log)), projection, CancellationToken::new());
    let error = handle.wait_for(Position::new(2), Duration::from_millis(10)).await.unwrap_err();
    assert!(matches!(error, WaitError::Timeout { wanted, .. } if wanted == Position::new(2)), "{error}");
}

#[tokio::test]
async fn a_rebuild_ends_where_the_old_one_is() {
    let log = MemoryLog::new();
    append(&log, 0..900).await;
    let (projection, shared) = MemoryProjection::<Statistics>::open(None).unwrap();
    let handle = Runner::start_rebuildable(Feed::new(Arc::new(log.clone())), projection, CancellationToken::new());
    handle.wait_for(Position::new(899), WAIT).await.unwrap();
    let before = handle.digest().await.unwrap();
    assert_eq!(handle.rebuild().await.unwrap(), Position::new(900));
    assert_eq!(handle.digest().await.unwrap(), before);
    append(&log, 900..910).await;
    handle.wait_for(Position::new(909), WAIT).await.unwrap();
    assert_eq!(shared.read(|state, _| state.records), 910);
    let mut set = ProjectionSet::default();
    set.add(handle);
    set.wait_for(Position::new(909), WAIT).await.unwrap();
    assert_eq!((set.lowest_checkpoint(&[]), set.names()), (Position::new(910), vec!["statistics"]));
}

/// Refuses while it is told to.
struct Moody {
    inner: MemoryProjection<Statistics>,
    refuses: Arc<AtomicBool>,
}

impl Projection for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn version(&self) -> u32 {
        1
    }

    fn filter(&self) -> Filter {
        self.inner.filter()
    }

    fn checkpoint(&self) -> Position {
        self.inner.checkpoint()
    }

    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        if self.refuses.load(Ordering::SeqCst) {
            let error = ProjectionError::Store { projection: "moody", reason: "no".to_owned() };
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.apply(entries, through)
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        self.inner.flush()
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        self.inner.digest()
    }
}

impl Rebuildable for Moody {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        Box::pin(async { Ok(Self { inner: self.inner.beside().await?, refuses: Arc::clone(&self.refuses) }) })
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        self.inner.replace(rebuilt.inner)
    }
}

#[tokio::test]
async fn a_failed_projection_says_why_and_can_be_rebuilt() {
    let log = MemoryLog::new();
    let refuses = Arc::new(AtomicBool::new(false));
    let (inner, _) = MemoryProjection::<Statistics>::open(None).unwrap();
    let handle = Runner::start_rebuildable(
        Feed::new(Arc::new(log.clone())),
        Moody { inner, refuses: Arc::clone(&refuses) },
        CancellationToken::new(),
    );
    append(&log, 0..2).await;
    handle.wait_for(Position::new(1), WAIT).await.unwrap();
    refuses.store(true, Ordering::SeqCst);
    append(&log, 2..4).await;
    let error = handle.wait_for(Position::new(3), WAIT).await.unwrap_err();
    assert!(matches!(&error, WaitError::Failed { reason, .. } if reason.contains("no")), "{error}");
    assert_eq!((handle.checkpoint(), handle.lag()), (Position::new(2), 2));
    assert!(matches!(handle.rebuild().await, Err(RequestError::Projection(_))));
    refuses.store(false, Ordering::SeqCst);
    assert_eq!(handle.rebuild().await.unwrap(), Position::new(4));
    assert_eq!(handle.failed(), None);
    handle.wait_for(Position::new(3), WAIT).await.unwrap();
}

#[tokio::test]
async fn what_does_not_match_the_filter_is_covered_all_the_same() {
    let log = MemoryLog::new();
    append(&log, 0..50).await;
    let (projection, _) = MemoryProjection::<crate::folds::quarantine::Quarantine>::open(None).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(log);
    let handle = Runner::start(Arc::clone(&log), projection, CancellationToken::new());
    handle.wait_for(Position::new(49), WAIT).await.unwrap();
    assert!(matches!(handle.rebuild().await, Err(RequestError::NotRebuildable { .. })));
}

#[tokio::test]
async fn a_projection_that_is_being_opened_says_so_and_is_waited_for() {
    let log = MemoryLog::new();
    append(&log, 0..5).await;
    let cancel = CancellationToken::new();
    let (projection, shared) = MemoryProjection::<Statistics>::open(None).unwrap();
    let (open, opening) = tokio::sync::oneshot::channel::<()>();
    let opened = async move {
        opening.await.unwrap();
        Ok(projection)
    };
    let handle = Runner::start_opening(Feed::new(Arc::new(log)), ("statistics", 1), opened, cancel.clone());
    assert!(handle.opening());
    assert_eq!((handle.checkpoint(), handle.lag()), (Position::START, 5));
    let waited = tokio::spawn({
        let handle = handle.clone();
        async move { handle.wait_for(Position::new(4), WAIT).await }
    });
    open.send(()).unwrap();
    waited.await.unwrap().unwrap();
    assert!(!handle.opening());
    assert_eq!(shared.read(|state, _| state.records), 5);
    cancel.cancel();
    handle.stopped().await;
}

#[tokio::test]
async fn a_projection_that_cannot_be_opened_has_failed_and_one_that_is_not_awaited_stops() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let cancel = CancellationToken::new();
    let refused = std::future::ready(Err::<MemoryProjection<Statistics>, _>(ProjectionError::Store {
        projection: "statistics",
        reason: "no disk".to_owned(),
    }));
    let failed = Runner::start_opening(Arc::clone(&log), ("statistics", 1), refused, cancel.clone());
    let error = failed.wait_for(Position::START, WAIT).await.unwrap_err();
    assert!(matches!(&error, WaitError::Failed { reason, .. } if reason.contains("no disk")), "{error}");
    assert!(!failed.opening());
    assert!(matches!(failed.digest().await, Err(RequestError::Stopped { .. })));

    let never = std::future::pending::<Result<MemoryProjection<Statistics>, ProjectionError>>();
    let waiting = Runner::start_opening(log, ("statistics", 1), never, cancel.clone());
    cancel.cancel();
    failed.stopped().await;
    waiting.stopped().await;
    assert!(matches!(waiting.wait_for(Position::START, WAIT).await, Err(WaitError::Stopped { .. })));
}

#[tokio::test]
async fn a_flush_that_takes_long_waits_for_as_much_work() {
    let (projection, _) = MemoryProjection::<Statistics>::open(None).unwrap();
    let (progress, _watching) = watch::channel(Progress::at(Position::START, false));
    let mut worker = Worker::new(Feed::new(Arc::new(MemoryLog::new())), projection, None, progress);
    (worker.unflushed, worker.flush_took) = (1, Duration::from_secs(10));
    worker.worked = Duration::from_secs(39);
    worker.flush_if_worth().await;
    assert_eq!((worker.unflushed, worker.worked), (1, Duration::from_secs(39)));
    worker.worked = Duration::from_secs(40);
    worker.flush_if_worth().await;
    assert_eq!((worker.unflushed, worker.worked), (0, Duration::ZERO));
    assert!(worker.flush_took < Duration::from_secs(10));
}
