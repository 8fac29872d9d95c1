//! Everything that runs: the log, the projections, the ways in, the registry. Opened in one order, closed in the reverse one.

pub mod notices;
pub mod privacy;
mod rates;
pub mod retention;
mod webhooks;
pub mod witnesses;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::notices::{ChannelStatus, Notifier};
use ::webhooks::Webhooks;
use anyhow::Context;
use connectors::ingest::Ingest;
use connectors::mqtt::{MqttConfig, MqttSource};
use connectors::opcua::OpcUaSource;
use connectors::status::SourceSnapshot;
use eventlog::bucket::Bucket;
use eventlog::embedded::{EmbeddedLog, Options, Sealing, SealingStatus, Tiering};
use eventlog::groups::Groups;
use eventlog::privacy::EncryptedLog;
use eventlog::transparency::{self, LeafSource, Notary, Origin};
use eventlog::{Direction, EventLog, Filter, Position, QueryItem};
use knowledge::Knowledge;
use parking_lot::Mutex;
use projections::folds::models::Models;
use projections::{Feed, Fold as _, Gathered, ProjectionSet, ProjectionStatus, ReadModels, WaitError};
use registry::{ArtifactStore, Registry};
use tokio_util::sync::CancellationToken;
use tracking::Tracking;

use crate::config::Config;
use crate::datasets::Builder;
use crate::problem::Problem;
use rates::Rates;
use witnesses::Witnesses;

/// How long a command waits for one projection to reach the end of the log: a rebuild of a large log takes its time.
const SETTLE_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The folders inside the data folder.
mod folder {
    pub const LOG: &str = "log";
    pub const PROJECTIONS: &str = "projections";
    pub const INGEST: &str = "ingest";
    pub const KNOWLEDGE: &str = "knowledge";
    pub const ARTIFACTS: &str = "artifacts";
    pub const REACTORS: &str = "reactors";
    pub const OPCUA: &str = "opcua";
    pub const KEYS: &str = "keys";
    pub const VECTORS: &str = "vectors";
}

/// The derived folders: each can be deleted while nothing runs, and is built again from the log.
pub const DERIVED_FOLDERS: [&str; 4] = [folder::PROJECTIONS, folder::KNOWLEDGE, folder::INGEST, folder::VECTORS];

/// A running Millwright.
pub struct Engine {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The same for who follows it: its tail moves in small steps.
    followed: Feed,
    /// The one way in for readings.
    pub ingest: Ingest,
    /// The read models in memory.
    pub read: ReadModels,
    /// The knowledge bases.
    pub knowledge: Knowledge,
    /// The registry.
    pub registry: Arc<Registry>,
    /// Experiments, runs, and the models that runs logged.
    pub tracking: Tracking,
    /// The builder of datasets.
    pub dataset_builds: Builder,
    /// Who is told what happens in the registry.
    pub webhooks: Webhooks,
    /// The groups of competing consumers.
    pub groups: Groups,
    /// What signs the log's growth.
    pub notary: Notary,
    /// Who cosigns it.
    pub witnesses: Witnesses,
    embedded: Arc<EmbeddedLog>,
    encrypted: Arc<EncryptedLog>,
    retention: Vec<retention::RetentionConfig>,
    /// Held by the run of retention that goes on.
    retention_runs: tokio::sync::Mutex<()>,
    /// Held by the question for precursors that is being answered.
    pub mining: tokio::sync::Mutex<()>,
    projections: ProjectionSet,
    reactors: Mutex<Vec<projections::ReactorHandle>>,
    reactors_dir: PathBuf,
    notifier: OnceLock<Notifier>,
    sources: Mutex<Sources>,
    /// The mappings that quarantined messages are read with when they are released.
    mqtt_configs: Mutex<Vec<MqttConfig>>,
    rates: Rates,
    /// The end of the log when it was opened.
    opened_at: Position,
    stop_followers: CancellationToken,
}

#[derive(Default)]
struct Sources {
    mqtt: Vec<MqttSource>,
    opcua: Vec<OpcUaSource>,
}

impl std::ops::Deref for Engine {
    type Target = ReadModels;

    fn deref(&self) -> &ReadModels {
        &self.read
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("log", &self.log.log_id())
            .field("tail", &self.log.tail())
            .finish_non_exhaustive()
    }
}

