//! The thread that seals closed segments, drops payloads, and does nothing else: everything that replaces a closed segment happens here, one after the other.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::background::Job;
use super::disk::{Access, Folder};
use super::index::Index;
use super::index_file::FileIndex;
use super::sealed::{self, SealError, SealedFile, Source};
use super::segment;
use super::store::{Segment, Store};
use super::tier::{self, Buckets, RemoteFile, Tiering};
use crate::{PayloadState, Position};

/// The most requests that wait for the thread.
pub(super) const MAX_WAITING_TASKS: usize = 64;

/// How often a segment that cannot be sealed is tried before the log is opened again.
const MAX_TRIES: u32 = 3;

/// How far the thread may be ahead of its pace before it rests.
const REST: Duration = Duration::from_millis(20);

/// How closed segments are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// The MiB that are read and written in a second at most, so that appends do not feel it.
    pub mib_per_s: u32,
    /// How many of the newest closed segments stay as they were appended.
    pub keep_unsealed: usize,
}

impl Default for Sealing {
    fn default() -> Self {
        Self { mib_per_s: 64, keep_unsealed: 0 }
    }
}

/// What was sealed since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealingStatus {
    /// The segments that are sealed, from before or since.
    pub sealed_segments: u64,
    /// The closed segments that are not.
    pub unsealed_segments: u64,
    /// The segments that were sealed or written anew.
    pub written_segments: u64,
    /// Their bytes before.
    pub bytes_before: u64,
    /// Their bytes afterwards.
    pub bytes_after: u64,
    /// The milliseconds that it took, with the rests.
    pub milliseconds: u64,
    /// The attempts that failed; the old file stays then.
    pub failures: u64,
}

/// What dropping payloads did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropReport {
    /// The segments that were written anew.
    pub segments: usize,
    /// The payloads that were there before.
    pub payloads: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    written: AtomicU64,
    before: AtomicU64,
    after: AtomicU64,
    nanoseconds: AtomicU64,
    failures: AtomicU64,
}

