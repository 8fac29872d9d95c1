use std::sync::{Arc, Mutex};

use eventlog::embedded::{EmbeddedLog, OpenError, Options, verify};
use eventlog::{AppendCondition, AppendError, Clock, EventLog, Position, conformance};
use jiff::Timestamp;

use crate::support::{all, append, assert_events, event, open, small};

async fn conforms(segment_bytes: u64) {
    let directories = Mutex::new(Vec::new());
    let report = conformance::run(|clock| {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes, clock, ..Options::default() };
        let log = EmbeddedLog::open(directory.path(), options).unwrap();
        directories.lock().unwrap().push(directory);
        async move { Arc::new(log) as Arc<dyn EventLog> }
    })
    .await
    .unwrap();
    assert!(report.compared > 10_000, "{report:?}");
    let directories = directories.into_inner().unwrap();
    let verified: u64 = directories.iter().map(|directory| verify(directory.path()).unwrap().records).sum();
    assert!(verified > 5_000, "{verified} records verified");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds_within_one_segment() {
    conforms(16 * 1024 * 1024).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds_over_many_segments() {
    conforms(64 * 1024).await;
}

#[tokio::test]
async fn a_directory_has_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    assert!(matches!(EmbeddedLog::open(directory.path(), small()), Err(OpenError::Locked { .. })));
    drop(first);
    open(directory.path());
}

#[tokio::test]
async fn a_closed_log_refuses_appends_and_still_reads() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let _ = append(&log, 0..5).await;
    log.close();
    let refused = log.append(AppendCondition::none(), vec![event(5)]).await;
    assert!(matches!(refused, Err(AppendError::Closed)), "{refused:?}");
    assert_events(&all(&log).await, 5);
    // The directory is free again.
    assert!(open(directory.path()).report().closed_in_order);
}

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut root = None;
    for round in 0..6 {
        let log = open(directory.path());
        let report = log.report().clone();
        assert_eq!((report.created, report.records, report.truncated_bytes), (round == 0, round * 20, 0));
        assert!(report.closed_in_order);
        assert_eq!(log.tail(), Position::new(round * 20));
        assert!(root.is_none_or(|root| root == log.tree().root()), "the tree is that of the last process");
        assert_events(&all(&log).await, round * 20);
        // Everything of the rounds before is known, with its first position.
        for earlier in 0..round {
            let answer = append(&log, earlier * 20..earlier * 20 + 20).await;
            assert_eq!((answer.first.get(), answer.repeated), (earlier * 20, true));
        }
        let mut other = event(0);
        other.schema_version = 2;
        if round > 0 {
            let refused = log.append(AppendCondition::none(), vec![other]).await;
            assert!(matches!(refused, Err(AppendError::IdConflict { .. })), "{refused:?}");
        }
        assert_eq!(append(&log, round * 20..round * 20 + 20).await.first.get(), round * 20);
        root = Some(log.tree().root());
    }
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.records, Some(report.root), report.streams), (120, root, 3));
    assert!(report.segments > 3, "{report:?}");
}

#[tokio::test]
async fn record_times_do_not_decrease_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for (round, second) in [100, 50, 120].into_iter().enumerate() {
        let clock = Clock::from_fn(move || Timestamp::from_second(second).unwrap());
        let log = EmbeddedLog::open(directory.path(), Options { clock, ..small() }).unwrap();
        let _ = append(&log, round as u64 * 30..round as u64 * 30 + 30).await;
    }
    let log = open(directory.path());
    let seconds: Vec<i64> = all(&log).await.iter().map(|record| record.record_time.as_second()).collect();
    assert_eq!(seconds, [vec![100; 60], vec![120; 30]].concat());
    let at = |second| log.last_position_at(Timestamp::from_second(second).unwrap());
    assert_eq!(at(99).await.unwrap(), None);
    assert_eq!(at(100).await.unwrap(), Some(Position::new(59)));
    assert_eq!(at(119).await.unwrap(), Some(Position::new(59)));
    assert_eq!(at(120).await.unwrap(), Some(Position::new(89)));
}

#[tokio::test]
async fn a_call_larger_than_a_segment_gets_a_larger_segment() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let _ = append(&log, 0..100).await;
    let _ = append(&log, 100..101).await;
    let _ = append(&log, 101..400).await;
    assert_events(&all(&log).await, 400);
    drop(log);
    assert_events(&all(&open(directory.path())).await, 400);
    assert_eq!(verify(directory.path()).unwrap().records, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_in_use_verifies_up_to_its_durable_tail() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(directory.path(), Options { segment_bytes: 32 * 1024, ..small() }).unwrap());
    let writing = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (log, writing) = (Arc::clone(&log), Arc::clone(&writing));
            tokio::spawn(async move {
                let mut number = writer * 1_000_000;
                while writing.load(std::sync::atomic::Ordering::SeqCst) {
                    let _ = append(&log, number..number + 3).await;
                    number += 3;
                }
            })
        })
        .collect();
    let mut grown = 0;
    let mut last = 0;
    while grown < 10 {
        let before = log.tail().get();
        let path = directory.path().to_owned();
        let report = tokio::task::spawn_blocking(move || verify(&path)).await.unwrap().unwrap();
        assert!(report.records >= before && report.records >= last, "{report:?}, the tail was {before}");
        grown += u64::from(report.records > last);
        last = report.records;
    }
    writing.store(false, std::sync::atomic::Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(verify(directory.path()).unwrap().root, log.tree().root());
}
