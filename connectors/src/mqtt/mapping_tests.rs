use std::fmt::Write as _;

use eventlog::frames::{StatusCode, Value};
use proptest::prelude::*;

use super::*;
use crate::mqtt::payload;

fn arrival() -> Timestamp {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

fn decode(subscriptions: &[Subscription], topic: &str, message: &str) -> Decoded {
    let mapping = Mapping::compile("mqtt:test", subscriptions).unwrap();
    mapping.decode(topic, &Bytes::copy_from_slice(message.as_bytes()), arrival())
}

/// One line for each part of what was decoded.
fn show(decoded: &Decoded) -> String {
    let mut text = String::new();
    for reading in &decoded.readings {
        let sequence = reading.sequence.map_or_else(String::new, |sequence| format!(" #{sequence}"));
        writeln!(text, "{} {} {:?} {}{sequence}", reading.signal, reading.time, reading.value, reading.status).unwrap();
    }
    for event in &decoded.events {
        let id = event.external_id.as_deref().unwrap_or("-");
        writeln!(text, "{} {} {id} {:?}", event.event_type, event.stream, event.event_time).unwrap();
    }
    for Rejected { pointer, field, reason, .. } in &decoded.rejected {
        writeln!(text, "rejected {pointer:?} {field}: {reason}").unwrap();
    }
    text
}

fn check(subscriptions: &[Subscription], topic: &str, message: &str, expected: &str) {
    let shown = show(&decode(subscriptions, topic, message));
    assert_eq!(shown.trim_end(), expected.trim(), "{topic} {message}");
}

const READINGS: &str = "millwright/v1/LOOM-07/readings";
const EVENTS: &str = "millwright/v1/LOOM-07/events";

#[test]
fn the_default_mapping_reads_one_many_and_objects_of_many() {
    let check = |message: &str, expected: &str| check(&Subscription::defaults(), READINGS, message, expected);
    check(
        r#"{"time": "2026-03-01T07:00:00.5Z", "sequence": 4, "values": {"warp_tension": 231.5, "running": true, "picks": 12}}"#,
        "LOOM-07.picks 2026-03-01T07:00:00.5Z Integer(12) 0x00000000 #4
LOOM-07.running 2026-03-01T07:00:00.5Z Boolean(true) 0x00000000 #4
LOOM-07.warp_tension 2026-03-01T07:00:00.5Z Float(231.5) 0x00000000 #4",
    );
    check(
        r#"{"quantity": "recipe", "value": "A-12", "ts": 1772348400, "status": "uncertain"}"#,
        r#"LOOM-07.recipe 2026-03-01T07:00:00Z Text("A-12") 0x40000000"#,
    );
    check(
        r#"[{"signal": "HALL.humidity", "value": 61.0, "time": 1772348400000}, {"asset": "LOOM-08", "quantity": "x", "value": 1, "time": 1772348400000000000}]"#,
        "HALL.humidity 2026-03-01T07:00:00Z Float(61.0) 0x00000000
LOOM-08.x 2026-03-01T07:00:00Z Integer(1) 0x00000000",
    );
    // What an item does not say, the message around it may.
    check(
        r#"{"time": 1772348400, "status": 2147483648, "readings": [{"quantity": "a", "value": 1}, {"quantity": "b", "value": 2, "status": "0x0"}]}"#,
        "LOOM-07.a 2026-03-01T07:00:00Z Integer(1) 0x80000000
LOOM-07.b 2026-03-01T07:00:00Z Integer(2) 0x00000000",
    );
    check(
        r#"{"time": 1772348400, "values": {"a": {"value": 1, "status": "bad"}, "b": 2}}"#,
        "LOOM-07.a 2026-03-01T07:00:00Z Integer(1) 0x80000000
LOOM-07.b 2026-03-01T07:00:00Z Integer(2) 0x00000000",
    );
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_kept() {
    let check = |message: &str, expected: &str| check(&Subscription::defaults(), READINGS, message, expected);
    check("not json", r#"rejected "" payload: it is not JSON: expected ident at line 1 column 2"#);
    check("[]", r#"rejected "" items: the array is empty"#);
    check(r#"{"quantity": "a", "value": 1}"#, r#"rejected "" time: there is no time"#);
    check(r#"{"quantity": "a", "time": 1772348400}"#, r#"rejected "" value: there is no value"#);
    check(
        r#"{"value": 1, "time": 1772348400}"#,
        r#"rejected "" quantity: neither the topic nor the message says the quantity"#,
    );
    check(
        r#"{"time": 1772348400, "values": {"good": 1, "null": null, "list": [1], "large": 18446744073709551615}}"#,
        r#"LOOM-07.good 2026-03-01T07:00:00Z Integer(1) 0x00000000
rejected "/values/large" value: 18446744073709551615 is larger than a signed number of 64 bits
rejected "/values/list" value: a number, a text, true or false is expected
rejected "/values/null" value: there is no value"#,
    );
    check(
        r#"[{"quantity": "a", "value": 1, "time": "yesterday"}, {"quantity": "b", "value": 1, "time": 1772348400, "sequence": -1}]"#,
        "rejected \"/0\" time: \"yesterday\" is not a time in RFC 3339 with its offset
rejected \"/1\" sequence: -1 is not a whole number from 0 on",
    );
    let unknown = decode(&Subscription::defaults(), "somewhere/else", "{}");
    assert_eq!(unknown.rejected[0].field, "topic");
    assert_eq!(unknown.rejected[0].payload, "{}");
}

#[test]
fn topics_name_assets_and_quantities() {
    let mut subscription = Subscription::new("mill/{hall}/{asset}/{quantity}", Contents::Readings);
    subscription.fields.value = Some("/data/v".to_owned());
    subscription.time_format = TimeFormat::Milliseconds;
    subscription.signal = "{hall}:{asset}.{quantity}".to_owned();
    subscription.quantities.insert("T1".to_owned(), "warp_tension".to_owned());
    subscription.unit = Some("N".to_owned());
    subscription.numbers = Numbers::Float;
    let subscriptions = [subscription];
    check(
        &subscriptions,
        "mill/h1/LOOM-07/T1",
        r#"{"data": {"v": 12}, "ts": 1772348400000, "unit": "N"}"#,
        "h1:LOOM-07.warp_tension 2026-03-01T07:00:00Z Float(12.0) 0x00000000",
    );
    check(
        &subscriptions,
        "mill/h1/LOOM-07/T1",
        r#"{"data": {"v": 12}, "ts": 1772348400000, "unit": "kN"}"#,
        r#"rejected "" unit: "kN" is not "N", the unit that the configuration expects"#,
    );
    assert_eq!(decode(&subscriptions, "mill/h1/LOOM-07", "{}").rejected[0].field, "topic");
    assert_eq!(decode(&subscriptions, "mill/h1//T1", "{}").rejected[0].field, "topic");
    let mapping = Mapping::compile("mqtt:test", &subscriptions).unwrap();
    assert_eq!(mapping.filters(), ["mill/+/+/+"]);
}

#[test]
fn bare_values_need_leave_to_use_the_time_of_arrival() {
    let mut subscription = Subscription::new("mill/{asset}/{quantity}/{_*}", Contents::Readings);
    check(&[subscription.clone()], "mill/L/t/x/y", "23.5", r#"rejected "" time: there is no time"#);
    subscription.missing_time = MissingTime::Arrival;
    check(&[subscription.clone()], "mill/L/t", "23.5", "L.t 2026-03-01T08:00:00Z Float(23.5) 0x00000000");
    // A time that is there and null is not a time that is missing.
    check(&[subscription], "mill/L/t/", r#"{"value": 1, "time": null}"#, r#"rejected "" time: there is no time"#);
}

#[test]
fn times_are_read_in_every_format() {
    let check = |format: TimeFormat, json: &str, expected: &str| {
        let shown = match format.read(&serde_json::from_str(json).unwrap()) {
            Ok(time) => time.to_string(),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(shown, expected, "{format:?} {json}");
    };
    check(TimeFormat::Auto, "\"2026-03-01T15:00:00+08:00\"", "2026-03-01T07:00:00Z");
    check(TimeFormat::Auto, "1772348400.25", "2026-03-01T07:00:00.25Z");
    check(TimeFormat::Auto, "1772348400123456", "2026-03-01T07:00:00.123456Z");
    check(TimeFormat::Seconds, "\"1772348400\"", "2026-03-01T07:00:00Z");
    check(TimeFormat::Milliseconds, "1.5", "1970-01-01T00:00:00.0015Z");
    check(TimeFormat::Microseconds, "-1", "1969-12-31T23:59:59.999999Z");
    check(TimeFormat::Nanoseconds, "1772348400000000001", "2026-03-01T07:00:00.000000001Z");
    check(TimeFormat::Rfc3339, "1772348400", "refused");
    check(TimeFormat::Auto, "\"2026-03-01T15:00:00\"", "refused");
    check(TimeFormat::Auto, "true", "refused");
    check(TimeFormat::Seconds, "1e300", "refused");
    check(TimeFormat::Seconds, "9223372036854775807", "refused");
}

#[test]
fn events_are_sealed_under_the_sources_name_for_them() {
    let check = |message: &str, expected: &str| check(&Subscription::defaults(), EVENTS, message, expected);
    let data = r#"{"fault": "F-1", "asset": "LOOM-07", "symptoms": {"en": "weft stop"}}"#;
    check(
        &format!(r#"{{"type": "fault.observed", "id": "plc-1", "time": "2026-03-01T07:00:00Z", "data": {data}}}"#),
        "fault.observed fault-F-1 plc-1 Some(2026-03-01T07:00:00Z)",
    );
    check(
        &format!(
            r#"[{{"type": "fault.observed", "data": {data}}}, {{"type": "fault.invented", "id": "1", "data": {data}}}]"#
        ),
        "rejected \"/0\" id: an event needs an id, so that a redelivery is recognised
rejected \"/1\" type: event type \"fault.invented\" is not known",
    );
    check(
        r#"{"type": "model.alias_set", "id": "1", "data": {}}"#,
        r#"rejected "" type: "model.alias_set" is said by Millwright itself only"#,
    );
    check(
        r#"{"type": "fault.observed", "id": "1", "data": {"fault": "F-1"}}"#,
        "rejected \"\" data: event type \"fault.observed\": missing field `asset`",
    );
    let first = decode(
        &Subscription::defaults(),
        EVENTS,
        &format!(r#"{{"type": "fault.observed", "id": "x", "data": {data}}}"#),
    );
    let second = decode(
        &Subscription::defaults(),
        EVENTS,
        &format!(r#"{{"data": {data}, "id": "x", "type": "fault.observed"}}"#),
    );
    assert_eq!(first.events[0].id, second.events[0].id);
    assert_eq!(first.events[0].content_digest(), second.events[0].content_digest());
}

#[test]
fn too_many_readings_are_refused_whole() {
    let values: Vec<String> = (0..=MAX_MESSAGE_ITEMS).map(|index| format!("\"q{index}\": 1")).collect();
    let message = format!("{{\"time\": 1772348400, \"values\": {{{}}}}}", values.join(","));
    let decoded = decode(&Subscription::defaults(), READINGS, &message);
    assert_eq!((decoded.readings.len(), decoded.rejected.len()), (0, 1));
    assert_eq!(decoded.rejected[0].reason, "a message holds at most 10000 readings");
}

#[test]
fn the_writers_payloads_are_read_back() {
    let time: Timestamp = "2026-03-01T07:00:00.123456789Z".parse().unwrap();
    let values = [("tension", Value::Float(1.0)), ("on", Value::Boolean(false)), ("n", Value::Integer(i64::MIN))];
    let message = payload::readings_payload(time, Some(u64::MAX), &values);
    let mapping = Mapping::compile("mqtt:test", &Subscription::defaults()).unwrap();
    let mut decoded = mapping.decode(&payload::readings_topic("LOOM-07"), &message.into(), arrival());
    decoded.readings.sort_by(|one, other| one.signal.cmp(&other.signal));
    assert_eq!(decoded.rejected, vec![]);
    let shown: Vec<(&str, &Value)> =
        decoded.readings.iter().map(|reading| (&*reading.signal, &reading.value)).collect();
    assert_eq!(shown, [("LOOM-07.n", &values[2].1), ("LOOM-07.on", &values[1].1), ("LOOM-07.tension", &values[0].1)]);
    for reading in &decoded.readings {
        assert_eq!((reading.time, reading.sequence, reading.status), (time, Some(u64::MAX), StatusCode::GOOD));
    }
    let data = serde_json::json!({"fault": "F-1", "asset": "LOOM-07", "symptoms": {"en": "weft stop"}});
    let event = domain::Event::from_value("fault.observed", 1, data).unwrap();
    let message = payload::event_payload("e-1", None, Some(time), &event).unwrap();
    let decoded = mapping.decode(&payload::events_topic("LOOM-07"), &message.into(), arrival());
    assert_eq!(decoded.rejected, vec![]);
    assert_eq!(domain::Event::decode("fault.observed", 1, &decoded.events[0].payload).unwrap(), event);
    assert_eq!(decoded.events[0].event_time, Some(time));
}

/// JSON in the shapes that messages have, right and wrong.
fn message() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "\"[ -~]{0,8}\"".prop_map(|text| text.replace('\\', "")),
        Just("\"2026-03-01T07:00:00Z\"".to_owned()),
        Just("1772348400".to_owned()),
    ];
    let names = prop::sample::select(vec![
        "time", "ts", "value", "values", "readings", "quantity", "signal", "sequence", "status", "unit", "type", "id",
        "data", "asset", "a/b~c",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn never_empty_handed(decoded: &Decoded) {
    assert!(
        !decoded.readings.is_empty() || !decoded.events.is_empty() || !decoded.rejected.is_empty(),
        "a message that says nothing and is not rejected would be dropped in silence"
    );
    for reading in &decoded.readings {
        assert!(crate::ingest::takes(reading), "{reading:?} would be refused by ingest");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_rejected(topic in "[ -~]{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mapping = Mapping::compile("mqtt:test", &Subscription::defaults()).unwrap();
        for topic in [topic.as_str(), READINGS, EVENTS] {
            never_empty_handed(&mapping.decode(topic, &Bytes::from(bytes.clone()), arrival()));
        }
    }

    #[test]
    fn any_message_is_decoded_or_rejected(message in message()) {
        let mapping = Mapping::compile("mqtt:test", &Subscription::defaults()).unwrap();
        for topic in [READINGS, EVENTS] {
            let decoded = mapping.decode(topic, &Bytes::from(message.clone()), arrival());
            never_empty_handed(&decoded);
            // What was not understood is kept so that it can be read again by itself: it is wrong in the same way then.
            for Rejected { pointer, field, payload, .. } in &decoded.rejected {
                let again = mapping.decode(topic, payload, arrival());
                let fields: Vec<&str> = again.rejected.iter().map(|rejected| rejected.field.as_str()).collect();
                prop_assert!(fields.contains(&field.as_str()), "{pointer}: {field} became {fields:?} in {payload:?}");
            }
        }
    }

    #[test]
    fn any_configuration_is_compiled_or_refused(topic in "[a-z{}_+#/*]{0,20}", text in "[a-z{}./]{0,12}", field in "[a-z/~]{0,8}") {
        let mut subscription = Subscription::new(&topic, Contents::Readings);
        subscription.filter = Some(topic.clone());
        subscription.signal = text;
        subscription.fields.value = Some(field);
        let _either = Mapping::compile("mqtt:test", &[subscription]);
    }
}
