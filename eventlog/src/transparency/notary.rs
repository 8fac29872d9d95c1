//! The notary: follows the log, and signs what it has become.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::files::{CHECKPOINT, publish_on, read_small};
use super::key::LogKey;
use super::source::LeafSource;
use super::tiled::{TiledTree, TreeError};
use super::{
    Checkpoint, CheckpointError, KeyError, Origin, ProofError, SignedCheckpoint, StatementError, TILE_WIDTH, TileId,
    VerifierKey, check_consistency,
};
use crate::embedded::disk::{Disk, LocalDisk};
use crate::transparency::proof_file::ProofFile;
use crate::{Digest, LogId, Position, ReadError, Tree};

/// How a notary is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the log: the last checkpoint and the tiles are kept in it.
    pub log_folder: PathBuf,
    /// The file of the signing key. It is made at the first start, readable by its owner only.
    pub key_file: PathBuf,
    /// The file of the verifier key, which anybody may have.
    pub verifier_file: PathBuf,
    /// What the log calls itself; `millwright/` and the log's id when `None`. It cannot be changed later.
    pub origin: Option<Origin>,
    /// The shortest time between two checkpoints.
    pub interval: Duration,
    /// Where checkpoint and tiles are: the machine's own disk, unless a test has another one.
    pub disk: Arc<dyn Disk>,
}

impl Options {
    /// The places in a data folder: `log/`, `keys/log.key` and `log.vkey`; a checkpoint each second.
    pub fn in_data_folder(data_dir: &Path) -> Self {
        Self {
            log_folder: data_dir.join("log"),
            key_file: data_dir.join("keys").join("log.key"),
            verifier_file: data_dir.join("log.vkey"),
            origin: None,
            interval: Duration::from_secs(1),
            disk: Arc::new(LocalDisk),
        }
    }
}

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The stored checkpoint is not one of this log's key.
    #[error("the stored checkpoint {file} cannot be trusted: {source}")]
    Stored {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// The file of the checkpoint cannot be read or written.
    #[error("{action} {file} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The log is shorter than what was signed.
    #[error(
        "the log has {records} records, but a checkpoint over {signed} was signed: history was lost. Restore the log from a copy that has all of them; nothing is \
         signed for this one"
    )]
    Shortened {
        /// The records that are there.
        records: u64,
        /// The records that were signed for.
        signed: u64,
    },
    /// The log has another history than what was signed.
    #[error(
        "the first {signed} records have the root {found}, but {expected} was signed: history was changed. Nothing is signed for this log"
    )]
    Rewritten {
        /// The records that were signed for.
        signed: u64,
        /// The root that was signed.
        expected: Digest,
        /// The root that the log has now.
        found: Digest,
    },
    /// The tree cannot be had.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The proof that the new tree extends the signed one does not hold.
    #[error("the new tree is not proven to extend the signed one")]
    Inconsistent(#[source] ProofError),
    /// Signing failed.
    #[error("signing failed")]
    Sign(#[source] CheckpointError),
}

impl NotaryError {
    /// Whether the same may succeed later: when a file could not be read or written, but not when history is another.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Io { .. } => true,
            Self::Tree(error) => {
                matches!(error, TreeError::Write { .. } | TreeError::Read(ReadError::Io { .. } | ReadError::Index(_)))
            }
            _ => false,
        }
    }
}

/// Why there is no checkpoint over a record yet.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// It takes longer than the caller waits.
    #[error("record {position} is not under a checkpoint yet; the last one has {size} records")]
    Timeout {
        /// The record.
        position: Position,
        /// The size of the last checkpoint.
        size: u64,
    },
    /// The notary has stopped signing.
    #[error("record {position} is under no checkpoint, and nothing is signed any more: {reason}")]
    Stopped {
        /// The record.
        position: Position,
        /// Why.
        reason: String,
    },
}

/// A record's proof of inclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The record's position: the leaf's index.
    pub position: Position,
    /// The leaf.
    pub leaf: Vec<u8>,
    /// Its hash.
    pub leaf_hash: Digest,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Digest>,
    /// The checkpoint that it leads to.
    pub checkpoint: Arc<SignedCheckpoint>,
}

impl Proof {
    /// The proof as a file of [c2sp.org/tlog-proof](https://c2sp.org/tlog-proof).
    pub fn file(&self) -> ProofFile {
        ProofFile { index: self.position.get(), path: self.path.clone(), note: self.checkpoint.note().to_owned() }
    }
}

