//! Cases about subscriptions.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::{Case, Checks, Failure, event, events};
use crate::{AppendCondition, BoxStream, Category, Filter, Position, QueryItem, ReadError, Record};

/// How long a case waits for a record before it calls the subscription stuck.
const PATIENCE: Duration = Duration::from_secs(60);

type Subscription = BoxStream<'static, Result<Record, ReadError>>;

async fn next(checks: &mut Checks, subscription: &mut Subscription) -> Result<Record, Failure> {
    let next = checks.ok("waiting for a record", tokio::time::timeout(PATIENCE, subscription.next()).await)?;
    let record = checks.some("a record", next)?;
    checks.ok("a record", record)
}

pub(super) async fn catch_up_and_live(case: Case<'_>) -> Result<(), Failure> {
    const RECORDS: u64 = 3_000;
    let Case { log, checks, .. } = case;
    let _ = checks.ok("an append", log.append(AppendCondition::none(), events("order-1", 0..1_000)?).await)?;
    let mut subscriptions: Vec<(u64, Subscription)> = Vec::new();
    for from in [0, 1, 999, 1_000] {
        subscriptions.push((from, log.subscribe(Position::new(from), Filter::all())));
    }
    let writer = Arc::clone(&log);
    let writing = tokio::spawn(async move {
        for number in 1_000..RECORDS {
            let answer = writer.append(AppendCondition::none(), vec![event("order-1", number)?]).await;
            let _ = answer.map_err(|error| Failure { case: "writing", message: error.to_string() })?;
        }
        Ok::<_, Failure>(())
    });
    for (from, subscription) in &mut subscriptions {
        for expected in *from..RECORDS {
            let record = next(checks, subscription).await?;
            checks.equal("the position", record.position.get(), expected)?;
            checks.equal("the revision", record.revision.get(), expected)?;
        }
    }
    checks.ok("the writer", writing.await)?
}

pub(super) async fn filtered(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let category = Category::new("lot").map_err(|error| checks.failure(error.to_string()))?;
    let filter = Filter { items: vec![QueryItem { categories: vec![category], ..QueryItem::default() }] };
    let mut subscription = log.subscribe(Position::START, filter);
    for round in 0..200_u64 {
        let _ = checks.ok("an append", log.append(AppendCondition::none(), vec![event("order-1", round)?]).await)?;
        if round % 10 == 3 {
            let _ = checks.ok("an append", log.append(AppendCondition::none(), vec![event("lot-1", round)?]).await)?;
            let record = next(checks, &mut subscription).await?;
            checks.equal("the record", record.id, event("lot-1", round)?.id)?;
        }
    }
    Ok(())
}

pub(super) async fn from_the_future(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let mut subscription = log.subscribe(Position::new(5), Filter::all());
    for number in 0..8 {
        let _ = checks.ok("an append", log.append(AppendCondition::none(), vec![event("order-1", number)?]).await)?;
    }
    for expected in 5..8 {
        let record = next(checks, &mut subscription).await?;
        checks.equal("the position", record.position.get(), expected)?;
    }
    Ok(())
}

pub(super) async fn end(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    let _ = checks.ok("an append", log.append(AppendCondition::none(), events("order-1", 0..3)?).await)?;
    let mut subscription = log.subscribe(Position::new(2), Filter::all());
    let record = next(checks, &mut subscription).await?;
    checks.equal("the last record", record.position.get(), 2)?;
    let mut tail = log.watch_tail();
    checks.equal("the watched tail", *tail.borrow_and_update(), Position::new(3))?;
    drop(log);
    let after = checks.ok("waiting for the end", tokio::time::timeout(PATIENCE, subscription.next()).await)?;
    checks.holds("the subscription ends", after.is_none())?;
    let closed = checks.ok("waiting for the end", tokio::time::timeout(PATIENCE, tail.changed()).await)?;
    checks.holds("the watch ends", closed.is_err())
}
