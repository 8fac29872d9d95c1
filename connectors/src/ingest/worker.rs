//! The thread that turns what waits into one append.
//!
//! One round: take every batch that waits, screen the readings, seal the new ones into frames, append them all at once, note them in the index, answer. While
//! an append syncs, the next round's batches gather; nothing waits for a round to fill.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::frames::{Reading, Value};
use eventlog::{
    AppendCondition, Direction, EventLog, EventType, Filter, MAX_PAGE, NewEvent, PayloadState, Position, QueryItem,
    ReadError,
};
use projections::{Meta, READINGS_TYPE, SealError, seal_readings};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::index::{Index, IndexError, Row, Span, Update};
use super::limits::MAX_FRAME_BYTES;
use super::screen::{Item, Verdict, screen, time_ns};
use super::stored::{Frames, LookUp};
use super::{Conflict, IngestError, IngestReceipt, IngestStatistics, Limits, MAX_BATCH_READINGS, StartError};

/// The index is made durable at least this often while readings come in; a crash costs catching up with what came since.
const SYNC_EVERY: Duration = Duration::from_secs(10);

/// Records that catching up reads at once: frames are large, so this is far below what the log would hand out.
const CATCH_UP_PAGE: usize = if MAX_PAGE < 256 { MAX_PAGE } else { 256 };

/// A batch that waits.
pub(super) struct Call {
    pub(super) actor: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) readings: Vec<Reading>,
    pub(super) answer: oneshot::Sender<Result<IngestReceipt, IngestError>>,
    /// Room in the queue, given back when the call is answered.
    pub(super) _room: OwnedSemaphorePermit,
}

/// What the thread starts with.
pub(super) struct Seed {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) directory: Option<PathBuf>,
    pub(super) limits: Limits,
    pub(super) statistics: Arc<IngestStatistics>,
    pub(super) runtime: tokio::runtime::Handle,
}

struct Worker<'a> {
    seed: &'a Seed,
    index: Arc<Index>,
    spans: HashMap<Arc<str>, Span>,
    frames: Frames,
    synced: Instant,
    /// The index missed a round: it must catch up with the log before it is asked again.
    behind: bool,
}

/// The body of the thread: ends when every handle is gone, or ingest was closed, and the queue is empty.
pub(super) fn run(
    seed: &Seed,
    mut calls: mpsc::Receiver<Call>,
    started: oneshot::Sender<Result<Arc<Index>, StartError>>,
) {
    let mut worker = match Worker::open(seed) {
        Ok(worker) => worker,
        Err(error) => {
            // Nobody waits any more when the start was given up.
            drop(started.send(Err(error)));
            return;
        }
    };
    if started.send(Ok(Arc::clone(&worker.index))).is_err() {
        return;
    }
    while let Some(first) = calls.blocking_recv() {
        let mut total = first.readings.len();
        let mut round = vec![first];
        while total < seed.limits.round_readings {
            let Ok(call) = calls.try_recv() else { break };
            total += call.readings.len();
            round.push(call);
        }
        worker.answer(round);
    }
    if let Err(error) = worker.index.flush() {
        tracing::warn!(%error, "the index of reading identities was not flushed; the next start catches up with the log");
    }
}

/// What a round came to, for each of its calls.
#[derive(Clone, Copy, Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
}

impl<'a> Worker<'a> {
    fn open(seed: &'a Seed) -> Result<Self, StartError> {
        let index = Index::open(seed.directory.as_deref(), seed.log.log_id(), seed.log.tail())?;
        let refuse = |error: IndexError| StartError::Index(error.to_string());
        let spans = index.spans().map_err(refuse)?;
        let mut worker = Self {
            seed,
            index: Arc::new(index),
            spans,
            frames: Frames::default(),
            synced: Instant::now(),
            behind: false,
        };
        worker.catch_up().map_err(|error| match error {
            CatchUp::Read(error) => StartError::Read(error),
            CatchUp::Index(error) => refuse(error),
        })?;
        Ok(worker)
    }

