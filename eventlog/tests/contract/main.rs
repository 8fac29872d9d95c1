//! The contract against a naive model: random appends under random conditions, random repetitions, on either engine, with restarts in between.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a test fails by a panic, and the disk is shared with the fuzz targets"
)]

#[path = "../../fuzz/src/disk.rs"]
mod disk;
mod naive;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::memory::MemoryLog;
use eventlog::{
    AppendCondition, AppendError, Category, Direction, EventLog, EventType, Expected, Filter, Position, Query,
    QueryItem, Revision,
};
use proptest::prelude::*;

use crate::naive::{Naive, Outcome, event};

/// Which categories, which types, and the bits of the tags.
type Item = (u8, u8, u8);

/// One append: numbers of events (the same number is the same event, unless it is changed), and its condition.
#[derive(Clone, Debug)]
struct Call {
    numbers: Vec<u64>,
    changed: Option<usize>,
    streams: Vec<(u64, Option<u64>)>,
    query: Option<(Vec<Item>, Option<u64>)>,
}

#[derive(Clone, Debug)]
enum Step {
    Append(Call),
    Reopen,
}

/// Numbers that repeat, overlap and are permuted.
fn numbers() -> impl Strategy<Value = Vec<u64>> {
    let run = (0..60_u64, 1..6_u64).prop_map(|(first, count)| (first..first + count).collect::<Vec<_>>());
    prop_oneof![
        6 => run.clone(),
        2 => run.prop_shuffle(),
        2 => prop::collection::vec(0..70_u64, 1..5),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    // Revisions and positions are drawn so that about half of the expectations hold.
    let streams = prop::collection::vec((0..6_u64, prop::option::of(0..9_u64)), 0..4);
    let items = prop::collection::vec((0..4_u8, 0..4_u8, 0..8_u8), 1..3);
    let query = prop::option::weighted(0.4, (items, prop::option::of(0..50_u64)));
    let changed = prop::option::weighted(0.1, 0..5_usize);
    let streams = prop_oneof![2 => Just(Vec::new()), 3 => streams];
    (numbers(), changed, streams, query).prop_map(|(numbers, changed, streams, query)| Call {
        numbers,
        changed,
        streams,
        query,
    })
}

fn query(items: &[Item]) -> Query {
    let item = |(category, event_type, tags): &Item| QueryItem {
        categories: match category {
            0 => vec![],
            1 => vec![Category::new("order").unwrap()],
            2 => vec![Category::new("lot").unwrap()],
            _ => vec![Category::new("order").unwrap(), Category::new("never").unwrap()],
        },
        types: match event_type {
            0 => vec![],
            1 => vec![EventType::new("kind.0").unwrap()],
            2 => vec![EventType::new("kind.1").unwrap(), EventType::new("kind.2").unwrap()],
            _ => vec![EventType::new("never.happened").unwrap()],
        },
        tags: (0..3_u8).filter(|bit| tags >> bit & 1 == 1).map(|bit| naive::tag(u64::from(bit))).collect(),
    };
    Query { items: items.iter().map(item).collect() }
}

impl Call {
    fn events(&self) -> Vec<eventlog::NewEvent> {
        let changed = |index: usize| self.changed == Some(index);
        self.numbers.iter().enumerate().map(|(index, number)| event(*number, changed(index))).collect()
    }

    fn condition(&self) -> AppendCondition {
        let expected = |revision: &Option<u64>| match revision {
            None => Expected::NoStream,
            Some(0) => Expected::Any,
            Some(revision) => Expected::Exactly(Revision::new(revision - 1)),
        };
        AppendCondition {
            streams: self.streams.iter().map(|(stream, at)| (naive::stream(*stream), expected(at))).collect(),
            no_match_after: self.query.as_ref().map(|(items, after)| (query(items), after.map(Position::new))),
        }
    }
}

/// What the log answers, in the model's words.
async fn answer(log: &dyn EventLog, call: &Call) -> Outcome {
    match log.append(call.condition(), call.events()).await {
        Ok(appended) => {
            Outcome::Appended { first: appended.first.get(), last: appended.last.get(), repeated: appended.repeated }
        }
        Err(AppendError::IdConflict { .. }) => Outcome::IdConflict,
        Err(AppendError::Conflict { stream, actual, .. }) => {
            Outcome::Conflict { stream: stream.to_string(), actual: actual.map(Revision::get) }
        }
        Err(AppendError::QueryMatched { position }) => Outcome::QueryMatched(position.get()),
        Err(error) => panic!("{error}"),
    }
}

/// How often each kind of outcome came, so that a run in which nothing was refused or repeated fails.
#[derive(Debug, Default)]
struct Seen([AtomicUsize; 5]);

impl Seen {
    fn count(&self, outcome: &Outcome) {
        let index = match outcome {
            Outcome::Appended { repeated: false, .. } => 0,
            Outcome::Appended { repeated: true, .. } => 1,
            Outcome::IdConflict => 2,
            Outcome::Conflict { .. } => 3,
            Outcome::QueryMatched(_) => 4,
        };
        self.0[index].fetch_add(1, Ordering::Relaxed);
    }

    fn check(&self, least: usize) {
        let counts: Vec<usize> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert!(counts.iter().all(|count| *count >= least), "{counts:?}");
    }
}

async fn check_whole(log: &dyn EventLog, model: &Naive) {
    let page = log.read(Position::START, Direction::Forward, Filter::all(), 10_000).await.unwrap();
    let ids: Vec<_> = page.iter().map(|record| record.id).collect();
    assert_eq!(ids, model.ids());
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(log.position_of(*id).await.unwrap(), Some(Position::new(index as u64)));
    }
}

fn runner(cases: u32) -> proptest::test_runner::TestRunner {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    proptest::test_runner::TestRunner::new(config)
}

#[test]
fn the_memory_engine_appends_as_the_naive_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = Seen::default();
    let calls = prop::collection::vec(call(), 1..25);
    let checked = runner(2_500).run(&calls, |calls| {
        runtime.block_on(async {
            let log = MemoryLog::new();
            let mut model = Naive::default();
            for call in &calls {
                let expected = model.append(&call.condition(), &call.events());
                assert_eq!(answer(&log, call).await, expected, "{call:?}");
                seen.count(&expected);
            }
            check_whole(&log, &model).await;
        });
        Ok(())
    });
    checked.unwrap();
    seen.check(500);
}

#[test]
fn the_engine_on_files_appends_as_the_naive_model_does_over_restarts() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let seen = Seen::default();
    let step = prop_oneof![8 => call().prop_map(Step::Append), 1 => Just(Step::Reopen)];
    let steps = prop::collection::vec(step, 1..60);
    let checked = runner(120).run(&steps, |steps| {
        let options =
            Options { segment_bytes: 8 * 1024, disk: Arc::new(disk::MemoryDisk::default()), ..Options::default() };
        let open = || EmbeddedLog::open(disk::folder(), options.clone()).unwrap();
        let mut model = Naive::default();
        let mut log = open();
        for step in &steps {
            match step {
                Step::Append(call) => {
                    let expected = model.append(&call.condition(), &call.events());
                    assert_eq!(runtime.block_on(answer(&log, call)), expected, "{call:?}");
                    seen.count(&expected);
                }
                Step::Reopen => {
                    drop(log);
                    log = open();
                }
            }
        }
        runtime.block_on(check_whole(&log, &model));
        Ok(())
    });
    checked.unwrap();
    seen.check(50);
}
