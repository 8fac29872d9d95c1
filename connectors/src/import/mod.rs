//! History from files: CSV and JSON lines become domain events and readings, by a mapping that is data and not code.
//!
//! [`Mapping::parse`] reads the mapping (TOML), [`plan`] reads the files and puts everything in event-time order, [`run`] writes it to an
//! [`ImportSink`]. The language is described in `docs/import.md`; `examples/mappings` has one mapping for each public data set.
//!
//! Invariants:
//! - The same mapping over the same files gives the same event ids, so that a second run adds nothing.
//! - A row is imported as a whole or rejected as a whole, with the field and the reason.
//! - Equal rows without an identity are told apart by their occurrence number; they are never merged.
//! - Items are written in event-time order. What has no known time goes first, unless its block names a time to be ordered by.

mod cell;
mod compile;
mod condition;
mod expression;
mod files;
mod identity;
mod lines;
mod lookup;
mod mapping;
mod plan;
mod read_toml;
mod readings;
mod run;
mod sink;
mod template;
mod time;

pub use files::ImportError;
pub use mapping::{Mapping, MappingError};
pub use plan::{Batch, Import, ImportEvent, Reject, plan};
pub use run::{Phase, Progress, RunError, RunOptions, Summary, run};
pub use sink::{EventsOutcome, ImportSink, LogSink, ReadingsOutcome, Refusal, SinkError};

/// The most events and readings that one import plans in memory.
pub const MAX_ITEMS: usize = 20_000_000;

/// The longest row, in bytes.
pub const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;

/// The most events that go to a sink at once.
pub const MAX_EVENTS_PER_BATCH: usize = 1_000;

/// The most readings that go to a sink at once.
pub const MAX_READINGS_PER_BATCH: usize = 10_000;

#[cfg(test)]
#[path = "data_set_tests.rs"]
mod data_set_tests;
#[cfg(test)]
#[path = "language_tests.rs"]
mod language_tests;
