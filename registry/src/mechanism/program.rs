//! A compiled document: a flat list of nodes in which each looks at earlier ones only. Evaluation walks it once, so that its cost is the number of nodes, and it
//! always ends.
//!
//! A node without a value (a division by zero, the root of a negative number) holds NaN, and so does whatever needs it. `if` needs only the branch that it takes, `and` and
//! `or` need their right side only when the left side leaves the answer open. When an output has no value, the nodes are followed back to the one that is to blame.

use std::ops::Range;

/// The most nodes of one document.
pub const MAX_NODES: usize = 4_096;

/// The index of a node in its program.
pub(super) type NodeId = u32;

/// What a node computes. Truth values are 1 and 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Constant(f64),
    Input(u32),
    Negate(NodeId),
    Not(NodeId),
    Binary(Binary, NodeId, NodeId),
    Unary(Unary, NodeId),
    If(NodeId, NodeId, NodeId),
    Clamp(NodeId, NodeId, NodeId),
    Table(u32, NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Min,
    Max,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Abs,
    Sqrt,
    Exp,
    Ln,
    Log10,
    Sin,
    Cos,
    Tan,
    Tanh,
}

/// A node with the place in the text that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) op: Op,
    /// The formula's index in the document.
    pub(super) formula: u32,
    pub(super) span: Range<usize>,
}

/// A table of one variable: straight lines between points whose `x` ascends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
}

impl Curve {
    /// The value at `x`, or NaN outside the table.
    fn at(&self, x: f64) -> f64 {
        let after = self.x.partition_point(|point| *point < x);
        let point = |index: usize| Some((*self.x.get(index)?, *self.y.get(index)?));
        match (after.checked_sub(1).and_then(point), point(after)) {
            (_, Some((exact, value))) if exact == x => value,
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * ((x - x0) / (x1 - x0)),
            _ => f64::NAN,
        }
    }
}

/// Why a node has no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blame {
    pub(super) formula: u32,
    pub(super) span: Range<usize>,
    pub(super) reason: String,
}

/// A compiled document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Program {
    pub(super) nodes: Vec<Node>,
    pub(super) curves: Vec<Curve>,
}

impl Program {
    /// The values of all nodes.
    pub(super) fn run(&self, inputs: &[f64]) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = self.compute(&node.op, inputs, &values);
            values.push(if value.is_finite() { value } else { f64::NAN });
        }
        values
    }

    fn compute(&self, op: &Op, inputs: &[f64], values: &[f64]) -> f64 {
        let of = |id: NodeId| value_of(values, id);
        match *op {
            Op::Constant(value) => value,
            Op::Input(index) => inputs.get(index as usize).copied().unwrap_or(f64::NAN),
            Op::Negate(a) => -of(a),
            Op::Not(a) => 1.0 - of(a),
            Op::Binary(binary, a, b) => compute_binary(binary, of(a), of(b)),
            Op::Unary(unary, a) => compute_unary(unary, of(a)),
            Op::If(condition, yes, no) => match of(condition) {
                condition if condition.is_nan() => f64::NAN,
                0.0 => of(no),
                _ => of(yes),
            },
            Op::Clamp(value, low, high) => {
                let (value, low, high) = (of(value), of(low), of(high));
                // NaN in any of them fails the comparison, or stays.
                if low <= high && !value.is_nan() { value.max(low).min(high) } else { f64::NAN }
            }
            Op::Table(curve, x) => self.curves.get(curve as usize).map_or(f64::NAN, |curve| curve.at(of(x))),
        }
    }

    /// The node that is to blame for the missing value of `id`.
    pub(super) fn blame(&self, values: &[f64], id: NodeId) -> Blame {
        let mut at = id;
        // Each step goes to an earlier node, so that the loop ends.
        while let Some(node) = self.nodes.get(at as usize) {
            match needed(&node.op, values).into_iter().flatten().find(|operand| value_of(values, *operand).is_nan()) {
                Some(operand) if operand < at => at = operand,
                _ => {
                    let reason = self.reason(&node.op, values);
                    return Blame { formula: node.formula, span: node.span.clone(), reason };
                }
            }
        }
        Blame { formula: 0, span: 0..0, reason: "the formula is not there".to_owned() }
    }

    fn reason(&self, op: &Op, values: &[f64]) -> String {
        let of = |id: NodeId| value_of(values, id);
        match *op {
            Op::Binary(Binary::Divide, a, b) if of(b) == 0.0 => format!("division of {} by zero", of(a)),
            Op::Binary(Binary::Power, a, b) => format!("{} to the power of {} is no finite number", of(a), of(b)),
            Op::Unary(Unary::Sqrt, a) => format!("square root of {}", of(a)),
            Op::Unary(Unary::Ln | Unary::Log10, a) => format!("logarithm of {}", of(a)),
            Op::Unary(Unary::Exp, a) => format!("exp of {} is too large", of(a)),
            Op::Clamp(_, low, high) => format!("the bounds of clamp cross: {} is above {}", of(low), of(high)),
            Op::Table(curve, x) => match self.curves.get(curve as usize) {
                Some(Curve { name, x: points, .. }) => format!(
                    "{} lies outside table {name} ({} to {})",
                    of(x),
                    points.first().copied().unwrap_or(f64::NAN),
                    points.last().copied().unwrap_or(f64::NAN)
                ),
                None => "the table is not there".to_owned(),
            },
            Op::Input(_) => "the input has no value".to_owned(),
            _ => "the result is too large".to_owned(),
        }
    }
}

