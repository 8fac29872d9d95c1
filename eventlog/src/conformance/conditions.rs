//! Cases about conditions.

use std::sync::Arc;

use super::{Case, Failure, event, events, stream};
use crate::{
    AppendCondition, AppendError, Category, EventType, Expected, InvalidName, Position, Query, QueryItem, Revision, Tag,
};

fn named<T>(result: Result<T, InvalidName>) -> Result<T, Failure> {
    result.map_err(|error| Failure { case: "naming", message: error.to_string() })
}

pub(super) async fn one_winner(case: Case<'_>) -> Result<(), Failure> {
    const WRITERS: u64 = 16;
    let Case { log, checks, .. } = case;
    for round in 0..8_u64 {
        let expected = round.checked_sub(1).map_or(Expected::NoStream, |last| Expected::Exactly(Revision::new(last)));
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let log = Arc::clone(&log);
            let mut given = event("order-1", round)?;
            given.id = crate::EventId::derived("winner", &format!("{round} {writer}"));
            let condition = AppendCondition::stream(stream("order-1")?, expected);
            writers.push(tokio::spawn(async move { log.append(condition, vec![given]).await }));
        }
        let mut winners = 0;
        for writer in writers {
            match checks.ok("a writer", writer.await)? {
                Ok(_) => winners += 1,
                Err(AppendError::Conflict { actual, .. }) => {
                    checks.equal("the actual revision", actual, Some(Revision::new(round)))?;
                }
                Err(error) => return Err(checks.failure(format!("expected Conflict, the log answers {error}"))),
            }
        }
        checks.equal("winners of one round", winners, 1)?;
    }
    checks.equal("the tail", log.tail(), Position::new(8))
}

pub(super) async fn streams(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let _ = checks.ok("the first append", log.append(AppendCondition::none(), events("order-1", 0..2)?).await)?;
    let _ = checks.ok("the second append", log.append(AppendCondition::none(), events("lot-1", 0..1)?).await)?;
    let one = Some(Revision::new(1));
    let exactly = |revision| Expected::Exactly(Revision::new(revision));
    // Each row: expectations of order-1, lot-1 and asset-1 (which has no record), and the stream that must conflict.
    let table = [
        ([Expected::NoStream, Expected::Any, Expected::Any], Some(("order-1", one))),
        ([exactly(0), Expected::Any, Expected::Any], Some(("order-1", one))),
        ([exactly(2), Expected::Any, Expected::Any], Some(("order-1", one))),
        ([exactly(1), Expected::NoStream, Expected::Any], Some(("lot-1", Some(Revision::START)))),
        ([exactly(1), exactly(0), exactly(0)], Some(("asset-1", None))),
        ([exactly(1), exactly(0), Expected::NoStream], None),
    ];
    for (expectations, conflict) in table {
        let mut condition = AppendCondition::none();
        for (name, expected) in ["order-1", "lot-1", "asset-1"].into_iter().zip(expectations) {
            condition.streams.push((stream(name)?, expected));
        }
        let tail = log.tail();
        // The call writes to two of the streams; the third is only read.
        let given = vec![event("order-1", 7)?, event("lot-1", 7)?];
        match (log.append(condition, given).await, conflict) {
            (Ok(appended), None) => checks.equal("the position", appended.first, tail)?,
            (Err(AppendError::Conflict { stream: found, actual, .. }), Some((name, revision))) => {
                checks.equal("the conflict", (found.as_str(), actual), (name, revision))?;
                checks.equal("nothing was written", log.tail(), tail)?;
            }
            (answer, conflict) => {
                return Err(checks.failure(format!("expected a conflict of {conflict:?}, the log answers {answer:?}")));
            }
        }
    }
    Ok(())
}

pub(super) async fn queries(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let _ = checks.ok("an append", log.append(AppendCondition::none(), events("order-1", 0..10)?).await)?;
    let _ = checks.ok("an append", log.append(AppendCondition::none(), events("lot-1", 0..10)?).await)?;
    let even = named(EventType::new("even.happened"))?;
    let lot = named(Category::new("lot"))?;
    let three = named(Tag::of("number", "3"))?;
    let order_one = named(Tag::of("stream", "order-1"))?;
    let item = |categories: &[&Category], types: &[&EventType], tags: &[&Tag]| QueryItem {
        categories: categories.iter().map(|name| (*name).clone()).collect(),
        types: types.iter().map(|name| (*name).clone()).collect(),
        tags: tags.iter().map(|name| (*name).clone()).collect(),
    };
    let all = Query::all();
    let tag_three = Query { items: vec![item(&[], &[], &[&three])] };
    let order_three = Query { items: vec![item(&[], &[], &[&three, &order_one])] };
    let lot_even = Query { items: vec![item(&[&lot], &[&even], &[])] };
    let either = Query { items: vec![item(&[&lot], &[], &[&order_one]), item(&[], &[&even], &[&three])] };
    // Positions 0..10 are order-1 and 10..20 lot-1; tag number:3 is on 3, 8, 13, 18; even types are on even positions.
    let table = [
        (&all, None, Some(0)),
        (&all, Some(18), Some(19)),
        (&all, Some(19), None),
        (&tag_three, None, Some(3)),
        (&tag_three, Some(3), Some(8)),
        (&tag_three, Some(18), None),
        (&order_three, Some(3), Some(8)),
        (&order_three, Some(8), None),
        (&lot_even, None, Some(10)),
        (&lot_even, Some(17), Some(18)),
        (&lot_even, Some(18), None),
        (&either, None, Some(8)),
        (&either, Some(8), Some(18)),
        (&either, Some(500), None),
    ];
    for (number, (query, after, matched)) in table.into_iter().enumerate() {
        let condition =
            AppendCondition { streams: Vec::new(), no_match_after: Some((query.clone(), after.map(Position::new))) };
        let mut given = event("other-1", 1)?;
        given.id = crate::EventId::derived("query", &number.to_string());
        // What is written must not be found by the rows that follow.
        given.tags = vec![named(Tag::of("number", "none"))?];
        let tail = log.tail();
        match (log.append(condition, vec![given]).await, matched) {
            (Err(AppendError::QueryMatched { position }), Some(expected)) => {
                checks.equal("the match", position, Position::new(expected))?;
                checks.equal("nothing was written", log.tail(), tail)?;
            }
            (Ok(appended), None) => checks.equal("the position", appended.first, tail)?,
            (answer, matched) => {
                return Err(checks.failure(format!("row {number}: expected {matched:?}, the log answers {answer:?}")));
            }
        }
    }
    Ok(())
}

pub(super) async fn idempotency_first(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let condition = AppendCondition::stream(stream("order-1")?, Expected::NoStream);
    let given = events("order-1", 0..2)?;
    let first = checks.ok("the append", log.append(condition.clone(), given.clone()).await)?;
    let again = checks.ok("the repetition", log.append(condition.clone(), given).await)?;
    checks.equal(
        "the repetition is not a conflict",
        (again.first, again.last, again.repeated),
        (first.first, first.last, true),
    )?;
    let error = checks.refused("a part of the call", log.append(condition, events("order-1", 1..3)?).await)?;
    checks.holds("it is an IdConflict, not a Conflict", matches!(error, AppendError::IdConflict { .. }))
}
