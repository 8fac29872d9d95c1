//! The reactor that looks at an asset when a fault of it is observed, and logs what its readings and alarms showed by then (`fault.examined`).
//!
//! So each episode has signs of its own, whatever the person who reported it wrote, and a later question about an asset and a time can be compared with them. What is looked at is what the
//! log knew at the observation: the same log gives the same examinations, under ids that follow from their causes. An asset that showed nothing is not mentioned.

use std::path::PathBuf;
use std::sync::Arc;

use domain::Event;
use domain::events::{FaultExamined, FaultObserved};
use eventlog::{BoxFuture, EventLog, Filter, NewEvent, Position, ReadError};
use projections::folds::catalog::Catalog;
use projections::{
    AsOf, Entry, Feed, Fold as _, Meta, Reactor, ReactorError, ReactorHandle, ReactorOptions, filters, reaction_id,
    seal, start_reactor,
};
use tokio_util::sync::CancellationToken;

use crate::look::{Look, look, signals};
use crate::source::each_entry;

/// The name of the reactor, and the actor of its events.
pub const NAME: &str = "fault-examinations";

/// The version of the reactor: a new one makes new ids.
pub const VERSION: u32 = 1;

/// The reactor. It is given to `start`, or to [`start_reactor`] with options of the caller's choice.
pub struct FaultExaminations {
    log: Arc<dyn EventLog>,
    catalog: Option<Catalog>,
}

/// Starts examining from the reactor's progress on; from the beginning of the log, when it has none: what happened before is worth as much as what comes. `progress_dir` keeps its progress over
/// restarts.
///
/// # Errors
/// [`ReactorError::Progress`].
pub fn start(
    feed: &Feed,
    progress_dir: Option<PathBuf>,
    cancel: CancellationToken,
) -> Result<ReactorHandle, ReactorError> {
    let options = ReactorOptions { dir: progress_dir, start: Position::START };
    start_reactor(feed, FaultExaminations::new(Arc::clone(feed.log())), options, cancel)
}

impl FaultExaminations {
    /// A reactor over a log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, catalog: None }
    }

    async fn answer(&mut self, entries: &[Arc<Entry>]) -> Result<Vec<NewEvent>, ReactorError> {
        let Some(first) = entries.first() else { return Ok(Vec::new()) };
        let log = Arc::clone(&self.log);
        let mut catalog = match self.catalog.take() {
            Some(catalog) => catalog,
            None => catalog_below(&*log, first.position).await.map_err(failed)?,
        };
        let mut said = Vec::new();
        for entry in entries {
            catalog.apply(entry);
            if let Some(Event::FaultObserved(fault)) = entry.event() {
                let at = entry.event_time.unwrap_or(entry.record_time);
                let signals = signals(&catalog, &fault.asset, AsOf::LATEST);
                let asset = (&fault.asset, &signals);
                let seen = look(&*log, asset, at, entry.position).await.map_err(failed)?;
                said.extend(examined(entry, fault, at, seen)?);
            }
        }
        self.catalog = Some(catalog);
        Ok(said)
    }
}

impl Reactor for FaultExaminations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn filter(&self) -> Filter {
        let mut filter = catalog_filter();
        filter.items.extend(filters::types(&["fault.observed"]).items);
        filter
    }

    fn react<'a>(&'a mut self, entries: &'a [Arc<Entry>]) -> BoxFuture<'a, Result<Vec<NewEvent>, ReactorError>> {
        Box::pin(self.answer(entries))
    }
}

fn catalog_filter() -> Filter {
    filters::types(&["asset.registered", "signal.defined"])
}

fn failed(source: ReadError) -> ReactorError {
    ReactorError::Read { reactor: NAME, source }
}

async fn catalog_below(log: &dyn EventLog, position: Position) -> Result<Catalog, ReadError> {
    let mut catalog = Catalog::default();
    each_entry(log, catalog_filter(), position, |entry| catalog.apply(entry)).await?;
    Ok(catalog)
}

fn examined(
    cause: &Entry,
    fault: &FaultObserved,
    at: jiff::Timestamp,
    seen: Look,
) -> Result<Option<NewEvent>, ReactorError> {
    let Look { readings, alarms, evidence, .. } = seen;
    if readings.is_empty() && alarms.is_empty() {
        return Ok(None);
    }
    let meta = Meta {
        id: reaction_id(NAME, VERSION, cause.id, 0),
        event_time: Some(at),
        causation_id: Some(*cause.id.as_uuid()),
        ..Meta::own(NAME, None)
    };
    let (fault, asset) = (fault.fault.clone(), fault.asset.clone());
    let event = FaultExamined { fault, asset, at, readings, alarms, evidence };
    let sealed = seal(&event.into(), meta);
    sealed.map(Some).map_err(|error| ReactorError::Refused { reactor: NAME, reason: error.to_string() })
}

#[cfg(test)]
#[path = "examine_tests.rs"]
mod tests;
