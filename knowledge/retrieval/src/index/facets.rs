//! How many documents have each value of a facet.

use std::collections::BTreeMap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::StrColumn;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::Facet;

/// For each facet that was asked for, its values with their counts, the most frequent first.
pub type FacetCounts = BTreeMap<&'static str, Vec<(String, u64)>>;

/// Counts the values of facets among the documents of a query.
pub(super) struct CountFacets<'a>(pub &'a [Facet]);

pub(super) struct Counting {
    columns: Vec<(&'static str, StrColumn, Vec<u64>)>,
}

impl Collector for CountFacets<'_> {
    type Fruit = BTreeMap<&'static str, BTreeMap<String, u64>>;
    type Child = Counting;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<Counting> {
        let mut columns = Vec::new();
        for facet in self.0 {
            if let Some(column) = segment.fast_fields().str(facet.as_str())? {
                let values = vec![0; column.num_terms()];
                columns.push((facet.as_str(), column, values));
            }
        }
        Ok(Counting { columns })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let mut merged = Self::Fruit::new();
        for fruit in fruits {
            for (facet, counts) in fruit {
                for (value, count) in counts {
                    *merged.entry(facet).or_default().entry(value).or_default() += count;
                }
            }
        }
        Ok(merged)
    }
}

impl SegmentCollector for Counting {
    type Fruit = BTreeMap<&'static str, BTreeMap<String, u64>>;

    fn collect(&mut self, document: DocId, _: Score) {
        for (_, column, counts) in &mut self.columns {
            for ordinal in column.term_ords(document) {
                if let Some(count) = usize::try_from(ordinal).ok().and_then(|at| counts.get_mut(at)) {
                    *count += 1;
                }
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        let mut found = Self::Fruit::new();
        for (facet, column, counts) in self.columns {
            for (ordinal, count) in (0_u64..).zip(counts).filter(|(_, count)| *count > 0) {
                let mut value = String::new();
                // A value that cannot be read is counted under an empty name, which shows.
                if !column.ord_to_str(ordinal, &mut value).unwrap_or(false) {
                    value.clear();
                }
                *found.entry(facet).or_default().entry(value).or_default() += count;
            }
        }
        found
    }
}

/// The most frequent values first, at most `most` of each facet.
pub(super) fn ranked(counts: BTreeMap<&'static str, BTreeMap<String, u64>>, most: usize) -> FacetCounts {
    counts
        .into_iter()
        .map(|(facet, counts)| {
            let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            counts.truncate(most);
            (facet, counts)
        })
        .collect()
}
