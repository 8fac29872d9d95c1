//! Files that do not fit into memory: stored while they arrive, and checked while they leave.
//!
//! **Durability.** As with [`ArtifactStore::put`], [`ArtifactStore::put_stream`] answers after the bytes are durable under their digest. What arrives is written under a name of its own
//! first, and is renamed when its digest is known; what a broken upload leaves behind lies in the folder `incoming`, and nobody names it.
//!
//! **Proof.** What [`ArtifactStore::stream`] hands out is hashed on its way. Its last bytes are kept back until the digest has been compared, so that a damaged file never arrives whole.

use bytes::{Bytes, BytesMut};
use domain::events::Artifact;
use eventlog::Digest;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::artifacts::{ArtifactError, ArtifactStore, location};

/// The largest file that is stored as a stream, in bytes.
pub const MAX_STREAMED_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// What is written at once. Stores in a bucket take no smaller parts than 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The folder of what is under way.
pub(crate) const INCOMING: &str = "incoming";

/// What a stream turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Its digest, which is its name in the store.
    pub sha256: Digest,
    /// Its size in bytes.
    pub bytes: u64,
}

/// An upload under way: parts that are written, and what has come in since.
struct Incoming<'a> {
    store: &'a ArtifactStore,
    name: &'a str,
    path: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    waiting: BytesMut,
    hasher: Sha256,
    bytes: u64,
}

impl Incoming<'_> {
    fn failed(&self, source: object_store::Error) -> ArtifactError {
        ArtifactError::Store { name: self.name.to_owned(), source }
    }

    async fn take(&mut self, chunk: &Bytes) -> Result<(), ArtifactError> {
        self.hasher.update(chunk);
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > MAX_STREAMED_BYTES {
            return Err(ArtifactError::TooLarge { name: self.name.to_owned(), bytes: self.bytes });
        }
        self.waiting.extend_from_slice(chunk);
        while self.waiting.len() >= PART_BYTES {
            let part = self.waiting.split_to(PART_BYTES).freeze();
            self.write(part).await?;
        }
        Ok(())
    }

    async fn write(&mut self, part: Bytes) -> Result<(), ArtifactError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let begun = self.store.objects().put_multipart(&self.path).await.map_err(|error| self.failed(error))?;
                self.upload.insert(begun)
            }
        };
        let written = upload.put_part(PutPayload::from_bytes(part)).await;
        written.map_err(|error| self.failed(error))
    }

    async fn finish(mut self) -> Result<Streamed, ArtifactError> {
        let sha256 = Digest::new(std::mem::take(&mut self.hasher).finalize().into());
        let streamed = Streamed { sha256, bytes: self.bytes };
        let store = self.store;
        let rest = std::mem::take(&mut self.waiting).freeze();
        let Some(mut upload) = self.upload.take() else {
            let _naming = store.naming().await;
            // A small file is written at once, as others are.
            let put = self.store.objects().put(&location(sha256), PutPayload::from_bytes(rest)).await;
            return put.map(|_| streamed).map_err(|error| self.failed(error));
        };
        if !rest.is_empty() {
            upload.put_part(PutPayload::from_bytes(rest)).await.map_err(|error| self.failed(error))?;
        }
        upload.complete().await.map_err(|error| self.failed(error))?;
        let _naming = store.naming().await;
        // Ordering: the content is durable before it has the name under which it is looked for.
        let renamed = self.store.objects().rename(&self.path, &location(sha256)).await;
        renamed.map(|()| streamed).map_err(|error| self.failed(error))
    }
}

impl ArtifactStore {
    /// Stores what arrives durably under its digest, a part at a time. Equal bytes are stored once.
    ///
    /// # Errors
    /// [`ArtifactError`] names the artifact; [`ArtifactError::Arrival`] when the stream itself breaks. Nothing is stored then.
    pub async fn put_stream<E>(
        &self,
        name: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Streamed, ArtifactError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let path = Path::from_iter([INCOMING, &Uuid::now_v7().simple().to_string()]);
        let mut incoming = Incoming {
            store: self,
            name,
            path,
            upload: None,
            waiting: BytesMut::new(),
            hasher: Sha256::new(),
            bytes: 0,
        };
        let mut content = std::pin::pin!(content);
        let taken = loop {
            match content.next().await {
                Some(Ok(chunk)) => {
                    if let Err(error) = incoming.take(&chunk).await {
                        break Err(error);
                    }
                }
                Some(Err(error)) => {
                    break Err(ArtifactError::Arrival { name: name.to_owned(), source: Box::new(error) });
                }
                None => break Ok(()),
            }
        };
        match taken {
            Ok(()) => incoming.finish().await,
            Err(error) => {
                if let Some(mut upload) = incoming.upload.take()
                    && let Err(error) = upload.abort().await
                {
                    tracing::warn!(%error, path = %incoming.path, "what arrived of a broken upload was not removed");
                }
                Err(error)
            }
        }
    }

    /// The content of an artifact, a part at a time, checked on its way.
    ///
    /// # Errors
    /// [`ArtifactError`] when it is missing or has another size; as the last item of the stream, when it is damaged.
    pub async fn stream(
        &self,
        artifact: &Artifact,
    ) -> Result<BoxStream<'static, Result<Bytes, ArtifactError>>, ArtifactError> {
        let (expected, found) = self.find(artifact, None).await?;
        let (name, of_stream) = (artifact.name.clone(), artifact.name.clone());
        let content = found.into_stream().map_err(move |source| ArtifactError::Store { name: name.clone(), source });
        Ok(checked(content.boxed(), of_stream, expected))
    }

    /// A part of an artifact, a chunk at a time. A part cannot be checked by itself: whoever puts parts together compares the digest of the whole.
    ///
    /// # Errors
    /// [`ArtifactError`] when it is missing or has another size, or the part is empty or not in it.
    pub async fn stream_part(
        &self,
        artifact: &Artifact,
        part: std::ops::Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ArtifactError>>, ArtifactError> {
        let name = artifact.name.clone();
        if part.is_empty() || part.end > artifact.bytes {
            return Err(ArtifactError::NoSuchPart { name, bytes: artifact.bytes, start: part.start, end: part.end });
        }
        let (_, found) = self.find(artifact, Some(part)).await?;
        Ok(found.into_stream().map_err(move |source| ArtifactError::Store { name: name.clone(), source }).boxed())
    }
}

/// The chunks of a stream, each one chunk later than it comes, so that the last one waits for the digest.
fn checked(
    content: BoxStream<'static, Result<Bytes, ArtifactError>>,
    name: String,
    expected: Digest,
) -> BoxStream<'static, Result<Bytes, ArtifactError>> {
    struct State {
        content: BoxStream<'static, Result<Bytes, ArtifactError>>,
        hasher: Sha256,
        kept: Option<Bytes>,
    }
    let state = State { content, hasher: Sha256::new(), kept: None };
    let next = move |mut state: State| {
        let name = name.clone();
        async move {
            loop {
                match state.content.try_next().await? {
                    Some(chunk) => {
                        state.hasher.update(&chunk);
                        if let Some(before) = state.kept.replace(chunk) {
                            return Ok(Some((before, state)));
                        }
                    }
                    None => {
                        let Some(last) = state.kept.take() else { return Ok(None) };
                        let actual = Digest::new(std::mem::take(&mut state.hasher).finalize().into());
                        if actual != expected {
                            return Err(ArtifactError::DigestMismatch { name, expected, actual });
                        }
                        return Ok(Some((last, state)));
                    }
                }
            }
        }
    };
    stream::try_unfold(state, next).boxed()
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
