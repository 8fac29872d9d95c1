//! What was said about one thing, by whom and when: the registry answers for decisions, so that it keeps who made them.

use eventlog::Position;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry};

/// Something that the log says, with where, when and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said<T> {
    /// Where it stands in the log.
    pub position: Position,
    /// When it happened; `None` means unknown.
    pub time: Option<Timestamp>,
    /// When it was logged.
    pub recorded: Timestamp,
    /// Who or what said it.
    pub actor: String,
    /// What was said.
    pub value: T,
}

impl<T> Said<T> {
    /// What an entry says.
    pub fn of(entry: &Entry, value: T) -> Self {
        Self {
            position: entry.position,
            time: entry.event_time,
            recorded: entry.record_time,
            actor: entry.actor.clone(),
            value,
        }
    }

    /// Since when it holds. A change of unknown time holds since it was logged: that it happened later is impossible, that it happened earlier nobody said.
    pub fn since(&self) -> Timestamp {
        self.time.unwrap_or(self.recorded)
    }
}

/// Everything that was said about one thing, in log order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told<T>(Vec<Said<T>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Told<T> {
    /// Adds what an entry says. Entries come in log order.
    pub(super) fn push(&mut self, entry: &Entry, value: T) {
        self.0.push(Said::of(entry, value));
    }

    /// Everything that was known, in log order.
    pub fn as_of(&self, as_of: AsOf) -> &[Said<T>] {
        let end = self.0.partition_point(|said| as_of.includes(said.position));
        self.0.get(..end).unwrap_or_default()
    }

    /// What was said first.
    pub fn first(&self, as_of: AsOf) -> Option<&Said<T>> {
        self.as_of(as_of).first()
    }

    /// What was said last.
    pub fn last(&self, as_of: AsOf) -> Option<&Said<T>> {
        self.as_of(as_of).last()
    }

    /// What held at a time. Of two things said for one time the later in the log counts.
    pub fn at(&self, time: Timestamp, as_of: AsOf) -> Option<&Said<T>> {
        let before = self.as_of(as_of).iter().filter(|said| said.since() <= time);
        before.max_by_key(|said| (said.since(), said.position))
    }
}

/// When something was changed, in log order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Changes(Vec<(Position, Timestamp)>);

impl Changes {
    pub(super) fn push(&mut self, entry: &Entry) {
        self.0.push((entry.position, entry.event_time.unwrap_or(entry.record_time)));
    }

    /// When it was changed last.
    pub(super) fn last(&self, as_of: AsOf) -> Option<Timestamp> {
        let end = self.0.partition_point(|(position, _)| as_of.includes(*position));
        self.0.get(..end).and_then(<[_]>::last).map(|(_, time)| *time)
    }
}
