//! Small numbers of sealed segments. Nothing here trusts a length.

use crate::embedded::fields::Fields;

/// Takes fields and LEB128 numbers from the front; `None` when too little is left.
pub(super) struct Cursor<'a> {
    fields: Fields<'a>,
    left: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { fields: Fields::new(bytes), left: bytes.len() }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.fields.take(count)?;
        self.left -= count;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The length of something that follows, which cannot be longer than what is left.
    pub(super) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.varint()?).ok()?;
        (length <= self.left).then_some(length)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Eight a byte, lowest bit first.
pub(super) fn put_bits(out: &mut Vec<u8>, bits: &[bool]) {
    for eight in bits.chunks(8) {
        out.push(eight.iter().enumerate().fold(0, |byte, (index, bit)| byte | u8::from(*bit) << index));
    }
}

pub(super) fn bits(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<bool>> {
    let bytes = cursor.take(count.div_ceil(8))?;
    Some((0..count).map(|index| bytes.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)).collect())
}

/// Compresses bytes at a level of zstd.
pub(super) fn compress(bytes: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, level)
}

/// Decompresses to exactly so many bytes.
pub(super) fn decompress(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(bytes, length).ok().filter(|found| found.len() == length)
}
