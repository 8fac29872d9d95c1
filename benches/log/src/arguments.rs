//! What can be asked for on the command line.

use std::fmt;
use std::path::PathBuf;

/// How long each row is measured when nothing else is asked for.
pub const DEFAULT_SECONDS: f64 = 4.0;

/// Measures the event log beside its peers, and prints Markdown.
#[derive(clap::Parser, Debug)]
pub struct Arguments {
    /// What to measure: all, frames, events, replay, open or memory.
    #[arg(default_value = "all", value_parser = section)]
    pub section: Section,
    /// How long each row is measured, in seconds.
    #[arg(long, default_value_t = DEFAULT_SECONDS)]
    pub seconds: f64,
    /// A folder on the disk to measure; the system's folder for temporary files by default. Everything written there is removed.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Measure these peers only, for example `nats,umadb`; `none` for ours alone.
    #[arg(long, value_delimiter = ',')]
    pub peers: Vec<String>,
    /// Events that are read by `replay`.
    #[arg(long, default_value_t = 1_000_000)]
    pub replay_events: u64,
    /// Readings that are read by `replay`.
    #[arg(long, default_value_t = 20_000_000)]
    pub replay_readings: u64,
    /// Records of the log that `open` opens.
    #[arg(long, default_value_t = 10_000_000)]
    pub records: u64,
    /// Readings that `memory` ingests.
    #[arg(long, default_value_t = 100_000_000)]
    pub readings: u64,
    /// Subscribers that follow in `memory`.
    #[arg(long, default_value_t = 10)]
    pub subscribers: usize,
    /// Seconds that a section may take beside what it measures (starting servers, filling logs) before it is broken off.
    #[arg(long, default_value_t = 150)]
    pub patience: u64,
    /// One section of a larger run: the head has been printed.
    #[arg(long, hide = true)]
    pub part: bool,
}

impl Arguments {
    /// Whether this peer is to be measured.
    pub fn wants(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|name| name == peer)
    }

    /// The arguments of the process that measures this section of the same run.
    pub fn of_part(&self, section: Section) -> Vec<String> {
        let mut arguments = vec![section.to_string(), "--part".to_owned()];
        let mut give = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        give("seconds", self.seconds.to_string());
        give("replay-events", self.replay_events.to_string());
        give("replay-readings", self.replay_readings.to_string());
        give("records", self.records.to_string());
        give("readings", self.readings.to_string());
        give("subscribers", self.subscribers.to_string());
        give("patience", self.patience.to_string());
        if let Some(dir) = &self.dir {
            give("dir", dir.display().to_string());
        }
        if !self.peers.is_empty() {
            give("peers", self.peers.join(","));
        }
        arguments
    }
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Every other one.
    All,
    /// Readings in frames.
    Frames,
    /// Single events.
    Events,
    /// Reading everything again.
    Replay,
    /// Opening a long log.
    Open,
    /// Memory during a long ingestion.
    Memory,
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::All => "all",
            Self::Frames => "frames",
            Self::Events => "events",
            Self::Replay => "replay",
            Self::Open => "open",
            Self::Memory => "memory",
        })
    }
}

fn section(text: &str) -> Result<Section, String> {
    [Section::All, Section::Frames, Section::Events, Section::Replay, Section::Open, Section::Memory]
        .into_iter()
        .find(|section| section.to_string() == text)
        .ok_or_else(|| "all, frames, events, replay, open or memory".to_owned())
}
