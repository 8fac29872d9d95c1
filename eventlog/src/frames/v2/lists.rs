//! What columns of one frame share: the moments at which they were sampled, and the sources' counts. Each list is stored once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::super::bytes::{Reader, bits, damaged, put_bits, put_signed, put_varint};
use super::super::fingerprint::Fingerprint;
use super::super::{Builder, FrameError, MAX_FRAME_READINGS, Sequences};
use super::words::{Method, Range, Scratch, put_steps, put_words};

/// Sources that have coarser clocks than nanoseconds: their steps are whole multiples of one of these.
const UNITS_NS: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// Finds lists again by a few of their numbers.
#[derive(Default)]
pub(super) struct Known(HashMap<u64, usize, BuildHasherDefault<Fingerprint>>);

impl Known {
    /// The list that was noted with these numbers, which may be another one; `next` is noted when there is none.
    pub(super) fn find_or_note(&mut self, numbers: [u64; 4], next: usize) -> Option<usize> {
        let mut fingerprint = Fingerprint::default();
        numbers.into_iter().for_each(|number| fingerprint.write_u64(number));
        match self.0.entry(fingerprint.finish()) {
            std::collections::hash_map::Entry::Occupied(found) => Some(*found.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(next);
                None
            }
        }
    }
}

/// The moments of some columns, not decoded yet.
pub(super) struct Axis<'a> {
    pub(super) rows: usize,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    unit_ns: i64,
    bytes: usize,
    body: &'a [u8],
    /// Where its moments stand in the list of all.
    decoded: Option<(usize, usize)>,
}

/// Appends the header of an axis to the directory and its steps to the body. `previous_ns` is the first moment of the axis before.
pub(super) fn put_axis(
    directory: &mut Vec<u8>,
    body: &mut Vec<u8>,
    times: &[i64],
    previous_ns: i64,
    words: &mut Vec<i64>,
) {
    let first = times.first().copied().unwrap_or(0);
    let last = times.last().copied().unwrap_or(first);
    let start = body.len();
    let unit = unit(times);
    let unit_ns = UNITS_NS.get(unit).copied().unwrap_or(1);
    words.clear();
    // The whole span is divided, not each moment since 1970: an axis need not begin at a multiple of its unit.
    words.extend(
        times
            .iter()
            .map(|time| time.wrapping_sub(first).cast_unsigned() / unit_ns.cast_unsigned())
            .map(u64::cast_signed),
    );
    put_steps(body, words);
    put_varint(directory, times.len() as u64);
    put_signed(directory, first.wrapping_sub(previous_ns));
    put_varint(directory, last.wrapping_sub(first).cast_unsigned());
    put_varint(directory, ((body.len() - start) << 2 | unit) as u64);
}

/// The number of the coarsest unit that every step is a multiple of.
fn unit(times: &[i64]) -> usize {
    let first = times.first().copied().unwrap_or(0);
    let mut unit = UNITS_NS.len() - 1;
    for time in times {
        let since = time.wrapping_sub(first).cast_unsigned();
        // Constants, so that the remainder is a multiplication.
        loop {
            let rest = match unit {
                3 => since % 1_000_000_000,
                2 => since % 1_000_000,
                1 => since % 1_000,
                _ => 0,
            };
            if rest == 0 {
                break;
            }
            unit -= 1;
        }
    }
    unit
}

impl<'a> Axis<'a> {
    pub(super) fn read(directory: &mut Reader<'_>, previous_ns: i64) -> Result<Self, FrameError> {
        let rows = directory.count("the number of rows", MAX_FRAME_READINGS)?;
        if rows == 0 {
            return Err(damaged("a column has no rows"));
        }
        let first_ns = previous_ns.wrapping_add(directory.signed()?);
        let span = directory.varint()?;
        let last_ns = first_ns.checked_add_unsigned(span).ok_or_else(|| damaged("a time is out of range"))?;
        let packed = directory.varint()?;
        let unit_ns = UNITS_NS.get((packed & 3) as usize).copied().unwrap_or(1);
        let bytes = usize::try_from(packed >> 2).map_err(|_| damaged("a list is too large"))?;
        Ok(Self { rows, first_ns, last_ns, unit_ns, bytes, body: &[], decoded: None })
    }

