//! Bytes of format version 1, as they were first written. Every later version of this program opens them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::frames;
use eventlog::{
    AppendCondition, Clock, ContentType, Digest, DigestAlgorithm, EventId, EventLog, EventType, LogId, NewEvent,
    PayloadDigest, Position, Record, Revision, StreamId, Tag,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::support::{all, copy};

/// The root over the leaves of the fixture: what any RFC 6962 verifier computes.
const ROOT: &str = "033f26c7f6d3d0ab08588bef674113757ba6fbaee9c5f625d33e8448749d9606";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn json(number: u128, stream: &str, event_type: &str, payload: &'static str) -> NewEvent {
    let (stream, event_type) = (StreamId::new(stream).unwrap(), EventType::new(event_type).unwrap());
    NewEvent::json(
        EventId::new(Uuid::from_u128(number)),
        stream,
        event_type,
        1,
        "golden",
        Bytes::from_static(payload.as_bytes()),
    )
}

fn calls() -> Vec<Vec<NewEvent>> {
    let mut full = json(1, "workorder-4711", "workorder.created", r#"{"asset":"LOOM-07","text":"经轴 leaking"}"#);
    full.schema_version = 3;
    full.event_time = Some("2019-03-01T08:15:30.123456789Z".parse().unwrap());
    full.source = Some("ERP \"north\"".to_owned());
    full.external_id = Some("WO\\4711".to_owned());
    full.tags = vec![Tag::new("asset:LOOM-07").unwrap(), Tag::new("site:苏州").unwrap()];
    full.correlation_id = Some(Uuid::from_u128(11));
    full.causation_id = Some(Uuid::from_u128(12));
    full.data_key_id = Some(Uuid::from_u128(13));
    let closed = json(2, "workorder-4711", "workorder.closed", "{}");
    // As it was written then: another frame version would have the same digest and other bytes.
    let payload = Bytes::from_static(include_bytes!("../fixtures/frame-1/log.frame"));
    let digest = frames::digest(&frames::decode(&payload).unwrap());
    let mut frame = json(3, "readings-loom-07", "readings.recorded", "");
    frame.content_type = ContentType::Frame;
    frame.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest };
    frame.payload = payload;
    let mut octets = json(4, "artifact-1", "artifact.stored", "");
    octets.payload = Bytes::from_iter((0..=255_u8).cycle().take(3_000));
    octets.content_type = ContentType::Octets;
    octets.payload_digest.digest = Digest::of(&octets.payload);
    let last = json(5, "workorder-4712", "workorder.created", r#"{"asset":"LOOM-08"}"#);
    vec![vec![full, closed], vec![frame], vec![octets], vec![last]]
}

fn expected() -> Vec<Record> {
    let revisions = [0, 1, 0, 0, 0].map(Revision::new);
    let seconds = [100, 100, 101, 102, 103];
    let events = calls().into_iter().flatten().zip(revisions).zip(seconds).enumerate();
    let record = |(position, ((event, revision), second)): (usize, ((NewEvent, Revision), i64))| {
        Record::from_new(event, Position::new(position as u64), revision, Timestamp::from_second(second).unwrap())
    };
    events.map(record).collect()
}

#[tokio::test]
async fn format_version_1_is_opened() {
    let report = verify(&fixture()).unwrap();
    assert_eq!((report.records, report.segments, report.readings, report.streams), (5, 2, 5, 4));
    assert_eq!(report.root.to_string(), ROOT);
    let scratch = tempfile::tempdir().unwrap();
    copy(&fixture(), scratch.path());
    let log = EmbeddedLog::open(scratch.path(), Options::default()).unwrap();
    assert_eq!(log.log_id(), LogId::new(Uuid::from_u128(0x4d69_6c6c)));
    // The index of the fixture is of version 1: it is derived, and built anew.
    assert_eq!((log.report().indexes_rebuilt, log.report().truncated_bytes), (1, 0));
    assert!(log.report().closed_in_order);
    assert_eq!(log.tree().root().to_string(), ROOT);
    assert_eq!(all(&log).await, expected());
    let again = log.append(AppendCondition::none(), calls().remove(0)).await.unwrap();
    assert!(again.repeated);
}

#[tokio::test]
async fn the_same_events_still_make_the_same_segments() {
    let scratch = tempfile::tempdir().unwrap();
    let second = std::sync::atomic::AtomicI64::new(100);
    let clock = Clock::from_fn(move || {
        Timestamp::from_second(second.fetch_add(1, std::sync::atomic::Ordering::SeqCst)).unwrap()
    });
    let options = Options {
        segment_bytes: 8 * 1024,
        clock,
        new_log_id: Some(LogId::new(Uuid::from_u128(0x4d69_6c6c))),
        ..Options::default()
    };
    let log = EmbeddedLog::open(scratch.path(), options).unwrap();
    for call in calls() {
        let _ = log.append(AppendCondition::none(), call).await.unwrap();
    }
    drop(log);
    for name in ["0000000000.segment", "0000000001.segment"] {
        let bytes = |directory: &Path| std::fs::read(directory.join(name)).unwrap();
        assert!(bytes(scratch.path()) == bytes(&fixture()), "{name} differs from the fixture");
    }
    let index = |folder: &Path| std::fs::read(folder.join("0000000000.index")).unwrap();
    let (mut written, fixture) = (index(scratch.path()), index(&fixture().with_file_name("index-2")));
    // The range of event times came later: the fixture has zeros in its place, and is read all the same.
    assert_eq!(fixture[76..96], [0; 20]);
    assert!(written[76..96] != [0; 20]);
    written[76..96].fill(0);
    assert!(written == fixture, "the index differs from the fixture");
}
