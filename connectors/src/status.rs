//! What a source tells about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

/// Counters and connection state of one source: written by the source, read by whoever shows it.
#[derive(Debug)]
pub struct SourceStatus {
    name: String,
    kind: &'static str,
    address: String,
    connection: Mutex<Connection>,
    /// Messages or notifications that came in.
    pub received: AtomicU64,
    /// Messages that were acknowledged to the peer.
    pub acknowledged: AtomicU64,
    /// Readings that were new.
    pub readings: AtomicU64,
    /// Readings and events that were known already.
    pub duplicates: AtomicU64,
    /// Readings that contradict an earlier one of the same identity.
    pub conflicts: AtomicU64,
    /// Events that were new.
    pub events: AtomicU64,
    /// Inputs that were not understood.
    pub quarantined: AtomicU64,
    /// Connections that were made after the first.
    pub reconnects: AtomicU64,
}

#[derive(Debug, Default)]
struct Connection {
    connected: bool,
    once: bool,
    since: Option<Timestamp>,
    last_error: Option<String>,
}

/// The state of a source at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceSnapshot {
    /// The source's name from the configuration.
    pub name: String,
    /// The protocol (`mqtt`, `opcua`).
    pub kind: &'static str,
    /// Whom it talks to.
    pub address: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when it has been connected, or not connected.
    pub since: Option<Timestamp>,
    /// The last error, also when it has been overcome.
    pub last_error: Option<String>,
    /// Messages or notifications that came in.
    pub received: u64,
    /// Messages that were acknowledged to the peer.
    pub acknowledged: u64,
    /// Readings that were new.
    pub readings: u64,
    /// Readings and events that were known already.
    pub duplicates: u64,
    /// Readings that contradict an earlier one of the same identity.
    pub conflicts: u64,
    /// Events that were new.
    pub events: u64,
    /// Inputs that were not understood.
    pub quarantined: u64,
    /// Connections that were made after the first.
    pub reconnects: u64,
}

impl SourceStatus {
    /// The status of a source that has not connected yet.
    pub fn new(name: &str, kind: &'static str, address: String) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            kind,
            address,
            connection: Mutex::default(),
            received: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            readings: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            events: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
        })
    }

    /// Whether the source is connected now.
    pub fn is_connected(&self) -> bool {
        self.connection.lock().connected
    }

    /// The state at this moment.
    pub fn snapshot(&self) -> SourceSnapshot {
        let connection = self.connection.lock();
        SourceSnapshot {
            name: self.name.clone(),
            kind: self.kind,
            address: self.address.clone(),
            connected: connection.connected,
            since: connection.since,
            last_error: connection.last_error.clone(),
            received: self.received.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            readings: self.readings.load(Ordering::Relaxed),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            conflicts: self.conflicts.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            quarantined: self.quarantined.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
        }
    }

    /// Notes that the source is connected, and answers whether it was not before.
    pub(crate) fn connected(&self) -> bool {
        let mut connection = self.connection.lock();
        if connection.connected {
            return false;
        }
        if connection.once {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        connection.connected = true;
        connection.once = true;
        connection.since = Some(Timestamp::now());
        true
    }

    /// Notes that the source is not connected, and answers whether that is news: it was connected before, or this was its first try.
    pub(crate) fn disconnected(&self, error: Option<String>) -> bool {
        let mut connection = self.connection.lock();
        let news = connection.connected || connection.since.is_none();
        if news {
            connection.since = Some(Timestamp::now());
        }
        connection.connected = false;
        if error.is_some() {
            connection.last_error = error;
        }
        news
    }

    pub(crate) fn error(&self, error: String) {
        self.connection.lock().last_error = Some(error);
    }

    pub(crate) fn count(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_news_and_the_last_error_stays() {
        let status = SourceStatus::new("shed-1", "mqtt", "mqtt://broker:1883".to_owned());
        let error = |text: &str| Some(text.to_owned());
        assert!(status.disconnected(error("refused")), "the first try failed");
        assert!(!status.disconnected(error("no route")), "it was not connected before");
        assert_eq!(status.snapshot().last_error, error("no route"));
        assert!(status.connected());
        assert!(!status.connected());
        assert!(status.disconnected(error("lost")));
        assert!(!status.disconnected(None));
        assert!(status.connected());
        let snapshot = status.snapshot();
        assert_eq!((snapshot.reconnects, snapshot.last_error), (1, error("lost")));
    }
}
