//! Topics and payloads of the default mapping, for those who write them: the simulator, tests, and programs at machines.

use eventlog::frames::Value;
use jiff::Timestamp;
use serde_json::{Map, json};

/// The topic of an asset's readings.
pub fn readings_topic(asset: &str) -> String {
    format!("millwright/v1/{asset}/readings")
}

/// The topic of an asset's events.
pub fn events_topic(asset: &str) -> String {
    format!("millwright/v1/{asset}/events")
}

/// Readings of several quantities at one time. A float that JSON cannot say (NaN, infinite) becomes null, which the reader quarantines.
pub fn readings_payload(time: Timestamp, sequence: Option<u64>, values: &[(&str, Value)]) -> Vec<u8> {
    let values: Map<String, serde_json::Value> =
        values.iter().map(|(quantity, value)| ((*quantity).to_owned(), json(value))).collect();
    let mut message = Map::new();
    message.insert("time".to_owned(), time.to_string().into());
    if let Some(sequence) = sequence {
        message.insert("sequence".to_owned(), sequence.into());
    }
    message.insert("values".to_owned(), values.into());
    serde_json::Value::Object(message).to_string().into_bytes()
}

/// One business event under the name that the source gives it.
///
/// # Errors
/// Only when a number is NaN or infinite, which JSON cannot say.
pub fn event_payload(
    id: &str,
    source: Option<&str>,
    time: Option<Timestamp>,
    event: &domain::Event,
) -> Result<Vec<u8>, serde_json::Error> {
    let data: serde_json::Value = serde_json::from_slice(&event.encode()?)?;
    let mut message = json!({
        "type": event.event_type(),
        "version": event.schema_version(),
        "id": id,
        "data": data,
    });
    if let Some(message) = message.as_object_mut() {
        message.extend(time.map(|time| ("time".to_owned(), time.to_string().into())));
        message.extend(source.map(|source| ("source".to_owned(), source.into())));
    }
    serde_json::to_vec(&message)
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => (&**value).into(),
    }
}
