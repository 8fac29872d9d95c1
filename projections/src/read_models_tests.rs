use std::sync::Arc;
use std::time::Duration;

use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, Position};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::{Folds, ReadModels, replay};
use crate::folds::genealogy::NodeKind;
use crate::folds::quality::QualityScope;
use crate::testing::{history, logged, time};
use crate::trace::{TraceRequest, query};
use crate::{AsOf, Fold};

const WAIT: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn append(log: &MemoryLog, events: &[eventlog::NewEvent]) {
    let appended = log.append(AppendCondition::none(), events.to_vec()).await.unwrap();
    assert!(!appended.repeated);
}

/// Everything that the folds answer as of a position, as text.
fn answers(folds: &Folds, as_of: AsOf) -> Vec<String> {
    let mut answers = Vec::new();
    let catalog = &folds.catalog;
    answers.extend(catalog.assets(as_of).map(|fact| format!("{fact:?}")));
    answers.extend(catalog.signals(as_of).map(|fact| format!("{fact:?}")));
    answers.extend(catalog.mappings(as_of).iter().map(|mapping| format!("{mapping:?}")));
    for asset in catalog.assets(as_of) {
        answers.extend(catalog.signals_of(&asset.value.asset, as_of).map(|fact| format!("{fact:?}")));
        answers.extend(folds.models.running_on(&asset.value.asset, as_of).map(|view| format!("{view:?}")));
    }
    for name in ["A0", "A1", "A2"] {
        let asset = domain::ids::AssetId::new(name).unwrap();
        answers.push(format!("{:?}", folds.states.intervals(&asset, time(50), time(300), as_of)));
        answers.push(format!("{:?}", folds.states.totals(&asset, time(50), time(300), as_of)));
        answers.push(format!("{:?}", folds.states.state_at(&asset, time(100), as_of)));
        answers.push(format!("{:?}", folds.states.current(&asset, as_of)));
        answers.push(format!("{:?}", folds.states.untimed(&asset, as_of)));
        let scope = QualityScope { asset: Some(asset), ..QualityScope::default() };
        answers.push(format!("{:?}", folds.quality.totals(&scope, as_of)));
    }
    answers.extend(folds.episodes.at(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.episodes.work_orders_at(as_of).map(|view| format!("{view:?}")));
    answers.push(format!("{:?}", folds.episodes.counts(as_of)));
    answers.push(format!("{:?}", folds.quality.totals(&QualityScope::default(), as_of)));
    answers.extend(folds.quality.nonconformances(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.alarms.all(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.discrepancies.at(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.models.deployments(as_of).map(|view| format!("{view:?}")));
    for kind in NodeKind::ALL {
        for id in folds.genealogy.ids(kind, as_of) {
            let request = TraceRequest { as_of, ..TraceRequest::new(kind, id) };
            answers.push(format!("{:?}", query(&folds.genealogy, &request).unwrap()));
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// What the log knew at a position is the same whether one looks back at it or stands there.
    #[test]
    fn as_of_a_position_equals_a_replay_to_it(seeds in prop::collection::vec(any::<u64>(), 1..60), cut in any::<prop::sample::Index>()) {
        let events = history(&seeds);
        let cut = cut.index(events.len()) as u64;
        let (mut all, mut then) = (Folds::default(), Folds::default());
        for (event, position) in events.into_iter().zip(0..) {
            let entry = logged(position, event);
            all.apply(&entry);
            if position <= cut {
                then.apply(&entry);
            }
        }
        let looking_back = answers(&all, AsOf::through(Position::new(cut)));
        let standing_there = answers(&then, AsOf::LATEST);
        prop_assert!(!standing_there.is_empty());
        prop_assert_eq!(looking_back, standing_there);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However the events come in and the runner cuts them, live digests equal those of a replay; also after a restart from snapshots.
    #[test]
    fn live_equals_replay_over_batches_and_restarts(
        seeds in prop::collection::vec(any::<u64>(), 2..80),
        cuts in prop::collection::vec(1_usize..12, 1..10),
        restart in any::<prop::sample::Index>(),
    ) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let events = history(&seeds);
            let memory = MemoryLog::new();
            let log: Arc<dyn EventLog> = Arc::new(memory.clone());
            let mut rest = events.as_slice();
            let mut cuts = cuts.iter().cycle();
            let restart_after = restart.index(events.len());
            for stage in [restart_after, events.len()] {
                let cancel = CancellationToken::new();
                let (_, set) = ReadModels::start(&log, Some(dir.path()), &cancel).unwrap();
                while events.len() - rest.len() < stage {
                    let (batch, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                    append(&memory, batch).await;
                    rest = later;
                    tokio::task::yield_now().await;
                }
                if let Some(last) = log.tail().previous() {
                    set.wait_for(last, WAIT).await.unwrap();
                }
                let live = set.digests().await.unwrap();
                let (_, replayed) = replay(&*log, None).await.unwrap();
                assert_eq!(replayed.records, log.tail().get());
                assert_eq!(replayed.compare(&live), (ReadModels::NAMES.len(), vec![]));
                cancel.cancel();
                set.stopped().await;
            }
            // Nothing is applied after the last start: the digests come from the snapshots alone.
            let cancel = CancellationToken::new();
            let (_, set) = ReadModels::start(&log, Some(dir.path()), &cancel).unwrap();
            assert!(set.statuses().iter().all(|status| status.lag == 0), "{:?}", set.statuses());
            let (_, replayed) = replay(&*log, None).await.unwrap();
            assert_eq!(replayed.compare(&set.digests().await.unwrap()), (ReadModels::NAMES.len(), vec![]));
            cancel.cancel();
            set.stopped().await;
        });
    }
}

/// A replay up to a position, in pages that end elsewhere, stops exactly there.
#[test]
fn replay_ends_at_the_position() {
    runtime().block_on(async {
        let seeds: Vec<u64> = (0..700).collect();
        let log = MemoryLog::new();
        append(&log, &history(&seeds)).await;
        for to in [0, 1, 511, 512, 513, 699] {
            let (folds, replayed) = replay(&log, Some(Position::new(to))).await.unwrap();
            assert_eq!((replayed.end, replayed.records), (Position::new(to + 1), to + 1));
            assert_eq!(folds.statistics.records, to + 1);
        }
        let (_, beyond) = replay(&log, Some(Position::new(10_000))).await.unwrap();
        assert_eq!(beyond.records, 700);
    });
}

/// The random histories reach every fold: otherwise the properties above would compare nothing.
#[test]
fn random_histories_reach_every_fold() {
    let seeds: Vec<u64> = (0..400).map(|seed| seed * 7919).collect();
    let mut folds = Folds::default();
    for (event, position) in history(&seeds).into_iter().zip(0..) {
        folds.apply(&logged(position, event));
    }
    let empty = Folds::default().digests();
    let same: Vec<_> =
        folds.digests().into_iter().filter(|digest| empty.contains(digest)).map(|(name, _)| name).collect();
    assert_eq!(same, [crate::folds::quarantine::Quarantine::NAME]);
    assert!(answers(&folds, AsOf::LATEST).len() > 100);
    assert!(folds.discrepancies.at(AsOf::LATEST).count() > 0);
}
