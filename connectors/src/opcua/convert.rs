//! Between OPC UA's values and times and those of the log: functions of values, without a socket.

use std::sync::Arc;

use eventlog::frames::{Reading, StatusCode, Value};
use jiff::Timestamp;
use opcua::types::{DataValue, DateTime, UAString, Variant};

use crate::ingest::MAX_TEXT_BYTES;

/// Seconds from 1601, where OPC UA counts from, to 1970.
const EPOCH_OFFSET_S: i128 = 11_644_473_600;
const NANOSECONDS_PER_TICK: i128 = 100;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) reason: String,
}

/// The reading that a notification carries. The time is the source's, or the server's where the source has none. A Bad value that carries nothing is NaN under its status: that
/// a value went bad is worth knowing.
pub(super) fn reading_of(signal: &Arc<str>, data: &DataValue) -> Result<Reading, Fault> {
    let fault = |field, reason: String| Fault { field, reason };
    let status = StatusCode::new(data.status.map_or(0, |status| status.bits()));
    let time = data
        .source_timestamp
        .or(data.server_timestamp)
        .ok_or_else(|| fault("time", "neither the source nor the server gave a time".to_owned()))?;
    let time = timestamp_of(time).ok_or_else(|| fault("time", "it is not within the years 1678 to 2262".to_owned()))?;
    let value = match &data.value {
        Some(variant) => value_of(variant).map_err(|reason| fault("value", reason))?,
        None => None,
    };
    let value = match value {
        Some(value) => value,
        None if status.is_bad() => Value::Float(f64::NAN),
        None => return Err(fault("value", "there is no value".to_owned())),
    };
    Ok(Reading { signal: Arc::clone(signal), time, sequence: None, value, status })
}

fn value_of(variant: &Variant) -> Result<Option<Value>, String> {
    let value = match variant {
        Variant::Empty => return Ok(None),
        Variant::Boolean(value) => Value::Boolean(*value),
        Variant::SByte(value) => Value::Integer(i64::from(*value)),
        Variant::Byte(value) => Value::Integer(i64::from(*value)),
        Variant::Int16(value) => Value::Integer(i64::from(*value)),
        Variant::UInt16(value) => Value::Integer(i64::from(*value)),
        Variant::Int32(value) => Value::Integer(i64::from(*value)),
        Variant::UInt32(value) => Value::Integer(i64::from(*value)),
        Variant::Int64(value) => Value::Integer(*value),
        Variant::UInt64(value) => Value::Integer(
            i64::try_from(*value).map_err(|_| format!("{value} is larger than a signed number of 64 bits"))?,
        ),
        Variant::Float(value) => Value::Float(f64::from(*value)),
        Variant::Double(value) => Value::Float(*value),
        Variant::String(value) => return text_of(value),
        Variant::LocalizedText(value) => return text_of(&value.text),
        Variant::DateTime(value) => match timestamp_of(**value) {
            Some(time) => Value::Text(time.to_string().into()),
            None => return Err("a time that is not within the years 1678 to 2262".to_owned()),
        },
        _ => return Err("a number, a text, a time, true or false is expected".to_owned()),
    };
    Ok(Some(value))
}

fn text_of(text: &UAString) -> Result<Option<Value>, String> {
    match text.value() {
        None => Ok(None),
        Some(text) if text.len() > MAX_TEXT_BYTES => {
            Err(format!("a text of {} bytes, the limit is {MAX_TEXT_BYTES}", text.len()))
        }
        Some(text) => Ok(Some(Value::Text(text.as_str().into()))),
    }
}

fn timestamp_of(time: DateTime) -> Option<Timestamp> {
    let nanoseconds = i128::from(time.ticks()) * NANOSECONDS_PER_TICK - EPOCH_OFFSET_S * 1_000_000_000;
    i64::try_from(nanoseconds).ok()?;
    Timestamp::from_nanosecond(nanoseconds).ok()
}

/// The notification that carries a value. OPC UA counts in steps of 100 nanoseconds.
pub(super) fn data_value_of(value: Value, status: StatusCode, time: Timestamp) -> DataValue {
    let variant = match value {
        Value::Boolean(value) => Variant::Boolean(value),
        Value::Integer(value) => Variant::Int64(value),
        Value::Float(value) => Variant::Double(value),
        Value::Text(value) => Variant::String(UAString::from(&*value)),
    };
    let ticks = (time.as_nanosecond() + EPOCH_OFFSET_S * 1_000_000_000) / NANOSECONDS_PER_TICK;
    let time = DateTime::from(i64::try_from(ticks).unwrap_or(0));
    DataValue {
        value: Some(variant),
        status: Some(opcua::types::StatusCode::from(status.get())),
        source_timestamp: Some(time),
        server_timestamp: Some(DateTime::now()),
        ..DataValue::default()
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
