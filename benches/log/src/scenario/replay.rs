//! Reading everything again from the page cache, as a rebuild of the read models does.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::embedded::{EmbeddedLog, verify};
use eventlog::{Direction, EventLog as _, Filter, MAX_PAGE, Position, Record, frames};
use futures::StreamExt as _;
use umadb_dcb::DcbEventStoreSync as _;

use super::filling::fill;
use crate::arguments::Arguments;
use crate::measure::processor_time;
use crate::ours::{self, EventWriter, ReadingsWriter};
use crate::peers::umadb::{Uma, Way};
use crate::signals::FRAME;
use crate::table::{Table, count, millions};

/// Each is read so often, and the fastest counts: the first reading may come from the disk.
const ROUNDS: u32 = 3;

/// Records of a page when frames are read: a page of them is large.
const FRAMES_PAGE: usize = 32;

/// What a reading took.
struct Pass {
    units: u64,
    wall: Duration,
    processor: Duration,
}

impl Pass {
    fn cells(&self, what: &str, unit: &str) -> [String; 4] {
        let rate = |time: Duration| self.units as f64 / time.as_secs_f64();
        let text = |rate: f64| if unit == "readings" { millions(rate) } else { count(rate) };
        [what.to_owned(), unit.to_owned(), text(rate(self.wall)), text(rate(self.processor))]
    }
}

/// Runs the section.
///
/// # Errors
/// When ours fails; the peer that fails is said aloud.
pub async fn run(scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let limit = Duration::from_secs(arguments.patience / 3);
    let folder = scratch.join("events");
    let log = ours::open(&folder).await?;
    fill(&log, EventWriter::many(&log, 4, 1_000)?, arguments.replay_events, limit).await?;
    let title = format!("Replay from the page cache ({} events of 250 bytes)", count(log.tail().get() as f64));
    let table = Table::new(&title, &["what", "unit", "a second", "a second of processor time"]);

    let paged = best(async || pages(&log, MAX_PAGE, |record| Ok(u64::from(!record.payload.is_empty()))).await).await?;
    table.row(&paged.cells("events: `read`, pages of 10,000", "events"));
    let followed = best(async || follow(&log).await).await?;
    table.row(&followed.cells("events: `subscribe` from the start to the tail", "events"));
    ours::close(log).await?;
    let verified = verified(&folder).await?;
    table.row(&verified.cells("events: `verify`, every checksum, digest and leaf", "events"));
    std::fs::remove_dir_all(&folder)?;

    let folder = scratch.join("readings");
    let log = ours::open(&folder).await?;
    fill(&log, ReadingsWriter::many(&log, 2)?, arguments.replay_readings.div_ceil(FRAME), limit).await?;
    let decoded =
        best(async || {
            // As the read models decode them: one decoder for all frames.
            let mut decoder = frames::Decoder::default();
            pages(&log, FRAMES_PAGE, |record| Ok(decoder.decode(&record.payload)?.len() as u64)).await
        })
            .await?;
    table.row(&decoded.cells("readings: `read` and decode, all checksums checked", "readings"));
    ours::close(log).await?;
    std::fs::remove_dir_all(&folder)?;

    if arguments.wants("umadb") {
        match umadb(&scratch.join("umadb"), arguments).await {
            Ok(pass) => table.row(&pass.cells("UmaDB, events: `read`, pages of 10,000", "events")),
            Err(error) => println!("\n- SKIPPED UmaDB: {error:#}"),
        }
    }
    Ok(())
}

async fn best(mut pass: impl AsyncFnMut() -> anyhow::Result<Pass>) -> anyhow::Result<Pass> {
    let mut best = pass().await?;
    for _ in 1..ROUNDS {
        let next = pass().await?;
        if next.wall < best.wall {
            best = next;
        }
    }
    anyhow::ensure!(best.units > 0, "nothing was read");
    Ok(best)
}

/// Reads page by page; the records are looked at between the pages, so that one thread works at a time.
async fn pages(
    log: &Arc<EmbeddedLog>,
    page: usize,
    mut units_of: impl FnMut(&Record) -> anyhow::Result<u64>,
) -> anyhow::Result<Pass> {
    let (start, used) = (Instant::now(), processor_time());
    let (mut from, mut units) = (Position::START, 0);
    loop {
        let records = log.read(from, Direction::Forward, Filter::all(), page).await?;
        let Some(last) = records.last() else { break };
        from = last.position.next();
        for record in &records {
            units += units_of(record)?;
        }
    }
    anyhow::ensure!(from == log.tail(), "read to {from} of {}", log.tail());
    Ok(Pass { units, wall: start.elapsed(), processor: processor_time() - used })
}

async fn follow(log: &Arc<EmbeddedLog>) -> anyhow::Result<Pass> {
    let (start, used) = (Instant::now(), processor_time());
    let tail = log.tail();
    let mut records = log.subscribe(Position::START, Filter::all());
    let mut units = 0;
    while units < tail.get() {
        let record = records.next().await.ok_or_else(|| anyhow::anyhow!("the subscription ended"))??;
        anyhow::ensure!(record.position.get() == units, "{} came after {units} records", record.position);
        units += 1;
    }
    Ok(Pass { units, wall: start.elapsed(), processor: processor_time() - used })
}

async fn verified(folder: &Path) -> anyhow::Result<Pass> {
    let folder = folder.to_owned();
    let (start, used) = (Instant::now(), processor_time());
    let report = tokio::task::spawn_blocking(move || verify(&folder)).await??;
    Ok(Pass { units: report.records, wall: start.elapsed(), processor: processor_time() - used })
}

/// The peer with a store in the same process: fewer events, as it stores them more slowly.
async fn umadb(folder: &Path, arguments: &Arguments) -> anyhow::Result<Pass> {
    let uma = Uma::start(folder, Way::Blocking).await?;
    uma.run(4, 1_000, arguments.seconds.max(1.0)).await?;
    let store = uma.store();
    let read = move || {
        let (start, used) = (Instant::now(), processor_time());
        let (mut from, mut units) = (1, 0);
        loop {
            let mut last = None;
            for event in store.read(None, Some(from), false, Some(u32::try_from(MAX_PAGE)?))? {
                let event = event?;
                anyhow::ensure!(!event.event.data.is_empty(), "an event without data");
                last = Some(event.position);
                units += 1;
            }
            let Some(last) = last else { break };
            from = last + 1;
        }
        anyhow::Ok(Pass { units, wall: start.elapsed(), processor: processor_time() - used })
    };
    let read = Arc::new(read);
    let pass = best(async || {
        let read = Arc::clone(&read);
        tokio::task::spawn_blocking(move || read()).await?
    })
    .await?;
    drop(read);
    uma.stop().await?;
    Ok(pass)
}
