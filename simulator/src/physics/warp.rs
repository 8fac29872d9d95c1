//! The warp: let-off and take-up hold its mean tension, the shed and the beat-up add to it within each pick.

use crate::fault::Effects;
use crate::mill::Style;

/// Half the shed's opening, in cm.
const SHED_CM: f64 = 3.5;
/// From the cloth fell to the heald frames, in cm.
const FRONT_CM: f64 = 30.0;
/// From the heald frames to the back rest, in cm.
const BACK_CM: f64 = 60.0;
/// Modulus of sized yarn, in cN/tex.
const MODULUS_CN_PER_TEX: f64 = 350.0;
/// The part of the shed's strain that the back rest does not ease.
const EASED: f64 = 0.5;
/// Beat-up force on an end, in cN for each pick/cm and root of weft tex.
const BEAT_UP: f64 = 0.08;
/// Warp stops per pick of a warp of 5000 ends at its set-point and at the best humidity.
const STOPS_PER_PICK: f64 = 0.75e-5;
/// The humidity at which sized cotton breaks least, in percent.
const BEST_HUMIDITY: f64 = 72.0;
/// Radius of a full beam and of the empty barrel, in metres.
const BEAM_RADIUS_M: (f64, f64) = (0.40, 0.10);
/// The let-off's time constant, in seconds.
pub(crate) const LET_OFF_SECONDS: f64 = 20.0;
/// The period of a let-off that hunts, in seconds.
pub(crate) const HUNTING_SECONDS: f64 = 95.0;

/// Tension that the open shed adds to an end, in cN: strain = h²/2 · (1/front + 1/back) / (front + back).
pub(crate) fn shed(style: &Style) -> f64 {
    let strain = SHED_CM * SHED_CM / 2.0 * (1.0 / FRONT_CM + 1.0 / BACK_CM) / (FRONT_CM + BACK_CM);
    EASED * MODULUS_CN_PER_TEX * style.warp_tex * strain
}

/// Tension that the beat-up adds to an end, in cN.
pub(crate) fn beat_up(style: &Style) -> f64 {
    BEAT_UP * style.picks_per_cm * style.weft_tex.sqrt()
}

/// Radius of a beam of which this part is left, in metres: the area of the winding is proportional to the length.
pub(crate) fn beam_radius(part_left: f64) -> f64 {
    let (full, empty) = BEAM_RADIUS_M;
    (empty * empty + (full * full - empty * empty) * part_left.clamp(0.0, 1.0)).sqrt()
}

/// The mean tension that the let-off holds at a set-point, in cN: as the beam shrinks, the back rest's geometry adds up to three percent.
pub(crate) fn held_tension(set_cn: f64, part_left: f64) -> f64 {
    let (full, empty) = BEAM_RADIUS_M;
    let shrunk = (full - beam_radius(part_left)) / (full - empty);
    set_cn * (1.0 + 0.03 * shrunk)
}

/// Warp stops per pick: over-tension, dry or wet air, more ends and a damaged reed break more ends. A stop motion that sees only a part
/// of them stops less often.
pub(crate) fn stops_per_pick(style: &Style, peak_cn: f64, humidity: f64, effects: &Effects) -> f64 {
    let usual_peak = style.tension + shed(style) + beat_up(style);
    let tension = (4.0 * (peak_cn * (1.0 + effects.tension_swing) / usual_peak - 1.0)).exp();
    let air = (0.7 * ((humidity - BEST_HUMIDITY) / 12.0).powi(2)).exp();
    let ends = (f64::from(style.ends) / 5000.0).powf(0.3);
    STOPS_PER_PICK * tension * air * ends * effects.warp_stops * (1.0 - effects.unseen_breaks)
}
