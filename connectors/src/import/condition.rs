//! Conditions: which rows a block takes.

use regex::Regex;
use toml::Value;

use super::cell::Cell;
use super::compile::Compiler;
use super::mapping::MappingError;
use super::read_toml::{Keys, number, to_json};

/// A condition on a row and, for changes, on the row before it in the same file.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(usize, Test),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Present(bool),
    In(Vec<Cell>),
    NotIn(Vec<Cell>),
    Matches(Regex),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    Changed(bool),
    ChangedFrom(Cell),
}

impl Condition {
    /// The condition of a `when` key: one table, or a list of tables that must all hold. Without one, every row is taken.
    pub(super) fn compile_optional(
        compiler: &mut Compiler,
        value: Option<&Value>,
        at: &str,
    ) -> Result<Self, MappingError> {
        value.map_or(Ok(Self::All(Vec::new())), |value| Self::compile(compiler, value, at))
    }

    pub(super) fn compile(compiler: &mut Compiler, value: &Value, at: &str) -> Result<Self, MappingError> {
        match value {
            Value::Array(items) => list(compiler, items, at).map(Self::All),
            Value::Table(table) => Self::compile_table(compiler, Keys::new(table, at)),
            _ => Err(MappingError::new(at, "a condition is a table, or a list of tables")),
        }
    }

    fn compile_table(compiler: &mut Compiler, mut keys: Keys<'_>) -> Result<Self, MappingError> {
        let mut parts = Vec::new();
        for (key, any) in [("all", false), ("any", true)] {
            if let Some(value) = keys.value(key) {
                let items = value.as_array().ok_or_else(|| keys.error(key, "a list of conditions is expected"))?;
                let items = list(compiler, items, &keys.place(key))?;
                parts.push(if any { Self::Any(items) } else { Self::All(items) });
            }
        }
        if let Some(value) = keys.value("not") {
            parts.push(Self::Not(Box::new(Self::compile(compiler, value, &keys.place("not"))?)));
        }
        if let Some(name) = keys.text("column")? {
            let slot = compiler.slot(name);
            let tests = tests(&mut keys)?;
            if tests.is_empty() {
                return Err(MappingError::new(
                    keys.at(),
                    "a test is expected beside column: equals, not_equals, in, not_in, present, matches, above, at_least, below, at_most, changed or changed_from",
                ));
            }
            if tests.iter().any(|test| matches!(test, Test::Changed(_) | Test::ChangedFrom(_))) {
                compiler.remember(slot);
            }
            parts.extend(tests.into_iter().map(|test| Self::Test(slot, test)));
        }
        if parts.is_empty() {
            return Err(MappingError::new(keys.at(), "column, all, any or not is expected"));
        }
        keys.finish()?;
        Ok(Self::All(parts))
    }

    /// Whether the row fulfils it. `before` holds the values of the row before in the same file; it is `None` in a file's first row.
    pub(super) fn holds(&self, values: &[Option<Cell>], before: Option<&[Option<Cell>]>) -> bool {
        match self {
            Self::All(items) => items.iter().all(|item| item.holds(values, before)),
            Self::Any(items) => items.iter().any(|item| item.holds(values, before)),
            Self::Not(item) => !item.holds(values, before),
            Self::Test(slot, test) => {
                let value = values.get(*slot).and_then(Option::as_ref);
                let earlier = before.map(|before| before.get(*slot).and_then(Option::as_ref));
                test.holds(value, earlier)
            }
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Cell>, before: Option<Option<&Cell>>) -> bool {
        let compared = |test: fn(f64, f64) -> bool, bound: f64| {
            value.and_then(Cell::as_f64).is_some_and(|value| test(value, bound))
        };
        match self {
            Self::Present(wanted) => value.is_some() == *wanted,
            Self::In(items) => value.is_some_and(|value| items.iter().any(|item| same(value, item))),
            Self::NotIn(items) => !value.is_some_and(|value| items.iter().any(|item| same(value, item))),
            Self::Matches(regex) => value.is_some_and(|value| regex.is_match(&value.to_string())),
            Self::Above(bound) => compared(|left, right| left > right, *bound),
            Self::AtLeast(bound) => compared(|left, right| left >= right, *bound),
            Self::Below(bound) => compared(|left, right| left < right, *bound),
            Self::AtMost(bound) => compared(|left, right| left <= right, *bound),
            Self::Changed(wanted) => before.is_none_or(|before| before != value) == *wanted,
            Self::ChangedFrom(earlier) => {
                before.is_some_and(|before| before != value && before.is_some_and(|before| same(before, earlier)))
            }
        }
    }
}

/// A text in the mapping is compared with the text in the file, a number with the number that it reads as.
fn same(value: &Cell, wanted: &Cell) -> bool {
    match wanted {
        Cell::Text(wanted) => value.as_text().map_or_else(|| value.to_string() == *wanted, |value| value == wanted),
        Cell::Boolean(wanted) => match value {
            Cell::Boolean(value) => value == wanted,
            other => other.to_string().eq_ignore_ascii_case(if *wanted { "true" } else { "false" }),
        },
        other => match (value.as_f64(), other.as_f64()) {
            (Some(value), Some(wanted)) => value.total_cmp(&wanted).is_eq(),
            _ => false,
        },
    }
}

fn list(compiler: &mut Compiler, items: &[Value], at: &str) -> Result<Vec<Condition>, MappingError> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| Condition::compile(compiler, item, &format!("{at}[{}]", index + 1)))
        .collect()
}

fn tests(keys: &mut Keys<'_>) -> Result<Vec<Test>, MappingError> {
    let mut tests = Vec::new();
    for (key, positive) in [("equals", true), ("not_equals", false)] {
        if let Some(value) = keys.value(key) {
            let cell = scalar(keys, key, value)?;
            tests.push(if positive { Test::In(vec![cell]) } else { Test::NotIn(vec![cell]) });
        }
    }
    for (key, positive) in [("in", true), ("not_in", false)] {
        if let Some(value) = keys.value(key) {
            let items = value.as_array().ok_or_else(|| keys.error(key, "a list is expected"))?;
            let items = items.iter().map(|item| scalar(keys, key, item)).collect::<Result<Vec<_>, _>>()?;
            tests.push(if positive { Test::In(items) } else { Test::NotIn(items) });
        }
    }
    for (key, test) in [("present", Test::Present as fn(bool) -> Test), ("changed", Test::Changed)] {
        if let Some(value) = keys.value(key) {
            tests.push(test(value.as_bool().ok_or_else(|| keys.error(key, "true or false is expected"))?));
        }
    }
    if let Some(pattern) = keys.text("matches")? {
        tests.push(Test::Matches(Regex::new(pattern).map_err(|error| keys.error("matches", error.to_string()))?));
    }
    for key in ["above", "at_least", "below", "at_most"] {
        if let Some(value) = keys.value(key) {
            let bound = number(value).ok_or_else(|| keys.error(key, "a number is expected"))?;
            tests.push(match key {
                "above" => Test::Above(bound),
                "at_least" => Test::AtLeast(bound),
                "below" => Test::Below(bound),
                _ => Test::AtMost(bound),
            });
        }
    }
    if let Some(value) = keys.value("changed_from") {
        tests.push(Test::ChangedFrom(scalar(keys, "changed_from", value)?));
    }
    Ok(tests)
}

fn scalar(keys: &Keys<'_>, key: &str, value: &Value) -> Result<Cell, MappingError> {
    match Cell::from_json(to_json(value)) {
        Some(Cell::Json(_)) | None => Err(keys.error(key, "a text, a number or true or false is expected")),
        Some(cell) => Ok(cell),
    }
}
