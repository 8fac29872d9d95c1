//! What registered models, their tags and aliases may be called over MLflow's API.

use domain::events::KeyValue;
use domain::ids::Code;
use serde_json::Value;

use super::error::MlflowError;
use super::request::missing_value;

/// The longest key of a tag, in characters.
const MOST_KEY_CHARACTERS: usize = 250;

/// The longest value of a tag, in characters.
const MOST_VALUE_CHARACTERS: usize = 100_000;

/// The longest alias, in characters.
const MOST_ALIAS_CHARACTERS: usize = 255;

/// The longest name of a model, in characters.
const MOST_NAME_CHARACTERS: usize = 256;

fn too_long(what: &str, limit: usize) -> MlflowError {
    MlflowError::invalid(format!("'{what}' exceeds the maximum length of {limit} characters"))
}

fn check_length(what: &str, text: &str, limit: usize) -> Result<(), MlflowError> {
    if text.chars().nth(limit).is_some() { Err(too_long(what, limit)) } else { Ok(()) }
}

/// What a name would be as a path of a file; nothing when it is that path already.
fn as_other_path(name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut path = parts.join("/");
    if name.starts_with('/') {
        path.insert(0, '/');
    } else if path.is_empty() {
        path.push('.');
    }
    let leads_out = path == "." || path.starts_with("..") || path.starts_with('/');
    (path != name || leads_out).then_some(path)
}

fn ambiguous(path: &str, name: &str, other: &str) -> MlflowError {
    let shown = Value::from(name);
    MlflowError::invalid(format!(
        "Invalid value {shown} for parameter '{path}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
         This name would resolve to '{other}'"
    ))
}

/// Checks the name of a model.
///
/// # Errors
/// When no model can be called so.
pub fn model(name: &str) -> Result<(), MlflowError> {
    if name.trim().is_empty() {
        return Err(missing_value("name"));
    }
    let shown: String = name.chars().take(MOST_NAME_CHARACTERS).collect();
    if name.contains(['/', ':']) {
        return Err(MlflowError::invalid(format!("Invalid model name '{shown}'. Names cannot contain '/' or ':'.")));
    }
    if name.chars().any(char::is_control) {
        return Err(MlflowError::invalid(format!(
            "Invalid model name {shown:?}. Names cannot contain control characters."
        )));
    }
    check_length("name", name, MOST_NAME_CHARACTERS)?;
    match as_other_path(name) {
        Some(other) => Err(ambiguous("name", &shown, &other)),
        None => Ok(()),
    }
}

/// Checks the key of a tag.
///
/// # Errors
/// When no tag can have it.
pub fn tag_key(key: &str) -> Result<(), MlflowError> {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !key.chars().all(is_allowed) {
        let shown = Value::from(key.chars().take(MOST_KEY_CHARACTERS).collect::<String>());
        return Err(MlflowError::invalid(format!(
            "Invalid value {shown} for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )));
    }
    check_length("key", key, MOST_KEY_CHARACTERS)?;
    match as_other_path(key) {
        Some(other) => Err(ambiguous("key", key, &other)),
        None => Ok(()),
    }
}

/// Checks a tag.
///
/// # Errors
/// When its key or value cannot be.
pub fn tag(tag: &KeyValue) -> Result<(), MlflowError> {
    tag_key(&tag.key)?;
    check_length("value", &tag.value, MOST_VALUE_CHARACTERS)
}

/// Checks an alias that is looked for or taken away.
///
/// # Errors
/// When none can be called so.
pub fn alias(alias: &str) -> Result<Code, MlflowError> {
    let shown: String = alias.chars().take(MOST_ALIAS_CHARACTERS).collect();
    if !alias.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(MlflowError::invalid(format!(
            "Invalid alias name: '{shown}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    check_length("Registered model alias name", alias, MOST_ALIAS_CHARACTERS)?;
    Code::new(alias).map_err(|error| MlflowError::invalid(format!("Invalid alias name: {error}")))
}

/// Checks an alias that is set: names of versions are none.
///
/// # Errors
/// When it is reserved, or none can be called so.
pub fn new_alias(text: &str) -> Result<Code, MlflowError> {
    let code = alias(text)?;
    if text.eq_ignore_ascii_case("latest") {
        return Err(MlflowError::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let digits = text.strip_prefix(['v', 'V']).unwrap_or_default();
    if !digits.is_empty() && digits.chars().all(|c| c.is_numeric()) {
        return Err(MlflowError::invalid(format!("Version alias name '{text}' is reserved.")));
    }
    Ok(code)
}

/// The number of a version.
///
/// # Errors
/// When it is no whole number. One that no version can have is 0.
pub fn version(text: &str) -> Result<u32, MlflowError> {
    let number = text.trim().parse::<i128>().map_err(|_| {
        let shown: String = text.chars().take(MOST_NAME_CHARACTERS).collect();
        MlflowError::invalid(format!("Parameter 'version' must be an integer, got '{shown}'."))
    })?;
    Ok(u32::try_from(number).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models() {
        for name in ["pump", "泵 模型", "e\u{301}", "\u{202e}pump", "a.b", "a...", "Ⅷ", &"x".repeat(256)] {
            assert!(model(name).is_ok(), "{name:?}");
        }
        for (name, said) in [
            ("", "Missing value for required parameter 'name'."),
            (" \t\u{3000}", "Missing value"),
            ("a/b", "Names cannot contain '/' or ':'."),
            ("models:x", "Names cannot contain '/' or ':'."),
            ("a\0b", "control characters"),
            ("a\nb", "control characters"),
            (".", "would resolve to '.'"),
            ("..", "would resolve to '..'"),
            ("..x", "would resolve to '..x'"),
            (&"x".repeat(257), "exceeds the maximum length of 256"),
        ] {
            let refused = model(name).unwrap_err();
            assert!(refused.message().contains(said), "{name:?}: {refused:?}");
        }
    }

    #[test]
    fn keys_of_tags() {
        for key in ["key", "another key", "mlflow.user", "a/b", "键"] {
            assert!(tag_key(key).is_ok(), "{key:?}");
        }
        for key in ["a!", "a\u{202e}", "../x", "a//b", "/a", "a/", "", &"k".repeat(251)] {
            assert!(tag_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn aliases_and_versions() {
        for text in ["champion", "v", "v1x", "latest1", "冠军", "a-b_c"] {
            assert_eq!(new_alias(text).unwrap().as_str(), text);
        }
        for text in ["", "latest", "LaTeSt", "v1", "V12", "a b", "a/b", &"a".repeat(256)] {
            assert!(new_alias(text).is_err(), "{text:?}");
        }
        assert_eq!((version("3").unwrap(), version("-1").unwrap(), version("99999999999").unwrap()), (3, 0, 0));
        let refused = version("something not correct").unwrap_err();
        assert_eq!(refused.message(), "Parameter 'version' must be an integer, got 'something not correct'.");
    }
}
