use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use domain::Event;
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::frames::{StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::privacy::{DataKeys, EncryptedLog};
use eventlog::{Direction, Filter};
use projections::{Meta, seal};
use proptest::prelude::*;

use super::*;
use crate::testing::{self, GatedLog, until};

fn reading(signal: &str, second: i64, sequence: Option<u64>, value: f64) -> Reading {
    Reading {
        signal: signal.into(),
        time: Timestamp::from_second(1_700_000_000 + second).unwrap(),
        sequence,
        value: Value::Float(value),
        status: StatusCode::GOOD,
    }
}

async fn memory() -> (Arc<dyn EventLog>, Ingest) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    (log, ingest)
}

fn fault(fault: &str) -> NewEvent {
    let data = serde_json::json!({"fault": fault, "asset": "LOOM-07", "symptoms": {"en": "weft stop"}});
    let event = Event::from_value("fault.observed", 1, data).unwrap();
    seal(&event, Meta::foreign("test", "test", fault, None)).unwrap()
}

#[tokio::test]
async fn the_same_reading_is_taken_once_and_another_value_is_kept_and_listed() {
    let (log, ingest) = memory().await;
    let first = ingest
        .readings("a", vec![reading("L.t", 1, None, 1.0), reading("L.t", 2, None, 2.0), reading("L.t", 1, None, 1.0)])
        .await
        .unwrap();
    assert_eq!((first.accepted, first.duplicates, first.conflicts), (2, 1, 0));
    // Another source, another cut: the identity is the reading's.
    let again = ingest.readings("b", vec![reading("L.t", 2, None, 2.0), reading("L.t", 0, None, 0.0)]).await.unwrap();
    assert_eq!((again.accepted, again.duplicates, again.conflicts), (1, 1, 0));
    let other = ingest.readings("a", vec![reading("L.t", 2, None, 2.5)]).await.unwrap();
    assert_eq!((other.accepted, other.duplicates, other.conflicts), (1, 0, 1));
    // A sequence makes another identity.
    let counted = ingest.readings("a", vec![reading("L.t", 2, Some(7), 2.5)]).await.unwrap();
    assert_eq!((counted.accepted, counted.conflicts), (1, 0));
    // The conflicting value is known as well now.
    let repeated = ingest.readings("a", vec![reading("L.t", 2, None, 2.5)]).await.unwrap();
    assert_eq!((repeated.accepted, repeated.duplicates), (0, 1));
    let conflicts = ingest.conflicts(None, 10).await.unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((&*conflicts[0].signal, conflicts[0].sequence, conflicts[0].position), ("L.t", None, other.position));
    assert_eq!(ingest.conflicts(Some(&conflicts[0]), 10).await.unwrap(), vec![]);
    assert_eq!(testing::readings(&*log).await.len(), 5);
    ingest.close().await;
    assert!(matches!(ingest.readings("a", vec![reading("L.t", 9, None, 1.0)]).await, Err(IngestError::Closed)));
}

#[tokio::test]
async fn nan_equals_itself_and_a_status_makes_a_difference() {
    let (_log, ingest) = memory().await;
    let nan = reading("L.t", 1, None, f64::NAN);
    let bad = Reading { status: StatusCode::new(0x8000_0000), ..nan.clone() };
    assert_eq!(ingest.readings("a", vec![nan.clone()]).await.unwrap().accepted, 1);
    assert_eq!(ingest.readings("a", vec![nan]).await.unwrap().duplicates, 1);
    assert_eq!(ingest.readings("a", vec![bad]).await.unwrap().conflicts, 1);
}

