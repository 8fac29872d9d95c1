//! A sealed log answers what the same log answered before, and its files say the same.

use std::path::Path;

use eventlog::embedded::{EmbeddedLog, OpenError, Options, VerifyError, verify};
use eventlog::{AppendCondition, Direction, EventLog, Filter, Position, ReadError, Revision, StreamId, conformance};
use proptest::prelude::*;

use crate::mixed::{Written, everything, everything_written, log, new_event, options, written};
use crate::support::{copy, files};

/// What the log answers to every kind of question, as text.
async fn answers(log: &EmbeddedLog) -> Vec<String> {
    let mut answers: Vec<String> = everything(log).await.iter().map(|record| format!("{record:?}")).collect();
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, 3, log.tail().get() / 2, log.tail().get() + 9] {
            answers.push(format!("{:?}", log.read(Position::new(from), direction, Filter::all(), 11).await));
            for stream in ["order-1", "lot-1", "lot-2"] {
                let stream = StreamId::new(stream).unwrap();
                answers.push(format!("{:?}", log.read_stream(stream, Revision::new(from / 3), direction, 9).await));
            }
        }
    }
    for record in everything(log).await {
        answers.push(format!("{:?}", log.position_of(record.id).await));
        answers.push(format!("{:?}", log.last_position_at(record.record_time).await));
    }
    answers
}

