//! Units of measure by UCUM codes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A unit of measure, by its case-sensitive UCUM code (`Cel`, `cN`, `/min`, `1`, `{pick}/min`).
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

impl Unit {
    /// The unit with this UCUM code.
    ///
    /// # Errors
    /// [`InvalidUnit`] when UCUM does not know it.
    pub fn new(code: &str) -> Result<Self, InvalidUnit> {
        if code.is_empty() {
            return Err(InvalidUnit { code: code.to_owned(), reason: "it is empty".to_owned() });
        }
        Ok(Self(code.into()))
    }

    /// The dimensionless unit `1`.
    pub fn one() -> Self {
        Self("1".into())
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
