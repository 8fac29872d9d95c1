//! Gathering: which documents share enough of a question to be judged.
//!
//! What is common says next to nothing and costs most: its posting list is as long as the index is large. So words and n-grams are read from the rarest
//! on, as far as their posting lists together are no longer than [`MOST_WORD_POSTINGS`], [`MOST_GRAM_POSTINGS`] and [`MOST_SOUND_POSTINGS`]. What is
//! commoner gathers nothing, and counts when the candidates are judged. An index of some ten thousand documents is gathered from by everything.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EnableScoring, Explanation,
    FuzzyTermQuery, Query, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, Term};

use super::IndexError;
use super::fields::Fields;
use super::open::{OpenVersions, STRETCH};
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
        let mut ways: Vec<Box<dyn Query>> = self.ways.iter().map(|way| boosted(said(way), way.worth)).collect();
        if ways.len() == 1
            && let Some(only) = ways.pop()
        {
            only
        } else {
            Box::new(DisjunctionMaxQuery::new(ways))
        }
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
    /// A document fits when it has at least one word, code, n-gram or sound of the question; of n-grams and sounds enough. For the newest only versions fit that have no end.
    pub(super) fn gathering(
        &self,
        words: &Words,
        asked: &[Asked],
        statistics: &Statistics<'_>,
        newest: bool,
    ) -> Result<Box<dyn Query>, IndexError> {
        let fields = &self.fields;
        let mut any: Vec<Box<dyn Query>> =
            rarest(asked.iter().map(|one| (one.postings, one)).collect(), MOST_WORD_POSTINGS)
                .into_iter()
                .map(Asked::query)
                .collect();
        for code in &words.codes {
            any.push(Box::new(ConstScoreQuery::new(exact(fields.codes, code), CODE_SCORE)));
        }
        let mut enough = Vec::new();
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
            enough.push(Enough { terms, needed, worth });
        }
        Ok(Box::new(Gathered { any: any.into(), enough, only: newest.then(|| Arc::clone(&self.open)) }))
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

/// So many of some terms, and what their scores are worth.
#[derive(Clone, Debug)]
struct Enough {
    terms: Vec<Term>,
    needed: usize,
    worth: f32,
}

/// Documents that fit any of some queries or have enough of some terms, with the sum of the scores. Posting lists are read one after the other: that costs a fraction of moving through
/// all of them side by side, as a Boolean query does.
#[derive(Clone, Debug)]
struct Gathered {
    any: Arc<[Box<dyn Query>]>,
    enough: Vec<Enough>,
    /// Where they are no others: those that have no end.
    only: Option<Arc<OpenVersions>>,
}

impl Query for Gathered {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let any = self.any.iter().map(|query| query.weight(scoring)).collect::<tantivy::Result<_>>()?;
        let enough = self.enough.iter().map(|enough| {
            let terms = enough.terms.iter().map(|term| scored(term).weight(scoring)).collect::<tantivy::Result<_>>()?;
            let needed = u8::try_from(enough.needed).unwrap_or(u8::MAX);
            Ok(EnoughWeight { terms, needed, worth: enough.worth })
        });
        Ok(Box::new(GatheredWeight { any, enough: enough.collect::<tantivy::Result<_>>()?, only: self.only.clone() }))
    }
}

/// The tallies that are kept for the next questions, nine bytes for each document of the largest segment.
static TALLIES: Mutex<Vec<Tally>> = Mutex::new(Vec::new());
const KEPT_TALLIES: usize = 4;

/// Sums by document, [`STRETCH`] of them together, all 0 between two uses: making them anew would cost more than a question's postings.
#[derive(Default)]
struct Tally(Vec<Stretch>);

/// What [`STRETCH`] documents have.
#[derive(Clone)]
struct Stretch {
    /// One bit a document that has a sum, and one that is counted: most stretches have few of them.
    summed: u64,
    counted: u64,
    sums: [Score; STRETCH],
    scores: [Score; STRETCH],
    counts: [u8; STRETCH],
}

impl Stretch {
    const EMPTY: Self =
        Self { summed: 0, counted: 0, sums: [0.0; STRETCH], scores: [0.0; STRETCH], counts: [0; STRETCH] };

    fn add(&mut self, at: usize, score: Score) {
        self.summed |= 1 << at;
        if let Some(sum) = self.sums.get_mut(at) {
            *sum += score;
        }
    }

    fn count(&mut self, at: usize, score: Score) {
        self.counted |= 1 << at;
        if let (Some(count), Some(scores)) = (self.counts.get_mut(at), self.scores.get_mut(at)) {
            *count = count.saturating_add(1);
            *scores += score;
        }
    }

    /// Adds the scores of those that were counted so often, and no count is left.
    fn add_counted(&mut self, needed: u8, worth: Score) {
        if self.counted == 0 {
            return;
        }
        // Most stretches have something, and few of them enough.
        if self.counts.iter().copied().max().unwrap_or(0) >= needed {
            for (at, (count, score)) in self.counts.into_iter().zip(self.scores).enumerate() {
                if count >= needed {
                    self.add(at, score * worth);
                }
            }
        }
        (self.counted, self.counts, self.scores) = (0, Self::EMPTY.counts, Self::EMPTY.scores);
    }
}

/// The stretch of a document, and its place in it.
fn place(document: DocId) -> (usize, usize) {
    let document = usize::try_from(document).unwrap_or(usize::MAX);
    (document / STRETCH, document % STRETCH)
}

impl Tally {
    fn add(&mut self, document: DocId, score: Score) {
        let (stretch, at) = place(document);
        if let Some(stretch) = self.0.get_mut(stretch) {
            stretch.add(at, score);
        }
    }