/// Which checkpoint a question rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// The newest.
    Signed,
    /// The newest that a witness has cosigned.
    Witnessed,
}

/// Signs the log's growth. Clones are the same notary.
#[derive(Clone)]
pub struct Notary(Arc<Inner>);

struct Inner {
    tree: TiledTree,
    source: Arc<dyn LeafSource>,
    key: LogKey,
    origin: Origin,
    options: Options,
    /// Held while signing: one checkpoint follows another.
    signing: Mutex<()>,
    published: watch::Sender<Published>,
    stopped: watch::Sender<Option<String>>,
}

/// What is handed out.
#[derive(Clone)]
struct Published {
    signed: Arc<SignedCheckpoint>,
    witnessed: Option<Arc<SignedCheckpoint>>,
}

impl fmt::Debug for Notary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Notary").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}

impl Notary {
    /// Opens the notary of a log: compares the log with the last checkpoint that was signed for it, makes a key when it never had one, makes tiles that are
    /// missing, and signs what the log is now. Blocks.
    ///
    /// # Errors
    /// [`NotaryError`]; [`NotaryError::Shortened`] and [`NotaryError::Rewritten`] are proof that history was lost or changed.
    pub fn open(source: Arc<dyn LeafSource>, log: LogId, options: Options) -> Result<Self, NotaryError> {
        let file = options.log_folder.join(CHECKPOINT);
        let stored = read_small(options.disk.as_ref(), &file).map_err(failed("reading", &file))?;
        let origin = options.origin.clone().unwrap_or_else(|| Origin::of_log(log));
        let signed_before = stored.is_some().then_some(file.as_path());
        let key =
            LogKey::open(&options.key_file, &options.verifier_file, &origin, options.origin.is_some(), signed_before)?;
        let stored = stored
            .map(|note| SignedCheckpoint::open(&note, &key.verifier))
            .transpose()
            .map_err(|source| NotaryError::Stored { file: file.clone(), source })?;
        // The key's name holds, also where no origin is configured: it was the origin when the log began.
        let origin = Origin::new(key.verifier.name()).unwrap_or(origin);
        let tree = TiledTree::open(Arc::clone(&source), Arc::clone(&options.disk), &options.log_folder)?;
        let signed = match stored {
            Some(stored) => {
                agrees(&tree, stored.checkpoint())?;
                stored
            }
            // The checkpoint of no records is the one thing that is true of every log.
            None => sign(&key, Checkpoint { origin: origin.clone(), size: 0, root: Tree::new().root() })?,
        };
        let published = Published { signed: Arc::new(signed), witnessed: None };
        let notary = Self(Arc::new(Inner {
            tree,
            source,
            key,
            origin,
            options,
            signing: Mutex::new(()),
            published: watch::Sender::new(published),
            stopped: watch::Sender::new(None),
        }));
        if signed_before.is_none() {
            notary.0.publish_first()?;
        }
        notary.sign()?;
        Ok(notary)
    }

