//! What a request says: fields of a JSON object, or of the query. Their names and types follow MLflow's protocol buffers, and so do the words in which a wrong one is refused.
//!
//! Whole numbers may come as numbers or as texts, fields that nobody asks for are ignored, and `null` is as good as nothing.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use domain::events::KeyValue;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::MlflowError;
use crate::problem::Problem;

/// The most characters of a wrong value that a refusal repeats.
const SHOWN_CHARACTERS: usize = 500;

const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

/// The fields of a request.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    fields: Map<String, Value>,
    of_query: bool,
}

impl Arguments {
    /// The fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields { map: &self.fields, of_query: self.of_query, path: String::new() }
    }

    /// The parameters after the question mark. One that comes several times is a list.
    pub fn of_query(query: &str) -> Self {
        let mut fields = Map::new();
        for (name, value) in form_pairs(query) {
            match fields.get_mut(&name) {
                None => drop(fields.insert(name, Value::String(value))),
                Some(Value::Array(values)) => values.push(Value::String(value)),
                Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
            }
        }
        Self { fields, of_query: true }
    }

    /// A JSON object, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn of_body(body: &[u8]) -> Result<Self, MlflowError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let read = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes)
                .map_err(|error| MlflowError::invalid(format!("The request body is not valid JSON: {error}.")))
        };
        let value = match read(body)? {
            // Old clients write the object as a text.
            Value::String(text) => read(text.as_bytes())?,
            value => value,
        };
        match value {
            Value::Object(fields) => Ok(Self { fields, of_query: false }),
            Value::Null => Ok(Self::default()),
            _ => Err(MlflowError::invalid("The request body must be a JSON object.")),
        }
    }
}

/// The names and values of a query, decoded. What is not UTF-8 is replaced.
fn form_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

impl<S: Send + Sync> FromRequest<S> for Arguments {
    type Rejection = MlflowError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MlflowError> {
        if request.method() == Method::GET
            && let Some(query) = request.uri().query().filter(|query| !query.is_empty())
        {
            return Ok(Self::of_query(query));
        }
        if matches!(*request.method(), Method::POST | Method::PUT) {
            check_content_type(&request)?;
        }
        let body = Bytes::from_request(request, state).await.map_err(refused_body)?;
        Self::of_body(&body)
    }
}

/// The parts of an address that stand for something.
#[derive(Clone, Debug)]
pub struct InAddress<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InAddress<T> {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MlflowError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| MlflowError::invalid("Invalid path"))
    }
}

/// Why a body was not read, as a problem.
pub fn refused_body(rejection: BytesRejection) -> MlflowError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::too_large("the body is larger than the server's limit").into()
    } else {
        MlflowError::invalid(format!("The request body cannot be read: {}.", rejection.body_text()))
    }
}

/// A page of elsewhere can make a browser post a text without asking, and no JSON: so the type is asked for, too.
fn check_content_type(request: &Request) -> Result<(), MlflowError> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return Err(MlflowError::invalid("Bad Request. Content-Type header is missing."));
    };
    let named = value.to_str().unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(MlflowError::invalid("Bad Request. Content-Type must be one of ['application/json']."))
    }
}

/// The fields of an object in a request.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    of_query: bool,
    /// Where the object stands in the request; empty for the request itself.
    path: String,
}

/// What Python calls the type of a value: the hint is meant for its users.
fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// The refusal of a value of the wrong type or size.
pub fn invalid_value(path: &str, value: &Value) -> MlflowError {
    let shown: String = value.to_string().chars().take(SHOWN_CHARACTERS).collect();
    let hint = python_type(value);
    MlflowError::invalid(format!(
        "Invalid value {shown} for parameter '{path}' supplied:  Hint: Value was of type '{hint}'.{SEE_DOCS}"
    ))
}

/// The refusal of a request that lacks a field.
pub fn missing_value(path: &str) -> MlflowError {
    MlflowError::invalid(format!("Missing value for required parameter '{path}'.{SEE_DOCS}"))
}

impl<'a> Fields<'a> {
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn invalid(&self, name: &str, value: &Value) -> MlflowError {
        invalid_value(&self.path_of(name), value)
    }

    /// The refusal of a request that lacks this field.
    pub fn missing(&self, name: &str) -> MlflowError {
        missing_value(&self.path_of(name))
    }

