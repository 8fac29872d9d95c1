//! Which events carry personal data, and of whom.
//!
//! The payloads of the types in [`PERSONAL`] are encrypted with a key of their data subject, and erased with it. What identifies somebody (a name, a
//! number to call) belongs into these events only. Everywhere else people and customers are named by ids, which are pseudonyms: ids stand in streams and tags, and stay in
//! the log for ever, as the events do that name them. Where somebody worked, and on what, is part of the factory's history; without the name it is
//! nobody's. That is why a log-in is not in the table: all that it says stands in its tags.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::events::SubjectKind;
use crate::ids::{CustomerId, InvalidId, PersonId};

/// The event types whose payload is about one data subject: the one whose id is the key of the event's stream.
pub const PERSONAL: &[(&str, SubjectKind)] = &[
    ("person.registered", SubjectKind::Person),
    ("person.qualified", SubjectKind::Person),
    ("customer.registered", SubjectKind::Customer),
];

/// Somebody whom personal data is about. As text, and in tags: `person:P-17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataSubject {
    /// Somebody who works here.
    Person(PersonId),
    /// Somebody whom work is done for.
    Customer(CustomerId),
}

/// Why a text names no data subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubject {
    /// The kind is not one of a data subject.
    #[error("{0:?} is not of the form person:ID or customer:ID")]
    Form(String),
    /// The id is not valid.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// The data subject of an event of this type in the stream with this key; `None` when its payload holds nothing personal.
pub fn data_subject(event_type: &str, stream_key: &str) -> Option<DataSubject> {
    let (_, kind) = PERSONAL.iter().find(|(name, _)| *name == event_type)?;
    DataSubject::new(*kind, stream_key).ok()
}

impl DataSubject {
    /// The subject of this kind with this id.
    ///
    /// # Errors
    /// [`InvalidSubject`].
    pub fn new(kind: SubjectKind, id: &str) -> Result<Self, InvalidSubject> {
        match kind {
            SubjectKind::Person => Ok(Self::Person(PersonId::new(id)?)),
            SubjectKind::Customer => Ok(Self::Customer(CustomerId::new(id)?)),
            other => Err(InvalidSubject::Form(other.as_str().to_owned())),
        }
    }

    /// Reads `person:P-17`.
    ///
    /// # Errors
    /// [`InvalidSubject`].
    pub fn parse(text: &str) -> Result<Self, InvalidSubject> {
        let kinds = [SubjectKind::Person, SubjectKind::Customer];
        let (kind, id) = text.split_once(':').unwrap_or((text, ""));
        match kinds.into_iter().find(|known| known.as_str() == kind) {
            Some(kind) => Self::new(kind, id),
            None => Err(InvalidSubject::Form(text.chars().take(80).collect())),
        }
    }

    /// What kind of thing it is in streams and tags.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Person(_) => SubjectKind::Person,
            Self::Customer(_) => SubjectKind::Customer,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Person(id) => id.as_str(),
            Self::Customer(id) => id.as_str(),
        }
    }
}

impl fmt::Display for DataSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind().as_str(), self.id())
    }
}

impl Serialize for DataSubject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataSubject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "personal_tests.rs"]
mod tests;
