//! The harness of the end-to-end tests: the real binary on real files, ports and brokers.
//!
//! It starts `millwright` as a process of its own, waits for conditions and never for a time, and stops what it started. A peer that is not
//! installed is named, and its test is skipped aloud.

pub mod client;
pub mod counting;
pub mod peers;
pub mod process;

use std::path::PathBuf;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// The folder of a public data set, or `None`, said aloud, where it is absent.
pub fn data_set(name: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("MILLWRIGHT_DATA_SETS").map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if path.is_dir() {
        Some(path)
    } else {
        skipped(&format!("the data set {name} is not in {}; set MILLWRIGHT_DATA_SETS", root.display()));
        None
    }
}

/// Says aloud that a check was not made.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
pub fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}
