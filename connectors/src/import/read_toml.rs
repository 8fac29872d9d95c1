//! Reading a TOML table key by key: every key is used once, and what is left over is an error that names it.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::mapping::MappingError;

/// A table of the mapping, with the place that errors name.
pub(super) struct Keys<'a> {
    table: &'a Table,
    at: String,
    used: BTreeSet<&'static str>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(table: &'a Table, at: &str) -> Self {
        Self { table, at: at.to_owned(), used: BTreeSet::new() }
    }

    /// The table behind a value.
    pub(super) fn of(value: &'a Value, at: &str) -> Result<Self, MappingError> {
        value.as_table().map(|table| Self::new(table, at)).ok_or_else(|| MappingError::new(at, "a table is expected"))
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// The place of a key in this table.
    pub(super) fn place(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    pub(super) fn error(&self, key: &str, reason: impl Into<String>) -> MappingError {
        MappingError::new(&self.place(key), reason)
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.used.insert(key);
        self.table.get(key)
    }

    pub(super) fn required(&mut self, key: &'static str) -> Result<&'a Value, MappingError> {
        self.value(key).ok_or_else(|| self.error(key, "this key is required"))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<&'a str>, MappingError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| self.error(key, "a text is expected")),
        }
    }

    pub(super) fn required_text(&mut self, key: &'static str) -> Result<&'a str, MappingError> {
        self.text(key)?.ok_or_else(|| self.error(key, "this key is required"))
    }

    pub(super) fn boolean(&mut self, key: &'static str, default: bool) -> Result<bool, MappingError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.error(key, "true or false is expected")),
        }
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<f64>, MappingError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => number(value).map(Some).ok_or_else(|| self.error(key, "a number is expected")),
        }
    }

    /// A list of texts; one text alone counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, MappingError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Some)
                .ok_or_else(|| self.error(key, "a list of texts is expected")),
            Some(_) => Err(self.error(key, "a list of texts is expected")),
        }
    }

    /// A list of tables (`[[key]]`), empty when absent.
    pub(super) fn blocks(&mut self, key: &'static str) -> Result<Vec<(&'a Table, String)>, MappingError> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.error(key, "blocks [[…]] are expected"))?;
        items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let place = format!("{}[{}]", self.place(key), index + 1);
                item.as_table()
                    .map(|table| (table, place.clone()))
                    .ok_or_else(|| MappingError::new(&place, "a table is expected"))
            })
            .collect()
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) -> Result<(), MappingError> {
        match self.table.keys().find(|key| !self.used.contains(key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known = self.used.iter().copied().collect::<Vec<_>>().join(", ");
                Err(self.error(key, format!("this key is not known here; known are {known}")))
            }
        }
    }
}

/// A TOML number as a floating-point number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        #[expect(clippy::cast_precision_loss, reason = "bounds and factors are floating-point numbers")]
        Value::Integer(value) => Some(*value as f64),
        _ => None,
    }
}

/// A TOML value as JSON; dates become text.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Integer(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Boolean(value) => Json::Bool(*value),
        Value::Datetime(value) => Json::String(value.to_string()),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Table(table) => Json::Object(table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()),
    }
}
