//! Asking the index.
//!
//! **First**, words and what means the same, codes, character n-grams and sounds of rare kinds gather the candidates, by BM25. **Then** the best of them
//! are judged again, each by four lists: words (the best alternative of each counts), character n-grams, sounds, and how many of the question's words a
//! document has. The lists are scaled to their best entry and added with weights that depend on the kind of question; docs/evaluation.md has the
//! figures by which they were chosen, and why not by reciprocal rank.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use tantivy::collector::{Count, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, FuzzyTermQuery, Occur, Query,
    RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::Token;
use tantivy::{DocAddress, Order, Term};

use super::facets::{self, CountFacets, FacetCounts};
use super::fields::{Fields, OPEN};
use super::rank::Candidates;
use super::store::View;
use super::{Facet, Filter, IndexError};
use crate::curated::Curated;
use crate::{dictionary, terms};

/// How many candidates are judged again.
const JUDGED: usize = 200;

/// The most values of a facet that are counted in an answer.
const FACET_VALUES: usize = 50;

/// A code that is named in full beats any number of like words.
const CODE_SCORE: f32 = 10.0;

/// What the words of codes are worth beside the words of texts.
const LABEL_SHARE: f32 = 0.5;

/// What another word for the same is worth, and a word that an abbreviation stands for.
const SAME_SHARE: f32 = 0.6;
const ABBREVIATED_SHARE: f32 = 0.8;

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

/// What each list is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Words by BM25.
    pub words: f32,
    /// Character n-grams by BM25.
    pub grams: f32,
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
            Self { words: 1.0, grams: 1.0, sounds: 0.5, coverage: 0.6, complete: 0.3, expected: 1.5, near: 0.0 }
        } else {
            Self { words: 0.3, grams: 1.0, sounds: 0.0, coverage: 0.6, complete: 0.3, expected: 1.5, near: 0.0 }
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
    /// Versions whose meaning is near, by their keys, with how near each is; those that the filter leaves out do not count.
    pub near: Vec<(String, f32)>,
    /// Words of the plant that mean the same.
    pub curated: Option<&'a Curated>,
    /// What each list is worth; by the kind of question, when absent.
    pub weights: Option<Weights>,
    /// A thing that is left out: the one that others are to be like.
    pub except: Option<&'a str>,
}

impl Question<'_> {
    fn weights(&self) -> Weights {
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

/// One way to say a word of the question.
#[derive(Clone, Debug, PartialEq)]
struct Alternative {
    /// Stemmed English words or Chinese ones, all of which must be there.
    words: Vec<String>,
    han: bool,
    worth: f32,
}

/// A word of the question with what means the same.
#[derive(Clone, Debug, Default, PartialEq)]
struct Concept {
    alternatives: Vec<Alternative>,
}

/// A question taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    concepts: Vec<Concept>,
    grams: Vec<String>,
    sounds: Vec<String>,
    codes: Vec<String>,
}

fn distinct(tokens: Vec<Token>) -> Vec<String> {
    let mut words: Vec<String> = tokens.into_iter().map(|token| token.text).collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(terms::MAX_QUESTION_TERMS);
    words
}

/// A phrase as [`dictionary::SAME`] is looked up: its Chinese words as they are, its English ones stemmed.
fn key(phrase: &str) -> String {
    if phrase.chars().any(terms::is_han) {
        phrase.to_owned()
    } else {
        terms::en(phrase).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }
}

/// What means the same as the phrase with this key.
fn same(wanted: &str) -> Vec<Alternative> {
    static GROUPS: std::sync::LazyLock<BTreeMap<String, Vec<Alternative>>> = std::sync::LazyLock::new(|| {
        let mut groups: BTreeMap<String, Vec<Alternative>> = BTreeMap::new();
        for group in dictionary::SAME {
            for phrase in *group {
                let others = group.iter().filter(|other| *other != phrase).map(|other| {
                    let han = other.chars().any(terms::is_han);
                    let words = if han {
                        vec![(*other).to_owned()]
                    } else {
                        terms::en(other).into_iter().map(|token| token.text).collect()
                    };
                    Alternative { words, han, worth: SAME_SHARE }
                });
                groups.entry(key(phrase)).or_default().extend(others);
            }
        }
        groups
    });
    GROUPS.get(wanted).cloned().unwrap_or_default()
}

