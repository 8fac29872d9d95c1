//! Expressions: how the value of a field is made from a row.

use std::collections::HashMap;

use jiff::SignedDuration;
use regex::Regex;
use serde_json::{Map, Value as Json};
use toml::Value;

use super::cell::Cell;
use super::compile::Compiler;
use super::mapping::MappingError;
use super::read_toml::{Keys, to_json};
use super::template::Template;
use super::time::{DurationFormat, TimeFormat, unit_seconds};

/// What is wrong with a row, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// The field of the event, or the block.
    pub(super) field: String,
    /// What is wrong.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same fault, one level further out.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.field = if self.field.is_empty() { key.to_owned() } else { format!("{key}.{}", self.field) };
        self
    }
}

/// A table of values: the text in the file and what it becomes.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    values: HashMap<String, Json>,
}

impl Lookup {
    pub(super) fn compile(value: &Value, at: &str) -> Result<Self, MappingError> {
        let table = value.as_table().ok_or_else(|| MappingError::new(at, "a table of values is expected"))?;
        Ok(Self { values: table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect() })
    }
}

#[derive(Clone, Debug)]
enum Base {
    Slot(usize),
    Template(Template),
    Constant(Option<Cell>),
}

#[derive(Clone, Debug)]
enum Kind {
    Keep,
    Text,
    Number,
    Integer,
    Boolean,
    Time(TimeFormat),
    Duration(DurationFormat, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Keep,
    Lower,
    Upper,
}

/// What becomes of a field whose value is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Missing {
    /// The row is rejected.
    Reject,
    /// The field is left out.
    LeaveOut,
    /// The object or the list entry that holds the field is left out.
    LeaveOutParent,
}

/// One value, compiled.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    base: Base,
    label: String,
    missing: Vec<String>,
    case: Case,
    regex: Option<(Regex, String)>,
    split: Option<String>,
    table: Option<(Lookup, Option<Json>)>,
    kind: Kind,
    decimal: char,
    thousands: Option<char>,
    scale: Option<f64>,
    offset: Option<f64>,
    terms: Vec<(f64, Expression)>,
    default: Option<Cell>,
    when_missing: Missing,
}

/// What an expression turns its text into when it does not say so itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Whatever the column holds.
    Any,
    /// An instant.
    Time,
    /// A number.
    Number,
}

impl Expression {
    pub(super) fn compile(
        compiler: &mut Compiler,
        value: &Value,
        at: &str,
        wanted: Wanted,
    ) -> Result<Self, MappingError> {
        match value {
            Value::String(text) => {
                let template = compiler.template(text, at)?;
                let label = template.names();
                let base = match (template.constant(), template.single()) {
                    (Some(text), _) => Base::Constant(Some(Cell::Text(text.to_owned()))),
                    // A time or number that was computed already is taken as it is, not by way of its text.
                    (None, Some(slot)) if wanted != Wanted::Any => Base::Slot(slot),
                    (None, _) => Base::Template(template),
                };
                let kind = wanted_kind(compiler, wanted, at)?;
                Ok(Self::plain(compiler, base, label, kind))
            }
            Value::Table(table) => Self::compile_table(compiler, Keys::new(table, at), wanted),
            other => {
                Ok(Self::plain(compiler, Base::Constant(Cell::from_json(to_json(other))), at.to_owned(), Kind::Keep))
            }
        }
    }

    fn plain(compiler: &Compiler, base: Base, label: String, kind: Kind) -> Self {
        Self {
            base,
            label,
            missing: Vec::new(),
            case: Case::Keep,
            regex: None,
            split: None,
            table: None,
            kind,
            decimal: compiler.decimal,
            thousands: compiler.thousands,
            scale: None,
            offset: None,
            terms: Vec::new(),
            default: None,
            when_missing: Missing::Reject,
        }
    }

