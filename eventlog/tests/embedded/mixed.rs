//! Logs of events and frames with everything in them that a segment can hold.

use std::path::Path;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::frames::{self, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, ContentType, Digest, DigestAlgorithm, Direction, EventId, EventLog, Filter, NewEvent,
    PayloadDigest, Position, Record,
};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::event;

/// A reading as numbers that a property test can shrink.
#[derive(Clone, Debug)]
pub struct Given {
    pub signal: u8,
    pub time: i32,
    pub sequence: Option<u16>,
    pub value: u8,
    pub status: u8,
}

#[derive(Clone, Debug)]
pub enum Written {
    Event(u64),
    Frame(Vec<Given>),
    /// A frame by its type, but with a digest that is not that of its columns.
    Unlike(Vec<Given>),
    /// Not a frame at all, though it says so.
    Opaque(u8),
    /// A payload that makes a block of its own.
    Large(u8),
}

pub fn given() -> impl Strategy<Value = Given> {
    let time = prop_oneof![Just(0), -5..50_i32, any::<i32>()];
    (0..6_u8, time, prop::option::of(0..20_u16), any::<u8>(), 0..8_u8)
        .prop_map(|(signal, time, sequence, value, status)| Given { signal, time, sequence, value, status })
}

pub fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        4 => (0..1_000_000_u64).prop_map(Written::Event),
        6 => prop::collection::vec(given(), 1..60).prop_map(Written::Frame),
        1 => prop::collection::vec(given(), 1..9).prop_map(Written::Unlike),
        1 => any::<u8>().prop_map(Written::Opaque),
        1 => any::<u8>().prop_map(Written::Large),
    ]
}

pub fn signal(number: u8) -> &'static str {
    ["loom-1.tension", "loom-1.picks", "loom-1.running", "loom-1.style", "loom-1.mixed", "经轴.张力"]
        [usize::from(number % 6)]
}

pub fn reading(given: &Given) -> Reading {
    let number = given.value;
    let value = match (given.signal % 6, number % 4) {
        (0, 0) => Value::Float(f64::NAN),
        (0, 1) => Value::Float(f64::from_bits(0x7ff8_0000_0000_0000 | u64::from(number))),
        (0, 2) => Value::Float(-0.0),
        (0 | 5, _) | (4, 0) => Value::Float(f64::from(number) / 8.0),
        (1, _) | (4, 1) => Value::Integer((i64::from(number) - 100) << (number % 50)),
        (2, _) | (4, 2) => Value::Boolean(number > 100),
        _ => Value::Text(["", "府绸", "twill", "a long text that says little"][usize::from(number % 4)].into()),
    };
    Reading {
        signal: signal(given.signal).into(),
        time: Timestamp::from_nanosecond(i128::from(given.time) * 1_000_003).unwrap(),
        sequence: given.sequence.map(u64::from),
        value,
        status: StatusCode::new([0, 0, 0, 0, 0, 0, 0x8000_0000, 0x4000_0001][usize::from(given.status % 8)]),
    }
}

/// The event of a frame of these readings.
pub fn frame_event(number: u64, readings: Vec<Reading>) -> NewEvent {
    let encoded = frames::encode(readings).unwrap();
    let mut event = event(number);
    event.id = EventId::derived("frame", &number.to_string());
    event.content_type = ContentType::Frame;
    event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
    event.payload = encoded.bytes;
    event
}

pub fn new_event(number: u64, written: &Written) -> NewEvent {
    match written {
        Written::Event(seed) => {
            let mut event = event(*seed);
            event.id = EventId::derived("mixed", &number.to_string());
            event
        }
        Written::Frame(readings) => frame_event(number, readings.iter().map(reading).collect()),
        Written::Unlike(readings) => {
            let mut event = frame_event(number, readings.iter().map(reading).collect());
            event.payload_digest.digest = Digest::of(b"something else");
            event
        }
        Written::Opaque(byte) => {
            let mut event = event(number);
            event.id = EventId::derived("mixed", &number.to_string());
            event.content_type = ContentType::Frame;
            event.payload = Bytes::from(vec![*byte; usize::from(*byte)]);
            event.payload_digest.digest = Digest::of(&event.payload);
            event
        }
        Written::Large(byte) => {
            let mut event = event(number);
            event.id = EventId::derived("mixed", &number.to_string());
            event.content_type = ContentType::Octets;
            event.payload = Bytes::from_iter((0..300_000_u32).map(|index| (index / 1_000 + u32::from(*byte)) as u8));
            event.payload_digest.digest = Digest::of(&event.payload);
            event
        }
    }
}

pub fn options() -> Options {
    Options { segment_bytes: 16 * 1024, ..Options::default() }
}

/// A log of these events, two an append.
pub async fn log(directory: &Path, options: Options, all: &[Written]) -> EmbeddedLog {
    let log = EmbeddedLog::open(directory, options).unwrap();
    let events: Vec<NewEvent> =
        all.iter().enumerate().map(|(number, written)| new_event(number as u64, written)).collect();
    for call in events.chunks(2) {
        let _ = log.append(AppendCondition::none(), call.to_vec()).await.unwrap();
    }
    log
}

/// Every record, in pages of a few.
pub async fn everything(log: &dyn EventLog) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while (records.len() as u64) < log.tail().get() {
        let from = Position::new(records.len() as u64);
        records.extend(log.read(from, Direction::Forward, Filter::all(), 7).await.unwrap());
    }
    records
}

/// A fixed log with every kind of record and value.
pub fn everything_written() -> Vec<Written> {
    let frame = |start: i32, count: u16| {
        let given = |index: u16| Given {
            signal: (index % 6) as u8,
            time: start + i32::from(index / 6) * 10,
            sequence: (!index.is_multiple_of(5)).then_some(index),
            value: (index * 7 % 251) as u8,
            status: (index % 8) as u8,
        };
        Written::Frame((0..count).map(given).collect())
    };
    let mut all = Vec::new();
    for round in 0..40_u16 {
        all.push(Written::Event(u64::from(round)));
        all.push(frame(i32::from(round) * 1_000, 60 + round * 7));
        if round.is_multiple_of(9) {
            all.push(Written::Unlike(vec![Given { signal: 1, time: 5, sequence: None, value: 9, status: 0 }]));
            all.push(Written::Opaque(200));
        }
        if round == 20 {
            all.push(Written::Large(3));
        }
    }
    all
}
