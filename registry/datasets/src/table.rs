//! Columns of rows that are waiting to be written.

use std::sync::Arc;

use domain::events::DatasetColumn;
use domain::units::Unit;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Float,
    Integer,
    Boolean,
    /// Nanoseconds since 1970.
    Time,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "utf8",
            Self::Float => "float64",
            Self::Integer => "int64",
            Self::Boolean => "boolean",
            Self::Time => "timestamp",
        }
    }
}

/// The values of a column: null where nothing is known.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Text(Vec<Option<Arc<str>>>),
    Float(Vec<Option<f64>>),
    Integer(Vec<Option<i64>>),
    Boolean(Vec<Option<bool>>),
}

/// What is put into a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(Arc<str>),
    Float(f64),
    Integer(i64),
    Boolean(bool),
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Option<Unit>,
    /// Whether it has a value in every row.
    pub(crate) required: bool,
    pub(crate) values: Values,
}

impl Column {
    pub(crate) fn required(name: &str, kind: Kind) -> Self {
        Self { required: true, ..Self::new(name, kind, None) }
    }

    pub(crate) fn new(name: &str, kind: Kind, unit: Option<Unit>) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Integer | Kind::Time => Values::Integer(Vec::new()),
            Kind::Boolean => Values::Boolean(Vec::new()),
        };
        Self { name: name.to_owned(), kind, unit, required: false, values }
    }

    /// Adds a row. A cell of another kind than the column's is null.
    pub(crate) fn push(&mut self, cell: Option<Cell>) {
        match (&mut self.values, cell) {
            (Values::Text(values), Some(Cell::Text(text))) => values.push(Some(text)),
            (Values::Float(values), Some(Cell::Float(value))) => values.push(Some(value)),
            (Values::Integer(values), Some(Cell::Integer(value))) => values.push(Some(value)),
            (Values::Boolean(values), Some(Cell::Boolean(value))) => values.push(Some(value)),
            (Values::Text(values), _) => values.push(None),
            (Values::Float(values), _) => values.push(None),
            (Values::Integer(values), _) => values.push(None),
            (Values::Boolean(values), _) => values.push(None),
        }
    }

    pub(crate) fn clear(&mut self) {
        match &mut self.values {
            Values::Text(values) => values.clear(),
            Values::Float(values) => values.clear(),
            Values::Integer(values) => values.clear(),
            Values::Boolean(values) => values.clear(),
        }
    }

    /// What the event says of it.
    pub(crate) fn described(&self) -> DatasetColumn {
        DatasetColumn { name: self.name.clone(), kind: self.kind.as_str().to_owned(), unit: self.unit.clone() }
    }
}
