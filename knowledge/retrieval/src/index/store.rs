//! One index on disk or in memory, its writer, and what readers see of it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tantivy::collector::{DocSetCollector, TopDocs};
use tantivy::indexer::LogMergePolicy;
use tantivy::query::{BooleanQuery, Query, TermQuery, TermSetQuery};
use tantivy::schema::{IndexRecordOption, Value as _};
use tantivy::{DocAddress, Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, Term};

use super::fields::{self, Fields};
use super::open::OpenVersions;
use super::{Document, IndexError};

/// The writer's memory.
const WRITER_BYTES: usize = 64 * 1024 * 1024;

/// Segments with more than this share of ended versions are merged.
const MERGE_DELETED_SHARE: f32 = 0.25;

/// The latest versions that one query brings back.
const HEADS_PER_QUERY: usize = 1_000;

/// An index.
pub struct TextIndex {
    pub(super) fields: Fields,
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
    open: Arc<OpenVersions>,
    /// The text that travelled in the last commit.
    payload: RwLock<String>,
}

/// What readers see after a commit.
#[derive(Clone)]
pub struct View {
    pub(super) fields: Fields,
    pub(super) searcher: Searcher,
    pub(super) open: Arc<OpenVersions>,
}

/// An index that is there, as it was found.
pub enum Opened {
    /// It can be used, and this is the payload of its last commit.
    Usable(Box<TextIndex>, String),
    /// It is not there, was never committed, or has another schema.
    Absent,
    /// It cannot be read; the reason.
    Damaged(String),
}

impl TextIndex {
    /// An empty index in memory.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn in_memory() -> Result<Self, IndexError> {
        let (schema, fields) = Fields::schema();
        Self::start(Index::create_in_ram(schema), fields, String::new())
    }

    /// An empty index in the folder, in place of what is there.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn create(dir: &Path) -> Result<Self, IndexError> {
        let file = |operation| move |source| IndexError::File { operation, source };
        if dir.exists() {
            std::fs::remove_dir_all(dir).map_err(file("deleted"))?;
        }
        std::fs::create_dir_all(dir).map_err(file("created"))?;
        let (schema, fields) = Fields::schema();
        Self::start(Index::create_in_dir(dir, schema)?, fields, String::new())
    }

    /// Opens the index in the folder, and checks every file of it.
    ///
    /// # Errors
    /// [`IndexError`] when another writer holds it: it is not ours to delete.
    pub fn open(dir: &Path) -> Result<Opened, IndexError> {
        if !dir.join("meta.json").exists() {
            return Ok(Opened::Absent);
        }
        match Self::open_existing(dir) {
            Ok(opened) => Ok(opened),
            Err(IndexError::Tantivy(error @ tantivy::TantivyError::LockFailure(..))) => Err(error.into()),
            Err(error) => Ok(Opened::Damaged(error.to_string())),
        }
    }

    fn open_existing(dir: &Path) -> Result<Opened, IndexError> {
        let index = Index::open_in_dir(dir)?;
        let (schema, fields) = Fields::schema();
        if index.schema() != schema {
            return Ok(Opened::Absent);
        }
        // An index without a payload was never committed: it begins anew.
        let Some(payload) = index.load_metas()?.payload else { return Ok(Opened::Absent) };
        let damaged = index.validate_checksum()?;
        if !damaged.is_empty() {
            return Ok(Opened::Damaged(format!("{} of its files are damaged", damaged.len())));
        }
        Ok(Opened::Usable(Box::new(Self::start(index, fields, payload.clone())?), payload))
    }

    fn start(index: Index, fields: Fields, payload: String) -> Result<Self, IndexError> {
        fields::register(index.tokenizers());
        // One long-lived writer: a writer a change leaves thousands of segments behind.
        let writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let mut merging = LogMergePolicy::default();
        merging.set_del_docs_ratio_before_merge(MERGE_DELETED_SHARE);
        writer.set_merge_policy(Box::new(merging));
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let open = Arc::new(OpenVersions::of(&fields));
        Ok(Self { fields, reader, writer: Mutex::new(writer), open, payload: RwLock::new(payload) })
    }

    /// Writes documents, the second of each pair in place of the version of its thing that has no end where the first says so, and commits them together
    /// with the payload: neither is ever there without the other.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn commit<'a>(
        &self,
        documents: impl Iterator<Item = (bool, std::borrow::Cow<'a, Document>)>,
        payload: &str,
    ) -> Result<View, IndexError> {
        let mut writer = self.writer.lock();
        for (replaces, document) in documents {
            if replaces {
                writer.delete_term(self.fields.head(&document.id));
            }
            writer.add_document(self.fields.document(&document))?;
        }
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(payload);
        prepared.commit()?;
        payload.clone_into(&mut self.payload.write());
        self.reader.reload()?;
        let view = self.view();
        self.open.forget_all_but(&view.searcher);
        Ok(view)
    }

    /// What was committed last.
    pub fn view(&self) -> View {
        View { fields: self.fields, searcher: self.reader.searcher(), open: Arc::clone(&self.open) }
    }
}

