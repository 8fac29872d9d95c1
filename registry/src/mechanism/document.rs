//! The mechanism document: what an engineer writes.

use domain::ids::Code;
use domain::units::Unit;
use domain::values::Text;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// The name of the file in a version.
pub const FILE_NAME: &str = "mechanism.json";

/// What `format` must say.
pub const FORMAT: &str = "millwright.mechanism/1";

/// The largest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// The most parameters, the most tables and the most formulas of a document.
pub const MAX_ITEMS: usize = 256;

/// The most points of a table.
pub const MAX_TABLE_POINTS: usize = 1_024;

/// A model as equations: declarative, unit-checked, and with no way to loop.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Always [`FORMAT`].
    pub format: String,
    /// What it is called.
    pub name: Text,
    /// What the formulas mean and where they come from.
    pub note: Option<Text>,
    /// What is measured.
    pub inputs: Vec<Input>,
    /// What is known of the machine or was identified from its history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Curves that formulas look values up in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// Named expressions, each over inputs, parameters and the formulas above it.
    pub formulas: Vec<Formula>,
    /// Which formulas are the answer.
    pub outputs: Vec<Output>,
}

/// A measured quantity.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name: the quantity in the tag catalog, and the name in formulas.
    pub name: Code,
    /// The unit that formulas count in.
    pub unit: Unit,
    /// The least value that the model is valid for.
    pub low: Option<f64>,
    /// The greatest value that the model is valid for.
    pub high: Option<f64>,
    /// What it means.
    pub note: Option<Text>,
}

/// A constant of the model.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name in formulas.
    pub name: Code,
    /// Its unit.
    pub unit: Unit,
    /// Its value.
    pub value: f64,
    /// The least value that makes physical sense.
    pub low: Option<f64>,
    /// The greatest value that makes physical sense.
    pub high: Option<f64>,
    /// What it means and where the value comes from.
    pub note: Option<Text>,
}

/// A curve through points, straight in between; outside of them it has no value.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name in formulas: `table1d(name, x)`.
    pub name: Code,
    /// The unit of `x`.
    pub x_unit: Unit,
    /// The unit of `y`.
    pub y_unit: Unit,
    /// The places, ascending.
    pub x: Vec<f64>,
    /// The values there.
    pub y: Vec<f64>,
    /// Where it comes from.
    pub note: Option<Text>,
}

/// A named expression.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// Its name in the formulas below it.
    pub name: Code,
    /// The expression: see the grammar in [`crate::mechanism`].
    pub expression: String,
    /// The unit that the expression must be in, as far as that can be told.
    pub unit: Option<Unit>,
    /// What it means.
    pub note: Option<Text>,
}

/// A part of the answer.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name.
    pub name: Code,
    /// Its unit.
    pub unit: Unit,
    /// The formula that computes it.
    pub formula: Code,
    /// What it means.
    pub note: Option<Text>,
}
