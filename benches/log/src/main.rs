//! The event log beside its peers: one command, one machine, one disk, and a word on the durability of each.
//!
//! It prints Markdown. What each row means is written in the README beside this package. Nothing is asserted: a benchmark tells, tests judge.

mod arguments;
mod bare;
mod events;
mod machine;
mod measure;
mod ours;
mod peers;
mod process;
mod scenario;
mod signals;
mod table;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use arguments::{Arguments, Section};
use process::Process;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        // Every server that was started is ended when its guard is dropped, also when somebody breaks the run off.
        tokio::select! {
            result = run(&arguments) => result,
            result = broken_off() => result,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn broken_off() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    anyhow::bail!("broken off")
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = tempfile::Builder::new()
        .prefix("bench-log-")
        .tempdir_in(&parent)
        .with_context(|| format!("making a folder in {}", parent.display()))?;
    // PostgreSQL runs as another user and must be able to walk through to its own folder.
    std::fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    if !arguments.part {
        machine::print(scratch.path(), arguments);
    }
    if arguments.section == Section::All {
        return all(arguments).await;
    }
    let limit = limit(arguments.section, arguments);
    let work = section(arguments.section, scratch.path(), arguments);
    tokio::time::timeout(limit, work)
        .await
        .with_context(|| format!("{}: not done after {} s", arguments.section, limit.as_secs()))?
}

async fn section(section: Section, scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    match section {
        Section::All => Ok(()),
        Section::Frames => scenario::frames::run(scratch, arguments).await,
        Section::Events => scenario::events::run(scratch, arguments).await,
        Section::Replay => scenario::replay::run(scratch, arguments).await,
        Section::Open => scenario::open::run(scratch, arguments).await,
        Section::Memory => scenario::memory::run(scratch, arguments).await,
    }
}

/// The longest that a section may take before it is broken off, so that a run of all of them ends.
fn limit(section: Section, arguments: &Arguments) -> Duration {
    let measured = match section {
        Section::All => 0,
        Section::Frames => 16,
        Section::Events => 32,
        Section::Replay | Section::Open | Section::Memory => 4,
    };
    Duration::from_secs_f64(arguments.seconds * f64::from(measured)) + Duration::from_secs(arguments.patience)
}

/// The longest that a run of everything may take at the default seconds; what does not fit is broken off, and said.
const WHOLE_RUN: Duration = Duration::from_secs(12 * 60);

/// Each section in a process of its own: memory that one has used does not show in the next, and one that fails does not end the others.
async fn all(arguments: &Arguments) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    let longer = (arguments.seconds / arguments::DEFAULT_SECONDS).max(1.0);
    let deadline = Instant::now() + WHOLE_RUN.mul_f64(longer);
    for section in [Section::Frames, Section::Events, Section::Replay, Section::Open, Section::Memory] {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(arguments.of_part(section));
        let mut process = Process::inheriting(&section.to_string(), &mut command)?;
        let limit = limit(section, arguments).min(deadline.saturating_duration_since(Instant::now()));
        let ended = process.ended(limit).await;
        // Ending a section that is late ends its servers too.
        drop(process);
        if !ended.is_ok_and(|status| status.success()) {
            println!("\n**{section}: FAILED**, see the error output.");
            failed.push(section.to_string());
        }
    }
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
