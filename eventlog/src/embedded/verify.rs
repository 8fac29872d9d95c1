//! Rereading everything: what an auditor, a backup and a doubtful operator want to know.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::codec::Stored;
use super::disk::{Access, Disk, DiskFile, Folder};
use super::error::OpenError;
use super::recovery::{Known, check_sealed, damage_at_tail, headers, numbers, walk_any};
use super::sealed::cache::Cache;
use super::segment;
use super::segment::Header;
use crate::tree::Tree;
use crate::{Digest, DigestAlgorithm, EventId, LogId, PayloadState, Position, Record, Revision, StreamId, frames};

/// What of sealed segments is held in memory.
const CACHE_BYTES: usize = 128 * 1024 * 1024;

/// What was reread and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The log.
    pub log: LogId,
    /// The number of segment files.
    pub segments: usize,
    /// The number of records whose checksum, digests, position and revision are right.
    pub records: u64,
    /// The number of streams.
    pub streams: usize,
    /// The number of readings in frames that were decoded.
    pub readings: u64,
    /// The bytes of all payloads.
    pub payload_bytes: u64,
    /// The records whose payload was dropped, as runs of a first and a last position. Whether that was right, the log's own events say.
    pub dropped: Vec<(Position, Position)>,
    /// The root of the RFC 6962 tree over the leaf digests.
    pub root: Digest,
    /// Bytes after the last whole batch: a torn tail, or a batch that is being written right now.
    pub tail_bytes: u64,
}

/// Why a log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The files do not form a log, or one of them is damaged.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// A digest is not that of what it names.
    #[error("record {position} in {file}: {what} is {stored}, {found} is right")]
    Digest {
        /// The record.
        position: Position,
        /// The file's name.
        file: String,
        /// Which digest.
        what: &'static str,
        /// The digest in the record.
        stored: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// A record does not fit to the ones before it.
    #[error("record {position} in {file}: {reason}")]
    Record {
        /// The record.
        position: Position,
        /// The file's name.
        file: String,
        /// What does not fit.
        reason: String,
    },
}

/// Rereads every checksum, payload digest, leaf digest, position, revision and id of the log in a directory, and computes its root. Opens nothing
/// for writing, takes no lock and uses no index: it works on a copy, and on a log that is in use up to the last batch on disk.
///
/// # Errors
/// [`VerifyError`] names the first record that is not right.
pub fn verify(directory: &Path) -> Result<VerifyReport, VerifyError> {
    verify_each(directory, |_| {})
}

/// [`verify`], which also shows each record once it was found right, in the order of the log: for whoever wants to compute something of its own.
///
/// # Errors
/// As [`verify`].
pub fn verify_each(directory: &Path, mut each: impl FnMut(&Record)) -> Result<VerifyReport, VerifyError> {
    verify_folder(&Folder::local(directory), &mut each)
}

/// [`verify`] on a disk of one's own.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(disk: Arc<dyn Disk>, directory: &Path) -> Result<VerifyReport, VerifyError> {
    verify_folder(&Folder::new(disk, directory), &mut |_| {})
}

fn verify_folder(folder: &Folder, each: &mut dyn FnMut(&Record)) -> Result<VerifyReport, VerifyError> {
    let Some(newest) = numbers(folder)?.last().copied() else {
        return Err(OpenError::NoLog { directory: folder.shown() }.into());
    };
    let (_, newest) = segment::open(folder, newest, Access::Read)?;
    let known = Known::read(folder, newest.log)?;
    let headers = headers(folder, &numbers(folder)?, &Cache::new(CACHE_BYTES), &Arc::default())?;
    let mut checker = Checker::new(newest.log);
    for (index, opened) in headers.iter().enumerate() {
        let (file, header, name) = (&opened.file, &opened.header, opened.name());
        let mut problem = None;
        let walked = walk_any(opened, |stored| {
            checker.check(stored, &name).map_err(|error| {
                let refused = OpenError::corrupt(stored.record.position, &name, error.to_string());
                problem = Some(error);
                refused
            })?;
            each(&stored.record);
            Ok(())
        });
        if let Some(problem) = problem {
            return Err(problem);
        }
        let walked = walked?;
        match headers.get(index + 1) {
            Some(next) => check_sealed(&walked, Some(&next.header), &name)?,
            None => {
                if let Err(error) = damage_at_tail(file.as_ref(), header, &walked, &known)
                    && !completed_meanwhile(file.as_ref(), header, walked.offset)?
                {
                    return Err(error.into());
                }
                checker.report.tail_bytes =
                    segment::bytes_in_use(file.as_ref(), walked.offset).map_err(OpenError::io("reading", &name))?;
            }
        }
    }
    Ok(checker.finish(headers.len()))
}

