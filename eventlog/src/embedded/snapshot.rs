//! The files that make up a log at one moment, for a copy that is taken while the log is in use.

use std::path::Path;

use super::disk::{Access, Folder, LocalDisk};
use super::error::OpenError;
use super::mark::{self, Mark};
use super::recovery::{headers, numbers, walk_records};
use super::sealed::cache::Cache;
use super::segment;
use crate::{Digest, LogId, Position};

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name in the log's folder.
    pub name: String,
    /// How many of its bytes belong to the snapshot.
    pub bytes: u64,
    /// Whether it never changes any more under this name.
    pub closed: bool,
}

/// A log at one moment: what a copy needs, and what it will hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The log.
    pub log: LogId,
    /// The number of records.
    pub tail: Position,
    /// The root of the RFC 6962 tree over their leaves.
    pub root: Digest,
    /// The files, in the order of their records.
    pub files: Vec<SnapshotFile>,
}

/// Looks at a log, in use or not, without locking or changing it. The last segment counts as far as whole batches reach.
///
/// # Errors
/// [`OpenError`]. A file that goes away meanwhile (a segment was sealed) is `NotFound`: look again.
pub fn snapshot(directory: &Path) -> Result<Snapshot, OpenError> {
    let folder = Folder::local(directory);
    // Nothing of sealed segments but their heads is read here.
    let headers = headers(&folder, &numbers(&folder)?, &Cache::new(0), &std::sync::Arc::default())?;
    let Some((newest, closed)) = headers.split_last() else {
        return Err(OpenError::NoLog { directory: folder.shown() });
    };
    let mut files = Vec::with_capacity(headers.len());
    for opened in closed {
        let name = opened.name();
        // Of a segment that lives in a bucket the marker is copied, which is shorter.
        let file = folder.open(&name, Access::Read).map_err(OpenError::io("opening", &name))?;
        let bytes = file.len().map_err(OpenError::io("reading", &name))?;
        files.push(SnapshotFile { name, bytes, closed: true });
    }
    let last = &newest.header;
    let walked = walk_records(newest.file.as_ref(), last, |_, _| Ok(()))?;
    files.push(SnapshotFile { name: segment::name(last.number), bytes: walked.offset, closed: false });
    Ok(Snapshot { log: last.log, tail: walked.next, root: walked.tree.root(), files })
}

/// The name and the bytes of the file that says how far a copy reaches, so that a damaged copy is never taken for a shorter log.
pub fn copy_mark(snapshot: &Snapshot) -> (&'static str, Vec<u8>) {
    (mark::NAME, mark::bytes(snapshot.log, Mark { tail: snapshot.tail, closed: true }))
}

/// Makes the names in a folder of this machine durable.
///
/// # Errors
/// The operating system's reason.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    use super::disk::Disk as _;
    LocalDisk.sync_folder(folder)
}
