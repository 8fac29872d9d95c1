//! The main drive: motor current, and what wear does to the bearing.

use crate::fault::Effects;
use crate::mill::Style;

/// Time constant of the bearing's temperature, in seconds.
pub(crate) const BEARING_SECONDS: f64 = 2400.0;
/// Kilowatts for each ampere: 380 V, three phases, power factor 0.82.
const KW_PER_A: f64 = 0.54;

/// Motor current in A: idling, moving masses with the square of the speed, beat-up, friction of a worn bearing.
pub(crate) fn current(style: &Style, speed: f64, beat_up_cn: f64, base: f64, effects: &Effects) -> f64 {
    let relative = speed / 600.0;
    base + 2.9 * relative * relative * style.reed_width_cm / 170.0 + 0.02 * beat_up_cn * relative + effects.current_gain
}

/// Electrical power in kW.
pub(crate) fn power(current_a: f64) -> f64 {
    KW_PER_A * current_a
}

/// Vibration velocity of the bearing housing in mm/s RMS.
pub(crate) fn vibration(base: f64, speed: f64, effects: &Effects) -> f64 {
    base * (speed / 600.0).max(0.0).powf(1.3) * effects.vibration
}

/// The temperature that the bearing would reach if nothing changed, in degrees Celsius.
pub(crate) fn settled_temperature(hall: f64, speed: f64, current_a: f64, vibration: f64, effects: &Effects) -> f64 {
    hall + 15.0 * speed / 600.0 * current_a / 5.8 + 1.5 * vibration + effects.bearing_heat
}
