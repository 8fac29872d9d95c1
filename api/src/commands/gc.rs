//! `millwright gc`.

use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use registry::ArtifactStore;
use registry::reachability::{Collect, Grace};

use crate::cli::Output;
use crate::commands::print;
use crate::config::Config;
use crate::engine;

/// Removes the artifacts of a data folder that no event names any more and that are older than the grace, or says which they are. No server may have the log open: that is what keeps
/// order between who stores and who removes.
///
/// # Errors
/// When a server runs on the folder, or the log or the store cannot be read.
pub async fn run(config: &Config, grace: Duration, dry_run: bool, output: Output) -> anyhow::Result<()> {
    let log = engine::open_log(config).context("collecting garbage needs the folder for itself")?;
    let store = ArtifactStore::open_folder(&engine::artifacts_folder(&config.data_dir))?;
    let grace = Grace(SignedDuration::try_from(grace).context("the grace is too long")?);
    let collected = store.collect(&*log, Collect { grace, now: Timestamp::now(), dry_run }).await;
    tokio::task::spawn_blocking(move || log.close()).await?;
    print(output, &collected?, |collected| {
        let did = if dry_run { "would be removed" } else { "removed" };
        format!(
            "{} files ({} bytes) {did}; of {} files {} are reachable, {} are not and younger than the grace",
            collected.removed.len(),
            collected.removed_bytes,
            collected.files,
            collected.reachable,
            collected.young
        )
    })
}