#[tokio::test]
async fn the_index_outlives_a_restart_and_its_own_loss() {
    let directory = tempfile::tempdir().unwrap();
    let (log_dir, index_dir) = (directory.path().join("log"), directory.path().join("index"));
    let batch: Vec<Reading> = (0..500).map(|second| reading("L.t", second, None, second as f64)).collect();
    let mut conflict_lists = Vec::new();
    for round in 0..3 {
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(&log_dir, Options::default()).unwrap());
        let ingest = Ingest::start(Arc::clone(&log), Some(&index_dir), Limits::default()).await.unwrap();
        let receipt = ingest.readings("a", batch.clone()).await.unwrap();
        if round == 0 {
            assert_eq!((receipt.accepted, receipt.duplicates), (500, 0));
            assert_eq!(ingest.readings("a", vec![reading("L.t", 3, None, -1.0)]).await.unwrap().conflicts, 1);
        } else {
            assert_eq!((receipt.accepted, receipt.duplicates), (0, 500), "round {round}");
        }
        conflict_lists.push(ingest.conflicts(None, 10).await.unwrap());
        ingest.close().await;
        drop(ingest);
        if round == 1 {
            std::fs::remove_dir_all(&index_dir).unwrap();
        }
    }
    assert_eq!(conflict_lists[0].len(), 1);
    assert_eq!(conflict_lists[0], conflict_lists[1]);
    assert_eq!(conflict_lists[0], conflict_lists[2]);
}

#[tokio::test]
async fn an_index_of_another_log_or_of_damaged_bytes_is_built_anew() {
    let directory = tempfile::tempdir().unwrap();
    for damage in [false, true] {
        let (log, ingest) = memory().await;
        ingest.readings("a", vec![reading("L.t", 1, None, 1.0)]).await.unwrap();
        ingest.close().await;
        if damage {
            std::fs::write(directory.path().join("readings.redb"), b"not a database at all").unwrap();
        }
        let ingest = Ingest::start(log, Some(directory.path()), Limits::default()).await.unwrap();
        let receipt = ingest.readings("a", vec![reading("L.t", 1, None, 1.0)]).await.unwrap();
        assert_eq!(receipt.duplicates, 1, "damage: {damage}");
        ingest.close().await;
    }
}

#[tokio::test]
async fn callers_that_wait_share_one_append() {
    let log = GatedLog::shut();
    let ingest = Ingest::start(log.clone(), None, Limits::default()).await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..100_i64 {
        let ingest = ingest.clone();
        callers.spawn(async move {
            let source = format!("source-{}", caller % 3);
            ingest.readings(&source, vec![reading(&format!("L.{caller}"), caller, None, 1.0)]).await
        });
    }
    // Everybody is queued or being appended: the queue has room for all.
    let queued = ingest.shared.limits.queued_readings - 100;
    until("the callers to be queued", || ingest.shared.room.available_permits() == queued).await;
    log.open_gate();
    while let Some(receipt) = callers.join_next().await {
        assert_eq!(receipt.unwrap().unwrap().accepted, 1);
    }
    let appends = ingest.statistics().appends.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1..=20).contains(&appends), "{appends} appends for 100 callers that waited");
    assert_eq!(testing::readings(&*log).await.len(), 100);
    let frames = ingest.statistics().frames.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(log.tail().get(), frames);
}

#[tokio::test]
async fn large_rounds_are_cut_into_frames() {
    let (log, ingest) = memory().await;
    let batch = |from: i64| (from..from + 20_000).map(|second| reading("L.t", second, None, 1.0)).collect::<Vec<_>>();
    let (one, two, three) = tokio::join!(
        ingest.readings("a", batch(0)),
        ingest.readings("a", batch(20_000)),
        ingest.readings("a", batch(40_000))
    );
    assert_eq!(one.unwrap().accepted + two.unwrap().accepted + three.unwrap().accepted, 60_000);
    assert_eq!(testing::readings(&*log).await.len(), 60_000);
    let text: Arc<str> = "x".repeat(MAX_TEXT_BYTES).into();
    let texts = (0..200)
        .map(|second| Reading { value: Value::Text(Arc::clone(&text)), ..reading("L.recipe", second, None, 0.0) })
        .collect();
    assert_eq!(ingest.readings("a", texts).await.unwrap().accepted, 200);
}

