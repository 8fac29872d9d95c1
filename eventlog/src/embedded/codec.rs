//! Records and batches as bytes: see docs/log-format.md, which another reader can be written from.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::fields::{Fields, put_at};
use super::names::Names;
use crate::checksum;
use crate::record::nanoseconds;
use crate::{
    ContentType, Digest, DigestAlgorithm, EventId, LogId, NewEvent, PayloadDigest, PayloadState, Position, Record,
    Revision, Tag,
};

/// The bytes before a record's body: its length and its checksum.
pub(super) const RECORD_PREFIX: usize = 8;

/// The bytes of a batch header.
pub(super) const BATCH_HEADER: usize = 40;

/// Batches begin at multiples of this.
pub(super) const BATCH_ALIGNMENT: u64 = 16;

/// What a batch begins with.
pub(super) const BATCH_MAGIC: [u8; 4] = *b"MWB1";

/// Places within a record's body, as the committer fills them in.
const AT_POSITION: usize = 0;
const AT_REVISION: usize = 8;
pub(super) const AT_RECORD_TIME: usize = 16;
const AT_LEAF: usize = 24;

/// What every body begins with, up to the number of tags.
const FIXED_BYTES: usize = 112;

/// Where the flags stand in a record with its prefix.
const AT_FLAGS: usize = 112;

const HAS_EVENT_TIME: u8 = 1;
const HAS_CORRELATION: u8 = 2;
const HAS_CAUSATION: u8 = 4;
const HAS_DATA_KEY: u8 = 8;
const HAS_SOURCE: u8 = 16;
const HAS_EXTERNAL_ID: u8 = 32;
/// Only in segments that were written anew: the payload is gone, its digest stays.
const PAYLOAD_DROPPED: u8 = 64;
/// Flags of a later version: what they mean for the bytes that follow is not known here.
const UNKNOWN: u8 = 128;

/// What every checksum of a segment starts from, so that blocks of another log or of another segment never validate.
pub(super) fn seed(log: LogId, segment: u64) -> u32 {
    checksum::crc32c_append(checksum::crc32c(log.as_uuid().as_bytes()), &segment.to_le_bytes())
}

/// A record and the leaf digest that is stored with it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) leaf: Digest,
}

/// Encodes everything that the caller knows; the rest is zero until [`seal_record`].
pub(super) fn put_event(out: &mut Vec<u8>, event: &NewEvent) {
    put_head(out, event);
    out.extend(&event.payload);
}

