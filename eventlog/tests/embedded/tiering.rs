//! Sealed segments in a bucket: the same answers, and what happens when the bucket is away.

use std::path::Path;

use eventlog::bucket::Bucket;
use eventlog::embedded::{EmbeddedLog, Options, Tiering, verify};
use eventlog::{Direction, EventLog, Filter, PayloadState, Position, ReadError, ReadingsQuery};

use crate::mixed::{Written, everything, everything_written, log, options, signal};
use crate::support::files;

fn tiered(bucket: &Path, keep_local_segments: usize) -> Options {
    let tiering = Tiering { bucket: Bucket::folder(bucket).unwrap(), keep_local_segments };
    Options { tiering: Some(tiering), ..options() }
}

pub fn readable() -> Vec<Written> {
    everything_written().into_iter().filter(|written| !matches!(written, Written::Unlike(_))).collect()
}

/// Every file below a folder.
fn objects(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(objects(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// What a log answers, as text: records, readings of each signal, positions of times.
pub async fn answers(log: &EmbeddedLog) -> Vec<String> {
    let records = everything(log).await;
    let mut answers: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    for number in 0..6 {
        answers.push(format!("{:?}", log.readings(ReadingsQuery::all(signal(number))).await.unwrap().readings));
    }
    for record in records {
        answers.push(format!("{:?}", log.last_position_at(record.record_time).await));
        answers.push(format!("{:?}", log.read_stream(record.stream, record.revision, Direction::Backward, 3).await));
    }
    answers
}

#[tokio::test]
async fn a_log_in_a_bucket_answers_what_it_answered_before() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log(directory.path(), tiered(bucket.path(), 2), &readable()).await;
    let _ = log.rotate().await.unwrap();
    let (expected, root) = (answers(&log).await, log.tree().root());
    let sealed = log.seal_all().await.unwrap();
    // The thread moves segments by itself as well: what counts is where they are afterwards.
    let _ = log.tier_all().await.unwrap();
    assert_eq!((files(directory.path(), "remote").len(), files(directory.path(), "sealed").len()), (sealed - 2, 2));
    assert_eq!(objects(bucket.path()).len(), sealed - 2);
    assert_eq!(answers(&log).await, expected);
    assert_eq!(log.tier_all().await.unwrap(), 0);
    drop(log);
    assert_eq!(verify(directory.path()).unwrap().root, root);
    // Without its indexes it reads everything from the bucket.
    for rebuilt in [0, sealed] {
        if rebuilt > 0 {
            files(directory.path(), "index").iter().for_each(|path| std::fs::remove_file(path).unwrap());
        }
        let log = EmbeddedLog::open(directory.path(), options()).unwrap();
        assert_eq!(log.report().indexes_rebuilt, rebuilt);
        assert_eq!(answers(&log).await, expected);
    }
}

#[tokio::test]
async fn a_bucket_that_is_away_is_no_damage() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = bucket.path().join("place");
    let log = log(directory.path(), tiered(&place, 0), &readable()).await;
    let _ = log.rotate().await.unwrap();
    let expected = everything(&log).await;
    let sealed = log.seal_all().await.unwrap();
    let _ = log.tier_all().await.unwrap();
    assert!(sealed > 3 && files(directory.path(), "remote").len() == sealed);
    drop(log);
    let away = bucket.path().join("away");
    std::fs::rename(&place, &away).unwrap();
    let log = EmbeddedLog::open(directory.path(), options()).unwrap();
    let error = log.read(Position::START, Direction::Forward, Filter::all(), 1).await.unwrap_err();
    assert!(matches!(error, ReadError::Unreachable { .. }) && error.retryable(), "{error:?}");
    // The same log reads it once the bucket is back.
    let _ = std::fs::remove_dir_all(&place);
    std::fs::rename(&away, &place).unwrap();
    assert_eq!(everything(&log).await, expected);
    drop(log);
    // An object that is not what was put there is damage, and is named.
    let object = objects(&place).remove(0);
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let error = verify(directory.path()).unwrap_err().to_string();
    assert!(error.contains("0000000000.remote"), "{error}");
}

#[tokio::test]
async fn dropped_payloads_leave_the_bucket() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log(directory.path(), tiered(bucket.path(), 0), &readable()).await;
    let _ = log.rotate().await.unwrap();
    let root = log.tree().root();
    let sealed = log.seal_all().await.unwrap();
    let _ = log.tier_all().await.unwrap();
    assert_eq!(files(directory.path(), "remote").len(), sealed);
    let before = objects(bucket.path());
    let report = log.drop_payloads(&[Position::new(1)..=Position::new(2)]).await.unwrap();
    assert_eq!((report.payloads, report.segments), (2, 1));
    // The object with the payloads is deleted, and the segment goes to the bucket again, without them.
    let _ = log.tier_all().await.unwrap();
    let after = objects(bucket.path());
    let gone = before.iter().filter(|object| !after.contains(object)).count();
    assert_eq!((after.len(), gone), (before.len(), 1));
    assert_eq!((files(directory.path(), "remote").len(), files(directory.path(), "sealed").len()), (sealed, 0));
    let records = everything(&log).await;
    let dropped: Vec<bool> = records.iter().map(|record| record.payload_state == PayloadState::Dropped).collect();
    assert_eq!(dropped[..4], [false, true, true, false]);
    drop(log);
    let verified = verify(directory.path()).unwrap();
    assert_eq!((verified.root, verified.dropped), (root, vec![(Position::new(1), Position::new(2))]));
}

#[tokio::test]
async fn after_a_crash_between_marker_and_removal_the_local_file_counts() {
    let (directory, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log(directory.path(), tiered(bucket.path(), 0), &readable()).await;
    let _ = log.rotate().await.unwrap();
    let expected = answers(&log).await;
    let sealed = log.seal_all().await.unwrap();
    let kept: Vec<_> = files(directory.path(), "sealed");
    let bytes: Vec<Vec<u8>> = kept.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let _ = log.tier_all().await.unwrap();
    drop(log);
    kept.iter().zip(&bytes).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    let log = EmbeddedLog::open(directory.path(), options()).unwrap();
    assert_eq!(answers(&log).await, expected);
    drop(log);
    let log = EmbeddedLog::open(directory.path(), tiered(bucket.path(), 0)).unwrap();
    // The thread may have begun with it when the log was opened; then nothing is left to do here.
    let _ = log.tier_all().await.unwrap();
    assert_eq!((files(directory.path(), "remote").len(), files(directory.path(), "sealed").len()), (sealed, 0));
    assert_eq!(objects(bucket.path()).len(), sealed);
    assert_eq!(answers(&log).await, expected);
}
