//! Segment files: names, header, preallocation, and the walk over their batches.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::codec::{BATCH_ALIGNMENT, BATCH_HEADER, BATCH_MAGIC, BatchHeader, batch_checksum, padding, seed, timestamp};
use super::disk::{Access, DiskFile, Folder};
use super::error::OpenError;
use super::fields::{Fields, put_at};
use crate::checksum;
use crate::record::{RECORD_FORMAT_VERSION, nanoseconds};
use crate::tree::Tree;
use crate::{Digest, LogId, Position};

/// The bytes before the first batch.
pub(super) const HEADER_BYTES: u64 = 4096;

const MAGIC: [u8; 8] = *b"MWSEGMNT";
const FORMAT_VERSION: u16 = 1;
const AT_CHECKSUM: usize = 4092;
const SUFFIX: &str = "segment";

/// What a segment's header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) log: LogId,
    pub(super) number: u64,
    /// The position of the first record in this segment.
    pub(super) base: Position,
    /// The time of the last record before this segment.
    pub(super) last_record_time: Timestamp,
    /// The tree over all records before this segment.
    pub(super) tree: Tree,
}

impl Header {
    pub(super) fn seed(&self) -> u32 {
        seed(self.log, self.number)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_as(MAGIC, AT_CHECKSUM, &[])
    }

    /// The header of another kind of segment file, with what that says more at a place that is free here.
    pub(super) fn to_bytes_as(&self, magic: [u8; 8], at: usize, more: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; AT_CHECKSUM];
        put_at(&mut bytes, 0, &magic);
        put_at(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put_at(&mut bytes, 10, &RECORD_FORMAT_VERSION.to_le_bytes());
        put_at(&mut bytes, 16, self.log.as_uuid().as_bytes());
        put_at(&mut bytes, 32, &self.number.to_le_bytes());
        put_at(&mut bytes, 40, &self.base.get().to_le_bytes());
        put_at(&mut bytes, 48, &nanoseconds(self.last_record_time).to_le_bytes());
        put_at(&mut bytes, 56, &(self.tree.edge().len() as u64).to_le_bytes());
        for (index, digest) in self.tree.edge().iter().enumerate() {
            put_at(&mut bytes, 64 + index * 32, digest.as_bytes());
        }
        put_at(&mut bytes, at, more);
        bytes.extend(checksum::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8], file: &str) -> Result<Self, OpenError> {
        Self::read_as(bytes, file, MAGIC)
    }

    /// Reads what every kind of segment file says.
    pub(super) fn read_as(bytes: &[u8], file: &str, magic: [u8; 8]) -> Result<Self, OpenError> {
        let damaged = |reason: &str| OpenError::corrupt(Position::START, file, format!("segment header: {reason}"));
        let (content, checksum) = bytes.split_at_checked(AT_CHECKSUM).ok_or_else(|| damaged("it is cut off"))?;
        let mut fields = Fields::new(content);
        if fields.array() != Some(magic) {
            return Err(damaged("the file does not begin like a segment"));
        }
        if Some(checksum::crc32c(content)) != Fields::new(checksum).u32() {
            return Err(damaged("its checksum does not fit"));
        }
        let mut read = || {
            let (version, records, reserved) = (fields.u16()?, fields.u16()?, fields.u32()?);
            let log = LogId::new(Uuid::from_bytes(fields.array()?));
            let (number, base) = (fields.u64()?, Position::new(fields.u64()?));
            let time = fields.i64()?;
            let edge = fields.u64()?.min(64);
            let mut digests = Vec::new();
            for _ in 0..edge {
                digests.push(Digest::new(fields.array()?));
            }
            Some((version, (records, reserved), log, number, base, time, digests))
        };
        let (version, rest, log, number, base, time, digests) = read().ok_or_else(|| damaged("it is cut off"))?;
        if version != FORMAT_VERSION {
            return Err(OpenError::Version { file: file.to_owned(), version });
        }
        if rest != (RECORD_FORMAT_VERSION, 0) {
            return Err(damaged("its records are of a version that is not known"));
        }
        let tree = Tree::from_edge(base.get(), digests).ok_or_else(|| damaged("its tree does not fit its position"))?;
        let last_record_time = timestamp(time).ok_or_else(|| damaged("its time is out of range"))?;
        Ok(Self { log, number, base, last_record_time, tree })
    }
}

pub(super) fn name(number: u64) -> String {
    format!("{number:010}.{SUFFIX}")
}

/// The numbers of the segments in a directory, ascending.
pub(super) fn list(folder: &Folder) -> Result<Vec<u64>, OpenError> {
    list_as(folder, SUFFIX)
}

