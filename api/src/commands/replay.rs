//! `millwright replay`.

use std::sync::Arc;

use anyhow::{Context, bail};
use eventlog::{Digest, Direction, EventLog, Filter, MAX_PAGE, Position};
use knowledge::Knowledge;
use projections::{Entry, Fold, MemoryProjection, Projection};
use serde_json::{Value, json};
use tracking::TrackingProjection;

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine;

/// Rebuilds every projection in memory up to a position or record time, and prints the digests. Nothing on disk is changed.
///
/// # Errors
/// When a server runs on the folder, or `to` is neither a position nor a time.
pub async fn run(config: &Config, to: Option<&str>, output: Output) -> anyhow::Result<()> {
    let embedded = engine::open_log(config)
        .context("a replay needs the folder for itself; ask a running server for /api/v1/projections/digests")?;
    let log = engine::privacy::open(config, &embedded).await?;
    let last = match to {
        None => log.tail().previous(),
        Some(text) => last_position(log.as_ref(), text).await?,
    };
    let started = std::time::Instant::now();
    let digests = digests(log.as_ref(), last).await?;
    let items: Vec<Value> = digests.into_iter().map(|(name, digest)| json!({"name": name, "digest": digest})).collect();
    let shown = json!({"to": last, "seconds": started.elapsed().as_secs_f64(), "items": items});
    embedded.close();
    print(output, &shown, |shown| {
        format!(
            "replayed to {} in {:.1} s\n{}",
            shown["to"],
            started.elapsed().as_secs_f64(),
            describe(&shown["items"])
        )
    })
}

async fn last_position(log: &dyn EventLog, text: &str) -> anyhow::Result<Option<Position>> {
    if let Ok(index) = text.parse::<u64>() {
        if index >= log.tail().get() {
            bail!("--to {index}: the log ends before {}", log.tail());
        }
        return Ok(Some(Position::new(index)));
    }
    let time = text.parse().with_context(|| format!("--to {text}: neither a position nor an RFC 3339 time"))?;
    Ok(log.last_position_at(time).await?)
}

/// The digest of every projection that a server runs, built in memory from the log up to and including `last`.
///
/// # Errors
/// When the log cannot be read, or a store fails.
pub async fn digests(log: &dyn EventLog, last: Option<Position>) -> anyhow::Result<Vec<(&'static str, Digest)>> {
    let Some(last) = last else { bail!("there is nothing to replay: the log held no record then") };
    let (_, replayed) = projections::replay(log, Some(last)).await?;
    let mut digests = replayed.digests;
    let models = knowledge::Models { episodes: unused()?, states: unused()?, dictionary: unused()? };
    let (_knowledge, stores) = Knowledge::open(&knowledge::Config::default(), models).await?;
    digests.push(digest(log, last, stores.search).await?);
    digests.push(digest(log, last, stores.graph.open().await?).await?);
    digests.push(digest(log, last, stores.cases).await?);
    digests.push(digest(log, last, TrackingProjection::open(None)?).await?);
    Ok(digests)
}

/// A read model that stays empty: the stores are folded here, and nobody asks questions.
fn unused<F: Fold>() -> anyhow::Result<projections::Shared<F>> {
    Ok(MemoryProjection::<F>::open(None)?.1)
}

async fn digest(
    log: &dyn EventLog,
    last: Position,
    mut store: impl Projection,
) -> anyhow::Result<(&'static str, Digest)> {
    let filter = store.filter();
    let mut from = Position::START;
    while from <= last {
        let records = log.read(from, Direction::Forward, Filter::all(), MAX_PAGE).await?;
        let Some(read_to) = records.last().map(|record| record.position) else { break };
        let through = read_to.min(last).next();
        let entries: Vec<Arc<Entry>> = records
            .into_iter()
            .filter(|record| record.position <= last && filter.matches(record))
            .map(|record| Arc::new(Entry::decode(record)))
            .collect();
        store.apply(&entries, through).await?;
        from = through;
    }
    Ok((store.name(), store.digest().await?))
}

/// The digests, a line each.
pub(super) fn describe(items: &Value) -> String {
    let lines = items.as_array().into_iter().flatten().map(|item| {
        format!("{}  {}", item["digest"].as_str().unwrap_or_default(), item["name"].as_str().unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where a replay ran beside a server's own digests, by name: what differs.
pub fn differences(live: &[projections::ProjectionDigest], replayed: &[(&'static str, Digest)]) -> Vec<&'static str> {
    live.iter()
        .filter(|live| !replayed.iter().any(|(name, digest)| *name == live.name && *digest == live.digest))
        .map(|live| live.name)
        .collect()
}
