use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use expect_test::expect;
use jiff::Timestamp;
use proptest::prelude::*;
use tokio::sync::watch;
use uuid::Uuid;

use super::cipher::{CipherError, Context, DataKey};
use super::{DataKeys, EncryptedLog, KeyError, KeyState, MasterKey, Policy};
use crate::memory::MemoryLog;
use crate::{
    AppendCondition, AppendError, Appended, BoxFuture, BoxStream, ContentType, Digest, Direction, EventId, EventLog,
    EventType, Filter, LogId, NewEvent, Page, PayloadState, Position, ReadError, Record, Revision, StreamId, Tag,
    Window, conformance,
};

const SECRET: &str = r#"{"name":"Zhang Wei"}"#;

fn subject(text: &str) -> Tag {
    Tag::of("person", text).unwrap()
}

/// Events in the streams of people are about the person; the others are about nobody.
fn policy() -> Policy {
    Policy::from_fn(|event| {
        (event.stream.category() == "person").then(|| Tag::of("person", event.stream.key()).ok()).flatten()
    })
}

fn event(stream: &str, number: u64, payload: &str) -> NewEvent {
    let id = EventId::derived(stream, &number.to_string());
    let payload = Bytes::from(payload.to_owned());
    let event_type = EventType::new("thing.happened").unwrap();
    NewEvent::json(id, StreamId::new(stream).unwrap(), event_type, 1, "test", payload)
}

fn keys(dir: &Path) -> Arc<DataKeys> {
    Arc::new(DataKeys::open(dir, None).unwrap())
}

struct World {
    _dir: tempfile::TempDir,
    memory: Arc<dyn EventLog>,
    log: EncryptedLog,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let memory: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let log = EncryptedLog::new(Arc::clone(&memory), keys(dir.path()), policy());
    World { _dir: dir, memory, log }
}

async fn append(log: &dyn EventLog, events: Vec<NewEvent>) -> Result<(u64, bool), AppendError> {
    log.append(AppendCondition::none(), events).await.map(|appended| (appended.first.get(), appended.repeated))
}

async fn read(log: &dyn EventLog, position: u64) -> Result<Record, ReadError> {
    let page = log.read(Position::new(position), Direction::Forward, Filter::all(), 1).await?;
    Ok(page.into_iter().next().unwrap())
}

fn context<'a>(event: EventId, stream: &'a StreamId, event_type: &'a EventType) -> Context<'a> {
    Context { key: Uuid::from_u128(7), event, stream, event_type }
}

/// A log that encrypts, seen as its callers gave it: with the digest of the plaintext, and with the key's id that they gave. Everything else is as it is.
struct AsGiven(EncryptedLog, Given);

/// What encryption adds must fit, too.
const LARGEST: usize = crate::MAX_PAYLOAD_BYTES - 41;

#[derive(Clone, Default)]
struct Given(Arc<parking_lot::Mutex<std::collections::HashMap<EventId, Option<Uuid>>>>);

impl Given {
    fn record(&self, mut record: Record) -> Record {
        let is_nobodys = record.stream.category().starts_with('$') || record.content_type == ContentType::Frame;
        if is_nobodys || record.payload.len() > LARGEST {
            assert_eq!(record.data_key_id, None);
            return record;
        }
        assert_eq!(record.data_key_id.take(), Some(DataKeys::id_of(&whole(&record.stream))));
        record.data_key_id = self.0.lock()[&record.id];
        record.payload_digest.digest = Digest::of(&record.payload);
        record
    }

    fn page<C>(&self, page: Page<C>) -> Page<C> {
        Page { records: page.records.into_iter().map(|record| self.record(record)).collect(), next: page.next }
    }
}

fn whole(stream: &StreamId) -> Tag {
    Tag::of("stream", stream.as_str()).unwrap()
}

impl EventLog for AsGiven {
    fn log_id(&self) -> LogId {
        self.0.log_id()
    }

    fn tail(&self) -> Position {
        self.0.tail()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.0.watch_tail()
    }

