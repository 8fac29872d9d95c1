//! Foreign events: idempotent, also when a redelivery is cut otherwise than the first delivery.
//!
//! A new event about a data subject that was erased is not taken. In its place goes a note that something came and was not kept, so that nothing is
//! dropped in silence and nothing personal comes back.

use std::collections::HashMap;
use std::sync::Arc;

use eventlog::{AppendCondition, AppendError, Appended, Direction, EventId, EventLog, Filter, NewEvent, Position, Tag};

use super::quarantine::{self, Quarantined};
use super::{EventsReceipt, IngestError, IngestStatistics};

pub(super) async fn append(
    log: &Arc<dyn EventLog>,
    statistics: &IngestStatistics,
    events: Vec<NewEvent>,
) -> Result<EventsReceipt, IngestError> {
    if events.is_empty() {
        return Err(IngestError::Empty { what: "event" });
    }
    let received = events.len() as u64;
    IngestStatistics::add(&statistics.events_received, received);
    let mut events = events;
    // Each turn puts a note in the place of one event, so that there are at most as many turns as events.
    loop {
        match append_known(log, statistics, events.clone(), received).await {
            Err(IngestError::Append(error)) => {
                let AppendError::Erased { id, subject } = &*error else { return Err(IngestError::Append(error)) };
                let Some(event) = events.iter_mut().find(|event| event.id == *id) else {
                    return Err(IngestError::Append(error));
                };
                *event = not_kept(event, subject)?;
            }
            settled => return settled,
        }
    }
}

/// The note in the place of an event that is not kept. It follows from the event's id, so that a redelivery is the same note.
fn not_kept(event: &NewEvent, subject: &Tag) -> Result<NewEvent, IngestError> {
    let (source, occurrence) = (event.source.as_deref().unwrap_or(&event.actor), event.id.to_string());
    quarantine::seal(&Quarantined {
        source,
        address: event.stream.as_str(),
        field: None,
        reason: &format!("{} about {subject}, which was erased: what it said is not kept", event.event_type),
        payload: &[],
        occurrence: Some(&occurrence),
    })
}

async fn append_known(
    log: &Arc<dyn EventLog>,
    statistics: &IngestStatistics,
    events: Vec<NewEvent>,
    received: u64,
) -> Result<EventsReceipt, IngestError> {
    // Most calls are entirely new or an exact repetition: one append settles both.
    let receipt = match log.append(AppendCondition::none(), events.clone()).await {
        Ok(appended) => EventsReceipt {
            position: appended.last,
            appended: if appended.repeated { 0 } else { received },
            repeated: if appended.repeated { received } else { 0 },
        },
        Err(AppendError::IdConflict { .. }) => append_unknown(log, events, received).await?,
        Err(other) => return Err(other.into()),
    };
    IngestStatistics::add(&statistics.events_appended, receipt.appended);
    IngestStatistics::add(&statistics.events_repeated, receipt.repeated);
    Ok(receipt)
}

pub(super) async fn append_one(log: &Arc<dyn EventLog>, event: NewEvent) -> Result<Appended, IngestError> {
    Ok(log.append(AppendCondition::none(), vec![event]).await?)
}

/// A part of the call is known. It must be known with the same content; the rest is appended in one piece. Another caller may append the same event in between:
/// then the next look finds it.
async fn append_unknown(
    log: &Arc<dyn EventLog>,
    mut events: Vec<NewEvent>,
    received: u64,
) -> Result<EventsReceipt, IngestError> {
    const TRIES: usize = 3;
    let mut last_conflict = None;
    for _ in 0..TRIES {
        let (unknown, known) = split(log, events).await?;
        let repeated = received - unknown.len() as u64;
        if unknown.is_empty() {
            return Ok(EventsReceipt { position: known.unwrap_or(Position::START), appended: 0, repeated });
        }
        match log.append(AppendCondition::none(), unknown.clone()).await {
            Ok(appended) => {
                let count = unknown.len() as u64;
                let (appended_now, repeated) = if appended.repeated { (0, received) } else { (count, repeated) };
                let position = known.map_or(appended.last, |known| known.max(appended.last));
                return Ok(EventsReceipt { position, appended: appended_now, repeated });
            }
            Err(AppendError::IdConflict { id, position, .. }) => {
                last_conflict = Some(IngestError::IdConflict { id, position });
                events = unknown;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Err(last_conflict.unwrap_or(IngestError::Closed))
}

/// The events that the log does not know, and the last position of those that it does.
async fn split(
    log: &Arc<dyn EventLog>,
    events: Vec<NewEvent>,
) -> Result<(Vec<NewEvent>, Option<Position>), IngestError> {
    let mut unknown: Vec<NewEvent> = Vec::with_capacity(events.len());
    let mut in_call: HashMap<EventId, eventlog::Digest> = HashMap::new();
    let mut last = None;
    for event in events {
        let digest = event.content_digest();
        if let Some(earlier) = in_call.get(&event.id) {
            if *earlier != digest {
                return Err(IngestError::IdConflict { id: event.id, position: None });
            }
            continue;
        }
        in_call.insert(event.id, digest);
        let Some(position) = log.position_of(event.id).await? else {
            unknown.push(event);
            continue;
        };
        let records = log.read(position, Direction::Forward, Filter::all(), 1).await?;
        let same = records.first().is_some_and(|record| record.position == position && record.is(&event));
        if !same {
            return Err(IngestError::IdConflict { id: event.id, position: Some(position) });
        }
        last = last.max(Some(position));
    }
    Ok((unknown, last))
}
