//! Cases about metadata of streams.

use std::sync::Arc;

use super::{Case, Checks, Failure, category, event, events, stream};
use crate::metadata::{self, CategoryMetadata, RetentionClass, StreamMetadata};
use crate::{
    AppendCondition, AppendError, Direction, EventId, EventLog, EventType, Expected, Filter, NewEvent, Position,
    ReadError, Revision,
};

fn deleted() -> StreamMetadata {
    StreamMetadata { deleted: true, ..StreamMetadata::default() }
}

fn truncated(revision: u64) -> StreamMetadata {
    StreamMetadata { truncate_before: Some(Revision::new(revision)), ..StreamMetadata::default() }
}

fn set(stream_id: &str, metadata: &StreamMetadata) -> Result<NewEvent, Failure> {
    metadata::stream_event(&stream(stream_id)?, metadata, "conformance")
        .map_err(|error| Failure { case: "making an event", message: error.to_string() })
}

async fn refused_as_deleted(
    log: &dyn EventLog,
    checks: &mut Checks,
    condition: AppendCondition,
    given: Vec<NewEvent>,
) -> Result<(), Failure> {
    let tail = log.tail();
    match checks.refused("an append to a deleted stream", log.append(condition, given).await)? {
        AppendError::StreamDeleted { stream } => checks.equal("the stream", stream.as_str(), "order-1")?,
        error => return Err(checks.failure(format!("expected StreamDeleted, the log answers {error}"))),
    }
    checks.equal("nothing was written", log.tail(), tail)
}

pub(super) async fn tombstones(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let none = AppendCondition::none;
    let _ = checks.ok("an append", log.append(none(), events("order-1", 0..3)?).await)?;
    let _ = checks.ok("an append", log.append(none(), events("order-2", 0..3)?).await)?;
    // The last words of a stream, and its tombstone, in one call.
    let last_words = vec![event("order-1", 3)?, set("order-1", &deleted())?];
    let _ = checks.ok("the deletion", log.append(none(), last_words.clone()).await)?;

    refused_as_deleted(&*log, checks, none(), vec![event("order-1", 4)?]).await?;
    refused_as_deleted(&*log, checks, none(), vec![event("order-2", 4)?, event("order-1", 4)?]).await?;
    let expected = AppendCondition::stream(stream("order-1")?, Expected::NoStream);
    refused_as_deleted(&*log, checks, expected, vec![event("order-1", 4)?]).await?;
    let again = vec![set("order-2", &StreamMetadata::default())?, event("order-1", 4)?];
    refused_as_deleted(&*log, checks, none(), again).await?;
    let repeated = checks.ok("what was appended before, again", log.append(none(), last_words).await)?;
    checks.equal("it is repeated", (repeated.first, repeated.repeated), (Position::new(6), true))?;
    let revived = log.append(none(), vec![set("order-1", &StreamMetadata::default())?]).await;
    let error = checks.refused("a revival", revived)?;
    checks.holds("a revival is Invalid", matches!(error, AppendError::Invalid { .. }))?;
    let both = vec![set("order-2", &deleted())?, event("order-2", 5)?];
    let error = checks.refused("an event after the tombstone of its call", log.append(none(), both).await)?;
    checks.holds("it is StreamDeleted", matches!(error, AppendError::StreamDeleted { .. }))?;

    for direction in [Direction::Forward, Direction::Backward] {
        let answer = log.read_stream(stream("order-1")?, Revision::new(1), direction, 10).await;
        match checks.refused("a read of a deleted stream", answer)? {
            ReadError::StreamDeleted { stream } => checks.equal("the stream", stream.as_str(), "order-1")?,
            error => return Err(checks.failure(format!("expected StreamDeleted, the log answers {error}"))),
        }
    }
    let other = log.read_stream(stream("order-2")?, Revision::START, Direction::Forward, 10).await;
    let page = checks.ok("the other stream", other)?;
    checks.equal("the other stream", page.len(), 3)?;
    let all = checks.ok("the log", log.read(Position::START, Direction::Forward, Filter::all(), 100).await)?;
    checks.equal("the records stay in the log", all.len(), 8)?;
    // A condition still sees the revision of the stream.
    let condition = AppendCondition::stream(stream("order-1")?, Expected::Exactly(Revision::new(3)));
    let _ = checks.ok("an append elsewhere", log.append(condition, vec![event("order-2", 6)?]).await)?;
    Ok(())
}

