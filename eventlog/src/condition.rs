//! Conditions of an append and filters of a read: plain data, the same for every engine.

use serde::{Deserialize, Serialize};

use crate::{Category, EventType, Position, Record, Revision, StreamId, Tag};

/// What a stream must look like for an append to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything goes.
    Any,
    /// The stream has no record yet.
    NoStream,
    /// The last record of the stream has exactly this revision.
    Exactly(Revision),
}

/// All of these must hold for an append to go through; the default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendCondition {
    /// Expectations of streams, whether the append writes to them or only read them.
    pub streams: Vec<(StreamId, Expected)>,
    /// No record that matches the query lies after the position (anywhere, when the position is `None`): a dynamic consistency boundary.
    pub no_match_after: Option<(Query, Option<Position>)>,
}

impl AppendCondition {
    /// No condition.
    pub fn none() -> Self {
        Self::default()
    }

    /// One stream must be as expected.
    pub fn stream(stream: StreamId, expected: Expected) -> Self {
        Self { streams: vec![(stream, expected)], no_match_after: None }
    }
}

/// Matches a record that fulfils at least one item. The query without items matches every record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// The alternatives.
    pub items: Vec<QueryItem>,
}

/// What a read or a subscription hands out: the same language as a condition.
pub type Filter = Query;

/// Fulfilled by a record of one of the categories (any, when empty) and one of the types (any, when empty) that carries all the tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryItem {
    /// Categories of the record's stream.
    pub categories: Vec<Category>,
    /// Types of the record.
    pub types: Vec<EventType>,
    /// Tags that the record must all carry.
    pub tags: Vec<Tag>,
}

impl Query {
    /// Matches everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether the record matches.
    pub fn matches(&self, record: &Record) -> bool {
        self.matches_parts(&record.stream, &record.event_type, &record.tags)
    }

    /// Whether a record with these parts matches.
    pub fn matches_parts(&self, stream: &StreamId, event_type: &EventType, tags: &[Tag]) -> bool {
        self.items.is_empty() || self.items.iter().any(|item| item.matches(stream, event_type, tags))
    }
}

impl QueryItem {
    fn matches(&self, stream: &StreamId, event_type: &EventType, tags: &[Tag]) -> bool {
        (self.categories.is_empty() || self.categories.iter().any(|category| category.as_str() == stream.category()))
            && (self.types.is_empty() || self.types.contains(event_type))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}
