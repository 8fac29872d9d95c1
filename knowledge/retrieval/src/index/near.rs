//! Documents that are named by their keys: those whose meaning is near.

use std::collections::HashMap;

use tantivy::query::{EnableScoring, Query};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet as _, TERMINATED, TantivyError, Term};

use super::fields::VALID_FROM;
use super::store::View;
use super::{Document, IndexError};

impl View {
    /// Where the documents with these keys are, each with its number, without those that the query leaves out.
    pub(super) fn named(
        &self,
        keys: &[(String, f32)],
        query: &dyn Query,
    ) -> Result<HashMap<DocAddress, f32>, IndexError> {
        let mut found = HashMap::new();
        if keys.is_empty() {
            return Ok(found);
        }
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        for (segment, reader) in (0_u32..).zip(self.searcher.segment_readers()) {
            let inverted = reader.inverted_index(self.fields.id)?;
            let begins = reader.fast_fields().u64(VALID_FROM)?;
            let mut documents = Vec::new();
            for (key, number) in keys {
                let Some((id, valid_from)) = Document::read_key(key) else { continue };
                let term = Term::from_field_text(self.fields.id, id);
                let postings = inverted.read_postings(&term, IndexRecordOption::Basic);
                let Some(mut postings) = postings.map_err(TantivyError::from)? else { continue };
                while postings.doc() != TERMINATED {
                    // A version that was written anew stands there twice until segments are merged.
                    let document = postings.doc();
                    if begins.first(document) == Some(valid_from) && !reader.is_deleted(document) {
                        documents.push((document, *number));
                    }
                    postings.advance();
                }
            }
            if documents.is_empty() {
                continue;
            }
            // Scorers only move forward.
            documents.sort_unstable_by_key(|(document, _)| *document);
            let mut scorer = weight.scorer(reader, 1.0)?;
            for (document, number) in documents {
                let at = if scorer.doc() < document { scorer.seek(document) } else { scorer.doc() };
                if at == document {
                    found.insert(DocAddress::new(segment, document), number);
                }
            }
        }
        Ok(found)
    }

    /// How many of the documents fit the query.
    pub(super) fn fitting(
        &self,
        documents: impl Iterator<Item = DocAddress>,
        query: &dyn Query,
    ) -> Result<usize, IndexError> {
        let mut documents: Vec<DocAddress> = documents.collect();
        if documents.is_empty() {
            return Ok(0);
        }
        documents.sort_unstable();
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        let mut fitting = 0;
        for of_segment in documents.chunk_by(|a, b| a.segment_ord == b.segment_ord) {
            let Some(segment) = of_segment.first().map(|first| first.segment_ord) else { continue };
            let mut scorer = weight.scorer(self.searcher.segment_reader(segment), 1.0)?;
            for DocAddress { doc_id, .. } in of_segment {
                let at = if scorer.doc() < *doc_id { scorer.seek(*doc_id) } else { scorer.doc() };
                fitting += usize::from(at == *doc_id);
            }
        }
        Ok(fitting)
    }
}
