use std::sync::Arc;

use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, Filter, Position};
use proptest::prelude::*;

use super::{Feed, REACH};
use crate::Entry;
use crate::filters::types;
use crate::pages::Pages;
use crate::testing::{erased, history, sealed};

fn filters() -> Vec<Filter> {
    let readings = types(&[crate::READINGS_TYPE, "fault.observed"]);
    vec![Filter::all(), crate::filters::business(), readings, types(&["subject.erased"]), Filter::all()]
}

struct Reader {
    pages: Pages,
    filter: Filter,
    at: Position,
    read: Vec<Arc<Entry>>,
}

impl Reader {
    fn of(feed: &Feed, filter: Filter) -> Self {
        Self { pages: Pages::of(feed, filter.clone()), filter, at: Position::START, read: Vec::new() }
    }

    async fn step(&mut self, log: &dyn EventLog) {
        // Also at the end of the log, as a rebuild of what is not behind does.
        let page = self.pages.next(log, self.at, None).await.unwrap();
        assert!(page.through > self.at || self.at == log.tail(), "a page covers something, where there is something");
        self.at = page.through;
        self.read.extend(page.entries);
    }
}

async fn append(log: &MemoryLog, seeds: &[u64], from: usize) {
    let events = history(seeds).split_off(from);
    if !events.is_empty() {
        assert!(!log.append(AppendCondition::none(), events).await.unwrap().repeated);
    }
}

fn kept(feed: &Feed) -> usize {
    feed.runs.0.lock().runs.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever reads when, each follower sees what it would have seen alone, and in the end nothing is kept.
    #[test]
    fn followers_see_what_each_would_see_alone(
        seeds in proptest::collection::vec(any::<u64>(), 1..60),
        steps in proptest::collection::vec((0_usize..6, any::<bool>()), 0..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let log = MemoryLog::new();
            let feed = Feed::new(Arc::new(log.clone()));
            let mut readers: Vec<Reader> = filters().into_iter().map(|filter| Reader::of(&feed, filter)).collect();
            let mut logged = 0;
            for (who, appends) in steps {
                if appends && logged < seeds.len() {
                    append(&log, &seeds[..=logged], logged).await;
                    logged += 1;
                }
                if let Some(reader) = readers.get_mut(who) {
                    reader.step(&log).await;
                }
            }
            append(&log, &seeds, logged).await;
            for reader in &mut readers {
                while reader.at < log.tail() {
                    reader.step(&log).await;
                }
            }
            for reader in &readers {
                let (mut alone, mut at, mut expected) = (Pages::new(reader.filter.clone()), Position::START, Vec::new());
                while at < log.tail() {
                    let page = alone.next(&log, at, None).await.unwrap();
                    at = page.through;
                    expected.extend(page.entries);
                }
                prop_assert_eq!(format!("{:?}", reader.read), format!("{expected:?}"));
            }
            prop_assert_eq!(kept(&feed), 0);
            Ok(())
        })?;
    }
}

/// Four who have read 300 records and know of each other, and ten records that they have not read.
async fn four(log: &MemoryLog) -> (Feed, Vec<Reader>) {
    append(log, &(0..300).collect::<Vec<u64>>(), 0).await;
    let feed = Feed::new(Arc::new(log.clone()));
    let mut readers: Vec<Reader> = (0..4).map(|_| Reader::of(&feed, Filter::all())).collect();
    for reader in &mut readers {
        reader.step(log).await;
    }
    append(log, &(0..310).collect::<Vec<u64>>(), 300).await;
    (feed, readers)
}

#[tokio::test]
async fn those_at_one_place_share_what_was_read_and_decoded() {
    let log = MemoryLog::new();
    let (feed, mut readers) = four(&log).await;
    let (first, others) = readers.split_first_mut().unwrap();
    first.step(&log).await;
    assert_eq!((first.at, kept(&feed)), (Position::new(310), 1));
    for (behind, other) in others.iter_mut().enumerate() {
        other.step(&log).await;
        assert!(first.read[300..].iter().zip(&other.read[300..]).all(|(a, b)| Arc::ptr_eq(a, b)));
        assert_eq!(kept(&feed), usize::from(behind < 2), "what is kept goes with the last one who wants it");
    }
}

#[tokio::test]
async fn who_is_far_from_all_others_reads_what_it_wants_alone() {
    let log = MemoryLog::new();
    for number in 0..REACH + 2 {
        let _ = log.append(AppendCondition::none(), vec![sealed(number, None, erased("person:P-1"))]).await.unwrap();
    }
    let feed = Feed::new(Arc::new(log.clone()));
    let mut behind: Vec<Reader> = (0..3).map(|_| Reader::of(&feed, types(&["fault.coded"]))).collect();
    for reader in &mut behind {
        reader.at = Position::new(REACH + 1);
        reader.step(&log).await;
    }
    let mut alone = Reader::of(&feed, types(&["fault.coded"]));
    alone.step(&log).await;
    assert_eq!((alone.at, kept(&feed)), (log.tail(), 0), "one page of what matches covers everything");
}

#[tokio::test]
async fn nothing_is_kept_for_who_rests_or_is_gone() {
    let log = MemoryLog::new();
    let (feed, mut readers) = four(&log).await;
    let mut last = readers.pop().unwrap();
    last.step(&log).await;
    assert_eq!(kept(&feed), 1);
    readers[0].pages.rest();
    readers.truncate(2);
    assert_eq!(kept(&feed), 1, "one is left who will want it");
    readers.clear();
    assert_eq!(kept(&feed), 0);
}
