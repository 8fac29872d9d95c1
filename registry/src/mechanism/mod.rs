//! Mechanism models 机理: equations in a declarative document, checked and compiled when they are loaded. Nothing in a document is executed but arithmetic.
//!
//! The language of expressions: numbers, `pi`, names; `+ - * / ^` and the sign `-` (`^` binds stronger than the sign and goes to the right: `-2^2` is −4);
//! `min` and `max` of two or more, `clamp(x, low, high)`, `abs`, `sqrt`, `exp`, `ln`, `log10`, `sin`, `cos`, `tan` (of rad), `tanh`; `if(condition, a, b)`; `< <= > >= == !=`;
//! `and`, `or`, `not`; `table1d(table, x)`. There are no loops and no recursion: a formula sees inputs, parameters and the formulas above it, so that the cost of an evaluation is the
//! number of nodes, and it always ends. A formula without a value here (a division by zero, a place outside a table) makes the answer unavailable, with the reason and its place in the text.

pub mod document;

mod compiler;
mod dimension;
mod lexer;
mod program;

use domain::events::Port;
use domain::ids::Code;
use indexmap::IndexMap;

pub use compiler::{MAX_DEPTH, MAX_EXPRESSION_BYTES};
pub use document::{Document, FILE_NAME};
pub use lexer::ExpressionError;
pub use program::MAX_NODES;

use crate::artifacts::VerifiedArtifact;
use crate::runtime::{LoadError, MAX_PORTS, Model, ModelRuntime, Signature, Unavailable, find_file};
use compiler::{Compiled, Kind, Names, RESERVED, compile};
use dimension::Derived;
use document::{FORMAT, MAX_DOCUMENT_BYTES, MAX_ITEMS, MAX_TABLE_POINTS};
use program::{Curve, Node, NodeId, Op, Program, value_of};

/// Runs mechanism documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct MechanismRuntime;

impl ModelRuntime for MechanismRuntime {
    fn name(&self) -> &'static str {
        "mechanism"
    }

    fn load(&self, artifacts: &[VerifiedArtifact]) -> Result<Box<dyn Model>, LoadError> {
        let file = find_file(artifacts, "mechanism", FILE_NAME)?;
        Ok(Box::new(MechanismModel::parse(file.bytes())?))
    }
}

/// A compiled mechanism document.
#[derive(Clone, Debug, PartialEq)]
pub struct MechanismModel {
    signature: Signature,
    program: Program,
    /// The node of each output.
    outputs: Vec<NodeId>,
    /// The names of the formulas, for reasons.
    formulas: Vec<String>,
}

impl MechanismModel {
    /// Reads and compiles a document.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] names the field, and for an expression the place in its text.
    pub fn parse(json: &[u8]) -> Result<Self, LoadError> {
        if json.len() > MAX_DOCUMENT_BYTES {
            let reason = format!("it has {} bytes, the limit is {MAX_DOCUMENT_BYTES}", json.len());
            return Err(invalid("document", reason));
        }
        let document = serde_json::from_slice(json).map_err(|error| invalid("document", error))?;
        Self::compile(&document)
    }

    /// Compiles a document.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] names the field, and for an expression the place in its text.
    pub fn compile(document: &Document) -> Result<Self, LoadError> {
        check_shape(document)?;
        let mut builder = Builder::default();
        for input in &document.inputs {
            builder.input(input)?;
        }
        for parameter in &document.parameters {
            builder.parameter(parameter)?;
        }
        for table in &document.tables {
            builder.table(table)?;
        }
        for formula in &document.formulas {
            builder.formula(formula)?;
        }
        builder.finish(document)
    }

    /// How many nodes an evaluation computes: its cost.
    pub fn cost(&self) -> usize {
        self.program.nodes.len()
    }
}

impl Model for MechanismModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn evaluate(&self, values: &[f64]) -> Result<Vec<f64>, Unavailable> {
        self.signature.check_envelope(values)?;
        let computed = self.program.run(values);
        self.outputs
            .iter()
            .map(|node| {
                let value = value_of(&computed, *node);
                if value.is_finite() { Ok(value) } else { Err(self.undefined(&computed, *node)) }
            })
            .collect()
    }
}

