//! What a retention class of the configuration keeps, and for how long: payloads that are older are dropped, their leaves and proofs stay.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Context;
use domain::Event;
use domain::events::{HoldScope, PositionRange, RetentionApplied};
use domain::ids::Code;
use eventlog::{AppendCondition, AppendError, Direction, EventLog, Filter, PayloadState, Position};
use jiff::{SignedDuration, Timestamp};
use projections::retention::{EXPIRING_TYPES, Newest, RetentionClass, plan, unsettling};
use projections::{Meta, seal};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Engine;

/// How often a server looks for what has expired.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// The longest time that payloads may be kept by a class, in days: a thousand years.
const MAX_KEEP_DAYS: u32 = 365_000;

/// Payloads that are kept for a time only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// The name of the class: the log says under it what expired.
    pub class: Code,
    /// The types of events that it is about in streams that have no class of their own; empty for a class that streams alone are put in.
    #[serde(default = "readings")]
    pub types: Vec<String>,
    /// For how many days, counted from the record time, payloads are kept.
    pub keep_days: u32,
}

fn readings() -> Vec<String> {
    vec![projections::READINGS_TYPE.to_owned()]
}

impl RetentionConfig {
    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// The field and the reason.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MAX_KEEP_DAYS).contains(&self.keep_days) {
            return Err(format!("retention.keep_days of {} must be from 1 to {MAX_KEEP_DAYS}", self.class));
        }
        match self.types.iter().find(|name| !EXPIRING_TYPES.contains(&name.as_str())) {
            Some(unknown) => Err(format!(
                "retention.types of {}: payloads of {unknown:?} do not expire, only those of {}",
                self.class,
                EXPIRING_TYPES.join(", ")
            )),
            None => Ok(()),
        }
    }
}

/// What expired in one run, or would.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Expired {
    /// How many records lost their payload.
    pub records: u64,
    /// How many of them are frames.
    pub frames: u64,
    /// How many readings these held.
    pub readings: u64,
    /// The positions of the events that say so; none for a run that only looks.
    pub positions: Vec<u64>,
}

/// Lets expire what the configuration says, or only counts it. The event that says what expires, and carries over what read models know of it, is durable and folded
/// before a payload is dropped. What a legal hold is about stays, also one that is placed while this runs.
///
/// # Errors
/// When the log or a read model fails; it can be done again.
pub async fn expire(engine: &Engine, actor: &str, now: Timestamp, dry_run: bool) -> anyhow::Result<Expired> {
    let mut expired = Expired::default();
    let _one_at_a_time = engine.retention_runs.lock().await;
    for config in &engine.retention {
        let class = RetentionClass { class: config.class.clone(), types: config.types.clone() };
        let before = now
            .checked_sub(SignedDuration::from_hours(24 * i64::from(config.keep_days)))
            .with_context(|| format!("class {}: the time before which payloads expire", config.class))?;
        engine.settle().await?;
        // Ordering: the tail before the holds and the classes of streams are read, so that what is placed or set later refuses the event below.
        let known_to = engine.log.tail().previous();
        let holds: Vec<HoldScope> =
            engine.read.privacy.read(|privacy, _| privacy.lasting().map(|hold| hold.scope.clone()).collect());
        let newest = engine.read.latest.read(|latest, _| Newest::of(latest));
        let stored = engine.encrypted.stored();
        for event in plan(stored.as_ref(), &class, before, &holds, &newest).await? {
            expired.records += event.records;
            expired.frames += event.frames;
            expired.readings += event.readings;
            if !dry_run {
                let position = apply(engine, event, actor, now, known_to).await?;
                expired.positions.push(position.get());
            }
        }
    }
    Ok(expired)
}

async fn apply(
    engine: &Engine,
    event: RetentionApplied,
    actor: &str,
    now: Timestamp,
    known_to: Option<Position>,
) -> anyhow::Result<Position> {
    let ranges = positions(&event.ranges);
    let sealed = seal(&Event::from(event), Meta::own(actor, Some(now)))?;
    let settled = (unsettling(), known_to);
    let condition = AppendCondition { streams: Vec::new(), no_match_after: Some(settled) };
    let appended = match engine.log.append(condition, vec![sealed]).await {
        Err(AppendError::QueryMatched { position }) => {
            anyhow::bail!(
                "a legal hold was placed or the class of a stream was set meanwhile (position {position}); nothing more expires in this run"
            )
        }
        appended => appended?,
    };
    // Ordering: every read model has taken over what the event carries, and has written so, before the payload goes.
    engine.settle().await?;
    engine.projections.flush().await.context("writing the read models down")?;
    engine.embedded.drop_payloads(&ranges).await?;
    Ok(appended.last)
}

fn positions(ranges: &[PositionRange]) -> Vec<RangeInclusive<Position>> {
    ranges.iter().map(|range| Position::new(range.first)..=Position::new(range.last)).collect()
}

/// Drops again what events of the log say was dropped and is still there: a crash came between, or the log came back from an older backup. Answers how many events had to be
/// carried out again.
///
/// # Errors
/// When the log cannot be read or written.
pub async fn resume(engine: &Engine) -> anyhow::Result<usize> {
    engine.settle().await?;
    let logged: Vec<Vec<PositionRange>> =
        engine.read.privacy.read(|privacy, _| privacy.expiries().iter().map(|expiry| expiry.ranges.clone()).collect());
    let mut resumed = 0;
    for ranges in logged {
        let Some(last) = ranges.last().map(|range| Position::new(range.last)) else { continue };
        // Segments are written anew in order, and the last position goes last.
        let page = engine.embedded.read(last, Direction::Forward, Filter::all(), 1).await?;
        if page.first().is_some_and(|record| record.payload_state == PayloadState::Present) {
            engine.embedded.drop_payloads(&positions(&ranges)).await?;
            resumed += 1;
        }
    }
    Ok(resumed)
}

/// Once a day lets expire what has to, until the server stops.
pub async fn run_daily(engine: std::sync::Arc<Engine>, stop: CancellationToken) {
    match resume(&engine).await {
        Ok(0) => {}
        Ok(events) => tracing::warn!(events, "payloads that the log says are dropped were there and have been dropped"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "what has expired could not be dropped"),
    }
    if engine.retention.is_empty() {
        return;
    }
    let mut days = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = days.tick() => {}
        }
        match expire(&engine, "retention", Timestamp::now(), false).await {
            Ok(Expired { records: 0, .. }) => {}
            Ok(expired) => {
                tracing::info!(records = expired.records, readings = expired.readings, "payloads have expired")
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the run of retention failed; the next one is in a day")
            }
        }
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
