//! What names, keys and values may be, and how a refusal is worded: as MLflow's clients and tests know it.

use domain::events::{DatasetInput, KeyValue, MetricPoint};

use crate::error::TrackingError;

/// The most metrics in one request.
pub const MAX_METRICS_PER_BATCH: usize = 1_000;
/// The most parameters in one request, and the most tags.
pub const MAX_PARAMS_TAGS_PER_BATCH: usize = 100;
/// The most metrics, parameters and tags in one request together.
pub const MAX_ENTITIES_PER_BATCH: usize = 1_000;
/// The longest key of a metric, parameter or tag, in characters.
pub const MAX_KEY_LENGTH: usize = 250;
/// The longest value of a parameter, in characters; a longer one is cut.
pub const MAX_PARAM_VALUE_LENGTH: usize = 6_000;
/// The longest value of a run's tag, in characters; a longer one is cut.
pub const MAX_TAG_VALUE_LENGTH: usize = 8_000;
/// The longest name of an experiment, in characters.
pub const MAX_EXPERIMENT_NAME_LENGTH: usize = 500;
/// The longest value of an experiment's tag, in characters.
pub const MAX_EXPERIMENT_TAG_VALUE_LENGTH: usize = 20_000;
/// The longest artifact location, in characters.
pub const MAX_ARTIFACT_LOCATION_LENGTH: usize = 2_048;
/// The longest name of a run, a logged model or a user, in characters.
pub const MAX_NAME_LENGTH: usize = 250;
/// The most datasets, and the most models, that one request names as inputs or outputs.
pub const MAX_LINKS_PER_REQUEST: usize = 1_000;
/// The longest name of a dataset, in characters.
pub const MAX_DATASET_NAME_LENGTH: usize = 500;
/// The longest digest of a dataset, in characters.
pub const MAX_DATASET_DIGEST_LENGTH: usize = 36;
/// The longest description of a dataset's source, in characters.
pub const MAX_DATASET_SOURCE_LENGTH: usize = 65_535;
/// The longest schema of a dataset, in characters.
pub const MAX_DATASET_SCHEMA_LENGTH: usize = 1_048_575;
/// The longest profile of a dataset, in characters.
pub const MAX_DATASET_PROFILE_LENGTH: usize = 1_048_575;
/// The longest key of a dataset's tag, in characters.
pub const MAX_INPUT_TAG_KEY_LENGTH: usize = 255;
/// The longest value of a dataset's tag, in characters.
pub const MAX_INPUT_TAG_VALUE_LENGTH: usize = 500;
/// The longest path of a file, in bytes.
pub const MAX_PATH_BYTES: usize = 1_024;

const BAD_CHARACTERS: &str = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).";

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `Invalid value "x" for parameter 'path' supplied: reason`.
pub(crate) fn invalid_value(path: &str, value: &str, reason: &str) -> TrackingError {
    let value = quoted(value);
    TrackingError::invalid(match reason {
        "" => format!("Invalid value {value} for parameter '{path}' supplied."),
        reason => format!("Invalid value {value} for parameter '{path}' supplied: {reason}"),
    })
}

fn too_long(what: &str, limit: usize) -> TrackingError {
    TrackingError::invalid(format!("'{what}' exceeds the maximum length of {limit} characters"))
}

/// Refuses a text of more than so many characters.
pub(crate) fn length(what: &str, text: &str, limit: usize) -> Result<(), TrackingError> {
    if text.len() > limit && text.chars().nth(limit).is_some() { Err(too_long(what, limit)) } else { Ok(()) }
}

/// Cuts a text to so many characters, as the original does by default.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    match text.char_indices().nth(limit) {
        Some((end, _)) if text.len() > limit => text.get(..end).unwrap_or(text),
        _ => text,
    }
}

/// What a path would be as a file: without empty parts, `.` and what `..` takes back.
fn normalised(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Checks the name of a metric, parameter or tag.
pub(crate) fn key(path: &str, name: &str) -> Result<(), TrackingError> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !name.chars().all(allowed) {
        return Err(invalid_value(path, name, BAD_CHARACTERS));
    }
    let as_file = normalised(name);
    if as_file != name || as_file == "." || as_file.starts_with("..") || as_file.starts_with('/') {
        let reason = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '{as_file}'"
        );
        return Err(invalid_value(path, name, &reason));
    }
    Ok(())
}

fn within(path: &str, part: &str) -> String {
    if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") }
}

/// Checks a point of a metric. `path` is where it stands in the request; empty for a request with one only.
pub(crate) fn metric(path: &str, point: &MetricPoint) -> Result<(), TrackingError> {
    key(&within(path, "name"), &point.key)?;
    if point.at_ms < 0 {
        return Err(TrackingError::invalid(format!(
            "Invalid value {} for parameter '{}' supplied: metric '{}' (value={}). Timestamp must be a nonnegative long (64-bit integer) ",
            point.at_ms,
            within(path, "timestamp"),
            point.key,
            point.value.0,
        )));
    }
    length("Metric name", &point.key, MAX_KEY_LENGTH)?;
    for (what, text) in [("dataset_name", &point.dataset), ("dataset_digest", &point.dataset_digest)] {
        length(what, text.as_deref().unwrap_or_default(), MAX_DATASET_NAME_LENGTH)?;
    }
    Ok(())
}

/// Checks a parameter, and cuts its value where it is too long.
pub(crate) fn param(path: &str, param: &mut KeyValue) -> Result<(), TrackingError> {
    key(&within(path, "key"), &param.key)?;
    length("Param key", &param.key, MAX_KEY_LENGTH)?;
    shorten(&mut param.value, MAX_PARAM_VALUE_LENGTH);
    Ok(())
}

