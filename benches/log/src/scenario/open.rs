//! Opening a long log: with its indexes, with nothing in the page cache, and with all indexes to be built anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eventlog::EventLog as _;
use rustix::fs::{Advice, fadvise};

use super::filling::fill;
use crate::arguments::Arguments;
use crate::measure::processor_time;
use crate::ours::{self, EventWriter};
use crate::table::{Table, count};

/// Runs the section.
///
/// # Errors
/// When the log does not open, or does not hold what it held.
pub async fn run(scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let folder = scratch.join("long");
    let log = ours::open(&folder).await?;
    let limit = Duration::from_secs(arguments.patience * 3 / 5);
    let writers = EventWriter::many(&log, 4, 1_000)?;
    let filled = fill(&log, writers, arguments.records, limit).await?;
    let records = log.tail().get();
    ours::close(log).await?;
    let bytes: u64 =
        files(&folder, "segment")?.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    let title = format!(
        "Opening a log of {} records ({:.1} GB, filled in {:.0} s)",
        count(records as f64),
        bytes as f64 / 1e9,
        filled.as_secs_f64()
    );
    let table = Table::new(&title, &["what", "seconds", "processor seconds", "records/s"]);
    let row = |what: &str, opened: &Opened, rate: bool| {
        let rate = if rate { count(records as f64 / opened.wall.as_secs_f64()) } else { String::new() };
        let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
        table.row(&[what.to_owned(), seconds(opened.wall), seconds(opened.processor), rate]);
    };

    let opened = open(&folder, records).await?;
    row(&format!("open, indexes there ({} segments)", opened.segments), &opened, false);
    anyhow::ensure!(opened.rebuilt == 0, "{} indexes were missing", opened.rebuilt);
    for file in all_files(&folder)? {
        // What is synced can leave the page cache; what the disk itself keeps in memory stays there.
        fadvise(File::open(&file)?, 0, None, Advice::DontNeed)?;
    }
    let opened = open(&folder, records).await?;
    row("the same, nothing of it in the page cache", &opened, false);
    let indexes = files(&folder, "index")?;
    for index in &indexes {
        std::fs::remove_file(index)?;
    }
    let opened = open(&folder, records).await?;
    row(&format!("open, {} indexes deleted and built anew", opened.rebuilt), &opened, true);
    anyhow::ensure!(opened.rebuilt == indexes.len(), "{} of {} were built anew", opened.rebuilt, indexes.len());
    if records < arguments.records {
        println!("\n- The log was to have {} records; the time for filling it was over before.", arguments.records);
    }
    Ok(())
}

struct Opened {
    wall: Duration,
    processor: Duration,
    segments: usize,
    rebuilt: usize,
}

async fn open(folder: &Path, records: u64) -> anyhow::Result<Opened> {
    let (start, used) = (Instant::now(), processor_time());
    let log = ours::open(folder).await?;
    let (wall, processor) = (start.elapsed(), processor_time() - used);
    anyhow::ensure!(log.tail().get() == records, "{} of {records} records", log.tail());
    let report = log.report().clone();
    ours::close(log).await?;
    Ok(Opened { wall, processor, segments: report.segments, rebuilt: report.indexes_rebuilt })
}

fn all_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let paths: Vec<PathBuf> = paths.collect::<anyhow::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_file()).collect())
}

fn files(folder: &Path, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    Ok(all_files(folder)?.into_iter().filter(|path| path.extension().is_some_and(|found| found == kind)).collect())
}
