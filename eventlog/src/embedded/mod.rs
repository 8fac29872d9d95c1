//! The log on segment files: one directory, one process that writes, any number of readers in it.
//!
//! **How an append becomes durable.** The caller's task checks, hashes and encodes the events. A committer thread takes whatever waits, checks
//! idempotency and conditions, gives positions, revisions, record time and leaf digests, writes everything as one batch with one `write` and
//! one `fdatasync`, and only then moves the tail and answers. Many appends share one sync (group commit), and a second committer thread gathers
//! the next batch meanwhile: its answers rest on what is still being synced, and are given after a sync of their own. A small append that meets nobody,
//! after others that met nobody, is ordered and written by its caller, in the same way, as long as syncs take less than a millisecond: its thread stands still for that time.
//!
//! **What each crash loses.**
//! - *The process dies or is killed* (kill -9): nothing that was acknowledged. An append that was not answered may be there entirely or not at all.
//! - *The machine loses power*: the same, as far as the disk keeps what `fdatasync` said it keeps. The batch that was being written may be
//!   torn; it was never acknowledged, fails its checksum, is cut off when the log is opened, and [`OpenReport::truncated_bytes`] says so.
//! - *A write or sync fails*: the log is poisoned. It answers reads of what was durable and takes nothing more until it is opened again. A sync is
//!   never repeated, since the kernel may have dropped the pages that failed.
//! - *The disk is full* when a segment is to be allocated: the append is refused with [`crate::AppendError::DiskFull`] and nothing was written.
//! - *A bit flips or a sector is lost* below what a later batch, the next segment or the durable mark declares durable: the log does not open
//!   and names the record and the file. It is never cut off there. The durable mark follows the tail within a second and at every orderly close; only
//!   damage to the very last batch within that second cannot be told from a torn write.
//! - *The index files are deleted or damaged*: nothing. They are derived; a missing one is built anew from its segment.
//!
//! The bytes are described in docs/log-format.md.

mod background;
mod batch;
mod codec;
mod committer;
mod cut;
pub mod disk;
mod draft;
mod error;
mod fields;
mod handover;
mod happened;
mod index;
mod index_file;
mod leaves;
mod mark;
mod metadata;
mod names;
mod recovery;
mod sealed;
mod sealer;
mod segment;
mod signals;
mod snapshot;
mod store;
mod tier;
mod verify;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};

pub use cut::{CutError, cut};
pub use error::OpenError;
pub use sealed::SealError;
pub use sealer::{DropReport, Sealing, SealingStatus};
pub use snapshot::{Snapshot, SnapshotFile, copy_mark, snapshot, sync_folder};
pub use tier::Tiering;
pub use verify::{VerifyError, VerifyReport, verify, verify_each, verify_on};

use background::{Background, Job, MAX_WAITING_SEGMENTS};
use batch::{Batch, Call};
use committer::{Poison, Sequencer, Writer};
use disk::{Disk, Folder, LocalDisk, Lock};
use draft::Drafts;
use handover::{Closed, Command, Handover};
use recovery::Recovered;
use sealer::{Counters, MAX_WAITING_TASKS, Sealer, Task};
use store::Store;

use crate::admission;
use crate::page::PageLimit;
use crate::subscription::{PageSource, follow};
use crate::tree::Tree;
use crate::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, Clock, Direction, EventId, EventLog, Filter, LogId,
    NewEvent, Page, Position, ReadError, ReadingsPage, ReadingsQuery, Record, Revision, StreamId, TimeSpan,
};

/// The most KiB of encoded events that wait for the committers.
const MAX_QUEUE_KIB: usize = 256 * 1024;

/// What a small append counts in that, so that 16,384 wait at most.
const MIN_CALL_KIB: usize = 16;

