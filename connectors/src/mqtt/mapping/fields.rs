//! Where the parts of a reading are, compiled to JSON pointers.

use serde_json::Value as Json;

use super::config::{Fields, MappingError};

/// Pointers to try, in order.
#[derive(Clone, Debug)]
pub(super) struct Pointers(Vec<String>);

#[derive(Clone, Debug)]
pub(super) struct CompiledFields {
    pub(super) items: Option<Pointers>,
    pub(super) signal: Pointers,
    pub(super) asset: Pointers,
    pub(super) quantity: Pointers,
    pub(super) value: Pointers,
    pub(super) values: Pointers,
    pub(super) time: Pointers,
    pub(super) sequence: Pointers,
    pub(super) status: Pointers,
    pub(super) unit: Pointers,
}

impl CompiledFields {
    pub(super) fn compile(fields: &Fields) -> Result<Self, MappingError> {
        let compile = |field: &str, configured: &Option<String>, usual: &[&str]| match configured {
            Some(text) => Ok(Pointers(vec![pointer(field, text)?])),
            None => Ok(Pointers(usual.iter().map(|name| format!("/{name}")).collect())),
        };
        let items = fields.items.as_ref().map(|text| pointer("items", text)).transpose()?;
        Ok(Self {
            items: items.map(|pointer| Pointers(vec![pointer])),
            signal: compile("signal", &fields.signal, &["signal"])?,
            asset: compile("asset", &fields.asset, &["asset"])?,
            quantity: compile("quantity", &fields.quantity, &["quantity"])?,
            value: compile("value", &fields.value, &["value"])?,
            values: compile("values", &fields.values, &["values"])?,
            time: compile("time", &fields.time, &["time", "ts", "timestamp"])?,
            sequence: compile("sequence", &fields.sequence, &["sequence", "seq"])?,
            status: compile("status", &fields.status, &["status"])?,
            unit: compile("unit", &fields.unit, &["unit"])?,
        })
    }

    /// Whether something else of a reading is read from inside the object of many values, so that a value cannot be taken out of it alone.
    pub(super) fn look_into_values(&self) -> bool {
        let values_at = format!("{}/", self.values.text());
        let others = [&self.signal, &self.asset, &self.time, &self.sequence, &self.status, &self.unit];
        others.iter().any(|pointers| pointers.0.iter().any(|pointer| pointer.starts_with(&values_at)))
    }
}

fn pointer(field: &str, text: &str) -> Result<String, MappingError> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(text.to_owned());
    }
    if text.contains('/') {
        return Err(MappingError::new(
            &format!("fields.{field}"),
            format!("{text:?} is neither a plain name nor a JSON pointer, which begins with /"),
        ));
    }
    Ok(format!("/{}", text.replace('~', "~0")))
}

impl Pointers {
    /// The part of the message, where it is there and not null.
    pub(super) fn get<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        self.0.iter().find_map(|pointer| json.pointer(pointer)).filter(|part| !part.is_null())
    }

    /// Whether the part is there, also when it is null.
    pub(super) fn present(&self, json: &Json) -> bool {
        self.0.iter().any(|pointer| json.pointer(pointer).is_some())
    }

    /// The first of the pointers, for messages to people.
    pub(super) fn text(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}
