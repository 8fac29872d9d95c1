//! Doubles as whole numbers, bit by bit.
//!
//! Most sensors have a resolution: their doubles are whole multiples of a power of a tenth, some after a way through single precision. Where that
//! restores every bit, a column is those whole numbers. Otherwise it is the bits, in an order in which greater doubles are greater numbers, without the zero
//! bits that all have at the low end.

use super::super::FrameError;
use super::super::bytes::{Reader, damaged};
use super::words::{Method, Range, Scratch};

/// The powers of ten that decimal columns are multiples of a tenth of.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Beyond this a multiple is not tried: a double that is added to [`SHIFTER`] must still hold every whole number.
const MAX_WHOLE: f64 = 1_125_899_906_842_624.0;

/// 1.5 · 2⁵²: added to a small double, the lowest bits of the sum are the whole number next to it.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// The bits of a double that single precision does not have.
const SINGLE_CUT: u32 = 29;

/// Values that are tried together.
const CHUNK: usize = 32;

/// What the whole numbers of a column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The value is *m* / 10ᵖ.
    Decimal { power: u8 },
    /// The value is *m* / 10ᵖ, rounded to single precision.
    Single { power: u8 },
    /// The value's bits, ordered, without this many bits at the low end.
    Bits { cut: u8 },
    /// The same, and some values are NaN, so that the range of the numbers is not that of the values.
    WithNan { cut: u8 },
}

impl Form {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Decimal { power } => power,
            Self::Single { power } => 0x10 | power,
            Self::Bits { cut } => 0x40 | cut,
            Self::WithNan { cut } => 0x80 | cut,
        }
    }

    pub(super) fn new(number: u8) -> Result<Self, FrameError> {
        let power = number & 0x0f;
        let cut = number & 0x3f;
        match number {
            0x00..0x20 if usize::from(power) >= POWERS.len() => Err(damaged("the power of ten is too large")),
            0x00..0x10 => Ok(Self::Decimal { power }),
            0x10..0x20 => Ok(Self::Single { power }),
            0x40..0x80 => Ok(Self::Bits { cut }),
            0x80..0xc0 => Ok(Self::WithNan { cut }),
            other => Err(damaged(format!("{other} is no form of doubles"))),
        }
    }

    /// Appends where the whole numbers lie.
    pub(super) fn put_range(self, out: &mut Vec<u8>, range: Range) {
        match self {
            Self::Decimal { .. } | Self::Single { .. } => range.put(out),
            Self::Bits { cut } | Self::WithNan { cut } => {
                out.extend(range.least.to_le_bytes().iter().take(ordered_bytes(cut)));
                out.extend(range.span.to_le_bytes().iter().take(ordered_bytes(cut)));
            }
        }
    }

    pub(super) fn read_range(self, reader: &mut Reader<'_>) -> Result<Range, FrameError> {
        match self {
            Self::Decimal { .. } | Self::Single { .. } => Range::read(reader),
            Self::Bits { cut } | Self::WithNan { cut } => {
                let bytes = ordered_bytes(cut);
                let unused = 64 - 8 * bytes as u32;
                let least = (low_bytes(reader.take(bytes)?) << unused).cast_signed() >> unused;
                Range::new(least, low_bytes(reader.take(bytes)?))
            }
        }
    }

    /// The value of one whole number.
    pub(super) fn value(self, word: i64) -> f64 {
        match self {
            Self::Decimal { power } => decimal(word, scale(power)),
            Self::Single { power } => single(decimal(word, scale(power))),
            Self::Bits { cut } | Self::WithNan { cut } => unordered(word, cut),
        }
    }

    /// Reads as many numbers as there are rows, and appends the values that they mean.
    pub(super) fn read_values(
        self,
        reader: &mut Reader<'_>,
        stored: (Method, usize, Range),
        scratch: &mut Scratch,
        values: &mut Vec<f64>,
    ) -> Result<(), FrameError> {
        match self {
            Self::Decimal { power } => {
                let scale = scale(power);
                scratch.read_as(reader, stored, |word| decimal(word, scale), values)
            }
            Self::Single { power } => {
                let scale = scale(power);
                scratch.read_as(reader, stored, |word| single(decimal(word, scale)), values)
            }
            Self::Bits { cut } | Self::WithNan { cut } => {
                scratch.read_as(reader, stored, |word| unordered(word, cut), values)
            }
        }
    }

    /// The form that takes the fewest bits, and the whole numbers in it.
    pub(super) fn of(values: &[f64], words: &mut Vec<i64>) -> Self {
        let all_bits = values.iter().fold(0, |bits, value| bits | value.to_bits());
        // Single precision leaves the lowest bits of a double empty. What a double restores, its rounding restores too, often with a smaller power.
        if all_bits.trailing_zeros() >= SINGLE_CUT {
            if let Some(power) = whole_multiples(values, words, single) {
                return Self::Single { power };
            }
        } else if let Some(power) = whole_multiples(values, words, |value| value) {
            return Self::Decimal { power };
        }
        let cut = all_bits.trailing_zeros().min(63) as u8;
        words.clear();
        words.extend(values.iter().map(|value| ordered(*value, cut)));
        if values.iter().any(|value| value.is_nan()) { Self::WithNan { cut } } else { Self::Bits { cut } }
    }
}

