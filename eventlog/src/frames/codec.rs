//! The bytes of a frame: `"MWF"`, the format version, and what that version says. Version 2 is written, both are read.

use bytes::Bytes;

use super::bytes::damaged;
use super::canonical::digest;
use super::check::in_order;
use super::group::columns;
use super::{Added, Builder, Column, ColumnSummary, Frame, Reading, v1, v2};
use crate::{Digest, MAX_PAYLOAD_BYTES};

/// The most readings in one frame.
pub const MAX_FRAME_READINGS: usize = 20_000;

/// The longest id of a signal, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 512;

/// The longest text value, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// What a frame begins with, before its version.
const MAGIC: [u8; 3] = *b"MWF";

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
    let frame = columns(readings)?;
    let bytes = bytes(&frame.columns().collect::<Vec<_>>())?;
    Ok(Encoded { bytes, digest: digest(&frame), frame })
}

/// Encodes columns as they are: for importers and for whoever regroups frames. Rows are numbered anew, and the columns are sorted where they are not.
///
/// # Errors
/// [`FrameError`] when there are no or too many readings, when two columns have the same signal and kind, or when a column is not what [`Column`] says.
pub fn encode_columns(columns: Vec<Column<'_>>) -> Result<Encoded, FrameError> {
    let columns = in_order(columns)?;
    let bytes = bytes(&columns)?;
    let frame = frame(&columns);
    Ok(Encoded { bytes, digest: digest(&frame), frame })
}

/// The payload of a frame whose digest is known already: a frame that was decoded, and is written again in the present format version.
///
/// # Errors
/// As for [`encode_columns`].
pub fn payload(frame: &Frame) -> Result<Bytes, FrameError> {
    bytes(&in_order(frame.columns().collect())?)
}

/// A frame of its own with these columns, which are in order.
fn frame(columns: &[Column<'_>]) -> Frame {
    let mut builder = Builder::default();
    let mut before: Option<&Column<'_>> = None;
    for column in columns {
        let Column { signal, first_row, times_ns, sequences, values, statuses } = *column;
        let times = match before {
            Some(before) if before.times_ns == times_ns => builder.last_times(),
            _ => {
                let start = builder.lists.times_ns.len();
                builder.lists.times_ns.extend_from_slice(times_ns);
                start..builder.lists.times_ns.len()
            }
        };
        let same = builder.last_sequences_if(|last| last == sequences);
        let sequences = same.unwrap_or_else(|| builder.add_sequences(sequences.clone()));
        let (kind, values_from) = (values.kind(), builder.lists.count(values.kind()));
        builder.lists.append(values);
        let statuses = statuses.clone();
        builder.add(signal.clone(), sequences, Added { first_row, times, kind, values_from, statuses });
        before = Some(column);
    }
    builder.finish()
}

fn bytes(columns: &[Column<'_>]) -> Result<Bytes, FrameError> {
    let bytes = v2::encode(columns);
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(FrameError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes.into())
}

/// Decodes a payload and checks every checksum, bound and order.
///
/// # Errors
/// [`FrameError::Damaged`] when the bytes are not a frame.
pub fn decode(payload: &[u8]) -> Result<Frame, FrameError> {
    Decoder::default().decode(payload)
}

/// Decodes many frames: what one of them has in common with those before (the ids of its signals, memory to work in) is made once.
#[derive(Debug, Default)]
pub struct Decoder(v2::Workspace);

impl Decoder {
    /// [`decode`].
    ///
    /// # Errors
    /// [`FrameError::Damaged`] when the bytes are not a frame.
    pub fn decode(&mut self, payload: &[u8]) -> Result<Frame, FrameError> {
        match version(payload)? {
            (1, bytes) => v1::decode(bytes, |_| true),
            (2, _) => v2::decode(payload, &mut self.0, None),
            (version, _) => Err(unknown(version)),
        }
    }
}

/// Decodes the columns that are wanted and passes the others by. Their rows keep their numbers.
///
/// # Errors
/// [`FrameError::Damaged`] when the bytes are not a frame.
pub fn decode_columns(payload: &[u8], mut wanted: impl FnMut(&ColumnSummary) -> bool) -> Result<Frame, FrameError> {
    match version(payload)? {
        (1, bytes) => v1::decode(bytes, wanted),
        (2, _) => v2::decode(payload, &mut v2::Workspace::default(), Some(&mut wanted)),
        (version, _) => Err(unknown(version)),
    }
}

/// What the headers of the columns say, without decoding a reading.
///
/// # Errors
/// [`FrameError::Damaged`] when the bytes are not a frame.
pub fn summaries(payload: &[u8]) -> Result<Vec<ColumnSummary>, FrameError> {
    match version(payload)? {
        (1, bytes) => v1::summaries(bytes),
        (2, _) => v2::summaries(payload),
        (version, _) => Err(unknown(version)),
    }
}

/// The format version, and what follows it.
fn version(payload: &[u8]) -> Result<(u8, &[u8]), FrameError> {
    match payload.split_first_chunk::<4>() {
        Some(([one, two, three, version], bytes)) if [*one, *two, *three] == MAGIC => Ok((*version, bytes)),
        _ => Err(damaged("it does not begin like a frame")),
    }
}

fn unknown(version: u8) -> FrameError {
    damaged(format!("format version {version} is not known"))
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
