//! What the log does in a second, beside bare loops on the same disk and redb, in the same run.
//!
//! `cargo bench -p millwright-eventlog --bench log`, with words after `--` only the parts whose names hold one of them:
//! `latency`, `writers`, `bulk`, `payloads` (frames that are encoded already), `frames`, `replay`, `opening`. `RECORDS=10000000` sets the size of
//! the log for `opening`. Every append is synced before it counts, here and in the peers. What a row compares is measured in turns, three times
//! each; the median counts.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::frames::{self, Encoded, Reading, StatusCode, Value};
use eventlog::{
    AppendCondition, ContentType, DigestAlgorithm, Direction, EventId, EventLog, EventType, Filter, NewEvent,
    PayloadDigest, Position, StreamId, Tag,
};
use jiff::Timestamp;
use redb::{Database, Durability, TableDefinition};

/// How long one measurement of appends runs.
const RUN: Duration = Duration::from_millis(1_500);
/// How often each is measured.
const ROUNDS: usize = 3;
/// The bytes that an event of [`event`] takes in the log, about.
const EVENT_BYTES: usize = 640;
const BARE_FILE_BYTES: u64 = 1 << 28;
const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

/// Events as a caller holds them: names and payload (250 bytes) are made once, the id is new each time.
struct Templates(Vec<NewEvent>);

impl Templates {
    fn new() -> Self {
        Self((0..4_096).map(event).collect())
    }

