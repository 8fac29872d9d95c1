//! Readings: the codec alone, pre-encoded frames beside the bare loop, and everything from readings to the disk beside the peers.

use std::path::Path;
use std::time::{Duration, Instant};

use eventlog::frames::{self, Encoded};
use jiff::Timestamp;

use crate::arguments::Arguments;
use crate::bare::{Bare, Preparation, Written};
use crate::measure::{Measured, Writer as _, measure, thread_time};
use crate::ours::{self, EncodedWriter, ReadingsWriter};
use crate::peers::influx::{self, Influx};
use crate::peers::victoria::{self, Victoria};
use crate::signals::{FRAME, Signals};
use crate::table::{Comparison, Table, millions};

/// Slices of what is measured in turn, so that a moment in which the disk is slow hits all alike.
const ROUNDS: u32 = 4;

/// Appends that show what an append writes.
const SAMPLE: u64 = 100;

/// Runs the section.
///
/// # Errors
/// When ours fails; peers that fail are said aloud.
pub async fn run(scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    println!("\n- {}\n- {}", influx::version(), victoria::version());
    codec(arguments.seconds / 2.0).await?;
    let mut comparison = Comparison::new();
    encoded(scratch, arguments.seconds, &mut comparison).await?;
    for writers in [1, 2, 4] {
        let folder = scratch.join(format!("readings-{writers}"));
        let log = ours::open(&folder).await?;
        let (_, measured) = measure(ReadingsWriter::many(&log, writers)?, FRAME, arguments.seconds).await?;
        ours::close(log).await?;
        std::fs::remove_dir_all(&folder)?;
        let what = "ours: sort, encode, digest, append";
        comparison.add(&end_to_end(writers), what, ours::DURABILITY, measured);
    }
    if arguments.wants("influx") {
        let result = influx_rows(scratch, arguments.seconds, &mut comparison).await;
        comparison.attempt("InfluxDB", result);
    }
    if arguments.wants("victoria") {
        let result = victoria_rows(scratch, arguments.seconds, &mut comparison).await;
        comparison.attempt("VictoriaMetrics", result);
    }
    comparison.print("Readings, 20,000 a call (2,000 signals × 10)", "readings");
    Ok(())
}

fn end_to_end(writers: u64) -> String {
    format!("from readings, {writers} writer{}", if writers == 1 { "" } else { "s" })
}

/// Work that was repeated: readings, and the time that it took on the wall and on the processor.
#[derive(Default)]
struct Repeated {
    readings: u64,
    wall: Duration,
    processor: Duration,
}

impl Repeated {
    /// Repeats work on fresh inputs for a while, counting only the work.
    fn work<I, O>(
        seconds: f64,
        mut input: impl FnMut() -> I,
        mut work: impl FnMut(I) -> anyhow::Result<O>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        while all.wall < Duration::from_secs_f64(seconds) {
            let given = input();
            let (start, used) = (Instant::now(), thread_time());
            let made = work(given)?;
            all.processor += thread_time() - used;
            all.wall += start.elapsed();
            all.readings += FRAME;
            drop(std::hint::black_box(made));
        }
        Ok(all)
    }

    fn row(&self, what: &str) -> [String; 3] {
        let rate = |time: Duration| millions(self.readings as f64 / time.as_secs_f64());
        [what.to_owned(), rate(self.wall), rate(self.processor)]
    }

    /// The time of the digest taken away, which is a part of the work.
    fn without(&self, digest: &Self) -> Self {
        let share = self.readings as f64 / digest.readings as f64;
        Self {
            readings: self.readings,
            wall: self.wall.saturating_sub(digest.wall.mul_f64(share)),
            processor: self.processor.saturating_sub(digest.processor.mul_f64(share)),
        }
    }
}

