//! Version 1 of the bytes, read for ever and no longer written: each column by itself, with its own times, bounds and checksum.

mod column;
mod values;
#[cfg(test)]
#[path = "write_tests.rs"]
pub(super) mod write;

use super::bytes::{Reader, damaged};
use super::{Builder, ColumnSummary, Frame, FrameError, MAX_FRAME_READINGS};
use column::{Header, read_body, read_header};

/// Decodes what follows the version.
pub(super) fn decode(bytes: &[u8], mut wanted: impl FnMut(&ColumnSummary) -> bool) -> Result<Frame, FrameError> {
    let mut builder = Builder::default();
    let mut previous: Option<(std::sync::Arc<str>, u8)> = None;
    each_column(bytes, |header, body| {
        let key = (std::sync::Arc::clone(&header.summary.signal), header.kind);
        if previous.as_ref().is_some_and(|previous| *previous >= key) {
            return Err(damaged("the columns are not in order"));
        }
        previous = Some(key);
        if wanted(&header.summary) {
            read_body(header, body, &mut builder)?;
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// The headers of what follows the version.
pub(super) fn summaries(bytes: &[u8]) -> Result<Vec<ColumnSummary>, FrameError> {
    let mut summaries = Vec::new();
    each_column(bytes, |header, _| {
        summaries.push(header.summary);
        Ok(())
    })?;
    Ok(summaries)
}

fn each_column(bytes: &[u8], mut with: impl FnMut(Header, &[u8]) -> Result<(), FrameError>) -> Result<(), FrameError> {
    let mut reader = Reader::new(bytes);
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
