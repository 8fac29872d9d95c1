//! Readings in a message.

use std::sync::Arc;

use bytes::Bytes;
use domain::ids::SignalId;
use eventlog::frames::{Reading, StatusCode, Value};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::config::{MissingTime, Numbers};
use super::part::{Part, in_their_message};
use super::template::Variables;
use super::{Decoded, Fault, MAX_MESSAGE_ITEMS, Route};
use crate::ingest::MAX_TEXT_BYTES;

/// An item with what surrounds it: what an item does not say, the message around it may.
#[derive(Clone, Copy)]
struct Scope<'a> {
    item: &'a Json,
    around: Option<&'a Json>,
}

impl<'a> Scope<'a> {
    fn get(&self, pointers: &super::fields::Pointers) -> Option<&'a Json> {
        pointers.get(self.item).or_else(|| self.around.and_then(|around| pointers.get(around)))
    }
}

struct Reader<'a> {
    route: &'a Route,
    variables: &'a Variables,
    arrival: Timestamp,
    /// The pointer to the items.
    items_at: &'a str,
    readings: Vec<Reading>,
    rejected: Vec<Part>,
}

/// Reads a message; `payload` is its text, of which the parts that are not understood are kept.
pub(super) fn decode(
    route: &Route,
    variables: &Variables,
    message: &Json,
    payload: &Bytes,
    arrival: Timestamp,
) -> Result<Decoded, Fault> {
    let (items, pointer) = match &route.fields.items {
        Some(pointers) => {
            let items = pointers.get(message).ok_or_else(|| Fault::new("items", "the message does not have it"))?;
            (items, pointers.text())
        }
        None => match message.pointer("/readings") {
            Some(items @ Json::Array(_)) => (items, "/readings"),
            _ => (message, ""),
        },
    };
    let around = (!std::ptr::eq(items, message)).then_some(message);
    let mut reader =
        Reader { route, variables, arrival, items_at: pointer, readings: Vec::new(), rejected: Vec::new() };
    match items {
        Json::Array(array) => {
            if array.is_empty() {
                return Err(Fault::new("items", "the array is empty"));
            }
            for (index, item) in array.iter().enumerate() {
                reader.item(Scope { item, around }, &format!("{pointer}/{index}"))?;
            }
        }
        item => reader.item(Scope { item, around }, pointer)?,
    }
    let rejected = in_their_message(message, payload, reader.rejected);
    Ok(Decoded { readings: reader.readings, events: Vec::new(), rejected })
}