/// Opens the log of a data folder.
///
/// # Errors
/// When another process has it, or it is damaged.
pub fn open_log(config: &Config) -> anyhow::Result<Arc<EmbeddedLog>> {
    let dir = config.data_dir.join(folder::LOG);
    let sealing = Sealing { mib_per_s: config.log.seal_mib_per_s, ..Sealing::default() };
    let tiering = config.tier.url.as_deref().map(|url| {
        let bucket = Bucket::open(url).context("opening the bucket of [tier]")?;
        anyhow::Ok(Tiering { bucket, keep_local_segments: config.tier.keep_local_segments })
    });
    let options = Options {
        tiering: tiering.transpose()?,
        segment_bytes: u64::from(config.log.segment_mib) * 1024 * 1024,
        sealing: config.log.seal.then_some(sealing),
        ..Options::default()
    };
    let log = EmbeddedLog::open(&dir, options).with_context(|| format!("opening the log in {}", dir.display()))?;
    let report = log.report();
    if report.truncated_bytes > 0 {
        tracing::warn!(
            bytes = report.truncated_bytes,
            "the tail of the log held a batch that was never acknowledged; it was cut off"
        );
    }
    Ok(Arc::new(log))
}

/// Opens the notary of a log in a data folder. Blocks, for as long as it takes to make missing tiles.
///
/// # Errors
/// When the log is not what was signed before, or the key is lost: nothing may be appended to such a log before somebody has looked.
pub fn open_notary(log: &Arc<EmbeddedLog>, config: &Config) -> anyhow::Result<Notary> {
    let mut options = transparency::Options::in_data_folder(&config.data_dir);
    options.origin = config.transparency.origin.as_deref().map(Origin::new).transpose()?;
    let source = Arc::clone(log) as Arc<dyn LeafSource>;
    Notary::open(source, log.log_id(), options).context("comparing the log with its last checkpoint")
}

/// The folder of the intake's index in a data folder.
pub fn ingest_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join(folder::INGEST)
}

/// The folder of the log in a data folder.
pub fn log_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join(folder::LOG)
}

/// The folder of the artifacts in a data folder.
pub fn artifacts_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join(folder::ARTIFACTS)
}

/// The folder of the keys in a data folder: the log's signing key, and the data keys of subjects.
pub fn keys_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join(folder::KEYS)
}

fn knowledge_config(config: &Config) -> knowledge::Config {
    knowledge::Config {
        data_dir: Some(config.data_dir.join(folder::KNOWLEDGE)),
        surreal_url: config.surreal.url.clone(),
        surreal_user: config.surreal.user.clone(),
        surreal_password: config.surreal.password.clone(),
    }
}

