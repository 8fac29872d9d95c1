//! What every engine checks before it writes: limits, idempotency, conditions.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::metadata::{self, StreamMetadata};
use crate::{
    AppendCondition, AppendError, Appended, ContentType, Digest, DigestAlgorithm, EventId, Expected, MAX_BATCH_EVENTS,
    MAX_PAYLOAD_BYTES, NewEvent, Position, Query, ReadError, Revision, StreamId,
};

/// The most bytes of payloads and headers in one append.
pub(crate) const MAX_CALL_BYTES: usize = 64 * 1024 * 1024;

/// The most tags of one event.
pub(crate) const MAX_TAGS: usize = 128;

/// The most bytes that the texts of one event's header take as JSON, so that a leaf stays under 64 KiB.
pub(crate) const MAX_HEADER_BYTES: usize = 60 * 1024;

/// The most stream expectations and query items of one condition.
const MAX_CONDITION_ITEMS: usize = 10_000;

/// What an engine knows about the log at the moment of writing.
pub(crate) trait LogState {
    /// Where the event stands, and the digest of what its author decided.
    fn known(&self, id: EventId) -> Result<Option<(Position, Digest)>, ReadError>;
    /// The last revision of the stream.
    fn last_revision(&self, stream: &StreamId) -> Result<Option<Revision>, ReadError>;
    /// The first record that matches after the position (from the start when `None`).
    fn first_match(&self, query: &Query, after: Option<Position>) -> Result<Option<Position>, ReadError>;
    /// Where the event stands: cheaper than [`known`](Self::known), and asked first.
    fn position(&self, id: EventId) -> Result<Option<Position>, ReadError>;
    /// The metadata of a stream, also those that are not durable yet.
    fn metadata(&self, stream: &StreamId) -> Option<StreamMetadata>;
    /// How many streams and categories have metadata.
    fn metadata_subjects(&self) -> usize;
}

/// What to do with a call that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Write the events.
    Write,
    /// Every event is there already.
    Repeated(Appended),
}

/// Checks what needs no knowledge of the log. Engines do this on the caller's side.
pub(crate) fn check_call(condition: &AppendCondition, events: &[NewEvent]) -> Result<(), AppendError> {
    if events.is_empty() {
        return Err(AppendError::Empty);
    }
    limit("the number of events", events.len(), MAX_BATCH_EVENTS)?;
    limit("the number of stream expectations", condition.streams.len(), MAX_CONDITION_ITEMS)?;
    if let Some((query, _)) = &condition.no_match_after {
        limit("the number of query items", query.items.len(), MAX_CONDITION_ITEMS)?;
    }
    let mut seen = HashSet::with_capacity(events.len());
    let mut bytes = 0_usize;
    for event in events {
        bytes = bytes.saturating_add(check_event(event)?);
        metadata::check_event(event)?;
        if !seen.insert(event.id) {
            return Err(AppendError::IdConflict {
                id: event.id,
                position: None,
                reason: "it stands twice in the call",
            });
        }
    }
    limit("the size of the call in bytes", bytes, MAX_CALL_BYTES)
}

/// Checks one event and answers roughly how many bytes it takes.
pub(crate) fn check_event(event: &NewEvent) -> Result<usize, AppendError> {
    limit("the payload in bytes", event.payload.len(), MAX_PAYLOAD_BYTES)?;
    limit("the number of tags", event.tags.len(), MAX_TAGS)?;
    let header = json_bytes(event.stream.as_str())
        + json_bytes(event.event_type.as_str())
        + json_bytes(&event.actor)
        + event.source.as_deref().map_or(0, json_bytes)
        + event.external_id.as_deref().map_or(0, json_bytes)
        + event.tags.iter().map(|tag| json_bytes(tag.as_str())).sum::<usize>();
    limit("the event's header in bytes", header, MAX_HEADER_BYTES)?;
    let invalid = |reason: &str| AppendError::Invalid { id: event.id, reason: reason.to_owned() };
    if event.event_time.is_some_and(|time| i64::try_from(time.as_nanosecond()).is_err()) {
        return Err(invalid("the event time is outside the years 1678 to 2262"));
    }
    match event.payload_digest.algorithm {
        DigestAlgorithm::Sha256 => {
            if Digest::of(&event.payload) != event.payload_digest.digest {
                return Err(invalid("the payload digest is not that of the payload"));
            }
        }
        DigestAlgorithm::FrameSha256 => {
            if event.content_type != ContentType::Frame {
                return Err(invalid("a frame digest belongs to a payload of the frame type"));
            }
        }
    }
    Ok(header + event.payload.len() + 256)
}

