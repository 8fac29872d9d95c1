//! Search: a Tantivy index with one document a record version.

mod document;
mod near;
mod projection;
mod query;
mod store;

#[cfg(test)]
#[path = "search_index/tests.rs"]
mod tests;
pub(crate) use document::nanoseconds;
pub use near::{Meaning, NearError};
pub use projection::SearchProjection;
pub(crate) use query::Hints;
pub use query::SearchIndex;
pub use retrieval::index::Facet;

use std::collections::BTreeMap;

use domain::Text;
use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{Base, Kind, KnowledgeRecord, RecordId};

/// What is searched for. Without words the newest records that pass the filters are listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchRequest {
    /// Words in Chinese or English, codes, or both.
    pub q: Option<String>,
    /// Only this knowledge base.
    pub base: Option<Base>,
    /// Only this kind of record.
    pub kind: Option<Kind>,
    /// Only this asset.
    pub asset: Option<String>,
    /// Only assets of this class.
    pub class: Option<String>,
    /// Only what is coded with this failure mode.
    pub mode: Option<String>,
    /// Only what concerns this maintainable item.
    pub item: Option<String>,
    /// What is like this record; together with words, what is like both.
    pub similar: Option<RecordId>,
    /// Facets whose values are counted among everything that fits.
    pub facets: Vec<Facet>,
    /// Only what happened at or after this time; leaves out what has no time.
    pub from: Option<Timestamp>,
    /// Only what happened before this time; leaves out what has no time.
    pub to: Option<Timestamp>,
    /// What was known then: the last position that counts; the newest, when absent.
    pub as_of: Option<Position>,
    /// The most hits, at most 500; 20 when absent.
    pub limit: Option<usize>,
    /// Where to go on, as the former page said.
    pub cursor: Option<String>,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// How well it fits: words, character n-grams, sounds, codes and what coding expects; comparable within one answer only, 0 in a list without words.
    pub score: f32,
    /// The places that fit, with `<b>` around them and everything else escaped for HTML.
    pub snippet: Text,
    /// The version that was valid at `as_of`.
    pub record: KnowledgeRecord,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchAnswer {
    /// The hits, the best first.
    pub items: Vec<Hit>,
    /// What to send back to get the next page.
    pub next_cursor: Option<String>,
    /// How many records fit in all.
    pub total: u64,
    /// For each facet that was asked for, its values with how many records have them, the most frequent first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facets: BTreeMap<String, Vec<(String, u64)>>,
    /// The last position that was taken into account; `None` while nothing has been applied.
    pub as_of: Option<Position>,
    /// The version of the words that mean the same: that of the program's dictionary, and behind `+` the position of the plant's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// The model of meaning that took part; absent where there is none, or no words were searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Meaning>,
}
