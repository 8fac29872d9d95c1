//! Memory: whether it stays flat while many readings come in, and while subscribers follow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog::embedded::EmbeddedLog;
use eventlog::{EventLog as _, Filter, Position};
use futures::StreamExt as _;

use super::filling::fill;
use crate::arguments::Arguments;
use crate::ours::{self, ReadingsWriter};
use crate::signals::FRAME;
use crate::table::{Table, count, millions};

/// How often memory is looked at.
const STEP: Duration = Duration::from_millis(50);

/// The share of the samples at the beginning that is left out: buffers grow to their size.
const WARM_UP: usize = 5;

/// Growth from the first to the second half of the samples that is called flat, in per cent.
const FLAT: f64 = 5.0;

/// Runs the section.
///
/// # Errors
/// When the log fails.
pub async fn run(scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let folder = scratch.join("memory");
    let log = ours::open(&folder).await?;
    let limit = Duration::from_secs(arguments.patience / 2);
    let title = "Memory of the process (resident, MiB)";
    let columns = ["while", "readings/s", "min", "median", "max", "first half → second half"];
    let table = Table::new(title, &columns);

    let watch = Watch::start();
    let frames = arguments.readings.div_ceil(FRAME);
    let took = fill(&log, ReadingsWriter::many(&log, 2)?, frames, limit).await?;
    let readings = log.tail().get() * FRAME;
    let what = format!("2 writers ingest {} readings", count(readings as f64));
    table.row(&row(what, readings as f64 / took.as_secs_f64(), watch.stop().await?));

    let watch = Watch::start();
    let before = log.tail().get();
    let target = before + frames.div_ceil(4);
    let followers: Vec<_> =
        (0..arguments.subscribers).map(|_| tokio::spawn(follow(Arc::clone(&log), target))).collect();
    let took = fill(&log, ReadingsWriter::many(&log, 1)?, target, limit).await?;
    let reached = log.tail().get();
    for follower in &followers {
        if reached < target {
            follower.abort();
        }
    }
    let mut followed = 0;
    for follower in followers {
        if let Ok(seen) = follower.await {
            followed += seen?;
        }
    }
    let ingested = (reached - before) * FRAME;
    let what = format!(
        "1 writer ingests {} more, {} subscribers read everything from the start and follow ({} readings handed out)",
        count(ingested as f64),
        arguments.subscribers,
        count((followed * FRAME) as f64)
    );
    table.row(&row(what, ingested as f64 / took.as_secs_f64(), watch.stop().await?));
    if readings < arguments.readings || reached < target {
        println!("\n- The time was over before all readings were ingested.");
    }
    ours::close(log).await
}

/// Follows until this many records have come.
async fn follow(log: Arc<EmbeddedLog>, target: u64) -> anyhow::Result<u64> {
    let mut records = log.subscribe(Position::START, Filter::all());
    // The subscription does not keep the log open, and neither must this task.
    drop(log);
    let mut seen = 0;
    while seen < target {
        let Some(record) = records.next().await else { break };
        anyhow::ensure!(!record?.payload.is_empty(), "a frame without bytes");
        seen += 1;
    }
    Ok(seen)
}

fn row(what: String, rate: f64, samples: Vec<u64>) -> [String; 6] {
    let kept = samples.get(samples.len() / WARM_UP..).unwrap_or_default();
    let (first, second) = kept.split_at(kept.len() / 2);
    let (before, after) = (median(first), median(second));
    let growth = (after as f64 / (before as f64).max(1.0) - 1.0) * 100.0;
    let word = if growth.abs() < FLAT { "flat" } else { "not flat" };
    let mib = |kib: u64| format!("{:.0}", kib as f64 / 1024.0);
    let (least, most) = (kept.iter().min().copied().unwrap_or(0), kept.iter().max().copied().unwrap_or(0));
    [
        what,
        millions(rate),
        mib(least),
        mib(median(kept)),
        mib(most),
        format!("{} → {} ({growth:+.1} %: {word})", mib(before), mib(after)),
    ]
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Samples the memory of this process in the background.
struct Watch {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<u64>>,
}

impl Watch {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::task::spawn_blocking(move || {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                samples.extend(resident_kib());
                std::thread::sleep(STEP);
            }
            samples
        });
        Self { stop, task }
    }

    async fn stop(self) -> anyhow::Result<Vec<u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.task.await?;
        anyhow::ensure!(!samples.is_empty(), "memory was not looked at");
        Ok(samples)
    }
}

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
