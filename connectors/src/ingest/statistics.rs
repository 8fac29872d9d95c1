//! The counters of ingest, since it was started.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct IngestStatistics {
    /// Readings in calls that were valid.
    pub readings_received: AtomicU64,
    /// Readings that were appended.
    pub readings_accepted: AtomicU64,
    /// Readings that were known with the same value, and dropped.
    pub readings_duplicate: AtomicU64,
    /// Readings that were appended although their identity was known with another value.
    pub readings_conflicting: AtomicU64,
    /// Foreign events in calls.
    pub events_received: AtomicU64,
    /// Foreign events that were appended.
    pub events_appended: AtomicU64,
    /// Foreign events that were known.
    pub events_repeated: AtomicU64,
    /// Inputs that went to quarantine, repetitions included.
    pub inputs_quarantined: AtomicU64,
    /// Inputs that were in quarantine already.
    pub inputs_quarantined_again: AtomicU64,
    /// Frames that were appended.
    pub frames: AtomicU64,
    /// Appends of frames: one for all batches that waited.
    pub appends: AtomicU64,
    /// Batches that were refused because the log or the index failed.
    pub batches_failed: AtomicU64,
}

impl IngestStatistics {
    pub(super) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn quarantined(&self, repeated: bool) {
        Self::add(&self.inputs_quarantined, 1);
        if repeated {
            Self::add(&self.inputs_quarantined_again, 1);
        }
    }
}
