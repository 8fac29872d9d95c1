//! The words of the plant, as questions take them.

use eventlog::Position;
use projections::Shared;
use projections::folds::dictionary::{Dictionary, DictionaryAt};
use retrieval::curated::Curated;

/// The words as they were at a position; the newest, without one.
pub(crate) fn curated(dictionary: &Shared<Dictionary>, as_of: Option<Position>) -> Curated {
    let DictionaryAt { version, same, abbreviations } = dictionary.read(|dictionary, _| dictionary.at(as_of.into()));
    Curated::new(version.map(Position::get), same, abbreviations)
}