    /// A text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, MlflowError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            // A parameter that was given several times: the first counts, as in the original.
            Some(Value::Array(values)) if self.of_query => Ok(values.first().and_then(Value::as_str)),
            Some(value) => Err(self.invalid(name, value)),
        }
    }

    /// A text, or an empty one.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text_or_empty(&self, name: &str) -> Result<&'a str, MlflowError> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A text that says something.
    ///
    /// # Errors
    /// When it is something else, absent or empty.
    pub fn some_text(&self, name: &str) -> Result<Option<&'a str>, MlflowError> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is something else, absent or empty.
    pub fn required_text(&self, name: &str) -> Result<&'a str, MlflowError> {
        self.some_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// The id of a run: `run_id`, or `run_uuid` from older clients.
    ///
    /// # Errors
    /// When it is no text, absent or empty.
    pub fn run_id(&self) -> Result<&'a str, MlflowError> {
        match self.some_text("run_id")? {
            Some(id) => Ok(id),
            None => self.some_text("run_uuid")?.ok_or_else(|| self.missing("run_id")),
        }
    }

    /// The id of an experiment: a text, or a whole number from older clients.
    ///
    /// # Errors
    /// When it is something else.
    pub fn experiment_id(&self) -> Result<Option<String>, MlflowError> {
        match self.value("experiment_id") {
            Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
            _ => Ok(self.some_text("experiment_id")?.map(str::to_owned)),
        }
    }

    /// The id of an experiment that must be there.
    ///
    /// # Errors
    /// As [`Fields::experiment_id`], and when it is absent.
    pub fn required_experiment_id(&self) -> Result<String, MlflowError> {
        self.experiment_id()?.ok_or_else(|| self.missing("experiment_id"))
    }

    /// The ids of experiments: texts, or whole numbers from older clients.
    ///
    /// # Errors
    /// When they are something else.
    pub fn experiment_ids(&self) -> Result<Vec<String>, MlflowError> {
        let name = "experiment_ids";
        let ids = self.list(name)?.iter().map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        });
        ids.collect::<Option<_>>().ok_or_else(|| self.invalid(name, self.value(name).unwrap_or(&Value::Null)))
    }

    /// A whole number, written as a number or as a text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, MlflowError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.invalid(name, value))
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// When it is something else, or out of them.
    pub fn integer_within(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, MlflowError> {
        let number = self.integer(name)?;
        if number.is_none_or(|number| range.contains(&number)) {
            return Ok(number);
        }
        Err(self.invalid(name, self.value(name).unwrap_or(&Value::Null)))
    }

    /// How many results are wanted at most.
    ///
    /// # Errors
    /// When it is no whole number, less than 1, or more than `most`.
    pub fn max_results(&self, otherwise: usize, most: usize) -> Result<usize, MlflowError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let number = self.integer_within("max_results", 1..=most)?;
        Ok(number.and_then(|number| usize::try_from(number).ok()).unwrap_or(otherwise))
    }

    /// A number, which may also be `"NaN"`, `"Infinity"` or `"-Infinity"`, or written as a text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn real(&self, name: &str) -> Result<Option<f64>, MlflowError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            // Rust reads `NaN`, `Infinity` and `inf` in any case, as Python does.
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.invalid(name, value))
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, MlflowError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if self.of_query => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => Err(MlflowError::invalid(format!(
                    "Invalid boolean value: {}, must be 'true' or 'false'.",
                    text.chars().take(SHOWN_CHARACTERS).collect::<String>()
                ))),
            },
            Some(value) => Err(self.invalid(name, value)),
        }
    }

    /// A list; an empty one when absent.
    ///
    /// # Errors
    /// When it is something else.
    pub fn list(&self, name: &str) -> Result<&'a [Value], MlflowError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(value) if self.of_query => Ok(std::slice::from_ref(value)),
            Some(value) => Err(self.invalid(name, value)),
        }
    }

    /// A list that must have something in it.
    ///
    /// # Errors
    /// When it is something else, absent or empty.
    pub fn required_list(&self, name: &str) -> Result<&'a [Value], MlflowError> {
        match self.list(name)? {
            [] => Err(self.missing(name)),
            values => Ok(values),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When it is something else.
    pub fn texts(&self, name: &str) -> Result<Vec<&'a str>, MlflowError> {
        let texts = self.list(name)?.iter().map(Value::as_str);
        texts.collect::<Option<_>>().ok_or_else(|| self.invalid(name, self.value(name).unwrap_or(&Value::Null)))
    }

    /// A list of texts, to be kept.
    ///
    /// # Errors
    /// When it is something else.
    pub fn owned_texts(&self, name: &str) -> Result<Vec<String>, MlflowError> {
        Ok(self.texts(name)?.into_iter().map(str::to_owned).collect())
    }

    /// The fields of an object; none when it is absent.
    ///
    /// # Errors
    /// When it is something else.
    pub fn object(&self, name: &str) -> Result<Option<Self>, MlflowError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { map, of_query: false, path: self.path_of(name) })),
            Some(value) => Err(self.invalid(name, value)),
        }
    }

    /// A list of objects.
    ///
    /// # Errors
    /// When it is something else.
    pub fn objects(&self, name: &str) -> Result<Vec<Self>, MlflowError> {
        let mut objects = Vec::new();
        for (index, value) in self.list(name)?.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(name));
            match value {
                Value::Object(map) => objects.push(Self { map, of_query: false, path }),
                other => return Err(invalid_value(&path, other)),
            }
        }
        Ok(objects)
    }

    /// A list of tags or parameters.
    ///
    /// # Errors
    /// When it is something else.
    pub fn pairs(&self, name: &str) -> Result<Vec<KeyValue>, MlflowError> {
        self.objects(name)?.iter().map(Self::pair).collect()
    }

    /// A tag or parameter: its key must be there, and its value is empty when it is not.
    ///
    /// # Errors
    /// When one of them is no text, or there is no key.
    pub fn pair(&self) -> Result<KeyValue, MlflowError> {
        let key = self.required_text("key")?.to_owned();
        Ok(KeyValue { key, value: self.text_or_empty("value")?.to_owned() })
    }
}

/// A float that stands for a whole number.
#[expect(clippy::cast_possible_truncation, reason = "it is compared with what it came from")]
#[expect(clippy::cast_precision_loss, reason = "as above")]
fn whole(number: f64) -> Option<i64> {
    let truncated = number as i64;
    ((truncated as f64) == number && number.abs() < 9.0e18).then_some(truncated)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
