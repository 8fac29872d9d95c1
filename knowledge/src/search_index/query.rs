//! Asking the index.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use domain::Text;
use eventlog::Position;
use retrieval::curated::Curated;
use retrieval::index::{Expected, Facet, Filter, IndexError, Question, Snippets};
use retrieval::vectors::Embedder;
use tokio_util::sync::CancellationToken;

use super::document::{nanoseconds, texts};
use super::near::{self, Near, NearError};
use super::projection::{Cell, NAME, stamp};
use super::store::{self, Snapshot, Store};
use super::{Hit, SearchAnswer, SearchRequest};
use crate::answer::{self, QuestionError};
use crate::record::{Kind, KnowledgeRecord, RecordId};
use crate::versions;

/// The longest question, in bytes.
pub const MAX_QUESTION_BYTES: usize = 4_096;

/// How far a list can be paged through.
pub const MAX_OFFSET: usize = 100_000;

/// The most assets of a class that a filter names.
const MAX_CLASS_ASSETS: usize = 10_000;

/// Searches the index. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndex {
    cell: Arc<Cell>,
    near: Arc<OnceLock<Near>>,
}

/// What is known about the words of a question besides the index.
#[derive(Default)]
pub(crate) struct Hints {
    /// What coding makes of them.
    pub expected: Expected,
    /// The words of the plant that mean the same.
    pub curated: Arc<Curated>,
}

impl SearchIndex {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        Self { cell, near: Arc::default() }
    }

    /// The first position that is not applied. What is before it is found after [`show`](Self::show), and soon without it: a search for the newest may miss what came within the last second.
    pub fn checkpoint(&self) -> Position {
        self.store().applied()
    }

    /// Lets searches find everything up to a position that is applied.
    ///
    /// # Errors
    /// [`QuestionError::Store`].
    pub async fn show(&self, position: Position) -> Result<(), QuestionError> {
        let store = self.store();
        if position < store.visible() {
            return Ok(());
        }
        tokio::task::spawn_blocking(move || store.show_all(&stamp())).await.map_err(failed)?.map_err(failed)
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.cell.store.read())
    }

    /// Searches, or lists the newest where there are no words.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn search(&self, request: SearchRequest) -> Result<SearchAnswer, QuestionError> {
        self.search_with(request, |_, _| Hints::default()).await
    }

    /// Searches, and takes into account what `hints` knows, as of a position (now, without one), about the words that are searched for.
    pub(crate) async fn search_with(
        &self,
        request: SearchRequest,
        hints: impl FnOnce(Option<Position>, &str) -> Hints + Send + 'static,
    ) -> Result<SearchAnswer, QuestionError> {
        let (store, near) = (self.store(), Arc::clone(&self.near));
        tokio::task::spawn_blocking(move || search(&store, near.get(), &request, hints)).await.map_err(failed)?
    }

    /// Finds by meaning, too, from now on: vectors of this model are kept up with the index until `cancel`.
    ///
    /// # Errors
    /// [`NearError`].
    pub(crate) fn follow_meaning(
        &self,
        embedder: Arc<dyn Embedder>,
        file: Option<&Path>,
        weight: f32,
        cancel: CancellationToken,
    ) -> Result<(), NearError> {
        self.near.set(Near::open(embedder, file, weight)?).map_err(|_| NearError::Twice)?;
        tokio::spawn(near::follow(Arc::clone(&self.cell), Arc::clone(&self.near), cancel));
        Ok(())
    }
}

/// Every version that passes the filters of a request, in no order.
pub(crate) struct All {
    /// The last position that was taken into account.
    pub as_of: Option<Position>,
    /// The first position that the index does not hold.
    pub checkpoint: Position,
    /// The records.
    pub records: Vec<KnowledgeRecord>,
}

/// The most records that a statistic reads; a question that would need more has to be narrowed.
pub(crate) const MAX_STATISTIC_RECORDS: usize = 200_000;

impl SearchIndex {
    /// Every record that passes the filters; words, limit and cursor do not count.
    pub(crate) async fn all(&self, request: SearchRequest) -> Result<All, QuestionError> {
        let store = self.store();
        tokio::task::spawn_blocking(move || all(&store, &request)).await.map_err(failed)?
    }
}