impl Counters {
    pub(super) fn status(&self, store: &Store) -> SealingStatus {
        let segments = store.segments();
        let sealed = segments.iter().filter(|segment| segment.sealed.is_some()).count();
        SealingStatus {
            sealed_segments: sealed as u64,
            unsealed_segments: segments.len().saturating_sub(1 + sealed) as u64,
            written_segments: self.written.load(Ordering::Relaxed),
            bytes_before: self.before.load(Ordering::Relaxed),
            bytes_after: self.after.load(Ordering::Relaxed),
            milliseconds: self.nanoseconds.load(Ordering::Relaxed) / 1_000_000,
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// What the thread is told.
pub(super) enum Task {
    /// A segment was closed.
    Wake,
    /// Seal every closed segment now, whatever the configuration says.
    SealAll(oneshot::Sender<Result<usize, SealError>>),
    /// Move every sealed segment that may go into the bucket.
    TierAll(oneshot::Sender<Result<usize, SealError>>),
    /// Drop payloads of closed segments.
    Drop(Vec<RangeInclusive<Position>>, oneshot::Sender<Result<DropReport, SealError>>),
    /// The log closes.
    Close,
}

pub(super) struct Sealer {
    pub(super) folder: Folder,
    pub(super) store: Arc<Store>,
    pub(super) sealing: Option<Sealing>,
    pub(super) tiering: Option<Tiering>,
    pub(super) buckets: Arc<Buckets>,
    pub(super) counters: Arc<Counters>,
    pub(super) background: SyncSender<Job>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) failed: HashMap<u64, u32>,
}

impl Sealer {
    pub(super) fn run(mut self, tasks: &Receiver<Task>) {
        // Appends go first. Where the system refuses, the pace alone has to do.
        let _ = rustix::process::nice(10);
        if let Err(error) = self.forget_stale() {
            tracing::warn!(error = %with_sources(&error), "segments with dropped payloads are still in a bucket");
        }
        self.seal_waiting();
        self.tier_waiting();
        while let Ok(task) = tasks.recv() {
            match task {
                Task::Wake => {
                    self.seal_waiting();
                    self.tier_waiting();
                }
                Task::TierAll(answer) => {
                    let _ = answer.send(self.tier_all());
                }
                Task::SealAll(answer) => {
                    let _ = answer.send(self.seal_all());
                }
                Task::Drop(ranges, answer) => {
                    let _ = answer.send(self.drop_payloads(&ranges));
                }
                Task::Close => return,
            }
        }
    }

    /// Seals what the configuration says, oldest first.
    fn seal_waiting(&mut self) {
        let Some(sealing) = self.sealing else { return };
        while let Some((segment, next)) = self.oldest(sealing.keep_unsealed) {
            match self.replace(&segment, &next, &[], Some(sealing)) {
                Ok(()) => {}
                Err(SealError::Stopped) => return,
                Err(error) => {
                    *self.failed.entry(segment.header.number).or_default() += 1;
                    tracing::error!(segment = %segment.name, error = %with_sources(&error), "a segment could not be sealed; it stays as it was");
                    return;
                }
            }
        }
    }

    fn tier_waiting(&self) {
        match self.tier_all() {
            Ok(0) | Err(SealError::Stopped) => {}
            Ok(count) => tracing::info!(count, "sealed segments were moved into the bucket"),
            Err(error) => {
                tracing::warn!(error = %with_sources(&error), "a sealed segment could not be moved into the bucket; it stays in the folder");
            }
        }
    }

    /// Moves sealed segments into the bucket, the oldest first.
    fn tier_all(&self) -> Result<usize, SealError> {
        let Some(tiering) = &self.tiering else { return Ok(0) };
        let mut count = 0;
        let segments = self.store.segments();
        for segment in segments.iter().take(segments.len().saturating_sub(1 + tiering.keep_local_segments)) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(SealError::Stopped);
            }
            if let Some(local) = segment.sealed.as_ref().filter(|_| segment.name == sealed::name(segment.header.number))
            {
                self.tier(tiering, local)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn tier(&self, tiering: &Tiering, local: &SealedFile) -> Result<(), SealError> {
        let number = local.header.number;
        let place = (&local.file, local.trailer.directory_at);
        let marker = tier::upload(&self.folder, &tiering.bucket, number, place, self.store.log)
            .map_err(SealError::io("moving into the bucket", &local.name))?;
        let remote =
            SealedFile::open(tier::name(number), Arc::new(RemoteFile::new(marker, &self.buckets)), self.store.cache())?;
        let rows = u64::from(local.facts.rows);
        let index = FileIndex::open(&self.folder, &local.header, local.trailer.file_bytes, rows);
        // Without its index the segment stays where it is: that would have to be built from the bucket.
        let Some(index) = index else { return Ok(()) };
        self.store.replace_segment(Arc::new(Segment::sealed(Arc::new(remote), Index::File(index))));
        // Ordering: the marker has its name durably before the local file goes.
        self.folder.remove(&local.name).map_err(SealError::io("removing", &local.name))?;
        self.folder.sync().map_err(SealError::io("removing", &local.name))
    }

    /// Deletes objects whose segment was written anew since.
    fn forget_stale(&self) -> Result<(), SealError> {
        for number in tier::list(&self.folder)? {
            let name = sealed::name(number);
            match self.folder.open(&name, Access::Read) {
                Ok(file) => tier::forget_stale(&self.folder, number, file.as_ref(), &self.buckets)
                    .map_err(SealError::io("deleting the object of", &name))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(SealError::io("opening", &name)(error)),
            }
        }
        Ok(())
    }

    fn seal_all(&mut self) -> Result<usize, SealError> {
        self.failed.clear();
        let mut count = 0;
        while let Some((segment, next)) = self.oldest(0) {
            self.replace(&segment, &next, &[], None)?;
            count += 1;
        }
        Ok(count)
    }

    /// The oldest closed segment that is not sealed, and the one after it.
    fn oldest(&self, keep: usize) -> Option<(Arc<Segment>, Arc<Segment>)> {
        let segments = self.store.segments();
        let last = segments.len().checked_sub(1 + keep)?;
        let tried =
            |segment: &Segment| self.failed.get(&segment.header.number).is_some_and(|tries| *tries >= MAX_TRIES);
        let waits = |segment: &Segment| segment.sealed.is_none() && !tried(segment);
        let index = segments.iter().take(last).position(|segment| waits(segment))?;
        Some((Arc::clone(segments.get(index)?), Arc::clone(segments.get(index + 1)?)))
    }

    fn drop_payloads(&self, ranges: &[RangeInclusive<Position>]) -> Result<DropReport, SealError> {
        let mut report = DropReport::default();
        self.forget_stale()?;
        let segments = self.store.segments();
        for pair in segments.windows(2) {
            let [segment, next] = pair else { continue };
            let (base, end) = (segment.header.base, next.header.base);
            let touched = ranges.iter().any(|range| *range.start() < end && *range.end() >= base);
            let present = if touched { present(segment, next, ranges)? } else { 0 };
            if present > 0 {
                self.replace(segment, next, ranges, None)?;
                report.segments += 1;
                report.payloads += present;
            }
        }
        self.forget_stale()?;
        Ok(report)
    }

    /// Puts the sealed form in place of a closed segment, without the payloads of these positions.
    fn replace(
        &self,
        segment: &Arc<Segment>,
        next: &Segment,
        without: &[RangeInclusive<Position>],
        sealing: Option<Sealing>,
    ) -> Result<(), SealError> {
        let start = Instant::now();
        let replaced = self.replace_timed(segment, next, without, sealing);
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters.nanoseconds.fetch_add(took, Ordering::Relaxed);
        let counter = if replaced.is_ok() { &self.counters.written } else { &self.counters.failures };
        counter.fetch_add(1, Ordering::Relaxed);
        replaced
    }

    fn replace_timed(
        &self,
        segment: &Arc<Segment>,
        next: &Segment,
        without: &[RangeInclusive<Position>],
        sealing: Option<Sealing>,
    ) -> Result<(), SealError> {
        self.wait_for_index(segment);
        let number = segment.header.number;
        let before = segment.file.len().map_err(SealError::io("reading", &segment.name))?;
        let source = Source { header: &segment.header, file: &segment.file, sealed: segment.sealed.as_ref(), without };
        let mut pace = Pacer::new(sealing, &self.stop);
        let cache = self.store.cache();
        let replaced = sealed::replace(&self.folder, &source, &next.header, cache, &mut |bytes| pace.spend(bytes))?;
        let after = replaced.sealed.trailer.file_bytes;
        // The index on disk was that of the old file. Until the new one is there, the one in memory serves.
        let index = match FileIndex::write(&self.folder, &segment.header, after, replaced.index.contents()) {
            Ok(index) => Index::File(index),
            Err(error) => {
                tracing::warn!(segment = %segment.name, %error, "the index of a sealed segment could not be written");
                Index::Memory(replaced.index)
            }
        };
        // Readers that have the old segment keep its file open until they are done.
        self.store.replace_segment(Arc::new(Segment::sealed(Arc::new(replaced.sealed), index)));
        if segment.sealed.is_none() {
            let old = segment::name(number);
            self.folder.remove(&old).map_err(SealError::io("removing", &old))?;
            self.folder.sync().map_err(SealError::io("removing", &old))?;
        }
        self.counters.before.fetch_add(before, Ordering::Relaxed);
        self.counters.after.fetch_add(after, Ordering::Relaxed);
        tracing::info!(segment = number, before, after, "a segment was sealed");
        Ok(())
    }

    /// The background writes the index of a segment that was just closed: ours comes after that.
    fn wait_for_index(&self, segment: &Segment) {
        if matches!(&*segment.index.read(), Index::File(_)) {
            return;
        }
        let (done, waiting) = std::sync::mpsc::channel();
        if self.background.send(Job::Passed(done)).is_ok() {
            // When the background ends before it answers, it writes nothing any more.
            let _ = waiting.recv();
        }
    }
}

/// How many payloads in these ranges are still there.
fn present(segment: &Segment, next: &Segment, ranges: &[RangeInclusive<Position>]) -> Result<u64, SealError> {
    let (base, end) = (segment.header.base.get(), next.header.base.get());
    let inside = (base..end).filter(|position| sealed::contains(ranges, Position::new(*position)));
    let Some(sealed) = &segment.sealed else { return Ok(inside.count() as u64) };
    let mut present = 0;
    for position in inside {
        let head = sealed.head(u32::try_from(position - base).unwrap_or(u32::MAX))?;
        present += u64::from(head.payload_state == PayloadState::Present);
    }
    Ok(present)
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Keeps the work at its pace, and ends it when the log closes.
struct Pacer<'a> {
    stop: &'a AtomicBool,
    bytes_per_s: Option<f64>,
    start: Instant,
    bytes: u64,
}

impl<'a> Pacer<'a> {
    fn new(sealing: Option<Sealing>, stop: &'a AtomicBool) -> Self {
        let bytes_per_s = sealing.map(|sealing| f64::from(sealing.mib_per_s.max(1)) * 1_048_576.0);
        Self { stop, bytes_per_s, start: Instant::now(), bytes: 0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact")]
    fn spend(&mut self, bytes: u64) -> Result<(), SealError> {
        self.bytes += bytes;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(SealError::Stopped);
            }
            let Some(bytes_per_s) = self.bytes_per_s else { return Ok(()) };
            let due = Duration::from_secs_f64(self.bytes as f64 / bytes_per_s);
            match due.checked_sub(self.start.elapsed()).filter(|ahead| *ahead >= REST) {
                // Closing the log wakes the thread up.
                Some(ahead) => std::thread::park_timeout(ahead),
                None => return Ok(()),
            }
        }
    }
}
