//! Between the log's records and the domain's events.

use bytes::Bytes;
use domain::Event;
use eventlog::frames::{self, Decoder, Frame, Reading};
use eventlog::{
    ContentType, DigestAlgorithm, EventId, EventType, InvalidName, NewEvent, PayloadDigest, PayloadState, Position,
    Record, Revision, StreamId, Tag,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::lifting::decode_event;

/// The type of the events that carry frames of readings.
pub const READINGS_TYPE: &str = "readings.recorded";

/// A record, decoded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its index in the log.
    pub position: Position,
    /// Its index in its stream.
    pub revision: Revision,
    /// Its stream.
    pub stream: StreamId,
    /// Its idempotency key.
    pub id: EventId,
    /// When it was logged.
    pub record_time: Timestamp,
    /// When it happened; `None` means unknown.
    pub event_time: Option<Timestamp>,
    /// The system that it comes from.
    pub source: Option<String>,
    /// Its name there.
    pub external_id: Option<String>,
    /// Who or what caused it.
    pub actor: String,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// What it says.
    pub content: Content,
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum Content {
    /// A business event.
    Event(Box<Event>),
    /// Readings.
    Readings(Frame),
    /// Something whose payload is gone for ever: erased with the data subject that it was about, or expired. Its header is all that is left. A fold counts it and
    /// takes nothing else from it; what it had taken from it before, it forgets at the event that says so.
    Gone {
        /// The record's type.
        event_type: EventType,
    },
    /// Something that this program does not know: kept, shown, and folded by nobody.
    Unknown {
        /// The record's type.
        event_type: EventType,
        /// Why it was not understood.
        reason: String,
    },
}

impl Entry {
    /// Decodes a record. What cannot be decoded becomes [`Content::Unknown`]: the log is the truth, also where this program is too old for it.
    pub fn decode(record: Record) -> Self {
        Self::decode_with(record, &mut Decoder::default())
    }

    /// [`decode`](Self::decode) for many records, whose frames have signals in common.
    pub fn decode_with(record: Record, frames: &mut Decoder) -> Self {
        let content = match record.content_type {
            _ if record.payload_state != PayloadState::Present => Content::Gone { event_type: record.event_type },
            ContentType::Frame => match frames.decode(&record.payload) {
                Ok(frame) => Content::Readings(frame),
                Err(error) => Content::Unknown { event_type: record.event_type, reason: error.to_string() },
            },
            ContentType::Json => match decode_event(&record.event_type, record.schema_version, &record.payload) {
                Ok(event) => Content::Event(Box::new(event)),
                Err(error) => Content::Unknown { event_type: record.event_type, reason: error.to_string() },
            },
            ContentType::Octets => Content::Unknown {
                event_type: record.event_type,
                reason: "the payload is bytes of no known kind".to_owned(),
            },
        };
        Self {
            position: record.position,
            revision: record.revision,
            stream: record.stream,
            id: record.id,
            record_time: record.record_time,
            event_time: record.event_time,
            source: record.source.as_deref().map(str::to_owned),
            external_id: record.external_id,
            actor: record.actor.as_ref().to_owned(),
            causation_id: record.causation_id,
            content,
        }
    }

    /// The business event, when it is one.
    pub fn event(&self) -> Option<&Event> {
        match &self.content {
            Content::Event(event) => Some(event),
            Content::Readings(_) | Content::Gone { .. } | Content::Unknown { .. } => None,
        }
    }

    /// The readings, when it carries some.
    pub fn readings(&self) -> Option<&Frame> {
        match &self.content {
            Content::Readings(frame) => Some(frame),
            Content::Event(_) | Content::Gone { .. } | Content::Unknown { .. } => None,
        }
    }

    /// Whether the entry makes read models forget: what was on disk before it must not stay there.
    pub fn makes_forget(&self) -> bool {
        matches!(self.event(), Some(Event::SubjectErased(_) | Event::RetentionApplied(_)))
    }
}

/// What goes around an event on its way into the log.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The idempotency key.
    pub id: EventId,
    /// When it happened; `None` means unknown.
    pub event_time: Option<Timestamp>,
    /// The system that it comes from, when it is not ours.
    pub source: Option<String>,
    /// Its name there.
    pub external_id: Option<String>,
    /// Who or what appends it.
    pub actor: String,
    /// The conversation that it belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
}

impl Meta {
    /// An event that Millwright makes itself, under a new id.
    pub fn own(actor: &str, event_time: Option<Timestamp>) -> Self {
        Self {
            id: EventId::generate(),
            event_time,
            source: None,
            external_id: None,
            actor: actor.to_owned(),
            correlation_id: None,
            causation_id: None,
        }
    }

    /// An event that comes from elsewhere: its id follows from its source and its name there, so that it is appended once however often it comes.
    pub fn foreign(actor: &str, source: &str, external_id: &str, event_time: Option<Timestamp>) -> Self {
        Self {
            id: EventId::derived(source, external_id),
            event_time,
            source: Some(source.to_owned()),
            external_id: Some(external_id.to_owned()),
            actor: actor.to_owned(),
            correlation_id: None,
            causation_id: None,
        }
    }
}

/// Why an event cannot be logged.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A number in it cannot be written as JSON.
    #[error("the event cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    /// A name in it is not one that the log takes.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The readings do not make a frame.
    #[error(transparent)]
    Frame(#[from] frames::FrameError),
}

/// Makes a business event ready for the log: JSON payload, stream, and a tag `kind:id` for each thing that it concerns.
///
/// # Errors
/// [`SealError`].
pub fn seal(event: &Event, meta: Meta) -> Result<NewEvent, SealError> {
    let payload = Bytes::from(event.encode().map_err(SealError::Json)?);
    let stream = StreamId::of(event.category(), &event.key())?;
    let event_type = EventType::new(event.event_type())?;
    let mut sealed = NewEvent::json(meta.id, stream, event_type, event.schema_version(), &meta.actor, payload);
    sealed.tags = event
        .subjects()
        .iter()
        .map(|subject| Tag::of(subject.kind.as_str(), &subject.id))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(dress(sealed, meta))
}

/// Makes readings ready for the log: one frame in the stream `readings-SOURCE`. The frame's event time is that of its last reading.
///
/// # Errors
/// [`SealError`].
pub fn seal_readings(source: &str, readings: Vec<Reading>, meta: Meta) -> Result<NewEvent, SealError> {
    let encoded = frames::encode(readings)?;
    let stream = StreamId::of("readings", source)?;
    let last = encoded.frame.columns().filter_map(|column| column.times_ns.last()).max().copied();
    let mut sealed = NewEvent::json(meta.id, stream, EventType::new(READINGS_TYPE)?, 1, &meta.actor, encoded.bytes);
    sealed.content_type = ContentType::Frame;
    sealed.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: encoded.digest };
    let mut sealed = dress(sealed, meta);
    sealed.event_time = last.and_then(|time_ns| Timestamp::from_nanosecond(i128::from(time_ns)).ok());
    Ok(sealed)
}

fn dress(mut sealed: NewEvent, meta: Meta) -> NewEvent {
    sealed.event_time = meta.event_time;
    sealed.source = meta.source;
    sealed.external_id = meta.external_id;
    sealed.correlation_id = meta.correlation_id;
    sealed.causation_id = meta.causation_id;
    sealed
}
