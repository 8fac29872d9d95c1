//! Cutting a copy of a log off after a position: the history as it was then, for a restore to a point in time.
//!
//! Only ever for a copy that nobody has open: what comes after the position is deleted.

use std::path::Path;
use std::sync::Arc;

use super::codec::{BatchHeader, padding, put_record};
use super::disk::{DiskFile, Folder};
use super::error::OpenError;
use super::segment::{self, HEADER_BYTES, Header};
use super::store::Store;
use super::{EmbeddedLog, Options, mark, sealed, tier};
use crate::page::PageLimit;
use crate::transparency::CHECKPOINT;
use crate::{Direction, Position, Query, ReadError, Record};

/// The most records that are read and written at once.
const PAGE: usize = 1_000;

/// The most bytes of records in one batch.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Why a copy could not be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The copy does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record could not be read.
    #[error("reading the records that stay")]
    Read(#[from] ReadError),
    /// A file could not be written or removed.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file's name.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The log ends before the position.
    #[error("the log ends at position {last}, before {position}")]
    Beyond {
        /// The position that was asked for.
        position: Position,
        /// The last position of the log, in words.
        last: String,
    },
}

/// Cuts the log in a directory off after `last`. Records, leaves and proofs up to there stay as they are.
///
/// # Errors
/// [`CutError`]; the copy is of no use then, and is to be restored anew.
pub fn cut(directory: &Path, last: Position) -> Result<(), CutError> {
    let folder = Folder::local(directory);
    let log = EmbeddedLog::open(directory, Options::default())?;
    let tail = log.store.tail();
    if last >= tail {
        let last_position = tail.previous().map_or_else(|| "none".to_owned(), |last| last.to_string());
        return Err(CutError::Beyond { position: last, last: last_position });
    }
    let segments = log.store.segments();
    let kept = segments.iter().rposition(|segment| segment.header.base <= last).unwrap_or(0);
    let removed: Vec<u64> = segments.iter().skip(kept).map(|segment| segment.header.number).collect();
    let Some(header) = segments.get(kept).map(|segment| segment.header.clone()) else { return Ok(()) };
    write(&folder, &log.store, &header, last)?;
    log.close();
    // Ordering: first the claims that the log is longer go, then what is cut off, then the shorter segment takes its place.
    for claim in [mark::NAME, CHECKPOINT] {
        remove(&folder, claim)?;
    }
    for number in removed {
        for name in [segment::name(number), sealed::name(number), tier::name(number), format!("{number:010}.index")] {
            remove(&folder, &name)?;
        }
    }
    segment::publish(&folder, header.number).map_err(failed("publishing", &segment::name(header.number)))
}

fn failed(action: &'static str, file: &str) -> impl FnOnce(std::io::Error) -> CutError + use<> {
    let file = file.to_owned();
    move |source| CutError::Io { action, file, source }
}

fn remove(folder: &Folder, name: &str) -> Result<(), CutError> {
    match folder.remove(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("removing", name)(error)),
        _ => Ok(()),
    }
}

/// Writes the segment of this header anew, with the records up to `last`, not yet under its name.
fn write(folder: &Folder, store: &Store, header: &Header, last: Position) -> Result<(), CutError> {
    let name = segment::name(header.number);
    let file = segment::prepare(folder, header, HEADER_BYTES).map_err(failed("creating", &name))?;
    let mut offset = HEADER_BYTES;
    let mut next = header.base;
    while next <= last {
        let wanted = usize::try_from(last.get() - next.get() + 1).unwrap_or(PAGE).min(PAGE);
        let records = store.read(next, Direction::Forward, &Query::all(), PageLimit::of(wanted))?;
        next = records.last().map_or(last, |record| record.position).next();
        let mut rest = records.into_iter().peekable();
        while rest.peek().is_some() {
            offset = write_batch(&file, header, offset, &mut rest).map_err(failed("writing", &name))?;
        }
    }
    file.sync_all().map_err(failed("syncing", &name))
}

/// Writes one batch from the front of the records, and answers where the next one begins.
fn write_batch(
    file: &Arc<dyn DiskFile>,
    header: &Header,
    offset: u64,
    records: &mut std::iter::Peekable<impl Iterator<Item = Record>>,
) -> std::io::Result<u64> {
    let mut bytes = Vec::new();
    let mut first = None;
    let mut count = 0;
    while bytes.len() < BATCH_BYTES
        && let Some(record) = records.next()
    {
        first.get_or_insert(record.position);
        count += 1;
        put_record(&mut bytes, &record, &record.leaf_digest(), header.seed());
    }
    let first = first.unwrap_or(header.base);
    let mut batch = BatchHeader::to_bytes(first, count, first, &bytes, header.seed()).to_vec();
    batch.append(&mut bytes);
    let end = offset + batch.len() as u64;
    batch.resize(batch.len() + padding(end), 0);
    file.write_all_at(&batch, offset)?;
    Ok(offset + batch.len() as u64)
}
