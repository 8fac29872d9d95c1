//! How much ingest takes at once.

use eventlog::frames::MAX_FRAME_READINGS;

use super::StartError;

/// The most readings that one call takes.
pub const MAX_BATCH_READINGS: usize = MAX_FRAME_READINGS;

/// The longest text value, in bytes.
pub const MAX_TEXT_BYTES: usize = eventlog::frames::MAX_TEXT_BYTES;

/// The most bytes of an input that quarantine keeps; more is cut, and the reason says so.
pub const MAX_QUARANTINED_BYTES: usize = 1024 * 1024;

/// The most bytes of readings that go into one frame, as an estimate from above, well under what the log takes as one payload.
pub(super) const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Bounds of the queue and of one round. They are ceilings: nothing waits for them to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Batches that may wait; further callers wait before they are queued.
    pub queued_batches: usize,
    /// Readings that may wait, over all batches.
    pub queued_readings: usize,
    /// Readings after which one round of gathering ends; the batch that reaches it is still taken whole.
    pub round_readings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queued_batches: 4_096, queued_readings: 200_000, round_readings: 60_000 }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), StartError> {
        let positive = [("queued_batches", self.queued_batches), ("round_readings", self.round_readings)];
        if let Some((field, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(StartError::Limit { field, least: 1 });
        }
        if self.queued_readings < MAX_BATCH_READINGS {
            return Err(StartError::Limit { field: "queued_readings", least: MAX_BATCH_READINGS });
        }
        Ok(())
    }
}
