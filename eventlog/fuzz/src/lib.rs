//! What the fuzz targets do with arbitrary bytes: each hands them to one parser of the log, through the doors that everybody uses, and fails when the log
//! panics or contradicts itself. Checksums are mended first, so that the bytes behind them are reached; a log is opened on a disk in memory.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd eventlog && cargo fuzz run --sanitizer none TARGET -- -max_total_time=300
//! ```
//!
//! Our code holds no `unsafe`, so that no sanitizer is needed, and stable Rust suffices. The corpus in the repository is replayed, and mutated a little, by the test
//! `corpus` of the log's crate, which includes these very files.

mod disk;
mod frame;
mod log;
mod mending;
mod note;

pub use frame::frame;
pub use log::{header, index, mark, record, segment};
pub use note::note;

/// The targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("frame", frame),
    ("record", record),
    ("segment", segment),
    ("header", header),
    ("index", index),
    ("mark", mark),
    ("note", note),
];
