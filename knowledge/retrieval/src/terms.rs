//! How text becomes terms: the same way in the index, in questions, in coding and in diagnosis.

use std::sync::{LazyLock, OnceLock};

use jieba_rs::{Jieba, TokenizeMode};
use pinyin::ToPinyin as _;
use regex::Regex;
use tantivy::tokenizer::{Language, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer};

use crate::dictionary;

/// The longest text that is taken apart, in bytes; what lies beyond is not searched.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The most terms that a question is taken apart into.
pub const MAX_QUESTION_TERMS: usize = 64;

/// The lengths of Latin character n-grams.
const GRAM_CHARS: std::ops::RangeInclusive<usize> = 3..=4;

/// The longest word that is taken apart into n-grams, in characters.
const MAX_GRAM_WORD_CHARS: usize = 64;

/// Words that say nothing, in Chinese.
const STOP_ZH: &[&str] =
    &["的", "了", "在", "是", "和", "与", "有", "及", "等", "就", "也", "都", "而", "着", "把", "被"];

/// English words that say nothing about a fault, stemmed.
const STOP_EN: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "did", "do", "doe", "does", "for", "from",
    "had", "has", "have", "in", "into", "is", "it", "its", "no", "not", "of", "off", "on", "or", "so", "that", "the",
    "then", "there", "this", "to", "too", "veri", "was", "were", "when", "which", "will", "with", "won", "don",
    "doesn", "isn",
];

/// Whether the character is Han.
pub fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// Whether a stemmed word says nothing: a function word, or a single letter that an apostrophe left behind.
pub fn is_silent(word: &str) -> bool {
    let letter = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    letter || STOP_EN.contains(&word)
}

/// The text up to [`MAX_TEXT_BYTES`], cut at a character.
pub fn bounded(text: &str) -> &str {
    if text.len() <= MAX_TEXT_BYTES {
        text
    } else {
        text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default()
    }
}

fn jieba() -> &'static Jieba {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    JIEBA.get_or_init(|| {
        let mut jieba = Jieba::new();
        for word in dictionary::WORDS_ZH {
            jieba.add_word(word, Some(dictionary::WORD_WEIGHT), None);
        }
        jieba
    })
}

fn token(text: String, from: usize, to: usize, position: usize) -> Token {
    Token { offset_from: from, offset_to: to, position, text, position_length: 1 }
}

/// Chinese words by jieba in search mode with the words of looms: long words and the words within them, without punctuation. Positions are ordinal:
/// offsets in characters would tear phrases apart.
pub fn zh(text: &str) -> Vec<Token> {
    let text = bounded(text);
    if !text.chars().any(is_han) {
        return Vec::new();
    }
    let cut = jieba().tokenize(text, TokenizeMode::Search, true);
    let mut words = Vec::with_capacity(cut.len());
    for word in cut {
        if word.word.chars().any(is_han) && !STOP_ZH.contains(&word.word) {
            words.push(token(word.word.to_owned(), word.byte_start, word.byte_end, words.len()));
        }
    }
    words
}

/// Runs of characters that `inside` accepts, with their offsets in bytes.
fn runs(text: &str, inside: impl Fn(char) -> bool) -> Vec<(usize, &str)> {
    let mut runs = Vec::new();
    let mut begin = None;
    for (at, inside) in text.char_indices().map(|(at, character)| (at, inside(character))).chain([(text.len(), false)])
    {
        match (begin, inside) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                begin = None;
                runs.extend(text.get(from..at).map(|run| (from, run)));
            }
            _ => {}
        }
    }
    runs
}

/// Latin words: runs of letters and digits that are not Han, in lower case.
pub fn latin(text: &str) -> Vec<Token> {
    runs(bounded(text), |character| character.is_alphanumeric() && !is_han(character))
        .into_iter()
        .enumerate()
        .map(|(position, (from, word))| token(word.to_lowercase(), from, from + word.len(), position))
        .collect()
}

