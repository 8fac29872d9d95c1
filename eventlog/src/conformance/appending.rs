//! Cases about appends: what is stored, what is refused, what is repeated.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Case, Failure, at, event, events, stream};
use crate::{
    AppendCondition, AppendError, Appended, ContentType, Digest, DigestAlgorithm, Direction, EventId, Filter,
    MAX_BATCH_EVENTS, MAX_PAYLOAD_BYTES, NewEvent, PayloadDigest, Position, Revision,
};

/// Makes the event one of bytes.
pub(super) fn octets(event: &mut NewEvent, payload: Bytes) {
    event.content_type = ContentType::Octets;
    event.payload_digest = PayloadDigest { algorithm: DigestAlgorithm::Sha256, digest: Digest::of(&payload) };
    event.payload = payload;
}

pub(super) async fn round_trip(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let mut full = event("order-1", 0)?;
    full.event_time = Timestamp::from_nanosecond(-1_234_567_890_123_456_789).ok();
    full.source = Some("ERP \"north\" 北".to_owned());
    full.external_id = Some("4711\\a".to_owned());
    full.correlation_id = Some(Uuid::from_u128(1));
    full.causation_id = Some(Uuid::from_u128(2));
    full.data_key_id = Some(Uuid::from_u128(3));
    let mut bare = event("order-1", 1)?;
    bare.tags.clear();
    octets(&mut bare, Bytes::new());
    let mut large = event("lot-中文-7", 2)?;
    octets(&mut large, Bytes::from(vec![7_u8; 300_000]));
    let given = vec![full, bare, large];
    let appended = checks.ok("the append", log.append(AppendCondition::none(), given.clone()).await)?;
    let expected = Appended { first: Position::new(0), last: Position::new(2), repeated: false };
    checks.equal("the answer", appended, expected)?;
    checks.equal("the tail", log.tail(), Position::new(3))?;
    let records = checks.ok("the read", log.read(Position::START, Direction::Forward, Filter::all(), 10).await)?;
    checks.same_events("the records", &records, &given)?;
    let places = |index: usize| records.get(index).map(|record| (record.position.get(), record.revision.get()));
    checks.equal("the first record", places(0), Some((0, 0)))?;
    checks.equal("the second record", places(1), Some((1, 1)))?;
    checks.equal("the third record", places(2), Some((2, 0)))?;
    for (index, event) in given.iter().enumerate() {
        let position = checks.ok("the id", log.position_of(event.id).await)?;
        checks.equal("the position of the id", position, Some(Position::new(index as u64)))?;
    }
    let unknown = checks.ok("an unknown id", log.position_of(EventId::generate()).await)?;
    checks.equal("an unknown id", unknown, None)
}

pub(super) async fn record_times(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, clock, checks } = case;
    // The machine's clock goes back twice; the record times stay.
    let clocks = [1_000, 1_010, 990, 1_010, 1_020, 5];
    let expected = [1_000, 1_010, 1_010, 1_010, 1_020, 1_020];
    for (number, seconds) in clocks.iter().enumerate() {
        clock.set(*seconds);
        let given = vec![event("order-1", number as u64)?];
        let _ = checks.ok("the append", log.append(AppendCondition::none(), given).await)?;
    }
    let records = checks.ok("the read", log.read(Position::START, Direction::Forward, Filter::all(), 10).await)?;
    let times: Vec<Timestamp> = records.iter().map(|record| record.record_time).collect();
    checks.equal("the record times", times, expected.map(at).to_vec())?;
    for (time, position) in [
        (999, None),
        (1_000, Some(0)),
        (1_009, Some(0)),
        (1_010, Some(3)),
        (1_019, Some(3)),
        (1_020, Some(5)),
        (9_999, Some(5)),
    ] {
        let found = checks.ok("the lookup of a time", log.last_position_at(at(time)).await)?;
        checks.equal("the last position at a time", found, position.map(Position::new))?;
    }
    Ok(())
}

pub(super) async fn refusals(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let none = AppendCondition::none;
    let error = checks.refused("an empty call", log.append(none(), Vec::new()).await)?;
    checks.holds("an empty call is Empty", matches!(error, AppendError::Empty))?;

    let many = events("order-1", 0..MAX_BATCH_EVENTS as u64 + 1)?;
    let error = checks.refused("too many events", log.append(none(), many).await)?;
    checks.holds(
        "too many events are TooLarge",
        matches!(error, AppendError::TooLarge { limit: MAX_BATCH_EVENTS, .. }),
    )?;

    let mut large = event("order-1", 1)?;
    octets(&mut large, Bytes::from(vec![0_u8; MAX_PAYLOAD_BYTES + 1]));
    let error = checks.refused("a large payload", log.append(none(), vec![large]).await)?;
    checks.holds("it is TooLarge", matches!(error, AppendError::TooLarge { limit: MAX_PAYLOAD_BYTES, .. }))?;

    let mut long = event("order-1", 1)?;
    long.external_id = Some("x".repeat(64 * 1024));
    let error = checks.refused("a long header", log.append(none(), vec![long]).await)?;
    checks.holds("it is TooLarge", matches!(error, AppendError::TooLarge { .. }))?;

    let mut wrong = event("order-1", 1)?;
    wrong.payload_digest.digest = Digest::of(b"something else");
    let error = checks.refused("a wrong digest", log.append(none(), vec![event("order-1", 0)?, wrong]).await)?;
    checks.holds("it is Invalid", matches!(error, AppendError::Invalid { .. }))?;

    let mut early = event("order-1", 1)?;
    early.event_time = Some(Timestamp::MIN);
    let error = checks.refused("a time before 1678", log.append(none(), vec![early]).await)?;
    checks.holds("it is Invalid", matches!(error, AppendError::Invalid { .. }))?;

    checks.equal("nothing was written", log.tail(), Position::START)?;
    let records = checks.ok("the read", log.read(Position::START, Direction::Forward, Filter::all(), 10).await)?;
    checks.equal("nothing is read", records.len(), 0)
}

