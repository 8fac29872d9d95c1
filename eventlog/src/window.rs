//! Reads by time: which spans there are, and how a read within them is made of reads by position.

use jiff::{SignedDuration, Timestamp};

use crate::page::{Gather, PageLimit};
use crate::{Direction, EventLog, Filter, Page, Position, ReadError, Record};

/// The most pages that one read within a window looks at. What it has not found by then, the next page looks for.
const MAX_PAGES_SCANNED: usize = 16;

/// The records that a read within a window looks at in one go.
const SCAN_PAGE: usize = 1_000;

/// A span of time: from an instant, including it, until another one, excluding it. A bound that is `None` is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpan {
    /// The first instant that belongs to it.
    pub from: Option<Timestamp>,
    /// The first instant after it.
    pub until: Option<Timestamp>,
}

impl TimeSpan {
    /// Every time, also an unknown one.
    pub const ANY: TimeSpan = TimeSpan { from: None, until: None };

    /// Whether it excludes nothing.
    pub fn is_any(&self) -> bool {
        *self == Self::ANY
    }

    /// Whether the instant belongs to it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Whether some instant from `least` to `greatest`, both included, may belong to it.
    pub fn meets(&self, least: Timestamp, greatest: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= greatest) && self.until.is_none_or(|until| least < until)
    }
}

/// The times of a read: both must fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// When the record was logged.
    pub recorded: TimeSpan,
    /// When the event happened. A record whose event time is unknown is only in a window that asks for no event time.
    pub happened: TimeSpan,
}

impl Window {
    /// Whether the record is within both spans.
    pub fn matches(&self, record: &Record) -> bool {
        let happened = || record.event_time.is_some_and(|time| self.happened.contains(time));
        self.recorded.contains(record.record_time) && (self.happened.is_any() || happened())
    }
}

/// The first position that was recorded at or after the time.
async fn first_position_at(log: &(impl EventLog + ?Sized), time: Timestamp) -> Result<Position, ReadError> {
    let Ok(before) = time.checked_sub(SignedDuration::from_nanos(1)) else { return Ok(Position::START) };
    Ok(log.last_position_at(before).await?.map_or(Position::START, Position::next))
}

/// The default of [`EventLog::read_within`].
pub(crate) async fn read_within(
    log: &(impl EventLog + ?Sized),
    window: Window,
    from: Position,
    direction: Direction,
    filter: Filter,
    limit: usize,
) -> Result<Page, ReadError> {
    // Record times never decrease: what was recorded within a span stands between two positions.
    let low = match window.recorded.from {
        Some(time) => first_position_at(log, time).await?,
        None => Position::START,
    };
    let end = match window.recorded.until {
        Some(time) => first_position_at(log, time).await?,
        None => Position::new(u64::MAX),
    };
    let within = |position: Position| (low <= position && position < end).then_some(position);
    let mut at = match direction {
        Direction::Forward => within(from.max(low)),
        Direction::Backward => end.previous().and_then(|last| within(from.min(last))),
    };
    let mut gather = Gather::new(PageLimit::of(limit));
    if gather.is_full() {
        return Ok(Page { records: Vec::new(), next: at });
    }
    for _ in 0..MAX_PAGES_SCANNED {
        let Some(start) = at else { break };
        let start = match window.happened.is_any() {
            true => Some(start),
            false => log.seek_happened(start, direction, window.happened).await?.and_then(within),
        };
        let Some(start) = start else { return Ok(gather.page(from, |_| None)) };
        let wanted = if window.happened.is_any() { gather.room() } else { SCAN_PAGE };
        let page = log.read(start, direction, filter.clone(), wanted).await?;
        at = page.next.and_then(within);
        for record in page {
            let position = record.position;
            if within(position).is_none() {
                at = None;
                break;
            }
            if !window.matches(&record) {
                continue;
            }
            gather.push(record);
            if gather.is_full() {
                return Ok(gather.page(from, |last| match direction {
                    Direction::Forward => within(last.position.next()),
                    Direction::Backward => last.position.previous().and_then(within),
                }));
            }
        }
        if window.happened.is_any() && at.is_none() {
            break;
        }
    }
    let mut page = gather.page(from, |_| None);
    page.next = at;
    Ok(page)
}
