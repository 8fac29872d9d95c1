//! `millwright seal`.

use std::time::Instant;

use serde_json::json;

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine;

/// Seals every closed segment of a log that no server has open, as fast as it goes, and prints what that saved.
///
/// # Errors
/// When the log cannot be opened, or a segment cannot be sealed; that one stays as it was.
pub async fn run(config: &Config, output: Output) -> anyhow::Result<()> {
    let log = engine::open_log(config)?;
    let start = Instant::now();
    let sealed = log.seal_all().await;
    let status = log.sealing();
    tokio::task::spawn_blocking(move || log.close()).await?;
    let segments = sealed?;
    let shown = json!({
        "segments": segments,
        "bytes_before": status.bytes_before,
        "bytes_after": status.bytes_after,
        "seconds": start.elapsed().as_secs_f64(),
    });
    print(output, &shown, |_| {
        format!("{segments} segments sealed: {} bytes before, {} bytes now", status.bytes_before, status.bytes_after)
    })
}
