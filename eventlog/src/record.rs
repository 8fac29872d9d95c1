//! One event as given to the log, and as the log keeps it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::leaf::{LEAF_BYTES, LeafParts, hash_leaf, join_leaf, put_leaf};
use crate::{Digest, EventId, EventType, Position, Revision, StreamId, Tag};

/// The format version that a record's header and leaf are written in.
pub const RECORD_FORMAT_VERSION: u16 = 1;

/// What the bytes of a payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ContentType {
    /// UTF-8 JSON.
    #[serde(rename = "application/json")]
    Json,
    /// Many readings in columns: see [`crate::frames`].
    #[serde(rename = "application/vnd.millwright.frame")]
    Frame,
    /// Bytes that nobody has described.
    #[serde(rename = "application/octet-stream")]
    Octets,
}

impl ContentType {
    /// The media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Frame => "application/vnd.millwright.frame",
            Self::Octets => "application/octet-stream",
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How a payload digest was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-256 of the payload's bytes.
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-256 of a frame's canonical decoded columns, which every encoding of the same readings shares.
    #[serde(rename = "frame-sha-256")]
    FrameSha256,
}

impl DigestAlgorithm {
    /// The name in leaves.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::FrameSha256 => "frame-sha-256",
        }
    }
}

/// What a leaf commits to instead of the payload itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadDigest {
    /// How it was made.
    pub algorithm: DigestAlgorithm,
    /// The digest.
    pub digest: Digest,
}

/// Whether the bytes of a record's payload are still there. Header, digests and leaf always are, so that every proof stays valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadState {
    /// The payload is there.
    #[default]
    Present,
    /// The payload was dropped for ever, by a rule of retention or an erasure; [`Record::payload`] is empty.
    Dropped,
    /// The payload's key was destroyed with the data subject that it is about, so that nobody can read it again; [`Record::payload`] is empty.
    Erased,
}

/// An event on its way into the log.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The idempotency key.
    pub id: EventId,
    /// The stream that the event belongs to.
    pub stream: StreamId,
    /// What happened.
    pub event_type: EventType,
    /// The version of the payload's shape, for upcasters.
    pub schema_version: u16,
    /// When it happened; `None` means unknown. The log keeps nanoseconds within the years 1678 to 2262.
    pub event_time: Option<Timestamp>,
    /// The system that the event comes from, when it is not ours.
    pub source: Option<String>,
    /// The name of the event in its source.
    pub external_id: Option<String>,
    /// What the event concerns.
    pub tags: Vec<Tag>,
    /// Who or what caused the append (a token's name, a connector, a reactor).
    pub actor: String,
    /// The conversation that the event belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event that caused this one.
    pub causation_id: Option<Uuid>,
    /// The key that the payload is encrypted with, when it is.
    pub data_key_id: Option<Uuid>,
    /// What the payload's bytes are.
    pub content_type: ContentType,
    /// What the leaf commits to.
    pub payload_digest: PayloadDigest,
    /// The event itself.
    pub payload: Bytes,
}

impl NewEvent {
    /// A JSON event with the required parts; the optional ones are empty, and set on the value.
    pub fn json(
        id: EventId,
        stream: StreamId,
        event_type: EventType,
        schema_version: u16,
        actor: &str,
        payload: Bytes,
    ) -> Self {
        let digest = Digest::of(&payload);
        Self {
            id,
            stream,
            event_type,
            schema_version,
            event_time: None,
            source: None,
            external_id: None,
            tags: Vec::new(),
            actor: actor.to_owned(),
            correlation_id: None,
            causation_id: None,
            data_key_id: None,
            content_type: ContentType::Json,
            payload_digest: PayloadDigest { algorithm: DigestAlgorithm::Sha256, digest },
            payload,
        }
    }

    /// The digest of everything that the author of the event decides: two appends under one id are the same event when these are equal.
    /// Position, revision and record time are the log's, and the actor may differ between a first try and its repetition.
    pub fn content_digest(&self) -> Digest {
        content_digest(&ContentParts {
            stream: &self.stream,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            event_time_ns: self.event_time.map(nanoseconds),
            source: self.source.as_deref(),
            external_id: self.external_id.as_deref(),
            content_type: self.content_type,
            payload_digest: self.payload_digest,
        })
    }
}

/// One event as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its index in the log.
    pub position: Position,
    /// Its index in its stream.
    pub revision: Revision,
    /// When it was logged: never decreases along the log.
    pub record_time: Timestamp,
    /// The idempotency key.
    pub id: EventId,
    /// The stream that the event belongs to.
    pub stream: StreamId,
    /// What happened.
    pub event_type: EventType,
    /// The version of the payload's shape.
    pub schema_version: u16,
    /// When it happened; `None` means unknown.
    pub event_time: Option<Timestamp>,
    /// The system that the event comes from, when it is not ours.
    pub source: Option<Arc<str>>,
    /// The name of the event in its source.
    pub external_id: Option<String>,
    /// What the event concerns. Records that were read together share what is the same.
    pub tags: Arc<[Tag]>,
    /// Who or what caused the append.
    pub actor: Arc<str>,
    /// The conversation that the event belongs to.
    pub correlation_id: Option<Uuid>,
    /// The event that caused this one.
    pub causation_id: Option<Uuid>,
    /// The key that the payload is encrypted with, when it is.
    pub data_key_id: Option<Uuid>,
    /// What the payload's bytes are.
    pub content_type: ContentType,
    /// What the leaf commits to.
    pub payload_digest: PayloadDigest,
    /// Whether the payload is still there.
    pub payload_state: PayloadState,
    /// The event itself.
    pub payload: Bytes,
}

