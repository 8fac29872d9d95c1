//! Asking the index.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use domain::Text;
use eventlog::Position;
use tantivy::collector::{Count, DocSetCollector, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, Occur, Query, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::snippet::SnippetGenerator;
use tantivy::tokenizer::{TextAnalyzer, Token};
use tantivy::{DocAddress, Order, TantivyDocument, Term};

use super::fields::{OPEN, nanoseconds};
use super::projection::{Cell, NAME, VERSION};
use super::store::{Snapshot, Store};
use super::{Hit, SearchAnswer, SearchRequest};
use crate::answer::{self, QuestionError};
use crate::record::{Kind, KnowledgeRecord};
use crate::terms::{self, Terms};

/// The longest question, in bytes.
pub const MAX_QUESTION_BYTES: usize = 4_096;

/// How far a list can be paged through.
pub const MAX_OFFSET: usize = 100_000;

/// The most assets of a class that a filter names.
const MAX_CLASS_ASSETS: usize = 10_000;

/// The most characters of a snippet.
const SNIPPET_CHARS: usize = 200;

/// A code that is named in full beats any number of like words.
const CODE_BOOST: f32 = 8.0;
const LABEL_BOOST: f32 = 0.5;
const GRAM_BOOST: f32 = 0.15;

/// The share of a word's n-grams that must be there.
const GRAM_SHARE_PERCENT: usize = 40;

/// The shortest word that typos are sought for, in n-grams.
const MIN_GRAMS: usize = 2;

/// Searches the index. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndex {
    cell: Arc<Cell>,
}

impl SearchIndex {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        Self { cell }
    }

    /// The first position that is not applied. Everything before it is found by the next search: a search commits what is pending first.
    pub fn checkpoint(&self) -> Position {
        self.store().applied()
    }

    fn store(&self) -> Arc<Store> {
        Arc::clone(&self.cell.0.read())
    }

    /// Searches, or lists the newest where there are no words.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub async fn search(&self, request: SearchRequest) -> Result<SearchAnswer, QuestionError> {
        let store = self.store();
        tokio::task::spawn_blocking(move || search(&store, &request)).await.map_err(failed)?
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
        let asking = Asking { store, snapshot: &snapshot, position };
        let query = asking.query(request, None)?;
        let found = snapshot.searcher.search(&query, &DocSetCollector).map_err(failed)?;
        if found.len() > MAX_STATISTIC_RECORDS {
            let reason = format!(
                "it covers {} records, more than {MAX_STATISTIC_RECORDS}; narrow it by asset or time",
                found.len()
            );
            return Err(QuestionError::Invalid { field: "scope", reason });
        }
        // Documents of one block are read together.
        let mut found: Vec<DocAddress> = found.into_iter().collect();
        found.sort_unstable();
        for address in found {
            let document: TantivyDocument = snapshot.searcher.doc(address).map_err(failed)?;
            records.push(store.record(&document).map_err(failed)?);
        }
    }
    Ok(All { as_of, checkpoint: snapshot.visible, records })
}

/// What readers see, and the position that the answer stands for. What is pending is committed first, unless the answer does not need it.
fn at(store: &Store, asked: Option<Position>) -> Result<(Snapshot, Option<Position>), QuestionError> {
    if asked.is_none_or(|asked| asked >= store.visible()) {
        store.show_all(VERSION).map_err(failed)?;
    }
    let snapshot = store.snapshot();
    let as_of = snapshot.visible.previous().map(|newest| asked.map_or(newest, |asked| asked.min(newest)));
    Ok((snapshot, as_of))
}

fn failed(reason: impl ToString) -> QuestionError {
    QuestionError::Store { store: NAME, reason: reason.to_string() }
}

fn invalid(field: &'static str, reason: &str) -> QuestionError {
    QuestionError::Invalid { field, reason: reason.to_owned() }
}

