//! Finding and judging short technical texts: how text becomes terms ([`terms`]), a full-text index of versioned documents ([`index`]), past cases in
//! memory ([`casebase`]), texts by what they mean ([`vectors`]), coding help ([`coding`]), and probabilities that hold ([`calibration`]).
//!
//! It knows no log, no events and no records: positions are numbers, and a document's body is bytes.
//!
//! Invariants:
//! - The same facts in the same order give the same answer, on one machine bit by bit.
//! - Whatever is asked at a position depends on facts up to that position only.
//! - Only this crate knows Tantivy and jieba.
//!
//! Where to read next: [`index`] for search, [`casebase`] for diagnosis; `knowledge/eval` scores both.

pub mod bm25;
pub mod calibration;
pub mod casebase;
pub mod coding;
pub mod curated;
pub mod dictionary;
pub mod features;
pub mod index;
pub mod linear;
pub mod normal;
pub mod suggest;
pub mod terms;
pub mod vectors;
