//! How long to wait before the next try.

use std::time::Duration;

/// Exponential back-off with jitter: each wait is drawn between half of the current ceiling and the ceiling, which doubles up to the maximum, so that
/// many clients of one broker do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    maximum: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, maximum: Duration) -> Self {
        Self { initial, maximum, ceiling: initial }
    }

    /// The wait before the next try.
    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = ceiling.saturating_mul(2).min(self.maximum);
        // The tail of a version 7 UUID is random: enough to spread clients, and no generator of our own is needed for it.
        let random = uuid::Uuid::now_v7().as_u128() & 0xFFFF;
        let fraction = f64::from(u32::try_from(random).unwrap_or(0)) / 65_536.0;
        ceiling.mul_f64(0.5 + fraction / 2.0)
    }

    /// After a success the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.ceiling = self.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1_000));
        let ceilings = [100, 200, 400, 800, 1_000, 1_000];
        for ceiling in ceilings {
            let wait = backoff.next();
            assert!(wait >= Duration::from_millis(ceiling / 2), "{wait:?} is under half of {ceiling} ms");
            assert!(wait <= Duration::from_millis(ceiling), "{wait:?} is over {ceiling} ms");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
