//! Whether columns that somebody made can be a frame.

use super::{Column, FrameError, MAX_FRAME_READINGS, MAX_SIGNAL_BYTES, MAX_TEXT_BYTES, Values};

/// The columns in their order with their rows numbered, when they can be one frame.
pub(super) fn in_order(mut columns: Vec<Column<'_>>) -> Result<Vec<Column<'_>>, FrameError> {
    let count = columns.iter().map(|column| column.times_ns.len()).sum();
    match count {
        0 => return Err(FrameError::Empty),
        1..=MAX_FRAME_READINGS => {}
        _ => return Err(FrameError::TooMany { count }),
    }
    if !columns.is_sorted_by_key(|column| (column.signal, column.values.kind())) {
        columns.sort_by_key(|column| (column.signal, column.values.kind()));
    }
    let mut first_row = 0;
    let mut previous: Option<(&str, u8)> = None;
    for column in &mut columns {
        check(column)?;
        let key = (&**column.signal, column.values.kind());
        if previous == Some(key) {
            return Err(unfit(column.signal, "another column has its signal and kind of value"));
        }
        column.first_row = first_row;
        first_row += u32::try_from(column.times_ns.len()).unwrap_or(u32::MAX);
        previous = Some(key);
    }
    Ok(columns)
}

fn check(column: &Column<'_>) -> Result<(), FrameError> {
    let rows = column.times_ns.len();
    let refuse = |reason| Err(unfit(column.signal, reason));
    if column.signal.is_empty() || column.signal.len() > MAX_SIGNAL_BYTES {
        return refuse("its id is empty or longer than 512 bytes");
    }
    if rows == 0 || column.values.len() != rows || column.statuses.len() != rows || !column.sequences.fits(rows) {
        return refuse("its column has no rows, or not as many values as times");
    }
    if !column.times_ns.is_sorted() || !column.sequences.in_order(column.times_ns) {
        return refuse("the rows of its column are not in order");
    }
    if let Values::Text(texts) = column.values
        && texts.iter().any(|text| text.len() > MAX_TEXT_BYTES)
    {
        return refuse("its text is longer than 64 KiB");
    }
    Ok(())
}

pub(super) fn unfit(signal: &str, reason: &'static str) -> FrameError {
    FrameError::Unfit { signal: signal.chars().take(80).collect(), reason }
}
