//! Webhooks: where their files are, and what is configured.

use std::sync::Arc;

use anyhow::Context;
use eventlog::EventLog;
use projections::folds::webhooks::Webhooks as Fold;
use projections::{Fold as _, ProjectionSet, ReadModels};
use webhooks::address::Policy;
use webhooks::{Folders, Options, Webhooks};

use super::folder;
use crate::config::Config;

/// What they are called below the folders of reactors and of keys.
const FOLDER: &str = "webhooks";

/// Opens the webhooks of a log. Nothing is sent before they are started.
///
/// # Errors
/// When a folder cannot be made.
pub fn open(
    config: &Config,
    log: &Arc<dyn EventLog>,
    read: &ReadModels,
    set: &ProjectionSet,
) -> anyhow::Result<Webhooks> {
    let progress = set.get(Fold::NAME).cloned().context("the read model of webhooks does not run")?;
    let folders = Folders {
        states: config.data_dir.join(folder::REACTORS).join(FOLDER),
        secrets: config.data_dir.join(folder::KEYS).join(FOLDER),
    };
    let policy = Policy { allow_link_local: config.webhooks.allow_link_local };
    let options = Options { policy, ..Options::default() };
    Webhooks::open(Arc::clone(log), (read.webhooks.clone(), progress), &folders, options)
        .context("opening the webhooks")
}
