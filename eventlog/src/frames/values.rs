//! The values of one column as bytes.

use std::collections::HashMap;
use std::sync::Arc;

use super::bytes::{Reader, bits, damaged, put_bits, put_signed, put_varint};
use super::{FrameError, MAX_FRAME_READINGS, MAX_TEXT_BYTES, Values};

/// Every double as its eight bytes.
const FLOAT_PLAIN: u8 = 0;
/// The bits of each double XOR the one before, without the zero bytes at both ends.
const FLOAT_XOR: u8 = 1;
/// Whole multiples of a power of ten, each as the difference from the one before.
const FLOAT_DECIMAL: u8 = 2;

/// The powers of ten that decimal columns are tried with.
const POWERS: [f64; 7] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];

/// Beyond this a double does not hold every whole number.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

impl Values {
    /// The number of the kind in frames and digests: 0 boolean, 1 integer, 2 float, 3 text.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) => 1,
            Self::Float(_) => 2,
            Self::Text(_) => 3,
        }
    }

    /// The bits of the smallest and the largest value: integers as they are, doubles without NaN (NaN when there is nothing else), booleans as 0 and 1,
    /// texts as zeros.
    pub(super) fn bounds(&self) -> [u64; 2] {
        match self {
            Self::Boolean(values) => {
                [values.iter().all(|value| *value), values.iter().any(|value| *value)].map(u64::from)
            }
            Self::Integer(values) => {
                let least = values.iter().copied().min().unwrap_or(0);
                let greatest = values.iter().copied().max().unwrap_or(0);
                [least, greatest].map(i64::cast_unsigned)
            }
            Self::Float(values) => {
                let numbers = || values.iter().copied().filter(|value| !value.is_nan());
                let least = numbers().min_by(f64::total_cmp).unwrap_or(f64::NAN);
                let greatest = numbers().max_by(f64::total_cmp).unwrap_or(f64::NAN);
                [least, greatest].map(f64::to_bits)
            }
            Self::Text(_) => [0, 0],
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(values) => put_bits(out, values.iter().copied()),
            Self::Integer(values) => put_deltas(out, values.iter().copied()),
            Self::Float(values) => put_floats(out, values),
            Self::Text(values) => put_texts(out, values),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, kind: u8, rows: usize) -> Result<Self, FrameError> {
        match kind {
            0 => bits(reader, rows).map(Self::Boolean),
            1 => deltas(reader, rows).map(Self::Integer),
            2 => floats(reader, rows).map(Self::Float),
            3 => texts(reader, rows).map(Self::Text),
            other => Err(damaged(format!("{other} is no kind of value"))),
        }
    }
}

/// Differences wrap around, so that every sequence of numbers comes back.
pub(super) fn put_deltas(out: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let mut previous = 0_i64;
    for value in values {
        put_signed(out, value.wrapping_sub(previous));
        previous = value;
    }
}

pub(super) fn deltas(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<i64>, FrameError> {
    let mut previous = 0_i64;
    let mut values = Vec::with_capacity(rows.min(MAX_FRAME_READINGS));
    for _ in 0..rows {
        previous = previous.wrapping_add(reader.signed()?);
        values.push(previous);
    }
    Ok(values)
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

fn floats(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<f64>, FrameError> {
    let mut values = Vec::with_capacity(rows.min(MAX_FRAME_READINGS));
    match reader.u8()? {
        FLOAT_PLAIN => {
            for _ in 0..rows {
                values.push(f64::from_bits(reader.u64()?));
            }
        }
        FLOAT_XOR => {
            let mut previous = 0_u64;
            for _ in 0..rows {
                let control = reader.u8()?;
                let (tail, kept) = (u32::from(control >> 4), usize::from(control & 15));
                if tail as usize + kept > 8 || (kept == 0 && tail != 0) {
                    return Err(damaged("a double has more than eight bytes"));
                }
                let mut bytes = [0_u8; 8];
                for (to, from) in bytes.iter_mut().zip(reader.take(kept)?) {
                    *to = *from;
                }
                // The tail is at most 7 where anything was kept, and the value is zero otherwise.
                previous ^= u64::from_le_bytes(bytes).wrapping_shl(tail * 8);
                values.push(f64::from_bits(previous));
            }
        }
        FLOAT_DECIMAL => {
            let power = reader.u8()?;
            let scale = *POWERS.get(usize::from(power)).ok_or_else(|| damaged("the power of ten is too large"))?;
            #[expect(clippy::cast_precision_loss, reason = "the encoder only takes numbers that a double holds")]
            values.extend(deltas(reader, rows)?.into_iter().map(|whole| whole as f64 / scale));
        }
        other => return Err(damaged(format!("{other} is no coding of doubles"))),
    }
    Ok(values)
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

fn texts(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<Arc<str>>, FrameError> {
    let count = reader.count("the number of different texts", rows)?;
    let mut dictionary: Vec<Arc<str>> = Vec::with_capacity(count.min(MAX_FRAME_READINGS));
    for _ in 0..count {
        let bytes = reader.count("the length of a text", MAX_TEXT_BYTES)?;
        let text = std::str::from_utf8(reader.take(bytes)?).map_err(|_| damaged("a text is not UTF-8"))?;
        dictionary.push(text.into());
    }
    let mut values = Vec::with_capacity(rows.min(MAX_FRAME_READINGS));
    for _ in 0..rows {
        let index = reader.count("the index of a text", rows)?;
        values.push(dictionary.get(index).cloned().ok_or_else(|| damaged("a text is not in the dictionary"))?);
    }
    Ok(values)
}
