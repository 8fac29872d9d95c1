//! How fast the log grows, over the last seconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use connectors::ingest::Ingest;
use eventlog::EventLog;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// How far back the rates look.
const WINDOW: usize = 10;

/// How often they look.
const PERIOD: Duration = Duration::from_secs(1);

/// Samples of the log's length and of the readings, one a second.
#[derive(Clone, Debug)]
pub(super) struct Rates(Arc<Mutex<VecDeque<(Instant, u64, u64)>>>);

impl Rates {
    pub(super) fn start(log: Arc<dyn EventLog>, ingest: Ingest, stop: CancellationToken) -> Self {
        let samples = Arc::new(Mutex::new(VecDeque::with_capacity(WINDOW + 1)));
        let kept = Arc::clone(&samples);
        tokio::spawn(async move {
            let mut period = tokio::time::interval(PERIOD);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = period.tick() => {}
                }
                let sample =
                    (Instant::now(), log.tail().get(), ingest.statistics().readings_accepted.load(Ordering::Relaxed));
                let mut samples = kept.lock();
                samples.push_back(sample);
                if samples.len() > WINDOW {
                    samples.pop_front();
                }
            }
        });
        Self(samples)
    }

    /// Records and readings a second.
    pub(super) fn per_second(&self) -> (f64, f64) {
        let samples = self.0.lock();
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else { return (0.0, 0.0) };
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate that is shown")]
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (rate(first.1, last.1), rate(first.2, last.2))
    }
}
