//! Opening the stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use projections::folds::dictionary::Dictionary;
use projections::folds::episodes::Episodes;
use projections::folds::states::States;
use projections::{Feed, ProjectionError, ProjectionSet, Runner, Shared};
use retrieval::vectors::Embedder;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Inner, Knowledge};
use crate::case_index::CaseProjection;
use crate::graph::{GraphOpening, GraphProjection};
use crate::search_index::{NearError, SearchIndex, SearchProjection};
use crate::words::Words;

/// Where the stores are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The folder of the stores; in memory, without one.
    pub data_dir: Option<PathBuf>,
    /// The address of SurrealDB (`surrealkv://…`, `mem://`, `ws://…`, `wss://…`). Without one: `surrealkv://` in the data folder, or in memory.
    pub surreal_url: Option<String>,
    /// The user that SurrealDB wants, at a server.
    pub surreal_user: Option<String>,
    /// The user's password.
    pub surreal_password: Option<String>,
}

/// The read models that statistics are computed from; their owner runs them.
#[derive(Clone)]
pub struct Models {
    /// Fault episodes with the work that answered them.
    pub episodes: Shared<Episodes>,
    /// States of machines and set-points.
    pub states: Shared<States>,
    /// What words of the plant mean.
    pub dictionary: Shared<Dictionary>,
}

/// The projections that must run for the knowledge to follow the log.
pub struct Projections {
    /// Into Tantivy.
    pub search: SearchProjection,
    /// Into SurrealDB. Opening it takes longer than everything else together, and nobody but those who ask the graph need wait for it.
    pub graph: GraphOpening,
    /// Into the index of past cases, in memory.
    pub cases: CaseProjection,
}

impl Projections {
    /// Runs all three until `cancel`, and adds them to the set.
    pub fn start(self, feed: &Feed, set: &mut ProjectionSet, cancel: &CancellationToken) {
        set.add(Runner::start_rebuildable(feed, self.search, cancel.clone()));
        set.add(Runner::start_opening(feed, GraphProjection::NAMED, self.graph.open(), cancel.clone()));
        set.add(Runner::start_rebuildable(feed, self.cases, cancel.clone()));
    }
}

/// Why the stores could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The search index.
    #[error("opening the search index failed")]
    Search(#[source] ProjectionError),
}

/// The stores, while they are being opened on other threads.
pub struct Opening {
    config: Config,
    search: JoinHandle<Result<(SearchProjection, SearchIndex), ProjectionError>>,
}

impl Opening {
    /// Begins to open them. Whoever does must have the data folder for itself: a store that cannot be read is deleted.
    pub fn begin(config: &Config) -> Self {
        let index = config.data_dir.as_deref().map(|dir| dir.join("search"));
        let search = tokio::task::spawn_blocking(move || SearchProjection::open(index.as_deref()));
        Self { config: config.clone(), search }
    }
}

impl Knowledge {
    /// Opens the search index, and hands out the projections to run; the graph is opened by whoever runs it. A store of another version, or one that is damaged, is deleted and
    /// built anew from the log.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(config: &Config, models: Models) -> Result<(Self, Projections), OpenError> {
        Self::opened(Opening::begin(config), models).await
    }

    /// The same, of stores whose opening was begun before.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn opened(opening: Opening, models: Models) -> Result<(Self, Projections), OpenError> {
        let opened = opening
            .search
            .await
            .map_err(|error| ProjectionError::Store { projection: "knowledge_search", reason: error.to_string() })
            .and_then(|opened| opened);
        let (search_projection, search) = opened.map_err(OpenError::Search)?;
        let (graph_opening, graph) = GraphOpening::new(&opening.config);
        let (case_projection, cases) = CaseProjection::open();
        let words = Words::new(models.dictionary.clone());
        let inner = Inner { search, graph, models, cases, words };
        let projections = Projections { search: search_projection, graph: graph_opening, cases: case_projection };
        Ok((Self { inner: Arc::new(inner) }, projections))
    }

    /// Searches by meaning, too, from now on: a task keeps vectors of this model up with the index until `cancel`. Vectors are kept in the file, in memory
    /// without one; `weight` is what being near is worth beside words, which count about 1 each.
    ///
    /// # Errors
    /// [`NearError`].
    pub fn follow_meaning(
        &self,
        embedder: Arc<dyn Embedder>,
        file: Option<&Path>,
        weight: f32,
        cancel: CancellationToken,
    ) -> Result<(), NearError> {
        self.inner.search.follow_meaning(embedder, file, weight, cancel)
    }
}
