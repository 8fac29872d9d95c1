//! What a store does not have yet.

use std::collections::HashSet;

use super::rows::Slot;

/// What changed since the last flush.
#[derive(Debug)]
pub(crate) struct Dirty {
    stored: bool,
    pub experiments: HashSet<Slot>,
    pub runs: HashSet<Slot>,
    pub models: HashSet<Slot>,
    pub files: HashSet<Box<str>>,
}

impl Dirty {
    /// Remembers nothing when nothing is stored.
    pub(crate) fn new(stored: bool) -> Self {
        Self {
            stored,
            experiments: HashSet::new(),
            runs: HashSet::new(),
            models: HashSet::new(),
            files: HashSet::new(),
        }
    }

    /// Everything.
    pub(crate) fn all(state: &super::State) -> Self {
        let slots = |length: usize| 0..Slot::try_from(length).unwrap_or(Slot::MAX);
        Self {
            stored: true,
            experiments: slots(state.experiments.len()).collect(),
            runs: slots(state.runs.len()).collect(),
            models: slots(state.models.len()).collect(),
            files: state.files.keys().cloned().collect(),
        }
    }

    pub(crate) fn experiment(&mut self, slot: Slot) {
        if self.stored {
            self.experiments.insert(slot);
        }
    }

    pub(crate) fn run(&mut self, slot: Slot) {
        if self.stored {
            self.runs.insert(slot);
        }
    }

    pub(crate) fn model(&mut self, slot: Slot) {
        if self.stored {
            self.models.insert(slot);
        }
    }

    pub(crate) fn file(&mut self, path: &str) {
        if self.stored {
            self.files.insert(path.into());
        }
    }

    /// What is remembered, which begins anew.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.stored))
    }

    /// Takes back what could not be stored.
    pub(crate) fn put_back(&mut self, other: Self) {
        self.experiments.extend(other.experiments);
        self.runs.extend(other.runs);
        self.models.extend(other.models);
        self.files.extend(other.files);
    }
}
