//! The readings that everybody stores: 2,000 signals with 10 readings each in a frame, in the order in which they arrive.
//!
//! Half of the signals walk at random with a resolution of 0.01, a quarter is noise with full precision, a quarter changes in steps. All have the
//! quality Good and no count of the source.

use std::sync::Arc;

use eventlog::frames::{Reading, StatusCode, Value};
use jiff::Timestamp;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Signals of a frame.
pub const SIGNALS: usize = 2_000;

/// Readings of a signal in a frame.
pub const POINTS: usize = 10;

/// Readings of a frame.
pub const FRAME: u64 = (SIGNALS * POINTS) as u64;

/// The time from one reading of a signal to its next.
const PERIOD_NS: i64 = 100_000_000;

/// A source of frames: the same signals for ever, each frame later than the one before.
pub struct Signals {
    readings: Vec<Reading>,
    frames: i64,
}

impl Signals {
    /// The signals of one writer. Writers have different values and the same names.
    pub fn new(writer: u64, start: Timestamp) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(writer);
        let names: Vec<Arc<str>> =
            (0..SIGNALS).map(|signal| format!("loom-{:03}.signal-{:02}", signal / 20, signal % 20).into()).collect();
        let mut values: Vec<f64> = (0..SIGNALS).map(|_| f64::from(random.random_range(2_000_u32..8_000))).collect();
        let mut readings = Vec::with_capacity(SIGNALS * POINTS);
        for point in 0..POINTS as i64 {
            for (signal, (name, value)) in names.iter().zip(&mut values).enumerate() {
                let shown = next_value(signal, value, &mut random);
                // The signals of a loom are sampled at the same moment, the looms one after the other.
                let offset = point * PERIOD_NS + (signal as i64 / 20) * 1_000_000;
                let time = start.checked_add(jiff::SignedDuration::from_nanos(offset)).unwrap_or(start);
                readings.push(Reading {
                    signal: Arc::clone(name),
                    time,
                    sequence: None,
                    value: Value::Float(shown),
                    status: StatusCode::GOOD,
                });
            }
        }
        Self { readings, frames: 0 }
    }

    /// The readings of the next frame.
    pub fn next_frame(&mut self) -> Vec<Reading> {
        let shift = jiff::SignedDuration::from_nanos(self.frames * PERIOD_NS * POINTS as i64);
        self.frames += 1;
        let mut readings = self.readings.clone();
        for reading in &mut readings {
            reading.time = reading.time.checked_add(shift).unwrap_or(reading.time);
        }
        readings
    }
}

fn next_value(signal: usize, state: &mut f64, random: &mut ChaCha8Rng) -> f64 {
    match signal % 4 {
        0 | 1 => {
            *state += f64::from(random.random_range(-10_i32..=10));
            *state / 100.0
        }
        2 => 10.0 + 50.0 * (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64,
        _ => {
            if random.random_ratio(1, 60) {
                *state = f64::from(random.random_range(0_u32..200)) / 2.0;
            }
            *state
        }
    }
}

/// The same readings as lines of the InfluxDB line protocol; the times stand at the ends of the lines and can be set anew.
pub struct Lines {
    text: Vec<u8>,
    /// The end of each line's time, and the time that it had at first.
    times: Vec<(usize, i64)>,
    frames: i64,
}

/// Digits of a time in nanoseconds, from 2001 to 2286.
const TIME_DIGITS: usize = 19;

impl Lines {
    /// The signals of one writer.
    pub fn new(writer: u64, start: Timestamp) -> Self {
        let (mut text, mut times) = (Vec::new(), Vec::new());
        for reading in Signals::new(writer, start).next_frame() {
            let time = i64::try_from(reading.time.as_nanosecond()).unwrap_or(i64::MAX);
            let value = reading.value.as_f64().unwrap_or(f64::NAN);
            let line = format!("reading,writer={writer},signal={} value={value} {time:0TIME_DIGITS$}", reading.signal);
            text.extend_from_slice(line.as_bytes());
            times.push((text.len(), time));
            text.push(b'\n');
        }
        Self { text, times, frames: 0 }
    }

    /// The lines of the next frame.
    pub fn next_frame(&mut self) -> &[u8] {
        let shift = self.frames * PERIOD_NS * POINTS as i64;
        self.frames += 1;
        for &(end, first) in &self.times {
            let mut rest = first + shift;
            let digits = self.text.get_mut(end - TIME_DIGITS..end).unwrap_or_default();
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
        }
        &self.text
    }
}
