//! Reading and writing the small numbers that columns are made of. Nothing here trusts a length.

use super::FrameError;

/// A position in bytes that may be anything.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

pub(super) fn damaged(reason: impl Into<String>) -> FrameError {
    FrameError::Damaged(reason.into())
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| damaged("it ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, FrameError> {
        self.array().map(i64::from_le_bytes)
    }

    /// An unsigned LEB128 number of at most 64 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, FrameError> {
        // Most numbers are small.
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, FrameError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return Err(damaged("a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number has more than 64 bits"))
    }

    /// A signed number, zigzag encoded.
    pub(super) fn signed(&mut self) -> Result<i64, FrameError> {
        self.varint().map(unzigzag)
    }

    /// A count that must not exceed `limit`.
    pub(super) fn count(&mut self, what: &str, limit: usize) -> Result<usize, FrameError> {
        let count = self.varint()?;
        limited(count, what, limit)
    }

    /// The same, in four bytes.
    pub(super) fn count_u32(&mut self, what: &str, limit: usize) -> Result<usize, FrameError> {
        let count = self.u32()?;
        limited(u64::from(count), what, limit)
    }
}

fn limited(count: u64, what: &str, limit: usize) -> Result<usize, FrameError> {
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= limit)
        .ok_or_else(|| damaged(format!("{what} is {count}, the limit is {limit}")))
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// The bits of an iterator, eight a byte, lowest bit first.
pub(super) fn put_bits(out: &mut Vec<u8>, bits: impl Iterator<Item = bool>) {
    let mut byte = 0_u8;
    let mut used = 0_u8;
    for bit in bits {
        byte |= u8::from(bit) << used;
        used += 1;
        if used == 8 {
            out.push(byte);
            (byte, used) = (0, 0);
        }
    }
    if used > 0 {
        out.push(byte);
    }
}

/// `count` bits that [`put_bits`] wrote.
pub(super) fn bits(reader: &mut Reader<'_>, count: usize) -> Result<Vec<bool>, FrameError> {
    let bytes = reader.take(count.div_ceil(8))?;
    let all = bytes.iter().flat_map(|byte| (0..8).map(move |shift| byte >> shift & 1 == 1));
    Ok(all.take(count).collect())
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
