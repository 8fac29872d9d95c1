//! The suite that every engine passes: the contract of [`EventLog`] as cases that compare what a log answers with what it must answer.
//!
//! An engine's test calls [`run`] with a closure that opens an empty log with the given clock. Each case gets a log of its own, counts what it
//! compared, and fails when it compared nothing.

mod appending;
mod conditions;
mod following;
mod metadata;
mod reading;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{BoxFuture, Category, Clock, EventId, EventLog, EventType, InvalidName, NewEvent, Record, StreamId, Tag};

/// What the suite compared.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of comparisons of all cases.
    pub compared: usize,
    /// The number of comparisons of each case.
    pub cases: BTreeMap<&'static str, usize>,
}

/// The first thing that an engine got wrong.
#[derive(Debug, thiserror::Error)]
#[error("conformance case {case:?}: {message}")]
pub struct Failure {
    /// The case.
    pub case: &'static str,
    /// What was expected and what came instead.
    pub message: String,
}

/// A clock that a case sets by hand.
#[derive(Clone, Debug)]
struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    fn new(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Clock::from_fn(move || at(seconds.load(Ordering::SeqCst)))
    }
}

/// The time that is this many seconds after 1970.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Counts comparisons and words failures.
struct Checks {
    case: &'static str,
    compared: usize,
}

impl Checks {
    fn equal<T: PartialEq + Debug>(&mut self, what: &str, actual: T, expected: T) -> Result<(), Failure> {
        self.compared += 1;
        if actual == expected {
            Ok(())
        } else {
            Err(self.failure(format!("{what}: expected {expected:?}, the log answers {actual:?}")))
        }
    }

    fn holds(&mut self, what: &str, holds: bool) -> Result<(), Failure> {
        self.equal(what, holds, true)
    }

    fn ok<T, E: std::error::Error>(&mut self, what: &str, result: Result<T, E>) -> Result<T, Failure> {
        self.compared += 1;
        result.map_err(|error| self.failure(format!("{what} failed: {error}")))
    }

    fn some<T>(&mut self, what: &str, value: Option<T>) -> Result<T, Failure> {
        self.compared += 1;
        value.ok_or_else(|| self.failure(format!("{what} is missing")))
    }

    fn refused<T: Debug, E>(&mut self, what: &str, result: Result<T, E>) -> Result<E, Failure> {
        self.compared += 1;
        match result {
            Err(error) => Ok(error),
            Ok(value) => Err(self.failure(format!("{what} must be refused, the log answers {value:?}"))),
        }
    }

    /// The stored records are those events, in this order.
    fn same_events(&mut self, what: &str, records: &[Record], events: &[NewEvent]) -> Result<(), Failure> {
        self.equal(what, records.len(), events.len())?;
        for (record, event) in records.iter().zip(events) {
            let again = Record::from_new(event.clone(), record.position, record.revision, record.record_time);
            self.equal(what, record, &again)?;
        }
        Ok(())
    }

    fn failure(&self, message: String) -> Failure {
        Failure { case: self.case, message }
    }
}

/// One case: the log under test, its clock, the checks.
struct Case<'a> {
    log: Arc<dyn EventLog>,
    clock: ManualClock,
    checks: &'a mut Checks,
}

type CaseFn = for<'a> fn(Case<'a>) -> BoxFuture<'a, Result<(), Failure>>;

