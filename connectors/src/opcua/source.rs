//! The OPC UA source: one session, one subscription, every value into the log.
//!
//! A connection lives as long as its session: when it is lost, everything is made anew after a wait, and the server then sends each node's present value again, which
//! ingest drops when it knows it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog::frames::Reading;
use futures::TryStreamExt as _;
use opcua::client::{Client, ClientBuilder, DataChangeCallback, IdentityToken, Session, SessionPollResult};
use opcua::crypto::SecurityPolicy;
use opcua::types::{
    AttributeId, DataValue, EndpointDescription, MessageSecurityMode, MonitoredItemCreateRequest, MonitoringMode,
    MonitoringParameters, ReadValueId, TimestampsToReturn, UserTokenPolicy,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::{Node, OpcUaConfig};
use super::convert::{Fault, reading_of};
use crate::backoff::Backoff;
use crate::ingest::{Ingest, IngestError, Quarantined};
use crate::mqtt::ConfigError;
use crate::status::SourceStatus;

/// Notifications that may wait for the log.
const QUEUED: usize = 100_000;

/// Room that is left in the queue before the connection is read again: more than the server may send in the publish responses that are under way.
const HEADROOM: usize = 20_000;

/// The most notifications in one of the server's messages.
const MAX_NOTIFICATIONS: u32 = 1_000;

/// The most readings that are given to ingest at once.
const BATCH: usize = 5_000;

/// Values of one node that the server queues between two messages.
const NODE_QUEUE: u32 = 1_000;

/// The most nodes in one request to the server.
const NODES_PER_REQUEST: usize = 500;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running source. Dropped without [`OpcUaSource::stop`] it ends at once.
pub struct OpcUaSource {
    status: Arc<SourceStatus>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// A value with the node that it is of.
struct Notified {
    node: usize,
    data: DataValue,
}

/// What a connection is made from.
struct Plan {
    config: OpcUaConfig,
    nodes: Arc<[Node]>,
    certificates: PathBuf,
    status: Arc<SourceStatus>,
    queue: mpsc::Sender<Notified>,
    /// The queue was full although the connection is only read while there is room: the connection is then given up, and values were lost.
    overflow: Arc<AtomicBool>,
}

impl OpcUaSource {
    /// Checks the configuration and starts the source; it connects, and connects again, by itself. What the OPC UA library keeps on disk goes below `data_dir`.
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub fn start(config: OpcUaConfig, data_dir: &Path, ingest: Ingest) -> Result<Self, ConfigError> {
        let nodes: Arc<[Node]> = config.check()?.into();
        let status = SourceStatus::new(&config.name, "opcua", config.endpoint.clone());
        let stop = CancellationToken::new();
        let (queue, waiting) = mpsc::channel(QUEUED);
        let source: Arc<str> = config.source().into();
        let keeping =
            Keeping { source, nodes: Arc::clone(&nodes), ingest, status: Arc::clone(&status), stop: stop.clone() };
        let plan = Plan {
            certificates: data_dir.join("opcua").join(&config.name),
            config,
            nodes,
            status: Arc::clone(&status),
            queue,
            overflow: Arc::default(),
        };
        plan.client().map_err(|reason| ConfigError::new(&plan.config.name, "endpoint", reason))?;
        let tasks = vec![tokio::spawn(run(plan, stop.clone())), tokio::spawn(keeping.run(waiting))];
        Ok(Self { status, stop, tasks })
    }

    /// The source's state and counters.
    pub fn status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.status)
    }

    /// Ends the session, puts everything that was received into the log, and returns when that is done.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "an OPC UA source did not end as it should");
            }
        }
    }
}

