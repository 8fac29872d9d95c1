//! The peers. Each one says how durable its answers are, and what it has stored in the end.

pub mod http;
pub mod influx;
pub mod nats;
pub mod nats_wire;
pub mod postgres;
pub mod umadb;
pub mod victoria;

/// A peer that holds another number of records than it has acknowledged has not done the work that was measured.
///
/// # Errors
/// When it holds fewer than were counted, or nothing was.
pub fn check_stored(peer: &str, stored: u64, counted: u64) -> anyhow::Result<()> {
    anyhow::ensure!(counted > 0, "{peer}: nothing was counted");
    // Calls of the warm-up are stored and not counted, so more is expected.
    anyhow::ensure!(stored >= counted, "{peer} holds {stored} of {counted}");
    Ok(())
}
