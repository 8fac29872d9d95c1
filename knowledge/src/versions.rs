//! Versions on their way into a store: what was folded since the last write.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use eventlog::{Category, Digest, EventType, Filter, Position};
use projections::Entry;
use sha2::Digest as _;

use crate::record::{KnowledgeRecord, RecordId, TYPES, evolve, touches};

/// The most latest versions that are kept in memory between two writes, to spare reading them again.
const MAX_HEADS: usize = 20_000;

/// A version to be written.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The version.
    pub record: Arc<KnowledgeRecord>,
    /// Whether the store holds the version already, and only its end is new.
    pub stored: bool,
}

/// What was folded and not yet written. Every version stays a version of its own, however many are written at once.
#[derive(Debug)]
pub(crate) struct Pending {
    heads: HashMap<RecordId, Option<Arc<KnowledgeRecord>>>,
    changes: BTreeMap<(RecordId, Position), Change>,
    /// The first position that is not folded.
    pub applied: Position,
}

impl Pending {
    /// Nothing pending; the store has everything before `applied`.
    pub fn new(applied: Position) -> Self {
        Self { heads: HashMap::new(), changes: BTreeMap::new(), applied }
    }

    /// The records that the entries change and whose latest version must be brought from the store first.
    pub fn missing(&self, entries: &[Arc<Entry>]) -> Vec<RecordId> {
        let mut missing = HashSet::new();
        for entry in entries {
            missing.extend(touches(entry).into_iter().filter(|id| !self.heads.contains_key(id)));
        }
        let mut missing: Vec<RecordId> = missing.into_iter().collect();
        missing.sort_unstable();
        missing
    }

    /// Takes in what the store has as the latest versions of the records that were asked for.
    pub fn loaded(&mut self, asked: Vec<RecordId>, found: Vec<KnowledgeRecord>) {
        for id in asked {
            self.heads.entry(id).or_insert(None);
        }
        for record in found {
            self.heads.insert(record.id.clone(), Some(Arc::new(record)));
        }
    }

    /// Folds one entry.
    pub fn apply(&mut self, entry: &Entry) {
        for id in touches(entry) {
            let head = self.heads.entry(id.clone()).or_insert(None);
            let Some(next) = evolve(&id, head.as_deref(), entry) else { continue };
            if let Some(former) = head.take() {
                let key = (id.clone(), former.valid_from);
                let stored = self.changes.remove(&key).is_none_or(|change| change.stored);
                let mut ended = Arc::unwrap_or_clone(former);
                ended.valid_to = Some(entry.position);
                self.changes.insert(key, Change { record: Arc::new(ended), stored });
            }
            let next = Arc::new(next);
            *head = Some(Arc::clone(&next));
            self.changes.insert((id, next.valid_from), Change { record: next, stored: false });
        }
    }

    /// How many versions wait to be written.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The versions that wait, by record and beginning.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.values()
    }

    /// Forgets what was written. Says whether the latest versions are still known.
    pub fn written(&mut self) -> bool {
        self.changes.clear();
        let keep = self.heads.len() <= MAX_HEADS;
        if !keep {
            self.heads.clear();
        }
        keep
    }
}

/// The entries that change records.
pub(crate) fn filter() -> Filter {
    let types = TYPES.iter().filter_map(|name| EventType::new(name).ok()).collect();
    Filter { items: vec![eventlog::QueryItem { categories: Vec::<Category>::new(), types, tags: Vec::new() }] }
}

/// Digest over a set of versions that does not depend on their order: the sum of the digests of each, modulo 2^256, with their number.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetDigest {
    sum: [u8; 32],
    count: u64,
}

impl SetDigest {
    /// Takes a member in, as its stored bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let member: [u8; 32] = sha2::Sha256::digest(bytes).into();
        let mut carry = 0_u16;
        for (sum, byte) in self.sum.iter_mut().zip(member) {
            let total = u16::from(*sum) + u16::from(byte) + carry;
            [*sum, _] = total.to_le_bytes();
            carry = total >> 8;
        }
        self.count += 1;
    }

    /// The digest of the set.
    pub fn finish(&self) -> Digest {
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.count.to_le_bytes());
        hasher.update(self.sum);
        Digest::new(hasher.finalize().into())
    }
}

/// A version as stores keep it. MessagePack keeps every float bit by bit, which the digests need.
pub(crate) fn encode(record: &KnowledgeRecord) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(record).map_err(|error| format!("record {} cannot be written: {error}", record.id))
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<KnowledgeRecord, String> {
    rmp_serde::from_slice(bytes).map_err(|error| format!("a stored record cannot be read: {error}"))
}
