//! The leaf of a record: one line of JSON with its keys in this order and nothing optional left out, numbers of 64 bits as text.
//!
//! Its bytes are fixed for ever by the version of the record format, and they are made by hand: every append waits for them. What the author of an
//! event decides is written before the event has its place ([`put_leaf`]), on the side of the caller; the log adds the rest ([`join_leaf`]).

use jiff::Timestamp;
use sha2::Digest as _;
use uuid::Uuid;

use crate::record::{RECORD_FORMAT_VERSION, nanoseconds};
use crate::{ContentType, Digest, EventId, NewEvent, PayloadDigest, Position, Record, Revision, Tag};

/// What a leaf takes at first guess.
pub(crate) const LEAF_BYTES: usize = 640;

/// What the author of an event decides of its leaf.
pub(crate) struct LeafParts<'a> {
    id: EventId,
    stream: &'a str,
    event_type: &'a str,
    schema_version: u16,
    event_time: Option<Timestamp>,
    source: Option<&'a str>,
    external_id: Option<&'a str>,
    tags: &'a [Tag],
    actor: &'a str,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    data_key_id: Option<Uuid>,
    content_type: ContentType,
    payload_digest: &'a PayloadDigest,
}

/// The parts are the same fields of an event before and after it has its place.
macro_rules! parts {
    ($of:ident) => {
        LeafParts {
            id: $of.id,
            stream: $of.stream.as_str(),
            event_type: $of.event_type.as_str(),
            schema_version: $of.schema_version,
            event_time: $of.event_time,
            source: $of.source.as_deref(),
            external_id: $of.external_id.as_deref(),
            tags: &$of.tags,
            actor: &$of.actor,
            correlation_id: $of.correlation_id,
            causation_id: $of.causation_id,
            data_key_id: $of.data_key_id,
            content_type: $of.content_type,
            payload_digest: &$of.payload_digest,
        }
    };
}

impl<'a> LeafParts<'a> {
    pub(crate) fn of_event(event: &'a NewEvent) -> Self {
        parts!(event)
    }

    pub(crate) fn of_record(record: &'a Record) -> Self {
        parts!(record)
    }
}

/// Writes everything but the place, and answers where the revision belongs in what was written.
pub(crate) fn put_leaf(out: &mut Vec<u8>, parts: &LeafParts<'_>) -> usize {
    let start = out.len();
    out.extend(b"\"event_time_ns\":");
    match parts.event_time {
        Some(time) => put_quoted_number(out, i128::from(nanoseconds(time))),
        None => out.extend(b"null"),
    }
    out.extend(b",\"id\":");
    put_uuid(out, Some(parts.id.as_uuid()));
    out.extend(b",\"source\":");
    put_text(out, parts.source);
    out.extend(b",\"external_id\":");
    put_text(out, parts.external_id);
    out.extend(b",\"stream\":");
    put_text(out, Some(parts.stream));
    let split = out.len() - start;
    out.extend(b",\"type\":");
    put_text(out, Some(parts.event_type));
    out.extend(b",\"schema_version\":");
    put_number(out, i128::from(parts.schema_version));
    out.extend(b",\"tags\":[");
    for (index, tag) in parts.tags.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_text(out, Some(tag.as_str()));
    }
    out.extend(b"],\"actor\":");
    put_text(out, Some(parts.actor));
    for (name, id) in [
        (b",\"correlation_id\":".as_slice(), parts.correlation_id.as_ref()),
        (b",\"causation_id\":", parts.causation_id.as_ref()),
        (b",\"data_key_id\":", parts.data_key_id.as_ref()),
    ] {
        out.extend(name);
        put_uuid(out, id);
    }
    for (name, text) in [
        (b",\"content_type\":\"".as_slice(), parts.content_type.as_str().as_bytes()),
        (b"\",\"digest_algorithm\":\"", parts.payload_digest.algorithm.as_str().as_bytes()),
        (b"\",\"payload_digest\":\"", parts.payload_digest.digest.hexadecimal().as_slice()),
        (b"\"}", &[]),
    ] {
        out.extend(name);
        out.extend(text);
    }
    split
}

/// The whole leaf, from its place (the record time in nanoseconds) and from what [`put_leaf`] wrote before and after the revision.
pub(crate) fn join_leaf(
    out: &mut Vec<u8>,
    (position, revision, record_time_ns): (Position, Revision, i64),
    before_revision: &[u8],
    after_revision: &[u8],
) {
    out.extend(b"{\"v\":");
    put_number(out, i128::from(RECORD_FORMAT_VERSION));
    out.extend(b",\"position\":");
    put_quoted_number(out, i128::from(position.get()));
    out.extend(b",\"record_time_ns\":");
    put_quoted_number(out, i128::from(record_time_ns));
    out.push(b',');
    out.extend(before_revision);
    out.extend(b",\"revision\":");
    put_quoted_number(out, i128::from(revision.get()));
    out.extend(after_revision);
}

/// The leaf hash of an event that has its place; `scratch` is room for the leaf.
pub(crate) fn hash_placed(
    scratch: &mut Vec<u8>,
    place: (Position, Revision, i64),
    before_revision: &[u8],
    after_revision: &[u8],
) -> Digest {
    scratch.clear();
    scratch.push(0);
    join_leaf(scratch, place, before_revision, after_revision);
    Digest::of(scratch)
}

/// The leaf hash of RFC 6962: SHA-256 of a zero byte and the leaf.
pub(crate) fn hash_leaf(leaf: &[u8]) -> Digest {
    let mut hasher = sha2::Sha256::new();
    hasher.update([0_u8]);
    hasher.update(leaf);
    Digest::new(hasher.finalize().into())
}

fn put_quoted_number(out: &mut Vec<u8>, number: i128) {
    out.push(b'"');
    put_number(out, number);
    out.push(b'"');
}

/// A number of at most 64 bits, with or without a sign.
fn put_number(out: &mut Vec<u8>, number: i128) {
    if number < 0 {
        out.push(b'-');
    }
    let mut rest = u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX);
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.get(digits.len() - used..).unwrap_or_default());
}

fn put_uuid(out: &mut Vec<u8>, id: Option<&Uuid>) {
    match id {
        Some(id) => {
            out.push(b'"');
            out.extend(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
            out.push(b'"');
        }
        None => out.extend(b"null"),
    }
}

/// A text as JSON escapes it; most need no escape.
fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        out.extend(b"null");
        return;
    };
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend(text.as_bytes());
        out.push(b'"');
        return;
    }
    #[expect(clippy::expect_used, reason = "a text always serialises to JSON in memory")]
    serde_json::to_writer(out, text).expect("a text serialises");
}

#[cfg(test)]
#[path = "leaf_tests.rs"]
mod tests;
