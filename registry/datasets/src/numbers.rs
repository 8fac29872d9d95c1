//! Reading numbers out of a dataset's file again: what a trainer learns from.

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use crate::error::DatasetError;

/// The values of some columns, row by row in the file's order; `None` where a cell is empty or holds no number. Truth values are 1 and 0.
///
/// # Errors
/// [`DatasetError::Spec`] names a column that the file does not have, [`DatasetError::File`] when the bytes are no such file.
pub fn numbers(file: Bytes, columns: &[String]) -> Result<Vec<Vec<Option<f64>>>, DatasetError> {
    let reader = SerializedFileReader::new(file)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let index_of = |name: &String| {
        let found = schema.columns().iter().position(|column| column.name() == name);
        found.ok_or_else(|| DatasetError::spec("columns", format!("the dataset has no column {name:?}")))
    };
    let indexes = columns.iter().map(index_of).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let cells: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        rows.push(indexes.iter().map(|index| cells.get(*index).and_then(|field| number(field))).collect());
    }
    Ok(rows)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a network computes in 32-bit floating point; counts are far below 2^52"
)]
fn number(field: &Field) -> Option<f64> {
    match field {
        Field::Bool(value) => Some(f64::from(u8::from(*value))),
        Field::Byte(value) => Some(f64::from(*value)),
        Field::Short(value) => Some(f64::from(*value)),
        Field::Int(value) => Some(f64::from(*value)),
        Field::Long(value) => Some(*value as f64),
        Field::UByte(value) => Some(f64::from(*value)),
        Field::UShort(value) => Some(f64::from(*value)),
        Field::UInt(value) => Some(f64::from(*value)),
        Field::ULong(value) => Some(*value as f64),
        Field::Float(value) => Some(f64::from(*value)),
        Field::Double(value) => Some(*value),
        _ => None,
    }
    .filter(|value| value.is_finite())
}
