//! Events to the log's events, and records back to events.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::{
    Category, EventId, EventType, Filter, InvalidName, NewEvent, PayloadState, QueryItem, Record, StreamId,
};
use eventually_core::store::Persisted;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{StoreError, StreamError, convert};

/// What an event is called in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// What happened, as a dotted name (`order.placed`).
    pub event_type: EventType,
    /// The version of the payload's shape.
    pub schema_version: u16,
}

type Naming<E> = dyn Fn(&E) -> Result<EventKind, InvalidName> + Send + Sync;

/// How sources and events of one category stand in the log.
pub(crate) struct Mapping<Id, E> {
    pub(crate) category: Category,
    pub(crate) actor: String,
    naming: Arc<Naming<E>>,
    sources: PhantomData<fn() -> Id>,
}

impl<Id, E> Clone for Mapping<Id, E> {
    fn clone(&self) -> Self {
        Self {
            category: self.category.clone(),
            actor: self.actor.clone(),
            naming: Arc::clone(&self.naming),
            sources: PhantomData,
        }
    }
}

impl<Id, E> Mapping<Id, E> {
    pub(crate) fn new(category: Category, naming: Arc<Naming<E>>) -> Self {
        Self { category, actor: "eventually".to_owned(), naming, sources: PhantomData }
    }

    /// Every record of the category.
    pub(crate) fn filter(&self) -> Filter {
        Filter { items: vec![QueryItem { categories: vec![self.category.clone()], ..QueryItem::default() }] }
    }
}

impl<Id: Display + FromStr + Eq, E> Mapping<Id, E> {
    /// The stream of a source, whose id must come back from its text.
    pub(crate) fn stream(&self, id: &Id) -> Result<StreamId, StoreError> {
        let text = id.to_string();
        if text.parse().ok().as_ref() != Some(id) {
            return Err(StoreError::SourceText { text });
        }
        StreamId::of(self.category.as_str(), &text).map_err(StoreError::Source)
    }
}

impl<Id, E: Serialize> Mapping<Id, E> {
    /// The events as the log takes them, each under a new id.
    pub(crate) fn encode(&self, stream: &StreamId, events: &[E]) -> Result<Vec<NewEvent>, StoreError> {
        let encode = |(index, event): (usize, &E)| {
            let kind = (self.naming)(event).map_err(|source| StoreError::Naming { index, source })?;
            let payload = serde_json::to_vec(event).map_err(|source| StoreError::Encode { index, source })?;
            let EventKind { event_type, schema_version } = kind;
            let (id, payload) = (EventId::generate(), Bytes::from(payload));
            Ok(NewEvent::json(id, stream.clone(), event_type, schema_version, &self.actor, payload))
        };
        events.iter().enumerate().map(encode).collect()
    }
}

impl<Id: FromStr, E: DeserializeOwned> Mapping<Id, E> {
    /// The event that a record of the category holds.
    pub(crate) fn decode(&self, record: Record) -> Result<Persisted<Id, E>, StreamError> {
        let position = record.position;
        let version = convert::version(record.revision).ok_or(StreamError::TooFar { position, what: "versions" })?;
        let sequence_number =
            convert::sequence_number(position).ok_or(StreamError::TooFar { position, what: "sequence numbers" })?;
        let Ok(id) = record.stream.key().parse() else {
            return Err(StreamError::Source { position, stream: record.stream });
        };
        // An aggregate without one of its events would be another aggregate: the gap is not passed over.
        if record.payload_state == PayloadState::Dropped {
            return Err(StreamError::Dropped { position });
        }
        let event = serde_json::from_slice(&record.payload).map_err(|source| StreamError::Decode {
            position,
            event_type: record.event_type,
            schema_version: record.schema_version,
            source,
        })?;
        Ok(Persisted::from(id, event).version(version).sequence_number(sequence_number))
    }
}

#[cfg(test)]
mod tests {
    use eventlog::{Position, Revision};

    use super::*;

    #[test]
    fn an_event_whose_payload_was_dropped_is_an_error_and_not_passed_over() {
        let category = Category::new("note").unwrap();
        let naming = |_: &String| Ok(EventKind { event_type: EventType::new("noted")?, schema_version: 1 });
        let mapping = Mapping::<u32, String>::new(category, Arc::new(naming));
        let stream = mapping.stream(&7).unwrap();
        let event = mapping.encode(&stream, &["text".to_owned()]).unwrap().remove(0);
        let mut record =
            Record::from_new(event, Position::new(3), Revision::new(1), "2026-01-01T00:00:00Z".parse().unwrap());
        let expected = Persisted::from(7, "text".to_owned()).version(2).sequence_number(3);
        assert_eq!(mapping.decode(record.clone()).unwrap(), expected);
        record.payload_state = PayloadState::Dropped;
        record.payload = Bytes::new();
        let error = mapping.decode(record).unwrap_err();
        assert!(matches!(error, StreamError::Dropped { position } if position.get() == 3), "{error}");
    }
}