impl Engine {
    /// Opens the log and everything that follows it. Reactors and sources start with calls of their own.
    ///
    /// # Errors
    /// When a part cannot be opened; the error says which.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("making the data folder {}", config.data_dir.display()))?;
        let embedded = open_log(config)?;
        // Ordering: the folder is ours from here on, since the log's lock is. Opening waits for the disk most of the time, so that its parts are opened side by side.
        let stores = knowledge::Opening::begin(&knowledge_config(config));
        let embedder = config
            .meaning
            .clone()
            .map(|meaning| tokio::task::spawn_blocking(move || embedding::Bert::open(&meaning.model)));
        // Ordering: erasures are enforced before anything reads, so that no read model takes in what a restored key would open.
        let encrypted = privacy::open(config, &embedded).await?;
        let log: Arc<dyn EventLog> = Arc::clone(&encrypted) as Arc<dyn EventLog>;
        let notary = {
            let (embedded, config) = (Arc::clone(&embedded), config.clone());
            tokio::task::spawn_blocking(move || open_notary(&embedded, &config)).await??
        };
        let stop_followers = CancellationToken::new();
        let witnesses = Witnesses::start(&config.witnesses, &notary, &stop_followers)?;
        tokio::spawn(sign_growth(notary.clone(), stop_followers.clone()));
        let ingest = {
            let (log, dir) = (Arc::clone(&log), config.data_dir.join(folder::INGEST));
            let start = async move { Ingest::start(log, Some(&dir), connectors::ingest::Limits::default()).await };
            tokio::spawn(start)
        };
        let followed = Feed::new(Gathered::start(Arc::clone(&log), stop_followers.clone()));
        let projections_dir = config.data_dir.join(folder::PROJECTIONS);
        let tracking = {
            let (feed, dir, stop) = (followed.clone(), projections_dir.clone(), stop_followers.clone());
            tokio::task::spawn_blocking(move || Tracking::start(&feed, Some(&dir), &stop))
        };
        let (read, mut set) =
            ReadModels::start(&followed, Some(&projections_dir), &stop_followers).context("opening the read models")?;
        let tracking = tracking.await?.context("opening the tracking store")?;
        set.add(tracking.handle().clone());
        let models = knowledge::Models {
            episodes: read.episodes.clone(),
            states: read.states.clone(),
            dictionary: read.dictionary.clone(),
        };
        let (knowledge, stores) = Knowledge::opened(stores, models).await?;
        if let (Some(meaning), Some(embedder)) = (&config.meaning, embedder) {
            let embedder = embedder.await?.context("meaning.model")?;
            let file = config.data_dir.join(folder::VECTORS).join("texts");
            knowledge
                .follow_meaning(Arc::new(embedder), Some(&file), meaning.weight, stop_followers.clone())
                .context("meaning")?;
        }
        stores.start(&followed, &mut set, &stop_followers);
        let ingest = ingest.await?.context("starting the intake of readings")?;
        let artifacts =
            ArtifactStore::open_folder(&config.data_dir.join(folder::ARTIFACTS)).context("opening the artifacts")?;
        let progress = set.get(Models::NAME).cloned().context("the read model of models does not run")?;
        let dataset_builds = Builder::new(Arc::clone(&log), artifacts.clone(), stop_followers.clone());
        let registry = Arc::new(Registry::new(Arc::clone(followed.log()), artifacts, read.models.clone(), progress));
        let webhooks = webhooks::open(config, followed.log(), &read, &set)?;
        let groups = Groups::open(Arc::clone(&log)).await.context("opening the groups of consumers")?;
        let reactors_dir = config.data_dir.join(folder::REACTORS);
        let rates = Rates::start(Arc::clone(&log), ingest.clone(), stop_followers.clone());
        let opened_at = log.tail();
        Ok(Self {
            log,
            followed,
            ingest,
            read,
            knowledge,
            registry,
            tracking,
            dataset_builds,
            webhooks,
            groups,
            notary,
            witnesses,
            embedded,
            encrypted,
            retention: config.retention.clone(),
            retention_runs: tokio::sync::Mutex::default(),
            mining: tokio::sync::Mutex::default(),
            projections: set,
            reactors: Mutex::default(),
            reactors_dir,
            notifier: OnceLock::new(),
            sources: Mutex::default(),
            mqtt_configs: Mutex::default(),
            rates,
            opened_at,
            stop_followers,
        })
    }

    /// Starts what reacts to the log by appending to it: for a server, never for a rebuild or a replay.
    ///
    /// # Errors
    /// When a reactor cannot be started.
    pub fn start_reactors(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.reactors_dir).context("making the reactors' folder")?;
        let (registry, dir, stop) =
            (Arc::clone(&self.registry), self.reactors_dir.clone(), self.stop_followers.clone());
        self.reactors.lock().push(
            registry::predictions::start(&self.followed, registry, Some(dir), stop)
                .context("starting the predictions")?,
        );
        let (dir, stop) = (self.reactors_dir.clone(), self.stop_followers.clone());
        let warnings =
            precursors::reactor::start(&self.followed, Some(dir), stop).context("starting the fault warnings")?;
        self.reactors.lock().push(warnings);
        let (dir, stop) = (self.reactors_dir.clone(), self.stop_followers.clone());
        let examinations =
            precursors::examine::start(&self.followed, Some(dir), stop).context("starting the examinations")?;
        self.reactors.lock().push(examinations);
        self.webhooks.start(self.stop_followers.clone());
        Ok(())
    }

    /// Begins to tell people of alarms and warnings: for a server, never for a rebuild or a replay.
    ///
    /// # Errors
    /// When a channel cannot be set up.
    pub fn start_notices(&self, config: &Config) -> anyhow::Result<()> {
        let models = (&self.read, &self.projections);
        let started = notices::start(config, self.followed.log(), models, &self.webhooks, self.stop_followers.clone())?;
        self.notifier.set(started).ok().context("notices were started before")
    }

    /// How each channel of notices is doing; none, where notices were not started.
    pub fn notice_channels(&self) -> Vec<ChannelStatus> {
        self.notifier.get().map(Notifier::status).unwrap_or_default()
    }

    /// Connects the configured sources.
    ///
    /// # Errors
    /// When a source's configuration is not usable; the error names the source.
    pub fn start_sources(&self, config: &Config) -> anyhow::Result<()> {
        let mut sources = self.sources.lock();
        for mqtt in &config.mqtt {
            let source = MqttSource::start(mqtt.clone(), self.ingest.clone())
                .with_context(|| format!("MQTT source {}", mqtt.name))?;
            sources.mqtt.push(source);
            self.mqtt_configs.lock().push(mqtt.clone());
        }
        for opcua in &config.opcua {
            let dir = config.data_dir.join(folder::OPCUA);
            let source = OpcUaSource::start(opcua.clone(), &dir, self.ingest.clone())
                .with_context(|| format!("OPC UA source {}", opcua.name))?;
            sources.opcua.push(source);
        }
        Ok(())
    }

    /// The present configuration of an MQTT source, by what its readings are logged as coming from (`mqtt:NAME`).
    pub fn mqtt_config(&self, source: &str) -> Option<MqttConfig> {
        self.mqtt_configs.lock().iter().find(|config| config.source() == source).cloned()
    }

    /// Waits until every projection has taken in the record at the position.
    ///
    /// # Errors
    /// A 504 problem when it takes longer than `timeout`, a 503 problem when a projection has failed.
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), Problem> {
        self.projections.wait_for(position, timeout).await.map_err(wait_problem)?;
        Ok(self.knowledge.show(position).await?)
    }

    /// Waits until one projection has taken in the record at the position.
    ///
    /// # Errors
    /// As [`Engine::wait_for`].
    pub async fn wait_for_one(&self, name: &str, position: Position, timeout: Duration) -> Result<(), Problem> {
        match self.projections.get(name) {
            Some(projection) => projection.wait_for(position, timeout).await.map_err(wait_problem),
            None => Err(Problem::unavailable(format!("projection {name} does not run"))),
        }
    }

    /// Waits until the past cases up to a position (all, without one) hold what was in the log when it was opened. They are indexed from its beginning at each start: an answer
    /// meanwhile would rest on a part of them.
    ///
    /// # Errors
    /// As [`Engine::wait_for`].
    pub async fn wait_for_cases(&self, as_of: Option<Position>, timeout: Duration) -> Result<(), Problem> {
        let Some(last) = self.opened_at.previous() else { return Ok(()) };
        let wanted = as_of.map_or(last, |as_of| as_of.min(last));
        self.wait_for_one("knowledge_cases", wanted, timeout).await
    }

    /// The log as it is encrypted, with its keys.
    pub fn encrypted(&self) -> &Arc<EncryptedLog> {
        &self.encrypted
    }

    /// The running projections.
    pub fn projections(&self) -> &ProjectionSet {
        &self.projections
    }

    /// How each projection is doing.
    pub fn projection_states(&self) -> Vec<ProjectionStatus> {
        self.projections.statuses()
    }

    /// How each reactor is doing: its name, its lag in records, and why it failed, if it did.
    pub fn reactor_states(&self) -> Vec<(&'static str, u64, Option<String>)> {
        self.reactors.lock().iter().map(|reactor| (reactor.name(), reactor.lag(), reactor.failed())).collect()
    }

    /// How each source is doing.
    pub fn source_states(&self) -> Vec<SourceSnapshot> {
        let sources = self.sources.lock();
        let mqtt = sources.mqtt.iter().map(|source| source.status().snapshot());
        mqtt.chain(sources.opcua.iter().map(|source| source.status().snapshot())).collect()
    }

    /// What was sealed of the log since the start, and what waits.
    pub fn sealing(&self) -> SealingStatus {
        self.embedded.sealing()
    }

    /// What became of readings since the start.
    pub fn reading_counts(&self) -> [(&'static str, u64); 4] {
        use std::sync::atomic::Ordering::Relaxed;
        let counts = self.ingest.statistics();
        [
            ("accepted", counts.readings_accepted.load(Relaxed)),
            ("duplicate", counts.readings_duplicate.load(Relaxed)),
            ("conflict", counts.readings_conflicting.load(Relaxed)),
            ("quarantined", counts.inputs_quarantined.load(Relaxed)),
        ]
    }

    /// The roll that was doffed last, if any: an example of what can be traced.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn latest_roll(&self) -> Result<Option<String>, eventlog::ReadError> {
        let doffed = eventlog::EventType::new("weaving.cloth_doffed")
            .map_err(|error| eventlog::ReadError::Index(error.to_string()))?;
        let filter = Filter { items: vec![QueryItem { types: vec![doffed], ..QueryItem::default() }] };
        let found = self.log.read(Position::new(u64::MAX), Direction::Backward, filter, 1).await?;
        Ok(found.first().map(|record| record.stream.key().to_owned()))
    }

    /// Waits until every projection has taken in everything that is in the log now.
    ///
    /// # Errors
    /// When one fails, or does not get there within a day.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let Some(last) = self.log.tail().previous() else { return Ok(()) };
        for projection in self.projections.handles() {
            projection
                .wait_for(last, SETTLE_PATIENCE)
                .await
                .with_context(|| format!("waiting for {}", projection.name()))?;
        }
        Ok(self.knowledge.show(last).await?)
    }

    /// Waits until every reactor has answered everything that is in the log now.
    ///
    /// # Errors
    /// When one has failed.
    pub async fn settle_reactors(&self) -> anyhow::Result<()> {
        let Some(last) = self.log.tail().previous() else { return Ok(()) };
        let reactors = self.reactors.lock().clone();
        for reactor in &reactors {
            reactor.wait_for(last, SETTLE_PATIENCE).await.with_context(|| format!("waiting for {}", reactor.name()))?;
        }
        Ok(())
    }

    /// Records and readings a second, over the last seconds.
    pub fn rates(&self) -> (f64, f64) {
        self.rates.per_second()
    }

    /// Disconnects the sources. What they took in is in the log; what they did not acknowledge, they get again.
    pub async fn stop_sources(&self) {
        let sources = std::mem::take(&mut *self.sources.lock());
        for source in sources.mqtt {
            source.stop().await;
        }
        for source in sources.opcua {
            source.stop().await;
        }
    }

    /// Stops everything in order, so that nothing that was acknowledged or taken in is lost: sources, intake, followers, the log.
    pub async fn close(&self) {
        self.stop_sources().await;
        self.ingest.clone().close().await;
        self.stop_followers.cancel();
        let reactors = self.reactors.lock().clone();
        for reactor in &reactors {
            reactor.stopped().await;
        }
        if let Some(notifier) = self.notifier.get() {
            notifier.stopped().await;
        }
        self.projections.stopped().await;
        if let Err(error) = self.groups.close().await {
            tracing::warn!(%error, "the progress of a group was not saved; what was acknowledged last is delivered again");
        }
        let (embedded, notary) = (Arc::clone(&self.embedded), self.notary.clone());
        let close = move || {
            embedded.close();
            // Ordering: nothing is appended any more, so that this checkpoint is over everything.
            if let Err(error) = notary.sign() {
                tracing::error!(%error, "the last records are under no checkpoint yet; the next start signs them");
            }
        };
        // Closing waits for the committer's last sync, on a thread that may block.
        if tokio::task::spawn_blocking(close).await.is_err() {
            tracing::error!("the log did not close cleanly; it is checked when it is opened again");
        }
    }
}

/// Signs the log as it grows, until the engine stops.
async fn sign_growth(notary: Notary, stop: CancellationToken) {
    tokio::select! {
        () = notary.run() => {}
        () = stop.cancelled() => {}
    }
}

fn wait_problem(error: WaitError) -> Problem {
    match error {
        WaitError::Timeout { .. } => Problem::timeout(error.to_string()),
        WaitError::Failed { .. } | WaitError::Stopped { .. } => Problem::unavailable(error.to_string()),
    }
}
