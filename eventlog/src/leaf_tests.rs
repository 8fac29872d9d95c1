use bytes::Bytes;
use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::{DigestAlgorithm, EventType, StreamId};

/// The leaf as a serialiser writes it: what every leaf was made with at first.
#[derive(Serialize)]
struct Leaf<'a> {
    v: u16,
    position: String,
    record_time_ns: String,
    event_time_ns: Option<String>,
    id: &'a EventId,
    source: Option<&'a str>,
    external_id: Option<&'a str>,
    stream: &'a StreamId,
    revision: String,
    #[serde(rename = "type")]
    event_type: &'a EventType,
    schema_version: u16,
    tags: &'a [Tag],
    actor: &'a str,
    correlation_id: Option<&'a Uuid>,
    causation_id: Option<&'a Uuid>,
    data_key_id: Option<&'a Uuid>,
    content_type: ContentType,
    digest_algorithm: DigestAlgorithm,
    payload_digest: &'a Digest,
}

fn serialised(record: &Record) -> String {
    let leaf = Leaf {
        v: RECORD_FORMAT_VERSION,
        position: record.position.to_string(),
        record_time_ns: nanoseconds(record.record_time).to_string(),
        event_time_ns: record.event_time.map(|time| nanoseconds(time).to_string()),
        id: &record.id,
        source: record.source.as_deref(),
        external_id: record.external_id.as_deref(),
        stream: &record.stream,
        revision: record.revision.to_string(),
        event_type: &record.event_type,
        schema_version: record.schema_version,
        tags: &record.tags,
        actor: &record.actor,
        correlation_id: record.correlation_id.as_ref(),
        causation_id: record.causation_id.as_ref(),
        data_key_id: record.data_key_id.as_ref(),
        content_type: record.content_type,
        digest_algorithm: record.payload_digest.algorithm,
        payload_digest: &record.payload_digest.digest,
    };
    serde_json::to_string(&leaf).unwrap()
}

proptest! {
    #[test]
    fn a_leaf_made_by_hand_is_the_serialised_one(
        names in ("[a-z\"\\\\é]{1,5}-[^\u{0}-\u{1f}\u{7f}-\u{9f}]{1,20}", "[^\u{0}-\u{1f}\u{7f}-\u{9f}]{1,20}"),
        texts in (any::<String>(), prop::option::of(any::<String>()), prop::option::of(any::<String>())),
        ids in (any::<u128>(), prop::option::of(any::<u128>()), prop::option::of(any::<u128>()), prop::option::of(any::<u128>())),
        tags in prop::collection::vec("[a-z\"]{1,4}:[A-Z0-9布\\\\]{1,8}", 0..4),
        numbers in (any::<u64>(), any::<u64>(), any::<i64>(), prop::option::of(any::<i64>()), any::<u16>(), 0..3_usize, any::<bool>()),
    ) {
        let (stream, event_type) = (StreamId::new(&names.0).unwrap(), EventType::new(&names.1).unwrap());
        let time = |nanoseconds: i64| Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
        let (position, revision, record_time, event_time, schema_version, content, framed) = numbers;
        let id = EventId::new(Uuid::from_u128(ids.0));
        let mut event = NewEvent::json(id, stream, event_type, schema_version, &texts.0, Bytes::from_static(b"{}"));
        event.event_time = event_time.map(time);
        (event.source, event.external_id) = (texts.1, texts.2);
        event.correlation_id = ids.1.map(Uuid::from_u128);
        event.causation_id = ids.2.map(Uuid::from_u128);
        event.data_key_id = ids.3.map(Uuid::from_u128);
        event.tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
        event.content_type = [ContentType::Json, ContentType::Frame, ContentType::Octets][content];
        if framed {
            event.payload_digest.algorithm = DigestAlgorithm::FrameSha256;
        }
        let record = Record::from_new(event, Position::new(position), Revision::new(revision), time(record_time));
        prop_assert_eq!(String::from_utf8(record.leaf()).unwrap(), serialised(&record));
    }
}
