//! A question taken apart: its words with what means the same, its n-grams, its sounds and its codes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tantivy::tokenizer::Token;

use crate::curated::Curated;
use crate::{dictionary, terms};

/// What another word for the same is worth, and a word that an abbreviation stands for.
const SAME_SHARE: f32 = 0.6;
const ABBREVIATED_SHARE: f32 = 0.8;

/// One way to say a word of the question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alternative {
    /// Stemmed English words or Chinese ones, all of which must be there.
    pub words: Vec<String>,
    pub han: bool,
    pub worth: f32,
}

/// A word of the question with what means the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Concept {
    pub alternatives: Vec<Alternative>,
}

/// A question taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub concepts: Vec<Concept>,
    pub grams: Vec<String>,
    pub sounds: Vec<String>,
    pub codes: Vec<String>,
}

fn distinct(tokens: Vec<Token>) -> Vec<String> {
    let mut words: Vec<String> = tokens.into_iter().map(|token| token.text).collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(terms::MAX_QUESTION_TERMS);
    words
}

/// An abbreviation and what it stands for, with the stem of each.
struct Abbreviation {
    short: &'static str,
    long: &'static str,
    short_stem: String,
    long_stem: String,
}

/// [`dictionary::ABBREVIATIONS`], each stemmed once and not for every question.
static ABBREVIATIONS: LazyLock<Vec<Abbreviation>> = LazyLock::new(|| {
    let stemmed = |(short, long): &(&'static str, &'static str)| Abbreviation {
        short,
        long,
        short_stem: terms::stem(short),
        long_stem: terms::stem(long),
    };
    dictionary::ABBREVIATIONS.iter().map(stemmed).collect()
});

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
    static GROUPS: LazyLock<BTreeMap<String, Vec<Alternative>>> = LazyLock::new(|| {
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
        let named = |stem: &String| {
            let mut first = concepts.iter().filter_map(|concept| concept.alternatives.first());
            first.any(|one| one.words == [stem.as_str()])
        };
        for Abbreviation { short, long, short_stem, long_stem } in &*ABBREVIATIONS {
            if named(long_stem) {
                looks.push(' ');
                looks.push_str(short);
            } else if named(short_stem) {
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
            for one in ABBREVIATIONS.iter().filter(|one| one.short == word) {
                let words = terms::en(one.long).into_iter().map(|token| token.text).collect();
                alternatives.push(Alternative { words, han: false, worth: ABBREVIATED_SHARE });
            }
            for one in ABBREVIATIONS.iter().filter(|one| one.long_stem == *stem) {
                let words = vec![one.short_stem.clone()];
                alternatives.push(Alternative { words, han: false, worth: ABBREVIATED_SHARE });
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
