//! What happens beside the commit path: indexes of sealed segments are written to files, and the durable mark follows the tail.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::disk::Folder;
use super::index::Index;
use super::index_file::FileIndex;
use super::mark::{Mark, MarkFile};
use super::sealer::Task;
use super::store::Segment;
use crate::Position;

/// How many sealed segments may wait with their index in memory.
pub(super) const MAX_WAITING_SEGMENTS: usize = 4;

/// How long the mark may stay behind the tail.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// What the background is told.
pub(super) enum Job {
    /// A segment will not change any more.
    Sealed {
        segment: Arc<Segment>,
        /// Its final length.
        bytes: u64,
    },
    /// Answer when everything before this has been done.
    Passed(Sender<()>),
    /// The log closes with this tail.
    Close {
        tail: Position,
        /// Whether everything that was appended is on disk.
        in_order: bool,
    },
}

pub(super) struct Background {
    pub(super) folder: Folder,
    pub(super) mark: MarkFile,
    pub(super) marked: Position,
    pub(super) tail: watch::Receiver<Position>,
    /// Told when a closed segment has its index.
    pub(super) sealer: SyncSender<Task>,
}

impl Background {
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut due = Instant::now() + MARK_INTERVAL;
        loop {
            match jobs.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Job::Sealed { segment, bytes }) => {
                    self.index(&segment, bytes);
                    // A full queue means that the sealer will look anyway.
                    let _ = self.sealer.try_send(Task::Wake);
                }
                Ok(Job::Passed(done)) => drop(done.send(())),
                Ok(Job::Close { tail, in_order }) => {
                    self.mark(tail, in_order);
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= due {
                let tail = *self.tail.borrow();
                if tail > self.marked {
                    self.mark(tail, false);
                }
                due = Instant::now() + MARK_INTERVAL;
            }
        }
    }

    /// Writes the index and lets go of the one in memory. When that fails, the one in memory serves on, and the next opening builds the file.
    fn index(&self, segment: &Segment, bytes: u64) {
        let written = match &*segment.index.read() {
            Index::Memory(index) => FileIndex::write(&self.folder, &segment.header, bytes, index.contents()),
            Index::File(_) => return,
        };
        match written {
            Ok(index) => *segment.index.write() = Index::File(index),
            Err(error) => {
                tracing::warn!(segment = %segment.name, %error, "the index of a sealed segment could not be written")
            }
        }
    }

    fn mark(&mut self, tail: Position, closed: bool) {
        match self.mark.write(Mark { tail, closed }) {
            Ok(()) => self.marked = tail,
            Err(error) => tracing::warn!(%error, "the durable mark could not be written"),
        }
    }
}
