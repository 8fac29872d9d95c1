//! One index on disk or in memory, its writer, and what readers see of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{Digest, Position};
use parking_lot::{Mutex, RwLock};
use projections::Entry;
use tantivy::collector::TopDocs;
use tantivy::indexer::LogMergePolicy;
use tantivy::query::{BooleanQuery, Query, TermQuery, TermSetQuery};
use tantivy::schema::{IndexRecordOption, Value as _};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::fields::{EN, Fields, GRAMS, OPEN, ZH};
use crate::record::{KnowledgeRecord, RecordId};
use crate::terms::{self, Terms};
use crate::versions::{self, Pending, SetDigest};

/// Versions that are committed at once; a commit per version would cost a hundred times as much.
const COMMIT_VERSIONS: usize = 5_000;

/// The longest time that a version waits for its commit while entries arrive. A reader never waits for it: it commits what is pending.
const COMMIT_AFTER: Duration = Duration::from_secs(1);

/// The writer's memory.
const WRITER_BYTES: usize = 64 * 1024 * 1024;

/// Segments with more than this share of ended versions are merged.
const MERGE_DELETED_SHARE: f32 = 0.25;

/// The latest versions that one query brings back.
const HEADS_PER_QUERY: usize = 1_000;

/// What readers see: the index after a commit, and the first position that it does not hold.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub searcher: Searcher,
    pub visible: Position,
}

struct Writing {
    writer: IndexWriter,
    pending: Pending,
    /// The checkpoint in the last commit's payload.
    committed: Position,
    last_commit: Instant,
}

/// One index.
pub(super) struct Store {
    pub fields: Fields,

    reader: IndexReader,
    writing: Mutex<Writing>,
    snapshot: RwLock<Snapshot>,
    /// The folder to delete when the last reader is gone: set when another generation took over.
    doomed: Mutex<Option<PathBuf>>,
}

impl Store {
    /// Opens the index in the folder (in memory without one). An index of another version, or one that cannot be read, is deleted and begun anew.
    pub fn open(dir: Option<&Path>, version: u32) -> Result<Arc<Self>, String> {
        let Some(dir) = dir else {
            let (schema, fields) = Fields::schema();
            return Self::start(Index::create_in_ram(schema), fields, Position::START).map_err(text);
        };
        match Self::open_existing(dir, version) {
            Ok(Some(store)) => return Ok(store),
            Ok(None) => {}
            // Somebody else writes it: it is not ours to delete.
            Err(Unusable::InUse(reason)) => return Err(reason),
            Err(Unusable::Damaged(reason)) => {
                tracing::warn!(%reason, "the search index is unusable and is built anew");
            }
        }
        if dir.exists() {
            std::fs::remove_dir_all(dir).map_err(|error| format!("deleting the old index failed: {error}"))?;
        }
        std::fs::create_dir_all(dir).map_err(|error| format!("creating the index folder failed: {error}"))?;
        let (schema, fields) = Fields::schema();
        let index = Index::create_in_dir(dir, schema).map_err(text)?;
        Self::start(index, fields, Position::START).map_err(text)
    }

    fn open_existing(dir: &Path, version: u32) -> Result<Option<Arc<Self>>, Unusable> {
        if !dir.join("meta.json").exists() {
            return Ok(None);
        }
        let index = Index::open_in_dir(dir)?;
        let (schema, fields) = Fields::schema();
        if index.schema() != schema {
            return Ok(None);
        }
        // An index without a payload was never committed: it begins anew.
        let Some(payload) = index.load_metas()?.payload else { return Ok(None) };
        let Some((stored, checkpoint)) = payload.split_once(':') else { return Ok(None) };
        if stored.parse() != Ok(version) {
            return Ok(None);
        }
        let damaged = index.validate_checksum()?;
        if !damaged.is_empty() {
            return Err(Unusable::Damaged(format!("{} of its files are damaged", damaged.len())));
        }
        let checkpoint: u64 =
            checkpoint.parse().map_err(|_| Unusable::Damaged("its checkpoint is not a number".to_owned()))?;
        Ok(Some(Self::start(index, fields, Position::new(checkpoint))?))
    }

