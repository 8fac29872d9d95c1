//! Scores the features of detection rules on public data sets, and prints tables.
//!
//! What is scored is the code that runs live: features, triggers, mining and judging of this crate. Baselines are computed here, on the same data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    reason = "an evaluation that cannot read what it scores must fail, and what it prints is its result"
)]

mod multivariate;
mod skab;
mod tennessee;

use std::path::PathBuf;

/// Where the data sets are.
fn folder() -> PathBuf {
    std::env::var_os("MILLWRIGHT_DATA_SETS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from)
}

/// Cases out of trials with Wilson's interval.
fn share(cases: u64, trials: u64) -> String {
    use domain::statistics::{LEVEL, Share, wilson};
    match wilson(Share::new(cases, trials), LEVEL) {
        Some(bounds) => format!("{:.3} [{:.3}, {:.3}] ({cases}/{trials})", bounds.value, bounds.low, bounds.high),
        None => format!("– ({cases}/{trials})"),
    }
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let parts: [(&str, fn()); 2] = [("skab", skab::run), ("tennessee", tennessee::run)];
    for name in &asked {
        assert!(parts.iter().any(|(part, _)| part == name), "{name:?} is none of the parts");
    }
    for (name, run) in parts {
        if asked.is_empty() || asked.iter().any(|part| part == name) {
            run();
        }
    }
}
