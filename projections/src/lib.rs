//! Folds of the log: the runner that keeps read models up to date, and the read models that live in memory.
//!
//! The log knows bytes and the domain knows events; this crate joins them ([`Entry`], [`seal`]). It knows no SurrealDB, no Tantivy and no
//! network.
//!
//! Invariants:
//! - A read model is a function of the log: deleted and rebuilt, it is the same ([`Projection::digest`]).
//! - One projection, one store, one checkpoint, written in one transaction with the data.
//! - Where batches begin and end never shows in a state or a digest.
//!
//! Where to read next: [`Projection`] is the contract, [`Fold`] the easy way to fulfil it.

mod entry;
mod projection;

pub use entry::{Content, Entry, Meta, READINGS_TYPE, SealError, seal, seal_readings};
pub use projection::{Fold, Projection, ProjectionError};