/// The codec on one thread.
async fn codec(seconds: f64) -> anyhow::Result<()> {
    let work = move || {
        let mut signals = Signals::new(0, Timestamp::now());
        let sample: Encoded = frames::encode(signals.next_frame())?;
        let encoding = Repeated::work(seconds, || signals.next_frame(), |readings| Ok(frames::encode(readings)?))?;
        let digest = Repeated::work(seconds / 2.0, || (), |()| Ok(frames::digest(&sample.frame)))?;
        let decoding = Repeated::work(seconds / 2.0, || (), |()| Ok(frames::decode(&sample.bytes)?))?;
        anyhow::ensure!(frames::decode(&sample.bytes)? == sample.frame, "a frame is not decoded to what was encoded");
        anyhow::Ok((encoding, digest, decoding, sample.bytes.len()))
    };
    let (encoding, digest, decoding, bytes) = tokio::task::spawn_blocking(work).await??;
    let table = Table::new(
        "Frames: the codec on one thread, 2,000 signals × 10",
        &["what", "readings/s", "readings a second of processor time"],
    );
    table.row(&encoding.row("in order of arrival → sorted, encoded, with digest"));
    table.row(&digest.row("the digest alone (SHA-256 of the canonical columns)"));
    table.row(&encoding.without(&digest).row("sorted and encoded, the digest's time taken away"));
    table.row(&decoding.row("decoded, checksums of all columns checked"));
    println!("\n{:.2} bytes a reading (raw: 20).", bytes as f64 / FRAME as f64);
    Ok(())
}

/// Frames that were encoded before, beside the bare loop in turn.
async fn encoded(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let written = sample(&scratch.join("frames-sample")).await?;
    let slice = seconds / f64::from(ROUNDS);
    let folder = scratch.join("frames-bare");
    let bare = |preparation| {
        let folder = folder.join(format!("{preparation:?}"));
        tokio::task::spawn_blocking(move || Bare::new(&folder, preparation))
    };
    let (mut allocated, mut zeroed) = (bare(Preparation::Allocated).await??, bare(Preparation::Zeroed).await??);
    let logs = scratch.join("frames-encoded");
    let log = ours::open(&logs).await?;
    let (mut one, mut two) = (EncodedWriter::many(&log, 1)?, EncodedWriter::many(&log, 2)?);
    let mut sums = [Measured::default(), Measured::default(), Measured::default(), Measured::default()];
    for _ in 0..ROUNDS {
        let measured;
        (one, measured) = measure(one, FRAME, slice).await?;
        let again;
        (two, again) = measure(two, FRAME, slice).await?;
        let parts = [
            measured,
            tokio::task::block_in_place(|| allocated.run(&written, FRAME, slice))?,
            tokio::task::block_in_place(|| zeroed.run(&written, FRAME, slice))?,
            again,
        ];
        sums = std::array::from_fn(|index| {
            let sum = sums.get(index).cloned().unwrap_or_default();
            sum.and(parts.get(index).cloned().unwrap_or_default())
        });
    }
    drop((one, two));
    ours::close(log).await?;
    std::fs::remove_dir_all(&logs)?;
    std::fs::remove_dir_all(&folder)?;
    let [ours, allocated, zeroed, two] = sums;
    let group = format!("encoded before, {} KB a call", written.each() / 1000);
    let (fresh, over) = ("bare loop, preallocated file", "bare loop, over zeros written before");
    let group_of_two = format!("{group}, 2 writers");
    comparison.add(&group, "ours, 1 writer", ours::DURABILITY, ours);
    comparison.add(&group, fresh, "yes: fdatasync each", allocated.clone());
    comparison.add(&group, over, "yes: fdatasync each", zeroed.clone());
    comparison.add(&group_of_two, "ours, 2 writers", ours::DURABILITY, two);
    comparison.add(&group_of_two, fresh, "yes: fdatasync each", allocated);
    comparison.add(&group_of_two, over, "yes: fdatasync each", zeroed);
    Ok(())
}

/// What an append of a frame writes.
async fn sample(folder: &Path) -> anyhow::Result<Written> {
    let log = ours::open(folder).await?;
    for writer in &mut EncodedWriter::many(&log, 1)? {
        for _ in 0..SAMPLE {
            writer.write().await?;
        }
    }
    ours::close(log).await?;
    let written = Written::of(folder, SAMPLE)?;
    std::fs::remove_dir_all(folder)?;
    Ok(written)
}

async fn influx_rows(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let mut influx = Influx::start(scratch).await?;
    let mut counted = 0;
    for writers in [1, 4] {
        let measured = influx.run(writers, seconds).await?;
        counted += measured.units;
        comparison.add(&end_to_end(writers), "InfluxDB, line protocol", influx::DURABILITY, measured);
    }
    influx.check(counted).await?;
    Ok(())
}

async fn victoria_rows(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let mut victoria = Victoria::start(scratch).await?;
    for writers in [1, 4] {
        let measured = victoria.run(writers, seconds).await?;
        comparison.add(&end_to_end(writers), "VictoriaMetrics, line protocol", victoria::DURABILITY, measured);
    }
    Ok(())
}
