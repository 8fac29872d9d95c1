//! Cases about reads.

use bytes::Bytes;
use jiff::Timestamp;

use super::appending::octets;
use super::{Case, Checks, Failure, at, category, event, stream};
use crate::{
    AppendCondition, Category, Direction, EventLog, EventType, Filter, InvalidName, MAX_PAGE_BYTES, MAX_PAYLOAD_BYTES,
    NewEvent, Page, Position, Query, QueryItem, Record, Revision, Tag, TimeSpan, Window,
};

/// The number of records that the cases write.
const RECORDS: u64 = 250;

/// Writes records to three streams in turn, in calls of 1 to 7 records.
async fn fill(case: &mut Case<'_>) -> Result<Vec<Record>, Failure> {
    let mut model = Vec::new();
    let mut call = Vec::new();
    let mut counts = [0_u64; 3];
    for number in 0..RECORDS {
        let place = usize::try_from(number * number % 3).unwrap_or(0);
        let name = ["order-1", "lot-1", "lot-2"].get(place).copied().unwrap_or("order-1");
        let given = event(name, number)?;
        let revision = counts.get(place).copied().unwrap_or(0);
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
        model.push(Record::from_new(given.clone(), Position::new(number), Revision::new(revision), at(1_000)));
        call.push(given);
        if call.len() as u64 > number % 7 || number + 1 == RECORDS {
            let answer = case.log.append(AppendCondition::none(), std::mem::take(&mut call)).await;
            let _ = case.checks.ok("an append", answer)?;
        }
    }
    Ok(model)
}

fn expected(
    model: &[Record],
    from: u64,
    direction: Direction,
    keep: impl Fn(&Record) -> bool,
    limit: usize,
) -> Vec<u64> {
    let kept = model.iter().filter(|record| keep(record)).map(|record| record.position.get());
    match direction {
        Direction::Forward => kept.filter(|position| *position >= from).take(limit).collect(),
        Direction::Backward => {
            let mut all: Vec<u64> = kept.filter(|position| *position <= from).collect();
            all.reverse();
            all.truncate(limit);
            all
        }
    }
}

pub(super) async fn pages(mut case: Case<'_>) -> Result<(), Failure> {
    let model = fill(&mut case).await?;
    let Case { log, checks, .. } = case;
    let whole =
        checks.ok("the whole log", log.read(Position::START, Direction::Forward, Filter::all(), 10_000).await)?;
    checks.equal("the whole log", &whole.records, &model)?;
    checks.equal("nothing follows", whole.next, None)?;
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, 1, 17, 100, RECORDS - 1, RECORDS, RECORDS + 50, u64::MAX] {
            for limit in [0, 1, 3, 64, 1_000] {
                let page = checks.ok("a page", log.read(Position::new(from), direction, Filter::all(), limit).await)?;
                let positions: Vec<u64> = page.iter().map(|record| record.position.get()).collect();
                let what = format!("{direction:?} from {from}, limit {limit}");
                checks.equal(&what, positions, expected(&model, from, direction, |_| true, limit))?;
                let ended = page.len() < limit;
                checks.holds("a page that is not full ends the read", !ended || page.next.is_none())?;
                checks.holds("a page that is full names the next one, unless it holds the first record", {
                    ended || page.next.is_some() || page.last().is_some_and(|last| last.position == Position::START)
                })?;
            }
        }
    }
    Ok(())
}

