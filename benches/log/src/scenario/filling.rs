//! Fills logs for the sections that read them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::EventLog as _;
use eventlog::embedded::EmbeddedLog;

use crate::measure::Writer;

/// Lets the writers write until the log holds so many records, or the time is over. Answers how long it took.
///
/// # Errors
/// When an append fails.
pub async fn fill<W: Writer>(
    log: &Arc<EmbeddedLog>,
    writers: Vec<W>,
    records: u64,
    limit: Duration,
) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let tasks: Vec<_> = writers
        .into_iter()
        .map(|mut writer| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                while log.tail().get() < records && start.elapsed() < limit {
                    writer.write().await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(start.elapsed())
}
