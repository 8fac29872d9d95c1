use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Encoded, FrameError, MAX_FRAME_READINGS, MAX_TEXT_BYTES, decode, encode, summaries};
use crate::frames::{Frame, Reading, StatusCode, Value, digest};

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
    let row = |(row, reading): (u32, Reading)| {
        let value = match &reading.value {
            Value::Float(value) => format!("float {:016x}", value.to_bits()),
            other => format!("{other:?}"),
        };
        let Reading { signal, time, sequence, status, .. } = reading;
        format!("{row} {signal} {} {sequence:?} {value} {status}", time.as_nanosecond())
    };
    frame.readings().map(row).collect()
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
        let mut framed = b"MWF\x01".to_vec();
        framed.extend(bytes);
        let _ = decode(&framed);
        let _ = summaries(&framed);
    }

    #[test]
    fn bodies_with_a_right_checksum_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..5, rows in 1_u8..60) {
        let mut column = vec![1, b'a', kind, rows];
        column.extend([0; 32]);
        super::put_varint(&mut column, body.len() as u64);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&column), &body);
        column.extend(checksum.to_le_bytes());
        column.extend(&body);
        let framed = [b"MWF\x01\x01".as_slice(), &column].concat();
        let _ = decode(&framed);
        prop_assert_eq!(summaries(&framed).unwrap().len(), 1);
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
    let columns: Vec<_> = encoded
        .frame
        .columns
        .iter()
        .map(|column| (&*column.signal, column.first_row, column.times_ns.clone()))
        .collect();
    assert_eq!(columns, [("a", 0, vec![10]), ("a", 1, vec![5, 20]), ("b", 3, vec![30])]);
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
    // One byte for a time, one for a decimal step, runs for everything else.
    assert!(encoded.bytes.len() < 10_000 * 2 + 500, "{} bytes", encoded.bytes.len());
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
