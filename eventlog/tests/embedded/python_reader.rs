//! A reader in another language, written from docs/log-format.md alone, reads what this program writes: the same records, leaves, readings and root.
//! It recomputes every checksum and digest by its own code, so that an error that writer and reader here share would show.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bytes::Bytes;
use eventlog::EventLog;
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::frames::{self, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, ContentType, Digest, DigestAlgorithm, EventId, EventType, NewEvent, PayloadDigest, PayloadState,
    Position, Record, StreamId, Tag,
};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::{all, copy, files};

/// The Python to run: `MILLWRIGHT_PYTHON`, when it names one.
fn python() -> String {
    std::env::var("MILLWRIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether the Python can read sealed segments; says what to install where it cannot.
fn reads_sealed() -> bool {
    const IMPORTS: &str = "\
import importlib.util, sys
there = lambda name: importlib.util.find_spec(name) is not None
sys.exit(not (there('pcodec') and (there('zstandard') or there('pyzstd') or sys.version_info >= (3, 14))))";
    let mut command = Command::new(python());
    command.args(["-c", IMPORTS]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = command.status().is_ok_and(|status| status.success());
    if !there {
        let python = python();
        println!(
            "SKIPPED: {python} cannot read sealed segments: {python} -m pip install pcodec zstandard (MILLWRIGHT_PYTHON names another)"
        );
    }
    there
}

/// Runs the reader; `None`, said aloud, where there is no Python.
fn read(directory: &Path, records: bool) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/log_reader.py");
    assert!(script.exists(), "{} is missing", script.display());
    let mut command = Command::new(python());
    command.arg(script).arg(directory).args(records.then_some("--records")).stdin(Stdio::null());
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: python3 is not installed: apt-get install python3");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn lines(output: &Output) -> Vec<Json> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The record as the reader shows it.
fn shown(record: &Record) -> Json {
    let leaf = String::from_utf8(record.leaf()).unwrap();
    let mut line = json!({ "leaf": leaf, "payload": hexadecimal(&record.payload) });
    if record.payload_state == PayloadState::Dropped {
        line["payload"] = Json::Null;
    } else if record.payload_digest.algorithm == DigestAlgorithm::FrameSha256 {
        let frame = frames::decode(&record.payload).unwrap();
        line["readings"] = frame.readings().map(|(_, reading)| shown_reading(&reading)).collect();
    }
    line
}

fn shown_reading(reading: &Reading) -> Json {
    let (kind, value) = match &reading.value {
        Value::Boolean(value) => ("boolean", u8::from(*value).to_string()),
        Value::Integer(value) => ("integer", value.to_string()),
        Value::Float(value) => ("float", format!("{:016x}", value.to_bits())),
        Value::Text(value) => ("text", value.to_string()),
    };
    let (time, sequence) =
        (reading.time.as_nanosecond().to_string(), reading.sequence.map(|number| number.to_string()));
    json!([&*reading.signal, time, sequence, kind, value, reading.status.get()])
}

/// The reader and this program say the same of a log.
async fn compare(directory: &Path) -> Option<()> {
    let report = verify(directory).unwrap();
    let dropped: u64 = report.dropped.iter().map(|(first, last)| last.get() - first.get() + 1).sum();
    let log = EmbeddedLog::open(directory, Options::default()).unwrap();
    let mut expected: Vec<Json> = all(&log).await.iter().map(shown).collect();
    drop(log);
    let mut found = lines(&read(directory, true)?);
    let summary = found.pop().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&mut expected) {
        // The bytes of a frame that was regrouped are nobody's business; its readings are compared.
        if found["payload"] == "regrouped" {
            assert!(found["readings"].as_array().is_some_and(|readings| !readings.is_empty()));
            expected["payload"] = "regrouped".into();
        }
        assert_eq!(found, expected);
    }
    let counts = json!({
        "log_id": report.log.to_string(),
        "records": report.records,
        "segments": report.segments,
        "streams": report.streams,
        "readings": report.readings,
        "dropped_payloads": dropped,
        "indexes": report.segments - 1,
        "torn_bytes": report.tail_bytes,
        "root": report.root.to_string(),
    });
    assert_eq!(summary, counts);
    Some(())
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("0000000000.segment").exists());
    found.sort();
    found
}

#[tokio::test]
async fn the_fixtures_read_the_same_in_another_language() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let scratch = tempfile::tempdir().unwrap();
        copy(&fixture, scratch.path());
        if compare(scratch.path()).await.is_none() {
            return;
        }
    }
}

