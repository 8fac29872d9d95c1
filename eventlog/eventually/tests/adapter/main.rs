//! An aggregate, a repository, projections and subscriptions written for `eventually-core`, on both engines of the log.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod mapping;
mod order;
mod repository;
mod subscriptions;

use std::path::Path;
use std::sync::Arc;

use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::memory::MemoryLog;
use eventlog::{Category, EventLog};
use eventlog_eventually::Store;

use order::{Event, OrderId};

/// An empty log of each engine, with the folder of the one on files.
fn engines() -> Vec<(Arc<dyn EventLog>, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let embedded = on_files(folder.path());
    vec![(Arc::new(MemoryLog::new()), None), (embedded, Some(folder))]
}

/// The log in this folder, in small segments, so that a few hundred events fill several.
fn on_files(folder: &Path) -> Arc<dyn EventLog> {
    Arc::new(EmbeddedLog::open(folder, Options { segment_bytes: 64 * 1024, ..Options::default() }).unwrap())
}

/// The orders of this log.
fn orders(log: &Arc<dyn EventLog>) -> Store<OrderId, Event> {
    Store::new(Arc::clone(log), Category::new("order").unwrap(), order::naming).with_actor("shop")
}
