//! Frames of every format version, as they were first written. Every later version of this program reads them.

use jiff::Timestamp;

use super::{Frame, Reading, StatusCode, Value, decode, digest, encode, payload, summaries};

/// What both fixtures hold: the digest of the readings below.
const DIGEST: &str = "bd8b726a7db6ebd8d0918e51d6610743347925b46cfcf026d21e726d7523778b";

fn fixture(version: u8) -> Vec<u8> {
    match version {
        1 => include_bytes!("../../tests/fixtures/frame-1/every-coding.frame").to_vec(),
        _ => include_bytes!("../../tests/fixtures/frame-2/every-coding.frame").to_vec(),
    }
}

/// Columns of every nature: made without a formula that a later platform might compute differently.
fn readings() -> Vec<Reading> {
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let mut readings = Vec::new();
    let mut add = |signal: &str, row: i64, time_ns: i64, value: Value| {
        let flagged = signal.ends_with("flagged") && row % 7 > 3;
        let sequence = match signal {
            "counted" => Some(row as u64 * 2),
            "counted-flagged" => (row % 3 != 0).then_some(u64::MAX - row as u64),
            _ => None,
        };
        readings.push(Reading {
            signal: signal.into(),
            time: Timestamp::from_nanosecond(i128::from(time_ns)).unwrap(),
            sequence,
            value,
            status: StatusCode::new(if flagged { 0x8000_0000 + row as u32 / 14 } else { 0 }),
        });
    };
    for row in 0..600_i64 {
        let (noise, regular) = (noise(), 1_700_000_000_000_000_000 + row * 100_000_000);
        let jitter = regular + (noise % 5_000) as i64 * 1_000;
        let hundredths = 3_000 + (row * row) % 97 - row;
        add("decimal", row, regular, Value::Float(hundredths as f64 / 100.0));
        add("decimal", row, regular, Value::Integer(hundredths));
        add("noise", row, jitter, Value::Float(f64::from_bits(noise)));
        add("noise-positive", row, jitter, Value::Float(1.0 + (noise >> 12) as f64 / (1_u64 << 52) as f64));
        add("running-flagged", row, regular, Value::Boolean(row % 50 < 30));
        add("steps", row, regular, Value::Float((row / 90) as f64 / 3.0));
        if row < 40 {
            add("counted", row, regular + 5, Value::Integer(i64::MIN + row * 3));
            add("counted-flagged", row, jitter, Value::Text(["府绸", "斜纹", ""][row as usize % 3].into()));
            add("holes", row, i64::MIN + row, Value::Float(if row % 2 == 0 { f64::NAN } else { -0.0 }));
            add("single", row, regular, Value::Float(f64::from((row as f32 - 20.0) / 10.0)));
            add("wide", row, row * (i64::MAX / 39), Value::Integer(if row % 2 == 0 { i64::MAX } else { i64::MIN }));
        }
    }
    readings
}

/// Bit by bit, so that NaN equals itself.
fn shown(frame: &Frame) -> Vec<String> {
    let shown = |(row, reading): (u32, Reading)| match reading.value {
        Value::Float(value) => format!("{row} {reading:?} {:016x}", value.to_bits()),
        _ => format!("{row} {reading:?}"),
    };
    frame.readings().map(shown).collect()
}

#[test]
fn every_version_is_read() {
    let expected = encode(readings()).unwrap();
    assert_eq!(expected.digest.to_string(), DIGEST);
    for version in 1..=2 {
        let bytes = fixture(version);
        assert_eq!(bytes[..4], [b'M', b'W', b'F', version]);
        let frame = decode(&bytes).unwrap();
        assert_eq!(shown(&frame), shown(&expected.frame));
        assert_eq!(digest(&frame), expected.digest);
        assert_eq!(format!("{:?}", summaries(&bytes).unwrap()), format!("{:?}", summaries(&expected.bytes).unwrap()));
        assert_eq!(payload(&frame).unwrap(), expected.bytes);
    }
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let mut bytes = fixture(2);
    bytes[3] = 3;
    for error in [decode(&bytes).unwrap_err(), summaries(&bytes).unwrap_err()] {
        assert_eq!(error.to_string(), "the frame is damaged: format version 3 is not known");
    }
}
