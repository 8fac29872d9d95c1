//! Tables for training: what was measured before a moment and what came of it after, built from the log as it was known at a position.
//!
//! What it does: it turns a [`Spec`] into a Parquet file ([`build()`]) and into what the event `dataset.built` says of it, builds the same file again
//! ([`rebuild`]). It also makes tables of ranges of readings, raw or downsampled ([`series`]).
//!
//! What it does not do: it appends nothing, keeps no file, and knows no store and no network.
//!
//! Invariants:
//! - A file is a function of the log up to `as_of`, the spec and [`BUILDER`]: byte by byte, however the log is batched, sealed or cached. No clock and no
//!   random number goes in.
//! - **Nothing leaks.** A feature of a row knows only what happened *before* the row's time, and only from records at or before `as_of`; with
//!   [`Knowledge::AsKnownThen`] only from records that had been logged by the row's time. A label knows only what happened at the row's time or later.
//! - What has not been observed yet is null, never "no".
//! - Memory is bounded by the rows of one group and by the readings of the windows that are open.
//!
//! Where to read next: [`spec`] is the language, [`build()`] the way through, `features` and `labels` what a cell says.

pub mod series;
pub mod spec;

mod aggregate;
mod bindings;
mod build;
mod error;
mod facts;
mod features;
mod file;
mod labels;
mod moments;
mod numbers;
mod plan;
mod rows;
mod table;
mod taken;
mod timeline;
mod window;

#[cfg(test)]
mod tests;

pub use build::{BUILDER, Built, FILE_NAME, Rebuilt, build, built_event, rebuild};
pub use error::DatasetError;
pub use file::{FileSink, Forget};
pub use numbers::numbers;
pub use spec::{Knowledge, Spec};
