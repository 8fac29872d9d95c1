//! How messages are read, as configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TimeFormat;

/// What messages hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// One reading, many readings, or many values of one time.
    #[default]
    Readings,
    /// Business events: `{"type", "id", "time", "data"}`, one or an array.
    Events,
}

/// What to make of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// `12` is a whole number and `12.0` a float.
    #[default]
    AsWritten,
    /// Every number is a float, for writers that leave out `.0`.
    Float,
}

/// What to make of a reading without a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingTime {
    /// It is not understood.
    #[default]
    Quarantine,
    /// The time of its arrival counts. A redelivery then arrives at another time and cannot be recognised as one.
    Arrival,
}

/// Where the parts of a reading are in a message: JSON pointers (`/data/value`, RFC 6901) or plain names. Each absent one stands for the usual names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The array of readings, or the object that is one. (Default: `readings` where there is one, or else the message itself.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// The signal's id, where a reading names it itself. (Default: `signal`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The asset, which overrides the topic's. (Default: `asset`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The quantity, which overrides the topic's. (Default: `quantity`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The value. (Default: `value`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The object of quantities and values that share a time. (Default: `values`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// The source time. (Default: `time`, `ts` or `timestamp`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The source's own count. (Default: `sequence` or `seq`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// The OPC UA StatusCode: a number, `0x…`, or `good`, `uncertain`, `bad`. (Default: `status`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The unit, checked against [`Subscription::unit`]. (Default: `unit`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// One topic and how its messages are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The form of the topics, with a variable for each level that varies: `mill/{asset}/{quantity}`. `{_}` is any level, `{_*}` at the end any rest.
    pub topic: String,
    /// The MQTT filter to subscribe to, where it is wider than the topic (default: the topic with `+` for each variable). What it brings and the topic does not cover goes to
    /// quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// What the messages hold.
    #[serde(default)]
    pub contents: Contents,
    /// Where the parts of a reading are.
    #[serde(default)]
    pub fields: Fields,
    /// How a signal's id is made where a reading does not name it: from the topic's variables, the asset and the quantity.
    #[serde(default = "default_signal")]
    pub signal: String,
    /// Other names for quantities: as the message says to as the signal says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<String, String>,
    /// How times are written.
    #[serde(default)]
    pub time_format: TimeFormat,
    /// What to make of numbers.
    #[serde(default)]
    pub numbers: Numbers,
    /// What to make of a reading without a time.
    #[serde(default)]
    pub missing_time: MissingTime,
    /// The unit that readings must be in, where they name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

fn default_signal() -> String {
    "{asset}.{quantity}".to_owned()
}

impl Subscription {
    /// The subscription to topics of this form, with everything else at its default.
    pub fn new(topic: &str, contents: Contents) -> Self {
        Self {
            topic: topic.to_owned(),
            filter: None,
            contents,
            fields: Fields::default(),
            signal: default_signal(),
            quantities: BTreeMap::new(),
            time_format: TimeFormat::default(),
            numbers: Numbers::default(),
            missing_time: MissingTime::default(),
            unit: None,
        }
    }

    /// The default mapping, which needs no configuration.
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("millwright/v1/{asset}/readings", Contents::Readings),
            Self::new("millwright/v1/{asset}/events", Contents::Events),
        ]
    }
}

/// Why a mapping is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct MappingError {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl MappingError {
    pub(super) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}