    fn compile_table(compiler: &mut Compiler, mut keys: Keys<'_>, wanted: Wanted) -> Result<Self, MappingError> {
        let (base, label) = base(compiler, &mut keys)?;
        let kind = kind(compiler, &mut keys, wanted)?;
        let mut expression = Self::plain(compiler, base, label, kind);
        if let Some(text) = keys.text("decimal")? {
            expression.decimal = one_character(&keys, "decimal", text)?;
        }
        if let Some(text) = keys.text("thousands")? {
            expression.thousands = Some(one_character(&keys, "thousands", text)?);
        }
        expression.missing = keys.texts("missing")?.unwrap_or_default();
        expression.case = match keys.text("case")? {
            None => Case::Keep,
            Some("lower") => Case::Lower,
            Some("upper") => Case::Upper,
            Some(_) => return Err(keys.error("case", "\"lower\" or \"upper\" is expected")),
        };
        expression.regex = regex(&mut keys)?;
        expression.split = keys.text("split")?.map(str::to_owned);
        expression.table = table(compiler, &mut keys)?;
        expression.scale = keys.number("scale")?;
        expression.offset = keys.number("offset")?;
        for (key, sign) in [("plus", 1.0), ("minus", -1.0)] {
            if let Some(value) = keys.value(key) {
                expression.terms.push((sign, Self::compile(compiler, value, &keys.place(key), Wanted::Number)?));
            }
        }
        expression.default = keys.value("default").map(to_json).and_then(Cell::from_json);
        expression.when_missing = match keys.value("optional") {
            None | Some(Value::Boolean(false)) => Missing::Reject,
            Some(Value::Boolean(true)) => Missing::LeaveOut,
            Some(Value::String(text)) if text == "parent" => Missing::LeaveOutParent,
            Some(_) => return Err(keys.error("optional", "true, false or \"parent\" is expected")),
        };
        keys.finish()?;
        Ok(expression)
    }

    /// The value for a row: `None` when it is missing.
    pub(super) fn value(&self, values: &[Option<Cell>]) -> Result<Option<Cell>, String> {
        let raw = match &self.base {
            Base::Slot(slot) => values.get(*slot).cloned().flatten(),
            Base::Template(template) => template.render(values).map(Cell::Text),
            Base::Constant(cell) => cell.clone(),
        };
        let Some(cell) = raw.map_or(Ok(None), |cell| self.shape(cell))? else { return Ok(self.default.clone()) };
        let cell = self.convert(cell)?;
        let Some(cell) = self.add_terms(cell, values)? else { return Ok(self.default.clone()) };
        Ok(Some(cell))
    }

    /// The value for a row, where one is needed.
    pub(super) fn required(&self, values: &[Option<Cell>]) -> Result<Cell, String> {
        self.value(values)?.ok_or_else(|| self.missing_reason())
    }

    pub(super) fn missing_reason(&self) -> String {
        format!("a value is required, and {} is missing", self.label)
    }

    /// Case, missing texts, regex, split and table: everything that works on the text as it stands in the file.
    fn shape(&self, mut cell: Cell) -> Result<Option<Cell>, String> {
        if let Cell::Text(text) = &mut cell {
            if self.missing.contains(text) {
                return Ok(None);
            }
            match self.case {
                Case::Keep => {}
                Case::Lower => *text = text.to_lowercase(),
                Case::Upper => *text = text.to_uppercase(),
            }
        }
        if let Some((regex, group)) = &self.regex {
            let text = cell.to_string();
            let Some(found) = regex.captures(&text) else { return Ok(None) };
            let found = match group.parse::<usize>() {
                Ok(index) => found.get(index),
                Err(_) => found.name(group),
            };
            let Some(found) = found.filter(|found| !found.is_empty()) else { return Ok(None) };
            cell = Cell::Text(found.as_str().to_owned());
        }
        if let Some(separator) = &self.split {
            let text = cell.to_string();
            let parts = text.split(separator.as_str()).map(str::trim).filter(|part| !part.is_empty());
            cell = Cell::Json(Json::Array(parts.map(|part| Json::String(part.to_owned())).collect()));
        }
        if let Some((lookup, otherwise)) = &self.table {
            let text = cell.to_string();
            let found = lookup.values.get(&text).or(otherwise.as_ref());
            return found.cloned().map(Cell::from_json).ok_or_else(|| format!("{text:?} is not in the table"));
        }
        Ok(Some(cell))
    }

