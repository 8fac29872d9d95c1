//! Sealed segments that live in a bucket: what is kept of them in the log's folder, and how they are read.
//!
//! A marker file `N.remote` takes the place of `N.sealed`. It names the object, and holds the ends of the file (header, directory, trailer), so that a log opens without
//! touching a bucket. Everything else is read by ranges when it is asked for; every part has its checksum there as here. A bucket that cannot be reached is
//! no damage: the read fails and may be tried again.
//!
//! **Letting go.** An object is uploaded under a name that holds its digest, read back and compared, then named by the marker, durably; the local file goes last.
//! Where a crash left both, the local file counts. A marker that names another object than the local file is out of date (payloads were dropped), and that object is
//! deleted before the marker is.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::StreamExt as _;
use lru::LruCache;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use parking_lot::Mutex;
use sha2::Digest as _;
use tokio::runtime::{Builder, Handle, Runtime};

use super::disk::{Access, DiskFile, Folder};
use super::error::OpenError;
use super::fields::Fields;
use super::segment::{self, HEADER_BYTES};
use crate::bucket::Bucket;
use crate::checksum;
use crate::{Digest, Position};

const SUFFIX: &str = "remote";

const MAGIC: [u8; 8] = *b"MWREMOT1";

/// The largest marker that is read.
const MAX_MARKER_BYTES: u64 = 1 << 28;

/// What one request to a bucket brings.
const PIECE_BYTES: u64 = 256 * 1024;

/// The pieces of one file that are kept in memory.
const KEPT_PIECES: usize = 64;

/// The bytes that are sent at once.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Where sealed segments go.
#[derive(Clone, Debug)]
pub struct Tiering {
    /// The bucket. It is named by its address in the log's folder, so that it must be one that [`Bucket::open`] opens again.
    pub bucket: Bucket,
    /// How many of the newest closed segments stay in the log's folder.
    pub keep_local_segments: usize,
}

/// Why a bucket did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("{action} {object} in the bucket {address} failed")]
pub(super) struct TierError {
    action: &'static str,
    object: String,
    address: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

pub(super) fn name(number: u64) -> String {
    format!("{number:010}.{SUFFIX}")
}

/// The numbers of the segments in buckets, ascending.
pub(super) fn list(folder: &Folder) -> Result<Vec<u64>, OpenError> {
    segment::list_as(folder, SUFFIX)
}

/// What the folder keeps of a segment that lives in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) address: String,
    pub(super) object: String,
    pub(super) sha256: Digest,
    pub(super) file_bytes: u64,
    /// Where the end of the file begins that is kept here.
    tail_at: u64,
    head: Bytes,
    tail: Bytes,
}

impl Marker {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.file_bytes.to_le_bytes());
        bytes.extend(self.tail_at.to_le_bytes());
        bytes.extend(self.sha256.as_bytes());
        for text in [&self.address, &self.object] {
            bytes.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(&self.head);
        bytes.extend(&self.tail);
        bytes.extend(checksum::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let mut fields = Fields::new(content);
        if Fields::new(checksum).u32()? != checksum::crc32c(content) || fields.array()? != MAGIC {
            return None;
        }
        let (file_bytes, tail_at) = (fields.u64()?, fields.u64()?);
        let sha256 = Digest::new(fields.array()?);
        let (address, object) = (fields.text()?.to_owned(), fields.text()?.to_owned());
        let head = Bytes::copy_from_slice(fields.take(usize::try_from(HEADER_BYTES).ok()?)?);
        let tail = Bytes::copy_from_slice(fields.take(usize::try_from(file_bytes.checked_sub(tail_at)?).ok()?)?);
        fields.is_empty().then_some(Self { address, object, sha256, file_bytes, tail_at, head, tail })
    }

    /// Reads the marker of a segment. `None` when there is none.
    pub(super) fn read(folder: &Folder, number: u64) -> Result<Option<Self>, OpenError> {
        let name = name(number);
        let failed = || OpenError::io("reading", &name);
        let file = match folder.open(&name, Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed()(error)),
        };
        let length = usize::try_from(file.len().map_err(failed())?.min(MAX_MARKER_BYTES)).unwrap_or(0);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0).map_err(failed())?;
        let marker = Self::parse(&bytes);
        marker.map(Some).ok_or_else(|| OpenError::corrupt(Position::START, &name, "the marker does not fit together"))
    }

    /// Writes the marker durably under its name.
    fn write(&self, folder: &Folder, number: u64) -> io::Result<()> {
        let (name, unpublished) = (name(number), format!("{}.unpublished", name(number)));
        let file = folder.open(&unpublished, Access::Empty)?;
        file.write_all_at(&self.to_bytes(), 0)?;
        file.sync_all()?;
        folder.rename(&unpublished, &name)?;
        folder.sync()
    }
}