impl MechanismModel {
    fn undefined(&self, computed: &[f64], node: NodeId) -> Unavailable {
        let blame = self.program.blame(computed, node);
        let formula = self.formulas.get(blame.formula as usize).cloned().unwrap_or_default();
        let reason = format!("{} (characters {} to {})", blame.reason, blame.span.start, blame.span.end);
        Unavailable::Undefined { formula, reason }
    }
}

fn invalid(field: impl Into<String>, reason: impl std::fmt::Display) -> LoadError {
    LoadError::Invalid { file: FILE_NAME.to_owned(), field: field.into(), reason: reason.to_string() }
}

fn check_shape(document: &Document) -> Result<(), LoadError> {
    if document.format != FORMAT {
        return Err(invalid("format", format!("it must be {FORMAT:?}")));
    }
    for (field, count, limit) in [
        ("inputs", document.inputs.len(), MAX_PORTS),
        ("outputs", document.outputs.len(), MAX_PORTS),
        ("formulas", document.formulas.len(), MAX_ITEMS),
    ] {
        if count == 0 || count > limit {
            return Err(invalid(field, format!("there must be 1 to {limit}")));
        }
    }
    for (field, count) in [("parameters", document.parameters.len()), ("tables", document.tables.len())] {
        if count > MAX_ITEMS {
            return Err(invalid(field, format!("there may be {MAX_ITEMS} at most")));
        }
    }
    Ok(())
}