/// The numbers of the files of a kind, ascending.
pub(super) fn list_as(folder: &Folder, suffix: &str) -> Result<Vec<u64>, OpenError> {
    let names = folder.list().map_err(OpenError::io("listing", &folder.shown()))?;
    let number = |name: &String| name.strip_suffix(suffix)?.strip_suffix('.')?.parse().ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Creates a segment of `bytes` zeros with its header, not yet under its name: see [`publish`].
pub(super) fn prepare(folder: &Folder, header: &Header, bytes: u64) -> std::io::Result<Arc<dyn DiskFile>> {
    let name = unpublished(header.number);
    let file = folder.open(&name, Access::Empty)?;
    let filled =
        file.allocate(bytes).and_then(|()| file.write_all_at(&header.to_bytes(), 0)).and_then(|()| file.sync_all());
    match filled {
        Ok(()) => Ok(file),
        Err(error) => {
            drop(file);
            // What could not be made is of no use; the reason that counts is the first one.
            let _ = folder.remove(&name);
            Err(error)
        }
    }
}

/// Gives a prepared segment its name: from here on it belongs to the log.
pub(super) fn publish(folder: &Folder, number: u64) -> std::io::Result<()> {
    folder.rename(&unpublished(number), &name(number))?;
    folder.sync()
}

fn unpublished(number: u64) -> String {
    format!("{number:010}.unpublished")
}

/// Removes what a crash left between [`prepare`] and [`publish`].
pub(super) fn remove_unpublished(folder: &Folder) -> std::io::Result<()> {
    folder.list()?.iter().filter(|name| name.ends_with(".unpublished")).try_for_each(|name| folder.remove(name))
}

/// Opens a segment and reads its header.
pub(super) fn open(folder: &Folder, number: u64, access: Access) -> Result<(Arc<dyn DiskFile>, Header), OpenError> {
    let name = name(number);
    let file = folder.open(&name, access).map_err(OpenError::io("opening", &name))?;
    let mut bytes = vec![0; usize::try_from(HEADER_BYTES).unwrap_or(0)];
    let read = file.read_up_to(&mut bytes, 0).map_err(OpenError::io("reading", &name))?;
    bytes.truncate(read);
    let header = Header::read(&bytes, &name)?;
    if header.number != number {
        return Err(OpenError::corrupt(header.base, &name, format!("the header says segment {}", header.number)));
    }
    Ok((file, header))
}

/// What stands at an offset.
pub(super) enum Found {
    /// A batch whose checksum fits.
    Batch {
        header: BatchHeader,
        /// The records, one after the other.
        records: Vec<u8>,
        /// Where the first record begins.
        records_at: u64,
        /// Where the next batch begins.
        next: u64,
    },
    /// No batch.
    Nothing(&'static str),
}

/// Reads the batch at this offset, into memory that was used before or that is empty.
pub(super) fn batch_at(
    file: &dyn DiskFile,
    file_bytes: u64,
    offset: u64,
    seed: u32,
    used: Vec<u8>,
) -> std::io::Result<Found> {
    let mut bytes = [0; BATCH_HEADER];
    if file.read_up_to(&mut bytes, offset)? < BATCH_HEADER {
        return Ok(Found::Nothing("the file ends"));
    }
    let Some(header) = BatchHeader::read(&bytes) else { return Ok(Found::Nothing("no batch begins here")) };
    let records_at = offset + BATCH_HEADER as u64;
    let end = records_at + u64::from(header.length);
    if end > file_bytes || header.count == 0 {
        return Ok(Found::Nothing("the batch header does not fit"));
    }
    let length = header.length as usize;
    // A read fills what memory there is: much more than is needed would be read in vain.
    let mut records = if used.capacity() / 2 <= length { used } else { Vec::new() };
    records.clear();
    if file.read_append(&mut records, length, records_at)? < length {
        return Ok(Found::Nothing("the file ends within the batch"));
    }
    if batch_checksum(&bytes, &records, seed) != header.checksum {
        return Ok(Found::Nothing("the checksum of the batch does not fit"));
    }
    Ok(Found::Batch { header, records, records_at, next: end + padding(end) as u64 })
}

/// The first batch at or after this offset whose checksum fits and that says that this position was durable before it. Others are passed over: a payload may hold what looks like a batch.
pub(super) fn later_batch(
    file: &dyn DiskFile,
    from: u64,
    position: Position,
    seed: u32,
) -> std::io::Result<Option<BatchHeader>> {
    const WINDOW: usize = 1 << 20;
    let file_bytes = file.len()?;
    let mut window = vec![0; WINDOW];
    let mut at = from.next_multiple_of(BATCH_ALIGNMENT);
    while at < file_bytes {
        let read = file.read_up_to(&mut window, at)?;
        for (index, block) in window.get(..read).unwrap_or_default().chunks(BATCH_ALIGNMENT as usize).enumerate() {
            if block.starts_with(&BATCH_MAGIC)
                && let Found::Batch { header, .. } =
                    batch_at(file, file_bytes, at + index as u64 * BATCH_ALIGNMENT, seed, Vec::new())?
                && header.durable_upto > position
            {
                return Ok(Some(header));
            }
        }
        at += WINDOW as u64;
    }
    Ok(None)
}

/// The number of bytes from `from` to the last one that is not zero.
pub(super) fn bytes_in_use(file: &dyn DiskFile, from: u64) -> std::io::Result<u64> {
    const WINDOW: usize = 1 << 20;
    let mut window = vec![0; WINDOW];
    let mut at = from;
    let mut used = 0;
    loop {
        let read = file.read_up_to(&mut window, at)?;
        if let Some(last) = window.get(..read).unwrap_or_default().iter().rposition(|byte| *byte != 0) {
            used = at + last as u64 + 1 - from;
        }
        if read < WINDOW {
            return Ok(used);
        }
        at += WINDOW as u64;
    }
}
