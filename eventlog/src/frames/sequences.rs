//! The sources' own counts of one column, small where all rows are alike.

use std::sync::Arc;

/// The source's own count of each row of a column. Columns of one frame that carry the same counts share them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sequences(Counts);

// Invariant: `Some` holds at least one row with a count and one without, so that equal counts are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
enum Counts {
    #[default]
    None,
    All(Arc<[u64]>),
    Some(Arc<[Option<u64>]>),
}

impl Sequences {
    /// No row has a count.
    pub const NONE: Sequences = Sequences(Counts::None);

    /// Every row has a count.
    pub fn all(counts: impl Into<Arc<[u64]>>) -> Self {
        let counts = counts.into();
        Self(if counts.is_empty() { Counts::None } else { Counts::All(counts) })
    }

    /// The count of this row, if it has one.
    pub fn get(&self, row: usize) -> Option<u64> {
        match &self.0 {
            Counts::None => None,
            Counts::All(counts) => counts.get(row).copied(),
            Counts::Some(counts) => counts.get(row).copied().flatten(),
        }
    }

    /// Whether no row has a count.
    pub fn is_none(&self) -> bool {
        matches!(self.0, Counts::None)
    }

    /// The counts, when every row has one.
    pub fn as_all(&self) -> Option<&[u64]> {
        match &self.0 {
            Counts::All(counts) => Some(counts),
            Counts::None | Counts::Some(_) => None,
        }
    }

    /// Whether the rows have exactly these counts.
    pub(crate) fn are(&self, counts: impl Iterator<Item = Option<u64>>) -> bool {
        match &self.0 {
            Counts::None => false,
            Counts::All(all) => all.iter().copied().map(Some).eq(counts),
            Counts::Some(some) => some.iter().copied().eq(counts),
        }
    }

    /// Whether these can be the counts of so many rows.
    pub(super) fn fits(&self, rows: usize) -> bool {
        match &self.0 {
            Counts::None => true,
            Counts::All(counts) => counts.len() == rows,
            Counts::Some(counts) => counts.len() == rows,
        }
    }

    /// Whether rows that share a time ascend by their counts, those without a count first.
    pub(super) fn in_order(&self, times_ns: &[i64]) -> bool {
        self.is_none()
            || times_ns
                .array_windows()
                .enumerate()
                .all(|(row, [one, next])| one < next || (one == next && self.get(row) <= self.get(row + 1)))
    }

    /// Whether both are the same piece of memory: a cheap yes, and no more than a hint otherwise.
    pub(super) fn shares(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Counts::None, Counts::None) => true,
            (Counts::All(one), Counts::All(two)) => Arc::ptr_eq(one, two),
            (Counts::Some(one), Counts::Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl From<&[Option<u64>]> for Sequences {
    fn from(counts: &[Option<u64>]) -> Self {
        if counts.iter().all(Option::is_none) {
            return Self::NONE;
        }
        match counts.iter().copied().collect::<Option<Arc<[u64]>>>() {
            Some(all) => Self::all(all),
            None => Self(Counts::Some(counts.into())),
        }
    }
}

impl From<Vec<Option<u64>>> for Sequences {
    fn from(counts: Vec<Option<u64>>) -> Self {
        counts.as_slice().into()
    }
}
