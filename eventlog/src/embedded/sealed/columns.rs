//! The readings of one signal and kind on their way into a chunk, and back into the column of a frame.

use std::ops::Range;
use std::sync::Arc;

use crate::frames::{Added, Builder, Column, Frame, StatusCode, Value, Values};

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

    /// Appends values of the same kind.
    pub(super) fn append(&mut self, from: Values<'_>) {
        match (self, from) {
            (Self::Boolean(to), Values::Boolean(from)) => to.extend_from_slice(from),
            (Self::Integer(to), Values::Integer(from)) => to.extend_from_slice(from),
            (Self::Float(to), Values::Float(from)) => to.extend_from_slice(from),
            (Self::Text(to), Values::Text(from)) => to.extend_from_slice(from),
            // Chunks hold one kind, so that nothing else comes here.
            _ => {}
        }
    }

    /// Some of the values.
    pub(super) fn part(&self, range: Range<usize>) -> Values<'_> {
        match self {
            Self::Boolean(values) => Values::Boolean(values.get(range).unwrap_or_default()),
            Self::Integer(values) => Values::Integer(values.get(range).unwrap_or_default()),
            Self::Float(values) => Values::Float(values.get(range).unwrap_or_default()),
            Self::Text(values) => Values::Text(values.get(range).unwrap_or_default()),
        }
    }

    /// The value in this place.
    pub(super) fn get(&self, index: usize) -> Option<Value> {
        self.part(index..index.checked_add(1)?).get(0)
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
    pub(super) fn push(&mut self, row: u32, column: Column<'_>) {
        let rows = column.times_ns.len();
        let (start, count) = (self.len() as u32, rows as u32);
        self.parts.push(Part { row, start, count, first_row: column.first_row });
        self.times_ns.extend(column.times_ns.iter());
        self.sequences.extend((0..rows).map(|index| column.sequences.get(index)));
        self.values.append(column.values);
        for (count, status) in column.statuses.runs() {
            self.statuses.resize(self.statuses.len() + count, status.get());
        }
    }
}

/// The columns of a frame that grow, one after the other, each page by page.
#[derive(Default)]
pub(super) struct Regrown {
    builder: Builder,
    /// Of the column that grows now.
    sequences: Vec<Option<u64>>,
    statuses: Vec<StatusCode>,
    times_from: usize,
    values_from: usize,
}

impl Regrown {
    /// A column with values of this kind begins.
    pub(super) fn begin(&mut self, kind: u8) -> Option<()> {
        self.sequences.clear();
        self.statuses.clear();
        self.times_from = self.builder.lists.times_ns.len();
        self.values_from = self.builder.lists.count(kind);
        (kind <= 3).then_some(())
    }

    pub(super) fn add_times(&mut self, times_ns: &[i64]) {
        self.builder.lists.times_ns.extend_from_slice(times_ns);
    }

    pub(super) fn add_sequences(&mut self, sequences: impl Iterator<Item = Option<u64>>) {
        self.sequences.extend(sequences);
    }

    pub(super) fn add_values(&mut self, values: Values<'_>) {
        self.builder.lists.append(values);
    }

    pub(super) fn add_statuses(&mut self, statuses: impl Iterator<Item = StatusCode>) {
        self.statuses.extend(statuses);
    }

    /// The column of this signal and kind is complete.
    pub(super) fn end(&mut self, signal: Arc<str>, kind: u8, first_row: u32) {
        let (builder, values_from) = (&mut self.builder, self.values_from);
        // Columns that were sampled together share what is the same, as they do in a frame that was decoded.
        let (before, own) = (builder.last_times(), self.times_from..builder.lists.times_ns.len());
        let list = &mut builder.lists.times_ns;
        let times = if list.get(before.clone()) == list.get(own.clone()) {
            list.truncate(own.start);
            before
        } else {
            own
        };
        let same = builder.last_sequences_if(|last| last.are(self.sequences.iter().copied()));
        let sequences = same.unwrap_or_else(|| builder.add_sequences(self.sequences.as_slice().into()));
        let statuses = self.statuses.as_slice().into();
        builder.add(signal, sequences, Added { first_row, times, kind, values_from, statuses });
    }

    pub(super) fn finish(self) -> Frame {
        self.builder.finish()
    }
}

/// Whether these columns are what a frame may be: in order, and rows counted through.
pub(super) fn in_order(frame: &Frame) -> bool {
    let mut row = 0;
    frame.columns().all(|column| {
        let fits = column.first_row as usize == row;
        row += column.times_ns.len();
        fits
    })
}
