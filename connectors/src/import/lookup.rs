//! What a row is told by other rows: joins with another file, and groups over all rows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::compile::Compiler;
use super::condition::Condition;
use super::expression::{Expression, Fault, Wanted};
use super::files::ImportError;
use super::mapping::MappingError;
use super::read_toml::Keys;
use super::template::Template;

/// A join: columns of another CSV file, found by a key. Of several rows with one key the first counts.
#[derive(Clone, Debug)]
pub(super) struct Join {
    name: String,
    file: String,
    separator: u8,
    on: String,
    key: Template,
    columns: Vec<(String, usize)>,
    required: bool,
}

/// The rows of a joined file by key.
pub(super) struct Joined {
    rows: HashMap<String, Vec<Option<Cell>>>,
}

impl Join {
    pub(super) fn compile(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Self, MappingError> {
        let name = keys.required_text("name")?.to_owned();
        let file = keys.required_text("file")?.to_owned();
        let separator = match keys.text("separator")?.unwrap_or(",").as_bytes() {
            [separator] => *separator,
            _ => return Err(keys.error("separator", "one ASCII character is expected")),
        };
        let on = keys.required_text("on")?.to_owned();
        let key = keys.required("key")?;
        let key = compiler.template_of(key, &keys.place("key"))?;
        let names = keys.texts("columns")?.filter(|names| !names.is_empty());
        let names = names.ok_or_else(|| keys.error("columns", "at least one column is expected"))?;
        let columns = names
            .into_iter()
            .map(|column| {
                let slot = compiler.define(&format!("{name}.{column}"), &keys.place("columns"))?;
                Ok((column, slot))
            })
            .collect::<Result<Vec<_>, MappingError>>()?;
        let required = keys.boolean("required", false)?;
        keys.finish()?;
        Ok(Self { name, file, separator, on, key, columns, required })
    }

    /// Reads the other file; a relative path starts at the folder of the first imported file.
    pub(super) fn load(&self, folder: &Path, missing: &[String]) -> Result<Joined, ImportError> {
        let path: PathBuf = folder.join(&self.file);
        let failed =
            |reason: String| ImportError::Join { join: self.name.clone(), file: path.display().to_string(), reason };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.separator)
            .flexible(true)
            .from_path(&path)
            .map_err(|error| failed(error.to_string()))?;
        let header = reader.headers().map_err(|error| failed(error.to_string()))?.clone();
        let find = |name: &str| {
            header
                .iter()
                .position(|column| column.trim_start_matches('\u{feff}').trim() == name)
                .ok_or_else(|| failed(format!("it has no column {name:?}")))
        };
        let on = find(&self.on)?;
        let columns = self.columns.iter().map(|(name, _)| find(name)).collect::<Result<Vec<_>, _>>()?;
        let mut rows = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| failed(error.to_string()))?;
            let Some(key) = record.get(on).map(str::trim).filter(|key| !key.is_empty()) else { continue };
            let cells = columns.iter().map(|column| {
                let text = record.get(*column)?.trim();
                (!text.is_empty() && !missing.iter().any(|missing| missing == text))
                    .then(|| Cell::Text(text.to_owned()))
            });
            rows.entry(key.to_owned()).or_insert_with(|| cells.collect());
        }
        Ok(Joined { rows })
    }

    /// Puts the joined columns into a row.
    pub(super) fn apply(&self, joined: &Joined, values: &mut [Option<Cell>]) -> Result<(), Fault> {
        let key = self.key.render(values);
        let row = key.as_deref().and_then(|key| joined.rows.get(key));
        if row.is_none() && self.required {
            let reason = key.map_or_else(
                || format!("{} is missing", self.key.names()),
                |key| format!("{} has no row for {key:?}", self.file),
            );
            return Err(Fault::new(format!("join {}", self.name), reason));
        }
        for (index, (_, slot)) in self.columns.iter().enumerate() {
            if let Some(value) = values.get_mut(*slot) {
                *value = row.and_then(|row| row.get(index).cloned().flatten());
            }
        }
        Ok(())
    }
}

/// What a group keeps of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    First,
    Last,
    Min,
    Max,
    Count,
    Sum,
}

/// A value over all rows with one key, in all files of the import: the earliest start of an order, for example.
#[derive(Clone, Debug)]
pub(super) struct Group {
    name: String,
    slot: usize,
    key: Template,
    value: Option<Expression>,
    take: Take,
    when: Condition,
}

/// The values of a group by key.
#[derive(Default)]
pub(super) struct Grouped {
    values: HashMap<String, Cell>,
}

impl Group {
    pub(super) fn compile(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Self, MappingError> {
        let name = keys.required_text("name")?.to_owned();
        let key = keys.required("key")?;
        let key = compiler.template_of(key, &keys.place("key"))?;
        let take = match keys.required_text("take")? {
            "first" => Take::First,
            "last" => Take::Last,
            "min" => Take::Min,
            "max" => Take::Max,
            "count" => Take::Count,
            "sum" => Take::Sum,
            _ => return Err(keys.error("take", "first, last, min, max, count or sum is expected")),
        };
        let value = match keys.value("value") {
            Some(_) if take == Take::Count => return Err(keys.error("value", "a count has no value")),
            Some(value) => Some(Expression::compile(compiler, value, &keys.place("value"), Wanted::Any)?),
            None if take == Take::Count => None,
            None => return Err(keys.error("value", "this key is required")),
        };
        let when = keys.value("when");
        let when = Condition::compile_optional(compiler, when, &keys.place("when"))?;
        let slot = compiler.define(&name, &keys.place("name"))?;
        keys.finish()?;
        Ok(Self { name, slot, key, value, take, when })
    }

    /// Counts a row in.
    pub(super) fn add(
        &self,
        grouped: &mut Grouped,
        values: &[Option<Cell>],
        before: Option<&[Option<Cell>]>,
    ) -> Result<(), Fault> {
        if !self.when.holds(values, before) {
            return Ok(());
        }
        let Some(key) = self.key.render(values) else { return Ok(()) };
        let fault = |reason| Fault::new(format!("group {}", self.name), reason);
        let value = match &self.value {
            None => Cell::Integer(1),
            Some(value) => match value.value(values).map_err(fault)? {
                Some(value) => value,
                None => return Ok(()),
            },
        };
        if self.take == Take::Sum && value.as_f64().is_none() {
            return Err(fault(format!("{value} is not a number")));
        }
        let Some(kept) = grouped.values.get_mut(&key) else {
            grouped.values.insert(key, value);
            return Ok(());
        };
        match self.take {
            Take::First => {}
            Take::Last => *kept = value,
            Take::Min if value.compare(kept).is_lt() => *kept = value,
            Take::Max if value.compare(kept).is_gt() => *kept = value,
            Take::Min | Take::Max => {}
            Take::Count | Take::Sum => *kept = sum(kept, &value),
        }
        Ok(())
    }

    /// Puts the group's value into a row.
    pub(super) fn apply(&self, grouped: &Grouped, values: &mut [Option<Cell>]) {
        let found = self.key.render(values).and_then(|key| grouped.values.get(&key).cloned());
        if let Some(value) = values.get_mut(self.slot) {
            *value = found;
        }
    }
}

fn sum(left: &Cell, right: &Cell) -> Cell {
    match (left, right) {
        (Cell::Integer(left), Cell::Integer(right)) => Cell::Integer(left.saturating_add(*right)),
        _ => Cell::Number(left.as_f64().unwrap_or(0.0) + right.as_f64().unwrap_or(0.0)),
    }
}