impl Drop for OpcUaSource {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn run(plan: Plan, stop: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    while !stop.is_cancelled() {
        let connected_before = plan.status.snapshot().since;
        let end = serve(&plan, &stop).await;
        if plan.status.is_connected() && plan.status.snapshot().since != connected_before {
            backoff.reset();
        }
        let error = end.err();
        // A server that stays away is told once; the status keeps the last error.
        if plan.status.disconnected(error.clone())
            && let Some(error) = error
        {
            tracing::warn!(source = plan.config.name, %error, "the OPC UA server is not connected; it is tried again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// One connection, from the first byte to the last.
async fn serve(plan: &Plan, stop: &CancellationToken) -> Result<(), String> {
    let mut client = plan.client()?;
    let endpoint: EndpointDescription = (
        plan.config.endpoint.as_str(),
        SecurityPolicy::None.to_str(),
        MessageSecurityMode::None,
        UserTokenPolicy::anonymous(),
    )
        .into();
    let identity = match &plan.config.username {
        Some(username) => {
            IdentityToken::UserName(username.clone(), plan.config.password.clone().unwrap_or_default().into())
        }
        None => IdentityToken::Anonymous,
    };
    let connecting = client.connect_to_matching_endpoint(endpoint, identity);
    let connecting = tokio::select! {
        connecting = tokio::time::timeout(REQUEST_TIMEOUT, connecting) => connecting,
        () = stop.cancelled() => return Ok(()),
    };
    let (session, connection) =
        connecting.map_err(|_| "the server did not answer".to_owned())?.map_err(|error| error.to_string())?;
    plan.overflow.store(false, Ordering::Relaxed);
    let mut stream = std::pin::pin!(connection.enter());
    let mut subscribing = std::pin::pin!(subscribe(plan, &session));
    let mut subscribed = false;
    let mut left = false;
    let mut leaving = std::pin::pin!(leave(&session, stop));
    loop {
        // Back-pressure: with a full queue the connection is not read, and the server keeps what it has.
        tokio::select! {
            room = plan.queue.reserve_many(HEADROOM) => drop(room.map_err(|_| "nothing takes values any more")?),
            () = stop.cancelled() => {}
        }
        tokio::select! {
            polled = stream.try_next() => match polled {
                Ok(Some(SessionPollResult::ConnectionLost(code) | SessionPollResult::ReconnectFailed(code))) => {
                    return if stop.is_cancelled() { Ok(()) } else { Err(format!("the connection was lost: {code}")) };
                }
                Ok(Some(_)) if plan.overflow.load(Ordering::Relaxed) => {
                    return Err("more values came than the queue holds, and some were lost".to_owned());
                }
                Ok(Some(_)) => {}
                Ok(None) => return if stop.is_cancelled() { Ok(()) } else { Err("the server ended the session".to_owned()) },
                Err(code) => return Err(format!("the session failed: {code}")),
            },
            outcome = &mut subscribing, if !subscribed => {
                outcome?;
                subscribed = true;
                if plan.status.connected() {
                    tracing::info!(source = plan.config.name, "the OPC UA server is connected");
                }
            }
            () = &mut leaving, if !left => left = true,
        }
    }
}

/// Waits for the source to stop, then closes the session, which ends the connection.
async fn leave(session: &Arc<Session>, stop: &CancellationToken) {
    stop.cancelled().await;
    // A server that does not answer is left without a farewell.
    drop(tokio::time::timeout(STOP_TIMEOUT, session.disconnect()).await);
}

async fn subscribe(plan: &Plan, session: &Arc<Session>) -> Result<(), String> {
    if !tokio::time::timeout(REQUEST_TIMEOUT, session.wait_for_connection()).await.unwrap_or(false) {
        return Err("the server did not open a session".to_owned());
    }
    let (queue, status, overflow) = (plan.queue.clone(), Arc::clone(&plan.status), Arc::clone(&plan.overflow));
    let count = plan.nodes.len();
    let callback = DataChangeCallback::new(move |data, item| {
        SourceStatus::count(&status.received, 1);
        let Some(node) = (item.client_handle() as usize).checked_sub(1).filter(|node| *node < count) else { return };
        if queue.try_send(Notified { node, data }).is_err() {
            overflow.store(true, Ordering::Relaxed);
        }
    });
    let interval = Duration::from_millis(plan.config.publishing_interval_ms);
    let subscription = session
        .create_subscription(interval, 10_000, 30, MAX_NOTIFICATIONS, 0, true, callback)
        .await
        .map_err(|error| format!("the server refused the subscription: {error}"))?;
    let mut refused = Vec::new();
    let requests: Vec<MonitoredItemCreateRequest> = (1_u32..).zip(plan.nodes.iter()).map(request).collect();
    for (chunk, nodes) in requests.chunks(NODES_PER_REQUEST).zip(plan.nodes.chunks(NODES_PER_REQUEST)) {
        let created = session
            .create_monitored_items(subscription, TimestampsToReturn::Both, chunk.to_vec())
            .await
            .map_err(|error| format!("the server refused the nodes: {error}"))?;
        for (item, node) in created.iter().zip(nodes) {
            if !item.result.status_code.is_good() {
                refused.push(format!("{} ({})", node.address, item.result.status_code));
            }
        }
    }
    if refused.len() == plan.nodes.len() {
        return Err(format!("the server refused every node: {}", refused.join(", ")));
    }
    if !refused.is_empty() {
        // The other nodes are worth having; the status says which are missing.
        let error =
            format!("the server refused {} of {} nodes: {}", refused.len(), plan.nodes.len(), refused.join(", "));
        tracing::warn!(source = plan.config.name, %error);
        plan.status.error(error);
    }
    Ok(())
}

fn request((client_handle, node): (u32, &Node)) -> MonitoredItemCreateRequest {
    MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: node.id.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle,
            sampling_interval: node.sampling_interval_ms,
            queue_size: NODE_QUEUE,
            discard_oldest: true,
            ..MonitoringParameters::default()
        },
    }
}

impl Plan {
    fn client(&self) -> Result<Client, String> {
        ClientBuilder::new()
            .application_name("Millwright")
            .application_uri(format!("urn:millwright:source:{}", self.config.name))
            .product_uri("urn:millwright")
            .pki_dir(&self.certificates)
            .create_sample_keypair(false)
            .trust_server_certs(true)
            .verify_server_certs(false)
            .session_name(format!("millwright-{}", self.config.name))
            .session_retry_limit(0)
            .recreate_subscriptions(false)
            .request_timeout(REQUEST_TIMEOUT)
            .client()
            .map_err(|errors| errors.join("; "))
    }
}

/// What turns values into readings.
struct Keeping {
    source: Arc<str>,
    nodes: Arc<[Node]>,
    ingest: Ingest,
    status: Arc<SourceStatus>,
    stop: CancellationToken,
}

impl Keeping {
    /// Ends when the connection's side is gone and everything that it left is in the log.
    async fn run(self, mut waiting: mpsc::Receiver<Notified>) {
        let mut notified = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut notified, BATCH).await > 0 {
            let mut readings = Vec::with_capacity(notified.len());
            for Notified { node, data } in notified.drain(..) {
                let Some(node) = self.nodes.get(node) else { continue };
                match reading_of(&node.signal, &data) {
                    Ok(reading) => readings.push(reading),
                    Err(fault) => self.until_taken(|| self.quarantine(node, &fault, &data)).await,
                }
            }
            if !readings.is_empty() {
                self.until_taken(|| self.append(readings.clone())).await;
            }
        }
    }

    /// Tries again for as long as the log is at fault: what was received is given up only when the source stops.
    async fn until_taken<F: Future<Output = Result<(), IngestError>>>(&self, mut attempt: impl FnMut() -> F) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            match attempt().await {
                Ok(()) => return,
                Err(error) if error.is_input() || matches!(error, IngestError::Closed) || self.stop.is_cancelled() => {
                    tracing::error!(source = %self.source, %error, "values could not be kept");
                    self.status.error(format!("values could not be kept: {error}"));
                    return;
                }
                Err(error) => {
                    tracing::warn!(source = %self.source, %error, "values wait for the log");
                    self.status.error(format!("values wait for the log: {error}"));
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(backoff.next()) => {}
                    }
                }
            }
        }
    }

    async fn append(&self, readings: Vec<Reading>) -> Result<(), IngestError> {
        let count = readings.len() as u64;
        let receipt = self.ingest.readings(&self.source, readings).await?;
        SourceStatus::count(&self.status.acknowledged, count);
        SourceStatus::count(&self.status.readings, receipt.accepted);
        SourceStatus::count(&self.status.duplicates, receipt.duplicates);
        SourceStatus::count(&self.status.conflicts, receipt.conflicts);
        Ok(())
    }

    async fn quarantine(&self, node: &Node, fault: &Fault, data: &DataValue) -> Result<(), IngestError> {
        let payload = format!("{data:?}");
        let input = Quarantined {
            source: &self.source,
            address: &node.address,
            field: Some(fault.field),
            reason: &fault.reason,
            payload: payload.as_bytes(),
            occurrence: None,
        };
        self.ingest.quarantine(input).await?;
        SourceStatus::count(&self.status.quarantined, 1);
        Ok(())
    }
}
