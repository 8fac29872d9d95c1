//! A bucket that fails, answers too little or something else, or does not answer for long: what the log makes of it.

use std::fmt;
use std::path::Path as FolderPath;
use std::sync::Arc;

use async_trait::async_trait;
use eventlog::bucket::Bucket;
use eventlog::embedded::{EmbeddedLog, Options, Tiering};
use eventlog::{Direction, EventLog, Filter, Position, ReadError};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

use crate::mixed::{everything, log, options};
use crate::support::{event, files};
use crate::tiering::{answers, readable};

/// How the bucket misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Everything is refused.
    Fails,
    /// Every second byte of an answer is missing from its end.
    Short,
    /// Some bits of each answer are others, wherever one looks.
    Wrong,
    /// The same, in the next answer only.
    WrongOnce,
    /// No answer comes.
    Silent,
}

#[derive(Debug)]
struct Unreliable {
    inner: InMemory,
    fault: watch::Sender<Fault>,
    /// How many answers were asked for.
    asked: watch::Sender<u64>,
}

impl Unreliable {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: InMemory::new(), fault: watch::Sender::new(Fault::None), asked: watch::Sender::new(0) })
    }

    fn becomes(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// The fault of this request, once an answer is to be given.
    async fn fault(&self) -> Result<Fault> {
        self.asked.send_modify(|asked| *asked += 1);
        let fault = *self.fault.subscribe().wait_for(|fault| *fault != Fault::Silent).await.unwrap();
        if fault == Fault::Fails {
            return Err(object_store::Error::Generic { store: "unreliable", source: "no answer today".into() });
        }
        if fault == Fault::WrongOnce {
            self.becomes(Fault::None);
        }
        Ok(fault)
    }
}

impl fmt::Display for Unreliable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unreliable")
    }
}

#[async_trait]
impl ObjectStore for Unreliable {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fault().await?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // What lies in answers only lets writing alone, so that the comparison has to find it.
        if *self.fault.borrow() == Fault::Fails {
            self.fault().await?;
        }
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.fault().await?;
        let found = self.inner.get_opts(location, options).await?;
        let (meta, range, attributes, extensions) =
            (found.meta.clone(), found.range.clone(), found.attributes.clone(), found.extensions.clone());
        let mut bytes = found.bytes().await?.to_vec();
        let middle = bytes.len() / 2;
        match fault {
            Fault::Short => bytes.truncate(middle),
            Fault::Wrong | Fault::WrongOnce => bytes.iter_mut().step_by(16).for_each(|byte| *byte ^= 1),
            _ => {}
        }
        let payload = GetResultPayload::Stream(futures::stream::once(async { Ok(bytes.into()) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn tiered(store: &Arc<Unreliable>) -> Options {
    let store: Arc<dyn ObjectStore> = Arc::<Unreliable>::clone(store);
    let bucket = Bucket { store, prefix: Path::default(), address: "memory:///unreliable".to_owned() };
    Options { tiering: Some(Tiering { bucket, keep_local_segments: 0 }), ..options() }
}

fn places(directory: &FolderPath) -> (usize, usize) {
    (files(directory, "sealed").len(), files(directory, "remote").len())
}

#[tokio::test]
async fn what_did_not_arrive_as_it_was_sent_stays_in_the_folder() {
    for fault in [Fault::Fails, Fault::Short, Fault::Wrong] {
        let directory = tempfile::tempdir().unwrap();
        let store = Unreliable::new();
        store.becomes(fault);
        let log = log(directory.path(), tiered(&store), &readable()).await;
        let _ = log.rotate().await.unwrap();
        let expected = answers(&log).await;
        let sealed = log.seal_all().await.unwrap();
        assert!(sealed > 3, "{sealed}");
        let error = log.tier_all().await.unwrap_err();
        assert_eq!(places(directory.path()), (sealed, 0), "{fault:?}: {error}");
        assert_eq!(answers(&log).await, expected, "{fault:?}");
        store.becomes(Fault::None);
        // The thread moves segments by itself as well: what counts is where they are afterwards.
        let _ = log.tier_all().await.unwrap();
        assert_eq!(places(directory.path()), (0, sealed), "{fault:?}");
        assert_eq!(answers(&log).await, expected, "{fault:?}");
    }
}

/// A log whose closed segments are all in the bucket, opened anew, with what it answered before.
async fn moved(directory: &FolderPath, store: &Arc<Unreliable>) -> (EmbeddedLog, Vec<String>) {
    let log = log(directory, tiered(store), &readable()).await;
    let _ = log.rotate().await.unwrap();
    let expected = answers(&log).await;
    let sealed = log.seal_all().await.unwrap();
    let _ = log.tier_all().await.unwrap();
    assert_eq!(places(directory), (0, sealed));
    drop(log);
    (EmbeddedLog::open(directory, tiered(store)).unwrap(), expected)
}

#[tokio::test]
async fn a_read_says_what_the_bucket_did_and_succeeds_when_that_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = Unreliable::new();
    let (log, expected) = moved(directory.path(), &store).await;
    let first = || log.read(Position::START, Direction::Forward, Filter::all(), 1);
    for fault in [Fault::Fails, Fault::Short] {
        store.becomes(fault);
        let error = first().await.unwrap_err();
        assert!(matches!(error, ReadError::Unreachable { .. }) && error.retryable(), "{fault:?}: {error:?}");
    }
    store.becomes(Fault::Wrong);
    let error = first().await.unwrap_err();
    let named =
        matches!(&error, ReadError::Corrupt { position: Position::START, file, .. } if file == "0000000000.remote");
    assert!(named, "{error:?}");
    // A bit that flipped on the way is no damage: the same is asked for once more.
    store.becomes(Fault::WrongOnce);
    assert_eq!(first().await.unwrap().len(), 1);
    assert_eq!(*store.fault.borrow(), Fault::None, "the wrong answer was given");
    assert_eq!(answers(&log).await, expected);
}

#[tokio::test]
async fn a_silent_bucket_holds_up_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = Unreliable::new();
    let (log, _) = moved(directory.path(), &store).await;
    let log = Arc::new(log);
    let (tail, before) = (log.tail(), *store.asked.borrow());
    store.becomes(Fault::Silent);
    let reader = Arc::clone(&log);
    let mut reading = tokio::spawn(async move { everything(reader.as_ref()).await });
    let _ = store.asked.subscribe().wait_for(|asked| *asked > before).await.unwrap();
    // The read waits for the bucket; whatever does not need it goes on.
    let mut new = event(0);
    new.id = eventlog::EventId::generate();
    let appended = log.append(eventlog::AppendCondition::none(), vec![new.clone()]).await.unwrap();
    assert_eq!(appended.first, tail);
    let page = log.read(tail, Direction::Forward, Filter::all(), 1).await.unwrap();
    assert_eq!(page[0].id, new.id);
    assert!((&mut reading).now_or_never().is_none(), "the read has its answer, though the bucket gave none");
    store.becomes(Fault::None);
    let records = reading.await.unwrap();
    assert!(records.len() as u64 >= tail.get());
}
