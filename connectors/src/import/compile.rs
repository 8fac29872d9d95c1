//! From the names in a mapping to numbered slots: while a row is read, nothing is looked up by name.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use toml::Value;

use super::expression::Lookup;
use super::mapping::MappingError;
use super::template::Template;

/// What fills a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of the file.
    Column,
    /// A value that every row has.
    Builtin(Builtin),
    /// A field, a join or a group of the mapping.
    Derived,
}

/// What every row has without a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Row,
    FileName,
    FileStem,
    FileFolder,
    Content,
    Occurrence,
    Repeated,
    Each,
    EachValue,
}

const BUILTINS: [(&str, Builtin); 9] = [
    ("row", Builtin::Row),
    ("file.name", Builtin::FileName),
    ("file.stem", Builtin::FileStem),
    ("file.folder", Builtin::FileFolder),
    ("content", Builtin::Content),
    ("occurrence", Builtin::Occurrence),
    ("repeated", Builtin::Repeated),
    ("each", Builtin::Each),
    ("each.value", Builtin::EachValue),
];

/// The slots and the defaults that expressions are compiled with.
pub(super) struct Compiler {
    slots: IndexMap<String, Origin>,
    pub(super) zone: TimeZone,
    pub(super) time_formats: Vec<String>,
    pub(super) decimal: char,
    pub(super) thousands: Option<char>,
    pub(super) tables: BTreeMap<String, Lookup>,
    /// Slots whose value in the row before is asked for.
    pub(super) remembered: Vec<usize>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        Self {
            slots: IndexMap::new(),
            zone: TimeZone::UTC,
            time_formats: vec!["rfc3339".to_owned()],
            decimal: '.',
            thousands: None,
            tables: BTreeMap::new(),
            remembered: Vec::new(),
        }
    }

    /// The slot of a name: what the mapping defined under it so far, what every row has, or else a column.
    pub(super) fn slot(&mut self, name: &str) -> usize {
        if let Some(slot) = self.slots.get_index_of(name) {
            return slot;
        }
        let origin = BUILTINS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(Origin::Column, |(_, builtin)| Origin::Builtin(*builtin));
        self.slots.insert_full(name.to_owned(), origin).0
    }

    /// The slot of a name that the mapping defines here.
    pub(super) fn define(&mut self, name: &str, at: &str) -> Result<usize, MappingError> {
        if BUILTINS.iter().any(|(known, _)| *known == name) {
            return Err(MappingError::new(at, format!("{name:?} is a name that every row has already")));
        }
        match self.slots.insert_full(name.to_owned(), Origin::Derived) {
            (slot, None) => Ok(slot),
            (_, Some(_)) => Err(MappingError::new(
                at,
                format!(
                    "{name:?} was used or defined above; a name is defined once, before its first use, and not like a column"
                ),
            )),
        }
    }

    pub(super) fn template(&mut self, text: &str, at: &str) -> Result<Template, MappingError> {
        Template::parse(text, |name| Ok(self.slot(name))).map_err(|reason| MappingError::new(at, reason))
    }

    pub(super) fn template_of(&mut self, value: &Value, at: &str) -> Result<Template, MappingError> {
        let text =
            value.as_str().ok_or_else(|| MappingError::new(at, "a template such as \"{column}\" is expected"))?;
        self.template(text, at)
    }

    pub(super) fn remember(&mut self, slot: usize) {
        if !self.remembered.contains(&slot) {
            self.remembered.push(slot);
        }
    }

    /// Every slot by name, in slot order.
    pub(super) fn into_slots(self) -> IndexMap<String, Origin> {
        self.slots
    }
}
