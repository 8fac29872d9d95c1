//! Business events in a message.

use domain::Event;
use domain::events::{is_done, is_own};
use eventlog::NewEvent;
use jiff::Timestamp;
use projections::{Meta, seal};
use serde_json::Value as Json;

use super::{Decoded, Fault, MAX_MESSAGE_ITEMS, Route};

/// The longest name of an event in its source, in bytes.
const MAX_EXTERNAL_ID_BYTES: usize = 512;

pub(super) fn decode(source: &str, route: &Route, message: &Json) -> Result<Decoded, Fault> {
    let mut decoded = Decoded::default();
    let mut take = |event: Result<NewEvent, Fault>, pointer: String, part: &Json| match event {
        Ok(event) => decoded.events.push(event),
        // An item of an array is kept as an array of one, which is read again as it was.
        Err(fault) if pointer.is_empty() => decoded.rejected.push(fault.reject(pointer, part)),
        Err(fault) => decoded.rejected.push(fault.reject(pointer, &Json::Array(vec![part.clone()]))),
    };
    match message {
        Json::Array(items) if items.is_empty() => return Err(Fault::new("items", "the array is empty")),
        Json::Array(items) if items.len() > MAX_MESSAGE_ITEMS => {
            return Err(Fault::new("items", format!("a message holds at most {MAX_MESSAGE_ITEMS} events")));
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                take(event(source, route, item), format!("/{index}"), item);
            }
        }
        item => take(event(source, route, item), String::new(), item),
    }
    Ok(decoded)
}

fn event(source: &str, route: &Route, item: &Json) -> Result<NewEvent, Fault> {
    let object = item.as_object().ok_or_else(|| Fault::new("payload", "an event is an object"))?;
    const KNOWN: [&str; 6] = ["type", "version", "id", "time", "data", "source"];
    if let Some(unknown) = object.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Fault::new(unknown, "an event has type, id, time, data, version and source, and nothing else"));
    }
    let part = |field: &str| object.get(field).filter(|part| !part.is_null());
    let text = |field: &str| match part(field) {
        None => Ok(None),
        Some(Json::String(text)) if !text.trim().is_empty() => Ok(Some(text.as_str())),
        Some(other) => Err(Fault::new(field, format!("{other} is not a text"))),
    };
    let event_type = text("type")?.ok_or_else(|| Fault::new("type", "an event needs a type"))?;
    if is_own(event_type) || is_done(event_type) {
        return Err(Fault::new("type", format!("{event_type:?} is said by Millwright itself only")));
    }
    let current = Event::TYPES.iter().find(|(known, _)| *known == event_type).map(|(_, version)| *version);
    let version = match part("version") {
        None => current.unwrap_or(1),
        Some(version) => version
            .as_u64()
            .and_then(|version| u16::try_from(version).ok())
            .ok_or_else(|| Fault::new("version", format!("{version} is not a version")))?,
    };
    let id = text("id")?.ok_or_else(|| Fault::new("id", "an event needs an id, so that a redelivery is recognised"))?;
    if id.len() > MAX_EXTERNAL_ID_BYTES || id.chars().any(char::is_control) {
        return Err(Fault::new(
            "id",
            format!("at most {MAX_EXTERNAL_ID_BYTES} bytes without control characters are expected"),
        ));
    }
    let time = part("time").map(|time| time_of(route, time)).transpose()?;
    let data = part("data").ok_or_else(|| Fault::new("data", "an event needs data"))?;
    let event = projections::event_from_value(event_type, version, data.clone()).map_err(|error| {
        let field = if current.is_none() { "type" } else { "data" };
        Fault::new(field, error.to_string())
    })?;
    let meta = Meta::foreign(source, text("source")?.unwrap_or(source), id, time);
    seal(&event, meta).map_err(|error| Fault::new("data", error.to_string()))
}

fn time_of(route: &Route, json: &Json) -> Result<Timestamp, Fault> {
    let time = route.settings.time_format.read(json).map_err(|reason| Fault::new("time", reason))?;
    if i64::try_from(time.as_nanosecond()).is_err() {
        return Err(Fault::new("time", format!("{time} is not within the years 1678 to 2262")));
    }
    Ok(time)
}
