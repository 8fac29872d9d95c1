//! The page's words in Chinese and English.

use serde::Deserialize;

/// The language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    #[default]
    En,
}

impl Language {
    /// The language that the browser asks for: Chinese when it comes first in `Accept-Language`.
    pub fn of_browser(accept_language: Option<&str>) -> Self {
        let first = accept_language.and_then(|text| text.split(',').next()).unwrap_or_default();
        if first.trim_start().to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// The code for `lang` attributes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// The other language.
    pub const fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }

    /// One of two texts.
    pub const fn pick(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// A bilingual text in this language, or in the other where this one is missing.
    pub fn text(self, text: &domain::Text) -> &str {
        match self {
            Self::Zh => text.any_zh(),
            Self::En => text.any(),
        }
    }
}