impl Words {
    /// Takes a question apart.
    pub fn of(question: &str, curated: Option<&Curated>) -> Self {
        let mut codes = terms::codes(question);
        codes.push(question.trim().to_lowercase());
        codes.dedup();
        let mut concepts = Self::latin(question);
        let mut seen: Vec<String> = Vec::new();
        for word in terms::zh(question).into_iter().map(|token| token.text) {
            if seen.contains(&word) {
                continue;
            }
            let mut alternatives = vec![Alternative { words: vec![word.clone()], han: true, worth: 1.0 }];
            alternatives.extend(same(&word));
            concepts.push(Concept { alternatives });
            seen.push(word);
        }
        concepts.extend(curated.into_iter().flat_map(|curated| curated.missing(question)).map(|phrases| {
            let alternatives = phrases.into_iter().map(|phrase| {
                let han = phrase.chars().any(terms::is_han);
                let words = if han { terms::zh(phrase) } else { terms::en(phrase) };
                let words = words.into_iter().map(|token| token.text).collect();
                Alternative { words, han, worth: SAME_SHARE }
            });
            Concept { alternatives: alternatives.filter(|one| !one.words.is_empty()).collect() }
        }));
        concepts.truncate(terms::MAX_QUESTION_TERMS);
        // A word that is written out and its abbreviation look different; a document has one of them.
        let mut looks = question.to_owned();
        for (short, long) in dictionary::ABBREVIATIONS {
            let named = |word: &str| {
                concepts
                    .iter()
                    .any(|concept| concept.alternatives.first().is_some_and(|one| one.words == [terms::stem(word)]))
            };
            if named(long) {
                looks.push(' ');
                looks.push_str(short);
            } else if named(short) {
                looks.push(' ');
                looks.push_str(long);
            }
        }
        Self { grams: distinct(terms::grams(&looks)), concepts, sounds: distinct(terms::sounds(question)), codes }
    }

    fn latin(question: &str) -> Vec<Concept> {
        let tokens = terms::latin(question);
        let stems: Vec<String> = terms::en(question).into_iter().map(|token| token.text).collect();
        let speaks = |stem: &String| !terms::is_silent(stem);
        let any_speaks = stems.iter().any(speaks);
        let mut concepts: Vec<Concept> = Vec::new();
        for (at, stem) in stems.iter().enumerate() {
            let known =
                concepts.iter().any(|concept| concept.alternatives.first().is_some_and(|a| a.words == [stem.clone()]));
            if known || (any_speaks && !speaks(stem)) {
                continue;
            }
            let mut alternatives = vec![Alternative { words: vec![stem.clone()], han: false, worth: 1.0 }];
            let word = tokens.get(at).map_or("", |token| token.text.as_str());
            for (_, long) in dictionary::ABBREVIATIONS.iter().filter(|(short, _)| *short == word) {
                let words = terms::en(long).into_iter().map(|token| token.text).collect();
                alternatives.push(Alternative { words, han: false, worth: ABBREVIATED_SHARE });
            }
            for (short, _) in dictionary::ABBREVIATIONS.iter().filter(|(_, long)| terms::stem(long) == *stem) {
                alternatives.push(Alternative {
                    words: vec![terms::stem(short)],
                    han: false,
                    worth: ABBREVIATED_SHARE,
                });
            }
            for length in 1..=4 {
                if let Some(phrase) = stems.get(at..at + length) {
                    alternatives.extend(same(&phrase.join(" ")));
                }
            }
            concepts.push(Concept { alternatives });
        }
        concepts
    }

