//! What the frame codec does in a second on one core, without a disk.
//!
//! `cargo bench -p millwright-eventlog --bench frames`. The signals are those of the research notes: half random walks with a resolution of 0.01, a quarter
//! noise with every bit of a double, a quarter steps. Every figure is the best of several rounds, because the machine may be shared; decoding includes
//! the checksums and dropping what was decoded.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::frames::{self, Reading, StatusCode, Value};
use jiff::Timestamp;

/// How long each figure is measured, at least.
const RUN: Duration = Duration::from_millis(1_500);

/// A stream of numbers that is the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to below 1, with 53 random bits.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// When the signals are sampled.
#[derive(Clone, Copy)]
enum Times {
    /// The 20 signals of a loom at the same moments, every 100 ms.
    Shared,
    /// Each signal at its own moments: about 100 ms, with microseconds of jitter.
    Own,
}

/// The rows of some series, series by series.
fn series(count: usize, points: usize, times: Times, sequences: bool) -> Vec<Vec<Reading>> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let one = |index: usize| {
        let signal: Arc<str> = format!("loom-{:03}.signal-{:02}", index / 20, index % 20).into();
        let mut walk = 2_000 + (numbers.next() % 6_000) as i64;
        let mut step = (numbers.next() % 200) as f64 / 2.0;
        let rows = (0..points).map(|point| {
            let value = match index % 4 {
                0 | 1 => {
                    walk += (numbers.next() % 21) as i64 - 10;
                    walk as f64 / 100.0
                }
                2 => 10.0 + 50.0 * numbers.unit(),
                _ => {
                    if numbers.next().is_multiple_of(60) {
                        step = (numbers.next() % 200) as f64 / 2.0;
                    }
                    step
                }
            };
            let (place, jitter) = match times {
                Times::Shared => (index / 20, 0),
                Times::Own => (index, (numbers.next() % 4_000) as i64),
            };
            let micros = 1_700_000_000_000_000 + place as i64 * 1_000 + point as i64 * 100_000 + jitter;
            Reading {
                signal: Arc::clone(&signal),
                time: Timestamp::from_microsecond(micros).unwrap(),
                sequence: sequences.then_some(point as u64),
                value: Value::Float(value),
                status: StatusCode::GOOD,
            }
        });
        rows.collect()
    };
    (0..count).map(one).collect()
}

/// As they arrive from many devices: all signals of the first moment, then of the second.
fn as_they_arrive(series: &[Vec<Reading>]) -> Vec<Reading> {
    let points = series.first().map_or(0, Vec::len);
    (0..points).flat_map(|point| series.iter().map(move |rows| rows[point].clone())).collect()
}

/// Prints readings a second, from the best round. An argument chooses the figures that contain it: `cargo bench … -- decode`.
fn measure(what: &str, readings: usize, mut round: impl FnMut() -> Duration) {
    if std::env::args().skip(1).find(|argument| !argument.starts_with("--")).is_some_and(|only| !what.contains(&only)) {
        return;
    }
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < RUN {
        best = best.min(round());
    }
    println!("  {what:<44} {:>8.1} M readings/s", readings as f64 / best.as_secs_f64() / 1e6);
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn shape(name: &str, series: &[Vec<Reading>]) {
    let sorted: Vec<Reading> = series.iter().flatten().cloned().collect();
    let arriving = as_they_arrive(series);
    let count = sorted.len();
    let encoded = frames::encode(sorted.clone()).unwrap();
    println!("{name}: {:.2} bytes/reading", encoded.bytes.len() as f64 / count as f64);
    measure("encode columns, digest apart", count, || timed(|| frames::payload(&encoded.frame).unwrap()));
    measure("sort, group, encode, digest, in column order", count, || {
        let given = sorted.clone();
        timed(|| frames::encode(given).unwrap())
    });
    measure("sort, group, encode, digest, as they arrive", count, || {
        let given = arriving.clone();
        timed(|| frames::encode(given).unwrap())
    });
    measure("digest", count, || timed(|| frames::digest(&encoded.frame)));
    measure("decode", count, || timed(|| drop(frames::decode(&encoded.bytes).unwrap())));
    let mut decoder = frames::Decoder::default();
    measure("decode, frame after frame", count, || timed(|| drop(decoder.decode(&encoded.bytes).unwrap())));
    measure("summaries", count, || timed(|| frames::summaries(&encoded.bytes).unwrap()));
}

fn main() {
    // `cargo bench` says so; `cargo test` builds benchmarks and runs them without a word.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("skipped: run `cargo bench -p millwright-eventlog --bench frames`");
        return;
    }
    shape("2,000 series x 10 points, shared moments", &series(2_000, 10, Times::Shared, false));
    shape("2,000 series x 10 points, own moments", &series(2_000, 10, Times::Own, false));
    shape("2,000 series x 10 points, shared, sequences", &series(2_000, 10, Times::Shared, true));
    shape("100 series x 200 points, shared moments", &series(100, 200, Times::Shared, false));
    shape("100 series x 200 points, own moments", &series(100, 200, Times::Own, false));
    // 16 series x 8,192 are more than a frame holds: each frame has two of them.
    shape("2 of 16 series x 8,192 points, own moments", &series(2, 8_192, Times::Own, false));
}
