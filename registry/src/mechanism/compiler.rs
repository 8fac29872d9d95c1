//! The parser, which writes nodes as it reads. It keeps no tree, so that neither it nor anything after it can run out of stack.
//!
//! ```text
//! choice  = both ("or" both)*                     needs truth values
//! both    = denial ("and" denial)*
//! denial  = "not" denial | comparison
//! compare = sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)?
//! sum     = term (("+" | "-") term)*
//! term    = sign (("*" | "/") sign)*
//! sign    = "-" sign | power
//! power   = atom ("^" sign)?                      -2^2 is -4, 2^3^2 is 2^9
//! atom    = number | "pi" | name | function "(" choice ("," choice)* ")" | "table1d" "(" table "," choice ")" | "(" choice ")"
//! ```

use std::ops::Range;

use indexmap::IndexMap;

use super::dimension::Derived;
use super::lexer::{ExpressionError, Word, next_word};
use super::program::{Binary, MAX_NODES, Node, NodeId, Op, Program, Unary};

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 8_192;

/// How deep brackets, signs and calls may be nested.
pub const MAX_DEPTH: usize = 64;

/// The most arguments of one call.
pub const MAX_ARGUMENTS: usize = 64;

/// Names that mean something in the language.
pub(super) const RESERVED: [&str; 18] = [
    "and", "or", "not", "if", "pi", "min", "max", "clamp", "abs", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan",
    "tanh", "table1d",
];

/// Whether a value is a number or a truth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Truth,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Truth => "truth value",
        }
    }
}

/// A value that was compiled: its node and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) node: NodeId,
    pub(super) kind: Kind,
    pub(super) unit: Derived,
}

/// What names mean: inputs, parameters and earlier formulas.
pub(super) type Names = IndexMap<String, Compiled>;

/// Compiles one expression onto the end of the program.
pub(super) fn compile(
    program: &mut Program,
    names: &Names,
    tables: &IndexMap<String, (u32, Derived, Derived)>,
    formula: u32,
    text: &str,
) -> Result<Compiled, ExpressionError> {
    if text.len() > MAX_EXPRESSION_BYTES {
        let reason = format!("the expression has {} bytes, the limit is {MAX_EXPRESSION_BYTES}", text.len());
        return Err(ExpressionError::new(0..text.len(), reason));
    }
    let (word, span) = next_word(text, 0)?;
    let mut compiler = Compiler { program, names, tables, formula, text, word, span, before: 0, depth: 0 };
    let value = compiler.choice()?;
    match compiler.word {
        Word::End => Ok(value),
        ref word => Err(ExpressionError::new(compiler.span.clone(), format!("{word} does not belong here"))),
    }
}

struct Compiler<'a> {
    program: &'a mut Program,
    names: &'a Names,
    tables: &'a IndexMap<String, (u32, Derived, Derived)>,
    formula: u32,
    text: &'a str,
    /// The word that is looked at, and its place.
    word: Word<'a>,
    span: Range<usize>,
    /// Where the word before it ended.
    before: usize,
    depth: usize,
}

type Result1 = Result<Compiled, ExpressionError>;

