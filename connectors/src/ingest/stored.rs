//! What the log holds under a reading's identity.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use eventlog::frames::{Column, Frame};
use eventlog::{Direction, EventLog, Filter, PayloadState, Position, ReadError};

use super::IngestError;
use super::index::{IndexError, Rows, Span};
use super::screen::{Content, Stored};

/// Decoded frames that are kept: redeliveries and repeated imports ask for the same few again and again.
const KEPT_FRAMES: usize = 64;

/// Why a look-up failed.
pub(super) enum LookUp {
    Read(ReadError),
    Index(IndexError),
}

impl From<IndexError> for LookUp {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<LookUp> for IngestError {
    fn from(error: LookUp) -> Self {
        match error {
            LookUp::Read(error) => error.into(),
            LookUp::Index(error) => Self::Index(error.to_string()),
        }
    }
}

/// Frames that were looked into lately; the oldest goes first.
#[derive(Default)]
pub(super) struct Frames {
    by_position: HashMap<Position, Arc<Frame>>,
    order: VecDeque<Position>,
}

/// Looks into the log for one round.
pub(super) struct Reader<'a> {
    frames: &'a mut Frames,
    rows: &'a Rows,
    spans: &'a HashMap<Arc<str>, Span>,
    log: &'a dyn EventLog,
    runtime: &'a tokio::runtime::Handle,
}

impl Frames {
    pub(super) fn reader<'a>(
        &'a mut self,
        rows: &'a Rows,
        spans: &'a HashMap<Arc<str>, Span>,
        log: &'a dyn EventLog,
        runtime: &'a tokio::runtime::Handle,
    ) -> Reader<'a> {
        Reader { frames: self, rows, spans, log, runtime }
    }
}

impl Reader<'_> {
    fn frame(&mut self, position: Position) -> Result<Arc<Frame>, LookUp> {
        if let Some(frame) = self.frames.by_position.get(&position) {
            return Ok(Arc::clone(frame));
        }
        let page = self
            .runtime
            .block_on(self.log.read(position, Direction::Forward, Filter::all(), 1))
            .map_err(LookUp::Read)?;
        let corrupt =
            |reason: String| LookUp::Read(ReadError::Corrupt { position, file: "the log".to_owned(), reason });
        let record = page
            .first()
            .filter(|record| record.position == position)
            .ok_or_else(|| corrupt("the index names a record that the log does not have".to_owned()))?;
        // What expired is not known any more: a reading that comes again after so long counts as new.
        let frame = match record.payload_state {
            PayloadState::Present => {
                eventlog::frames::decode(&record.payload).map_err(|error| corrupt(error.to_string()))?
            }
            PayloadState::Dropped | PayloadState::Erased => Frame::default(),
        };
        let frame = Arc::new(frame);
        if self.frames.order.len() >= KEPT_FRAMES
            && let Some(oldest) = self.frames.order.pop_front()
        {
            self.frames.by_position.remove(&oldest);
        }
        self.frames.order.push_back(position);
        self.frames.by_position.insert(position, Arc::clone(&frame));
        Ok(frame)
    }
}

impl Stored for Reader<'_> {
    type Error = LookUp;

    fn contents(&mut self, signal: &Arc<str>, time_ns: i64, sequence: Option<u64>) -> Result<Vec<Content>, LookUp> {
        // The fast path of live data: newer than everything that is known.
        let Some(span) = self.spans.get(signal).copied().filter(|span| time_ns <= span.newest_ns) else {
            return Ok(Vec::new());
        };
        let mut contents = Vec::new();
        for position in self.rows.covering(signal, time_ns, span)? {
            let frame = self.frame(position)?;
            for column in frame.columns_of(signal) {
                collect(column, time_ns, sequence, &mut contents);
            }
        }
        Ok(contents)
    }
}

fn collect(column: Column<'_>, time_ns: i64, sequence: Option<u64>, contents: &mut Vec<Content>) {
    let start = column.times_ns.partition_point(|time| *time < time_ns);
    let end = column.times_ns.partition_point(|time| *time <= time_ns);
    for index in start..end {
        if column.sequences.get(index) == sequence
            && let (Some(value), Some(status)) = (column.values.get(index), column.statuses.get(index))
        {
            contents.push((value, status));
        }
    }
}
