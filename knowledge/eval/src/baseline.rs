//! What the field does without us: BM25 over words and over character n-grams, votes of neighbours, the most frequent answer.

use std::collections::HashMap;

use retrieval::bm25::Bm25;
use retrieval::features::{Feature, counted, hash, kind};
use retrieval::terms;

pub fn words(text: &str) -> Vec<Feature> {
    counted(terms::latin(text).iter().chain(&terms::zh(text)).map(|word| hash(kind::WORD, &word.text)).collect())
}

/// N-grams of three and four characters over the whole text in lower case, blanks included; for Chinese of one to three.
pub fn grams(text: &str) -> Vec<Feature> {
    let sizes = if text.chars().any(terms::is_han) { 1..=3 } else { 3..=4 };
    let characters: Vec<char> = format!(" {} ", text.to_lowercase()).chars().collect();
    let mut hashes = Vec::new();
    for size in sizes {
        hashes.extend(characters.windows(size).map(|window| hash(kind::GRAM, &window.iter().collect::<String>())));
    }
    counted(hashes)
}

/// An index of texts by BM25 over some features.
pub struct Plain<'a> {
    index: Bm25,
    features: &'a dyn Fn(&str) -> Vec<Feature>,
}

impl<'a> Plain<'a> {
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>, features: &'a dyn Fn(&str) -> Vec<Feature>) -> Self {
        let mut index = Bm25::default();
        for (position, text) in (0..).zip(texts) {
            index.add(&features(text), position);
        }
        Self { index, features }
    }

    pub fn best(&self, text: &str, limit: usize) -> Vec<(usize, f64)> {
        let found = self.index.best(&(self.features)(text), u64::MAX, limit);
        found.into_iter().map(|(text, score)| (text as usize, f64::from(score))).collect()
    }
}

/// The labels by the votes of the nearest, the first first; a vote counts its score.
pub fn votes<'a>(nearest: &[(usize, f64)], labels: &[&'a str]) -> Vec<&'a str> {
    let mut votes: HashMap<&str, f64> = HashMap::new();
    for (text, score) in nearest {
        *votes.entry(labels[*text]).or_default() += score;
    }
    let mut ranked: Vec<(&str, f64)> = votes.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    ranked.into_iter().map(|(label, _)| label).collect()
}

/// Labels by how often they are there.
pub fn frequent<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ranked.into_iter().map(|(label, _)| label).collect()
}