/// Follows `next` from a place to the end of the read.
async fn walk(
    log: &dyn EventLog,
    checks: &mut Checks,
    (from, direction): (u64, Direction),
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Page>, Failure> {
    let mut pages = Vec::new();
    let mut from = Some(Position::new(from));
    while let Some(at) = from {
        let page = checks.ok("a page", log.read(at, direction, filter.clone(), limit).await)?;
        checks.holds(
            "the next page is further on",
            page.next.is_none_or(|next| match direction {
                Direction::Forward => next > at,
                Direction::Backward => next < at,
            }),
        )?;
        from = page.next;
        pages.push(page);
    }
    Ok(pages)
}

/// A page is bounded in bytes, whatever the number of records, and holds at least one; following `next` gives everything once.
pub(super) async fn heavy_pages(case: Case<'_>) -> Result<(), Failure> {
    const RECORDS: u64 = 9;
    let Case { log, checks, .. } = case;
    for number in 0..RECORDS {
        let mut given = event(if number % 3 == 0 { "lot-1" } else { "order-1" }, number)?;
        let bytes = if number == 4 { MAX_PAYLOAD_BYTES } else { 2 * 1024 * 1024 };
        octets(&mut given, Bytes::from(vec![0; bytes]));
        let _ = checks.ok("an append", log.append(AppendCondition::none(), vec![given]).await)?;
    }
    let all = Filter::all();
    let orders = Query { items: vec![QueryItem { categories: vec![category("order")?], ..QueryItem::default() }] };
    for direction in [Direction::Forward, Direction::Backward] {
        for (filter, count) in [(&all, RECORDS), (&orders, RECORDS * 2 / 3)] {
            let pages =
                walk(&*log, checks, (if direction == Direction::Forward { 0 } else { 99 }, direction), filter, 1_000)
                    .await?;
            checks.holds("there are several pages", pages.len() > 1)?;
            let mut positions: Vec<u64> = pages.iter().flatten().map(|record| record.position.get()).collect();
            checks.equal("every record once", positions.len() as u64, count)?;
            if direction == Direction::Backward {
                positions.reverse();
            }
            checks.holds("in order", positions.is_sorted_by(|one, two| one < two))?;
            for page in &pages {
                let bytes: usize = page.iter().map(|record| record.payload.len()).sum();
                checks.holds("a page is bounded in bytes", bytes <= MAX_PAGE_BYTES)?;
                checks.holds("only the last page may be empty", page.next.is_none() || !page.is_empty())?;
            }
        }
    }
    let mut revisions = Vec::new();
    let mut from = Some(Revision::START);
    while let Some(at) = from {
        let page = checks.ok("a page", log.read_stream(stream("order-1")?, at, Direction::Forward, 1_000).await)?;
        checks.holds("a page is bounded", page.len() < 6)?;
        from = page.next;
        revisions.extend(page.iter().map(|record| record.revision.get()));
    }
    checks.equal("the revisions", revisions, (0..RECORDS * 2 / 3).collect())
}

/// Reads within a window answer what filtering everything answers.
pub(super) async fn windows(case: Case<'_>) -> Result<(), Failure> {
    const RECORDS: u64 = 600;
    let Case { log, clock, checks } = case;
    let mut model = Vec::new();
    let mut call = Vec::new();
    for number in 0..RECORDS {
        // Many records share a record time; event times go to and fro, and some are unknown.
        clock.set(1_000 + (number / 7) as i64);
        let mut given = event(if number % 3 == 0 { "lot-1" } else { "order-1" }, number)?;
        given.event_time = (number % 11 != 0).then(|| at((number * 37 % 500) as i64));
        model.push((given.clone(), at(1_000 + (number / 7) as i64)));
        call.push(given);
        if number % 7 == 6 || number + 1 == RECORDS {
            let _ = checks.ok("an append", log.append(AppendCondition::none(), std::mem::take(&mut call)).await)?;
        }
    }
    let lots = Query { items: vec![QueryItem { categories: vec![category("lot")?], ..QueryItem::default() }] };
    let span = |from: Option<i64>, until: Option<i64>| TimeSpan { from: from.map(at), until: until.map(at) };
    let recorded = [
        span(None, None),
        span(Some(1_010), None),
        span(Some(1_010), Some(1_011)),
        span(None, Some(1_000)),
        span(Some(1_003), Some(1_060)),
        span(Some(9_999), None),
        span(Some(1_020), Some(1_010)),
    ];
    let happened = [
        span(None, None),
        span(Some(100), Some(200)),
        span(None, Some(3)),
        span(Some(499), None),
        span(Some(600), None),
        span(Some(7), Some(7)),
    ];
    for recorded in recorded {
        for happened in happened {
            let window = Window { recorded, happened };
            for (filter, only_lots) in [(Filter::all(), false), (lots.clone(), true)] {
                for (direction, from) in [
                    (Direction::Forward, 0),
                    (Direction::Forward, 123),
                    (Direction::Backward, u64::MAX),
                    (Direction::Backward, 321),
                ] {
                    let mut positions = Vec::new();
                    let mut next = Some(Position::new(from));
                    while let Some(at) = next {
                        let answer = log.read_within(window, at, direction, filter.clone(), 40).await;
                        let page = checks.ok("a page", answer)?;
                        positions.extend(page.iter().map(|record| record.position.get()));
                        next = page.next;
                    }
                    let within = |(number, (event, time)): (usize, &(NewEvent, Timestamp))| {
                        let number = number as u64;
                        let side = if direction == Direction::Forward { number >= from } else { number <= from };
                        let happened = match event.event_time {
                            Some(time) => happened.contains(time),
                            None => happened.is_any(),
                        };
                        let kept = !only_lots || event.stream.category() == "lot";
                        (side && kept && happened && recorded.contains(*time)).then_some(number)
                    };
                    let mut expected: Vec<u64> = model.iter().enumerate().filter_map(within).collect();
                    if direction == Direction::Backward {
                        expected.reverse();
                    }
                    checks.equal(
                        &format!("{window:?} {direction:?} from {from}, lots {only_lots}"),
                        positions,
                        expected,
                    )?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn filters(mut case: Case<'_>) -> Result<(), Failure> {
    let model = fill(&mut case).await?;
    let Case { log, checks, .. } = case;
    for query in queries().map_err(|error| checks.failure(error.to_string()))? {
        let count = model.iter().filter(|record| query.matches(record)).count();
        for direction in [Direction::Forward, Direction::Backward] {
            for from in [0, 33, 128, RECORDS, u64::MAX] {
                for limit in [1, 10, 1_000] {
                    let page =
                        checks.ok("a page", log.read(Position::new(from), direction, query.clone(), limit).await)?;
                    let positions: Vec<u64> = page.iter().map(|record| record.position.get()).collect();
                    let what = format!("{query:?} ({count} match), {direction:?} from {from}, limit {limit}");
                    let keep = |record: &Record| query.matches(record);
                    checks.equal(&what, positions, expected(&model, from, direction, keep, limit))?;
                }
            }
        }
    }
    Ok(())
}

fn queries() -> Result<Vec<Query>, InvalidName> {
    let order = || Category::new("order");
    let lot = || Category::new("lot");
    let even = || EventType::new("even.happened");
    let odd = || EventType::new("odd.happened");
    let two = || Tag::of("number", "2");
    let lot_two = || Tag::of("stream", "lot-2");
    let item = |categories: Vec<Category>, types: Vec<EventType>, tags: Vec<Tag>| QueryItem { categories, types, tags };
    let one = |item: QueryItem| Query { items: vec![item] };
    Ok(vec![
        Query::all(),
        one(item(vec![], vec![], vec![])),
        one(item(vec![order()?], vec![], vec![])),
        one(item(vec![order()?, lot()?], vec![odd()?], vec![])),
        one(item(vec![], vec![even()?], vec![two()?])),
        one(item(vec![], vec![], vec![two()?, lot_two()?])),
        one(item(vec![], vec![EventType::new("never.happened")?], vec![])),
        one(item(vec![Category::new("stranger")?], vec![], vec![two()?])),
        Query {
            items: vec![
                item(vec![order()?], vec![even()?, odd()?], vec![two()?]),
                item(vec![lot()?], vec![], vec![lot_two()?]),
                item(vec![], vec![], vec![Tag::of("number", "4")?]),
            ],
        },
    ])
}

pub(super) async fn streams(mut case: Case<'_>) -> Result<(), Failure> {
    let model = fill(&mut case).await?;
    let Case { log, checks, .. } = case;
    for name in ["order-1", "lot-1", "lot-2", "lot-3"] {
        let of_stream: Vec<&Record> = model.iter().filter(|record| record.stream.as_str() == name).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            for from in [0, 1, 40, 80, 5_000, u64::MAX] {
                for limit in [0, 1, 10, 1_000] {
                    let answer = log.read_stream(stream(name)?, Revision::new(from), direction, limit).await;
                    let page = checks.ok("a page", answer)?;
                    let mut all: Vec<Record> = of_stream
                        .iter()
                        .filter(|record| match direction {
                            Direction::Forward => record.revision.get() >= from,
                            Direction::Backward => record.revision.get() <= from,
                        })
                        .map(|record| (*record).clone())
                        .collect();
                    if direction == Direction::Backward {
                        all.reverse();
                    }
                    all.truncate(limit);
                    checks.equal(&format!("{name} {direction:?} from {from}, limit {limit}"), page.records, all)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn empty(case: Case<'_>) -> Result<(), Failure> {
    let Case { log, checks, .. } = case;
    checks.equal("the tail", log.tail(), Position::START)?;
    for direction in [Direction::Forward, Direction::Backward] {
        let page = checks.ok("a page", log.read(Position::new(5), direction, Filter::all(), 10).await)?;
        checks.equal("a page", page.len(), 0)?;
        let page = checks.ok("a stream", log.read_stream(stream("order-1")?, Revision::START, direction, 10).await)?;
        checks.equal("a stream", page.len(), 0)?;
    }
    let position = checks.ok("a time", log.last_position_at(at(5_000)).await)?;
    checks.equal("a time", position, None)
}
