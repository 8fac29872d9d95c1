//! Gathering: which documents share enough of a question to be judged.
//!
//! What is common says next to nothing and costs most: its posting list is as long as the index is large. So words and n-grams are read from the rarest
//! on, as far as their posting lists together are no longer than [`MOST_WORD_POSTINGS`], [`MOST_GRAM_POSTINGS`] and [`MOST_SOUND_POSTINGS`]. What is
//! commoner gathers nothing, and counts when the candidates are judged. An index of some ten thousand documents is gathered from by everything.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, EnableScoring,
    Explanation, FuzzyTermQuery, Occur, Query, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, Term};

use super::IndexError;
use super::fields::Fields;
use super::search::exact;
use super::store::View;
use super::words::{Concept, Words};

/// How long the posting lists that are read for one question may be in all: of words, of n-grams and of sounds.
const MOST_WORD_POSTINGS: u64 = 200_000;
const MOST_GRAM_POSTINGS: u64 = 200_000;
const MOST_SOUND_POSTINGS: u64 = 100_000;

/// A code that is named in full beats any number of like words.
pub(super) const CODE_SCORE: f32 = 10.0;

/// What the words of codes are worth beside the words of texts.
const LABEL_SHARE: f32 = 0.5;

/// What a word that is spelt nearly the same is worth.
const TYPO_SHARE: f32 = 0.6;

/// The most known words that a misspelt one is taken for.
const MAX_CORRECTIONS: usize = 4;

/// The shortest word that typos are sought for, and the shortest one with two of them, in characters.
const TYPO_CHARS: usize = 4;
const TWO_TYPOS_CHARS: usize = 8;

/// The share of n-grams that a candidate must have, in percent; of Chinese ones, which are short and many; and of sounds.
const GATHER_LOOKS: usize = 40;
const GATHER_LOOKS_HAN: usize = 5;
const GATHER_HEARD: usize = 30;

/// What n-grams and sounds add when candidates are gathered.
const GATHER_GRAMS: f32 = 0.1;
const GATHER_SOUNDS: f32 = 0.3;

/// Statistics of the whole index, each looked up once a question: every term is asked for several times.
pub(super) struct Statistics<'a> {
    searcher: &'a Searcher,
    frequencies: RefCell<HashMap<Term, u64>>,
    tokens: RefCell<HashMap<Field, u64>>,
}

impl<'a> Statistics<'a> {
    pub fn new(searcher: &'a Searcher) -> Self {
        Self { searcher, frequencies: RefCell::default(), tokens: RefCell::default() }
    }

    pub fn scoring(&self) -> EnableScoring<'_> {
        EnableScoring::enabled_from_statistics_provider(self, self.searcher)
    }
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        if let Some(known) = self.tokens.borrow().get(&field) {
            return Ok(*known);
        }
        let tokens = self.searcher.total_num_tokens(field)?;
        self.tokens.borrow_mut().insert(field, tokens);
        Ok(tokens)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.searcher.total_num_docs()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        if let Some(known) = self.frequencies.borrow().get(term) {
            return Ok(*known);
        }
        let frequency = self.searcher.doc_freq(term)?;
        self.frequencies.borrow_mut().insert(term.clone(), frequency);
        Ok(frequency)
    }
}

/// One way to say a word of the question, in terms of the index, all of which a document must have.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub terms: Vec<Term>,
    pub worth: f32,
}

/// The ways to say one word of the question, the best of which counts.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub ways: Vec<Way>,
    /// How long the posting lists of them are.
    postings: u64,
}

pub(super) fn scored(term: &Term) -> TermQuery {
    TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)
}

fn boosted(query: Box<dyn Query>, share: f32) -> Box<dyn Query> {
    if (share - 1.0).abs() < f32::EPSILON { query } else { Box::new(BoostQuery::new(query, share)) }
}

impl Asked {
    fn query(&self) -> Box<dyn Query> {
        let said = |way: &Way| -> Box<dyn Query> {
            match way.terms.as_slice() {
                [term] => Box::new(scored(term)),
                terms => {
                    Box::new(BooleanQuery::intersection(terms.iter().map(|term| Box::new(scored(term)) as _).collect()))
                }
            }
        };
        Box::new(DisjunctionMaxQuery::new(self.ways.iter().map(|way| boosted(said(way), way.worth)).collect()))
    }
}

/// The rarest of things that cost so many postings, as many as `most` allows; the rarest that is there at all in any case. Of equal ones the first.
fn rarest<T>(mut things: Vec<(u64, T)>, most: u64) -> Vec<T> {
    things.sort_by_key(|(postings, _)| *postings);
    let mut read = 0;
    let affordable = |(postings, _): &(u64, T)| {
        let first = read == 0;
        read += postings;
        first || read <= most
    };
    things.into_iter().take_while(affordable).map(|(_, thing)| thing).collect()
}

