//! What the log must hold, told by nothing but the calls and their answers.

use std::collections::HashMap;

use eventlog::embedded::{EmbeddedLog, verify_on};
use eventlog::{
    Appended, Direction, EventId, EventLog, Filter, NewEvent, Position, ReadError, Record, Revision, StreamId, Tree,
};

use crate::disk::SimulatedDisk;

/// One call whose outcome a crash left open: it is there entirely, or not at all.
pub type Unanswered = Vec<NewEvent>;

/// The reference: every event that was acknowledged, in its place.
#[derive(Default)]
pub struct Model {
    /// What is known to be durable, by position.
    pub durable: Vec<NewEvent>,
    pub unanswered: Vec<Unanswered>,
    /// What was compared, so that a run can show that it compared something.
    pub compared: u64,
    /// How many unanswered calls turned out to be there, and not to be there.
    pub survived: u64,
    pub vanished: u64,
}

impl Model {
    /// The log answered that these events stand there.
    ///
    /// # Panics
    /// When that cannot be.
    pub fn acknowledged(&mut self, events: Vec<NewEvent>, appended: Appended) {
        let first = usize::try_from(appended.first.get()).unwrap();
        assert_eq!(appended.last.get() - appended.first.get() + 1, events.len() as u64, "as many places as events");
        if appended.repeated {
            let known = self.durable.get(first..first + events.len()).expect("what is repeated is known");
            for (known, event) in known.iter().zip(&events) {
                assert_eq!(known.id, event.id, "what is repeated stands where it stood");
            }
            return;
        }
        // Appends that run at the same time may be answered in another order than they were written.
        if self.durable.len() < first + events.len() {
            self.durable.resize_with(first + events.len(), hole);
        }
        for (place, event) in self.durable[first..].iter_mut().zip(events) {
            assert!(is_hole(place), "two events were promised the same place");
            *place = event;
        }
    }

    /// Every acknowledged event has its place, and no place is without one.
    pub fn assert_whole(&self) {
        assert!(!self.durable.iter().any(is_hole), "a place was skipped");
    }

    /// Compares everything that the log holds with what it must hold; takes over the unanswered calls that are there.
    pub async fn check(&mut self, log: &EmbeddedLog, disk: &SimulatedDisk, folder: &std::path::Path) {
        let records = all(log).await.unwrap();
        let acknowledged = self.durable.len();
        assert!(records.len() >= acknowledged, "{acknowledged} events were acknowledged, {} are there", records.len());
        self.fill_holes(&records);
        for (event, record) in self.durable.iter().zip(&records) {
            same(event, record);
            self.compared += 1;
        }
        self.take_over(&records[acknowledged..]);
        structure(&records);
        let mut tree = Tree::new();
        records.iter().for_each(|record| tree.push(record.leaf_digest()));
        assert_eq!(log.tree(), tree, "the tree is that of the records");
        assert_eq!(log.tail().get(), records.len() as u64);
        let verified = verify_on(std::sync::Arc::new(disk.clone()), folder).unwrap();
        assert_eq!((verified.records, verified.root), (records.len() as u64, tree.root()));
        self.indexes(log, &records).await;
    }

    /// A poisoned log says that it does not know: such a call may be there all the same, also in front of one that was answered at the same time.
    fn fill_holes(&mut self, records: &[Record]) {
        for (at, record) in records.iter().enumerate().take(self.durable.len()) {
            if !is_hole(&self.durable[at]) {
                continue;
            }
            let found = self.unanswered.iter().position(|call| call.first().is_some_and(|event| event.id == record.id));
            let call = self.unanswered.remove(found.unwrap_or_else(|| panic!("record {at} was invented")));
            self.survived += 1;
            for (place, event) in self.durable[at..].iter_mut().zip(call) {
                assert!(is_hole(place), "a call is there in part: from record {at}");
                *place = event;
            }
        }
    }

