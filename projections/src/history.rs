//! Facts by log position: what makes `as_of` a filter instead of a rebuild.

use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Entry;

/// What was known then: a last log position that counts, or everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AsOf(Option<Position>);

impl AsOf {
    /// Everything that is known now.
    pub const LATEST: Self = Self(None);

    /// What the log knew when `last` was its last position; that position counts.
    pub const fn through(last: Position) -> Self {
        Self(Some(last))
    }

    /// What a log without any record knew, or what it knew at its last position before `end`.
    pub fn before(end: Position) -> Option<Self> {
        end.previous().map(Self::through)
    }

    /// Whether what stands at the position was known.
    pub fn includes(self, position: Position) -> bool {
        self.0.is_none_or(|last| position <= last)
    }

    /// The last position that counts; `None` means all do.
    pub const fn last(self) -> Option<Position> {
        self.0
    }
}

impl From<Option<Position>> for AsOf {
    fn from(last: Option<Position>) -> Self {
        Self(last)
    }
}

/// Something that the log says, with where it says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// Where it stands in the log.
    pub position: Position,
    /// When it happened; `None` means unknown.
    pub time: Option<Timestamp>,
    /// What was said.
    pub value: T,
}

impl<T> Fact<T> {
    /// The fact that an entry says.
    pub fn of(entry: &Entry, value: T) -> Self {
        Self { position: entry.position, time: entry.event_time, value }
    }
}

/// Facts about one thing in log order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History<T>(Vec<Fact<T>>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> History<T> {
    /// Adds what an entry says. Entries come in log order.
    pub fn push(&mut self, entry: &Entry, value: T) {
        self.0.push(Fact::of(entry, value));
    }

    /// Every fact that was known, in log order.
    pub fn as_of(&self, as_of: AsOf) -> &[Fact<T>] {
        let end = self.0.partition_point(|fact| as_of.includes(fact.position));
        self.0.get(..end).unwrap_or_default()
    }

    /// The newest fact that was known.
    pub fn last(&self, as_of: AsOf) -> Option<&Fact<T>> {
        self.as_of(as_of).last()
    }

    /// Every fact.
    pub fn all(&self) -> &[Fact<T>] {
        &self.0
    }

    /// Whether there is no fact.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of facts.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