    fn convert(&self, cell: Cell) -> Result<Cell, String> {
        let converted = match &self.kind {
            Kind::Keep => cell,
            Kind::Text => Cell::Text(cell.to_string()),
            Kind::Number => Cell::Number(self.number(&cell)?),
            Kind::Integer => Cell::Integer(self.integer(&cell)?),
            Kind::Boolean => Cell::Boolean(boolean(&cell)?),
            Kind::Time(format) => match cell {
                Cell::Time(time) => Cell::Time(time),
                Cell::Text(text) => Cell::Time(format.read(&text)?),
                other => Cell::Time(format.read(&other.to_string())?),
            },
            Kind::Duration(format, unit) => match cell {
                Cell::Duration(duration, _) => Cell::Duration(duration, *unit),
                other => Cell::Duration(format.read(&other.to_string())?, *unit),
            },
        };
        Ok(converted)
    }

    fn add_terms(&self, mut cell: Cell, values: &[Option<Cell>]) -> Result<Option<Cell>, String> {
        if self.scale.is_some() || self.offset.is_some() {
            let value = self.number(&cell)? * self.scale.unwrap_or(1.0) + self.offset.unwrap_or(0.0);
            cell = finite(value)?;
        }
        for (sign, term) in &self.terms {
            let Some(term) = term.value(values)? else { return Ok(None) };
            cell = add(&cell, &term, *sign)?;
        }
        Ok(Some(cell))
    }

    fn number(&self, cell: &Cell) -> Result<f64, String> {
        let Some(text) = cell.as_text() else {
            return cell.as_f64().ok_or_else(|| format!("{cell} is not a number"));
        };
        let plain = self.decimal == '.' && self.thousands.is_none();
        let parsed = if plain {
            text.parse::<f64>()
        } else {
            let text = text
                .chars()
                .filter(|character| Some(*character) != self.thousands)
                .map(|character| if character == self.decimal { '.' } else { character });
            text.collect::<String>().parse::<f64>()
        };
        parsed.ok().filter(|value| value.is_finite()).ok_or_else(|| format!("{text:?} is not a finite number"))
    }

    fn integer(&self, cell: &Cell) -> Result<i64, String> {
        if let Cell::Integer(value) = cell {
            return Ok(*value);
        }
        if let Some(value) = cell.as_text().and_then(|text| text.parse::<i64>().ok()) {
            return Ok(value);
        }
        let value = self.number(cell)?;
        #[expect(clippy::cast_precision_loss, reason = "the bounds of exact integers are themselves exact")]
        const LIMIT: f64 = (1_i64 << 53) as f64;
        if value.fract() == 0.0 && value.abs() <= LIMIT {
            #[expect(clippy::cast_possible_truncation, reason = "the value is whole and within 2^53")]
            return Ok(value as i64);
        }
        Err(format!("{cell} is not a whole number"))
    }
}

fn finite(value: f64) -> Result<Cell, String> {
    if value.is_finite() { Ok(Cell::Number(value)) } else { Err("the result is not a finite number".to_owned()) }
}

fn add(cell: &Cell, term: &Cell, sign: f64) -> Result<Cell, String> {
    match (cell, term) {
        (Cell::Time(time), Cell::Duration(duration, _)) => {
            let signed = if sign < 0.0 { duration.checked_neg().unwrap_or(SignedDuration::ZERO) } else { *duration };
            time.checked_add(signed).map(Cell::Time).map_err(|error| error.to_string())
        }
        (Cell::Time(left), Cell::Time(right)) if sign < 0.0 => Ok(Cell::Duration(left.duration_since(*right), 3_600.0)),
        (Cell::Duration(left, unit), Cell::Duration(right, _)) => {
            let sum = if sign < 0.0 { left.checked_sub(*right) } else { left.checked_add(*right) };
            sum.map(|sum| Cell::Duration(sum, *unit)).ok_or_else(|| "the duration is too long".to_owned())
        }
        _ => match (cell.as_f64(), term.as_f64()) {
            (Some(left), Some(right)) => finite(left + sign * right),
            _ => Err(format!("{cell} and {term} cannot be added: numbers, or a time and a duration, are expected")),
        },
    }
}

