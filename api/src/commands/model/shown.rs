//! Answers of the registry as text for people.

use serde_json::Value;

/// A value as an indented outline: a line for each member, absent ones left out.
pub fn outline(value: &Value) -> String {
    let mut lines = Vec::new();
    write(value, 0, &mut lines);
    lines.join("\n")
}

fn write(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(_, member)| !is_nothing(member)) {
                match simple(member) {
                    Some(text) => lines.push(format!("{indent}{name}: {text}")),
                    None => {
                        lines.push(format!("{indent}{name}:"));
                        write(member, depth + 1, lines);
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match simple(item) {
                    Some(text) => lines.push(format!("{indent}- {text}")),
                    None => {
                        let first = lines.len();
                        write(item, depth + 1, lines);
                        // The first line of an item carries its mark.
                        if let Some(line) = lines.get_mut(first) {
                            *line = format!("{indent}- {}", line.trim_start());
                        }
                    }
                }
            }
        }
        other => lines.extend(simple(other).map(|text| format!("{indent}{text}"))),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A value that fits a line: a scalar, a text in two languages, or a list of scalars.
fn simple(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null => Some("-".to_owned()),
        Value::Array(items) => {
            let scalars: Option<Vec<String>> = items
                .iter()
                .map(|item| if item.is_array() || item.is_object() { None } else { simple(item) })
                .collect();
            scalars.map(|scalars| scalars.join(", "))
        }
        Value::Object(members) => {
            let languages = !members.is_empty() && members.keys().all(|key| key == "zh" || key == "en");
            let texts: Vec<&str> = members.values().filter_map(Value::as_str).collect();
            (languages && texts.len() == members.len()).then(|| texts.join(" / "))
        }
    }
}

/// Models, a line each.
pub fn models(items: &[Value]) -> String {
    let rows: Vec<[String; 4]> = items
        .iter()
        .map(|model| {
            let versions = list(model, "versions");
            let numbers: Vec<String> = versions.iter().map(|version| member(version, "version")).collect();
            let aliases: Vec<String> = list(model, "aliases")
                .iter()
                .map(|alias| format!("{}={}", member(alias, "alias"), member(alias, "version")))
                .collect();
            let name = member(model, "name");
            let name = if name.is_empty() { member(model, "model") } else { name };
            [name, member(model, "kind"), shortened(&numbers), aliases.join(", ")]
        })
        .collect();
    if rows.is_empty() { "no models".to_owned() } else { table(["model", "kind", "versions", "aliases"], &rows) }
}

/// Events of a model, a line each.
pub fn history(items: &[Value]) -> String {
    let rows: Vec<[String; 4]> = items
        .iter()
        .map(|event| {
            let time = member(event, "time");
            let time = if time.is_empty() { member(event, "recorded") } else { time };
            [member(event, "position"), time, member(event, "what"), details(event)]
        })
        .collect();
    if rows.is_empty() {
        "nothing has happened".to_owned()
    } else {
        table(["position", "time", "what", "details"], &rows)
    }
}

/// What an event says beyond when and where.
fn details(event: &Value) -> String {
    let known = ["position", "time", "recorded", "what", "created"];
    let members = event.as_object().into_iter().flatten();
    let said = members.filter(|(name, value)| !known.contains(&name.as_str()) && !is_nothing(value));
    let texts: Vec<String> =
        said.map(|(name, value)| format!("{name}: {}", simple(value).unwrap_or_else(|| value.to_string()))).collect();
    texts.join(", ")
}

fn member(value: &Value, name: &str) -> String {
    value.get(name).filter(|value| !value.is_null()).and_then(simple).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// At most the last five of many.
fn shortened(numbers: &[String]) -> String {
    const SHOWN: usize = 5;
    let start = numbers.len().saturating_sub(SHOWN);
    let shown = numbers.get(start..).unwrap_or_default().join(", ");
    if start == 0 { shown } else { format!("… {shown} ({} in all)", numbers.len()) }
}

fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let mut all = vec![titles.map(str::to_owned)];
    all.extend(rows.iter().cloned());
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{history, models, outline};

    #[test]
    fn models_are_a_table() {
        let items = [
            json!({ "model": "rm-1", "name": "weave", "kind": "data", "versions": [{ "version": 1 }, { "version": 2 }],
                "aliases": [{ "alias": "champion", "version": 2 }] }),
            json!({ "model": "tension", "kind": "mechanism", "versions": [], "aliases": [] }),
        ];
        let expected =
            "model    kind       versions  aliases\nweave    data       1, 2      champion=2\ntension  mechanism";
        assert_eq!(models(&items), expected);
        assert_eq!(models(&[]), "no models");
    }

    #[test]
    fn a_history_is_a_line_for_each_event() {
        let items = [
            json!({ "position": 3, "time": "2026-03-02T06:10:00Z", "actor": "li", "what": "named", "name": "weave" }),
            json!({ "position": 7, "time": null, "recorded": "2026-03-02T07:00:00Z", "what": "alias", "alias": "champion", "version": 1 }),
        ];
        let expected = "position  time                  what   details\n\
            3         2026-03-02T06:10:00Z  named  actor: li, name: weave\n\
            7         2026-03-02T07:00:00Z  alias  alias: champion, version: 1";
        assert_eq!(history(&items), expected);
    }

    #[test]
    fn an_outline_leaves_out_what_is_not_there() {
        let value = json!({ "model": "weave", "nothing": null, "tags": {}, "description": { "zh": "张力", "en": "tension" },
            "versions": [{ "version": 1, "metrics": { "rmse": 0.25 } }], "aliases": ["a", "b"] });
        let expected = "aliases: a, b\ndescription: tension / 张力\nmodel: weave\nversions:\n  - metrics:\n      rmse: 0.25\n    version: 1";
        assert_eq!(outline(&value), expected);
    }
}
