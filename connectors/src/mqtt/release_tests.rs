use std::sync::Arc;

use domain::Event;
use eventlog::frames::Value;
use eventlog::memory::MemoryLog;
use eventlog::{EventLog, Position};
use projections::Entry;

use super::super::mapping::{Contents, Subscription};
use super::*;
use crate::ingest::{Limits, Quarantined};
use crate::testing;

/// A log with its ingest, and what an MQTT source would put into quarantine.
struct Shed {
    log: Arc<dyn EventLog>,
    ingest: Ingest,
}

impl Shed {
    async fn new() -> Self {
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
        let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
        Self { log, ingest }
    }

    /// Takes a message as the source does, and answers with what was not understood.
    async fn receive(&self, config: &MqttConfig, topic: &str, payload: &[u8]) -> Vec<Entry> {
        let arrival = "2026-03-01T08:00:00Z".parse().unwrap();
        let decoded = config.check().unwrap().decode(topic, &payload.to_vec().into(), arrival);
        if !decoded.readings.is_empty() {
            self.ingest.readings(&config.source(), decoded.readings).await.unwrap();
        }
        for Rejected { pointer, field, reason, payload } in &decoded.rejected {
            let address = if pointer.is_empty() { topic.to_owned() } else { format!("{topic}#{pointer}") };
            self.quarantine(&config.source(), &address, field, reason, payload).await;
        }
        let entries = testing::entries(&*self.log).await;
        entries.into_iter().filter(|entry| matches!(entry.event(), Some(Event::InputQuarantined(_)))).collect()
    }

    async fn quarantine(&self, source: &str, address: &str, field: &str, reason: &str, payload: &[u8]) {
        let input = Quarantined { source, address, field: Some(field), reason, payload, occurrence: None };
        self.ingest.quarantine(input).await.unwrap();
    }

    async fn release(&self, entry: &Entry, config: &MqttConfig) -> Result<Released, ReleaseError> {
        let Some(Event::InputQuarantined(input)) = entry.event() else { panic!("not a quarantined input") };
        let person = Some(PersonId::new("P-50").unwrap());
        let asked = Release { event: entry.id, input, arrival: entry.record_time, actor: "anna", person };
        release(asked, config, &self.ingest).await
    }

    async fn readings(&self) -> Vec<(String, Value)> {
        let readings = testing::readings(&*self.log).await;
        readings.into_iter().map(|reading| (reading.signal.to_string(), reading.value)).collect()
    }
}

fn config(topic: &str) -> MqttConfig {
    let mut config = MqttConfig::new("shed", "127.0.0.1", 1_883);
    let filter = Some("mill/#".to_owned());
    config.subscriptions = vec![Subscription { filter, ..Subscription::new(topic, Contents::Readings) }];
    config
}

#[tokio::test]
async fn a_message_is_released_once_when_the_mapping_is_mended() {
    let shed = Shed::new().await;
    let old = config("mill/{asset}/{quantity}");
    let waiting = shed.receive(&old, "mill/h1/LOOM-07/tension", br#"{"value": 231.5, "time": 1772348400}"#).await;
    assert_eq!(waiting.len(), 1);
    let tail = shed.log.tail();
    let error = shed.release(&waiting[0], &old).await.unwrap_err();
    assert!(matches!(&error, ReleaseError::NotUnderstood { field, .. } if field == "topic"), "{error}");
    assert_eq!(shed.log.tail(), tail, "a refused release appends nothing");

    let mended = config("mill/{_}/{asset}/{quantity}");
    let released = shed.release(&waiting[0], &mended).await.unwrap();
    assert_eq!((released.readings, released.duplicates, released.conflicts, released.events), (1, 0, 0, 0));
    assert_eq!(shed.readings().await, [("LOOM-07.tension".to_owned(), Value::Float(231.5))]);
    let entries = testing::entries(&*shed.log).await;
    let said = &entries[usize::try_from(released.position.get()).unwrap()];
    assert_eq!((said.actor.as_str(), said.causation_id), ("anna", Some(*waiting[0].id.as_uuid())));
    let Some(Event::QuarantineReleased(event)) = said.event() else { panic!("{:?}", said.content) };
    assert_eq!((event.source.as_str(), event.quarantined), ("mqtt:shed", *waiting[0].id.as_uuid()));
    assert_eq!(event.person, Some(PersonId::new("P-50").unwrap()));

    let tail = shed.log.tail();
    let error = shed.release(&waiting[0], &mended).await.unwrap_err();
    assert!(matches!(error, ReleaseError::AlreadyReleased(position) if position == released.position), "{error}");
    assert_eq!(shed.log.tail(), tail);
}

#[tokio::test]
async fn a_part_is_kept_with_what_surrounds_it() {
    let shed = Shed::new().await;
    let mut config = config("mill/{asset}");
    config.subscriptions[0].unit = Some("N".to_owned());
    let message = br#"{"asset": "LOOM-08", "readings": [
        {"quantity": "a", "value": 1, "time": 1772348400},
        {"time": 1772348401, "sequence": 9, "values": {"b": 2, "c": 18446744073709551615}},
        {"quantity": "d", "value": 4, "time": 1772348402, "unit": "kN"}
    ]}"#;
    let waiting = shed.receive(&config, "mill/LOOM-07", message).await;
    let inputs: Vec<(String, String)> = waiting
        .iter()
        .map(|entry| match entry.event() {
            Some(Event::InputQuarantined(input)) => (input.address.clone(), input.text.clone().unwrap()),
            _ => panic!("not a quarantined input"),
        })
        .collect();
    let expected = [
        (
            "mill/LOOM-07#/readings/1/values/c",
            r#"{"asset":"LOOM-08","readings":[{"sequence":9,"time":1772348401,"values":{"c":18446744073709551615}}]}"#,
        ),
        (
            "mill/LOOM-07#/readings/2",
            r#"{"asset":"LOOM-08","readings":[{"quantity":"d","time":1772348402,"unit":"kN","value":4}]}"#,
        ),
    ];
    let as_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(inputs.len(), expected.len());
    for ((address, text), (expected_address, expected_text)) in inputs.iter().zip(expected) {
        assert_eq!((address.as_str(), as_json(text)), (expected_address, as_json(expected_text)));
    }
    config.subscriptions[0].unit = None;
    config.subscriptions[0].numbers = super::super::mapping::Numbers::Float;
    for entry in &waiting {
        assert_eq!(shed.release(entry, &config).await.unwrap().readings, 1);
    }
    let signals: Vec<String> = shed.readings().await.into_iter().map(|(signal, _)| signal).collect();
    assert_eq!(signals, ["LOOM-08.a", "LOOM-08.b", "LOOM-08.c", "LOOM-08.d"]);
}

