//! The source against our own server, and against asyncua where it is installed.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use eventlog::EventLog;
use eventlog::frames::{Reading, StatusCode, Value};
use eventlog::memory::MemoryLog;
use jiff::Timestamp;

use super::*;
use crate::ingest::{Ingest, Limits};
use crate::testing::{self, until};

async fn ingest() -> (Arc<dyn EventLog>, Ingest) {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let ingest = Ingest::start(Arc::clone(&log), None, Limits::default()).await.unwrap();
    (log, ingest)
}

fn node(signal: &str, sampling_interval_ms: Option<f64>) -> NodeConfig {
    NodeConfig { node_id: TagServer::node_id(signal), signal: signal.to_owned(), sampling_interval_ms }
}

fn source(endpoint: &str, nodes: Vec<NodeConfig>) -> OpcUaConfig {
    OpcUaConfig { publishing_interval_ms: 100, ..OpcUaConfig::new("plc-1", endpoint, nodes) }
}

async fn serve(directory: &std::path::Path, port: u16) -> TagServer {
    let config = TagServerConfig {
        name: "shed".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        data_dir: directory.to_path_buf(),
    };
    let tags = vec![
        ("LOOM-21.warp_tension".to_owned(), Value::Float(0.0)),
        ("LOOM-21.running".to_owned(), Value::Boolean(false)),
        ("LOOM-21.recipe".to_owned(), Value::Text("none".into())),
    ];
    TagServer::start(config, tags).await.unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_348_400 + second).unwrap()
}

