//! Maintenance 维修: what lasts how long, what helps, how long it takes, what is due, and which parts are missing.
//!
//! Pure functions over read models at a position. What nobody observed is censored and never counted: neither as a success nor as a life that ended.

mod actions;
mod due;
mod lives;
mod parts;
mod times;

#[cfg(test)]
mod tests;

pub use actions::{ActionRecord, actions};
pub use due::{Criterion, DueModels, DueRecord, Reading, due};
pub use lives::{Clock, Reliability, ReliabilityRequest, reliability};
pub use parts::{PartRecord, Substitute, parts};
pub use times::{Phase, PhaseRecord, repair_times};

use domain::ids::{AssetClass, AssetId, Code};
use eventlog::Position;

use crate::folds::episode_view::EpisodeView;

/// The most positions of a record.
pub const MAX_POSITIONS: usize = 50;

/// Which episodes; an absent field leaves all in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaintenanceScope {
    /// Of this asset.
    pub asset: Option<AssetId>,
    /// Of assets of this class.
    pub class: Option<AssetClass>,
    /// Of this failure mode.
    pub mode: Option<Code>,
    /// Of this maintainable item.
    pub item: Option<Code>,
}

impl MaintenanceScope {
    fn holds(&self, episode: &EpisodeView<'_>) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        is(self.asset.as_ref(), episode.asset)
            && is(self.class.as_ref(), episode.class)
            && is(self.mode.as_ref(), episode.mode)
            && is(self.item.as_ref(), episode.item)
    }
}

/// The latest positions, sorted and each once.
fn latest(positions: impl IntoIterator<Item = Position>) -> Vec<Position> {
    let mut positions: Vec<Position> = positions.into_iter().collect();
    positions.sort_unstable();
    positions.dedup();
    let oldest = positions.len().saturating_sub(MAX_POSITIONS);
    positions.drain(..oldest);
    positions
}