    fn take_over(&mut self, mut rest: &[Record]) {
        let mut unanswered = std::mem::take(&mut self.unanswered);
        while let Some(record) = rest.first() {
            let found = unanswered.iter().position(|call| call.first().is_some_and(|event| event.id == record.id));
            let call = unanswered.remove(found.unwrap_or_else(|| panic!("record {} was invented", record.position)));
            assert!(rest.len() >= call.len(), "a call is there in part: from record {}", record.position);
            for (event, record) in call.iter().zip(rest) {
                same(event, record);
                self.compared += 1;
            }
            rest = &rest[call.len()..];
            self.durable.extend(call);
            self.survived += 1;
        }
        self.vanished += unanswered.len() as u64;
    }

    /// Each way to a record leads to it.
    async fn indexes(&self, log: &EmbeddedLog, records: &[Record]) {
        let mut streams: HashMap<&StreamId, Vec<&Record>> = HashMap::new();
        for record in records {
            streams.entry(&record.stream).or_default().push(record);
            assert_eq!(log.position_of(record.id).await.unwrap(), Some(record.position));
        }
        for (stream, expected) in streams {
            let found = log.read_stream(stream.clone(), Revision::START, Direction::Forward, 10_000).await.unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
        let never = EventId::derived("simulation", "never appended");
        assert_eq!(log.position_of(never).await.unwrap(), None);
    }

    /// After damage: whatever is answered is right, and what is not answered is reported. Answers whether damage was seen.
    pub async fn check_damaged(&mut self, log: &EmbeddedLog) -> bool {
        assert_eq!(log.tail().get(), self.durable.len() as u64, "damage must not shorten the log");
        let mut seen = false;
        for (position, event) in self.durable.iter().enumerate() {
            match log.read(Position::new(position as u64), Direction::Forward, Filter::all(), 1).await {
                Ok(page) => {
                    same(event, page.first().expect("a page below the tail holds a record"));
                    self.compared += 1;
                }
                Err(ReadError::Corrupt { .. } | ReadError::Index(_)) => seen = true,
                Err(other) => panic!("damage is reported as such, not as {other}"),
            }
            // An event that is forgotten would be taken a second time.
            match log.position_of(event.id).await {
                Ok(found) => assert_eq!(found.map(|found| found.get()), Some(position as u64)),
                Err(ReadError::Corrupt { .. } | ReadError::Index(_)) => seen = true,
                Err(other) => panic!("damage is reported as such, not as {other}"),
            }
        }
        seen
    }
}

/// A place that no event has yet.
fn hole() -> NewEvent {
    crate::driver::event(u64::MAX, 0)
}

pub fn is_hole(event: &NewEvent) -> bool {
    event.id == crate::driver::event_id(u64::MAX)
}

fn same(event: &NewEvent, record: &Record) {
    assert_eq!(event.id, record.id, "another event stands at {}", record.position);
    assert_eq!(event.content_digest(), record.content_digest(), "at {}", record.position);
    assert_eq!(event.payload, record.payload, "at {}", record.position);
    assert_eq!(event.tags, *record.tags, "at {}", record.position);
}

/// Positions and revisions without gap, record times that never decrease.
fn structure(records: &[Record]) {
    let mut revisions: HashMap<&StreamId, u64> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.position.get(), index as u64);
        let revision = revisions.entry(&record.stream).or_default();
        assert_eq!(record.revision.get(), *revision);
        *revision += 1;
    }
    assert!(records.is_sorted_by_key(|record| record.record_time), "record times never decrease");
}

async fn all(log: &EmbeddedLog) -> Result<Vec<Record>, ReadError> {
    let mut records: Vec<Record> = Vec::new();
    while (records.len() as u64) < log.tail().get() {
        let from = Position::new(records.len() as u64);
        records.extend(log.read(from, Direction::Forward, Filter::all(), 1_000).await?);
    }
    Ok(records)
}
