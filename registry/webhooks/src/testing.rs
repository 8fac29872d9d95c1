//! What several tests need: a log in memory with its webhooks, and a receiver that answers as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use domain::events::{WebhookAction, WebhookEntity, WebhookTrigger};
use eventlog::memory::MemoryLog;
use eventlog::{AppendCondition, EventLog, Position};
use jiff::Timestamp;
use parking_lot::Mutex;
use projections::folds::webhooks::Webhooks as Fold;
use projections::{MemoryProjection, Meta, Runner, seal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Folders, NewWebhook, Options, Webhooks};

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options() -> Options {
    let (first_pause, longest_pause) = (Duration::from_millis(2), Duration::from_millis(20));
    Options { first_pause, longest_pause, patience: Duration::from_secs(20), ..Options::default() }
}

/// A log, and the folders that survive a restart.
pub(crate) struct Mill {
    pub log: Arc<dyn EventLog>,
    pub folder: tempfile::TempDir,
}

impl Mill {
    pub fn new() -> Self {
        Self { log: Arc::new(MemoryLog::new()), folder: tempfile::tempdir().unwrap() }
    }

    pub fn folders(&self) -> Folders {
        let path = self.folder.path();
        Folders { states: path.join("webhooks"), secrets: path.join("keys") }
    }

    /// The webhooks, as after a start of the server; they end when the token is cancelled.
    pub fn start(&self, options: Options) -> (Webhooks, CancellationToken) {
        let stop = CancellationToken::new();
        let (projection, read) = MemoryProjection::<Fold>::open(None).unwrap();
        let progress = Runner::start_rebuildable(Arc::clone(&self.log), projection, stop.clone());
        let webhooks = Webhooks::open(Arc::clone(&self.log), (read, progress), &self.folders(), options).unwrap();
        webhooks.start(stop.clone());
        (webhooks, stop)
    }

    /// Appends the events of one command, at one time.
    pub async fn append(&self, events: impl IntoIterator<Item = Event>) -> Position {
        let time = Timestamp::now();
        let sealed = events.into_iter().map(|event| seal(&event, Meta::own("tester", Some(time))).unwrap()).collect();
        self.log.append(AppendCondition::none(), sealed).await.unwrap().first
    }
}

/// An event as JSON says it.
pub(crate) fn event(event_type: &str, payload: serde_json::Value) -> Event {
    Event::from_value(event_type, 1, payload).unwrap()
}

pub(crate) fn alias_set(model: &str, alias: &str, version: u32) -> Event {
    event("model.alias_set", serde_json::json!({ "model": model, "alias": alias, "version": version }))
}

pub(crate) fn on(entity: WebhookEntity, action: WebhookAction) -> WebhookTrigger {
    WebhookTrigger { entity, action }
}

/// A webhook that wants to hear of aliases.
pub(crate) fn of_aliases(url: &str) -> NewWebhook {
    NewWebhook {
        name: "line-control".to_owned(),
        url: url.to_owned(),
        events: vec![on(WebhookEntity::ModelVersionAlias, WebhookAction::Created)],
        ..NewWebhook::default()
    }
}

/// A request as a receiver got it; the names of headers are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn data(&self) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["data"].clone()
    }
}

/// A receiver.
pub(crate) struct Sink {
    pub url: String,
    seen: watch::Receiver<Vec<Request>>,
}

impl Sink {
    /// A receiver that answers the n-th request with this status, and with headers if there are any.
    pub async fn answering(status: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, seen) = watch::channel(Vec::new());
        let (sender, status) = (Arc::new(Mutex::new(sender)), Arc::new(status));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, status) = (Arc::clone(&sender), Arc::clone(&status));
                tokio::spawn(async move { serve(stream, &sender, &*status).await });
            }
        });
        Self { url, seen }
    }

    pub async fn new() -> Self {
        Self::answering(|_| (200, "")).await
    }

    /// Waits until there were so many requests.
    pub async fn requests(&self, count: usize) -> Vec<Request> {
        let mut seen = self.seen.clone();
        let enough = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| seen.len() >= count)).await;
        enough.expect("the receiver was not asked that often").unwrap().clone()
    }

    pub fn so_far(&self) -> Vec<Request> {
        self.seen.borrow().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<watch::Sender<Vec<Request>>>,
    status: &(dyn Fn(usize) -> (u16, &'static str) + Send + Sync),
) {
    let mut bytes = Vec::new();
    loop {
        let Some(request) = request(&mut stream, &mut bytes).await else { return };
        let (status, headers) = {
            let seen = seen.lock();
            let number = seen.borrow().len();
            seen.send_modify(|seen| seen.push(request));
            status(number)
        };
        let answer = format!("HTTP/1.1 {status} x\r\n{headers}content-length: 2\r\n\r\nok");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Request> {
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head + length {
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head..head + length].to_vec()).unwrap();
    bytes.drain(..head + length);
    Some(Request { path, headers, body })
}
