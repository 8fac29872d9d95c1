//! Work orders of excavators: those that fail in the same way on the same system are to be found.

use std::borrow::Cow;

use retrieval::coding::{Coder, Example, Target};
use retrieval::features;
use retrieval::index::{Document, Expected, Facet, Filter, Question, TextIndex, Weights};

use crate::Split;
use crate::baseline::{Plain, grams, words};
use crate::data::{self, WorkOrder};
use crate::score::{ndcg, reciprocal_rank};
use crate::table::{Way, print, skipped};

/// How deep the rankings go.
const DEPTH: usize = 50;

/// An index of work orders, and what coding makes of questions to it.
pub struct Searched {
    view: retrieval::index::View,
    coder: Coder,
    _index: TextIndex,
}

impl Searched {
    pub fn new(history: &[&WorkOrder]) -> Self {
        let index = TextIndex::in_memory().unwrap();
        let documents = history.iter().enumerate().map(|(number, order)| {
            let document = Document {
                id: number.to_string(),
                facets: vec![(Facet::Mode, order.mode.clone()), (Facet::Item, order.system.clone())],
                texts: vec![order.text.clone()],
                valid_from: number as u64,
                body: number.to_le_bytes().to_vec(),
                ..Document::default()
            };
            (false, Cow::Owned(document))
        });
        let view = index.commit(documents, "evaluation").unwrap();
        let examples: Vec<Example<'_>> = history
            .iter()
            .map(|order| Example {
                features: features::of(&order.text),
                labels: [Some(order.mode.as_str()), None, None, Some(order.system.as_str())],
            })
            .collect();
        Self { view, coder: Coder::train(&examples), _index: index }
    }

    /// An index of texts alone.
    pub fn plain(texts: &[&str]) -> Self {
        let index = TextIndex::in_memory().unwrap();
        let documents = texts.iter().enumerate().map(|(number, text)| {
            let document = Document {
                id: number.to_string(),
                texts: vec![(*text).to_owned()],
                valid_from: number as u64,
                body: number.to_le_bytes().to_vec(),
                ..Document::default()
            };
            (false, Cow::Owned(document))
        });
        let view = index.commit(documents, "evaluation").unwrap();
        Self { view, coder: Coder::default(), _index: index }
    }

    /// By words, and by what is near.
    pub fn near(&self, text: &str, near: Vec<(String, f32)>, weights: Option<Weights>) -> Vec<usize> {
        self.asked(&Question { text, near, weights, ..Question::default() })
    }

    pub fn find(&self, text: &str, coded: bool, weights: Option<Weights>) -> Vec<usize> {
        let features = features::of(text);
        let mut expected = Expected::new();
        if coded {
            for (facet, target) in [(Facet::Mode, Target::Mode), (Facet::Item, Target::Item)] {
                let values = self.coder.probabilities(target, &features);
                expected.push((facet, values.into_iter().map(|(code, p)| (code.to_owned(), p as f32)).collect()));
            }
        }
        self.asked(&Question { text, expected, weights, ..Question::default() })
    }

    fn asked(&self, question: &Question<'_>) -> Vec<usize> {
        let filter = Filter { position: u64::MAX, ..Filter::default() };
        let found = self.view.search(&filter, Some(question), (0, DEPTH), &[]).unwrap();
        found.hits.iter().map(|hit| usize::from_le_bytes(hit.body[..].try_into().unwrap())).collect()
    }
}

pub fn run(split: Split) {
    let rows = match data::excavators() {
        Ok(rows) => rows,
        Err(reason) => return skipped("Search: work orders of excavators", &reason),
    };
    let coded: Vec<WorkOrder> = rows.into_iter().filter(|row| !row.mode.is_empty() && !row.system.is_empty()).collect();
    let (history, later) = split.of(&coded);
    let history: Vec<&WorkOrder> = history.iter().collect();
    let fits = |a: &WorkOrder, b: &WorkOrder| a.system == b.system && a.mode == b.mode;
    let questions: Vec<&WorkOrder> =
        later.iter().filter(|question| history.iter().any(|order| fits(order, question))).collect();
    let searched = Searched::new(&history);
    let by_grams = Plain::new(history.iter().map(|order| order.text.as_str()), &grams);
    let by_words = Plain::new(history.iter().map(|order| order.text.as_str()), &words);
    let fused = |text: &str| {
        let mut scores = vec![0.0; history.len()];
        for list in [by_grams.best(text, 100), by_words.best(text, 100)] {
            for (rank, (order, _)) in list.iter().enumerate() {
                scores[*order] += 1.0 / (60.0 + rank as f64);
            }
        }
        let mut ranked: Vec<usize> = (0..history.len()).filter(|order| scores[*order] > 0.0).collect();
        ranked.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(b.cmp(a)));
        ranked
    };
    let plain = |list: Vec<(usize, f64)>| list.into_iter().map(|(order, _)| order).collect::<Vec<_>>();
    let mut ways: Vec<Way> = Vec::new();
    let mut score = |name: &str, find: &dyn Fn(&str) -> Vec<usize>| {
        let mut scores = vec![Vec::new(); 3];
        for question in &questions {
            let found: Vec<bool> = find(&question.text).iter().map(|order| fits(history[*order], question)).collect();
            let all = history.iter().filter(|order| fits(order, question)).count();
            scores[0].push(ndcg(&found, all, 10));
            scores[1].push(f64::from(u8::from(found.first() == Some(&true))));
            scores[2].push(reciprocal_rank(&found));
        }
        ways.push(Way { name: name.to_owned(), scores });
    };
    score("baseline: BM25 over characters 3-4", &|text| plain(by_grams.best(text, DEPTH)));
    score("baseline: BM25 over words", &|text| plain(by_words.best(text, DEPTH)));
    score("baseline: both, by reciprocal rank", &|text| fused(text));
    score("ours, text alone", &|text| searched.find(text, false, None));
    score("ours, with what coding expects", &|text| searched.find(text, true, None));
    if split == Split::Dev {
        let ours = Weights::of("");
        let settings = [
            Weights { likeness: 0.0, words: 0.3, grams: 1.0, coverage: 0.6, complete: 0.3, expected: 1.5, ..ours },
            Weights { likeness: 0.6, ..ours },
            Weights { likeness: 2.4, ..ours },
            Weights { grams: 0.0, ..ours },
            Weights { grams: 0.3, ..ours },
            Weights { words: 0.0, ..ours },
            Weights { coverage: 0.0, complete: 0.0, ..ours },
            Weights { expected: 1.5, ..ours },
            Weights { expected: 6.0, ..ours },
        ];
        for weights in settings {
            for coded in [false, true] {
                score(&format!("{weights:?}, coded: {coded}"), &|text| searched.find(text, coded, Some(weights)));
            }
        }
    }
    let title = format!("Search: {} earlier work orders, the same system and failure mode", history.len());
    print(&title, &["nDCG@10", "first fits", "MRR"], &ways);
    all_words(&searched, &history);
}

/// The question that was ranked badly once: hits that have all three words are to come first.
fn all_words(searched: &Searched, history: &[&WorkOrder]) {
    let has = |text: &str| {
        let text = text.to_lowercase();
        text.contains("bucket") && (text.contains("cyl")) && text.contains("leak")
    };
    let there = history.iter().filter(|order| has(&order.text)).count();
    let found = searched.find("bucket cylinder leaking", false, None);
    let first = found.iter().take(10).filter(|order| has(&history[**order].text)).count();
    println!(
        "\n`bucket cylinder leaking`: {first} of the first 10 hits have all three words; {there} of the orders do."
    );
}
