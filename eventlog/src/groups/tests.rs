#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::*;
use crate::memory::MemoryLog;
use crate::{AppendCondition, Category, EventId, EventLog, EventType, Filter, NewEvent, QueryItem, StreamId};

const NOW: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn name(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

async fn append(log: &MemoryLog, category: &str, count: usize) {
    let stream = StreamId::of(category, "1").unwrap();
    let event_type = EventType::new("something.happened").unwrap();
    let event = || NewEvent::json(EventId::generate(), stream.clone(), event_type.clone(), 1, "test", Bytes::new());
    let events = (0..count).map(|_| event()).collect();
    let _ = log.append(AppendCondition::none(), events).await.unwrap();
}

fn orders() -> Definition {
    let item = QueryItem { categories: vec![Category::new("order").unwrap()], ..QueryItem::default() };
    Definition {
        filter: Filter { items: vec![item] },
        lease_ms: 10_000,
        max_attempts: 3,
        max_in_flight: 20,
        ..Definition::default()
    }
}

async fn groups(log: &MemoryLog, definition: Definition) -> Groups {
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    groups.define(&name("g"), definition, "test").await.unwrap();
    groups
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.record.position.get()).collect()
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(Delivery::receipt).collect()
}

#[tokio::test(start_paused = true)]
async fn members_share_the_records_out() {
    let log = MemoryLog::new();
    append(&log, "order", 6).await;
    let groups = groups(&log, orders()).await;
    let one = groups.fetch(&name("g"), 4, NOW).await.unwrap();
    let two = groups.fetch(&name("g"), 4, NOW).await.unwrap();
    assert_eq!((positions(&one), positions(&two)), (vec![0, 1, 2, 3], vec![4, 5]));
    let settled = groups.acknowledge(&name("g"), &receipts(&one)).await.unwrap();
    assert_eq!(settled, Settled { settled: 4, stale: 0, parked: 0 });
    let again = groups.acknowledge(&name("g"), &receipts(&one)).await.unwrap();
    assert_eq!(again, Settled { settled: 0, stale: 4, parked: 0 });
    assert!(groups.fetch(&name("g"), 4, NOW).await.unwrap().is_empty());
    let status = groups.status(&name("g")).await.unwrap();
    assert_eq!((status.leased, status.waiting, status.parked), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_allowed() {
    let log = MemoryLog::new();
    append(&log, "order", 50).await;
    let groups = groups(&log, orders()).await;
    let first = groups.fetch(&name("g"), 15, NOW).await.unwrap();
    assert_eq!(first.len(), 15);
    assert_eq!(groups.fetch(&name("g"), 15, NOW).await.unwrap().len(), 5);
    assert!(groups.fetch(&name("g"), 15, NOW).await.unwrap().is_empty());
    groups.acknowledge(&name("g"), &receipts(&first[..3])).await.unwrap();
    assert_eq!(positions(&groups.fetch(&name("g"), 15, NOW).await.unwrap()), [20, 21, 22]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_gives_the_record_to_the_next_and_the_retry_limit_parks_it() {
    let log = MemoryLog::new();
    append(&log, "order", 1).await;
    let groups = groups(&log, orders()).await;
    for attempt in 1..=3 {
        let delivered = groups.fetch(&name("g"), 5, NOW).await.unwrap();
        assert_eq!((delivered.len(), delivered[0].attempt), (1, attempt));
        advance(9 * SECOND).await;
        assert!(groups.fetch(&name("g"), 5, NOW).await.unwrap().is_empty(), "the lease holds");
        advance(SECOND).await;
    }
    assert!(groups.fetch(&name("g"), 5, NOW).await.unwrap().is_empty());
    let parked = groups.parked(&name("g"), Position::START, 10).await.unwrap();
    let reason = "delivered 3 times; it was not acknowledged within its lease".to_owned();
    assert_eq!(parked, [Parked { position: Position::START, attempts: 3, reason }]);

    // It is parked also for who opens the groups now, without anybody having saved anything else.
    drop(groups);
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    assert_eq!(groups.parked(&name("g"), Position::START, 10).await.unwrap(), parked);
    assert!(groups.fetch(&name("g"), 5, NOW).await.unwrap().is_empty());
    assert_eq!(groups.replay_parked(&name("g"), None).await.unwrap(), [Position::START]);
    drop(groups);
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    assert!(groups.parked(&name("g"), Position::START, 10).await.unwrap().is_empty());
    assert_eq!(groups.fetch(&name("g"), 5, NOW).await.unwrap()[0].attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_retry_now_or_later_or_park() {
    let log = MemoryLog::new();
    append(&log, "order", 3).await;
    let groups = groups(&log, orders()).await;
    let held = receipts(&groups.fetch(&name("g"), 3, NOW).await.unwrap());
    let group = name("g");
    let refuse = |index: usize, refusal| groups.refuse(&group, &held[index..=index], refusal, "no luck");
    refuse(0, Refusal::Retry(NOW)).await.unwrap();
    refuse(1, Refusal::Retry(4 * SECOND)).await.unwrap();
    assert_eq!(refuse(2, Refusal::Park).await.unwrap(), Settled { settled: 1, stale: 0, parked: 1 });
    assert_eq!(positions(&groups.fetch(&group, 3, NOW).await.unwrap()), [0]);
    // A late refusal of the first delivery does not end the second one.
    assert_eq!(refuse(0, Refusal::Retry(NOW)).await.unwrap().stale, 1);
    assert!(groups.fetch(&group, 3, NOW).await.unwrap().is_empty());
    let started = Instant::now();
    let late = groups.fetch(&group, 3, 8 * SECOND).await.unwrap();
    assert_eq!((positions(&late), late[0].attempt, started.elapsed()), (vec![1], 2, 4 * SECOND));
    // A late acknowledgement of the first delivery counts: the work is done.
    assert_eq!(groups.acknowledge(&group, &held[1..2]).await.unwrap().settled, 1);
    assert_eq!(groups.parked(&group, Position::START, 9).await.unwrap()[0].reason, "no luck");
    let too_late = groups.refuse(&group, &held, Refusal::Retry(MAX_DELAY + SECOND), "").await;
    assert!(matches!(too_late, Err(GroupError::Invalid { field: "delay_ms", .. })), "{too_late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_waits_for_what_is_appended_and_no_longer_than_asked() {
    let log = MemoryLog::new();
    let groups = Arc::new(groups(&log, orders()).await);
    let started = Instant::now();
    assert!(groups.fetch(&name("g"), 1, 5 * SECOND).await.unwrap().is_empty());
    assert_eq!(started.elapsed(), 5 * SECOND);
    let waiting = Arc::clone(&groups);
    let waiting = tokio::spawn(async move { waiting.fetch(&name("g"), 1, 3_600 * SECOND).await });
    tokio::time::sleep(SECOND).await;
    append(&log, "lot", 1).await;
    append(&log, "order", 1).await;
    let delivered = waiting.await.unwrap().unwrap();
    assert_eq!(delivered[0].record.stream.category(), "order");
    assert!(started.elapsed() < 60 * SECOND, "the append woke it");
}

#[tokio::test(start_paused = true)]
async fn a_group_does_not_feed_on_itself_and_writes_nothing_while_nothing_happens() {
    let log = MemoryLog::new();
    append(&log, "order", 2).await;
    let groups = groups(&log, Definition::default()).await;
    let mut delivered = Vec::new();
    for _ in 0..20 {
        let now = groups.fetch(&name("g"), 5, 2 * SECOND).await.unwrap();
        groups.acknowledge(&name("g"), &receipts(&now)).await.unwrap();
        delivered.extend(positions(&now));
    }
    assert_eq!(delivered, [0, 1]);
    let tail = log.tail();
    let _ = groups.fetch(&name("g"), 5, 60 * SECOND).await.unwrap();
    assert_eq!(log.tail(), tail);
    assert_eq!(groups.status(&name("g")).await.unwrap().lag, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_and_saved_is_not_delivered_after_a_crash_and_the_rest_is() {
    let log = MemoryLog::new();
    append(&log, "order", 10).await;
    let first = groups(&log, orders()).await;
    let held = first.fetch(&name("g"), 6, NOW).await.unwrap();
    first.acknowledge(&name("g"), &receipts(&held[..4])).await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    first.acknowledge(&name("g"), &receipts(&held[4..5])).await.unwrap();
    drop(first);
    let second = Groups::open(Arc::new(log.clone())).await.unwrap();
    let again = second.fetch(&name("g"), 20, NOW).await.unwrap();
    // 4 was acknowledged, and the crash lost that; 5 was with a member.
    assert_eq!(
        again.iter().map(|delivery| (delivery.record.position.get(), delivery.attempt)).collect::<Vec<_>>(),
        [(4, 2), (5, 2)]
    );
    second.acknowledge(&name("g"), &receipts(&again)).await.unwrap();
    second.close().await.unwrap();
    let third = Groups::open(Arc::new(log.clone())).await.unwrap();
    assert_eq!(positions(&third.fetch(&name("g"), 20, NOW).await.unwrap()), [6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn two_processes_cannot_serve_one_group() {
    let log = MemoryLog::new();
    append(&log, "order", 4).await;
    let one = groups(&log, orders()).await;
    let two = Groups::open(Arc::new(log.clone())).await.unwrap();
    let held = one.fetch(&name("g"), 2, NOW).await.unwrap();
    one.acknowledge(&name("g"), &receipts(&held)).await.unwrap();
    one.close().await.unwrap();
    let late = two.fetch(&name("g"), 1, NOW).await.unwrap();
    let refused = two.refuse(&name("g"), &receipts(&late), Refusal::Park, "").await;
    assert!(matches!(refused, Err(GroupError::Elsewhere(_))), "{refused:?}");
    let refused = two.fetch(&name("g"), 1, NOW).await;
    assert!(matches!(refused, Err(GroupError::Elsewhere(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn groups_are_defined_changed_and_deleted() {
    let log = MemoryLog::new();
    append(&log, "order", 4).await;
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    let unknown = groups.fetch(&name("g"), 1, NOW).await;
    assert!(matches!(unknown, Err(GroupError::Unknown(_))), "{unknown:?}");
    for (field, definition) in [
        ("lease_ms", Definition { lease_ms: 0, ..orders() }),
        ("lease_ms", Definition { lease_ms: u64::MAX, ..orders() }),
        ("max_attempts", Definition { max_attempts: 0, ..orders() }),
        ("max_in_flight", Definition { max_in_flight: MAX_IN_FLIGHT + 1, ..orders() }),
    ] {
        let refused = groups.define(&name("g"), definition, "test").await;
        assert!(matches!(refused, Err(GroupError::Invalid { field: found, .. }) if found == field), "{refused:?}");
    }
    assert!(
        groups
            .define(&name("g"), Definition { start: Start::Position(Position::new(2)), ..orders() }, "test")
            .await
            .unwrap()
    );
    assert!(groups.define(&name("late"), Definition { start: Start::Tail, ..orders() }, "test").await.unwrap());
    let held = groups.fetch(&name("g"), 1, NOW).await.unwrap();
    assert_eq!(positions(&held), [2]);
    groups.refuse(&name("g"), &receipts(&held), Refusal::Park, "bad").await.unwrap();
    // A change keeps the place.
    let changed = Definition { max_attempts: 7, ..orders() };
    assert!(!groups.define(&name("g"), changed.clone(), "test").await.unwrap());
    drop(groups);
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    let statuses = groups.list().await;
    let shown: Vec<_> =
        statuses.iter().map(|status| (status.name.as_str(), status.cursor.get(), status.parked)).collect();
    assert_eq!(shown, [("g", 3, 1), ("late", 4 + 3, 0)]);
    assert_eq!(statuses[0].definition, changed);

    groups.delete(&name("g"), "test").await.unwrap();
    assert!(matches!(groups.delete(&name("g"), "test").await, Err(GroupError::Unknown(_))));
    drop(groups);
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    assert_eq!(groups.list().await.len(), 1);
    // A new group of the old name begins anew.
    assert!(groups.define(&name("g"), orders(), "test").await.unwrap());
    drop(groups);
    let groups = Groups::open(Arc::new(log.clone())).await.unwrap();
    assert!(groups.parked(&name("g"), Position::START, 9).await.unwrap().is_empty());
    assert_eq!(positions(&groups.fetch(&name("g"), 9, NOW).await.unwrap()), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_group_with_too_much_parked_delivers_no_more_until_some_is_replayed() {
    let log = MemoryLog::new();
    append(&log, "order", 9_000).await;
    append(&log, "order", 1_001).await;
    let groups = groups(&log, Definition { max_in_flight: 1_000, ..orders() }).await;
    for _ in 0..MAX_PARKED / 1_000 {
        let held = groups.fetch(&name("g"), 1_000, NOW).await.unwrap();
        assert_eq!(groups.refuse(&name("g"), &receipts(&held), Refusal::Park, "bad").await.unwrap().parked, 1_000);
    }
    let refused = groups.fetch(&name("g"), 1, NOW).await;
    assert!(matches!(refused, Err(GroupError::ParkedFull(_))), "{refused:?}");
    let some = [Position::new(7), Position::new(8), Position::new(100_000)];
    assert_eq!(groups.replay_parked(&name("g"), Some(&some)).await.unwrap().len(), 2);
    assert_eq!(positions(&groups.fetch(&name("g"), 9, NOW).await.unwrap()), [7, 8]);
    assert_eq!(positions(&groups.fetch(&name("g"), 9, NOW).await.unwrap()), [10_000]);
}

#[derive(Clone, Debug)]
enum Step {
    Append { orders: bool, count: usize },
    Fetch(usize),
    Acknowledge(Vec<bool>),
    Retry(Vec<bool>, u64),
    Park(Vec<bool>),
    Wait(u64),
    Replay,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(any::<bool>(), 12);
    prop_oneof![
        3 => (prop::bool::weighted(0.7), 1..6_usize).prop_map(|(orders, count)| Step::Append { orders, count }),
        5 => (1..8_usize).prop_map(Step::Fetch),
        4 => some().prop_map(Step::Acknowledge),
        2 => (some(), 0..8_000_u64).prop_map(|(which, delay)| Step::Retry(which, delay)),
        1 => some().prop_map(Step::Park),
        2 => (1..12_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Replay),
        1 => Just(Step::Crash),
    ]
}

/// What the test knows that must be so.
#[derive(Debug, Default)]
struct Model {
    /// Deliveries that are with the test, with the end of their lease.
    held: BTreeMap<Position, (Receipt, Instant)>,
    done: BTreeSet<Position>,
    /// Acknowledged since the last crash, and perhaps not saved yet.
    fresh: BTreeSet<Position>,
    /// Acknowledged, and saved before a crash could lose it.
    done_for_ever: BTreeSet<Position>,
    delivered: usize,
}

impl Model {
    fn take(&mut self, deliveries: &[Delivery], most: usize) {
        assert!(deliveries.len() <= most);
        let now = Instant::now();
        self.held.retain(|_, (_, until)| *until > now);
        for delivery in deliveries {
            let position = delivery.record.position;
            assert_eq!(delivery.record.stream.category(), "order");
            assert!(!self.held.contains_key(&position), "{position} is with two members");
            assert!(!self.done_for_ever.contains(&position), "{position} was acknowledged and saved");
            assert!((1..=3).contains(&delivery.attempt));
            self.held.insert(position, (delivery.receipt(), now + 10 * SECOND));
            self.delivered += 1;
        }
        assert!(self.held.len() <= 20, "{} are in flight", self.held.len());
    }

    fn choose(&mut self, which: &[bool]) -> Vec<Receipt> {
        let chosen = self.held.values().zip(which).filter(|(_, chosen)| **chosen).map(|((receipt, _), _)| *receipt);
        let chosen: Vec<Receipt> = chosen.collect();
        for receipt in &chosen {
            self.held.remove(&receipt.position);
        }
        chosen
    }
}

async fn every_record_is_done_in_the_end(steps: Vec<Step>) -> usize {
    let log = MemoryLog::new();
    let mut groups = groups(&log, orders()).await;
    let group = name("g");
    let mut model = Model::default();
    let mut expected = BTreeSet::new();
    for step in steps {
        match step {
            Step::Append { orders, count } => {
                let first = log.tail();
                append(&log, if orders { "order" } else { "lot" }, count).await;
                expected.extend((0..count as u64).filter(|_| orders).map(|index| first.plus(index)));
            }
            Step::Fetch(most) => model.take(&groups.fetch(&group, most, NOW).await.unwrap(), most),
            Step::Acknowledge(which) => {
                for receipt in model.choose(&which) {
                    // One that was parked meanwhile is not done.
                    if groups.acknowledge(&group, &[receipt]).await.unwrap().settled == 1 {
                        model.done.insert(receipt.position);
                        model.fresh.insert(receipt.position);
                    }
                }
            }
            Step::Retry(which, delay_ms) => {
                let receipts = model.choose(&which);
                groups
                    .refuse(&group, &receipts, Refusal::Retry(Duration::from_millis(delay_ms)), "retry")
                    .await
                    .unwrap();
            }
            Step::Park(which) => {
                let receipts = model.choose(&which);
                groups.refuse(&group, &receipts, Refusal::Park, "park").await.unwrap();
            }
            Step::Wait(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                if ms > 1_100 {
                    model.done_for_ever.append(&mut model.fresh);
                }
            }
            Step::Replay => drop(groups.replay_parked(&group, None).await.unwrap()),
            Step::Crash => {
                drop(groups);
                groups = Groups::open(Arc::new(log.clone())).await.unwrap();
                model.held.clear();
                model.fresh.clear();
            }
        }
    }
    // Somebody works everything off.
    for _ in 0..10_000 {
        let deliveries = groups.fetch(&group, 10, NOW).await.unwrap();
        model.take(&deliveries, 10);
        groups.acknowledge(&group, &receipts(&deliveries)).await.unwrap();
        for delivery in &deliveries {
            model.held.remove(&delivery.record.position);
        }
        model.done.extend(deliveries.iter().map(|delivery| delivery.record.position));
        let status = groups.status(&group).await.unwrap();
        let open = status.leased + status.waiting + status.parked;
        if deliveries.is_empty() && open == 0 {
            break;
        }
        groups.replay_parked(&group, None).await.unwrap();
        tokio::time::sleep(11 * SECOND).await;
    }
    assert_eq!(model.done, expected, "every record is done, and no other");
    model.delivered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_members_do_and_whenever_it_crashes_every_record_is_done_in_the_end(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(every_record_is_done_in_the_end(steps));
    }
}