    fn start(index: Index, fields: Fields, checkpoint: Position) -> Result<Arc<Self>, tantivy::TantivyError> {
        let tokenizers = index.tokenizers();
        tokenizers.register(ZH, TextAnalyzer::from(Terms(terms::zh)));
        tokenizers.register(EN, TextAnalyzer::from(Terms(terms::en)));
        tokenizers.register(GRAMS, TextAnalyzer::from(Terms(terms::grams)));
        // One long-lived writer: a writer a change leaves thousands of segments behind.
        let writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let mut merging = LogMergePolicy::default();
        merging.set_del_docs_ratio_before_merge(MERGE_DELETED_SHARE);
        writer.set_merge_policy(Box::new(merging));
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let snapshot = Snapshot { searcher: reader.searcher(), visible: checkpoint };
        let writing =
            Writing { writer, pending: Pending::new(checkpoint), committed: checkpoint, last_commit: Instant::now() };
        Ok(Arc::new(Self {
            fields,

            reader,
            writing: Mutex::new(writing),
            snapshot: RwLock::new(snapshot),
            doomed: Mutex::new(None),
        }))
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
    pub fn apply(&self, entries: &[Entry], through: Position, version: u32) -> Result<(), String> {
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
        if writing.pending.len() == 0 {
            // Nothing is waiting, so what readers see holds for the new position, too.
            self.snapshot.write().visible = through;
        } else if writing.last_commit.elapsed() >= COMMIT_AFTER {
            self.commit(&mut writing, version)?;
        }
        Ok(())
    }

    /// Commits what is pending, so that readers see everything that was applied.
    pub fn show_all(&self, version: u32) -> Result<(), String> {
        let mut writing = self.writing.lock();
        if writing.pending.len() > 0 { self.commit(&mut writing, version) } else { Ok(()) }
    }

    /// Makes everything applied so far durable.
    pub fn flush(&self, version: u32) -> Result<(), String> {
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

    fn commit(&self, writing: &mut Writing, version: u32) -> Result<(), String> {
        for change in writing.pending.changes() {
            if change.stored {
                writing.writer.delete_term(self.fields.version_key(&change.record.id, change.record.valid_from));
            }
            let document = self.fields.document(&change.record)?;
            writing.writer.add_document(document).map_err(text)?;
        }
        let applied = writing.pending.applied;
        // Ordering: the checkpoint travels in the commit that holds its data; neither is ever there without the other.
        let mut prepared = writing.writer.prepare_commit().map_err(text)?;
        prepared.set_payload(&format!("{version}:{applied}"));
        prepared.commit().map_err(text)?;
        writing.pending.written();
        writing.committed = applied;
        writing.last_commit = Instant::now();
        self.reader.reload().map_err(text)?;
        *self.snapshot.write() = Snapshot { searcher: self.reader.searcher(), visible: applied };
        Ok(())
    }

    /// The latest versions in the index of these records.
    fn heads(&self, ids: &[RecordId]) -> Result<Vec<KnowledgeRecord>, String> {
        let searcher = self.snapshot.read().searcher.clone();
        let mut found = Vec::new();
        for chunk in ids.chunks(HEADS_PER_QUERY) {
            let named = TermSetQuery::new(chunk.iter().map(|id| Term::from_field_text(self.fields.id, id.as_str())));
            let open = TermQuery::new(Term::from_field_u64(self.fields.valid_to, OPEN), IndexRecordOption::Basic);
            let query = BooleanQuery::intersection(vec![Box::new(named) as Box<dyn Query>, Box::new(open)]);
            let collector = TopDocs::with_limit(chunk.len()).order_by_score();
            for (_, address) in searcher.search(&query, &collector).map_err(text)? {
                let document: TantivyDocument = searcher.doc(address).map_err(text)?;
                found.push(self.record(&document)?);
            }
        }
        Ok(found)
    }

    /// The record that a document holds.
    pub fn record(&self, document: &TantivyDocument) -> Result<KnowledgeRecord, String> {
        let body = document.get_first(self.fields.body).and_then(|value| value.as_bytes());
        versions::decode(body.ok_or_else(|| "a document holds no record".to_owned())?)
    }

    /// The digest of all versions.
    pub fn digest(&self, version: u32) -> Result<Digest, String> {
        self.show_all(version)?;
        let searcher = self.snapshot.read().searcher.clone();
        let mut digest = SetDigest::default();
        for segment in searcher.segment_readers() {
            let store = segment.get_store_reader(1).map_err(|error| error.to_string())?;
            for document in store.iter::<TantivyDocument>(segment.alive_bitset()) {
                let document = document.map_err(text)?;
                let body = document.get_first(self.fields.body).and_then(|value| value.as_bytes());
                digest.add(body.ok_or_else(|| "a document holds no record".to_owned())?);
            }
        }
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

/// Why an index that is there cannot be opened.
enum Unusable {
    /// Another writer holds it.
    InUse(String),
    /// It cannot be read.
    Damaged(String),
}

impl From<tantivy::TantivyError> for Unusable {
    fn from(error: tantivy::TantivyError) -> Self {
        match error {
            tantivy::TantivyError::LockFailure(..) => Self::InUse(error.to_string()),
            _ => Self::Damaged(error.to_string()),
        }
    }
}

fn text(error: tantivy::TantivyError) -> String {
    error.to_string()
}
