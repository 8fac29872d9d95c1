//! The least and the greatest value of a column, so that a reader may pass it by.

use super::Values;

/// The bits of the smallest and the largest value: integers as they are, doubles in total order without NaN (NaN when there is nothing else), booleans
/// as 0 and 1, texts as zeros.
pub(super) fn of(values: Values<'_>) -> [u64; 2] {
    match values {
        Values::Boolean(values) => {
            [values.iter().all(|value| *value), values.iter().any(|value| *value)].map(u64::from)
        }
        Values::Integer(values) => {
            let least = values.iter().copied().min().unwrap_or(0);
            let greatest = values.iter().copied().max().unwrap_or(0);
            [least, greatest].map(i64::cast_unsigned)
        }
        Values::Float(values) => of_floats(values),
        Values::Text(_) => [0, 0],
    }
}

/// [`of`] doubles.
pub(super) fn of_floats(values: &[f64]) -> [u64; 2] {
    let numbers = || values.iter().copied().filter(|value| !value.is_nan());
    let least = numbers().min_by(f64::total_cmp).unwrap_or(f64::NAN);
    let greatest = numbers().max_by(f64::total_cmp).unwrap_or(f64::NAN);
    [least, greatest].map(f64::to_bits)
}