/// The smallest and the largest segment that may be asked for.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 8 * 1024..=1024 * 1024 * 1024;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bytes that are allocated for a segment, from 8 KiB to 1 GiB. A single larger append gets a larger segment.
    pub segment_bytes: u64,
    /// Where record times come from.
    pub clock: Clock,
    /// The identity of a log that is created by this call; a new one when `None`.
    pub new_log_id: Option<LogId>,
    /// Where the files are: the machine's own disk, unless a test has another one.
    pub disk: Arc<dyn Disk>,
    /// How closed segments are sealed in the background; they stay as they were appended when `None`.
    pub sealing: Option<Sealing>,
    /// Where sealed segments go when they are old; they stay in the folder when `None`. Segments that are in a bucket already are read from there in any case.
    pub tiering: Option<Tiering>,
    /// The bytes of sealed segments that are kept decoded in memory.
    pub sealed_cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 128 * 1024 * 1024,
            clock: Clock::system(),
            new_log_id: None,
            disk: Arc::new(LocalDisk),
            sealing: None,
            tiering: None,
            sealed_cache_bytes: 128 * 1024 * 1024,
        }
    }
}

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Whether the log was created by this call.
    pub created: bool,
    /// The number of records.
    pub records: u64,
    /// The number of segment files.
    pub segments: usize,
    /// The bytes of a torn, never acknowledged tail that were cut off.
    pub truncated_bytes: u64,
    /// The number of sealed segments whose index had to be built anew.
    pub indexes_rebuilt: usize,
    /// Whether the last process closed the log in order.
    pub closed_in_order: bool,
}

/// A log on segment files in one directory. Dropping it closes it in order.
pub struct EmbeddedLog {
    store: Arc<Store>,
    handover: Arc<Handover>,
    room: Arc<Semaphore>,
    tree: Arc<Mutex<Tree>>,
    report: OpenReport,
    sealing: Arc<Counters>,
    tasks: std::sync::mpsc::SyncSender<Task>,
    threads: Mutex<Option<Threads>>,
}

/// What ends with the log. The lock goes last.
struct Threads {
    committers: Vec<JoinHandle<()>>,
    background: JoinHandle<()>,
    sealer: JoinHandle<()>,
    stop_sealer: Arc<AtomicBool>,
    jobs: SyncSender<Job>,
    _lock: Box<dyn Lock>,
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "a thread of the log ended by a panic");
    }
}

