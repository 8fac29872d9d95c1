//! How fast the registry reads and takes commands, on a log whose every append is synced: `cargo bench -p millwright-registry --bench catalogue`. Prints one line for each case.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its figures and stops at the first failure"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::events::ModelKind;
use domain::ids::{Code, ModelName};
use eventlog::EventLog;
use eventlog::embedded::{EmbeddedLog, Options};
use projections::folds::models::Models;
use projections::{AsOf, MemoryProjection, Runner};
use registry::{ArtifactStore, Caller, ExternalVersion, NewModel, Registry};
use tokio_util::sync::CancellationToken;

/// The versions of the large model.
const VERSIONS: u32 = 10_000;

const WRITERS: u32 = 16;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let dir = tempfile::tempdir().expect("a folder");
    let log: Arc<dyn EventLog> =
        Arc::new(EmbeddedLog::open(&dir.path().join("log"), Options::default()).expect("a log"));
    let (projection, models) = MemoryProjection::<Models>::open(None).expect("a read model");
    let progress = Runner::start(Arc::clone(&log), projection, CancellationToken::new());
    let registry = Arc::new(Registry::new(log, ArtifactStore::in_memory(), models, progress));
    let caller = Caller::named("bench");
    let create = async |name: &str| {
        let new = NewModel::named(name, ModelKind::Data);
        registry.create_model(&caller, &new).await.expect("a model").model
    };

    let small = create("small").await;
    version_times("version create, model without versions, one writer", &registry, &small, 500).await;
    let large = create("large").await;
    let begun = Instant::now();
    fill(&registry, &large, VERSIONS).await;
    let rate = f64::from(VERSIONS) / begun.elapsed().as_secs_f64();
    println!("version create, {WRITERS} writers on one model: {rate:.0} a second");
    version_times("version create, model with 10,000 versions, one writer", &registry, &large, 500).await;

    let alias = Code::new("champion").expect("a code");
    registry.set_alias(&caller, &large, &alias, VERSIONS / 2).await.expect("an alias");
    let mut times = Vec::with_capacity(100_000);
    for _ in 0..100_000 {
        let begun = Instant::now();
        let named = registry.read(|models| {
            let model = models.by_name(black_box("large"), AsOf::LATEST)?;
            let version = model.version(model.alias(black_box("champion"))?)?;
            Some(version.created().value.version)
        });
        times.push(begun.elapsed());
        assert_eq!(named, Some(VERSIONS / 2));
    }
    show("alias read, model with 10,000 versions", times);

    let mut times = Vec::with_capacity(300);
    for index in 0..300 {
        let begun = Instant::now();
        create(&format!("model {index}")).await;
        times.push(begun.elapsed());
    }
    show("model create", times);
}

async fn fill(registry: &Arc<Registry>, model: &ModelName, count: u32) {
    let writers = (0..WRITERS).map(|_| {
        let (registry, new) = (Arc::clone(registry), ExternalVersion::of(model.clone()));
        tokio::spawn(async move {
            for _ in 0..count / WRITERS {
                registry.create_external_version(&Caller::named("bench"), &new).await.expect("a version");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("the writer goes on");
    }
}

async fn version_times(name: &str, registry: &Registry, model: &ModelName, count: usize) {
    let (caller, new) = (Caller::named("bench"), ExternalVersion::of(model.clone()));
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        registry.create_external_version(&caller, &new).await.expect("a version");
        times.push(begun.elapsed());
    }
    show(name, times);
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!("{name}: median {:?}, p95 {:?}, p99 {:?}", at(50), at(95), at(99));
}