    /// Chinese and English words that a snippet marks.
    pub fn marked(&self) -> (Vec<String>, Vec<String>) {
        let all = || self.concepts.iter().flat_map(|concept| &concept.alternatives);
        let words = |han: bool| all().filter(|one| one.han == han).flat_map(|one| one.words.clone()).collect();
        (words(true), words(false))
    }
}

fn exact(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
}

fn scored(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
}

fn must(query: Box<dyn Query>) -> (Occur, Box<dyn Query>) {
    (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)))
}

fn boosted(query: Box<dyn Query>, share: f32) -> Box<dyn Query> {
    if (share - 1.0).abs() < f32::EPSILON { query } else { Box::new(BoostQuery::new(query, share)) }
}

fn any(queries: impl Iterator<Item = Box<dyn Query>>) -> Box<dyn Query> {
    let queries: Vec<_> = queries.map(|query| (Occur::Should, query)).collect();
    if queries.is_empty() { Box::new(EmptyQuery) } else { Box::new(BooleanQuery::new(queries)) }
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
        let concepts = match &words {
            Some(words) => words.concepts.iter().map(|concept| self.concept(concept)).collect::<Result<Vec<_>, _>>()?,
            None => Vec::new(),
        };
        let mut clauses = question.map_or_else(|| self.filters(filter), |question| self.filters_for(filter, question));
        match &words {
            Some(words) => clauses.push((Occur::Must, self.gathering(words, &concepts))),
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
        let facets = facets::ranked(
            if counted.is_empty() { BTreeMap::new() } else { self.searcher.search(&query, &CountFacets(counted))? },
            FACET_VALUES,
        );
        let (ranked, total) = match (question, &words) {
            (Some(question), Some(words)) => {
                let top = TopDocs::with_limit((offset + limit).max(JUDGED)).order_by_score();
                let (gathered, total) = self.searcher.search(&query, &(top, Count))?;
                let lexical = self.fitting(near.keys().copied(), &query)?;
                let total = total + near.len() - lexical;
                (self.judged(gathered, &near, question, words, &concepts)?, total)
            }
            _ => {
                let newest = TopDocs::with_limit(offset + limit).order_by_fast_field::<i64>("time_ns", Order::Desc);
                let (found, total) = self.searcher.search(&query, &(newest, Count))?;
                (found.into_iter().map(|(_, address)| (0.0, address)).collect(), total)
            }
        };
        let page = ranked.into_iter().skip(offset).take(limit);
        let hits = page.map(|(score, address)| Ok(Hit { score, body: self.body(address)? }));
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
        let fields = &self.fields;
        let mut clauses = self.valid(filter.position);
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
        let fields = &self.fields;
        if position >= OPEN - 1 {
            // At the newest position the valid versions are the open ones, which one posting list holds.
            let open = TermQuery::new(Term::from_field_u64(fields.valid_to, OPEN), IndexRecordOption::Basic);
            return vec![must(Box::new(open))];
        }
        let term = |field, position| Term::from_field_u64(field, position);
        let begun = RangeQuery::new(
            Bound::Included(term(fields.valid_from, 0)),
            Bound::Included(term(fields.valid_from, position)),
        );
        let lasting = RangeQuery::new(
            Bound::Excluded(term(fields.valid_to, position)),
            Bound::Included(term(fields.valid_to, OPEN)),
        );
        vec![must(Box::new(begun)), must(Box::new(lasting))]
    }

    /// A document fits when it has at least one word, code, n-gram or sound of the question; of n-grams and sounds enough.
    fn gathering(&self, words: &Words, concepts: &[Box<dyn Query>]) -> Box<dyn Query> {
        let fields = &self.fields;
        let codes = words
            .codes
            .iter()
            .map(|code| -> Box<dyn Query> { Box::new(ConstScoreQuery::new(exact(fields.codes, code), CODE_SCORE)) });
        let enough = |field, terms: &[String], share: usize| -> Option<Box<dyn Query>> {
            let needed = (terms.len() * share).div_ceil(100).max(1);
            let parts = terms.iter().map(|term| (Occur::Should, scored(field, term))).collect::<Vec<_>>();
            (!parts.is_empty()).then(|| Box::new(BooleanQuery::with_minimum_required_clauses(parts, needed)) as _)
        };
        let share = if words.sounds.is_empty() { GATHER_LOOKS } else { GATHER_LOOKS_HAN };
        let grams = enough(fields.grams, &words.grams, share).map(|query| boosted(query, GATHER_GRAMS));
        let sounds = enough(fields.sounds, &words.sounds, GATHER_HEARD).map(|query| boosted(query, GATHER_SOUNDS));
        any(concepts.iter().map(|concept| concept.box_clone()).chain(codes).chain(grams).chain(sounds))
    }

    /// The best alternative of a word.
    fn concept(&self, concept: &Concept) -> Result<Box<dyn Query>, IndexError> {
        let fields = &self.fields;
        let mut ways: Vec<Box<dyn Query>> = Vec::new();
        let mut known = false;
        for one in &concept.alternatives {
            let field = if one.han { fields.zh } else { fields.en };
            for word in &one.words {
                known = known || self.searcher.doc_freq(&Term::from_field_text(field, word))? > 0;
            }
            let said: Box<dyn Query> = match one.words.as_slice() {
                [word] => scored(field, word),
                words => Box::new(BooleanQuery::intersection(words.iter().map(|word| scored(field, word)).collect())),
            };
            ways.push(boosted(said, one.worth));
            if let ([word], false) = (one.words.as_slice(), one.han) {
                known = known || self.searcher.doc_freq(&Term::from_field_text(fields.labels, word))? > 0;
                ways.push(boosted(scored(fields.labels, word), one.worth * LABEL_SHARE));
            }
        }
        if let (false, Some(Alternative { words, han: false, .. })) = (known, concept.alternatives.first()) {
            for word in words {
                ways.extend(
                    self.corrections(fields, word)?.iter().map(|word| boosted(scored(fields.en, word), TYPO_SHARE)),
                );
            }
        }
        Ok(Box::new(DisjunctionMaxQuery::new(ways)))
    }

    /// Words of the index that are spelt nearly like this one, the most frequent first.
    fn corrections(&self, fields: &Fields, word: &str) -> Result<Vec<String>, IndexError> {
        let length = word.chars().count();
        if length < TYPO_CHARS {
            return Ok(Vec::new());
        }
        let typos = if length >= TWO_TYPOS_CHARS { 2 } else { 1 };
        let fuzzy = FuzzyTermQuery::new(Term::from_field_text(fields.en, word), typos, true);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(fields.en)?;
            let mut near =
                index.terms().search(fuzzy.automaton()?).into_stream().map_err(tantivy::TantivyError::from)?;
            while near.advance() {
                if let Ok(known) = std::str::from_utf8(near.key()) {
                    *counts.entry(known.to_owned()).or_default() += u64::from(near.value().doc_freq);
                }
            }
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(counts.into_iter().take(MAX_CORRECTIONS).map(|(word, _)| word).collect())
    }

    /// The best candidates in the order that all lists together give them; the others behind them as they were.
    fn judged(
        &self,
        mut gathered: Vec<(f32, DocAddress)>,
        near: &HashMap<DocAddress, f32>,
        question: &Question<'_>,
        words: &Words,
        concepts: &[Box<dyn Query>],
    ) -> Result<Vec<(f32, DocAddress)>, IndexError> {
        let weights = question.weights();
        let rest = gathered.split_off(gathered.len().min(JUDGED));
        // What is near in meaning is judged too, whether it has a word of the question or not.
        let mut also: Vec<DocAddress> =
            near.keys().filter(|near| !gathered.iter().any(|(_, known)| known == *near)).copied().collect();
        also.sort_unstable();
        let rest: Vec<_> = rest.into_iter().filter(|(_, address)| !near.contains_key(address)).collect();
        let judged: Vec<(f32, DocAddress)> =
            gathered.into_iter().chain(also.into_iter().map(|one| (0.0, one))).collect();
        let candidates = Candidates::new(judged.iter().map(|(_, address)| *address));
        let of = |query: &dyn Query| candidates.scores(&self.searcher, query);
        let mut by_words = vec![0.0_f32; judged.len()];
        let mut covered = vec![0.0_f32; judged.len()];
        let mut missing = vec![0_usize; judged.len()];
        for concept in concepts {
            let scores = of(&**concept)?;
            // The best score of a word says how rare it is.
            let best = scores.iter().copied().fold(0.0, f32::max);
            for (((sum, covered), missing), score) in
                by_words.iter_mut().zip(&mut covered).zip(&mut missing).zip(scores)
            {
                *sum += score;
                *covered += if score > 0.0 { best } else { 0.0 };
                *missing += usize::from(score <= 0.0);
            }
        }
        let complete =
            missing.iter().map(|missing| if *missing == 0 && concepts.len() > 1 { 1.0 } else { 0.0 }).collect();
        let list = |field, terms: &[String], worth: f32| -> Result<Vec<f32>, IndexError> {
            if worth == 0.0 || terms.is_empty() {
                return Ok(vec![0.0; judged.len()]);
            }
            Ok(of(&*any(terms.iter().map(|term| scored(field, term))))?)
        };
        let lists = [
            (weights.words, by_words),
            (weights.grams, list(self.fields.grams, &words.grams, weights.grams)?),
            (weights.sounds, list(self.fields.sounds, &words.sounds, weights.sounds)?),
            (weights.coverage, covered),
            (weights.complete, complete),
            (
                weights.near,
                judged.iter().map(|(_, address)| near.get(address).map_or(0.0, |near| near.max(0.0))).collect(),
            ),
        ];
        let mut scores = vec![0.0_f32; judged.len()];
        for (worth, list) in lists {
            let list: Vec<f32> = list;
            let best = list.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            scores.iter_mut().zip(list).for_each(|(score, one)| *score += worth * one / best);
        }
        if weights.expected > 0.0 && !question.expected.is_empty() {
            // What is expected of several facets is expected of all of them at once.
            let mut expected = vec![weights.expected; judged.len()];
            for (facet, values) in &question.expected {
                let mut of_facet = vec![0.0_f32; judged.len()];
                for (value, probability) in values {
                    let has = of(&*exact(self.fields.facet(*facet), value))?;
                    of_facet
                        .iter_mut()
                        .zip(has)
                        .for_each(|(sum, has)| *sum += if has > 0.0 { *probability } else { 0.0 });
                }
                expected.iter_mut().zip(of_facet).for_each(|(all, one)| *all *= one);
            }
            scores.iter_mut().zip(expected).for_each(|(score, expected)| *score += expected);
        }
        for code in &words.codes {
            let has = of(&*exact(self.fields.codes, code))?;
            scores.iter_mut().zip(has).for_each(|(score, has)| *score += if has > 0.0 { CODE_SCORE } else { 0.0 });
        }
        let mut ranked: Vec<(f32, DocAddress)> =
            scores.iter().zip(&judged).map(|(score, (_, address))| (*score, *address)).collect();
        // Of equal ones the later first: what happened lately is more often meant.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        let (least, first) = (ranked.last().map_or(0.0, |last| last.0), rest.first().map_or(1.0, |first| first.0));
        ranked.extend(rest.iter().map(|(score, address)| (least * score / first.max(f32::MIN_POSITIVE), *address)));
        Ok(ranked)
    }
}
