//! The reactor that lets approved detection rules run on what comes in, and appends warnings.
//!
//! It follows readings, alarms, states of machines, the catalogue and the pieces of knowledge. A warning is raised once, when the condition of a rule has come true on an asset,
//! and no second one until it is cleared. The code that evaluates a condition is the one that mining chose its threshold with.
//!
//! **Restarts.** Everything that it knows follows from the log: at its start, and when a rule comes into force, each condition is fed the readings or alarms that its
//! window and baseline reach back to, and the warnings that earlier entries caused are read from the log. The id of a warning follows from rule, revision, asset, cause and time: what is said again
//! after a crash is taken once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use domain::Event;
use domain::events::{ClearedBy, Detection, WarningCleared, WarningEvidence, WarningRaised};
use domain::ids::{ArticleId, AssetId, SignalId, WarningId};
use eventlog::{BoxFuture, Direction, EventId, EventLog, Filter, MAX_PAGE, NewEvent, Position, ReadError};
use projections::folds::articles::Articles;
use projections::folds::catalog::Catalog;
use projections::folds::warnings::Warnings;
use projections::{
    AsOf, Content, Entry, Feed, Fold as _, Meta, Reactor, ReactorError, ReactorHandle, ReactorOptions, filters, seal,
    start_reactor,
};
use tokio_util::sync::CancellationToken;

use crate::feature::SECOND_NS;
use crate::rules::{Rule, in_force};
use crate::source::{
    alarms_since, each_entry, each_reading, nanoseconds, newest_frame, note_state, readings_filter, timelines,
    timestamp,
};
use crate::trigger::Change;
use crate::watch::{Timeline, Watch};

/// The name of the reactor, and the actor of its warnings.
pub const NAME: &str = "fault-warnings";

/// The version of the reactor: a new one makes new ids.
pub const VERSION: u32 = 1;

/// A clock that is further ahead of the log's than this is wrong: it does not make time pass.
const MOST_AHEAD_NS: i64 = 300 * SECOND_NS;

/// A rule on an asset.
type Key = (ArticleId, AssetId);

struct Running {
    revision: u32,
    detection: Detection,
    signal: Option<SignalId>,
    watch: Watch,
}

#[derive(Default)]
struct State {
    catalog: Catalog,
    articles: Articles,
    timelines: BTreeMap<AssetId, Timeline>,
    running: BTreeMap<Key, Running>,
    by_signal: BTreeMap<SignalId, BTreeSet<Key>>,
    open: BTreeMap<Key, WarningId>,
    now_ns: i64,
}

/// The reactor. It is given to `start`, or to [`start_reactor`] with options of the caller's choice.
pub struct FaultWarnings {
    log: Arc<dyn EventLog>,
    state: Option<State>,
}

/// Starts warning from the reactor's progress on; from the present tail, when it has none. `progress_dir` keeps its progress over restarts.
///
/// # Errors
/// [`ReactorError::Progress`].
pub fn start(
    feed: &Feed,
    progress_dir: Option<PathBuf>,
    cancel: CancellationToken,
) -> Result<ReactorHandle, ReactorError> {
    let options = ReactorOptions { dir: progress_dir, start: feed.log().tail() };
    start_reactor(feed, FaultWarnings::new(Arc::clone(feed.log())), options, cancel)
}

impl FaultWarnings {
    /// A reactor over a log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, state: None }
    }

    async fn answer(&mut self, entries: &[Arc<Entry>]) -> Result<Vec<NewEvent>, ReactorError> {
        let Some(first) = entries.first() else { return Ok(Vec::new()) };
        let log = Arc::clone(&self.log);
        let mut state = match self.state.take() {
            Some(state) => state,
            None => warm(&*log, first.position).await.map_err(failed)?,
        };
        let mut said = Vec::new();
        for entry in entries {
            state.take(&*log, entry, &mut said).await?;
        }
        self.state = Some(state);
        Ok(said)
    }
}