fn all(store: &Store, request: &SearchRequest) -> Result<All, QuestionError> {
    let (snapshot, as_of) = at(store, request.as_of)?;
    let mut records = Vec::new();
    if let Some(position) = as_of {
        let filter = filter(&snapshot, position, request)?;
        let bodies = snapshot.view.all(&filter, MAX_STATISTIC_RECORDS).map_err(broken)?.map_err(|found| {
            let reason =
                format!("it covers {found} records, more than {MAX_STATISTIC_RECORDS}; narrow it by asset or time");
            QuestionError::Invalid { field: "scope", reason }
        })?;
        records = bodies.iter().map(|body| versions::decode(body)).collect::<Result<_, _>>().map_err(failed)?;
    }
    Ok(All { as_of, checkpoint: snapshot.visible, records })
}

/// What readers see, and the position that the answer stands for. What is pending is committed first where a position is asked for that needs it.
fn at(store: &Store, asked: Option<Position>) -> Result<(Snapshot, Option<Position>), QuestionError> {
    match asked {
        None => store.show_recent(&stamp()).map_err(failed)?,
        Some(asked) if asked >= store.visible() => store.show_all(&stamp()).map_err(failed)?,
        Some(_) => {}
    }
    let snapshot = store.snapshot();
    let as_of = snapshot.visible.previous().map(|newest| asked.map_or(newest, |asked| asked.min(newest)));
    Ok((snapshot, as_of))
}

fn failed(reason: impl ToString) -> QuestionError {
    QuestionError::Store { store: NAME, reason: reason.to_string() }
}

fn broken(error: IndexError) -> QuestionError {
    failed(store::text(error))
}

fn invalid(field: &'static str, reason: impl Into<String>) -> QuestionError {
    QuestionError::Invalid { field, reason: reason.into() }
}

fn search(
    store: &Store,
    near: Option<&Near>,
    request: &SearchRequest,
    hints: impl FnOnce(Option<Position>, &str) -> Hints,
) -> Result<SearchAnswer, QuestionError> {
    let asked_words = request.q.as_deref().map(str::trim).filter(|words| !words.is_empty());
    if asked_words.is_some_and(|words| words.len() > MAX_QUESTION_BYTES) {
        return Err(invalid("q", "it is longer than 4096 bytes"));
    }
    let cursor = request.cursor.as_deref().map(read_cursor).transpose()?;
    let limit = answer::limit(request.limit);
    let offset = cursor.map_or(0, |(_, offset)| offset);
    let asked = cursor.map(|(as_of, _)| as_of).or(request.as_of);
    let (snapshot, as_of) = at(store, asked)?;
    let Some(position) = as_of else { return Ok(SearchAnswer { as_of, ..SearchAnswer::default() }) };
    let like = request.similar.as_ref().map(|id| told(&snapshot, position, id)).transpose()?;
    let words = match (asked_words, &like) {
        (Some(words), Some(like)) => Some(format!("{words} {like}")),
        (Some(words), None) => Some(words.to_owned()),
        (None, like) => like.clone(),
    };
    let Hints { expected, curated } = words.as_deref().map(|text| hints(asked, text)).unwrap_or_default();
    let meant = words.as_deref().zip(near).and_then(|(text, near)| near.to(text, newest_or(&snapshot, position)));
    let (meaning, near, weights) = match meant {
        Some(meant) => (Some(meant.meaning), meant.near, Some(meant.weights)),
        None => (None, Vec::new(), None),
    };
    let question = words.as_deref().map(|text| Question {
        text,
        expected,
        near,
        weights,
        curated: Some(&curated),
        except: request.similar.as_ref().map(RecordId::as_str),
    });
    let filter = filter(&snapshot, position, request)?;
    let found = snapshot.view.search(&filter, question.as_ref(), (offset, limit), &request.facets).map_err(broken)?;
    let more = offset + found.hits.len() < found.total && offset + limit < MAX_OFFSET;
    let next_cursor = (more && !found.hits.is_empty()).then(|| format!("{position}.{}", offset + limit));
    let snippets = words.as_deref().map(|words| Snippets::new(&snapshot.view, words, Some(&curated)));
    let mut items = Vec::with_capacity(found.hits.len());
    for hit in found.hits {
        let record = versions::decode(&hit.body).map_err(failed)?;
        let snippet = snippets.as_ref().map_or_else(Text::default, |snippets| marked(snippets, &record));
        items.push(Hit { score: hit.score, snippet, record });
    }
    let facets = found.facets.into_iter().map(|(facet, counts)| (facet.to_owned(), counts)).collect();
    let total = u64::try_from(found.total).unwrap_or(u64::MAX);
    let words = question.map(|_| curated.version()).unwrap_or_default();
    Ok(SearchAnswer { items, next_cursor, total, facets, as_of, words, meaning })
}

