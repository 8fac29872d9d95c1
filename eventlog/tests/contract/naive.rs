//! What an append must answer, in the plainest words: lists that are searched from the front.

use bytes::Bytes;
use eventlog::{AppendCondition, EventId, EventType, Expected, NewEvent, Query, StreamId, Tag};

/// What an append comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Appended { first: u64, last: u64, repeated: bool },
    IdConflict,
    Conflict { stream: String, actual: Option<u64> },
    QueryMatched(u64),
}

/// A log as a list.
#[derive(Debug, Default)]
pub struct Naive(Vec<NewEvent>);

pub fn stream(number: u64) -> StreamId {
    StreamId::new(["order-1", "order-2", "lot-1", "lot-2", "asset-1", "asset-2"][number as usize % 6]).unwrap()
}

pub fn tag(number: u64) -> Tag {
    Tag::of("number", &number.to_string()).unwrap()
}

/// Event number `number`; changed, it has the same id and other content.
pub fn event(number: u64, changed: bool) -> NewEvent {
    let event_type = EventType::new(&format!("kind.{}", number % 3)).unwrap();
    let payload = Bytes::from(format!("{{\"number\":{number},\"changed\":{changed}}}"));
    let id = EventId::derived("contract", &number.to_string());
    // The last two streams are only read.
    let mut event = NewEvent::json(id, stream(number % 4), event_type, 1, "test", payload);
    event.tags = (0..3).filter(|bit| number >> bit & 1 == 1).map(tag).collect();
    event
}

fn matches(query: &Query, event: &NewEvent) -> bool {
    query.items.iter().any(|item| {
        let category = event.stream.as_str().split('-').next().unwrap();
        (item.categories.is_empty() || item.categories.iter().any(|wanted| wanted.as_str() == category))
            && (item.types.is_empty() || item.types.contains(&event.event_type))
            && item.tags.iter().all(|wanted| event.tags.contains(wanted))
    })
}

impl Naive {
    pub fn ids(&self) -> Vec<EventId> {
        self.0.iter().map(|event| event.id).collect()
    }

    fn find(&self, event: &NewEvent) -> Option<usize> {
        self.0.iter().position(|known| known.id == event.id)
    }

    pub fn append(&mut self, condition: &AppendCondition, events: &[NewEvent]) -> Outcome {
        let twice = (1..events.len()).any(|index| events[..index].iter().any(|event| event.id == events[index].id));
        let places: Vec<Option<usize>> = events.iter().map(|event| self.find(event)).collect();
        let known = places.iter().flatten().count();
        if twice || (known > 0 && known < events.len()) {
            return Outcome::IdConflict;
        }
        if known == events.len() {
            let first = places[0].unwrap();
            let in_order = places.iter().enumerate().all(|(index, place)| *place == Some(first + index));
            let same = events.iter().zip(&self.0[first..]).all(|(event, known)| event.payload == known.payload);
            return match in_order && same {
                true => Outcome::Appended { first: first as u64, last: (first + known - 1) as u64, repeated: true },
                false => Outcome::IdConflict,
            };
        }
        for (stream, expected) in &condition.streams {
            let count = self.0.iter().filter(|event| event.stream == *stream).count() as u64;
            let holds = match expected {
                Expected::Any => true,
                Expected::NoStream => count == 0,
                Expected::Exactly(revision) => count == revision.get() + 1,
            };
            if !holds {
                return Outcome::Conflict { stream: stream.to_string(), actual: count.checked_sub(1) };
            }
        }
        if let Some((query, after)) = &condition.no_match_after {
            let from = after.map_or(0, |after| after.get() as usize + 1);
            let found = self.0.iter().enumerate().skip(from).find(|(_, event)| matches(query, event));
            if let Some((position, _)) = found {
                return Outcome::QueryMatched(position as u64);
            }
        }
        let first = self.0.len() as u64;
        self.0.extend(events.iter().cloned());
        Outcome::Appended { first, last: self.0.len() as u64 - 1, repeated: false }
    }
}
