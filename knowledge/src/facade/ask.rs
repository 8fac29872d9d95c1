//! The questions, each with the stores that it draws on.

use eventlog::Position;

use super::{Inner, Knowledge};
use crate::answer::{Answer, Page, QuestionError};
use crate::coding::{CodeRequest, Coding};
use crate::diagnose::{DiagnoseRequest, Diagnosis, PastCase};
use crate::graph::{ListRequest, NeighbourRequest, Neighbourhood, RecordHistory};
use crate::questions::{
    ControlRow, ModeActions, ModeSummary, ModeView, OperatingRow, QualityBy, QualityRow, Scope, control, faults,
    maintenance, operating, quality,
};
use crate::record::{Kind, KnowledgeRecord, RecordId};
use crate::search_index::{Hints, SearchAnswer, SearchRequest};
use crate::words::{self, SuggestedPair};

impl Knowledge {
    /// Lets searches find everything up to a position that the search index has taken in. Without it a search for the newest may miss what came within the last second.
    ///
    /// # Errors
    /// [`QuestionError::Store`].
    pub async fn show(&self, position: Position) -> Result<(), QuestionError> {
        self.inner.search.show(position).await
    }

    /// Searches the text of all records.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn search(&self, request: SearchRequest) -> Result<SearchAnswer, QuestionError> {
        let (cases, words) = (self.inner.cases.clone(), self.inner.words.clone());
        let hints = move |asked, text: &str| {
            let curated = words.at(asked);
            Hints { expected: crate::coding::expected(&cases, asked, &curated.widened(text)), curated }
        };
        self.inner.search.search_with(request, hints).await
    }

    /// Which failure mode, mechanism, cause and item a text would be coded with.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn code(&self, request: CodeRequest) -> Result<Coding, QuestionError> {
        let knowledge = self.clone();
        blocking(move || crate::coding::code(&knowledge.inner.cases, &knowledge.inner.words, &request)).await
    }

    /// One record as it was known, with its versions up to then.
    ///
    /// # Errors
    /// [`QuestionError::NotFound`] when it was not known then.
    pub async fn record(&self, id: &RecordId, as_of: Option<Position>) -> Result<RecordHistory, QuestionError> {
        self.inner.graph.record(id, as_of).await
    }

    /// Records, the newest first.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn list(&self, request: ListRequest) -> Result<Page<KnowledgeRecord>, QuestionError> {
        // The index answers lists from columns; the graph would sort every row of the kind.
        let found = self
            .inner
            .search
            .search(SearchRequest {
                q: None,
                base: request.base,
                kind: request.kind,
                asset: request.asset,
                as_of: request.as_of,
                limit: request.limit,
                cursor: request.cursor,
                ..SearchRequest::default()
            })
            .await?;
        Ok(Page {
            items: found.items.into_iter().map(|hit| hit.record).collect(),
            next_cursor: found.next_cursor,
            total: Some(found.total),
            as_of: found.as_of,
        })
    }

    /// The part of the graph around a node.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn neighbours(&self, request: &NeighbourRequest) -> Result<Neighbourhood, QuestionError> {
        self.inner.graph.neighbours(request).await
    }

    /// Which failure modes fit what is seen, and what helped. Takes some milliseconds of computing, on a thread that may block.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn diagnose(&self, request: DiagnoseRequest) -> Result<Diagnosis, QuestionError> {
        let knowledge = self.clone();
        blocking(move || {
            let Inner { models, cases, words, .. } = &*knowledge.inner;
            crate::diagnose::ask(models, cases, words, &request)
        })
        .await
    }

    /// The failure modes in numbers, the most frequent first; episodes that nobody has coded are counted under no mode.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn fault_modes(&self, scope: Scope) -> Result<Answer<Vec<ModeSummary>>, QuestionError> {
        let knowledge = self.clone();
        blocking(move || faults::modes(&knowledge.inner.models, &scope)).await
    }

    /// One failure mode with its episodes and what helped.
    ///
    /// # Errors
    /// [`QuestionError::NotFound`] when no episode in the scope is coded with it.
    pub async fn fault_mode(&self, mode: &str, scope: Scope) -> Result<Answer<ModeView>, QuestionError> {
        let knowledge = self.clone();
        let mode = mode.to_owned();
        blocking(move || faults::mode(&knowledge.inner.models, &mode, &scope)).await
    }

    /// Fault episodes, the latest first.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn fault_episodes(&self, scope: Scope) -> Result<Answer<Vec<PastCase>>, QuestionError> {
        let knowledge = self.clone();
        blocking(move || faults::episodes(&knowledge.inner.models, &scope)).await
    }

    /// What was done about each failure mode, and how often it worked.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn maintenance(&self, scope: Scope) -> Result<Answer<Vec<ModeActions>>, QuestionError> {
        let knowledge = self.clone();
        blocking(move || maintenance::actions(&knowledge.inner.models, &scope)).await
    }

    /// Quality by asset, lot, product or defect, the worst first.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn quality(&self, by: QualityBy, scope: Scope) -> Result<Answer<Vec<QualityRow>>, QuestionError> {
        quality::rows(&self.inner.search, by, &scope).await
    }

    /// The states of each asset in a stretch of event time.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn operating(&self, scope: Scope) -> Result<Answer<Vec<OperatingRow>>, QuestionError> {
        let knowledge = self.clone();
        blocking(move || operating::rows(&knowledge.inner.models, &scope)).await
    }

    /// Set-point changes, the latest first, with what followed.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn control(&self, scope: Scope) -> Result<Answer<Vec<ControlRow>>, QuestionError> {
        control::rows(&self.inner.search, &scope).await
    }

    /// Pairs of words that may mean the same, by the texts of past fault episodes; what the dictionary knows already is left out.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn suggested_words(
        &self,
        as_of: Option<Position>,
        limit: usize,
    ) -> Result<Answer<Vec<SuggestedPair>>, QuestionError> {
        let request = SearchRequest { kind: Some(Kind::FaultEpisode), as_of, ..SearchRequest::default() };
        let all = self.inner.search.all(request).await?;
        let curated = self.inner.words.at(as_of);
        blocking(move || {
            Ok(Answer {
                value: words::pairs(&all.records, &curated, limit),
                as_of: all.as_of,
                stores: vec![("knowledge_search".to_owned(), all.checkpoint)],
                n: u64::try_from(all.records.len()).unwrap_or(u64::MAX),
                evidence: Vec::new(),
            })
        })
        .await
    }

    /// The graph store, for questions of its own.
    pub fn graph(&self) -> &crate::graph::Graph {
        &self.inner.graph
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, QuestionError> + Send + 'static,
) -> Result<T, QuestionError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| QuestionError::Store { store: "episodes", reason: error.to_string() })?
}
