//! Bytes as parts of a log's directory.

use std::cell::OnceCell;
use std::sync::Arc;

use eventlog::embedded::{EmbeddedLog, Options, VerifyError, verify_on};
use eventlog::{
    AppendCondition, Category, Clock, Direction, EventId, EventLog, EventType, Filter, LogId, NewEvent, Page,
    PayloadState, Position, QueryItem, ReadError, Record, Revision, StreamId, Tag,
};
use uuid::Uuid;

use crate::disk::{MemoryDisk, folder};
use crate::mending::{self, HEADER, LOG_ID};

const SEGMENTS: [&str; 2] = ["0000000000.segment", "0000000001.segment"];
const INDEX: &str = "0000000000.index";
const MARK: &str = "durable.mark";

/// A log of five records in two segments.
const FIXTURE: [&[u8]; 4] = [
    include_bytes!("../../tests/fixtures/format-1/0000000000.segment"),
    include_bytes!("../../tests/fixtures/format-1/0000000001.segment"),
    include_bytes!("../../tests/fixtures/index-2/0000000000.index"),
    include_bytes!("../../tests/fixtures/format-1/durable.mark"),
];

/// The number of records of the fixture.
const RECORDS: u64 = 5;

fn fixture() -> MemoryDisk {
    let [first, second, index, mark] = FIXTURE.map(<[u8]>::to_vec);
    MemoryDisk::of([(SEGMENTS[0], first), (SEGMENTS[1], second), (INDEX, index), (MARK, mark)])
}

fn options(disk: &MemoryDisk) -> Options {
    let log_id = LogId::new(Uuid::from_u128(LOG_ID));
    Options { segment_bytes: 8 * 1024, new_log_id: Some(log_id), disk: Arc::new(disk.clone()), ..Options::default() }
}

fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: OnceCell<tokio::runtime::Runtime> = const { OnceCell::new() };
    }
    let make = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    RUNTIME.with(|runtime| runtime.get_or_init(make).block_on(future))
}

fn all(log: &EmbeddedLog) -> Vec<Record> {
    let page = block_on(log.read(Position::START, Direction::Forward, Filter::all(), 10_000));
    page.expect("what was opened can be read").records
}

fn count<C>(page: Result<Page<C>, ReadError>) -> u64 {
    page.map_or(0, |page| page.len() as u64)
}

/// Verifies and opens what is on the disk. The two must agree, and neither may change what it refuses.
fn check(disk: &MemoryDisk) {
    let verified = verify_on(Arc::new(disk.clone()), folder());
    let before = disk.contents(".segment");
    match EmbeddedLog::open(folder(), options(disk)) {
        Ok(log) => {
            let records = all(&log);
            assert_eq!(records.len() as u64, log.tail().get().min(10_000));
            let root = log.tree().root();
            drop(log);
            if let Ok(verified) = verified {
                assert_eq!((verified.records, verified.root), (records.len() as u64, root));
                let again =
                    verify_on(Arc::new(disk.clone()), folder()).expect("what was verified and opened verifies again");
                assert_eq!((again.records, again.root, again.tail_bytes), (verified.records, root, 0));
            }
        }
        Err(error) => {
            assert!(verified.is_err(), "what verifies is refused: {error}");
            assert!(before == disk.contents(".segment"), "what is refused was changed: {error}");
        }
    }
}

/// The header of a log's first segment, then these bytes; mended, unless the first byte is odd.
pub fn segment(data: &[u8]) {
    let Some((control, content)) = data.split_first() else { return };
    let mut bytes = FIXTURE[0][..HEADER].to_vec();
    bytes.extend(content);
    if control % 2 == 0 {
        mending::batches(&mut bytes, HEADER, mending::seed(0));
    }
    check(&MemoryDisk::of([(SEGMENTS[0], bytes)]));
}

/// The header of a second segment begins with these bytes.
pub fn header(data: &[u8]) {
    let disk = fixture();
    let mut bytes = FIXTURE[1].to_vec();
    let count = data.len().min(HEADER);
    bytes[..count].copy_from_slice(&data[..count]);
    mending::header(&mut bytes);
    disk.put(SEGMENTS[1], bytes);
    check(&disk);
}

/// The body of a record. When it is one, its digests are mended, and then it must come back from an append, byte by byte.
pub fn record(data: &[u8]) {
    let mut body = data.to_vec();
    // The first position and the first revision: everything else is refused by the log around it.
    let Some(place) = body.get_mut(..16) else { return };
    place.fill(0);
    let disk = MemoryDisk::default();
    for _ in 0..3 {
        disk.put(SEGMENTS[0], one_record(&body));
        match verify_on(Arc::new(disk.clone()), folder()) {
            Err(VerifyError::Digest { what, found, .. }) => {
                let at = if what.contains("leaf") { 24 } else { 72 };
                body[at..at + 32].copy_from_slice(found.as_bytes());
            }
            Err(_) => break,
            Ok(_) => {
                let log = EmbeddedLog::open(folder(), options(&disk.copy())).expect("what verifies can be opened");
                let record = all(&log).pop().expect("what was verified can be read");
                drop(log);
                append_again(record, &body);
                break;
            }
        }
    }
    check(&disk);
}

