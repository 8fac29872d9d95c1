//! Random histories: the engine on files, with small segments and restarts at any time, answers what the memory engine answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use eventlog::embedded::{EmbeddedLog, Options, verify};
use eventlog::memory::MemoryLog;
use eventlog::{
    AppendCondition, Category, Clock, Direction, EventLog, Expected, Filter, Position, Query, QueryItem, Revision,
    StreamId, Tag,
};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::event;

#[derive(Clone, Debug)]
enum Step {
    Append { first: u64, count: u64, stream: u64, expected: Option<u64>, tag: Option<(u64, u64)>, changed: bool },
    Read { from: u64, backward: bool, tag: u64, limit: usize },
    Stream { stream: u64, from: u64, backward: bool, limit: usize },
    Clock(i64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let condition =
        (0..4_u64, prop::option::weighted(0.4, 0..12_u64), prop::option::weighted(0.2, (0..8_u64, 0..60_u64)));
    let append = (0..80_u64, 1..9_u64, condition, prop::bool::weighted(0.1));
    prop_oneof![
        6 => append.prop_map(|(first, count, (stream, expected, tag), changed)| Step::Append { first, count, stream, expected, tag, changed }),
        2 => (0..90_u64, any::<bool>(), 0..9_u64, 0..40_usize)
            .prop_map(|(from, backward, tag, limit)| Step::Read { from, backward, tag, limit }),
        2 => (0..4_u64, 0..30_u64, any::<bool>(), 0..20_usize)
            .prop_map(|(stream, from, backward, limit)| Step::Stream { stream, from, backward, limit }),
        1 => (0..1_000_i64).prop_map(Step::Clock),
        1 => Just(Step::Reopen),
    ]
}

fn stream(number: u64) -> StreamId {
    StreamId::new(["order-1", "lot-1", "lot-2", "lot-3"][(number % 4) as usize]).unwrap()
}

fn tagged(number: u64) -> Query {
    let tags = if number == 8 { Vec::new() } else { vec![Tag::of("number", &number.to_string()).unwrap()] };
    let categories = if number.is_multiple_of(2) { vec![Category::new("lot").unwrap()] } else { Vec::new() };
    Query { items: vec![QueryItem { categories, types: Vec::new(), tags }] }
}

fn direction(backward: bool) -> Direction {
    if backward { Direction::Backward } else { Direction::Forward }
}

/// What a log answers to a step, as text.
async fn answer(log: &dyn EventLog, step: &Step) -> String {
    match step {
        Step::Append { first, count, stream: number, expected, tag, changed } => {
            let mut events: Vec<_> = (*first..first + count).map(event).collect();
            if *changed {
                events[0].schema_version = 2;
            }
            let expected = expected.map(|revision| {
                (
                    stream(*number),
                    if revision == 0 { Expected::NoStream } else { Expected::Exactly(Revision::new(revision)) },
                )
            });
            let no_match_after = tag.map(|(tag, after)| (tagged(tag), Some(Position::new(after))));
            let condition = AppendCondition { streams: expected.into_iter().collect(), no_match_after };
            format!("{:?}", log.append(condition, events).await)
        }
        Step::Read { from, backward, tag, limit } => {
            format!("{:?}", log.read(Position::new(*from), direction(*backward), tagged(*tag), *limit).await)
        }
        Step::Stream { stream: number, from, backward, limit } => {
            format!("{:?}", log.read_stream(stream(*number), Revision::new(*from), direction(*backward), *limit).await)
        }
        Step::Clock(second) => {
            format!("{:?}", log.last_position_at(Timestamp::from_second(*second).unwrap()).await)
        }
        Step::Reopen => format!("{}", log.tail()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_engine_on_files_answers_what_the_memory_engine_answers(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let seconds = Arc::new(AtomicI64::new(500));
        let now = Arc::clone(&seconds);
        let clock = Clock::from_fn(move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap());
        let options = Options { segment_bytes: 8 * 1024, clock: clock.clone(), ..Options::default() };
        let model = MemoryLog::with_clock(clock);
        let mut log = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
        runtime.block_on(async {
            for step in &steps {
                assert_eq!(answer(&log, step).await, answer(&model, step).await, "{step:?}");
                match step {
                    Step::Clock(second) => seconds.store(*second, Ordering::SeqCst),
                    Step::Reopen => {
                        drop(log);
                        log = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
                    }
                    _ => {}
                }
            }
            let whole = log.read(Position::START, Direction::Forward, Filter::all(), 10_000).await.unwrap();
            assert_eq!(whole, model.read(Position::START, Direction::Forward, Filter::all(), 10_000).await.unwrap());
            drop(log);
            assert_eq!(verify(directory.path()).unwrap().records, whole.len() as u64);
        });
    }
}
