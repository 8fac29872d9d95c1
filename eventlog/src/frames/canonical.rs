//! The digest of a frame: what every encoding of the same readings shares.
//!
//! SHA-256 over these bytes (all numbers little-endian):
//!
//! ```text
//! "millwright frame 1\n"
//! u32  number of columns
//! for each column, ascending by (signal, kind):
//!   u32  bytes of the signal's id     then the id in UTF-8
//!   u8   kind of the values: 0 boolean, 1 integer, 2 float, 3 text
//!   u32  number of rows, then as many i64 times (nanoseconds since 1970)
//!   u8   0 when no row has a sequence; otherwise 1, then for each row u8 (1 = has one) and u64 (0 when it has none)
//!   the values: u8 (0, 1) for a boolean, i64 for an integer, the u64 bits of an IEEE 754 double, u32 length and UTF-8 for a text
//!   u8   0 when every status is Good (0); otherwise 1, then u32 for each row
//! ```
//!
//! Rows are ascending by (time, sequence), a missing sequence first; rows that share both keep the order in which they arrived.

use sha2::Digest as _;

use super::{Column, Frame, StatusCode, Values};
use crate::Digest;

/// What the canonical bytes begin with.
const PREFIX: &[u8] = b"millwright frame 1\n";

/// The digest of the canonical columns ([`crate::DigestAlgorithm::FrameSha256`]).
pub fn digest(frame: &Frame) -> Digest {
    let mut hasher = sha2::Sha256::new();
    hasher.update(PREFIX);
    hasher.update(length(frame.columns.len()));
    let mut bytes = Vec::new();
    for column in &frame.columns {
        bytes.clear();
        put_column(&mut bytes, column);
        hasher.update(&bytes);
    }
    Digest::new(hasher.finalize().into())
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_column(out: &mut Vec<u8>, column: &Column) {
    out.extend(length(column.signal.len()));
    out.extend(column.signal.as_bytes());
    out.push(column.values.kind());
    out.extend(length(column.times_ns.len()));
    for time in &column.times_ns {
        out.extend(time.to_le_bytes());
    }
    let sequenced = column.sequences.iter().any(Option::is_some);
    out.push(u8::from(sequenced));
    if sequenced {
        for sequence in &column.sequences {
            out.push(u8::from(sequence.is_some()));
            out.extend(sequence.unwrap_or(0).to_le_bytes());
        }
    }
    match &column.values {
        Values::Boolean(values) => out.extend(values.iter().map(|value| u8::from(*value))),
        Values::Integer(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        Values::Float(values) => values.iter().for_each(|value| out.extend(value.to_bits().to_le_bytes())),
        Values::Text(values) => {
            for value in values {
                out.extend(length(value.len()));
                out.extend(value.as_bytes());
            }
        }
    }
    let flagged = column.statuses.iter().any(|status| *status != StatusCode::GOOD);
    out.push(u8::from(flagged));
    if flagged {
        for status in &column.statuses {
            out.extend(status.get().to_le_bytes());
        }
    }
}
