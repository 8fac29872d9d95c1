//! The first byte of a column's header.

use super::super::FrameError;
use super::super::bytes::damaged;

/// Where a column finds its moments or its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// In the list of the last column that has one.
    Same,
    /// In the list after all that were used.
    Next,
    /// In the list whose number follows.
    Numbered,
}

/// What a column's header and body consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The kind of the values.
    pub(super) kind: u8,
    pub(super) moments: Listed,
    /// The counts, if any row has one.
    pub(super) counts: Option<Listed>,
    /// Whether the body ends with qualities: they are all Good otherwise.
    pub(super) statuses: bool,
}

impl Shape {
    pub(super) const fn byte(self) -> u8 {
        let moments = self.moments as u8;
        let counts = match self.counts {
            None => 0,
            Some(listed) => listed as u8 + 1,
        };
        self.kind | moments << 2 | counts << 4 | (self.statuses as u8) << 6
    }

    pub(super) fn new(byte: u8) -> Result<Self, FrameError> {
        let listed = |number: u8| match number {
            0 => Ok(Listed::Same),
            1 => Ok(Listed::Next),
            2 => Ok(Listed::Numbered),
            _ => Err(damaged("a column's first byte means nothing")),
        };
        if byte & 0x80 != 0 {
            return Err(damaged("a column's first byte means nothing"));
        }
        let counts = match byte >> 4 & 3 {
            0 => None,
            number => Some(listed(number - 1)?),
        };
        Ok(Self { kind: byte & 3, moments: listed(byte >> 2 & 3)?, counts, statuses: byte & 0x40 != 0 })
    }
}

/// Follows the lists of one column after the other, in writing as in reading.
#[derive(Default)]
pub(super) struct Chosen {
    last: Option<usize>,
    used: usize,
}

impl Chosen {
    /// The list of the last column that has one.
    pub(super) fn last(&self) -> Option<usize> {
        self.last
    }

    /// How a column says that it has the list with this number.
    pub(super) fn say(&mut self, number: usize) -> Listed {
        let listed = match number {
            number if self.last == Some(number) => Listed::Same,
            number if number == self.used => Listed::Next,
            _ => Listed::Numbered,
        };
        self.note(number);
        listed
    }

    /// The number of the list that was said, unless it follows.
    pub(super) fn number(&self, listed: Listed) -> Result<Option<usize>, FrameError> {
        match listed {
            Listed::Same if self.last.is_none() => Err(damaged("the first column repeats a list")),
            Listed::Same => Ok(self.last),
            Listed::Next => Ok(Some(self.used)),
            Listed::Numbered => Ok(None),
        }
    }

    /// A column has this list.
    pub(super) fn note(&mut self, number: usize) {
        self.last = Some(number);
        self.used = self.used.max(number + 1);
    }
}