impl EmbeddedLog {
    /// Opens the log in a directory, and creates it when there is none. Blocks: it reads the last segment and starts two threads.
    ///
    /// # Errors
    /// [`OpenError`]: locked by another process, damaged, or not readable.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        if !SEGMENT_BYTES.contains(&options.segment_bytes) {
            let reason = format!("{} is not between 8 KiB and 1 GiB", options.segment_bytes);
            return Err(OpenError::Option { option: "segment_bytes", reason });
        }
        let folder = Folder::new(Arc::clone(&options.disk), directory);
        let (recovered, announce, store) = match recover(&folder, &options) {
            // What the log knows of its streams is found through the indexes: this is the first time that they are asked.
            Err(OpenError::Metadata(ReadError::Index(reason))) => {
                tracing::warn!(%reason, "an index is damaged: all of them are built anew");
                recovery::remove_indexes(&folder)?;
                recover(&folder, &options)?
            }
            recovered => recovered?,
        };
        let watched = announce.subscribe();
        let tree = Arc::new(Mutex::new(recovered.active.tree.clone()));
        let (jobs, background_jobs) = std::sync::mpsc::sync_channel::<Job>(MAX_WAITING_SEGMENTS);
        let (tasks, sealer_tasks) = std::sync::mpsc::sync_channel::<Task>(MAX_WAITING_TASKS);
        let (counters, stop_sealer) = (Arc::new(Counters::default()), Arc::new(AtomicBool::new(false)));
        let sealer = Sealer {
            folder: folder.clone(),
            store: Arc::clone(&store),
            sealing: options.sealing,
            tiering: options.tiering,
            buckets: recovered.buckets,
            counters: Arc::clone(&counters),
            background: jobs.clone(),
            stop: Arc::clone(&stop_sealer),
            failed: std::collections::HashMap::new(),
        };
        let poison = Poison::default();
        let sequencer = Sequencer {
            folder: folder.clone(),
            segment_bytes: options.segment_bytes,
            clock: options.clock,
            store: Arc::clone(&store),
            active: recovered.active,
            background: jobs.clone(),
            poison: Arc::clone(&poison),
            batch: Batch::default(),
            metadata: metadata::Ordered::default(),
            leaf: Vec::new(),
            key: Vec::new(),
        };
        let writer = Writer { store: Arc::clone(&store), announce, tree: Arc::clone(&tree), poison, lone_batches: 0 };
        let handover = Arc::new(Handover::new(sequencer, writer));
        let background = Background {
            folder,
            mark: recovered.mark,
            // What was found is marked anew, so that the mark no longer says that the log is closed.
            marked: Position::START,
            tail: watched,
            sealer: tasks.clone(),
        };
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .map_err(OpenError::io("starting a thread for", name))
        };
        let background = start("log-background", Box::new(move || background.run(&background_jobs)))?;
        let committers = ["log-committer-0", "log-committer-1"].map(|name| {
            let handover = Arc::clone(&handover);
            start(name, Box::new(move || committer::run(&handover)))
        });
        let committers: Result<Vec<_>, _> = committers.into_iter().collect();
        // Where one of them is missing the other one ends as well.
        let committers = committers.inspect_err(|_| handover.close())?;
        let sealer =
            start("log-sealer", Box::new(move || sealer.run(&sealer_tasks))).inspect_err(|_| handover.close())?;
        Ok(Self {
            store,
            handover,
            room: Arc::new(Semaphore::new(MAX_QUEUE_KIB)),
            tree,
            report: recovered.report,
            sealing: counters,
            tasks,
            threads: Mutex::new(Some(Threads {
                committers,
                background,
                sealer,
                stop_sealer,
                jobs,
                _lock: recovered.lock,
            })),
        })
    }

    /// What was found when the log was opened.
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// The Merkle tree over every durable record: its size and root are what a checkpoint signs.
    pub fn tree(&self) -> Tree {
        self.tree.lock().clone()
    }

    /// Writes what was accepted, marks the tail, and gives the directory free. Later appends are refused, reads go on. Blocks for a sync or two.
    pub fn close(&self) {
        let Some(threads) = self.threads.lock().take() else { return };
        // What is being sealed is given up: the segment stays as it was.
        threads.stop_sealer.store(true, Ordering::Relaxed);
        threads.sealer.thread().unpark();
        while let Err(std::sync::mpsc::TrySendError::Full(_)) = self.tasks.try_send(Task::Close) {
            std::thread::yield_now();
        }
        join("sealer", threads.sealer);
        self.handover.close();
        threads.committers.into_iter().for_each(|thread| join("committer", thread));
        if let Some(writer) = self.handover.end() {
            // A poisoned log was not closed in order; the next one to open it looks closely.
            let (tail, in_order) = (self.store.tail(), writer.poison.get().is_none());
            let _ = threads.jobs.send(Job::Close { tail, in_order });
        }
        drop(threads.jobs);
        join("background", threads.background);
    }

    /// Closes the segment that is written to and begins the next one, so that everything up to now can be sealed. Answers whether there was anything in it.
    ///
    /// # Errors
    /// [`AppendError::DiskFull`], [`AppendError::Poisoned`] or [`AppendError::Closed`].
    pub async fn rotate(&self) -> Result<bool, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.handover.push(Command::Rotate(answer)).map_err(|Closed| AppendError::Closed)?;
        answered.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Seals every closed segment as fast as it goes, whatever [`Options::sealing`] says, and answers how many there were.
    ///
    /// # Errors
    /// [`SealError`]: the first segment that cannot be sealed stays as it is.
    pub async fn seal_all(&self) -> Result<usize, SealError> {
        self.ask_sealer(Task::SealAll).await
    }

    /// Moves every sealed segment that [`Options::tiering`] says into the bucket now, and answers how many there were.
    ///
    /// # Errors
    /// [`SealError`]: the first segment that cannot be moved stays where it is.
    pub async fn tier_all(&self) -> Result<usize, SealError> {
        self.ask_sealer(Task::TierAll).await
    }

    /// Drops the payloads of these positions for ever; headers, digests and leaves stay, and with them every proof ([`crate::PayloadState::Dropped`]).
    /// The segments that they are in are written anew without them, and compared with the old files but for these payloads, before those go. When it
    /// has answered, no file of the log holds the bytes any more (what a disk keeps of removed files is its own affair). Positions at and above
    /// the tail, and payloads that are gone already, are no error: it can be repeated. A crash in between leaves each segment entirely as it
    /// was or entirely without the payloads.
    ///
    /// # Errors
    /// [`SealError`]: segments before the one that failed are written already.
    pub async fn drop_payloads(&self, positions: &[RangeInclusive<Position>]) -> Result<DropReport, SealError> {
        let ranges = apart(positions, self.store.tail());
        let Some(last) = ranges.last().map(|range| *range.end()) else { return Ok(DropReport::default()) };
        let in_active = self.store.segments().last().is_some_and(|segment| segment.header.base <= last);
        if in_active {
            self.rotate().await.map_err(SealError::Rotate)?;
        }
        self.ask_sealer(|answer| Task::Drop(ranges, answer)).await
    }

    /// What was sealed since the log was opened, and what waits.
    pub fn sealing(&self) -> SealingStatus {
        self.sealing.status(&self.store)
    }

    async fn ask_sealer<T: Send + 'static>(
        &self,
        task: impl FnOnce(oneshot::Sender<Result<T, SealError>>) -> Task,
    ) -> Result<T, SealError> {
        let (answer, answered) = oneshot::channel();
        let mut task = task(answer);
        // The thread may be at work for long; nobody waits in its queue but these callers.
        while let Err(error) = self.tasks.try_send(task) {
            match error {
                std::sync::mpsc::TrySendError::Full(refused) => task = refused,
                std::sync::mpsc::TrySendError::Disconnected(_) => return Err(SealError::Stopped),
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        answered.await.unwrap_or(Err(SealError::Stopped))
    }

    async fn append_now(&self, condition: AppendCondition, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        admission::check_call(&condition, &events)?;
        let drafts = Drafts::new(&events);
        let kib = drafts.bytes.div_ceil(1024).clamp(MIN_CALL_KIB, MAX_QUEUE_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX)).await;
        let permit = room.map_err(|_| AppendError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let call = Box::new(Call { condition, events, drafts, _permit: permit });
        committer::submit(call, answer, &self.handover).map_err(|Closed| AppendError::Closed)?;
        answered.await.map_or(Err(AppendError::Closed), |(result, _)| result)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        blocking(Arc::clone(&self.store), read).await
    }
}

/// The ranges below the tail, ascending and apart from each other.
fn apart(positions: &[RangeInclusive<Position>], tail: Position) -> Vec<RangeInclusive<Position>> {
    let Some(last) = tail.previous() else { return Vec::new() };
    let mut given: Vec<(Position, Position)> =
        positions.iter().map(|range| (*range.start(), (*range.end()).min(last))).collect();
    given.retain(|(start, end)| start <= end);
    given.sort_unstable();
    let mut ranges: Vec<(Position, Position)> = Vec::new();
    for (start, end) in given {
        match ranges.last_mut().filter(|(_, before)| start <= before.next()) {
            Some((_, before)) => *before = end.max(*before),
            None => ranges.push((start, end)),
        }
    }
    ranges.into_iter().map(|(start, end)| start..=end).collect()
}

/// What is on the disk, and what readers and the committer share of it.
fn recover(folder: &Folder, options: &Options) -> Result<(Recovered, watch::Sender<Position>, Arc<Store>), OpenError> {
    let mut recovered = recovery::open(folder, options)?;
    let (announce, watched) = watch::channel(recovered.active.next);
    let segments = std::mem::take(&mut recovered.segments);
    let store = Arc::new(Store::new(recovered.log, segments, watched, Arc::clone(&recovered.cache)));
    store.load_metadata().map_err(|error| match error {
        ReadError::Corrupt { position, file, reason } => OpenError::Corrupt { position, file, reason },
        other => OpenError::Metadata(other),
    })?;
    Ok((recovered, announce, store))
}

/// How many records at the end of the log are read where one stands. They were written a moment ago, and lie in memory: to hand such a read to another thread takes longer than the
/// read.
const NEAR: u64 = 64;

fn at_once(store: &Store, from: Position, filter: &Filter, limit: PageLimit) -> bool {
    let is_near = store.tail().get().saturating_sub(from.get()) <= NEAR;
    is_near || (filter.items.is_empty() && store.lies_in_memory(from, limit))
}

/// A page forward. What waits for no disk and takes little time is read where one stands: another thread, and the way of each record from its processor to this one, cost up to as much again.
async fn page_from(store: &Arc<Store>, from: Position, filter: Filter, limit: PageLimit) -> Result<Page, ReadError> {
    if at_once(store, from, &filter, limit) {
        return store.read(from, Direction::Forward, &filter, limit);
    }
    blocking(Arc::clone(store), move |store| store.read(from, Direction::Forward, &filter, limit)).await
}

/// Reads files away from the threads that run tasks.
async fn blocking<T: Send + 'static>(
    store: Arc<Store>,
    read: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(move || read(&store)).await {
        Ok(result) => result,
        Err(error) => Err(ReadError::Index(format!("the read was broken off: {error}"))),
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a subscription holds: the files, but nothing that keeps the log from closing.
#[derive(Clone)]
struct Pages(Arc<Store>);

impl PageSource for Pages {
    async fn page(&self, from: Position, filter: &Filter, limit: PageLimit) -> Result<Page, ReadError> {
        page_from(&self.0, from, filter.clone(), limit).await
    }

    fn at_once(&self, from: Position, filter: &Filter, limit: PageLimit) -> bool {
        at_once(&self.0, from, filter, limit)
    }
}

impl EventLog for EmbeddedLog {
    fn log_id(&self) -> LogId {
        self.store.log
    }

    fn tail(&self) -> Position {
        self.store.tail()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.store.watch_tail()
    }

    fn append(
        &self,
        condition: AppendCondition,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_now(condition, events))
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        let limit = PageLimit::of(limit);
        match direction {
            Direction::Forward => Box::pin(page_from(&self.store, from, filter, limit)),
            Direction::Backward => Box::pin(self.blocking(move |store| store.read(from, direction, &filter, limit))),
        }
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        Box::pin(self.blocking(move |store| store.read_visible(&stream, from, direction, PageLimit::of(limit))))
    }

    fn seek_happened(
        &self,
        from: Position,
        direction: Direction,
        span: TimeSpan,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        // Nothing is read: each segment's range of event times is in memory.
        Box::pin(std::future::ready(Ok(self.store.seek_happened(from, direction, span))))
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        Box::pin(self.blocking(move |store| {
            let tail = store.tail();
            Ok(store.position_of(id)?.filter(|position| *position < tail))
        }))
    }

    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<ReadingsPage, ReadError>> {
        Box::pin(self.blocking(move |store| store.readings(&query)))
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        Box::pin(self.blocking(move |store| store.last_position_at(record_time)))
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        follow(Pages(Arc::clone(&self.store)), self.store.watch_tail(), from, filter)
    }
}