impl View {
    /// How many versions there are.
    pub fn len(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many parts the index is in: a search looks into each of them.
    pub fn segments(&self) -> usize {
        self.searcher.segment_readers().len()
    }

    /// The bodies of the versions that have no end, of these things.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn heads(&self, ids: &[&str]) -> Result<Vec<Vec<u8>>, IndexError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(HEADS_PER_QUERY) {
            let named = TermSetQuery::new(chunk.iter().map(|id| self.fields.head(id)));
            for (_, address) in self.searcher.search(&named, &TopDocs::with_limit(chunk.len()).order_by_score())? {
                found.push(self.body(address)?);
            }
        }
        Ok(found)
    }

    /// The body of the version of a thing that is valid at the position.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn version_of(&self, id: &str, position: u64) -> Result<Option<Vec<u8>>, IndexError> {
        let named = TermQuery::new(Term::from_field_text(self.fields.id, id), IndexRecordOption::Basic);
        let mut clauses = self.valid(position);
        clauses.push((tantivy::query::Occur::Must, Box::new(named)));
        let found = self.searcher.search(&BooleanQuery::new(clauses), &TopDocs::with_limit(1).order_by_score())?;
        found.first().map(|(_, address)| self.body(*address)).transpose()
    }

    pub(super) fn body(&self, address: DocAddress) -> Result<Vec<u8>, IndexError> {
        let document: TantivyDocument = self.searcher.doc(address)?;
        let body = document.get_first(self.fields.body).and_then(|value| value.as_bytes());
        body.map(<[u8]>::to_vec).ok_or(IndexError::NoBody)
    }

    pub(super) fn bodies_of(&self, query: &dyn Query, most: usize) -> Result<Result<Vec<Vec<u8>>, usize>, IndexError> {
        let found = self.searcher.search(query, &DocSetCollector)?;
        if found.len() > most {
            return Ok(Err(found.len()));
        }
        // Documents of one block are read together.
        let mut found: Vec<DocAddress> = found.into_iter().collect();
        found.sort_unstable();
        found.into_iter().map(|address| self.body(address)).collect::<Result<_, _>>().map(Ok)
    }

    /// Every body, in no order.
    ///
    /// # Errors
    /// [`IndexError`]; what `each` answers is passed on.
    pub fn each_body(&self, mut each: impl FnMut(&[u8])) -> Result<(), IndexError> {
        for segment in self.searcher.segment_readers() {
            let store = segment.get_store_reader(1).map_err(|source| IndexError::File { operation: "read", source })?;
            for document in store.iter::<TantivyDocument>(segment.alive_bitset()) {
                let document = document?;
                each(
                    document
                        .get_first(self.fields.body)
                        .and_then(|value| value.as_bytes())
                        .ok_or(IndexError::NoBody)?,
                );
            }
        }
        Ok(())
    }
}
