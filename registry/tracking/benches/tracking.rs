//! How fast runs log, how fast a million runs are searched, what a run costs in memory, and how fast the state is rebuilt. Prints figures; asserts only that it measured what
//! it says.
//!
//! `MILLWRIGHT_BENCH_RUNS` sets the number of runs (1,000,000).

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

use std::sync::Arc;
use std::time::Instant;

use domain::Event;
use domain::events::{ExperimentCreated, KeyValue, MetricPoint, Real, RunCreated, RunLogged};
use domain::ids::{ExperimentId, RunId};
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::{AppendCondition, EventId, EventLog, Position, Record, Revision};
use jiff::Timestamp;
use projections::{Entry, Meta, Projection as _, seal};
use tokio_util::sync::CancellationToken;
use tracking::view::{Found, Run, ViewType};
use tracking::{Batch, NewRun, RunSearch, Tracking, TrackingProjection};

const METRICS_OF_A_RUN: u64 = 10;
const BATCH: usize = 1_000;

fn main() {
    let runs: u64 = std::env::var("MILLWRIGHT_BENCH_RUNS").map_or(1_000_000, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        durable().await;
        many(runs).await;
    });
}

/// Latencies on the embedded log: each call waits for the disk, and for the read model.
async fn durable() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(&dir.path().join("log"), Options::default()).unwrap());
    let cancel = CancellationToken::new();
    let tracking = Arc::new(Tracking::start(&log, Some(&dir.path().join("tracking")), &cancel).unwrap());
    let mut micros = Vec::new();
    for number in 0..500_u64 {
        let [_, logged] = run(number);
        let started = Instant::now();
        let sealed = seal(&logged, Meta::own("bench", None)).unwrap();
        assert!(!log.append(AppendCondition::none(), vec![sealed]).await.unwrap().repeated);
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    percentiles("for comparison, an append to the log alone", micros);
    let run = tracking.create_run("bench", NewRun::default()).await.unwrap().id.to_string();
    let batch = |number: u64, metrics: u64| Batch {
        metrics: (0..metrics).map(|metric| point(metric, number, 0.5)).collect(),
        ..Batch::default()
    };
    for metrics in [1, 10, 100] {
        let mut micros = Vec::new();
        for number in 0..500 {
            let batch = batch(number, metrics);
            let started = Instant::now();
            tracking.log_batch("bench", &run, batch).await.unwrap();
            micros.push(started.elapsed().as_secs_f64() * 1e6);
        }
        percentiles(&format!("log-batch of {metrics} metrics, one writer"), micros);
    }
    let mut micros = Vec::new();
    for number in 0..500 {
        let started = Instant::now();
        let param = KeyValue { key: format!("p{number}"), value: "1".to_owned() };
        tracking.log_param("bench", &run, param).await.unwrap();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    percentiles("log-parameter, one writer", micros);
    let started = Instant::now();
    let writers = (0..32_u64).map(|writer| {
        let (tracking, run, batch) = (Arc::clone(&tracking), run.clone(), batch(writer, 10));
        tokio::spawn(async move {
            let mut micros = Vec::new();
            for _ in 0..100 {
                let started = Instant::now();
                tracking.log_batch("bench", &run, batch.clone()).await.unwrap();
                micros.push(started.elapsed().as_secs_f64() * 1e6);
            }
            micros
        })
    });
    let mut micros = Vec::new();
    for written in futures::future::join_all(writers).await {
        micros.extend(written.unwrap());
    }
    let per_second = micros.len() as f64 / started.elapsed().as_secs_f64();
    percentiles(&format!("log-batch of 10 metrics, 32 writers to one run ({per_second:.0}/s)"), micros);
    let started = Instant::now();
    let history = tracking.metric_history(&run, "metric-0", None, None).await.unwrap();
    println!("history of {} points: {:.1} ms", history.points.len(), started.elapsed().as_secs_f64() * 1e3);
    cancel.cancel();
    tracking.handle().stopped().await;
}

fn point(metric: u64, number: u64, value: f64) -> MetricPoint {
    let number = i64::try_from(number).unwrap();
    let (logged_model, dataset, dataset_digest) = (None, None, None);
    MetricPoint {
        key: format!("metric-{metric}"),
        value: Real(value),
        at_ms: number,
        step: number,
        logged_model,
        dataset,
        dataset_digest,
    }
}

/// One experiment with so many runs.
async fn many(runs: u64) {
    let before = resident_bytes();
    let dir = tempfile::tempdir().unwrap();
    let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
    let mut position = 0;
    let mut applied = 0.0;
    let mut numbers = 0..runs;
    let mut next = vec![record(experiment(), &mut position)];
    let (mut decoded, mut flushed) = (0.0, 0.0);
    while !next.is_empty() {
        let started = thread_millis();
        let entries: Vec<Arc<Entry>> = next.into_iter().map(|record| Arc::new(Entry::decode(record))).collect();
        decoded += (thread_millis() - started) / 1e3;
        let started = thread_millis();
        projection.apply(&entries, Position::new(position)).await.unwrap();
        applied += (thread_millis() - started) / 1e3;
        if position % 250_000 < BATCH as u64 {
            let started = Instant::now();
            projection.flush().await.unwrap();
            flushed += started.elapsed().as_secs_f64();
        }
        next = numbers.by_ref().take(BATCH / 2).flat_map(run).map(|event| record(event, &mut position)).collect();
    }
    let rate = |seconds: f64| position as f64 / seconds;
    println!(
        "rebuild: {position} events; decode {:.0}/s and fold {:.0}/s of computing; flushes {flushed:.1} s by the clock",
        rate(decoded),
        rate(applied)
    );
    let used = resident_bytes().saturating_sub(before);
    println!("memory: {:.0} MiB = {} bytes a run of {METRICS_OF_A_RUN} metrics", used as f64 / 1048576.0, used / runs);
    let started = Instant::now();
    projection.flush().await.unwrap();
    let digest = projection.digest().await.unwrap();
    println!("last flush and digest: {:.1} s", started.elapsed().as_secs_f64());
    drop(projection);
    let bytes = std::fs::metadata(dir.path().join("tracking.redb")).unwrap().len();
    let started = Instant::now();
    let mut projection = TrackingProjection::open(Some(dir.path())).unwrap();
    println!("open: {:.1} s from {:.0} MiB", started.elapsed().as_secs_f64(), bytes as f64 / 1048576.0);
    assert_eq!(projection.digest().await.unwrap(), digest);
    drop(projection);

    // The store is at a position that an empty log has not reached: nothing is applied any more, and everything is answered.
    let log: Arc<dyn EventLog> = Arc::new(eventlog::memory::MemoryLog::new());
    let cancel = CancellationToken::new();
    let tracking = Tracking::start(&log, Some(dir.path()), &cancel).unwrap();
    for (what, filter, order) in [
        ("no filter, no order", "", vec![]),
        ("metric-3 < 0.5, order by metric-7", "metrics.metric-3 < 0.5", vec!["metrics.metric-7 DESC"]),
        ("metric-3 < 0.001, order by metric-7", "metrics.metric-3 < 0.001", vec!["metrics.metric-7 ASC"]),
        (
            "param = and metric >, order by metric",
            "params.optimizer = 'adam' and metrics.metric-1 > 0.9",
            vec!["metrics.metric-1 DESC"],
        ),
        ("tag LIKE, order by param", "tags.team LIKE 'te%m-1'", vec!["params.lr ASC"]),
        ("run name ILIKE", "attributes.run_name ILIKE '%-777%'", vec![]),
    ] {
        searched(&tracking, what, filter, &order);
    }
    cancel.cancel();
    tracking.handle().stopped().await;
}

fn searched(tracking: &Tracking, what: &str, filter: &str, order: &[&str]) {
    let mut search = RunSearch {
        experiments: vec!["1".to_owned()],
        filter: String::new(),
        view: ViewType::ActiveOnly,
        max_results: Some(100),
        order_by: order.iter().map(|key| (*key).to_owned()).collect(),
        page_token: None,
    };
    let quoted = |text: &str| -> String {
        let mut parts = text.split("metrics.metric-");
        let mut quoted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (digit, rest) = part.split_at(1);
            quoted.push_str(&format!("metrics.`metric-{digit}`{rest}"));
        }
        quoted
    };
    search.filter = quoted(filter);
    search.order_by = order.iter().map(|key| quoted(key)).collect();
    // On a machine that does other things, the thread's own time says more than the clock.
    let ask = |search: &RunSearch| -> (Found<Run>, f64) {
        let started = thread_millis();
        let found = tracking.search_runs(search).unwrap();
        (found, thread_millis() - started)
    };
    let started = Instant::now();
    let (page, first_ever) = ask(&search);
    let clock = started.elapsed().as_secs_f64() * 1e3;
    let mut again: Vec<f64> = (0..20).map(|_| ask(&search).1).collect();
    again.sort_by(f64::total_cmp);
    let mut later = Vec::new();
    let mut token = page.next_page_token.clone();
    while let Some(next) = token
        && later.len() < 20
    {
        let (page, millis) = ask(&RunSearch { page_token: Some(next), ..search.clone() });
        later.push(millis);
        token = page.next_page_token;
    }
    later.sort_by(f64::total_cmp);
    let median =
        |list: &[f64]| list.get(list.len() / 2).map_or_else(|| "none".to_owned(), |millis| format!("{millis:.1} ms"));
    let (_, largest) = ask(&RunSearch { max_results: Some(10_000), ..search.clone() });
    println!(
        "search, {what}: {} on the first page; first ever {first_ever:.1} ms ({clock:.1} ms by the clock), again {}, later pages {}, page of 10,000 {largest:.1} ms",
        page.items.len(),
        median(&again),
        median(&later),
    );
}

