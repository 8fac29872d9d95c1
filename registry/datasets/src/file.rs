//! The Parquet file: the same rows give the same bytes.
//!
//! Everything that the writer could choose is fixed here, among it the name of the program that made the file. Its bytes leave as soon as a group of rows is
//! complete, and are hashed on the way.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::{BoxFuture, Digest};
use parking_lot::Mutex;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};
use sha2::{Digest as _, Sha256};

use crate::error::DatasetError;
use crate::table::{Column, Kind, Values};

/// The rows of a data page.
const PAGE_ROWS: usize = 20_000;

/// The bytes of a data page, about.
const PAGE_BYTES: usize = 1024 * 1024;

/// The bytes of a dictionary, at most.
const DICTIONARY_BYTES: usize = 1024 * 1024;

/// Where the bytes of a file go.
pub trait FileSink: Send {
    /// Takes the next bytes. An error ends the build.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, std::io::Result<()>>;

    /// Whether nobody wants the file any more: asked now and then.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Keeps the file in memory.
impl FileSink for Vec<u8> {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, std::io::Result<()>> {
        self.extend_from_slice(&bytes);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Keeps nothing: for whoever wants the digest only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forget;

impl FileSink for Forget {
    fn write(&mut self, _bytes: Bytes) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What the Parquet writer writes to, and the file takes from.
#[derive(Clone, Debug, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
pub(crate) struct File<'a> {
    writer: SerializedFileWriter<Pipe>,
    pipe: Pipe,
    sink: &'a mut dyn FileSink,
    hash: Sha256,
    bytes: u64,
}

/// A file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) sha256: Digest,
    pub(crate) bytes: u64,
}

impl<'a> File<'a> {
    /// Begins a file with these columns.
    ///
    /// # Errors
    /// [`DatasetError::File`].
    pub(crate) fn begin(
        columns: &[Column],
        created_by: &str,
        sink: &'a mut dyn FileSink,
    ) -> Result<Self, DatasetError> {
        let pipe = Pipe::default();
        let schema = Arc::new(schema(columns)?);
        let properties = Arc::new(properties(columns, created_by));
        let writer = SerializedFileWriter::new(pipe.clone(), schema, properties)?;
        Ok(Self { writer, pipe, sink, hash: Sha256::new(), bytes: 0 })
    }

    /// Writes the rows of the columns as one group.
    ///
    /// # Errors
    /// [`DatasetError`].
    pub(crate) async fn group(&mut self, columns: &[Column]) -> Result<(), DatasetError> {
        self.write_group(columns)?;
        self.drain().await
    }

    fn write_group(&mut self, columns: &[Column]) -> Result<(), DatasetError> {
        let mut group = self.writer.next_row_group()?;
        let mut columns = columns.iter();
        while let Some(mut writer) = group.next_column()? {
            if let Some(column) = columns.next() {
                write_column(&mut writer, column)?;
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the file with what it says about itself.
    ///
    /// # Errors
    /// [`DatasetError`].
    pub(crate) async fn finish(mut self, lineage: Vec<(&str, String)>) -> Result<Written, DatasetError> {
        for (key, value) in lineage {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        self.writer.finish()?;
        self.drain().await?;
        let digest: [u8; 32] = self.hash.finalize().into();
        Ok(Written { sha256: Digest::new(digest), bytes: self.bytes })
    }

    async fn drain(&mut self) -> Result<(), DatasetError> {
        let bytes = Bytes::from(std::mem::take(&mut *self.pipe.0.lock()));
        if bytes.is_empty() {
            return Ok(());
        }
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.sink.write(bytes).await.map_err(DatasetError::Sink)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.sink.is_cancelled()
    }
}

fn schema(columns: &[Column]) -> Result<Type, DatasetError> {
    let fields = columns.iter().map(|column| {
        let (physical, logical) = match column.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Float => (Physical::DOUBLE, None),
            Kind::Integer => (Physical::INT64, None),
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        };
        let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        Type::primitive_type_builder(&column.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Type::group_type_builder("dataset").with_fields(fields).build()?)
}

fn properties(columns: &[Column], created_by: &str) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(created_by.to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_dictionary_enabled(false);
    // Texts repeat: an asset's id stands in all of its rows.
    for column in columns.iter().filter(|column| column.kind == Kind::Text) {
        let path = ColumnPath::new(vec![column.name.clone()]);
        properties = properties.set_column_dictionary_enabled(path, true);
    }
    properties.build()
}

fn write_column(writer: &mut SerializedColumnWriter<'_>, column: &Column) -> Result<(), DatasetError> {
    match &column.values {
        Values::Text(values) => {
            let (levels, present) = split(values);
            let present: Vec<ByteArray> = present.map(|text| ByteArray::from(&**text)).collect();
            writer.typed::<ByteArrayType>().write_batch(&present, levels.of(column), None)?;
        }
        Values::Float(values) => {
            let (levels, present) = split(values);
            let present: Vec<f64> = present.copied().collect();
            writer.typed::<DoubleType>().write_batch(&present, levels.of(column), None)?;
        }
        Values::Integer(values) => {
            let (levels, present) = split(values);
            let present: Vec<i64> = present.copied().collect();
            writer.typed::<Int64Type>().write_batch(&present, levels.of(column), None)?;
        }
        Values::Boolean(values) => {
            let (levels, present) = split(values);
            let present: Vec<bool> = present.copied().collect();
            writer.typed::<BoolType>().write_batch(&present, levels.of(column), None)?;
        }
    }
    Ok(())
}

/// Where a column has values.
struct Levels(Vec<i16>);

impl Levels {
    fn of(&self, column: &Column) -> Option<&[i16]> {
        (!column.required).then_some(self.0.as_slice())
    }
}

fn split<T>(values: &[Option<T>]) -> (Levels, impl Iterator<Item = &T>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (Levels(levels), values.iter().flatten())
}