/// Writers and the deletion race: whatever stands behind the tombstone in the log is none of the stream's.
pub(super) async fn tombstone_race(case: Case<'_>) -> Result<(), Failure> {
    const WRITERS: u64 = 12;
    let Case { log, checks, .. } = case;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        writers.push(tokio::spawn(async move {
            let mut number = 0;
            loop {
                let mut given = event("order-1", number)?;
                given.id = EventId::derived("race", &format!("{writer} {number}"));
                match log.append(AppendCondition::none(), vec![given]).await {
                    Ok(_) => number += 1,
                    Err(AppendError::StreamDeleted { .. }) => return Ok::<u64, Failure>(number),
                    Err(error) => return Err(Failure { case: "writing", message: error.to_string() }),
                }
            }
        }));
    }
    let mut tail = log.watch_tail();
    checks.ok("the writers", tail.wait_for(|tail| tail.get() >= 50).await.map(|_| ()))?;
    let tombstone =
        checks.ok("the deletion", log.append(AppendCondition::none(), vec![set("order-1", &deleted())?]).await)?;
    let mut written = 0;
    for writer in writers {
        written += checks.ok("a writer", writer.await)??;
    }
    checks.equal("nothing follows the tombstone", log.tail(), tombstone.first.next())?;
    checks.equal("everything before it is of the writers", tombstone.first.get(), written)
}

pub(super) async fn truncation(case: Case<'_>) -> Result<(), Failure> {
    const RECORDS: u64 = 20;
    const FIRST: u64 = 8;
    let Case { log, checks, .. } = case;
    let none = AppendCondition::none;
    let _ = checks.ok("an append", log.append(none(), events("order-1", 0..RECORDS)?).await)?;
    let _ = checks.ok("a truncation", log.append(none(), vec![set("order-1", &truncated(FIRST))?]).await)?;
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, FIRST - 1, FIRST, FIRST + 1, RECORDS - 1, RECORDS + 5, u64::MAX] {
            for limit in [1, 5, 100] {
                let mut revisions = Vec::new();
                let mut next = Some(Revision::new(from));
                while let Some(at) = next {
                    let page = checks.ok("a page", log.read_stream(stream("order-1")?, at, direction, limit).await)?;
                    revisions.extend(page.iter().map(|record| record.revision.get()));
                    next = page.next;
                }
                let expected: Vec<u64> = match direction {
                    Direction::Forward => (from.max(FIRST)..RECORDS).collect(),
                    Direction::Backward => (FIRST..=from.min(RECORDS - 1)).rev().collect(),
                };
                checks.equal(&format!("{direction:?} from {from}, limit {limit}"), revisions, expected)?;
            }
        }
    }
    for (what, metadata) in
        [("back", truncated(FIRST - 1)), ("away", StreamMetadata::default()), ("too far", truncated(RECORDS + 1))]
    {
        let answer = log.append(none(), vec![set("order-1", &metadata)?]).await;
        let error = checks.refused(what, answer)?;
        checks.holds("it is Invalid", matches!(error, AppendError::Invalid { .. }))?;
    }
    let _ = checks.ok("all of it", log.append(none(), vec![set("order-1", &truncated(RECORDS))?]).await)?;
    let page = log.read_stream(stream("order-1")?, Revision::START, Direction::Forward, 100).await;
    let page = checks.ok("nothing is left", page)?;
    checks.equal("nothing is left", page.len(), 0)?;
    let expected = AppendCondition::stream(stream("order-1")?, Expected::Exactly(Revision::new(RECORDS - 1)));
    let _ = checks.ok("the stream goes on", log.append(expected, vec![event("order-1", RECORDS)?]).await)?;
    let page = log.read_stream(stream("order-1")?, Revision::START, Direction::Forward, 100).await;
    let page = checks.ok("what is new is read", page)?;
    checks.equal("what is new is read", page.len(), 1)?;
    let all = checks.ok("the log", log.read(Position::START, Direction::Forward, Filter::all(), 100).await)?;
    checks.equal("the records stay in the log", all.len() as u64, RECORDS + 3)
}

