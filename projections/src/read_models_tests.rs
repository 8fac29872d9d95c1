use std::sync::Arc;
use std::time::Duration;

use domain::events::{Handover, PersonRegistered};
use domain::personal::DataSubject;
use eventlog::memory::MemoryLog;
use eventlog::privacy::{DataKeys, EncryptedLog};
use eventlog::{AppendCondition, AppendError, EventLog, Position};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::{Folds, ReadModels, replay};
use crate::folds::episode_view::RECURRENCE_WINDOW;
use crate::folds::genealogy::NodeKind;
use crate::folds::quality::QualityScope;
use crate::handover::{HandoverModels, handover};
use crate::operating::{ByShift, OperatingModels, OperatingRecord, OperatingRequest, operating};
use crate::testing::{erased, history, logged, sealed, time};
use crate::trace::{TraceRequest, query};
use crate::{AsOf, Fold, subject_tag, subjects_policy};

const WAIT: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn append(log: &MemoryLog, events: &[eventlog::NewEvent]) {
    let appended = log.append(AppendCondition::none(), events.to_vec()).await.unwrap();
    assert!(!appended.repeated);
}

fn operating_records(folds: &Folds, as_of: AsOf) -> Vec<OperatingRecord> {
    let models = OperatingModels {
        states: &folds.states,
        production: &folds.production,
        quality: &folds.quality,
        shifts: &folds.shifts,
        alarms: &folds.alarms,
        episodes: &folds.episodes,
    };
    let request = OperatingRequest {
        assets: Vec::new(),
        from: time(0),
        to: time(400),
        as_of,
        by_asset: true,
        by_product: true,
        by_shift: ByShift::Turn,
    };
    operating(models, &request, &|_, _, _| true).unwrap()
}

