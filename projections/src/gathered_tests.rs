use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, Digest, EventLog, Filter, Position};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{erased, sealed};
use crate::{Entry, Projection, ProjectionError, Runner};

/// Counts what it is shown, and how often.
struct Counting {
    checkpoint: Position,
    pages: Arc<AtomicU64>,
}

impl Projection for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn version(&self) -> u32 {
        1
    }

    fn filter(&self) -> Filter {
        Filter::default()
    }

    fn checkpoint(&self) -> Position {
        self.checkpoint
    }

    fn apply<'a>(
        &'a mut self,
        _entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        self.checkpoint = through;
        self.pages.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        Box::pin(std::future::ready(Ok(Digest::of(b""))))
    }
}

#[tokio::test]
async fn followers_wake_once_for_many_appends_and_at_once_for_who_waits() {
    let (log, cancel) = (Arc::new(MemoryLog::new()), CancellationToken::new());
    let gathered: Arc<dyn EventLog> = Gathered::start(Arc::clone(&log) as Arc<dyn EventLog>, cancel.clone());
    let pages = Arc::new(AtomicU64::new(0));
    let counting = Counting { checkpoint: Position::START, pages: Arc::clone(&pages) };
    let handle = Runner::start(Arc::clone(&gathered), counting, cancel.clone());
    let started = tokio::time::Instant::now();
    for number in 0..1000 {
        let _ =
            gathered.append(AppendCondition::none(), vec![sealed(number, None, erased("person:P-1"))]).await.unwrap();
        tokio::task::yield_now().await;
    }
    handle.wait_for(Position::new(999), Duration::from_secs(60)).await.unwrap();
    // One page for each step of the tail that time allowed and for the last one, cut short; one for who waited, one that had begun, and one since a page holds at most 512 records at first.
    let steps = started.elapsed().as_millis() / GATHER_FOR.as_millis();
    assert!(u128::from(pages.load(Ordering::Relaxed)) <= steps + 4, "{pages:?} pages in {steps} steps");
    // Without anybody who waits it comes by itself.
    let _ = gathered.append(AppendCondition::none(), vec![sealed(1000, None, erased("person:P-1"))]).await.unwrap();
    let mut tail = gathered.watch_tail();
    tail.wait_for(|tail| *tail == Position::new(1001)).await.unwrap();
    while handle.lag() > 0 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    handle.stopped().await;
    // The end of the gathering is the end of what is watched.
    while tail.changed().await.is_ok() {}
}

#[tokio::test]
async fn who_waits_wakes_a_follower_whose_tail_stands_still() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (gathering, cancel) = (CancellationToken::new(), CancellationToken::new());
    let gathered: Arc<dyn EventLog> = Gathered::start(Arc::clone(&log), gathering.clone());
    let counting = Counting { checkpoint: Position::START, pages: Arc::default() };
    let handle = Runner::start(Arc::clone(&gathered), counting, cancel.clone());
    gathering.cancel();
    while gathered.watch_tail().changed().await.is_ok() {}
    let _ = log.append(AppendCondition::none(), vec![sealed(0, None, erased("person:P-1"))]).await.unwrap();
    handle.wait_for(Position::START, Duration::from_secs(60)).await.unwrap();
    cancel.cancel();
    handle.stopped().await;
}

#[tokio::test]
async fn a_subscription_misses_nothing_repeats_nothing_and_ends_with_the_gathering() {
    let (log, cancel) = (Arc::new(MemoryLog::new()), CancellationToken::new());
    let gathered = Gathered::start(Arc::clone(&log) as Arc<dyn EventLog>, cancel.clone());
    let _ = log.append(AppendCondition::none(), vec![sealed(0, None, erased("person:P-1"))]).await.unwrap();
    let mut records = gathered.subscribe(Position::START, Filter::default());
    for number in 1..100 {
        let _ = log.append(AppendCondition::none(), vec![sealed(number, None, erased("person:P-1"))]).await.unwrap();
        if number % 10 == 0 {
            // Those who follow are some appends behind, each time others.
            let _ = records.next().await.unwrap().unwrap();
        }
    }
    for position in 9..100 {
        assert_eq!(records.next().await.unwrap().unwrap().position, Position::new(position));
    }
    cancel.cancel();
    assert!(records.next().await.is_none(), "the end of the gathering is the end of who follows it");
}