    fn append(
        &self,
        condition: AppendCondition,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let taken = |mut event: NewEvent| {
            // A key that is claimed for what the log says itself is refused, here as below.
            if !event.stream.category().starts_with('$') {
                self.1.0.lock().insert(event.id, event.data_key_id.take());
            }
            event
        };
        self.0.append(condition, events.into_iter().map(taken).collect())
    }

    fn read(
        &self,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { Ok(self.1.page(self.0.read(from, direction, filter, limit).await?)) })
    }

    fn read_within(
        &self,
        window: Window,
        from: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { Ok(self.1.page(self.0.read_within(window, from, direction, filter, limit).await?)) })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Revision>, ReadError>> {
        Box::pin(async move { Ok(self.1.page(self.0.read_stream(stream, from, direction, limit).await?)) })
    }

    fn position_of(&self, id: EventId) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.0.position_of(id)
    }

    fn last_position_at(&self, record_time: Timestamp) -> BoxFuture<'_, Result<Option<Position>, ReadError>> {
        self.0.last_position_at(record_time)
    }

    fn subscribe(&self, from: Position, filter: Filter) -> BoxStream<'static, Result<Record, ReadError>> {
        use futures::StreamExt as _;
        let given = self.1.clone();
        Box::pin(self.0.subscribe(from, filter).map(move |record| record.map(|record| given.record(record))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_that_encrypts_everything_keeps_the_contract() {
    let report = conformance::run(|clock| async move {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys(dir.path());
        let everything = Policy::from_fn(move |event| {
            // The folder is needed as long as the log: the suite drops both together.
            let _held = &dir;
            (event.payload.len() <= LARGEST).then(|| whole(&event.stream))
        });
        let log = EncryptedLog::new(Arc::new(MemoryLog::with_clock(clock)), keys, everything);
        Arc::new(AsGiven(log, Given::default())) as Arc<dyn EventLog>
    })
    .await
    .unwrap();
    assert!(report.compared > 1_000, "{report:?}");
}

#[tokio::test]
async fn the_log_below_holds_no_plaintext_and_the_reader_gets_it_back() {
    let World { memory, log, .. } = &world();
    append(log, vec![event("person-P-17", 0, SECRET), event("asset-L07", 0, SECRET)]).await.unwrap();
    let stored = read(&**memory, 0).await.unwrap();
    assert_eq!(stored.data_key_id, Some(DataKeys::id_of(&subject("P-17"))));
    assert!(!stored.payload.windows(5).any(|bytes| bytes == b"Zhang"));
    assert_eq!(stored.payload_digest.digest, Digest::of(&stored.payload));
    let shown = read(log, 0).await.unwrap();
    assert_eq!((&*shown.payload, shown.payload_state), (SECRET.as_bytes(), PayloadState::Present));
    assert_eq!(shown.leaf(), stored.leaf());
    assert_eq!(read(log, 1).await.unwrap(), read(&**memory, 1).await.unwrap());
}

#[tokio::test]
async fn an_append_is_repeated_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let memory: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let call = || vec![event("person-P-17", 0, SECRET), event("person-P-18", 0, SECRET)];
    let open = || EncryptedLog::new(Arc::clone(&memory), keys(dir.path()), policy());
    assert_eq!(append(&open(), call()).await.unwrap(), (0, false));
    assert_eq!(append(&open(), call()).await.unwrap(), (0, true));
    let other = event("person-P-17", 0, r#"{"name":"Li Na"}"#);
    assert!(matches!(append(&open(), vec![other]).await, Err(AppendError::IdConflict { .. })));
    assert!(matches!(
        append(&open(), vec![event("person-P-17", 0, SECRET)]).await.map(|(_, repeated)| repeated),
        Ok(true)
    ));
}

#[tokio::test]
async fn what_was_logged_before_its_type_was_encrypted_is_known() {
    let World { memory, log, .. } = &world();
    append(&**memory, vec![event("person-P-17", 0, SECRET)]).await.unwrap();
    assert_eq!(append(log, vec![event("person-P-17", 0, SECRET)]).await.unwrap(), (0, true));
    let other = append(log, vec![event("person-P-17", 0, "{}")]).await;
    assert!(matches!(other, Err(AppendError::IdConflict { .. })), "{other:?}");
    assert_eq!(&*read(log, 0).await.unwrap().payload, SECRET.as_bytes());
}

#[tokio::test]
async fn an_erased_subject_is_gone_and_its_records_still_prove() {
    let World { memory, log, .. } = &world();
    append(log, vec![event("person-P-17", 0, SECRET), event("person-P-18", 0, SECRET)]).await.unwrap();
    let before = read(log, 0).await.unwrap();
    assert!(log.keys().shred(&subject("P-17")).unwrap());
    assert!(!log.keys().shred(&subject("P-17")).unwrap());

    let after = read(log, 0).await.unwrap();
    assert_eq!((after.payload.len(), after.payload_state), (0, PayloadState::Erased));
    assert_eq!(after.leaf_digest(), before.leaf_digest());
    assert_eq!(read(&**memory, 0).await.unwrap().leaf_digest(), before.leaf_digest());
    assert_eq!(&*read(log, 1).await.unwrap().payload, SECRET.as_bytes());

    let refused = append(log, vec![event("asset-L07", 0, "{}"), event("person-P-17", 1, SECRET)]).await.unwrap_err();
    expect!["person:P-17 was erased: nothing new about it is taken"].assert_eq(&refused.to_string());
    assert_eq!(log.tail(), Position::new(2));
}

#[tokio::test]
async fn the_key_of_an_event_is_for_the_log_to_say() {
    let World { log, .. } = &world();
    let mut claimed = event("asset-L07", 0, "{}");
    claimed.data_key_id = Some(Uuid::from_u128(3));
    assert!(matches!(append(log, vec![claimed]).await, Err(AppendError::Invalid { .. })));
}

#[tokio::test]
async fn a_redelivery_of_an_erased_event_is_known_and_nothing_is_written() {
    let World { log, .. } = &world();
    let call = || vec![event("person-P-17", 0, SECRET), event("asset-L07", 0, "{}")];
    append(log, call()).await.unwrap();
    log.keys().shred(&subject("P-17")).unwrap();
    assert_eq!(append(log, call()).await.unwrap(), (0, true));
    // What is sent again is not looked at, because nothing is there to compare it with; the header is.
    assert_eq!(append(log, vec![event("person-P-17", 0, "{}")]).await.unwrap(), (0, true));
    let mut other = event("person-P-17", 0, SECRET);
    other.schema_version = 2;
    assert!(matches!(append(log, vec![other]).await, Err(AppendError::IdConflict { .. })));
    let part = vec![event("person-P-17", 0, SECRET), event("asset-L07", 1, "{}")];
    assert!(matches!(append(log, part).await, Err(AppendError::IdConflict { .. })));
    let turned = vec![event("asset-L07", 0, "{}"), event("person-P-17", 0, SECRET)];
    assert!(matches!(append(log, turned).await, Err(AppendError::IdConflict { .. })));
    assert_eq!(log.tail(), Position::new(2));
}

#[tokio::test]
async fn a_subscription_hands_out_plaintext_and_erasures() {
    use futures::StreamExt as _;
    let World { log, .. } = &world();
    append(log, vec![event("person-P-17", 0, SECRET), event("person-P-18", 0, SECRET)]).await.unwrap();
    log.keys().shred(&subject("P-18")).unwrap();
    let records: Vec<Record> =
        log.subscribe(Position::START, Filter::all()).take(2).map(Result::unwrap).collect().await;
    let seen: Vec<_> = records.iter().map(|record| (record.payload.len(), record.payload_state)).collect();
    assert_eq!(seen, [(SECRET.len(), PayloadState::Present), (0, PayloadState::Erased)]);
}

#[tokio::test]
async fn a_missing_key_is_damage_and_no_erasure() {
    let World { memory, log, .. } = &world();
    append(log, vec![event("person-P-17", 0, SECRET)]).await.unwrap();
    let empty = tempfile::tempdir().unwrap();
    let other = EncryptedLog::new(Arc::clone(memory), keys(empty.path()), policy());
    let error = read(&other, 0).await.unwrap_err();
    assert!(matches!(error, ReadError::KeyMissing { position, .. } if position == Position::START), "{error}");
    // A new key under the same id does not open what the lost one closed.
    append(&other, vec![event("person-P-17", 1, SECRET)]).await.unwrap();
    let error = read(&other, 0).await.unwrap_err();
    assert!(matches!(error, ReadError::Corrupt { position, .. } if position == Position::START), "{error}");
    assert_eq!(&*read(&other, 1).await.unwrap().payload, SECRET.as_bytes());
}

#[test]
fn a_restored_key_of_an_erased_subject_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let id = DataKeys::id_of(&subject("P-17"));
    keys(dir.path()).obtain(&subject("P-17")).unwrap();
    let path = |dir: &Path| dir.join(&id.to_string()[..2]).join(format!("{id}.key"));
    std::fs::create_dir_all(path(copy.path()).parent().unwrap()).unwrap();
    std::fs::copy(path(dir.path()), path(copy.path())).unwrap();

    keys(dir.path()).shred(&subject("P-17")).unwrap();
    assert!(!path(dir.path()).exists());
    std::fs::copy(path(copy.path()), path(dir.path())).unwrap();
    assert!(matches!(keys(dir.path()).find(id).unwrap(), KeyState::Erased));
    assert!(matches!(keys(dir.path()).obtain(&subject("P-17")), Err(KeyError::Erased(_))));

    // A whole folder from before the erasure: the log says again that the subject was erased, and the key is destroyed again.
    let restored = keys(copy.path());
    assert!(matches!(restored.find(id).unwrap(), KeyState::Here(_)));
    assert!(restored.shred(&subject("P-17")).unwrap());
    assert!(matches!(restored.find(id).unwrap(), KeyState::Erased));
    assert!(!path(copy.path()).exists());
}

#[test]
fn a_master_key_wraps_and_another_one_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let master = |digit: &str| Some(MasterKey::parse(&format!("{}\n", digit.repeat(64))).unwrap());
    let key = DataKeys::open(dir.path(), master("a")).unwrap().obtain(&subject("P-17")).unwrap();
    let id = DataKeys::id_of(&subject("P-17"));
    let again = DataKeys::open(dir.path(), master("a")).unwrap().find(id).unwrap();
    assert!(matches!(again, KeyState::Here(again) if again.bytes() == key.bytes()));
    for (other, reason) in [(None, "none is given"), (master("b"), "another one")] {
        let error = DataKeys::open(dir.path(), other).unwrap().find(id).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let bytes = std::fs::read(dir.path().join(&id.to_string()[..2]).join(format!("{id}.key"))).unwrap();
    assert!(!bytes.windows(32).any(|window| window == key.bytes()));
    for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
        assert!(matches!(MasterKey::parse(wrong), Err(KeyError::Master)), "{wrong}");
    }
}