/// Runs what buckets do, for threads that are not tasks. It is made when it is first needed, and lives as long as the process.
fn handle() -> io::Result<&'static Handle> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).thread_name("log-tier").enable_all().build().ok()
    });
    runtime
        .as_ref()
        .map(Runtime::handle)
        .ok_or_else(|| io::Error::other("the threads for buckets could not be started"))
}

/// Waits for a bucket, on a thread of its own where the caller's may not wait.
fn wait<T: Send>(work: impl Future<Output = T> + Send) -> io::Result<T> {
    let handle = handle()?;
    if Handle::try_current().is_err() {
        return Ok(handle.block_on(work));
    }
    let waited = std::thread::scope(|scope| scope.spawn(|| handle.block_on(work)).join());
    waited.map_err(|_| io::Error::other("what was asked of a bucket ended by a panic"))
}

fn failed(
    action: &'static str,
    object: &str,
    address: &str,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> io::Error + use<> {
    let (object, address) = (object.to_owned(), address.to_owned());
    move |source| io::Error::new(io::ErrorKind::NotConnected, TierError { action, object, address, source })
}

/// Whether a file could not be read because its bucket did not answer.
pub(super) fn is_unreachable(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<TierError>())
}

/// The buckets that were opened, so that the segments in one of them share its connections.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

impl Buckets {
    /// The bucket of the options counts as opened.
    pub(super) fn of(tiering: Option<&Tiering>) -> Arc<Self> {
        let known = tiering.map(|tiering| (tiering.bucket.address.clone(), tiering.bucket.clone()));
        Arc::new(Self(Mutex::new(known.into_iter().collect())))
    }

    /// The bucket that a marker names.
    fn open(&self, marker: &Marker) -> io::Result<Bucket> {
        let Marker { address, object, .. } = marker;
        if let Some(bucket) = self.0.lock().get(address) {
            return Ok(bucket.clone());
        }
        let bucket = Bucket::open(address).map_err(|error| failed("opening", object, address)(error.into()))?;
        self.0.lock().insert(address.clone(), bucket.clone());
        Ok(bucket)
    }
}

/// A sealed segment in a bucket.
pub(super) struct RemoteFile {
    marker: Marker,
    buckets: Arc<Buckets>,
    pieces: Mutex<LruCache<u64, Bytes>>,
}

impl std::fmt::Debug for RemoteFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RemoteFile")
            .field("address", &self.marker.address)
            .field("object", &self.marker.object)
            .finish()
    }
}

impl RemoteFile {
    pub(super) fn new(marker: Marker, buckets: &Arc<Buckets>) -> Self {
        Self { marker, buckets: Arc::clone(buckets), pieces: Mutex::new(LruCache::unbounded()) }
    }