#[tokio::test]
async fn what_no_frame_can_hold_is_refused_by_field() {
    let (log, ingest) = memory().await;
    let long = Reading { value: Value::Text("x".repeat(MAX_TEXT_BYTES + 1).into()), ..reading("L.t", 1, None, 0.0) };
    let early = Reading { time: "0900-01-01T00:00:00Z".parse().unwrap(), ..reading("L.t", 1, None, 0.0) };
    for (readings, expected) in [
        (vec![], "a batch needs at least one reading"),
        (
            vec![reading("L.t", 1, None, 0.0), reading(" ", 1, None, 0.0)],
            "signal of item 1: signal \" \" is not valid: it is empty",
        ),
        (vec![long], "value of item 0: a text of 65537 bytes, the limit is 65536"),
        (vec![early], "time of item 0: 0900-01-01T00:00:00Z is not within the years 1678 to 2262"),
        (
            vec![reading("L.t", 1, None, 0.0); MAX_BATCH_READINGS + 1],
            "the number of readings is 20001, the limit is 20000",
        ),
    ] {
        let error = ingest.readings("a", readings).await.unwrap_err();
        assert!(error.is_input());
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(log.tail(), Position::START);
}

#[tokio::test]
async fn events_are_taken_once_in_whatever_cut() {
    let (log, ingest) = memory().await;
    let first = ingest.events(vec![fault("F1"), fault("F2")]).await.unwrap();
    assert_eq!((first.appended, first.repeated), (2, 0));
    let again = ingest.events(vec![fault("F1"), fault("F2")]).await.unwrap();
    assert_eq!((again.appended, again.repeated), (0, 2));
    let mixed = ingest.events(vec![fault("F2"), fault("F3"), fault("F3"), fault("F1")]).await.unwrap();
    assert_eq!((mixed.appended, mixed.repeated, mixed.position), (1, 3, Position::new(2)));
    let mut other = fault("F2");
    other.event_time = Some(Timestamp::UNIX_EPOCH);
    let refused = ingest.events(vec![fault("F4"), other]).await.unwrap_err();
    assert!(
        matches!(refused, IngestError::IdConflict { position: Some(position), .. } if position == Position::new(1))
    );
    assert_eq!(log.tail(), Position::new(3), "a refused call appends nothing");
}

#[tokio::test]
async fn quarantine_keeps_inputs_whole_and_once() {
    let (log, ingest) = memory().await;
    let bytes = [0xFF, 0x00, 0xFE];
    let long = "y".repeat(MAX_QUARANTINED_BYTES + 5);
    let input = |payload| Quarantined {
        source: "mqtt:shed",
        address: "mill/x",
        field: Some("time"),
        reason: "there is no time",
        payload,
        occurrence: None,
    };
    for payload in [b"{}".as_slice(), b"{}", &bytes, long.as_bytes()] {
        ingest.quarantine(input(payload)).await.unwrap();
    }
    let other = Quarantined { occurrence: Some("row 2"), ..input(b"{}") };
    ingest.quarantine(other).await.unwrap();
    let kept: Vec<_> = testing::events(&*log)
        .await
        .into_iter()
        .map(|event| match event {
            Event::InputQuarantined(event) => event,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kept.len(), 4, "the same input twice is one event");
    assert_eq!(kept[0].text.as_deref(), Some("{}"));
    assert_eq!(kept[1].text, None);
    let decoded = base64::engine::general_purpose::STANDARD.decode(kept[1].base64.as_ref().unwrap()).unwrap();
    assert_eq!(decoded, bytes);
    assert_eq!(kept[2].text.as_ref().unwrap().len(), MAX_QUARANTINED_BYTES);
    assert!(kept[2].reason.contains("SHA-256 of the whole"), "{}", kept[2].reason);
    assert_eq!(ingest.statistics().inputs_quarantined.load(std::sync::atomic::Ordering::Relaxed), 5);
    assert_eq!(ingest.statistics().inputs_quarantined_again.load(std::sync::atomic::Ordering::Relaxed), 1);
}

/// A reading of a small world, where identities meet often.
fn small_reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        (0_i64..2).prop_map(Value::Integer),
        (0_u8..2).prop_map(|value| Value::Float(f64::from(value))),
        any::<bool>().prop_map(Value::Boolean),
    ];
    (0_u8..3, 0_i64..6, prop_oneof![Just(None), (0_u64..2).prop_map(Some)], value).prop_map(
        |(signal, second, sequence, value)| Reading { value, ..reading(&format!("L.{signal}"), second, sequence, 0.0) },
    )
}

