//! Writers of the event log, through its public contract.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Options};
use eventlog::frames::{self, Encoded};
use eventlog::{
    AppendCondition, ContentType, Digest, DigestAlgorithm, EventId, EventLog, EventType, NewEvent, PayloadDigest,
    StreamId, Tag,
};
use jiff::Timestamp;

use crate::events::{Event, Events, TYPE};
use crate::measure::Writer;
use crate::signals::Signals;

/// How ours answers.
pub const DURABILITY: &str = "yes: fdatasync (group commit)";

/// Opens a log away from the threads that run tasks.
///
/// # Errors
/// When it does not open.
pub async fn open(folder: &Path) -> anyhow::Result<Arc<EmbeddedLog>> {
    let folder = folder.to_owned();
    let open = move || {
        std::fs::create_dir_all(&folder)?;
        anyhow::Ok(Arc::new(EmbeddedLog::open(&folder, Options::default())?))
    };
    tokio::task::spawn_blocking(open).await?
}

/// Closes a log in order; its folder can be read then.
///
/// # Errors
/// When the thread that closes it is gone.
pub async fn close(log: Arc<EmbeddedLog>) -> anyhow::Result<()> {
    Ok(tokio::task::spawn_blocking(move || log.close()).await?)
}

/// Appends single events.
pub struct EventWriter {
    log: Arc<EmbeddedLog>,
    events: Events,
    per_call: u64,
    event_type: EventType,
}

impl EventWriter {
    /// So many writers of so many events a call.
    ///
    /// # Errors
    /// Never, as the type's name is a good one.
    pub fn many(log: &Arc<EmbeddedLog>, writers: u64, per_call: u64) -> anyhow::Result<Vec<Self>> {
        let event_type = EventType::new(TYPE)?;
        let one = || Self { log: Arc::clone(log), events: Events::new(), per_call, event_type: event_type.clone() };
        Ok((0..writers).map(|_| one()).collect())
    }

    fn event(&self, event: Event) -> anyhow::Result<NewEvent> {
        let stream = StreamId::of("workorder", &event.key.to_string())?;
        let tag = Tag::of("asset", &event.asset)?;
        let mut event = NewEvent::json(EventId::generate(), stream, self.event_type.clone(), 1, "bench", event.payload);
        event.tags = vec![tag];
        Ok(event)
    }
}

impl Writer for EventWriter {
    async fn write(&mut self) -> anyhow::Result<()> {
        let taken = self.events.take(self.per_call);
        let events = taken.into_iter().map(|event| self.event(event)).collect::<anyhow::Result<_>>()?;
        let _ = self.log.append(AppendCondition::none(), events).await?;
        Ok(())
    }
}

/// A frame that has been encoded.
#[derive(Clone)]
pub struct Frame {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its digest.
    pub digest: Digest,
}

impl From<Encoded> for Frame {
    fn from(encoded: Encoded) -> Self {
        Self { bytes: encoded.bytes, digest: encoded.digest }
    }
}

fn frame_event(stream: &StreamId, event_type: &EventType, frame: Frame) -> NewEvent {
    let digest = PayloadDigest { algorithm: DigestAlgorithm::FrameSha256, digest: frame.digest };
    // The digest that `json` would make of the bytes is not wanted: it is given none, and the payload is put in after it.
    let (id, event_type) = (EventId::generate(), event_type.clone());
    let mut event = NewEvent::json(id, stream.clone(), event_type, 1, "bench", Bytes::new());
    event.content_type = ContentType::Frame;
    event.payload_digest = digest;
    event.payload = frame.bytes;
    event
}

/// What a frame's event is called.
struct Names {
    stream: StreamId,
    event_type: EventType,
}

impl Names {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { stream: StreamId::of("readings", "bench")?, event_type: EventType::new("readings.recorded")? })
    }
}

/// Appends frames that were encoded before, in turn.
pub struct EncodedWriter {
    log: Arc<EmbeddedLog>,
    frames: Vec<Frame>,
    next: usize,
    names: Names,
}

impl EncodedWriter {
    /// So many writers.
    ///
    /// # Errors
    /// When a frame cannot be encoded.
    pub fn many(log: &Arc<EmbeddedLog>, writers: u64) -> anyhow::Result<Vec<Self>> {
        let one = |writer| {
            let mut signals = Signals::new(writer, Timestamp::now());
            let frames = (0..8)
                .map(|_| anyhow::Ok(frames::encode(signals.next_frame())?.into()))
                .collect::<anyhow::Result<_>>()?;
            Ok(Self { log: Arc::clone(log), frames, next: 0, names: Names::new()? })
        };
        (0..writers).map(one).collect()
    }
}

impl Writer for EncodedWriter {
    async fn write(&mut self) -> anyhow::Result<()> {
        self.next += 1;
        let frame = self.frames.get(self.next % self.frames.len().max(1)).cloned();
        let frame = frame.ok_or_else(|| anyhow::anyhow!("no frame"))?;
        let event = frame_event(&self.names.stream, &self.names.event_type, frame);
        let _ = self.log.append(AppendCondition::none(), vec![event]).await?;
        Ok(())
    }
}

/// Encodes readings into a frame, with its digest, and appends it.
pub struct ReadingsWriter {
    log: Arc<EmbeddedLog>,
    signals: Signals,
    names: Names,
}

impl ReadingsWriter {
    /// So many writers.
    ///
    /// # Errors
    /// Never, as the names are good ones.
    pub fn many(log: &Arc<EmbeddedLog>, writers: u64) -> anyhow::Result<Vec<Self>> {
        let one = |writer| {
            let signals = Signals::new(writer, Timestamp::now());
            Ok(Self { log: Arc::clone(log), signals, names: Names::new()? })
        };
        (0..writers).map(one).collect()
    }
}

impl Writer for ReadingsWriter {
    async fn write(&mut self) -> anyhow::Result<()> {
        let frame = frames::encode(self.signals.next_frame())?.into();
        let event = frame_event(&self.names.stream, &self.names.event_type, frame);
        let _ = self.log.append(AppendCondition::none(), vec![event]).await?;
        Ok(())
    }
}
