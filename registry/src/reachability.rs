//! Which artifacts anybody can still reach from the log, and the removal of those that nobody can.
//!
//! **What is kept for ever.** Every file whose digest any event names: files of versions (of deleted ones too, since history names them), datasets, attachments, whatever else an
//! event says in 64 hexadecimal digits. What is kept too much costs room; what is removed too much is lost.
//!
//! **What goes.** A file that stands in the log only as the content of a path in the tree of artifacts (`artifact.stored`), and was written over or removed there
//! ([`Grace`] ago or longer). So an `as_of` answer about the tree of a run names a file that may be gone; one about a version or dataset never does. And files that no event
//! names at all, once they are older than the grace: what a crash between the storing and the naming left behind, and uploads that broke.
//!
//! **Concurrent puts.** A file is looked at again and removed while nothing is given a name in this process; a put that came before has made it young, and one that comes after writes it
//! anew. Between processes the log's lock keeps order: who collects garbage has the log open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::Event;
use eventlog::{Digest, Direction, EventLog, Position, ReadError};
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use projections::{Entry, filters};
use serde::Serialize;

use crate::artifacts::{ArtifactStore, location};
use crate::streams::INCOMING;

/// The records of one page of the walk.
const PAGE: usize = 4096;

/// The hexadecimal digits of a digest.
const DIGEST_DIGITS: usize = 64;

/// How long a file is kept that nobody can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace(pub SignedDuration);

impl Default for Grace {
    /// Seven days.
    fn default() -> Self {
        Self(SignedDuration::from_hours(7 * 24))
    }
}

/// Why no garbage was collected, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The log could not be read: nothing was removed.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    /// The store failed.
    #[error("the artifact store failed")]
    Store(#[from] object_store::Error),
}

/// What is to be collected.
#[derive(Clone, Copy, Debug)]
pub struct Collect {
    /// How long unreachable files are kept.
    pub grace: Grace,
    /// The present time.
    pub now: Timestamp,
    /// Whether nothing is removed, and only said what would be.
    pub dry_run: bool,
}

/// A file that nobody can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreachable {
    /// Where it lies in the store.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What was found and done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The first position that the walk did not see.
    pub through: Position,
    /// Files in the store.
    pub files: u64,
    /// Of these, reachable.
    pub reachable: u64,
    /// Of these, unreachable, and younger than the grace.
    pub young: u64,
    /// What was removed, or would be.
    pub removed: Vec<Unreachable>,
    /// The bytes of these.
    pub removed_bytes: u64,
}

/// What can be reached at a position.
#[derive(Clone, Debug)]
pub struct Reachable {
    /// Digests that an event names as something else than the content of a path.
    named: HashSet<Digest>,
    /// The tree of artifacts: the content of each path of each root.
    tree: BTreeMap<String, BTreeMap<String, Digest>>,
    /// When a content was written over or removed, last.
    left: HashMap<Digest, Timestamp>,
    /// The first position that is not in it.
    through: Position,
}

