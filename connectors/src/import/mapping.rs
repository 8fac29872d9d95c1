//! The mapping: read from TOML, checked, and compiled.

use domain::Event;
use indexmap::IndexMap;
use toml::{Table, Value};

use super::compile::{Builtin, Compiler, Origin};
use super::condition::Condition;
use super::expression::{Expression, Lookup, Node, Wanted};
use super::lookup::{Group, Join};
use super::read_toml::Keys;
use super::readings::ReadingBlock;
use super::template::Template;

/// What is wrong with a mapping, and where: the place names the block and the key, blocks counted from 1 (`event[2].fields.order`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mapping, {place}: {reason}", place = if .at.is_empty() { "top level" } else { .at.as_str() })]
pub struct MappingError {
    /// The block and the key.
    pub at: String,
    /// What is wrong.
    pub reason: String,
}

impl MappingError {
    pub(super) fn new(at: &str, reason: impl Into<String>) -> Self {
        Self { at: at.to_owned(), reason: reason.into() }
    }
}

/// How the rows are written.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) format: Format,
    pub(super) missing: Vec<String>,
    pub(super) trim: bool,
    pub(super) rename: IndexMap<String, String>,
    pub(super) optional_columns: Vec<String>,
}

/// The file format.
#[derive(Clone, Debug)]
pub(super) enum Format {
    /// Text with separators; the names of the columns when the file has no header.
    Csv { separator: u8, columns: Option<Vec<String>> },
    /// One JSON object on each line; the members of inner objects are reached by dots (`a.b`).
    JsonLines,
}

/// A value that is computed for each row, before anything is made of it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) slot: usize,
    pub(super) name: String,
    pub(super) expression: Expression,
    /// Rows that have the field; on the others it is missing.
    pub(super) when: Condition,
    /// Rows on which it is computed; on the others it keeps its value of the row before in the same file.
    pub(super) set_when: Option<Condition>,
}

/// One kind of event that rows become.
#[derive(Clone, Debug)]
pub(super) struct EventBlock {
    pub(super) name: String,
    pub(super) event_type: &'static str,
    pub(super) version: u16,
    pub(super) when: Condition,
    pub(super) each: Vec<(String, usize)>,
    pub(super) once: Option<Template>,
    pub(super) id: Option<Template>,
    pub(super) time: Option<Expression>,
    pub(super) order_time: Option<Expression>,
    pub(super) fields: Node,
}

/// A mapping from rows to events and readings.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) input: Input,
    pub(super) slots: IndexMap<String, Origin>,
    pub(super) joins: Vec<Join>,
    pub(super) fields: Vec<Field>,
    pub(super) when: Condition,
    pub(super) groups: Vec<Group>,
    pub(super) key: Template,
    pub(super) events: Vec<EventBlock>,
    pub(super) readings: Vec<ReadingBlock>,
    pub(super) remembered: Vec<usize>,
    pub(super) needs_content: bool,
}

/// The row key where the mapping gives none: what the row says, and which one of its equals it is.
const CONTENT_KEY: &str = "{content}#{occurrence}";

