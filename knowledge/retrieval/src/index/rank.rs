//! Judging a few candidates by lists that would be too slow for all documents: posting lists are only moved to the candidates.

use std::collections::{BTreeMap, HashMap};

use tantivy::query::{EnableScoring, Query};
use tantivy::schema::Field;
use tantivy::{DocAddress, DocId, DocSet as _, Score, Searcher, Term};

use super::gather::{Asked, CODE_SCORE, Statistics, Way, scored};
use super::search::{JUDGED, Question, exact};
use super::store::View;
use super::words::Words;
use super::{Facet, IndexError};

/// Documents to be judged, by segment and number.
struct Candidates<'a> {
    searcher: &'a Searcher,
    by_segment: BTreeMap<u32, Vec<(DocId, usize)>>,
    count: usize,
}

impl<'a> Candidates<'a> {
    fn new(searcher: &'a Searcher, addresses: impl Iterator<Item = DocAddress>) -> Self {
        let mut by_segment: BTreeMap<u32, Vec<(DocId, usize)>> = BTreeMap::new();
        let mut count = 0;
        for address in addresses {
            by_segment.entry(address.segment_ord).or_default().push((address.doc_id, count));
            count += 1;
        }
        // Posting lists only move forward.
        by_segment.values_mut().for_each(|documents| documents.sort_unstable());
        Self { searcher, by_segment, count }
    }

    /// The score of each candidate under the query, in the order in which they were given; 0 where it does not fit.
    fn scores(&self, scoring: EnableScoring<'_>, query: &dyn Query) -> tantivy::Result<Vec<Score>> {
        let weight = query.weight(scoring)?;
        let mut scores = vec![0.0; self.count];
        for (segment, documents) in &self.by_segment {
            let mut scorer = weight.scorer(self.searcher.segment_reader(*segment), 1.0)?;
            for (document, at) in documents {
                let found = if scorer.doc() < *document { scorer.seek(*document) } else { scorer.doc() };
                if found == *document
                    && let Some(score) = scores.get_mut(*at)
                {
                    *score = scorer.score();
                }
            }
        }
        Ok(scores)
    }

    /// How many tokens each candidate has in the field, nearly.
    fn lengths(&self, field: Field) -> tantivy::Result<Vec<f32>> {
        let mut lengths = vec![0.0; self.count];
        for (segment, documents) in &self.by_segment {
            let norms = self.searcher.segment_reader(*segment).get_fieldnorms_reader(field)?;
            for (document, at) in documents {
                if let Some(length) = lengths.get_mut(*at) {
                    #[expect(clippy::cast_precision_loss, reason = "lengths are rounded anyway")]
                    let tokens = norms.fieldnorm(*document) as f32;
                    *length = tokens;
                }
            }
        }
        Ok(lengths)
    }

    /// For each candidate, what the values that it has of a facet are worth together.
    fn worths(&self, facet: Facet, worths: &HashMap<&str, f32>) -> tantivy::Result<Vec<f32>> {
        let mut sums = vec![0.0; self.count];
        for (segment, documents) in &self.by_segment {
            let Some(column) = self.searcher.segment_reader(*segment).fast_fields().str(facet.as_str())? else {
                continue;
            };
            let mut known: HashMap<u64, f32> = HashMap::new();
            let mut value = String::new();
            for (document, at) in documents {
                for ordinal in column.term_ords(*document) {
                    let worth = match known.get(&ordinal) {
                        Some(worth) => *worth,
                        None => {
                            let named = column.ord_to_str(ordinal, &mut value)?;
                            let worth = worths.get(value.as_str()).copied().filter(|_| named).unwrap_or(0.0);
                            known.insert(ordinal, worth);
                            worth
                        }
                    };
                    if let Some(sum) = sums.get_mut(*at) {
                        *sum += worth;
                    }
                }
            }
        }
        Ok(sums)
    }
}

/// What candidates are judged by.
pub(super) struct Judging<'a> {
    pub words: &'a Words,
    pub asked: &'a [Asked],
    pub statistics: &'a Statistics<'a>,
}

