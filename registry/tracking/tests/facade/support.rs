//! What the tests share.

use std::sync::Arc;

use domain::events::{KeyValue, MetricPoint, Real};
use eventlog::EventLog;
use eventlog::memory::MemoryLog;
use expect_test::Expect;
use tokio_util::sync::CancellationToken;
use tracking::{NewExperiment, NewRun, Tracking, TrackingError};

/// A store over an empty log in memory.
pub fn store() -> Tracking {
    over(&(Arc::new(MemoryLog::new()) as Arc<dyn EventLog>))
}

pub fn over(log: &Arc<dyn EventLog>) -> Tracking {
    Tracking::start(log, None, &CancellationToken::new()).unwrap()
}

pub fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_owned() }
}

pub fn point(key: &str, value: f64, at_ms: i64, step: i64) -> MetricPoint {
    let (logged_model, dataset, dataset_digest) = (None, None, None);
    MetricPoint { key: key.to_owned(), value: Real(value), at_ms, step, logged_model, dataset, dataset_digest }
}

/// Makes an experiment, and answers its id.
pub async fn experiment(tracking: &Tracking, name: &str) -> String {
    let new = NewExperiment { name: name.to_owned(), ..NewExperiment::default() };
    tracking.create_experiment("test", new).await.unwrap().id.to_string()
}

/// Begins a run, and answers its id.
pub async fn run(tracking: &Tracking, experiment: &str) -> String {
    let new = NewRun { experiment: experiment.to_owned(), started_ms: Some(1), ..NewRun::default() };
    tracking.create_run("test", new).await.unwrap().id.to_string()
}

/// The kind and text of a refusal.
pub fn check<T: std::fmt::Debug>(result: Result<T, TrackingError>, expected: Expect) {
    let error = result.unwrap_err();
    let kind = match &error {
        TrackingError::NotFound(_) => "not found",
        TrackingError::Exists(_) => "exists",
        TrackingError::Invalid(_) => "invalid",
        TrackingError::NotActive(_) => "not active",
        TrackingError::State(_) => "state",
        other => panic!("{other}"),
    };
    expected.assert_eq(&format!("{kind}: {error}"));
}

/// How many records the log of a store has.
pub fn tail(tracking: &Tracking) -> u64 {
    tracking.log().tail().get()
}