impl View {
    /// A document fits when it has at least one word, code, n-gram or sound of the question; of n-grams and sounds enough.
    pub(super) fn gathering(
        &self,
        words: &Words,
        asked: &[Asked],
        statistics: &Statistics<'_>,
    ) -> Result<Box<dyn Query>, IndexError> {
        let fields = &self.fields;
        let mut ways: Vec<Box<dyn Query>> =
            rarest(asked.iter().map(|one| (one.postings, one)).collect(), MOST_WORD_POSTINGS)
                .into_iter()
                .map(Asked::query)
                .collect();
        for code in &words.codes {
            ways.push(Box::new(ConstScoreQuery::new(exact(fields.codes, code), CODE_SCORE)));
        }
        let looks = if words.sounds.is_empty() { GATHER_LOOKS } else { GATHER_LOOKS_HAN };
        for (field, terms, share, most, worth) in [
            (fields.grams, &words.grams, looks, MOST_GRAM_POSTINGS, GATHER_GRAMS),
            (fields.sounds, &words.sounds, GATHER_HEARD, MOST_SOUND_POSTINGS, GATHER_SOUNDS),
        ] {
            let terms = terms.iter().map(|term| Term::from_field_text(field, term));
            let terms = terms
                .map(|term| Ok((statistics.doc_freq(&term)?, term)))
                .collect::<Result<Vec<_>, tantivy::TantivyError>>()?;
            let (all, there) = (terms.len(), terms.iter().filter(|(count, _)| *count > 0).count());
            let terms = rarest(terms, most);
            // What no document has cannot be asked of them when the common ones, which they have, were left out.
            let possible = if terms.len() < all { there.saturating_sub(all - terms.len()) } else { all };
            let needed = (terms.len() * share).div_ceil(100).min(possible).max(1);
            if !terms.is_empty() {
                ways.push(boosted(Box::new(Enough { terms, needed }), worth));
            }
        }
        let ways: Vec<_> = ways.into_iter().map(|way| (Occur::Should, way)).collect();
        Ok(if ways.is_empty() { Box::new(EmptyQuery) } else { Box::new(BooleanQuery::new(ways)) })
    }

    /// The ways to say a word of the question; when the index knows none of them, words that are spelt nearly like it.
    pub(super) fn asked(&self, concept: &Concept, statistics: &Statistics<'_>) -> Result<Asked, IndexError> {
        let fields = &self.fields;
        let mut asked = Asked { ways: Vec::new(), postings: 0 };
        let mut known = false;
        for one in &concept.alternatives {
            let field = if one.han { fields.zh } else { fields.en };
            let terms: Vec<Term> = one.words.iter().map(|word| Term::from_field_text(field, word)).collect();
            let counts = terms.iter().map(|term| statistics.doc_freq(term)).collect::<Result<Vec<u64>, _>>()?;
            known = known || counts.iter().any(|count| *count > 0);
            asked.postings += counts.iter().min().copied().unwrap_or(0);
            asked.ways.push(Way { terms, worth: one.worth });
            if let ([word], false) = (one.words.as_slice(), one.han) {
                let label = Term::from_field_text(fields.labels, word);
                let count = statistics.doc_freq(&label)?;
                known = known || count > 0;
                asked.postings += count;
                asked.ways.push(Way { terms: vec![label], worth: one.worth * LABEL_SHARE });
            }
        }
        if !known && let Some(first) = concept.alternatives.first().filter(|first| !first.han) {
            for word in &first.words {
                for (near, count) in self.corrections(fields, word)? {
                    asked.postings += count;
                    let terms = vec![Term::from_field_text(fields.en, &near)];
                    asked.ways.push(Way { terms, worth: TYPO_SHARE });
                }
            }
        }
        Ok(asked)
    }

    /// Words of the index that are spelt nearly like this one, the most frequent first, each with how many documents have it.
    fn corrections(&self, fields: &Fields, word: &str) -> Result<Vec<(String, u64)>, IndexError> {
        let length = word.chars().count();
        if length < TYPO_CHARS {
            return Ok(Vec::new());
        }
        let typos = if length >= TWO_TYPOS_CHARS { 2 } else { 1 };
        let near = FuzzyTermQuery::new(Term::from_field_text(fields.en, word), typos, true).automaton()?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(fields.en)?;
            let mut found = index.terms().search(&near).into_stream().map_err(tantivy::TantivyError::from)?;
            while found.advance() {
                if let Ok(known) = std::str::from_utf8(found.key()) {
                    *counts.entry(known.to_owned()).or_default() += u64::from(found.value().doc_freq);
                }
            }
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(MAX_CORRECTIONS);
        Ok(counts)
    }
}