/// [`put_event`] without the payload itself, which is the end of the record.
pub(super) fn put_head(out: &mut Vec<u8>, event: &NewEvent) {
    let start = out.len();
    out.extend([0; RECORD_PREFIX + AT_LEAF + 32]);
    out.extend(event.id.as_uuid().as_bytes());
    out.extend(event.payload_digest.digest.as_bytes());
    let mut flags = 0;
    for (has, flag) in [
        (event.event_time.is_some(), HAS_EVENT_TIME),
        (event.correlation_id.is_some(), HAS_CORRELATION),
        (event.causation_id.is_some(), HAS_CAUSATION),
        (event.data_key_id.is_some(), HAS_DATA_KEY),
        (event.source.is_some(), HAS_SOURCE),
        (event.external_id.is_some(), HAS_EXTERNAL_ID),
    ] {
        flags |= if has { flag } else { 0 };
    }
    out.extend([flags, content_code(event.content_type), algorithm_code(event.payload_digest.algorithm), 0]);
    out.extend(event.schema_version.to_le_bytes());
    out.extend(u16::try_from(event.tags.len()).unwrap_or(u16::MAX).to_le_bytes());
    if let Some(time) = event.event_time {
        out.extend(nanoseconds(time).to_le_bytes());
    }
    for id in [&event.correlation_id, &event.causation_id, &event.data_key_id].into_iter().flatten() {
        out.extend(id.as_bytes());
    }
    let texts = [Some(event.stream.as_str()), Some(event.event_type.as_str()), Some(event.actor.as_str())];
    let optional = [event.source.as_deref(), event.external_id.as_deref()];
    for text in texts.into_iter().chain(optional).flatten().chain(event.tags.iter().map(Tag::as_str)) {
        // Admission keeps every header far below 64 KiB.
        out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(text.as_bytes());
    }
    out.extend(u32::try_from(event.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let length = u32::try_from(out.len() + event.payload.len() - start - RECORD_PREFIX).unwrap_or(u32::MAX);
    put_at(out, start, &length.to_le_bytes());
}

/// What the committer decides about a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) revision: Revision,
    pub(super) record_time_ns: i64,
    pub(super) leaf: Digest,
}

/// A payload that is written from where it is, with the checksum of its bytes.
#[derive(Clone, Debug)]
pub(super) struct SharedPayload {
    pub(super) bytes: Bytes,
    pub(super) checksum: u32,
}

/// Fills in what the committer decides, and the checksum. `bytes` is one record with its prefix.
pub(super) fn seal_record(bytes: &mut [u8], record: &Record, leaf: &Digest, seed: u32) {
    let (position, revision) = (record.position, record.revision);
    let place = Place { position, revision, record_time_ns: nanoseconds(record.record_time), leaf: *leaf };
    place_record(bytes, None, &place, seed);
}

/// Fills in what the committer decides, and the checksum. `bytes` is one record with its prefix, without its payload where that is elsewhere.
pub(super) fn place_record(bytes: &mut [u8], payload: Option<&SharedPayload>, place: &Place, seed: u32) {
    put_at(bytes, RECORD_PREFIX + AT_POSITION, &place.position.get().to_le_bytes());
    put_at(bytes, RECORD_PREFIX + AT_REVISION, &place.revision.get().to_le_bytes());
    put_at(bytes, RECORD_PREFIX + AT_RECORD_TIME, &place.record_time_ns.to_le_bytes());
    put_at(bytes, RECORD_PREFIX + AT_LEAF, place.leaf.as_bytes());
    let mut checksum = checksum::crc32c_append(seed, bytes.get(RECORD_PREFIX..).unwrap_or_default());
    if let Some(payload) = payload {
        checksum = checksum::append_checksum(checksum, payload.checksum, payload.bytes.len());
    }
    put_at(bytes, 4, &checksum.to_le_bytes());
}

/// The length of the record that begins here, with its prefix.
pub(super) fn record_bytes(bytes: &[u8]) -> Option<usize> {
    Some(Fields::new(bytes).u32()? as usize + RECORD_PREFIX)
}

/// Reads one record (with its prefix) that `bytes` begins with, and checks its checksum.
#[inline(always)]
pub(super) fn read_view(bytes: &[u8], seed: u32) -> Result<View<'_>, &'static str> {
    let mut prefix = Fields::new(bytes);
    let (Some(length), Some(checksum)) = (prefix.u32(), prefix.u32()) else { return Err("the record is cut off") };
    let body = prefix.take(length as usize).ok_or("the record is cut off")?;
    if checksum::crc32c_append(seed, body) != checksum {
        return Err("the checksum of the record does not fit");
    }
    View::of_body(body).ok_or(UNFIT)
}

/// Reads one record as [`read_view`] does. `bytes` are a part of `shared`, whose memory the payload shares.
#[inline(always)]
pub(super) fn read_record(bytes: &[u8], seed: u32, shared: &Bytes, names: &mut Names) -> Result<Record, &'static str> {
    let view = read_view(bytes, seed)?;
    view.record(names, shared.slice_ref(view.payload)).ok_or(UNFIT)
}

/// What is said of a record whose checksum fits and whose fields do not.
pub(super) const UNFIT: &str = "the fields of the record do not fit together";

