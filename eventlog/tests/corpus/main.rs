//! The fuzz targets without a fuzzer: every input of the corpus again, so that nothing that was found comes back, and a bounded number of mutations of each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test fails by a panic"
)]

#[path = "../../fuzz/src/disk.rs"]
mod disk;
#[path = "../../fuzz/src/frame.rs"]
mod frame;
#[path = "../../fuzz/src/log.rs"]
mod log;
#[path = "../../fuzz/src/mending.rs"]
mod mending;
#[path = "../../fuzz/src/note.rs"]
mod note;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Mutations of the corpus of each target.
const MUTATIONS: usize = 600;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Panics of every thread: those of the log's own threads end the log and not the caller.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            shown(panic);
        }));
    });
}

/// What the input does to the target; a failure shows the input.
fn run(target: fn(&[u8]), input: &[u8], name: &str) {
    let failed = catch_unwind(AssertUnwindSafe(|| target(input))).is_err();
    if failed || PANICS.load(Ordering::SeqCst) > 0 {
        let shown: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("target {name} fails for {shown}");
    }
}

fn mutated(random: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..6) {
            0 => input.truncate(at),
            1 => input.insert(at, random.random()),
            2 if at < input.len() => drop(input.remove(at)),
            3 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                input.truncate(at);
                input.extend(&other[from..]);
            }
            _ if at < input.len() => {
                input[at] =
                    [0, 1, 0x7f, 0x80, 0xff, input[at] ^ 1, input[at].wrapping_add(1)][random.random_range(0..7)];
            }
            _ => input.push(random.random()),
        }
    }
    input
}

fn replay(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    count_panics();
    for input in &corpus {
        run(target, input, name);
    }
    let mut random = ChaCha8Rng::seed_from_u64(name.len() as u64);
    for _ in 0..MUTATIONS {
        run(target, &mutated(&mut random, &corpus), name);
    }
}

#[test]
fn frame() {
    replay("frame", frame::frame);
}

#[test]
fn record() {
    replay("record", log::record);
}

#[test]
fn segment() {
    replay("segment", log::segment);
}

#[test]
fn header() {
    replay("header", log::header);
}

#[test]
fn index() {
    replay("index", log::index);
}

#[test]
fn mark() {
    replay("mark", log::mark);
}

#[test]
fn note() {
    replay("note", note::note);
}
