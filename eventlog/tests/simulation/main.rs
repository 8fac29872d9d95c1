//! Seeded simulation: the log on a disk that tears, reorders and loses unsynced writes, loses names, fails, fills up and flips bits, through crashes of
//! the process and of the machine. After each a reference that knows nothing but calls and answers compares everything.
//!
//! `MILLWRIGHT_SEEDS` (200) seeds from `MILLWRIGHT_FIRST_SEED` (0) on are run. A seed that fails says how to repeat it. Calls that run at the same time may be
//! grouped otherwise when repeated; everything else follows from the seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "a test fails by a panic, and its numbers are small"
)]

mod chance;
mod disk;
mod driver;
mod model;
mod sealing;
mod signing;

use std::panic::{AssertUnwindSafe, catch_unwind};

use driver::Tested;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("the variable is a whole number"))
}

/// Runs a seed on a runtime of its own.
fn run(seed: u64, lying: bool) -> std::thread::Result<Tested> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(driver::run(seed, lying))))
}

#[test]
fn every_crash_keeps_what_was_acknowledged() {
    let first = number("MILLWRIGHT_FIRST_SEED", 0);
    let seeds = number("MILLWRIGHT_SEEDS", 200);
    let mut all = Tested::default();
    for seed in first..first + seeds {
        match run(seed, false) {
            Ok(tested) => all.add(&tested),
            Err(panic) => {
                println!("seed {seed} failed; repeat it with\n  {}", driver::how_to_repeat(seed));
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{seeds} seeds: {all:?}");
    if seeds >= 200 {
        all.assert_everything_happened();
    }
}

/// A checker that cannot fail proves nothing: on a disk whose syncs are lies, it must.
#[test]
fn the_checker_notices_a_disk_that_forgets() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let noticed = (0..20).filter(|seed| run(*seed, true).is_err()).count();
    std::panic::set_hook(hook);
    assert!(noticed > 0, "20 seeds on a disk that forgets what it promised, and nobody noticed");
}

#[test]
fn what_was_signed_and_shown_is_never_taken_back() {
    let (first, seeds) = (number("MILLWRIGHT_FIRST_SEED", 0), number("MILLWRIGHT_SEEDS", 200).div_ceil(8));
    let mut all = signing::Signed::default();
    for seed in first..first + seeds {
        let keys = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let run = AssertUnwindSafe(|| runtime.block_on(signing::run(seed, keys.path())));
        match catch_unwind(run) {
            Ok(signed) => {
                all.shown += signed.shown;
                all.compared += signed.compared;
                all.refused += signed.refused;
                all.crashes += signed.crashes;
            }
            Err(panic) => {
                println!(
                    "signing with seed {seed} failed; repeat it with MILLWRIGHT_FIRST_SEED={seed} MILLWRIGHT_SEEDS=1"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{seeds} seeds of signing: {all:?}");
    if seeds >= 25 {
        assert!(all.shown > 50 && all.compared > 250 && all.refused > 5 && all.crashes > 50, "{all:?}");
    }
}
