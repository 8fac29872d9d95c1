//! The tracking store through its facade, over a log in memory.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test binary")]

mod experiments;
mod history;
mod logging;
mod models_and_files;
mod runs;
mod search;
mod support;
