//! What the tests of this crate share: a log that can be held back, a real broker, and waiting for a condition.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use eventlog::frames::Reading;
use eventlog::memory::MemoryLog;
use eventlog::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, Direction, EventId, EventLog, Filter, LogId,
    MAX_PAGE, NewEvent, Page, Position, ReadError, Record, Revision, StreamId,
};
use jiff::Timestamp;
use projections::{Content, Entry};
use tokio::sync::watch;

/// Polls until the condition holds; a condition that does not come within the deadline fails the test by name.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited half a minute in vain for: {what}");
}

/// Every entry of the log.
pub(crate) async fn entries(log: &dyn EventLog) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut from = Position::START;
    while from < log.tail() {
        let page = log.read(from, Direction::Forward, Filter::all(), MAX_PAGE).await.unwrap();
        from = page.last().unwrap().position.next();
        entries.extend(page.into_iter().map(Entry::decode));
    }
    entries
}

/// Every reading of the log.
pub(crate) async fn readings(log: &dyn EventLog) -> Vec<Reading> {
    let entries = entries(log).await;
    entries.iter().filter_map(Entry::readings).flat_map(|frame| frame.readings().map(|(_, reading)| reading)).collect()
}

/// Every business event of the log.
pub(crate) async fn events(log: &dyn EventLog) -> Vec<domain::Event> {
    let entries = entries(log).await;
    entries
        .into_iter()
        .filter_map(|entry| match entry.content {
            Content::Event(event) => Some(*event),
            Content::Readings(_) | Content::Gone { .. } => None,
            Content::Unknown { event_type, reason } => panic!("{event_type} was not understood: {reason}"),
        })
        .collect()
}

/// A log in memory whose appends wait while the gate is shut.
pub(crate) struct GatedLog {
    inner: MemoryLog,
    gate: watch::Sender<bool>,
}

impl GatedLog {
    pub(crate) fn shut() -> Arc<Self> {
        Arc::new(Self { inner: MemoryLog::new(), gate: watch::Sender::new(false) })
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }
}

impl EventLog for GatedLog {
    fn log_id(&self) -> LogId {
        self.inner.log_id()
    }

    fn tail(&self) -> Position {
        self.inner.tail()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.inner.watch_tail()
    }

    fn append(
        &self,
        condition: AppendCondition,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let mut gate = self.gate.subscribe();
        Box::pin(async move {
            gate.wait_for(|open| *open).await.map_err(|_| AppendError::Closed)?;
            self.inner.append(condition, events).await
        })
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        self.inner.read(from, direction, filter, limit)
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        self.inner.read_stream(stream, from, direction, limit)
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.position_of(id)
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.last_position_at(record_time)
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        self.inner.subscribe(from, filter)
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A mosquitto of the machine, on a loopback port, with its state in a scratch directory.
pub(crate) struct Mosquitto {
    program: &'static str,
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts a broker; where mosquitto is not installed, says aloud that the test is skipped.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let installed = |program: &&str| {
            Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        let Some(program) = ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find(installed) else {
            let mut errors = std::io::stderr();
            writeln!(errors, "SKIPPED {test}: install mosquitto (apt-get install mosquitto)").unwrap();
            return None;
        };
        let mut broker = Self { program, directory: tempfile::tempdir().unwrap(), port: free_port(), child: None };
        broker.run();
        Some(broker)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts the broker where it was, with the sessions and messages that it kept.
    pub(crate) fn run(&mut self) {
        let config = self.directory.path().join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 100000\nlog_dest none\n",
            self.port,
            self.directory.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new(self.program)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..1_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not listen on port {}", self.port);
    }

    /// Ends the broker in order, so that it writes its state.
    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let ended = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
            assert!(ended.success());
            child.wait().unwrap();
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _waited = child.wait();
        }
    }
}
