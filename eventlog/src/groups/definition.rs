//! What a group is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GroupError, MAX_DELAY, MAX_IN_FLIGHT};
use crate::{Filter, InvalidName, Position};

/// The longest name of a group, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// Names a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// A name of 1 to 100 letters and digits of ASCII, `_`, `.` or `-`.
    ///
    /// # Errors
    /// [`InvalidName`] names what is wrong.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(fits) {
            return Err(InvalidName::new("group", text, "1 to 100 letters, digits, _, . or - are expected"));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the first record of the log.
    #[default]
    Beginning,
    /// With what is appended from now on.
    Tail,
    /// At a position.
    Position(Position),
}

/// What a group delivers, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Definition {
    /// The records that it delivers.
    pub filter: Filter,
    /// Where it begins when it is new; a group that exists goes on where it is.
    pub start: Start,
    /// How long a delivery is a member's, in milliseconds.
    pub lease_ms: u64,
    /// How often a record is delivered before it is parked.
    pub max_attempts: u32,
    /// The most records that are delivered or wait for a retry at one time.
    pub max_in_flight: usize,
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            filter: Filter::all(),
            start: Start::Beginning,
            lease_ms: 30_000,
            max_attempts: 10,
            max_in_flight: 1_000,
        }
    }
}

impl Definition {
    /// How long a delivery is a member's.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn check(&self) -> Result<(), GroupError> {
        let out_of_range = |field, reason: String| Err(GroupError::Invalid { field, reason });
        if self.lease().is_zero() || self.lease() > MAX_DELAY {
            return out_of_range("lease_ms", format!("{} is not from 1 to {}", self.lease_ms, MAX_DELAY.as_millis()));
        }
        if self.max_attempts == 0 {
            return out_of_range("max_attempts", "at least one delivery is needed".to_owned());
        }
        if !(1..=MAX_IN_FLIGHT).contains(&self.max_in_flight) {
            return out_of_range("max_in_flight", format!("{} is not from 1 to {MAX_IN_FLIGHT}", self.max_in_flight));
        }
        Ok(())
    }
}
