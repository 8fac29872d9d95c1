use std::path::Path;

use eventlog::embedded::{EmbeddedLog, OpenError, verify};
use eventlog::{AppendCondition, AppendError, Direction, EventLog, Filter, Position, ReadError};

use crate::support::{all, append, assert_events, copy, event, files, open, small};

const HEADER: usize = 4096;

/// A log of one segment whose second batch (records 4..8) is durable in `after`, and not written yet in `before`.
async fn before_and_after() -> (tempfile::TempDir, tempfile::TempDir) {
    let (log_directory, before, after) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = open(log_directory.path());
    let _ = append(&log, 0..2).await;
    let _ = append(&log, 2..4).await;
    copy(log_directory.path(), before.path());
    let _ = append(&log, 4..8).await;
    copy(log_directory.path(), after.path());
    (before, after)
}

fn segment(directory: &Path, index: usize) -> std::path::PathBuf {
    files(directory, "segment")[index].clone()
}

fn refused(directory: &Path) -> (u64, String, String) {
    match EmbeddedLog::open(directory, small()).map(|log| log.report().clone()) {
        Err(OpenError::Corrupt { position, file, reason }) => (position.get(), file, reason),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_torn_batch_is_cut_off_wherever_it_is_torn() {
    let (before, after) = before_and_after().await;
    let (old, new) =
        (std::fs::read(segment(before.path(), 0)).unwrap(), std::fs::read(segment(after.path(), 0)).unwrap());
    let start = old.iter().zip(&new).position(|(old, new)| old != new).unwrap();
    let end = new.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut torn = 0;
    for cut in (start + 1..end).step_by(13).chain([end - 1]) {
        // The batch was written up to the cut, or from the cut on: disks write sectors in any order.
        for front in [true, false] {
            let mut bytes = old.clone();
            let range = if front { start..cut } else { cut..end };
            bytes[range.clone()].copy_from_slice(&new[range.clone()]);
            if new[range.clone()].iter().all(|byte| *byte == 0) {
                continue;
            }
            let scratch = tempfile::tempdir().unwrap();
            copy(before.path(), scratch.path());
            std::fs::write(segment(scratch.path(), 0), &bytes).unwrap();
            assert_eq!(verify(scratch.path()).unwrap().records, 4);
            let log = open(scratch.path());
            assert_eq!(log.report().records, 4, "{range:?}");
            assert!(log.report().truncated_bytes > 0, "{range:?}");
            assert_events(&all(&log).await, 4);
            // The place is used again, and nothing of the torn batch shows.
            assert_eq!(append(&log, 4..6).await.first.get(), 4);
            drop(log);
            let log = open(scratch.path());
            assert_eq!((log.report().truncated_bytes, log.report().records), (0, 6));
            assert_eq!(verify(scratch.path()).unwrap().records, 6);
            torn += 1;
        }
    }
    assert!(torn > 50, "{torn} cuts");
}

#[tokio::test]
async fn a_file_that_ends_within_a_batch_is_a_torn_tail() {
    let (before, after) = before_and_after().await;
    let new = std::fs::read(segment(after.path(), 0)).unwrap();
    let end = new.iter().rposition(|byte| *byte != 0).unwrap();
    std::fs::write(segment(before.path(), 0), &new[..end - 10]).unwrap();
    let log = open(before.path());
    assert_eq!(log.report().records, 4);
    let _ = append(&log, 4..300).await;
    assert_events(&all(&log).await, 300);
}

#[tokio::test]
async fn damage_below_what_a_later_batch_declares_durable_is_refused() {
    let (_, after) = before_and_after().await;
    let bytes = std::fs::read(segment(after.path(), 0)).unwrap();
    // Without the mark, only the later batches say what was durable.
    std::fs::remove_file(after.path().join("durable.mark")).unwrap();
    let last = bytes.windows(4).rposition(|window| window == b"MWB1").unwrap();
    let mut refusals = 0;
    for at in (HEADER..last - 16).step_by(5) {
        let scratch = tempfile::tempdir().unwrap();
        copy(after.path(), scratch.path());
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(segment(scratch.path(), 0), &damaged).unwrap();
        let (position, file, reason) = refused(scratch.path());
        assert!(position == 0 || position == 2, "byte {at}: record {position}, {reason}");
        assert_eq!(file, "0000000000.segment");
        assert!(verify(scratch.path()).is_err());
        assert_eq!(std::fs::read(segment(scratch.path(), 0)).unwrap(), damaged, "nothing was changed");
        refusals += 1;
    }
    assert!(refusals > 100, "{refusals} refusals");
}

#[tokio::test]
async fn damage_of_the_last_batch_is_refused_after_an_orderly_close() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let _ = append(&log, 0..4).await;
    let _ = append(&log, 4..8).await;
    drop(log);
    let path = segment(directory.path(), 0);
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.windows(4).rposition(|window| window == b"MWB1").unwrap();
    let mut damaged = bytes.clone();
    damaged[last + 60] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (position, _, reason) = refused(directory.path());
    assert_eq!(position, 4);
    assert!(reason.contains("the mark says that everything below 8 was durable"), "{reason}");
    // A cut is damage as well.
    std::fs::write(&path, &bytes[..last]).unwrap();
    assert_eq!(refused(directory.path()).0, 4);
    std::fs::write(&path, &bytes).unwrap();
    assert_events(&all(&open(directory.path())).await, 8);
}

#[tokio::test]
async fn missing_segments_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for start in 0..20 {
        let _ = append(&log, start * 5..start * 5 + 5).await;
    }
    drop(log);
    let count = files(directory.path(), "segment").len();
    assert!(count > 3);
    for missing in 0..count {
        let scratch = tempfile::tempdir().unwrap();
        copy(directory.path(), scratch.path());
        std::fs::remove_file(segment(scratch.path(), missing)).unwrap();
        let _ = refused(scratch.path());
        assert!(verify(scratch.path()).is_err());
    }
    let scratch = tempfile::tempdir().unwrap();
    copy(directory.path(), scratch.path());
    files(scratch.path(), "segment").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let _ = refused(scratch.path());
    assert!(verify(&scratch.path().join("nothing")).is_err());
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_named_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for start in 0..20 {
        let _ = append(&log, start * 5..start * 5 + 5).await;
    }
    drop(log);
    let path = segment(directory.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = HEADER + (bytes.len() - HEADER) / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    // Sealed segments with an index are not reread when the log is opened.
    let log = open(directory.path());
    let mut damaged = Vec::new();
    for position in 0..100 {
        match log.read(Position::new(position), Direction::Forward, Filter::all(), 1).await {
            Ok(records) => assert_eq!(records[0].id, event(position).id),
            Err(ReadError::Corrupt { position: found, file, .. }) => {
                assert_eq!((found.get(), file.as_str()), (position, "0000000001.segment"));
                damaged.push(position);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(damaged.len(), 1);
    let whole = log.read(Position::START, Direction::Forward, Filter::all(), 1_000).await;
    assert!(matches!(whole, Err(ReadError::Corrupt { position, .. }) if position.get() == damaged[0]), "{whole:?}");
    drop(log);
    let error = verify(directory.path()).unwrap_err().to_string();
    assert!(error.contains("0000000001.segment"), "{error}");
    // Building the index anew rereads the segment.
    std::fs::remove_file(directory.path().join("0000000001.index")).unwrap();
    assert_eq!(refused(directory.path()).1, "0000000001.segment");
}

#[tokio::test]
async fn blocks_of_another_log_never_validate() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&one, &two] {
        let log = open(directory.path());
        let _ = append(&log, 0..3).await;
    }
    let foreign = std::fs::read(segment(one.path(), 0)).unwrap();
    let path = segment(two.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[HEADER..].copy_from_slice(&foreign[HEADER..]);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(refused(two.path()).0, 0);
}

#[tokio::test]
async fn a_write_error_poisons_the_log_until_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let _ = append(&log, 0..5).await;
    // The next segment cannot be made where a directory stands.
    let obstacle = directory.path().join("0000000001.unpublished");
    std::fs::create_dir(&obstacle).unwrap();
    let mut next = 5;
    let error = loop {
        match log.append(AppendCondition::none(), vec![event(next)]).await {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Poisoned(_)) && !error.retryable(), "{error:?}");
    std::fs::remove_dir(&obstacle).unwrap();
    let again = log.append(AppendCondition::none(), vec![event(next)]).await;
    assert!(matches!(again, Err(AppendError::Poisoned(_))), "{again:?}");
    assert_events(&all(&log).await, next);
    drop(log);
    let log = open(directory.path());
    assert_eq!((log.report().records, log.report().closed_in_order), (next, false));
    let _ = append(&log, next..next + 50).await;
    assert_events(&all(&log).await, next + 50);
}

/// Needs a file system of a few MiB to fill, named by MILLWRIGHT_SMALL_DISK (for example a tmpfs).
#[tokio::test]
async fn a_full_disk_refuses_appends_until_there_is_room() {
    let Some(disk) = std::env::var_os("MILLWRIGHT_SMALL_DISK") else {
        println!("skipped: MILLWRIGHT_SMALL_DISK names no small file system");
        return;
    };
    let directory = Path::new(&disk).join("log");
    let ballast = Path::new(&disk).join("ballast");
    let log = open(&directory);
    let _ = append(&log, 0..5).await;
    let mut room = 1 << 26;
    let mut file = Vec::new();
    while room > 1024 {
        file.resize(file.len() + room, 1_u8);
        if std::fs::write(&ballast, &file).is_err() {
            file.truncate(file.len() - room);
            room /= 2;
        }
    }
    let mut next = 5;
    let error = loop {
        match log.append(AppendCondition::none(), vec![event(next)]).await {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::DiskFull(_)) && error.retryable(), "{error:?}");
    assert_events(&all(&log).await, next);
    std::fs::remove_file(&ballast).unwrap();
    let _ = append(&log, next..next + 100).await;
    drop(log);
    assert_events(&all(&open(&directory)).await, next + 100);
    assert_eq!(verify(&directory).unwrap().records, next + 100);
}

/// Puts bytes into the first segment and mends the checksum: the one of the header, or of the batch that begins at `batch`.
fn rewritten(directory: &Path, batch: Option<usize>, at: usize, value: &[u8]) {
    let path = segment(directory, 0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at..at + value.len()].copy_from_slice(value);
    match batch {
        None => {
            let checksum = crc32c::crc32c(&bytes[..HEADER - 4]);
            bytes[HEADER - 4..HEADER].copy_from_slice(&checksum.to_le_bytes());
        }
        Some(start) => {
            let length = u32::from_le_bytes(bytes[start + 4..start + 8].try_into().unwrap()) as usize;
            let mut checksum = crc32c::crc32c(&bytes[16..40]);
            for covered in [start + 4..start + 8, start + 12..start + 40 + length] {
                checksum = crc32c::crc32c_append(checksum, &bytes[covered]);
            }
            bytes[start + 8..start + 12].copy_from_slice(&checksum.to_le_bytes());
        }
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_a_later_version_wrote_is_refused_and_not_cut_off() {
    let (log, _) = before_and_after().await;
    let places =
        [(None, 8, 2_u8), (None, 10, 2), (None, 12, 1), (Some(HEADER), HEADER + 12, 1), (Some(HEADER), HEADER + 28, 1)];
    for (batch, at, value) in places {
        let scratch = tempfile::tempdir().unwrap();
        copy(log.path(), scratch.path());
        // Writing what stands there already changes nothing: the checksum is mended right.
        let there = std::fs::read(segment(scratch.path(), 0)).unwrap()[at];
        rewritten(scratch.path(), batch, at, &[there]);
        assert_eq!(verify(scratch.path()).unwrap().records, 4, "byte {at}");
        rewritten(scratch.path(), batch, at, &[value]);
        let before = std::fs::read(segment(scratch.path(), 0)).unwrap();
        assert!(verify(scratch.path()).is_err(), "byte {at}");
        let error = EmbeddedLog::open(scratch.path(), small()).err().unwrap();
        assert!(matches!(error, OpenError::Version { .. } | OpenError::Corrupt { .. }), "byte {at}: {error}");
        assert!(before == std::fs::read(segment(scratch.path(), 0)).unwrap());
    }
}

/// What looks like a batch of this very segment, within a payload, must not speak for the log.
#[tokio::test]
async fn a_payload_that_looks_like_a_batch_hides_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let _ = append(&log, 0..2).await;
    let first = std::fs::read(segment(directory.path(), 0)).unwrap();
    let second = first.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(16);
    // A forged batch without durable positions, that says that it begins far on.
    let mut forged = vec![0; 48];
    forged[..8].copy_from_slice(b"MWB1\x08\0\0\0");
    forged[16] = 200;
    forged[24] = 1;
    let covered = [&first[16..40], &forged[4..8], &forged[12..48]];
    let checksum = covered.iter().fold(0, |checksum, bytes| crc32c::crc32c_append(checksum, bytes));
    forged[8..12].copy_from_slice(&checksum.to_le_bytes());
    let mut events = vec![event(2)];
    events[0].content_type = eventlog::ContentType::Octets;
    events[0].payload = forged.into();
    events[0].payload_digest.digest = eventlog::Digest::of(&events[0].payload);
    // The payload begins at a multiple of 16 only for one length of the actor's name: the last bytes of the batch are the payload.
    let unpadded = |event: &eventlog::NewEvent| {
        let texts = [event.stream.as_str(), event.event_type.as_str(), event.actor.as_str(), event.tags[0].as_str()];
        40 + 8 + 112 + texts.iter().map(|text| 2 + text.len()).sum::<usize>() + 4
    };
    while !unpadded(&events[0]).is_multiple_of(16) {
        events[0].actor.push('x');
    }
    let forged_at = second + unpadded(&events[0]);
    let _ = log.append(AppendCondition::none(), events).await.unwrap();
    let _ = append(&log, 3..5).await;
    drop(log);
    std::fs::remove_file(directory.path().join("durable.mark")).unwrap();
    let path = segment(directory.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[forged_at..forged_at + 4], b"MWB1");
    bytes[second + 50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (position, _, reason) = refused(directory.path());
    assert_eq!(position, 2);
    assert!(reason.contains("a later batch says"), "{reason}");
}
