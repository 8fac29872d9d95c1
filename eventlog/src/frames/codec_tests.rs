use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    Encoded, FrameError, MAX_FRAME_READINGS, MAX_TEXT_BYTES, decode, decode_columns, encode, encode_columns, payload,
    summaries,
};
use crate::frames::bytes::put_varint;
use crate::frames::{Column, Frame, Reading, Sequences, StatusCode, Statuses, Value, Values, digest, v1};

fn reading(signal: &str, time_ns: i64, value: Value) -> Reading {
    let time = Timestamp::from_nanosecond(i128::from(time_ns)).unwrap();
    Reading { signal: signal.into(), time, sequence: None, value, status: StatusCode::GOOD }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        (-5_000_i32..5_000).prop_map(|hundredths| Value::Float(f64::from(hundredths) / 100.0)),
        prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), Just(f64::INFINITY), Just(f64::MIN_POSITIVE)]
            .prop_map(Value::Float),
        "[a-c配方]{0,3}".prop_map(|text| Value::Text(text.into())),
    ]
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let time = prop_oneof![any::<i64>(), (0_i64..50).prop_map(|step| step * 1_000_000)];
    let sequence = prop_oneof![Just(None), any::<u64>().prop_map(Some), (0_u64..9).prop_map(Some)];
    let status = prop_oneof![Just(0_u32), Just(0x8000_0000), any::<u32>()];
    ("[a-d]{1,2}", time, sequence, value(), status).prop_map(|(signal, time_ns, sequence, value, status)| Reading {
        sequence,
        status: StatusCode::new(status),
        ..reading(&signal, time_ns, value)
    })
}

/// Bit by bit, so that NaN equals itself and differs from another NaN.
fn bits(frame: &Frame) -> Vec<String> {
    shown(frame.readings())
}

fn shown(readings: impl Iterator<Item = (u32, Reading)>) -> Vec<String> {
    let row = |(row, reading): (u32, Reading)| {
        let value = match &reading.value {
            Value::Float(value) => format!("float {:016x}", value.to_bits()),
            other => format!("{other:?}"),
        };
        let Reading { signal, time, sequence, status, .. } = reading;
        format!("{row} {signal} {} {sequence:?} {value} {status}", time.as_nanosecond())
    };
    readings.map(row).collect()
}

fn key(reading: &Reading) -> (Arc<str>, u8, i128, Option<u64>) {
    let kind = match reading.value {
        Value::Boolean(_) => 0,
        Value::Integer(_) => 1,
        Value::Float(_) => 2,
        Value::Text(_) => 3,
    };
    (Arc::clone(&reading.signal), kind, reading.time.as_nanosecond(), reading.sequence)
}

/// The directory and the body of a frame of version 2.
fn parts(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let directory_bytes = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let (directory, body) = bytes[12..bytes.len() - 4].split_at(directory_bytes);
    (directory.to_vec(), body.to_vec())
}

/// A frame of version 2 with checksums that fit, whatever it says.
fn checksummed(directory: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"MWF\x02".to_vec();
    bytes.extend((directory.len() as u32).to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), directory);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(directory);
    bytes.extend(body);
    bytes.extend(crc32c::crc32c_append(checksum, body).to_le_bytes());
    bytes
}

/// What is decoded from anything obeys the limits and the order, and can be written again.
fn check_hostile(bytes: &[u8]) {
    let _ = summaries(bytes);
    let Ok(frame) = decode(bytes) else { return };
    assert!((1..=MAX_FRAME_READINGS).contains(&frame.len()));
    let again = encode_columns(frame.columns().collect()).unwrap();
    assert_eq!(bits(&again.frame), bits(&frame));
    assert_eq!(bits(&decode(&again.bytes).unwrap()), bits(&frame));
}

