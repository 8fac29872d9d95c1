//! The MQTT source: from a broker into the log, acknowledged when durable.
//!
//! For each connection two tasks work together. The *reader* polls the connection and hands on each message. The *keeper* decodes, gives the parts to ingest
//! (many messages at once, so that they share appends), and acknowledges in the order of arrival, each message only after everything in it is durable: as readings, as
//! events, or in quarantine. When either ends, both end, and a new connection is made; the broker then sends again what was not acknowledged, and ingest drops what it knows.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::{ConfigError, MqttConfig};
use super::mapping::{Mapping, Rejected};
use super::wire::{self, Client, Connection, Delivery, Happening};
use crate::backoff::Backoff;
use crate::ingest::{Ingest, IngestError, Quarantined};
use crate::status::SourceStatus;

/// Payload bytes of messages that may be on their way into the log, in the unit of [`UNIT_BYTES`]: 64 MiB. A single larger message takes all the room.
const ROOM_UNITS: u32 = 65_536;
const UNIT_BYTES: usize = 1_024;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long stopping waits for what is in flight, and for the last acknowledgements to be written.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A running source. Dropped without [`MqttSource::stop`] it ends at once: what was not acknowledged then, the broker sends again to the next.
pub struct MqttSource {
    status: Arc<SourceStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl MqttSource {
    /// Checks the configuration and starts the source; it connects, and connects again, by itself.
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub fn start(config: MqttConfig, ingest: Ingest) -> Result<Self, ConfigError> {
        let mapping = Arc::new(config.check()?);
        let status = SourceStatus::new(&config.name, "mqtt", format!("mqtt://{}:{}", config.host, config.port));
        let stop = CancellationToken::new();
        let keeping = Keeping {
            source: config.source().into(),
            max_payload_bytes: config.max_payload_bytes,
            mapping,
            ingest,
            status: Arc::clone(&status),
        };
        let task = tokio::spawn(run(config, keeping, stop.clone()));
        Ok(Self { status, stop, task: Some(task) })
    }

    /// The source's state and counters.
    pub fn status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.status)
    }

    /// Takes no further message, finishes and acknowledges what is in flight, disconnects, and returns when that is done. The session stays with the broker.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "an MQTT source did not end as it should");
        }
    }
}

