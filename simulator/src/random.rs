//! Chance: one ChaCha stream for each thing that needs it, so that a change in one does not shift the others.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers that a seed and a name decide.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Evenly from 0 (inclusive) to 1 (exclusive), with 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly between two numbers.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// Log-normal with this median; `spread` is the standard deviation of the logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }

    /// Poisson with this mean, by counting exponential gaps; for means up to some hundreds.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let mut passed = self.exponential(1.0);
        let mut count = 0;
        while passed < mean && count < MAX_POISSON {
            passed += self.exponential(1.0);
            count += 1;
        }
        count
    }

    /// One of the items, each as likely; `None` of none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// One of the texts; empty of none.
    pub(crate) fn text(&mut self, texts: &[&'static str]) -> &'static str {
        self.pick(texts).copied().unwrap_or_default()
    }

    /// Evenly from 0 to `count` (exclusive).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small and the product lies between 0 and the count"
    )]
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f64) as usize
    }
}

/// A draw never counts further than this.
const MAX_POISSON: u32 = 10_000;

/// Noise that forgets with a time constant (Ornstein and Uhlenbeck), exact for any step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    value: f64,
    deviation: f64,
    seconds: f64,
}

impl Drift {
    /// Noise with this standard deviation that forgets in this many seconds, starting at 0.
    pub(crate) const fn new(deviation: f64, seconds: f64) -> Self {
        Self { value: 0.0, deviation, seconds }
    }

    /// Lets `dt` seconds pass.
    pub(crate) fn advance(&mut self, dt: f64, random: &mut Random) {
        let kept = (-dt / self.seconds).exp();
        self.value = self.value * kept + self.deviation * (1.0 - kept * kept).sqrt() * random.normal();
    }

    /// The present value.
    pub(crate) const fn value(&self) -> f64 {
        self.value
    }
}

#[cfg(test)]
#[path = "random_tests.rs"]
mod tests;