fn search(store: &Store, request: &SearchRequest) -> Result<SearchAnswer, QuestionError> {
    let words = request.q.as_deref().map(str::trim).filter(|words| !words.is_empty());
    if words.is_some_and(|words| words.len() > MAX_QUESTION_BYTES) {
        return Err(invalid("q", "it is longer than 4096 bytes"));
    }
    let cursor = request.cursor.as_deref().map(read_cursor).transpose()?;
    let limit = answer::limit(request.limit);
    let offset = cursor.map_or(0, |(_, offset)| offset);
    let asked = cursor.map(|(as_of, _)| as_of).or(request.as_of);
    let (snapshot, as_of) = at(store, asked)?;
    let Some(position) = as_of else {
        return Ok(SearchAnswer { items: Vec::new(), next_cursor: None, total: 0, as_of });
    };
    let asking = Asking { store, snapshot: &snapshot, position };
    let query = asking.query(request, words)?;
    let (found, total) = asking.collect(&query, words.is_some(), offset, limit)?;
    let more = offset + found.len() < total && offset + limit < MAX_OFFSET;
    let next_cursor = (more && !found.is_empty()).then(|| format!("{position}.{}", offset + limit));
    let snippets = words.map(|words| Snippets::new(store, words));
    let mut items = Vec::with_capacity(found.len());
    for (score, address) in found {
        let document: TantivyDocument = snapshot.searcher.doc(address).map_err(failed)?;
        let record = store.record(&document).map_err(failed)?;
        let snippet = snippets.as_ref().map_or_else(Text::default, |snippets| snippets.of(&record));
        items.push(Hit { score, snippet, record });
    }
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    Ok(SearchAnswer { items, next_cursor, total, as_of })
}

fn read_cursor(cursor: &str) -> Result<(Position, usize), QuestionError> {
    let parts =
        cursor.split_once('.').and_then(|(position, offset)| Some((position.parse().ok()?, offset.parse().ok()?)));
    match parts {
        Some((position, offset)) if offset < MAX_OFFSET => Ok((Position::new(position), offset)),
        _ => Err(invalid("cursor", "it is not one that a page gave out")),
    }
}

struct Asking<'a> {
    store: &'a Store,
    snapshot: &'a Snapshot,
    position: Position,
}

type Clause = (Occur, Box<dyn Query>);

impl Asking<'_> {
    fn query(&self, request: &SearchRequest, words: Option<&str>) -> Result<BooleanQuery, QuestionError> {
        let fields = &self.store.fields;
        let mut clauses: Vec<Clause> = self.valid();
        if let Some(base) = request.base {
            clauses.push(must(exact(fields.base, base.as_str())));
        }
        if let Some(kind) = request.kind {
            clauses.push(must(exact(fields.kind, kind.as_str())));
        }
        if let Some(asset) = &request.asset {
            clauses.push(must(exact(fields.asset, asset)));
        }
        if let Some(class) = &request.class {
            let assets = self.assets_of(class)?;
            let terms = assets.iter().map(|asset| Term::from_field_text(fields.asset, asset));
            clauses.push(must(Box::new(TermSetQuery::new(terms))));
        }
        if request.from.is_some() || request.to.is_some() {
            let term = |time| Term::from_field_i64(fields.event_time_ns, nanoseconds(time));
            let low =
                request.from.map_or(Bound::Included(Term::from_field_i64(fields.event_time_ns, i64::MIN)), |time| {
                    Bound::Included(term(time))
                });
            let high =
                request.to.map_or(Bound::Included(Term::from_field_i64(fields.event_time_ns, i64::MAX)), |time| {
                    Bound::Excluded(term(time))
                });
            clauses.push(must(Box::new(RangeQuery::new(low, high))));
        }
        let meaning: Box<dyn Query> = match words {
            Some(words) => self.meaning(words),
            None => Box::new(AllQuery),
        };
        clauses.push((Occur::Must, meaning));
        Ok(BooleanQuery::new(clauses))
    }

    /// Only versions that were valid at the position.
    fn valid(&self) -> Vec<Clause> {
        let fields = &self.store.fields;
        if self.position.next() == self.snapshot.visible {
            // At the newest position the valid versions are the open ones, which one posting list holds.
            let open = TermQuery::new(Term::from_field_u64(fields.valid_to, OPEN), IndexRecordOption::Basic);
            return vec![must(Box::new(open))];
        }
        let position = self.position.get();
        let from = Term::from_field_u64(fields.valid_from, position);
        let to = Term::from_field_u64(fields.valid_to, position);
        let first = Term::from_field_u64(fields.valid_from, 0);
        let last = Term::from_field_u64(fields.valid_to, OPEN);
        vec![
            must(Box::new(RangeQuery::new(Bound::Included(first), Bound::Included(from)))),
            must(Box::new(RangeQuery::new(Bound::Excluded(to), Bound::Included(last)))),
        ]
    }

    fn assets_of(&self, class: &str) -> Result<Vec<String>, QuestionError> {
        let fields = &self.store.fields;
        let mut clauses = self.valid();
        clauses.push(must(exact(fields.kind, Kind::Asset.as_str())));
        clauses.push(must(exact(fields.class, class)));
        let query = BooleanQuery::new(clauses);
        let found = self
            .snapshot
            .searcher
            .search(&query, &TopDocs::with_limit(MAX_CLASS_ASSETS).order_by_score())
            .map_err(failed)?;
        let mut assets = Vec::with_capacity(found.len());
        for (_, address) in found {
            let document: TantivyDocument = self.snapshot.searcher.doc(address).map_err(failed)?;
            assets.extend(self.store.record(&document).map_err(failed)?.asset);
        }
        Ok(assets)
    }

    /// Words, codes and n-grams: a version fits when it has at least one of them.
    fn meaning(&self, words: &str) -> Box<dyn Query> {
        let fields = &self.store.fields;
        let mut clauses: Vec<Clause> = Vec::new();
        let mut codes = terms::codes(words);
        codes.push(words.to_lowercase());
        codes.dedup();
        for code in codes {
            let named = Box::new(ConstScoreQuery::new(exact(fields.codes, &code), CODE_BOOST));
            clauses.push((Occur::Should, named));
        }
        for word in distinct(terms::zh(words)) {
            clauses.push((Occur::Should, scored(fields.zh, &word)));
        }
        for word in distinct(terms::en(words)) {
            clauses.push((Occur::Should, scored(fields.en, &word)));
            clauses.push((Occur::Should, Box::new(BoostQuery::new(scored(fields.labels, &word), LABEL_BOOST))));
        }
        clauses.extend(self.alike(words));
        if clauses.is_empty() { Box::new(EmptyQuery) } else { Box::new(BooleanQuery::new(clauses)) }
    }

    /// One clause for each word: enough of its n-grams.
    fn alike(&self, words: &str) -> Vec<Clause> {
        let separate = |character: char| !character.is_alphanumeric();
        let mut clauses: Vec<Clause> = Vec::new();
        for word in words.split(separate).filter(|word| !word.is_empty()).take(terms::MAX_QUESTION_TERMS) {
            let grams = distinct(terms::grams(word));
            if grams.len() < MIN_GRAMS {
                continue;
            }
            let needed = (grams.len() * GRAM_SHARE_PERCENT).div_ceil(100).max(1);
            let parts = grams.iter().map(|gram| (Occur::Should, scored(self.store.fields.grams, gram))).collect();
            let enough = BooleanQuery::with_minimum_required_clauses(parts, needed);
            clauses.push((Occur::Should, Box::new(BoostQuery::new(Box::new(enough), GRAM_BOOST))));
        }
        clauses
    }

    fn collect(
        &self,
        query: &BooleanQuery,
        ranked: bool,
        offset: usize,
        limit: usize,
    ) -> Result<(Vec<(f32, DocAddress)>, usize), QuestionError> {
        let top = TopDocs::with_limit(limit).and_offset(offset);
        let searcher = &self.snapshot.searcher;
        if ranked {
            return searcher.search(query, &(top.order_by_score(), Count)).map_err(failed);
        }
        let newest = top.order_by_fast_field::<i64>("event_time_ns", Order::Desc);
        let (found, total) = searcher.search(query, &(newest, Count)).map_err(failed)?;
        Ok((found.into_iter().map(|(_, address)| (0.0, address)).collect(), total))
    }
}

