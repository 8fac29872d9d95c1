//! Where an import goes: straight into a log, or over HTTP to a server.

use std::sync::Arc;

use eventlog::frames::Reading;
use eventlog::{AppendCondition, AppendError, BoxFuture, Direction, EventLog, Filter, NewEvent, ReadError};
use projections::{SealError, seal};

use super::plan::ImportEvent;
use crate::ingest::{Ingest, IngestError};

/// How often an append is tried again when somebody else appended one of its events in between.
const MAX_RACES: usize = 8;

/// What became of a batch of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsOutcome {
    /// Events that were written now.
    pub added: u64,
    /// Events that had been written before with the same content.
    pub known: u64,
    /// Events that were not taken.
    pub refused: Vec<Refusal>,
}

/// An event that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its index in the batch.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// What became of a batch of readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadingsOutcome {
    /// Readings that were written now.
    pub added: u64,
    /// Readings that had been written before.
    pub known: u64,
    /// Readings that were written although another value was known for the same signal, time and sequence.
    pub conflicting: u64,
}

/// Takes batches. When a call answers `Ok`, what it took is durable. A call that is repeated, also in batches that begin and end elsewhere,
/// adds nothing: an event is known by its id, a reading by signal, time and sequence.
pub trait ImportSink: Send {
    /// Takes events, in their order. An event whose id is known with other content is refused; the others are taken.
    fn events(&mut self, events: Vec<ImportEvent>) -> BoxFuture<'_, Result<EventsOutcome, SinkError>>;

    /// Takes readings of a source.
    fn readings<'a>(
        &'a mut self,
        source: &'a str,
        readings: Vec<Reading>,
    ) -> BoxFuture<'a, Result<ReadingsOutcome, SinkError>>;
}

/// Why a sink does not go on. What it took before is durable, and the import can be run again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The log did not take the events.
    #[error("the events were not appended")]
    Append(#[from] AppendError),
    /// The log could not be asked.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The readings were not taken.
    #[error("the readings were not taken")]
    Ingest(#[from] IngestError),
    /// Another kind of sink failed, for example an HTTP request.
    #[error("the batch was not taken: {0}")]
    Other(String),
}

/// Writes into a log of this process.
pub struct LogSink {
    log: Arc<dyn EventLog>,
    ingest: Ingest,
}

impl LogSink {
    /// A sink over a log, and over the ingest of the same log for readings.
    pub fn new(log: Arc<dyn EventLog>, ingest: Ingest) -> Self {
        Self { log, ingest }
    }

    async fn append(&self, events: Vec<ImportEvent>) -> Result<EventsOutcome, SinkError> {
        let mut outcome = EventsOutcome::default();
        let mut waiting = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            match seal_event(&event) {
                Ok(sealed) => waiting.push((index, sealed)),
                Err(error) => outcome.refused.push(Refusal { index, reason: error.to_string() }),
            }
        }
        let mut races = 0;
        while races < MAX_RACES {
            // Invariant: an append never names a known id, since the log refuses a batch of which only a part is known.
            waiting = self.unknown(waiting, &mut outcome).await?;
            if waiting.is_empty() {
                return Ok(outcome);
            }
            let batch: Vec<NewEvent> = waiting.iter().map(|(_, event)| event.clone()).collect();
            match self.log.append(AppendCondition::none(), batch).await {
                Ok(_appended) => {
                    outcome.added += waiting.len() as u64;
                    return Ok(outcome);
                }
                Err(AppendError::IdConflict { position: Some(_), .. }) => races += 1,
                Err(error @ AppendError::Erased { id, .. }) => {
                    refuse(&mut waiting, &mut outcome, |event| event.id == id, &error.to_string());
                }
                Err(AppendError::Invalid { id, reason }) => {
                    refuse(&mut waiting, &mut outcome, |event| event.id == id, &reason);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(SinkError::Other("other writers append the same events again and again".to_owned()))
    }

    /// Leaves only events that the log does not know.
    async fn unknown(
        &self,
        waiting: Vec<(usize, NewEvent)>,
        outcome: &mut EventsOutcome,
    ) -> Result<Vec<(usize, NewEvent)>, SinkError> {
        let mut unknown = Vec::with_capacity(waiting.len());
        for (index, event) in waiting {
            let Some(position) = self.log.position_of(event.id).await? else {
                unknown.push((index, event));
                continue;
            };
            let records = self.log.read(position, Direction::Forward, Filter::all(), 1).await?;
            if records.first().is_some_and(|record| record.is(&event)) {
                outcome.known += 1;
            } else {
                let reason = format!(
                    "event {} is in the log with other content (position {position}): the row or the mapping has changed since it was imported",
                    event.external_id.as_deref().unwrap_or_default()
                );
                outcome.refused.push(Refusal { index, reason });
            }
        }
        Ok(unknown)
    }
}

fn seal_event(event: &ImportEvent) -> Result<NewEvent, SealError> {
    seal(&event.event, event.meta.clone())
}

fn refuse(
    waiting: &mut Vec<(usize, NewEvent)>,
    outcome: &mut EventsOutcome,
    which: impl Fn(&NewEvent) -> bool,
    reason: &str,
) {
    waiting.retain(|(index, event)| {
        let refused = which(event);
        if refused {
            outcome.refused.push(Refusal { index: *index, reason: reason.to_owned() });
        }
        !refused
    });
}

impl ImportSink for LogSink {
    fn events(&mut self, events: Vec<ImportEvent>) -> BoxFuture<'_, Result<EventsOutcome, SinkError>> {
        Box::pin(self.append(events))
    }

    fn readings<'a>(
        &'a mut self,
        source: &'a str,
        readings: Vec<Reading>,
    ) -> BoxFuture<'a, Result<ReadingsOutcome, SinkError>> {
        Box::pin(async move {
            let receipt = self.ingest.readings(source, readings).await?;
            Ok(ReadingsOutcome { added: receipt.accepted, known: receipt.duplicates, conflicting: receipt.conflicts })
        })
    }
}