    fn piece(&self, index: u64) -> io::Result<Bytes> {
        if let Some(piece) = self.pieces.lock().get(&index) {
            return Ok(piece.clone());
        }
        let Marker { address, object, file_bytes, .. } = &self.marker;
        let bucket = self.buckets.open(&self.marker)?;
        let range = index * PIECE_BYTES..((index + 1) * PIECE_BYTES).min(*file_bytes);
        let path = Path::from(object.as_str());
        let piece = wait(async { bucket.store.get_range(&path, range.clone()).await })?;
        let piece = piece.map_err(|error| failed("reading", object, address)(error.into()))?;
        if piece.len() as u64 != range.end - range.start {
            let reason = format!("it answered {} bytes of {}", piece.len(), range.end - range.start);
            return Err(failed("reading", object, address)(reason.into()));
        }
        let mut pieces = self.pieces.lock();
        pieces.put(index, piece.clone());
        if pieces.len() > KEPT_PIECES {
            pieces.pop_lru();
        }
        Ok(piece)
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a segment in a bucket is never written to")
}

/// Copies from `bytes`, which stand at `start` of the file.
fn copied(bytes: &[u8], start: u64, buffer: &mut [u8], offset: u64) -> usize {
    let from = usize::try_from(offset - start).unwrap_or(usize::MAX);
    let found = bytes.get(from..).unwrap_or_default();
    let count = found.len().min(buffer.len());
    if let (Some(to), Some(found)) = (buffer.get_mut(..count), found.get(..count)) {
        to.copy_from_slice(found);
    }
    count
}

impl DiskFile for RemoteFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.marker.file_bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.marker.tail_at {
            return Ok(copied(&self.marker.tail, self.marker.tail_at, buffer, offset));
        }
        if offset < HEADER_BYTES {
            return Ok(copied(&self.marker.head, 0, buffer, offset));
        }
        let index = offset / PIECE_BYTES;
        Ok(copied(&self.piece(index)?, index * PIECE_BYTES, buffer, offset))
    }

    fn forget(&self) {
        self.pieces.lock().clear();
    }

    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn set_len(&self, _bytes: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn allocate(&self, _bytes: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_all(&self) -> io::Result<()> {
        Err(read_only())
    }
}

/// Puts a sealed file into the bucket, compares what is there, and names it in a marker. The local file is still there afterwards.
pub(super) fn upload(
    folder: &Folder,
    bucket: &Bucket,
    number: u64,
    (file, tail_at): (&Arc<dyn DiskFile>, u64),
    log: crate::LogId,
) -> io::Result<Marker> {
    let file_bytes = file.len()?;
    let sha256 = digest_of(file.as_ref(), file_bytes)?;
    let short: String = sha256.to_string().chars().take(16).collect();
    let path = bucket.object(&format!("{log}/{number:010}-{short}.sealed"));
    let (object, address) = (path.to_string(), bucket.address.clone());
    let found = wait(async {
        let target = bucket.store.put_multipart(&path).await?;
        let mut target = WriteMultipart::new_with_chunk_size(target, PART_BYTES);
        let mut at = 0;
        while at < file_bytes {
            let part = piece_of(file.as_ref(), at, file_bytes)
                .map_err(|error| object_store::Error::Generic { store: "local file", source: error.into() })?;
            at += part.len() as u64;
            target.wait_for_capacity(2).await?;
            target.put(part.into());
        }
        target.finish().await?;
        // What counts is what comes back.
        let mut hasher = sha2::Sha256::new();
        let mut length = 0;
        let mut stream = bucket.store.get(&path).await?.into_stream();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            length += bytes.len() as u64;
            hasher.update(&bytes);
        }
        Ok::<_, object_store::Error>((length, Digest::new(hasher.finalize().into())))
    })?;
    let found = found.map_err(|error| failed("writing", &object, &address)(error.into()))?;
    if found != (file_bytes, sha256) {
        let reason = "what came back is not what was sent";
        return Err(failed("writing", &object, &address)(reason.into()));
    }
    let part = |at: u64, bytes: u64| {
        let mut part = vec![0; usize::try_from(bytes).unwrap_or(0)];
        file.read_exact_at(&mut part, at).map(|()| Bytes::from(part))
    };
    let (head, tail) = (part(0, HEADER_BYTES)?, part(tail_at, file_bytes - tail_at)?);
    let marker = Marker { address, object, sha256, file_bytes, tail_at, head, tail };
    marker.write(folder, number)?;
    Ok(marker)
}

fn piece_of(file: &dyn DiskFile, at: u64, file_bytes: u64) -> io::Result<Vec<u8>> {
    let mut part = vec![0; usize::try_from(file_bytes - at).unwrap_or(PART_BYTES).min(PART_BYTES)];
    file.read_exact_at(&mut part, at)?;
    Ok(part)
}

fn digest_of(file: &dyn DiskFile, file_bytes: u64) -> io::Result<Digest> {
    let mut hasher = sha2::Sha256::new();
    let mut at = 0;
    while at < file_bytes {
        let part = piece_of(file, at, file_bytes)?;
        at += part.len() as u64;
        hasher.update(&part);
    }
    Ok(Digest::new(hasher.finalize().into()))
}

/// Deletes the object that a marker names, when it is not that of the local file, and then the marker.
pub(super) fn forget_stale(folder: &Folder, number: u64, local: &dyn DiskFile, buckets: &Buckets) -> io::Result<()> {
    let marker = match Marker::read(folder, number) {
        Ok(Some(marker)) => marker,
        Ok(None) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    if digest_of(local, local.len()?)? == marker.sha256 {
        return Ok(());
    }
    let Marker { address, object, .. } = &marker;
    let bucket = buckets.open(&marker)?;
    let path = Path::from(object.as_str());
    match wait(async { bucket.store.delete(&path).await })? {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => return Err(failed("deleting", object, address)(error.into())),
    }
    folder.remove(&name(number))?;
    folder.sync()
}
