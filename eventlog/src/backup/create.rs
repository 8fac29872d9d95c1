//! Taking a backup.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;

use super::{BackupError, FORMAT_VERSION, LOG_FOLDER, MANIFEST, Manifest, ManifestFile};
use crate::Digest;
use crate::bucket::Bucket;
use crate::embedded::{OpenError, Snapshot, copy_mark, snapshot};

/// The bytes that are read and sent at once.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// How many parts of a file may be on their way at once.
const PARTS_ON_THEIR_WAY: usize = 4;

/// How often the segments are listed anew when one of them goes away meanwhile.
const MAX_LISTINGS: usize = 10;

/// What is backed up.
#[derive(Clone, Debug)]
pub struct Source {
    /// The folder of the log.
    pub log: PathBuf,
    /// Files, and folders with everything in them, each with its name in the backup. One that does not exist is left out. What is in folders must never
    /// change under its name.
    pub others: Vec<(PathBuf, String)>,
}

/// What a backup did.
#[derive(Clone, Debug)]
pub struct BackupReport {
    /// What the backup holds now.
    pub manifest: Manifest,
    /// How many of its files were copied; the others were there.
    pub copied_files: usize,
    /// How many bytes were copied.
    pub copied_bytes: u64,
    /// How many files of the backup before were removed, since others took their place.
    pub removed_files: usize,
}

/// A file on its way into the backup.
struct Item {
    path: PathBuf,
    name: String,
    bytes: u64,
    unchanged_since_ns: Option<i64>,
}

/// Takes a backup, or brings the one that is there up to date. The log may be in use; nothing in it is locked or changed. Each file that was copied is read back and
/// compared before the manifest names it.
///
/// # Errors
/// [`BackupError`]; the backup before is still good then.
pub async fn create(source: &Source, bucket: &Bucket) -> Result<BackupReport, BackupError> {
    let before = Manifest::read(bucket).await?;
    let mut copy = Copy { bucket, known: known(before.as_ref()), files: Vec::new(), copied_files: 0, copied_bytes: 0 };
    // Ordering: single files such as the checkpoint come before the segments, so that what they say is covered by what is copied.
    let others = items(source)?;
    let (single, inside): (Vec<Item>, Vec<Item>) =
        others.into_iter().partition(|item| item.unchanged_since_ns.is_none());
    for item in single {
        copy.take(item).await?;
    }
    let taken = copy_log(&source.log, &mut copy, before.as_ref()).await?;
    for item in inside {
        copy.take(item).await?;
    }
    let (mark, bytes) = copy_mark(&taken);
    copy.put(&format!("{LOG_FOLDER}/{mark}"), bytes).await?;
    let Copy { mut files, copied_files, copied_bytes, .. } = copy;
    files.sort_by_key(|file| (!file.name.starts_with(LOG_FOLDER), file.name.clone()));
    let manifest = Manifest {
        format: FORMAT_VERSION,
        log: taken.log,
        taken: Timestamp::now(),
        tail: taken.tail,
        root: taken.root,
        files,
    };
    let written = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| BackupError::Manifest { bucket: bucket.address.clone(), reason: error.to_string() })?;
    let failed = BackupError::bucket("writing", MANIFEST, bucket);
    bucket.store.put(&bucket.object(MANIFEST), written.into()).await.map_err(failed)?;
    let removed_files = remove_replaced(bucket, before.as_ref(), &manifest).await?;
    Ok(BackupReport { manifest, copied_files, copied_bytes, removed_files })
}

/// The files of the backup before that may not have to be copied again.
fn known(before: Option<&Manifest>) -> HashMap<String, ManifestFile> {
    let files = before.into_iter().flat_map(|manifest| &manifest.files);
    files.filter(|file| file.unchanged_since_ns.is_some()).map(|file| (file.name.clone(), file.clone())).collect()
}

