//! The layer that encrypts on the way in and decrypts on the way out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use super::cipher::{Context, DataKey};
use super::keys::{DataKeys, KeyError, KeyState};
use super::known;
use crate::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, ContentType, Digest, DigestAlgorithm, Direction,
    EventId, EventLog, Filter, LogId, NewEvent, Page, PayloadDigest, PayloadState, Position, ReadError, ReadingsPage,
    ReadingsQuery, Record, Revision, StreamId, Tag, TimeSpan, Window, admission,
};

/// Says which event's payload is about a data subject: its name is the tag that the subject's records carry (`person:P-17`).
///
/// It must look at the event's header only, and answer the same for the same event for ever.
#[derive(Clone)]
pub struct Policy(Arc<SubjectOf>);

type SubjectOf = dyn Fn(&NewEvent) -> Option<Tag> + Send + Sync;

impl Policy {
    /// The policy that this function is.
    pub fn from_fn(subject: impl Fn(&NewEvent) -> Option<Tag> + Send + Sync + 'static) -> Self {
        Self(Arc::new(subject))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Policy")
    }
}

/// A log whose personal data is encrypted: the contract of [`EventLog`] over another log, with this beside it.
///
/// **Append.** The payload of an event that the policy names is replaced by its encryption under the subject's key; the record's payload digest is that of the encrypted bytes,
/// and its data-key id names the key. The key is on disk before the event is. The same event gives the same bytes, so that idempotency holds. Encryption adds 41 bytes, which count against the limit of a payload. Frames, and
/// what the log says itself (streams of categories that begin with `$`), are never encrypted.
///
/// **An erased subject.** A new event about it is [`AppendError::Erased`], and nothing of the call is written. The repetition of an event that was logged before the erasure is
/// answered with its position: it stays in the log without its payload, and what is sent again is not looked at.
///
/// **Reads** hand out the plaintext. A record whose key was destroyed says so in its payload state and has no payload; its digests and its leaf are as they
/// ever were. A key that is missing without an erasure, and bytes that the key does not open, are errors that name the position.
pub struct EncryptedLog {
    inner: Arc<dyn EventLog>,
    reader: Reader,
    policy: Policy,
}

/// What decrypts; cheap to clone, so that a subscription holds it and nothing that keeps the log open.
#[derive(Clone)]
struct Reader(Arc<DataKeys>);

impl EncryptedLog {
    /// The layer over `inner`.
    pub fn new(inner: Arc<dyn EventLog>, keys: Arc<DataKeys>, policy: Policy) -> Self {
        Self { inner, reader: Reader(keys), policy }
    }

    /// The log below, whose records hold the encrypted bytes: for auditors, who check digests and need no key.
    pub fn stored(&self) -> &Arc<dyn EventLog> {
        &self.inner
    }

    /// The keys.
    pub fn keys(&self) -> &Arc<DataKeys> {
        &self.reader.0
    }

