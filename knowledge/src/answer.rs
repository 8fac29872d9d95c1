//! What every answer carries.

use eventlog::Position;
use serde::{Deserialize, Serialize};

/// The most items that one page holds.
pub const MAX_LIMIT: usize = 500;

/// The items of a page when the caller does not say.
pub const DEFAULT_LIMIT: usize = 20;

/// An answer with the position that it stands for and the positions that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer<T> {
    /// The last position that was taken into account; `None` while nothing has been applied.
    pub as_of: Option<Position>,
    /// The stores that were asked, each with the first position that it had not applied; `as_of` lies below all of them.
    pub stores: Vec<(String, Position)>,
    /// How many observations the answer rests on.
    pub n: u64,
    /// The positions that it comes from: at most [`crate::record::MAX_EVIDENCE`], the latest ones.
    pub evidence: Vec<Position>,
    /// The answer.
    pub value: T,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send back to get the next page; `None` on the last one.
    pub next_cursor: Option<String>,
    /// How many there are in all, where that was counted.
    pub total: Option<u64>,
    /// The last position that was taken into account; `None` while nothing has been applied.
    pub as_of: Option<Position>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The question is not well formed.
    #[error("{field} is not valid: {reason}")]
    Invalid {
        /// The field of the question.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such thing at the asked position.
    #[error("{kind} {id:?} is not known")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The stores have not applied the position in time; the same question may succeed later.
    #[error("position {position} is not applied yet")]
    Behind {
        /// The position that was waited for.
        position: Position,
    },
    /// A store failed.
    #[error("the {store} store failed: {reason}")]
    Store {
        /// The store.
        store: &'static str,
        /// Its reason.
        reason: String,
    },
}

impl QuestionError {
    /// Whether the same question may succeed later without a change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Behind { .. })
    }
}

/// A page size between 1 and [`MAX_LIMIT`].
pub(crate) fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}
