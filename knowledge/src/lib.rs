//! The five knowledge bases: what the log says about faults, maintenance, quality, control and operation, to be searched, browsed and asked.
//!
//! Knowledge records ([`record`]) are folded from the log, kept in two stores, each a projection of its own: the graph in SurrealDB
//! ([`graph`]) and the text in Tantivy ([`search_index`]). What was seen in past cases is indexed in memory, for diagnosis and coding ([`mod@diagnose`], [`coding`]). Fault and maintenance statistics are computed at the asked position from episodes in
//! memory (`projections::folds::episodes`). [`Knowledge`] answers from all of them.
//!
//! It does not run projections, does not know HTTP, and appends nothing to the log.
//!
//! Invariants:
//! - Every answer names the position that it stands for (`as_of`) and the positions that it comes from.
//! - An answer from several stores stands for the lowest position that all of them have applied.
//! - Versions are kept by validity interval; merging writes never merges versions, and batch edges never show.
//! - Only this crate knows SurrealDB, and only `retrieval` knows Tantivy.
//!
//! Where to read next: [`Knowledge`] for the questions, [`record::evolve`] for the fold.

pub mod coding;
pub mod diagnose;
pub mod graph;
pub mod questions;
pub mod record;
pub mod search_index;

mod answer;
mod case_index;
mod cases;
mod facade;
#[cfg(test)]
mod testing;
mod versions;
mod words;

pub use answer::{Answer, Page, QuestionError};
pub use facade::{Config, Knowledge, Models, OpenError, Opening, Projections};
pub use retrieval::vectors::Embedder;
pub use words::SuggestedPair;