/// Copies the log's files. A segment that goes away meanwhile was sealed: the log is listed anew then.
async fn copy_log(log: &Path, copy: &mut Copy<'_>, before: Option<&Manifest>) -> Result<Snapshot, BackupError> {
    for _ in 0..MAX_LISTINGS {
        let folder = log.to_owned();
        let looked = tokio::task::spawn_blocking(move || snapshot(&folder)).await;
        let taken = match looked {
            Ok(Ok(taken)) => taken,
            Ok(Err(OpenError::Io { source, .. })) if source.kind() == std::io::ErrorKind::NotFound && log.exists() => {
                continue;
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => return Err(BackupError::file("reading", log)(std::io::Error::other(error))),
        };
        if let Some(before) = before.filter(|before| before.log != taken.log) {
            return Err(BackupError::OtherLog {
                bucket: copy.bucket.address.clone(),
                found: before.log,
                log: taken.log,
            });
        }
        let copied = copy.files.len();
        match copy_segments(log, &taken, copy).await {
            Err(BackupError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                copy.files.truncate(copied);
            }
            Err(error) => return Err(error),
            Ok(()) => return Ok(taken),
        }
    }
    Err(BackupError::Restless)
}

async fn copy_segments(log: &Path, taken: &Snapshot, copy: &mut Copy<'_>) -> Result<(), BackupError> {
    for file in &taken.files {
        let path = log.join(&file.name);
        let unchanged_since_ns = if file.closed { Some(modified(&path)?) } else { None };
        let name = format!("{LOG_FOLDER}/{}", file.name);
        copy.take(Item { path, name, bytes: file.bytes, unchanged_since_ns }).await?;
    }
    Ok(())
}

fn modified(path: &Path) -> Result<i64, BackupError> {
    let time =
        std::fs::metadata(path).and_then(|metadata| metadata.modified()).map_err(BackupError::file("reading", path))?;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// What is backed up besides the log.
fn items(source: &Source) -> Result<Vec<Item>, BackupError> {
    let mut items = Vec::new();
    for (path, name) in &source.others {
        if path.is_dir() {
            collect(path, name, &mut items)?;
        } else if path.exists() {
            let bytes = std::fs::metadata(path).map_err(BackupError::file("reading", path))?.len();
            items.push(Item { path: path.clone(), name: name.clone(), bytes, unchanged_since_ns: None });
        }
    }
    Ok(items)
}

fn collect(folder: &Path, name: &str, items: &mut Vec<Item>) -> Result<(), BackupError> {
    for entry in std::fs::read_dir(folder).map_err(BackupError::file("listing", folder))? {
        let path = entry.map_err(BackupError::file("listing", folder))?.path();
        // What has no name in Unicode is not ours.
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("{name}/{file}");
        if path.is_dir() {
            collect(&path, &name, items)?;
        } else {
            let bytes = std::fs::metadata(&path).map_err(BackupError::file("reading", &path))?.len();
            let unchanged_since_ns = Some(modified(&path)?);
            items.push(Item { path, name, bytes, unchanged_since_ns });
        }
    }
    Ok(())
}

/// A backup that is being taken.
struct Copy<'a> {
    bucket: &'a Bucket,
    known: HashMap<String, ManifestFile>,
    files: Vec<ManifestFile>,
    copied_files: usize,
    copied_bytes: u64,
}

impl Copy<'_> {
    /// Copies a file, unless it is there.
    async fn take(&mut self, item: Item) -> Result<(), BackupError> {
        if let Some(known) = self.known.get(&item.name)
            && (known.bytes, known.unchanged_since_ns) == (item.bytes, item.unchanged_since_ns)
        {
            self.files.push(known.clone());
            return Ok(());
        }
        let sha256 = self.upload(&item).await?;
        self.copied(item.name, item.bytes, sha256, item.unchanged_since_ns).await
    }

    /// Writes a small file that was made for the backup.
    async fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        let (length, sha256) = (bytes.len() as u64, Digest::of(&bytes));
        let failed = BackupError::bucket("writing", name, self.bucket);
        self.bucket.store.put(&self.bucket.object(name), bytes.into()).await.map_err(failed)?;
        self.copied(name.to_owned(), length, sha256, None).await
    }

    /// Reads a copied file back, and notes it when it is right.
    async fn copied(
        &mut self,
        name: String,
        bytes: u64,
        sha256: Digest,
        unchanged_since_ns: Option<i64>,
    ) -> Result<(), BackupError> {
        let file = ManifestFile { name, bytes, sha256, unchanged_since_ns };
        super::check::file(self.bucket, &file).await?;
        self.copied_files += 1;
        self.copied_bytes += file.bytes;
        self.files.push(file);
        Ok(())
    }

    async fn upload(&self, item: &Item) -> Result<Digest, BackupError> {
        let failed = || BackupError::bucket("writing", &item.name, self.bucket);
        let object = self.bucket.object(&item.name);
        let mut file = tokio::fs::File::open(&item.path).await.map_err(BackupError::file("opening", &item.path))?;
        let mut left = item.bytes;
        let mut hasher = sha2::Sha256::new();
        if left <= PART_BYTES as u64 {
            let part = part(&mut file, &mut left, &item.path).await?;
            hasher.update(&part);
            self.bucket.store.put(&object, part.into()).await.map_err(failed())?;
            return Ok(Digest::new(hasher.finalize().into()));
        }
        let upload = self.bucket.store.put_multipart(&object).await.map_err(failed())?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        while left > 0 {
            let part = part(&mut file, &mut left, &item.path).await?;
            hasher.update(&part);
            upload.wait_for_capacity(PARTS_ON_THEIR_WAY).await.map_err(failed())?;
            upload.put(part.into());
        }
        upload.finish().await.map_err(failed())?;
        Ok(Digest::new(hasher.finalize().into()))
    }
}

/// Reads the next part of a file.
async fn part(file: &mut tokio::fs::File, left: &mut u64, path: &Path) -> Result<Vec<u8>, BackupError> {
    let count = usize::try_from(*left).unwrap_or(PART_BYTES).min(PART_BYTES);
    let mut bytes = vec![0; count];
    file.read_exact(&mut bytes).await.map_err(BackupError::file("reading", path))?;
    *left -= count as u64;
    Ok(bytes)
}

/// Removes what the backup before had and this one has not: raw segments that were sealed since.
async fn remove_replaced(bucket: &Bucket, before: Option<&Manifest>, now: &Manifest) -> Result<usize, BackupError> {
    let names: HashSet<&str> = now.files.iter().map(|file| file.name.as_str()).collect();
    let mut removed = 0;
    for file in before.into_iter().flat_map(|before| &before.files) {
        if names.contains(file.name.as_str()) {
            continue;
        }
        match bucket.store.delete(&bucket.object(&file.name)).await {
            Ok(()) => removed += 1,
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(BackupError::bucket("removing", &file.name, bucket)(error)),
        }
    }
    Ok(removed)
}
