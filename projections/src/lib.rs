//! Folds of the log: the runner that keeps read models up to date, and the read models that live in memory.
//!
//! The log knows bytes and the domain knows events; this crate joins them ([`Entry`], [`seal`]). It knows no SurrealDB, no Tantivy and no
//! network.
//!
//! Invariants:
//! - A read model is a function of the log: deleted and rebuilt, it is the same ([`Projection::digest`]).
//! - One projection, one store, one checkpoint, written in one transaction with the data.
//! - Where batches begin and end never shows in a state or a digest.
//! - Effects belong to a [`Reactor`]; a projection has none.
//!
//! Where to read next: [`Projection`] is the contract, [`Fold`] the easy way to fulfil it, [`Runner`] what drives it.

pub mod control;
pub mod filters;
pub mod fmea;
pub mod folds;
pub mod handover;
pub mod maintenance;
pub mod operating;
pub mod quality_control;
pub mod retention;
pub mod trace;

mod digest;
mod entry;
mod feed;
mod gathered;
mod handle;
mod history;
mod lifting;
mod memory;
mod pages;
mod personal;
mod projection;
mod reactor;
mod read_models;
mod rebuild;
mod runner;
mod set;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_operations;

pub use digest::state_digest;
pub use entry::{Content, Entry, Meta, READINGS_TYPE, SealError, seal, seal_readings};
pub use feed::Feed;
pub use gathered::{GATHER_FOR, Gathered};
pub use handle::{ProjectionHandle, RequestError, WaitError};
pub use history::{AsOf, Fact, History};
pub use lifting::{decode_event, event_from_value};
pub use memory::{MemoryProjection, Shared};
pub use personal::{subject_tag, subjects_policy};
pub use projection::{Fold, Projection, ProjectionError};
pub use reactor::{Reactor, ReactorError, ReactorHandle, ReactorOptions, reaction_id, start_reactor};
pub use read_models::{Folds, ReadModels, Replay, replay};
pub use rebuild::Rebuildable;
pub use runner::{FLUSH_AFTER_ENTRIES, FLUSH_EVERY, Runner};
pub use set::{ProjectionDigest, ProjectionSet, ProjectionStatus};