impl Reachable {
    /// Walks the log to its present end.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn walk(log: &dyn EventLog) -> Result<Self, ReadError> {
        let mut reachable =
            Self { named: HashSet::new(), tree: BTreeMap::new(), left: HashMap::new(), through: log.tail() };
        let filter = filters::business();
        let mut from = Position::START;
        loop {
            let page = log.read(from, Direction::Forward, filter.clone(), PAGE).await?;
            let next = page.next;
            for record in page {
                reachable.through = reachable.through.max(record.position.next());
                if !record.event_type.as_str().starts_with("artifact.") {
                    reachable.named.extend(digests_in(&record.payload));
                    continue;
                }
                reachable.take(&Entry::decode(record));
            }
            match next {
                Some(next) => from = next,
                None => return Ok(reachable),
            }
        }
    }

    fn take(&mut self, entry: &Entry) {
        match entry.event() {
            Some(Event::ArtifactStored(event)) => {
                let Ok(digest) = Digest::parse(&event.sha256.to_ascii_lowercase()) else { return };
                let before = self.tree.entry(event.root.clone()).or_default().insert(event.path.clone(), digest);
                self.leave(before, entry.record_time);
            }
            Some(Event::ArtifactRemoved(event)) => {
                let Some(root) = self.tree.get_mut(&event.root) else { return };
                let folder = format!("{}/", event.path);
                let is_below =
                    |path: &String| *path == event.path || event.path.is_empty() || path.starts_with(&folder);
                let gone: Vec<Digest> =
                    root.extract_if(.., |path, _| is_below(path)).map(|(_, digest)| digest).collect();
                for digest in gone {
                    self.leave(Some(digest), entry.record_time);
                }
            }
            _ => {}
        }
    }

    fn leave(&mut self, digest: Option<Digest>, time: Timestamp) {
        if let Some(digest) = digest {
            let last = self.left.entry(digest).or_insert(time);
            *last = time.max(*last);
        }
    }

    /// The digests that are kept: those that are named or stand under a path, and those that left one within the grace.
    pub fn kept(&self, grace: Grace, now: Timestamp) -> HashSet<Digest> {
        let mut kept = self.named.clone();
        kept.extend(self.tree.values().flat_map(BTreeMap::values));
        let recent = |time: &Timestamp| now.duration_since(*time) < grace.0;
        kept.extend(self.left.iter().filter(|(_, time)| recent(time)).map(|(digest, _)| *digest));
        kept
    }
}

/// Every run of exactly 64 hexadecimal digits.
fn digests_in(payload: &[u8]) -> impl Iterator<Item = Digest> + '_ {
    let runs = payload.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() == DIGEST_DIGITS);
    runs.filter_map(|run| Digest::parse(&std::str::from_utf8(run).ok()?.to_ascii_lowercase()).ok())
}

impl ArtifactStore {
    /// Removes what nobody can reach from the log any more.
    ///
    /// # Errors
    /// [`CollectError`]; what was removed until then is removed.
    pub async fn collect(&self, log: &dyn EventLog, how: Collect) -> Result<Collected, CollectError> {
        // Ordering: the store is listed before the log is walked, so that what is stored and named meanwhile is not in the list.
        let files: Vec<ObjectMeta> = self.objects().list(None).try_collect().await?;
        let reachable = Reachable::walk(log).await?;
        let kept = reachable.kept(how.grace, how.now);
        let kept: BTreeSet<Path> = kept.into_iter().map(location).collect();
        let mut collected = Collected {
            through: reachable.through,
            files: 0,
            reachable: 0,
            young: 0,
            removed: Vec::new(),
            removed_bytes: 0,
        };
        for file in files.into_iter().filter(|file| is_ours(&file.location)) {
            collected.files += 1;
            if kept.contains(&file.location) {
                collected.reachable += 1;
            } else if self.remove(&file, how).await? {
                collected.removed_bytes += file.size;
                collected.removed.push(Unreachable { path: file.location.to_string(), bytes: file.size });
            } else {
                collected.young += 1;
            }
        }
        collected.removed.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(collected)
    }

    /// Removes a file, unless it is young. Nothing is given a name meanwhile.
    async fn remove(&self, file: &ObjectMeta, how: Collect) -> Result<bool, CollectError> {
        let _removing = self.removing().await;
        let found = match self.objects().head(&file.location).await {
            Ok(found) => found,
            // An upload that was under way has got its name meanwhile.
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let age_s = how.now.as_second().saturating_sub(found.last_modified.timestamp());
        if age_s < how.grace.0.as_secs() {
            return Ok(false);
        }
        if !how.dry_run {
            self.objects().delete(&file.location).await?;
        }
        Ok(true)
    }
}

/// Whether a file has a name that artifacts have; others are nobody's to remove here.
fn is_ours(path: &Path) -> bool {
    matches!(path.parts().next(), Some(part) if part.as_ref() == "sha256" || part.as_ref() == INCOMING)
}

#[cfg(test)]
#[path = "reachability_tests.rs"]
mod tests;
