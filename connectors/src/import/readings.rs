//! `[[reading]]` blocks: columns that become readings of signals, and the entries of the tag catalog for them.

use std::sync::Arc;

use eventlog::frames::{Reading, StatusCode, Value as ReadingValue};
use toml::{Table, Value};

use super::cell::Cell;
use super::compile::Compiler;
use super::condition::Condition;
use super::expression::{Expression, Fault, Node, Wanted};
use super::mapping::MappingError;
use super::read_toml::Keys;
use super::template::Template;

/// One group of signals that are read from the same row at the same time.
#[derive(Clone, Debug)]
pub(super) struct ReadingBlock {
    pub(super) when: Condition,
    time: Expression,
    sequence: Option<Expression>,
    status: Option<Expression>,
    pub(super) signals: Vec<SignalBlock>,
}

/// One column, or one computed value, that is a signal.
#[derive(Clone, Debug)]
pub(super) struct SignalBlock {
    signal: Template,
    label: String,
    value: Expression,
    required: bool,
    /// The payload of `signal.defined`, when the block defines its signal.
    pub(super) definition: Option<Node>,
}

/// The time, sequence and status that the readings of a row share.
pub(super) struct Shared {
    time: jiff::Timestamp,
    sequence: Option<u64>,
    status: StatusCode,
}

impl ReadingBlock {
    pub(super) fn compile(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Self, MappingError> {
        let when = keys.value("when");
        let when = Condition::compile_optional(compiler, when, &keys.place("when"))?;
        let asset = keys.required_text("asset")?;
        let time = keys.required("time")?;
        let time = Expression::compile(compiler, time, &keys.place("time"), Wanted::Time)?;
        let mut optional = |keys: &mut Keys<'_>, key: &'static str| match keys.value(key) {
            None => Ok(None),
            Some(value) => Expression::compile(compiler, value, &keys.place(key), Wanted::Number).map(Some),
        };
        let sequence = optional(&mut keys, "sequence")?;
        let status = optional(&mut keys, "status")?;
        let mut signals = Vec::new();
        for (table, at) in keys.blocks("signal")? {
            for table in expand(table, &at)? {
                signals.push(SignalBlock::compile(compiler, Keys::new(&table, &at), asset)?);
            }
        }
        if signals.is_empty() {
            return Err(keys.error("signal", "at least one [[reading.signal]] is expected"));
        }
        keys.finish()?;
        Ok(Self { when, time, sequence, status, signals })
    }

    pub(super) fn shared(&self, values: &[Option<Cell>]) -> Result<Shared, Fault> {
        let time = match self.time.required(values).map_err(|reason| Fault::new("reading time", reason))? {
            Cell::Time(time) => time,
            other => return Err(Fault::new("reading time", format!("{other} is not a time"))),
        };
        let number = |expression: &Option<Expression>, field: &str| match expression {
            None => Ok(None),
            Some(expression) => expression
                .value(values)
                .map_err(|reason| Fault::new(field, reason))?
                .map(|cell| {
                    whole(&cell).ok_or_else(|| Fault::new(field, format!("{cell} is not a whole number from 0 on")))
                })
                .transpose(),
        };
        let sequence = number(&self.sequence, "reading sequence")?;
        let status = match number(&self.status, "reading status")? {
            None => StatusCode::GOOD,
            Some(code) => u32::try_from(code)
                .map(StatusCode::new)
                .map_err(|_| Fault::new("reading status", format!("{code} is not a status of 32 bits")))?,
        };
        Ok(Shared { time, sequence, status })
    }
}

impl SignalBlock {
    fn compile(compiler: &mut Compiler, mut keys: Keys<'_>, asset: &str) -> Result<Self, MappingError> {
        let quantity = keys.required_text("quantity")?;
        let signal = keys.text("signal")?.map_or_else(|| format!("{asset}.{quantity}"), str::to_owned);
        let kind = keys.text("as")?.unwrap_or("number");
        let (column, value) = (keys.text("column")?, keys.value("value"));
        let (value, label) = match (column, value) {
            (Some(column), None) => {
                let mut table = Table::new();
                table.insert("column".to_owned(), column.into());
                table.insert("as".to_owned(), kind.into());
                (Value::Table(table), format!("column {column:?}"))
            }
            (None, Some(value)) => (value.clone(), format!("signal {quantity:?}")),
            _ => return Err(MappingError::new(keys.at(), "exactly one of column and value is expected")),
        };
        let value = Expression::compile(compiler, &value, keys.at(), Wanted::Number)?;
        let required = keys.boolean("required", false)?;
        let define = keys.boolean("define", true)?;
        let mut definition = Table::new();
        definition.insert("signal".to_owned(), signal.clone().into());
        definition.insert("asset".to_owned(), asset.into());
        definition.insert("quantity".to_owned(), quantity.into());
        let mut name = Table::new();
        name.insert("en".to_owned(), quantity.into());
        definition.insert("name".to_owned(), Value::Table(name));
        for key in ["name", "unit", "low", "high", "period_ms", "deadband", "address"] {
            if let Some(value) = keys.value(key) {
                definition.insert(key.to_owned(), value.clone());
            }
        }
        if define && !definition.contains_key("unit") {
            return Err(keys.error("unit", "a signal that is defined here needs its UCUM unit"));
        }
        let definition = if define { Some(Node::object(compiler, &definition, keys.at())?) } else { None };
        let signal = compiler.template(&signal, &keys.place("signal"))?;
        keys.finish()?;
        Ok(Self { signal, label, value, required, definition })
    }

