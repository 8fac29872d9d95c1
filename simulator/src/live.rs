//! Publishes the running mill: readings and events over MQTT with QoS 1, four looms over OPC UA, never ahead of the clock.
//!
//! Topics and payloads are those of the default mapping of `connectors::mqtt`. A message goes out in the order in which it happened; at most
//! [`MAX_UNCONFIRMED`] wait for their PUBACK, and then the mill waits too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connectors::mqtt::{Confirmation, PublishError, Publisher, payload};
use connectors::opcua::{NodeConfig, TagServer, TagServerError};
use domain::SubjectKind;
use eventlog::frames::{Reading, StatusCode, Value};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::history::Live;
use crate::mill;
use crate::output::{Output, SimEvent};

/// The most messages that may wait for their acknowledgement.
pub const MAX_UNCONFIRMED: usize = 512;
/// How often the mill looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the mill waits for the last acknowledgements when it is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Says what time it is. Tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Where the mill publishes.
pub struct Wires {
    /// Everything that goes over MQTT.
    pub publisher: Publisher,
    /// The OPC UA server that holds the variables of the looms in [`mill::OPC_UA_LOOMS`]; without it these looms use MQTT too.
    pub tags: Option<TagServer>,
}

/// Why publishing ended.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A message cannot be published.
    #[error("the simulated mill cannot publish to {topic}")]
    Publish {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: PublishError,
    },
    /// An event cannot be written as JSON.
    #[error("the simulated mill made an event that is no JSON")]
    Payload(#[from] serde_json::Error),
    /// A variable cannot be set.
    #[error("the simulated mill cannot set {tag}")]
    Tag {
        /// The variable.
        tag: String,
        /// Why.
        #[source]
        source: TagServerError,
    },
}

/// What was published so far; shared with whoever reports it.
#[derive(Debug, Default)]
pub struct LiveStatistics {
    /// Readings over MQTT.
    pub mqtt_readings: AtomicU64,
    /// Readings over OPC UA.
    pub opc_ua_readings: AtomicU64,
    /// Business events.
    pub events: AtomicU64,
    /// MQTT messages that the broker acknowledged.
    pub confirmed: AtomicU64,
}

/// The tags of the OPC UA looms with their present values, for [`TagServer::start`]. A loom that stands has no arrival angle and no peak tension: those begin at the least value
/// of their range.
pub fn opc_ua_tags(live: &Live) -> Vec<(String, Value)> {
    let present: BTreeMap<Arc<str>, Value> =
        live.present().into_iter().map(|reading| (reading.signal, reading.value)).collect();
    mill::OPC_UA_LOOMS
        .iter()
        .flat_map(|loom| {
            mill::LOOM_SIGNALS.iter().map(move |signal| (mill::signal_name(loom, signal.quantity), signal.low))
        })
        .map(|(tag, low)| {
            let value = present.get(tag.as_str()).cloned().unwrap_or(Value::Float(low));
            (tag, value)
        })
        .collect()
}

/// The nodes to follow for the tags of [`opc_ua_tags`], every change of them: a mill that catches up sets a tag several times within a sampling interval.
pub fn opc_ua_nodes() -> Vec<NodeConfig> {
    mill::OPC_UA_LOOMS
        .iter()
        .flat_map(|loom| mill::LOOM_SIGNALS.iter().map(move |signal| mill::signal_name(loom, signal.quantity)))
        .map(|signal| NodeConfig { node_id: TagServer::node_id(&signal), signal, sampling_interval_ms: Some(0.0) })
        .collect()
}

/// Lets the mill run with the clock and publishes what it says, until `stop` is cancelled. Answers the mill as it stands then. What was sent before that is
/// acknowledged, unless the broker stays away for longer than some seconds; since the mill is seeded, its past can always be made again.
///
/// # Errors
/// [`LiveError`]. Lost connections are none: the publisher connects again.
pub async fn run(
    mut live: Live,
    wires: &Wires,
    clock: &dyn Clock,
    statistics: &LiveStatistics,
    stop: CancellationToken,
) -> Result<Live, LiveError> {
    let mut sender = Sender { wires, statistics, source: live.source(), unconfirmed: VecDeque::new() };
    let given_up = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        outcome = sender.follow(&mut live, clock, &stop) => outcome?,
        () = given_up => tracing::warn!("the broker did not acknowledge the simulated mill's last messages"),
    }
    Ok(live)
}