/// A value of each coding: whole columns of one nature, so that decimals are seen as decimals, and columns of everything.
fn values(kind: u8) -> BoxedStrategy<Value> {
    match kind {
        0 => any::<bool>().prop_map(Value::Boolean).boxed(),
        1 => any::<i64>().prop_map(Value::Integer).boxed(),
        2 => (990..1_010_i64).prop_map(Value::Integer).boxed(),
        3 => any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))).boxed(),
        4 => (-50_000..50_000_i32).prop_map(|hundredths| Value::Float(f64::from(hundredths) / 100.0)).boxed(),
        5 => (0..4_u8).prop_map(|part| Value::Float(f64::from(part) / 3.0)).boxed(),
        6 => prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), Just(f64::NEG_INFINITY), Just(f64::MIN_POSITIVE)]
            .prop_map(Value::Float)
            .boxed(),
        7 => Just(Value::Float(f64::NAN)).boxed(),
        _ => "[a-c配方\u{1}]{0,4}".prop_map(|text| Value::Text(text.into())).boxed(),
    }
}

fn series() -> impl Strategy<Value = Vec<Reading>> {
    let shape = (0..10_u8, "[a-d纬]{1,3}", 0..3_u8, any::<bool>(), 1..60_usize);
    shape.prop_flat_map(|(kind, signal, sequences, far, rows)| {
        let time = if far { any::<i64>().boxed() } else { (0..90_i64).prop_map(|step| step * 10_000_000).boxed() };
        let sequence = match sequences {
            0 => Just(None).boxed(),
            1 => any::<u64>().prop_map(Some).boxed(),
            _ => prop::option::of(0..9_u64).boxed(),
        };
        let status = prop_oneof![6 => Just(0_u32), 1 => Just(0x8000_0000), 1 => any::<u32>()];
        let reading = (time, sequence, values(kind), status).prop_map(move |(time, sequence, value, status)| Reading {
            signal: signal.as_str().into(),
            time: Timestamp::from_nanosecond(i128::from(time)).unwrap(),
            sequence,
            value,
            status: StatusCode::new(status),
        });
        prop::collection::vec(reading, rows)
    })
}

#[derive(Clone, Debug)]
enum Payload {
    Json(Vec<u8>),
    Octets(Vec<u8>),
    Frame(Vec<Reading>),
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Payload::Json),
        prop::collection::vec(any::<u8>(), 0..2_000).prop_map(Payload::Octets),
        prop::collection::vec(series(), 1..8).prop_map(|series| Payload::Frame(series.concat())),
    ]
}

/// An event with every optional part there or not, and texts with all that JSON escapes.
fn event() -> impl Strategy<Value = NewEvent> {
    let text = || "[ -~\u{0}-\u{1f}\u{7f}\u{80}é配/\"\\\\\u{2028}\u{1f9f5}]{0,12}";
    let names =
        ("(lot|order|工单)-[a-z-]{1,2}", "[a-b.]{1,3}", prop::collection::vec("(site|asset):[A-C苏:]{1,2}", 0..4));
    let optional = (
        prop::option::of(any::<i64>()),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(any::<u128>()),
        prop::option::of(any::<u128>()),
        prop::option::of(any::<u128>()),
    );
    (any::<u128>(), names, any::<u16>(), text(), optional, payload()).prop_map(
        |(id, (stream, event_type, tags), version, actor, (time, source, external, one, two, three), payload)| {
            let (stream, event_type) = (StreamId::new(&stream).unwrap(), EventType::new(&event_type).unwrap());
            let id = EventId::new(Uuid::from_u128(id));
            let mut event = NewEvent::json(id, stream, event_type, version, &actor, Bytes::new());
            event.event_time = time.map(|time| Timestamp::from_nanosecond(i128::from(time)).unwrap());
            (event.source, event.external_id) = (source, external);
            event.tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
            [event.correlation_id, event.causation_id, event.data_key_id] =
                [one, two, three].map(|id| id.map(Uuid::from_u128));
            match payload {
                Payload::Frame(readings) => {
                    let encoded = frames::encode(readings).unwrap();
                    event.content_type = ContentType::Frame;
                    event.payload_digest =
                        PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
                    event.payload = encoded.bytes;
                }
                Payload::Json(bytes) => event.payload = bytes.into(),
                Payload::Octets(bytes) => {
                    event.content_type = ContentType::Octets;
                    event.payload = bytes.into();
                }
            }
            if event.content_type != ContentType::Frame {
                event.payload_digest.digest = Digest::of(&event.payload);
            }
            event
        },
    )
}

/// Appends random calls of events to a log in small segments.
async fn fill(directory: &Path, runner: &mut TestRunner, calls: usize) {
    let log = EmbeddedLog::open(directory, Options { segment_bytes: 16 * 1024, ..Options::default() }).unwrap();
    let call = prop::collection::vec(event(), 1..6);
    for _ in 0..calls {
        let events = call.new_tree(runner).unwrap().current();
        let _ = log.append(AppendCondition::none(), events).await.unwrap();
    }
}

#[tokio::test]
async fn a_fresh_log_reads_the_same_in_another_language() {
    let mut runner = TestRunner::default();
    for calls in [1, 40, 80] {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path(), &mut runner, calls).await;
        if compare(directory.path()).await.is_none() {
            return;
        }
    }
}