impl Mapping {
    /// Reads a mapping. The language is described in `docs/import.md`.
    ///
    /// # Errors
    /// [`MappingError`] names the block, the key and what is wrong.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let table = text.parse::<Table>().map_err(|error| MappingError::new("", error.to_string()))?;
        let mut compiler = Compiler::new();
        let mut keys = Keys::new(&table, "");
        let mut head = Keys::of(keys.required("mapping")?, "mapping")?;
        let name = non_empty(&mut head, "name")?;
        let source = match head.text("source")? {
            None => name.clone(),
            Some(_) => non_empty(&mut head, "source")?,
        };
        head.text("description")?;
        let key = head.text("key")?.unwrap_or(CONTENT_KEY).to_owned();
        head.finish()?;
        if let Some(value) = keys.value("tables") {
            let tables = value.as_table().ok_or_else(|| keys.error("tables", "tables of values are expected"))?;
            for (table, values) in tables {
                let lookup = Lookup::compile(values, &format!("tables.{table}"))?;
                compiler.tables.insert(table.clone(), lookup);
            }
        }
        let (input, when) = input(&mut compiler, keys.value("input"))?;
        // Ordering: a name is defined before it can be used: joins see columns, fields see joins, groups see fields, blocks see all.
        let joins = compile_blocks(&mut compiler, &mut keys, "join", Join::compile)?;
        let fields = compile_blocks(&mut compiler, &mut keys, "field", field)?;
        let when = Condition::compile_optional(&mut compiler, when, "input.when")?;
        let groups = compile_blocks(&mut compiler, &mut keys, "group", Group::compile)?;
        let key = compiler.template(&key, "mapping.key")?;
        let events = compile_blocks(&mut compiler, &mut keys, "event", event)?;
        let readings = compile_blocks(&mut compiler, &mut keys, "reading", ReadingBlock::compile)?;
        keys.finish()?;
        if events.is_empty() && readings.is_empty() {
            return Err(MappingError::new("", "a mapping needs at least one [[event]] or [[reading]]"));
        }
        let remembered = compiler.remembered.clone();
        let slots = compiler.into_slots();
        let needs_content = slots.values().any(|origin| {
            matches!(origin, Origin::Builtin(Builtin::Content | Builtin::Occurrence | Builtin::Repeated))
        });
        Ok(Self {
            name,
            source,
            input,
            slots,
            joins,
            fields,
            when,
            groups,
            key,
            events,
            readings,
            remembered,
            needs_content,
        })
    }

    /// The mapping's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The source that the events and readings come from: the first part of their identity.
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn non_empty(keys: &mut Keys<'_>, key: &'static str) -> Result<String, MappingError> {
    let text = keys.required_text(key)?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(keys.error(key, "a text without control characters is expected"));
    }
    Ok(text.to_owned())
}

fn compile_blocks<T>(
    compiler: &mut Compiler,
    keys: &mut Keys<'_>,
    key: &'static str,
    compile: impl Fn(&mut Compiler, Keys<'_>) -> Result<T, MappingError>,
) -> Result<Vec<T>, MappingError> {
    keys.blocks(key)?.into_iter().map(|(table, at)| compile(compiler, Keys::new(table, &at))).collect()
}

fn input<'a>(compiler: &mut Compiler, value: Option<&'a Value>) -> Result<(Input, Option<&'a Value>), MappingError> {
    let Some(value) = value else {
        return input_keys(compiler, Keys::new(&Table::new(), "input")).map(|input| (input, None));
    };
    let when = value.as_table().and_then(|table| table.get("when"));
    input_keys(compiler, Keys::of(value, "input")?).map(|input| (input, when))
}

