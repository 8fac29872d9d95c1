//! The single event that everybody stores: 250 bytes of JSON, in a stream, with its revision.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// Bytes of a payload.
pub const PAYLOAD_BYTES: usize = 250;

/// How many streams a writer writes to in turn.
const STREAMS: u64 = 16;

/// The type of every event.
pub const TYPE: &str = "workorder.created";

/// An event before it takes the form that a store wants.
pub struct Event {
    /// The stream's key; its category is `workorder`.
    pub key: u64,
    /// Its index in the stream, from 0.
    pub revision: u64,
    /// The name of the machine that it concerns, for stores with tags.
    pub asset: String,
    /// The payload.
    pub payload: Bytes,
}

/// The events of one writer. No two writers of a run share a stream.
pub struct Events {
    writer: u64,
    next: u64,
}

/// Numbers writers through the whole run.
static WRITERS: AtomicU64 = AtomicU64::new(0);

impl Events {
    /// The events of a new writer.
    pub fn new() -> Self {
        Self { writer: WRITERS.fetch_add(1, Ordering::Relaxed), next: 0 }
    }

    /// The next events.
    pub fn take(&mut self, count: u64) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> Event {
        let (number, writer) = (self.next, self.writer);
        self.next += 1;
        let key = writer * STREAMS + number % STREAMS;
        let asset = format!("LOOM-{:02}", number % 24);
        let mut payload = format!(
            "{{\"asset\":\"{asset}\",\"writer\":{writer},\"number\":{number},\"mode\":\"weft stop\",\"text\":\""
        );
        let words = "the weft yarn broke at the main nozzle, ";
        let room = PAYLOAD_BYTES.saturating_sub(payload.len() + 2);
        payload.extend(words.chars().cycle().take(room));
        payload.push_str("\"}");
        Event { key, revision: number / STREAMS, asset, payload: payload.into() }
    }
}
