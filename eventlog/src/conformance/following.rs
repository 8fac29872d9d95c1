//! Cases about subscriptions.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::{Case, Checks, Failure, category, event, events};
use crate::{
    AppendCondition, BoxStream, Category, Direction, Filter, NewEvent, Position, QueryItem, ReadError, Record,
};

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

/// Numbers that look random and are the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// A subscription, what it must hand out next, and what it handed out.
struct Followed {
    from: u64,
    filter: Filter,
    subscription: Subscription,
    received: Vec<Record>,
}

/// Subscriptions that begin anywhere, at any time, with any filter, and are polled at any time, hand out what a read hands out: slow ones and quick ones.
pub(super) async fn interleavings(case: Case<'_>) -> Result<(), Failure> {
    const STEPS: u64 = 1_500;
    let Case { log, checks, .. } = case;
    let mut numbers = Numbers(20_260_501);
    let item = |name: &str| category(name).map(|name| QueryItem { categories: vec![name], ..QueryItem::default() });
    let filters = [
        Filter::all(),
        Filter { items: vec![item("lot")?] },
        Filter { items: vec![item("order")?, item("asset")?] },
        Filter { items: vec![item("never")?] },
    ];
    let mut followed: Vec<Followed> = Vec::new();
    let mut written: Vec<NewEvent> = Vec::new();
    for _ in 0..STEPS {
        match numbers.below(20) {
            0..6 => {
                let mut call = Vec::new();
                for _ in 0..=numbers.below(40) {
                    let name = ["lot-1", "order-1", "order-2", "asset-1"].get(numbers.below(4) as usize).copied();
                    call.push(event(name.unwrap_or("lot-1"), (written.len() + call.len()) as u64)?);
                }
                written.extend(call.iter().cloned());
                let _ = checks.ok("an append", log.append(AppendCondition::none(), call).await)?;
            }
            6 if followed.len() < 12 => {
                let from = numbers.below(written.len() as u64 + 20);
                let filter = filters.get(numbers.below(4) as usize).cloned().unwrap_or_default();
                let subscription = log.subscribe(Position::new(from), filter.clone());
                followed.push(Followed { from, filter, subscription, received: Vec::new() });
            }
            _ if !followed.is_empty() => {
                let chosen = numbers.below(followed.len() as u64) as usize;
                let Some(one) = followed.get_mut(chosen) else { continue };
                let behind =
                    |event: &&NewEvent| one.filter.matches_parts(&event.stream, &event.event_type, &event.tags);
                let all = written.iter().skip(usize::try_from(one.from).unwrap_or(usize::MAX)).filter(behind).count();
                // Never asked for more than there is, so that nothing waits for ever.
                for _ in 0..numbers.below(60).min((all - one.received.len()) as u64) {
                    one.received.push(next(checks, &mut one.subscription).await?);
                }
            }
            _ => {}
        }
    }
    checks.holds("there were subscriptions", followed.len() == 12)?;
    for mut one in followed {
        let mut expected = Vec::new();
        let mut from = Some(Position::new(one.from));
        while let Some(at) = from {
            let page = checks.ok("a page", log.read(at, Direction::Forward, one.filter.clone(), 1_000).await)?;
            from = page.next;
            expected.extend(page);
        }
        while one.received.len() < expected.len() {
            one.received.push(next(checks, &mut one.subscription).await?);
        }
        checks.equal("the subscription hands out what a read hands out", one.received, expected)?;
    }
    Ok(())
}

/// A subscriber that takes nothing keeps nobody from writing, and gets everything when it comes back: the slow-consumer rule.
pub(super) async fn slow_consumer(case: Case<'_>) -> Result<(), Failure> {
    const CALLS: u64 = 40;
    const EVENTS: u64 = 100;
    let Case { log, checks, .. } = case;
    let mut slow = log.subscribe(Position::START, Filter::all());
    let _ = checks.ok("an append", log.append(AppendCondition::none(), events("order-1", 0..EVENTS)?).await)?;
    let first = next(checks, &mut slow).await?;
    checks.equal("the first record", first.position, Position::START)?;
    // Far more than a subscription holds: were the writer to wait for the reader, this would never end.
    for call in 1..CALLS {
        let given = events("order-1", call * EVENTS..(call + 1) * EVENTS)?;
        let written = tokio::time::timeout(PATIENCE, log.append(AppendCondition::none(), given)).await;
        let written = checks.ok("an append while a subscriber sleeps", written)?;
        let _ = checks.ok("an append", written)?;
    }
    for expected in 1..CALLS * EVENTS {
        let record = next(checks, &mut slow).await?;
        checks.equal("the position", record.position.get(), expected)?;
    }
    Ok(())
}