proptest! {
    #[test]
    fn what_was_encoded_comes_back(readings in prop::collection::vec(any_reading(), 1..200)) {
        let Encoded { bytes, digest: encoded_digest, frame } = encode(readings.clone()).unwrap();
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(bits(&decoded), bits(&frame));
        prop_assert_eq!(digest(&decoded), encoded_digest);
        let mut sorted = readings;
        sorted.sort_by_key(key);
        let expected: Vec<_> = sorted.into_iter().enumerate().map(|(row, reading)| (row as u32, reading)).collect();
        let found: Vec<_> = decoded.readings().collect();
        prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        let rows: usize = summaries(&bytes).unwrap().iter().map(|summary| summary.rows).sum();
        prop_assert_eq!(rows, found.len());
    }

    #[test]
    fn both_versions_hold_the_same_readings(readings in prop::collection::vec(any_reading(), 1..200)) {
        let encoded = encode(readings).unwrap();
        let old = v1::write::encode(&encoded.frame);
        let decoded = decode(&old).unwrap();
        prop_assert_eq!(bits(&decoded), bits(&encoded.frame));
        prop_assert_eq!(digest(&decoded), encoded.digest);
        prop_assert_eq!(format!("{:?}", summaries(&old).unwrap()), format!("{:?}", summaries(&encoded.bytes).unwrap()));
        prop_assert_eq!(payload(&decoded).unwrap(), encoded.bytes);
    }

    #[test]
    fn columns_that_are_added_one_after_the_other_are_those_of_all_readings_at_once(
        readings in prop::collection::vec(any_reading(), 1..100),
        first in any::<prop::sample::Index>(),
    ) {
        let whole = encode(readings.clone()).unwrap();
        // Signals that come in two parts, each sorted by itself, and the columns in the wrong order.
        let parted = whole.frame.columns().nth(first.index(whole.frame.columns().len())).unwrap().signal.clone();
        let (one, two): (Vec<_>, Vec<_>) = readings.into_iter().partition(|reading| reading.signal < parted);
        let parts = [two, one].into_iter().filter(|part| !part.is_empty());
        let frames: Vec<Frame> = parts.map(|part| encode(part).unwrap().frame).collect();
        let joined = encode_columns(frames.iter().flat_map(Frame::columns).collect()).unwrap();
        prop_assert_eq!(joined.digest, whole.digest);
        prop_assert_eq!(joined.bytes, whole.bytes);
        prop_assert_eq!(bits(&joined.frame), bits(&whole.frame));
    }

    #[test]
    fn wanted_columns_are_those_of_the_whole(readings in prop::collection::vec(any_reading(), 1..100), wanted in any::<u64>()) {
        let encoded = encode(readings).unwrap();
        for bytes in [v1::write::encode(&encoded.frame), encoded.bytes.to_vec()] {
            let mut place = 0;
            let part = decode_columns(&bytes, |_| {
                place += 1;
                wanted >> (place % 64) & 1 == 1
            });
            let expected = encoded.frame.columns().zip(1..).filter(|(_, place)| wanted >> (place % 64) & 1 == 1);
            let expected = expected.flat_map(|(column, _)| column.readings());
            prop_assert_eq!(bits(&part.unwrap()), shown(expected));
        }
    }

    #[test]
    fn summaries_say_what_the_columns_hold(readings in prop::collection::vec(any_reading(), 1..100)) {
        let encoded = encode(readings).unwrap();
        let summaries = summaries(&encoded.bytes).unwrap();
        prop_assert_eq!(summaries.len(), encoded.frame.columns().len());
        for (summary, column) in summaries.iter().zip(encoded.frame.columns()) {
            prop_assert_eq!(&summary.signal, column.signal);
            prop_assert_eq!((summary.first_row, summary.rows), (column.first_row, column.times_ns.len()));
            prop_assert_eq!(Some(&summary.min_time_ns), column.times_ns.first());
            prop_assert_eq!(Some(&summary.max_time_ns), column.times_ns.last());
            let values = (0..summary.rows).filter_map(|row| column.values.get(row)?.as_f64());
            if let Some((least, greatest)) = &summary.bounds {
                for value in values.filter(|value| !value.is_nan()) {
                    prop_assert!(least.as_f64().unwrap() <= value && value <= greatest.as_f64().unwrap());
                }
            }
        }
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_arrival(
        readings in prop::collection::vec(any_reading(), 1..100).prop_map(|mut readings| {
            readings.sort_by_key(key);
            readings.dedup_by_key(|reading| key(reading));
            readings
        }),
        seed in any::<u64>(),
    ) {
        let first = encode(readings.clone()).unwrap();
        let mut shuffled = readings;
        let count = shuffled.len();
        for index in 0..count {
            let other = (seed.rotate_left(index as u32 * 7) % count as u64) as usize;
            shuffled.swap(index, other);
        }
        let second = encode(shuffled).unwrap();
        prop_assert_eq!(first.digest, second.digest);
        prop_assert_eq!(first.bytes, second.bytes);
    }

    #[test]
    fn a_changed_reading_changes_the_digest(
        readings in prop::collection::vec(any_reading(), 1..50),
        place in any::<prop::sample::Index>(),
    ) {
        let before = encode(readings.clone()).unwrap().digest;
        let mut changed = readings;
        let place = place.index(changed.len());
        changed[place].status = StatusCode::new(changed[place].status.get() ^ 1);
        prop_assert_ne!(encode(changed).unwrap().digest, before);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        for version in 1..=2 {
            let mut framed = vec![b'M', b'W', b'F', version];
            framed.extend(&bytes);
            let _ = decode(&framed);
            let _ = summaries(&framed);
        }
    }

    #[test]
    fn bodies_of_version_1_with_a_right_checksum_never_panic(
        body in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..5, rows in 1_u8..60,
    ) {
        let mut column = vec![1, b'a', kind, rows];
        column.extend([0; 32]);
        put_varint(&mut column, body.len() as u64);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&column), &body);
        column.extend(checksum.to_le_bytes());
        column.extend(&body);
        let framed = [b"MWF\x01\x01".as_slice(), &column].concat();
        let _ = decode(&framed);
        prop_assert_eq!(summaries(&framed).unwrap().len(), 1);
    }

    #[test]
    fn anything_with_right_checksums_never_panics(
        directory in prop::collection::vec(any::<u8>(), 0..80), body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        check_hostile(&checksummed(&directory, &body));
    }

    #[test]
    fn changed_frames_with_right_checksums_never_panic(
        readings in prop::collection::vec(any_reading(), 1..60),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let encoded = encode(readings).unwrap();
        let (mut directory, mut body) = parts(&encoded.bytes);
        let split = directory.len();
        for (place, byte) in changes {
            match place.index(split + body.len()) {
                place if place < split => directory[place] = byte,
                place => body[place - split] = byte,
            }
        }
        check_hostile(&checksummed(&directory, &body));
    }

    #[test]
    fn a_flipped_bit_is_found(readings in prop::collection::vec(any_reading(), 1..40), place in any::<prop::sample::Index>(), bit in 0..8) {
        let encoded = encode(readings).unwrap();
        let mut bytes = encoded.bytes.to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn values_of_two_kinds_become_two_columns_with_running_rows() {
    let encoded = encode(vec![
        reading("b", 30, Value::Float(1.5)),
        reading("a", 20, Value::Text("on".into())),
        reading("a", 10, Value::Integer(7)),
        reading("a", 5, Value::Text("off".into())),
    ])
    .unwrap();
    let columns: Vec<_> =
        encoded.frame.columns().map(|column| (&**column.signal, column.first_row, column.times_ns.to_vec())).collect();
    assert_eq!(columns, [("a", 0, vec![10]), ("a", 1, vec![5, 20]), ("b", 3, vec![30])]);
    for (signal, rows) in [("", vec![]), ("a", vec![0, 1]), ("aa", vec![]), ("b", vec![3]), ("c", vec![])] {
        let found: Vec<u32> = encoded.frame.columns_of(signal).map(|column| column.first_row).collect();
        assert_eq!(found, rows, "{signal}");
    }
    let summaries = summaries(&encoded.bytes).unwrap();
    assert_eq!(summaries[0].bounds, Some((Value::Integer(7), Value::Integer(7))));
    assert_eq!(summaries[1].bounds, None);
    assert_eq!((summaries[1].min_time_ns, summaries[1].max_time_ns), (5, 20));
}

#[test]
fn a_frame_has_limits() {
    let many = |count: usize| (0..count).map(|index| reading("a", index as i64, Value::Integer(1))).collect::<Vec<_>>();
    assert!(matches!(encode(Vec::new()), Err(FrameError::Empty)));
    assert!(matches!(encode(many(MAX_FRAME_READINGS + 1)), Err(FrameError::TooMany { count: 20_001 })));
    assert_eq!(decode(&encode(many(MAX_FRAME_READINGS)).unwrap().bytes).unwrap().len(), MAX_FRAME_READINGS);
    let text = "x".repeat(MAX_TEXT_BYTES + 1);
    let unfit = [
        reading("", 1, Value::Integer(1)),
        reading(&"s".repeat(513), 1, Value::Integer(1)),
        reading("a", 1, Value::Text(text.into())),
        Reading { time: Timestamp::MAX, ..reading("a", 1, Value::Integer(1)) },
    ];
    for reading in unfit {
        assert!(matches!(encode(vec![reading]), Err(FrameError::Unfit { .. })));
    }
}

#[test]
fn regular_readings_are_small() {
    let readings =
        (0..10_000).map(|index| reading("a", index * 100_000_000, Value::Float((index % 70) as f64 / 100.0)));
    let encoded = encode(readings.collect()).unwrap();
    // Seven bits for a value of 70, blocks for the times, and nothing else.
    assert!(encoded.bytes.len() < 10_000 * 7 / 8 + 500, "{} bytes", encoded.bytes.len());
}

#[test]
fn columns_share_their_moments_and_counts() {
    let readings = (0..100_i64).flat_map(|signal| {
        (0..10).map(move |row| Reading {
            sequence: Some(row as u64 * 3 % 11),
            ..reading(&format!("signal-{signal:03}"), row * row * 7_919, Value::Boolean(true))
        })
    });
    let encoded = encode(readings.collect()).unwrap();
    // A header of nine bytes a signal, and one list of each.
    assert!(encoded.bytes.len() < 100 * 10 + 100, "{} bytes", encoded.bytes.len());
    let decoded = decode(&encoded.bytes).unwrap();
    for frame in [encoded.frame, decoded] {
        let first = frame.columns().next().unwrap();
        for column in frame.columns() {
            assert!(std::ptr::eq(column.times_ns, first.times_ns));
            assert!(std::ptr::eq(column.sequences, first.sequences));
        }
    }
}

#[test]
fn columns_that_cannot_be_a_frame_are_refused() {
    static ONES: [i64; MAX_FRAME_READINGS + 1] = [1; MAX_FRAME_READINGS + 1];
    let (none, a, b): (Arc<str>, Arc<str>, Arc<str>) = ("".into(), "a".into(), "b".into());
    let good: Vec<Statuses> = (0..=ONES.len()).map(|rows| Statuses::all(rows, StatusCode::GOOD)).collect();
    let column = |signal, times_ns| {
        let rows = <[i64]>::len(times_ns);
        let (values, statuses) = (Values::Integer(&ONES[..rows]), &good[rows]);
        Column { signal, first_row: 0, times_ns, sequences: &Sequences::NONE, values, statuses }
    };
    let encoded = encode_columns(vec![column(&b, &[1, 1]), column(&a, &[5])]).unwrap();
    assert_eq!(encoded.frame.columns().nth(1).unwrap().first_row, 1);
    assert!(matches!(encode_columns(Vec::new()), Err(FrameError::Empty)));
    assert!(matches!(encode_columns(vec![column(&a, &ONES)]), Err(FrameError::TooMany { count: 20_001 })));
    let [too_few, descending, missing] =
        [vec![Some(1)], vec![Some(2), Some(1)], vec![Some(2), None]].map(Sequences::from);
    let long: [Arc<str>; 1] = ["x".repeat(MAX_TEXT_BYTES + 1).into()];
    let unfit = [
        vec![column(&none, &[1])],
        vec![column(&a, &[1]), column(&b, &[])],
        vec![column(&a, &[2, 1])],
        vec![column(&a, &[1]), column(&a, &[2])],
        vec![Column { values: Values::Integer(&[1; 3]), ..column(&a, &[1, 2]) }],
        vec![Column { statuses: &good[1], ..column(&a, &[1, 2]) }],
        vec![Column { sequences: &too_few, ..column(&a, &[1, 2]) }],
        vec![Column { sequences: &descending, ..column(&a, &[1, 1]) }],
        vec![Column { sequences: &missing, ..column(&a, &[1, 1]) }],
        vec![Column { values: Values::Text(&long), ..column(&a, &[1]) }],
    ];
    for columns in unfit {
        assert!(matches!(encode_columns(columns.clone()), Err(FrameError::Unfit { .. })), "{columns:?}");
    }
}

#[test]
fn claimed_rows_allocate_nothing_that_a_frame_could_not_hold() {
    // Two axes of 20,000 rows each, which take no bytes to claim.
    let mut directory = vec![2, 2, 0];
    for _ in 0..2 {
        put_varint(&mut directory, MAX_FRAME_READINGS as u64);
        directory.extend([0, 0, 0]);
    }
    directory.extend([0b0000_0101, 0, 1, b'a', 0, 0, 0]);
    let error = decode(&checksummed(&directory, &[])).unwrap_err().to_string();
    assert!(error.contains("more readings than a frame may"), "{error}");
}

#[test]
fn the_digest_is_fixed_for_ever() {
    let encoded = encode(vec![
        reading("loom-1.tension", 1_000, Value::Float(1.25)),
        Reading {
            sequence: Some(4),
            status: StatusCode::new(0x8000_0000),
            ..reading("loom-1.state", 1_000, Value::Text("运行".into()))
        },
        reading("loom-1.picks", 2_000, Value::Integer(-3)),
        reading("loom-1.on", 2_000, Value::Boolean(true)),
    ])
    .unwrap();
    assert_eq!(encoded.digest.to_string(), "15b9fc7f7a4a588f39762ba4cc7cf81ce01edefeb4d2d3380591c8b1691dc54e");
}