/// Closes what is written to, seals everything, and drops the payloads of these positions.
async fn seal(directory: &Path, dropped: std::ops::RangeInclusive<u64>) {
    let log = EmbeddedLog::open(directory, Options { segment_bytes: 16 * 1024, ..Options::default() }).unwrap();
    let _ = log.rotate().await.unwrap();
    assert!(log.seal_all().await.unwrap() > 0);
    let dropped = Position::new(*dropped.start())..=Position::new(*dropped.end());
    let _ = log.drop_payloads(&[dropped]).await.unwrap();
}

#[tokio::test]
async fn a_sealed_log_reads_the_same_in_another_language() {
    if !reads_sealed() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sealed-1"), scratch.path());
    compare(scratch.path()).await.unwrap();
    let mut runner = TestRunner::default();
    for calls in [2, 60] {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path(), &mut runner, calls).await;
        seal(directory.path(), 1..=2).await;
        compare(directory.path()).await.unwrap();
    }
    // Frames of the same signals, as a plant writes them, so that chunks have many parts and more than one page.
    let directory = tempfile::tempdir().unwrap();
    let plant = crate::mixed::log(directory.path(), crate::mixed::options(), &crate::tiering::readable()).await;
    drop(plant);
    seal(directory.path(), 3..=3).await;
    compare(directory.path()).await.unwrap();
    the_reader_refuses_flipped_bits(directory.path());
}

fn the_reader_refuses_flipped_bits(directory: &Path) {
    let sealed = files(directory, "sealed");
    for (flip, path) in sealed.iter().enumerate() {
        let original = std::fs::read(path).unwrap();
        let mut damaged = original.clone();
        // Header, chunks, blocks, directory and trailer in turn.
        let at = (damaged.len() - 1) * (flip % 7) / 6;
        damaged[at] ^= 1 << (flip % 8);
        std::fs::write(path, damaged).unwrap();
        let output = read(directory, false).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("damaged: "), "byte {at} of {}: {said}", path.display());
        std::fs::write(path, original).unwrap();
    }
    assert!(sealed.len() > 6, "{} files were damaged", sealed.len());
}

#[tokio::test]
async fn an_empty_log_reads_the_same_in_another_language() {
    let directory = tempfile::tempdir().unwrap();
    drop(EmbeddedLog::open(directory.path(), Options { segment_bytes: 8 * 1024, ..Options::default() }).unwrap());
    compare(directory.path()).await;
}

#[tokio::test]
async fn the_other_reader_refuses_a_flipped_bit() {
    const FLIPS: usize = 36;
    let directory = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    fill(directory.path(), &mut runner, 12).await;
    let Some(intact) = read(directory.path(), false) else { return };
    let intact = lines(&intact);
    assert_eq!(intact[0]["torn_bytes"], 0);
    let mut refused = 0;
    let segments = files(directory.path(), "segment");
    assert!(segments.len() > 2);
    for flip in 0..FLIPS {
        let path = &segments[flip % segments.len()];
        let original = std::fs::read(path).unwrap();
        // Behind the last batch the last segment holds zeros that belong to nobody: what stands there is a torn tail.
        let used = original.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let at = (0..used).new_tree(&mut runner).unwrap().current();
        let mut damaged = original.clone();
        damaged[at] ^= 1 << (flip % 8);
        std::fs::write(path, damaged).unwrap();
        let output = read(directory.path(), false).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if verify(directory.path()).is_err() {
            assert_eq!(output.status.code(), Some(1), "byte {at} of {}", path.display());
            assert!(said.starts_with("damaged: "), "byte {at} of {}: {said}", path.display());
            refused += 1;
        } else {
            // The gap between two batches belongs to nobody.
            assert_eq!(lines(&output), intact, "byte {at} of {}", path.display());
        }
        std::fs::write(path, original).unwrap();
    }
    assert!(refused >= FLIPS * 9 / 10, "only {refused} of {FLIPS} flips were refused");
}

#[tokio::test]
async fn the_other_reader_tells_a_torn_tail_from_damage() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), &mut TestRunner::deterministic(), 9).await;
    let Some(intact) = read(directory.path(), false) else { return };
    let records = lines(&intact)[0]["records"].as_u64().unwrap();
    let last = files(directory.path(), "segment").pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used] ^= 0xff;
    std::fs::write(&last, bytes).unwrap();
    // The mark says that the tail was durable.
    let output = read(directory.path(), false).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("durable.mark"), "{output:?}");
    // Without it nothing says so: the last batch may have been torn.
    std::fs::remove_file(directory.path().join("durable.mark")).unwrap();
    let summary = lines(&read(directory.path(), false).unwrap()).pop().unwrap();
    let report = verify(directory.path()).unwrap();
    assert!(summary["records"].as_u64().unwrap() < records);
    assert_eq!((&summary["records"], &summary["torn_bytes"]), (&json!(report.records), &json!(report.tail_bytes)));
    assert!(report.tail_bytes > 0);
}
