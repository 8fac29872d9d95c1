//! Values that events are made of.

use serde::{Deserialize, Serialize};

use crate::units::Unit;

/// A text in Chinese and English; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// English, or any other text in Latin letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Text {
    /// A text in both languages.
    pub fn new(zh: &str, en: &str) -> Self {
        Self { zh: Some(zh.to_owned()), en: Some(en.to_owned()) }
    }

    /// A text whose language is told from its characters: Chinese when it holds a Han character.
    pub fn guessed(text: &str) -> Self {
        let han = text.chars().any(|character| matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'));
        if han { Self { zh: Some(text.to_owned()), en: None } } else { Self { zh: None, en: Some(text.to_owned()) } }
    }

    /// The English text, or else the Chinese one, or nothing.
    pub fn any(&self) -> &str {
        self.en.as_deref().or(self.zh.as_deref()).unwrap_or_default()
    }

    /// The Chinese text, or else the English one, or nothing.
    pub fn any_zh(&self) -> &str {
        self.zh.as_deref().or(self.en.as_deref()).unwrap_or_default()
    }
}

/// An amount with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// How much; a finite number.
    #[serde(deserialize_with = "finite")]
    pub value: f64,
    /// In what (UCUM).
    pub unit: Unit,
}

impl Quantity {
    /// An amount.
    pub const fn new(value: f64, unit: Unit) -> Self {
        Self { value, unit }
    }
}

/// A stretch of a lot along its length, in metres from its beginning: `start_m` inclusive, `end_m` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Where it begins.
    #[serde(deserialize_with = "finite")]
    pub start_m: f64,
    /// Where it ends.
    #[serde(deserialize_with = "finite")]
    pub end_m: f64,
}

impl Interval {
    /// The length in metres.
    pub fn length_m(&self) -> f64 {
        self.end_m - self.start_m
    }

    /// Whether the two share a stretch of positive length.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start_m < other.end_m && other.start_m < self.end_m
    }
}

/// Refuses NaN and infinities where an amount is read.
pub(crate) fn finite<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() { Ok(value) } else { Err(serde::de::Error::custom("the number must be finite")) }
}
