use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use connectors::ingest::{Ingest, Limits};
use connectors::mqtt::{MqttConfig, MqttSource, Protocol, Publisher, PublisherConfig};
use connectors::opcua::{OpcUaConfig, OpcUaSource, TagServer, TagServerConfig};
use eventlog::EventLog;
use eventlog::memory::MemoryLog;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Clock, LiveStatistics, Wires, opc_ua_nodes, opc_ua_tags, run};
use crate::broker::Broker;
use crate::history::{HistoryOptions, Live, history_with};
use crate::mill;

/// How long a condition may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that a test moves.
#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

fn mill_at(end: Timestamp) -> Live {
    history_with(HistoryOptions { readings_seconds: 60, ..HistoryOptions::new(4, end, 1) }).unwrap().live()
}

async fn ingest() -> Ingest {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    Ingest::start(log, None, Limits::default()).await.unwrap()
}

fn publisher(broker: Broker) -> Publisher {
    let address = broker.address();
    Publisher::start(PublisherConfig::new(&address.ip().to_string(), address.port(), "mill")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_up_to_the_clock_comes_through_the_broker_once() {
    let end: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
    for protocol in [Protocol::V4, Protocol::V5] {
        let broker = Broker::start().unwrap();
        let address = if protocol == Protocol::V4 { broker.address() } else { broker.address_v5() };
        let mut config = MqttConfig::new("demo", &address.ip().to_string(), address.port());
        config.protocol = protocol;
        let source = MqttSource::start(config, ingest().await).unwrap();
        let status = source.status();
        until("the reader to connect", || status.is_connected()).await;

        let live = mill_at(end);
        let expected = live.clone().advance(Timestamp::from_second(end.as_second() + 30).unwrap());
        let messages = expected.len() as u64;
        let readings: usize = expected
            .iter()
            .map(|output| if let crate::Output::Readings { readings, .. } = output { readings.len() } else { 0 })
            .sum();
        let clock = Arc::new(Hand(AtomicI64::new(end.as_second() + 30)));
        let statistics = Arc::new(LiveStatistics::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (clock, statistics, stop) = (clock.clone(), statistics.clone(), stop.clone());
            let wires = Wires { publisher: publisher(broker), tags: None };
            async move { run(live, &wires, &*clock, &statistics, stop).await.unwrap() }
        });
        until("every message to be acknowledged", || status.snapshot().acknowledged == messages).await;
        stop.cancel();
        let live = task.await.unwrap();
        assert_eq!(live.now().as_second(), end.as_second() + 30, "the mill is where the clock is, and not ahead of it");
        let snapshot = status.snapshot();
        assert_eq!(
            (snapshot.readings, snapshot.quarantined, snapshot.duplicates),
            (readings as u64, 0, 0),
            "{protocol:?}"
        );
        assert_eq!(statistics.confirmed.load(Ordering::Relaxed), messages);
        assert_eq!(statistics.mqtt_readings.load(Ordering::Relaxed), readings as u64);
        assert_eq!(snapshot.events, statistics.events.load(Ordering::Relaxed));
        source.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_looms_are_read_over_opc_ua_and_the_others_over_mqtt() {
    let end: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
    let broker = Broker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let live = mill_at(end);
    let tags = opc_ua_tags(&live);
    assert_eq!(tags.len(), mill::OPC_UA_LOOMS.len() * mill::LOOM_SIGNALS.len());
    let config = TagServerConfig {
        name: "mill".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 0,
        data_dir: folder.path().to_path_buf(),
    };
    let server = TagServer::start(config, tags.clone()).await.unwrap();
    let source = OpcUaSource::start(
        OpcUaConfig::new("looms", &server.endpoint_url(), opc_ua_nodes()),
        folder.path(),
        ingest().await,
    )
    .unwrap();
    let status = source.status();
    until("the first values", || status.snapshot().readings >= tags.len() as u64).await;

    let clock = Hand(AtomicI64::new(end.as_second() + 5));
    let statistics = LiveStatistics::default();
    let stop = CancellationToken::new();
    let wires = Wires { publisher: publisher(broker), tags: Some(server) };
    let running = run(live, &wires, &clock, &statistics, stop.clone());
    let watching = async {
        // Of twelve quantities, most change in each of five seconds.
        until("changes over OPC UA", || status.snapshot().readings >= tags.len() as u64 + 100).await;
        stop.cancel();
    };
    let (live, ()) = tokio::join!(running, watching);
    assert_eq!(live.unwrap().now().as_second(), end.as_second() + 5);
    let over_opc_ua = statistics.opc_ua_readings.load(Ordering::Relaxed);
    let over_mqtt = statistics.mqtt_readings.load(Ordering::Relaxed);
    assert!((150..=240).contains(&over_opc_ua), "{over_opc_ua}");
    assert!(over_mqtt > 4 * over_opc_ua, "{over_mqtt}");
    source.stop().await;
}
