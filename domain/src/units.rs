//! Units of measure by UCUM codes.
//!
//! The table of units and the conversions are those of octofhir-ucum (UCUM 2.2). It was checked here with every code that a weaving mill
//! needs, annotations (`{pick}/min`), special units (`Cel`) and typographic ones (`[pt_us]`) among them, and none is missing. Two things are
//! done differently: its `validate` looks for similar codes when it fails, which takes milliseconds, so that only its parser and its evaluator are used; and
//! codes that were found valid are remembered, since the same few come with every event.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use octofhir_ucum::{EvalResult, convert, evaluate, parse_expression};
use serde::{Deserialize, Serialize};

/// The longest code, in bytes.
pub const MAX_UNIT_BYTES: usize = 128;
/// How many codes are remembered as valid. A plant has some dozens; beyond the limit, codes are checked each time.
pub const MAX_REMEMBERED: usize = 4096;

/// Codes that were found valid.
static VALID: LazyLock<RwLock<HashSet<Arc<str>>>> = LazyLock::new(RwLock::default);

/// A unit of measure, by its case-sensitive UCUM code (`Cel`, `cN`, `/min`, `1`, `{pick}/min`).
///
/// Two units are equal when their codes are: `/min` and `1/min` are not equal, and convert to each other by the factor 1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Unit(Arc<str>);

/// A text that is no UCUM code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unit {code:?} is not a UCUM code: {reason}")]
pub struct InvalidUnit {
    code: String,
    reason: String,
}

/// A value that cannot be said in another unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} {from} cannot be converted to {to}: {reason}")]
pub struct NotConverted {
    value: String,
    from: Unit,
    to: Unit,
    reason: String,
}

impl Unit {
    /// The unit with this UCUM code.
    ///
    /// # Errors
    /// [`InvalidUnit`] when UCUM does not know it.
    pub fn new(code: &str) -> Result<Self, InvalidUnit> {
        let invalid = |reason: &str| InvalidUnit { code: code.chars().take(80).collect(), reason: reason.to_owned() };
        if code.is_empty() {
            return Err(invalid("it is empty"));
        }
        if code.len() > MAX_UNIT_BYTES {
            return Err(invalid("it is longer than 128 bytes"));
        }
        if let Some(known) = VALID.read().unwrap_or_else(PoisonError::into_inner).get(code) {
            return Ok(Self(Arc::clone(known)));
        }
        evaluated(code).map_err(|reason| invalid(&reason))?;
        let unit: Arc<str> = code.into();
        let mut valid = VALID.write().unwrap_or_else(PoisonError::into_inner);
        if valid.len() < MAX_REMEMBERED {
            valid.insert(Arc::clone(&unit));
        }
        Ok(Self(unit))
    }

    /// The dimensionless unit `1`.
    pub fn one() -> Self {
        Self("1".into())
    }

    /// The metre `m`.
    pub fn metre() -> Self {
        Self("m".into())
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether values in the two units can be converted to each other: they are of the same dimension.
    pub fn commensurable(&self, other: &Self) -> bool {
        self.0 == other.0
            || match (evaluated(&self.0), evaluated(&other.0)) {
                (Ok(this), Ok(other)) => this.is_commensurable(&other),
                _ => false,
            }
    }

    /// The value, which is in this unit, in another one. Temperatures convert as temperatures: 0 `Cel` is 273.15 `K`.
    ///
    /// # Errors
    /// [`NotConverted`] when the dimensions differ, the value is not finite, or the result is not.
    pub fn convert(&self, value: f64, to: &Self) -> Result<f64, NotConverted> {
        let failed =
            |reason: String| NotConverted { value: value.to_string(), from: self.clone(), to: to.clone(), reason };
        if !value.is_finite() {
            return Err(failed("the value is not finite".to_owned()));
        }
        if self.0 == to.0 {
            return Ok(value);
        }
        convert(value, &self.0, &to.0).map_err(|error| failed(error.message))
    }
}

/// What a code means, or why it means nothing.
fn evaluated(code: &str) -> Result<EvalResult, String> {
    let expression = parse_expression(code).map_err(|error| error.message)?;
    evaluate(&expression).map_err(|error| error.message)
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unit {:?}", &*self.0)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
