#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use tempfile::TempDir;

use super::{BackupError, MANIFEST, Manifest, Source, Upto, check, create, restore};
use crate::bucket::Bucket;
use crate::embedded::{EmbeddedLog, Options, verify};
use crate::{
    AppendCondition, Clock, Digest, Direction, EventId, EventLog, EventType, Filter, NewEvent, Position, Record,
    StreamId,
};

/// A data folder with a log of small segments, and a folder for its backup.
struct Setting {
    dir: TempDir,
    clock: Arc<AtomicI64>,
}

impl Setting {
    fn new() -> Self {
        let setting = Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicI64::new(1_700_000_000)) };
        std::fs::create_dir_all(setting.data().join("artifacts/ab")).unwrap();
        std::fs::write(setting.data().join("artifacts/ab/model"), vec![7; 9 * 1024 * 1024]).unwrap();
        std::fs::write(setting.data().join("log.vkey"), "the verifier key\n").unwrap();
        setting
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> EmbeddedLog {
        let clock = Arc::clone(&self.clock);
        let now = move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let options = Options { segment_bytes: 8 * 1024, clock: Clock::from_fn(now), ..Options::default() };
        EmbeddedLog::open(&self.data().join("log"), options).unwrap()
    }

    fn source(&self) -> Source {
        let data = self.data();
        let others = vec![
            (data.join("log/checkpoint"), "log/checkpoint".to_owned()),
            (data.join("log.vkey"), "log.vkey".to_owned()),
            (data.join("artifacts"), "artifacts".to_owned()),
        ];
        Source { log: data.join("log"), others }
    }

    fn bucket(&self) -> Bucket {
        Bucket::open(self.dir.path().join("backup").to_str().unwrap()).unwrap()
    }

    /// Appends events one second apart, in calls of three.
    async fn append(&self, log: &EmbeddedLog, numbers: std::ops::Range<u64>) {
        let numbers: Vec<u64> = numbers.collect();
        for call in numbers.chunks(3) {
            self.clock.fetch_add(1, Ordering::Relaxed);
            let _ = log.append(AppendCondition::none(), call.iter().copied().map(event).collect()).await.unwrap();
        }
    }
}

fn event(number: u64) -> NewEvent {
    let stream = StreamId::new(&format!("lot-{}", number % 3)).unwrap();
    let payload = Bytes::from(format!("{{\"number\":{number},\"text\":\"{}\"}}", "纬纱".repeat(number as usize % 40)));
    let id = EventId::derived("test", &number.to_string());
    NewEvent::json(id, stream, EventType::new("lot.created").unwrap(), 1, "test", payload)
}

async fn all(log: &EmbeddedLog) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while (records.len() as u64) < log.tail().get() {
        let from = Position::new(records.len() as u64);
        records.extend(log.read(from, Direction::Forward, Filter::all(), 1_000).await.unwrap());
    }
    records
}

fn opened(data: &Path) -> EmbeddedLog {
    EmbeddedLog::open(&data.join("log"), Options { segment_bytes: 8 * 1024, ..Options::default() }).unwrap()
}

#[tokio::test]
async fn a_log_in_use_is_backed_up_and_comes_back_whole() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..200).await;
    let taken = create(&setting.source(), &setting.bucket()).await.unwrap();
    assert_eq!(taken.manifest.tail.get(), 200);
    assert_eq!(taken.manifest.root, log.tree().root());
    assert_eq!(taken.copied_files, taken.manifest.files.len());
    check(&setting.bucket()).await.unwrap();
    // A backup verifies by itself: its folder is laid out like a data folder.
    let verified = verify(&setting.dir.path().join("backup/log")).unwrap();
    assert_eq!((verified.records, verified.root), (200, taken.manifest.root));

    let restored = setting.dir.path().join("restored");
    let report = restore(&setting.bucket(), &restored, Upto::End).await.unwrap();
    assert_eq!((report.verified.records, report.verified.root), (200, taken.manifest.root));
    let copy = opened(&restored);
    assert!(copy.report().closed_in_order);
    assert_eq!(all(&copy).await, all(&log).await);
    assert_eq!(std::fs::read(restored.join("artifacts/ab/model")).unwrap(), vec![7; 9 * 1024 * 1024]);
    // The key names the log that the backup was taken from; the restored one gets its own.
    assert!(!restored.join("log.vkey").exists());
    assert!(restored.join("restored-from/log.vkey").exists());
    // Both go on, each in its own way.
    let appended = copy.append(AppendCondition::none(), vec![event(1_000)]).await.unwrap();
    assert_eq!(appended.first.get(), 200);
}

#[tokio::test]
async fn the_next_backup_copies_what_is_new() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..300).await;
    let first = create(&setting.source(), &setting.bucket()).await.unwrap();
    setting.append(&log, 300..330).await;
    let second = create(&setting.source(), &setting.bucket()).await.unwrap();
    assert_eq!(second.manifest.tail.get(), 330);
    let segments = |manifest: &Manifest| manifest.files.iter().filter(|file| file.name.ends_with(".segment")).count();
    let new = segments(&second.manifest) - segments(&first.manifest);
    // New segments, the one that was the last, the key and the mark; neither the old segments nor the artifacts.
    assert!(second.copied_files <= new + 3, "{} files were copied", second.copied_files);
    assert!(second.copied_bytes < 100_000, "{} bytes were copied", second.copied_bytes);
    let restored = setting.dir.path().join("restored");
    let report = restore(&setting.bucket(), &restored, Upto::End).await.unwrap();
    assert_eq!(report.verified.root, log.tree().root());
}

