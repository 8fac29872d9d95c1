//! The reactor that lets deployed versions predict on live readings.
//!
//! It follows readings, deployments and the catalogue. When readings of an asset come in, each deployment that runs on it predicts, at most once in its period of *event
//! time*: the event time of a prediction is the newest source time of the asset's readings. A prediction names the position and row of each reading that went in.
//! When there is no answer (an input is missing, stale or bad, or lies outside the envelope), that is an event too, with the reason: once when it begins, and then every
//! [`UNAVAILABLE_EVERY_PERIODS`] periods.
//!
//! **Restarts.** Everything that the reactor knows follows from the log. When it starts, it reads the catalogue up to its place, the newest readings before it and what
//! each deployment said last, so that nothing is said twice. The id of a prediction follows from deployment, version, asset and cause: what is said again after a crash is
//! taken once.

mod signals;
mod state;

use std::path::PathBuf;
use std::sync::Arc;

use domain::events::{ModelDeployed, PredictionMade};
use domain::ids::AssetId;
use eventlog::{
    BoxFuture, Category, Direction, EventId, EventLog, Filter, MAX_PAGE, NewEvent, Position, QueryItem, ReadError,
    Revision, StreamId,
};
use jiff::Timestamp;
use projections::folds::models::Models;
use projections::{
    AsOf, Content, Entry, Feed, Meta, Reactor, ReactorError, ReactorHandle, ReactorOptions, filters, seal,
    start_reactor,
};
use tokio_util::sync::CancellationToken;

use crate::error::with_causes;
use crate::facade::Registry;
use crate::runtime::Unavailable;
use state::{NANOSECONDS, State, nanoseconds};

pub use state::{
    STALE_AFTER_DEPLOYMENT_PERIODS, STALE_AFTER_LEAST_S, STALE_AFTER_SIGNAL_PERIODS, UNAVAILABLE_EVERY_PERIODS,
};

/// The name of the reactor, and the actor of its predictions.
pub const NAME: &str = "predictions";

/// The version of the reactor; see [`Reactor::version`].
pub const VERSION: u32 = 1;

/// The most frames that are read back at a start to find the newest readings.
pub const MAX_FRAMES_READ_BACK: usize = 5_000;

/// How far back in event time the newest readings are looked for at a start.
pub const READ_BACK_S: i64 = 3_600;

/// The most predictions of one deployment that are read back at a start.
pub const MAX_PREDICTIONS_READ_BACK: usize = 20_000;

/// Frames, and predictions, are read back in pages of so many.
const BACK_PAGE: usize = 500;

/// The reactor. It is given to `start`, or to [`start_reactor`] with options of the caller's choice.
#[derive(Debug)]
pub struct Predictions {
    registry: Arc<Registry>,
    state: Option<State>,
}

/// Starts predicting from the reactor's progress on; from the present tail, when it has none. `progress_dir` keeps its progress over restarts.
///
/// # Errors
/// [`ReactorError::Progress`].
pub fn start(
    feed: &Feed,
    registry: Arc<Registry>,
    progress_dir: Option<PathBuf>,
    cancel: CancellationToken,
) -> Result<ReactorHandle, ReactorError> {
    let options = ReactorOptions { dir: progress_dir, start: feed.log().tail() };
    start_reactor(feed, Predictions::new(registry), options, cancel)
}

impl Predictions {
    /// A reactor over the registry's log.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, state: None }
    }

    async fn answer(&mut self, entries: &[Arc<Entry>]) -> Result<Vec<NewEvent>, ReactorError> {
        let Some(first) = entries.first() else { return Ok(Vec::new()) };
        let mut state = match self.state.take() {
            Some(state) => state,
            None => warm(self.registry.log().as_ref(), first.position).await?,
        };
        let mut made = Vec::new();
        for entry in entries {
            match &entry.content {
                Content::Event(_) => state.take_change(entry),
                Content::Readings(frame) => {
                    for asset in state.take_readings(frame, entry.position, entry.record_time) {
                        for deployed in state.deployments_on(&asset) {
                            made.extend(self.predict(&mut state, &deployed, &asset, entry).await?);
                        }
                    }
                }
                Content::Gone { .. } | Content::Unknown { .. } => {}
            }
        }
        self.state = Some(state);
        Ok(made)
    }

    async fn predict(
        &self,
        state: &mut State,
        deployed: &ModelDeployed,
        asset: &AssetId,
        cause: &Entry,
    ) -> Result<Option<NewEvent>, ReactorError> {
        let Some(now_ns) = state.due(deployed, asset) else { return Ok(None) };
        let (inputs, outputs) = self.compute(state, deployed, asset, now_ns).await;
        if !state.tried(deployed, asset, now_ns, outputs.is_ok()) {
            return Ok(None);
        }
        let (outputs, unavailable) = match outputs {
            Ok(outputs) => (outputs, None),
            Err(reason) => (crate::runtime::Outputs::new(), Some(reason.to_string())),
        };
        let prediction = PredictionMade {
            deployment: deployed.deployment.clone(),
            model: deployed.model.clone(),
            version: deployed.version,
            asset: asset.clone(),
            inputs,
            outputs,
            unavailable,
        };
        let meta = Meta {
            id: prediction_id(deployed, asset, cause.id),
            event_time: Timestamp::from_nanosecond(i128::from(now_ns)).ok(),
            source: None,
            external_id: None,
            actor: NAME.to_owned(),
            correlation_id: None,
            causation_id: Some(*cause.id.as_uuid()),
        };
        seal(&prediction.into(), meta)
            .map(Some)
            .map_err(|error| ReactorError::Refused { reactor: NAME, reason: error.to_string() })
    }

    async fn compute(
        &self,
        state: &State,
        deployed: &ModelDeployed,
        asset: &AssetId,
        now_ns: i64,
    ) -> (Vec<domain::events::InputUsed>, Result<crate::runtime::Outputs, Unavailable>) {
        let not_loaded = |reason: String| Unavailable::NotLoaded {
            model: deployed.model.clone(),
            version: deployed.version,
            reason,
        };
        // What runs is found also when it was deleted, which the registry does not let happen.
        let model = state.models.model_ever(&deployed.model, AsOf::LATEST);
        let Some(version) = model.and_then(|model| model.version_ever(deployed.version)) else {
            return (Vec::new(), Err(not_loaded("the log has no such version".to_owned())));
        };
        let model = match self.registry.load_version(&version.created().value).await {
            Ok(model) => model,
            Err(error) => {
                tracing::warn!(deployment = %deployed.deployment, model = %deployed.model, version = deployed.version, %error, "a deployed version does not load");
                return (Vec::new(), Err(not_loaded(with_causes(&error))));
            }
        };
        let (used, values) = state.inputs(model.signature(), deployed, asset, now_ns);
        let outputs =
            values.and_then(|values| model.evaluate(&values)).map(|outputs| model.signature().name_outputs(&outputs));
        (used, outputs)
    }
}

