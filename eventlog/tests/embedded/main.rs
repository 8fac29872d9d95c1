//! The engine on segment files: the contract, and what happens to it when processes and disks fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic"
)]

mod conforming;
mod damage;
mod full_disk;
mod golden;
mod golden_sealed;
mod indexes;
mod kill;
mod metadata;
mod mixed;
mod model;
mod pipelining;
mod python_reader;
mod readings;
#[cfg(feature = "s3")]
mod s3;
mod sealing;
mod support;
mod tiering;
mod transparency;
mod unreliable;
