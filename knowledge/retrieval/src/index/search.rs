//! Asking the index.
//!
//! **First**, words and what means the same, codes, character n-grams and sounds of rare kinds gather the candidates, by BM25. **Then** the best of them
//! are judged again, each by five lists: words (the best alternative of each counts), character n-grams by BM25 and by the cosine of their sets, sounds,
//! and how many of the question's words a document has. The lists are scaled to their best entry and added with weights that depend on the kind of
//! question; docs/evaluation.md has the figures by which they were chosen, and why not by reciprocal rank.

use std::collections::HashMap;
use std::ops::Bound;

use tantivy::collector::{Count, TopDocs};
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{AllQuery, BooleanQuery, ConstScoreQuery, Occur, Query, RangeQuery, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Order, SegmentReader, Term};

use super::facets::{self, CountFacets, FacetCounts};
use super::fields::{OPEN, VALID_FROM, VALID_TO};
use super::gather::Statistics;
use super::rank::Judging;
use super::store::View;
use super::words::Words;
use super::{Facet, Filter, IndexError};
use crate::curated::Curated;
use crate::terms;

/// How many candidates are judged again.
pub(super) const JUDGED: usize = 200;

/// The most values of a facet that are counted in an answer.
const FACET_VALUES: usize = 50;

/// What each list is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Words by BM25.
    pub words: f32,
    /// Character n-grams by BM25.
    pub grams: f32,
    /// Character n-grams by the cosine of their sets: how rare they are says nothing, and what a document has beside them counts against it.
    pub likeness: f32,
    /// Syllables by BM25.
    pub sounds: f32,
    /// The share of the question's words that are there, by rarity.
    pub coverage: f32,
    /// A document that has every word of the question.
    pub complete: f32,
    /// What is expected of the thing (see [`Question::expected`]).
    pub expected: f32,
    /// How near the meaning is (see [`Question::near`]).
    pub near: f32,
}

impl Weights {
    /// The weights for a question, by its kind.
    pub fn of(question: &str) -> Self {
        if question.chars().any(terms::is_han) {
            Self {
                words: 0.3,
                grams: 0.5,
                likeness: 1.0,
                sounds: 0.2,
                coverage: 0.3,
                complete: 0.3,
                expected: 3.0,
                near: 0.0,
            }
        } else {
            Self {
                words: 0.2,
                grams: 0.1,
                likeness: 1.2,
                sounds: 0.0,
                coverage: 0.4,
                complete: 0.2,
                expected: 3.0,
                near: 0.0,
            }
        }
    }
}

/// For each facet, the values that a good answer probably has, with their probabilities.
pub type Expected = Vec<(Facet, Vec<(String, f32)>)>;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// Words, codes, or both.
    pub text: &'a str,
    /// What coding makes of the text.
    pub expected: Expected,
    /// Versions whose meaning is near, by their [keys](super::Document::key), with how near each is; those that the filter leaves out do not count.
    pub near: Vec<(String, f32)>,
    /// Words of the plant that mean the same.
    pub curated: Option<&'a Curated>,
    /// What each list is worth; by the kind of question, when absent.
    pub weights: Option<Weights>,
    /// A thing that is left out: the one that others are to be like.
    pub except: Option<&'a str>,
}

impl Question<'_> {
    pub(super) fn weights(&self) -> Weights {
        self.weights.unwrap_or_else(|| Weights::of(self.text))
    }
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// How well it fits; comparable within one answer only, 0 in a list without words.
    pub score: f32,
    /// Its body.
    pub body: Vec<u8>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The hits, the best first.
    pub hits: Vec<Hit>,
    /// How many documents fit in all.
    pub total: usize,
    /// Counts of the facets that were asked for.
    pub facets: FacetCounts,
}

pub(super) fn exact(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
}

/// Whether the position is the newest: then the valid versions are those without an end.
fn is_newest(position: u64) -> bool {
    position >= OPEN - 1
}

fn must(query: Box<dyn Query>) -> (Occur, Box<dyn Query>) {
    (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)))
}