/// The bytes of a text in JSON, with its quotes.
fn json_bytes(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    });
    escaped.sum::<usize>() + 3
}

fn limit(what: &'static str, actual: usize, limit: usize) -> Result<(), AppendError> {
    if actual > limit { Err(AppendError::TooLarge { what, actual, limit }) } else { Ok(()) }
}

/// Checks idempotency, then whether the streams take events, then the condition.
pub(crate) fn admit(
    state: &impl LogState,
    condition: &AppendCondition,
    events: &[NewEvent],
) -> Result<Admitted, AppendError> {
    if let Some(appended) = repeated(state, events)? {
        return Ok(Admitted::Repeated(appended));
    }
    metadata::check_transitions(state, events)?;
    check_condition(state, condition)?;
    Ok(Admitted::Write)
}

fn repeated(state: &impl LogState, events: &[NewEvent]) -> Result<Option<Appended>, AppendError> {
    let mut first = None;
    let mut last = None;
    let mut unknown = None;
    let mut known = None;
    for (index, event) in events.iter().enumerate() {
        if state.position(event.id).map_err(AppendError::Check)?.is_none() {
            unknown.get_or_insert(event.id);
            continue;
        }
        let Some((position, digest)) = state.known(event.id).map_err(AppendError::Check)? else {
            unknown.get_or_insert(event.id);
            continue;
        };
        let conflict = |reason| AppendError::IdConflict { id: event.id, position: Some(position), reason };
        if digest != event.content_digest() {
            return Err(conflict("it names an event with other content"));
        }
        known.get_or_insert((event.id, position));
        let start: Position = *first.get_or_insert(position);
        if unknown.is_none() && position != start.plus(index as u64) {
            return Err(conflict("the events are known in another order or from several calls"));
        }
        last = Some(position);
    }
    match (known, unknown, first, last) {
        (Some((id, position)), Some(_), _, _) => Err(AppendError::IdConflict {
            id,
            position: Some(position),
            reason: "only a part of the call is known already",
        }),
        (Some(_), None, Some(first), Some(last)) => Ok(Some(Appended { first, last, repeated: true })),
        _ => Ok(None),
    }
}

fn check_condition(state: &impl LogState, condition: &AppendCondition) -> Result<(), AppendError> {
    for (stream, expected) in &condition.streams {
        if *expected == Expected::Any {
            continue;
        }
        let actual = state.last_revision(stream).map_err(AppendError::Check)?;
        let holds = match expected {
            Expected::Any => true,
            Expected::NoStream => actual.is_none(),
            Expected::Exactly(revision) => actual == Some(*revision),
        };
        if !holds {
            return Err(AppendError::Conflict { stream: stream.clone(), expected: words(expected), actual });
        }
    }
    if let Some((query, after)) = &condition.no_match_after
        && let Some(position) = state.first_match(query, *after).map_err(AppendError::Check)?
    {
        return Err(AppendError::QueryMatched { position });
    }
    Ok(())
}

fn words(expected: &Expected) -> String {
    match expected {
        Expected::Any => "anything".to_owned(),
        Expected::NoStream => "no record".to_owned(),
        Expected::Exactly(revision) => format!("revision {revision}"),
    }
}

/// The record time of the next record: the clock, but never before the last one, and within what the log can keep.
pub(crate) fn record_time(now: Timestamp, last: Timestamp) -> Timestamp {
    let now = Timestamp::from_nanosecond(i128::from(crate::record::nanoseconds(now))).unwrap_or(now);
    now.max(last)
}
