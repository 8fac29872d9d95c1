//! What sealing saves, what it costs, and what it gives to questions about one signal.
//!
//! `cargo bench -p millwright-eventlog --bench sealing`. The signals are the mix of the research notes: half random walks with a resolution of 0.01, a quarter noise
//! with full precision, a quarter in steps.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, Sealing};
use eventlog::frames::{self, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, ContentType, DigestAlgorithm, Direction, EventId, EventLog, EventType, Filter, NewEvent,
    PayloadDigest, Position, ReadingsQuery, StreamId, Tag,
};
use jiff::Timestamp;

/// A generator whose stream never changes (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From -1 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Signals that go on from frame to frame.
struct Plant {
    chance: Chance,
    signals: Vec<(Arc<str>, f64)>,
    step: i64,
}

impl Plant {
    fn new(signals: usize) -> Self {
        let signals = (0..signals).map(|number| (format!("loom-{:02}.signal-{number}", number % 24).into(), 100.0));
        Self { chance: Chance(7), signals: signals.collect(), step: 0 }
    }

    /// The next frame, of so many readings of each signal.
    fn frame(&mut self, steps: i64) -> NewEvent {
        let mut readings = Vec::new();
        for _ in 0..steps {
            self.step += 1;
            // The sources' clocks are regular but for some microseconds.
            let time = Timestamp::from_microsecond(1_700_000_000_000_000 + self.step * 100_000).unwrap();
            for (number, (signal, level)) in self.signals.iter_mut().enumerate() {
                let value = match number % 4 {
                    0 | 1 => {
                        *level = ((*level + self.chance.unit() * 0.5) * 100.0).round() / 100.0;
                        *level
                    }
                    2 => 50.0 + self.chance.unit(),
                    _ => {
                        if self.chance.next().is_multiple_of(50) {
                            *level = (self.chance.next() % 10) as f64 * 5.0;
                        }
                        *level
                    }
                };
                readings.push(Reading {
                    signal: Arc::clone(signal),
                    time,
                    sequence: Some(self.step as u64),
                    value: Value::Float(value),
                    status: StatusCode::GOOD,
                });
            }
        }
        let encoded = frames::encode(readings).unwrap();
        let mut event = event(self.step as u64);
        event.id = EventId::generate();
        event.content_type = ContentType::Frame;
        event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
        event.payload = encoded.bytes;
        event
    }
}

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

fn show(what: &str, value: impl std::fmt::Display) {
    println!("{what:<66} {value:>24}");
}

