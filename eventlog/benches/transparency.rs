//! What transparency costs: `cargo bench -p millwright-eventlog --bench transparency -- [LEAVES]` (10 million when absent).
//!
//! One thread. The leaves lie in memory, so that it is the tree, its tiles and its proofs that are measured; then leaf digests are read back from a log on disk.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and ends when something fails"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::transparency::{self, LeafSource, Notary, TileId};
use eventlog::{
    AppendCondition, Digest, EventId, EventLog, EventType, LogId, NewEvent, Position, ReadError, StreamId, Tree,
};
use tokio::sync::watch;

struct Leaves {
    digests: Vec<Digest>,
    shown: parking_lot::Mutex<(usize, Tree)>,
}

fn leaf(index: u64) -> Vec<u8> {
    index.to_string().into_bytes()
}

impl Leaves {
    fn new(count: u64) -> Self {
        let digests = (0..count).map(|index| Digest::of(&[&[0_u8], leaf(index).as_slice()].concat())).collect();
        Self { digests, shown: parking_lot::Mutex::new((0, Tree::new())) }
    }

    /// Shows the first `count` leaves to whoever asks.
    fn show(&self, count: usize) {
        let mut shown = self.shown.lock();
        for digest in &self.digests[shown.0..count] {
            shown.1.push(*digest);
        }
        shown.0 = count;
    }
}

impl LeafSource for Leaves {
    fn tree(&self) -> Tree {
        self.shown.lock().1.clone()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        watch::Sender::new(Position::START).subscribe()
    }

    fn leaf_digests(&self, from: Position, count: usize) -> Result<Vec<Digest>, ReadError> {
        let end = self.shown.lock().0;
        Ok(self.digests[..end].iter().skip(from.get() as usize).take(count).copied().collect())
    }

    fn leaves(&self, from: Position, count: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok((from.get()..from.get() + count as u64).map(leaf).collect())
    }
}

fn notary(source: Arc<dyn LeafSource>, log: LogId, data_dir: &Path) -> Notary {
    std::fs::create_dir_all(data_dir.join("log")).unwrap();
    Notary::open(source, log, transparency::Options::in_data_folder(data_dir)).unwrap()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

/// Positions that look random and are the same each time.
fn scattered(count: u64, size: u64) -> impl Iterator<Item = u64> {
    (0..count)
        .map(move |index| ((u128::from(index.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * u128::from(size)) >> 64) as u64)
}

/// The median and the 99th of a hundred, in microseconds.
fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    format!("p50 {:.0} us, p99 {:.0} us", at(50), at(99))
}

fn tree(count: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (leaves, hashing) = timed(|| Arc::new(Leaves::new(count)));
    println!(
        "{count} leaves; hashing them took {:.2} s ({:.2} M/s)",
        hashing.as_secs_f64(),
        count as f64 / hashing.as_secs_f64() / 1e6
    );
    let log = LogId::new(uuid::Uuid::from_u128(1));
    let open = || notary(Arc::clone(&leaves) as Arc<dyn LeafSource>, log, dir.path());
    let growing = open();
    leaves.show(count as usize);
    let (_, extending) = timed(|| growing.sign().unwrap());
    println!(
        "tree, tiles and one checkpoint: {:.2} s, {:.2} M leaves/s",
        extending.as_secs_f64(),
        count as f64 / extending.as_secs_f64() / 1e6
    );
    drop(growing);
    let (notary, opening) = timed(open);
    println!("opened again with its tiles, compared with its checkpoint: {:.3} s", opening.as_secs_f64());
    let checkpoint = notary.checkpoint();
    let mut times = Vec::new();
    for position in scattered(20_000, count) {
        let (proof, took) = timed(|| notary.proof(Position::new(position), Arc::clone(&checkpoint)).unwrap());
        assert_eq!(proof.leaf, leaf(position));
        times.push(took);
    }
    println!("inclusion proofs of scattered records: {}", percentiles(times));
    let mut times = Vec::new();
    for from in scattered(5_000, count) {
        times.push(timed(|| notary.consistency(from, count).unwrap()).1);
    }
    println!("consistency proofs from scattered sizes, with both roots: {}", percentiles(times));
    let mut times = Vec::new();
    for index in scattered(5_000, count / 256) {
        times.push(timed(|| notary.tile(TileId { level: 0, index }, 256).unwrap().unwrap()).1);
    }
    println!("full tiles: {}", percentiles(times));
}

fn engine(count: u64) {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(&dir.path().join("log"), Options::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let payload = bytes::Bytes::from(vec![b' '; 250]);
    let (stream, kind) = (StreamId::new("lot-1").unwrap(), EventType::new("lot.made").unwrap());
    for _ in 0..count / 5_000 {
        let event = |_| NewEvent::json(EventId::generate(), stream.clone(), kind.clone(), 1, "bench", payload.clone());
        let _ = runtime.block_on(log.append(AppendCondition::none(), (0..5_000).map(event).collect())).unwrap();
    }
    let count = log.tail().get();
    let (digests, reading) = timed(|| log.leaf_digests(Position::START, count as usize).unwrap());
    assert_eq!(digests.len() as u64, count);
    println!(
        "leaf digests of {count} records of 250 B from page cache: {:.2} M/s",
        count as f64 / reading.as_secs_f64() / 1e6
    );
    let (leaves, reading) = timed(|| log.leaves(Position::START, 50_000.min(count as usize)).unwrap());
    println!(
        "leaves for entry bundles, each compared with its digest: {:.2} M/s",
        leaves.len() as f64 / reading.as_secs_f64() / 1e6
    );
    let source = Arc::clone(&log) as Arc<dyn LeafSource>;
    let (_notary, opening) = timed(|| notary(source, log.log_id(), dir.path()));
    println!(
        "a notary's first start on this log: {:.2} s, {:.2} M records/s",
        opening.as_secs_f64(),
        count as f64 / opening.as_secs_f64() / 1e6
    );
}

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000_000);
    tree(count);
    engine((count / 20).max(10_000));
}
