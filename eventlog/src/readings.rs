//! The readings of one signal within a span of time, page by page.

use jiff::Timestamp;
use serde::Serialize;

use crate::frames::{self, StatusCode, Value};
use crate::{
    ContentType, DigestAlgorithm, Direction, EventLog, Filter, MAX_PAGE, PayloadState, Position, ReadError, Record,
};

/// Where a reading stands: the record of its frame, and its row in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ReadingAddress {
    /// The position of the record.
    pub position: Position,
    /// The row in its frame.
    pub row: u32,
}

impl ReadingAddress {
    /// The start of the log.
    pub const START: ReadingAddress = ReadingAddress { position: Position::START, row: 0 };
}

/// Which readings are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingsQuery {
    /// The signal's id.
    pub signal: String,
    /// The earliest source time, itself included.
    pub from: Timestamp,
    /// The source time before which readings end.
    pub to: Timestamp,
    /// Only what was known then: records below this position.
    pub below: Position,
    /// Where to begin: [`ReadingsPage::next`] of the page before.
    pub start: ReadingAddress,
    /// How many readings at most; never more than [`MAX_PAGE`].
    pub limit: usize,
}

impl ReadingsQuery {
    /// Every reading of a signal, the first page of them.
    pub fn all(signal: &str) -> Self {
        Self {
            signal: signal.to_owned(),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            below: Position::new(u64::MAX),
            start: ReadingAddress::START,
            limit: MAX_PAGE,
        }
    }

    /// The span in nanoseconds: the first one and the last one.
    pub(crate) fn span_ns(&self) -> (i64, i64) {
        let clamped = |time: i128| i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX });
        (clamped(self.from.as_nanosecond()), clamped(self.to.as_nanosecond() - 1))
    }
}

/// One reading of the signal that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalReading {
    /// Where it stands.
    pub address: ReadingAddress,
    /// When the source says that it was so.
    pub time: Timestamp,
    /// The source's own count, where it sends one.
    pub sequence: Option<u64>,
    /// What was read.
    pub value: Value,
    /// How good it is.
    pub status: StatusCode,
}

/// What was read of the log to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// Segments that were looked into.
    pub segments: u64,
    /// Frames of segments that are not sealed.
    pub frames: u64,
    /// Chunks of sealed segments.
    pub chunks: u64,
    /// Bytes of frames, and of the heads and pages of chunks, whether they were in memory or not.
    pub bytes: u64,
}

/// Readings in the order of their addresses: the order in which the log learnt of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadingsPage {
    /// The readings.
    pub readings: Vec<SignalReading>,
    /// Where the next page begins; `None` when there is nothing more.
    pub next: Option<ReadingAddress>,
    /// What was read to answer.
    pub touched: Touched,
}

/// A page that is being filled.
pub(crate) struct Filling {
    pub(crate) span_ns: (i64, i64),
    pub(crate) limit: usize,
    pub(crate) page: ReadingsPage,
}

impl Filling {
    pub(crate) fn new(query: &ReadingsQuery) -> Self {
        Self { span_ns: query.span_ns(), limit: query.limit.clamp(1, MAX_PAGE), page: ReadingsPage::default() }
    }

    pub(crate) fn overlaps(&self, min_time_ns: i64, max_time_ns: i64) -> bool {
        min_time_ns <= self.span_ns.1 && max_time_ns >= self.span_ns.0
    }

    /// Takes a reading when its time is within the span. `false` when the page was full already: it begins the next one.
    pub(crate) fn take(&mut self, time_ns: i64, reading: impl FnOnce(Timestamp) -> Option<SignalReading>) -> bool {
        if time_ns < self.span_ns.0 || time_ns > self.span_ns.1 {
            return true;
        }
        let reading = Timestamp::from_nanosecond(i128::from(time_ns)).ok().and_then(reading);
        let Some(reading) = reading else { return true };
        if self.page.readings.len() >= self.limit {
            self.page.next = Some(reading.address);
            return false;
        }
        self.page.readings.push(reading);
        true
    }

    /// Takes the readings of the signal in a frame. `false` when the page is full.
    pub(crate) fn take_frame(&mut self, record: &Record, query: &ReadingsQuery) -> Result<bool, ReadError> {
        let readable = record.content_type == ContentType::Frame
            && record.payload_digest.algorithm == DigestAlgorithm::FrameSha256
            && record.payload_state == PayloadState::Present;
        if !readable {
            return Ok(true);
        }
        let (span, bytes) = (self.span_ns, record.payload.len() as u64);
        let columns = frames::decode_columns(&record.payload, |column| {
            *column.signal == *query.signal && column.min_time_ns <= span.1 && column.max_time_ns >= span.0
        });
        let columns = columns.map_err(|error| ReadError::Corrupt {
            position: record.position,
            file: "its frame".to_owned(),
            reason: error.to_string(),
        })?;
        self.page.touched.frames += 1;
        self.page.touched.bytes += bytes;
        for column in columns.columns() {
            for (row, reading) in column.readings() {
                let address = ReadingAddress { position: record.position, row };
                if address < query.start {
                    continue;
                }
                let time_ns = crate::record::nanoseconds(reading.time);
                let taken = self.take(time_ns, |time| {
                    let frames::Reading { sequence, value, status, .. } = reading;
                    Some(SignalReading { address, time, sequence, value, status })
                });
                if !taken {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// The answer of an engine that has nothing better: every frame is read.
pub(crate) async fn scan<L: EventLog + ?Sized>(log: &L, query: ReadingsQuery) -> Result<ReadingsPage, ReadError> {
    /// Frames may be large.
    const RECORDS_AT_ONCE: usize = 64;
    let mut filling = Filling::new(&query);
    let end = query.below.min(log.tail());
    let mut from = query.start.position;
    while from < end {
        let records = log.read(from, Direction::Forward, Filter::all(), RECORDS_AT_ONCE).await?;
        let Some(last) = records.last().map(|record| record.position) else { break };
        for record in records.iter().take_while(|record| record.position < end) {
            if !filling.take_frame(record, &query)? {
                return Ok(filling.page);
            }
        }
        from = last.next();
    }
    Ok(filling.page)
}
