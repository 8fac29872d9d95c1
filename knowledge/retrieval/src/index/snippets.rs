//! The places of a text that a question found.

use std::collections::BTreeMap;

use tantivy::snippet::SnippetGenerator;
use tantivy::tokenizer::{TextAnalyzer, Token};

use super::store::View;
use super::words::Words;
use crate::curated::Curated;
use crate::terms::{self, Terms};

/// The most characters of a snippet.
const SNIPPET_CHARS: usize = 200;

/// Marks what a question found, with what means the same.
pub struct Snippets {
    zh: SnippetGenerator,
    en: SnippetGenerator,
}

impl Snippets {
    /// For one question, with the words of the plant that it was asked with.
    pub fn new(view: &View, question: &str, curated: Option<&Curated>) -> Self {
        let words = Words::of(question, curated);
        let make = |field, words: Vec<String>, cut: fn(&str) -> Vec<Token>| {
            let terms: BTreeMap<String, f32> = words.into_iter().map(|word| (word, 1.0)).collect();
            SnippetGenerator::new(terms, TextAnalyzer::from(Terms(cut)), field, SNIPPET_CHARS)
        };
        let (zh, en) = words.marked();
        Self { zh: make(view.fields.zh, zh, terms::zh), en: make(view.fields.en, en, terms::en) }
    }

    /// The best place of a Chinese text, with `<b>` around what was found and everything else escaped for HTML.
    pub fn zh(&self, text: &str) -> String {
        Self::of(&self.zh, text)
    }

    /// The same for an English text.
    pub fn en(&self, text: &str) -> String {
        Self::of(&self.en, text)
    }

    fn of(generator: &SnippetGenerator, text: &str) -> String {
        let text = terms::bounded(text);
        let snippet = generator.snippet(text);
        if snippet.is_empty() { escaped(text) } else { snippet.to_html() }
    }
}

/// The beginning of a text, safe in HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars().take(SNIPPET_CHARS) {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(character),
        }
    }
    safe
}
