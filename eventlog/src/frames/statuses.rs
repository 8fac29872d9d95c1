//! The qualities of one column, small where all rows are alike.

use super::StatusCode;

/// The quality of each row of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Codes);

// Invariant: `Each` holds two codes that differ, so that equal qualities are equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Codes {
    All { rows: usize, status: StatusCode },
    Each(Vec<StatusCode>),
}

impl Statuses {
    /// Every row has this quality.
    pub const fn all(rows: usize, status: StatusCode) -> Self {
        Self(Codes::All { rows, status })
    }

    /// One quality for all rows, when they have the same.
    fn if_alike(codes: &[StatusCode]) -> Option<Self> {
        let first = codes.first().copied().unwrap_or(StatusCode::GOOD);
        codes.iter().all(|code| *code == first).then_some(Self::all(codes.len(), first))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Codes::All { rows, .. } => *rows,
            Codes::Each(codes) => codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The quality of this row.
    pub fn get(&self, row: usize) -> Option<StatusCode> {
        match &self.0 {
            Codes::All { rows, status } => (row < *rows).then_some(*status),
            Codes::Each(codes) => codes.get(row).copied(),
        }
    }

    /// The quality that every row has, if they are alike.
    pub fn as_all(&self) -> Option<StatusCode> {
        match &self.0 {
            Codes::All { status, .. } => Some(*status),
            Codes::Each(_) => None,
        }
    }

    /// Runs of rows that are alike, as length and quality.
    pub fn runs(&self) -> impl Iterator<Item = (usize, StatusCode)> + '_ {
        let (all, each) = match &self.0 {
            Codes::All { rows, status } => (Some((*rows, *status)), [].as_slice()),
            Codes::Each(codes) => (None, codes.as_slice()),
        };
        let runs = each.chunk_by(PartialEq::eq).filter_map(|run| Some((run.len(), *run.first()?)));
        all.into_iter().filter(|(rows, _)| *rows > 0).chain(runs)
    }
}

impl From<Vec<StatusCode>> for Statuses {
    fn from(codes: Vec<StatusCode>) -> Self {
        Self::if_alike(&codes).unwrap_or(Self(Codes::Each(codes)))
    }
}

impl From<&[StatusCode]> for Statuses {
    fn from(codes: &[StatusCode]) -> Self {
        Self::if_alike(codes).unwrap_or_else(|| Self(Codes::Each(codes.to_vec())))
    }
}