impl Record {
    /// The record that `event` becomes at this place in the log.
    pub fn from_new(event: NewEvent, position: Position, revision: Revision, record_time: Timestamp) -> Self {
        Self {
            position,
            revision,
            record_time,
            id: event.id,
            stream: event.stream,
            event_type: event.event_type,
            schema_version: event.schema_version,
            event_time: event.event_time,
            source: event.source.map(Arc::from),
            external_id: event.external_id,
            tags: event.tags.into(),
            actor: event.actor.into(),
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            data_key_id: event.data_key_id,
            content_type: event.content_type,
            payload_digest: event.payload_digest,
            payload_state: PayloadState::Present,
            payload: event.payload,
        }
    }

    /// What its author gave to the log.
    pub fn event(&self) -> NewEvent {
        NewEvent {
            id: self.id,
            stream: self.stream.clone(),
            event_type: self.event_type.clone(),
            schema_version: self.schema_version,
            event_time: self.event_time,
            source: self.source.as_deref().map(str::to_owned),
            external_id: self.external_id.clone(),
            tags: self.tags.to_vec(),
            actor: self.actor.as_ref().to_owned(),
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            data_key_id: self.data_key_id,
            content_type: self.content_type,
            payload_digest: self.payload_digest,
            payload: self.payload.clone(),
        }
    }

    /// The bytes of the leaf: the canonical header with the payload digest, one line of JSON with its keys in a fixed order. It is what the
    /// transparency tree hashes, so its bytes are fixed for ever by [`RECORD_FORMAT_VERSION`].
    pub fn leaf(&self) -> Vec<u8> {
        let mut draft = Vec::with_capacity(LEAF_BYTES);
        let split = put_leaf(&mut draft, &LeafParts::of_record(self));
        let (before, after) = draft.split_at(split);
        let mut leaf = Vec::with_capacity(draft.len() + LEAF_BYTES);
        join_leaf(&mut leaf, (self.position, self.revision, nanoseconds(self.record_time)), before, after);
        leaf
    }

    /// The leaf hash of RFC 6962: SHA-256 of a zero byte and the leaf.
    pub fn leaf_digest(&self) -> Digest {
        hash_leaf(&self.leaf())
    }

    /// Whether this record, as its readers see it, is that event: what its author decides is the same. An encrypted record is compared by its
    /// plaintext; one whose payload is gone by everything else, because nothing is left to compare the payload with.
    pub fn is(&self, event: &NewEvent) -> bool {
        let payload_digest = match (self.payload_state, self.data_key_id) {
            (PayloadState::Present, None) | (PayloadState::Dropped, None) => self.payload_digest,
            (PayloadState::Present, Some(_)) => {
                PayloadDigest { algorithm: DigestAlgorithm::Sha256, digest: Digest::of(&self.payload) }
            }
            (PayloadState::Dropped, Some(_)) | (PayloadState::Erased, _) => event.payload_digest,
        };
        self.content_digest_with(payload_digest) == event.content_digest()
    }

    /// See [`NewEvent::content_digest`].
    pub fn content_digest(&self) -> Digest {
        self.content_digest_with(self.payload_digest)
    }

    fn content_digest_with(&self, payload_digest: PayloadDigest) -> Digest {
        content_digest(&ContentParts {
            stream: &self.stream,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            event_time_ns: self.event_time.map(nanoseconds),
            source: self.source.as_deref(),
            external_id: self.external_id.as_deref(),
            content_type: self.content_type,
            payload_digest,
        })
    }
}

#[derive(Serialize)]
struct ContentParts<'a> {
    stream: &'a StreamId,
    event_type: &'a EventType,
    schema_version: u16,
    event_time_ns: Option<i64>,
    source: Option<&'a str>,
    external_id: Option<&'a str>,
    content_type: ContentType,
    payload_digest: PayloadDigest,
}

fn content_digest(parts: &ContentParts<'_>) -> Digest {
    #[expect(clippy::expect_used, reason = "a struct of text and numbers always serialises to JSON in memory")]
    Digest::of(&serde_json::to_vec(parts).expect("content parts serialise"))
}

/// Nanoseconds since 1970 as the log keeps them. An instant outside the years 1678 to 2262 is clamped to that range; [`crate::EventLog::append`] refuses
/// such events before they come here.
pub(crate) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time.as_nanosecond() < 0 { i64::MIN } else { i64::MAX })
}
