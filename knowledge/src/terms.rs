//! How text becomes terms: the same way in the index, in questions and in diagnosis.

use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use tantivy::tokenizer::{Language, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer};
use tantivy_jieba::JiebaTokenizer;

/// The longest text that is taken apart, in bytes; what lies beyond is not searched.
pub(crate) const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The most terms that a question is taken apart into.
pub(crate) const MAX_QUESTION_TERMS: usize = 64;

/// The length of a Latin character n-gram.
const GRAM_CHARS: usize = 3;

/// The longest word that is taken apart into n-grams, in characters.
const MAX_GRAM_WORD_CHARS: usize = 64;

/// Words that say nothing, in Chinese.
const STOP_ZH: &[&str] =
    &["的", "了", "在", "是", "和", "与", "有", "及", "等", "就", "也", "都", "而", "着", "把", "被"];

/// Whether the character is Han.
pub(crate) fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// The text up to [`MAX_TEXT_BYTES`], cut at a character.
pub(crate) fn bounded(text: &str) -> &str {
    if text.len() <= MAX_TEXT_BYTES {
        text
    } else {
        text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default()
    }
}

/// Chinese words by jieba in search mode: long words and the words within them, without punctuation.
pub(crate) fn zh(text: &str) -> Vec<Token> {
    let mut words = Vec::new();
    let text = bounded(text);
    if !text.chars().any(is_han) {
        return words;
    }
    // Positions are ordinal: offsets in characters would tear phrases apart.
    let mut tokenizer = JiebaTokenizer::with_ordinal_position_mode(true);
    let mut stream = tokenizer.token_stream(text);
    while stream.advance() {
        let token = stream.token();
        if token.text.chars().any(is_han) && !STOP_ZH.contains(&token.text.as_str()) {
            words.push(token.clone());
        }
    }
    words
}

/// Latin words: runs of letters and digits that are not Han, in lower case.
fn latin(text: &str) -> Vec<Token> {
    let mut words: Vec<Token> = Vec::new();
    let text = bounded(text);
    let mut begin = None;
    let ends = text.char_indices().chain(std::iter::once((text.len(), ' ')));
    for (at, character) in ends {
        let inside = character.is_alphanumeric() && !is_han(character);
        match (begin, inside) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                begin = None;
                let Some(word) = text.get(from..at) else { continue };
                words.push(Token {
                    offset_from: from,
                    offset_to: at,
                    position: words.len(),
                    text: word.to_lowercase(),
                    position_length: 1,
                });
            }
            _ => {}
        }
    }
    words
}

/// English words, stemmed.
pub(crate) fn en(text: &str) -> Vec<Token> {
    static STEMMED: OnceLock<TextAnalyzer> = OnceLock::new();
    let mut analyzer = STEMMED
        .get_or_init(|| TextAnalyzer::builder(Terms(latin)).filter(Stemmer::new(Language::English)).build())
        .clone();
    let mut words = Vec::new();
    let mut stream = analyzer.token_stream(text);
    while stream.advance() {
        words.push(stream.token().clone());
    }
    words
}

/// Character n-grams, which find words in spite of a typo: three characters of each Latin word, two of each Han run. A shorter word stands
/// for itself.
pub(crate) fn grams(text: &str) -> Vec<Token> {
    let mut grams = Vec::new();
    let text = bounded(text);
    for word in latin(text) {
        windows(&word.text, GRAM_CHARS, word.offset_from, &mut grams);
    }
    let mut begin = None;
    for (at, character) in text.char_indices().chain(std::iter::once((text.len(), ' '))) {
        match (begin, is_han(character)) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                begin = None;
                windows(text.get(from..at).unwrap_or_default(), 2, from, &mut grams);
            }
            _ => {}
        }
    }
    grams
}

fn windows(word: &str, size: usize, offset: usize, grams: &mut Vec<Token>) {
    let starts: Vec<usize> =
        word.char_indices().map(|(at, _)| at).take(MAX_GRAM_WORD_CHARS).chain(std::iter::once(word.len())).collect();
    let mut add = |from: usize, to: usize| {
        let Some(text) = word.get(from..to) else { return };
        grams.push(Token {
            offset_from: offset + from,
            offset_to: offset + to,
            position: grams.len(),
            text: text.to_owned(),
            position_length: 1,
        });
    };
    if starts.len() <= size {
        add(0, word.len());
        return;
    }
    for window in starts.windows(size + 1) {
        if let (Some(from), Some(to)) = (window.first(), window.last()) {
            add(*from, *to);
        }
    }
}

static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9]+(?:[-_./:][A-Za-z0-9]+)*").ok());

/// Codes in the text: words of Latin letters and digits that hold a digit, or are joined by `-`, `_`, `.`, `/` or `:`, in lower case. They are taken out
/// before jieba sees the text, which would tear `WES-5.4.5` apart.
pub(crate) fn codes(text: &str) -> Vec<String> {
    let Some(pattern) = CODE.as_ref() else { return Vec::new() };
    let mut codes: Vec<String> = pattern
        .find_iter(bounded(text))
        .map(|found| found.as_str())
        .filter(|word| word.len() > 1 && word.bytes().any(|byte| !byte.is_ascii_alphabetic()))
        .map(str::to_lowercase)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A function as a tokenizer of Tantivy.
#[derive(Clone, Copy)]
pub(crate) struct Terms(pub fn(&str) -> Vec<Token>);

impl Tokenizer for Terms {
    type TokenStream<'a> = TermStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> TermStream {
        TermStream { terms: (self.0)(text).into_iter(), token: Token::default() }
    }
}

/// The terms of one text.
pub(crate) struct TermStream {
    terms: std::vec::IntoIter<Token>,
    token: Token,
}

impl TokenStream for TermStream {
    fn advance(&mut self) -> bool {
        match self.terms.next() {
            Some(token) => {
                self.token = token;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