    /// The verifier key of the log.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.0.key.verifier
    }

    /// What the log calls itself.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&self.0.published.borrow().signed)
    }

    /// The newest checkpoint that a witness has cosigned since the start.
    pub fn witnessed(&self) -> Option<Arc<SignedCheckpoint>> {
        self.0.published.borrow().witnessed.clone()
    }

    /// Signs another text with the log's key: a note whose first line says in two words or more what it is, so that nobody takes it for a checkpoint.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn sign_statement(&self, text: &str) -> Result<String, StatementError> {
        super::statement::sign(text, self.0.key.signer())
    }

    /// Why nothing is signed any more, when it is so.
    pub fn stopped(&self) -> Option<String> {
        self.0.stopped.borrow().clone()
    }

    /// Waits until the newest checkpoint has more than `size` records.
    pub async fn grown_beyond(&self, size: u64) -> Arc<SignedCheckpoint> {
        let mut published = self.0.published.subscribe();
        match published.wait_for(|published| published.signed.checkpoint().size > size).await {
            Ok(published) => Arc::clone(&published.signed),
            // The sender lives as long as this notary.
            Err(_) => self.checkpoint(),
        }
    }

    /// Waits for a checkpoint over the record.
    ///
    /// # Errors
    /// [`WaitError`].
    pub async fn covering(
        &self,
        position: Position,
        which: Covered,
        timeout: Duration,
    ) -> Result<Arc<SignedCheckpoint>, WaitError> {
        let chosen = |published: &Published| match which {
            Covered::Signed => Some(Arc::clone(&published.signed)),
            Covered::Witnessed => published.witnessed.clone(),
        };
        let covers = |published: &Published| {
            chosen(published).filter(|checkpoint| checkpoint.checkpoint().size > position.get())
        };
        let mut published = self.0.published.subscribe();
        let mut stopped = self.0.stopped.subscribe();
        let last = || chosen(&self.0.published.borrow()).map_or(0, |checkpoint| checkpoint.checkpoint().size);
        tokio::select! {
            biased;
            found = published.wait_for(|published| covers(published).is_some()) => match found.ok().and_then(|found| covers(&found)) {
                Some(checkpoint) => Ok(checkpoint),
                None => Err(WaitError::Timeout { position, size: last() }),
            },
            reason = stopped.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
                Err(WaitError::Stopped { position, reason })
            }
            () = tokio::time::sleep(timeout) => Err(WaitError::Timeout { position, size: last() }),
        }
    }

    /// Signs what the log is now, when it has grown. The checkpoint is on disk when this answers. Blocks.
    ///
    /// # Errors
    /// [`NotaryError`]; then the last checkpoint stays the newest.
    pub fn sign(&self) -> Result<Arc<SignedCheckpoint>, NotaryError> {
        let inner = &self.0;
        let _one_at_a_time = inner.signing.lock();
        let last = self.checkpoint();
        let before = last.checkpoint();
        let tree = inner.tree.extend()?;
        if tree.size() < before.size {
            return Err(NotaryError::Shortened { records: tree.size(), signed: before.size });
        }
        if tree.size() == before.size {
            return Ok(last);
        }
        let root = tree.root();
        // Invariant: nothing is signed that is not proven to extend what was signed before, from tiles and by arithmetic that knows no tiles.
        let proof = inner.tree.consistency(before.size, tree.size())?;
        check_consistency(&proof, (before.size, before.root), (tree.size(), root))
            .map_err(NotaryError::Inconsistent)?;
        let checkpoint = Checkpoint { origin: inner.origin.clone(), size: tree.size(), root };
        let signed = Arc::new(sign(&inner.key, checkpoint)?);
        // Ordering: on disk before anybody sees it, so that no restart can forget it.
        inner.store(&signed)?;
        inner.published.send_modify(|published| published.signed = Arc::clone(&signed));
        Ok(signed)
    }

    /// Signs whenever the log has grown, at most once in the interval, until the log closes or history turns out to be another. What may pass is tried again.
    pub async fn run(&self) {
        let mut tail = self.0.source.watch_tail();
        let mut failed = false;
        loop {
            let signed = self.checkpoint().checkpoint().size;
            if tail.wait_for(|tail| tail.get() > signed).await.is_err() {
                return;
            }
            let notary = self.clone();
            match tokio::task::spawn_blocking(move || notary.sign()).await {
                Ok(Ok(_)) => failed = false,
                Ok(Err(error)) if error.retryable() => {
                    // Said once, not each second.
                    if !failed {
                        tracing::error!(error = %Causes(&error), "no checkpoint could be signed; it is tried again");
                    }
                    failed = true;
                }
                Ok(Err(error)) => {
                    self.stop(&error);
                    return;
                }
                Err(error) => {
                    self.stop(&error);
                    return;
                }
            }
            tokio::time::sleep(self.0.options.interval).await;
        }
    }

    fn stop(&self, error: &(dyn std::error::Error + 'static)) {
        let reason = Causes(error).to_string();
        tracing::error!(%reason, "no checkpoint is signed any more");
        self.0.stopped.send_replace(Some(reason));
    }

    /// Adds cosignatures: `cosigned` is a checkpoint of this notary with more signature lines. It is kept with the newest checkpoint when it is about that
    /// one. Blocks.
    ///
    /// # Errors
    /// [`NotaryError::Io`] when it cannot be stored.
    pub fn cosigned(&self, cosigned: SignedCheckpoint) -> Result<(), NotaryError> {
        let inner = &self.0;
        let _one_at_a_time = inner.signing.lock();
        let cosigned = Arc::new(cosigned);
        let newest = self.checkpoint();
        let same = |one: &SignedCheckpoint| one.checkpoint() == cosigned.checkpoint();
        if same(&newest) {
            inner.store(&cosigned)?;
        }
        inner.published.send_modify(|published| {
            if same(&published.signed) {
                published.signed = Arc::clone(&cosigned);
            }
            let newer = |known: &Arc<SignedCheckpoint>| known.checkpoint().size <= cosigned.checkpoint().size;
            if published.witnessed.as_ref().is_none_or(newer) {
                published.witnessed = Some(Arc::clone(&cosigned));
            }
        });
        Ok(())
    }

    /// The first `width` hashes of a tile, within what was signed; `None` when that has less of it. Blocks.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn tile(&self, id: TileId, width: u64) -> Result<Option<Vec<u8>>, TreeError> {
        if width > id.width_in(self.checkpoint().checkpoint().size) {
            return Ok(None);
        }
        Ok(self.0.tree.hashes(id, width)?.map(|hashes| super::tile::tile_bytes(&hashes)))
    }

    /// The first `width` leaves of the bundle with this index, within what was signed; `None` when that has less of it. Each is compared with the tree. Blocks.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn entries(&self, index: u64, width: u64) -> Result<Option<Vec<Vec<u8>>>, TreeError> {
        let id = TileId { level: 0, index };
        if width > id.width_in(self.checkpoint().checkpoint().size) {
            return Ok(None);
        }
        let Some(hashes) = self.0.tree.hashes(id, width)? else { return Ok(None) };
        let first = Position::new(index * TILE_WIDTH);
        let leaves = self.0.source.leaves(first, hashes.len())?;
        for (at, hash) in hashes.iter().enumerate() {
            if leaves.get(at).map(|leaf| leaf_hash(leaf)) != Some(*hash) {
                let position = first.plus(at as u64);
                return Err(TreeError::Changed { first: position, last: position });
            }
        }
        Ok(Some(leaves))
    }

    /// The proof that the record is in the tree of a checkpoint over it. Blocks.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn proof(&self, position: Position, checkpoint: Arc<SignedCheckpoint>) -> Result<Proof, TreeError> {
        let path = self.0.tree.inclusion(position.get(), checkpoint.checkpoint().size)?;
        let leaves = self.0.source.leaves(position, 1)?;
        let changed = || TreeError::Changed { first: position, last: position };
        let leaf = leaves.into_iter().next().ok_or_else(changed)?;
        let leaf_hash = leaf_hash(&leaf);
        let Checkpoint { size, root, .. } = checkpoint.checkpoint();
        super::check_inclusion(&path, (position.get(), leaf_hash), (*size, *root)).map_err(|_| changed())?;
        Ok(Proof { position, leaf, leaf_hash, path, checkpoint })
    }

    /// The proof that the tree of `from` records is a prefix of that of `to` records, and both roots. Blocks.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] when more is asked for than was signed.
    pub fn consistency(&self, from: u64, to: u64) -> Result<(Vec<Digest>, [Digest; 2]), TreeError> {
        let size = self.checkpoint().checkpoint().size;
        if to > size || from > to {
            return Err(TreeError::Beyond { size: size.min(to), wanted: from.max(to) });
        }
        let tree = &self.0.tree;
        Ok((tree.consistency(from, to)?, [tree.root(from)?, tree.root(to)?]))
    }
}