impl Reactor for Predictions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    /// Predictions lie in a category of their own, which is not in the filter.
    fn filter(&self) -> Filter {
        let mut filter = changes_filter();
        filter.items.extend(readings_filter().items);
        filter
    }

    fn react<'a>(&'a mut self, entries: &'a [Arc<Entry>]) -> BoxFuture<'a, Result<Vec<NewEvent>, ReactorError>> {
        Box::pin(self.answer(entries))
    }
}

/// The id of a prediction: the same for the same version, asset and cause.
fn prediction_id(deployed: &ModelDeployed, asset: &AssetId, cause: EventId) -> EventId {
    let ModelDeployed { deployment, version, .. } = deployed;
    // The lengths go first, so that no two lists of names run together.
    let (first, second) = (deployment.as_str().len(), asset.as_str().len());
    EventId::derived(
        &format!("reactor:{NAME}/{VERSION}"),
        &format!("{cause}/{version}/{first}:{deployment}/{second}:{asset}"),
    )
}

/// What decides who predicts what from which signals.
fn changes_filter() -> Filter {
    let mut filter = Models::decisions();
    filter.items.extend(filters::types(&["signal.defined"]).items);
    filter
}

fn readings_filter() -> Filter {
    let categories = Category::new("readings").into_iter().collect();
    Filter { items: vec![QueryItem { categories, ..QueryItem::default() }] }
}

fn failed(source: ReadError) -> ReactorError {
    ReactorError::Read { reactor: NAME, source }
}

/// What is known before the entry at `position`.
async fn warm(log: &dyn EventLog, position: Position) -> Result<State, ReactorError> {
    let mut state = State::default();
    warm_changes(log, position, &mut state).await?;
    warm_readings(log, position, &mut state).await?;
    let deployments: Vec<_> = state.models.active().map(|deployed| deployed.deployment.clone()).collect();
    for deployment in deployments {
        warm_predictions(log, deployment.as_str(), &mut state).await?;
    }
    Ok(state)
}

async fn warm_changes(log: &dyn EventLog, position: Position, state: &mut State) -> Result<(), ReactorError> {
    let filter = changes_filter();
    let mut next = Some(Position::START);
    while let Some(from) = next.filter(|next| *next < position) {
        let page = log.read(from, Direction::Forward, filter.clone(), MAX_PAGE).await.map_err(failed)?;
        next = page.next;
        for record in page.into_iter().filter(|record| record.position < position) {
            state.take_change(&Entry::decode(record));
        }
    }
    Ok(())
}

/// Reads frames back from the position until every signal of the catalogue is known, or they are too old to matter.
async fn warm_readings(log: &dyn EventLog, position: Position, state: &mut State) -> Result<(), ReactorError> {
    let mut from = position.previous();
    let mut frames = 0;
    while let Some(at) = from
        && frames < MAX_FRAMES_READ_BACK
        && state.known_signals() < state.signals.count()
    {
        let page = log.read(at, Direction::Backward, readings_filter(), BACK_PAGE).await.map_err(failed)?;
        frames += page.len();
        from = page.next;
        for record in page {
            let entry = Entry::decode(record);
            if let Some(frame) = entry.readings() {
                state.take_readings(frame, entry.position, entry.record_time);
            }
            let newest = state.newest_of_all_ns();
            let this = entry.event_time.and_then(nanoseconds);
            if let (Some(newest), Some(this)) = (newest, this)
                && newest.saturating_sub(this) > READ_BACK_S * NANOSECONDS
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads back what the deployment said last about each asset, also beyond the reactor's place: what is in the log is not said again.
async fn warm_predictions(log: &dyn EventLog, deployment: &str, state: &mut State) -> Result<(), ReactorError> {
    let stream = StreamId::of("prediction", deployment)
        .map_err(|error| ReactorError::Refused { reactor: NAME, reason: error.to_string() })?;
    let assets = state.signals.asset_count();
    let mut seen = std::collections::HashSet::new();
    let mut from = Some(Revision::new(u64::MAX));
    let mut read = 0;
    while let Some(at) = from
        && read < MAX_PREDICTIONS_READ_BACK
        && seen.len() < assets
    {
        let page = log.read_stream(stream.clone(), at, Direction::Backward, BACK_PAGE).await.map_err(failed)?;
        read += page.len();
        from = page.next;
        for record in page {
            seen.extend(state.take_logged(&Entry::decode(record)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