fn boolean(cell: &Cell) -> Result<bool, String> {
    if let Cell::Boolean(value) = cell {
        return Ok(*value);
    }
    let text = cell.to_string();
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn base(compiler: &mut Compiler, keys: &mut Keys<'_>) -> Result<(Base, String), MappingError> {
    let column = keys.text("column")?;
    let template = keys.text("template")?;
    let constant = keys.value("constant");
    match (column, template, constant) {
        (Some(name), None, None) => Ok((Base::Slot(compiler.slot(name)), format!("column {name:?}"))),
        (None, Some(text), None) => {
            let template = compiler.template(text, &keys.place("template"))?;
            let label = template.names();
            Ok((Base::Template(template), label))
        }
        (None, None, Some(value)) => Ok((Base::Constant(Cell::from_json(to_json(value))), keys.at().to_owned())),
        _ => Err(MappingError::new(keys.at(), "exactly one of column, template and constant is expected")),
    }
}

fn wanted_kind(compiler: &Compiler, wanted: Wanted, at: &str) -> Result<Kind, MappingError> {
    match wanted {
        Wanted::Any => Ok(Kind::Keep),
        Wanted::Number => Ok(Kind::Number),
        Wanted::Time => TimeFormat::new(&compiler.time_formats, compiler.zone.clone())
            .map(Kind::Time)
            .map_err(|reason| MappingError::new(at, reason)),
    }
}

fn kind(compiler: &Compiler, keys: &mut Keys<'_>, wanted: Wanted) -> Result<Kind, MappingError> {
    let formats = keys.texts("format")?;
    let zone = keys.text("zone")?;
    let unit = keys.text("unit")?;
    let name = match (keys.text("as")?, wanted) {
        (Some(name), _) => name,
        (None, Wanted::Time) => "time",
        (None, Wanted::Number) => "number",
        (None, Wanted::Any) => "keep",
    };
    if zone.is_some() && name != "time" {
        return Err(keys.error("zone", "a zone belongs to as = \"time\""));
    }
    if unit.is_some() && name != "duration" {
        return Err(keys.error("unit", "a unit belongs to as = \"duration\""));
    }
    if formats.is_some() && !matches!(name, "time" | "duration") {
        return Err(keys.error("format", "a format belongs to as = \"time\" or as = \"duration\""));
    }
    Ok(match name {
        "keep" => Kind::Keep,
        "text" => Kind::Text,
        "number" => Kind::Number,
        "integer" => Kind::Integer,
        "boolean" => Kind::Boolean,
        "time" => {
            let zone = match zone {
                None => compiler.zone.clone(),
                Some(zone) => super::time::zone(zone).map_err(|reason| keys.error("zone", reason))?,
            };
            let formats = formats.unwrap_or_else(|| compiler.time_formats.clone());
            Kind::Time(TimeFormat::new(&formats, zone).map_err(|reason| keys.error("format", reason))?)
        }
        "duration" => {
            let format = formats
                .as_deref()
                .and_then(<[String]>::first)
                .ok_or_else(|| keys.error("format", "a duration needs its format"))?;
            let format = DurationFormat::new(format).map_err(|reason| keys.error("format", reason))?;
            let unit = unit_seconds(unit.unwrap_or("hours"))
                .ok_or_else(|| keys.error("unit", "seconds, minutes, hours or days is expected"))?;
            Kind::Duration(format, unit)
        }
        _ => return Err(keys.error("as", "text, number, integer, boolean, time or duration is expected")),
    })
}

fn regex(keys: &mut Keys<'_>) -> Result<Option<(Regex, String)>, MappingError> {
    let group = keys.text("group")?;
    let Some(pattern) = keys.text("regex")? else { return Ok(None) };
    let regex = Regex::new(pattern).map_err(|error| keys.error("regex", error.to_string()))?;
    let group = match group {
        Some(group) => group.to_owned(),
        None if regex.captures_len() > 1 => "1".to_owned(),
        None => "0".to_owned(),
    };
    let known = match group.parse::<usize>() {
        Ok(index) => index < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|name| name == group),
    };
    if !known {
        return Err(keys.error("group", format!("the pattern has no group {group:?}")));
    }
    Ok(Some((regex, group)))
}

