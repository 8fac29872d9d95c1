//! A list of whole numbers whose least number and span are known, as bytes.
//!
//! - *packed*: each number less the least, with as many bits as the span needs;
//! - *steps*: the first number less the least (varint), then the differences in blocks of 256: the least difference (signed), the width (u8), and each
//!   difference less the least, packed;
//! - *runs*: how many runs (varint), the number of each run packed like above, the width of the lengths (u8), and each length less one, packed.

use super::super::FrameError;
use super::super::bytes::{Reader, damaged, put_signed, put_varint};
use super::pack::{packed_bytes, put_packed, read_packed, read_width, width_of};

/// Differences that share one least difference and one width.
const BLOCK: usize = 256;

/// What the bytes of one block of steps cost beside the packed differences, about.
const BLOCK_BYTES: usize = 4;

/// What numbers lie between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) least: i64,
    /// The greatest less the least.
    pub(super) span: u64,
}

impl Range {
    pub(super) fn of(words: &[i64]) -> Self {
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for word in words {
            least = least.min(*word);
            greatest = greatest.max(*word);
        }
        if words.is_empty() { Self { least: 0, span: 0 } } else { Self { least, span: offset(greatest, least) } }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        put_signed(out, self.least);
        put_varint(out, self.span);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FrameError> {
        Self::new(reader.signed()?, reader.varint()?)
    }

    pub(super) fn new(least: i64, span: u64) -> Result<Self, FrameError> {
        match least.checked_add_unsigned(span) {
            Some(_) => Ok(Self { least, span }),
            None => Err(damaged("a range ends beyond 64 bits")),
        }
    }

    pub(super) fn greatest(self) -> i64 {
        self.least.wrapping_add_unsigned(self.span)
    }
}

/// How the numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Method {
    Packed = 0,
    Steps = 1,
    Runs = 2,
}

impl Method {
    pub(super) fn new(number: u8) -> Result<Self, FrameError> {
        match number {
            0 => Ok(Self::Packed),
            1 => Ok(Self::Steps),
            2 => Ok(Self::Runs),
            other => Err(damaged(format!("{other} is no method of storing numbers"))),
        }
    }
}

/// Appends the numbers by the method that takes the fewest bytes.
pub(super) fn put_words(out: &mut Vec<u8>, words: &[i64], range: Range) -> Method {
    let width = width_of(range.span);
    let packed = packed_bytes(width, words.len());
    // Nothing beats a handful of bytes, and most columns of short frames are that small.
    if packed > BLOCK_BYTES {
        let (steps, runs) = sizes(words, width);
        if runs < packed && runs <= steps {
            put_runs(out, words, range.least, width);
            return Method::Runs;
        }
        if steps < packed {
            put_varint(out, offset(words.first().copied().unwrap_or(range.least), range.least));
            put_steps(out, words);
            return Method::Steps;
        }
    }
    put_packed(out, width, words.iter().map(|word| offset(*word, range.least)));
    Method::Packed
}

/// About how many bytes steps and runs would take.
fn sizes(words: &[i64], width: u32) -> (usize, usize) {
    let mut steps = 2;
    let mut runs = 1;
    for block in blocks(words) {
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for step in differences(block) {
            least = least.min(step);
            greatest = greatest.max(step);
            runs += usize::from(step != 0);
        }
        steps += BLOCK_BYTES + packed_bytes(width_of(offset(greatest, least)), block.len() - 1);
    }
    (steps, 3 + packed_bytes(width, runs) + packed_bytes(width_of(words.len() as u64 / runs as u64 + 1), runs))
}

/// Appends the differences between neighbours, block by block.
pub(super) fn put_steps(out: &mut Vec<u8>, words: &[i64]) {
    for block in blocks(words) {
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for step in differences(block) {
            least = least.min(step);
            greatest = greatest.max(step);
        }
        let width = width_of(offset(greatest, least));
        put_signed(out, least);
        out.push(width as u8);
        put_packed(out, width, differences(block).map(|step| offset(step, least)));
    }
}

/// The numbers in pieces that begin with the last number of the piece before.
fn blocks(words: &[i64]) -> impl Iterator<Item = &[i64]> {
    (0..words.len().saturating_sub(1))
        .step_by(BLOCK)
        .filter_map(|start| words.get(start..words.len().min(start + BLOCK + 1)))
}

/// Differences wrap around, so that every sequence of numbers comes back.
fn differences(words: &[i64]) -> impl Iterator<Item = i64> {
    words.array_windows().map(|[one, next]| next.wrapping_sub(*one))
}

fn put_runs(out: &mut Vec<u8>, words: &[i64], least: i64, width: u32) {
    let runs = || words.chunk_by(PartialEq::eq);
    put_varint(out, runs().count() as u64);
    put_packed(out, width, runs().filter_map(|run| run.first()).map(|word| offset(*word, least)));
    let longest = runs().map(<[i64]>::len).max().unwrap_or(1);
    let length_width = width_of(longest as u64 - 1);
    out.push(length_width as u8);
    put_packed(out, length_width, runs().map(|run| run.len() as u64 - 1));
}

/// How far a number lies above the least.
const fn offset(word: i64, least: i64) -> u64 {
    word.wrapping_sub(least).cast_unsigned()
}