impl Drop for MqttSource {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What keeping a message needs.
#[derive(Clone)]
struct Keeping {
    source: Arc<str>,
    max_payload_bytes: usize,
    mapping: Arc<Mapping>,
    ingest: Ingest,
    status: Arc<SourceStatus>,
}

/// A message with the room that it takes.
struct Taken {
    delivery: Delivery,
    arrival: Timestamp,
    _room: OwnedSemaphorePermit,
}

async fn run(config: MqttConfig, keeping: Keeping, stop: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let status = Arc::clone(&keeping.status);
    while !stop.is_cancelled() {
        let (client, connection) = wire::prepare(&config);
        let end = serve(&config, &keeping, client, connection, &stop).await;
        if end.worked {
            backoff.reset();
        }
        // A broker that stays away is told once; the status keeps the last error.
        let news = status.disconnected(end.error.clone());
        match end.error {
            Some(error) if news => {
                tracing::warn!(source = %keeping.source, %error, "the MQTT broker is not connected; it is tried again");
            }
            Some(_) => {}
            None => tracing::info!(source = %keeping.source, "the MQTT source stopped"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// How a connection ended.
struct End {
    /// Whether the broker took the subscriptions: the next try need not wait long.
    worked: bool,
    error: Option<String>,
}

async fn serve(
    config: &MqttConfig,
    keeping: &Keeping,
    client: Client,
    connection: Connection,
    stop: &CancellationToken,
) -> End {
    let (messages, taken) = mpsc::channel(usize::from(config.max_in_flight));
    let reading = Reading {
        source: Arc::clone(&keeping.source),
        client: client.clone(),
        filters: keeping.mapping.filters(),
        status: Arc::clone(&keeping.status),
        room: Arc::new(Semaphore::new(ROOM_UNITS as usize)),
        least_units: (ROOM_UNITS / u32::from(config.max_in_flight)).max(1),
        messages,
    };
    // The reader has a task of its own because polling must not be broken off in the middle. The guard ends it when this future is dropped.
    let mut reader = AbortOnDrop(tokio::spawn(reading.run(connection)));
    let kept = keep(keeping, &client, taken, usize::from(config.max_in_flight), stop).await;
    let disconnecting = match &kept {
        Ok(()) => client.disconnect().await,
        // Without an acknowledgement the connection is of no use any more: it is cut, and the broker sends again.
        Err(_) => false,
    };
    if disconnecting || kept.is_ok() {
        match tokio::time::timeout(STOP_TIMEOUT, &mut reader.0).await {
            Ok(Ok(end)) => {
                let error = if stop.is_cancelled() { None } else { end.error };
                return End { worked: end.worked, error };
            }
            Ok(Err(error)) => return End { worked: false, error: Some(error.to_string()) },
            Err(_) => return End { worked: false, error: Some("the broker did not take the disconnect".to_owned()) },
        }
    }
    End { worked: false, error: kept.err() }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the reader works with.
struct Reading {
    source: Arc<str>,
    client: Client,
    filters: Vec<String>,
    status: Arc<SourceStatus>,
    room: Arc<Semaphore>,
    /// The least room that a message takes, so that the room bounds their number too.
    least_units: u32,
    messages: mpsc::Sender<Taken>,
}

impl Reading {
    async fn run(self, mut connection: Connection) -> End {
        let mut worked = false;
        loop {
            let happening = match connection.poll().await {
                Ok(happening) => happening,
                Err(error) => return End { worked, error: Some(error) },
            };
            match happening {
                Happening::Connected => {
                    // Subscribing again does no harm to a session that is there, and the configuration may have changed.
                    if let Err(error) = self.client.subscribe(self.filters.clone()).await {
                        return End { worked, error: Some(error) };
                    }
                }
                Happening::Subscribed { refused: 0 } => {
                    worked = true;
                    if self.status.connected() {
                        tracing::info!(source = %self.source, "the MQTT broker is connected");
                    }
                }
                Happening::Subscribed { refused } => {
                    let error = format!("the broker refused {refused} of {} subscriptions", self.filters.len());
                    return End { worked: false, error: Some(error) };
                }
                Happening::Delivered(delivery) => self.hand_on(delivery).await,
                Happening::Acknowledged => SourceStatus::count(&self.status.acknowledged, 1),
                Happening::Disconnected => return End { worked, error: None },
                Happening::Closing(reason) => self.status.error(reason),
                Happening::Other => {}
            }
        }
    }

    /// Waits for room, then hands the message on. While it waits, nothing is read and TCP holds the broker back.
    async fn hand_on(&self, delivery: Delivery) {
        SourceStatus::count(&self.status.received, 1);
        let units = u32::try_from(delivery.payload.len().div_ceil(UNIT_BYTES)).unwrap_or(ROOM_UNITS);
        let units = units.max(self.least_units).min(ROOM_UNITS);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(units).await else { return };
        let taken = Taken { delivery, arrival: Timestamp::now(), _room: room };
        // A keeper that has stopped takes nothing more: the message stays unacknowledged and comes again.
        drop(self.messages.send(taken).await);
    }
}

/// Keeps messages and acknowledges them in order, until the reader ends (`Ok`), the source stops (`Ok`), or a message could not be kept (`Err`).
async fn keep(
    keeping: &Keeping,
    client: &Client,
    mut messages: mpsc::Receiver<Taken>,
    at_once: usize,
    stop: &CancellationToken,
) -> Result<(), String> {
    let mut in_flight = FuturesOrdered::new();
    let mut open = true;
    while open || !in_flight.is_empty() {
        tokio::select! {
            () = stop.cancelled(), if open => {
                messages.close();
                open = false;
            }
            message = messages.recv(), if open && in_flight.len() < at_once => match message {
                Some(message) => in_flight.push_back(keep_one(keeping, message)),
                None => open = false,
            },
            Some(kept) = in_flight.next(), if !in_flight.is_empty() => {
                let packet_id = kept.map_err(|error: IngestError| {
                    keeping.status.error(error.to_string());
                    format!("a message could not be kept: {error}")
                })?;
                // Ordering: only here, after the receipt, may the acknowledgement go.
                if let Some(packet_id) = packet_id
                    && !client.acknowledge(packet_id)
                {
                    tracing::debug!(packet_id, "the connection is gone; the broker will send the message again");
                }
            }
        }
    }
    Ok(())
}

/// Answers when everything in the message is durable.
async fn keep_one(keeping: &Keeping, taken: Taken) -> Result<Option<u16>, IngestError> {
    let Delivery { topic, payload, packet_id } = &taken.delivery;
    if payload.len() > keeping.max_payload_bytes {
        let reason = format!("{} bytes, the limit is {}", payload.len(), keeping.max_payload_bytes);
        keeping.quarantine(topic, "payload", &reason, payload).await?;
        return Ok(*packet_id);
    }
    let decoded = keeping.mapping.decode(topic, payload, taken.arrival);
    if !decoded.readings.is_empty() {
        match keeping.ingest.readings(&keeping.source, decoded.readings).await {
            Ok(receipt) => {
                SourceStatus::count(&keeping.status.readings, receipt.accepted);
                SourceStatus::count(&keeping.status.duplicates, receipt.duplicates);
                SourceStatus::count(&keeping.status.conflicts, receipt.conflicts);
            }
            Err(error) => keeping.refused(topic, "readings", error, payload).await?,
        }
    }
    if !decoded.events.is_empty() {
        match keeping.ingest.events(decoded.events).await {
            Ok(receipt) => {
                SourceStatus::count(&keeping.status.events, receipt.appended);
                SourceStatus::count(&keeping.status.duplicates, receipt.repeated);
            }
            Err(error) => keeping.refused(topic, "events", error, payload).await?,
        }
    }
    for Rejected { pointer, field, reason, payload } in &decoded.rejected {
        let address = if pointer.is_empty() { topic.clone() } else { format!("{topic}#{pointer}") };
        keeping.quarantine(&address, field, reason, payload).await?;
    }
    Ok(*packet_id)
}

impl Keeping {
    /// Ingest refused a part: an input that would be refused again goes to quarantine, anything else ends the connection.
    async fn refused(&self, topic: &str, field: &str, error: IngestError, payload: &[u8]) -> Result<(), IngestError> {
        if !error.is_input() {
            return Err(error);
        }
        self.quarantine(topic, field, &error.to_string(), payload).await
    }

    async fn quarantine(&self, address: &str, field: &str, reason: &str, payload: &[u8]) -> Result<(), IngestError> {
        let input =
            Quarantined { source: &self.source, address, field: Some(field), reason, payload, occurrence: None };
        self.ingest.quarantine(input).await?;
        SourceStatus::count(&self.status.quarantined, 1);
        Ok(())
    }
}
