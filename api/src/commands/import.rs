//! `millwright import`: history from files, into the data folder or a running server.

mod http;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use connectors::import::{ImportSink, LogSink, Mapping, Phase, Progress, RunOptions, Summary, run as import};
use connectors::ingest::{Ingest, Limits};
use eventlog::EventLog;

use crate::cli::{ImportArguments, Output};
use crate::commands::print;
use crate::config::Config;
use crate::engine;
use http::HttpSink;

/// Imports the files, and prints a summary.
///
/// # Errors
/// When the mapping or a file cannot be read, or the log or server does not take a batch. Bad rows are no error.
pub async fn run(config: Config, arguments: ImportArguments, output: Output) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&arguments.mapping)
        .with_context(|| format!("reading the mapping {}", arguments.mapping.display()))?;
    let mapping = Mapping::parse(&text).with_context(|| format!("the mapping {}", arguments.mapping.display()))?;
    let rejects = arguments.rejects.clone().or_else(|| default_rejects(&arguments.files));
    let options = RunOptions { rejects: rejects.clone() };
    let summary = match &arguments.server {
        Some(server) => {
            let mut sink = HttpSink::new(server, arguments.token.clone());
            import_into(&mapping, &arguments, &mut sink, &options).await?
        }
        None => into_folder(&config, &mapping, &arguments, &options).await?,
    };
    let rejected = (summary.rejected > 0).then_some(rejects).flatten();
    print(output, &summary, |summary| describe(summary, rejected.as_deref()))
}

fn default_rejects(files: &[PathBuf]) -> Option<PathBuf> {
    // Beside where the command runs, not beside the data: that folder may be read-only.
    let name = files.first()?.file_stem()?.to_string_lossy().into_owned();
    Some(PathBuf::from(format!("{name}.rejects.jsonl")))
}

/// Writes into the data folder of this machine; the server must not be running on it.
async fn into_folder(
    config: &Config,
    mapping: &Mapping,
    arguments: &ImportArguments,
    options: &RunOptions,
) -> anyhow::Result<Summary> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("making the data folder {}", config.data_dir.display()))?;
    let embedded =
        engine::open_log(config).context("is a server running on this folder? Then name it with --server")?;
    let log = engine::privacy::open(config, &embedded).await? as std::sync::Arc<dyn EventLog>;
    let ingest =
        Ingest::start(std::sync::Arc::clone(&log), Some(&engine::ingest_folder(&config.data_dir)), Limits::default())
            .await?;
    let mut sink = LogSink::new(log, ingest.clone());
    let summary = import_into(mapping, arguments, &mut sink, options).await;
    ingest.close().await;
    embedded.close();
    summary
}

async fn import_into(
    mapping: &Mapping,
    arguments: &ImportArguments,
    sink: &mut dyn ImportSink,
    options: &RunOptions,
) -> anyhow::Result<Summary> {
    let mut shown = Shown::default();
    let summary = import(mapping, &arguments.files, sink, options, &mut |progress| shown.show(progress)).await?;
    shown.end();
    Ok(summary)
}

/// One line on a terminal that is written over; nothing where nobody looks.
struct Shown {
    terminal: bool,
    last: Option<std::time::Instant>,
}

impl Default for Shown {
    fn default() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: None }
    }
}

impl Shown {
    fn show(&mut self, progress: &Progress) {
        let now = std::time::Instant::now();
        let often = self.last.is_some_and(|last| now.duration_since(last).as_millis() < 200);
        if !self.terminal || (often && progress.done < progress.total) {
            return;
        }
        self.last = Some(now);
        let (verb, unit) = match progress.phase {
            Phase::Reading => ("reading", "bytes"),
            Phase::Writing => ("writing", "items"),
        };
        let left = progress.remaining.map(|left| format!(", {} s left", left.as_secs())).unwrap_or_default();
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(
            std::io::stderr(),
            "\r{verb} {}/{} {unit}, {:.0}/s{left}        ",
            progress.done,
            progress.total,
            progress.per_second
        );
    }

    fn end(&self) {
        if self.terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn describe(summary: &Summary, rejects: Option<&std::path::Path>) -> String {
    let mut lines = vec![format!(
        "{}: {} rows in {:.1} s ({:.0}/s): {} events and {} readings added, {} known already",
        summary.mapping,
        summary.rows,
        summary.seconds,
        summary.rows_per_second,
        summary.events,
        summary.readings,
        summary.known_events + summary.known_readings
    )];
    lines.extend(summary.types.iter().map(|(kind, count)| format!("  {count:>9}  {kind}")));
    if summary.skipped > 0 {
        lines.push(format!("{} rows were left out by the mapping", summary.skipped));
    }
    if summary.conflicting_readings > 0 {
        lines.push(format!("{} readings contradict known ones; both are kept", summary.conflicting_readings));
    }
    if summary.rejected > 0 {
        let place = rejects.map(|path| format!("; see {}", path.display())).unwrap_or_default();
        lines.push(format!("{} rows or events were not taken{place}", summary.rejected));
    }
    lines.join("\n")
}