/// The body of a record up to its payload, which may be cut off: position and leaf digest stand at its start.
pub(super) fn read_leaf_digest(record: &[u8]) -> Option<(Position, Digest)> {
    let mut fields = Fields::new(record.get(RECORD_PREFIX..)?);
    let position = Position::new(fields.u64()?);
    fields.take(AT_LEAF - AT_REVISION)?;
    Some((position, Digest::new(fields.array()?)))
}

/// A record whose payload may be cut off, without its payload. No checksum covers it: whoever uses it compares its leaf with the stored digest.
pub(super) fn read_record_head(record: &[u8]) -> Option<Stored> {
    View::of_head(&mut Fields::new(record.get(RECORD_PREFIX..)?))?.stored(&mut Names::default(), Bytes::new())
}

/// The fields of a record where they stand in its bytes. Nothing is copied, and no name is validated yet.
///
/// Views and records are hundreds of bytes. What makes them is always inlined, so that a replay writes each field once instead of moving the whole from
/// function to function, which took a tenth of its time.
pub(super) struct View<'a> {
    pub(super) position: Position,
    pub(super) revision: Revision,
    pub(super) record_time: Timestamp,
    pub(super) leaf: Digest,
    pub(super) id: EventId,
    payload_digest: PayloadDigest,
    flags: u8,
    content_type: ContentType,
    schema_version: u16,
    pub(super) event_time: Option<Timestamp>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    data_key_id: Option<Uuid>,
    pub(super) stream: &'a [u8],
    pub(super) event_type: &'a [u8],
    actor: &'a [u8],
    source: Option<&'a [u8]>,
    external_id: Option<&'a [u8]>,
    pub(super) tags: TagBytes<'a>,
    pub(super) payload: &'a [u8],
}

/// The tags of a record, each with its length before it.
#[derive(Clone, Copy)]
pub(super) struct TagBytes<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) count: u16,
}

impl<'a> View<'a> {
    /// The whole body of a record.
    #[inline(always)]
    fn of_body(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let mut view = Self::of_head(&mut fields)?;
        let payload_bytes = fields.u32()?;
        view.payload = fields.take(payload_bytes as usize)?;
        let fits = fields.is_empty() && (view.flags & PAYLOAD_DROPPED == 0 || view.payload.is_empty());
        fits.then_some(view)
    }

    /// A body up to its payload.
    #[inline(always)]
    fn of_head(fields: &mut Fields<'a>) -> Option<Self> {
        let mut fixed = Fields::new(fields.chunk::<FIXED_BYTES>()?);
        let position = Position::new(fixed.u64()?);
        let revision = Revision::new(fixed.u64()?);
        let record_time = timestamp(fixed.i64()?)?;
        let leaf = Digest::new(fixed.array()?);
        let id = EventId::new(Uuid::from_bytes(fixed.array()?));
        let digest = Digest::new(fixed.array()?);
        let flags = fixed.u8()?;
        let content_type = content_type(fixed.u8()?)?;
        let algorithm = algorithm(fixed.u8()?)?;
        if fixed.u8()? != 0 || flags & UNKNOWN != 0 {
            return None;
        }
        let schema_version = fixed.u16()?;
        let tag_count = fixed.u16()?;
        let has = |flag: u8| flags & flag != 0;
        let event_time = if has(HAS_EVENT_TIME) { Some(timestamp(fields.i64()?)?) } else { None };
        let mut uuid = |flag: u8| -> Option<Option<Uuid>> {
            if has(flag) { fields.array().map(|bytes| Some(Uuid::from_bytes(bytes))) } else { Some(None) }
        };
        let correlation_id = uuid(HAS_CORRELATION)?;
        let causation_id = uuid(HAS_CAUSATION)?;
        let data_key_id = uuid(HAS_DATA_KEY)?;
        let stream = fields.text_bytes()?;
        let event_type = fields.text_bytes()?;
        let actor = fields.text_bytes()?;
        let source = if has(HAS_SOURCE) { Some(fields.text_bytes()?) } else { None };
        let external_id = if has(HAS_EXTERNAL_ID) { Some(fields.text_bytes()?) } else { None };
        let from_tags_on = fields.rest();
        for _ in 0..tag_count {
            fields.text_bytes()?;
        }
        let tag_bytes = from_tags_on.len() - fields.rest().len();
        let tags = TagBytes { bytes: from_tags_on.get(..tag_bytes)?, count: tag_count };
        Some(Self {
            position,
            revision,
            record_time,
            leaf,
            id,
            payload_digest: PayloadDigest { algorithm, digest },
            flags,
            content_type,
            schema_version,
            event_time,
            correlation_id,
            causation_id,
            data_key_id,
            stream,
            event_type,
            actor,
            source,
            external_id,
            tags,
            payload: &[],
        })
    }