fn input_keys(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Input, MappingError> {
    keys.value("when");
    if let Some(zone) = keys.text("zone")? {
        compiler.zone = super::time::zone(zone).map_err(|reason| keys.error("zone", reason))?;
    }
    if let Some(formats) = keys.texts("time_format")? {
        super::time::TimeFormat::new(&formats, compiler.zone.clone())
            .map_err(|reason| keys.error("time_format", reason))?;
        compiler.time_formats = formats;
    }
    if let Some(text) = keys.text("decimal")? {
        compiler.decimal = if text == "," { ',' } else { '.' };
        if !matches!(text, "," | ".") {
            return Err(keys.error("decimal", "\".\" or \",\" is expected"));
        }
    }
    if let Some(text) = keys.text("thousands")? {
        let mut characters = text.chars();
        compiler.thousands = characters.next();
        if characters.next().is_some() || compiler.thousands.is_none() {
            return Err(keys.error("thousands", "one character is expected"));
        }
    }
    let separator = keys.text("separator")?;
    let header = keys.boolean("header", true)?;
    let columns = keys.texts("columns")?;
    if header == columns.is_some() {
        return Err(keys.error("columns", "columns are named here exactly when header = false"));
    }
    let format = match keys.text("format")?.unwrap_or("csv") {
        "csv" => match separator.unwrap_or(",").as_bytes() {
            [separator] => Format::Csv { separator: *separator, columns },
            _ => return Err(keys.error("separator", "one ASCII character is expected")),
        },
        "jsonl" if separator.is_none() && header => Format::JsonLines,
        "jsonl" => return Err(keys.error("format", "JSON lines have neither separator nor header")),
        _ => return Err(keys.error("format", "\"csv\" or \"jsonl\" is expected")),
    };
    let missing = keys.texts("missing")?.unwrap_or_default();
    let trim = keys.boolean("trim", true)?;
    let optional_columns = keys.texts("optional_columns")?.unwrap_or_default();
    let mut rename = IndexMap::new();
    if let Some(value) = keys.value("rename") {
        let table = value.as_table().ok_or_else(|| keys.error("rename", "a table of new names is expected"))?;
        for (from, to) in table {
            let to = to.as_str().ok_or_else(|| keys.error("rename", format!("a new name for {from:?} is expected")))?;
            rename.insert(from.clone(), to.to_owned());
        }
    }
    keys.finish()?;
    Ok(Input { format, missing, trim, rename, optional_columns })
}

fn field(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Field, MappingError> {
    let name = non_empty(&mut keys, "name")?;
    let value = keys.required("value")?;
    let expression = Expression::compile(compiler, value, &keys.place("value"), Wanted::Any)?;
    let when = keys.value("when");
    let when = Condition::compile_optional(compiler, when, &keys.place("when"))?;
    let set_when = match keys.value("set_when") {
        None => None,
        Some(value) => Some(Condition::compile(compiler, value, &keys.place("set_when"))?),
    };
    let slot = compiler.define(&name, &keys.place("name"))?;
    keys.finish()?;
    Ok(Field { slot, name, expression, when, set_when })
}

fn event(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<EventBlock, MappingError> {
    let type_name = keys.required_text("type")?;
    let (event_type, version) = Event::TYPES
        .iter()
        .copied()
        .find(|(known, _)| *known == type_name)
        .ok_or_else(|| keys.error("type", format!("{type_name:?} is not an event type")))?;
    let name = match keys.text("name")? {
        None => type_name.to_owned(),
        Some(_) => non_empty(&mut keys, "name")?,
    };
    let when = keys.value("when");
    let when = Condition::compile_optional(compiler, when, &keys.place("when"))?;
    let each = keys.texts("each")?.unwrap_or_default();
    let each = each
        .into_iter()
        .map(|column| {
            let slot = compiler.slot(&column);
            (column, slot)
        })
        .collect();
    let once = optional_template(compiler, &mut keys, "once")?;
    let id = optional_template(compiler, &mut keys, "id")?;
    let time = keys.required("time")?;
    let time = match time.as_str() {
        Some("unknown") => None,
        _ => Some(Expression::compile(compiler, time, &keys.place("time"), Wanted::Time)?),
    };
    let order_time = match keys.value("order_time") {
        None => None,
        Some(_) if time.is_some() => {
            return Err(keys.error("order_time", "an event with a time is ordered by it"));
        }
        Some(value) => Some(Expression::compile(compiler, value, &keys.place("order_time"), Wanted::Time)?),
    };
    let place = keys.place("fields");
    let fields = keys.required("fields")?;
    let fields = fields.as_table().ok_or_else(|| MappingError::new(&place, "a table of fields is expected"))?;
    let fields = Node::object(compiler, fields, &place)?;
    keys.finish()?;
    Ok(EventBlock { name, event_type, version, when, each, once, id, time, order_time, fields })
}

fn optional_template(
    compiler: &mut Compiler,
    keys: &mut Keys<'_>,
    key: &'static str,
) -> Result<Option<Template>, MappingError> {
    match keys.value(key) {
        None => Ok(None),
        Some(value) => compiler.template_of(value, &keys.place(key)).map(Some),
    }
}