fn table(compiler: &Compiler, keys: &mut Keys<'_>) -> Result<Option<(Lookup, Option<Json>)>, MappingError> {
    let otherwise = keys.value("otherwise").map(to_json);
    let lookup = match keys.value("table") {
        None => return Ok(None),
        Some(Value::String(name)) => compiler
            .tables
            .get(name)
            .cloned()
            .ok_or_else(|| keys.error("table", format!("there is no [tables.{name}]")))?,
        Some(value) => Lookup::compile(value, &keys.place("table"))?,
    };
    Ok(Some((lookup, otherwise)))
}

fn one_character(keys: &Keys<'_>, key: &str, text: &str) -> Result<char, MappingError> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(keys.error(key, "one character is expected")),
    }
}

/// The shape of an event's payload: objects, lists and the expressions in them.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Box<Expression>),
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
}

/// What a node gives for a row.
enum Made {
    Value(Json),
    LeftOut,
    ParentLeftOut,
}

impl Node {
    pub(super) fn compile(compiler: &mut Compiler, value: &Value, at: &str) -> Result<Self, MappingError> {
        match value {
            Value::Table(table) if !["column", "template", "constant"].iter().any(|key| table.contains_key(*key)) => {
                Self::object(compiler, table, at)
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Self::compile(compiler, item, &format!("{at}[{}]", index + 1)))
                .collect::<Result<Vec<_>, _>>()
                .map(Self::List),
            other => Expression::compile(compiler, other, at, Wanted::Any).map(|leaf| Self::Leaf(Box::new(leaf))),
        }
    }

    pub(super) fn object(compiler: &mut Compiler, table: &toml::Table, at: &str) -> Result<Self, MappingError> {
        table
            .iter()
            .map(|(key, value)| Ok((key.clone(), Self::compile(compiler, value, &format!("{at}.{key}"))?)))
            .collect::<Result<Vec<_>, MappingError>>()
            .map(Self::Object)
    }

    /// The JSON for a row.
    pub(super) fn json(&self, values: &[Option<Cell>]) -> Result<Json, Fault> {
        match self.make(values)? {
            Made::Value(value) => Ok(value),
            Made::LeftOut | Made::ParentLeftOut => Ok(Json::Object(Map::new())),
        }
    }

    fn make(&self, values: &[Option<Cell>]) -> Result<Made, Fault> {
        match self {
            Self::Leaf(leaf) => match leaf.value(values).map_err(|reason| Fault::new("", reason))? {
                Some(cell) => Ok(Made::Value(cell.into_json())),
                None => match leaf.when_missing {
                    Missing::Reject => Err(Fault::new("", leaf.missing_reason())),
                    Missing::LeaveOut => Ok(Made::LeftOut),
                    Missing::LeaveOutParent => Ok(Made::ParentLeftOut),
                },
            },
            Self::Object(members) => {
                let mut object = Map::new();
                for (key, node) in members {
                    match node.make(values).map_err(|fault| fault.under(key))? {
                        Made::Value(value) => {
                            object.insert(key.clone(), value);
                        }
                        Made::LeftOut => {}
                        Made::ParentLeftOut => return Ok(Made::LeftOut),
                    }
                }
                Ok(Made::Value(Json::Object(object)))
            }
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, node) in items.iter().enumerate() {
                    match node.make(values).map_err(|fault| fault.under(&(index + 1).to_string()))? {
                        Made::Value(value) => list.push(value),
                        Made::LeftOut => {}
                        Made::ParentLeftOut => return Ok(Made::LeftOut),
                    }
                }
                Ok(Made::Value(Json::Array(list)))
            }
        }
    }
}