/// English words, stemmed.
pub fn en(text: &str) -> Vec<Token> {
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

/// The stem of one Latin word.
pub fn stem(word: &str) -> String {
    en(word).into_iter().next().map_or_else(|| word.to_lowercase(), |token| token.text)
}

/// The lengths of Han character n-grams: one character is a word more often than not, and workshops write tersely.
const HAN_GRAM_CHARS: std::ops::RangeInclusive<usize> = 1..=3;

/// Character n-grams, which find words in spite of a typo: three and four characters of each Latin word with its edges marked, one to three of each Han
/// run. A shorter Latin word stands for itself.
pub fn grams(text: &str) -> Vec<Token> {
    let text = bounded(text);
    let mut grams = Vec::new();
    for word in latin(text) {
        let marked = format!("_{}_", word.text);
        let count = marked.chars().count();
        for size in GRAM_CHARS {
            if count > size || size == *GRAM_CHARS.start() {
                windows(&marked, size, (word.offset_from, word.offset_to), &mut grams);
            }
        }
    }
    for (from, run) in runs(text, is_han) {
        let count = run.chars().count();
        for size in HAN_GRAM_CHARS.filter(|size| *size <= count) {
            windows(run, size, (from, from + run.len()), &mut grams);
        }
    }
    grams
}

/// The windows of `size` characters of a word, each with the place of the whole word.
fn windows(word: &str, size: usize, (from, to): (usize, usize), grams: &mut Vec<Token>) {
    let starts: Vec<usize> =
        word.char_indices().map(|(at, _)| at).take(MAX_GRAM_WORD_CHARS).chain(std::iter::once(word.len())).collect();
    if starts.len() <= size {
        grams.push(token(word.to_owned(), from, to, grams.len()));
        return;
    }
    for window in starts.windows(size + 1) {
        if let (Some(begin), Some(end)) = (window.first(), window.last())
            && let Some(text) = word.get(*begin..*end)
        {
            grams.push(token(text.to_owned(), from, to, grams.len()));
        }
    }
}

/// How Han text sounds, two syllables at a time and without tones: 钢筘 and 钢扣 sound the same. A run of one character is left out: too many sound alike.
pub fn sounds(text: &str) -> Vec<Token> {
    let mut sounds = Vec::new();
    for (from, run) in runs(bounded(text), is_han) {
        let syllables: Vec<(usize, &str)> = run
            .char_indices()
            .map(|(at, character)| (at, character.to_pinyin().map_or("?", |sound| sound.plain())))
            .collect();
        for pair in syllables.windows(2) {
            if let [(begin, first), (end, second)] = pair {
                let end = from + end + run.get(*end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                sounds.push(token(format!("{first} {second}"), from + begin, end, sounds.len()));
            }
        }
    }
    sounds
}

static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9]+(?:[-_./:][A-Za-z0-9]+)*").ok());

/// The fewest digits of a number that is a code.
const CODE_DIGITS: usize = 5;

/// Whether a word is a code and not a quantity or an abbreviation: `L/H`, `2` and `1000` are none, `A-301`, `WARP_BREAK`, `3.6.3` and `4711001` are.
fn is_code(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let signs = word.len() - digits - letters;
    match (digits, letters) {
        (_, 0) => digits >= CODE_DIGITS || signs > 1,
        (0, _) => word.bytes().any(|byte| matches!(byte, b'-' | b'_' | b'.' | b':')) && letters > 3,
        _ => true,
    }
}

/// Codes in the text: words of Latin letters and digits that hold a digit, or are joined by `-`, `_`, `.` or `:`, in lower case. They are taken out
/// before jieba sees the text, which would tear `WES-5.4.5` apart.
pub fn codes(text: &str) -> Vec<String> {
    let Some(pattern) = CODE.as_ref() else { return Vec::new() };
    let mut codes: Vec<String> = pattern
        .find_iter(bounded(text))
        .map(|found| found.as_str())
        .filter(|word| word.len() > 1 && is_code(word))
        .map(str::to_lowercase)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A function as a tokenizer of Tantivy.
#[derive(Clone, Copy)]
pub struct Terms(pub fn(&str) -> Vec<Token>);

impl Tokenizer for Terms {
    type TokenStream<'a> = TermStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> TermStream {
        TermStream { terms: (self.0)(text).into_iter(), token: Token::default() }
    }
}

/// The terms of one text.
pub struct TermStream {
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
