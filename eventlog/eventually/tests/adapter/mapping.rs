//! How sources and events stand in the log, and what is refused.

use std::sync::Arc;

use bytes::Bytes;
use eventlog::{
    AppendCondition, Category, Direction, EventId, EventLog, EventType, Filter, NewEvent, Position, StreamId,
};
use eventlog_eventually::{EventKind, Store, StoreError, StreamError};
use eventually_core::store::{EventStore, Expected, Persisted, Select};
use futures::TryStreamExt;

use crate::order::{Event, OrderId};
use crate::{engines, orders};

fn picks(picks: u32) -> Event {
    Event::PicksAdded { picks }
}

/// Somebody else's event, which takes a position and does not belong to the store.
async fn foreign(log: &Arc<dyn EventLog>, stream: &str, payload: &'static [u8]) {
    let (stream, event_type) = (StreamId::new(stream).unwrap(), EventType::new("foreign").unwrap());
    let event = NewEvent::json(EventId::generate(), stream, event_type, 7, "other", Bytes::from_static(payload));
    let _ = log.append(AppendCondition::none(), vec![event]).await.unwrap();
}

async fn of_source(store: &Store<OrderId, Event>, id: u64, select: Select) -> Vec<Persisted<OrderId, Event>> {
    store.stream(OrderId(id), select).await.unwrap().try_collect().await.unwrap()
}

async fn of_all(store: &Store<OrderId, Event>, select: Select) -> Vec<Persisted<OrderId, Event>> {
    store.stream_all(select).await.unwrap().try_collect().await.unwrap()
}

fn persisted(id: u64, version: u32, sequence_number: u32, event: Event) -> Persisted<OrderId, Event> {
    Persisted::from(OrderId(id), event).version(version).sequence_number(sequence_number)
}