    /// Indexes the frames that the index does not know, in log order, exactly as a live round would have.
    fn catch_up(&mut self) -> Result<(), CatchUp> {
        let mut from = self.index.through()?;
        let tail = self.seed.log.tail();
        let frames_only = match EventType::new(READINGS_TYPE) {
            Ok(readings) => Filter { items: vec![QueryItem { types: vec![readings], ..QueryItem::default() }] },
            Err(_) => Filter::all(),
        };
        let mut indexed = 0_u64;
        while from < tail {
            let page = self.seed.runtime.block_on(self.seed.log.read(
                from,
                Direction::Forward,
                frames_only.clone(),
                CATCH_UP_PAGE,
            ))?;
            let last_page = page.next.is_none();
            for record in page {
                let position = record.position;
                match eventlog::frames::decode(&record.payload) {
                    // What expired has no identities to know.
                    _ if record.payload_state != PayloadState::Present => {}
                    Ok(frame) => {
                        let readings = frame.readings().map(|(_, reading)| reading).collect();
                        self.observe(readings, position)?;
                        indexed += 1;
                    }
                    // The log keeps what this program cannot read; there is no identity to know then.
                    Err(error) => tracing::warn!(%position, %error, "a frame could not be decoded"),
                }
                from = position.next();
            }
            if last_page {
                from = tail;
            }
        }
        let update = Update { through: from, rows: Vec::new(), spans: Vec::new(), conflicts: Vec::new() };
        self.index.write(&update, true)?;
        if indexed > 0 {
            tracing::info!(frames = indexed, "the index of reading identities caught up with the log");
        }
        Ok(())
    }

    fn observe(&mut self, readings: Vec<Reading>, position: Position) -> Result<(), CatchUp> {
        let mut items: Vec<Item> =
            readings.into_iter().map(|reading| Item { group: 0, call: 0, reading, verdict: Verdict::New }).collect();
        self.screen(&mut items).map_err(|error| match error {
            LookUp::Read(error) => CatchUp::Read(error),
            LookUp::Index(error) => CatchUp::Index(error),
        })?;
        let frame: Vec<&Item> = items.iter().collect();
        let mut update =
            Update { through: position.next(), rows: Vec::new(), spans: Vec::new(), conflicts: Vec::new() };
        self.note(&frame, position, &mut update);
        self.write(update)?;
        Ok(())
    }

    fn screen(&mut self, items: &mut [Item]) -> Result<(), LookUp> {
        let rows = self.index.rows()?;
        let mut stored = self.frames.reader(&rows, &self.spans, &*self.seed.log, &self.seed.runtime);
        screen(items, &mut stored)
    }

    /// Runs a round and answers its calls. Where an append that many calls share is refused because of its content, each call is tried alone, so that none
    /// suffers for another.
    fn answer(&mut self, round: Vec<Call>) {
        let outcome = self.round(&round);
        match outcome {
            Err(error) if error.is_input() && round.len() > 1 => {
                for call in round {
                    self.answer(vec![call]);
                }
            }
            Err(error) => {
                IngestStatistics::add(&self.seed.statistics.batches_failed, round.len() as u64);
                tracing::error!(%error, batches = round.len(), "readings could not be appended");
                for call in round {
                    // A caller that went away needs no answer.
                    drop(call.answer.send(Err(error.clone())));
                }
            }
            Ok((position, tallies)) => {
                for (call, tally) in round.into_iter().zip(tallies) {
                    let receipt = IngestReceipt {
                        position,
                        accepted: tally.accepted,
                        duplicates: tally.duplicates,
                        conflicts: tally.conflicts,
                    };
                    drop(call.answer.send(Ok(receipt)));
                }
            }
        }
    }

    fn round(&mut self, round: &[Call]) -> Result<(Position, Vec<Tally>), IngestError> {
        if self.behind {
            self.catch_up().map_err(|error| match error {
                CatchUp::Read(error) => IngestError::from(error),
                CatchUp::Index(error) => IngestError::Index(error.to_string()),
            })?;
            self.behind = false;
        }
        let mut groups: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        let mut items: Vec<Item> = Vec::with_capacity(round.iter().map(|call| call.readings.len()).sum());
        for (call_index, call) in round.iter().enumerate() {
            let known = groups.iter().position(|(actor, source)| *actor == call.actor && *source == call.source);
            let group = known.unwrap_or_else(|| {
                groups.push((Arc::clone(&call.actor), Arc::clone(&call.source)));
                groups.len() - 1
            });
            items.extend(call.readings.iter().map(|reading| Item {
                group,
                call: call_index,
                reading: reading.clone(),
                verdict: Verdict::New,
            }));
        }
        self.screen(&mut items)?;
        let tallies = tally(&items, round.len());
        let total = items.len() as u64;
        let kept: Vec<&Item> = items.iter().filter(|item| item.verdict != Verdict::Duplicate).collect();
        let position = if kept.is_empty() {
            // Everything is known: it lies somewhere before the tail.
            self.seed.log.tail().previous().unwrap_or(Position::START)
        } else {
            self.append(&groups, &kept)?
        };
        let statistics = &self.seed.statistics;
        IngestStatistics::add(&statistics.readings_received, total);
        IngestStatistics::add(&statistics.readings_accepted, kept.len() as u64);
        IngestStatistics::add(&statistics.readings_duplicate, total - kept.len() as u64);
        IngestStatistics::add(
            &statistics.readings_conflicting,
            kept.iter().filter(|item| item.verdict == Verdict::Conflict).count() as u64,
        );
        Ok((position, tallies))
    }