pub(crate) fn check_bounds(low: Option<f64>, high: Option<f64>) -> Result<(), &'static str> {
    match (low, high) {
        (Some(low), _) if !low.is_finite() => Err("low is not a finite number"),
        (_, Some(high)) if !high.is_finite() => Err("high is not a finite number"),
        (Some(low), Some(high)) if low > high => Err("low is above high"),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Builder {
    program: Program,
    names: Names,
    tables: IndexMap<String, (u32, Derived, Derived)>,
    inputs: Vec<Port>,
    formulas: Vec<String>,
}

impl Builder {
    /// Checks that a name can stand in an expression and means one thing only.
    fn check_name(&self, field: &str, name: &Code) -> Result<(), LoadError> {
        let text = name.as_str();
        let invalid = |reason: &str| Err(invalid(format!("{field}.{text}"), reason));
        let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !starts || !text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            return invalid("a name has letters, digits and underscores, and begins with no digit");
        }
        if RESERVED.contains(&text) {
            return invalid("the name belongs to the language");
        }
        if self.names.contains_key(text) || self.tables.contains_key(text) {
            return invalid("the name is taken");
        }
        Ok(())
    }

    fn define(&mut self, name: &Code, op: Op, unit: Derived) -> Result<(), LoadError> {
        let node = NodeId::try_from(self.program.nodes.len()).map_err(|error| invalid("document", error))?;
        self.program.nodes.push(Node { op, formula: 0, span: 0..0 });
        self.names.insert(name.as_str().to_owned(), Compiled { node, kind: Kind::Number, unit });
        Ok(())
    }

    fn input(&mut self, input: &document::Input) -> Result<(), LoadError> {
        self.check_name("inputs", &input.name)?;
        check_bounds(input.low, input.high).map_err(|reason| invalid(format!("inputs.{}", input.name), reason))?;
        let index = u32::try_from(self.inputs.len()).map_err(|error| invalid("inputs", error))?;
        self.inputs.push(Port { name: input.name.clone(), unit: input.unit.clone(), low: input.low, high: input.high });
        self.define(&input.name, Op::Input(index), Derived::of(&input.unit))
    }

    fn parameter(&mut self, parameter: &document::Parameter) -> Result<(), LoadError> {
        self.check_name("parameters", &parameter.name)?;
        let wrong = |reason: &str| Err(invalid(format!("parameters.{}", parameter.name), reason));
        if let Err(reason) = check_bounds(parameter.low, parameter.high) {
            return wrong(reason);
        }
        let value = parameter.value;
        if !value.is_finite() {
            return wrong("the value is not a finite number");
        }
        if parameter.low.is_some_and(|low| value < low) || parameter.high.is_some_and(|high| value > high) {
            return wrong("the value lies outside its bounds");
        }
        self.define(&parameter.name, Op::Constant(value), Derived::of(&parameter.unit))
    }

    fn table(&mut self, table: &document::Table) -> Result<(), LoadError> {
        self.check_name("tables", &table.name)?;
        let wrong = |reason: String| Err(invalid(format!("tables.{}", table.name), reason));
        if table.x.len() != table.y.len() {
            return wrong(format!("x has {} points, y has {}", table.x.len(), table.y.len()));
        }
        if table.x.len() < 2 || table.x.len() > MAX_TABLE_POINTS {
            return wrong(format!("there must be 2 to {MAX_TABLE_POINTS} points"));
        }
        if !table.x.iter().chain(&table.y).all(|value| value.is_finite()) {
            return wrong("a point is not a finite number".to_owned());
        }
        if !table.x.is_sorted_by(|a, b| a < b) {
            return wrong("x does not ascend".to_owned());
        }
        let index = u32::try_from(self.program.curves.len()).map_err(|error| invalid("tables", error))?;
        let name = table.name.as_str().to_owned();
        self.program.curves.push(Curve { name: name.clone(), x: table.x.clone(), y: table.y.clone() });
        self.tables.insert(name, (index, Derived::of(&table.x_unit), Derived::of(&table.y_unit)));
        Ok(())
    }

    fn formula(&mut self, formula: &document::Formula) -> Result<(), LoadError> {
        self.check_name("formulas", &formula.name)?;
        let field = || format!("formulas.{}", formula.name);
        let index = u32::try_from(self.formulas.len()).map_err(|error| invalid("formulas", error))?;
        let mut compiled = compile(&mut self.program, &self.names, &self.tables, index, &formula.expression)
            .map_err(|error| invalid(field(), error))?;
        if let Some(unit) = &formula.unit {
            compiled.unit = declared(&compiled, unit).map_err(|reason| invalid(field(), reason))?;
        }
        self.formulas.push(formula.name.as_str().to_owned());
        self.names.insert(formula.name.as_str().to_owned(), compiled);
        Ok(())
    }

    fn finish(self, document: &Document) -> Result<MechanismModel, LoadError> {
        let mut outputs = Vec::with_capacity(document.outputs.len());
        let mut ports: Vec<Port> = Vec::with_capacity(document.outputs.len());
        for output in &document.outputs {
            let field = || format!("outputs.{}", output.name);
            if ports.iter().any(|port| port.name == output.name) {
                return Err(invalid(field(), "the name is taken"));
            }
            let compiled = self
                .names
                .get(output.formula.as_str())
                .ok_or_else(|| invalid(field(), format!("there is no formula {:?}", output.formula.as_str())))?;
            declared(compiled, &output.unit).map_err(|reason| invalid(field(), reason))?;
            outputs.push(compiled.node);
            ports.push(Port { name: output.name.clone(), unit: output.unit.clone(), low: None, high: None });
        }
        let signature = Signature { inputs: self.inputs, outputs: ports };
        Ok(MechanismModel { signature, program: self.program, outputs, formulas: self.formulas })
    }
}

/// The unit that the author declares for a number, when nothing speaks against it.
fn declared(compiled: &Compiled, unit: &domain::units::Unit) -> Result<Derived, String> {
    if compiled.kind == Kind::Truth {
        return Err("a truth value has no unit; turn it into a number with if(condition, 1, 0)".to_owned());
    }
    let unit = Derived::of(unit);
    compiled.unit.agree(&unit).map_err(|reason| format!("the declared unit does not fit: {reason}"))?;
    Ok(unit)
}

#[cfg(test)]
mod tests;