#[tokio::test]
async fn an_event_stands_in_the_log_by_name_and_as_json() {
    for (log, _folder) in engines() {
        let events = vec![Event::Placed { article: "府绸".to_owned() }, Event::Shipped];
        orders(&log).append(OrderId(7), Expected::Exact(0), events).await.unwrap();
        let records = log.read(Position::START, Direction::Forward, Filter::all(), 10).await.unwrap();
        let shown: Vec<_> = records
            .iter()
            .map(|record| {
                let payload = std::str::from_utf8(&record.payload).unwrap();
                (record.stream.as_str(), record.event_type.as_str(), record.schema_version, &*record.actor, payload)
            })
            .collect();
        let placed = ("order-A-7", "order.placed", 2, "shop", r#"{"kind":"placed","article":"府绸"}"#);
        assert_eq!(shown, [placed, ("order-A-7", "order.shipped", 1, "shop", r#"{"kind":"shipped"}"#)]);
        assert_ne!(records[0].id, records[1].id);
    }
}

#[tokio::test]
async fn versions_count_in_a_source_and_sequence_numbers_along_the_log() {
    for (log, _folder) in engines() {
        let mut store = orders(&log);
        foreign(&log, "lot-1", b"{}").await;
        assert_eq!(store.append(OrderId(1), Expected::Exact(0), vec![picks(1), picks(2)]).await.unwrap(), 2);
        assert_eq!(store.append(OrderId(2), Expected::Any, vec![picks(3)]).await.unwrap(), 1);
        foreign(&log, "ordering-A-1", b"{}").await;
        assert_eq!(store.append(OrderId(1), Expected::Any, vec![picks(4)]).await.unwrap(), 3);
        assert_eq!(store.append(OrderId(1), Expected::Exact(3), vec![picks(5), picks(6)]).await.unwrap(), 5);

        let first = [
            persisted(1, 1, 1, picks(1)),
            persisted(1, 2, 2, picks(2)),
            persisted(1, 3, 5, picks(4)),
            persisted(1, 4, 6, picks(5)),
            persisted(1, 5, 7, picks(6)),
        ];
        assert_eq!(of_source(&store, 1, Select::All).await, first);
        for (version, expected) in [(0, &first[..]), (1, &first), (2, &first[1..]), (5, &first[4..]), (6, &[])] {
            assert_eq!(of_source(&store, 1, Select::From(version)).await, expected, "from version {version}");
        }
        assert_eq!(of_source(&store, 2, Select::All).await, [persisted(2, 1, 3, picks(3))]);
        assert_eq!(of_source(&store, 3, Select::All).await, []);

        let mut all = first.to_vec();
        all.insert(2, persisted(2, 1, 3, picks(3)));
        assert_eq!(of_all(&store, Select::All).await, all);
        for (number, expected) in [(0, &all[..]), (1, &all), (2, &all[1..]), (4, &all[3..]), (7, &all[5..]), (8, &[])] {
            assert_eq!(of_all(&store, Select::From(number)).await, expected, "from sequence number {number}");
        }
    }
}

#[tokio::test]
async fn an_append_without_events_writes_nothing_and_answers_the_version() {
    for (log, _folder) in engines() {
        let mut store = orders(&log);
        assert_eq!(store.append(OrderId(1), Expected::Exact(0), vec![]).await.unwrap(), 0);
        store.append(OrderId(1), Expected::Any, vec![picks(1), picks(2)]).await.unwrap();
        assert_eq!(store.append(OrderId(1), Expected::Any, vec![]).await.unwrap(), 2);
        assert_eq!(store.append(OrderId(1), Expected::Exact(2), vec![]).await.unwrap(), 2);
        let error = store.append(OrderId(1), Expected::Exact(3), vec![]).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { expected: 3, actual: 2, .. }), "{error}");
        assert_eq!(log.tail().get(), 2);
    }
}

#[tokio::test]
async fn a_source_of_several_pages_is_read_whole() {
    const EVENTS: u32 = 1_203;
    for (log, _folder) in engines() {
        let mut store = orders(&log);
        // One page exactly, then more: an end on the border of a page is met too.
        for range in [0..500, 500..1_000, 1_000..EVENTS] {
            store.append(OrderId(1), Expected::Exact(range.start), range.clone().map(picks).collect()).await.unwrap();
            for events in [of_source(&store, 1, Select::All).await, of_all(&store, Select::All).await] {
                assert_eq!(events.len() as u32, range.end);
                for (number, event) in (0..).zip(events) {
                    assert_eq!(event, persisted(1, number + 1, number, picks(number)));
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_an_event_of_the_store_is_an_error_that_names_the_record() {
    for (log, _folder) in engines() {
        let mut store = orders(&log);
        store.append(OrderId(1), Expected::Exact(0), vec![picks(1)]).await.unwrap();
        foreign(&log, "order-A-1", br#"{"kind":"woven"}"#).await;
        foreign(&log, "order-B-1", br#"{"kind":"shipped"}"#).await;
        let events = store.stream(OrderId(1), Select::All).await.unwrap();
        let error = events.try_collect::<Vec<_>>().await.unwrap_err();
        let StoreError::Stream(StreamError::Decode { position, event_type, schema_version, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!((position.get(), event_type.as_str(), schema_version), (1, "foreign", 7));
        let events = store.stream_all(Select::From(2)).await.unwrap();
        let error = events.try_collect::<Vec<_>>().await.unwrap_err();
        let StoreError::Stream(StreamError::Source { position, stream }) = error else { panic!("{error}") };
        assert_eq!((position.get(), stream.as_str()), (2, "order-B-1"));
    }
}

#[tokio::test]
async fn a_source_or_a_name_that_the_log_does_not_take_is_refused() {
    for (log, _folder) in engines() {
        let nameless = |_: &String| Ok(EventKind { event_type: EventType::new("")?, schema_version: 1 });
        let mut store = Store::<String, String>::new(Arc::clone(&log), Category::new("note").unwrap(), nameless);
        let error = store.append("a".to_owned(), Expected::Any, vec!["text".to_owned()]).await.unwrap_err();
        assert!(matches!(error, StoreError::Naming { index: 0, .. }), "{error}");
        for id in ["", "two\nlines", &"x".repeat(600)] {
            let error = store.append(id.to_owned(), Expected::Any, vec![]).await.unwrap_err();
            assert!(matches!(error, StoreError::Source(_)), "{error}");
            assert!(store.stream(id.to_owned(), Select::All).await.is_err());
        }
        // An id that loses a part of itself as text would find the events of another source.
        let mut store = Store::<Rounded, String>::new(Arc::clone(&log), Category::new("note").unwrap(), |_| {
            Ok(EventKind { event_type: EventType::new("noted")?, schema_version: 1 })
        });
        let error = store.append(Rounded(15), Expected::Any, vec!["text".to_owned()]).await.unwrap_err();
        assert!(matches!(&error, StoreError::SourceText { text } if text == "1"), "{error}");
        store.append(Rounded(10), Expected::Any, vec!["text".to_owned()]).await.unwrap();
        assert_eq!(log.tail().get(), 1);
    }
}

/// An id whose text loses a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rounded(u32);

impl std::fmt::Display for Rounded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0 / 10)
    }
}

impl std::str::FromStr for Rounded {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<u32>().map(|number| Self(number * 10))
    }
}
