//! Times as machines write them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeFormat {
    /// A text is RFC 3339. A number counts since 1970, in the unit that its size tells: seconds below 10^11, milliseconds below 10^14, microseconds below 10^17, nanoseconds from
    /// there on. (Seconds are so understood until the year 5138, milliseconds from March 1973 on.)
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// RFC 3339, with its offset.
    #[serde(rename = "rfc3339")]
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since 1970.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds since 1970.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds since 1970.
    #[serde(rename = "ns")]
    Nanoseconds,
}

impl TimeFormat {
    /// Reads a time.
    pub(super) fn read(self, json: &Json) -> Result<Timestamp, String> {
        match json {
            Json::String(text) => match self {
                Self::Auto | Self::Rfc3339 => {
                    text.parse().map_err(|_| format!("{text:?} is not a time in RFC 3339 with its offset"))
                }
                Self::Seconds | Self::Milliseconds | Self::Microseconds | Self::Nanoseconds => {
                    let number: serde_json::Number =
                        text.trim().parse().map_err(|_| format!("{text:?} is not a number"))?;
                    self.count(&number)
                }
            },
            Json::Number(number) if self != Self::Rfc3339 => self.count(number),
            other => Err(format!("{other} is not a time")),
        }
    }

    fn count(self, number: &serde_json::Number) -> Result<Timestamp, String> {
        let nanoseconds = match number.as_i64() {
            Some(count) => i128::from(count) * self.unit_ns(count.unsigned_abs() as f64),
            None => {
                let count =
                    number.as_f64().filter(|count| count.is_finite()).ok_or("the time is not a finite number")?;
                let unit = self.unit_ns(count.abs());
                let microseconds = count * (unit as f64 / 1_000.0);
                if microseconds.abs() > 1e18 {
                    return Err(format!("{number} is not within the years that are kept"));
                }
                // A float of seconds is exact to a fraction of a microsecond only; finer digits would be invented.
                (microseconds.round() as i128) * 1_000
            }
        };
        Timestamp::from_nanosecond(nanoseconds).map_err(|error| format!("{number} is not a time: {error}"))
    }

    fn unit_ns(self, size: f64) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
            Self::Auto | Self::Rfc3339 => match size {
                size if size < 1e11 => 1_000_000_000,
                size if size < 1e14 => 1_000_000,
                size if size < 1e17 => 1_000,
                _ => 1,
            },
        }
    }
}
