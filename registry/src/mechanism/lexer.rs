//! From the text of an expression to its words.

use std::ops::Range;

/// Why a text is not an expression, and where: bytes from the beginning of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {}..{}: {reason}", .span.start, .span.end)]
pub struct ExpressionError {
    /// The bytes that do not fit.
    pub span: Range<usize>,
    /// What is wrong there.
    pub reason: String,
}

impl ExpressionError {
    pub(super) fn new(span: Range<usize>, reason: impl Into<String>) -> Self {
        Self { span, reason: reason.into() }
    }
}

/// A word of the language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word<'a> {
    Number(f64),
    Name(&'a str),
    Sign(&'static str),
    End,
}

impl std::fmt::Display for Word<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Name(name) => write!(formatter, "{name:?}"),
            Self::Sign(sign) => write!(formatter, "{sign:?}"),
            Self::End => formatter.write_str("the end"),
        }
    }
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [&str; 14] = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "^", "(", ")", ","];

/// Reads one word from `at` on; answers it with its place.
pub(super) fn next_word(text: &str, at: usize) -> Result<(Word<'_>, Range<usize>), ExpressionError> {
    let rest = text.get(at..).unwrap_or_default();
    let trimmed = rest.trim_start();
    let start = at + (rest.len() - trimmed.len());
    let Some(first) = trimmed.chars().next() else {
        return Ok((Word::End, start..start));
    };
    if first.is_ascii_digit() || first == '.' {
        return number(trimmed, start);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let name = prefix(trimmed, |character| character.is_ascii_alphanumeric() || character == '_');
        return Ok((Word::Name(name), start..start + name.len()));
    }
    match SIGNS.into_iter().find(|sign| trimmed.starts_with(sign)) {
        Some(sign) => Ok((Word::Sign(sign), start..start + sign.len())),
        None => {
            let reason = format!("the character {first:?} means nothing here");
            Err(ExpressionError::new(start..start + first.len_utf8(), reason))
        }
    }
}

fn prefix(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    let end = text.find(|character| !belongs(character)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn number(text: &str, start: usize) -> Result<(Word<'_>, Range<usize>), ExpressionError> {
    let mantissa = prefix(text, |character| character.is_ascii_digit() || character == '.');
    let mut length = mantissa.len();
    let rest = text.get(length..).unwrap_or_default();
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let digits = prefix(unsigned, |character| character.is_ascii_digit());
        if !digits.is_empty() {
            length += 1 + (exponent.len() - unsigned.len()) + digits.len();
        }
    }
    let span = start..start + length;
    match text.get(..length).map(str::parse::<f64>) {
        Some(Ok(value)) if value.is_finite() => Ok((Word::Number(value), span)),
        _ => Err(ExpressionError::new(span, "this is not a number")),
    }
}
