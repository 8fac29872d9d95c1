//! Publishes with QoS 1 and says when the broker has it.
//!
//! What was not confirmed when a connection ended is sent again on the next, in order. So a message may arrive twice and is never lost; readers tell redeliveries by source
//! time and sequence, or by the event's id.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::ConfigError;
use crate::backoff::Backoff;

/// Messages that may wait in the queue, before senders wait.
const QUEUED: usize = 1_024;

/// Messages that may be with the broker and not confirmed.
const IN_FLIGHT: u16 = 100;

/// The largest payload, in bytes.
const MAX_PAYLOAD_BYTES: usize = 16 * 1024 * 1024;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long stopping waits for confirmations.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to publish (MQTT 3.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherConfig {
    /// The broker's host name or address.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// The client id, which no other client of the broker may have.
    pub client_id: String,
    /// The user name, where the broker wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, where the broker wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl PublisherConfig {
    /// A publisher without credentials.
    pub fn new(host: &str, port: u16, client_id: &str) -> Self {
        Self { host: host.to_owned(), port, client_id: client_id.to_owned(), username: None, password: None }
    }
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The topic cannot be published to.
    #[error("topic {0:?} is empty, too long, or holds a wildcard")]
    Topic(String),
    /// The payload is too large.
    #[error("the payload has {actual} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        actual: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The publisher stopped before the broker confirmed; the broker may have it or not.
    #[error("the publisher stopped before the broker confirmed")]
    Stopped,
}

/// Answers when the broker has confirmed the message.
#[must_use = "a message is not known to be published before it is confirmed"]
pub struct Confirmation(oneshot::Receiver<()>);

impl Future for Confirmation {
    type Output = Result<(), PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.map_err(|_| PublishError::Stopped))
    }
}

/// The handle: cheap to clone. When the last one is gone, the publisher sends what waits and ends.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Outbound>,
    shared: Arc<Shared>,
}

struct Shared {
    connected: AtomicBool,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Outbound {
    topic: String,
    payload: Bytes,
    confirmed: oneshot::Sender<()>,
}

impl Publisher {
    /// Starts the publisher; it connects, and connects again, by itself.
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub fn start(config: PublisherConfig) -> Result<Self, ConfigError> {
        let empty = [("host", &config.host), ("client_id", &config.client_id)];
        if let Some((field, _)) = empty.into_iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(ConfigError::new(&config.client_id, field, "it is empty"));
        }
        if config.port == 0 {
            return Err(ConfigError::new(&config.client_id, "port", "0 is not a port"));
        }
        let (queue, waiting) = mpsc::channel(QUEUED);
        let shared = Arc::new(Shared {
            connected: AtomicBool::new(false),
            stop: CancellationToken::new(),
            task: Mutex::new(None),
        });
        let (stop, state) = (shared.stop.clone(), Arc::downgrade(&shared));
        let connected = move |now: bool| {
            if let Some(shared) = state.upgrade() {
                shared.connected.store(now, Ordering::Relaxed);
            }
        };
        *shared.task.lock() = Some(tokio::spawn(run(config, waiting, connected, stop)));
        Ok(Self { queue, shared })
    }

    /// Publishes a message and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, topic: &str, payload: impl Into<Bytes>) -> Result<(), PublishError> {
        self.send(topic, payload).await?.await
    }

    /// Queues a message, waiting for room in the queue, and returns what answers when the broker has confirmed it.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn send(&self, topic: &str, payload: impl Into<Bytes>) -> Result<Confirmation, PublishError> {
        if topic.is_empty() || topic.len() > usize::from(u16::MAX) || topic.contains(['+', '#', '\0']) {
            return Err(PublishError::Topic(topic.chars().take(80).collect()));
        }
        let payload = payload.into();
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(PublishError::TooLarge { actual: payload.len(), limit: MAX_PAYLOAD_BYTES });
        }
        let (confirmed, confirmation) = oneshot::channel();
        let outbound = Outbound { topic: topic.to_owned(), payload, confirmed };
        self.queue.send(outbound).await.map_err(|_| PublishError::Stopped)?;
        Ok(Confirmation(confirmation))
    }

    /// Whether the publisher is connected now.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Sends what is queued, waits some seconds for its confirmations, and disconnects.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        let task = self.shared.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "an MQTT publisher did not end as it should");
        }
    }
}

/// Messages on their way, from the queue to the confirmation.
#[derive(Default)]
struct Flight {
    /// Given to the client; their packet ids are not known yet. Ordering: the client writes them in this order.
    given: VecDeque<Outbound>,
    /// Written, by packet id, with their place in the order.
    written: HashMap<u16, (u64, Outbound)>,
    next: u64,
}

impl Flight {
    fn len(&self) -> usize {
        self.given.len() + self.written.len()
    }

    fn wrote(&mut self, packet_id: u16) {
        if let Some(outbound) = self.given.pop_front() {
            self.written.insert(packet_id, (self.next, outbound));
            self.next += 1;
        }
    }