    /// The reading of a row; `None` when its value is missing and may be.
    pub(super) fn reading(
        &self,
        shared: &Shared,
        values: &[Option<Cell>],
        intern: impl FnOnce(String) -> Arc<str>,
    ) -> Result<Option<Reading>, Fault> {
        let value = self.value.value(values).map_err(|reason| Fault::new(&self.label, reason))?;
        let value = match value {
            None if self.required => return Err(Fault::new(&self.label, self.value.missing_reason())),
            None => return Ok(None),
            Some(Cell::Boolean(value)) => ReadingValue::Boolean(value),
            Some(Cell::Integer(value)) => ReadingValue::Integer(value),
            Some(Cell::Text(text)) => ReadingValue::Text(text.into()),
            Some(cell) => match cell.as_f64() {
                Some(value) => ReadingValue::Float(value),
                None => return Err(Fault::new(&self.label, format!("{cell} is not the value of a reading"))),
            },
        };
        let signal = self.signal.render(values);
        let signal = signal.ok_or_else(|| Fault::new(&self.label, format!("{} is missing", self.signal.names())))?;
        Ok(Some(Reading {
            signal: intern(signal),
            time: shared.time,
            sequence: shared.sequence,
            value,
            status: shared.status,
        }))
    }
}

fn whole(cell: &Cell) -> Option<u64> {
    match cell {
        Cell::Integer(value) => u64::try_from(*value).ok(),
        Cell::Number(value) if value.fract() == 0.0 && (0.0..9.0e15).contains(value) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within range")]
            Some(*value as u64)
        }
        _ => None,
    }
}

/// A block with `columns = [...]` stands for one block for each column; `{each}` in its texts is the column's name.
fn expand(table: &Table, at: &str) -> Result<Vec<Table>, MappingError> {
    let Some(columns) = table.get("columns") else { return Ok(vec![table.clone()]) };
    let wrong = || MappingError::new(&format!("{at}.columns"), "a list of column names is expected");
    columns
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|column| {
            let column = column.as_str().ok_or_else(wrong)?;
            let mut one = Table::new();
            for (key, value) in table.iter().filter(|(key, _)| key.as_str() != "columns") {
                one.insert(key.clone(), named(value, column));
            }
            one.insert("column".to_owned(), column.into());
            Ok(one)
        })
        .collect()
}

fn named(value: &Value, column: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{each}", column)),
        Value::Array(items) => Value::Array(items.iter().map(|item| named(item, column)).collect()),
        Value::Table(table) => {
            Value::Table(table.iter().map(|(key, item)| (key.clone(), named(item, column))).collect())
        }
        other => other.clone(),
    }
}