pub(super) async fn repeated(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, clock, checks } = case;
    let first = events("order-1", 0..3)?;
    let second = events("order-2", 0..4)?;
    let _ = checks.ok("the first append", log.append(AppendCondition::none(), first.clone()).await)?;
    let _ = checks.ok("the second append", log.append(AppendCondition::none(), second.clone()).await)?;
    clock.set(2_000);
    let mut again = first.clone();
    for event in &mut again {
        "somebody else".clone_into(&mut event.actor);
    }
    let answer = checks.ok("the first again", log.append(AppendCondition::none(), again).await)?;
    checks.equal(
        "it is repeated",
        answer,
        Appended { first: Position::new(0), last: Position::new(2), repeated: true },
    )?;
    let part = second.iter().skip(1).take(2).cloned().collect();
    let answer = checks.ok("a part of the second", log.append(AppendCondition::none(), part).await)?;
    checks.equal(
        "it is repeated",
        answer,
        Appended { first: Position::new(4), last: Position::new(5), repeated: true },
    )?;
    checks.equal("nothing was added", log.tail(), Position::new(7))?;
    let records = checks.ok("the read", log.read(Position::START, Direction::Forward, Filter::all(), 10).await)?;
    checks.same_events("the records", &records, &[first, second].concat())
}

pub(super) async fn id_conflicts(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let none = AppendCondition::none;
    let given = events("order-1", 0..3)?;
    let _ = checks.ok("the append", log.append(none(), given.clone()).await)?;
    let mut other = event("order-1", 1)?;
    octets(&mut other, Bytes::from_static(b"other"));
    let other_id = other.id;
    let reversed: Vec<NewEvent> = given.iter().rev().cloned().collect();
    let twice = vec![event("order-2", 9)?, event("order-2", 9)?];
    let known_then_new = vec![event("order-1", 2)?, event("order-1", 3)?];
    let new_then_known = vec![event("order-1", 3)?, event("order-1", 2)?];
    let conflicts = [
        ("other content", vec![other], other_id, Some(1)),
        ("another order", reversed, event("order-1", 1)?.id, Some(1)),
        ("twice in the call", twice, event("order-2", 9)?.id, None),
        ("a known then a new event", known_then_new, event("order-1", 2)?.id, Some(2)),
        ("a new then a known event", new_then_known, event("order-1", 2)?.id, Some(2)),
    ];
    for (what, call, expected_id, expected_position) in conflicts {
        match checks.refused(what, log.append(none(), call).await)? {
            AppendError::IdConflict { id, position, .. } => {
                checks.equal(what, (id, position), (expected_id, expected_position.map(Position::new)))?;
            }
            error => return Err(checks.failure(format!("{what}: expected IdConflict, the log answers {error}"))),
        }
        checks.equal("nothing was added", log.tail(), Position::new(3))?;
    }
    let fresh = checks.ok("an id of a refused call", log.position_of(event("order-1", 3)?.id).await)?;
    checks.equal("an id of a refused call stays free", fresh, None)
}

pub(super) async fn concurrency(case: Case<'_>) -> Result<(), Failure> {
    const WRITERS: u64 = 64;
    const CALLS: u64 = 8;
    let Case { log, checks, .. } = case;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        writers.push(tokio::spawn(async move {
            let name = format!("writer-{writer}");
            let mut answers = Vec::new();
            for call in 0..CALLS {
                // Each call writes two records of its own stream and one of a stream that all writers share.
                let mut given = events(&name, call * 2..call * 2 + 2)?;
                let mut shared = event("shared-1", call)?;
                shared.id = EventId::derived(&name, &format!("shared {call}"));
                given.insert(1, shared);
                let answer = log.append(AppendCondition::none(), given).await;
                answers.push(answer.map_err(|error| Failure { case: "concurrency", message: error.to_string() })?);
            }
            Ok::<_, Failure>(answers)
        }));
    }
    let mut taken = Vec::new();
    for writer in writers {
        let answers = checks.ok("a writer", writer.await)??;
        for pair in answers.windows(2) {
            checks.holds("a writer's calls keep their order", matches!(pair, [one, two] if one.last < two.first))?;
        }
        for answer in answers {
            checks.equal("three records a call", answer.last.get() - answer.first.get(), 2)?;
            taken.extend(answer.first.get()..=answer.last.get());
        }
    }
    taken.sort_unstable();
    let total = WRITERS * CALLS * 3;
    checks.equal("every position is given once", taken, (0..total).collect())?;
    let shared = stream("shared-1")?;
    let records =
        checks.ok("the shared stream", log.read_stream(shared, Revision::START, Direction::Forward, 10_000).await)?;
    let revisions: Vec<u64> = records.iter().map(|record| record.revision.get()).collect();
    checks.equal("the revisions", revisions, (0..WRITERS * CALLS).collect())?;
    let all = checks.ok("the read", log.read(Position::START, Direction::Forward, Filter::all(), 10_000).await)?;
    let positions: Vec<u64> = all.iter().map(|record| record.position.get()).collect();
    checks.equal("the positions", positions, (0..total).collect())?;
    let rises = all.windows(2).all(|pair| matches!(pair, [one, two] if one.record_time <= two.record_time));
    checks.holds("record times never decrease", rises)
}