    pub(super) fn take_body(&mut self, body: &mut Reader<'a>) -> Result<(), FrameError> {
        self.body = body.take(self.bytes)?;
        Ok(())
    }

    /// Where the moments, which ascend, stand in the list; they are appended where they are not there yet.
    pub(super) fn times(
        &mut self,
        scratch: &mut Scratch,
        list: &mut Vec<i64>,
    ) -> Result<std::ops::Range<usize>, FrameError> {
        if let Some((start, end)) = self.decoded {
            return Ok(start..end);
        }
        let mut reader = Reader::new(self.body);
        let start = list.len();
        let ascend = scratch.read_times(&mut reader, self.rows, (self.first_ns, self.unit_ns), list)?;
        if !reader.is_empty() {
            return Err(damaged("a list has bytes that belong to nothing"));
        }
        if !ascend {
            return Err(damaged("the rows of a column are not in order"));
        }
        if list.last() != Some(&self.last_ns) {
            return Err(damaged("the times of a column are not within its bounds"));
        }
        self.decoded = Some((start, list.len()));
        Ok(start..list.len())
    }
}

/// The counts of some columns, not decoded yet.
pub(super) struct Counts<'a> {
    pub(super) rows: usize,
    partial: bool,
    bytes: usize,
    body: &'a [u8],
    /// Its number in the frame.
    decoded: Option<u32>,
}

/// Appends the header of a list of counts to the directory and the counts to the body.
pub(super) fn put_counts(
    directory: &mut Vec<u8>,
    body: &mut Vec<u8>,
    sequences: &Sequences,
    rows: usize,
    words: &mut Vec<i64>,
) {
    let start = body.len();
    let partial = sequences.as_all().is_none();
    if partial {
        put_bits(body, (0..rows).map(|row| sequences.get(row).is_some()));
    }
    words.clear();
    words.extend((0..rows).filter_map(|row| sequences.get(row)).map(u64::cast_signed));
    let range = Range::of(words);
    range.put(body);
    let method = body.len();
    body.push(0);
    let chosen = put_words(body, words, range) as u8;
    if let Some(method) = body.get_mut(method) {
        *method = chosen;
    }
    put_varint(directory, rows as u64);
    put_varint(directory, ((body.len() - start) << 1) as u64 | u64::from(partial));
}

impl<'a> Counts<'a> {
    pub(super) fn read(directory: &mut Reader<'_>) -> Result<Self, FrameError> {
        let rows = directory.count("the number of rows", MAX_FRAME_READINGS)?;
        let packed = directory.varint()?;
        let bytes = usize::try_from(packed >> 1).map_err(|_| damaged("a list is too large"))?;
        Ok(Self { rows, partial: packed & 1 == 1, bytes, body: &[], decoded: None })
    }

    pub(super) fn take_body(&mut self, body: &mut Reader<'a>) -> Result<(), FrameError> {
        self.body = body.take(self.bytes)?;
        Ok(())
    }

    /// The number of these counts in the frame; they are added where they are not there yet.
    pub(super) fn number(&mut self, scratch: &mut Scratch, builder: &mut Builder) -> Result<u32, FrameError> {
        if let Some(number) = self.decoded {
            return Ok(number);
        }
        let mut reader = Reader::new(self.body);
        let has = if self.partial { bits(&mut reader, self.rows)? } else { Vec::new() };
        let present = if self.partial { has.iter().filter(|has| **has).count() } else { self.rows };
        if present == 0 || (self.partial && present == self.rows) {
            return Err(damaged("a list of sequences is not stored as it should be"));
        }
        let range = Range::read(&mut reader)?;
        let method = Method::new(reader.u8()?)?;
        let words = scratch.read(&mut reader, method, present, range)?;
        if !reader.is_empty() {
            return Err(damaged("a list has bytes that belong to nothing"));
        }
        let mut counts = words.iter().map(|word| word.cast_unsigned());
        let sequences = if self.partial {
            has.into_iter().map(|has| if has { counts.next() } else { None }).collect::<Vec<_>>().into()
        } else {
            Sequences::all(counts.collect::<Arc<[u64]>>())
        };
        let number = builder.add_sequences(sequences);
        self.decoded = Some(number);
        Ok(number)
    }
}
