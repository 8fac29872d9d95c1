//! Metadata of streams in this engine: loaded from the records when the log opens, changed by the committer with the batch that sets them.

use super::EmbeddedLog;
use super::store::Store;
use crate::metadata::{self, Change, MetadataState, RetentionClass, StreamMetadata};
use crate::page::PageLimit;
use crate::{Direction, MAX_PAGE, Page, Position, ReadError, Revision, StreamId};

impl Store {
    /// Reads the metadata of all streams; the index finds their records without reading the others.
    pub(super) fn load_metadata(&self) -> Result<(), ReadError> {
        let filter = MetadataState::filter().map_err(|error| ReadError::Index(error.to_string()))?;
        let mut state = MetadataState::default();
        let mut next = Some(Position::START);
        while let Some(from) = next {
            let page = self.read(from, Direction::Forward, &filter, PageLimit::of(MAX_PAGE))?;
            page.iter().try_for_each(|record| state.apply_record(record))?;
            next = page.next;
        }
        *self.metadata.write() = state;
        Ok(())
    }

    /// Reads a stream as its metadata allow.
    pub(super) fn read_visible(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: PageLimit,
    ) -> Result<Page<Revision>, ReadError> {
        let metadata = self.metadata.read().stream(stream).cloned();
        metadata::read_stream(metadata.as_ref(), stream, from, direction, |from| {
            self.read_stream(stream, from, direction, limit)
        })
    }

    /// Takes over what a batch set, once it is durable.
    pub(super) fn set_metadata(&self, changes: &[Change]) {
        if !changes.is_empty() {
            let mut state = self.metadata.write();
            changes.iter().for_each(|change| state.apply(change.clone()));
        }
    }
}

/// What was ordered and may not be durable yet, with the position of each call.
#[derive(Debug, Default)]
pub(super) struct Ordered(Vec<(Position, Change)>);

impl Ordered {
    /// Takes over what a call sets that begins at this position, and lets go of what is durable by now: the store has that.
    pub(super) fn push(&mut self, changes: &[Change], first: Position, store: &Store) {
        if !changes.is_empty() {
            let tail = store.tail();
            self.0.retain(|(position, _)| *position >= tail);
            self.0.extend(changes.iter().map(|change| (first, change.clone())));
        }
    }

    /// The metadata of a stream as the next append finds them: what is on its way counts before what is durable.
    pub(super) fn stream(&self, stream: &StreamId, store: &Store) -> Option<StreamMetadata> {
        let set = self.0.iter().rev().find_map(|(_, change)| match change {
            Change::Stream(of, metadata) if of == stream => Some(metadata.clone()),
            Change::Stream(..) | Change::Category(..) => None,
        });
        set.or_else(|| store.metadata.read().stream(stream).cloned())
    }

    /// How many streams and categories have metadata, at most.
    pub(super) fn subjects(&self, store: &Store) -> usize {
        store.metadata.read().subjects() + self.0.len()
    }
}

impl EmbeddedLog {
    /// The retention class of a stream: its own, otherwise that of its category, otherwise none. It reads nothing: metadata are in memory.
    pub fn retention_class(&self, stream: &StreamId) -> Option<RetentionClass> {
        self.store.metadata.read().effective_retention_class(stream).cloned()
    }
}
