//! Reading version 2. The directory is read with its checksum only; bodies are decoded for the columns that are wanted.

use std::ops::Range;

use super::super::bytes::{Reader, damaged};
use super::super::signals::Signals;
use super::super::{
    Added, Builder, ColumnSummary, Frame, FrameError, MAX_FRAME_READINGS, MAX_SIGNAL_BYTES, StatusCode, Statuses,
    Value, bounds,
};
use super::floats::Form;
use super::lists::{Axis, Counts};
use super::shape::{Chosen, Listed, Shape};
use super::texts::read_texts;
use super::words::{Method, Range as Words, Scratch};
use crate::MAX_PAYLOAD_BYTES;
use crate::checksum;

/// The bytes before the directory.
const PREFIX_BYTES: usize = 12;

/// The bytes of a checksum.
const CHECKSUM_BYTES: usize = 4;

/// How the values of a column are stored.
enum Stored {
    Boolean(Words),
    Integer(Words),
    Float { form: Form, range: Words },
    WithNan { form: Form, range: Words, bounds: [u64; 2] },
    Text,
}

impl Stored {
    /// The number of the kind of values.
    const fn kind(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) => 1,
            Self::Float { .. } | Self::WithNan { .. } => 2,
            Self::Text => 3,
        }
    }
}

/// What the directory says about one column.
struct Header {
    /// The number of its signal among those of the frame.
    signal: u32,
    first_row: u32,
    rows: usize,
    axis: usize,
    counts: Option<usize>,
    statuses: bool,
    stored: Stored,
    method: Method,
    /// The bytes of values and qualities.
    bytes: usize,
}

/// What is kept from frame to frame.
#[derive(Debug, Default)]
pub(in super::super) struct Workspace {
    signals: Signals,
    scratch: Scratch,
}

/// A directory whose checksum fits, while its columns are read.
struct Directory<'a> {
    reader: Reader<'a>,
    signals: &'a mut Signals,
    columns: usize,
    axes: Vec<Axis<'a>>,
    counts: Vec<Counts<'a>>,
    chosen_axes: Chosen,
    chosen_counts: Chosen,
    last_kind: u8,
    rows: usize,
}

/// Decodes the columns of a payload that are wanted.
pub(in super::super) fn decode(
    payload: &[u8],
    workspace: &mut Workspace,
    wanted: Option<&mut dyn FnMut(&ColumnSummary) -> bool>,
) -> Result<Frame, FrameError> {
    match wanted {
        None => decode_if(payload, workspace, |_, _, _| true),
        Some(wanted) => decode_if(payload, workspace, |header, axis, signals| wanted(&header.summary(axis, signals))),
    }
}

