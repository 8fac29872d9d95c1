//! Templates: text with the values of the row in it, `"4tu:{Case ID}:{row}"`.

use super::cell::Cell;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// The slot, and whether a missing value is left empty (`{name?}`) instead of making the whole text missing.
    Slot(usize, bool),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    parts: Vec<Part>,
    names: Vec<String>,
}

impl Template {
    /// Parses a template; `slot` finds the place of each name. `{{` and `}}` stand for braces.
    pub(super) fn parse(text: &str, mut slot: impl FnMut(&str) -> Result<usize, String>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut names = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some(after) = from.strip_prefix('{') {
                let (name, after) = after.split_once('}').ok_or("a `{` is not closed; write `{{` for a brace")?;
                let (name, lenient) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
                if name.is_empty() {
                    return Err("`{}` names no column".to_owned());
                }
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Slot(slot(name)?, lenient));
                names.push(name.to_owned());
                rest = after;
            } else {
                return Err("a `}` stands alone; write `}}` for a brace".to_owned());
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts, names })
    }

    /// The text for a row; `None` when a value that it needs is missing.
    pub(super) fn render(&self, values: &[Option<Cell>]) -> Option<String> {
        use std::fmt::Write as _;
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Slot(slot, lenient) => match values.get(*slot).and_then(Option::as_ref) {
                    Some(cell) => write!(text, "{cell}").ok()?,
                    None if *lenient => {}
                    None => return None,
                },
            }
        }
        Some(text)
    }

    /// The text, when it holds no name.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The slot, when the template is one name and nothing else.
    pub(super) fn single(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Slot(slot, false)] => Some(*slot),
            _ => None,
        }
    }

    /// The names in the template, for messages.
    pub(super) fn names(&self) -> String {
        self.names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
    }
}
