//! The range of event times of a segment: what lets a read by event time pass over the segment.

use jiff::Timestamp;

use super::codec::timestamp;
use super::fields::Fields;
use crate::TimeSpan;
use crate::checksum;
use crate::record::nanoseconds;

/// The bytes of a range in an index file.
pub(super) const BYTES: usize = 20;

/// The least and the greatest event time, in nanoseconds since 1970; the least is the greater one while no record has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    least_ns: i64,
    greatest_ns: i64,
}

impl Default for Happened {
    fn default() -> Self {
        Self { least_ns: i64::MAX, greatest_ns: i64::MIN }
    }
}

impl Happened {
    pub(super) fn push(&mut self, event_time: Option<Timestamp>) {
        if let Some(time_ns) = event_time.map(nanoseconds) {
            self.least_ns = self.least_ns.min(time_ns);
            self.greatest_ns = self.greatest_ns.max(time_ns);
        }
    }

    /// Whether a record of the range may have happened within the span.
    pub(super) fn meets(&self, span: TimeSpan) -> bool {
        let bounds = (timestamp(self.least_ns), timestamp(self.greatest_ns));
        self.least_ns <= self.greatest_ns
            && matches!(bounds, (Some(least), Some(greatest)) if span.meets(least, greatest))
    }

    pub(super) fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let times = self.least_ns.to_le_bytes().into_iter().chain(self.greatest_ns.to_le_bytes());
        bytes.iter_mut().zip(times).for_each(|(to, from)| *to = from);
        let checksum = bytes.split_last_chunk::<4>().map_or(0, |(times, _)| checksum::crc32c(times));
        if let Some((_, at)) = bytes.split_last_chunk_mut::<4>() {
            *at = checksum.to_le_bytes();
        }
        bytes
    }

    /// Reads a range. `None` when it does not validate, as in index files that were written before there were ranges: they have zeros here.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let range = Self { least_ns: fields.i64()?, greatest_ns: fields.i64()? };
        (fields.u32()? == checksum::crc32c(bytes.get(..BYTES - 4)?)).then_some(range)
    }
}
