//! How version 1 was written. Only tests need it: what it wrote is read for ever.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::bytes::{put_bits, put_signed, put_varint};
use super::super::{Column, Frame, StatusCode, Values, bounds};
use super::values::{FLOAT_DECIMAL, FLOAT_PLAIN, FLOAT_XOR, POWERS};

/// Beyond this a double does not hold every whole number.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The frame in version 1.
pub(in crate::frames) fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = b"MWF\x01".to_vec();
    put_varint(&mut bytes, frame.columns().len() as u64);
    frame.columns().for_each(|column| put_column(&mut bytes, column));
    bytes
}

fn put_column(out: &mut Vec<u8>, column: Column<'_>) {
    let mut body = Vec::with_capacity(column.times_ns.len() * 4);
    put_times(&mut body, column.times_ns);
    let rows = 0..column.times_ns.len();
    put_sequences(&mut body, &rows.clone().map(|row| column.sequences.get(row)).collect::<Vec<_>>());
    put_values(&mut body, column.values);
    put_statuses(&mut body, &rows.filter_map(|row| column.statuses.get(row)).collect::<Vec<_>>());
    let start = out.len();
    put_varint(out, column.signal.len() as u64);
    out.extend(column.signal.as_bytes());
    out.push(column.values.kind());
    put_varint(out, column.times_ns.len() as u64);
    let ends = [column.times_ns.first(), column.times_ns.last()];
    ends.into_iter().for_each(|time| out.extend(time.copied().unwrap_or(0).to_le_bytes()));
    bounds::of(column.values).into_iter().for_each(|bound| out.extend(bound.to_le_bytes()));
    put_varint(out, body.len() as u64);
    let header = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend(crc32c::crc32c_append(header, &body).to_le_bytes());
    out.append(&mut body);
}

fn put_times(out: &mut Vec<u8>, times: &[i64]) {
    let (mut previous, mut step) = (0_i64, 0_i64);
    for time in times {
        let delta = time.wrapping_sub(previous);
        put_signed(out, delta.wrapping_sub(step));
        (previous, step) = (*time, delta);
    }
}

fn put_sequences(out: &mut Vec<u8>, sequences: &[Option<u64>]) {
    let present = sequences.iter().flatten().count();
    match present {
        0 => out.push(0),
        all if all == sequences.len() => out.push(1),
        _ => {
            out.push(2);
            put_bits(out, sequences.iter().map(Option::is_some));
        }
    }
    put_deltas(out, sequences.iter().flatten().map(|sequence| sequence.cast_signed()));
}

fn put_statuses(out: &mut Vec<u8>, statuses: &[StatusCode]) {
    for run in statuses.chunk_by(PartialEq::eq) {
        put_varint(out, run.len() as u64);
        out.extend(run.first().map_or(0, |status| status.get()).to_le_bytes());
    }
}

fn put_values(out: &mut Vec<u8>, values: Values<'_>) {
    match values {
        Values::Boolean(values) => put_bits(out, values.iter().copied()),
        Values::Integer(values) => put_deltas(out, values.iter().copied()),
        Values::Float(values) => put_floats(out, values),
        Values::Text(values) => put_texts(out, values),
    }
}

/// Differences wrap around, so that every sequence of numbers comes back.
fn put_deltas(out: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let mut previous = 0_i64;
    for value in values {
        put_signed(out, value.wrapping_sub(previous));
        previous = value;
    }
}

fn put_floats(out: &mut Vec<u8>, values: &[f64]) {
    if let Some((power, whole)) = decimal(values) {
        out.push(FLOAT_DECIMAL);
        out.push(power);
        put_deltas(out, whole.into_iter());
        return;
    }
    let start = out.len();
    out.push(FLOAT_XOR);
    let mut previous = 0_u64;
    for value in values {
        let bits = value.to_bits();
        let xor = bits ^ previous;
        previous = bits;
        if xor == 0 {
            out.push(0);
            continue;
        }
        let tail = xor.trailing_zeros() / 8;
        let kept = 8 - xor.leading_zeros() / 8 - tail;
        out.push((tail << 4 | kept) as u8);
        out.extend((xor >> (tail * 8)).to_le_bytes().iter().take(kept as usize));
    }
    if out.len() - start > 1 + values.len() * 8 {
        out.truncate(start);
        out.push(FLOAT_PLAIN);
        for value in values {
            out.extend(value.to_bits().to_le_bytes());
        }
    }
}

/// The values as whole multiples of the largest power of a tenth that restores every bit.
fn decimal(values: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut whole = Vec::with_capacity(values.len());
    'powers: for (power, scale) in POWERS.iter().enumerate() {
        whole.clear();
        for value in values {
            let scaled = (value * scale).round();
            if scaled.is_nan() || scaled.abs() > MAX_WHOLE || (scaled / scale).to_bits() != value.to_bits() {
                continue 'powers;
            }
            #[expect(clippy::cast_possible_truncation, reason = "the magnitude was checked on the line above")]
            whole.push(scaled as i64);
        }
        // A negative zero does not survive the way through a whole number.
        if values.iter().any(|value| *value == 0.0 && value.is_sign_negative()) {
            return None;
        }
        return Some((u8::try_from(power).ok()?, whole));
    }
    None
}

fn put_texts(out: &mut Vec<u8>, values: &[Arc<str>]) {
    let mut dictionary: HashMap<&str, u64> = HashMap::new();
    let mut order = Vec::new();
    let mut rows = Vec::with_capacity(values.len());
    for value in values {
        let next = order.len() as u64;
        let index = *dictionary.entry(value).or_insert_with(|| {
            order.push(value);
            next
        });
        rows.push(index);
    }
    put_varint(out, order.len() as u64);
    for text in order {
        put_varint(out, text.len() as u64);
        out.extend(text.as_bytes());
    }
    rows.into_iter().for_each(|index| put_varint(out, index));
}
