//! The files of model versions, stored by the digest of their content.
//!
//! **Durability.** [`ArtifactStore::put`] answers after the bytes are durable: in a folder, the file is written beside its place, synced, renamed into it, and the
//! parent folders are synced (`object_store`'s `with_fsync`); a remote store answers after it has taken the object. The facade appends the event that names an artifact only
//! after `put` answered. A crash in between leaves a file that nobody names, which is harmless: the next `put` of the same bytes finds it.
//!
//! **Proof.** [`ArtifactStore::get`] is the only way to a [`VerifiedArtifact`] besides `put`: whoever holds one holds bytes whose digest was checked.

use std::ops::Range;
use std::path::Path as FolderPath;
use std::sync::Arc;

use bytes::Bytes;
use domain::events::Artifact;
use eventlog::Digest;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _, PutPayload};

/// The largest artifact, in bytes.
pub const MAX_ARTIFACT_BYTES: u64 = 256 * 1024 * 1024;

/// The most files of one version.
pub const MAX_ARTIFACTS: usize = 32;

/// The longest name of a file, in bytes. A name is a relative path (`sub/x.txt`).
pub const MAX_ARTIFACT_NAME_BYTES: usize = 1_024;

/// Why an artifact was not stored or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The name is not one that a file of a version may have.
    #[error("artifact name {name:?} is not valid: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The digest in the event is not 64 hexadecimal digits.
    #[error("artifact {name:?} has the digest {sha256:?}, which is not 64 hexadecimal digits")]
    DigestText {
        /// The artifact.
        name: String,
        /// The text.
        sha256: String,
    },
    /// It is larger than [`MAX_ARTIFACT_BYTES`].
    #[error("artifact {name:?} has {bytes} bytes, the limit is {MAX_ARTIFACT_BYTES}")]
    TooLarge {
        /// The artifact.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// It is not in the store.
    #[error("artifact {name:?} ({sha256}) is not in the store")]
    Missing {
        /// The artifact.
        name: String,
        /// The digest.
        sha256: Digest,
    },
    /// The bytes in the store are not those that the event names.
    #[error("artifact {name:?} is damaged: its digest is {actual}, the event says {expected}")]
    DigestMismatch {
        /// The artifact.
        name: String,
        /// What the event says.
        expected: Digest,
        /// What the bytes have.
        actual: Digest,
    },
    /// The size differs from what the event names.
    #[error("artifact {name:?} is damaged: it has {actual} bytes, the event says {expected}")]
    SizeMismatch {
        /// The artifact.
        name: String,
        /// What the event says.
        expected: u64,
        /// What is stored.
        actual: u64,
    },
    /// The store failed.
    #[error("the store failed on artifact {name:?}")]
    Store {
        /// The artifact.
        name: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// What was to be stored did not arrive whole.
    #[error("artifact {name:?} did not arrive whole")]
    Arrival {
        /// The artifact.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The part that was asked for is not in it.
    #[error("artifact {name:?} has {bytes} bytes, and none from {start} to {end}")]
    NoSuchPart {
        /// The artifact.
        name: String,
        /// Its size.
        bytes: u64,
        /// The first byte of the part.
        start: u64,
        /// The byte before which it ends.
        end: u64,
    },
    /// The folder of the store cannot be used.
    #[error("the artifact folder {folder:?} cannot be used")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ArtifactError {
    /// Whether the same call may succeed later without a change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::Folder { .. })
    }
}

/// Bytes whose digest was checked when they were loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedArtifact {
    artifact: Artifact,
    bytes: Bytes,
}

impl VerifiedArtifact {
    /// Names the bytes by their digest. Nothing can differ here, because the digest is computed from these very bytes.
    ///
    /// # Errors
    /// [`ArtifactError`] when the name or the size is not allowed.
    pub fn of(name: &str, bytes: Bytes) -> Result<Self, ArtifactError> {
        check_path(name)?;
        let size = bytes.len() as u64;
        check_size(name, size)?;
        let artifact = Artifact { name: name.to_owned(), sha256: Digest::of(&bytes).to_string(), bytes: size };
        Ok(Self { artifact, bytes })
    }

    /// What the event says about it.
    pub const fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Its name in the version.
    pub fn name(&self) -> &str {
        &self.artifact.name
    }

    /// Its content.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Artifacts by digest, in any object store.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    store: Arc<dyn ObjectStore>,
    /// Held by whoever gives content its name, and alone by whoever removes some.
    names: Arc<tokio::sync::RwLock<()>>,
}

