//! `millwright verify`.

use anyhow::Context;
use eventlog::embedded::{VerifyReport, verify};
use serde_json::json;

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine;

/// Rereads every checksum and digest of the log, and prints what was found. It takes no lock: a server may be running.
///
/// # Errors
/// When a record is not right; the error names it.
pub fn run(config: &Config, output: Output) -> anyhow::Result<()> {
    let dir = engine::log_folder(&config.data_dir);
    let report = verify(&dir).with_context(|| format!("verifying the log in {}", dir.display()))?;
    let shown = json!({
        "log": report.log,
        "segments": report.segments,
        "records": report.records,
        "streams": report.streams,
        "readings": report.readings,
        "payload_bytes": report.payload_bytes,
        "root": report.root,
        "tail_bytes": report.tail_bytes,
    });
    print(output, &shown, |_| describe(&report))
}

fn describe(report: &VerifyReport) -> String {
    let tail = if report.tail_bytes > 0 {
        format!("\n{} bytes after the last whole batch: not acknowledged", report.tail_bytes)
    } else {
        String::new()
    };
    format!(
        "log {}: {} records in {} segments and {} streams, {} readings, {} payload bytes: every checksum and digest is right\nroot {}{tail}",
        report.log, report.records, report.segments, report.streams, report.readings, report.payload_bytes, report.root
    )
}
