//! Tables for training: what was measured before a moment and what came of it after, built from the log as it was known at a position.

pub mod spec;

mod error;

pub use error::DatasetError;
pub use spec::{Knowledge, Spec};