    /// Whether the texts that are no names are texts.
    pub(super) fn has_texts(&self) -> bool {
        let texts = [Some(self.actor), self.source, self.external_id];
        texts.into_iter().flatten().all(|text| std::str::from_utf8(text).is_ok())
    }

    /// The record with this payload. `None` when a name is none.
    #[inline(always)]
    pub(super) fn record(&self, names: &mut Names, payload: Bytes) -> Option<Record> {
        let source = match self.source {
            Some(source) => Some(names.text(source)?.clone()),
            None => None,
        };
        let external_id = match self.external_id {
            Some(external_id) => Some(std::str::from_utf8(external_id).ok()?.to_owned()),
            None => None,
        };
        let stream = names.stream(self.stream)?.clone();
        let event_type = names.event_type(self.event_type)?.clone();
        let tags = names.tags(self.tags)?.clone();
        let actor = names.text(self.actor)?.clone();
        let dropped = self.flags & PAYLOAD_DROPPED != 0;
        Some(Record {
            position: self.position,
            revision: self.revision,
            record_time: self.record_time,
            id: self.id,
            stream,
            event_type,
            schema_version: self.schema_version,
            event_time: self.event_time,
            source,
            external_id,
            tags,
            actor,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            data_key_id: self.data_key_id,
            content_type: self.content_type,
            payload_digest: self.payload_digest,
            payload_state: if dropped { PayloadState::Dropped } else { PayloadState::Present },
            payload,
        })
    }

    /// The record with this payload, and its leaf digest.
    pub(super) fn stored(&self, names: &mut Names, payload: Bytes) -> Option<Stored> {
        Some(Stored { record: self.record(names, payload)?, leaf: self.leaf })
    }
}

/// Encodes a record that is in a log already, its payload dropped or not.
pub(super) fn put_record(out: &mut Vec<u8>, record: &Record, leaf: &Digest, seed: u32) {
    let start = out.len();
    put_event(out, &record.event());
    let bytes = out.get_mut(start..).unwrap_or_default();
    if let (PayloadState::Dropped, Some(flags)) = (record.payload_state, bytes.get_mut(AT_FLAGS)) {
        *flags |= PAYLOAD_DROPPED;
    }
    seal_record(bytes, record, leaf, seed);
}

/// Everything of a record but its payload, as it stands in front of the payload's length.
pub(super) fn header_bytes(stored: &Stored) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let record = Record { payload: Bytes::new(), ..stored.record.clone() };
    put_record(&mut bytes, &record, &stored.leaf, 0);
    bytes.truncate(bytes.len() - 4);
    bytes.drain(..RECORD_PREFIX);
    bytes
}

/// Reads what [`header_bytes`] wrote: a record whose payload is still to be put in.
pub(super) fn read_header(header: &[u8]) -> Option<View<'_>> {
    let mut fields = Fields::new(header);
    View::of_head(&mut fields).filter(|_| fields.is_empty())
}

pub(super) fn timestamp(nanoseconds: i64) -> Option<Timestamp> {
    const SECOND: i64 = 1_000_000_000;
    // The remainder is below a second. A division of 128 bits, which the library's own way takes, cost a tenth of a record's time.
    let rest = i32::try_from(nanoseconds.rem_euclid(SECOND)).unwrap_or(0);
    Timestamp::new(nanoseconds.div_euclid(SECOND), rest).ok()
}

