//! The values of one column as bytes.

use std::sync::Arc;

use super::super::bytes::{Reader, bits, damaged};
use super::super::{FrameError, Lists, MAX_FRAME_READINGS, MAX_TEXT_BYTES};

/// Every double as its eight bytes.
pub(super) const FLOAT_PLAIN: u8 = 0;
/// The bits of each double XOR the one before, without the zero bytes at both ends.
pub(super) const FLOAT_XOR: u8 = 1;
/// Whole multiples of a power of ten, each as the difference from the one before.
pub(super) const FLOAT_DECIMAL: u8 = 2;

/// The powers of ten that decimal columns are multiples of a tenth of.
pub(super) const POWERS: [f64; 7] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];

/// Appends the values to the list of their kind.
pub(super) fn read(reader: &mut Reader<'_>, kind: u8, rows: usize, lists: &mut Lists) -> Result<(), FrameError> {
    match kind {
        0 => lists.booleans.append(&mut bits(reader, rows)?),
        1 => lists.integers.append(&mut deltas(reader, rows)?),
        2 => lists.floats.append(&mut floats(reader, rows)?),
        3 => lists.texts.append(&mut texts(reader, rows)?),
        other => return Err(damaged(format!("{other} is no kind of value"))),
    }
    Ok(())
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
