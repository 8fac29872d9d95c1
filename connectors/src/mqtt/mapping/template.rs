//! Text with variables: topics to match, and signal ids to make.

use std::collections::BTreeMap;

/// The values of a topic's variables.
pub(super) type Variables = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(String),
    /// `{_}`: one level of a topic, whatever it is.
    Any,
    /// `{_*}`: the rest of a topic, which may be empty.
    Rest,
}

/// A topic (one part for each level) or a text (literals and variables in a row).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Reads `mill/{asset}/{quantity}`: each level is a literal or one variable.
    pub(super) fn topic(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > usize::from(u16::MAX) || text.contains('\0') {
            return Err("it is empty, too long, or holds a zero".to_owned());
        }
        let levels: Vec<&str> = text.split('/').collect();
        let mut parts = Vec::with_capacity(levels.len());
        for (index, level) in levels.iter().enumerate() {
            let name = level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let part = match name {
                Some("_") => Part::Any,
                Some("_*") if index + 1 == levels.len() => Part::Rest,
                Some("_*") => return Err("{_*} stands at the end only".to_owned()),
                Some(name) => {
                    let part = Part::Variable(check_variable(name)?);
                    if parts.contains(&part) {
                        return Err(format!("the variable {name:?} stands twice"));
                    }
                    part
                }
                None if level.contains(['{', '}']) => {
                    return Err(format!("level {level:?} mixes text and a variable; a level is one or the other"));
                }
                None if level.contains(['+', '#']) => {
                    return Err(format!(
                        "level {level:?} holds a wildcard; use {{name}}, {{_}} or {{_*}}, or give a filter beside the topic"
                    ));
                }
                None => Part::Literal((*level).to_owned()),
            };
            parts.push(part);
        }
        Ok(Self { parts })
    }

    /// Reads `{asset}.{quantity}`.
    pub(super) fn text(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| "a { is not closed".to_owned())?;
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::Variable(check_variable(name)?));
            rest = after;
        }
        if rest.contains('}') {
            return Err("a } closes nothing".to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        if parts.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self { parts })
    }

    /// The variables of a topic that has this form.
    pub(super) fn captures(&self, topic: &str) -> Option<Variables> {
        let mut variables = Variables::new();
        let mut levels = topic.split('/');
        for part in &self.parts {
            if *part == Part::Rest {
                return Some(variables);
            }
            let level = levels.next()?;
            match part {
                Part::Literal(literal) if literal == level => {}
                Part::Literal(_) => return None,
                Part::Variable(_) if level.is_empty() => return None,
                Part::Variable(name) => {
                    variables.insert(name.clone(), level.to_owned());
                }
                Part::Any | Part::Rest => {}
            }
        }
        levels.next().is_none().then_some(variables)
    }

    /// The text with the variables filled in, or the name of the first one that is missing.
    pub(super) fn render<'a>(&'a self, lookup: impl Fn(&str) -> Option<&'a str>) -> Result<String, &'a str> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(lookup(name).ok_or(name.as_str())?),
                Part::Any | Part::Rest => {}
            }
        }
        Ok(text)
    }
}

fn check_variable(name: &str) -> Result<String, String> {
    let good = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.is_empty() || !name.chars().all(good) || name.starts_with('_') {
        return Err(format!("{name:?} is not a variable: letters, digits and _ are expected, not beginning with _"));
    }
    Ok(name.to_owned())
}

/// The MQTT filter that brings every topic of this form.
pub(super) fn filter_of(topic: &Template) -> String {
    let levels: Vec<&str> = topic
        .parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => literal.as_str(),
            Part::Variable(_) | Part::Any => "+",
            Part::Rest => "#",
        })
        .collect();
    levels.join("/")
}

/// Checks an MQTT topic filter (MQTT 3.1.1, 4.7), shared subscriptions included.
pub(super) fn check_filter(filter: &str) -> Result<(), String> {
    if filter.is_empty() || filter.len() > usize::from(u16::MAX) || filter.contains('\0') {
        return Err("it is empty, too long, or holds a zero".to_owned());
    }
    let levels: Vec<&str> = filter.split('/').collect();
    for (index, level) in levels.iter().enumerate() {
        if level.contains('#') && (*level != "#" || index + 1 != levels.len()) {
            return Err("# stands alone, as the last level".to_owned());
        }
        if level.contains('+') && *level != "+" {
            return Err("+ stands alone in its level".to_owned());
        }
    }
    Ok(())
}
