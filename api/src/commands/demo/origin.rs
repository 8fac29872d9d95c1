//! Where a demo's history ends: kept in the data folder, so that a demo that is started again goes on with the same mill.

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::engine::Engine;

/// The file in the data folder.
const FILE: &str = "demo.json";

/// The longest time between two runs of a demo that is made up for, in hours.
const MAX_GAP_HOURS: i64 = 24;

/// The seed of a mill, and its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    pub seed: u64,
    pub end: Timestamp,
    pub days: u32,
}

impl Origin {
    /// The origin of the folder's demo; a new one in an empty folder.
    ///
    /// # Errors
    /// When the folder holds a log that no demo wrote, or a demo that cannot go on.
    pub(super) fn of(config: &Config, engine: &Engine, seed: u64, days: u32) -> anyhow::Result<Self> {
        let path = config.data_dir.join(FILE);
        if let Ok(text) = std::fs::read_to_string(&path) {
            let origin: Self = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
            if origin.seed != seed {
                bail!(
                    "{} holds the mill with seed {}; choose another --data-dir, or --seed {}",
                    config.data_dir.display(),
                    origin.seed,
                    origin.seed
                );
            }
            let gap = Timestamp::now().duration_since(origin.end);
            if gap.as_hours() > MAX_GAP_HOURS {
                bail!(
                    "the mill in {} is from {}; choose another --data-dir, or delete this one",
                    config.data_dir.display(),
                    origin.end
                );
            }
            return Ok(origin);
        }
        if engine.log.tail().get() > 0 {
            bail!(
                "{} holds a log of its own: a demo would mix a simulated mill into it; choose another --data-dir",
                config.data_dir.display()
            );
        }
        let origin = Self { seed, end: Timestamp::from_second(Timestamp::now().as_second())?, days };
        std::fs::write(&path, serde_json::to_vec(&origin)?).with_context(|| format!("writing {}", path.display()))?;
        Ok(origin)
    }
}
