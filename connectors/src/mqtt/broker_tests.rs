//! The source and the publisher against a real mosquitto.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::Event;
use eventlog::EventLog;
use eventlog::frames::Value;
use eventlog::memory::MemoryLog;
use jiff::Timestamp;

use super::mapping::{Contents, Subscription};
use super::payload::{event_payload, events_topic, readings_payload, readings_topic};
use super::{MqttConfig, MqttSource, Protocol, PublishError, Publisher, PublisherConfig};
use crate::ingest::{Ingest, Limits};
use crate::testing::{self, GatedLog, Mosquitto, until};

const PROTOCOLS: [Protocol; 2] = [Protocol::V4, Protocol::V5];

fn config(broker: &Mosquitto, protocol: Protocol) -> MqttConfig {
    let mut config = MqttConfig::new("shed", "127.0.0.1", broker.port());
    config.protocol = protocol;
    config.client_id = Some(format!("reader-{protocol:?}"));
    config.subscriptions.push(Subscription {
        filter: Some("mill/#".to_owned()),
        ..Subscription::new("mill/{asset}/{quantity}", Contents::Readings)
    });
    config
}

fn publisher(broker: &Mosquitto) -> Publisher {
    Publisher::start(PublisherConfig::new("127.0.0.1", broker.port(), "writer")).unwrap()
}

async fn ingest() -> (Arc<dyn EventLog>, Ingest) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    (log, ingest)
}

/// A message of one reading; the index is its sequence and its time.
fn message(index: u32) -> Vec<u8> {
    let time = Timestamp::from_second(1_772_348_400 + i64::from(index)).unwrap();
    readings_payload(time, Some(u64::from(index)), &[("warp_tension", Value::Float(f64::from(index) + 0.5))])
}

async fn publish(publisher: &Publisher, indexes: std::ops::Range<u32>) {
    let mut confirmations = Vec::new();
    for index in indexes {
        confirmations.push(publisher.send(&readings_topic("LOOM-07"), message(index)).await.unwrap());
    }
    for confirmation in confirmations {
        confirmation.await.unwrap();
    }
}

