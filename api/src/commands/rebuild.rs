//! `millwright rebuild`.

use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::json;

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine::{self, Engine};

/// Rebuilds the named projections from the log, or all of them, and prints their digests, and as JSON the seconds until everything was folded.
///
/// # Errors
/// When a server runs on the folder, a name is not known, or a projection fails.
pub async fn run(config: Config, names: &[String], output: Output) -> anyhow::Result<()> {
    if names.is_empty() {
        delete_all(&config)?;
    }
    let begun = Instant::now();
    let engine = Engine::open(&config).await?;
    let rebuilt = rebuild(&engine, names, begun).await;
    engine.close().await;
    print(output, &rebuilt?, |shown| super::replay::describe(&shown["items"]))
}

/// Deletes everything that is derived. The log's lock says that no server uses it.
fn delete_all(config: &Config) -> anyhow::Result<()> {
    let log = engine::open_log(config).context("a rebuild needs the folder for itself")?;
    for folder in engine::DERIVED_FOLDERS {
        let path = config.data_dir.join(folder);
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| format!("deleting {}", path.display()))?;
        }
    }
    log.close();
    Ok(())
}

async fn rebuild(engine: &Engine, names: &[String], begun: Instant) -> anyhow::Result<serde_json::Value> {
    let set = engine.projections();
    for name in names {
        let Some(projection) = set.get(name) else {
            bail!("projection {name} is not known; there are {}", set.names().join(", "))
        };
        projection.rebuild().await.with_context(|| format!("rebuilding {name}"))?;
    }
    engine.settle().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut digests = set.digests().await?;
    digests.retain(|digest| names.is_empty() || names.iter().any(|name| name == digest.name));
    Ok(json!({ "items": digests, "seconds": seconds }))
}
