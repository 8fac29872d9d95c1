//! What all looms share: the hall's air and the compressed air.

use crate::mill::LOOMS;
use crate::random::{Drift, Random};

/// The mill's clock is this far ahead of UTC (Asia/Shanghai).
const LOCAL_OFFSET_SECONDS: f64 = 8.0 * 3600.0;
const DAY_SECONDS: f64 = 86_400.0;
/// Network pressure at the usual demand, in bar.
const NETWORK_BAR: f64 = 6.3;
/// The usual demand of a loom, in m3/h.
const LOOM_DEMAND_M3_H: f64 = 45.0;
/// How much the network's pressure falls for each m3/h above the usual demand, in bar.
const DROOP_BAR_PER_M3_H: f64 = 0.0007;
/// Specific power of the compressor, in kW per m3/h.
const SPECIFIC_POWER_KW: f64 = 0.11;

/// The state of the hall.
#[derive(Clone, Debug)]
pub(crate) struct Hall {
    /// Air temperature in degrees Celsius.
    pub(crate) temperature: f64,
    /// Relative humidity in percent.
    pub(crate) humidity: f64,
    /// Pressure of the compressed air network in bar.
    pub(crate) network_bar: f64,
    /// Air that the looms take, in m3/h.
    pub(crate) demand_m3_h: f64,
    temperature_drift: Drift,
    humidity_drift: Drift,
    pressure_drift: Drift,
}

impl Hall {
    /// A hall at its usual state.
    #[expect(clippy::cast_precision_loss, reason = "two dozen looms")]
    pub(crate) fn new() -> Self {
        Self {
            temperature: 27.0,
            humidity: 70.0,
            network_bar: NETWORK_BAR,
            demand_m3_h: LOOMS as f64 * LOOM_DEMAND_M3_H,
            temperature_drift: Drift::new(0.7, 4.0 * 3600.0),
            humidity_drift: Drift::new(2.2, 3.0 * 3600.0),
            pressure_drift: Drift::new(0.04, 900.0),
        }
    }

    /// Lets `dt` seconds pass, up to the second `epoch` since 1970.
    #[expect(clippy::cast_precision_loss, reason = "two dozen looms")]
    pub(crate) fn advance(&mut self, epoch: f64, dt: f64, demand_m3_h: f64, random: &mut Random) {
        self.temperature_drift.advance(dt, random);
        self.humidity_drift.advance(dt, random);
        self.pressure_drift.advance(dt, random);
        let day = ((epoch + LOCAL_OFFSET_SECONDS) % DAY_SECONDS) / DAY_SECONDS;
        // Warmest and driest at three in the afternoon, although the air conditioning works against it.
        let wave = (std::f64::consts::TAU * (day - 0.375)).sin();
        self.temperature = 27.0 + 2.0 * wave + self.temperature_drift.value();
        self.humidity = (70.0 - 5.0 * wave + self.humidity_drift.value()).clamp(35.0, 95.0);
        self.demand_m3_h = demand_m3_h;
        let excess = demand_m3_h - LOOMS as f64 * LOOM_DEMAND_M3_H;
        self.network_bar = (NETWORK_BAR - DROOP_BAR_PER_M3_H * excess + self.pressure_drift.value()).max(0.0);
    }

    /// Electrical power of the compressor in kW: idling costs a third.
    pub(crate) fn compressor_kw(&self) -> f64 {
        30.0 + SPECIFIC_POWER_KW * self.demand_m3_h
    }
}