/// Seals everything but the segment that is written to, which is begun anew.
async fn seal(log: &EmbeddedLog) -> usize {
    let _ = log.rotate().await.unwrap();
    log.seal_all().await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_sealed_log_answers_what_it_answered_before(all in prop::collection::vec(written(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let log = log(directory.path(), options(), &all).await;
            let expected = answers(&log).await;
            let root = log.tree().root();
            let readable = all.iter().all(|written| !matches!(written, Written::Unlike(_)));
            let sealed = seal(&log).await;
            assert!(sealed > 0);
            assert_eq!(answers(&log).await, expected);
            for (number, written) in all.iter().enumerate() {
                let again = log.append(AppendCondition::none(), vec![new_event(number as u64, written)]).await.unwrap();
                assert!(again.repeated);
            }
            drop(log);
            assert_eq!(files(directory.path(), "sealed").len(), sealed);
            assert_eq!(files(directory.path(), "segment").len(), 1);
            if readable {
                let report = verify(directory.path()).unwrap();
                assert_eq!((report.root, report.records), (root, all.len() as u64));
            }
            // With its indexes, and with indexes built anew.
            for rebuilt in [0, sealed] {
                if rebuilt > 0 {
                    files(directory.path(), "index").iter().for_each(|path| std::fs::remove_file(path).unwrap());
                }
                let log = EmbeddedLog::open(directory.path(), options()).unwrap();
                assert_eq!(log.report().indexes_rebuilt, rebuilt);
                assert_eq!(log.tree().root(), root);
                assert_eq!(answers(&log).await, expected);
                assert_eq!(log.seal_all().await.unwrap(), 0);
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds_while_segments_are_sealed() {
    let directories = std::sync::Mutex::new(Vec::new());
    let report = conformance::run(|clock| {
        let directory = tempfile::tempdir().unwrap();
        let sealing = Some(eventlog::embedded::Sealing { mib_per_s: 1024, keep_unsealed: 0 });
        let options = Options { segment_bytes: 16 * 1024, clock, sealing, ..Options::default() };
        let log = EmbeddedLog::open(directory.path(), options).unwrap();
        directories.lock().unwrap().push(directory);
        async move { std::sync::Arc::new(log) as std::sync::Arc<dyn EventLog> }
    })
    .await
    .unwrap();
    assert!(report.compared > 10_000, "{report:?}");
    let directories = directories.into_inner().unwrap();
    let sealed: usize = directories.iter().map(|directory| files(directory.path(), "sealed").len()).sum();
    assert!(sealed > 0, "nothing was sealed");
    directories.iter().for_each(|directory| drop(verify(directory.path()).unwrap()));
}

#[tokio::test]
async fn readers_of_the_old_file_are_not_disturbed() {
    use futures::StreamExt;
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path(), options(), &everything_written()).await;
    let expected = everything(&log).await;
    let mut records = log.subscribe(Position::START, Filter::all());
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(records.next().await.unwrap().unwrap());
    }
    assert!(seal(&log).await > 3);
    while seen.len() < expected.len() {
        seen.push(records.next().await.unwrap().unwrap());
    }
    assert_eq!(seen, expected);
}

/// A log whose closed segments are sealed, and what it holds.
async fn sealed_directory() -> (tempfile::TempDir, usize) {
    let directory = tempfile::tempdir().unwrap();
    let readable: Vec<Written> =
        everything_written().into_iter().filter(|written| !matches!(written, Written::Unlike(_))).collect();
    let log = log(directory.path(), options(), &readable).await;
    let _ = seal(&log).await;
    (directory, readable.len())
}

#[tokio::test]
async fn every_flipped_bit_of_a_sealed_file_is_found_and_named() {
    let (directory, records) = sealed_directory().await;
    assert_eq!(verify(directory.path()).unwrap().records, records as u64);
    let path = files(directory.path(), "sealed").remove(2);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let bytes = std::fs::read(&path).unwrap();
    let mut found = 0;
    // The header beyond its facts is zeros under one checksum; everything else is looked at closely.
    let places = (0..4096).step_by(97).chain((4096..bytes.len()).step_by(19)).chain(bytes.len() - 64..bytes.len());
    for at in places {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, &damaged).unwrap();
        let error = verify(directory.path()).expect_err(&format!("byte {at} was changed"));
        assert!(error.to_string().contains(&name), "byte {at}: {error}");
        assert!(matches!(error, VerifyError::Log(OpenError::Corrupt { .. })), "byte {at}: {error}");
        found += 1;
    }
    assert!(found > 200, "{found} places");
    // A file that is cut off is damaged as well.
    for keep in [0, 100, 4096, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        assert!(verify(directory.path()).unwrap_err().to_string().contains(&name));
        assert!(matches!(EmbeddedLog::open(directory.path(), options()), Err(OpenError::Corrupt { .. })));
    }
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_named_when_it_is_read() {
    let (directory, records) = sealed_directory().await;
    let path = files(directory.path(), "sealed").remove(1);
    let bytes = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (4096..bytes.len() - 64).step_by(701) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        std::fs::write(&path, &damaged).unwrap();
        let log = EmbeddedLog::open(directory.path(), options()).unwrap();
        let mut errors = 0;
        for position in 0..records as u64 {
            match log.read(Position::new(position), Direction::Forward, Filter::all(), 1).await {
                Ok(records) => assert_eq!(records[0].position.get(), position),
                Err(ReadError::Corrupt { file, .. }) => {
                    assert_eq!(file, "0000000001.sealed");
                    errors += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(errors > 0, "byte {at} was changed and never missed");
        refused += errors;
    }
    assert!(refused > 10, "{refused} reads were refused");
}

/// Both forms of every segment are there, as after a crash between the new name and the end of the old file.
async fn both_forms() -> (tempfile::TempDir, Vec<String>) {
    let (old, both) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log(old.path(), options(), &everything_written()).await;
    let _ = log.rotate().await.unwrap();
    let expected = answers(&log).await;
    copy(old.path(), both.path());
    assert!(log.seal_all().await.unwrap() > 3);
    for path in files(old.path(), "sealed") {
        std::fs::copy(&path, both.path().join(path.file_name().unwrap())).unwrap();
    }
    (both, expected)
}

fn forms(directory: &Path) -> (usize, usize) {
    (files(directory, "segment").len(), files(directory, "sealed").len())
}

#[tokio::test]
async fn after_a_crash_the_new_form_wins() {
    let (directory, expected) = both_forms().await;
    let count = files(directory.path(), "sealed").len();
    assert_eq!(forms(directory.path()), (count + 1, count));
    let log = EmbeddedLog::open(directory.path(), options()).unwrap();
    assert_eq!(forms(directory.path()), (1, count));
    assert_eq!(answers(&log).await, expected);
}

#[tokio::test]
async fn a_damaged_new_form_goes_while_the_old_one_is_there() {
    let (directory, expected) = both_forms().await;
    let count = files(directory.path(), "sealed").len();
    let path = files(directory.path(), "sealed").remove(1);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(directory.path().join("0000000002.sealed.unpublished"), b"half of it").unwrap();
    let log = EmbeddedLog::open(directory.path(), options()).unwrap();
    assert_eq!(forms(directory.path()), (2, count - 1));
    assert_eq!(files(directory.path(), "unpublished").len(), 0);
    assert_eq!(answers(&log).await, expected);
    assert_eq!(log.seal_all().await.unwrap(), 1);
    assert_eq!(answers(&log).await, expected);
}

#[tokio::test]
async fn a_damaged_segment_is_not_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path(), options(), &everything_written()).await;
    let path = files(directory.path(), "segment").remove(1);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(log.seal_all().await.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(files(directory.path(), "unpublished").len(), 0);
    assert!(log.sealing().failures > 0);
}

/// The mixed signals of the research notes, 16 of them with 8,192 readings each: half random walks in steps of 0.01, a quarter noise, a quarter steps.
#[tokio::test]
async fn mixed_signals_take_four_bytes_a_reading_at_most() {
    use eventlog::frames::{Reading, StatusCode, Value};

    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), Options::default()).unwrap();
    let mut state = 7_u64;
    let mut chance = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut unit = move || (chance() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
    let mut levels = [100.0; 16];
    for frame in 0..16_i64 {
        let mut readings = Vec::new();
        for step in frame * 512..frame * 512 + 512 {
            for (number, level) in levels.iter_mut().enumerate() {
                *level = match number % 4 {
                    0 | 1 => ((*level + unit() * 0.5) * 100.0).round() / 100.0,
                    2 => 50.0 + unit(),
                    _ if unit() > 0.96 => (unit() * 10.0).round() * 5.0,
                    _ => *level,
                };
                readings.push(Reading {
                    signal: format!("loom-{number:02}.signal").into(),
                    time: jiff::Timestamp::from_millisecond(1_700_000_000_000 + step * 100).unwrap(),
                    sequence: Some(step as u64),
                    value: Value::Float(*level),
                    status: StatusCode::GOOD,
                });
            }
        }
        let event = crate::mixed::frame_event(frame as u64, readings);
        let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
    }
    assert_eq!(seal(&log).await, 1);
    let status = log.sealing();
    let each = |bytes: u64| bytes as f64 / (16.0 * 8192.0);
    println!("{} bytes appended, {} sealed", status.bytes_before, status.bytes_after);
    assert!(each(status.bytes_after) < 4.0, "{:.2} bytes a reading", each(status.bytes_after));
}
