//! The bytes of a frame: `"MWF"`, the format version, the number of columns (varint), then the columns.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::bytes::{Reader, damaged, put_varint};
use super::canonical::digest;
use super::column::{ColumnSummary, put_column, read_body, read_header};
use super::{Column, Frame, Reading, StatusCode, Value, Values};
use crate::{Digest, MAX_PAYLOAD_BYTES};

/// The most readings in one frame.
pub const MAX_FRAME_READINGS: usize = 20_000;

/// The longest id of a signal, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 512;

/// The longest text value, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// What a frame begins with.
const MAGIC: [u8; 3] = *b"MWF";

/// The version of the bytes. The digest does not depend on it.
const FORMAT_VERSION: u8 = 1;

/// A frame as bytes, with the digest of its canonical columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The payload.
    pub bytes: Bytes,
    /// SHA-256 of the canonical decoded columns ([`crate::DigestAlgorithm::FrameSha256`]).
    pub digest: Digest,
    /// The readings in their final order.
    pub frame: Frame,
}

/// Why bytes are not a frame, or readings cannot become one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// There are more readings than a frame holds.
    #[error("{count} readings, a frame holds at most {MAX_FRAME_READINGS}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// There is no reading.
    #[error("a frame needs at least one reading")]
    Empty,
    /// A reading does not fit into a frame.
    #[error("a reading of signal {signal:?} does not fit into a frame: {reason}")]
    Unfit {
        /// The signal's id, cut after 80 characters.
        signal: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The frame is larger than the payload of an event.
    #[error("the frame takes {bytes} bytes, the limit is {MAX_PAYLOAD_BYTES}")]
    TooLarge {
        /// How many bytes it takes.
        bytes: usize,
    },
    /// The bytes are not a frame of a known version.
    #[error("the frame is damaged: {0}")]
    Damaged(String),
}

/// One reading without its signal.
struct Row {
    time_ns: i64,
    sequence: Option<u64>,
    value: Value,
    status: StatusCode,
}

/// Sorts the readings into columns and encodes them.
///
/// # Errors
/// [`FrameError`] when there are no or too many readings, or one that a frame cannot hold.
pub fn encode(readings: Vec<Reading>) -> Result<Encoded, FrameError> {
    if readings.is_empty() {
        return Err(FrameError::Empty);
    }
    if readings.len() > MAX_FRAME_READINGS {
        return Err(FrameError::TooMany { count: readings.len() });
    }
    let frame = Frame { columns: columns(readings)? };
    let mut bytes = Vec::with_capacity(64 + frame.len() * 8);
    bytes.extend(MAGIC);
    bytes.push(FORMAT_VERSION);
    put_varint(&mut bytes, frame.columns.len() as u64);
    for column in &frame.columns {
        put_column(&mut bytes, column);
    }
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(FrameError::TooLarge { bytes: bytes.len() });
    }
    Ok(Encoded { bytes: bytes.into(), digest: digest(&frame), frame })
}

