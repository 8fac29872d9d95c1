//! Words that may mean the same, as history uses them: questions to whoever curates the dictionary, never answers.
//!
//! Two words are alike when they stand among the same words and in texts that were coded alike, and hardly ever together: who writes `cyl` does not write
//! `cylinder` beside it. A word whose letters are the first ones of another, in its order, may be short for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::curated::Curated;
use crate::terms;

/// The fewest texts that a word must be in, and the most words that are compared: the most frequent ones.
const LEAST_TEXTS: usize = 4;
const MOST_WORDS: usize = 2_000;

/// The largest share of the rarer word's texts that both may stand in together.
const MOST_TOGETHER: f64 = 0.05;

/// The least likeness of neighbours that is asked about, and of a word and what may be short for it.
const LEAST_LIKENESS: f64 = 0.35;
const LEAST_LIKENESS_SHORT: f64 = 0.15;

/// The neighbours that are named as a reason.
const NAMED: usize = 5;

/// How many neighbours on each side of a word count.
const NEIGHBOURS: usize = 2;

/// Two words that may mean the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The words; the first may be short for the second, where it is an abbreviation.
    pub words: (String, String),
    /// Whether the first may be short for the second.
    pub abbreviation: bool,
    /// How alike their neighbours and codes are, from 0 to 1.
    pub likeness: f64,
    /// In how many texts each stands.
    pub texts: (usize, usize),
    /// What they share, the most telling first.
    pub shared: Vec<String>,
}

#[derive(Default)]
struct Word {
    texts: Vec<usize>,
    /// How often each neighbour or code was there.
    near: BTreeMap<usize, f64>,
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// Whether the letters of `short` are some of `long`'s in their order, from the first one on, and much fewer.
pub fn may_be_short(short: &str, long: &str) -> bool {
    let (short_chars, long_chars) = (short.chars().count(), long.chars().count());
    if short_chars < 2 || short_chars + 2 > long_chars || short.chars().next() != long.chars().next() {
        return false;
    }
    let mut rest = long.chars();
    short.chars().all(|letter| rest.any(|other| other == letter))
}

/// The words of a text in order: Latin ones in lower case, Chinese ones as they are cut.
fn words_of(text: &str) -> Vec<String> {
    let mut tokens = terms::latin(text);
    tokens.extend(terms::zh(text));
    tokens.sort_by_key(|token| token.offset_from);
    let says = |word: &String| !word.chars().any(|sign| sign.is_ascii_digit()) && !terms::is_silent(word);
    tokens.into_iter().map(|token| token.text).filter(says).collect()
}

/// Pairs that are worth a question, the most alike first, at most `limit`. Each text comes with the code that people gave it, if any. What the words of
/// the plant know already is left out.
pub fn suggest(texts: &[(&str, Option<&str>)], curated: &Curated, limit: usize) -> Vec<Suggestion> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut number_of = |name: String, words: &mut Vec<Word>| -> usize {
        *numbers.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            words.push(Word::default());
            words.len() - 1
        })
    };
    for (at, (text, code)) in texts.iter().enumerate() {
        let cut: Vec<usize> = words_of(text).into_iter().map(|word| number_of(word, &mut words)).collect();
        // A code is no word: its name cannot be mistaken for one.
        let code = code.map(|code| number_of(format!("= {code}"), &mut words));
        for (place, word) in cut.iter().enumerate() {
            let (from, to) = (place.saturating_sub(NEIGHBOURS), (place + NEIGHBOURS + 1).min(cut.len()));
            let beside = cut.get(from..to).unwrap_or_default().iter().filter(|other| *other != word).chain(&code);
            let Some(own) = words.get_mut(*word) else { continue };
            for other in beside {
                *own.near.entry(*other).or_default() += 1.0;
            }
            if own.texts.last() != Some(&at) {
                own.texts.push(at);
            }
        }
    }
    let frequent = weighted(&mut words, &names);
    pairs(&words, &frequent, &names, curated, limit)
}