pub(super) fn value_of(values: &[f64], id: NodeId) -> f64 {
    values.get(id as usize).copied().unwrap_or(f64::NAN)
}

/// The operands that the node's value came from.
fn needed(op: &Op, values: &[f64]) -> [Option<NodeId>; 3] {
    match *op {
        Op::Constant(_) | Op::Input(_) => [None; 3],
        Op::Negate(a) | Op::Not(a) | Op::Unary(_, a) | Op::Table(_, a) => [Some(a), None, None],
        Op::Binary(_, a, b) => [Some(a), Some(b), None],
        Op::Clamp(value, low, high) => [Some(value), Some(low), Some(high)],
        Op::If(condition, yes, no) => {
            let branch = if value_of(values, condition) == 0.0 { no } else { yes };
            [Some(condition), Some(branch), None]
        }
    }
}

fn compute_binary(binary: Binary, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| if a.is_nan() || b.is_nan() { f64::NAN } else { f64::from(u8::from(holds)) };
    match binary {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        // `powf` says that 1 to any power and anything to the power of 0 is 1, without a value too.
        Binary::Power if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Power => a.powf(b),
        Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Min => a.min(b),
        Binary::Max if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Max => a.max(b),
        Binary::Less => truth(a < b),
        Binary::LessOrEqual => truth(a <= b),
        Binary::Greater => truth(a > b),
        Binary::GreaterOrEqual => truth(a >= b),
        #[expect(clippy::float_cmp, reason = "the language compares exactly, and its manual says so")]
        Binary::Equal => truth(a == b),
        #[expect(clippy::float_cmp, reason = "the language compares exactly, and its manual says so")]
        Binary::NotEqual => truth(a != b),
        Binary::And if a == 0.0 => 0.0,
        Binary::And if a.is_nan() => f64::NAN,
        Binary::And => b,
        Binary::Or if a == 1.0 => 1.0,
        Binary::Or if a.is_nan() => f64::NAN,
        Binary::Or => b,
    }
}

fn compute_unary(unary: Unary, a: f64) -> f64 {
    match unary {
        Unary::Abs => a.abs(),
        Unary::Sqrt => a.sqrt(),
        Unary::Exp => a.exp(),
        Unary::Ln => a.ln(),
        Unary::Log10 => a.log10(),
        Unary::Sin => a.sin(),
        Unary::Cos => a.cos(),
        Unary::Tan => a.tan(),
        Unary::Tanh => a.tanh(),
    }
}
