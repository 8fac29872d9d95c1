//! Writers that write for a while, and what came of it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The part of a run that comes before what is counted.
const WARM_UP: f64 = 0.1;

/// Something that writes once and answers when that is durable, as far as the peer promises it.
pub trait Writer: Send + 'static {
    /// One write.
    fn write(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What was done in a stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// How much was done: events, readings or records.
    pub units: u64,
    /// In which time.
    pub took: Duration,
    /// How long each call took, ascending.
    pub latencies: Vec<Duration>,
}

impl Measured {
    /// Units a second.
    pub fn rate(&self) -> f64 {
        self.units as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The latency that this share of the calls did not exceed.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.latencies.len().checked_sub(1)?;
        self.latencies.get((self.latencies.len() * percent / 100).min(last)).copied()
    }

    /// Both stretches as one.
    pub fn and(mut self, other: Self) -> Self {
        self.units += other.units;
        self.took += other.took;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self
    }
}

/// Lets all the writers write at the same time, each its next call as soon as the last one was answered. Gives the writers back.
///
/// # Errors
/// When a writer fails.
pub async fn measure<W: Writer>(writers: Vec<W>, units: u64, seconds: f64) -> anyhow::Result<(Vec<W>, Measured)> {
    let begin = Instant::now() + Duration::from_secs_f64(seconds * WARM_UP);
    let end = begin + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(one(writer, begin, end))).collect();
    let (mut back, mut latencies, mut last) = (Vec::new(), Vec::new(), begin);
    for task in tasks {
        let (writer, calls, ended) = task.await??;
        back.push(writer);
        latencies.extend(calls);
        last = last.max(ended);
    }
    latencies.sort_unstable();
    Ok((back, Measured { units: latencies.len() as u64 * units, took: last - begin, latencies }))
}

async fn one<W: Writer>(mut writer: W, begin: Instant, end: Instant) -> anyhow::Result<(W, Vec<Duration>, Instant)> {
    let mut latencies = Vec::new();
    loop {
        let start = Instant::now();
        // Every writer has at least one call that counts, also where a call takes longer than the run.
        if start >= end && !latencies.is_empty() {
            return Ok((writer, latencies, start));
        }
        writer.write().await?;
        if start >= begin {
            latencies.push(start.elapsed());
        }
    }
}

/// Processor time that all threads of this process have used so far.
pub fn processor_time() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// Processor time that this thread has used so far.
pub fn thread_time() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

fn duration(time: Timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