fn columns(readings: Vec<Reading>) -> Result<Vec<Column>, FrameError> {
    let mut groups: HashMap<(Arc<str>, u8), Vec<Row>> = HashMap::new();
    for reading in readings {
        let unfit = |reason| FrameError::Unfit { signal: reading.signal.chars().take(80).collect(), reason };
        if reading.signal.is_empty() || reading.signal.len() > MAX_SIGNAL_BYTES {
            return Err(unfit("its id is empty or longer than 512 bytes"));
        }
        let time_ns = i64::try_from(reading.time.as_nanosecond())
            .map_err(|_| unfit("its time is outside the years 1678 to 2262"))?;
        if matches!(&reading.value, Value::Text(text) if text.len() > MAX_TEXT_BYTES) {
            return Err(unfit("its text is longer than 64 KiB"));
        }
        let kind = match reading.value {
            Value::Boolean(_) => 0,
            Value::Integer(_) => 1,
            Value::Float(_) => 2,
            Value::Text(_) => 3,
        };
        let row = Row { time_ns, sequence: reading.sequence, value: reading.value, status: reading.status };
        groups.entry((reading.signal, kind)).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
    let mut first_row = 0;
    let mut columns = Vec::with_capacity(groups.len());
    for ((signal, kind), mut rows) in groups {
        // The sort is stable: readings that share time and sequence keep the order in which they arrived.
        rows.sort_by_key(|row| (row.time_ns, row.sequence));
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        columns.push(column(signal, kind, first_row, rows));
        first_row += count;
    }
    Ok(columns)
}

fn column(signal: Arc<str>, kind: u8, first_row: u32, rows: Vec<Row>) -> Column {
    let mut values = match kind {
        0 => Values::Boolean(Vec::with_capacity(rows.len())),
        1 => Values::Integer(Vec::with_capacity(rows.len())),
        2 => Values::Float(Vec::with_capacity(rows.len())),
        _ => Values::Text(Vec::with_capacity(rows.len())),
    };
    let mut column = Column {
        signal,
        first_row,
        times_ns: Vec::with_capacity(rows.len()),
        sequences: Vec::with_capacity(rows.len()),
        values: Values::Boolean(Vec::new()),
        statuses: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        column.times_ns.push(row.time_ns);
        column.sequences.push(row.sequence);
        column.statuses.push(row.status);
        match (&mut values, row.value) {
            (Values::Boolean(values), Value::Boolean(value)) => values.push(value),
            (Values::Integer(values), Value::Integer(value)) => values.push(value),
            (Values::Float(values), Value::Float(value)) => values.push(value),
            (Values::Text(values), Value::Text(value)) => values.push(value),
            // The rows were grouped by kind, so that nothing else comes here.
            _ => {}
        }
    }
    column.values = values;
    column
}

/// Decodes a payload and checks every checksum, bound and order.
///
/// # Errors
/// [`FrameError::Damaged`] when the bytes are not a frame.
pub fn decode(payload: &[u8]) -> Result<Frame, FrameError> {
    let mut columns: Vec<Column> = Vec::new();
    each_column(payload, |header, body| {
        let column = read_body(header, body)?;
        let time_fits = |time: &i64| Timestamp::from_nanosecond(i128::from(*time)).is_ok();
        if !column.times_ns.first().is_some_and(time_fits) {
            return Err(damaged("a time is out of range"));
        }
        let key = (&column.signal, column.values.kind());
        if columns.last().is_some_and(|last| (&last.signal, last.values.kind()) >= key) {
            return Err(damaged("the columns are not in order"));
        }
        columns.push(column);
        Ok(())
    })?;
    Ok(Frame { columns })
}

/// What the headers of the columns say, without decoding a reading.
///
/// # Errors
/// [`FrameError::Damaged`] when the bytes are not a frame.
pub fn summaries(payload: &[u8]) -> Result<Vec<ColumnSummary>, FrameError> {
    let mut summaries = Vec::new();
    each_column(payload, |header, _| {
        summaries.push(header.summary);
        Ok(())
    })?;
    Ok(summaries)
}

fn each_column(
    payload: &[u8],
    mut with: impl FnMut(super::column::Header, &[u8]) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let mut reader = Reader::new(payload);
    if reader.array::<3>()? != MAGIC {
        return Err(damaged("it does not begin like a frame"));
    }
    let version = reader.u8()?;
    if version != FORMAT_VERSION {
        return Err(damaged(format!("format version {version} is not known")));
    }
    let count = reader.count("the number of columns", MAX_FRAME_READINGS)?;
    let mut rows = 0_usize;
    for _ in 0..count {
        let (header, body) = read_header(&mut reader, u32::try_from(rows).unwrap_or(u32::MAX))?;
        rows += header.summary.rows;
        if rows > MAX_FRAME_READINGS {
            return Err(damaged("it holds more readings than a frame may"));
        }
        with(header, body)?;
    }
    if rows == 0 {
        return Err(damaged("it holds no reading"));
    }
    if !reader.is_empty() {
        return Err(damaged("bytes follow the last column"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
