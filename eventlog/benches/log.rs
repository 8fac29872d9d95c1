//! What the log does in a second, beside redb on the same disk in the same run.
//!
//! `cargo bench -p millwright-eventlog`. Every append is synced before it counts, here and in the peer.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::frames::{self, Encoded, Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use eventlog::{
    AppendCondition, ContentType, DigestAlgorithm, Direction, EventId, EventLog, EventType, Filter, NewEvent,
    PayloadDigest, Position, StreamId, Tag,
};
use jiff::Timestamp;
use redb::{Database, Durability, TableDefinition};

/// How long each append benchmark runs.
const RUN: Duration = Duration::from_secs(4);
const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

fn event(number: u64) -> NewEvent {
    let stream = StreamId::new(&format!("workorder-{}", number % 1_000)).unwrap();
    let payload = Bytes::from(format!(
        "{{\"asset\":\"LOOM-{:02}\",\"number\":{number},\"mode\":\"weft stop\",\"text\":\"{}\"}}",
        number % 24,
        "the weft yarn broke at the main nozzle ".repeat(5)
    ));
    let event_type = EventType::new("workorder.created").unwrap();
    let mut event = NewEvent::json(EventId::generate(), stream, event_type, 1, "bench", payload);
    event.tags = vec![Tag::of("asset", &format!("LOOM-{:02}", number % 24)).unwrap()];
    event
}

fn readings(start: i64) -> Vec<Reading> {
    let signals: Vec<Arc<str>> =
        (0..100).map(|signal| format!("loom-{:02}.signal-{}", signal % 24, signal).into()).collect();
    let mut readings = Vec::with_capacity(20_000);
    for step in 0..200_i64 {
        for (index, signal) in signals.iter().enumerate() {
            let phase = (start + step) as f64 / 17.0 + index as f64;
            let value = match index % 4 {
                // Half with a resolution of 0.01, a quarter with full precision, a quarter in steps.
                0 | 1 => Value::Float((phase.sin() * 5_000.0).round() / 100.0),
                2 => Value::Float(phase.sin() * 50.0),
                _ => Value::Integer((start + step) / 60),
            };
            let time = Timestamp::from_millisecond(1_700_000_000_000 + (start + step) * 100).unwrap();
            let sequence = Some((start + step) as u64);
            readings.push(Reading { signal: Arc::clone(signal), time, sequence, value, status: StatusCode::GOOD });
        }
    }
    readings
}

fn frame_event(encoded: Encoded) -> NewEvent {
    let mut event = event(0);
    event.content_type = ContentType::Frame;
    event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
    event.payload = encoded.bytes;
    event
}

/// Prints a rate with the percentiles of the latencies.
fn report(what: &str, count: u64, unit: &str, took: Duration, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let percentile = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
    let rate = count as f64 / took.as_secs_f64();
    if latencies.is_empty() {
        println!("{what:<58} {rate:>14.0} {unit}/s");
    } else {
        println!("{what:<58} {rate:>14.0} {unit}/s   p50 {:>9.3?}   p99 {:>9.3?}", percentile(50), percentile(99));
    }
}

