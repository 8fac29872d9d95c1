//! `LIKE`: `%` stands for any characters, `_` for one.
//!
//! The pattern is cut at its `%`s. Each piece has a fixed length, so the leftmost place where it fits is always the right one, and no choice is ever
//! taken back. A piece without `_` is found by the standard library's two-way search; one with `_` by Shift-And, which reads each character of the value once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use super::{PATTERN_CHARACTERS_MAX, SearchError};

/// A pattern, ready to be tried on values.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    any_case: bool,
    /// The pieces between the `%`s; one piece when there is none.
    pieces: Vec<Piece>,
    /// Whether there is a `%`.
    open: bool,
}

#[derive(Clone)]
enum Piece {
    Literal(String),
    Wild(Wild),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{:?}", if self.any_case { "any case of " } else { "" }, self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.any_case == other.any_case
    }
}

impl Pattern {
    /// The pattern of a `LIKE`; of an `ILIKE`, when the case of letters is to be ignored.
    ///
    /// # Errors
    /// When it is longer than [`PATTERN_CHARACTERS_MAX`].
    pub fn new(text: &str, any_case: bool) -> Result<Self, SearchError> {
        let length = text.chars().count();
        if length > PATTERN_CHARACTERS_MAX {
            return Err(SearchError::TooLong {
                what: "pattern of LIKE",
                length,
                unit: "characters",
                most: PATTERN_CHARACTERS_MAX,
            });
        }
        let folded = folded(text, any_case);
        let pieces = folded
            .split('%')
            .map(
                |piece| {
                    if piece.contains('_') { Piece::Wild(Wild::new(piece)) } else { Piece::Literal(piece.to_owned()) }
                },
            )
            .collect();
        Ok(Self { open: folded.contains('%'), text: text.to_owned(), any_case, pieces })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the case of letters is ignored.
    pub fn any_case(&self) -> bool {
        self.any_case
    }

    /// Whether a value, the whole of it, fits the pattern.
    pub fn fits(&self, value: &str) -> bool {
        let value = folded(value, self.any_case);
        let (Some((first, rest)), true) = (self.pieces.split_first(), self.open) else {
            return self.pieces.first().is_some_and(|only| only.at_start(&value) == Some(value.len()));
        };
        let Some(begin) = first.at_start(&value) else { return false };
        let Some((last, middle)) = rest.split_last() else { return false };
        let mut left = value.get(begin..).unwrap_or_default();
        for piece in middle {
            let Some(end) = piece.find(left) else { return false };
            left = left.get(end..).unwrap_or_default();
        }
        last.at_end(left)
    }
}

fn folded(text: &str, any_case: bool) -> Cow<'_, str> {
    // Character by character: `str::to_lowercase` looks at the neighbours of a sigma, which differ between a pattern and a value.
    if any_case { Cow::Owned(text.chars().flat_map(char::to_lowercase).collect()) } else { Cow::Borrowed(text) }
}

impl Piece {
    /// Where the piece ends, when the value begins with it.
    fn at_start(&self, value: &str) -> Option<usize> {
        match self {
            Self::Literal(text) => value.starts_with(text.as_str()).then_some(text.len()),
            Self::Wild(wild) => {
                let mut characters = value.char_indices();
                for expected in &wild.characters {
                    let (_, found) = characters.next()?;
                    if expected.is_some_and(|expected| expected != found) {
                        return None;
                    }
                }
                Some(characters.next().map_or(value.len(), |(at, _)| at))
            }
        }
    }

    /// Whether the value ends with the piece.
    fn at_end(&self, value: &str) -> bool {
        match self {
            Self::Literal(text) => value.ends_with(text.as_str()),
            Self::Wild(wild) => {
                let mut characters = value.chars().rev();
                wild.characters.iter().rev().all(|expected| {
                    characters.next().is_some_and(|found| expected.is_none_or(|expected| expected == found))
                })
            }
        }
    }

    /// Where the leftmost occurrence ends.
    fn find(&self, value: &str) -> Option<usize> {
        match self {
            Self::Literal(text) => value.find(text.as_str()).map(|at| at + text.len()),
            Self::Wild(wild) => wild.find(value),
        }
    }
}

/// A piece with `_` in it.
#[derive(Clone)]
struct Wild {
    /// Its characters; `None` is any.
    characters: Vec<Option<char>>,
    /// For each character that occurs in the piece: the places where it fits, as bits.
    fits: HashMap<char, Vec<u64>>,
    /// The places where any character fits.
    any: Vec<u64>,
}

impl Wild {
    fn new(piece: &str) -> Self {
        let characters: Vec<Option<char>> = piece.chars().map(|c| (c != '_').then_some(c)).collect();
        let words = characters.len().div_ceil(64);
        let mut any = vec![0_u64; words];
        for (at, _) in characters.iter().enumerate().filter(|(_, c)| c.is_none()) {
            set(&mut any, at);
        }
        let mut fits: HashMap<char, Vec<u64>> = HashMap::new();
        for (at, c) in characters.iter().enumerate().filter_map(|(at, c)| c.map(|c| (at, c))) {
            set(fits.entry(c).or_insert_with(|| any.clone()), at);
        }
        Self { characters, fits, any }
    }

    /// Shift-And (Baeza-Yates and Gonnet, 1992): bit `i` says that the characters up to here end with the first `i + 1` of the piece.
    fn find(&self, value: &str) -> Option<usize> {
        let last = self.characters.len().checked_sub(1)?;
        let mut state = vec![0_u64; self.any.len()];
        for (at, c) in value.char_indices() {
            let mut carry = 1;
            for (word, mask) in state.iter_mut().zip(self.fits.get(&c).unwrap_or(&self.any)) {
                let out = *word >> 63;
                *word = ((*word << 1) | carry) & mask;
                carry = out;
            }
            if state.get(last / 64).is_some_and(|word| word >> (last % 64) & 1 == 1) {
                return Some(at + c.len_utf8());
            }
        }
        None
    }
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}