/// What a record said at the position: what others are to be like.
fn told(snapshot: &Snapshot, position: Position, id: &RecordId) -> Result<String, QuestionError> {
    let known = snapshot.view.version_of(id.as_str(), newest_or(snapshot, position)).map_err(broken)?;
    let Some(body) = known else {
        return Err(QuestionError::NotFound { kind: "record", id: id.to_string() });
    };
    let record = versions::decode(&body).map_err(failed)?;
    let mut told = texts(&record).join(" ");
    told.truncate(told.floor_char_boundary(MAX_QUESTION_BYTES));
    Ok(told)
}

/// The position as the index takes it: the newest one needs no ranges.
fn newest_or(snapshot: &Snapshot, position: Position) -> u64 {
    if position.next() == snapshot.visible { u64::MAX } else { position.get() }
}

fn read_cursor(cursor: &str) -> Result<(Position, usize), QuestionError> {
    let parts =
        cursor.split_once('.').and_then(|(position, offset)| Some((position.parse().ok()?, offset.parse().ok()?)));
    match parts {
        Some((position, offset)) if offset < MAX_OFFSET => Ok((Position::new(position), offset)),
        _ => Err(invalid("cursor", "it is not one that a page gave out")),
    }
}

fn filter(snapshot: &Snapshot, position: Position, request: &SearchRequest) -> Result<Filter, QuestionError> {
    let mut filter = Filter {
        position: newest_or(snapshot, position),
        facets: Vec::new(),
        from_ns: request.from.map(nanoseconds),
        to_ns: request.to.map(nanoseconds),
    };
    let mut one = |facet, value: Option<&str>| {
        if let Some(value) = value {
            filter.facets.push((facet, vec![value.to_owned()]));
        }
    };
    one(Facet::Base, request.base.map(|base| base.as_str()));
    one(Facet::Kind, request.kind.map(|kind| kind.as_str()));
    one(Facet::Asset, request.asset.as_deref());
    one(Facet::Mode, request.mode.as_deref());
    one(Facet::Item, request.item.as_deref());
    if let Some(class) = &request.class {
        filter.facets.push((Facet::Asset, assets_of(snapshot, filter.position, class)?));
    }
    Ok(filter)
}

/// The assets of a class: what belongs to it is found through its assets, which may be registered later.
fn assets_of(snapshot: &Snapshot, position: u64, class: &str) -> Result<Vec<String>, QuestionError> {
    let facets = vec![(Facet::Kind, vec![Kind::Asset.as_str().to_owned()]), (Facet::Class, vec![class.to_owned()])];
    let filter = Filter { position, facets, ..Filter::default() };
    let bodies = snapshot
        .view
        .all(&filter, MAX_CLASS_ASSETS)
        .map_err(broken)?
        .map_err(|found| invalid("class", format!("it has {found} assets, more than {MAX_CLASS_ASSETS}")))?;
    let mut assets = Vec::with_capacity(bodies.len());
    for body in bodies {
        assets.extend(versions::decode(&body).map_err(failed)?.asset);
    }
    Ok(assets)
}

fn marked(snippets: &Snippets, record: &KnowledgeRecord) -> Text {
    let zh = record.text.zh.as_deref().or(record.title.zh.as_deref());
    let en = record.text.en.as_deref().or(record.title.en.as_deref());
    Text { zh: zh.map(|text| snippets.zh(text)), en: en.map(|text| snippets.en(text)) }
}
