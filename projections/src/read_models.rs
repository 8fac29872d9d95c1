//! All read models of this crate together: started over a log, or replayed up to a position.

use std::path::Path;

use eventlog::{Digest, EventLog, Filter, Position, ReadError};
use tokio_util::sync::CancellationToken;

use crate::folds::alarms::Alarms;
use crate::folds::articles::Articles;
use crate::folds::catalog::Catalog;
use crate::folds::control_limits::ControlLimits;
use crate::folds::datasets::Datasets;
use crate::folds::dictionary::Dictionary;
use crate::folds::discrepancies::Discrepancies;
use crate::folds::episodes::Episodes;
use crate::folds::genealogy::Genealogy;
use crate::folds::latest::Latest;
use crate::folds::models::Models;
use crate::folds::notices::Notices;
use crate::folds::people::People;
use crate::folds::privacy::Privacy;
use crate::folds::production::Production;
use crate::folds::quality::Quality;
use crate::folds::quarantine::Quarantine;
use crate::folds::shifts::Shifts;
use crate::folds::states::States;
use crate::folds::statistics::Statistics;
use crate::folds::upkeep::Upkeep;
use crate::folds::warnings::Warnings;
use crate::folds::webhooks::Webhooks;
use crate::pages::Pages;
use crate::{Entry, Feed, Fold, MemoryProjection, ProjectionDigest, ProjectionError, ProjectionSet, Runner, Shared};

macro_rules! read_models {
    ($($(#[$doc:meta])* $field:ident: $fold:ident;)*) => {
        /// What readers hold of every read model in memory. Cheap to clone.
        #[derive(Clone)]
        pub struct ReadModels {
            $($(#[$doc])* pub $field: Shared<$fold>,)*
        }

        impl ReadModels {
            /// The names of the read models, in the order of the digests.
            pub const NAMES: &'static [&'static str] = &[$($fold::NAME),*];

            /// Opens every read model (with snapshots in the folder, where one is given) and starts it over the log.
            ///
            /// # Errors
            /// [`ProjectionError::Store`] when a snapshot file cannot be opened.
            pub fn start(
                feed: impl Into<Feed>,
                dir: Option<&Path>,
                cancel: &CancellationToken,
            ) -> Result<(Self, ProjectionSet), ProjectionError> {
                // Opening waits for the disk most of the time: all wait at once.
                let ($($field),*) = std::thread::scope(|scope| {
                    $(let $field = scope.spawn(|| MemoryProjection::<$fold>::open(dir));)*
                    ($($field.join()),*)
                });
                let (feed, mut set) = (feed.into(), ProjectionSet::default());
                $(
                    let (projection, $field) = $field.map_err(|_| ProjectionError::Store {
                        projection: $fold::NAME,
                        reason: "opening it panicked".to_owned(),
                    })??;
                    set.add(Runner::start_rebuildable(&feed, projection, cancel.clone()));
                )*
                Ok((Self { $($field),* }, set))
            }
        }

        /// Every fold, in memory and without a task: for replay.
        #[derive(Default)]
        pub struct Folds {
            $($(#[$doc])* pub $field: $fold,)*
        }

        impl Folds {
            /// Takes an entry into every fold. A fold leaves alone what its filter would not have let through.
            pub fn apply(&mut self, entry: &Entry) {
                $(self.$field.apply(entry);)*
            }

            /// The digest of each fold, by name.
            pub fn digests(&self) -> Vec<(&'static str, Digest)> {
                vec![$(($fold::NAME, self.$field.digest())),*]
            }
        }
    };
}

read_models! {
    /// Equipment, assets, signals, people.
    catalog: Catalog;
    /// The newest readings.
    latest: Latest;
    /// Machine states and set-points.
    states: States;
    /// Fault episodes and work orders.
    episodes: Episodes;
    /// What came from what.
    genealogy: Genealogy;
    /// The registry's catalogue.
    models: Models;
    /// Tables for training.
    datasets: Datasets;
    /// Inspections and nonconformances.
    quality: Quality;
    /// Alarms.
    alarms: Alarms;
    /// Rolls, beams, and lots that are held.
    production: Production;
    /// Shifts and crews.
    shifts: Shifts;
    /// Maintenance plans and parts.
    upkeep: Upkeep;
    /// Frozen control limits.
    control_limits: ControlLimits;
    /// What words of the plant mean.
    dictionary: Dictionary;
    /// Observations that contradict.
    discrepancies: Discrepancies;
    /// Inputs that were not understood.
    quarantine: Quarantine;
    /// Counts over the log.
    statistics: Statistics;
    /// Names and contacts of people and customers: the only read model that holds any.
    people: People;
    /// Erasures, legal holds and what expired.
    privacy: Privacy;
    /// Who is told what happens in the registry.
    webhooks: Webhooks;
    /// Curated knowledge, and attached files.
    articles: Articles;
    /// Warnings of detection rules.
    warnings: Warnings;
    /// Who is told of alarms and warnings, and who was.
    notices: Notices;
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The first position that is not in the digests.
    pub end: Position,
    /// How many records were replayed.
    pub records: u64,
    /// The digest of each read model, by name.
    pub digests: Vec<(&'static str, Digest)>,
}

impl Replay {
    /// The names of the live read models whose digest differs from the replayed one. Only those at the same checkpoint can be compared: the
    /// number of these comes with the answer.
    pub fn compare(&self, live: &[ProjectionDigest]) -> (usize, Vec<&'static str>) {
        let mut compared = 0;
        let mut different = Vec::new();
        for digest in live.iter().filter(|digest| digest.checkpoint == self.end) {
            if let Some((name, replayed)) = self.digests.iter().find(|(name, _)| *name == digest.name) {
                compared += 1;
                if *replayed != digest.digest {
                    different.push(*name);
                }
            }
        }
        (compared, different)
    }
}

/// Runs every read model in memory over the log, up to and including a position (to the end, without one). Reactors do not run.
///
/// # Errors
/// [`ReadError`] names the record that cannot be read.
pub async fn replay(log: &dyn EventLog, to: Option<Position>) -> Result<(Folds, Replay), ReadError> {
    let tail = log.tail();
    let end = to.map_or(tail, |to| to.next().min(tail));
    let mut folds = Folds::default();
    let mut pages = Pages::new(Filter::all());
    let mut from = Position::START;
    let mut records = 0;
    while from < end {
        let page = pages.next(log, from, Some(end)).await?;
        for entry in &page.entries {
            folds.apply(entry);
        }
        records += page.entries.len() as u64;
        from = page.through;
    }
    let digests = folds.digests();
    Ok((folds, Replay { end, records, digests }))
}

#[cfg(test)]
#[path = "read_models_tests.rs"]
mod tests;
