//! Tables of readings as an Arrow stream or as CSV, a piece at a time.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use eventlog::SignalReading;
use eventlog::frames::Value;
use jiff::Timestamp;
use serde::Serialize;

use super::Bucket;
use crate::timeline::nanoseconds;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with the names of the columns in the first line.
    Csv,
    /// The Arrow IPC stream format.
    Arrow,
}

impl Format {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Which columns a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Each reading: `signal, time, value, text, status, sequence, position, row`. A text has no value, everything else no text.
    Raw,
    /// Buckets: `signal, time, count, min, max, mean, last, left_out`.
    Buckets,
    /// Chosen readings: `signal, time, value, status`.
    Points,
}

/// A reading that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When the source says that it was so.
    pub time: Timestamp,
    /// What was read.
    pub value: f64,
    /// How good it is (OPC UA StatusCode).
    pub status: u32,
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the table could not be written")]
pub struct EncodeError(#[from] ArrowError);

/// Writes a table.
pub struct Encoder {
    schema: SchemaRef,
    to: To,
}

enum To {
    Csv { is_begun: bool },
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    /// Begins a table.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn new(format: Format, table: Table) -> Result<Self, EncodeError> {
        let schema: SchemaRef = Arc::new(schema(table));
        let to = match format {
            Format::Csv => To::Csv { is_begun: false },
            Format::Arrow => To::Arrow(Box::new(StreamWriter::try_new(Vec::new(), &schema)?)),
        };
        Ok(Self { schema, to })
    }

    /// The bytes of these readings of a signal, in a table that is [`Table::Raw`].
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn raw(&mut self, signal: &str, readings: &[SignalReading]) -> Result<Vec<u8>, EncodeError> {
        let text = |reading: &SignalReading| match &reading.value {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        };
        let columns: Vec<ArrayRef> = vec![
            signals(signal, readings.len()),
            times(readings.iter().map(|reading| reading.time)),
            Arc::new(Float64Array::from_iter(readings.iter().map(|reading| reading.value.as_f64()))),
            Arc::new(StringArray::from_iter(readings.iter().map(text))),
            Arc::new(UInt32Array::from_iter_values(readings.iter().map(|reading| reading.status.get()))),
            Arc::new(UInt64Array::from_iter(readings.iter().map(|reading| reading.sequence))),
            Arc::new(UInt64Array::from_iter_values(readings.iter().map(|reading| reading.address.position.get()))),
            Arc::new(UInt32Array::from_iter_values(readings.iter().map(|reading| reading.address.row))),
        ];
        self.write(columns)
    }

    /// The bytes of these buckets of a signal, in a table that is [`Table::Buckets`].
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn buckets(&mut self, signal: &str, buckets: &[Bucket]) -> Result<Vec<u8>, EncodeError> {
        let number = |of: fn(&Bucket) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter(buckets.iter().map(|bucket| (bucket.count > 0).then(|| of(bucket)))))
        };
        let columns: Vec<ArrayRef> = vec![
            signals(signal, buckets.len()),
            times(buckets.iter().map(|bucket| bucket.time)),
            Arc::new(UInt64Array::from_iter_values(buckets.iter().map(|bucket| bucket.count))),
            number(|bucket| bucket.min),
            number(|bucket| bucket.max),
            number(|bucket| bucket.mean),
            number(|bucket| bucket.last),
            Arc::new(UInt64Array::from_iter_values(buckets.iter().map(|bucket| bucket.left_out))),
        ];
        self.write(columns)
    }

    /// The bytes of these chosen readings of a signal, in a table that is [`Table::Points`].
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn points(&mut self, signal: &str, points: &[Point]) -> Result<Vec<u8>, EncodeError> {
        let columns: Vec<ArrayRef> = vec![
            signals(signal, points.len()),
            times(points.iter().map(|point| point.time)),
            Arc::new(Float64Array::from_iter_values(points.iter().map(|point| point.value))),
            Arc::new(UInt32Array::from_iter_values(points.iter().map(|point| point.status))),
        ];
        self.write(columns)
    }

    /// The bytes that end the table.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self.to {
            To::Csv { is_begun: true } => Ok(Vec::new()),
            To::Csv { is_begun: false } => Ok(head(&self.schema).into_bytes()),
            To::Arrow(mut writer) => {
                writer.finish()?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    fn write(&mut self, columns: Vec<ArrayRef>) -> Result<Vec<u8>, EncodeError> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        match &mut self.to {
            To::Csv { is_begun } => {
                let mut text = if std::mem::replace(is_begun, true) { String::new() } else { head(&self.schema) };
                lines(&batch, &mut text);
                Ok(text.into_bytes())
            }
            To::Arrow(writer) => {
                writer.write(&batch)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}

fn schema(table: Table) -> Schema {
    let required = |name: &str, kind| Field::new(name, kind, false);
    let optional = |name: &str, kind| Field::new(name, kind, true);
    let mut fields = vec![
        required("signal", DataType::Utf8),
        required("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
    ];
    match table {
        Table::Raw => fields.extend([
            optional("value", DataType::Float64),
            optional("text", DataType::Utf8),
            required("status", DataType::UInt32),
            optional("sequence", DataType::UInt64),
            required("position", DataType::UInt64),
            required("row", DataType::UInt32),
        ]),
        Table::Buckets => {
            fields.push(required("count", DataType::UInt64));
            fields.extend(["min", "max", "mean", "last"].map(|name| optional(name, DataType::Float64)));
            fields.push(required("left_out", DataType::UInt64));
        }
        Table::Points => {
            fields.extend([required("value", DataType::Float64), required("status", DataType::UInt32)]);
        }
    }
    Schema::new(fields)
}

fn signals(signal: &str, count: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(signal, count)))
}

fn times(times: impl Iterator<Item = Timestamp>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(times.map(nanoseconds)).with_timezone("UTC"))
}

fn head(schema: &Schema) -> String {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.join(",") + "\r\n"
}

fn lines(batch: &RecordBatch, text: &mut String) {
    for row in 0..batch.num_rows() {
        for (index, column) in batch.columns().iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if column.is_valid(row) {
                cell(column, row, text);
            }
        }
        text.push_str("\r\n");
    }
}

/// Writes one value as CSV. Nothing can fail that writes to a text.
fn cell(column: &ArrayRef, row: usize, text: &mut String) {
    let any = column.as_any();
    if let Some(values) = any.downcast_ref::<StringArray>() {
        quoted(values.value(row), text);
    } else if let Some(values) = any.downcast_ref::<Float64Array>() {
        let _ = write!(text, "{}", values.value(row));
    } else if let Some(values) = any.downcast_ref::<UInt64Array>() {
        let _ = write!(text, "{}", values.value(row));
    } else if let Some(values) = any.downcast_ref::<UInt32Array>() {
        let _ = write!(text, "{}", values.value(row));
    } else if let Some(values) = any.downcast_ref::<TimestampNanosecondArray>()
        && let Ok(time) = Timestamp::from_nanosecond(i128::from(values.value(row)))
    {
        let _ = write!(text, "{time}");
    }
}

fn quoted(value: &str, text: &mut String) {
    if value.contains(['"', ',', '\r', '\n']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}
