//! `millwright verify`.

use std::path::Path;

use anyhow::Context;
use eventlog::transparency::SignedCheckpoint;
use serde_json::{Value, json};

use crate::audit::files::{self, FilesReport};
use crate::audit::server::{self, Asked, ServerReport};
use crate::audit::{KeySource, given_key};
use crate::cli::{Output, VerifyArguments};
use crate::commands::print;
use crate::config::Config;

/// Rechecks a data folder, a backup of one, or a running server, and prints what was found right. A folder is only read: a server may be running on it.
///
/// # Errors
/// With the first thing that is not right.
pub async fn run(config: Config, arguments: VerifyArguments, output: Output) -> anyhow::Result<()> {
    let key = arguments.vkey.as_deref().map(given_key).transpose()?;
    let since = arguments.since.as_deref().map(read).transpose()?;
    let (shown, text, checkpoint) = match arguments.server {
        Some(server) => {
            let every_payload = arguments.every_payload;
            let report = server::check(Asked { server, token: arguments.token, key, since, every_payload }).await?;
            (show_server(&report), describe_server(&report), Some(report.checkpoint))
        }
        None => {
            let data_dir = config.data_dir;
            let report = tokio::task::spawn_blocking(move || files::check(&data_dir, key, since.as_deref())).await??;
            (show_files(&report), describe_files(&report), report.checkpoint.map(|(signed, _)| signed))
        }
    };
    if let (Some(path), Some(checkpoint)) = (&arguments.save, &checkpoint) {
        std::fs::write(path, checkpoint.note()).with_context(|| format!("writing {}", path.display()))?;
    }
    print(output, &shown, |_| text)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading the checkpoint {}", path.display()))
}

fn show_checkpoint(signed: &SignedCheckpoint, source: KeySource) -> Value {
    let said = signed.checkpoint();
    json!({"origin": said.origin.as_str(), "size": said.size, "root": said.root, "key": source})
}

fn show_files(report: &FilesReport) -> Value {
    let log = &report.log;
    json!({
        "log": log.log,
        "segments": log.segments,
        "records": log.records,
        "streams": log.streams,
        "readings": log.readings,
        "payload_bytes": log.payload_bytes,
        "dropped": log.dropped,
        "root": log.root,
        "tail_bytes": log.tail_bytes,
        "checkpoint": report.checkpoint.as_ref().map(|(signed, key)| show_checkpoint(signed, key.source)),
        "since": report.since.as_ref().map(|since| since.checkpoint().size),
        "tiles": report.tiles,
        "tiles_absent": report.tiles_absent,
    })
}

fn describe_files(report: &FilesReport) -> String {
    let log = &report.log;
    let mut lines = vec![
        format!(
            "log {}: {} records in {} segments and {} streams, {} readings, {} payload bytes: every checksum and digest is right",
            log.log, log.records, log.segments, log.streams, log.readings, log.payload_bytes
        ),
        format!("root {} (computed twice, by different code)", log.root),
    ];
    let dropped: u64 = log.dropped.iter().map(|(first, last)| last.get() - first.get() + 1).sum();
    if dropped > 0 {
        lines.push(format!(
            "{dropped} payloads were dropped: their headers and digests are right, what they said cannot be checked"
        ));
    }
    if log.tail_bytes > 0 {
        lines.push(format!("{} bytes after the last whole batch: not acknowledged", log.tail_bytes));
    }
    match &report.checkpoint {
        Some((signed, key)) => {
            lines.push(describe_checkpoint(signed));
            let unsigned = log.records - signed.checkpoint().size;
            if unsigned > 0 {
                lines.push(format!("the last {unsigned} records are under no checkpoint"));
            }
            lines.extend(describe_key(key.source));
        }
        None => lines.push("no checkpoint: nothing shows whether this is the history that was there before".to_owned()),
    }
    lines.extend(report.since.as_ref().map(describe_since));
    lines.push(format!(
        "{} tiles on disk are right, {} are not there and are made when they are needed",
        report.tiles, report.tiles_absent
    ));
    lines.join("\n")
}

fn show_server(report: &ServerReport) -> Value {
    json!({
        "checkpoint": show_checkpoint(&report.checkpoint, report.key.source),
        "since": report.since.as_ref().map(|since| since.checkpoint().size),
        "bundles": report.bundles,
        "tiles": report.tiles,
        "records": report.records,
        "payloads": report.payloads,
        "payloads_encrypted": report.payloads_encrypted,
        "payloads_dropped": report.payloads_dropped,
        "proofs": report.proofs,
    })
}

fn describe_server(report: &ServerReport) -> String {
    let mut lines = vec![describe_checkpoint(&report.checkpoint)];
    lines.extend(describe_key(report.key.source));
    lines.extend(report.since.as_ref().map(describe_since));
    lines.push(format!(
        "{} entry bundles lead to its root, {} hash tiles are those that they make, {} records of the API have their headers, {} proofs of the API hold",
        report.bundles, report.tiles, report.records, report.proofs
    ));
    lines.push(format!(
        "{} payloads were fetched and have their digests ({} of them encrypted); {} more were dropped",
        report.payloads, report.payloads_encrypted, report.payloads_dropped
    ));
    let unseen = report.records.saturating_sub(report.payloads + report.payloads_dropped);
    if unseen > 0 {
        lines.push(format!("{unseen} payloads were not fetched: --every-payload fetches all"));
    }
    lines.join("\n")
}

fn describe_checkpoint(signed: &SignedCheckpoint) -> String {
    let said = signed.checkpoint();
    format!(
        "checkpoint of {} over {} records: its signature is good, and the records lead to its root {}",
        said.origin, said.size, said.root
    )
}

fn describe_key(source: KeySource) -> Option<String> {
    let found = "the verifier key was found beside the log: this shows no tampering by somebody who could exchange both. Give a key of your own with --vkey";
    (source == KeySource::FoundThere).then(|| found.to_owned())
}

fn describe_since(since: &SignedCheckpoint) -> String {
    format!("the log extends the earlier checkpoint over {} records", since.checkpoint().size)
}
