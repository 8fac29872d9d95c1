//! The readings of one signal and kind on their way into a chunk, and back into the column of a frame.

use std::sync::Arc;

use crate::frames::{Column, Frame, StatusCode, Values};

/// Where the readings of one frame stand in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The row of the frame in its segment.
    pub(super) row: u32,
    /// The first of its readings in the chunk.
    pub(super) start: u32,
    pub(super) count: u32,
    /// The row of that reading in its frame.
    pub(super) first_row: u32,
}

/// The readings of one signal and kind from several frames, one after the other.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) parts: Vec<Part>,
    pub(super) times_ns: Vec<i64>,
    pub(super) sequences: Vec<Option<u64>>,
    pub(super) values: Values,
    pub(super) statuses: Vec<u32>,
}

/// The number of the kind, as in frames: 0 boolean, 1 integer, 2 float, 3 text.
pub(super) fn kind(values: &Values) -> u8 {
    match values {
        Values::Boolean(_) => 0,
        Values::Integer(_) => 1,
        Values::Float(_) => 2,
        Values::Text(_) => 3,
    }
}

/// No values of a kind.
pub(super) fn none_of(kind: u8) -> Option<Values> {
    match kind {
        0 => Some(Values::Boolean(Vec::new())),
        1 => Some(Values::Integer(Vec::new())),
        2 => Some(Values::Float(Vec::new())),
        3 => Some(Values::Text(Vec::new())),
        _ => None,
    }
}

impl Gathered {
    pub(super) fn new(kind: u8) -> Option<Self> {
        Some(Self {
            parts: Vec::new(),
            times_ns: Vec::new(),
            sequences: Vec::new(),
            values: none_of(kind)?,
            statuses: Vec::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.times_ns.len()
    }

    /// Adds the column of the frame in this row. Its values are of the kind that is gathered.
    pub(super) fn push(&mut self, row: u32, column: &Column) {
        let rows = column.times_ns.len();
        let (start, count) = (self.len() as u32, rows as u32);
        self.parts.push(Part { row, start, count, first_row: column.first_row });
        self.times_ns.extend(column.times_ns.iter());
        self.sequences.extend((0..rows).map(|index| column.sequences.get(index)));
        append(&mut self.values, &column.values, 0..rows);
        for (count, status) in column.statuses.runs() {
            self.statuses.resize(self.statuses.len() + count, status.get());
        }
    }
}

/// Appends some values to others of the same kind.
pub(super) fn append(to: &mut Values, from: &Values, range: std::ops::Range<usize>) {
    match (to, from) {
        (Values::Boolean(to), Values::Boolean(from)) => to.extend(from.get(range).unwrap_or_default()),
        (Values::Integer(to), Values::Integer(from)) => to.extend(from.get(range).unwrap_or_default()),
        (Values::Float(to), Values::Float(from)) => to.extend(from.get(range).unwrap_or_default()),
        (Values::Text(to), Values::Text(from)) => to.extend(from.get(range).unwrap_or_default().iter().cloned()),
        // Chunks hold one kind, so that nothing else comes here.
        _ => {}
    }
}

/// A column that grows page by page.
pub(super) struct Regrown {
    pub(super) times_ns: Vec<i64>,
    pub(super) sequences: Vec<Option<u64>>,
    pub(super) values: Values,
    pub(super) statuses: Vec<StatusCode>,
}

impl Regrown {
    pub(super) fn new(kind: u8) -> Option<Self> {
        Some(Self { times_ns: Vec::new(), sequences: Vec::new(), values: none_of(kind)?, statuses: Vec::new() })
    }

    pub(super) fn column(self, signal: Arc<str>, first_row: u32) -> Column {
        Column {
            signal,
            first_row,
            times_ns: self.times_ns.into(),
            sequences: self.sequences.into(),
            values: self.values,
            statuses: self.statuses.into(),
        }
    }
}

/// Whether these columns are what a frame may be: in order, and rows counted through.
pub(super) fn in_order(frame: &Frame) -> bool {
    let mut row = 0;
    frame.columns.iter().all(|column| {
        let fits = column.first_row as usize == row;
        row += column.times_ns.len();
        fits
    })
}