impl View {
    /// Searches, or lists the newest where there is no question.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn search(
        &self,
        filter: &Filter,
        question: Option<&Question<'_>>,
        (offset, limit): (usize, usize),
        counted: &[Facet],
    ) -> Result<Found, IndexError> {
        let words = question.map(|question| Words::of(question.text, question.curated));
        let statistics = Statistics::new(&self.searcher);
        let asked = match &words {
            Some(words) => {
                let asked = words.concepts.iter().map(|concept| self.asked(concept, &statistics));
                asked.collect::<Result<Vec<_>, _>>()?
            }
            None => Vec::new(),
        };
        let mut clauses = self.selected(filter);
        if let Some(id) = question.and_then(|question| question.except) {
            clauses.push((Occur::MustNot, exact(self.fields.id, id)));
        }
        let newest = is_newest(filter.position);
        if words.is_none() || !newest {
            clauses.extend(self.valid(filter.position));
        }
        match &words {
            Some(words) => clauses.push((Occur::Must, self.gathering(words, &asked, &statistics, newest)?)),
            None if clauses.is_empty() => clauses.push((Occur::Must, Box::new(AllQuery))),
            None => {}
        }
        let near = match question {
            // What is worth nothing is not looked up.
            Some(question) if question.weights().near > 0.0 => {
                self.named(&question.near, &BooleanQuery::new(self.filters_for(filter, question)))?
            }
            _ => HashMap::new(),
        };
        let query = BooleanQuery::new(clauses);
        let (ranked, total, facets) = match (question, &words) {
            (Some(question), Some(words)) => {
                let top = TopDocs::with_limit((offset + limit).max(JUDGED)).order_by_score();
                let collected = (top, Count, CountFacets(counted));
                let (gathered, total, facets) =
                    self.searcher.search_with_statistics_provider(&query, &collected, &statistics)?;
                let lexical = self.fitting(near.keys().copied(), &query)?;
                let total = total + near.len() - lexical;
                let by = Judging { words, asked: &asked, statistics: &statistics };
                (self.judged(gathered, &near, question, &by)?, total, facets)
            }
            _ => {
                let newest = TopDocs::with_limit(offset + limit).order_by_fast_field::<i64>("time_ns", Order::Desc);
                let (found, total, facets) = self.searcher.search(&query, &(newest, Count, CountFacets(counted)))?;
                (found.into_iter().map(|(_, address)| (0.0, address)).collect(), total, facets)
            }
        };
        let page = ranked.into_iter().skip(offset).take(limit);
        let hits = page.map(|(score, address)| Ok(Hit { score, body: self.body(address)? }));
        let facets = facets::ranked(facets, FACET_VALUES);
        Ok(Found { hits: hits.collect::<Result<_, IndexError>>()?, total, facets })
    }

    /// The filter, without what the question leaves out.
    fn filters_for(&self, filter: &Filter, question: &Question<'_>) -> Vec<(Occur, Box<dyn Query>)> {
        let mut clauses = self.filters(filter);
        if let Some(id) = question.except {
            clauses.push((Occur::MustNot, exact(self.fields.id, id)));
        }
        clauses
    }

    /// The bodies of every document that passes the filter, or how many there are where that is more than `most`.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn all(&self, filter: &Filter, most: usize) -> Result<Result<Vec<Vec<u8>>, usize>, IndexError> {
        self.bodies_of(&BooleanQuery::new(self.filters(filter)), most)
    }

    fn filters(&self, filter: &Filter) -> Vec<(Occur, Box<dyn Query>)> {
        self.valid(filter.position).into_iter().chain(self.selected(filter)).collect()
    }

    /// The filter without its position.
    fn selected(&self, filter: &Filter) -> Vec<(Occur, Box<dyn Query>)> {
        let fields = &self.fields;
        let mut clauses = Vec::new();
        for (facet, values) in &filter.facets {
            let field = fields.facet(*facet);
            clauses.push(must(match values.as_slice() {
                [one] => exact(field, one),
                many => Box::new(TermSetQuery::new(many.iter().map(|value| Term::from_field_text(field, value)))),
            }));
        }
        if filter.from_ns.is_some() || filter.to_ns.is_some() {
            let term = |time| Term::from_field_i64(fields.time_ns, time);
            let low = Bound::Included(term(filter.from_ns.unwrap_or(i64::MIN)));
            let high = filter.to_ns.map_or_else(|| Bound::Included(term(i64::MAX)), |to| Bound::Excluded(term(to)));
            clauses.push(must(Box::new(RangeQuery::new(low, high))));
        }
        clauses
    }

    /// The bodies of the versions that began or ended from `from` on and before `through`, in no order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn changed(&self, from: u64, through: u64) -> Result<Vec<Vec<u8>>, IndexError> {
        let fields = &self.fields;
        let within = |field| -> (Occur, Box<dyn Query>) {
            let term = |position| Term::from_field_u64(field, position);
            let stretch = RangeQuery::new(Bound::Included(term(from)), Bound::Excluded(term(through)));
            (Occur::Should, Box::new(stretch))
        };
        let query = BooleanQuery::new(vec![within(fields.valid_from), within(fields.valid_to)]);
        Ok(self.bodies_of(&query, usize::MAX)?.unwrap_or_default())
    }

    /// Only versions that were valid at the position.
    pub(super) fn valid(&self, position: u64) -> Vec<(Occur, Box<dyn Query>)> {
        if is_newest(position) {
            // At the newest position the valid versions are the open ones, which one posting list holds.
            return vec![must(Box::new(self.fields.open()))];
        }
        // Looked at document by document: a range would be scanned through all of them.
        let valid = FunctionPredicate::from(move |segment: &SegmentReader| {
            let (from, to) = (segment.fast_fields().u64(VALID_FROM)?, segment.fast_fields().u64(VALID_TO)?);
            Ok(move |document: DocId| {
                from.first(document).is_some_and(|from| from <= position)
                    && to.first(document).is_some_and(|to| position < to)
            })
        });
        vec![must(Box::new(DocPredicateQuery::from(valid)))]
    }
}
