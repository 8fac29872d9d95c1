//! The metadata of every stream, as an engine holds them.

use std::collections::HashMap;

use super::{CATEGORY_TYPE, CategoryMetadata, RetentionClass, STREAM_TYPE, StreamMetadata, is_system, parsed};
use crate::{Category, EventType, Filter, InvalidName, NewEvent, QueryItem, ReadError, Record, StreamId};

/// What one event says about metadata.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Stream(StreamId, StreamMetadata),
    Category(Category, CategoryMetadata),
}

impl Change {
    fn stream(stream: &StreamId, metadata: StreamMetadata) -> Option<Self> {
        Some(Self::Stream(StreamId::new(stream.key().strip_prefix("stream-")?).ok()?, metadata))
    }

    fn category(stream: &StreamId, metadata: CategoryMetadata) -> Option<Self> {
        Some(Self::Category(Category::new(stream.key().strip_prefix("category-")?).ok()?, metadata))
    }

    /// What an event sets. `None` when it is about something else, or not readable, which an engine refuses before it asks.
    pub(crate) fn of(event: &NewEvent) -> Option<Self> {
        match event.event_type.as_str() {
            STREAM_TYPE => Self::stream(&event.stream, serde_json::from_slice(&event.payload).ok()?),
            CATEGORY_TYPE => Self::category(&event.stream, serde_json::from_slice(&event.payload).ok()?),
            _ => None,
        }
    }

    fn of_record(record: &Record) -> Result<Option<Self>, ReadError> {
        Ok(match record.event_type.as_str() {
            STREAM_TYPE => Self::stream(&record.stream, parsed(record)?),
            CATEGORY_TYPE => Self::category(&record.stream, parsed(record)?),
            _ => None,
        })
    }
}

/// What the events of a call set, in their order.
pub(crate) fn changes(events: &[NewEvent]) -> Vec<Change> {
    events.iter().filter(|event| is_system(&event.stream)).filter_map(Change::of).collect()
}

/// The metadata that count now.
#[derive(Debug, Default)]
pub(crate) struct MetadataState {
    streams: HashMap<StreamId, StreamMetadata>,
    categories: HashMap<Category, CategoryMetadata>,
}

impl MetadataState {
    /// The records that it is made of.
    pub(crate) fn filter() -> Result<Filter, InvalidName> {
        let types = vec![EventType::new(STREAM_TYPE)?, EventType::new(CATEGORY_TYPE)?];
        Ok(Filter { items: vec![QueryItem { types, ..QueryItem::default() }] })
    }

    pub(crate) fn apply_record(&mut self, record: &Record) -> Result<(), ReadError> {
        if let Some(change) = Change::of_record(record)? {
            self.apply(change);
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Stream(stream, metadata) => drop(self.streams.insert(stream, metadata)),
            Change::Category(category, metadata) => drop(self.categories.insert(category, metadata)),
        }
    }

    pub(crate) fn stream(&self, stream: &StreamId) -> Option<&StreamMetadata> {
        self.streams.get(stream)
    }

    pub(crate) fn subjects(&self) -> usize {
        self.streams.len() + self.categories.len()
    }

    /// See [`super::effective_retention_class`].
    pub(crate) fn effective_retention_class(&self, stream: &StreamId) -> Option<&RetentionClass> {
        let own = self.streams.get(stream).and_then(|metadata| metadata.retention_class.as_ref());
        let of_category = || self.categories.get(stream.category())?.retention_class.as_ref();
        own.or_else(of_category)
    }
}