type Identity = (String, Timestamp, Option<u64>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Against a plain map: receipts, what the log holds, and the conflicts, with restarts in between and after losing the index.
    #[test]
    fn ingest_equals_a_map_of_identities(
        batches in prop::collection::vec((prop::collection::vec(small_reading(), 1..12), any::<bool>()), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
            let start = || Ingest::start(Arc::clone(&log), Some(directory.path()), Limits::default());
            let mut ingest = start().await.unwrap();
            let mut model: BTreeMap<Identity, Vec<Value>> = BTreeMap::new();
            let mut conflicting: BTreeSet<(Identity, Position)> = BTreeSet::new();
            let mut kept = 0;
            for (batch, restart) in batches {
                if restart {
                    ingest.close().await;
                    drop(ingest);
                    ingest = start().await.unwrap();
                }
                let receipt = ingest.readings("a", batch.clone()).await.unwrap();
                let (mut accepted, mut duplicates, mut conflicts) = (0, 0, 0);
                for reading in batch {
                    let identity = (reading.signal.to_string(), reading.time, reading.sequence);
                    let known = model.entry(identity.clone()).or_default();
                    if known.contains(&reading.value) {
                        duplicates += 1;
                        continue;
                    }
                    if !known.is_empty() {
                        conflicts += 1;
                        conflicting.insert((identity, receipt.position));
                    }
                    accepted += 1;
                    known.push(reading.value);
                }
                kept += accepted;
                assert_eq!((receipt.accepted, receipt.duplicates, receipt.conflicts), (accepted, duplicates, conflicts));
            }
            assert_eq!(testing::readings(&*log).await.len() as u64, kept);
            let expected: Vec<(Identity, Position)> = conflicting.into_iter().collect();
            let listed = |conflicts: Vec<Conflict>| {
                conflicts
                    .into_iter()
                    .map(|conflict| ((conflict.signal.to_string(), conflict.time, conflict.sequence), conflict.position))
                    .collect::<Vec<(Identity, Position)>>()
            };
            assert_eq!(listed(ingest.conflicts(None, 1_000).await.unwrap()), expected);
            ingest.close().await;
            drop(ingest);
            let rebuilt = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
            assert_eq!(listed(rebuilt.conflicts(None, 1_000).await.unwrap()), expected);
            rebuilt.close().await;
        });
    }
}

/// A message about somebody who was erased comes again, or a new one comes: it is acknowledged, nothing personal comes back, and what came with it is kept.
#[tokio::test]
async fn what_is_about_an_erased_subject_is_noted_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Arc::new(DataKeys::open(dir.path(), None).unwrap());
    let stored: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let log: Arc<dyn EventLog> =
        Arc::new(EncryptedLog::new(Arc::clone(&stored), Arc::clone(&keys), projections::subjects_policy()));
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    let person = |number: &str| {
        let data = serde_json::json!({"person": "P-17", "name": {"en": "Zhang Wei"}});
        let event = Event::from_value("person.registered", 1, data).unwrap();
        seal(&event, Meta::foreign("mqtt:hr", "mqtt:hr", number, None)).unwrap()
    };
    ingest.events(vec![person("1"), fault("F-1")]).await.unwrap();
    keys.shred(&eventlog::Tag::of("person", "P-17").unwrap()).unwrap();

    let again = ingest.events(vec![person("1"), fault("F-1")]).await.unwrap();
    assert_eq!((again.appended, again.repeated), (0, 2));
    let cut = ingest.events(vec![person("1"), fault("F-2")]).await.unwrap();
    assert_eq!((cut.appended, cut.repeated), (1, 1));
    let new = ingest.events(vec![person("2"), fault("F-3"), person("3")]).await.unwrap();
    assert_eq!((new.appended, new.repeated), (3, 0));
    let redelivered = ingest.events(vec![person("2"), fault("F-3"), person("3")]).await.unwrap();
    assert_eq!((redelivered.appended, redelivered.repeated), (0, 3));

    let mut notes = 0;
    for event in testing::events(&*log).await {
        match event {
            Event::InputQuarantined(note) => {
                assert!(note.reason.contains("person:P-17, which was erased"), "{note:?}");
                assert_eq!((note.text.as_deref(), note.base64), (Some(""), None));
                notes += 1;
            }
            Event::FaultObserved(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(notes, 2);
    let records = stored.read(Position::START, Direction::Forward, Filter::all(), 100).await.unwrap();
    assert_eq!(records.len(), 6);
    assert!(!records.iter().any(|record| record.payload.windows(5).any(|bytes| bytes == b"Zhang")));
    ingest.close().await;
}