const CASES: &[(&str, CaseFn)] = &[
    ("an append answers positions and what is read equals what was given", |case| {
        Box::pin(appending::round_trip(case))
    }),
    ("record times never decrease and are found again", |case| Box::pin(appending::record_times(case))),
    ("a call that the log does not take changes nothing", |case| Box::pin(appending::refusals(case))),
    ("a repeated call answers the first result", |case| Box::pin(appending::repeated(case))),
    ("an id that is taken is refused", |case| Box::pin(appending::id_conflicts(case))),
    ("many writers leave no gap", |case| Box::pin(appending::concurrency(case))),
    ("of many writers with one expectation one wins", |case| Box::pin(conditions::one_winner(case))),
    ("stream expectations over several streams", |case| Box::pin(conditions::streams(case))),
    ("no record matches the query after a position", |case| Box::pin(conditions::queries(case))),
    ("idempotency is checked before conditions", |case| Box::pin(conditions::idempotency_first(case))),
    ("pages in both directions", |case| Box::pin(reading::pages(case))),
    ("pages are bounded in bytes", |case| Box::pin(reading::heavy_pages(case))),
    ("reads by record time and event time", |case| Box::pin(reading::windows(case))),
    ("filters", |case| Box::pin(reading::filters(case))),
    ("streams in both directions", |case| Box::pin(reading::streams(case))),
    ("an empty log", |case| Box::pin(reading::empty(case))),
    ("deleted streams", |case| Box::pin(metadata::tombstones(case))),
    ("a deletion that races with appends", |case| Box::pin(metadata::tombstone_race(case))),
    ("truncated streams", |case| Box::pin(metadata::truncation(case))),
    ("retention classes", |case| Box::pin(metadata::retention_classes(case))),
    ("names of the log's own", |case| Box::pin(metadata::system_names(case))),
    ("a subscription catches up and goes live", |case| Box::pin(following::catch_up_and_live(case))),
    ("a filtered subscription", |case| Box::pin(following::filtered(case))),
    ("subscriptions that are polled at any time", |case| Box::pin(following::interleavings(case))),
    ("a slow subscriber", |case| Box::pin(following::slow_consumer(case))),
    ("a subscription from beyond the tail", |case| Box::pin(following::from_the_future(case))),
    ("subscriptions end when the log closes", |case| Box::pin(following::end(case))),
];

/// Runs every case, each on a new log that `make` opens with the given clock.
///
/// # Errors
/// The first [`Failure`].
pub async fn run<F, Fut>(make: F) -> Result<Report, Failure>
where
    F: Fn(Clock) -> Fut,
    Fut: Future<Output = Arc<dyn EventLog>>,
{
    let mut report = Report::default();
    for (name, case) in CASES {
        let clock = ManualClock::new(1_000);
        let log = make(clock.clock()).await;
        let mut checks = Checks { case: name, compared: 0 };
        case(Case { log, clock, checks: &mut checks }).await?;
        if checks.compared == 0 {
            return Err(checks.failure("the case compared nothing".to_owned()));
        }
        report.compared += checks.compared;
        report.cases.insert(name, checks.compared);
    }
    Ok(report)
}

/// An event with this number in the stream.
fn event(stream: &str, number: u64) -> Result<NewEvent, Failure> {
    build_event(stream, number).map_err(|error| Failure { case: "making an event", message: error.to_string() })
}

fn build_event(stream: &str, number: u64) -> Result<NewEvent, InvalidName> {
    let id = EventId::derived(stream, &number.to_string());
    let event_type = EventType::new(if number.is_multiple_of(2) { "even.happened" } else { "odd.happened" })?;
    let payload = Bytes::from(format!("{{\"stream\":\"{stream}\",\"number\":{number}}}"));
    let mut event = NewEvent::json(id, StreamId::new(stream)?, event_type, 1, "conformance", payload);
    event.tags = vec![Tag::of("number", &(number % 5).to_string())?, Tag::of("stream", stream)?];
    Ok(event)
}

/// Events with these numbers in the stream.
fn events(stream: &str, numbers: std::ops::Range<u64>) -> Result<Vec<NewEvent>, Failure> {
    numbers.map(|number| event(stream, number)).collect()
}

fn stream(text: &str) -> Result<StreamId, Failure> {
    StreamId::new(text).map_err(|error| Failure { case: "naming a stream", message: error.to_string() })
}

fn category(text: &str) -> Result<Category, Failure> {
    Category::new(text).map_err(|error| Failure { case: "naming a category", message: error.to_string() })
}
