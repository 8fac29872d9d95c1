//! Events of 250 bytes: the latency of one writer beside the bare loop, and many writers beside the peers.

use std::path::Path;

use crate::arguments::Arguments;
use crate::bare::{Bare, Preparation, Written};
use crate::events::{Events, PAYLOAD_BYTES};
use crate::measure::{Measured, Writer as _, measure};
use crate::ours::{self, EventWriter};
use crate::peers::nats::{self, Nats};
use crate::peers::postgres::{self, Postgres};
use crate::peers::umadb::{self, Uma, Way};
use crate::table::Comparison;

/// Slices of what is measured in turn.
const ROUNDS: u32 = 4;

/// Appends that show what an append writes.
const SAMPLE: u64 = 2_000;

/// Writers and events a call.
const SHAPES: [(u64, u64); 5] = [(1, 1), (64, 1), (512, 1), (64, 100), (4, 1_000)];

/// Runs the section.
///
/// # Errors
/// When ours fails; peers that fail are said aloud.
pub async fn run(scratch: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    println!("\n- {}\n- {}\n- {}", nats::version(), umadb::VERSION, postgres::version());
    for event in Events::new().take(100) {
        anyhow::ensure!(event.payload.len() == PAYLOAD_BYTES, "a payload of {} bytes", event.payload.len());
    }
    let mut comparison = Comparison::new();
    alone(scratch, arguments.seconds, &mut comparison).await?;
    for shape in SHAPES.into_iter().skip(1) {
        let folder = scratch.join("events");
        let log = ours::open(&folder).await?;
        let (_, measured) = measure(EventWriter::many(&log, shape.0, shape.1)?, shape.1, arguments.seconds).await?;
        ours::close(log).await?;
        std::fs::remove_dir_all(&folder)?;
        comparison.add(&group(shape), "ours", ours::DURABILITY, measured);
    }
    if arguments.wants("nats") {
        let result = nats_rows(scratch, arguments.seconds, &mut comparison).await;
        comparison.attempt("JetStream", result);
    }
    if arguments.wants("umadb") {
        for way in [Way::Blocking, Way::IoUring] {
            let result = umadb_rows(scratch, way, arguments.seconds, &mut comparison).await;
            comparison.attempt(&format!("UmaDB ({way:?})"), result);
        }
    }
    if arguments.wants("postgres") {
        let result = postgres_rows(scratch, arguments.seconds, &mut comparison).await;
        comparison.attempt("PostgreSQL", result);
    }
    comparison.print("Events of 250 bytes", "events");
    Ok(())
}

fn group((writers, per_call): (u64, u64)) -> String {
    let plural = |number: u64| if number == 1 { "" } else { "s" };
    format!("{writers} writer{}, {per_call} event{} a call", plural(writers), plural(per_call))
}

/// One writer beside the bare loop in turn.
async fn alone(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let written = sample(&scratch.join("events-sample")).await?;
    let slice = seconds / f64::from(ROUNDS);
    let folder = scratch.join("events-bare");
    let mut allocated = Bare::new(&folder.join("allocated"), Preparation::Allocated)?;
    let mut zeroed = Bare::new(&folder.join("zeroed"), Preparation::Zeroed)?;
    let logs = scratch.join("events-alone");
    let log = ours::open(&logs).await?;
    let mut one = EventWriter::many(&log, 1, 1)?;
    let (mut ours, mut fresh, mut over) = (Measured::default(), Measured::default(), Measured::default());
    for _ in 0..ROUNDS {
        let measured;
        (one, measured) = measure(one, 1, slice).await?;
        ours = ours.and(measured);
        fresh = fresh.and(tokio::task::block_in_place(|| allocated.run(&written, 1, slice))?);
        over = over.and(tokio::task::block_in_place(|| zeroed.run(&written, 1, slice))?);
    }
    drop(one);
    ours::close(log).await?;
    std::fs::remove_dir_all(&logs)?;
    std::fs::remove_dir_all(&folder)?;
    for (what, bare) in [("the preallocated file", &fresh), ("zeros written before", &over)] {
        if let (Some(ours), Some(bare)) = (ours.percentile(50), bare.percentile(50)) {
            let times = ours.as_secs_f64() / bare.as_secs_f64();
            comparison.note(format!("one writer's p50 is {times:.2} times that of the bare loop on {what}"));
        }
    }
    let group = group((1, 1));
    let bytes = written.each();
    comparison.add(&group, "ours", ours::DURABILITY, ours);
    comparison.add(&group, &format!("bare loop, preallocated file, {bytes} B"), "yes: fdatasync each", fresh);
    comparison.add(&group, &format!("bare loop, over zeros written before, {bytes} B"), "yes: fdatasync each", over);
    Ok(())
}

/// What an append of an event writes.
async fn sample(folder: &Path) -> anyhow::Result<Written> {
    let log = ours::open(folder).await?;
    for writer in &mut EventWriter::many(&log, 1, 1)? {
        for _ in 0..SAMPLE {
            writer.write().await?;
        }
    }
    ours::close(log).await?;
    let written = Written::of(folder, SAMPLE)?;
    std::fs::remove_dir_all(folder)?;
    Ok(written)
}

async fn nats_rows(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let nats = Nats::start(scratch).await?;
    let mut counted = 0;
    for shape in SHAPES {
        let what = if shape.1 == 1 { "JetStream, single publishes" } else { "JetStream, an atomic batch a call" };
        let measured = nats.run(shape.0, shape.1, seconds).await?;
        counted += measured.units;
        comparison.add(&group(shape), what, nats::DURABILITY, measured);
    }
    for shape in [(64, 1), (512, 1)] {
        for connections in [1, 4] {
            let measured = nats.run_gathered(shape.0, connections, seconds).await?;
            counted += measured.units;
            let what = format!("JetStream, gathered into atomic batches, {connections} in flight");
            comparison.add(&group(shape), &what, nats::DURABILITY, measured);
        }
    }
    nats.check(counted).await
}

async fn umadb_rows(scratch: &Path, way: Way, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let (what, shapes) = match way {
        Way::Blocking => ("UmaDB", &SHAPES[..]),
        Way::IoUring => ("UmaDB, pipelined over io_uring", &SHAPES[1..2]),
    };
    let uma = Uma::start(&scratch.join(format!("umadb-{way:?}")), way).await?;
    let mut counted = 0;
    for &shape in shapes {
        let measured = uma.run(shape.0, shape.1, seconds).await?;
        counted += measured.units;
        comparison.add(&group(shape), what, umadb::DURABILITY, measured);
    }
    uma.check(counted)?;
    uma.stop().await
}

async fn postgres_rows(scratch: &Path, seconds: f64, comparison: &mut Comparison) -> anyhow::Result<()> {
    let postgres = Postgres::start(scratch).await?;
    let mut counted = 0;
    // It allows 100 connections by default.
    for shape in SHAPES.into_iter().filter(|shape| shape.0 < 100) {
        let measured = postgres.run(shape.0, shape.1, seconds).await?;
        counted += measured.units;
        comparison.add(&group(shape), "PostgreSQL, a table of events", postgres::DURABILITY, measured);
    }
    postgres.check(counted).await
}
