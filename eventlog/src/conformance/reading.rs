//! Cases about reads.

use super::{Case, Failure, at, event, stream};
use crate::{
    AppendCondition, Category, Direction, EventType, Filter, InvalidName, Position, Query, QueryItem, Record, Revision,
    Tag,
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
    checks.equal("the whole log", &whole, &model)?;
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, 1, 17, 100, RECORDS - 1, RECORDS, RECORDS + 50, u64::MAX] {
            for limit in [0, 1, 3, 64, 1_000] {
                let page = checks.ok("a page", log.read(Position::new(from), direction, Filter::all(), limit).await)?;
                let positions: Vec<u64> = page.iter().map(|record| record.position.get()).collect();
                let what = format!("{direction:?} from {from}, limit {limit}");
                checks.equal(&what, positions, expected(&model, from, direction, |_| true, limit))?;
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
                    checks.equal(&format!("{name} {direction:?} from {from}, limit {limit}"), page, all)?;
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