fn scale(power: u8) -> f64 {
    POWERS.get(usize::from(power)).copied().unwrap_or(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "the encoder only takes whole numbers that a double holds")]
fn decimal(word: i64, scale: f64) -> f64 {
    word as f64 / scale
}

#[expect(clippy::cast_possible_truncation, reason = "the rounding is what is wanted")]
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// Fills in the multiples of the largest power of a tenth that restores every bit after rounding, and answers the power.
fn whole_multiples(values: &[f64], words: &mut Vec<i64>, rounded: impl Fn(f64) -> f64 + Copy) -> Option<u8> {
    let mut power = 0_u8;
    // A multiple of a tenth is one of a hundredth too: a power that a value needs is never taken back.
    for sample in [values.first(), values.get(values.len() / 2), values.last()].into_iter().flatten() {
        power = raised(power, std::slice::from_ref(sample), rounded)?;
    }
    'from_the_start: loop {
        words.clear();
        words.resize(values.len(), 0);
        for (values, words) in values.chunks(CHUNK).zip(words.chunks_mut(CHUNK)) {
            if !multiples(values, words, scale(power), rounded) {
                power = raised(power + 1, values, rounded)?;
                continue 'from_the_start;
            }
        }
        return Some(power);
    }
}

/// The first power from this one on that restores the values.
fn raised(from: u8, values: &[f64], rounded: impl Fn(f64) -> f64 + Copy) -> Option<u8> {
    let mut words = [0; CHUNK];
    (from..).zip(POWERS.get(usize::from(from)..)?).find_map(|(power, scale)| {
        let words = words.get_mut(..values.len())?;
        multiples(values, words, *scale, rounded).then_some(power)
    })
}

/// Fills in the whole multiples; answers whether all values come back from them. Without a branch, so that the compiler can take several at once.
#[inline(always)]
fn multiples(values: &[f64], words: &mut [i64], scale: f64, rounded: impl Fn(f64) -> f64) -> bool {
    let mut fits = true;
    for (value, word) in values.iter().zip(words) {
        let shifted = value * scale + SHIFTER;
        let whole = shifted - SHIFTER;
        *word = shifted.to_bits().wrapping_sub(SHIFTER.to_bits()).cast_signed();
        // A negative zero, an infinity and NaN do not come back.
        fits &= whole.abs() <= MAX_WHOLE;
        fits &= rounded(whole / scale).to_bits() == value.to_bits();
    }
    fits
}

/// The bits in an order in which greater doubles are greater numbers (that of [`f64::total_cmp`]), without `cut` bits at the low end.
fn ordered(value: f64, cut: u8) -> i64 {
    let bits = value.to_bits().cast_signed() >> cut;
    bits ^ ((bits >> 63) & (i64::MAX >> cut))
}

fn unordered(word: i64, cut: u8) -> f64 {
    f64::from_bits(((word ^ ((word >> 63) & (i64::MAX >> cut))) << cut).cast_unsigned())
}

/// How many bytes a number takes that was cut.
const fn ordered_bytes(cut: u8) -> usize {
    (64 - cut as usize).div_ceil(8)
}

fn low_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
#[path = "floats_tests.rs"]
mod tests;