fn maintenance_records(folds: &Folds, as_of: AsOf) -> Vec<String> {
    use crate::maintenance::{
        DueModels, MaintenanceScope, ReliabilityRequest, actions, due, parts, reliability, repair_times,
    };
    let scope = MaintenanceScope::default();
    let models = DueModels {
        upkeep: &folds.upkeep,
        states: &folds.states,
        production: &folds.production,
        catalog: &folds.catalog,
    };
    let mut records =
        vec![format!("{:?}", reliability(&folds.episodes, &folds.states, &ReliabilityRequest::default(), as_of))];
    records
        .extend(actions(&folds.episodes, &scope, RECURRENCE_WINDOW, as_of).iter().map(|record| format!("{record:?}")));
    records.extend(repair_times(&folds.episodes, &scope, as_of).iter().map(|record| format!("{record:?}")));
    records.extend(due(models, time(300), as_of, &|_, _| None).iter().map(|record| format!("{record:?}")));
    records.extend(parts(&folds.upkeep, time(400), as_of).iter().map(|record| format!("{record:?}")));
    let models = HandoverModels {
        episodes: &folds.episodes,
        alarms: &folds.alarms,
        states: &folds.states,
        production: &folds.production,
    };
    let last = as_of.last().unwrap_or(Position::new(1_000_000));
    // The handover names its position, which is all that differs.
    let handover = Handover { as_of: 0, ..handover(models, (time(50), time(200)), last, &|_| true) };
    records.push(format!("{handover:?}"));
    records
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
    answers.extend(folds.people.find("", as_of).map(|(subject, fact)| format!("{subject} {fact:?}")));
    answers.extend(folds.alarms.all(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.alarms.activations(time(0), time(400), as_of).iter().map(|view| format!("{view:?}")));
    answers.extend(folds.alarms.suppressed_at(time(200), as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.discrepancies.at(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.models.deployments(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.production.held(as_of).map(|held| format!("{held:?}")));
    answers.extend(folds.shifts.all(as_of).map(|view| format!("{view:?}")));
    answers.extend(folds.shifts.turns(time(0), time(400), as_of).unwrap().iter().map(|turn| format!("{turn:?}")));
    answers.extend(operating_records(folds, as_of).iter().map(|record| format!("{record:?}")));
    answers.extend(maintenance_records(folds, as_of));
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
    // Nothing is erased in these histories: looking back would differ from standing there. Webhooks are about now alone; the tests of these are beside them.
    let left_out = [
        crate::folds::control_limits::ControlLimits::NAME,
        crate::folds::dictionary::Dictionary::NAME,
        crate::folds::quarantine::Quarantine::NAME,
        crate::folds::privacy::Privacy::NAME,
        crate::folds::webhooks::Webhooks::NAME,
        crate::folds::articles::Articles::NAME,
    ];
    assert_eq!(same, left_out);
    assert!(answers(&folds, AsOf::LATEST).len() > 100);
    assert!(folds.discrepancies.at(AsOf::LATEST).count() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// A read model that lived through erasures is the same as one that is built anew after them, and no file of a snapshot holds a name any more.
    #[test]
    fn live_equals_a_rebuild_after_erasures(
        seeds in prop::collection::vec(any::<u64>(), 10..120),
        erasures in prop::collection::btree_map(0_usize..120, prop::sample::select(vec!["person:P0", "person:P1", "customer:C0", "person:nobody"]), 1..4),
        cuts in prop::collection::vec(1_usize..12, 1..10),
    ) {
        runtime().block_on(async {
            let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let keys = Arc::new(DataKeys::open(keys.path(), None).unwrap());
            let log = Arc::new(EncryptedLog::new(Arc::new(MemoryLog::new()), Arc::clone(&keys), subjects_policy()));
            let live: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
            let cancel = CancellationToken::new();
            let (models, set) = ReadModels::start(&live, Some(dir.path()), &cancel).unwrap();
            let mut cuts = cuts.iter().cycle();
            let mut rest = *cuts.next().unwrap();
            for (event, index) in history(&seeds).into_iter().zip(0_usize..) {
                match log.append(AppendCondition::none(), vec![event]).await {
                    Ok(_) | Err(AppendError::Erased { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                if let Some(subject) = erasures.get(&index) {
                    // Whoever holds names has one of them when it is erased.
                    let subject = DataSubject::parse(subject).unwrap();
                    append_event(&*log, 10_000 + index as u64, erased(&subject.to_string())).await;
                    keys.shred(&subject_tag(&subject).unwrap()).unwrap();
                }
                rest -= 1;
                if rest == 0 {
                    rest = *cuts.next().unwrap();
                    set.wait_for(log.tail().previous().unwrap(), WAIT).await.unwrap();
                }
            }
            set.wait_for(log.tail().previous().unwrap(), WAIT).await.unwrap();
            let (folds, replayed) = replay(&*log, None).await.unwrap();
            assert_eq!(replayed.compare(&set.digests().await.unwrap()), (ReadModels::NAMES.len(), vec![]));
            for (index, subject) in erasures.iter().filter(|(index, _)| **index < seeds.len()) {
                let subject = DataSubject::parse(subject).unwrap();
                assert!(folds.people.party(&subject, AsOf::LATEST).is_none(), "{index}");
                assert!(models.privacy.read(|privacy, _| privacy.erasure_of(&subject).is_some()));
            }
            cancel.cancel();
            set.stopped().await;
        });
    }
}

async fn append_event(log: &dyn EventLog, number: u64, event: domain::Event) {
    let _appended = log.append(AppendCondition::none(), vec![sealed(number, None, event)]).await.unwrap();
}

/// What is erased is gone from the files at once, and not only from memory: a store that is written in place would keep it in free pages.
#[test]
fn an_erasure_leaves_no_name_in_any_file() {
    runtime().block_on(async {
        const NAME: &str = "Zhang Wei of the early shift";
        let (dir, keys_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let keys = Arc::new(DataKeys::open(keys_dir.path(), None).unwrap());
        let log = Arc::new(EncryptedLog::new(Arc::new(MemoryLog::new()), Arc::clone(&keys), subjects_policy()));
        let live: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
        let cancel = CancellationToken::new();
        let (_, set) = ReadModels::start(&live, Some(dir.path()), &cancel).unwrap();
        let person = domain::ids::PersonId::new("P-17").unwrap();
        for number in 0..50 {
            let name = domain::Text::guessed(&format!("{NAME} {number}"));
            let event = PersonRegistered { person: person.clone(), name, contact: None, note: None };
            append_event(&*log, number, event.into()).await;
            set.wait_for(Position::new(number), WAIT).await.unwrap();
            set.flush().await.unwrap();
        }
        assert!(files_with(dir.path(), NAME) > 0, "the name is in a snapshot before it is erased");
        append_event(&*log, 1_000, erased("person:P-17")).await;
        keys.shred(&subject_tag(&DataSubject::Person(person)).unwrap()).unwrap();
        set.wait_for(Position::new(50), WAIT).await.unwrap();
        assert_eq!(files_with(dir.path(), NAME), 0);
        cancel.cancel();
        set.stopped().await;
        assert_eq!(files_with(dir.path(), NAME), 0);
        // The snapshot that took the old one's place is a whole one.
        let cancel = CancellationToken::new();
        let (_, set) = ReadModels::start(&live, Some(dir.path()), &cancel).unwrap();
        assert!(set.statuses().iter().all(|status| status.lag == 0), "{:?}", set.statuses());
        cancel.cancel();
        set.stopped().await;
    });
}

fn files_with(dir: &std::path::Path, text: &str) -> usize {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.filter(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())).count()
}
