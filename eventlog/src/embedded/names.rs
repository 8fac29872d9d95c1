//! Names that were read lately: most records share theirs with others, so that their texts need no copy and no second validation.

use crate::{EventType, InvalidName, StreamId, Tag};

/// How many names of each kind are kept, one for each slot.
const SLOTS: usize = 2048;

/// One reader's names. A name is looked for in one slot; what it finds there instead makes way. So it is small, and bounded. The default keeps none:
/// for single records.
#[derive(Default)]
pub(super) struct Names {
    streams: Slots<StreamId>,
    event_types: Slots<EventType>,
    tags: Slots<Tag>,
}

impl Names {
    /// For many records.
    pub(super) fn keeping() -> Self {
        Self { streams: Slots::new(), event_types: Slots::new(), tags: Slots::new() }
    }

    pub(super) fn stream(&mut self, bytes: &[u8]) -> Option<StreamId> {
        self.streams.name(bytes, StreamId::as_str, StreamId::new)
    }

    pub(super) fn event_type(&mut self, bytes: &[u8]) -> Option<EventType> {
        self.event_types.name(bytes, EventType::as_str, EventType::new)
    }

    pub(super) fn tag(&mut self, bytes: &[u8]) -> Option<Tag> {
        self.tags.name(bytes, Tag::as_str, Tag::new)
    }
}

struct Slots<T>(Vec<Option<T>>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Slots<T> {
    fn new() -> Self {
        Self(vec![None; SLOTS])
    }

    /// The name in these bytes. What is in a slot was validated when it came there.
    fn name(
        &mut self,
        bytes: &[u8],
        text: impl Fn(&T) -> &str,
        new: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Option<T> {
        let slot = self.0.get_mut(slot(bytes));
        if let Some(Some(name)) = &slot
            && text(name).as_bytes() == bytes
        {
            return Some(name.clone());
        }
        let name = new(std::str::from_utf8(bytes).ok()?).ok()?;
        if let Some(slot) = slot {
            *slot = Some(name.clone());
        }
        Some(name)
    }
}

/// From the length, the first and the last eight bytes: names differ at their ends.
fn slot(bytes: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let first = bytes.first_chunk::<8>().map_or_else(|| word(bytes), |first| u64::from_le_bytes(*first));
    let last = bytes.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
    let mixed = (first ^ last.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(FACTOR);
    (mixed >> 32) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_its_bytes_say_whatever_was_there_before() {
        let mut names = Names::keeping();
        let mut seen = std::collections::HashSet::new();
        for round in 0..2 {
            for number in 0..5_000 {
                let text = format!("order-{number}");
                assert_eq!(names.stream(text.as_bytes()), StreamId::new(&text).ok(), "round {round}");
                seen.insert(slot(text.as_bytes()));
            }
        }
        assert!(seen.len() > SLOTS / 2, "{} slots are used", seen.len());
        for wrong in [b"order".as_slice(), b"", b"order-\xff", b"-1", b"order-\n"] {
            assert_eq!(names.stream(wrong), None, "{wrong:?}");
        }
        assert_eq!(names.tag(b"a:b"), Tag::new("a:b").ok());
        assert_eq!(names.event_type(b"a"), EventType::new("a").ok());
    }
}