async fn append(log: &Arc<dyn EventLog>, name: &str, writers: u64, per_call: u64) {
    let start = Instant::now();
    let number = Arc::new(AtomicU64::new(0));
    let tasks = (0..writers).map(|_| {
        let (log, number) = (Arc::clone(log), Arc::clone(&number));
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let first = number.fetch_add(per_call, Ordering::Relaxed);
                let events = (first..first + per_call).map(event).collect();
                let begun = Instant::now();
                let _ = log.append(AppendCondition::none(), events).await.unwrap();
                latencies.push(begun.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.unwrap());
    }
    let count = latencies.len() as u64 * per_call;
    report(
        &format!("{name}, {writers} writers, {per_call} events a call"),
        count,
        "events",
        start.elapsed(),
        latencies,
    );
}

fn append_redb(directory: &Path, writers: u64, per_call: u64) {
    let database = Database::create(directory.join(format!("peer-{writers}-{per_call}.redb"))).unwrap();
    let number = AtomicU64::new(0);
    let start = Instant::now();
    let latencies: Vec<Duration> = std::thread::scope(|scope| {
        let run = || {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let first = number.fetch_add(per_call, Ordering::Relaxed);
                let rows: Vec<(u64, Bytes)> = (first..first + per_call).map(|row| (row, event(row).payload)).collect();
                let begun = Instant::now();
                let mut transaction = database.begin_write().unwrap();
                transaction.set_durability(Durability::Immediate).unwrap();
                {
                    let mut table = transaction.open_table(TABLE).unwrap();
                    for (row, payload) in &rows {
                        table.insert(row, payload.as_ref()).unwrap();
                    }
                }
                transaction.commit().unwrap();
                latencies.push(begun.elapsed());
            }
            latencies
        };
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let count = latencies.len() as u64 * per_call;
    report(
        &format!("redb rows (durable), {writers} writers, {per_call} rows a commit"),
        count,
        "events",
        start.elapsed(),
        latencies,
    );
}

fn frames_alone() -> usize {
    let given = readings(0);
    let rounds = 60;
    let copies: Vec<_> = (0..rounds).map(|_| given.clone()).collect();
    let start = Instant::now();
    let encoded: Vec<Encoded> = copies.into_iter().map(|readings| frames::encode(readings).unwrap()).collect();
    report("frames: sort, encode and digest", rounds * 20_000, "readings", start.elapsed(), Vec::new());
    let start = Instant::now();
    let decoded: usize = encoded.iter().map(|encoded| frames::decode(&encoded.bytes).unwrap().len()).sum();
    report("frames: decode and check", decoded as u64, "readings", start.elapsed(), Vec::new());
    let start = Instant::now();
    encoded.iter().for_each(|encoded| assert_eq!(frames::digest(&encoded.frame), encoded.digest));
    report("frames: digest alone", rounds * 20_000, "readings", start.elapsed(), Vec::new());
    encoded[0].bytes.len()
}

async fn frames_appended(log: &Arc<dyn EventLog>, writers: i64) {
    let start = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            let given = readings(writer * 1_000);
            while start.elapsed() < RUN {
                let begun = Instant::now();
                let event = frame_event(frames::encode(given.clone()).unwrap());
                let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
                latencies.push(begun.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.unwrap());
    }
    let count = latencies.len() as u64 * 20_000;
    report(
        &format!("frames of 20,000: encode and append, {writers} writers"),
        count,
        "readings",
        start.elapsed(),
        latencies,
    );
}

async fn replay(log: &Arc<dyn EventLog>, what: &str) {
    let start = Instant::now();
    let (mut from, mut records, mut bytes) = (Position::START, 0_u64, 0_u64);
    while from < log.tail() {
        let page = log.read(from, Direction::Forward, Filter::all(), 1_000).await.unwrap();
        from = page.last().unwrap().position.next();
        records += page.len() as u64;
        bytes += page.iter().map(|record| record.payload.len() as u64).sum::<u64>();
    }
    let took = start.elapsed();
    report(
        &format!("{what}: read from the start ({} MB of payload)", bytes / 1_000_000),
        records,
        "records",
        took,
        Vec::new(),
    );
}

fn open(directory: &Path) -> Arc<dyn EventLog> {
    Arc::new(EmbeddedLog::open(directory, Options::default()).unwrap())
}

fn main() {
    // `cargo bench` says so; `cargo test` builds benchmarks and runs them without a word.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("skipped: run `cargo bench -p millwright-eventlog`");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    println!(
        "{} logical processors, data in {}\n",
        std::thread::available_parallelism().unwrap(),
        scratch.path().display()
    );
    runtime.block_on(async {
        let directory = scratch.path().join("events");
        let log = open(&directory);
        for (writers, per_call) in [(1, 1), (64, 1), (512, 1), (4, 1_000)] {
            append(&log, "eventlog", writers, per_call).await;
            append_redb(scratch.path(), writers.min(64), per_call);
        }
        let memory: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
        append(&memory, "memory engine (nothing durable)", 4, 100).await;
        replay(&log, "eventlog").await;
        drop(log);
        let start = Instant::now();
        let log = open(&directory);
        println!("{:<58} {:>14.3?} for {} records", "eventlog: reopen", start.elapsed(), log.tail());
        drop(log);
        let start = Instant::now();
        let verified = verify(&directory).unwrap();
        report(
            "eventlog: verify every checksum, digest and leaf",
            verified.records,
            "records",
            start.elapsed(),
            Vec::new(),
        );

        println!();
        let bytes = frames_alone();
        println!("{:<58} {:>14.2} bytes/reading", "frames: size", bytes as f64 / 20_000.0);
        let directory = scratch.path().join("frames");
        let log = open(&directory);
        for writers in [1, 2, 4] {
            frames_appended(&log, writers).await;
        }
        replay(&log, "frames").await;
        drop(log);
        let start = Instant::now();
        let verified = verify(&directory).unwrap();
        report("frames: verify", verified.readings, "readings", start.elapsed(), Vec::new());
    });
}
