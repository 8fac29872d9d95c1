//! What is sealed: the records of a segment as it was appended, or of one that was sealed before.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::SealError;
use super::read::SealedFile;
use crate::embedded::codec::Stored;
use crate::embedded::disk::DiskFile;
use crate::embedded::error::OpenError;
use crate::embedded::names::Names;
use crate::embedded::recovery::walk_records;
use crate::embedded::segment::Header;
use crate::{PayloadState, Position};

/// A segment to be written anew, without the payloads of these positions.
pub(in crate::embedded) struct Source<'a> {
    pub(in crate::embedded) header: &'a Header,
    pub(in crate::embedded) file: &'a Arc<dyn DiskFile>,
    pub(in crate::embedded) sealed: Option<&'a Arc<SealedFile>>,
    /// Ascending, apart from each other.
    pub(in crate::embedded) without: &'a [RangeInclusive<Position>],
}

/// Told how many bytes were read or written; it waits when that was too fast, and ends the work when the log closes.
pub(in crate::embedded) type Pace<'a> = &'a mut dyn FnMut(u64) -> Result<(), SealError>;

impl Source<'_> {
    /// Visits every record in order.
    pub(super) fn each(
        &self,
        pace: Pace<'_>,
        mut visit: impl FnMut(u32, Stored) -> Result<(), SealError>,
    ) -> Result<(), SealError> {
        let mut row = 0_u32;
        let mut next = |mut stored: Stored| {
            pace(stored.record.payload.len() as u64 + 256)?;
            if contains(self.without, stored.record.position) {
                stored.record.payload_state = PayloadState::Dropped;
                stored.record.payload = Bytes::new();
            }
            visit(row, stored)?;
            row += 1;
            Ok(())
        };
        if let Some(sealed) = self.sealed {
            return match sealed.facts.rows.checked_sub(1) {
                Some(last) => sealed.stored(0..=last, &mut Names::keeping(), next),
                None => Ok(()),
            };
        }
        let mut problem = None;
        let walked = walk_records(self.file.as_ref(), self.header, |stored, _| {
            let position = stored.record.position;
            next(stored).map_err(|error| {
                problem = Some(error);
                OpenError::corrupt(position, "", "")
            })
        });
        match problem {
            Some(problem) => Err(problem),
            None => Ok(walked.map(|_| ())?),
        }
    }
}

/// Whether one of the ranges holds the position.
pub(in crate::embedded) fn contains(ranges: &[RangeInclusive<Position>], position: Position) -> bool {
    let after = ranges.partition_point(|range| *range.start() <= position);
    after.checked_sub(1).and_then(|index| ranges.get(index)).is_some_and(|range| range.contains(&position))
}