/// Whether the batch at the end of the walk is whole by now: then it was being written, not damaged.
fn completed_meanwhile(file: &dyn DiskFile, header: &Header, offset: u64) -> Result<bool, OpenError> {
    let failed = || OpenError::io("reading", &segment::name(header.number));
    let file_bytes = file.len().map_err(failed())?;
    let found = segment::batch_at(file, file_bytes, offset, header.seed(), Vec::new()).map_err(failed())?;
    Ok(matches!(found, segment::Found::Batch { .. }))
}

struct Checker {
    report: VerifyReport,
    tree: Tree,
    revisions: HashMap<StreamId, Revision>,
    ids: HashMap<EventId, Position>,
}

impl Checker {
    fn new(log: LogId) -> Self {
        let report = VerifyReport {
            log,
            segments: 0,
            records: 0,
            streams: 0,
            readings: 0,
            payload_bytes: 0,
            dropped: Vec::new(),
            root: Tree::new().root(),
            tail_bytes: 0,
        };
        Self { report, tree: Tree::new(), revisions: HashMap::new(), ids: HashMap::new() }
    }

    fn check(&mut self, stored: &Stored, file: &str) -> Result<(), VerifyError> {
        let Stored { record, leaf } = stored;
        let position = record.position;
        let wrong = |reason: String| VerifyError::Record { position, file: file.to_owned(), reason };
        let expected = self.revisions.get(&record.stream).map_or(Revision::START, |last| last.next());
        if record.revision != expected {
            return Err(wrong(format!("its revision is {}, {expected} follows in {}", record.revision, record.stream)));
        }
        self.revisions.insert(record.stream.clone(), expected);
        if let Some(before) = self.ids.insert(record.id, position) {
            return Err(wrong(format!("its id {} stands at position {before} already", record.id)));
        }
        let digest = |what, stored: Digest, found: Digest| {
            if stored == found {
                Ok(())
            } else {
                Err(VerifyError::Digest { position, file: file.to_owned(), what, stored, found })
            }
        };
        match record.payload_state {
            PayloadState::Present => {
                digest("the payload digest", record.payload_digest.digest, self.payload_digest(record, file)?)?;
            }
            // A record on disk is never in this state: it is the reader's word, for a key that is gone.
            PayloadState::Dropped | PayloadState::Erased => self.dropped(position),
        }
        digest("the leaf digest", *leaf, record.leaf_digest())?;
        self.tree.push(*leaf);
        self.report.records += 1;
        self.report.payload_bytes += record.payload.len() as u64;
        Ok(())
    }

    fn dropped(&mut self, position: Position) {
        match self.report.dropped.last_mut() {
            Some((_, last)) if last.next() == position => *last = position,
            _ => self.report.dropped.push((position, position)),
        }
    }

    fn payload_digest(&mut self, record: &Record, file: &str) -> Result<Digest, VerifyError> {
        match record.payload_digest.algorithm {
            DigestAlgorithm::Sha256 => Ok(Digest::of(&record.payload)),
            DigestAlgorithm::FrameSha256 => {
                let frame = frames::decode(&record.payload).map_err(|error| VerifyError::Record {
                    position: record.position,
                    file: file.to_owned(),
                    reason: error.to_string(),
                })?;
                self.report.readings += frame.len() as u64;
                Ok(frames::digest(&frame))
            }
        }
    }

    fn finish(self, segments: usize) -> VerifyReport {
        VerifyReport { segments, streams: self.revisions.len(), root: self.tree.root(), ..self.report }
    }
}