    fn event(&self, number: u64) -> NewEvent {
        let mut event = self.0[number as usize % self.0.len()].clone();
        event.id = EventId::generate();
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

fn frame_event(encoded: &Encoded) -> NewEvent {
    let mut event = event(0);
    event.id = EventId::generate();
    event.content_type = ContentType::Frame;
    event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
    event.payload = encoded.bytes.clone();
    event
}

/// What one measurement found.
#[derive(Clone, Debug, Default)]
struct Measured {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl Measured {
    fn new(count: u64, took: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let percentile = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
        Self { rate: count as f64 / took.as_secs_f64(), p50: percentile(50), p99: percentile(99) }
    }

    fn median(mut all: Vec<Self>) -> Self {
        all.sort_by(|one, two| one.rate.total_cmp(&two.rate));
        all[all.len() / 2].clone()
    }

    fn print(&self, what: &str, unit: &str) {
        if self.p50.is_zero() {
            println!("{what:<62} {:>13.0} {unit}/s", self.rate);
        } else {
            println!("{what:<62} {:>13.0} {unit}/s   p50 {:>9.1?}   p99 {:>9.1?}", self.rate, self.p50, self.p99);
        }
    }
}

fn report(what: &str, count: u64, unit: &str, took: Duration) {
    Measured::new(count, took, Vec::new()).print(what, unit);
}

/// Writes and syncs the same bytes again and again, one block after the other in a preallocated file: what the disk allows one writer.
fn bare(directory: &Path, block: &[u8], count_per_block: u64) -> Measured {
    let path = directory.join("bare");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BARE_FILE_BYTES).unwrap();
    file.sync_all().unwrap();
    let (start, mut latencies, mut at) = (Instant::now(), Vec::new(), 0);
    while start.elapsed() < RUN {
        if at + block.len() as u64 > BARE_FILE_BYTES {
            at = 0;
        }
        let begun = Instant::now();
        file.write_all_at(block, at).unwrap();
        file.sync_data().unwrap();
        latencies.push(begun.elapsed());
        at += block.len() as u64;
    }
    let took = start.elapsed();
    std::fs::remove_file(&path).unwrap();
    Measured::new(latencies.len() as u64 * count_per_block, took, latencies)
}

/// Appends of `make(number)` by `writers` tasks, each waiting for its answer before the next one.
async fn append(
    log: &Arc<dyn EventLog>,
    writers: u64,
    per_call: u64,
    count_per_event: u64,
    make: Arc<dyn Fn(u64) -> NewEvent + Send + Sync>,
) -> Measured {
    let start = Instant::now();
    let number = Arc::new(AtomicU64::new(0));
    let tasks = (0..writers).map(|_| {
        let (log, number, make) = (Arc::clone(log), Arc::clone(&number), Arc::clone(&make));
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let first = number.fetch_add(per_call, Ordering::Relaxed);
                let events = (first..first + per_call).map(|number| make(number)).collect();
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
    Measured::new(latencies.len() as u64 * per_call * count_per_event, start.elapsed(), latencies)
}

fn append_redb(directory: &Path, writers: u64, per_call: u64, templates: &Templates) -> Measured {
    let path = directory.join("peer.redb");
    let database = Database::create(&path).unwrap();
    let number = AtomicU64::new(0);
    let start = Instant::now();
    let latencies: Vec<Duration> = std::thread::scope(|scope| {
        let run = || {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let first = number.fetch_add(per_call, Ordering::Relaxed);
                let rows: Vec<(u64, Bytes)> =
                    (first..first + per_call).map(|row| (row, templates.event(row).payload)).collect();
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
    let took = start.elapsed();
    drop(database);
    std::fs::remove_file(&path).unwrap();
    Measured::new(latencies.len() as u64 * per_call, took, latencies)
}

/// One writer, one event a call: what the log adds to the write and the sync.
async fn latency(scratch: &Path, templates: &Arc<Templates>) {
    let log = open(&scratch.join("latency"));
    let make = maker(templates);
    let block = vec![b'x'; EVENT_BYTES];
    let (mut ours, mut bares, mut redbs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(bare(scratch, &block, 1));
        ours.push(append(&log, 1, 1, 1, Arc::clone(&make)).await);
        redbs.push(append_redb(scratch, 1, 1, templates));
    }
    let (ours, bare) = (Measured::median(ours), Measured::median(bares));
    bare.print("bare write and fdatasync of as many bytes", "events");
    ours.print("eventlog, 1 writer, 1 event a call", "events");
    println!("{:<62} {:>13.2}", "  latency against bare (p50)", ours.p50.as_secs_f64() / bare.p50.as_secs_f64());
    Measured::median(redbs).print("redb rows (durable), 1 writer, 1 row a commit", "events");
}

async fn writers(scratch: &Path, templates: &Arc<Templates>) {
    let log = open(&scratch.join("writers"));
    let make = maker(templates);
    for writers in [64, 512] {
        let mut ours = Vec::new();
        for _ in 0..ROUNDS {
            ours.push(append(&log, writers, 1, 1, Arc::clone(&make)).await);
        }
        Measured::median(ours).print(&format!("eventlog, {writers} writers, 1 event a call"), "events");
    }
    append_redb(scratch, 64, 1, templates).print("redb rows (durable), 64 writers, 1 row a commit", "events");
}

async fn bulk(scratch: &Path, templates: &Arc<Templates>) {
    let log = open(&scratch.join("bulk"));
    let make = maker(templates);
    let block = vec![b'x'; EVENT_BYTES * 1_000];
    let (mut ours, mut bares, mut redbs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(bare(scratch, &block, 1_000));
        ours.push(append(&log, 4, 1_000, 1, Arc::clone(&make)).await);
        redbs.push(append_redb(scratch, 4, 1_000, templates));
    }
    Measured::median(bares).print("bare write and fdatasync, bytes of 1,000 events a sync", "events");
    Measured::median(ours).print("eventlog, 4 writers, 1,000 events a call", "events");
    Measured::median(redbs).print("redb rows (durable), 4 writers, 1,000 rows a commit", "events");
}

/// Frames that are encoded already: what the way through the log costs.
async fn payloads(scratch: &Path) {
    let encoded = frames::encode(readings(0)).unwrap();
    let block = encoded.bytes.clone();
    let log = open(&scratch.join("payloads"));
    let make: Arc<dyn Fn(u64) -> NewEvent + Send + Sync> = Arc::new(move |_| frame_event(&encoded));
    let mut bares = Vec::new();
    let writers = [1, 2, 4];
    let mut ours = writers.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        bares.push(bare(scratch, &block, 20_000));
        for (writers, ours) in writers.into_iter().zip(&mut ours) {
            ours.push(append(&log, writers, 1, 20_000, Arc::clone(&make)).await);
        }
    }
    let bare = Measured::median(bares);
    bare.print("bare write and fdatasync of a frame's bytes", "readings");
    for (writers, ours) in writers.into_iter().zip(ours) {
        let ours = Measured::median(ours);
        ours.print(&format!("encoded frames of 20,000, {writers} writers"), "readings");
        println!("{:<62} {:>12.0} %", "  of the bare loop", ours.rate / bare.rate * 100.0);
    }
}

async fn frames_appended(scratch: &Path) {
    let directory = scratch.join("frames");
    let log = open(&directory);
    for writers in [1, 2, 4] {
        let given = readings(writers as i64 * 1_000);
        let make = Arc::new(move |_| frame_event(&frames::encode(given.clone()).unwrap()));
        let measured = append(&log, writers, 1, 20_000, make).await;
        measured.print(&format!("frames of 20,000: encode and append, {writers} writers"), "readings");
    }
    let (took, records, bytes) = read_all(&log, 1_000).await;
    let what = format!("frames: read from the start ({} MB of payload)", bytes / 1_000_000);
    report(&what, records, "frames", took);
    drop(log);
    let start = Instant::now();
    let verified = verify(&directory).unwrap();
    report("frames: verify", verified.readings, "readings", start.elapsed());
}

async fn read_all(log: &Arc<dyn EventLog>, page: usize) -> (Duration, u64, u64) {
    let (took, records, bytes, _) = read_all_timed(log, page).await;
    (took, records, bytes)
}

/// [`read_all`], with the time of the fastest full page from the question to the last drop: what counts on a machine that is shared.
async fn read_all_timed(log: &Arc<dyn EventLog>, limit: usize) -> (Duration, u64, u64, Duration) {
    let (start, mut fastest) = (Instant::now(), Duration::MAX);
    let (mut from, mut records, mut bytes) = (Position::START, 0_u64, 0_u64);
    while from < log.tail() {
        let begun = Instant::now();
        let page = log.read(from, Direction::Forward, Filter::all(), limit).await.unwrap();
        from = page.last().unwrap().position.next();
        let count = page.len();
        records += count as u64;
        bytes += page.iter().map(|record| record.payload.len() as u64).sum::<u64>();
        drop(page);
        if count == limit {
            fastest = fastest.min(begun.elapsed());
        }
    }
    (start.elapsed(), records, bytes, fastest)
}

async fn subscribe_all(log: &Arc<dyn EventLog>) -> (Duration, u64) {
    use futures::StreamExt as _;
    let start = Instant::now();
    let count = log.tail().get();
    let mut stream = log.subscribe(Position::START, Filter::all());
    for _ in 0..count {
        stream.next().await.unwrap().unwrap();
    }
    (start.elapsed(), count)
}

async fn fill(log: &Arc<dyn EventLog>, records: u64, templates: &Templates) {
    while log.tail().get() < records {
        let calls = (0..4).map(|_| {
            let events = (0..2_500).map(|number| templates.event(number)).collect();
            log.append(AppendCondition::none(), events)
        });
        futures::future::try_join_all(calls).await.unwrap();
    }
}

/// The processor time that this process has taken: on a machine that is shared, the rate a core.
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = statistics.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    // Linux counts them in hundredths of a second for every program.
    Duration::from_millis(ticks * 10)
}

/// From the page cache, one reader.
async fn replay(scratch: &Path, templates: &Templates) {
    let directory = scratch.join("replay");
    let log = open(&directory);
    fill(&log, 1_000_000, templates).await;
    for page in [100, 1_000, 10_000] {
        let mut rounds = Vec::new();
        let begun = processor_time();
        let (mut all, mut best) = (0, Duration::MAX);
        for _ in 0..ROUNDS {
            let (took, records, _, fastest) = read_all_timed(&log, page).await;
            best = best.min(fastest);
            rounds.push(Measured::new(records, took, Vec::new()));
            all += records;
        }
        let processor = processor_time() - begun;
        Measured::median(rounds).print(&format!("replay in pages of {page}"), "records");
        report("  of processor time", all, "records", processor);
        report("  the fastest page", page as u64, "records", best);
    }
    let begun = processor_time();
    let (took, records) = subscribe_all(&log).await;
    let processor = processor_time() - begun;
    report("replay by a subscription", records, "records", took);
    report("  of processor time", records, "records", processor);
    drop(log);
    let start = Instant::now();
    let verified = verify(&directory).unwrap();
    report("verify every checksum, digest and leaf", verified.records, "records", start.elapsed());
}

/// A log with its indexes, and without them.
async fn opening(scratch: &Path, templates: &Templates) {
    let records = std::env::var("RECORDS").map_or(2_000_000, |text| text.parse().unwrap());
    let directory = scratch.join("opening");
    let log = open(&directory);
    let start = Instant::now();
    fill(&log, records, templates).await;
    report("filled in calls of 2,500 events, four at a time", records, "records", start.elapsed());
    drop(log);
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            drop(EmbeddedLog::open(&directory, Options::default()).unwrap());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{:<62} {:>13.1?} for {records} records", "open with the indexes", times[ROUNDS / 2]);
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "index") {
            std::fs::remove_file(path).unwrap();
        }
    }
    // What the page cache lacks counts for neither.
    for entry in std::fs::read_dir(&directory).unwrap() {
        std::io::copy(&mut File::open(entry.unwrap().path()).unwrap(), &mut std::io::sink()).unwrap();
    }
    let start = Instant::now();
    let log = EmbeddedLog::open(&directory, Options::default()).unwrap();
    let took = start.elapsed();
    let what = format!("open without the indexes ({} rebuilt)", log.report().indexes_rebuilt);
    report(&what, records, "records", took);
}

fn maker(templates: &Arc<Templates>) -> Arc<dyn Fn(u64) -> NewEvent + Send + Sync> {
    let templates = Arc::clone(templates);
    Arc::new(move |number| templates.event(number))
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
    let words: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    println!(
        "{} logical processors, data in {}\n",
        std::thread::available_parallelism().unwrap(),
        scratch.path().display()
    );
    runtime.block_on(async {
        let templates = Arc::new(Templates::new());
        let scratch = scratch.path();
        if wanted("latency") {
            latency(scratch, &templates).await;
        }
        if wanted("writers") {
            writers(scratch, &templates).await;
        }
        if wanted("bulk") {
            bulk(scratch, &templates).await;
        }
        if wanted("payloads") {
            payloads(scratch).await;
        }
        if wanted("frames") {
            frames_appended(scratch).await;
        }
        if wanted("replay") {
            replay(scratch, &templates).await;
        }
        if wanted("opening") {
            opening(scratch, &templates).await;
        }
    });
}
