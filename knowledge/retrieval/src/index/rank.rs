//! Judging a few candidates by queries that would be too slow for all documents: scorers are only moved to the candidates.

use std::collections::BTreeMap;

use tantivy::query::{EnableScoring, Query};
use tantivy::{DocAddress, DocId, DocSet as _, Score, Searcher};

/// Documents to be judged, by segment and number.
pub(super) struct Candidates {
    by_segment: BTreeMap<u32, Vec<(DocId, usize)>>,
    count: usize,
}

impl Candidates {
    pub fn new(addresses: impl Iterator<Item = DocAddress>) -> Self {
        let mut by_segment: BTreeMap<u32, Vec<(DocId, usize)>> = BTreeMap::new();
        let mut count = 0;
        for address in addresses {
            by_segment.entry(address.segment_ord).or_default().push((address.doc_id, count));
            count += 1;
        }
        // Scorers only move forward.
        by_segment.values_mut().for_each(|documents| documents.sort_unstable());
        Self { by_segment, count }
    }

    /// The score of each candidate under the query, in the order in which they were given; 0 where it does not fit.
    pub fn scores(&self, searcher: &Searcher, query: &dyn Query) -> tantivy::Result<Vec<Score>> {
        let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
        let mut scores = vec![0.0; self.count];
        for (segment, documents) in &self.by_segment {
            let mut scorer = weight.scorer(searcher.segment_reader(*segment), 1.0)?;
            for (document, at) in documents {
                let found = if scorer.doc() < *document { scorer.seek(*document) } else { scorer.doc() };
                if found == *document
                    && let Some(score) = scores.get_mut(*at)
                {
                    *score = scorer.score();
                }
            }
        }
        Ok(scores)
    }
}
