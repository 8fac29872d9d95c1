//! `EventSubscriber`, `Subscription` and `Projection` on the log.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use eventlog::EventLog;
use eventlog::memory::MemoryLog;
use eventlog_eventually::{
    Checkpoint, CheckpointError, Checkpoints, FileCheckpoints, MemoryCheckpoints, Persistent, SubscriptionError,
};
use eventually_core::projection::Projection;
use eventually_core::store::{EventStore, Expected, Persisted};
use eventually_core::subscription::{EventSubscriber, Subscription, Transient};
use eventually_core::versioning::Versioned;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::order::{Event, OrderId};
use crate::{engines, on_files, orders};

/// Appends one event of `picks` to each of three orders in turn.
async fn append(log: &Arc<dyn EventLog>, picks: std::ops::Range<u32>) {
    for picks in picks {
        let id = OrderId(u64::from(picks % 3));
        orders(log).append(id, Expected::Any, vec![Event::PicksAdded { picks }]).await.unwrap();
    }
}

fn picks(event: &Persisted<OrderId, Event>) -> u32 {
    match **event {
        Event::PicksAdded { picks } => picks,
        ref other => panic!("{other:?} was not appended"),
    }
}

/// The next `count` events of the subscription.
async fn take<S>(subscription: &S, count: usize) -> Vec<Persisted<OrderId, Event>>
where
    S: Subscription<SourceId = OrderId, Event = Event>,
    S::Error: std::fmt::Debug,
{
    subscription.resume().await.unwrap().take(count).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_subscription_catches_up_and_goes_live_with_no_gap_and_no_duplicate() {
    const BEFORE: u32 = 700;
    const ALL: u32 = 1_500;
    for (log, _folder) in engines() {
        append(&log, 0..BEFORE).await;
        let subscription = Persistent::new(orders(&log), MemoryCheckpoints::default());
        let mut events = subscription.resume().await.unwrap();
        let writer = tokio::spawn({
            let log = Arc::clone(&log);
            async move { append(&log, BEFORE..ALL).await }
        });
        for number in 0..ALL {
            let event = events.next().await.unwrap().unwrap();
            assert_eq!((event.sequence_number(), picks(&event)), (number, number));
            assert_eq!((event.source_id().0, event.version()), (u64::from(number % 3), number / 3 + 1));
        }
        writer.await.unwrap();
        assert!(events.next().now_or_never().is_none());
        append(&log, ALL..ALL + 1).await;
        assert_eq!(picks(&events.next().await.unwrap().unwrap()), ALL);
    }
}

#[tokio::test]
async fn a_subscriber_sees_what_comes_after_its_call_only() {
    for (log, _folder) in engines() {
        append(&log, 0..5).await;
        let store = orders(&log);
        let called = store.subscribe_all();
        append(&log, 5..8).await;
        let mut events = called.await.unwrap();
        append(&log, 8..10).await;
        for number in 5..10 {
            assert_eq!(picks(&events.next().await.unwrap().unwrap()), number);
        }
        assert!(events.next().now_or_never().is_none());
    }
}

#[tokio::test]
async fn a_subscription_goes_on_after_its_checkpoint() {
    for (log, _folder) in engines() {
        append(&log, 0..10).await;
        let checkpoints = MemoryCheckpoints::default();
        let subscription = Persistent::new(orders(&log), checkpoints.clone());
        let first = take(&subscription, 4).await;
        assert_eq!(first.iter().map(picks).collect::<Vec<_>>(), [0, 1, 2, 3]);
        // What is not checkpointed comes again.
        assert_eq!(take(&subscription, 4).await, first);
        subscription.checkpoint(first[2].sequence_number()).await.unwrap();
        assert_eq!(take(&subscription, 7).await.iter().map(picks).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
        let another = Persistent::new(orders(&log), checkpoints);
        assert_eq!(picks(&take(&another, 1).await[0]), 3);
        // Going back repeats.
        another.checkpoint(0).await.unwrap();
        assert_eq!(picks(&take(&another, 1).await[0]), 1);
    }
}

#[tokio::test]
async fn a_checkpoint_in_a_file_outlives_the_process() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("picks.checkpoint");
    for round in 0..4 {
        let log = on_files(folder.path());
        append(&log, round * 10..round * 10 + 10).await;
        let subscription = Persistent::new(orders(&log), FileCheckpoints::new(&file));
        let events = take(&subscription, 10).await;
        assert_eq!(events.iter().map(picks).collect::<Vec<_>>(), (round * 10..round * 10 + 10).collect::<Vec<_>>());
        subscription.checkpoint(events[9].sequence_number()).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no unfinished file is left");
}

#[tokio::test]
async fn a_checkpoint_that_is_not_one_of_this_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint");
    let logs: [Arc<dyn EventLog>; 2] = [Arc::new(MemoryLog::new()), Arc::new(MemoryLog::new())];
    let [one, other] = logs.each_ref().map(|log| Persistent::new(orders(log), FileCheckpoints::new(&file)));
    one.checkpoint(7).await.unwrap();
    let error = other.resume().await.err().unwrap();
    let (found, expected) = (logs[0].log_id(), logs[1].log_id());
    assert!(
        matches!(error, SubscriptionError::OtherLog { found: a, expected: b } if (a, b) == (found, expected)),
        "{error}"
    );
    let saved = FileCheckpoints::new(&file).load().await.unwrap();
    assert_eq!(saved, Some(Checkpoint { log: found, sequence_number: 7 }));
    for damaged in ["", "7", "{}", "{\"log\":\"x\",\"sequence_number\":7}"] {
        std::fs::write(&file, damaged).unwrap();
        let error = one.resume().await.err().unwrap();
        assert!(matches!(error, SubscriptionError::Checkpoint(CheckpointError::Damaged { .. })), "{error}");
    }
    let nowhere = FileCheckpoints::new(&folder.path().join("missing/checkpoint"));
    let error = Persistent::new(orders(&logs[0]), nowhere).checkpoint(1).await.unwrap_err();
    assert!(matches!(error, SubscriptionError::Checkpoint(CheckpointError::Io { .. })), "{error}");
}

#[tokio::test]
async fn a_subscription_ends_when_the_log_closes() {
    let folder = tempfile::tempdir().unwrap();
    let log = eventlog::embedded::EmbeddedLog::open(folder.path(), Default::default()).unwrap();
    let log = Arc::new(log);
    let shared: Arc<dyn EventLog> = Arc::clone(&log) as _;
    append(&shared, 0..2).await;
    let subscription = Persistent::new(orders(&shared), MemoryCheckpoints::default());
    let events = subscription.resume().await.unwrap();
    log.close();
    assert_eq!(events.try_collect::<Vec<_>>().await.unwrap().len(), 2);
}

/// `Transient` is theirs: catch-up from the store, then live from the subscriber. Checkpointed as it goes, it repeats no event but the last one processed.
#[tokio::test]
async fn their_own_subscription_runs_on_the_store() {
    for (log, _folder) in engines() {
        append(&log, 0..6).await;
        let subscription = Transient::new(orders(&log), orders(&log)).from(2);
        let mut events = subscription.resume().await.unwrap();
        let mut seen = Vec::new();
        append(&log, 6..9).await;
        while seen.last() != Some(&8) {
            let event = events.next().await.unwrap().unwrap();
            if seen.last() < Some(&picks(&event)) {
                seen.push(picks(&event));
            }
            subscription.checkpoint(event.sequence_number()).await.unwrap();
        }
        assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8]);
    }
}

