//! The fold: however entries are batched, stored, lost and read again, the state is the same.

use std::collections::HashMap;

use domain::Event;
use domain::events::*;
use domain::ids::{ExperimentId, LoggedModelId, RunId};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventId, EventLog, Record, Revision};
use jiff::Timestamp;
use projections::{Meta, Runner, seal};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;

/// Hands out small choices from one number, so that proptest can shrink a history by dropping numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.coin() { Some(make(self)) } else { None }
    }

    fn text(&mut self, prefix: &str, count: u64) -> String {
        format!("{prefix}{}", self.below(count))
    }

    fn experiment(&mut self) -> ExperimentId {
        ExperimentId::new(&self.below(3).to_string()).unwrap()
    }

    fn run(&mut self) -> RunId {
        let number = self.below(6);
        let id = if number < 5 { format!("{number:032x}") } else { "imported-run".to_owned() };
        RunId::new(&id).unwrap()
    }

    fn model(&mut self) -> LoggedModelId {
        LoggedModelId::new(&self.text("m-", 3)).unwrap()
    }

    fn pairs(&mut self) -> Vec<KeyValue> {
        let mut pairs: Vec<KeyValue> =
            (0..self.below(4)).map(|_| KeyValue { key: self.text("k", 4), value: self.text("v", 3) }).collect();
        if self.below(6) == 0 {
            pairs.push(KeyValue { key: crate::RUN_NAME_TAG.to_owned(), value: self.text("name ", 3) });
        }
        pairs
    }

    fn point(&mut self) -> MetricPoint {
        let values = [0.5, -1.0, 0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1];
        MetricPoint {
            key: self.text("metric", 3),
            value: Real(values[usize::try_from(self.below(8)).unwrap()]),
            at_ms: i64::try_from(self.below(5)).unwrap(),
            step: i64::try_from(self.below(4)).unwrap(),
            logged_model: self.some(Self::model),
            dataset: self.some(|d| d.text("data", 2)),
            dataset_digest: self.some(|d| d.text("digest", 2)),
        }
    }

    fn path(&mut self) -> (String, String) {
        let root = if self.coin() { ".".to_owned() } else { format!("1/{}", self.text("r", 2)) };
        (root, format!("{}/{}", self.text("a", 2), self.text("b", 3)))
    }

    fn event(&mut self) -> Event {
        let d = self;
        match d.below(30) {
            0 => ExperimentCreated {
                experiment: d.experiment(),
                name: d.text("experiment ", 4),
                artifact_location: d.text("s3://bucket/", 2),
                tags: d.pairs(),
            }
            .into(),
            1 => ExperimentRenamed { experiment: d.experiment(), name: d.text("experiment ", 4) }.into(),
            2 => ExperimentDeleted { experiment: d.experiment() }.into(),
            3 => ExperimentRestored { experiment: d.experiment() }.into(),
            4 => ExperimentTagSet { experiment: d.experiment(), key: d.text("k", 3), value: d.text("v", 3) }.into(),
            5 => ExperimentTagRemoved { experiment: d.experiment(), key: d.text("k", 3) }.into(),
            6..=8 => RunCreated {
                run: d.run(),
                experiment: d.experiment(),
                name: d.text("run ", 3),
                user: d.some(|d| d.text("user ", 2)),
                started_ms: d.some(|d| i64::try_from(d.below(100)).unwrap()),
                artifact_uri: d.text("mlflow-artifacts:/", 2),
                tags: d.pairs(),
            }
            .into(),
            9 => RunUpdated {
                run: d.run(),
                status: d.some(|_| RunStatus::Failed),
                ended_ms: d.some(|_| 7),
                name: d.some(|d| d.text("run ", 3)),
            }
            .into(),
            10..=16 => RunLogged {
                run: d.run(),
                metrics: (0..d.below(5)).map(|_| d.point()).collect(),
                params: d.pairs(),
                tags: d.pairs(),
            }
            .into(),
            17 => RunTagRemoved { run: d.run(), key: d.text("k", 4) }.into(),
            18 => RunDeleted { run: d.run() }.into(),
            19 => RunRestored { run: d.run() }.into(),
            20 => RunInputsLogged {
                run: d.run(),
                datasets: (0..d.below(3))
                    .map(|_| DatasetInput {
                        name: d.text("data", 2),
                        digest: d.text("digest", 2),
                        source_type: "code".to_owned(),
                        source: d.text("source", 2),
                        schema: d.some(|_| "{}".to_owned()),
                        profile: None,
                        tags: d.pairs(),
                    })
                    .collect(),
                models: d.some(Self::model).into_iter().collect(),
            }
            .into(),
            21 => {
                RunOutputsLogged { run: d.run(), models: vec![ModelOutput { logged_model: d.model(), step: 3 }] }.into()
            }
            22 | 23 => LoggedModelCreated {
                logged_model: d.model(),
                experiment: d.experiment(),
                name: d.text("model ", 2),
                run: d.some(Self::run),
                model_type: d.some(|_| "sklearn".to_owned()),
                artifact_uri: d.text("mlflow-artifacts:/", 2),
                params: d.pairs(),
                tags: d.pairs(),
            }
            .into(),
            24 => LoggedModelFinalized { logged_model: d.model(), status: LoggedModelStatus::Ready }.into(),
            25 => LoggedModelParamsLogged { logged_model: d.model(), params: d.pairs() }.into(),
            26 => LoggedModelTagsSet { logged_model: d.model(), tags: d.pairs() }.into(),
            27 => match d.below(2) {
                0 => LoggedModelTagRemoved { logged_model: d.model(), key: d.text("k", 4) }.into(),
                _ => LoggedModelDeleted { logged_model: d.model() }.into(),
            },
            28 => {
                let (root, path) = d.path();
                ArtifactStored { root, path, sha256: format!("{:064x}", d.below(9)), bytes: d.below(100) }.into()
            }
            _ => {
                let (root, path) = d.path();
                let path = match d.below(3) {
                    0 if root != "." => String::new(),
                    1 => path.split('/').next().unwrap().to_owned(),
                    _ => path,
                };
                ArtifactRemoved { root, path }.into()
            }
        }
    }
}

