//! The graph as a projection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{BoxFuture, Digest, Filter, Position};
use parking_lot::RwLock;
use projections::{Entry, Projection, ProjectionError, Rebuildable};
use surrealdb::Surreal;
use surrealdb::engine::any::{Any, connect};
use surrealdb::opt::auth::Root;
use tokio::sync::watch;

use super::queries::Graph;
use super::rows;
use super::store::{self, NAMESPACE, Store};
use crate::facade::Config;
use crate::versions;

/// The projection's name.
pub(crate) const NAME: &str = "knowledge_graph";

/// The version of fold and tables together: a change of either begins the database anew.
pub(crate) const VERSION: u32 = 3;

/// The database that names the generation that counts.
const POINTER_DATABASE: &str = "pointer";

/// The folder of the store below the data folder.
const FOLDER: &str = "graph";

/// The store that counts now; a rebuild puts another one there.
pub(super) struct Cell(pub RwLock<Arc<Store>>);

/// The graph as the runner holds it.
pub struct GraphProjection {
    connection: Surreal<Any>,
    cell: Arc<Cell>,
    generation: i64,
    write_versions: usize,
}

/// A graph that is not open yet. Whoever asks it waits.
pub struct GraphOpening {
    config: Config,
    opened: watch::Sender<Option<Arc<Cell>>>,
}

impl GraphOpening {
    /// The graph of this configuration, with the handle that asks it.
    pub fn new(config: &Config) -> (Self, Graph) {
        let (opened, waiting) = watch::channel(None);
        (Self { config: config.clone(), opened }, Graph::new(waiting))
    }

    /// Connects, and opens the database that counts. A store in our own folder that cannot be read is deleted and built anew.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] when there is no connection, or the server refuses. Whoever asks the graph is told, too.
    pub async fn open(self) -> Result<GraphProjection, ProjectionError> {
        let projection = GraphProjection::open(&self.config).await?;
        self.opened.send_replace(Some(Arc::clone(&projection.cell)));
        Ok(projection)
    }
}

impl GraphProjection {
    /// Its name and version.
    pub const NAMED: (&'static str, u32) = (NAME, VERSION);

    async fn open(config: &Config) -> Result<Self, ProjectionError> {
        let own = own_folder(config);
        let first = Self::open_at(config, own.as_deref()).await;
        match (first, own) {
            (Ok(projection), _) => Ok(projection),
            // Somebody else writes it: it is not ours to delete.
            (Err(reason), Some(folder)) if folder.exists() && !in_use(&reason) => {
                // The store is derived from the log: one that cannot be read is deleted.
                tracing::warn!(%reason, "the graph store is unusable and is built anew");
                let removed =
                    if folder.is_dir() { std::fs::remove_dir_all(&folder) } else { std::fs::remove_file(&folder) };
                removed.map_err(error)?;
                Self::open_at(config, Some(&folder)).await.map_err(error)
            }
            (Err(reason), _) => Err(error(reason)),
        }
    }

    async fn open_at(config: &Config, own: Option<&Path>) -> Result<Self, String> {
        let url = match (&config.surreal_url, own) {
            (Some(url), _) => url.clone(),
            (None, Some(folder)) => {
                let parent = folder.parent().unwrap_or(folder);
                std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
                format!("surrealkv://{}", folder.display())
            }
            (None, None) => "mem://".to_owned(),
        };
        let connection = connected(&url).await?;
        if let (Some(username), Some(password)) = (&config.surreal_user, &config.surreal_password) {
            let root = Root { username: username.clone(), password: password.clone() };
            connection.signin(root).await.map_err(store::text)?;
        }
        let generation = read_generation(&connection).await?;
        let write_versions =
            if url.starts_with("mem:") { store::WRITE_VERSIONS_IN_MEMORY } else { store::WRITE_VERSIONS };
        Self::open_generation(connection, generation, false, write_versions).await
    }

    async fn open_generation(
        connection: Surreal<Any>,
        generation: i64,
        empty: bool,
        write_versions: usize,
    ) -> Result<Self, String> {
        let store = Store::open(&connection, &database(generation), VERSION, empty, write_versions).await?;
        Ok(Self { connection, cell: Arc::new(Cell(RwLock::new(Arc::new(store)))), generation, write_versions })
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.cell.0.read())
    }
}

