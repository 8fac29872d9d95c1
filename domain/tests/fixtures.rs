//! Bytes of released versions: they must be read for ever. A line is only ever added to these files.

use domain::Event;
use serde_json::Value;

const EVENTS_V1: &str = include_str!("fixtures/events_v1.jsonl");

#[test]
fn events_of_version_1_are_read_for_ever() {
    let mut read = 0;
    for line in EVENTS_V1.lines() {
        let mut written: Value = serde_json::from_str(line).unwrap();
        let event_type = written["type"].as_str().unwrap().to_owned();
        let version = u16::try_from(written["version"].as_u64().unwrap()).unwrap();
        let event = Event::from_value(&event_type, version, written["payload"].clone()).unwrap();
        assert_eq!(event.event_type(), event_type);
        if event.schema_version() == version {
            let payload: Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
            assert_eq!(payload, written["payload"].take(), "{event_type} loses something");
        }
        read += 1;
    }
    assert!(read >= 55, "only {read} lines");
}

#[test]
fn every_event_type_has_its_bytes_kept() {
    let kept = |start: &str| EVENTS_V1.lines().any(|line| line.starts_with(start));
    let mut missing = String::new();
    for event in domain::events::examples() {
        let start = format!("{{\"type\":\"{}\",\"version\":{},", event.event_type(), event.schema_version());
        if !kept(&start) {
            let payload = event.encode().unwrap();
            missing.push_str(&format!("{start}\"payload\":{}}}\n", String::from_utf8_lossy(&payload)));
        }
    }
    assert!(missing.is_empty(), "add these lines to the fixtures:\n{missing}");
}
