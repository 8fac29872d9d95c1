//! CRC-32C (Castagnoli; the CRC-32/ISCSI of the catalogues): of bytes, and of bytes whose parts were summed apart, so that a large payload is read once.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of the bytes.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The checksum that continues from `before` over more bytes.
#[inline]
pub(crate) fn crc32c_append(before: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!before));
    digest.update(bytes);
    // The library answers 32 bits in a number that also holds 64.
    digest.finalize() as u32
}

/// The polynomial (Castagnoli), reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// x to the powers of two, modulo the polynomial: as many as a length in bits below 2³⁵ needs.
const POWERS: [u32; 35] = powers();

const fn powers() -> [u32; 35] {
    let mut powers = [0; 35];
    let mut power = 1 << 30;
    let mut rest = powers.as_mut_slice();
    while let Some((first, after)) = rest.split_first_mut() {
        *first = power;
        power = multiply(power, power);
        rest = after;
    }
    powers
}

/// The product of two polynomials modulo [`POLYNOMIAL`].
const fn multiply(one: u32, mut two: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1 << 31;
    while bit != 0 {
        if one & bit != 0 {
            product ^= two;
        }
        two = if two & 1 == 0 { two >> 1 } else { (two >> 1) ^ POLYNOMIAL };
        bit >>= 1;
    }
    product
}

/// The checksum that continues from `before` over bytes of which only their own checksum and their length are known.
pub(crate) fn append_checksum(before: u32, checksum: u32, bytes: usize) -> u32 {
    // Eight bits a byte: the third power of two on.
    let mut rest = bytes;
    let mut shift = 1 << 31;
    for power in POWERS.iter().skip(3) {
        if rest & 1 == 1 {
            shift = multiply(*power, shift);
        }
        rest >>= 1;
    }
    multiply(shift, before) ^ checksum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::append_checksum;

    proptest! {
        #[test]
        fn another_library_finds_the_same(before in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..3_000), cut in 0_usize..64) {
            let bytes = bytes.get(cut..).unwrap_or_default();
            prop_assert_eq!(super::crc32c_append(before, bytes), crc32c::crc32c_append(before, bytes));
        }

        #[test]
        fn parts_summed_apart_give_the_checksum_of_the_whole(
            seed in any::<u32>(),
            one in prop::collection::vec(any::<u8>(), 0..300),
            two in prop::collection::vec(any::<u8>(), 0..5_000),
        ) {
            let before = crc32c::crc32c_append(seed, &one);
            let whole = crc32c::crc32c_append(before, &two);
            prop_assert_eq!(append_checksum(before, super::crc32c(&two), two.len()), whole);
        }
    }
}
