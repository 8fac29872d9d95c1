//! What a dataset took from the log: for its lineage.

use std::collections::BTreeSet;

use eventlog::Position;
use indexmap::IndexMap;

use crate::error::DatasetError;

/// The most events that labels may come from: they are listed in the dataset's event.
pub const MAX_LABEL_EVENTS: usize = 200_000;

/// What was taken, and what was met and left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) readings: u64,
    pub(crate) first: Option<Position>,
    pub(crate) last: Option<Position>,
    pub(crate) labels: BTreeSet<Position>,
    left_out: std::collections::BTreeMap<&'static str, u64>,
}

impl Taken {
    /// A reading was used.
    pub(crate) fn reading(&mut self, position: Position) {
        self.readings += 1;
        self.event(position);
    }

    /// An event was used.
    pub(crate) fn event(&mut self, position: Position) {
        self.first = Some(self.first.map_or(position, |first| first.min(position)));
        self.last = Some(self.last.map_or(position, |last| last.max(position)));
    }

    /// A label came from this event.
    ///
    /// # Errors
    /// [`DatasetError::TooLarge`].
    pub(crate) fn label(&mut self, position: Position) -> Result<(), DatasetError> {
        self.event(position);
        self.labels.insert(position);
        if self.labels.len() > MAX_LABEL_EVENTS {
            return Err(DatasetError::TooLarge {
                what: "the events that labels come from".to_owned(),
                limit: MAX_LABEL_EVENTS as u64,
                advice: "use fewer assets or less time",
            });
        }
        Ok(())
    }

    /// Something was left out for this reason.
    pub(crate) fn left_out(&mut self, reason: &'static str) {
        self.leave_out(reason, 1);
    }

    /// Some things were left out for this reason.
    pub(crate) fn leave_out(&mut self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count;
        }
    }

    /// What was left out, by reason.
    pub(crate) fn left_out_by_reason(&self) -> IndexMap<String, u64> {
        self.left_out.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
    }
}