    async fn append_all(&self, condition: AppendCondition, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        if let Some(event) = events.iter().find(|event| event.data_key_id.is_some()) {
            let reason = "which key its payload is encrypted with is for the log to say".to_owned();
            return Err(AppendError::Invalid { id: event.id, reason });
        }
        let subjects: Vec<Option<Tag>> = events.iter().map(|event| self.subject(event)).collect();
        if subjects.iter().all(Option::is_none) {
            return self.inner.append(condition, events).await;
        }
        let keys = self.obtain(&subjects).await?;
        let erased = |subject: &Option<Tag>| {
            subject.as_ref().filter(|subject| matches!(keys.get(*subject), Some(None))).cloned()
        };
        let refused = events.iter().zip(&subjects).find_map(|(event, subject)| Some((event.id, erased(subject)?)));
        if let Some((id, subject)) = refused {
            return known::repeated(self, &events).await?.ok_or(AppendError::Erased { id, subject });
        }
        let encrypted = events
            .iter()
            .zip(&subjects)
            .map(|(event, subject)| match subject.as_ref().and_then(|subject| keys.get(subject)) {
                Some(Some((id, key))) => encrypt(event, *id, key),
                _ => Ok(event.clone()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        match self.inner.append(condition, encrypted).await {
            // An event that was logged before its type was encrypted is the same event, although its bytes differ.
            Err(conflict @ AppendError::IdConflict { position: Some(_), .. }) => {
                known::repeated(self, &events).await?.ok_or(conflict)
            }
            other => other,
        }
    }

    fn subject(&self, event: &NewEvent) -> Option<Tag> {
        // Frames are columns that the engine reads, and what begins with a dollar sign is the log's own: neither is anybody's.
        let is_nobodys = event.content_type == ContentType::Frame || event.stream.category().starts_with('$');
        if is_nobodys { None } else { (self.policy.0)(event) }
    }

    /// The key of each subject; `None` for one that was erased.
    async fn obtain(
        &self,
        subjects: &[Option<Tag>],
    ) -> Result<BTreeMap<Tag, Option<(Uuid, Arc<DataKey>)>>, AppendError> {
        let mut found = BTreeMap::new();
        let mut unknown = Vec::new();
        for subject in subjects.iter().flatten() {
            let id = DataKeys::id_of(subject);
            match self.reader.0.remembered(id) {
                Some(KeyState::Here(key)) => drop(found.insert(subject.clone(), Some((id, key)))),
                Some(KeyState::Erased) => drop(found.insert(subject.clone(), None)),
                Some(KeyState::Missing) | None => unknown.push(subject.clone()),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let keys = Arc::clone(&self.reader.0);
        let obtained = tokio::task::spawn_blocking(move || {
            let mut obtained = Vec::with_capacity(unknown.len());
            for subject in unknown {
                match keys.obtain(&subject) {
                    Ok(key) => obtained.push((subject.clone(), Some((DataKeys::id_of(&subject), key)))),
                    Err(KeyError::Erased(_)) => obtained.push((subject, None)),
                    Err(error) => return Err(error),
                }
            }
            Ok(obtained)
        });
        // A task that was cancelled means that the runtime ends.
        found.extend(obtained.await.map_err(|_| AppendError::Closed)?.map_err(AppendError::Key)?);
        Ok(found)
    }

    /// The record as readers of this layer see it.
    pub(super) async fn open(&self, record: Record) -> Result<Record, ReadError> {
        self.reader.open(record).await
    }

    pub(super) async fn stored_record(&self, id: EventId) -> Result<Option<Record>, ReadError> {
        let Some(position) = self.inner.position_of(id).await? else { return Ok(None) };
        let page = self.inner.read(position, Direction::Forward, Filter::all(), 1).await?;
        Ok(page.into_iter().next())
    }
}

fn encrypt(event: &NewEvent, id: Uuid, key: &DataKey) -> Result<NewEvent, AppendError> {
    // What is given must be right before it is hidden: nobody could check it afterwards.
    admission::check_event(event)?;
    let context = Context { key: id, event: event.id, stream: &event.stream, event_type: &event.event_type };
    let invalid = |error: super::cipher::CipherError| AppendError::Invalid { id: event.id, reason: error.to_string() };
    let payload = Bytes::from(key.encrypt(&context, &event.payload).map_err(invalid)?);
    let digest = PayloadDigest { algorithm: DigestAlgorithm::Sha256, digest: Digest::of(&payload) };
    Ok(NewEvent { data_key_id: Some(id), payload_digest: digest, payload, ..event.clone() })
}

impl Reader {
    async fn open_all<C>(&self, mut page: Page<C>) -> Result<Page<C>, ReadError> {
        for record in &mut page.records {
            if is_encrypted(record) {
                self.decrypt(record).await?;
            }
        }
        Ok(page)
    }

    async fn open(&self, mut record: Record) -> Result<Record, ReadError> {
        if is_encrypted(&record) {
            self.decrypt(&mut record).await?;
        }
        Ok(record)
    }

    async fn decrypt(&self, record: &mut Record) -> Result<(), ReadError> {
        let (position, Some(id)) = (record.position, record.data_key_id) else { return Ok(()) };
        match self.key(position, id).await? {
            KeyState::Here(key) => {
                let (stream, event_type) = (&record.stream, &record.event_type);
                let context = Context { key: id, event: record.id, stream, event_type };
                let plaintext = key.decrypt(&context, &record.payload).map_err(|error| ReadError::Corrupt {
                    position,
                    file: format!("the payload under data key {id}"),
                    reason: error.to_string(),
                })?;
                record.payload = plaintext.into();
                Ok(())
            }
            KeyState::Erased => {
                record.payload = Bytes::new();
                record.payload_state = PayloadState::Erased;
                Ok(())
            }
            KeyState::Missing => Err(ReadError::KeyMissing { position, key: id }),
        }
    }

    async fn key(&self, position: Position, id: Uuid) -> Result<KeyState, ReadError> {
        if let Some(known) = self.0.remembered(id) {
            return Ok(known);
        }
        let keys = Arc::clone(&self.0);
        let found = tokio::task::spawn_blocking(move || keys.find(id)).await.map_err(|_| ReadError::Closed)?;
        found.map_err(|source| ReadError::Key { position, source })
    }
}

fn is_encrypted(record: &Record) -> bool {
    record.data_key_id.is_some() && record.payload_state == PayloadState::Present
}

impl EventLog for EncryptedLog {
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
        Box::pin(self.append_all(condition, events))
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { self.reader.open_all(self.inner.read(from, direction, filter, limit).await?).await })
    }

    fn read_within(
        &self,
        window: Window,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move {
            self.reader.open_all(self.inner.read_within(window, from, direction, filter, limit).await?).await
        })
    }

    fn seek_happened(
        &self,
        from: Position,
        direction: Direction,
        span: TimeSpan,
    ) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.seek_happened(from, direction, span)
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        Box::pin(
            async move { self.reader.open_all(self.inner.read_stream(stream, from, direction, limit).await?).await },
        )
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.position_of(id)
    }

    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<ReadingsPage, ReadError>> {
        // Frames are never encrypted: the engine below may look for them in its own way.
        self.inner.readings(query)
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.inner.last_position_at(record_time)
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        let reader = self.reader.clone();
        let records = self.inner.subscribe(from, filter).then(move |record| {
            let reader = reader.clone();
            async move { reader.open(record?).await }
        });
        Box::pin(records)
    }
}

impl fmt::Debug for EncryptedLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (log, tail) = (self.log_id(), self.tail());
        formatter.debug_struct("EncryptedLog").field("log", &log).field("tail", &tail).finish_non_exhaustive()
    }
}