impl Judging<'_> {
    /// The sum over terms.
    fn terms<'t>(
        &self,
        candidates: &Candidates<'_>,
        terms: impl Iterator<Item = &'t Term>,
    ) -> tantivy::Result<Vec<f32>> {
        let mut sums = vec![0.0; candidates.count];
        for term in terms {
            let scores = candidates.scores(self.statistics.scoring(), &scored(term))?;
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        }
        Ok(sums)
    }

    /// By one way to say a word; nothing for a candidate that lacks one of its terms.
    fn way(&self, candidates: &Candidates<'_>, way: &Way) -> tantivy::Result<Vec<f32>> {
        let mut all: Option<Vec<f32>> = None;
        for term in &way.terms {
            let scores = candidates.scores(self.statistics.scoring(), &scored(term))?;
            all = Some(match all {
                None => scores,
                Some(before) => {
                    let both = before.into_iter().zip(scores);
                    both.map(|(sum, score)| if sum > 0.0 && score > 0.0 { sum + score } else { 0.0 }).collect()
                }
            });
        }
        let all = all.unwrap_or_else(|| vec![0.0; candidates.count]);
        Ok(all.into_iter().map(|score| score * way.worth).collect())
    }

    /// By the best way to say a word.
    fn asked(&self, candidates: &Candidates<'_>, asked: &Asked) -> tantivy::Result<Vec<f32>> {
        let mut best = vec![0.0_f32; candidates.count];
        for way in &asked.ways {
            let scores = self.way(candidates, way)?;
            best.iter_mut().zip(scores).for_each(|(best, score)| *best = best.max(score));
        }
        Ok(best)
    }

    /// By n-grams, read once: BM25, and the cosine of the question's set and the candidate's.
    fn looks(&self, candidates: &Candidates<'_>, field: Field) -> tantivy::Result<(Vec<f32>, Vec<f32>)> {
        let (mut sums, mut shared) = (vec![0.0; candidates.count], vec![0.0_f32; candidates.count]);
        for gram in &self.words.grams {
            let term = Term::from_field_text(field, gram);
            let scores = candidates.scores(self.statistics.scoring(), &scored(&term))?;
            for ((sum, shared), score) in sums.iter_mut().zip(&mut shared).zip(scores) {
                *sum += score;
                *shared += if score > 0.0 { 1.0 } else { 0.0 };
            }
        }
        let lengths = candidates.lengths(field)?;
        // The length of the question is the same for all of them.
        let cosines = shared.into_iter().zip(lengths).map(|(shared, length)| shared / length.max(1.0).sqrt());
        Ok((sums, cosines.collect()))
    }

    fn list(
        &self,
        candidates: &Candidates<'_>,
        field: Field,
        terms: &[String],
        worth: f32,
    ) -> tantivy::Result<Vec<f32>> {
        if worth == 0.0 {
            return Ok(vec![0.0; candidates.count]);
        }
        let terms: Vec<Term> = terms.iter().map(|term| Term::from_field_text(field, term)).collect();
        self.terms(candidates, terms.iter())
    }
}

impl View {
    /// The best candidates in the order that all lists together give them; the others behind them as they were.
    pub(super) fn judged(
        &self,
        mut gathered: Vec<(f32, DocAddress)>,
        near: &HashMap<DocAddress, f32>,
        question: &Question<'_>,
        by: &Judging<'_>,
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
        let candidates = Candidates::new(&self.searcher, judged.iter().map(|(_, address)| *address));
        let mut by_words = vec![0.0_f32; judged.len()];
        let mut covered = vec![0.0_f32; judged.len()];
        let mut missing = vec![0_usize; judged.len()];
        for asked in by.asked {
            let scores = by.asked(&candidates, asked)?;
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
            missing.iter().map(|missing| if *missing == 0 && by.asked.len() > 1 { 1.0 } else { 0.0 }).collect();
        let (by_grams, likeness) = by.looks(&candidates, self.fields.grams)?;
        let lists = [
            (weights.words, by_words),
            (weights.grams, by_grams),
            (weights.likeness, likeness),
            (weights.sounds, by.list(&candidates, self.fields.sounds, &by.words.sounds, weights.sounds)?),
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
                let values: HashMap<&str, f32> = values.iter().map(|(value, p)| (value.as_str(), *p)).collect();
                let of_facet = candidates.worths(*facet, &values)?;
                expected.iter_mut().zip(of_facet).for_each(|(all, one)| *all *= one);
            }
            scores.iter_mut().zip(expected).for_each(|(score, expected)| *score += expected);
        }
        for code in &by.words.codes {
            let has = candidates.scores(by.statistics.scoring(), &*exact(self.fields.codes, code))?;
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
