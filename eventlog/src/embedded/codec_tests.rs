use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::{Names, RECORD_PREFIX, put_event, read_record, read_view, record_bytes, seal_record};
use crate::{ContentType, EventId, EventType, NewEvent, Position, Record, Revision, StreamId, Tag};

const SEED: u32 = 0x1234_5678;

fn event() -> impl Strategy<Value = NewEvent> {
    let texts = (
        "[a-z]{1,5}-[a-z0-9-]{1,20}",
        "[a-z.]{1,20}",
        ".{0,30}",
        prop::option::of(".{0,30}"),
        prop::option::of(".{0,30}"),
    );
    let ids = (
        any::<u128>(),
        prop::option::of(any::<u128>()),
        prop::option::of(any::<u128>()),
        prop::option::of(any::<u128>()),
    );
    let tags = prop::collection::vec("[a-z]{1,4}:[A-Z0-9布]{1,8}", 0..6);
    let rest = (any::<u16>(), prop::option::of(any::<i64>()), 0..3_usize, prop::collection::vec(any::<u8>(), 0..400));
    (texts, ids, tags, rest).prop_map(|(texts, ids, tags, (schema_version, event_time, content, payload))| {
        let (stream, event_type, actor, source, external_id) = texts;
        let (stream, event_type) = (StreamId::new(&stream).unwrap(), EventType::new(&event_type).unwrap());
        let id = EventId::new(Uuid::from_u128(ids.0));
        let mut event = NewEvent::json(id, stream, event_type, schema_version, &actor, Bytes::from(payload));
        event.event_time = event_time.map(|time| Timestamp::from_nanosecond(i128::from(time)).unwrap());
        event.source = source;
        event.external_id = external_id;
        event.correlation_id = ids.1.map(Uuid::from_u128);
        event.causation_id = ids.2.map(Uuid::from_u128);
        event.data_key_id = ids.3.map(Uuid::from_u128);
        event.tags = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
        event.content_type = [ContentType::Json, ContentType::Frame, ContentType::Octets][content];
        event
    })
}

fn stored(event: NewEvent, position: u64, revision: u64, time: i64) -> (Record, Vec<u8>) {
    let mut bytes = Vec::new();
    put_event(&mut bytes, &event);
    let time = Timestamp::from_nanosecond(i128::from(time)).unwrap();
    let record = Record::from_new(event, Position::new(position), Revision::new(revision), time);
    seal_record(&mut bytes, &record, &record.leaf_digest(), SEED);
    (record, bytes)
}

fn read(bytes: &[u8], seed: u32) -> Result<Record, &'static str> {
    let shared = Bytes::copy_from_slice(bytes);
    read_record(&shared, seed, &shared, &mut Names::default())
}

proptest! {
    #[test]
    fn what_was_stored_comes_back(event in event(), position in any::<u64>(), revision in any::<u64>(), time in any::<i64>()) {
        let (record, mut bytes) = stored(event, position, revision, time);
        prop_assert_eq!(record_bytes(&bytes), Some(bytes.len()));
        bytes.extend([7; 30]);
        let shared = Bytes::from(bytes);
        let mut names = Names::keeping();
        for _ in 0..2 {
            let found = read_record(&shared, SEED, &shared, &mut names).unwrap();
            prop_assert_eq!(&found, &record);
            prop_assert_eq!(read_view(&shared, SEED).unwrap().leaf, record.leaf_digest());
        }
        prop_assert!(read(&shared, SEED + 1).is_err());
    }

    #[test]
    fn flags_of_a_later_version_are_refused(event in event(), flags in 1..=255_u8, reserved in any::<bool>()) {
        let (_, mut bytes) = stored(event, 1, 2, 3);
        let at = RECORD_PREFIX + if reserved { 107 } else { 104 };
        bytes[at] |= if reserved { flags } else { 128 };
        let checksum = crc32c::crc32c_append(SEED, &bytes[RECORD_PREFIX..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        prop_assert!(read(&bytes, SEED).is_err());
    }

    #[test]
    fn a_flipped_bit_is_found(event in event(), place in any::<prop::sample::Index>(), bit in 0..8) {
        let (_, mut bytes) = stored(event, 1, 2, 3);
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(read(&bytes, SEED).is_err());
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..400), flags in any::<u8>()) {
        let mut body = body;
        if let Some(byte) = body.get_mut(104) {
            *byte = flags;
        }
        for (at, code) in [(105, 1), (106, 2), (108, 0), (109, 0), (110, 2), (111, 0)] {
            if let Some(byte) = body.get_mut(at) {
                *byte = code;
            }
        }
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend(crc32c::crc32c_append(SEED, &body).to_le_bytes());
        bytes.extend(&body);
        let _ = read(&bytes, SEED);
        let _ = read(&body, SEED);
    }
}