impl Reactor for FaultWarnings {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    /// Warnings are not in the filter.
    fn filter(&self) -> Filter {
        let mut filter = changes_filter();
        filter.items.extend(filters::types(&["asset.state_changed", "alarm.raised"]).items);
        filter.items.extend(readings_filter().items);
        filter
    }

    fn react<'a>(&'a mut self, entries: &'a [Arc<Entry>]) -> BoxFuture<'a, Result<Vec<NewEvent>, ReactorError>> {
        Box::pin(self.answer(entries))
    }
}

/// What decides which rule runs where.
fn changes_filter() -> Filter {
    filters::types(&["asset.registered", "signal.defined", "article.drafted", "article.reviewed", "article.superseded"])
}

fn failed(source: ReadError) -> ReactorError {
    ReactorError::Read { reactor: NAME, source }
}

/// What is known before the entry at the position.
async fn warm(log: &dyn EventLog, position: Position) -> Result<State, ReadError> {
    let mut state = State { timelines: timelines(log, position).await?, now_ns: i64::MIN, ..State::default() };
    each_entry(log, changes_filter(), position, |entry| {
        state.catalog.apply(entry);
        state.articles.apply(entry);
    })
    .await?;
    let warnings = answers_below(log, position).await?;
    for view in warnings.open(AsOf::LATEST) {
        let raised = &view.raised.value;
        state.open.insert((raised.rule.clone(), raised.asset.clone()), raised.warning.clone());
    }
    state.now_ns = newest_frame(log, position).await?.unwrap_or(i64::MIN);
    state.follow_rules(log, position).await?;
    Ok(state)
}

/// The warnings whose causes lie below the position. What was said of later causes is said again, under the same ids.
async fn answers_below(log: &dyn EventLog, position: Position) -> Result<Warnings, ReadError> {
    let mut warnings = Warnings::default();
    let filter = || filters::types(&["warning.raised", "warning.cleared"]);
    each_entry(log, filter(), position, |entry| warnings.apply(entry)).await?;
    let mut beyond = Vec::new();
    let mut next = Some(position);
    while let Some(from) = next {
        let page = log.read(from, Direction::Forward, filter(), MAX_PAGE).await?;
        next = page.next;
        beyond.extend(page.into_iter().map(Entry::decode));
    }
    for entry in beyond {
        let Some(cause) = entry.causation_id else { continue };
        if log.position_of(EventId::new(cause)).await?.is_some_and(|cause| cause < position) {
            warnings.apply(&entry);
        }
    }
    Ok(warnings)
}

impl State {
    async fn take(&mut self, log: &dyn EventLog, entry: &Entry, said: &mut Vec<NewEvent>) -> Result<(), ReactorError> {
        let recorded_ns = nanoseconds(entry.record_time).unwrap_or(i64::MAX);
        let latest_ns = recorded_ns.saturating_add(MOST_AHEAD_NS);
        match &entry.content {
            Content::Event(event) => match &**event {
                Event::AlarmRaised(alarm) => {
                    let time_ns = entry.event_time.and_then(nanoseconds).filter(|time| *time <= latest_ns);
                    if let Some(time_ns) = time_ns {
                        let position = entry.position.get();
                        self.each_of(&alarm.asset, entry, said, |watch| watch.alarm(&alarm.code, time_ns, position))?;
                    }
                }
                Event::MachineStateChanged(_) => note_state(&mut self.timelines, entry),
                _ => {
                    self.catalog.apply(entry);
                    self.articles.apply(entry);
                    let ended = self.follow_rules(log, entry.position.next()).await.map_err(failed)?;
                    for key in ended {
                        if let Some(warning) = self.open.remove(&key) {
                            said.push(cleared(&key, warning, ClearedBy::RuleEnded, entry, self.now_ns)?);
                        }
                    }
                }
            },
            Content::Readings(frame) => self.take_readings(frame, entry, said)?,
            Content::Gone { .. } | Content::Unknown { .. } => {}
        }
        if let Some(time_ns) = entry.event_time.and_then(nanoseconds) {
            self.now_ns = self.now_ns.max(time_ns.min(latest_ns));
            self.let_time_pass(entry, said)?;
        }
        Ok(())
    }