    /// Appends what is new in one call to the log, and notes it in the index.
    fn append(&mut self, groups: &[(Arc<str>, Arc<str>)], kept: &[&Item]) -> Result<Position, IngestError> {
        let mut frames: Vec<Vec<&Item>> = Vec::new();
        let mut sealed: Vec<NewEvent> = Vec::new();
        for (group, (actor, source)) in groups.iter().enumerate() {
            let of_group: Vec<&Item> = kept.iter().filter(|item| item.group == group).copied().collect();
            for frame in cut(&of_group) {
                let readings = frame.iter().map(|item| item.reading.clone()).collect();
                let mut meta = Meta::own(actor, None);
                meta.source = Some(source.to_string());
                sealed.push(
                    seal_readings(source, readings, meta)
                        .map_err(|error: SealError| IngestError::Frame(error.to_string()))?,
                );
                frames.push(frame.to_vec());
            }
        }
        let count = frames.len() as u64;
        let appended = self.seed.runtime.block_on(self.seed.log.append(AppendCondition::none(), sealed))?;
        IngestStatistics::add(&self.seed.statistics.frames, count);
        IngestStatistics::add(&self.seed.statistics.appends, 1);
        let mut update =
            Update { through: appended.last.next(), rows: Vec::new(), spans: Vec::new(), conflicts: Vec::new() };
        for (offset, frame) in (0_u64..).zip(&frames) {
            self.note(frame, appended.first.plus(offset), &mut update);
        }
        // The readings are durable, whatever becomes of the index: it catches up with the log before the next round.
        if let Err(error) = self.write(update) {
            tracing::error!(%error, "the index of reading identities could not be written; it will catch up with the log");
            self.behind = true;
        }
        Ok(appended.last)
    }

    /// Adds one frame's signals and conflicts to the update. The items are sorted by signal and time.
    fn note(&mut self, frame: &[&Item], position: Position, update: &mut Update) {
        for column in frame.chunk_by(|one, other| one.reading.signal == other.reading.signal) {
            let (Some(first), Some(last)) = (column.first(), column.last()) else { continue };
            let signal = Arc::clone(&first.reading.signal);
            let (oldest_ns, newest_ns) = (time_ns(&first.reading), time_ns(&last.reading));
            let width = newest_ns.saturating_sub(oldest_ns);
            let span = self.spans.entry(Arc::clone(&signal)).or_insert(Span { newest_ns, widest_ns: width });
            span.newest_ns = span.newest_ns.max(newest_ns);
            span.widest_ns = span.widest_ns.max(width);
            update.spans.push((Arc::clone(&signal), *span));
            update.rows.push(Row { signal, oldest_ns, newest_ns, position });
        }
        update.conflicts.extend(frame.iter().filter(|item| item.verdict == Verdict::Conflict).map(|item| Conflict {
            signal: Arc::clone(&item.reading.signal),
            time: item.reading.time,
            sequence: item.reading.sequence,
            position,
        }));
    }

    fn write(&mut self, update: Update) -> Result<(), IndexError> {
        let durable = self.synced.elapsed() >= SYNC_EVERY;
        self.index.write(&update, durable)?;
        if durable {
            self.synced = Instant::now();
        }
        Ok(())
    }
}

fn tally(items: &[Item], calls: usize) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); calls];
    for item in items {
        let Some(tally) = tallies.get_mut(item.call) else { continue };
        match item.verdict {
            Verdict::New => tally.accepted += 1,
            Verdict::Duplicate => tally.duplicates += 1,
            Verdict::Conflict => {
                tally.accepted += 1;
                tally.conflicts += 1;
            }
        }
    }
    tallies
}

/// Cuts sorted items into frames that the log takes.
fn cut<'items, 'item>(items: &'items [&'item Item]) -> Vec<&'items [&'item Item]> {
    /// Time, sequence, value and status of one reading, and a share of its column's head, from above.
    const READING_BYTES: usize = 64;
    let mut frames = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    let mut signal: Option<&str> = None;
    for (index, item) in items.iter().enumerate() {
        let text = if let Value::Text(text) = &item.reading.value { text.len() } else { 0 };
        let name = if signal == Some(&*item.reading.signal) { 0 } else { item.reading.signal.len() };
        let more = READING_BYTES + text + name;
        if index > start && (index - start >= MAX_BATCH_READINGS || bytes + more > MAX_FRAME_BYTES) {
            frames.extend(items.get(start..index));
            (start, bytes) = (index, 0);
        }
        bytes += more;
        signal = Some(&item.reading.signal);
    }
    frames.extend(items.get(start..).filter(|rest| !rest.is_empty()));
    frames
}

enum CatchUp {
    Read(ReadError),
    Index(IndexError),
}

impl From<ReadError> for CatchUp {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<IndexError> for CatchUp {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}