fn must(query: Box<dyn Query>) -> Clause {
    (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)))
}

fn exact(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
}

fn scored(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
}

fn distinct(tokens: Vec<Token>) -> Vec<String> {
    let mut words: Vec<String> = tokens.into_iter().map(|token| token.text).collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(terms::MAX_QUESTION_TERMS);
    words
}

struct Snippets {
    zh: SnippetGenerator,
    en: SnippetGenerator,
}

impl Snippets {
    fn new(store: &Store, words: &str) -> Self {
        let make = |field, cut: fn(&str) -> Vec<Token>| {
            let terms: BTreeMap<String, f32> = distinct(cut(words)).into_iter().map(|word| (word, 1.0)).collect();
            SnippetGenerator::new(terms, TextAnalyzer::from(Terms(cut)), field, SNIPPET_CHARS)
        };
        Self { zh: make(store.fields.zh, terms::zh), en: make(store.fields.en, terms::en) }
    }

    fn of(&self, record: &KnowledgeRecord) -> Text {
        let part = |generator: &SnippetGenerator, text: &Option<String>, title: &Option<String>| {
            let text = text.as_deref().or(title.as_deref())?;
            let text = terms::bounded(text);
            let snippet = generator.snippet(text);
            Some(if snippet.is_empty() { escaped(text) } else { snippet.to_html() })
        };
        Text {
            zh: part(&self.zh, &record.text.zh, &record.title.zh),
            en: part(&self.en, &record.text.en, &record.title.en),
        }
    }
}

/// The beginning of a text, safe in HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars().take(SNIPPET_CHARS) {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(character),
        }
    }
    safe
}
