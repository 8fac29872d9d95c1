//! What metadata allow: of an append, and of a read of a stream.

use std::collections::HashMap;

use super::{
    CATEGORY_TYPE, CategoryMetadata, Change, MAX_SUBJECTS, STREAM_TYPE, SYSTEM_CATEGORY, StreamMetadata, is_plain_json,
    is_system,
};
use crate::admission::LogState;
use crate::{AppendError, Direction, NewEvent, Page, ReadError, Revision, StreamId};

/// Checks the names and payloads of the log's own events; nothing of it depends on what the log holds.
pub(crate) fn check_event(event: &NewEvent) -> Result<(), AppendError> {
    let event_type = event.event_type.as_str();
    let invalid = |reason: String| Err(AppendError::Invalid { id: event.id, reason });
    if !is_system(&event.stream) {
        return match event_type.starts_with('$') {
            true => invalid(format!("type {event_type:?} begins with $ and belongs to a stream of {SYSTEM_CATEGORY}")),
            false => Ok(()),
        };
    }
    if event.stream.category() != SYSTEM_CATEGORY || !event_type.starts_with('$') {
        return invalid(format!(
            "streams that begin with $ are the log's own: {SYSTEM_CATEGORY}, with types that begin with $"
        ));
    }
    let key = event.stream.key();
    let holder = match event_type {
        STREAM_TYPE => key.strip_prefix("stream-").is_some_and(|stream| !stream.starts_with('$')),
        CATEGORY_TYPE => key.strip_prefix("category-").is_some_and(|category| !category.starts_with('$')),
        _ if key.starts_with("stream-") || key.starts_with("category-") => false,
        _ => return Ok(()),
    };
    if !holder {
        return invalid(format!("{event_type} does not belong to stream {}", event.stream));
    }
    let readable = match event_type {
        STREAM_TYPE => serde_json::from_slice::<StreamMetadata>(&event.payload).map(|_| ()),
        _ => serde_json::from_slice::<CategoryMetadata>(&event.payload).map(|_| ()),
    };
    match readable {
        Ok(()) if is_plain_json(event) && Change::of(event).is_some() => Ok(()),
        Ok(()) => invalid("metadata are plain JSON about a stream or a category that can be".to_owned()),
        Err(error) => invalid(format!("the metadata are not readable: {error}")),
    }
}

/// Checks that no event goes to a deleted stream, and that metadata only go forward. What an earlier event of the call sets counts for the later ones.
pub(crate) fn check_transitions(state: &impl LogState, events: &[NewEvent]) -> Result<(), AppendError> {
    let mut set: HashMap<StreamId, StreamMetadata> = HashMap::new();
    let mut subjects = None;
    let mut live: Option<&StreamId> = None;
    for event in events {
        if !is_system(&event.stream) {
            // Most events of a call go to the stream of the one before.
            if live == Some(&event.stream) {
                continue;
            }
            let deleted = match set.get(&event.stream) {
                Some(metadata) => metadata.deleted,
                None => state.metadata(&event.stream).is_some_and(|metadata| metadata.deleted),
            };
            if deleted {
                return Err(AppendError::StreamDeleted { stream: event.stream.clone() });
            }
            live = Some(&event.stream);
            continue;
        }
        let Some(change) = Change::of(event) else { continue };
        live = None;
        let mut known = false;
        if let Change::Stream(stream, metadata) = change {
            let before = set.get(&stream).cloned().or_else(|| state.metadata(&stream));
            known = before.is_some();
            check_forward(state, event, &stream, (&before.unwrap_or_default(), &metadata))?;
            set.insert(stream, metadata);
        }
        if !known {
            let count = subjects.get_or_insert_with(|| state.metadata_subjects());
            *count += 1;
            if *count > MAX_SUBJECTS {
                let what = "the number of streams with metadata";
                return Err(AppendError::TooLarge { what, actual: *count, limit: MAX_SUBJECTS });
            }
        }
    }
    Ok(())
}

fn check_forward(
    state: &impl LogState,
    event: &NewEvent,
    stream: &StreamId,
    (before, after): (&StreamMetadata, &StreamMetadata),
) -> Result<(), AppendError> {
    let invalid = |reason: String| Err(AppendError::Invalid { id: event.id, reason });
    if before.deleted && !after.deleted {
        return invalid(format!("stream {stream} is deleted, and stays so"));
    }
    if after.truncate_before < before.truncate_before {
        return invalid(format!("the truncation of stream {stream} cannot go back"));
    }
    let Some(first) = after.truncate_before else { return Ok(()) };
    let end = state.last_revision(stream).map_err(AppendError::Check)?.map_or(Revision::START, Revision::next);
    if first > end {
        return invalid(format!("stream {stream} has no revision before {first} to leave out: it ends before {end}"));
    }
    Ok(())
}

/// Reads a stream as its metadata allow, through `read`, which knows nothing of them.
pub(crate) fn read_stream(
    metadata: Option<&StreamMetadata>,
    stream: &StreamId,
    from: Revision,
    direction: Direction,
    read: impl FnOnce(Revision) -> Result<Page<Revision>, ReadError>,
) -> Result<Page<Revision>, ReadError> {
    let Some(metadata) = metadata else { return read(from) };
    if metadata.deleted {
        return Err(ReadError::StreamDeleted { stream: stream.clone() });
    }
    let first = metadata.truncate_before.unwrap_or(Revision::START);
    match direction {
        Direction::Forward => read(from.max(first)),
        Direction::Backward if from < first => Ok(Page { records: Vec::new(), next: None }),
        Direction::Backward => {
            let mut page = read(from)?;
            page.records.retain(|record| record.revision >= first);
            page.next = page.next.filter(|next| *next >= first);
            Ok(page)
        }
    }
}
