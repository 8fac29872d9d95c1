//! Running an import: plan, write, and say what came of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::files::ImportError;
use super::mapping::Mapping;
use super::plan::{Batch, Reject, plan};
use super::sink::{ImportSink, SinkError};

/// What an import is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It reads the files; the amounts are bytes, twice the files' where groups need a first pass.
    Reading,
    /// It writes; the amounts are events and readings.
    Writing,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How much is done: bytes or items.
    pub done: u64,
    /// How much there is.
    pub total: u64,
    /// How much was done in a second so far.
    pub per_second: f64,
    /// The estimate of what this phase still takes; `None` before anything is done.
    pub remaining: Option<Duration>,
}

impl Progress {
    pub(super) fn new(phase: Phase, done: u64, total: u64, elapsed: Duration) -> Self {
        let per_second = rate(done, elapsed);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = total.saturating_sub(done) as f64;
        let remaining = (per_second > 0.0).then(|| Duration::try_from_secs_f64(left / per_second).ok()).flatten();
        Self { phase, done, total, per_second, remaining }
    }
}

/// What an import does besides writing.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where rejects go, one JSON object a line; the file is only made when there is one.
    pub rejects: Option<PathBuf>,
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The mapping's name.
    pub mapping: String,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that the mapping left out on purpose.
    pub skipped: u64,
    /// Events that were written.
    pub events: u64,
    /// Readings that were written.
    pub readings: u64,
    /// Events that had been imported before.
    pub known_events: u64,
    /// Readings that had been imported before.
    pub known_readings: u64,
    /// Readings that were written although another value is known for the same signal, time and sequence.
    pub conflicting_readings: u64,
    /// Rows and events that were not taken.
    pub rejected: u64,
    /// What the files hold by event type, written now or before; readings under `readings.recorded`.
    pub types: BTreeMap<String, u64>,
    /// How long it took.
    pub seconds: f64,
    /// Rows in a second.
    pub rows_per_second: f64,
}

/// Why an import did not come to its end. What was written stays, and a second run completes it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The files could not be read.
    #[error("the files could not be planned")]
    Plan(#[from] ImportError),
    /// The sink did not take a batch.
    #[error("writing stopped after {written} events and readings")]
    Sink {
        /// How many were taken before.
        written: u64,
        /// Why.
        #[source]
        source: SinkError,
    },
    /// The rejects could not be written.
    #[error("the rejects could not be written to {file}")]
    Rejects {
        /// The file.
        file: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// Imports the files under the mapping into the sink.
///
/// # Errors
/// [`RunError`]. A bad row is no error: it is counted, and written to the rejects file with its reason.
pub async fn run(
    mapping: &Mapping,
    files: &[PathBuf],
    sink: &mut dyn ImportSink,
    options: &RunOptions,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Summary, RunError> {
    let started = Instant::now();
    let mut import = plan(mapping, files, &mut |step| progress(step))?;
    let mut rejects = import.take_rejects();
    let mut summary = Summary {
        mapping: mapping.name().to_owned(),
        rows: import.rows(),
        skipped: import.skipped(),
        ..Summary::default()
    };
    let total = import.len() as u64;
    let writing = Instant::now();
    let mut done = 0;
    for batch in import.into_batches() {
        done += write(mapping, sink, batch, &mut summary, &mut rejects)
            .await
            .map_err(|source| RunError::Sink { written: done, source })?;
        progress(&Progress::new(Phase::Writing, done, total, writing.elapsed()));
    }
    summary.rejected = rejects.len() as u64;
    if let Some(path) = options.rejects.as_deref().filter(|_| !rejects.is_empty()) {
        write_rejects(path, &rejects)
            .map_err(|source| RunError::Rejects { file: path.display().to_string(), source })?;
    }
    let elapsed = started.elapsed();
    summary.seconds = elapsed.as_secs_f64();
    summary.rows_per_second = rate(summary.rows, elapsed);
    Ok(summary)
}

async fn write(
    mapping: &Mapping,
    sink: &mut dyn ImportSink,
    batch: Batch,
    summary: &mut Summary,
    rejects: &mut Vec<Reject>,
) -> Result<u64, SinkError> {
    match batch {
        Batch::Readings(readings) => {
            let count = readings.len() as u64;
            *summary.types.entry(projections::READINGS_TYPE.to_owned()).or_default() += count;
            let outcome = sink.readings(mapping.source(), readings).await?;
            summary.readings += outcome.added;
            summary.known_readings += outcome.known;
            summary.conflicting_readings += outcome.conflicting;
            Ok(count)
        }
        Batch::Events(events) => {
            for event in &events {
                *summary.types.entry(event.event.event_type().to_owned()).or_default() += 1;
            }
            let origins: Vec<_> =
                events.iter().map(|event| (event.file.clone(), event.row, event.event.event_type())).collect();
            let outcome = sink.events(events).await?;
            summary.events += outcome.added;
            summary.known_events += outcome.known;
            for refusal in outcome.refused {
                let Some((file, row, event_type)) = origins.get(refusal.index) else { continue };
                rejects.push(Reject {
                    file: file.to_string(),
                    row: *row,
                    line: 0,
                    field: (*event_type).to_owned(),
                    reason: refusal.reason,
                    raw: String::new(),
                });
            }
            Ok(origins.len() as u64)
        }
    }
}

fn write_rejects(path: &Path, rejects: &[Reject]) -> std::io::Result<()> {
    let mut writer = BufWriter::new(File::create(path)?);
    for reject in rejects {
        serde_json::to_writer(&mut writer, reject)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

fn rate(count: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
