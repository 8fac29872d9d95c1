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

use super::{Column, Frame, Sequences, StatusCode, Values};
use crate::Digest;

/// What the canonical bytes begin with.
const PREFIX: &[u8] = b"millwright frame 1\n";

/// Bytes that are gathered before they are hashed: a whole number of blocks, and few enough to stay in the nearest cache.
const BUFFER_BYTES: usize = 16 * 1024;

/// The digest of the canonical columns ([`crate::DigestAlgorithm::FrameSha256`]).
pub fn digest(frame: &Frame) -> Digest {
    let mut hasher = Buffered { hasher: sha2::Sha256::new(), bytes: Vec::with_capacity(2 * BUFFER_BYTES) };
    hasher.put(PREFIX);
    hasher.put(&length(frame.columns().len()));
    for column in frame.columns() {
        put_column(&mut hasher, column);
    }
    hasher.hasher.update(&hasher.bytes);
    Digest::new(hasher.hasher.finalize().into())
}

/// Short columns are a few dozen bytes here and there: gathering them costs less than a call for each.
struct Buffered {
    hasher: sha2::Sha256,
    bytes: Vec<u8>,
}

impl Buffered {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.hash_if_full();
    }

    /// Numbers of a known size, in pieces that fit the buffer.
    fn put_all<T: Copy, const BYTES: usize>(&mut self, numbers: &[T], bytes_of: impl Fn(T) -> [u8; BYTES]) {
        for numbers in numbers.chunks(BUFFER_BYTES / BYTES) {
            let start = self.bytes.len();
            self.bytes.resize(start + numbers.len() * BYTES, 0);
            let (places, _) = self.bytes.get_mut(start..).unwrap_or_default().as_chunks_mut::<BYTES>();
            for (place, number) in places.iter_mut().zip(numbers) {
                *place = bytes_of(*number);
            }
            self.hash_if_full();
        }
    }

    fn hash_if_full(&mut self) {
        if self.bytes.len() >= BUFFER_BYTES {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
    }
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_column(out: &mut Buffered, column: Column<'_>) {
    let rows = column.times_ns.len();
    out.put(&length(column.signal.len()));
    out.put(column.signal.as_bytes());
    out.put(&[column.values.kind()]);
    out.put(&length(rows));
    out.put_all(column.times_ns, i64::to_le_bytes);
    put_sequences(out, column.sequences, rows);
    match column.values {
        Values::Boolean(values) => out.put_all(values, |value| [u8::from(value)]),
        Values::Integer(values) => out.put_all(values, i64::to_le_bytes),
        Values::Float(values) => out.put_all(values, |value| value.to_bits().to_le_bytes()),
        Values::Text(values) => {
            for value in values {
                out.put(&length(value.len()));
                out.put(value.as_bytes());
            }
        }
    }
    let flagged = column.statuses.as_all() != Some(StatusCode::GOOD);
    out.put(&[u8::from(flagged)]);
    if flagged {
        for row in 0..rows {
            out.put(&column.statuses.get(row).unwrap_or(StatusCode::GOOD).get().to_le_bytes());
        }
    }
}

fn put_sequences(out: &mut Buffered, sequences: &Sequences, rows: usize) {
    out.put(&[u8::from(!sequences.is_none())]);
    if sequences.is_none() {
        return;
    }
    if let Some(all) = sequences.as_all() {
        out.put_all(all, |sequence| {
            let [a, b, c, d, e, f, g, h] = sequence.to_le_bytes();
            [1, a, b, c, d, e, f, g, h]
        });
        return;
    }
    for row in 0..rows {
        let sequence = sequences.get(row);
        out.put(&[u8::from(sequence.is_some())]);
        out.put(&sequence.unwrap_or(0).to_le_bytes());
    }
}