impl Inner {
    fn file(&self) -> PathBuf {
        self.options.log_folder.join(CHECKPOINT)
    }

    fn store(&self, signed: &SignedCheckpoint) -> Result<(), NotaryError> {
        let file = self.file();
        publish_on(self.options.disk.as_ref(), &file, signed.note().as_bytes()).map_err(failed("writing", &file))
    }

    /// Stores the checkpoint of no records, so that from now on the key cannot get lost unnoticed.
    fn publish_first(&self) -> Result<(), NotaryError> {
        let first = Arc::clone(&self.published.borrow().signed);
        self.store(&first)
    }
}

/// Whether the log is still what was signed.
fn agrees(tree: &TiledTree, signed: &Checkpoint) -> Result<(), NotaryError> {
    if tree.size() < signed.size {
        return Err(NotaryError::Shortened { records: tree.size(), signed: signed.size });
    }
    let found = tree.root(signed.size)?;
    if found != signed.root {
        return Err(NotaryError::Rewritten { signed: signed.size, expected: signed.root, found });
    }
    Ok(())
}

fn sign(key: &LogKey, checkpoint: Checkpoint) -> Result<SignedCheckpoint, NotaryError> {
    SignedCheckpoint::sign(checkpoint, key.signer()).map_err(NotaryError::Sign)
}

fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::of(&[&[0_u8], leaf].concat())
}

fn failed(action: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> NotaryError + use<> {
    let file = file.to_owned();
    move |source| NotaryError::Io { action, file, source }
}

/// An error with its causes in one line.
struct Causes<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "notary_tests.rs"]
mod tests;
