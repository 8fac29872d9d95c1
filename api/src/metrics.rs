//! Metrics for Prometheus. All names are here, with unit and help text.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabels {
    name: String,
}

/// The counters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    log_records: Gauge,
    checkpoint_records: Gauge,
    checkpoint_signing: Gauge,
    witness_records: Family<NameLabels, Gauge>,
    log_sealing: Family<NameLabels, Gauge>,
    projection_lag: Family<NameLabels, Gauge>,
    readings: Family<NameLabels, Gauge>,
    source_connected: Family<NameLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("millwright");
        let requests = Family::default();
        registry.register("http_requests", "HTTP requests answered, by route and status", requests.clone());
        let request_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        registry.register(
            "http_request_duration_seconds",
            "Time to answer a request, in seconds",
            request_seconds.clone(),
        );
        let log_sealing = Family::default();
        registry.register(
            "log_sealing",
            "Sealing of the log since the start: segments sealed and waiting, bytes before and after, milliseconds at work, failures",
            log_sealing.clone(),
        );
        let log_records = Gauge::default();
        registry.register("log_records", "Records in the log", log_records.clone());
        let checkpoint_records = Gauge::default();
        registry.register(
            "checkpoint_records",
            "Records under the newest signed checkpoint",
            checkpoint_records.clone(),
        );
        let checkpoint_signing = Gauge::default();
        registry.register(
            "checkpoint_signing",
            "1 while checkpoints are signed, 0 when the log is not what was signed before",
            checkpoint_signing.clone(),
        );
        let witness_records = Family::default();
        registry.register(
            "witness_cosigned_records",
            "Records under the newest checkpoint that the witness has cosigned",
            witness_records.clone(),
        );
        let projection_lag = Family::default();
        registry.register(
            "projection_lag_records",
            "Records that a projection has not taken in yet",
            projection_lag.clone(),
        );
        let readings = Family::default();
        registry.register("ingest_readings", "Readings since the start, by what became of them", readings.clone());
        let source_connected = Family::default();
        registry.register("source_connected", "1 while the source is connected", source_connected.clone());
        Self {
            registry,
            requests,
            request_seconds,
            log_records,
            checkpoint_records,
            checkpoint_signing,
            witness_records,
            log_sealing,
            projection_lag,
            readings,
            source_connected,
        }
    }

    /// Counts a request.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests
            .get_or_create(&RequestLabels { method: method.to_owned(), route: route.to_owned(), status })
            .inc();
        self.request_seconds.get_or_create(&RouteLabels { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Sets the number of records.
    pub fn set_log_records(&self, count: u64) {
        self.log_records.set(saturated(count));
    }

    /// Sets how far the log is signed, and whether it still is.
    pub fn set_checkpoint(&self, records: u64, signing: bool) {
        self.checkpoint_records.set(saturated(records));
        self.checkpoint_signing.set(i64::from(signing));
    }

    /// Sets how far a witness has cosigned.
    pub fn set_witness(&self, witness: &str, records: u64) {
        self.witness_records.get_or_create(&NameLabels { name: witness.to_owned() }).set(saturated(records));
    }

    /// Sets a figure of sealing (`segments_sealed`, `segments_waiting`, `bytes_before`, `bytes_after`, `milliseconds`, `failures`).
    pub fn set_log_sealing(&self, figure: &str, value: u64) {
        self.log_sealing.get_or_create(&NameLabels { name: figure.to_owned() }).set(saturated(value));
    }

    /// Sets a projection's lag.
    pub fn set_projection_lag(&self, projection: &str, records: u64) {
        self.projection_lag.get_or_create(&NameLabels { name: projection.to_owned() }).set(saturated(records));
    }

    /// Sets how many readings met a fate (`accepted`, `duplicate`, `conflict`, `quarantined`).
    pub fn set_readings(&self, fate: &str, count: u64) {
        self.readings.get_or_create(&NameLabels { name: fate.to_owned() }).set(saturated(count));
    }

    /// Sets whether a source is connected.
    pub fn set_source_connected(&self, source: &str, connected: bool) {
        self.source_connected.get_or_create(&NameLabels { name: source.to_owned() }).set(i64::from(connected));
    }

    /// All metrics in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if text::encode(&mut out, &self.registry).is_err() {
            let _ = writeln!(out, "# the metrics could not be written");
        }
        out
    }
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