/// Documents that have so many of some terms, by BM25. The posting lists are read one after the other: that costs a fraction of moving through all of them
/// side by side, as a Boolean query with a minimum does.
#[derive(Clone, Debug)]
struct Enough {
    terms: Vec<Term>,
    needed: usize,
}

impl Query for Enough {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let terms = self.terms.iter().map(|term| scored(term).weight(scoring)).collect::<tantivy::Result<_>>()?;
        Ok(Box::new(EnoughWeight { terms, needed: self.needed }))
    }
}

/// The tallies that are kept for the next questions, five bytes for each document of the largest segment.
static TALLIES: Mutex<Vec<Tally>> = Mutex::new(Vec::new());
const KEPT_TALLIES: usize = 4;

/// Counts and scores by document, all 0 between two uses: making them anew would cost more than a question's postings. Counts stand apart from scores, since all of them are
/// looked through and most are 0.
#[derive(Default)]
struct Tally {
    counts: Vec<u8>,
    scores: Vec<Score>,
}

/// The counts that are looked at together.
const STRETCH: usize = 64;

impl Tally {
    fn reach(&mut self, documents: usize) {
        if self.counts.len() < documents {
            self.counts.resize(documents, 0);
            self.scores.resize(documents, 0.0);
        }
    }

    fn add(&mut self, document: DocId, score: Score) {
        let at = usize::try_from(document).unwrap_or(usize::MAX);
        if let (Some(count), Some(sum)) = (self.counts.get_mut(at), self.scores.get_mut(at)) {
            *count = count.saturating_add(1);
            *sum += score;
        }
    }

    /// Of so many documents those that were counted so often, with their scores; and everything is 0 again.
    fn take(&mut self, documents: usize, needed: u8, boost: Score) -> Vec<(DocId, Score)> {
        let mut found = Vec::new();
        // A tally that served a larger segment before is longer.
        let counts = self.counts.get_mut(..documents).unwrap_or_default();
        let stretches = counts.chunks_mut(STRETCH).zip(self.scores.chunks_mut(STRETCH));
        for (first, (counts, scores)) in (0..).step_by(STRETCH).zip(stretches) {
            // Most stretches have something, and few of them enough.
            let most = counts.iter().copied().max().unwrap_or(0);
            if most >= needed {
                let there = (first..).zip(&*counts).zip(&*scores).filter(|((_, count), _)| **count >= needed);
                found.extend(there.map(|((document, _), score)| (document, score * boost)));
            }
            if most > 0 {
                counts.fill(0);
                scores.fill(0.0);
            }
        }
        found
    }
}

struct EnoughWeight {
    terms: Vec<Box<dyn Weight>>,
    needed: usize,
}

impl EnoughWeight {
    fn documents(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Vec<(DocId, Score)>> {
        let mut tally = TALLIES.lock().pop().unwrap_or_default();
        let documents = usize::try_from(segment.max_doc()).unwrap_or(usize::MAX);
        tally.reach(documents);
        for term in &self.terms {
            term.for_each(segment, &mut |document, score| tally.add(document, score))?;
        }
        let found = tally.take(documents, u8::try_from(self.needed).unwrap_or(u8::MAX), boost);
        let mut tallies = TALLIES.lock();
        if tallies.len() < KEPT_TALLIES {
            tallies.push(tally);
        }
        Ok(found)
    }
}

impl Weight for EnoughWeight {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(Tallied { documents: self.documents(segment, boost)?, at: 0 }))
    }

    fn explain(&self, segment: &SegmentReader, wanted: DocId) -> tantivy::Result<Explanation> {
        let documents = self.documents(segment, 1.0)?;
        let score = documents.iter().find(|(document, _)| *document == wanted).map_or(0.0, |(_, score)| *score);
        Ok(Explanation::new("the terms that it has, when they are enough", score))
    }
}

/// Documents with their scores, in the order of their numbers.
struct Tallied {
    documents: Vec<(DocId, Score)>,
    at: usize,
}

impl DocSet for Tallied {
    fn advance(&mut self) -> DocId {
        self.at = (self.at + 1).min(self.documents.len());
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let rest = self.documents.get(self.at..).unwrap_or_default();
        self.at += rest.partition_point(|(document, _)| *document < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.documents.get(self.at).map_or(TERMINATED, |(document, _)| *document)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.documents.len()).unwrap_or(u32::MAX)
    }
}

impl Scorer for Tallied {
    fn score(&mut self) -> Score {
        self.documents.get(self.at).map_or(0.0, |(_, score)| *score)
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