fn experiment() -> Event {
    let (name, artifact_location) = ("bench".to_owned(), "mlflow-artifacts:/1".to_owned());
    ExperimentCreated { experiment: ExperimentId::new("1").unwrap(), name, artifact_location, tags: vec![] }.into()
}

/// A run as a client makes one, and what it logs.
fn run(number: u64) -> [Event; 2] {
    let mixed = |salt: u64| {
        let mixed =
            (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11
    };
    let pair = |key: &str, value: String| KeyValue { key: key.to_owned(), value };
    let id = RunId::new(&format!("{:016x}{number:016x}", mixed(1))).unwrap();
    let created = RunCreated {
        run: id.clone(),
        experiment: ExperimentId::new("1").unwrap(),
        name: format!("run-{number}"),
        user: Some(format!("user-{}", number % 20)),
        started_ms: Some(1_790_000_000_000 + i64::try_from(number * 1_000).unwrap()),
        artifact_uri: format!("mlflow-artifacts:/1/{id}/artifacts"),
        tags: vec![
            pair("mlflow.user", format!("user-{}", number % 20)),
            pair("mlflow.source.name", "train.py".to_owned()),
            pair("mlflow.source.type", "LOCAL".to_owned()),
            pair("team", format!("team-{}", mixed(2) % 10)),
        ],
    };
    let logged = RunLogged {
        run: id,
        metrics: (0..METRICS_OF_A_RUN)
            .map(|metric| point(metric, number, mixed(10 + metric) as f64 / (1_u64 << 53) as f64))
            .collect(),
        params: vec![
            pair("optimizer", ["adam", "sgd", "adamw"][usize::try_from(mixed(3) % 3).unwrap()].to_owned()),
            pair("lr", format!("{:.4}", (mixed(4) % 1_000) as f64 / 10_000.0)),
            pair("depth", (mixed(5) % 12).to_string()),
            pair("width", (64 << (mixed(6) % 6)).to_string()),
            pair("seed", mixed(7).to_string()),
        ],
        tags: vec![],
    };
    [created.into(), logged.into()]
}

fn record(event: Event, position: &mut u64) -> Record {
    let mut meta = Meta::own("bench", None);
    meta.id = EventId::derived("bench", &position.to_string());
    let at = Timestamp::from_second(1_790_000_000).unwrap();
    let record = Record::from_new(seal(&event, meta).unwrap(), Position::new(*position), Revision::START, at);
    *position += 1;
    record
}

fn percentiles(what: &str, mut micros: Vec<f64>) {
    micros.sort_by(f64::total_cmp);
    let at = |part: f64| micros[((micros.len() - 1) as f64 * part) as usize];
    println!("{what}: p50 {:.0} µs, p95 {:.0} µs, p99 {:.0} µs", at(0.5), at(0.95), at(0.99));
}

/// How long the thread has been computing, in milliseconds (Linux); 0 elsewhere.
fn thread_millis() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = text.and_then(|text| text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()));
    nanos.unwrap_or(0) as f64 / 1e6
}

/// What the process has in memory (Linux); 0 elsewhere.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or(0) * 4_096
}