    fn take_readings(
        &mut self,
        frame: &eventlog::frames::Frame,
        entry: &Entry,
        said: &mut Vec<NewEvent>,
    ) -> Result<(), ReactorError> {
        for column in frame.columns() {
            let Some(keys) = SignalId::new(column.signal).ok().and_then(|signal| self.by_signal.get(&signal)) else {
                continue;
            };
            for key in keys.clone() {
                let Some(running) = self.running.get_mut(&key) else { continue };
                let timeline = self.timelines.get(&key.1);
                for (row, time_ns) in column.times_ns.iter().enumerate() {
                    let good = column.statuses.get(row).is_some_and(|status| status.is_good());
                    let value = column.values.get(row).and_then(|value| value.as_f64());
                    let Some(value) = value.filter(|value| good && value.is_finite()) else { continue };
                    let change = running.watch.reading(*time_ns, value, entry.position.get(), timeline);
                    said.extend(spoken(&mut self.open, &key, running, change, entry)?);
                }
            }
        }
        Ok(())
    }

    fn each_of(
        &mut self,
        asset: &AssetId,
        cause: &Entry,
        said: &mut Vec<NewEvent>,
        mut look: impl FnMut(&mut Watch) -> Vec<Change>,
    ) -> Result<(), ReactorError> {
        for (key, running) in self.running.iter_mut().filter(|((_, other), _)| other == asset) {
            for change in look(&mut running.watch) {
                said.extend(spoken(&mut self.open, key, running, Some(change), cause)?);
            }
        }
        Ok(())
    }

    fn let_time_pass(&mut self, cause: &Entry, said: &mut Vec<NewEvent>) -> Result<(), ReactorError> {
        for (key, running) in self.running.iter_mut().filter(|(_, running)| running.signal.is_none()) {
            for change in running.watch.advance(self.now_ns) {
                said.extend(spoken(&mut self.open, key, running, Some(change), cause)?);
            }
        }
        Ok(())
    }

    /// Lets run what is in force below the position, and nothing else. Answers the rules on assets that ran, and do not any more.
    async fn follow_rules(&mut self, log: &dyn EventLog, below: Position) -> Result<Vec<Key>, ReadError> {
        let mut wanted: BTreeMap<Key, (Rule, Option<SignalId>)> = BTreeMap::new();
        for rule in in_force(&self.articles, AsOf::LATEST) {
            let quantity = Watch::new(&rule.detection).quantity().cloned();
            for asset in rule.assets(&self.catalog, AsOf::LATEST) {
                let signal = quantity.as_ref().and_then(|quantity| {
                    let signal = self.catalog.signal_for(asset, quantity.as_str(), AsOf::LATEST);
                    signal.map(|fact| fact.value.signal.clone())
                });
                // A condition on readings does not run where nothing measures them.
                if quantity.is_none() || signal.is_some() {
                    wanted.insert((rule.rule.clone(), asset.clone()), (rule.clone(), signal));
                }
            }
        }
        let ended: Vec<Key> =
            self.running.keys().chain(self.open.keys()).filter(|key| !wanted.contains_key(*key)).cloned().collect();
        self.running.retain(|key, running| {
            wanted.get(key).is_some_and(|(rule, signal)| rule.revision == running.revision && *signal == running.signal)
        });
        for (key, (rule, signal)) in wanted {
            if self.running.contains_key(&key) {
                continue;
            }
            let mut watch = Watch::new(&rule.detection);
            self.feed(log, &mut watch, &key.1, signal.as_ref(), below).await?;
            watch.resume(self.open.contains_key(&key));
            let running = Running { revision: rule.revision, detection: rule.detection, signal, watch };
            self.running.insert(key, running);
        }
        self.by_signal.clear();
        for (key, running) in &self.running {
            if let Some(signal) = &running.signal {
                self.by_signal.entry(signal.clone()).or_default().insert(key.clone());
            }
        }
        Ok(ended)
    }