async fn sequences(log: &dyn EventLog) -> Vec<u64> {
    testing::readings(log).await.iter().map(|reading| reading.sequence.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_become_readings_and_events_and_are_acknowledged() {
    let Some(broker) = Mosquitto::start("messages_become_readings_and_events_and_are_acknowledged") else { return };
    for protocol in PROTOCOLS {
        let (log, ingest) = ingest().await;
        let source = MqttSource::start(config(&broker, protocol), ingest.clone()).unwrap();
        let status = source.status();
        until("the source to connect", || status.is_connected()).await;
        let publisher = publisher(&broker);
        publish(&publisher, 0..300).await;
        // The same again: a redelivery to ingest, whatever the cause.
        publish(&publisher, 100..120).await;
        let data =
            serde_json::json!({"fault": "F-1", "asset": "LOOM-07", "symptoms": {"zh": "纬停", "en": "weft stop"}});
        let event = Event::from_value("fault.observed", 1, data).unwrap();
        let payload = event_payload("plc-1", None, Some(Timestamp::UNIX_EPOCH), &event).unwrap();
        for _ in 0..2 {
            publisher.publish(&events_topic("LOOM-07"), payload.clone()).await.unwrap();
        }
        publisher.publish("mill/LOOM-08/speed", r#"{"value": 600, "time": 1772348400, "seq": 7}"#).await.unwrap();
        for (topic, payload) in [
            (readings_topic("LOOM-07"), "{\"time\": 1772348400}"),
            (readings_topic("LOOM-07"), "\u{0}\u{1}"),
            ("mill/of/no/known/form".to_owned(), "{}"),
            (events_topic("LOOM-07"), r#"{"type": "fault.observed", "id": "2", "data": {}}"#),
        ] {
            publisher.publish(&topic, payload).await.unwrap();
        }
        until("every message to be acknowledged", || status.snapshot().acknowledged == 327).await;
        let snapshot = status.snapshot();
        assert_eq!((snapshot.received, snapshot.readings, snapshot.duplicates), (327, 301, 21), "{protocol:?}");
        assert_eq!((snapshot.events, snapshot.quarantined, snapshot.conflicts), (1, 4, 0), "{protocol:?}");
        assert_eq!(snapshot.last_error, None);
        let known: BTreeSet<u64> = sequences(&*log).await.into_iter().collect();
        assert_eq!(known.len(), 300);
        let events = testing::events(&*log).await;
        assert_eq!(events.len(), 5);
        assert!(events.contains(&event));
        let mut fields: Vec<(String, String)> = events
            .iter()
            .filter_map(|event| match event {
                Event::InputQuarantined(input) => Some((input.address.clone(), input.field.clone().unwrap())),
                _ => None,
            })
            .collect();
        fields.sort();
        let expected = [
            ("millwright/v1/LOOM-07/events", "data"),
            ("millwright/v1/LOOM-07/readings", "payload"),
            ("millwright/v1/LOOM-07/readings", "time"),
            ("mill/of/no/known/form", "topic"),
        ];
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(address, field)| ((*address).to_owned(), (*field).to_owned())).collect();
        expected.sort();
        // A message without a value and a quantity is rejected for the first thing that is missing.
        let addresses =
            |pairs: &[(String, String)]| pairs.iter().map(|(address, _)| address.clone()).collect::<Vec<_>>();
        assert_eq!(addresses(&fields), addresses(&expected));
        publisher.stop().await;
        assert_eq!(publisher.publish("mill/a/b", "{}").await, Err(PublishError::Stopped));
        source.stop().await;
        ingest.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_acknowledged_comes_again_after_a_kill() {
    let Some(broker) = Mosquitto::start("what_was_not_acknowledged_comes_again_after_a_kill") else { return };
    for protocol in PROTOCOLS {
        // The first process never gets its appends done, and dies.
        let held = GatedLog::shut();
        let first = Ingest::start(held.clone(), None, Limits::default()).await.unwrap();
        let source = MqttSource::start(config(&broker, protocol), first).unwrap();
        let status = source.status();
        until("the first source to connect", || status.is_connected()).await;
        let publisher = publisher(&broker);
        publish(&publisher, 0..50).await;
        until("messages to arrive", || status.snapshot().received >= 5).await;
        assert_eq!(status.snapshot().acknowledged, 0, "nothing is durable, so nothing may be acknowledged");
        drop(source);
        publish(&publisher, 50..60).await;
        // The second process has a log that works.
        let (log, ingest) = ingest().await;
        let source = MqttSource::start(config(&broker, protocol), ingest.clone()).unwrap();
        let status = source.status();
        until("every message to be acknowledged", || status.snapshot().acknowledged >= 60).await;
        let mut known = sequences(&*log).await;
        known.sort_unstable();
        assert_eq!(known, (0..60).collect::<Vec<u64>>(), "none lost, none doubled ({protocol:?})");
        source.stop().await;
        // What was acknowledged does not come again.
        let source = MqttSource::start(config(&broker, protocol), ingest.clone()).unwrap();
        let status = source.status();
        until("the third source to connect", || status.is_connected()).await;
        publish(&publisher, 60..61).await;
        until("the new message", || status.snapshot().acknowledged >= 1).await;
        assert_eq!(status.snapshot().received, 1);
        source.stop().await;
        publisher.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_and_publisher_come_back_after_the_broker() {
    let Some(mut broker) = Mosquitto::start("source_and_publisher_come_back_after_the_broker") else { return };
    for protocol in PROTOCOLS {
        let (log, ingest) = ingest().await;
        let source = MqttSource::start(config(&broker, protocol), ingest).unwrap();
        let status = source.status();
        until("the source to connect", || status.is_connected()).await;
        let publisher = publisher(&broker);
        publish(&publisher, 0..100).await;
        let mut confirmations = Vec::new();
        for index in 100..200 {
            confirmations.push(publisher.send(&readings_topic("LOOM-07"), message(index)).await.unwrap());
        }
        broker.end();
        until("the source to notice", || !status.is_connected()).await;
        for index in 200..300 {
            confirmations.push(publisher.send(&readings_topic("LOOM-07"), message(index)).await.unwrap());
        }
        broker.run();
        for confirmation in confirmations {
            confirmation.await.unwrap();
        }
        until("every reading", || status.snapshot().readings >= 300).await;
        let mut known = sequences(&*log).await;
        known.sort_unstable();
        assert_eq!(known, (0..300).collect::<Vec<u64>>(), "none lost, none doubled ({protocol:?})");
        let snapshot = status.snapshot();
        assert_eq!((snapshot.connected, snapshot.reconnects), (true, 1));
        assert!(snapshot.last_error.is_some(), "the loss of the connection is told");
        source.stop().await;
        publisher.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_and_small_rooms() {
    let Some(broker) = Mosquitto::start("large_messages_and_small_rooms") else { return };
    for protocol in PROTOCOLS {
        let (log, ingest) = ingest().await;
        let mut config = config(&broker, protocol);
        config.max_in_flight = 1;
        config.max_payload_bytes = 100_000;
        let source = MqttSource::start(config, ingest).unwrap();
        let status = source.status();
        until("the source to connect", || status.is_connected()).await;
        let publisher = publisher(&broker);
        publish(&publisher, 0..20).await;
        publisher.publish("mill/LOOM-07/large", vec![b' '; 3_000_000]).await.unwrap();
        publish(&publisher, 20..40).await;
        until("every message to be acknowledged", || status.snapshot().acknowledged == 41).await;
        assert_eq!(sequences(&*log).await.len(), 40);
        let snapshot = status.snapshot();
        assert_eq!((snapshot.quarantined, snapshot.reconnects), (1, 0), "{protocol:?}");
        source.stop().await;
        publisher.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_and_waited_for() {
    let (_log, ingest) = ingest().await;
    let config = MqttConfig::new("shed", "127.0.0.1", testing::free_port());
    let source = MqttSource::start(config.clone(), ingest).unwrap();
    let status = source.status();
    until("the error", || status.snapshot().last_error.is_some()).await;
    assert!(!status.is_connected());
    source.stop().await;
    let publisher = Publisher::start(PublisherConfig::new("127.0.0.1", config.port, "writer")).unwrap();
    let waiting = publisher.send("a/b", "{}").await.unwrap();
    assert!(!publisher.is_connected());
    assert!(matches!(publisher.send("a/+", "{}").await, Err(PublishError::Topic(_))));
    publisher.stop().await;
    assert_eq!(waiting.await, Err(PublishError::Stopped));
}
