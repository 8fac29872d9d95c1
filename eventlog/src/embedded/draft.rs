//! What the caller's task makes of its events before they have a place: bytes of records and leaves with gaps that the committer fills.

use super::codec::{SharedPayload, put_event, put_head};
use crate::NewEvent;
use crate::checksum;
use crate::leaf::{LEAF_BYTES, LeafParts, put_leaf};

/// A payload of this size or more is not copied on its way to the disk, and its checksum is made once, here.
const SHARED_PAYLOAD_BYTES: usize = 16 * 1024;

/// The events of one call, encoded as far as their caller knows them.
pub(super) struct Drafts {
    /// The records, one after the other, without the payloads that are shared.
    pub(super) records: Vec<u8>,
    /// The leaves without their places, one after the other.
    pub(super) leaves: Vec<u8>,
    pub(super) each: Vec<Draft>,
    /// The bytes of all records, with the payloads that are shared.
    pub(super) bytes: usize,
}

/// One event of [`Drafts`].
pub(super) struct Draft {
    /// Its bytes in the records.
    pub(super) record_bytes: usize,
    /// Its bytes in the leaves: those before its revision, and all.
    pub(super) leaf_bytes: (usize, usize),
    pub(super) payload: Option<SharedPayload>,
}

impl Drafts {
    pub(super) fn new(events: &[NewEvent]) -> Self {
        let shared = |event: &NewEvent| event.payload.len() >= SHARED_PAYLOAD_BYTES;
        let copied = |event: &NewEvent| 512 + if shared(event) { 0 } else { event.payload.len() };
        let mut records = Vec::with_capacity(events.iter().map(copied).sum());
        let mut leaves = Vec::with_capacity(events.len() * LEAF_BYTES);
        let mut each = Vec::with_capacity(events.len());
        let mut bytes = 0;
        for event in events {
            let (record_at, leaf_at) = (records.len(), leaves.len());
            let payload = shared(event).then(|| {
                let bytes = event.payload.clone();
                SharedPayload { checksum: checksum::crc32c(&bytes), bytes }
            });
            match &payload {
                Some(payload) => {
                    put_head(&mut records, event);
                    bytes += payload.bytes.len();
                }
                None => put_event(&mut records, event),
            }
            let before_revision = put_leaf(&mut leaves, &LeafParts::of_event(event));
            let leaf_bytes = (before_revision, leaves.len() - leaf_at);
            each.push(Draft { record_bytes: records.len() - record_at, leaf_bytes, payload });
        }
        bytes += records.len();
        Self { records, leaves, each, bytes }
    }
}
