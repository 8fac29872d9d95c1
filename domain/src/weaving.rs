//! The arithmetic of weaving: lengths, weights, rates and the four-point system.
//!
//! Every function is plain arithmetic on finite numbers. An answer that does not exist (a division by zero, a negative length) is `None`.

/// The linear density in tex of a yarn of cotton count 1 (Ne): one hank of 840 yards to the pound.
pub const TEX_OF_NE_1: f64 = 590.5;

/// Square metres in a square yard, exactly (1 yd = 0.9144 m).
const SQUARE_METRES_PER_SQUARE_YARD: f64 = 0.9144 * 0.9144;

/// Length of cloth in metres from a length of warp: `warp × (1 − take-up)`. The take-up 织缩率 is a share (0.06 for 6 %), below 1.
pub fn cloth_length_m(warp_m: f64, take_up: f64) -> Option<f64> {
    share(take_up).and_then(|take_up| amount(warp_m * (1.0 - take_up)))
}

/// Length of warp in metres that a length of cloth needs: the inverse of [`cloth_length_m`].
pub fn warp_length_m(cloth_m: f64, take_up: f64) -> Option<f64> {
    share(take_up).and_then(|take_up| amount(cloth_m / (1.0 - take_up)))
}

/// Weight of a warp in kilograms: ends × metres × tex / 10⁶ (tex is grams per kilometre).
pub fn warp_kg(ends: u32, length_m: f64, tex: f64) -> Option<f64> {
    amount(length_m).and(amount(tex)).and(amount(f64::from(ends) * length_m * tex / 1e6))
}

/// Weight of the weft in a length of cloth, in kilograms: picks × width of the reed in metres × tex / 10⁶.
pub fn weft_kg(picks: f64, reed_width_m: f64, tex: f64) -> Option<f64> {
    amount(picks).and(amount(reed_width_m)).and(amount(tex)).and(amount(picks * reed_width_m * tex / 1e6))
}

/// Metres of cloth per hour at a speed in picks per minute and a density in picks per centimetre, without stops. 600 picks/min at 25
/// picks/cm weave 14.4 m/h.
pub fn metres_per_hour(picks_per_min: f64, picks_per_cm: f64) -> Option<f64> {
    amount(picks_per_min).and(positive(picks_per_cm)).and(amount(picks_per_min * 60.0 / (picks_per_cm * 100.0)))
}

/// Picks in a length of cloth in metres, at a density in picks per centimetre.
pub fn picks(cloth_m: f64, picks_per_cm: f64) -> Option<f64> {
    amount(cloth_m).and(amount(picks_per_cm)).and(amount(cloth_m * 100.0 * picks_per_cm))
}

/// Metres of cloth in a number of picks, at a density in picks per centimetre.
pub fn metres(picks: f64, picks_per_cm: f64) -> Option<f64> {
    amount(picks).and(positive(picks_per_cm)).and(amount(picks / (picks_per_cm * 100.0)))
}

/// Efficiency of a loom as a share: picks woven by picks that the time had room for, at the speed in picks per minute.
pub fn efficiency(picks: f64, picks_per_min: f64, minutes: f64) -> Option<f64> {
    let room = positive(picks_per_min)? * positive(minutes)?;
    amount(amount(picks)? / room)
}

/// Stops per 100,000 picks (CMPX), the unit in which looms of different speeds compare.
pub fn stops_per_100_000_picks(stops: u64, picks: f64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a count of stops is far below 2^52")]
    amount(stops as f64 * 1e5 / positive(picks)?)
}

/// Linear density in tex from the cotton count Ne.
pub fn tex_from_ne(ne: f64) -> Option<f64> {
    positive(ne).and_then(|ne| amount(TEX_OF_NE_1 / ne))
}

/// The cotton count Ne from the linear density in tex.
pub fn ne_from_tex(tex: f64) -> Option<f64> {
    tex_from_ne(tex)
}

/// Penalty points of a defect by its length in metres (ASTM D5430, four-point system): 1 up to 75 mm (3 in), 2 up to 150 mm (6 in), 3 up to
/// 230 mm (9 in), 4 beyond. No defect has more than 4.
pub fn points_by_length(length_m: f64) -> Option<u8> {
    let length_mm = amount(length_m)? * 1000.0;
    Some(match length_mm {
        ..=75.0 => 1,
        ..=150.0 => 2,
        ..=230.0 => 3,
        _ => 4,
    })
}

/// The most points that a linear metre (yard) of cloth can be given, however many defects it has (ASTM D5430).
pub const MAX_POINTS_PER_METRE: u32 = 4;

/// Points per 100 square metres (ASTM D5430) of a roll of this length and width in metres.
pub fn points_per_100_m2(points: u32, length_m: f64, width_m: f64) -> Option<f64> {
    let area_m2 = positive(length_m)? * positive(width_m)?;
    amount(f64::from(points) * 100.0 / positive(area_m2)?)
}

/// Points per 100 square yards (ASTM D5430) of a roll of this length and width in metres.
pub fn points_per_100_yd2(points: u32, length_m: f64, width_m: f64) -> Option<f64> {
    points_per_100_m2(points, length_m, width_m).map(|points| points * SQUARE_METRES_PER_SQUARE_YARD)
}

/// The number, when it is finite and not negative.
fn amount(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// The number, when it is finite and greater than zero.
fn positive(value: f64) -> Option<f64> {
    (value.is_finite() && value > 0.0).then_some(value)
}

/// The number, when it is a share below 1.
fn share(value: f64) -> Option<f64> {
    (0.0..1.0).contains(&value).then_some(value)
}

#[cfg(test)]
#[path = "weaving_tests.rs"]
mod tests;
