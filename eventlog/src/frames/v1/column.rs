//! One column as bytes: a header with bounds and checksum, then times, sequences, values and statuses.
//!
//! ```text
//! varint  bytes of the signal's id, then the id
//! u8      kind of the values
//! varint  rows
//! i64 ×2  least and greatest time
//! u64 ×2  bits of the least and greatest value
//! varint  bytes of the body
//! u32     crc32c of everything above and the body
//! body:   times as differences of differences, sequences (0 none, 1 all, 2 a bitmap of those that have one), values, statuses as runs
//! ```

use super::super::bytes::{Reader, bits, damaged};
use super::super::{
    Added, Builder, ColumnSummary, FrameError, MAX_FRAME_READINGS, MAX_SIGNAL_BYTES, StatusCode, Value, bounds,
};
use super::values::{self, deltas};
use crate::MAX_PAYLOAD_BYTES;
use crate::checksum;

pub(super) struct Header {
    pub(super) summary: ColumnSummary,
    pub(super) kind: u8,
    bounds: [u64; 2],
}

/// Reads a header and hands out the body, whose checksum fits.
pub(super) fn read_header<'a>(reader: &mut Reader<'a>, first_row: u32) -> Result<(Header, &'a [u8]), FrameError> {
    let start = reader.rest();
    let signal_bytes = reader.count("the length of a signal's id", MAX_SIGNAL_BYTES)?;
    let signal = std::str::from_utf8(reader.take(signal_bytes)?).map_err(|_| damaged("a signal's id is not UTF-8"))?;
    let kind = reader.u8()?;
    let rows = reader.count("the number of rows", MAX_FRAME_READINGS)?;
    let (min_time_ns, max_time_ns) = (reader.i64()?, reader.i64()?);
    let bounds = [reader.u64()?, reader.u64()?];
    let body_bytes = reader.count("the size of a column", MAX_PAYLOAD_BYTES)?;
    let header_bytes = start.len() - reader.rest().len();
    let checksum = reader.u32()?;
    let body = reader.take(body_bytes)?;
    let header = checksum::crc32c(start.get(..header_bytes).unwrap_or_default());
    if checksum::crc32c_append(header, body) != checksum {
        return Err(damaged(format!("the checksum of column {signal:?} does not fit")));
    }
    if rows == 0 {
        return Err(damaged("a column has no rows"));
    }
    let [least, greatest] = bounds;
    let value = |bits: u64| match kind {
        0 => Some(Value::Boolean(bits != 0)),
        1 => Some(Value::Integer(bits.cast_signed())),
        2 => Some(Value::Float(f64::from_bits(bits))),
        _ => None,
    };
    let summary = ColumnSummary {
        signal: signal.into(),
        first_row,
        rows,
        min_time_ns,
        max_time_ns,
        bounds: value(least).zip(value(greatest)),
    };
    Ok((Header { summary, kind, bounds }, body))
}

pub(super) fn read_body(header: Header, body: &[u8], builder: &mut Builder) -> Result<(), FrameError> {
    let Header { summary, kind, bounds } = header;
    let rows = summary.rows;
    let mut reader = Reader::new(body);
    let times_ns = times(&mut reader, rows)?;
    let sequences = sequences(&mut reader, rows)?;
    let values_from = builder.lists.count(kind);
    values::read(&mut reader, kind, rows, &mut builder.lists)?;
    let statuses = statuses(&mut reader, rows)?;
    if !reader.is_empty() {
        return Err(damaged("a column has bytes that belong to nothing"));
    }
    let mut rows_in_order = times_ns.iter().zip(&sequences);
    let mut previous = rows_in_order.next();
    for row in rows_in_order {
        if previous.is_some_and(|previous| previous > row) {
            return Err(damaged("the rows of a column are not in order"));
        }
        previous = Some(row);
    }
    if times_ns.first() != Some(&summary.min_time_ns) || times_ns.last() != Some(&summary.max_time_ns) {
        return Err(damaged("the times of a column are not within its bounds"));
    }
    if bounds::of(builder.lists.values(kind, values_from..values_from + rows)) != bounds {
        return Err(damaged("the values of a column are not within its bounds"));
    }
    let start = builder.lists.times_ns.len();
    builder.lists.times_ns.extend(times_ns);
    let sequences = builder.add_sequences(sequences.into());
    let (first_row, times, statuses) = (summary.first_row, start..start + rows, statuses.into());
    builder.add(summary.signal, sequences, Added { first_row, times, kind, values_from, statuses });
    Ok(())
}

fn times(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<i64>, FrameError> {
    let (mut previous, mut step) = (0_i64, 0_i64);
    let mut times = Vec::with_capacity(rows);
    for _ in 0..rows {
        step = step.wrapping_add(reader.signed()?);
        previous = previous.wrapping_add(step);
        times.push(previous);
    }
    Ok(times)
}

fn sequences(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<Option<u64>>, FrameError> {
    let has = match reader.u8()? {
        0 => return Ok(vec![None; rows]),
        1 => vec![true; rows],
        2 => bits(reader, rows)?,
        other => return Err(damaged(format!("{other} is no coding of sequences"))),
    };
    let mut present = deltas(reader, has.iter().filter(|has| **has).count())?.into_iter();
    Ok(has.into_iter().map(|has| if has { present.next().map(i64::cast_unsigned) } else { None }).collect())
}

fn statuses(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<StatusCode>, FrameError> {
    let mut statuses = Vec::with_capacity(rows);
    while statuses.len() < rows {
        let run = reader.count("the length of a run", rows - statuses.len())?;
        let status = StatusCode::new(reader.u32()?);
        if run == 0 {
            return Err(damaged("a run of statuses is empty"));
        }
        statuses.resize(statuses.len() + run, status);
    }
    Ok(statuses)
}
