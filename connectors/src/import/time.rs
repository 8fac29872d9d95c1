//! Times and lengths of time as files write them.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// How a column writes instants.
#[derive(Clone, Debug)]
pub(super) struct TimeFormat {
    patterns: Vec<Pattern>,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// RFC 3339, with `Z` or an offset.
    Rfc3339,
    /// A number that counts this many nanoseconds each from 1970.
    Epoch(i128),
    /// A strptime pattern.
    Strptime(String),
}

impl TimeFormat {
    pub(super) fn new(patterns: &[String], zone: TimeZone) -> Result<Self, String> {
        if patterns.is_empty() {
            return Err("at least one time format is needed".to_owned());
        }
        Ok(Self { patterns: patterns.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?, zone })
    }

    /// Reads an instant. Patterns are tried in their order. A local time that a change of the clock skips or repeats is taken with the offset
    /// before the change ("compatible", RFC 5545); a date alone is its midnight.
    pub(super) fn read(&self, text: &str) -> Result<Timestamp, String> {
        let mut reason = String::new();
        for pattern in &self.patterns {
            match self.read_one(pattern, text.trim()) {
                Ok(time) => return in_range(time),
                Err(error) => reason = error,
            }
        }
        Err(format!("{text:?} is not a time: {reason}"))
    }

    fn read_one(&self, pattern: &Pattern, text: &str) -> Result<Timestamp, String> {
        match pattern {
            Pattern::Rfc3339 => text.parse::<Timestamp>().map_err(|error| error.to_string()),
            Pattern::Epoch(unit) => epoch(text, *unit),
            Pattern::Strptime(pattern) => {
                let parts = BrokenDownTime::parse(pattern, text).map_err(|error| error.to_string())?;
                if parts.offset().is_some() {
                    return parts.to_timestamp().map_err(|error| error.to_string());
                }
                let civil = if parts.hour().is_some() {
                    parts.to_datetime()
                } else {
                    parts.to_date().map(|date: Date| DateTime::from(date))
                };
                let civil = civil.map_err(|error| error.to_string())?;
                self.zone.to_timestamp(civil).map_err(|error| error.to_string())
            }
        }
    }
}

/// The log keeps nanoseconds within the years 1678 to 2262.
fn in_range(time: Timestamp) -> Result<Timestamp, String> {
    if i64::try_from(time.as_nanosecond()).is_ok() {
        Ok(time)
    } else {
        Err(format!("{time} is outside the years 1678 to 2262"))
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Ok(match text {
        "rfc3339" => Pattern::Rfc3339,
        "epoch_s" => Pattern::Epoch(1_000_000_000),
        "epoch_ms" => Pattern::Epoch(1_000_000),
        "epoch_us" => Pattern::Epoch(1_000),
        "epoch_ns" => Pattern::Epoch(1),
        pattern if pattern.contains('%') => Pattern::Strptime(pattern.to_owned()),
        other => {
            return Err(format!(
                "{other:?} is no time format: rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns or a strptime pattern such as \"%Y-%m-%d %H:%M:%S\""
            ));
        }
    })
}

fn epoch(text: &str, unit: i128) -> Result<Timestamp, String> {
    let nanoseconds = match text.parse::<i64>() {
        Ok(count) => i128::from(count) * unit,
        Err(_) => {
            let count = text.parse::<f64>().map_err(|error| error.to_string())?;
            if !count.is_finite() {
                return Err("the number is not finite".to_owned());
            }
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a fraction of an epoch number has the precision of the number itself, and the cast saturates"
            )]
            let nanoseconds = (count * unit as f64).round() as i128;
            nanoseconds
        }
    };
    Timestamp::from_nanosecond(nanoseconds).map_err(|error| error.to_string())
}

/// A zone by its IANA name, or a fixed offset such as `+08:00`.
pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    if text == "UTC" {
        return Ok(TimeZone::UTC);
    }
    if let Some((sign, rest)) =
        text.strip_prefix('+').map(|rest| (1, rest)).or_else(|| text.strip_prefix('-').map(|rest| (-1, rest)))
    {
        let offset = || {
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
            if !(0..=23).contains(&hours) || !(0..=59).contains(&minutes) {
                return None;
            }
            Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
        };
        return offset().map(TimeZone::fixed).ok_or_else(|| format!("{text:?} is not an offset such as +08:00"));
    }
    TimeZone::get(text).map_err(|error| error.to_string())
}

/// How a column writes lengths of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum DurationFormat {
    /// A number of this many seconds each.
    Unit(f64),
    /// `H:MM` or `H:MM:SS`.
    Clock,
}

impl DurationFormat {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if matches!(text, "h:mm" | "h:mm:ss") {
            return Ok(Self::Clock);
        }
        unit_seconds(text).map(Self::Unit).ok_or_else(|| {
            format!("{text:?} is no format of a duration: seconds, minutes, hours, days, h:mm or h:mm:ss")
        })
    }

    pub(super) fn read(self, text: &str) -> Result<SignedDuration, String> {
        let wrong = || format!("{text:?} is not a duration");
        let seconds = match self {
            Self::Unit(unit) => text.trim().parse::<f64>().map_err(|_| wrong())? * unit,
            Self::Clock => {
                let mut parts = text.trim().split(':');
                let mut part = || parts.next().map(|part| part.parse::<u32>().map(f64::from));
                let hours = part().ok_or_else(wrong)?.map_err(|_| wrong())?;
                let minutes = part().ok_or_else(wrong)?.map_err(|_| wrong())?;
                let seconds = part().transpose().map_err(|_| wrong())?.unwrap_or(0.0);
                if parts.next().is_some() || minutes > 59.0 || seconds > 59.0 {
                    return Err(wrong());
                }
                hours * 3_600.0 + minutes * 60.0 + seconds
            }
        };
        SignedDuration::try_from_secs_f64(seconds).map_err(|_| wrong())
    }
}

/// Seconds in a unit of time.
pub(super) fn unit_seconds(text: &str) -> Option<f64> {
    Some(match text {
        "seconds" => 1.0,
        "minutes" => 60.0,
        "hours" => 3_600.0,
        "days" => 86_400.0,
        _ => return None,
    })
}
