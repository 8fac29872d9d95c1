//! The arithmetic of weaving: lengths, weights, rates and the four-point system.
//!
//! Every function is plain arithmetic on finite numbers. An answer that does not exist (a division by zero, a negative length) is `None`.

use crate::events::MachineState;

/// The linear density in tex of a yarn of cotton count 1 (Ne): one hank of 840 yards to the pound, 453.592 37 g to 768.096 m, which are 590.54 g/km. ASTM
/// D2260 gives 590.5. It holds for yarns whose count and tex are taken at the same moisture.
pub const TEX_OF_NE_1: f64 = 590.5;

/// The same for pure cotton where the count is taken at the British regain of 9.89 % and the tex at the Chinese standard regain of 8.5 %: 590.54 × 108.5 /
/// 109.89 = 583.07, which Chinese mills round to 583.1 (公定回潮率下的换算常数). The difference is 1.3 % of the yarn's weight.
pub const TEX_OF_NE_1_CHINESE_COTTON: f64 = 583.1;

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

/// Why a loom stands while it should weave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// A broken warp end 经停: a stop of the process.
    Warp,
    /// A weft that broke or did not arrive 纬停: a stop of the process.
    Weft,
    /// The loom itself failed 机械停台: what the mean time between failures counts.
    Mechanical,
    /// Anything else: doffing, cleaning, a selvedge, nobody there.
    Other,
}

impl StopKind {
    /// The kind of a stretch in a state; `None` for one that is no stop while there is work: running, setting up, without an order, off. Planned maintenance is no
    /// stop either; that which follows a failure is a part of its stop, which the caller knows.
    pub fn of(state: MachineState, reason: Option<&str>) -> Option<Self> {
        match (state, reason) {
            (MachineState::Stopped, Some("warp_break")) => Some(Self::Warp),
            (MachineState::Stopped, Some("weft_break")) => Some(Self::Weft),
            (MachineState::Stopped, Some("mechanical_fault" | "electrical_fault")) | (MachineState::Down, _) => {
                Some(Self::Mechanical)
            }
            (MachineState::Stopped, _) => Some(Self::Other),
            (
                MachineState::Running
                | MachineState::Setup
                | MachineState::Idle
                | MachineState::Maintenance
                | MachineState::Off,
                _,
            ) => None,
        }
    }
}

/// Linear density in tex from the cotton count Ne.
pub fn tex_from_ne(ne: f64) -> Option<f64> {
    positive(ne).and_then(|ne| amount(TEX_OF_NE_1 / ne))
}

/// The cotton count Ne from the linear density in tex.
pub fn ne_from_tex(tex: f64) -> Option<f64> {
    tex_from_ne(tex)
}

/// Linear density in tex at the Chinese standard regain from the cotton count Ne of a pure cotton yarn: [`TEX_OF_NE_1_CHINESE_COTTON`].
pub fn tex_from_ne_chinese_cotton(ne: f64) -> Option<f64> {
    positive(ne).and_then(|ne| amount(TEX_OF_NE_1_CHINESE_COTTON / ne))
}

/// The cotton count Ne of a pure cotton yarn from the linear density in tex at the Chinese standard regain.
pub fn ne_from_tex_chinese_cotton(tex: f64) -> Option<f64> {
    tex_from_ne_chinese_cotton(tex)
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

/// Penalty points of a hole by its greatest opening in metres (ASTM D5430): 2 up to 25 mm (1 in), 4 beyond.
pub fn points_of_hole(opening_m: f64) -> Option<u8> {
    Some(if amount(opening_m)? <= 0.025 { 2 } else { 4 })
}

/// The most points that a linear metre (yard) of cloth can be given, however many defects it has (ASTM D5430).
pub const MAX_POINTS_PER_METRE: u32 = 4;

/// A roll graded by the four-point system (ASTM D5430).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RollGrade {
    /// Points that count: no linear metre has more than [`MAX_POINTS_PER_METRE`].
    pub points: u32,
    /// Points that were given beyond that, and do not count.
    pub points_over: u32,
    /// Points per 100 m².
    pub per_100_m2: f64,
    /// Points per 100 yd².
    pub per_100_yd2: f64,
}

/// Grades a roll of this length and width in metres by its defects: the place in metres from the beginning, where it is known, and the points. What has no
/// place, or none on the roll, counts in full, up to the points of all metres together. `None` without an area.
pub fn grade_roll(
    defects: impl IntoIterator<Item = (Option<f64>, u32)>,
    length_m: f64,
    width_m: f64,
) -> Option<RollGrade> {
    let mut metres: std::collections::BTreeMap<u64, u32> = std::collections::BTreeMap::new();
    let (mut given, mut unplaced) = (0_u32, 0_u32);
    for (at_m, points) in defects {
        given = given.saturating_add(points);
        match at_m.filter(|at_m| (0.0..=length_m).contains(at_m)) {
            Some(at_m) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place on the roll")]
                let metre = metres.entry(at_m as u64).or_default();
                *metre = metre.saturating_add(points);
            }
            None => unplaced = unplaced.saturating_add(points),
        }
    }
    let placed: u32 = metres.into_values().map(|points| points.min(MAX_POINTS_PER_METRE)).sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates for a length that no roll has"
    )]
    let most = (positive(length_m)?.ceil() as u32).saturating_mul(MAX_POINTS_PER_METRE);
    let points = placed.saturating_add(unplaced).min(most);
    Some(RollGrade {
        points,
        points_over: given - points,
        per_100_m2: points_per_100_m2(points, length_m, width_m)?,
        per_100_yd2: points_per_100_yd2(points, length_m, width_m)?,
    })
}

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