#[test]
fn a_damaged_key_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let id = DataKeys::id_of(&subject("P-17"));
    keys(dir.path()).obtain(&subject("P-17")).unwrap();
    let path = dir.path().join(&id.to_string()[..2]).join(format!("{id}.key"));
    let whole = std::fs::read(&path).unwrap();
    for index in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[index] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(keys(dir.path()).find(id), Err(KeyError::Damaged { .. })), "byte {index}");
        std::fs::write(&path, &whole[..index]).unwrap();
        assert!(matches!(keys(dir.path()).find(id), Err(KeyError::Damaged { .. })), "{index} bytes");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(matches!(keys(dir.path()).find(id).unwrap(), KeyState::Here(_)));
}

/// The bytes of format 1 stay readable for ever: they were made once, by this code.
#[test]
fn the_format_is_fixed() {
    let key = DataKey::new([7; 32]);
    let (stream, event_type) = (StreamId::new("person-P-17").unwrap(), EventType::new("person.registered").unwrap());
    let context = context(EventId::new(Uuid::from_u128(1)), &stream, &event_type);
    let stored = key.encrypt(&context, SECRET.as_bytes()).unwrap();
    let text: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
    expect!["01bd017d1fc221b84ac107ff33b44647c0f244b3d1526f0e7edcfba3deeb3a406cf3be38fa406a8cbe233cc7a0fbc3b42809d79ec973dcec7f9fbd129c"].assert_eq(&text);
    assert_eq!(key.decrypt(&context, &stored).unwrap(), SECRET.as_bytes());
    expect!["0f8c9753-1b09-83f2-99a5-b2d1e7ec1c02"].assert_eq(&DataKeys::id_of(&subject("P-17")).to_string());
}

