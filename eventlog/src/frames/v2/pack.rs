//! Small numbers side by side, each with the same number of bits, lowest bit first.

use super::super::FrameError;
use super::super::bytes::{Reader, damaged};

/// The most bits of a number that begins anywhere in a byte and is still read with one load of eight bytes. A wider one takes 64.
const MAX_NARROW: u32 = 56;

/// Numbers that are unpacked at once: as many as fill whole bytes at any width.
const GROUP: usize = 8;

/// From so many numbers on it pays to choose the code for their width: fewer are done before the processor has found its way there.
const MANY: usize = 32;

/// How many bits numbers up to this one are stored with: 0 to 56, or 64.
pub(super) const fn width_of(greatest: u64) -> u32 {
    let width = u64::BITS - greatest.leading_zeros();
    if width > MAX_NARROW { u64::BITS } else { width }
}

/// How many bytes so many numbers take.
pub(super) const fn packed_bytes(width: u32, count: usize) -> usize {
    (width as usize * count).div_ceil(8)
}

/// Appends numbers that have no more than `width` bits.
pub(super) fn put_packed(out: &mut Vec<u8>, width: u32, numbers: impl Iterator<Item = u64>) {
    if width == 0 {
        return;
    }
    let (mut pending, mut used) = (0_u64, 0_u32);
    for number in numbers {
        pending |= number << used;
        used += width;
        if used >= u64::BITS {
            out.extend_from_slice(&pending.to_le_bytes());
            used -= u64::BITS;
            pending = if used == 0 { 0 } else { number >> (width - used) };
        }
    }
    out.extend(pending.to_le_bytes().iter().take(used.div_ceil(8) as usize));
}

/// Reads a width that [`width_of`] may give.
pub(super) fn read_width(reader: &mut Reader<'_>) -> Result<u32, FrameError> {
    match u32::from(reader.u8()?) {
        width if width <= MAX_NARROW || width == u64::BITS => Ok(width),
        width => Err(damaged(format!("numbers of {width} bits are not stored"))),
    }
}

/// Reads as many numbers as there are places.
#[inline]
pub(super) fn read_packed(reader: &mut Reader<'_>, width: u32, places: &mut [u64]) -> Result<(), FrameError> {
    // The loads of the last numbers may reach beyond them: into what follows, whose bits are masked away.
    let bytes = reader.rest();
    let _ = reader.take(packed_bytes(width, places.len()))?;
    unpack(bytes, width, places);
    Ok(())
}

fn unpack(bytes: &[u8], width: u32, places: &mut [u64]) {
    match width {
        0 => places.fill(0),
        u64::BITS => {
            let (words, _) = bytes.as_chunks::<8>();
            for (place, word) in places.iter_mut().zip(words) {
                *place = u64::from_le_bytes(*word);
            }
        }
        _ if places.len() >= MANY => unpack_groups(bytes, width, places),
        _ => unpack_slowly(bytes, width, places),
    }
}

/// One number after the other, whatever the width.
fn unpack_slowly(bytes: &[u8], width: u32, places: &mut [u64]) {
    let mask = (1_u64 << width) - 1;
    let last = last_bytes(bytes);
    let mut bit = 0_usize;
    for place in places {
        let rest = bytes.get(bit / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            // Fewer than eight bytes are left: they are the highest of the last ones. A short column is nothing but these.
            None => last.checked_shr(u64::BITS - 8 * rest.len() as u32).unwrap_or(0),
        };
        *place = word >> (bit % 8) & mask;
        bit += width as usize;
    }
}

/// The last eight bytes as one number; where there are fewer, they are its highest ones.
fn last_bytes(bytes: &[u8]) -> u64 {
    match bytes.last_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => bytes.iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56),
    }
}

/// Eight numbers at a time, with shifts that the compiler knows.
fn unpack_groups(bytes: &[u8], width: u32, places: &mut [u64]) {
    macro_rules! by_width {
        ($($known:literal)*) => {
            match width {
                $($known => groups::<$known>(bytes, places),)*
                _ => 0,
            }
        };
    }
    let done = by_width!(
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
        31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56
    );
    let (_, places) = places.split_at_mut(done * GROUP);
    unpack_slowly(bytes.get(done * width as usize..).unwrap_or_default(), width, places);
}

/// Unpacks whole groups as long as loads of eight bytes stay within the bytes; answers how many.
fn groups<const WIDTH: usize>(bytes: &[u8], places: &mut [u64]) -> usize {
    let mask = (1_u64 << WIDTH) - 1;
    let (groups, _) = places.as_chunks_mut::<GROUP>();
    for (done, group) in groups.iter_mut().enumerate() {
        let Some(bytes) = bytes.get(done * WIDTH..done * WIDTH + WIDTH + 8) else {
            return done;
        };
        for (number, place) in group.iter_mut().enumerate() {
            let bit = number * WIDTH;
            let word = bytes.get(bit / 8..bit / 8 + 8).and_then(|word| word.first_chunk()).copied().unwrap_or_default();
            *place = u64::from_le_bytes(word) >> (bit % 8) & mask;
        }
    }
    groups.len()
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