#[tokio::test]
async fn a_restore_reaches_to_a_position_or_a_time() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..200).await;
    let records = all(&log).await;
    let _ = create(&setting.source(), &setting.bucket()).await.unwrap();
    for last in [0, 1, 64, 100, 198, 199] {
        let restored = tempfile::tempdir().unwrap();
        let report = restore(&setting.bucket(), restored.path(), Upto::Position(Position::new(last))).await.unwrap();
        assert_eq!(report.verified.records, last + 1);
        let copy = opened(restored.path());
        assert_eq!(all(&copy).await, records[..=last as usize]);
        let appended = copy.append(AppendCondition::none(), vec![event(1_000)]).await.unwrap();
        assert_eq!(appended.first.get(), last + 1);
    }
    let restored = tempfile::tempdir().unwrap();
    let report = restore(&setting.bucket(), restored.path(), Upto::Time(records[100].record_time)).await.unwrap();
    let same_time = records.iter().rposition(|record| record.record_time == records[100].record_time).unwrap();
    assert_eq!(report.verified.records, same_time as u64 + 1);

    let restored = tempfile::tempdir().unwrap();
    let refused = restore(&setting.bucket(), restored.path(), Upto::Position(Position::new(200))).await.unwrap_err();
    assert_eq!(refused.to_string(), "the log ends at position 199, before 200");
    let restored = tempfile::tempdir().unwrap();
    let early = Timestamp::from_second(1).unwrap();
    let refused = restore(&setting.bucket(), restored.path(), Upto::Time(early)).await.unwrap_err();
    assert!(matches!(refused, BackupError::Before { .. }), "{refused}");
}

#[tokio::test]
async fn damage_of_a_backup_is_told_by_file() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..100).await;
    let taken = create(&setting.source(), &setting.bucket()).await.unwrap();
    let mut compared = 0;
    for file in &taken.manifest.files {
        let path = setting.dir.path().join("backup").join(&file.name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        for (bytes, what) in [(Some(bad), "its SHA-256"), (Some(good[1..].to_vec()), "its length"), (None, "the file")]
        {
            match bytes {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            match check(&setting.bucket()).await.unwrap_err() {
                BackupError::Damaged { file: named, what: told, .. } => {
                    assert_eq!((named, told), (file.name.clone(), what))
                }
                other => panic!("{other}"),
            }
            let restored = tempfile::tempdir().unwrap();
            assert!(restore(&setting.bucket(), restored.path(), Upto::End).await.is_err());
            compared += 1;
        }
        std::fs::write(&path, good).unwrap();
    }
    assert!(compared > 9, "only {compared} damages were tried");
    check(&setting.bucket()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..10).await;
    let _ = create(&setting.source(), &setting.bucket()).await.unwrap();

    let other = Setting::new();
    other.append(&other.log(), 0..10).await;
    let refused = create(&other.source(), &setting.bucket()).await.unwrap_err();
    assert!(matches!(refused, BackupError::OtherLog { .. }), "{refused}");

    let refused = restore(&setting.bucket(), &setting.data(), Upto::End).await.unwrap_err();
    assert!(matches!(refused, BackupError::Occupied { .. }), "{refused}");

    let empty = Bucket::open("memory:///").unwrap();
    let restored = tempfile::tempdir().unwrap();
    let refused = restore(&empty, restored.path(), Upto::End).await.unwrap_err();
    assert!(matches!(refused, BackupError::None { .. }), "{refused}");

    // A manifest that leads out of the folder is not followed.
    let mut manifest = Manifest::expect(&setting.bucket()).await.unwrap();
    manifest.files[0].name = "log/../../outside".to_owned();
    manifest.files[0].sha256 = Digest::of(b"x");
    let bytes = serde_json::to_vec(&manifest).unwrap();
    empty.store.put(&empty.object(MANIFEST), bytes.into()).await.unwrap();
    let refused = restore(&empty, restored.path(), Upto::End).await.unwrap_err();
    assert!(refused.to_string().contains("no name of a file within the backup"), "{refused}");
    for address in ["nowhere://x/y", "s3://user:secret@bucket/prefix"] {
        assert!(Bucket::open(address).is_err(), "{address}");
    }
}

/// A bucket takes what a folder takes.
#[tokio::test]
async fn a_bucket_serves_as_well_as_a_folder() {
    let setting = Setting::new();
    let log = setting.log();
    setting.append(&log, 0..100).await;
    let bucket = Bucket::open("memory:///plant-7/backup").unwrap();
    let taken = create(&setting.source(), &bucket).await.unwrap();
    let restored = tempfile::tempdir().unwrap();
    let report = restore(&bucket, restored.path(), Upto::End).await.unwrap();
    assert_eq!(report.verified.root, taken.manifest.root);
}