    /// Shows a watch what it would have seen if it had always run. What it would have said then is not said now.
    async fn feed(
        &self,
        log: &dyn EventLog,
        watch: &mut Watch,
        asset: &AssetId,
        signal: Option<&SignalId>,
        below: Position,
    ) -> Result<(), ReadError> {
        let from_ns = self.now_ns.saturating_sub(watch.reach_ns());
        match signal {
            Some(signal) => {
                let timeline = self.timelines.get(asset);
                each_reading(log, signal, timestamp(from_ns), below, |time_ns, value, position| {
                    watch.reading(time_ns, value, position, timeline);
                    true
                })
                .await
            }
            None => {
                for (time_ns, position, alarm) in alarms_since(log, asset, from_ns, below).await? {
                    watch.alarm(&alarm.code, time_ns, position);
                }
                watch.advance(self.now_ns);
                Ok(())
            }
        }
    }
}

/// The event that says a change.
fn spoken(
    open: &mut BTreeMap<Key, WarningId>,
    key: &Key,
    running: &Running,
    change: Option<Change>,
    cause: &Entry,
) -> Result<Option<NewEvent>, ReactorError> {
    match change {
        Some(Change::Raised { time_ns, since_ns, value }) if !open.contains_key(key) => {
            let id = warning_id("raised", key, running.revision, cause.id, time_ns);
            let warning = WarningId::new(&id.to_string())
                .map_err(|error| ReactorError::Refused { reactor: NAME, reason: error.to_string() })?;
            open.insert(key.clone(), warning.clone());
            let measured = running.detection.measured.as_ref();
            let raised = WarningRaised {
                warning,
                rule: key.0.clone(),
                revision: running.revision,
                asset: key.1.clone(),
                mode: running.detection.mode.clone(),
                horizon_s: running.detection.horizon_s,
                probability: measured.and_then(|measured| measured.precision),
                n: measured.map(|measured| measured.warnings.trials),
                evidence: WarningEvidence {
                    signal: running.signal.clone(),
                    value,
                    threshold: running.watch.threshold(),
                    from: timestamp(time_ns.saturating_sub(running.watch.window_ns())),
                    to: timestamp(time_ns),
                    since: timestamp(since_ns),
                    positions: running.watch.positions(),
                },
            };
            sealed(raised.into(), id, cause, time_ns).map(Some)
        }
        Some(Change::Cleared { time_ns }) => {
            let warning = open.remove(key);
            warning.map(|warning| cleared(key, warning, ClearedBy::Calm, cause, time_ns)).transpose()
        }
        _ => Ok(None),
    }
}

fn cleared(
    key: &Key,
    warning: WarningId,
    by: ClearedBy,
    cause: &Entry,
    time_ns: i64,
) -> Result<NewEvent, ReactorError> {
    let id = EventId::derived(&format!("reactor:{NAME}/{VERSION}"), &format!("{}/cleared/{warning}", cause.id));
    let cleared = WarningCleared { warning, rule: key.0.clone(), asset: key.1.clone(), by };
    sealed(cleared.into(), id, cause, time_ns)
}

fn sealed(event: Event, id: EventId, cause: &Entry, time_ns: i64) -> Result<NewEvent, ReactorError> {
    let meta = Meta {
        id,
        event_time: (time_ns > i64::MIN).then(|| timestamp(time_ns)),
        causation_id: Some(*cause.id.as_uuid()),
        ..Meta::own(NAME, None)
    };
    seal(&event, meta).map_err(|error| ReactorError::Refused { reactor: NAME, reason: error.to_string() })
}

/// The same for the same rule, revision, asset, cause and time.
fn warning_id(what: &str, (rule, asset): &Key, revision: u32, cause: EventId, time_ns: i64) -> EventId {
    // The lengths go first, so that no two lists of names run together.
    let (first, second) = (rule.as_str().len(), asset.as_str().len());
    EventId::derived(
        &format!("reactor:{NAME}/{VERSION}"),
        &format!("{cause}/{what}/{revision}/{time_ns}/{first}:{rule}/{second}:{asset}"),
    )
}

#[cfg(test)]
#[path = "reactor_tests.rs"]
mod tests;