fn content_code(content_type: ContentType) -> u8 {
    match content_type {
        ContentType::Json => 1,
        ContentType::Frame => 2,
        ContentType::Octets => 3,
    }
}

fn content_type(code: u8) -> Option<ContentType> {
    match code {
        1 => Some(ContentType::Json),
        2 => Some(ContentType::Frame),
        3 => Some(ContentType::Octets),
        _ => None,
    }
}

fn algorithm_code(algorithm: DigestAlgorithm) -> u8 {
    match algorithm {
        DigestAlgorithm::Sha256 => 1,
        DigestAlgorithm::FrameSha256 => 2,
    }
}

fn algorithm(code: u8) -> Option<DigestAlgorithm> {
    match code {
        1 => Some(DigestAlgorithm::Sha256),
        2 => Some(DigestAlgorithm::FrameSha256),
        _ => None,
    }
}

/// What a batch header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    /// The bytes of the records that follow.
    pub(super) length: u32,
    pub(super) checksum: u32,
    pub(super) first: Position,
    pub(super) count: u32,
    /// Every position below was durable when this batch was written.
    pub(super) durable_upto: Position,
    /// Whether the flags are of this version: none is defined yet.
    pub(super) known: bool,
}

impl BatchHeader {
    /// The header in bytes, with the checksum over the rest of it and the records.
    pub(super) fn to_bytes(
        first: Position,
        count: u32,
        durable_upto: Position,
        records: &[u8],
        seed: u32,
    ) -> [u8; BATCH_HEADER] {
        let add_records = |checksum| checksum::crc32c_append(checksum, records);
        Self::to_bytes_over((first, count, durable_upto), records.len(), seed, add_records)
    }

    /// The header in bytes for records that are not beside each other: `add_records` continues a checksum over them.
    pub(super) fn to_bytes_over(
        (first, count, durable_upto): (Position, u32, Position),
        length: usize,
        seed: u32,
        add_records: impl FnOnce(u32) -> u32,
    ) -> [u8; BATCH_HEADER] {
        let mut bytes = [0; BATCH_HEADER];
        put_at(&mut bytes, 0, &BATCH_MAGIC);
        put_at(&mut bytes, 4, &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        put_at(&mut bytes, 16, &first.get().to_le_bytes());
        put_at(&mut bytes, 24, &count.to_le_bytes());
        put_at(&mut bytes, 32, &durable_upto.get().to_le_bytes());
        let checksum = add_records(header_checksum(&bytes, seed));
        put_at(&mut bytes, 8, &checksum.to_le_bytes());
        bytes
    }

    /// Reads a header; whether the records fit to it is another question.
    pub(super) fn read(bytes: &[u8; BATCH_HEADER]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        if fields.array()? != BATCH_MAGIC {
            return None;
        }
        let (length, checksum) = (fields.u32()?, fields.u32()?);
        let flags = fields.u32()?;
        let (first, count) = (Position::new(fields.u64()?), fields.u32()?);
        let known = (flags, fields.u32()?) == (0, 0);
        Some(Self { length, checksum, first, count, durable_upto: Position::new(fields.u64()?), known })
    }
}

/// The checksum of a batch: the length, everything after the checksum, the records.
pub(super) fn batch_checksum(header: &[u8; BATCH_HEADER], records: &[u8], seed: u32) -> u32 {
    checksum::crc32c_append(header_checksum(header, seed), records)
}

fn header_checksum(header: &[u8; BATCH_HEADER], seed: u32) -> u32 {
    let length = checksum::crc32c_append(seed, header.get(4..8).unwrap_or_default());
    checksum::crc32c_append(length, header.get(12..).unwrap_or_default())
}

/// The bytes from here to where the next batch may begin.
pub(super) fn padding(offset: u64) -> usize {
    usize::try_from(offset.next_multiple_of(BATCH_ALIGNMENT) - offset).unwrap_or(0)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
