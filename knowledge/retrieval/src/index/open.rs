//! Which versions have no end: what a search for the newest looks at.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::index::SegmentId;
use tantivy::query::{EnableScoring, Query as _};
use tantivy::{Searcher, SegmentReader};

use super::fields::Fields;

/// The documents that are looked at together.
pub(super) const STRETCH: usize = 64;

/// One bit a document, [`STRETCH`] of them a number, the first document lowest.
pub(super) type Bits = Arc<[u64]>;

/// The versions without an end, by segment. A segment never changes, so that its posting list is read once and not for every question.
#[derive(Debug)]
pub(super) struct OpenVersions {
    fields: Fields,
    segments: Mutex<HashMap<SegmentId, Bits>>,
}

impl OpenVersions {
    pub fn of(fields: &Fields) -> Self {
        Self { fields: *fields, segments: Mutex::default() }
    }

    /// Those of a segment.
    pub fn in_segment(&self, segment: &SegmentReader) -> tantivy::Result<Bits> {
        if let Some(known) = self.segments.lock().get(&segment.segment_id()) {
            return Ok(Arc::clone(known));
        }
        let schema = segment.schema();
        let weight = self.fields.open().weight(EnableScoring::disabled_from_schema(schema))?;
        let documents = usize::try_from(segment.max_doc()).unwrap_or(usize::MAX);
        let mut bits = vec![0_u64; documents.div_ceil(STRETCH)];
        weight.for_each_no_score(segment, &mut |open| {
            for document in open.iter().filter_map(|document| usize::try_from(*document).ok()) {
                if let Some(stretch) = bits.get_mut(document / STRETCH) {
                    *stretch |= 1 << (document % STRETCH);
                }
            }
        })?;
        let bits = Bits::from(bits);
        self.segments.lock().insert(segment.segment_id(), Arc::clone(&bits));
        Ok(bits)
    }

    /// Forgets the segments that are no more.
    pub fn forget_all_but(&self, searcher: &Searcher) {
        let there: Vec<SegmentId> = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        self.segments.lock().retain(|segment, _| there.contains(segment));
    }
}
