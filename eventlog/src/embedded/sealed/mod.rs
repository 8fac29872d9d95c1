//! Sealed segments: what a closed segment becomes in the background.
//!
//! A segment as it was appended is a sequence of batches. Sealed, the headers of its records stand in compressed blocks, and the readings of its
//! frames are regrouped by signal into chunks, so that they take less than half the bytes, and so that a question about one signal reads little else. Nothing
//! that a proof rests on changes: headers, leaves and digests are kept, and each frame comes back with the same columns and rows.
//!
//! **Letting go.** [`replace`] writes the new file, reads all of it back through the reader that serves everybody, compares each record with the old file,
//! and only then gives it its name; the old file goes last. A crash in between leaves the old one, or both: then the new one is taken, since it has its name only after
//! it was compared and synced, and the old one is removed.

mod block;
mod bytes;
pub(super) mod cache;
mod chunk;
mod columns;
mod error;
mod layout;
mod numbers;
mod read;
mod readings;
mod source;
mod write;

use std::sync::Arc;

pub use error::SealError;
pub(super) use read::SealedFile;
pub(super) use source::{Pace, Source, contains};

use cache::Cache;

use super::codec::{Stored, header_bytes};
use super::disk::{Access, Folder};
use super::error::OpenError;
use super::index::{Indexed, MemoryIndex};
use super::names::Names;
use super::recovery::Walk;
use super::segment::Header;
use crate::{DigestAlgorithm, ReadError, frames};

const SUFFIX: &str = "sealed";

/// What the comparison of a new file holds in memory.
const COMPARING_BYTES: usize = 128 * 1024 * 1024;

/// The name of the sealed form of a segment.
pub(super) fn name(number: u64) -> String {
    format!("{number:010}.{SUFFIX}")
}

fn unpublished(number: u64) -> String {
    format!("{number:010}.{SUFFIX}.unpublished")
}

/// The numbers of the sealed segments in a directory, ascending.
pub(super) fn list(folder: &Folder) -> Result<Vec<u64>, OpenError> {
    super::segment::list_as(folder, SUFFIX)
}

/// Opens the sealed form of a segment.
pub(super) fn open(folder: &Folder, number: u64, cache: &Arc<Cache>) -> Result<SealedFile, OpenError> {
    let name = name(number);
    let file = folder.open(&name, Access::Read).map_err(OpenError::io("opening", &name))?;
    let sealed = SealedFile::open(name, file, cache)?;
    if sealed.header.number != number {
        let reason = format!("the header says segment {}", sealed.header.number);
        return Err(OpenError::corrupt(sealed.header.base, &sealed.name, reason));
    }
    Ok(sealed)
}

/// Reads every record of a sealed segment.
pub(super) fn walk(
    sealed: &SealedFile,
    mut visit: impl FnMut(&Stored) -> Result<(), OpenError>,
) -> Result<Walk, OpenError> {
    let header = &sealed.header;
    let mut walk = Walk {
        next: header.base,
        offset: sealed.trailer.file_bytes,
        tree: header.tree.clone(),
        time: header.last_record_time,
        undeclared: Vec::new(),
        stopped: "the sealed segment ends",
    };
    let Some(last) = sealed.facts.rows.checked_sub(1) else { return Ok(walk) };
    sealed.stored(0..=last, &mut Names::keeping(), |stored| {
        if stored.record.record_time < walk.time {
            return Err(OpenError::corrupt(walk.next, &sealed.name, "its record time does not follow the one before"));
        }
        visit(&stored)?;
        walk.tree.push(stored.leaf);
        walk.time = stored.record.record_time;
        walk.next = walk.next.next();
        Ok(())
    })?;
    Ok(walk)
}

/// A sealed file that has its name, and the index of its records.
pub(super) struct Replaced {
    pub(super) sealed: SealedFile,
    pub(super) index: MemoryIndex,
}

/// Writes the sealed form of a segment, compares it, and gives it its name. The old file is still there afterwards, unless it was sealed itself and had that name.
pub(super) fn replace(
    folder: &Folder,
    source: &Source<'_>,
    next: &Header,
    cache: &Arc<Cache>,
    pace: Pace<'_>,
) -> Result<Replaced, SealError> {
    let number = source.header.number;
    let temporary = unpublished(number);
    let written = write::write(folder, &temporary, source, pace).and_then(|file| {
        compare(source, &SealedFile::open(name(number), file, &Cache::new(COMPARING_BYTES))?, next, pace)
    });
    let index = match written {
        Ok(index) => index,
        Err(error) => {
            // What could not be made is of no use; the reason that counts is the first one.
            let _ = folder.remove(&temporary);
            return Err(error);
        }
    };
    // Ordering: the file is synced and compared before it has its name, and has its name durably before anything of the old one goes.
    let failed = || SealError::io("publishing", &temporary);
    folder.rename(&temporary, &name(number)).map_err(failed())?;
    folder.sync().map_err(failed())?;
    Ok(Replaced { sealed: open(folder, number, cache)?, index })
}

/// Compares each record with the source, and the whole with what the next segment says about it.
fn compare(source: &Source<'_>, sealed: &SealedFile, next: &Header, pace: Pace<'_>) -> Result<MemoryIndex, SealError> {
    let mut index = MemoryIndex::default();
    let mut tree = source.header.tree.clone();
    let mut rows = 0;
    let mut names = Names::keeping();
    let differs = |row: u32, reason| SealError::Differs {
        position: source.header.base.plus(u64::from(row)),
        file: sealed.name.clone(),
        reason,
    };
    source.each(pace, |row, before| {
        sealed.stored(row..=row, &mut names, |after| {
            if header_bytes(&before) != header_bytes(&after) {
                return Err(differs(row, "its header is another one"));
            }
            if after.record.leaf_digest() != after.leaf {
                return Err(differs(row, "its leaf digest is not that of its header"));
            }
            if before.record.payload != after.record.payload && !same_frame(&after) {
                return Err(differs(row, "its payload is another one"));
            }
            tree.push(after.leaf);
            // Records of a sealed segment have no offset; the row stands in its place.
            index.push(Indexed::of_record(&after.record), row);
            Ok(())
        })?;
        rows = row + 1;
        Ok(())
    })?;
    let whole = rows == sealed.facts.rows
        && tree == next.tree
        && source.header.base.plus(u64::from(rows)) == next.base
        && sealed.facts.last_record_time == next.last_record_time;
    if whole { Ok(index) } else { Err(differs(rows, "the next segment names another tree or time")) }
}

/// Whether the payload is the frame that its digest names, in whatever encoding.
fn same_frame(stored: &Stored) -> bool {
    let expected = stored.record.payload_digest;
    expected.algorithm == DigestAlgorithm::FrameSha256
        && frames::decode(&stored.record.payload).is_ok_and(|frame| frames::digest(&frame) == expected.digest)
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { position, file, reason } => Self::Corrupt { position, file, reason },
            ReadError::Io { file, source } | ReadError::Unreachable { file, source } => {
                Self::Io { action: "reading", file, source }
            }
            other => Self::Io { action: "reading", file: SUFFIX.to_owned(), source: std::io::Error::other(other) },
        }
    }
}