/// How long to wait for a former engine in this process, which shuts down in the background, to let go of the folder.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(50);

fn in_use(reason: &str) -> bool {
    reason.contains("already locked")
}

async fn connected(url: &str) -> Result<Surreal<Any>, String> {
    let begin = Instant::now();
    loop {
        match connect(url).await.map_err(store::text) {
            Err(reason) if in_use(&reason) && begin.elapsed() < LOCK_WAIT => tokio::time::sleep(LOCK_RETRY).await,
            other => return other,
        }
    }
}

fn own_folder(config: &Config) -> Option<PathBuf> {
    match (&config.surreal_url, &config.data_dir) {
        (None, Some(dir)) => Some(dir.join(FOLDER)),
        _ => None,
    }
}

fn database(generation: i64) -> String {
    format!("g{generation}")
}

async fn pointer(connection: &Surreal<Any>) -> Result<Surreal<Any>, String> {
    let db = connection.clone();
    let sql = format!(
        "DEFINE NAMESPACE IF NOT EXISTS {NAMESPACE}; USE NS {NAMESPACE}; DEFINE DATABASE IF NOT EXISTS {POINTER_DATABASE};"
    );
    db.query(sql).await.and_then(|answers| answers.check()).map_err(store::text)?;
    db.use_ns(NAMESPACE).use_db(POINTER_DATABASE).await.map_err(store::text)?;
    Ok(db)
}

async fn read_generation(connection: &Surreal<Any>) -> Result<i64, String> {
    let db = pointer(connection).await?;
    let sql = "DEFINE TABLE IF NOT EXISTS current SCHEMALESS; SELECT VALUE generation FROM current:graph";
    let mut answers = db.query(sql).await.map_err(store::text)?;
    let rows = rows::list(answers.take(1).map_err(store::text)?);
    Ok(rows::integer(rows.into_iter().next()).unwrap_or(0))
}

async fn write_generation(connection: &Surreal<Any>, generation: i64) -> Result<(), String> {
    let db = pointer(connection).await?;
    let write = db.query("UPSERT current:graph SET generation = $generation").bind(("generation", generation));
    write.await.and_then(|answers| answers.check()).map_err(store::text).map(drop)
}

fn error(reason: impl ToString) -> ProjectionError {
    ProjectionError::Store { projection: NAME, reason: reason.to_string() }
}

impl Projection for GraphProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn filter(&self) -> Filter {
        versions::filter()
    }

    fn checkpoint(&self) -> Position {
        self.store().applied()
    }

    fn apply<'a>(
        &'a mut self,
        entries: &'a [Arc<Entry>],
        through: Position,
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        let store = self.store();
        Box::pin(async move { store.apply(entries, through, VERSION).await.map_err(error) })
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        let store = self.store();
        Box::pin(async move { store.flush(VERSION).await.map_err(error) })
    }

    fn digest(&mut self) -> BoxFuture<'_, Result<Digest, ProjectionError>> {
        let store = self.store();
        Box::pin(async move { store.digest(VERSION).await.map_err(error) })
    }
}

impl Rebuildable for GraphProjection {
    fn beside(&self) -> BoxFuture<'_, Result<Self, ProjectionError>> {
        Box::pin(async move {
            let (connection, generation) = (self.connection.clone(), self.generation + 1);
            Self::open_generation(connection, generation, true, self.write_versions).await.map_err(error)
        })
    }

    fn replace(&mut self, rebuilt: Self) -> BoxFuture<'_, Result<(), ProjectionError>> {
        Box::pin(async move {
            let new = rebuilt.store();
            new.flush(VERSION).await.map_err(error)?;
            // Ordering: the pointer moves before the old database goes; a crash between leaves an unused database, which the next rebuild removes.
            write_generation(&self.connection, rebuilt.generation).await.map_err(error)?;
            let old = std::mem::replace(&mut *self.cell.0.write(), new);
            self.generation = rebuilt.generation;
            // Ordering: a write that arrived after the database is gone would begin it again.
            old.settle().await;
            store::remove(&self.connection.clone(), &old.name).await.map_err(error)
        })
    }
}