proptest! {
    #[test]
    fn what_was_encrypted_is_decrypted_by_its_key_for_its_event_only(
        key in any::<[u8; 32]>(), other in any::<[u8; 32]>(), plaintext in prop::collection::vec(any::<u8>(), 0..300),
        id in any::<u128>(), flip in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let (stream, event_type) = (StreamId::new("person-P-17").unwrap(), EventType::new("a.b").unwrap());
        let (elsewhere, otherwise) = (StreamId::new("person-P-1").unwrap(), EventType::new("7a.b").unwrap());
        let id = EventId::new(Uuid::from_u128(id));
        let there = context(id, &stream, &event_type);
        let stored = DataKey::new(key).encrypt(&there, &plaintext).unwrap();
        prop_assert_eq!(stored.len(), plaintext.len() + 41);
        prop_assert_eq!(&DataKey::new(key).encrypt(&there, &plaintext).unwrap(), &stored);
        prop_assert_eq!(DataKey::new(key).decrypt(&there, &stored).unwrap(), plaintext);
        if other != key {
            prop_assert_eq!(DataKey::new(other).decrypt(&there, &stored), Err(CipherError::Tag));
        }
        let next = EventId::new(Uuid::from_u128(id.as_uuid().as_u128() ^ 1));
        for moved in [context(next, &stream, &event_type), context(id, &elsewhere, &event_type), context(id, &stream, &otherwise)] {
            prop_assert_eq!(DataKey::new(key).decrypt(&moved, &stored), Err(CipherError::Tag));
        }
        let mut damaged = stored;
        let at = flip.index(damaged.len());
        damaged[at] ^= 1 << bit;
        prop_assert!(DataKey::new(key).decrypt(&there, &damaged).is_err());
    }

    #[test]
    fn no_bytes_make_decrypting_panic(stored in prop::collection::vec(any::<u8>(), 0..100)) {
        let (stream, event_type) = (StreamId::new("a-b").unwrap(), EventType::new("a").unwrap());
        prop_assert!(DataKey::new([1; 32]).decrypt(&context(EventId::new(Uuid::nil()), &stream, &event_type), &stored).is_err());
    }
}

#[test]
fn no_two_events_share_a_nonce() {
    let key = DataKey::new([9; 32]);
    let streams: Vec<StreamId> = (0..10).map(|n| StreamId::new(&format!("person-{n}")).unwrap()).collect();
    let event_type = EventType::new("a.b").unwrap();
    let mut nonces = HashSet::new();
    let mut count = 0;
    for stream in &streams {
        for id in 0..50 {
            for plaintext in ["", "a", "b", SECRET] {
                let stored = key
                    .encrypt(&context(EventId::new(Uuid::from_u128(id)), stream, &event_type), plaintext.as_bytes())
                    .unwrap();
                nonces.insert(stored[1..25].to_vec());
                count += 1;
            }
        }
    }
    assert_eq!((nonces.len(), count), (2_000, 2_000));
}