impl Reader<'_> {
    /// One item: a reading, or an object of many values.
    fn item(&mut self, scope: Scope<'_>, pointer: &str) -> Result<(), Fault> {
        let fields = &self.route.fields;
        if let Some(Json::Object(values)) = fields.values.get(scope.item) {
            if values.is_empty() {
                self.take(Err(Fault::new("values", "the object is empty")), pointer, false)?;
            }
            for (quantity, value) in values {
                // Each value may be bare, or an object with its own value, status or time.
                let own = value.is_object();
                let inner = if own { Scope { item: value, around: Some(scope.item) } } else { scope };
                let bare = if own { fields.value.get(value) } else { Some(value).filter(|value| !value.is_null()) };
                let reading = self.reading(inner, Some(quantity), bare);
                let values_at = fields.values.text();
                self.take(reading, &format!("{pointer}{values_at}/{}", escape(quantity)), true)?;
            }
            return Ok(());
        }
        let value = match scope.item {
            Json::Object(_) => fields.value.get(scope.item),
            scalar => Some(scalar).filter(|scalar| !scalar.is_null()),
        };
        let reading = self.reading(scope, None, value);
        self.take(reading, pointer, false)
    }

    /// Takes a reading, or what is wrong with it; `of_many` says that it is one value of an object of many.
    fn take(&mut self, reading: Result<Reading, Fault>, pointer: &str, of_many: bool) -> Result<(), Fault> {
        if self.readings.len() + self.rejected.len() >= MAX_MESSAGE_ITEMS {
            return Err(Fault::new("items", format!("a message holds at most {MAX_MESSAGE_ITEMS} readings")));
        }
        match reading {
            Ok(reading) => self.readings.push(reading),
            Err(fault) => {
                // Any other fault lies in what the values share, and concerns the item as a whole.
                let cut_out = of_many && fault.field == "value" && !self.route.fields.look_into_values();
                let items_at = self.items_at.matches('/').count();
                self.rejected.push(Part { pointer: pointer.to_owned(), items_at, cut_out, fault });
            }
        }
        Ok(())
    }

    fn reading(&self, scope: Scope<'_>, quantity: Option<&str>, value: Option<&Json>) -> Result<Reading, Fault> {
        let settings = &self.route.settings;
        let fields = &self.route.fields;
        let value = value.ok_or_else(|| Fault::new("value", "there is no value"))?;
        let unit = scope.get(&fields.unit).map(|unit| text("unit", unit)).transpose()?;
        if let (Some(unit), Some(expected)) = (unit, &settings.unit)
            && unit != expected
        {
            return Err(Fault::new(
                "unit",
                format!("{unit:?} is not {expected:?}, the unit that the configuration expects"),
            ));
        }
        Ok(Reading {
            signal: self.signal(scope, quantity)?,
            time: self.time(scope)?,
            sequence: scope.get(&fields.sequence).map(sequence).transpose()?,
            value: value_of(value, settings.numbers)?,
            status: scope.get(&fields.status).map_or(Ok(StatusCode::GOOD), status)?,
        })
    }

    fn signal(&self, scope: Scope<'_>, quantity: Option<&str>) -> Result<Arc<str>, Fault> {
        let fields = &self.route.fields;
        let named = match quantity {
            // In an object of many values the message's own signal would be the same for all.
            Some(_) => fields.signal.get(scope.item),
            None => scope.get(&fields.signal),
        };
        let signal = match named {
            Some(signal) => text("signal", signal)?.to_owned(),
            None => {
                let own_asset = scope.get(&fields.asset).map(|asset| text("asset", asset)).transpose()?;
                let own_quantity = match quantity {
                    Some(quantity) => Some(quantity),
                    None => scope.get(&fields.quantity).map(|quantity| text("quantity", quantity)).transpose()?,
                };
                let lookup = |name: &str| {
                    let variable = || self.variables.get(name).map(String::as_str);
                    match name {
                        "asset" => own_asset.or_else(variable),
                        "quantity" => {
                            let quantity = own_quantity.or_else(variable)?;
                            Some(self.route.settings.quantities.get(quantity).map_or(quantity, String::as_str))
                        }
                        _ => variable(),
                    }
                };
                fill(&self.route.signal, lookup)?
            }
        };
        SignalId::new(&signal).map_err(|error| Fault::new("signal", error.to_string()))?;
        Ok(signal.into())
    }

    fn time(&self, scope: Scope<'_>) -> Result<Timestamp, Fault> {
        let settings = &self.route.settings;
        let Some(json) = scope.get(&self.route.fields.time) else {
            let null = self.route.fields.time.present(scope.item);
            return match settings.missing_time {
                MissingTime::Arrival if !null => Ok(self.arrival),
                MissingTime::Arrival | MissingTime::Quarantine => Err(Fault::new("time", "there is no time")),
            };
        };
        let time = settings.time_format.read(json).map_err(|reason| Fault::new("time", reason))?;
        if i64::try_from(time.as_nanosecond()).is_err() {
            return Err(Fault::new("time", format!("{time} is not within the years 1678 to 2262")));
        }
        Ok(time)
    }
}

/// Fills the signal's template; a variable without a value is the field that is wrong.
fn fill<'a>(
    template: &'a super::template::Template,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, Fault> {
    template
        .render(lookup)
        .map_err(|missing| Fault::new(missing, format!("neither the topic nor the message says the {missing}")))
}

fn value_of(json: &Json, numbers: Numbers) -> Result<Value, Fault> {
    match json {
        Json::Bool(value) => Ok(Value::Boolean(*value)),
        Json::Number(number) => match (number.as_i64(), numbers) {
            (Some(integer), Numbers::AsWritten) => Ok(Value::Integer(integer)),
            _ if number.is_u64() && numbers == Numbers::AsWritten => {
                Err(Fault::new("value", format!("{number} is larger than a signed number of 64 bits")))
            }
            _ => number
                .as_f64()
                .filter(|value| value.is_finite())
                .map(Value::Float)
                .ok_or_else(|| Fault::new("value", format!("{number} is not a finite number"))),
        },
        Json::String(text) if text.len() > MAX_TEXT_BYTES => {
            Err(Fault::new("value", format!("a text of {} bytes, the limit is {MAX_TEXT_BYTES}", text.len())))
        }
        Json::String(text) => Ok(Value::Text(text.as_str().into())),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err(Fault::new("value", "a number, a text, true or false is expected"))
        }
    }
}

fn sequence(json: &Json) -> Result<u64, Fault> {
    json.as_u64().ok_or_else(|| Fault::new("sequence", format!("{json} is not a whole number from 0 on")))
}

fn status(json: &Json) -> Result<StatusCode, Fault> {
    let unknown = || Fault::new("status", format!("{json} is not a StatusCode, good, uncertain or bad"));
    let code = match json {
        Json::Number(number) => number.as_u64().and_then(|code| u32::try_from(code).ok()),
        Json::String(text) => match text.to_ascii_lowercase().as_str() {
            "good" => Some(0),
            "uncertain" => Some(0x4000_0000),
            "bad" => Some(0x8000_0000),
            other => other.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok()),
        },
        _ => None,
    };
    code.map(StatusCode::new).ok_or_else(unknown)
}

fn text<'a>(field: &str, json: &'a Json) -> Result<&'a str, Fault> {
    json.as_str().ok_or_else(|| Fault::new(field, format!("{json} is not a text")))
}

/// A name as a level of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