fn decode_if(
    payload: &[u8],
    workspace: &mut Workspace,
    mut wanted: impl FnMut(&Header, &Axis<'_>, &Signals) -> bool,
) -> Result<Frame, FrameError> {
    let Workspace { signals, scratch } = workspace;
    let (mut directory, body) = open(payload, signals)?;
    let body = checked_body(payload, body)?;
    let mut body = Reader::new(body);
    for axis in &mut directory.axes {
        axis.take_body(&mut body)?;
    }
    for counts in &mut directory.counts {
        counts.take_body(&mut body)?;
    }
    let mut builder = with_room_for(&directory);
    for _ in 0..directory.columns {
        let header = directory.column()?;
        let mut bytes = Reader::new(body.take(header.bytes)?);
        let axis = directory.axes.get_mut(header.axis).ok_or_else(no_axis)?;
        if wanted(&header, axis, directory.signals) {
            let times = axis.times(scratch, &mut builder.lists.times_ns)?;
            let sequences = directory.sequences(header.counts, scratch, &mut builder)?;
            add_column(header, (times, sequences), &mut bytes, (&mut builder, scratch))?;
        }
    }
    directory.end()?;
    if !body.is_empty() {
        return Err(damaged("bytes follow the last column"));
    }
    Ok(builder.finish_with(directory.signals.finish()))
}

/// What the directory of a payload says.
pub(in super::super) fn summaries(payload: &[u8]) -> Result<Vec<ColumnSummary>, FrameError> {
    let mut signals = Signals::default();
    let (mut directory, _) = open(payload, &mut signals)?;
    let mut summaries = Vec::with_capacity(directory.columns);
    for _ in 0..directory.columns {
        let header = directory.column()?;
        let axis = directory.axes.get(header.axis).ok_or_else(no_axis)?;
        summaries.push(header.summary(axis, directory.signals));
    }
    directory.end()?;
    Ok(summaries)
}

/// The directory, and where the body begins.
fn open<'a>(payload: &'a [u8], signals: &'a mut Signals) -> Result<(Directory<'a>, usize), FrameError> {
    let mut reader = Reader::new(payload);
    let _ = reader.take(4)?;
    let directory_bytes = reader.count_u32("the size of the directory", MAX_PAYLOAD_BYTES)?;
    let checksum = reader.u32()?;
    let directory = reader.take(directory_bytes)?;
    let sized = payload.get(..PREFIX_BYTES - CHECKSUM_BYTES).unwrap_or_default();
    if checksum::crc32c_append(checksum::crc32c(sized), directory) != checksum {
        return Err(damaged("the checksum of its directory does not fit"));
    }
    let mut reader = Reader::new(directory);
    let columns = reader.count("the number of columns", MAX_FRAME_READINGS)?;
    let axes = reader.count("the number of axes", columns)?;
    let counts = reader.count("the number of lists of sequences", columns)?;
    signals.begin();
    let mut directory = Directory {
        reader,
        signals,
        columns,
        axes: Vec::with_capacity(axes),
        counts: Vec::with_capacity(counts),
        chosen_axes: Chosen::default(),
        chosen_counts: Chosen::default(),
        last_kind: 0,
        rows: 0,
    };
    directory.lists(axes, counts)?;
    Ok((directory, PREFIX_BYTES + directory_bytes))
}

/// The body, whose checksum fits.
fn checked_body(payload: &[u8], start: usize) -> Result<&[u8], FrameError> {
    let (checked, checksum) =
        payload.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(|| damaged("it ends too early"))?;
    let body = checked.get(start..).ok_or_else(|| damaged("it ends too early"))?;
    let directory = payload.get(PREFIX_BYTES - CHECKSUM_BYTES..PREFIX_BYTES).and_then(|bytes| bytes.first_chunk());
    let directory = u32::from_le_bytes(directory.copied().unwrap_or_default());
    if checksum::crc32c_append(directory, body) != u32::from_le_bytes(*checksum) {
        return Err(damaged("the checksum of its body does not fit"));
    }
    Ok(body)
}

