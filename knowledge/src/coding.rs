//! Coding help: from free text to suggested failure mode, mechanism, cause and item, each with a probability that holds, or to none.

use eventlog::Position;
use retrieval::coding::Target;
use retrieval::features;
use retrieval::index::{Expected, Facet};
use serde::{Deserialize, Serialize};

pub use retrieval::coding::{Suggestion, Suggestions};

use crate::answer::{self, QuestionError};
use crate::case_index::CaseIndex;
use crate::diagnose::Made;
use crate::words::Words;

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 4_096;

/// The codes of each target when the caller does not say how many.
const DEFAULT_CODES: usize = 5;

/// Codes that a search is made to expect; the others are unlikely.
const EXPECTED_CODES: usize = 20;

/// What is to be coded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// What was said, in Chinese or English.
    pub text: String,
    /// What was known then: the last position that counts; the newest, when absent.
    #[serde(default)]
    pub as_of: Option<Position>,
    /// The most codes of each target; 5 when absent.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What is suggested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coding {
    /// The last position that was taken into account.
    pub as_of: Option<Position>,
    /// The suggestions for each target that enough was coded with.
    pub targets: Vec<Suggestions>,
    /// What made them.
    pub made: Made,
}

/// Suggests codes for a text.
pub(crate) fn code(index: &CaseIndex, words: &Words, request: &CodeRequest) -> Result<Coding, QuestionError> {
    let invalid = |reason: &str| QuestionError::Invalid { field: "text", reason: reason.to_owned() };
    if request.text.trim().is_empty() {
        return Err(invalid("it is empty"));
    }
    if request.text.len() > MAX_TEXT_BYTES {
        return Err(invalid("it is longer than 4096 bytes"));
    }
    let newest = index.checkpoint().previous();
    let as_of = request.as_of.map_or(newest, |asked| newest.map(|newest| asked.min(newest)));
    let curated = words.at(request.as_of);
    let Some(position) = as_of else {
        return Ok(Coding { as_of, targets: Vec::new(), made: Made::by(None, &curated) });
    };
    let text = curated.widened(&request.text);
    let limit = request.limit.map_or(DEFAULT_CODES, |limit| answer::limit(Some(limit)));
    Ok(index.look(request.as_of, position, |_, experience| Coding {
        as_of,
        targets: experience.map(|experience| experience.coder.suggest(&text, limit)).unwrap_or_default(),
        made: Made::by(experience, &curated),
    }))
}

/// What a search for the words is made to expect.
pub(crate) fn expected(index: &CaseIndex, asked: Option<Position>, words: &str) -> Expected {
    let Some(newest) = index.checkpoint().previous() else { return Expected::new() };
    let position = asked.map_or(newest, |asked| asked.min(newest));
    // It decides about the order alone, so that a search waits for no lesson.
    let Some(experience) = index.soon(position) else { return Expected::new() };
    let features = features::of(words);
    let targets = [(Facet::Mode, Target::Mode), (Facet::Item, Target::Item)];
    targets
        .into_iter()
        .map(|(facet, target)| {
            let mut codes = experience.coder.probabilities(target, &features);
            codes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
            codes.truncate(EXPECTED_CODES);
            #[expect(clippy::cast_possible_truncation, reason = "a probability needs no more than a float")]
            let narrow = |(code, probability): (&str, f64)| (code.to_owned(), probability as f32);
            (facet, codes.into_iter().map(narrow).collect::<Vec<_>>())
        })
        .filter(|(_, codes)| !codes.is_empty())
        .collect()
}

#[cfg(test)]
#[path = "coding_tests.rs"]
mod tests;
