//! The words of the plant: what means the same, and what abbreviations stand for. They add to the dictionary that the program brings along.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::ids::{Code, PersonId};
use crate::values::Text;

/// The most phrases of a group.
pub const MOST_PHRASES: usize = 20;

/// The longest phrase, in characters.
pub const LONGEST_PHRASE_CHARS: usize = 64;

/// The longest abbreviation, in characters.
pub const LONGEST_ABBREVIATION_CHARS: usize = 16;

/// A dictionary entry says nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// A group of one says nothing; one of too many says anything.
    #[error("phrases: there are {0}; a group has 2 to {MOST_PHRASES}")]
    Count(usize),
    /// A phrase is empty or too long.
    #[error("{field}: {phrase:?} is empty, or longer than {most} characters")]
    Length {
        /// The field.
        field: &'static str,
        /// The phrase.
        phrase: String,
        /// The limit.
        most: usize,
    },
    /// A phrase is there twice.
    #[error("phrases: {0:?} is there twice")]
    Twice(String),
    /// An abbreviation is one word.
    #[error("short: {0:?} has a blank in it, and an abbreviation is one word")]
    NotOneWord(String),
}

fn checked(field: &'static str, phrase: &str, most: usize) -> Result<String, InvalidEntry> {
    let trimmed = phrase.trim();
    if trimmed.is_empty() || trimmed.chars().count() > most {
        return Err(InvalidEntry::Length { field, phrase: phrase.to_owned(), most });
    }
    Ok(trimmed.to_owned())
}

/// Phrases that mean the same, in any language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SamePhrasesWritten")]
pub struct SamePhrases {
    phrases: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SamePhrasesWritten {
    phrases: Vec<String>,
}

impl TryFrom<SamePhrasesWritten> for SamePhrases {
    type Error = InvalidEntry;

    fn try_from(written: SamePhrasesWritten) -> Result<Self, InvalidEntry> {
        Self::new(&written.phrases)
    }
}

impl SamePhrases {
    /// The group.
    ///
    /// # Errors
    /// [`InvalidEntry`].
    pub fn new(phrases: &[String]) -> Result<Self, InvalidEntry> {
        if phrases.len() < 2 || phrases.len() > MOST_PHRASES {
            return Err(InvalidEntry::Count(phrases.len()));
        }
        let mut group: Vec<String> = Vec::with_capacity(phrases.len());
        for phrase in phrases {
            let phrase = checked("phrases", phrase, LONGEST_PHRASE_CHARS)?;
            if group.iter().any(|known| known.to_lowercase() == phrase.to_lowercase()) {
                return Err(InvalidEntry::Twice(phrase));
            }
            group.push(phrase);
        }
        Ok(Self { phrases: group })
    }

    /// The phrases.
    pub fn phrases(&self) -> &[String] {
        &self.phrases
    }
}

/// A short form with what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AbbreviationWritten")]
pub struct Abbreviation {
    short: String,
    stands_for: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbbreviationWritten {
    short: String,
    stands_for: String,
}

impl TryFrom<AbbreviationWritten> for Abbreviation {
    type Error = InvalidEntry;

    fn try_from(written: AbbreviationWritten) -> Result<Self, InvalidEntry> {
        Self::new(&written.short, &written.stands_for)
    }
}

impl Abbreviation {
    /// The abbreviation.
    ///
    /// # Errors
    /// [`InvalidEntry`].
    pub fn new(short: &str, stands_for: &str) -> Result<Self, InvalidEntry> {
        let short = checked("short", short, LONGEST_ABBREVIATION_CHARS)?;
        if short.chars().any(char::is_whitespace) {
            return Err(InvalidEntry::NotOneWord(short));
        }
        Ok(Self { short, stands_for: checked("stands_for", stands_for, LONGEST_PHRASE_CHARS)? })
    }

    /// The short form.
    pub fn short(&self) -> &str {
        &self.short
    }

    /// What it stands for.
    pub fn stands_for(&self) -> &str {
        &self.stands_for
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WordMeaning {
    /// Phrases that mean the same.
    Same(SamePhrases),
    /// An abbreviation.
    Abbreviation(Abbreviation),
}

/// Somebody said what words of the plant mean; an entry that is there says so from now on.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DictionaryEntryDefined {
    /// The entry.
    pub entry: Code,
    /// What it says.
    pub meaning: WordMeaning,
    /// Who curated it.
    pub person: PersonId,
    /// Where it comes from.
    pub note: Option<Text>,
}

/// An entry no longer holds.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DictionaryEntryRemoved {
    /// The entry.
    pub entry: Code,
    /// Who removed it.
    pub person: PersonId,
    /// Why.
    pub reason: Option<Text>,
}
