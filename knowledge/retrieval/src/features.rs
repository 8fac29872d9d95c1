//! What a text is compared by: hashed words and character n-grams, the same in every run and on every machine.

use crate::{dictionary, terms};

/// The lengths of Latin character n-grams in features.
const GRAM_CHARS: std::ops::RangeInclusive<usize> = 2..=5;

/// The longest word that is taken apart.
const MAX_WORD_CHARS: usize = 32;

/// One feature of a text with how often it is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// The hash of its kind and text.
    pub hash: u64,
    /// How often the text has it.
    pub count: f32,
}

/// A hash that never changes: FNV-1a over the bytes, mixed once more so that near texts lie apart.
pub fn hash(kind: u8, text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in std::iter::once(kind).chain(text.bytes()) {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The kinds of features.
pub mod kind {
    /// A stemmed word, or a Chinese one.
    pub const WORD: u8 = 1;
    /// A character n-gram.
    pub const GRAM: u8 = 2;
    /// Two syllables of Han text.
    pub const SOUND: u8 = 3;
    /// Two words that stand together.
    pub const PAIR: u8 = 4;
    /// What words that mean the same speak of.
    pub const CONCEPT: u8 = 6;
    /// Something that is named: an alarm, a system, an asset.
    pub const NAME: u8 = 5;
}

/// Latin text in lower case with its abbreviations written out, and digits as one sign: `L/H CYL 123` and `left hand cyl 7` are alike.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 16);
    for word in text.replace("/", "").split_whitespace() {
        let lower = word.to_lowercase();
        for token in terms::latin(&lower) {
            let written = dictionary::ABBREVIATIONS.iter().find(|(short, _)| *short == token.text);
            let word = written.map_or(token.text.as_str(), |(_, long)| *long);
            plain.push(' ');
            if word.bytes().any(|byte| byte.is_ascii_digit()) {
                plain.push('#');
            } else {
                plain.push_str(word);
            }
        }
    }
    plain
}

/// Every feature of a text, sorted by hash.
pub fn of(text: &str) -> Vec<Feature> {
    let mut hashes: Vec<u64> = Vec::new();
    let latin = plain(text);
    let words: Vec<String> = latin.split_whitespace().map(terms::stem).collect();
    hashes.extend(words.iter().map(|word| hash(kind::WORD, word)));
    hashes.extend(words.windows(2).map(|pair| hash(kind::PAIR, &pair.join(" "))));
    for word in latin.split_whitespace() {
        let marked: Vec<char> = format!("_{word}_").chars().take(MAX_WORD_CHARS).collect();
        for size in GRAM_CHARS {
            hashes.extend(marked.windows(size).map(|window| hash(kind::GRAM, &window.iter().collect::<String>())));
        }
    }
    let text = terms::bounded(text);
    hashes.extend(dictionary::concepts(text).into_iter().map(|concept| hash(kind::CONCEPT, concept)));
    let han: Vec<char> = text.chars().filter(|character| terms::is_han(*character)).collect();
    if !han.is_empty() {
        hashes.extend(terms::zh(text).iter().map(|word| hash(kind::WORD, &word.text)));
        hashes.extend(terms::sounds(text).iter().map(|sound| hash(kind::SOUND, &sound.text)));
        for run in text.split(|character| !terms::is_han(character)) {
            let run: Vec<char> = run.chars().collect();
            for size in 1..=3 {
                hashes.extend(run.windows(size).map(|window| hash(kind::GRAM, &window.iter().collect::<String>())));
            }
        }
    }
    counted(hashes)
}

/// Hashes with how often each is there, sorted.
pub fn counted(mut hashes: Vec<u64>) -> Vec<Feature> {
    hashes.sort_unstable();
    let mut features: Vec<Feature> = Vec::with_capacity(hashes.len());
    for hash in hashes {
        match features.last_mut() {
            Some(last) if last.hash == hash => last.count += 1.0,
            _ => features.push(Feature { hash, count: 1.0 }),
        }
    }
    features
}
