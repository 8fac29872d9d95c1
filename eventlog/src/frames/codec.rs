//! The bytes of a frame.
use super::{Frame, Reading};
use crate::Digest;
use bytes::Bytes;

/// The most readings in one frame.
pub const MAX_FRAME_READINGS: usize = 20_000;

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
    /// Too many.
    #[error("{count} readings, a frame holds at most {MAX_FRAME_READINGS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// None.
    #[error("a frame needs at least one reading")]
    Empty,
    /// Damaged.
    #[error("the frame is damaged: {0}")]
    Damaged(String),
}

/// Sorts the readings into columns and encodes them.
///
/// # Errors
/// [`FrameError`].
pub fn encode(_readings: Vec<Reading>) -> Result<Encoded, FrameError> {
    Err(FrameError::Empty)
}

/// Decodes a payload.
///
/// # Errors
/// [`FrameError`].
pub fn decode(_payload: &[u8]) -> Result<Frame, FrameError> {
    Err(FrameError::Empty)
}
