//! An inverted index in memory over short texts that only grow, which answers for any earlier position: BM25 over hashed features.

use std::collections::HashMap;

use crate::features::Feature;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A text in the index, by the order of its first addition.
pub type TextNumber = u32;

#[derive(Clone, Copy, Debug)]
struct Posting {
    text: TextNumber,
    count: f32,
    position: u64,
}

/// The index.
#[derive(Clone, Debug, Default)]
pub struct Bm25 {
    postings: HashMap<u64, Vec<Posting>>,
    /// How long each text is in all.
    lengths: Vec<f32>,
    /// Where each text was first added.
    first: Vec<u64>,
    /// How long all texts are together at each position where that grew.
    totals: Vec<(u64, f64)>,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of texts stay far below 2^24 for a ranking")]
fn real(count: usize) -> f32 {
    count as f32
}

impl Bm25 {
    /// A new text. Positions never decrease from one call to the next.
    pub fn add(&mut self, features: &[Feature], position: u64) -> TextNumber {
        let number = TextNumber::try_from(self.lengths.len()).unwrap_or(TextNumber::MAX);
        self.lengths.push(0.0);
        self.first.push(position);
        self.extend(number, features, position);
        number
    }

    /// More of a text that is there.
    pub fn extend(&mut self, text: TextNumber, features: &[Feature], position: u64) {
        let mut length = 0.0;
        for feature in features {
            self.postings.entry(feature.hash).or_default().push(Posting { text, count: feature.count, position });
            length += feature.count;
        }
        if let Some(known) = usize::try_from(text).ok().and_then(|at| self.lengths.get_mut(at)) {
            *known += length;
        }
        let total = self.totals.last().map_or(0.0, |(_, total)| *total) + f64::from(length);
        self.totals.push((position, total));
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The score of every text that was there at the position and has at least one feature, in the order of texts.
    pub fn scores(&self, features: &[Feature], as_of: u64) -> Vec<(TextNumber, f32)> {
        let texts = self.first.partition_point(|position| *position <= as_of);
        let known = self.totals.partition_point(|(position, _)| *position <= as_of);
        let total = known.checked_sub(1).and_then(|at| self.totals.get(at)).map_or(0.0, |(_, total)| *total);
        #[expect(clippy::cast_possible_truncation, reason = "a mean length is a small number")]
        let mean = ((total / f64::from(real(texts)).max(1.0)) as f32).max(1.0);
        let mut scores = vec![0.0_f32; texts];
        for feature in features {
            let Some(postings) = self.postings.get(&feature.hash) else { continue };
            let end = postings.partition_point(|posting| posting.position <= as_of);
            let postings = postings.get(..end).unwrap_or_default();
            let count = real(postings.len());
            let rarity = (1.0 + (real(texts) - count + 0.5).max(0.0) / (count + 0.5)).ln();
            for posting in postings {
                let Ok(at) = usize::try_from(posting.text) else { continue };
                let length = self.lengths.get(at).copied().unwrap_or(mean);
                let weight = posting.count * (K1 + 1.0) / (posting.count + K1 * (1.0 - B + B * length / mean));
                if let Some(score) = scores.get_mut(at) {
                    *score += rarity * weight;
                }
            }
        }
        (0..).zip(scores).filter(|(_, score)| *score > 0.0).collect()
    }

    /// The best texts, the best first; of equal ones the later first.
    pub fn best(&self, features: &[Feature], as_of: u64, limit: usize) -> Vec<(TextNumber, f32)> {
        let mut scores = self.scores(features, as_of);
        let order = |a: &(TextNumber, f32), b: &(TextNumber, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if scores.len() > limit && limit > 0 {
            scores.select_nth_unstable_by(limit - 1, order);
            scores.truncate(limit);
        }
        scores.sort_by(order);
        scores.truncate(limit);
        scores
    }
}
