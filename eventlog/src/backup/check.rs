//! Reading a backup back.

use futures::StreamExt as _;
use object_store::ObjectStoreExt as _;
use sha2::Digest as _;

use super::{BackupError, Manifest, ManifestFile};
use crate::Digest;
use crate::bucket::Bucket;

/// What was read back and found right.
#[derive(Clone, Debug)]
pub struct BackupCheck {
    /// What the backup says of itself.
    pub manifest: Manifest,
}

/// Reads every file of a backup and compares it with the manifest. What is in the files, a restore or `verify` on the backup's folder checks.
///
/// # Errors
/// [`BackupError::Damaged`] names the first file that is not right.
pub async fn check(bucket: &Bucket) -> Result<BackupCheck, BackupError> {
    let manifest = Manifest::expect(bucket).await?;
    for expected in &manifest.files {
        file(bucket, expected).await?;
    }
    Ok(BackupCheck { manifest })
}

/// Reads one file and compares it.
pub(super) async fn file(bucket: &Bucket, expected: &ManifestFile) -> Result<(), BackupError> {
    each_part(bucket, expected, async |_| Ok(())).await
}

/// Hands out the bytes of a file part by part, and answers at the end whether they were right.
pub(super) async fn each_part(
    bucket: &Bucket,
    expected: &ManifestFile,
    mut with: impl AsyncFnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let failed = || BackupError::bucket("reading", &expected.name, bucket);
    let damaged = |what, expected_text: String, found: String| BackupError::Damaged {
        file: expected.name.clone(),
        what,
        expected: expected_text,
        found,
    };
    let found = match bucket.store.get(&bucket.object(&expected.name)).await {
        Err(object_store::Error::NotFound { .. }) => {
            return Err(damaged("the file", "that it is there".to_owned(), "missing".to_owned()));
        }
        found => found.map_err(failed())?,
    };
    let mut parts = found.into_stream();
    let mut hasher = sha2::Sha256::new();
    let mut left = expected.bytes;
    while left > 0
        && let Some(part) = parts.next().await
    {
        let part = part.map_err(failed())?;
        // The file may have grown since: what counts is its beginning.
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        let part = part.get(..count).unwrap_or_default();
        hasher.update(part);
        with(part).await?;
        left -= count as u64;
    }
    if left > 0 {
        return Err(damaged("its length", expected.bytes.to_string(), (expected.bytes - left).to_string()));
    }
    let sha256 = Digest::new(hasher.finalize().into());
    if sha256 != expected.sha256 {
        return Err(damaged("its SHA-256", expected.sha256.to_string(), sha256.to_string()));
    }
    Ok(())
}
