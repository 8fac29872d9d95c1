//! One index on disk or in memory, what waits to be written into it, and what readers see of it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{Digest, Position};
use parking_lot::{Mutex, RwLock};
use projections::Entry;
use retrieval::index::{Opened, TextIndex, View};

use super::document::document;
use crate::record::{KnowledgeRecord, RecordId};
use crate::versions::{self, Pending, SetDigest};

/// Versions that are committed at once; a commit per version would cost a hundred times as much.
const COMMIT_VERSIONS: usize = 20_000;

/// The longest time that a version waits for its commit while entries arrive, unless commits take long: then they take a fifth of the time at most.
const COMMIT_AFTER: Duration = Duration::from_secs(1);
const COMMIT_PAUSES: u32 = 4;

/// Entries flow while the last ones came so lately, and the commits that they bring along are not later than this. A reader leaves committing to them then: a commit takes a hundred times as long as a search.
const FLOWS_WITHIN: Duration = Duration::from_millis(100);
const COMMITS_LATE: Duration = Duration::from_millis(500);

/// What readers see: the index after a commit, and the first position that it does not hold.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub view: View,
    pub visible: Position,
}

struct Writing {
    pending: Pending,
    /// The checkpoint in the last commit's payload.
    committed: Position,
    last_commit: Instant,
    /// When the next commit is due, counted from the last one.
    pause: Duration,
    last_apply: Instant,
}

/// One index.
pub(super) struct Store {
    index: TextIndex,
    writing: Mutex<Writing>,
    snapshot: RwLock<Snapshot>,
    /// The folder to delete when the last reader is gone: set when another generation took over.
    doomed: Mutex<Option<PathBuf>>,
}

impl Store {
    /// Opens the index in the folder (in memory without one). An index of another version, or one that cannot be read, is deleted and begun anew.
    pub fn open(dir: Option<&Path>, version: &str) -> Result<Arc<Self>, String> {
        let Some(dir) = dir else {
            return Ok(Self::start(TextIndex::in_memory().map_err(text)?, Position::START));
        };
        match TextIndex::open(dir).map_err(text)? {
            Opened::Usable(index, payload) => {
                let checkpoint = payload.rsplit_once(':').filter(|(stored, _)| *stored == version);
                if let Some(checkpoint) = checkpoint.and_then(|(_, checkpoint)| checkpoint.parse().ok()) {
                    return Ok(Self::start(*index, Position::new(checkpoint)));
                }
            }
            Opened::Absent => {}
            Opened::Damaged(reason) => tracing::warn!(%reason, "the search index is unusable and is built anew"),
        }
        Ok(Self::start(TextIndex::create(dir).map_err(text)?, Position::START))
    }

    fn start(index: TextIndex, checkpoint: Position) -> Arc<Self> {
        let snapshot = Snapshot { view: index.view(), visible: checkpoint };
        let now = Instant::now();
        let pending = Pending::new(checkpoint);
        let writing =
            Writing { pending, committed: checkpoint, last_commit: now, pause: COMMIT_AFTER, last_apply: now };
        Arc::new(Self {
            index,
            writing: Mutex::new(writing),
            snapshot: RwLock::new(snapshot),
            doomed: Mutex::new(None),
        })
    }

    /// The first position that is not folded.
    pub fn applied(&self) -> Position {
        self.writing.lock().pending.applied
    }

    /// The first position that readers do not see yet.
    pub fn visible(&self) -> Position {
        self.snapshot.read().visible
    }

    /// Folds entries; commits when enough has gathered or enough time has passed.
    pub fn apply(&self, entries: &[Arc<Entry>], through: Position, version: &str) -> Result<(), String> {
        let mut writing = self.writing.lock();
        for chunk in entries.chunks(COMMIT_VERSIONS) {
            let missing = writing.pending.missing(chunk);
            let found = self.heads(&missing)?;
            writing.pending.loaded(missing, found);
            for entry in chunk {
                writing.pending.apply(entry);
                writing.pending.applied = entry.position.next();
            }
            if writing.pending.len() >= COMMIT_VERSIONS {
                self.commit(&mut writing, version)?;
            }
        }
        writing.pending.applied = through;
        writing.last_apply = Instant::now();
        if writing.pending.len() == 0 {
            // Nothing is waiting, so what readers see holds for the new position, too.
            self.snapshot.write().visible = through;
        } else if writing.last_commit.elapsed() >= writing.pause {
            self.commit(&mut writing, version)?;
        }
        Ok(())
    }

    /// Commits what is pending, so that readers see everything that was applied.
    pub fn show_all(&self, version: &str) -> Result<(), String> {
        let mut writing = self.writing.lock();
        if writing.pending.len() > 0 { self.commit(&mut writing, version) } else { Ok(()) }
    }

    /// Commits what is pending, unless entries flow, so that it is committed soon anyway, or somebody is writing.
    pub fn show_recent(&self, version: &str) -> Result<(), String> {
        let Some(mut writing) = self.writing.try_lock() else { return Ok(()) };
        let flows =
            writing.last_apply.elapsed() < FLOWS_WITHIN && writing.last_commit.elapsed() < writing.pause + COMMITS_LATE;
        if flows || writing.pending.len() == 0 { Ok(()) } else { self.commit(&mut writing, version) }
    }

    /// Makes everything applied so far durable.
    pub fn flush(&self, version: &str) -> Result<(), String> {
        let mut writing = self.writing.lock();
        if writing.committed == writing.pending.applied && writing.pending.len() == 0 {
            return Ok(());
        }
        self.commit(&mut writing, version)
    }

    /// What readers see now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.read().clone()
    }

    /// Deletes the folder once nobody reads it any more.
    pub fn doom(&self, dir: PathBuf) {
        *self.doomed.lock() = Some(dir);
    }

    fn commit(&self, writing: &mut Writing, version: &str) -> Result<(), String> {
        let begun = Instant::now();
        let mut documents = Vec::with_capacity(writing.pending.len());
        for change in writing.pending.changes() {
            documents.push((change.stored, Cow::Owned(document(&change.record)?)));
        }
        let applied = writing.pending.applied;
        // The checkpoint travels in the commit that holds its data; neither is ever there without the other.
        let view = self.index.commit(documents.into_iter(), &format!("{version}:{applied}")).map_err(text)?;
        writing.pending.written();
        writing.committed = applied;
        writing.last_commit = Instant::now();
        writing.pause = COMMIT_AFTER.max(begun.elapsed() * COMMIT_PAUSES);
        *self.snapshot.write() = Snapshot { view, visible: applied };
        Ok(())
    }

    /// The latest versions in the index of these records.
    fn heads(&self, ids: &[RecordId]) -> Result<Vec<KnowledgeRecord>, String> {
        let view = self.snapshot.read().view.clone();
        let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
        view.heads(&ids).map_err(text)?.iter().map(|body| versions::decode(body)).collect()
    }

    /// The digest of all versions.
    pub fn digest(&self, version: &str) -> Result<Digest, String> {
        self.show_all(version)?;
        let view = self.snapshot.read().view.clone();
        let mut digest = SetDigest::default();
        view.each_body(|body| digest.add(body)).map_err(text)?;
        Ok(digest.finish())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(dir) = self.doomed.lock().take()
            && let Err(error) = std::fs::remove_dir_all(&dir)
        {
            tracing::warn!(%error, "the folder of the former search index could not be deleted");
        }
    }
}

/// An error with its sources, as the store's reason.
pub(super) fn text(error: impl std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        source = cause.source();
    }
    reason
}
