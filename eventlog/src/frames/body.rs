//! What a frame holds in memory: a few lists for all columns together, and where each column stands in them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{Column, Sequences, Statuses, Values};

/// Readings of one event, decoded. A clone is the same piece of memory.
///
/// A frame of two thousand short columns has no allocation and no reference count for each of them: columns are looked at, not taken out.
#[derive(Clone, Default)]
pub struct Frame(Arc<Body>);

/// The readings of all columns, one column after the other.
#[derive(Default)]
struct Body {
    signals: Arc<[Arc<str>]>,
    lists: Lists,
    sequences: Vec<Sequences>,
    /// Sorted by signal and kind.
    places: Vec<Place>,
}

/// Times and values of many columns.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) times_ns: Vec<i64>,
    pub(crate) booleans: Vec<bool>,
    pub(crate) integers: Vec<i64>,
    pub(crate) floats: Vec<f64>,
    pub(crate) texts: Vec<Arc<str>>,
}

/// Where a column stands in the lists. Frames have at most 20,000 rows, so that every number fits.
struct Place {
    signal: u32,
    first_row: u32,
    rows: u32,
    times_from: u32,
    values_from: u32,
    /// The number of its list of sequences and one; 0 for none.
    sequences: u32,
    /// The number of the kind of its values.
    kind: u8,
    statuses: Statuses,
}

/// A column whose times and values are in the lists already: these times, and as many values of this kind from here on.
pub(crate) struct Added {
    pub(crate) first_row: u32,
    pub(crate) times: Range<usize>,
    pub(crate) kind: u8,
    pub(crate) values_from: usize,
    pub(crate) statuses: Statuses,
}

/// A frame that is being put together, column after column in their order.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) lists: Lists,
    signals: Vec<Arc<str>>,
    sequences: Vec<Sequences>,
    places: Vec<Place>,
}

impl Frame {
    /// One column for each signal and kind of value, sorted by signal.
    pub fn columns(&self) -> impl DoubleEndedIterator<Item = Column<'_>> + ExactSizeIterator + Clone {
        self.0.places.iter().map(|place| self.0.column(place))
    }

    /// The columns of one signal: at most one for each kind of value.
    pub fn columns_of(&self, signal: &str) -> impl Iterator<Item = Column<'_>> {
        let name = |place: &Place| self.0.signals.get(place.signal as usize).map(|name| &**name);
        let start = self.0.places.partition_point(|place| name(place) < Some(signal));
        let end = self.0.places.partition_point(|place| name(place) <= Some(signal));
        self.0.places.get(start..end).unwrap_or_default().iter().map(|place| self.0.column(place))
    }

    /// The number of readings.
    pub fn len(&self) -> usize {
        self.0.places.iter().map(|place| place.rows as usize).sum()
    }

    /// Whether there is no reading.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.columns().eq(other.columns())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.columns()).finish()
    }
}

impl Body {
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the builder numbers signals as they stand in their list")]
    fn column<'a>(&'a self, place: &'a Place) -> Column<'a> {
        let rows = place.rows as usize;
        let (times, values) = (place.times_from as usize, place.values_from as usize);
        Column {
            signal: &self.signals[place.signal as usize],
            first_row: place.first_row,
            times_ns: self.lists.times_ns.get(times..times + rows).unwrap_or_default(),
            sequences: counts(&self.sequences, place.sequences),
            values: self.lists.values(place.kind, values..values + rows),
            statuses: &place.statuses,
        }
    }
}

fn counts(all: &[Sequences], number: u32) -> &Sequences {
    number.checked_sub(1).and_then(|number| all.get(number as usize)).unwrap_or(&Sequences::NONE)
}

impl Lists {
    /// How many values of this kind there are.
    pub(crate) fn count(&self, kind: u8) -> usize {
        match kind {
            0 => self.booleans.len(),
            1 => self.integers.len(),
            2 => self.floats.len(),
            _ => self.texts.len(),
        }
    }

    /// Some values of this kind.
    pub(crate) fn values(&self, kind: u8, range: Range<usize>) -> Values<'_> {
        match kind {
            0 => Values::Boolean(self.booleans.get(range).unwrap_or_default()),
            1 => Values::Integer(self.integers.get(range).unwrap_or_default()),
            2 => Values::Float(self.floats.get(range).unwrap_or_default()),
            _ => Values::Text(self.texts.get(range).unwrap_or_default()),
        }
    }

    /// Appends values.
    pub(crate) fn append(&mut self, values: Values<'_>) {
        match values {
            Values::Boolean(values) => self.booleans.extend_from_slice(values),
            Values::Integer(values) => self.integers.extend_from_slice(values),
            Values::Float(values) => self.floats.extend_from_slice(values),
            Values::Text(values) => self.texts.extend_from_slice(values),
        }
    }
}

impl Builder {
    /// With room for so many columns, times, and floats, which most values are.
    pub(crate) fn with_room(columns: usize, times: usize, floats: usize) -> Self {
        let lists =
            Lists { times_ns: Vec::with_capacity(times), floats: Vec::with_capacity(floats), ..Lists::default() };
        Self { lists, places: Vec::with_capacity(columns), ..Self::default() }
    }

    /// Where the times of the last column stand.
    pub(crate) fn last_times(&self) -> Range<usize> {
        self.places.last().map_or(0..0, |place| {
            let start = place.times_from as usize;
            start..start + place.rows as usize
        })
    }

    /// The number of the last column's sequences, when they are these.
    pub(crate) fn last_sequences_if(&self, same: impl FnOnce(&Sequences) -> bool) -> Option<u32> {
        let last = self.places.last()?.sequences;
        same(counts(&self.sequences, last)).then_some(last)
    }

    /// The number of these sequences, for columns that are added.
    pub(crate) fn add_sequences(&mut self, sequences: Sequences) -> u32 {
        if sequences.is_none() {
            return 0;
        }
        self.sequences.push(sequences);
        number(self.sequences.len())
    }

    /// The sequences that have this number.
    pub(crate) fn sequences(&self, number: u32) -> &Sequences {
        counts(&self.sequences, number)
    }

    /// Adds a column of this signal.
    pub(crate) fn add(&mut self, signal: Arc<str>, sequences: u32, column: Added) {
        if self.signals.last() != Some(&signal) {
            self.signals.push(signal);
        }
        self.add_numbered(number(self.signals.len().saturating_sub(1)), sequences, column);
    }

    /// The same for the signal in this place of those that the frame will have.
    #[inline]
    pub(crate) fn add_numbered(&mut self, signal: u32, sequences: u32, column: Added) {
        let Added { first_row, times, kind, values_from, statuses } = column;
        self.places.push(Place {
            signal,
            first_row,
            rows: number(times.len()),
            times_from: number(times.start),
            values_from: number(values_from),
            sequences,
            kind,
            statuses,
        });
    }

    /// The frame of the columns that were added.
    pub(crate) fn finish(mut self) -> Frame {
        let signals = std::mem::take(&mut self.signals);
        self.finish_with(signals.into())
    }

    /// The same, with the signals that columns were numbered by.
    pub(crate) fn finish_with(self, signals: Arc<[Arc<str>]>) -> Frame {
        let Self { lists, sequences, places, .. } = self;
        Frame(Arc::new(Body { signals, lists, sequences, places }))
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
