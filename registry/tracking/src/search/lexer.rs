//! From text to tokens.
//!
//! The rules for quotes are those of sqlparse, which MLflow's server splits filters with: a doubled or escaped quote does not end a string, unless
//! nothing else does.

use super::SearchError;
use super::error::SearchError::Clause;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and `_`.
    Word,
    /// Between single quotes.
    Single,
    /// Between double quotes.
    Double,
    /// Between backticks.
    Backtick,
    /// A number.
    Number,
    /// `<`, `>`, `=`, `!` and `~` in a row.
    Operator,
    /// `.` within a key.
    Dot,
    /// `,`
    Comma,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `;`
    Semicolon,
    /// Any other character.
    Other,
}

/// A part of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    /// As it is written, with its quotes.
    pub raw: &'t str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl<'t> Token<'t> {
    /// What stands between the quotes; the token itself, when it has none.
    pub fn content(&self) -> &'t str {
        match self.kind {
            Kind::Single | Kind::Double | Kind::Backtick => {
                self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default()
            }
            _ => self.raw,
        }
    }

    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.raw.len()
    }

    /// Whether it is this word, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.raw.eq_ignore_ascii_case(word)
    }
}

/// Splits a text into tokens. White space is dropped; two tokens touch when one ends where the other begins.
///
/// # Errors
/// When a quote is never closed.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, SearchError> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let joined = found.last().is_some_and(|last| {
            last.end() == at && matches!(last.kind, Kind::Dot | Kind::Word | Kind::Double | Kind::Backtick)
        });
        let (kind, length) = match first {
            '\'' | '"' | '`' => {
                let length = quoted(rest, first)
                    .ok_or_else(|| Clause { clause: shortened(rest), hint: ". A quote in it is never closed." })?;
                let kind = match first {
                    '\'' => Kind::Single,
                    '"' => Kind::Double,
                    _ => Kind::Backtick,
                };
                (kind, length)
            }
            '<' | '>' | '=' | '!' | '~' => (Kind::Operator, span(rest, |c| "<>=!~".contains(c))),
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            ';' => (Kind::Semicolon, 1),
            '.' | '-' | '0'..='9' if !joined && let Some(length) = number(rest) => (Kind::Number, length),
            '.' => (Kind::Dot, 1),
            c if is_word(c) => (Kind::Word, span(rest, is_word)),
            c => (Kind::Other, c.len_utf8()),
        };
        found.push(Token { kind, raw: rest.get(..length).unwrap_or(rest), start: at });
        at += length;
    }
    Ok(found)
}

/// At most 200 characters of a text, for an error.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn span(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

/// The length of the quoted text that begins here, with both quotes.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut last_resort = None;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        let next_is_quote = characters.peek().is_some_and(|(_, next)| *next == quote);
        if c == quote && !next_is_quote {
            return Some(at + 1);
        }
        // Backticks know no escape.
        if next_is_quote && (c == quote || (c == '\\' && quote != '`')) {
            last_resort = Some(if c == quote { at + 1 } else { at + 2 });
            characters.next();
        }
    }
    last_resort
}

/// The length of the number that begins here: digits with a sign, a point and an exponent, and no letter behind it.
fn number(text: &str) -> Option<usize> {
    let digits = |from: usize| text.get(from..).map_or(0, |rest| span(rest, |c| c.is_ascii_digit()));
    let mut at = usize::from(text.starts_with('-'));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if text.get(at..).is_some_and(|rest| rest.starts_with('.')) {
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if text.get(at..).is_some_and(|rest| rest.starts_with(['e', 'E'])) {
        let sign = usize::from(text.get(at + 1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    let followed = text.get(at..).and_then(|rest| rest.chars().next());
    (!followed.is_some_and(|c| is_word(c) || c == '.')).then_some(at)
}