pub(super) async fn retention_classes(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let class =
        |name: &str| RetentionClass::new(name).map_err(|error| Failure { case: "naming", message: error.to_string() });
    let (short, long) = (class("short")?, class("long")?);
    let (one, two) = (stream("order-1")?, stream("order-2")?);
    let effective = metadata::effective_retention_class(&*log, &one).await;
    let answer = checks.ok("no class", effective)?;
    checks.equal("no class", answer, None)?;
    let metadata = CategoryMetadata { retention_class: Some(long.clone()) };
    let _ = checks.ok("of a category", metadata::set_category(&*log, &category("order")?, &metadata, "test").await)?;
    let own = StreamMetadata { retention_class: Some(short.clone()), ..StreamMetadata::default() };
    let _ = checks.ok("of a stream", metadata::set_stream(&*log, &one, &own, "test").await)?;
    for (of, expected) in [(&one, Some(short)), (&two, Some(long)), (&stream("lot-1")?, None)] {
        let effective = metadata::effective_retention_class(&*log, of).await;
        let answer = checks.ok("the class", effective)?;
        checks.equal("the class", answer, expected)?;
    }
    let read = metadata::stream(&*log, &one).await;
    let answer = checks.ok("what was set", read)?;
    checks.equal("what was set", answer, own)
}

/// Events of the log itself, and names that look like them.
pub(super) async fn system_names(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let make = |stream_id: &str, event_type: &str, payload: &'static str| -> Result<NewEvent, Failure> {
        let event_type = EventType::new(event_type);
        let event_type = event_type.map_err(|error| Failure { case: "naming", message: error.to_string() })?;
        Ok(NewEvent::json(EventId::generate(), stream(stream_id)?, event_type, 1, "test", payload.into()))
    };
    let mut encrypted = make("$meta-stream-order-1", "$stream.metadata_set", "{}")?;
    encrypted.data_key_id = Some(uuid::Uuid::from_u128(1));
    let wrong = [
        make("order-1", "$stream.metadata_set", "{}")?,
        make("order-1", "$anything", "{}")?,
        make("$meta-stream-order-1", "order.placed", "{}")?,
        make("$meta-stream-order-1", "$anything", "{}")?,
        make("$meta-something-1", "$stream.metadata_set", "{}")?,
        make("$meta-stream-order", "$stream.metadata_set", "{}")?,
        make("$meta-stream-$meta-stream-order-1", "$stream.metadata_set", "{}")?,
        make("$meta-stream-order-1", "$stream.metadata_set", "no JSON")?,
        make("$meta-stream-order-1", "$stream.metadata_set", r#"{"retention_class":"NOT a class"}"#)?,
        make("$meta-category-a-b", "$category.metadata_set", "{}")?,
        make("$other-1", "$anything", "{}")?,
        encrypted,
    ];
    for given in wrong {
        let what = format!("{} in {}", given.event_type, given.stream);
        let error = checks.refused(&what, log.append(AppendCondition::none(), vec![given]).await)?;
        checks.holds("it is Invalid", matches!(error, AppendError::Invalid { .. }))?;
    }
    checks.equal("nothing was written", log.tail(), Position::START)?;
    let fine = vec![
        make("$meta-something-1", "$anything", "no JSON")?,
        make("$meta-stream-order-1", "$stream.metadata_set", "{}")?,
        make("$meta-category-order", "$category.metadata_set", "{}")?,
    ];
    let _ = checks.ok("what is right", log.append(AppendCondition::none(), fine).await)?;
    Ok(())
}
