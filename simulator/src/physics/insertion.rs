//! Weft insertion: air carries the weft through the shed; the later it arrives, the more often it fails.

use crate::fault::Effects;
use crate::mill::Style;

/// The crank angle at which the main nozzle lets go, in degrees.
const RELEASE_DEG: f64 = 85.0;
/// Mean weft velocity of a 19.4 tex weft at 4.2 bar, in m/s.
const VELOCITY_M_S: f64 = 46.0;
/// The arrival angle at which looms are set up, in degrees.
pub(crate) const ARRIVAL_DEG: f64 = 222.0;
/// Loss between network and nozzle, in bar.
const LINE_LOSS_BAR: f64 = 0.4;
/// Weft stops per pick at the set-up arrival angle.
const STOPS_PER_PICK: f64 = 1.2e-5;
/// So many degrees later multiply the weft stops by e.
const STOP_SCALE_DEG: f64 = 9.0;
/// Weft stops per pick never exceed this: somebody would have stopped the loom.
const MOST_STOPS_PER_PICK: f64 = 4.0e-4;

/// One insertion under present conditions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insertion {
    /// Pressure at the main nozzle in bar.
    pub(crate) pressure_bar: f64,
    /// Crank angle at which the weft arrives, in degrees.
    pub(crate) arrival_deg: f64,
    /// Air taken, in m3/h.
    pub(crate) flow_m3_h: f64,
    /// Weft stops per pick.
    pub(crate) stops_per_pick: f64,
}

/// Inserts weft: velocity grows with the square root of pressure and falls with the fourth root of the weft's weight; `nozzle` is how well this loom's nozzle works (1 is
/// as new).
pub(crate) fn insert(
    style: &Style,
    speed: f64,
    set_bar: f64,
    network_bar: f64,
    nozzle: f64,
    effects: &Effects,
) -> Insertion {
    let pressure_bar = set_bar.min(network_bar - LINE_LOSS_BAR).max(0.5) * (1.0 - effects.pressure_loss);
    let weight = (19.4 / style.weft_tex).powf(0.25);
    let velocity = VELOCITY_M_S * (pressure_bar / 4.2).sqrt() * weight * nozzle * (1.0 - effects.velocity_loss);
    let flight_s = style.reed_width_cm / 100.0 / velocity;
    let arrival_deg = RELEASE_DEG + 6.0 * speed * flight_s;
    let late = (arrival_deg - ARRIVAL_DEG) / STOP_SCALE_DEG;
    Insertion {
        pressure_bar,
        arrival_deg,
        flow_m3_h: (18.0 + 6.5 * pressure_bar / (1.0 - effects.pressure_loss) * speed / 600.0)
            * (1.0 + effects.flow_gain),
        stops_per_pick: (STOPS_PER_PICK * late.exp() * effects.weft_stops).min(MOST_STOPS_PER_PICK),
    }
}