impl ArtifactStore {
    /// Artifacts in a store of the caller's choice. The store must answer a put only when the bytes are durable.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, names: Arc::default() }
    }

    /// The store below.
    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// To be held while content is given its name: nothing is removed meanwhile.
    pub(crate) async fn naming(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.names.read().await
    }

    /// To be held while content is looked at and removed: nothing is given a name meanwhile.
    pub(crate) async fn removing(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.names.write().await
    }

    /// Artifacts in a folder, which is made when it is not there; every write is synced.
    ///
    /// # Errors
    /// [`ArtifactError::Folder`].
    pub fn open_folder(folder: &FolderPath) -> Result<Self, ArtifactError> {
        let failed = |source| ArtifactError::Folder { folder: folder.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| failed(std::io::Error::other(error)))?
            .with_fsync(true);
        Ok(Self::new(Arc::new(store)))
    }

    /// Artifacts in memory, for tests and replay: they do not survive the process.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(object_store::memory::InMemory::new()))
    }

    /// Stores bytes durably under their digest. Equal bytes are stored once.
    ///
    /// # Errors
    /// [`ArtifactError`] names the artifact.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<VerifiedArtifact, ArtifactError> {
        let verified = VerifiedArtifact::of(name, bytes)?;
        let payload = PutPayload::from_bytes(verified.bytes.clone());
        let _naming = self.naming().await;
        // What may lie there already is written over: the bytes are the same unless it is damaged, and the write replaces it whole.
        self.store
            .put(&location(Digest::of(&verified.bytes)), payload)
            .await
            .map_err(|source| ArtifactError::Store { name: name.to_owned(), source })?;
        Ok(verified)
    }

    /// Loads an artifact and checks its size and digest.
    ///
    /// # Errors
    /// [`ArtifactError`] names the artifact: it is missing, or its bytes are not those that the event names.
    pub async fn get(&self, artifact: &Artifact) -> Result<VerifiedArtifact, ArtifactError> {
        check_size(&artifact.name, artifact.bytes)?;
        let name = || artifact.name.clone();
        let (expected, found) = self.find(artifact, None).await?;
        let bytes = found.bytes().await.map_err(|source| ArtifactError::Store { name: name(), source })?;
        let actual = Digest::of(&bytes);
        if actual != expected {
            return Err(ArtifactError::DigestMismatch { name: name(), expected, actual });
        }
        Ok(VerifiedArtifact { artifact: artifact.clone(), bytes })
    }

    /// The content of an artifact, or a part of it, about to be read. Its size was compared, so that a wrong file of any size costs nothing.
    ///
    /// # Errors
    /// [`ArtifactError`] names the artifact: it is missing or has another size.
    pub(crate) async fn find(
        &self,
        artifact: &Artifact,
        part: Option<Range<u64>>,
    ) -> Result<(Digest, GetResult), ArtifactError> {
        let name = || artifact.name.clone();
        check_path(&artifact.name)?;
        let expected = Digest::parse(&artifact.sha256).map_err(|_| ArtifactError::DigestText {
            name: name(),
            sha256: artifact.sha256.chars().take(80).collect(),
        })?;
        let options = GetOptions { range: part.map(GetRange::Bounded), ..GetOptions::default() };
        let found = match self.store.get_opts(&location(expected), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(ArtifactError::Missing { name: name(), sha256: expected });
            }
            Err(source) => return Err(ArtifactError::Store { name: name(), source }),
        };
        if found.meta.size != artifact.bytes {
            return Err(ArtifactError::SizeMismatch {
                name: name(),
                expected: artifact.bytes,
                actual: found.meta.size,
            });
        }
        Ok((expected, found))
    }
}

/// `sha256/ab/abcdef…`: two digits of folder keep folders small.
pub(crate) fn location(digest: Digest) -> Path {
    let text = digest.to_string();
    let folder: String = text.chars().take(2).collect();
    Path::from_iter(["sha256", folder.as_str(), text.as_str()])
}

fn check_size(name: &str, bytes: u64) -> Result<(), ArtifactError> {
    if bytes > MAX_ARTIFACT_BYTES {
        return Err(ArtifactError::TooLarge { name: name.to_owned(), bytes });
    }
    Ok(())
}

/// Checks that a name is a relative path of a file: parts between slashes, none of them empty, `.` or `..`, without control characters and backslashes.
///
/// # Errors
/// [`ArtifactError::Name`] names what is wrong.
pub fn check_path(name: &str) -> Result<(), ArtifactError> {
    let invalid = |reason| ArtifactError::Name { name: name.chars().take(128).collect(), reason };
    if name.is_empty() {
        return Err(invalid("it is empty"));
    }
    if name.len() > MAX_ARTIFACT_NAME_BYTES {
        return Err(invalid("it is longer than 1,024 bytes"));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid("it holds a control character"));
    }
    if name.contains('\\') {
        return Err(invalid("it holds a backslash"));
    }
    for part in name.split('/') {
        match part {
            "" => return Err(invalid("a part of it is empty: it is a relative path, and ends with a file's name")),
            "." | ".." => return Err(invalid("a part of it is . or ..")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "artifacts_tests.rs"]
mod tests;
