//! The words of the plant as the log says them: what means the same and what abbreviations stand for, at any position.

use std::collections::BTreeMap;

use domain::Event;
use domain::events::{DictionaryEntryDefined, WordMeaning};
use domain::ids::Code;
use eventlog::{Digest, Filter, Position};
use serde::{Deserialize, Serialize};

use crate::{AsOf, Entry, Fact, Fold, History, filters, state_digest};

/// Entries with all that was said of them; `None` where one was removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dictionary {
    entries: BTreeMap<Code, History<Option<DictionaryEntryDefined>>>,
}

/// The dictionary at a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DictionaryAt {
    /// Its version (see [`Dictionary::version`]).
    pub version: Option<Position>,
    /// Groups of phrases that mean the same.
    pub same: Vec<Vec<String>>,
    /// Abbreviations with what they stand for.
    pub abbreviations: Vec<(String, String)>,
}

impl Fold for Dictionary {
    const NAME: &'static str = "dictionary";
    const VERSION: u32 = 1;

    fn filter() -> Filter {
        filters::types(&["dictionary.entry_defined", "dictionary.entry_removed"])
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::DictionaryEntryDefined(event)) => {
                self.entries.entry(event.entry.clone()).or_default().push(entry, Some(event.clone()));
            }
            Some(Event::DictionaryEntryRemoved(event)) => {
                // What was never defined stays unknown.
                if let Some(history) = self.entries.get_mut(&event.entry) {
                    history.push(entry, None);
                }
            }
            _ => {}
        }
    }

    fn digest(&self) -> Digest {
        state_digest(self)
    }
}

impl Dictionary {
    /// The entries that held, by code.
    pub fn entries(&self, as_of: AsOf) -> impl Iterator<Item = &Fact<Option<DictionaryEntryDefined>>> {
        self.entries.values().filter_map(move |history| history.last(as_of)).filter(|fact| fact.value.is_some())
    }

    /// Everything that was said of an entry.
    pub fn history(&self, entry: &Code, as_of: AsOf) -> &[Fact<Option<DictionaryEntryDefined>>] {
        self.entries.get(entry).map_or(&[], |history| history.as_of(as_of))
    }

    /// The position of the last event that changed it; `None` while the log says nothing of words.
    pub fn version(&self, as_of: AsOf) -> Option<Position> {
        self.entries.values().filter_map(|history| history.last(as_of)).map(|fact| fact.position).max()
    }

    /// The dictionary at the position.
    pub fn at(&self, as_of: AsOf) -> DictionaryAt {
        let mut dictionary = DictionaryAt { version: self.version(as_of), ..DictionaryAt::default() };
        for meaning in self.entries(as_of).filter_map(|fact| fact.value.as_ref()).map(|entry| &entry.meaning) {
            match meaning {
                WordMeaning::Same(group) => dictionary.same.push(group.phrases().to_vec()),
                WordMeaning::Abbreviation(one) => {
                    dictionary.abbreviations.push((one.short().to_owned(), one.stands_for().to_owned()));
                }
            }
        }
        dictionary
    }
}

#[cfg(test)]
#[path = "dictionary_tests.rs"]
mod tests;