/// Entries as the log would hand them out, each through its JSON form.
fn entries(numbers: &[u64]) -> Vec<Arc<Entry>> {
    let mut revisions: HashMap<String, u64> = HashMap::new();
    let entry = |(number, position): (&u64, u64)| {
        let mut meta = Meta::own("test", None);
        meta.id = EventId::derived("test", &position.to_string());
        let sealed = seal(&Dice(*number).event(), meta).unwrap();
        let revision = revisions.entry(sealed.stream.to_string()).or_default();
        let at = Timestamp::from_second(1_800_000_000 + i64::try_from(position).unwrap()).unwrap();
        let record = Record::from_new(sealed, Position::new(position), Revision::new(*revision), at);
        *revision += 1;
        let entry = Entry::decode(record);
        assert!(entry.event().is_some(), "{:?}", entry.content);
        Arc::new(entry)
    };
    numbers.iter().zip(0..).map(entry).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn apply(projection: &mut TrackingProjection, entries: &[Arc<Entry>], batch: usize) {
    for part in entries.chunks(batch.max(1)) {
        let through = part.last().unwrap().position.next();
        projection.apply(part, through).await.unwrap();
    }
}

async fn reference(entries: &[Arc<Entry>]) -> (Digest, usize) {
    let mut projection = TrackingProjection::open(None).unwrap();
    apply(&mut projection, entries, entries.len()).await;
    let texts = projection.shared.read(|state, _| state.texts.len());
    (projection.digest().await.unwrap(), texts)
}

/// Columns hold what the rows hold.
fn check_columns(projection: &TrackingProjection) {
    projection.shared.read(|state, _| {
        for key in ["metric0", "metric1", "metric2"] {
            let Some(key) = state.texts.find(key) else { continue };
            let column = state.columns.get(&state.runs, key);
            for (row, slot) in state.runs.iter().zip(0..) {
                let value = crate::state::pairs::find(&row.metrics, key).map(|latest| latest.value.to_bits());
                assert_eq!(column.get(slot).map(f64::to_bits), value, "run {slot}");
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_never_show(numbers in proptest::collection::vec(any::<u64>(), 1..120), batch in 1_usize..20) {
        runtime().block_on(async {
            let entries = entries(&numbers);
            let (digest, _) = reference(&entries).await;
            let mut projection = TrackingProjection::open(None).unwrap();
            for part in entries.chunks(batch) {
                check_columns(&projection);
                apply(&mut projection, part, 1).await;
                check_columns(&projection);
            }
            assert_eq!(projection.digest().await.unwrap(), digest);
        });
    }

    #[test]
    fn a_store_that_is_opened_again_is_what_it_was(
        numbers in proptest::collection::vec(any::<u64>(), 1..120),
        flushes in proptest::collection::vec(1_usize..40, 1..6),
    ) {
        runtime().block_on(async {
            let entries = entries(&numbers);
            let dir = tempfile::tempdir().unwrap();
            let mut rest = entries.as_slice();
            for flush in flushes {
                let (now, later) = rest.split_at(flush.min(rest.len()));
                let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
                let known = usize::try_from(projection.checkpoint().get()).unwrap();
                assert_eq!(projection.digest().await.unwrap(), reference(&entries[..known]).await.0);
                apply(&mut projection, now, 7).await;
                projection.flush().await.unwrap();
                projection.flush().await.unwrap();
                // What comes after the flush is lost with the process, and applied again.
                let (lost, _) = later.split_at(later.len().min(3));
                apply(&mut projection, lost, 2).await;
                rest = later;
            }
            let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
            apply(&mut projection, rest, 5).await;
            let (digest, texts) = reference(&entries).await;
            assert_eq!(projection.digest().await.unwrap(), digest);
            // No text is kept for nothing, and none is let go too early.
            assert_eq!(projection.shared.read(|state, _| state.texts.len()), texts);
        });
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_begun_anew() {
    let entries = entries(&(0..200).collect::<Vec<u64>>());
    let dir = tempfile::tempdir().unwrap();
    let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
    apply(&mut projection, &entries, 50).await;
    projection.flush().await.unwrap();
    drop(projection);
    let file = dir.path().join("tracking.redb");
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() > 1_000);
    std::fs::write(&file, b"something else").unwrap();
    let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
    assert_eq!(projection.checkpoint(), Position::START);
    assert_eq!(projection.digest().await.unwrap(), reference(&[]).await.0);
    apply(&mut projection, &entries, 50).await;
    assert_eq!(projection.digest().await.unwrap(), reference(&entries).await.0);
}

#[tokio::test]
async fn a_rebuild_beside_takes_the_place_of_the_old_state_and_file() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let mut last = Position::START;
    for number in 0..300 {
        let sealed = seal(&Dice(number).event(), Meta::own("test", None)).unwrap();
        last = log.append(AppendCondition::none(), vec![sealed]).await.unwrap().last;
    }
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let projection = TrackingProjection::open(Some(dir.path())).unwrap();
    let shared = projection.shared();
    let handle = Runner::start_rebuildable(Arc::clone(&log), projection, cancel.clone());
    handle.wait_for(last, std::time::Duration::from_secs(60)).await.unwrap();
    let (_, before) = handle.digest().await.unwrap();
    // Something that the log does not say is gone after a rebuild.
    shared.0.write().state.files.clear();
    shared.0.write().state.dirty.file("1/r0/a0/b0");
    assert_ne!(handle.digest().await.unwrap().1, before);
    handle.rebuild().await.unwrap();
    assert_eq!(handle.digest().await.unwrap().1, before);
    cancel.cancel();
    handle.stopped().await;
    let mut again = TrackingProjection::open(Some(dir.path())).unwrap();
    assert_eq!(again.checkpoint(), last.next());
    assert_eq!(again.digest().await.unwrap(), before);
}

#[test]
fn the_types_are_those_of_the_vocabulary() {
    let known: Vec<&str> = Event::TYPES.iter().map(|(name, _)| *name).collect();
    let kinds = ["experiment.", "run.", "logged_model.", "artifact."];
    let ours: Vec<&str> = known.into_iter().filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).collect();
    assert_eq!(ours, TYPES);
}
