//! Which readings are new, which are known, and which contradict: a function of the readings and of what is stored.

use std::sync::Arc;

use domain::ids::SignalId;
use eventlog::StreamId;
use eventlog::frames::{Reading, StatusCode, Value};

use super::{IngestError, MAX_BATCH_READINGS, MAX_TEXT_BYTES};

/// A reading on its way through a round.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Which frame group (actor and source) it belongs to, in the order in which frames will be appended.
    pub(super) group: usize,
    /// Which call brought it.
    pub(super) call: usize,
    pub(super) reading: Reading,
    pub(super) verdict: Verdict,
}

/// What becomes of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its identity was not known.
    New,
    /// Its identity was known with the same value and status.
    Duplicate,
    /// Its identity was known with other values or statuses only.
    Conflict,
}

/// A value and its quality: what two readings of one identity must share to be the same.
pub(super) type Content = (Value, StatusCode);

/// Finds what the log holds under an identity.
pub(super) trait Stored {
    type Error;

    fn contents(&mut self, signal: &Arc<str>, time_ns: i64, sequence: Option<u64>)
    -> Result<Vec<Content>, Self::Error>;
}

/// Nanoseconds since 1970. Readings whose time does not fit were refused before.
pub(super) fn time_ns(reading: &Reading) -> i64 {
    i64::try_from(reading.time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Sorts the items by identity (within one by frame, then arrival) and gives each its verdict.
pub(super) fn screen<S: Stored>(items: &mut [Item], stored: &mut S) -> Result<(), S::Error> {
    items.sort_by(|one, other| {
        one.reading
            .signal
            .cmp(&other.reading.signal)
            .then_with(|| one.reading.time.cmp(&other.reading.time))
            .then_with(|| one.reading.sequence.cmp(&other.reading.sequence))
            .then_with(|| one.group.cmp(&other.group))
    });
    let same_identity = |one: &Item, other: &Item| {
        one.reading.time == other.reading.time
            && one.reading.sequence == other.reading.sequence
            && one.reading.signal == other.reading.signal
    };
    for run in items.chunk_by_mut(same_identity) {
        let Some(first) = run.first() else { continue };
        let mut known = stored.contents(&first.reading.signal, time_ns(&first.reading), first.reading.sequence)?;
        for item in run {
            let content = (item.reading.value.clone(), item.reading.status);
            item.verdict = if known.iter().any(|earlier| same(earlier, &content)) {
                Verdict::Duplicate
            } else if known.is_empty() {
                Verdict::New
            } else {
                Verdict::Conflict
            };
            if item.verdict != Verdict::Duplicate {
                known.push(content);
            }
        }
    }
    Ok(())
}

/// Numbers are compared bit by bit, so that NaN equals itself and the two zeros differ, as in the log.
fn same(one: &Content, other: &Content) -> bool {
    one.1 == other.1
        && match (&one.0, &other.0) {
            (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
            (one, other) => one == other,
        }
}

/// Refuses what no frame can hold, before it is queued.
pub(super) fn check_batch(source: &str, readings: &[Reading]) -> Result<(), IngestError> {
    if readings.is_empty() {
        return Err(IngestError::Empty { what: "reading" });
    }
    if readings.len() > MAX_BATCH_READINGS {
        return Err(IngestError::TooLarge {
            what: "the number of readings",
            actual: readings.len(),
            limit: MAX_BATCH_READINGS,
        });
    }
    StreamId::of("readings", source).map_err(|error| IngestError::Invalid {
        index: 0,
        field: "source",
        reason: error.to_string(),
    })?;
    let mut checked: Option<&Arc<str>> = None;
    for (index, reading) in readings.iter().enumerate() {
        let invalid = |field, reason: String| IngestError::Invalid { index, field, reason };
        if checked != Some(&reading.signal) {
            SignalId::new(&reading.signal).map_err(|error| invalid("signal", error.to_string()))?;
            checked = Some(&reading.signal);
        }
        if i64::try_from(reading.time.as_nanosecond()).is_err() {
            return Err(invalid("time", format!("{} is not within the years 1678 to 2262", reading.time)));
        }
        if let Value::Text(text) = &reading.value
            && text.len() > MAX_TEXT_BYTES
        {
            return Err(invalid("value", format!("a text of {} bytes, the limit is {MAX_TEXT_BYTES}", text.len())));
        }
    }
    Ok(())
}