/// The picks of each order.
#[derive(Default)]
struct PicksByOrder(BTreeMap<OrderId, u32>);

impl Projection for PicksByOrder {
    type SourceId = OrderId;
    type Event = Event;
    type Error = Infallible;

    fn project<'a>(&'a mut self, event: Persisted<OrderId, Event>) -> BoxFuture<'a, Result<(), Infallible>> {
        *self.0.entry(*event.source_id()).or_default() += picks(&event);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[tokio::test]
async fn a_projection_counts_each_event_once_over_restarts() {
    for (log, _folder) in engines() {
        append(&log, 0..50).await;
        let mut projection = PicksByOrder::default();
        let checkpoints = MemoryCheckpoints::default();
        for events in [7, 1, 30, 12] {
            let subscription = Persistent::new(orders(&log), checkpoints.clone());
            let mut stream = subscription.resume().await.unwrap().take(events);
            while let Some(event) = stream.next().await {
                let event = event.unwrap();
                let number = event.sequence_number();
                projection.project(event).await.unwrap();
                subscription.checkpoint(number).await.unwrap();
            }
        }
        let sum = |rest: u32| (0..50).filter(|number| number % 3 == rest).sum::<u32>();
        let expected = [(OrderId(0), sum(0)), (OrderId(1), sum(1)), (OrderId(2), sum(2))];
        assert_eq!(projection.0, BTreeMap::from(expected));
    }
}
