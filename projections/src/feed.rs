//! What follows the log reads most records together: they are read once, and decoded once, for all who are at the same place.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use eventlog::frames::Decoder;
use eventlog::{Direction, EventLog, Filter, Position, ReadError, Record};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::Entry;
use crate::pages::{Page, PageSize};

/// Followers within so many positions of each other are company: who is ahead reads for those behind.
const REACH: u64 = 16_384;

/// How many others make it worth to read everything instead of what one's own filter matches.
const COMPANY: usize = 2;

/// What is kept for those behind, in bytes of payload and estimated headers; beyond it the oldest goes, and who wanted it reads for itself.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
const HEADER_BYTES: usize = 512;

/// The most runs that are kept: near the tail they are short.
const KEPT_RUNS: usize = 128;

/// What a run should weigh, in payload bytes.
const RUN_BYTES: usize = 1024 * 1024;

/// A log with those who follow it. Cheap to clone; all clones share what they read.
///
/// What is shared is kept only while somebody behind is about to want it, so that a payload that is erased does not live on here. Who had read it before folds the erasure
/// after it, as everybody does.
#[derive(Clone)]
pub struct Feed {
    log: Arc<dyn EventLog>,
    runs: Arc<Runs>,
}

impl Feed {
    /// A feed of this log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, runs: Arc::default() }
    }

    /// The log.
    pub const fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// Somebody who follows from now on.
    pub(crate) fn follower(&self) -> Follower {
        let mut state = self.runs.0.lock();
        state.named += 1;
        Follower { id: state.named, runs: Arc::clone(&self.runs) }
    }
}

impl From<Arc<dyn EventLog>> for Feed {
    fn from(log: Arc<dyn EventLog>) -> Self {
        Self::new(log)
    }
}

impl From<&Arc<dyn EventLog>> for Feed {
    fn from(log: &Arc<dyn EventLog>) -> Self {
        Self::new(Arc::clone(log))
    }
}

impl From<&Self> for Feed {
    fn from(feed: &Self) -> Self {
        feed.clone()
    }
}

/// A record that several look at. The first who wants it decodes it.
struct Shared {
    record: Record,
    entry: OnceLock<Arc<Entry>>,
}

/// Every record from where it begins up to `through`.
struct Run {
    records: Vec<Shared>,
    through: Position,
    bytes: usize,
}

impl Run {
    /// What is in it from a position on, as far as the filter lets it through.
    fn page(&self, from: Position, filter: &Filter, frames: &mut Decoder) -> Page {
        let first = self.records.partition_point(|shared| shared.record.position < from);
        let wanted = self.records.iter().skip(first).filter(|shared| filter.matches(&shared.record));
        let decoded = wanted.map(|shared| {
            let decode = || Arc::new(Entry::decode_with(shared.record.clone(), frames));
            Arc::clone(shared.entry.get_or_init(decode))
        });
        Page { entries: decoded.collect(), through: self.through }
    }
}

#[derive(Default)]
struct Runs(Mutex<State>);

#[derive(Default)]
struct State {
    /// Runs by where they begin; one that is still being read is empty.
    runs: BTreeMap<Position, Arc<OnceCell<Run>>>,
    /// Where those are who read.
    followers: BTreeMap<u64, Position>,
    named: u64,
    size: PageSize,
}

impl State {
    /// The run that holds a position.
    fn holding(&self, at: Position) -> Option<&Arc<OnceCell<Run>>> {
        let (_, cell) = self.runs.range(..=at).next_back()?;
        cell.get().filter(|run| run.through > at).map(|_| cell)
    }

    /// How many others want what begins here.
    fn company(&self, id: u64, from: Position) -> usize {
        let reach = from.get().saturating_sub(REACH)..=from.get();
        self.followers.iter().filter(|(other, at)| **other != id && reach.contains(&at.get())).count()
    }

    /// Lets go of what nobody is about to want, and of the oldest beyond what may be kept.
    fn tidy(&mut self) {
        let followers = &self.followers;
        self.runs.retain(|start, cell| {
            let through = cell.get().map_or(start.next(), |run| run.through);
            let near = start.get().saturating_sub(REACH)..through.get();
            followers.values().any(|at| near.contains(&at.get()))
        });
        let weigh = |cell: &Arc<OnceCell<Run>>| cell.get().map_or(0, |run| run.bytes);
        let mut bytes: usize = self.runs.values().map(weigh).sum();
        while bytes > KEPT_BYTES || self.runs.len() > KEPT_RUNS {
            let Some((_, oldest)) = self.runs.pop_first() else { break };
            bytes -= weigh(&oldest);
        }
    }
}

/// One who follows, and what it shares with the others.
pub(crate) struct Follower {
    id: u64,
    runs: Arc<Runs>,
}

impl Follower {
    /// The next page where others read the same; `None` when it is alone there, and had better read what it wants itself.
    pub async fn next(
        &self,
        log: &dyn EventLog,
        from: Position,
        filter: &Filter,
        frames: &mut Decoder,
    ) -> Result<Option<Page>, ReadError> {
        let (cell, limit) = {
            let mut state = self.runs.0.lock();
            state.followers.insert(self.id, from);
            let limit = state.size.records();
            match state.holding(from) {
                Some(cell) => (Arc::clone(cell), limit),
                None if state.company(self.id, from) < COMPANY => return Ok(None),
                None => {
                    let cell = state.runs.entry(from).or_default();
                    if cell.get().is_some() {
                        // Whoever read here found the end of the log; there is more of it now.
                        *cell = Arc::default();
                    }
                    (Arc::clone(cell), limit)
                }
            }
        };
        let run = cell.get_or_try_init(|| self.read(log, from, limit)).await?;
        Ok(Some(run.page(from, filter, frames)))
    }

    async fn read(&self, log: &dyn EventLog, from: Position, limit: usize) -> Result<Run, ReadError> {
        // Ordering: the tail is taken before the read, so that a run which ends early covers everything below it.
        let tail = log.tail();
        let page = log.read(from, Direction::Forward, Filter::all(), limit).await?;
        let ended = page.next.is_none();
        let payloads = page.records.iter().map(|record| record.payload.len()).sum();
        self.runs.0.lock().size.learn(payloads, ended, RUN_BYTES);
        let last = page.records.last().map_or(from, |record| record.position.next());
        let through = if ended { last.max(tail) } else { last };
        let bytes = payloads + page.records.len() * HEADER_BYTES;
        let records = page.records.into_iter().map(|record| Shared { record, entry: OnceLock::new() }).collect();
        Ok(Run { records, through, bytes })
    }

    /// It is here now.
    pub fn reached(&self, position: Position) {
        let mut state = self.runs.0.lock();
        state.followers.insert(self.id, position);
        state.tidy();
    }

    /// It reads no more: nothing is kept for it.
    pub fn rests(&self) {
        let mut state = self.runs.0.lock();
        state.followers.remove(&self.id);
        state.tidy();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.rests();
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
