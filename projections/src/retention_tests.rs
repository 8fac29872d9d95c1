use std::ops::RangeInclusive;

use domain::events::{HoldScope, RetentionApplied};
use domain::ids::Code;
use eventlog::memory::MemoryLog;
use eventlog::metadata::{self, CategoryMetadata, StreamMetadata};
use eventlog::{
    AppendCondition, AppendError, Category, Clock, EventLog, Filter, NewEvent, PayloadState, Position, StreamId,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{EXPIRING_TYPES, Justified, Newest, RetentionClass, plan, unsettling};
use crate::testing::{frame, history, sealed, time};
use crate::{Folds, replay};

fn class() -> RetentionClass {
    class_of("telemetry", &EXPIRING_TYPES)
}

fn class_of(name: &str, types: &[&str]) -> RetentionClass {
    RetentionClass { class: Code::new(name).unwrap(), types: types.iter().map(|name| (*name).to_owned()).collect() }
}

/// A log whose record times go up by a second a record.
fn log() -> MemoryLog {
    let ticks = std::sync::atomic::AtomicI64::new(0);
    MemoryLog::with_clock(Clock::from_fn(move || {
        time(0) + SignedDuration::from_secs(ticks.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    }))
}

fn recorded(position: u64) -> Timestamp {
    time(0) + SignedDuration::from_secs(i64::try_from(position).unwrap())
}

async fn append(log: &MemoryLog, event: NewEvent) -> Position {
    log.append(AppendCondition::none(), vec![event]).await.unwrap().last
}

fn ranges(expiry: &RetentionApplied) -> Vec<RangeInclusive<Position>> {
    expiry.ranges.iter().map(|range| Position::new(range.first)..=Position::new(range.last)).collect()
}

/// Plans, appends the events, and drops: answers how many payloads went.
async fn expire(log: &MemoryLog, before: Timestamp, holds: &[HoldScope], number: u64) -> u64 {
    expire_class(log, &class(), before, holds, number).await
}

/// As [`expire`], for one class.
async fn expire_class(
    log: &MemoryLog,
    class: &RetentionClass,
    before: Timestamp,
    holds: &[HoldScope],
    number: u64,
) -> u64 {
    let (folds, _) = replay(log, None).await.unwrap();
    let planned = plan(log, class, before, holds, &Newest::of(&folds.latest)).await.unwrap();
    let mut dropped = 0;
    for (expiry, index) in planned.into_iter().zip(0..) {
        append(log, sealed(number + index, None, expiry.clone())).await;
        log.drop_payloads(&ranges(&expiry));
        dropped += expiry.records;
    }
    dropped
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// A model that read the frames equals one that is built anew from what is left, however often something expires in between.
    #[test]
    fn live_equals_a_rebuild_after_expiries(
        seeds in prop::collection::vec(any::<u64>(), 20..160),
        at in prop::collection::btree_set(1_usize..160, 1..5),
        keep in 0_u64..20,
    ) {
        runtime().block_on(async {
            let log = log();
            let mut live = Folds::default();
            let mut applied = Position::START;
            let mut dropped = 0;
            for (event, index) in history(&seeds).into_iter().zip(0_usize..) {
                append(&log, event).await;
                if at.contains(&index) {
                    let before = recorded(log.tail().get().saturating_sub(keep));
                    follow(&log, &mut live, &mut applied).await;
                    dropped += expire(&log, before, &[], 1_000_000 + 1_000 * index as u64).await;
                }
            }
            follow(&log, &mut live, &mut applied).await;
            let (rebuilt, _) = replay(&log, None).await.unwrap();
            assert_eq!(rebuilt.digests(), live.digests(), "{dropped} payloads dropped");
        });
    }
}

/// Applies what is new, as a running projection does.
async fn follow(log: &MemoryLog, folds: &mut Folds, from: &mut Position) {
    let records = log.read(*from, eventlog::Direction::Forward, Filter::all(), 10_000).await.unwrap();
    for record in records {
        *from = record.position.next();
        folds.apply(&crate::Entry::decode(record));
    }
}

#[test]
fn a_signal_that_fell_silent_keeps_its_last_values() {
    runtime().block_on(async {
        let log = log();
        for number in 0..10 {
            append(&log, frame(number, vec![("dead", i64::try_from(number).unwrap(), 0.5), ("live", 1, f64::NAN)]))
                .await;
        }
        append(&log, frame(10, vec![("live", 20, 1.5)])).await;
        let (before, _) = replay(&log, None).await.unwrap();
        assert_eq!(expire(&log, recorded(9), &[], 100).await, 9);
        // Done again, nothing is left to do.
        assert_eq!(expire(&log, recorded(9), &[], 200).await, 0);
        let (after, _) = replay(&log, None).await.unwrap();
        assert_eq!(after.latest.signal("dead"), before.latest.signal("dead"));
        assert_eq!(after.latest.signal("dead").unwrap().count(), 10);
        assert_eq!(after.latest.value("dead").unwrap().position, Position::new(9));
        assert_eq!(after.statistics.readings, before.statistics.readings);
    });
}

#[test]
fn what_is_held_does_not_expire_and_expires_when_it_is_released() {
    runtime().block_on(async {
        let log = log();
        for number in 0..6 {
            append(&log, frame(number, vec![("S", i64::try_from(number).unwrap(), 0.5)])).await;
        }
        let during = HoldScope { from: Some(recorded(2)), to: Some(recorded(4)), ..HoldScope::default() };
        let other = HoldScope { tags: vec!["asset:L07".to_owned()], ..HoldScope::default() };
        assert_eq!(expire(&log, recorded(100), &[during.clone(), other.clone()], 100).await, 4);
        assert_eq!(expire(&log, recorded(100), &[during, other.clone()], 200).await, 0);
        let streams = HoldScope { streams: vec!["readings-shed".to_owned()], ..HoldScope::default() };
        assert_eq!(expire(&log, recorded(100), &[streams], 300).await, 0);
        assert_eq!(expire(&log, recorded(100), &[other], 400).await, 2);
        let (folds, _) = replay(&log, None).await.unwrap();
        assert_eq!(folds.latest.signal("S").unwrap().count(), 6);
        assert_eq!(folds.privacy.expiries().len(), 2);
    });
}

#[test]
fn a_payload_may_be_gone_only_where_an_earlier_run_says_so() {
    runtime().block_on(async {
        let log = log();
        for number in 0..6 {
            append(&log, frame(number, vec![("S", i64::try_from(number).unwrap(), 0.5)])).await;
        }
        expire(&log, recorded(3), &[], 100).await;
        let mut justified = Justified::default();
        let records = log.read(Position::START, eventlog::Direction::Forward, Filter::all(), 100).await.unwrap();
        records.iter().for_each(|record| justified.observe(record));
        let run = |first, last| (Position::new(first), Position::new(last));
        for (dropped, expected) in [
            (vec![], None),
            (vec![run(0, 2)], None),
            (vec![run(1, 1)], None),
            (vec![run(0, 3)], Some(3)),
            (vec![run(0, 2), run(5, 5)], Some(5)),
        ] {
            assert_eq!(justified.clone().first_unjustified(&dropped).map(Position::get), expected, "{dropped:?}");
        }
    });
}

/// Which of the first positions still have their payload.
async fn present(log: &MemoryLog, count: usize) -> Vec<bool> {
    let records = log.read(Position::START, eventlog::Direction::Forward, Filter::all(), count).await.unwrap();
    records.iter().map(|record| record.payload_state == PayloadState::Present).collect()
}

/// A frame of a signal in a stream.
fn frame_in(stream: &str, number: u64) -> NewEvent {
    let mut event = frame(number, vec![("S", i64::try_from(number).unwrap(), 0.5)]);
    event.stream = StreamId::new(stream).unwrap();
    event
}

#[test]
fn the_class_of_a_stream_goes_before_the_types_of_a_class() {
    runtime().block_on(async {
        let log = log();
        for (number, stream) in ["lab-one", "lab-two", "rig-one", "shed-one", "attic-one"].into_iter().enumerate() {
            append(&log, frame_in(stream, number as u64)).await;
        }
        let named = |name: &str| Some(metadata::RetentionClass::new(name).unwrap());
        let of_category = CategoryMetadata { retention_class: named("long") };
        let _ = metadata::set_category(&log, &Category::new("lab").unwrap(), &of_category, "test").await.unwrap();
        for (stream, name) in [("lab-two", "short"), ("rig-one", "long"), ("attic-one", "unheard-of")] {
            let own = StreamMetadata { retention_class: named(name), ..StreamMetadata::default() };
            let _ = metadata::set_stream(&log, &StreamId::new(stream).unwrap(), &own, "test").await.unwrap();
        }
        let all = recorded(1_000);
        // A class without types is there for the streams that are put in it; one that lists another type still decides about its own streams.
        for (class, number, dropped, left) in [
            (class_of("long", &[]), 100, 2, [false, true, false, true, true]),
            (class_of("short", &["input.quarantined"]), 200, 1, [false, false, false, true, true]),
            (class_of("telemetry", &EXPIRING_TYPES), 300, 1, [false, false, false, false, true]),
            (class_of("long", &EXPIRING_TYPES), 400, 0, [false, false, false, false, true]),
        ] {
            assert_eq!(expire_class(&log, &class, all, &[], number).await, dropped, "{class:?}");
            assert_eq!(present(&log, 5).await, left, "{class:?}");
        }
        // The class that was set last counts, and what is not older than it allows stays.
        let own = StreamMetadata { retention_class: named("short"), ..StreamMetadata::default() };
        let _ = metadata::set_stream(&log, &StreamId::new("attic-one").unwrap(), &own, "test").await.unwrap();
        assert_eq!(expire_class(&log, &class_of("short", &[]), recorded(4), &[], 500).await, 0);
        assert_eq!(expire_class(&log, &class_of("short", &[]), recorded(5), &[], 600).await, 1);
        assert_eq!(present(&log, 5).await, [false; 5]);
    });
}

#[test]
fn a_class_that_is_set_meanwhile_refuses_the_event_of_a_plan() {
    runtime().block_on(async {
        let log = log();
        append(&log, frame_in("lab-one", 0)).await;
        let known_to = log.tail().previous();
        let (folds, _) = replay(&log, None).await.unwrap();
        let planned = plan(&log, &class(), recorded(1_000), &[], &Newest::of(&folds.latest)).await.unwrap();
        let [expiry] = planned.as_slice() else { panic!("{planned:?}") };
        let unsettled = || AppendCondition { streams: Vec::new(), no_match_after: Some((unsettling(), known_to)) };
        let event = sealed(100, None, expiry.clone());

        let kept = metadata::RetentionClass::new("kept").unwrap();
        let of_category = CategoryMetadata { retention_class: Some(kept) };
        let _ = metadata::set_category(&log, &Category::new("lab").unwrap(), &of_category, "test").await.unwrap();
        let refused = log.append(unsettled(), vec![event]).await.unwrap_err();
        assert!(matches!(refused, AppendError::QueryMatched { position } if position == Position::new(1)), "{refused}");
    });
}