/// Memory that one column after the other uses.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    offsets: Vec<u64>,
    words: Vec<i64>,
}

impl Scratch {
    /// Reads as many numbers as there are rows, and checks that they reach exactly from the least to the greatest.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        method: Method,
        rows: usize,
        range: Range,
    ) -> Result<&[i64], FrameError> {
        self.words.clear();
        match method {
            Method::Packed => {
                let offsets = places(&mut self.offsets, rows);
                read_offsets(reader, range, offsets)?;
                self.words.extend(offsets.iter().map(|offset| range.least.wrapping_add_unsigned(*offset)));
                return Ok(&self.words);
            }
            Method::Steps => {
                let first = range.least.wrapping_add_unsigned(reader.varint()?);
                self.read_steps(reader, rows, first)?;
            }
            Method::Runs => self.read_runs(reader, rows, range)?,
        }
        if Range::of(&self.words) != range {
            return Err(beyond());
        }
        Ok(&self.words)
    }

    /// [`read`](Self::read) that appends what is made of each number.
    #[inline]
    pub(super) fn read_as<T>(
        &mut self,
        reader: &mut Reader<'_>,
        (method, rows, range): (Method, usize, Range),
        made: impl Fn(i64) -> T,
        out: &mut Vec<T>,
    ) -> Result<(), FrameError> {
        if method == Method::Packed {
            // Most columns of short frames are packed: their numbers need no list of their own.
            let offsets = places(&mut self.offsets, rows);
            read_offsets(reader, range, offsets)?;
            out.extend(offsets.iter().map(|offset| made(range.least.wrapping_add_unsigned(*offset))));
        } else {
            out.extend(self.read(reader, method, rows, range)?.iter().map(|word| made(*word)));
        }
        Ok(())
    }

    /// Reads what [`put_steps`] wrote of moments, in a unit and from the first one on, and appends them. Answers whether they ascend.
    pub(super) fn read_times(
        &mut self,
        reader: &mut Reader<'_>,
        rows: usize,
        (first_ns, unit_ns): (i64, i64),
        times: &mut Vec<i64>,
    ) -> Result<bool, FrameError> {
        let (mut word, mut last, mut ascend) = (0_i64, first_ns, true);
        times.push(first_ns);
        let mut left = rows.saturating_sub(1);
        while left > 0 {
            let least = reader.signed()?;
            let width = read_width(reader)?;
            let offsets = places(&mut self.offsets, BLOCK.min(left));
            read_packed(reader, width, offsets)?;
            left -= offsets.len();
            times.extend(offsets.iter().map(|offset| {
                word = word.wrapping_add(least).wrapping_add_unsigned(*offset);
                let time = first_ns.wrapping_add(word.wrapping_mul(unit_ns));
                ascend &= last <= time;
                last = time;
                time
            }));
        }
        Ok(ascend)
    }

    fn read_steps(&mut self, reader: &mut Reader<'_>, rows: usize, first: i64) -> Result<(), FrameError> {
        let mut word = first;
        self.words.push(word);
        while self.words.len() < rows {
            let least = reader.signed()?;
            let width = read_width(reader)?;
            let offsets = places(&mut self.offsets, BLOCK.min(rows - self.words.len()));
            read_packed(reader, width, offsets)?;
            self.words.extend(offsets.iter().map(|offset| {
                word = word.wrapping_add(least).wrapping_add_unsigned(*offset);
                word
            }));
        }
        Ok(())
    }

    fn read_runs(&mut self, reader: &mut Reader<'_>, rows: usize, range: Range) -> Result<(), FrameError> {
        let runs = reader.count("the number of runs", rows)?;
        let offsets = places(&mut self.offsets, runs * 2);
        let (values, lengths) = offsets.split_at_mut(runs);
        read_packed(reader, width_of(range.span), values)?;
        let width = read_width(reader)?;
        read_packed(reader, width, lengths)?;
        for (value, length) in values.iter().zip(lengths) {
            let end =
                usize::try_from(*length).ok().and_then(|length| self.words.len().checked_add(length)?.checked_add(1));
            let end = end.filter(|end| *end <= rows).ok_or_else(|| damaged("runs cover more rows than there are"))?;
            self.words.resize(end, range.least.wrapping_add_unsigned(*value));
        }
        if self.words.len() == rows { Ok(()) } else { Err(damaged("runs do not cover all rows")) }
    }
}

/// Reads packed offsets from the least number on, and checks that they reach exactly to the greatest.
#[inline]
fn read_offsets(reader: &mut Reader<'_>, range: Range, offsets: &mut [u64]) -> Result<(), FrameError> {
    read_packed(reader, width_of(range.span), offsets)?;
    let (mut least, mut most) = (u64::MAX, 0);
    for offset in offsets {
        least = least.min(*offset);
        most = most.max(*offset);
    }
    // No offset is below 0, so that the ends are what is left to check.
    if least == 0 && most == range.span { Ok(()) } else { Err(beyond()) }
}

fn beyond() -> FrameError {
    damaged("numbers do not reach from their least to their greatest")
}

/// So many places, whatever they hold.
fn places(memory: &mut Vec<u64>, count: usize) -> &mut [u64] {
    if memory.len() < count {
        memory.resize(count, 0);
    }
    memory.get_mut(..count).unwrap_or_default()
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
