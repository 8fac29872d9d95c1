//! The readings of one signal and kind on their way into a chunk, and back into the column of a frame.

use std::ops::Range;
use std::sync::Arc;

use crate::frames::{Column, Filling, Frame, StatusCode, Values};

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
    pub(super) values: Lists,
    pub(super) statuses: Vec<u32>,
}

/// Values that grow.
#[derive(Debug)]
pub(super) enum Lists {
    Boolean(Vec<bool>),
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Text(Vec<Arc<str>>),
}

impl Lists {
    /// No values of a kind, whose number is as in frames: 0 boolean, 1 integer, 2 float, 3 text.
    fn new(kind: u8) -> Option<Self> {
        match kind {
            0 => Some(Self::Boolean(Vec::new())),
            1 => Some(Self::Integer(Vec::new())),
            2 => Some(Self::Float(Vec::new())),
            3 => Some(Self::Text(Vec::new())),
            _ => None,
        }
    }

    /// Appends some values of the same kind.
    pub(super) fn append(&mut self, from: &Values, range: Range<usize>) {
        match (self, from) {
            (Self::Boolean(to), Values::Boolean(from)) => to.extend(from.get(range).unwrap_or_default()),
            (Self::Integer(to), Values::Integer(from)) => to.extend(from.get(range).unwrap_or_default()),
            (Self::Float(to), Values::Float(from)) => to.extend(from.get(range).unwrap_or_default()),
            (Self::Text(to), Values::Text(from)) => to.extend(from.get(range).unwrap_or_default().iter().cloned()),
            // Chunks hold one kind, so that nothing else comes here.
            _ => {}
        }
    }
}

/// The number of the kind, as in frames.
pub(super) fn kind(values: &Values) -> u8 {
    match values {
        Values::Boolean(_) => 0,
        Values::Integer(_) => 1,
        Values::Float(_) => 2,
        Values::Text(_) => 3,
    }
}

impl Gathered {
    pub(super) fn new(kind: u8) -> Option<Self> {
        Some(Self {
            parts: Vec::new(),
            times_ns: Vec::new(),
            sequences: Vec::new(),
            values: Lists::new(kind)?,
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
        self.values.append(&column.values, 0..rows);
        for (count, status) in column.statuses.runs() {
            self.statuses.resize(self.statuses.len() + count, status.get());
        }
    }
}

/// The columns of a frame that grow, one after the other, each page by page. They are parts of a few lists, so that a frame of many short columns is
/// not put together from many small pieces of memory.
#[derive(Default)]
pub(super) struct Regrown {
    times_ns: Filling<i64>,
    booleans: Filling<bool>,
    integers: Filling<i64>,
    floats: Filling<f64>,
    texts: Filling<Arc<str>>,
    /// Of the column that grows now.
    sequences: Vec<Option<u64>>,
    statuses: Vec<StatusCode>,
    times_from: usize,
    values_from: usize,
    /// Where the times of the column before stand.
    times_before: Range<usize>,
    frame: Frame,
}

impl Regrown {
    /// A column with values of this kind begins.
    pub(super) fn begin(&mut self, kind: u8) -> Option<()> {
        self.sequences.clear();
        self.statuses.clear();
        self.times_from = self.times_ns.list.len();
        self.values_from = match kind {
            0 => self.booleans.list.len(),
            1 => self.integers.list.len(),
            2 => self.floats.list.len(),
            3 => self.texts.list.len(),
            _ => return None,
        };
        Some(())
    }

    pub(super) fn add_times(&mut self, times_ns: &[i64]) {
        self.times_ns.list.extend_from_slice(times_ns);
    }

    pub(super) fn add_sequences(&mut self, sequences: impl Iterator<Item = Option<u64>>) {
        self.sequences.extend(sequences);
    }

    pub(super) fn add_values(&mut self, values: &Values, range: Range<usize>) {
        match values {
            Values::Boolean(values) => self.booleans.list.extend_from_slice(values.get(range).unwrap_or_default()),
            Values::Integer(values) => self.integers.list.extend_from_slice(values.get(range).unwrap_or_default()),
            Values::Float(values) => self.floats.list.extend_from_slice(values.get(range).unwrap_or_default()),
            Values::Text(values) => self.texts.list.extend_from_slice(values.get(range).unwrap_or_default()),
        }
    }

    pub(super) fn add_statuses(&mut self, statuses: impl Iterator<Item = StatusCode>) {
        self.statuses.extend(statuses);
    }

    /// The column of this signal and kind is complete.
    pub(super) fn end(&mut self, signal: Arc<str>, kind: u8, first_row: u32) {
        let before = self.frame.columns.last();
        // Columns that were sampled together share what is the same, as they do in a frame that was decoded.
        let times = &mut self.times_ns.list;
        let own = self.times_from..times.len();
        let range = match self.times_before.clone() {
            same if before.is_some() && times.get(same.clone()) == times.get(own.clone()) => {
                times.truncate(own.start);
                same
            }
            _ => own,
        };
        let sequences = match before.filter(|before| before.sequences.are(self.sequences.iter().copied())) {
            Some(before) => before.sequences.clone(),
            None => self.sequences.as_slice().into(),
        };
        let values = match kind {
            0 => Values::Boolean(self.booleans.since(self.values_from)),
            1 => Values::Integer(self.integers.since(self.values_from)),
            2 => Values::Float(self.floats.since(self.values_from)),
            _ => Values::Text(self.texts.since(self.values_from)),
        };
        let (times_ns, statuses) = (self.times_ns.part(range.clone()), self.statuses.as_slice().into());
        self.times_before = range;
        self.frame.columns.push(Column { signal, first_row, times_ns, sequences, values, statuses });
    }

    pub(super) fn finish(self) -> Frame {
        self.times_ns.finish();
        self.booleans.finish();
        self.integers.finish();
        self.floats.finish();
        self.texts.finish();
        self.frame
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
