//! Logs in scratch directories, and copies of them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::{
    AppendCondition, Appended, Direction, EventId, EventLog, EventType, Filter, NewEvent, Position, Record, StreamId,
    Tag,
};

/// Small segments, so that a few records fill several of them.
pub fn small() -> Options {
    Options { segment_bytes: 8 * 1024, ..Options::default() }
}

pub fn open(directory: &Path) -> EmbeddedLog {
    EmbeddedLog::open(directory, small()).unwrap()
}

/// Event number `number` of one of three streams.
pub fn event(number: u64) -> NewEvent {
    let stream = StreamId::new(["order-1", "lot-1", "lot-2"][(number % 3) as usize]).unwrap();
    let event_type = EventType::new(if number.is_multiple_of(2) { "even" } else { "odd" }).unwrap();
    let payload =
        Bytes::from(format!("{{\"number\":{number},\"text\":\"{}\"}}", "纬纱".repeat((number % 11) as usize)));
    let id = EventId::derived("test", &number.to_string());
    let mut event = NewEvent::json(id, stream, event_type, 1, "test", payload);
    event.tags = vec![Tag::of("number", &(number % 7).to_string()).unwrap()];
    event
}

pub fn events(numbers: std::ops::Range<u64>) -> Vec<NewEvent> {
    numbers.map(event).collect()
}

pub async fn append(log: &EmbeddedLog, numbers: std::ops::Range<u64>) -> Appended {
    log.append(AppendCondition::none(), events(numbers)).await.unwrap()
}

pub async fn all(log: &EmbeddedLog) -> Vec<Record> {
    log.read(Position::START, Direction::Forward, Filter::all(), 10_000).await.unwrap().records
}

/// The records are exactly the events 0..count in order.
pub fn assert_events(records: &[Record], count: u64) {
    assert_eq!(records.len() as u64, count);
    for (number, record) in records.iter().enumerate() {
        let event = event(number as u64);
        assert_eq!((record.position.get(), record.id, &record.payload), (number as u64, event.id, &event.payload));
    }
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}