    fn confirmed(&mut self, packet_id: u16) {
        if let Some((_, outbound)) = self.written.remove(&packet_id) {
            // A sender that went away does not wait for its confirmation.
            let _gone = outbound.confirmed.send(());
        }
    }

    /// Everything that is not confirmed, in order, to be given to a new connection.
    fn restart(&mut self) -> Vec<Outbound> {
        let mut written: Vec<(u64, Outbound)> = self.written.drain().map(|(_, entry)| entry).collect();
        written.sort_by_key(|(order, _)| *order);
        written.into_iter().map(|(_, outbound)| outbound).chain(self.given.drain(..)).collect()
    }
}

async fn run(
    config: PublisherConfig,
    mut waiting: mpsc::Receiver<Outbound>,
    connected: impl Fn(bool) + Send + 'static,
    stop: CancellationToken,
) {
    let mut flight = Flight::default();
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
        options.set_keep_alive(Duration::from_secs(15));
        options.set_clean_session(true);
        options.set_inflight(IN_FLIGHT);
        options.set_max_packet_size(64 * 1024, 2 * MAX_PAYLOAD_BYTES);
        if let Some(username) = &config.username {
            options.set_credentials(username, config.password.clone().unwrap_or_default());
        }
        let (client, connection) = AsyncClient::new(options, 2 * usize::from(IN_FLIGHT));
        let mut events = poll(connection);
        let end = serve(&client, &mut events, &mut waiting, &mut flight, (&connected, &stop)).await;
        connected(false);
        match end {
            End::Finished => return,
            End::Lost { worked, error } => {
                tracing::warn!(client = %config.client_id, %error, "the MQTT connection of a publisher ended");
                if worked {
                    backoff.reset();
                }
            }
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

enum End {
    /// Everything was sent and confirmed, or there was no more time for it.
    Finished,
    /// The connection was lost.
    Lost { worked: bool, error: String },
}

/// The connection's events. Polling has a task of its own because it must not be broken off in the middle; the task ends with its receiver.
fn poll(mut connection: EventLoop) -> mpsc::Receiver<Result<Event, String>> {
    let (send, receive) = mpsc::channel(usize::from(IN_FLIGHT));
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = connection.poll() => event.map_err(|error| error.to_string()),
                () = send.closed() => return,
            };
            let failed = event.is_err();
            if send.send(event).await.is_err() || failed {
                return;
            }
        }
    });
    receive
}

async fn serve(
    client: &AsyncClient,
    events: &mut mpsc::Receiver<Result<Event, String>>,
    waiting: &mut mpsc::Receiver<Outbound>,
    flight: &mut Flight,
    (connected, stop): (&(impl Fn(bool) + Send), &CancellationToken),
) -> End {
    let mut worked = false;
    let mut draining = false;
    let deadline = tokio::time::sleep(STOP_TIMEOUT);
    tokio::pin!(deadline);
    let mut again: VecDeque<Outbound> = flight.restart().into();
    loop {
        // Everything that waits from an earlier connection goes first, so that order is kept.
        while worked && flight.len() < usize::from(IN_FLIGHT) {
            let Some(outbound) = again.pop_front() else { break };
            give(client, flight, outbound);
        }
        if draining && waiting.is_empty() && again.is_empty() && flight.len() == 0 {
            // The broker has everything; whether it still takes the farewell does not matter.
            drop(client.try_disconnect());
            return End::Finished;
        }
        let room = worked && again.is_empty() && flight.len() < usize::from(IN_FLIGHT);
        tokio::select! {
            event = events.recv() => match event {
                Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    worked = true;
                    connected(true);
                }
                Some(Ok(Event::Outgoing(Outgoing::Publish(packet_id)))) => flight.wrote(packet_id),
                Some(Ok(Event::Incoming(Packet::PubAck(answer)))) => flight.confirmed(answer.pkid),
                Some(Ok(_)) => {}
                Some(Err(error)) => return lost(flight, again, worked, error),
                None => return lost(flight, again, worked, "the connection ended".to_owned()),
            },
            outbound = waiting.recv(), if room && !(draining && waiting.is_empty()) => match outbound {
                Some(outbound) => give(client, flight, outbound),
                None => {
                    draining = true;
                    deadline.as_mut().reset(tokio::time::Instant::now() + STOP_TIMEOUT);
                }
            },
            () = stop.cancelled(), if !draining => {
                draining = true;
                deadline.as_mut().reset(tokio::time::Instant::now() + STOP_TIMEOUT);
            }
            () = &mut deadline, if draining => return End::Finished,
        }
    }
}

/// What was not given again goes behind what was, so that the next connection begins where this one began.
fn lost(flight: &mut Flight, again: VecDeque<Outbound>, worked: bool, error: String) -> End {
    flight.given.extend(again);
    End::Lost { worked, error }
}

fn give(client: &AsyncClient, flight: &mut Flight, outbound: Outbound) {
    // The client's channel has twice the room of what may be in flight, so this fails only when the connection is gone: then the message goes again with the next.
    drop(client.try_publish(&outbound.topic, QoS::AtLeastOnce, false, outbound.payload.clone()));
    flight.given.push_back(outbound);
}