impl<'a> Compiler<'a> {
    fn advance(&mut self) -> Result<(), ExpressionError> {
        let (word, span) = next_word(self.text, self.span.end)?;
        self.before = self.span.end;
        self.word = word;
        self.span = span;
        Ok(())
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.word, Word::Sign(found) if found == sign)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.word, Word::Name(found) if found == name)
    }

    fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.is_sign(sign) {
            return self.advance();
        }
        Err(ExpressionError::new(self.span.clone(), format!("{sign:?} is expected, and {} stands here", self.word)))
    }

    /// Runs a part that may nest, one level deeper.
    fn deeper(&mut self, part: impl FnOnce(&mut Self) -> Result1) -> Result1 {
        if self.depth >= MAX_DEPTH {
            let reason = format!("the expression is nested deeper than {MAX_DEPTH} levels");
            return Err(ExpressionError::new(self.span.clone(), reason));
        }
        self.depth += 1;
        let value = part(self);
        self.depth -= 1;
        value
    }

    fn push(&mut self, op: Op, from: usize, kind: Kind, unit: Derived) -> Result1 {
        let span = from..self.before.max(from);
        if self.program.nodes.len() >= MAX_NODES {
            return Err(ExpressionError::new(span, format!("the document has more than {MAX_NODES} nodes")));
        }
        let node = NodeId::try_from(self.program.nodes.len())
            .map_err(|_| ExpressionError::new(span.clone(), "the document is too large"))?;
        self.program.nodes.push(Node { op, formula: self.formula, span });
        Ok(Compiled { node, kind, unit })
    }

    fn need(&self, value: &Compiled, kind: Kind, from: usize) -> Result<(), ExpressionError> {
        need(value, kind, from..self.before.max(from))
    }

    fn agree(&self, what: &str, a: &Derived, b: &Derived, from: usize) -> Result<Derived, ExpressionError> {
        a.agree(b).map_err(|reason| ExpressionError::new(from..self.before.max(from), format!("{what}: {reason}")))
    }

    fn choice(&mut self) -> Result1 {
        self.deeper(|this| this.joined("or", Binary::Or, |this| this.joined("and", Binary::And, Self::denial)))
    }

    fn joined(&mut self, name: &str, binary: Binary, mut part: impl FnMut(&mut Self) -> Result1) -> Result1 {
        let from = self.span.start;
        let mut left = part(self)?;
        while self.is_name(name) {
            self.need(&left, Kind::Truth, from)?;
            self.advance()?;
            let start = self.span.start;
            let right = part(self)?;
            self.need(&right, Kind::Truth, start)?;
            left = self.push(Op::Binary(binary, left.node, right.node), from, Kind::Truth, Derived::Unknown)?;
        }
        Ok(left)
    }

    fn denial(&mut self) -> Result1 {
        if !self.is_name("not") {
            return self.comparison();
        }
        let from = self.span.start;
        self.advance()?;
        let start = self.span.start;
        let value = self.deeper(Self::denial)?;
        self.need(&value, Kind::Truth, start)?;
        self.push(Op::Not(value.node), from, Kind::Truth, Derived::Unknown)
    }

    fn comparison(&mut self) -> Result1 {
        let from = self.span.start;
        let left = self.sum()?;
        let Word::Sign(sign) = self.word else { return Ok(left) };
        let binary = match sign {
            "<" => Binary::Less,
            "<=" => Binary::LessOrEqual,
            ">" => Binary::Greater,
            ">=" => Binary::GreaterOrEqual,
            "==" => Binary::Equal,
            "!=" => Binary::NotEqual,
            _ => return Ok(left),
        };
        self.need(&left, Kind::Number, from)?;
        self.advance()?;
        let start = self.span.start;
        let right = self.sum()?;
        self.need(&right, Kind::Number, start)?;
        self.agree("a comparison", &left.unit, &right.unit, from)?;
        self.push(Op::Binary(binary, left.node, right.node), from, Kind::Truth, Derived::Unknown)
    }

    fn sum(&mut self) -> Result1 {
        let from = self.span.start;
        let mut left = self.term()?;
        loop {
            let binary = match self.word {
                Word::Sign("+") => Binary::Add,
                Word::Sign("-") => Binary::Subtract,
                _ => return Ok(left),
            };
            self.need(&left, Kind::Number, from)?;
            self.advance()?;
            let start = self.span.start;
            let right = self.term()?;
            self.need(&right, Kind::Number, start)?;
            let unit = self.agree("a sum", &left.unit, &right.unit, from)?;
            left = self.push(Op::Binary(binary, left.node, right.node), from, Kind::Number, unit)?;
        }
    }

    fn term(&mut self) -> Result1 {
        let from = self.span.start;
        let mut left = self.sign()?;
        loop {
            let binary = match self.word {
                Word::Sign("*") => Binary::Multiply,
                Word::Sign("/") => Binary::Divide,
                _ => return Ok(left),
            };
            self.need(&left, Kind::Number, from)?;
            self.advance()?;
            let start = self.span.start;
            let right = self.sign()?;
            self.need(&right, Kind::Number, start)?;
            let unit = match binary {
                Binary::Multiply => left.unit.times(&right.unit),
                _ => left.unit.over(&right.unit),
            };
            left = self.push(Op::Binary(binary, left.node, right.node), from, Kind::Number, unit)?;
        }
    }

    fn sign(&mut self) -> Result1 {
        if !self.is_sign("-") {
            return self.power();
        }
        let from = self.span.start;
        self.advance()?;
        let start = self.span.start;
        let value = self.deeper(Self::sign)?;
        self.need(&value, Kind::Number, start)?;
        let unit = value.unit;
        self.push(Op::Negate(value.node), from, Kind::Number, unit)
    }

    fn power(&mut self) -> Result1 {
        let from = self.span.start;
        let base = self.atom()?;
        if !self.is_sign("^") {
            return Ok(base);
        }
        self.need(&base, Kind::Number, from)?;
        self.advance()?;
        let start = self.span.start;
        let exponent = self.deeper(Self::sign)?;
        self.need(&exponent, Kind::Number, start)?;
        let constant = match self.program.nodes.get(exponent.node as usize) {
            Some(Node { op: Op::Constant(value), .. }) => Some(*value),
            _ => None,
        };
        let unit = base.unit.to_the(constant);
        self.push(Op::Binary(Binary::Power, base.node, exponent.node), from, Kind::Number, unit)
    }

    fn atom(&mut self) -> Result1 {
        let from = self.span.start;
        match self.word {
            Word::Number(value) => {
                self.advance()?;
                self.push(Op::Constant(value), from, Kind::Number, Derived::Literal)
            }
            Word::Name(name) => {
                let span = self.span.clone();
                self.advance()?;
                if self.is_sign("(") {
                    return self.call(name, span);
                }
                self.named(name, span)
            }
            Word::Sign("(") => {
                self.advance()?;
                let value = self.choice()?;
                self.expect(")")?;
                Ok(value)
            }
            ref word => {
                Err(ExpressionError::new(self.span.clone(), format!("a value is expected, and {word} stands here")))
            }
        }
    }

    fn named(&mut self, name: &str, span: Range<usize>) -> Result1 {
        if name == "pi" {
            return self.push(Op::Constant(std::f64::consts::PI), span.start, Kind::Number, Derived::Literal);
        }
        match self.names.get(name) {
            Some(value) => Ok(value.clone()),
            None if RESERVED.contains(&name) => Err(ExpressionError::new(span, format!("{name:?} cannot stand here"))),
            None => Err(ExpressionError::new(
                span,
                format!("the name {name:?} is not an input, a parameter or an earlier formula"),
            )),
        }
    }

    fn arguments(&mut self, name: &str) -> Result<Vec<(Compiled, Range<usize>)>, ExpressionError> {
        let mut arguments = Vec::new();
        self.expect("(")?;
        loop {
            let start = self.span.start;
            if arguments.len() >= MAX_ARGUMENTS {
                let reason = format!("{name} has more than {MAX_ARGUMENTS} arguments");
                return Err(ExpressionError::new(self.span.clone(), reason));
            }
            let value = self.choice()?;
            arguments.push((value, start..self.before));
            if !self.is_sign(",") {
                break;
            }
            self.advance()?;
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn call(&mut self, name: &str, span: Range<usize>) -> Result1 {
        if name == "table1d" {
            return self.look_up(span.start);
        }
        if !RESERVED.contains(&name) || matches!(name, "and" | "or" | "not" | "pi") {
            return Err(ExpressionError::new(span, format!("there is no function {name:?}")));
        }
        let arguments = self.arguments(name)?;
        let numbers_from = usize::from(name == "if");
        for (index, (argument, place)) in arguments.iter().enumerate() {
            let kind = if index < numbers_from { Kind::Truth } else { Kind::Number };
            need(argument, kind, place.clone())?;
        }
        let from = span.start;
        match (name, arguments.as_slice()) {
            ("if", [(condition, _), (yes, _), (no, _)]) => {
                let unit = self.agree("the branches of if", &yes.unit, &no.unit, from)?;
                self.push(Op::If(condition.node, yes.node, no.node), from, Kind::Number, unit)
            }
            ("clamp", [(value, _), (low, _), (high, _)]) => {
                let unit = self.agree("the low bound of clamp", &value.unit, &low.unit, from)?;
                let unit = self.agree("the high bound of clamp", &unit, &high.unit, from)?;
                self.push(Op::Clamp(value.node, low.node, high.node), from, Kind::Number, unit)
            }
            ("min" | "max", [(first, _), rest @ ..]) if !rest.is_empty() => {
                let binary = if name == "min" { Binary::Min } else { Binary::Max };
                let mut value = first.clone();
                for (next, _) in rest {
                    let unit = self.agree(name, &value.unit, &next.unit, from)?;
                    value = self.push(Op::Binary(binary, value.node, next.node), from, Kind::Number, unit)?;
                }
                Ok(value)
            }
            (_, [(argument, _)]) => self.unary(name, argument, span),
            (_, arguments) => {
                let reason = format!("{name} does not take {} argument(s)", arguments.len());
                Err(ExpressionError::new(span, reason))
            }
        }
    }

    fn unary(&mut self, name: &str, argument: &Compiled, span: Range<usize>) -> Result1 {
        let unary = match name {
            "abs" => Unary::Abs,
            "sqrt" => Unary::Sqrt,
            "exp" => Unary::Exp,
            "ln" => Unary::Ln,
            "log10" => Unary::Log10,
            "sin" => Unary::Sin,
            "cos" => Unary::Cos,
            "tan" => Unary::Tan,
            "tanh" => Unary::Tanh,
            _ => return Err(ExpressionError::new(span, format!("{name} does not take 1 argument"))),
        };
        let unit = match unary {
            Unary::Abs => argument.unit.clone(),
            Unary::Sqrt => argument.unit.to_the(Some(0.5)),
            // Angles count as numbers (radian), so that only a unit with a dimension is refused.
            _ => argument
                .unit
                .number()
                .map_err(|reason| ExpressionError::new(span.start..self.before, format!("{name}: {reason}")))?,
        };
        self.push(Op::Unary(unary, argument.node), span.start, Kind::Number, unit)
    }

    fn look_up(&mut self, from: usize) -> Result1 {
        self.expect("(")?;
        let span = self.span.clone();
        let Word::Name(name) = self.word else {
            return Err(ExpressionError::new(
                span,
                format!("the name of a table is expected, and {} stands here", self.word),
            ));
        };
        let Some((table, x_unit, y_unit)) = self.tables.get(name) else {
            return Err(ExpressionError::new(span, format!("there is no table {name:?}")));
        };
        self.advance()?;
        self.expect(",")?;
        let start = self.span.start;
        let x = self.choice()?;
        self.need(&x, Kind::Number, start)?;
        self.expect(")")?;
        self.agree("the place in the table", x_unit, &x.unit, from)?;
        self.push(Op::Table(*table, x.node), from, Kind::Number, y_unit.clone())
    }
}

fn need(value: &Compiled, kind: Kind, span: Range<usize>) -> Result<(), ExpressionError> {
    if value.kind == kind {
        return Ok(());
    }
    let reason = format!("a {} is needed here, and this is a {}", kind.name(), value.kind.name());
    Err(ExpressionError::new(span, reason))
}