impl Directory<'_> {
    /// Reads the headers of the lists. No list is longer than all columns together, whatever the headers claim.
    fn lists(&mut self, axes: usize, counts: usize) -> Result<(), FrameError> {
        let (mut rows, mut previous_ns) = (0, 0);
        for _ in 0..axes {
            let axis = Axis::read(&mut self.reader, previous_ns)?;
            (rows, previous_ns) = (rows + axis.rows, axis.first_ns);
            self.axes.push(axis);
        }
        let mut counted = 0;
        for _ in 0..counts {
            let counts = Counts::read(&mut self.reader)?;
            counted += counts.rows;
            self.counts.push(counts);
        }
        if rows > MAX_FRAME_READINGS || counted > MAX_FRAME_READINGS {
            return Err(damaged("it holds more readings than a frame may"));
        }
        Ok(())
    }

    // Headers and columns are large beside what a short column holds: inlined, neither is moved from function to function.
    #[inline(always)]
    fn column(&mut self) -> Result<Header, FrameError> {
        let shape = Shape::new(self.reader.u8()?)?;
        let signal = self.signal(shape.kind)?;
        let axis = listed(&mut self.reader, &mut self.chosen_axes, shape.moments)?;
        let counts = shape.counts.map(|said| listed(&mut self.reader, &mut self.chosen_counts, said)).transpose()?;
        let rows = self.axes.get(axis).ok_or_else(no_axis)?.rows;
        if let Some(counts) = counts
            && self.counts.get(counts).is_none_or(|counts| counts.rows != rows)
        {
            return Err(damaged("a column has sequences that do not fit"));
        }
        let stored = stored(&mut self.reader, shape.kind)?;
        let packed = self.reader.varint()?;
        let bytes = usize::try_from(packed >> 2).map_err(|_| damaged("a column is too large"))?;
        let first_row = u32::try_from(self.rows).unwrap_or(u32::MAX);
        self.rows += rows;
        if self.rows > MAX_FRAME_READINGS {
            return Err(damaged("it holds more readings than a frame may"));
        }
        Ok(Header {
            signal,
            first_row,
            rows,
            axis,
            counts,
            statuses: shape.statuses,
            stored,
            method: Method::new((packed & 3) as u8)?,
            bytes,
        })
    }

    /// The number of the signal, whose id must come after that of the column before.
    fn signal(&mut self, kind: u8) -> Result<u32, FrameError> {
        let last = self.signals.last().as_bytes();
        let shared = self.reader.count("the length of a signal's id", last.len())?;
        let rest_bytes = self.reader.count("the length of a signal's id", MAX_SIGNAL_BYTES - shared)?;
        let rest = self.reader.take(rest_bytes)?;
        // No id is empty: then there was none before.
        let is_first = last.is_empty();
        if is_first && rest.is_empty() {
            return Err(damaged("a signal's id is empty"));
        }
        let is_same = !is_first && rest.is_empty() && shared == last.len();
        if if is_same { self.last_kind >= kind } else { !is_first && rest.first() <= last.get(shared) } {
            return Err(damaged("the columns are not in order"));
        }
        self.last_kind = kind;
        let signal = if is_same { self.signals.again() } else { self.signals.next(shared, rest) };
        signal.ok_or_else(|| damaged("a signal's id is not UTF-8"))
    }

    fn sequences(
        &mut self,
        counts: Option<usize>,
        scratch: &mut Scratch,
        builder: &mut Builder,
    ) -> Result<u32, FrameError> {
        match counts.and_then(|counts| self.counts.get_mut(counts)) {
            Some(counts) => counts.number(scratch, builder),
            None => Ok(0),
        }
    }

    fn end(&self) -> Result<(), FrameError> {
        if self.rows == 0 {
            return Err(damaged("it holds no reading"));
        }
        if !self.reader.is_empty() {
            return Err(damaged("bytes follow the last column of its directory"));
        }
        Ok(())
    }
}

fn listed(reader: &mut Reader<'_>, chosen: &mut Chosen, said: Listed) -> Result<usize, FrameError> {
    let number = match chosen.number(said)? {
        Some(number) => number,
        None => reader.count("the number of a list", MAX_FRAME_READINGS)?,
    };
    chosen.note(number);
    Ok(number)
}

/// How the values are stored.
#[inline]
fn stored(reader: &mut Reader<'_>, kind: u8) -> Result<Stored, FrameError> {
    match kind {
        0 => match Words::read(reader)? {
            range if range.least < 0 || range.greatest() > 1 => Err(damaged("a boolean is neither 0 nor 1")),
            range => Ok(Stored::Boolean(range)),
        },
        1 => Words::read(reader).map(Stored::Integer),
        2 => {
            let form = Form::new(reader.u8()?)?;
            let range = form.read_range(reader)?;
            if let Form::WithNan { .. } = form {
                let bounds = [reader.u64()?, reader.u64()?];
                return Ok(Stored::WithNan { form, range, bounds });
            }
            // NaN is at both ends of the order of doubles.
            if form.value(range.least).is_nan() || form.value(range.greatest()).is_nan() {
                return Err(damaged("a bound of doubles is NaN"));
            }
            Ok(Stored::Float { form, range })
        }
        _ => Ok(Stored::Text),
    }
}

