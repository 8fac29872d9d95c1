//! A full-text index of versioned documents, in Tantivy: one document a version, found by words, codes and what sounds or looks alike, at any position.
//!
//! It knows no records: a document is texts, codes, facets, a stretch of positions in which it is valid, and a body that is given back as it was.

mod facets;
mod fields;
mod gather;
mod near;
mod open;
mod rank;
mod search;
mod snippets;
mod store;
mod words;

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;

pub use facets::FacetCounts;
pub use search::{Expected, Found, Hit, Question, Weights};
pub use snippets::Snippets;
pub use store::{Opened, TextIndex, View};

/// Something that documents are filtered and counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// The knowledge base.
    Base,
    /// The kind of record.
    Kind,
    /// The asset.
    Asset,
    /// The class of the asset.
    Class,
    /// The failure mode.
    Mode,
    /// The maintainable item.
    Item,
}

impl Facet {
    /// All facets.
    pub const ALL: [Self; 6] = [Self::Base, Self::Kind, Self::Asset, Self::Class, Self::Mode, Self::Item];

    /// The name of its field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Kind => "kind",
            Self::Asset => "asset",
            Self::Class => "class",
            Self::Mode => "mode",
            Self::Item => "item",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.as_str() == text)
    }
}

/// One version of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The identity of the thing.
    pub id: String,
    /// What it is filtered and counted by.
    pub facets: Vec<(Facet, String)>,
    /// What is searched, in Chinese or English or both.
    pub texts: Vec<String>,
    /// Codes that it is found by, whole and by their words.
    pub codes: Vec<String>,
    /// When it happened, in nanoseconds since 1970.
    pub time_ns: Option<i64>,
    /// The first position at which it is valid.
    pub valid_from: u64,
    /// The first position at which it is not valid any more.
    pub valid_to: Option<u64>,
    /// What is given back.
    pub body: Vec<u8>,
}

impl Document {
    /// The identity of the version of a thing that is valid from a position on: `id@position`.
    pub fn key(id: &str, valid_from: u64) -> String {
        format!("{id}@{valid_from}")
    }

    /// Reads a [`key`](Self::key).
    pub fn read_key(key: &str) -> Option<(&str, u64)> {
        let (id, valid_from) = key.rsplit_once('@')?;
        Some((id, valid_from.parse().ok()?))
    }
}

/// Which documents count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Valid at this position.
    pub position: u64,
    /// For each facet that is named, one of these values.
    pub facets: Vec<(Facet, Vec<String>)>,
    /// Only what happened at or after this time; leaves out what has no time.
    pub from_ns: Option<i64>,
    /// Only what happened before this time; leaves out what has no time.
    pub to_ns: Option<i64>,
}

/// Why the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Tantivy refused.
    #[error("the text index failed")]
    Tantivy(#[from] tantivy::TantivyError),
    /// A file or folder could not be read or written.
    #[error("a file of the text index could not be {operation}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A document has no body.
    #[error("a document of the text index holds no body")]
    NoBody,
}
