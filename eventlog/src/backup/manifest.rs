//! What a backup says of itself.

use std::path::{Component, Path};

use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::bucket::Bucket;
use crate::{Digest, LogId, Position};

/// The manifest's name.
pub const MANIFEST: &str = "backup.json";

/// The version of the manifest.
pub const FORMAT_VERSION: u32 = 1;

/// Everything that a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`].
    pub format: u32,
    /// The log.
    pub log: LogId,
    /// When the backup was taken.
    pub taken: Timestamp,
    /// The number of records.
    pub tail: Position,
    /// The root of the RFC 6962 tree over their leaves.
    pub root: Digest,
    /// The files, those of the log first.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path within the backup, with `/` between the parts.
    pub name: String,
    /// How many bytes count: a file may have grown since.
    pub bytes: u64,
    /// The SHA-256 of these bytes.
    pub sha256: Digest,
    /// When the file that it was copied from was last changed, in nanoseconds since 1970; `None` when it goes on changing. A file that has the same length and time now is not copied again.
    pub unchanged_since_ns: Option<i64>,
}

impl Manifest {
    /// Reads the manifest of a backup; `None` when there is no backup.
    ///
    /// # Errors
    /// [`BackupError::Manifest`] when it cannot be used, [`BackupError::Bucket`] when it cannot be read.
    pub async fn read(bucket: &Bucket) -> Result<Option<Self>, BackupError> {
        let found = match bucket.store.get(&bucket.object(MANIFEST)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(BackupError::bucket("reading", MANIFEST, bucket)(error)),
        };
        let bytes = found.bytes().await.map_err(BackupError::bucket("reading", MANIFEST, bucket))?;
        let unusable = |reason: String| BackupError::Manifest { bucket: bucket.address.clone(), reason };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if manifest.format != FORMAT_VERSION {
            return Err(unusable(format!(
                "format {} is not known, this program reads {FORMAT_VERSION}",
                manifest.format
            )));
        }
        if let Some(file) = manifest.files.iter().find(|file| !stays_inside(&file.name)) {
            return Err(unusable(format!("{:?} is no name of a file within the backup", file.name)));
        }
        Ok(Some(manifest))
    }

    /// Reads the manifest of a backup that must be there.
    ///
    /// # Errors
    /// [`BackupError::None`], and as [`read`](Self::read).
    pub async fn expect(bucket: &Bucket) -> Result<Self, BackupError> {
        Self::read(bucket).await?.ok_or_else(|| BackupError::None { bucket: bucket.address.clone() })
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Whether a name leads nowhere but into the folder that it is joined to.
fn stays_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