struct Sender<'a> {
    wires: &'a Wires,
    statistics: &'a LiveStatistics,
    /// The mill's name as a source: the events of its past have it too, so that an event that is told again is known.
    source: String,
    unconfirmed: VecDeque<(String, Confirmation)>,
}

impl Sender<'_> {
    /// Publishes what happens until `stop` is cancelled, then waits for what is not acknowledged.
    async fn follow(&mut self, live: &mut Live, clock: &dyn Clock, stop: &CancellationToken) -> Result<(), LiveError> {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = interval.tick() => {}
            }
            self.catch_up(live, clock, stop).await?;
        }
        self.settle(0).await
    }

    async fn catch_up(
        &mut self,
        live: &mut Live,
        clock: &dyn Clock,
        stop: &CancellationToken,
    ) -> Result<(), LiveError> {
        while !stop.is_cancelled() {
            let outputs = live.advance(clock.now());
            if outputs.is_empty() {
                break;
            }
            for output in outputs {
                self.send(output).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, output: Output) -> Result<(), LiveError> {
        match output {
            Output::Event(event) => self.event(&event).await,
            Output::Readings { asset, time, readings } => match &self.wires.tags {
                Some(tags) if mill::OPC_UA_LOOMS.contains(&&*asset) => self.tags(tags, readings),
                _ => self.readings(&asset, time, &readings).await,
            },
        }
    }

    async fn event(&mut self, event: &SimEvent) -> Result<(), LiveError> {
        let topic = payload::events_topic(&topic_asset(event));
        let message = payload::event_payload(&event.external_id, Some(&self.source), Some(event.time), &event.event)?;
        self.publish(topic, message).await?;
        self.statistics.events.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn readings(&mut self, asset: &str, time: Timestamp, readings: &[Reading]) -> Result<(), LiveError> {
        let values: Vec<(&str, Value)> =
            readings.iter().map(|reading| (mill::quantity_of(&reading.signal), reading.value.clone())).collect();
        let message = payload::readings_payload(time, None, &values);
        self.publish(payload::readings_topic(asset), message).await?;
        self.statistics.mqtt_readings.fetch_add(readings.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn tags(&self, tags: &TagServer, readings: Vec<Reading>) -> Result<(), LiveError> {
        let count = readings.len() as u64;
        for reading in readings {
            tags.set(&reading.signal, reading.value, StatusCode::GOOD, reading.time)
                .map_err(|source| LiveError::Tag { tag: reading.signal.to_string(), source })?;
        }
        self.statistics.opc_ua_readings.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    async fn publish(&mut self, topic: String, payload: Vec<u8>) -> Result<(), LiveError> {
        let failed = |source| LiveError::Publish { topic: topic.clone(), source };
        let confirmation = self.wires.publisher.send(&topic, payload).await.map_err(failed)?;
        self.unconfirmed.push_back((topic, confirmation));
        self.settle(MAX_UNCONFIRMED).await
    }

    /// Waits until at most `left` messages are unconfirmed.
    async fn settle(&mut self, left: usize) -> Result<(), LiveError> {
        while self.unconfirmed.len() > left {
            let Some((topic, confirmation)) = self.unconfirmed.pop_front() else { break };
            confirmation.await.map_err(|source| LiveError::Publish { topic, source })?;
            self.statistics.confirmed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The asset in the topic of an event: the first that it concerns, or else the mill.
fn topic_asset(event: &SimEvent) -> String {
    let subjects = event.event.subjects();
    let asset = subjects.into_iter().find(|subject| subject.kind == SubjectKind::Asset);
    asset.map_or_else(|| mill::MILL_TOPIC.to_owned(), |subject| subject.id)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
