//! The exact scan: dot products of a question with rows of bytes, in loops that the compiler turns into vector instructions.

/// Numbers that one step of the scan takes together; rows are padded with zeros to a multiple of it.
pub(super) const LANES: usize = 16;

/// The largest number of a row and of a question. A product of 384 pairs stays below 2^31 for rows of up to 8,000 numbers.
const ROW_TOP: f32 = 127.0;
const QUESTION_TOP: f32 = 2_047.0;

/// The most numbers of a row, so that no sum overflows.
pub(super) const MOST_DIMENSIONS: usize = 8_192;

/// The length of a padded row.
pub(super) fn padded(dimensions: usize) -> usize {
    dimensions.div_ceil(LANES) * LANES
}

/// Whether the vector has a direction; its length.
fn length(vector: &[f32]) -> Option<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    (length.is_finite() && length > 0.0).then_some(length)
}

fn top(vector: &[f32]) -> f32 {
    vector.iter().fold(0.0, |top, number| top.max(number.abs()))
}

/// The direction of a vector as bytes, with what one step of a byte is worth.
pub(super) fn row(vector: &[f32]) -> Option<(Vec<i8>, f32)> {
    let length = length(vector)?;
    let step = top(vector) / ROW_TOP;
    let mut bytes = vec![0; padded(vector.len())];
    for (byte, number) in bytes.iter_mut().zip(vector) {
        #[expect(clippy::cast_possible_truncation, reason = "the number is within -127 and 127")]
        let rounded = (number / step).round() as i8;
        *byte = rounded;
    }
    Some((bytes, step / length))
}

/// The same for a question, with more steps: it is one, and costs nothing.
pub(super) fn question(vector: &[f32]) -> Option<(Vec<i16>, f32)> {
    let length = length(vector)?;
    let step = top(vector) / QUESTION_TOP;
    let mut numbers = vec![0; padded(vector.len())];
    for (own, number) in numbers.iter_mut().zip(vector) {
        #[expect(clippy::cast_possible_truncation, reason = "the number is within -2047 and 2047")]
        let rounded = (number / step).round() as i16;
        *own = rounded;
    }
    Some((numbers, step / length))
}

/// The dot product of a padded question with a padded row.
#[inline]
pub(super) fn dot(question: &[i16], row: &[i8]) -> i32 {
    let mut sums = [0_i32; LANES];
    for (question, row) in question.chunks_exact(LANES).zip(row.chunks_exact(LANES)) {
        for ((sum, a), b) in sums.iter_mut().zip(question).zip(row) {
            *sum += i32::from(*a) * i32::from(i16::from(*b));
        }
    }
    sums.iter().sum()
}

/// How near a row is to a question, but for the length of the question's step.
#[inline]
pub(super) fn score(question: &[i16], row: &[i8], step: f32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "seven digits of a similarity are enough")]
    let product = dot(question, row) as f32;
    product * step
}