/// Weighs what is near each word by how rarely it is near any, makes the lengths 1, and says which words are compared.
fn weighted(words: &mut [Word], names: &[String]) -> Vec<usize> {
    let mut having: HashMap<usize, usize> = HashMap::new();
    for near in words.iter().flat_map(|word| word.near.keys()) {
        *having.entry(*near).or_default() += 1;
    }
    let all = real(words.len()) + 1.0;
    for word in words.iter_mut() {
        for (near, count) in &mut word.near {
            *count = (1.0 + count.ln()) * (all / real(having.get(near).copied().unwrap_or(1))).ln();
        }
        let length = word.near.values().map(|weight| weight * weight).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        word.near.values_mut().for_each(|weight| *weight /= length);
    }
    let mut frequent: Vec<usize> =
        (0..words.len()).filter(|at| words.get(*at).is_some_and(|word| word.texts.len() >= LEAST_TEXTS)).collect();
    let count = |at: &usize| words.get(*at).map_or(0, |word| word.texts.len());
    frequent.sort_by(|a, b| count(b).cmp(&count(a)).then_with(|| names.get(*a).cmp(&names.get(*b))));
    frequent.truncate(MOST_WORDS);
    frequent
}

fn pairs(words: &[Word], frequent: &[usize], names: &[String], curated: &Curated, limit: usize) -> Vec<Suggestion> {
    // By what is near: only words that share something are compared.
    let mut sharing: HashMap<usize, Vec<(usize, f64)>> = HashMap::new();
    for at in frequent {
        for (near, weight) in words.get(*at).into_iter().flat_map(|word| &word.near) {
            sharing.entry(*near).or_default().push((*at, *weight));
        }
    }
    let mut found = Vec::new();
    for a in frequent {
        let Some(own) = words.get(*a) else { continue };
        let texts: BTreeSet<&usize> = own.texts.iter().collect();
        let mut alike: BTreeMap<usize, f64> = BTreeMap::new();
        for (near, weight) in &own.near {
            for (b, other) in sharing.get(near).into_iter().flatten().filter(|(b, _)| b > a) {
                *alike.entry(*b).or_default() += weight * other;
            }
        }
        for (b, likeness) in alike {
            let (Some(other), Some(first), Some(second)) = (words.get(b), names.get(*a), names.get(b)) else {
                continue;
            };
            let short = [(first, second), (second, first)].into_iter().find(|(short, long)| may_be_short(short, long));
            let least = if short.is_some() { LEAST_LIKENESS_SHORT } else { LEAST_LIKENESS };
            let together = real(other.texts.iter().filter(|text| texts.contains(text)).count());
            let known = || curated.knows(first, second);
            let rarer = real(own.texts.len().min(other.texts.len()));
            if likeness < least || together > MOST_TOGETHER * rarer || known() {
                continue;
            }
            let (words, swapped) = match short {
                Some((short, long)) => ((short.clone(), long.clone()), short == second),
                None => ((first.clone(), second.clone()), false),
            };
            let counts = (own.texts.len(), other.texts.len());
            found.push(Suggestion {
                words,
                abbreviation: short.is_some(),
                likeness,
                texts: if swapped { (counts.1, counts.0) } else { counts },
                shared: shared(own, other, names),
            });
        }
    }
    found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness).then_with(|| a.words.cmp(&b.words)));
    found.truncate(limit);
    found
}

fn shared(a: &Word, b: &Word, names: &[String]) -> Vec<String> {
    let both = a.near.iter().filter_map(|(near, weight)| Some((weight * b.near.get(near)?, *near)));
    let mut both: Vec<(f64, usize)> = both.collect();
    both.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let name = |near: usize| names.get(near).map(|name| name.trim_start_matches("= ").to_owned());
    both.into_iter().take(NAMED).filter_map(|(_, near)| name(near)).collect()
}

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;