/// Checks a tag of a run or logged model, and cuts its value where it is too long.
pub(crate) fn tag(path: &str, tag: &mut KeyValue) -> Result<(), TrackingError> {
    let at = within(path, "key");
    key(&at, &tag.key)?;
    length(&at, &tag.key, MAX_KEY_LENGTH)?;
    shorten(&mut tag.value, MAX_TAG_VALUE_LENGTH);
    Ok(())
}

fn shorten(text: &mut String, limit: usize) {
    let end = cut(text, limit).len();
    text.truncate(end);
}

/// Checks a tag of an experiment.
pub(crate) fn experiment_tag(tag: &KeyValue) -> Result<(), TrackingError> {
    key("key", &tag.key)?;
    length("key", &tag.key, MAX_KEY_LENGTH)?;
    length("value", &tag.value, MAX_EXPERIMENT_TAG_VALUE_LENGTH)
}

/// Checks the name of an experiment.
pub(crate) fn experiment_name(name: &str) -> Result<(), TrackingError> {
    if name.is_empty() {
        return Err(TrackingError::invalid("Invalid experiment name: ''"));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid_value("name", name, "It holds a control character."));
    }
    length("name", name, MAX_EXPERIMENT_NAME_LENGTH)
}

/// Checks where the files of an experiment are to live.
pub(crate) fn artifact_location(location: &str) -> Result<(), TrackingError> {
    if location.starts_with("runs:") {
        return Err(TrackingError::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    if length("artifact_location", location, MAX_ARTIFACT_LOCATION_LENGTH).is_err() {
        return Err(TrackingError::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than {MAX_ARTIFACT_LOCATION_LENGTH} characters."
        )));
    }
    if location.chars().any(char::is_control) {
        return Err(invalid_value("artifact_location", location, "It holds a control character."));
    }
    Ok(())
}

/// Checks the id of a run as far as its form goes.
pub(crate) fn run_id(id: &str) -> Result<(), TrackingError> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let first = id.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && id.chars().all(word) && id.len() <= 256 { Ok(()) } else { Err(invalid_value("run_id", id, "")) }
}

/// Checks a name that people give to a run or a user.
pub(crate) fn name(path: &str, name: &str) -> Result<(), TrackingError> {
    if name.chars().any(char::is_control) {
        return Err(invalid_value(path, name, "It holds a control character."));
    }
    length(path, name, MAX_NAME_LENGTH)
}

/// Checks the name of a logged model.
pub(crate) fn logged_model_name(name: &str) -> Result<(), TrackingError> {
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) || name.chars().any(char::is_control) {
        return Err(TrackingError::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    length("name", name, MAX_NAME_LENGTH)
}

/// Refuses more than a request may hold.
pub(crate) fn batch(what: &str, limit: usize, count: usize) -> Result<(), TrackingError> {
    if count <= limit {
        return Ok(());
    }
    Err(TrackingError::invalid(format!(
        "A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please split up {what} across multiple requests and try again."
    )))
}

/// Refuses a request that names one parameter twice.
pub(crate) fn unique_params(params: &[KeyValue]) -> Result<(), TrackingError> {
    let mut seen = std::collections::HashSet::with_capacity(params.len());
    let twice: Vec<String> =
        params.iter().filter(|param| !seen.insert(&*param.key)).map(|param| python_text(&param.key)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(TrackingError::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per param key.",
        twice.join(", ")
    )))
}

/// A text in quotes, as the original shows one in a list.
pub(crate) fn python_text(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\");
    if escaped.contains('\'') && !escaped.contains('"') {
        format!("\"{escaped}\"")
    } else {
        format!("'{}'", escaped.replace('\'', "\\'"))
    }
}

/// Checks a dataset that went into a run.
pub(crate) fn dataset(input: &DatasetInput) -> Result<(), TrackingError> {
    length("name", &input.name, MAX_DATASET_NAME_LENGTH)?;
    length("digest", &input.digest, MAX_DATASET_DIGEST_LENGTH)?;
    length("source_type", &input.source_type, MAX_NAME_LENGTH)?;
    length("source", &input.source, MAX_DATASET_SOURCE_LENGTH)?;
    length("schema", input.schema.as_deref().unwrap_or_default(), MAX_DATASET_SCHEMA_LENGTH)?;
    length("profile", input.profile.as_deref().unwrap_or_default(), MAX_DATASET_PROFILE_LENGTH)?;
    batch("tags", MAX_PARAMS_TAGS_PER_BATCH, input.tags.len())?;
    for tag in &input.tags {
        length("key", &tag.key, MAX_INPUT_TAG_KEY_LENGTH)?;
        length("value", &tag.value, MAX_INPUT_TAG_VALUE_LENGTH)?;
    }
    Ok(())
}

/// Checks the path of a file or folder: parts that are neither empty nor `.` nor `..`, without backslash and control characters.
pub(crate) fn artifact_path(path: &str) -> Result<(), TrackingError> {
    let wrong = |reason: &str| Err(invalid_value("path", path, reason));
    if path.len() > MAX_PATH_BYTES {
        return Err(TrackingError::invalid(format!("'path' exceeds the maximum length of {MAX_PATH_BYTES} bytes")));
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return wrong("A path holds no backslash and no control character.");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("Each part of a path has a name, which is neither '.' nor '..'.");
    }
    Ok(())
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