async fn of_signal(log: &dyn EventLog, signal: &str) -> Vec<Reading> {
    let mut readings: Vec<Reading> =
        testing::readings(log).await.into_iter().filter(|reading| &*reading.signal == signal).collect();
    readings.sort_by_key(|reading| reading.time);
    readings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_with_source_time_and_status_and_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = serve(directory.path(), 0).await;
    let endpoint = server.endpoint_url();
    let port: u16 = endpoint.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let (log, ingest) = ingest().await;
    let signals = ["LOOM-21.warp_tension", "LOOM-21.running", "LOOM-21.recipe"];
    let nodes = signals.iter().map(|signal| node(signal, Some(0.0))).collect();
    let source = OpcUaSource::start(source(&endpoint, nodes), directory.path(), ingest).unwrap();
    let status = source.status();
    until("the source to connect", || status.is_connected()).await;
    until("the first values", || status.snapshot().readings == 3).await;
    // Every change comes, not only the last before the server publishes.
    for second in 0..200 {
        let code = if second == 150 { StatusCode::new(0x8000_0000) } else { StatusCode::GOOD };
        server.set(signals[0], Value::Float(second as f64 + 0.5), code, at(1_000 + second)).unwrap();
    }
    server.set(signals[1], Value::Boolean(true), StatusCode::new(0x4000_0000), at(2_000)).unwrap();
    server.set(signals[2], Value::Text("A-12".into()), StatusCode::GOOD, at(2_000)).unwrap();
    assert!(matches!(
        server.set("LOOM-22.x", Value::Boolean(true), StatusCode::GOOD, at(0)),
        Err(TagServerError::UnknownTag(_))
    ));
    until("the changes", || status.snapshot().readings == 205).await;
    let tension = of_signal(&*log, signals[0]).await;
    let changes: Vec<&Reading> = tension.iter().filter(|reading| reading.time < at(2_000)).collect();
    assert_eq!(changes.len(), 200);
    for (second, reading) in (0..).zip(changes) {
        assert_eq!((reading.time, &reading.value), (at(1_000 + second), &Value::Float(second as f64 + 0.5)));
        assert_eq!(reading.status.is_bad(), second == 150);
    }
    let running = of_signal(&*log, signals[1]).await;
    assert!(running.iter().any(|reading| reading.time == at(2_000) && reading.status.get() == 0x4000_0000));
    // The server goes and comes back on the same port.
    server.stop().await;
    until("the source to notice", || !status.is_connected()).await;
    let server = serve(directory.path(), port).await;
    until("the source to come back", || status.is_connected()).await;
    server.set(signals[0], Value::Float(-7.5), StatusCode::GOOD, at(3_000)).unwrap();
    until("a value after the restart", || status.snapshot().readings >= 209).await;
    assert!(of_signal(&*log, signals[0]).await.iter().any(|reading| reading.value == Value::Float(-7.5)));
    assert_eq!(status.snapshot().reconnects, 1);
    assert_eq!(status.snapshot().quarantined, 0);
    source.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_the_server_refuses_are_told_and_the_others_followed() {
    let Some(peer) = Peer::start("nodes_that_the_server_refuses_are_told_and_the_others_followed") else { return };
    let directory = tempfile::tempdir().unwrap();
    let (_log, ingest) = ingest().await;
    let nodes = vec![node("LOOM-21.counter", None), node("LOOM-99.nothing", None)];
    let following = OpcUaSource::start(source(&peer.endpoint, nodes), directory.path(), ingest.clone()).unwrap();
    let status = following.status();
    until("the source to connect", || status.is_connected()).await;
    until("a value", || status.snapshot().readings >= 1).await;
    let error = status.snapshot().last_error.unwrap();
    assert!(error.contains("refused 1 of 2 nodes") && error.contains("LOOM-99.nothing"), "{error}");
    following.stop().await;
    let nodes = vec![node("LOOM-99.nothing", None)];
    let lost = OpcUaSource::start(source(&peer.endpoint, nodes), directory.path(), ingest).unwrap();
    let status = lost.status();
    until("the error", || status.snapshot().last_error.is_some_and(|error| error.contains("every node"))).await;
    assert!(!status.is_connected());
    lost.stop().await;
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (_log, ingest) = ingest().await;
    let good = || source("opc.tcp://127.0.0.1:4840/", vec![node("L.t", None)]);
    let check = |config: OpcUaConfig, expected: &str| {
        let error = OpcUaSource::start(config, directory.path(), ingest.clone()).err().expect(expected);
        assert_eq!(error.field, expected, "{error}");
    };
    check(OpcUaConfig { name: "../up".to_owned(), ..good() }, "name");
    check(OpcUaConfig { endpoint: "http://127.0.0.1".to_owned(), ..good() }, "endpoint");
    check(OpcUaConfig { password: Some("p".to_owned()), ..good() }, "username");
    check(OpcUaConfig { publishing_interval_ms: 0, ..good() }, "publishing_interval_ms");
    check(OpcUaConfig { nodes: vec![], ..good() }, "nodes");
    check(OpcUaConfig { nodes: vec![node("L.t", None), node("L.t", None)], ..good() }, "nodes[1].signal");
    check(OpcUaConfig { nodes: vec![node("L.t", Some(f64::NAN))], ..good() }, "nodes[0].sampling_interval_ms");
    let unknown = NodeConfig { node_id: "nonsense".to_owned(), ..node("L.t", None) };
    check(OpcUaConfig { nodes: vec![unknown], ..good() }, "nodes[0].node_id");
    let text = "name = 'a'\nendpoint = 'opc.tcp://b'\nnodes = []\nextra = 1";
    assert!(toml::from_str::<OpcUaConfig>(text).is_err());
}

/// A server of asyncua.
struct Peer {
    child: Child,
    endpoint: String,
}

impl Peer {
    /// Starts the server; where asyncua is not installed, says aloud that the test is skipped.
    fn start(test: &str) -> Option<Self> {
        let installed = Command::new("python3")
            .args(["-c", "import asyncua"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !installed {
            let mut errors = std::io::stderr();
            writeln!(errors, "SKIPPED {test}: install asyncua (pip install asyncua)").unwrap();
            return None;
        }
        let port = testing::free_port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/opcua_server.py");
        let child = Command::new("python3")
            .args([script, &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, endpoint: format!("opc.tcp://127.0.0.1:{port}/mill/") })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asyncua_is_followed() {
    let Some(peer) = Peer::start("asyncua_is_followed") else { return };
    let directory = tempfile::tempdir().unwrap();
    let (log, ingest) = ingest().await;
    let tags = ["LOOM-21.counter", "LOOM-21.tension", "LOOM-21.state", "LOOM-21.broken"];
    let nodes = tags.iter().map(|tag| node(tag, Some(0.0))).collect();
    let source = OpcUaSource::start(source(&peer.endpoint, nodes), directory.path(), ingest).unwrap();
    let status = source.status();
    until("the source to connect", || status.is_connected()).await;
    until("a run of values", || status.snapshot().readings >= 30).await;
    let counter = of_signal(&*log, "LOOM-21.counter").await;
    for reading in &counter {
        // The peer counts from a fixed time, one a second of its own clock.
        let Value::Integer(count) = reading.value else { panic!("{reading:?}") };
        assert_eq!(reading.time, at(count));
        assert!(reading.status.is_good());
    }
    assert!(counter.len() >= 5, "{} counts", counter.len());
    let broken = of_signal(&*log, "LOOM-21.broken").await;
    assert!(broken.iter().any(|reading| reading.status.is_bad()), "{broken:?}");
    let state = of_signal(&*log, "LOOM-21.state").await;
    assert!(state.iter().any(|reading| reading.value == Value::Text("运行".into())), "{state:?}");
    assert!(of_signal(&*log, "LOOM-21.tension").await.iter().all(|reading| matches!(reading.value, Value::Float(_))));
    assert_eq!(status.snapshot().conflicts, 0);
    source.stop().await;
}
