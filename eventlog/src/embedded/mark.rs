//! The durable mark: a lower bound of what the log once held, kept outside the segments.
//!
//! Two slots are written in turn, so that one of them is whole whatever happens. A log that turns out to be shorter than its mark has lost records
//! that were acknowledged: that is damage, and nothing may be cut off.

use std::sync::Arc;

use super::codec::seed;
use super::disk::{Access, DiskFile, Folder};
use super::fields::Fields;
use crate::checksum;
use crate::{LogId, Position};

/// The file's name.
pub(super) const NAME: &str = "durable.mark";

const SLOT_BYTES: usize = 32;
/// Slots are apart by a page, so that a torn page harms one of them only.
const SLOT_STRIDE: u64 = 4096;

/// What the mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Every position below was durable.
    pub(super) tail: Position,
    /// Whether the log was closed in order with this tail.
    pub(super) closed: bool,
}

/// The mark of a log that is open for writing.
pub(super) struct MarkFile {
    file: Arc<dyn DiskFile>,
    log: LogId,
    writes: u64,
}

impl MarkFile {
    /// Opens or creates the mark.
    pub(super) fn open(folder: &Folder, log: LogId) -> std::io::Result<Self> {
        let file = folder.open(NAME, Access::Create)?;
        let writes = newest(file.as_ref(), log)?.map(|(writes, _)| writes);
        if writes.is_none() {
            file.set_len(SLOT_STRIDE * 2)?;
            file.sync_all()?;
            folder.sync()?;
        }
        Ok(Self { file, log, writes: writes.unwrap_or(0) })
    }

    /// Writes the mark durably.
    pub(super) fn write(&mut self, mark: Mark) -> std::io::Result<()> {
        self.writes += 1;
        self.file.write_all_at(&slot(self.log, self.writes, mark), self.writes % 2 * SLOT_STRIDE)?;
        self.file.sync_data()
    }
}

fn slot(log: LogId, writes: u64, mark: Mark) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend(writes.to_le_bytes());
    slot.extend(mark.tail.get().to_le_bytes());
    slot.extend(u64::from(mark.closed).to_le_bytes());
    slot.extend(checksum::crc32c_append(seed(log, u64::MAX), &slot).to_le_bytes());
    slot.resize(SLOT_BYTES, 0);
    slot
}

/// A whole file with this mark.
pub(super) fn bytes(log: LogId, mark: Mark) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(SLOT_STRIDE).unwrap_or(0)];
    bytes.extend(slot(log, 1, mark));
    bytes.resize(usize::try_from(SLOT_STRIDE * 2).unwrap_or(0), 0);
    bytes
}

/// Reads the mark of a log, without opening it for writing.
pub(super) fn read(folder: &Folder, log: LogId) -> std::io::Result<Option<Mark>> {
    match folder.open(NAME, Access::Read) {
        Ok(file) => Ok(newest(file.as_ref(), log)?.map(|(_, mark)| mark)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn newest(file: &dyn DiskFile, log: LogId) -> std::io::Result<Option<(u64, Mark)>> {
    let mut newest: Option<(u64, Mark)> = None;
    for slot in 0..2 {
        let mut bytes = [0; SLOT_BYTES];
        if file.read_up_to(&mut bytes, slot * SLOT_STRIDE)? < SLOT_BYTES {
            continue;
        }
        let read = || {
            let (content, checksum) = bytes.split_at_checked(24)?;
            let fits = Fields::new(checksum).u32()? == checksum::crc32c_append(seed(log, u64::MAX), content);
            let mut fields = Fields::new(content);
            let (writes, tail, closed) = (fields.u64()?, fields.u64()?, fields.u64()?);
            // No log writes its mark so often: another number could not follow.
            let fits = fits && writes < u64::MAX;
            fits.then_some((writes, Mark { tail: Position::new(tail), closed: closed == 1 }))
        };
        if let Some(found) = read()
            && newest.is_none_or(|(writes, _)| found.0 > writes)
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}