#[tokio::test]
async fn what_the_values_of_an_item_share_is_told_once() {
    let shed = Shed::new().await;
    let mut config = config("mill/{asset}");
    let message = br#"{"when": 1772348400, "values": {"a": 1, "b": 2, "c": 3}}"#;
    let waiting = shed.receive(&config, "mill/LOOM-07", message).await;
    assert_eq!(waiting.len(), 1);
    let Some(Event::InputQuarantined(input)) = waiting[0].event() else { panic!("not a quarantined input") };
    assert_eq!(input.reason, "there is no time (and 2 more)");
    config.subscriptions[0].fields.time = Some("when".to_owned());
    assert_eq!(shed.release(&waiting[0], &config).await.unwrap().readings, 3);
}

#[tokio::test]
async fn many_parts_with_large_surroundings_are_kept_as_the_message_once() {
    let shed = Shed::new().await;
    let mut config = config("mill/{asset}");
    let items: Vec<String> = (0..200).map(|index| format!(r#"{{"quantity": "q{index}", "value": 1}}"#)).collect();
    let note = "x".repeat(10_000);
    let message = format!(r#"{{"note": "{note}", "sent": 1772348400, "readings": [{}]}}"#, items.join(","));
    let waiting = shed.receive(&config, "mill/LOOM-07", message.as_bytes()).await;
    assert_eq!(waiting.len(), 1);
    let Some(Event::InputQuarantined(input)) = waiting[0].event() else { panic!("not a quarantined input") };
    assert_eq!((input.address.as_str(), input.text.as_deref()), ("mill/LOOM-07", Some(message.as_str())));
    assert_eq!(input.reason, "/readings/0: there is no time (and 199 more)");
    config.subscriptions[0].fields.time = Some("sent".to_owned());
    assert_eq!(shed.release(&waiting[0], &config).await.unwrap().readings, 200);
}

#[tokio::test]
async fn events_are_released_too_and_bytes_that_are_no_text_stay() {
    let shed = Shed::new().await;
    let config = MqttConfig::new("shed", "127.0.0.1", 1_883);
    let topic = "millwright/v1/LOOM-07/events";
    let data = r#"{"fault": "F-1", "asset": "LOOM-07", "symptoms": {"en": "weft stop"}}"#;
    let payload = format!(r#"{{"type": "fault.observed", "id": "1", "data": {data}}}"#);
    // As an older version would have done that did not know the type.
    shed.quarantine("mqtt:shed", topic, "type", "not known", payload.as_bytes()).await;
    shed.quarantine("mqtt:shed", topic, "payload", "not JSON", &[0xff, 0x00]).await;
    shed.quarantine("mqtt:other", topic, "payload", "not JSON", b"1").await;
    shed.quarantine("mqtt:shed", topic, "payload", "large", &vec![b'1'; 1024 * 1024 + 1]).await;
    let waiting = testing::entries(&*shed.log).await;
    assert_eq!(waiting.len(), 4);
    let released = shed.release(&waiting[0], &config).await.unwrap();
    assert_eq!((released.events, released.readings), (1, 0));
    assert!(released.position > Position::new(4), "the release comes after what it released");
    let refused = |error: ReleaseError| error.to_string();
    let bytes = refused(shed.release(&waiting[1], &config).await.unwrap_err());
    assert!(bytes.contains("not JSON"), "{bytes}");
    let other = shed.release(&waiting[2], &config).await.unwrap_err();
    assert!(matches!(other, ReleaseError::OtherSource { .. }), "{other}");
    let cut = refused(shed.release(&waiting[3], &config).await.unwrap_err());
    assert!(cut.contains("only its first 1048576 bytes"), "{cut}");
}
