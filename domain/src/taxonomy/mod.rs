//! Codes with names in Chinese and English: failure modes, mechanisms, causes, detection methods and activities (after ISO 14224), the failure
//! modes of looms (ISO 14224 has no loom class; this table is our own) and the defects of woven cloth.
//!
//! The tables serve display and search. They restrict nothing: a code that is not in them is as good as one that is, since imports bring
//! their own.

mod defects;
mod iso14224;
mod loom;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use serde::Serialize;

pub use defects::DEFECTS;
pub use iso14224::{ACTIVITIES, CAUSES, DETECTION_METHODS, FAILURE_MODES, MECHANISMS};
pub use loom::{LOOM_CLASS, LOOM_FAILURE_MODES, LOOM_ITEMS, LoomFailureMode, STOP_REASONS, loom_failure_mode};

/// What a code is a code of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How something failed.
    FailureMode,
    /// The process behind a failure.
    Mechanism,
    /// Why it came to be.
    Cause,
    /// How it was found.
    DetectionMethod,
    /// What was done about it.
    Activity,
    /// What it was done to: a subunit or maintainable item.
    Item,
    /// A defect of cloth.
    Defect,
    /// Why a machine stands.
    StopReason,
}

/// A code with its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Term {
    /// What it is a code of.
    pub kind: Kind,
    /// The code, as events carry it.
    pub code: &'static str,
    /// The Chinese name.
    pub zh: &'static str,
    /// The English name.
    pub en: &'static str,
}

/// A term, for one line of a table.
const fn term(kind: Kind, code: &'static str, zh: &'static str, en: &'static str) -> Term {
    Term { kind, code, zh, en }
}

/// Every term of every table.
pub fn all() -> impl Iterator<Item = &'static Term> {
    [FAILURE_MODES, MECHANISMS, CAUSES, DETECTION_METHODS, ACTIVITIES, LOOM_ITEMS, DEFECTS, STOP_REASONS]
        .into_iter()
        .flatten()
        .chain(LOOM_FAILURE_MODES.iter().map(|mode| &mode.term))
}

/// The term with this code; capitals and small letters are the same.
pub fn lookup(code: &str) -> Option<&'static Term> {
    all().find(|term| term.code.eq_ignore_ascii_case(code))
}

/// The term of this kind with this code.
pub fn lookup_kind(kind: Kind, code: &str) -> Option<&'static Term> {
    all().find(|term| term.kind == kind && term.code.eq_ignore_ascii_case(code))
}

/// Terms whose code or whose Chinese or English name holds the text.
pub fn find(text: &str) -> impl Iterator<Item = &'static Term> {
    let text = text.trim().to_lowercase();
    all().filter(move |term| {
        !text.is_empty()
            && (term.code.to_lowercase().contains(&text)
                || term.zh.contains(&text)
                || term.en.to_lowercase().contains(&text))
    })
}