fn bytes_in(directory: &Path, extension: &str) -> u64 {
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    of_kind.map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

async fn replay(log: &EmbeddedLog, unit: u64, what: &str) {
    let (start, mut from, mut records) = (Instant::now(), Position::START, 0_u64);
    while from < log.tail() {
        let page = log.read(from, Direction::Forward, Filter::all(), 500).await.unwrap();
        records += page.len() as u64;
        from = page.last().unwrap().position.next();
    }
    show(what, format!("{:.2} M/s", (records * unit) as f64 / start.elapsed().as_secs_f64() / 1e6));
}

/// Seals a log of frames and asks about one signal.
async fn frames_of(scratch: &Path, signals: usize, frames: i64, steps: i64) {
    let directory = scratch.join(format!("frames-{signals}"));
    let log = EmbeddedLog::open(&directory, Options::default()).unwrap();
    let mut plant = Plant::new(signals);
    for _ in 0..frames {
        let _ = log.append(AppendCondition::none(), vec![plant.frame(steps)]).await.unwrap();
    }
    let readings = (frames * steps) as u64 * signals as u64;
    let per_frame = readings / frames as u64;
    println!("\n{signals} signals, {} readings each, {frames} frames", frames * steps);
    let _ = log.rotate().await.unwrap();
    let appended = bytes_in(&directory, "segment");
    show("appended: bytes a reading", format!("{:.2}", appended as f64 / readings as f64));
    replay(&log, per_frame, "appended: replay, readings").await;
    // A tenth of the time of one signal.
    let (first, last) = (1_700_000_000_000_000, 1_700_000_000_000_000 + frames * steps * 100_000);
    let time = |share: i64| Timestamp::from_microsecond(first + (last - first) * share / 10).unwrap();
    let query = ReadingsQuery { from: time(4), to: time(5), ..ReadingsQuery::all(&plant.signals[1].0) };
    let start = Instant::now();
    let mut scanned = 0;
    let mut from = Position::START;
    while from < log.tail() {
        let page = log.read(from, Direction::Forward, Filter::all(), 100).await.unwrap();
        from = page.last().unwrap().position.next();
        for record in page.iter().filter(|record| record.content_type == ContentType::Frame) {
            let frame = frames::decode(&record.payload).unwrap();
            let columns = frame.columns_of(&query.signal);
            let inside = |reading: &Reading| reading.time >= query.from && reading.time < query.to;
            scanned += columns.flat_map(|column| column.readings()).filter(|(_, reading)| inside(reading)).count();
        }
    }
    show("a tenth of one signal by reading everything", format!("{:?}", start.elapsed()));
    for round in ["the first time", "again"] {
        ask(&log, &query, scanned, &format!("a tenth of one signal, appended, {round}")).await;
    }
    let start = Instant::now();
    assert!(log.seal_all().await.unwrap() > 0);
    let took = start.elapsed();
    show("sealing and comparing, readings", format!("{:.2} M/s", readings as f64 / took.as_secs_f64() / 1e6));
    show("sealing and comparing, bytes read", format!("{:.1} MB/s", appended as f64 / took.as_secs_f64() / 1e6));
    let sealed = bytes_in(&directory, "sealed");
    show("sealed: bytes a reading", format!("{:.2}", sealed as f64 / readings as f64));
    for round in ["the first time", "again"] {
        ask(&log, &query, scanned, &format!("a tenth of one signal, sealed, {round}")).await;
    }
    replay(&log, per_frame, "sealed: replay, readings").await;
    drop(log);
    std::fs::remove_dir_all(&directory).unwrap();
}

async fn ask(log: &EmbeddedLog, query: &ReadingsQuery, expected: usize, what: &str) {
    let start = Instant::now();
    let page = log.readings(query.clone()).await.unwrap();
    let took = start.elapsed();
    assert_eq!(page.readings.len(), expected.min(eventlog::MAX_PAGE));
    show(what, format!("{took:.3?}, {} KiB", page.touched.bytes / 1024));
}

async fn events(scratch: &Path) {
    println!("\nevents of 250 bytes");
    let directory = scratch.join("events");
    let log = EmbeddedLog::open(&directory, Options::default()).unwrap();
    for call in 0..200 {
        let events = (call * 1_000..call * 1_000 + 1_000).map(event).collect();
        let _ = log.append(AppendCondition::none(), events).await.unwrap();
    }
    let _ = log.rotate().await.unwrap();
    let appended = bytes_in(&directory, "segment");
    show("appended: bytes an event", appended / 200_000);
    replay(&log, 1, "appended: replay, events").await;
    let start = Instant::now();
    log.seal_all().await.unwrap();
    show("sealing and comparing, events", format!("{:.2} M/s", 0.2 / start.elapsed().as_secs_f64()));
    show("sealed: bytes an event", bytes_in(&directory, "sealed") / 200_000);
    replay(&log, 1, "sealed: replay, events").await;
}

/// Appends of one event at a time, while nothing or the sealing of earlier segments runs.
async fn latency(scratch: &Path, sealing: Option<Sealing>) {
    let directory = scratch.join(format!("latency-{}", sealing.is_some()));
    let options = |sealing| Options { segment_bytes: 16 * 1024 * 1024, sealing, ..Options::default() };
    let log = EmbeddedLog::open(&directory, options(None)).unwrap();
    let mut plant = Plant::new(100);
    for _ in 0..600 {
        let _ = log.append(AppendCondition::none(), vec![plant.frame(200)]).await.unwrap();
    }
    drop(log);
    let log = EmbeddedLog::open(&directory, options(sealing)).unwrap();
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) {
        let event = event(latencies.len() as u64);
        let begun = Instant::now();
        let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
        latencies.push(begun.elapsed());
    }
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies[(latencies.len() - 1) * per_mille / 1000];
    let what = if sealing.is_some() { "while sealing runs" } else { "without sealing" };
    show(
        &format!("one append at a time {what}: p50, p99, p99.9"),
        format!("{:.2?} {:.2?} {:.2?}", at(500), at(990), at(999)),
    );
    let status = log.sealing();
    if sealing.is_some() {
        show("segments sealed meanwhile", format!("{} in {} ms", status.written_segments, status.milliseconds));
    }
}

fn main() {
    // `cargo bench` says so; `cargo test` builds benchmarks and runs them without a word.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("skipped: run `cargo bench -p millwright-eventlog --bench sealing`");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    println!("{} logical processors", std::thread::available_parallelism().unwrap());
    runtime.block_on(async {
        // The chunk of the research notes, then the frames of a whole shed.
        frames_of(scratch.path(), 16, 16, 512).await;
        frames_of(scratch.path(), 100, 400, 200).await;
        frames_of(scratch.path(), 2_000, 400, 10).await;
        events(scratch.path()).await;
        println!();
        latency(scratch.path(), None).await;
        latency(scratch.path(), Some(Sealing::default())).await;
    });
}