fn one_record(body: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = FIXTURE[0][..HEADER].to_vec();
    bytes.extend(b"MWB1");
    bytes.extend(length(body.len() + 8));
    bytes.extend([0; 16]);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0; 8]);
    bytes.extend(length(body.len()));
    bytes.extend([0; 4]);
    bytes.extend(body);
    mending::batches(&mut bytes, HEADER, mending::seed(0));
    bytes
}

/// What the log reads, it writes the same, where it takes it: an append has limits that a reader does not know.
fn append_again(record: Record, body: &[u8]) {
    if record.payload_state != PayloadState::Present {
        return;
    }
    let time = record.record_time;
    let disk = MemoryDisk::default();
    let log = EmbeddedLog::open(folder(), Options { clock: Clock::from_fn(move || time), ..options(&disk) });
    let log = log.expect("an empty log opens");
    let appended = block_on(log.append(AppendCondition::none(), vec![new_event(record.clone())]));
    if appended.is_err() {
        return;
    }
    assert_eq!(all(&log), [record]);
    drop(log);
    let segment = disk.contents(SEGMENTS[0]).pop().unwrap_or_default();
    assert_eq!(&segment[HEADER + 48..HEADER + 48 + body.len()], body);
}

fn new_event(record: Record) -> NewEvent {
    NewEvent {
        id: record.id,
        stream: record.stream,
        event_type: record.event_type,
        schema_version: record.schema_version,
        event_time: record.event_time,
        source: record.source.as_deref().map(str::to_owned),
        external_id: record.external_id,
        tags: record.tags.to_vec(),
        actor: record.actor.to_string(),
        correlation_id: record.correlation_id,
        causation_id: record.causation_id,
        data_key_id: record.data_key_id,
        content_type: record.content_type,
        payload_digest: record.payload_digest,
        payload: record.payload,
    }
}

/// The two slots of a durable mark, 32 bytes each; mended, unless the first byte is odd. The log opens unless the mark names more than it has.
pub fn mark(data: &[u8]) {
    let Some((control, slots)) = data.split_first() else { return };
    let mut bytes = vec![0; 8192];
    for (at, slot) in [0, 4096].into_iter().zip(slots.chunks(32)) {
        bytes[at..at + slot.len()].copy_from_slice(slot);
    }
    if control % 2 == 0 {
        mending::mark(&mut bytes);
    }
    let marked = marked(&bytes);
    let disk = fixture();
    disk.put(MARK, bytes);
    let verified = verify_on(Arc::new(disk.clone()), folder());
    let opened = EmbeddedLog::open(folder(), options(&disk));
    let expected = marked.is_none_or(|tail| tail <= RECORDS);
    assert_eq!((verified.is_ok(), opened.is_ok()), (expected, expected), "the mark names {marked:?}");
}

/// The tail that the mark names, by a second reading of the description.
fn marked(bytes: &[u8]) -> Option<u64> {
    let number = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("a mark has 8192 bytes"));
    let valid = |at: &usize| {
        let checksum = crc32c::crc32c_append(mending::seed(u64::MAX), &bytes[*at..*at + 24]);
        bytes[*at + 24..*at + 28] == checksum.to_le_bytes() && number(*at) < u64::MAX
    };
    // Of two with the same number the first counts.
    let newest = [4096, 0].into_iter().filter(valid).max_by_key(|at| number(*at))?;
    Some(number(newest + 8))
}

/// The index of a sealed segment; mended, unless the first byte is odd. It may be wrong, since it is derived and not proven, but no question to it may panic.
pub fn index(data: &[u8]) {
    let Some((control, content)) = data.split_first() else { return };
    let mut bytes = content.to_vec();
    if control % 2 == 0 {
        mending::index(&mut bytes);
    }
    let same = bytes == FIXTURE[2];
    let disk = fixture();
    disk.put(INDEX, bytes);
    let log = EmbeddedLog::open(folder(), options(&disk)).expect("an index is no reason to refuse a log");
    let rebuilt = log.report().indexes_rebuilt;
    let answers = block_on(answers(&log));
    if same || rebuilt > 0 {
        assert_eq!((rebuilt == 0, answers), (same, (RECORDS, 25)));
    }
}

/// Asks everything that an index answers; the number of records by position, and of all other answers.
async fn answers(log: &EmbeddedLog) -> (u64, u64) {
    let names = |category: &str, kind: &str, tag: &str| QueryItem {
        categories: Category::new(category).into_iter().collect(),
        types: EventType::new(kind).into_iter().collect(),
        tags: Tag::new(tag).into_iter().collect(),
    };
    let whole = count(log.read(Position::START, Direction::Forward, Filter::all(), 10).await);
    let mut answers = 0;
    for direction in [Direction::Forward, Direction::Backward] {
        let far = if direction == Direction::Forward { 0 } else { u64::MAX };
        for item in [names("workorder", "", ""), names("", "workorder.created", ""), names("", "", "asset:LOOM-07")] {
            let filter = Filter { items: vec![item] };
            answers += count(log.read(Position::new(far), direction, filter, 10).await);
        }
        for stream in ["workorder-4711", "readings-loom-07", "workorder-4712", "lot-1"] {
            let Ok(stream) = StreamId::new(stream) else { continue };
            answers += count(log.read_stream(stream, Revision::new(far), direction, 10).await);
        }
    }
    for id in 0..7 {
        let found = log.position_of(EventId::new(Uuid::from_u128(id))).await;
        answers += u64::from(found.is_ok_and(|position| position.is_some()));
    }
    (whole, answers)
}