    fn count(&mut self, document: DocId, score: Score) {
        let (stretch, at) = place(document);
        if let Some(stretch) = self.0.get_mut(stretch) {
            stretch.count(at, score);
        }
    }

    fn sum(&self, document: DocId) -> Score {
        let (stretch, at) = place(document);
        self.0.get(stretch).and_then(|stretch| stretch.sums.get(at)).copied().unwrap_or(0.0)
    }

    /// So many first stretches: a tally that served a larger segment before is longer.
    fn first(&mut self, stretches: usize) -> &mut [Stretch] {
        self.0.get_mut(..stretches).unwrap_or_default()
    }
}

/// A tally with the sums of a segment's documents, and which of them fit: it walks through these. All sums are 0 again when it is given back.
struct Tallied {
    tally: Tally,
    /// How many stretches the segment has.
    stretches: usize,
    /// Whether everything was tallied.
    is_whole: bool,
    /// One bit a document that fits, [`STRETCH`] of them a number.
    fitting: Vec<u64>,
    /// The stretch that it is in, and which documents of it are still to come, the present one first.
    stretch: usize,
    to_come: u64,
}

impl Tallied {
    fn of(segment: &SegmentReader) -> Self {
        let mut tally = TALLIES.lock().pop().unwrap_or_default();
        let stretches = usize::try_from(segment.max_doc()).unwrap_or(usize::MAX).div_ceil(STRETCH);
        tally.0.resize(stretches.max(tally.0.len()), Stretch::EMPTY);
        Self { tally, stretches, is_whole: false, fitting: Vec::new(), stretch: 0, to_come: 0 }
    }

    /// What was tallied is all: goes to the first document that fits, of others than `only` none.
    fn begin(&mut self, only: Option<&[u64]>) {
        let only = |stretch| only.map_or(u64::MAX, |only| only.get(stretch).copied().unwrap_or(0));
        let stretches = self.tally.first(self.stretches).iter().enumerate();
        self.fitting = stretches.map(|(at, stretch)| stretch.summed & only(at)).collect();
        self.is_whole = true;
        self.to_come = self.fitting.first().copied().unwrap_or(0);
        self.go_on();
    }

    /// Goes on to the next stretch that has something, where this one has nothing more.
    fn go_on(&mut self) -> DocId {
        while self.to_come == 0 && self.stretch < self.fitting.len() {
            self.stretch += 1;
            self.to_come = self.fitting.get(self.stretch).copied().unwrap_or(0);
        }
        self.doc()
    }
}

impl Drop for Tallied {
    fn drop(&mut self) {
        // After an error there may be counts in it.
        if self.is_whole {
            let mut tally = std::mem::take(&mut self.tally);
            for stretch in tally.first(self.stretches).iter_mut().filter(|stretch| stretch.summed != 0) {
                (stretch.summed, stretch.sums) = (0, Stretch::EMPTY.sums);
            }
            let mut tallies = TALLIES.lock();
            if tallies.len() < KEPT_TALLIES {
                tallies.push(tally);
            }
        }
    }
}

impl DocSet for Tallied {
    fn advance(&mut self) -> DocId {
        self.to_come &= self.to_come.wrapping_sub(1);
        self.go_on()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let (stretch, at) = place(target);
        if stretch > self.stretch {
            self.stretch = stretch;
            self.to_come = self.fitting.get(self.stretch).copied().unwrap_or(0);
        }
        self.to_come &= u64::MAX << at;
        self.go_on()
    }

    fn doc(&self) -> DocId {
        let at = self.stretch * STRETCH + usize::try_from(self.to_come.trailing_zeros()).unwrap_or(STRETCH);
        if self.to_come == 0 { TERMINATED } else { DocId::try_from(at).unwrap_or(TERMINATED) }
    }

    fn size_hint(&self) -> u32 {
        self.fitting.iter().map(|bits| bits.count_ones()).sum()
    }
}

impl Scorer for Tallied {
    fn score(&mut self) -> Score {
        self.tally.sum(self.doc())
    }
}

struct GatheredWeight {
    any: Vec<Box<dyn Weight>>,
    enough: Vec<EnoughWeight>,
    only: Option<Arc<OpenVersions>>,
}

/// See [`Enough`].
struct EnoughWeight {
    terms: Vec<Box<dyn Weight>>,
    needed: u8,
    worth: Score,
}

impl GatheredWeight {
    fn tallied(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Tallied> {
        let only = self.only.as_ref().map(|only| only.in_segment(segment)).transpose()?;
        let mut tallied = Tallied::of(segment);
        let Tallied { tally, stretches, .. } = &mut tallied;
        for EnoughWeight { terms, needed, worth } in &self.enough {
            let worth = worth * boost;
            for term in terms {
                if *needed > 1 {
                    term.for_each(segment, &mut |document, score| tally.count(document, score))?;
                } else {
                    term.for_each(segment, &mut |document, score| tally.add(document, score * worth))?;
                }
            }
            if *needed > 1 {
                tally.first(*stretches).iter_mut().for_each(|stretch| stretch.add_counted(*needed, worth));
            }
        }
        for query in &self.any {
            query.for_each(segment, &mut |document, score| tally.add(document, score * boost))?;
        }
        tallied.begin(only.as_deref());
        Ok(tallied)
    }
}

impl Weight for GatheredWeight {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(self.tallied(segment, boost)?))
    }

    fn explain(&self, segment: &SegmentReader, wanted: DocId) -> tantivy::Result<Explanation> {
        let score = self.tallied(segment, 1.0)?.tally.sum(wanted);
        Ok(Explanation::new("what it has of the question", score))
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