impl Header {
    fn summary(&self, axis: &Axis<'_>, signals: &Signals) -> ColumnSummary {
        let bounds = match self.stored {
            Stored::Boolean(range) => Some([range.least, range.greatest()].map(|word| Value::Boolean(word == 1))),
            Stored::Integer(range) => Some([range.least, range.greatest()].map(Value::Integer)),
            Stored::Float { form, range } => {
                Some([range.least, range.greatest()].map(|word| Value::Float(form.value(word))))
            }
            Stored::WithNan { bounds, .. } => Some(bounds.map(|bits| Value::Float(f64::from_bits(bits)))),
            Stored::Text => None,
        };
        ColumnSummary {
            signal: signals.get(self.signal).cloned().unwrap_or_default(),
            first_row: self.first_row,
            rows: self.rows,
            min_time_ns: axis.first_ns,
            max_time_ns: axis.last_ns,
            bounds: bounds.map(|[least, greatest]| (least, greatest)),
        }
    }
}

fn no_axis() -> FrameError {
    damaged("a column has times that are not there")
}

/// Most columns are of floats, and most have as many rows as others: so much room is a guess that costs little when it is wrong.
fn with_room_for(directory: &Directory<'_>) -> Builder {
    let times: usize = directory.axes.iter().map(|axis| axis.rows).sum();
    let values = directory.axes.first().map_or(0, |axis| axis.rows).saturating_mul(directory.columns);
    Builder::with_room(directory.columns, times, values.min(MAX_FRAME_READINGS))
}

#[inline(always)]
fn add_column(
    header: Header,
    (times, sequences): (Range<usize>, u32),
    body: &mut Reader<'_>,
    (builder, scratch): (&mut Builder, &mut Scratch),
) -> Result<(), FrameError> {
    let Header { signal, first_row, rows, statuses, stored, method, .. } = header;
    let times_ns = builder.lists.times_ns.get(times.clone()).unwrap_or_default();
    if !builder.sequences(sequences).in_order(times_ns) {
        return Err(damaged("the rows of a column are not in order"));
    }
    let kind = stored.kind();
    let lists = &mut builder.lists;
    let values_from = lists.count(kind);
    match stored {
        Stored::Boolean(range) => {
            scratch.read_as(body, (method, rows, range), |word| word == 1, &mut lists.booleans)?;
        }
        Stored::Integer(range) => scratch.read_as(body, (method, rows, range), |word| word, &mut lists.integers)?,
        Stored::Float { form, range } => {
            form.read_values(body, (method, rows, range), scratch, &mut lists.floats)?;
        }
        Stored::WithNan { form, range, bounds } => {
            form.read_values(body, (method, rows, range), scratch, &mut lists.floats)?;
            if bounds::of_floats(lists.floats.get(values_from..).unwrap_or_default()) != bounds {
                return Err(damaged("the values of a column are not within its bounds"));
            }
        }
        Stored::Text => read_texts(body, method, rows, scratch, &mut lists.texts)?,
    }
    let statuses = if statuses { read_statuses(body, rows)? } else { Statuses::all(rows, StatusCode::GOOD) };
    if !body.is_empty() {
        return Err(damaged("a column has bytes that belong to nothing"));
    }
    builder.add_numbered(signal, sequences, Added { first_row, times, kind, values_from, statuses });
    Ok(())
}

fn read_statuses(reader: &mut Reader<'_>, rows: usize) -> Result<Statuses, FrameError> {
    let mut statuses = Vec::with_capacity(rows);
    while statuses.len() < rows {
        let run = reader.count("the length of a run", rows - statuses.len())?;
        let status = StatusCode::new(reader.u32()?);
        if run == 0 {
            return Err(damaged("a run of statuses is empty"));
        }
        if run == rows {
            return Ok(Statuses::all(rows, status));
        }
        statuses.resize(statuses.len() + run, status);
    }
    Ok(statuses.into())
}
