//! Names that were read lately: most records share theirs with others, so that their texts need no copy and no second validation.

use std::sync::Arc;

use super::codec::{TagBytes, View};
use super::fields::Fields;
use crate::admission::MAX_TAGS;
use crate::{EventType, StreamId, Tag};

/// How many names of each kind are kept, one for each slot.
const SLOTS: usize = 2048;

/// One reader's names. A name is looked for in one slot; what it finds there instead makes way. So it is small, and bounded. The default keeps one of
/// each kind: for single records.
#[derive(Default)]
pub(super) struct Names {
    streams: Slots<StreamId>,
    event_types: Slots<EventType>,
    tags: Slots<Tag>,
    tag_lists: Slots<Arc<[Tag]>>,
    texts: Slots<Arc<str>>,
}

impl Names {
    /// For many records.
    pub(super) fn keeping() -> Self {
        Self {
            streams: Slots::new(),
            event_types: Slots::new(),
            tags: Slots::new(),
            tag_lists: Slots::new(),
            texts: Slots::new(),
        }
    }

    pub(super) fn stream(&mut self, bytes: &[u8]) -> Option<&StreamId> {
        self.streams.stream(bytes)
    }

    pub(super) fn event_type(&mut self, bytes: &[u8]) -> Option<&EventType> {
        self.event_types.event_type(bytes)
    }

    /// A text without rules: an actor, a source.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Option<&Arc<str>> {
        self.texts.get(bytes, |known| known.as_bytes() == bytes, || text(bytes).map(Arc::from))
    }

    /// The tags of a record.
    pub(super) fn tags(&mut self, list: TagBytes<'_>) -> Option<&Arc<[Tag]>> {
        self.tag_lists.tag_list(list, &mut self.tags)
    }

    /// What a record is found by.
    pub(super) fn keys(&mut self, view: &View<'_>) -> Option<(&StreamId, &EventType, &[Tag])> {
        let stream = self.streams.stream(view.stream)?;
        let event_type = self.event_types.event_type(view.event_type)?;
        Some((stream, event_type, self.tag_lists.tag_list(view.tags, &mut self.tags)?))
    }
}

impl Slots<StreamId> {
    #[inline]
    fn stream(&mut self, bytes: &[u8]) -> Option<&StreamId> {
        self.get(bytes, |name| name.as_str().as_bytes() == bytes, || StreamId::new(text(bytes)?).ok())
    }
}

impl Slots<EventType> {
    #[inline]
    fn event_type(&mut self, bytes: &[u8]) -> Option<&EventType> {
        self.get(bytes, |name| name.as_str().as_bytes() == bytes, || EventType::new(text(bytes)?).ok())
    }
}

impl Slots<Arc<[Tag]>> {
    /// Many records carry the same tags, so that whole lists are kept, and the single ones for new lists.
    #[inline]
    fn tag_list(&mut self, list: TagBytes<'_>, tags: &mut Slots<Tag>) -> Option<&Arc<[Tag]>> {
        self.get(list.bytes, |known| are(known, list), || read_tags(list, tags))
    }
}

fn read_tags(list: TagBytes<'_>, tags: &mut Slots<Tag>) -> Option<Arc<[Tag]>> {
    let mut fields = Fields::new(list.bytes);
    let mut read = Vec::with_capacity(usize::from(list.count).min(MAX_TAGS));
    for _ in 0..list.count {
        let bytes = fields.text_bytes()?;
        let known = |tag: &Tag| tag.as_str().as_bytes() == bytes;
        read.push(tags.get(bytes, known, || Tag::new(text(bytes)?).ok())?.clone());
    }
    Some(read.into())
}

/// Whether these are the tags in the bytes.
fn are(tags: &[Tag], list: TagBytes<'_>) -> bool {
    let mut fields = Fields::new(list.bytes);
    tags.len() == usize::from(list.count)
        && tags.iter().all(|tag| fields.text_bytes().is_some_and(|bytes| bytes == tag.as_str().as_bytes()))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

struct Slots<T>(Vec<Option<T>>);

impl<T: Clone> Default for Slots<T> {
    fn default() -> Self {
        Self(vec![None])
    }
}

impl<T: Clone> Slots<T> {
    fn new() -> Self {
        Self(vec![None; SLOTS])
    }

    /// What these bytes name: what is in their slot when it `is` that, otherwise what is made of them, which takes the slot. What is in a slot was
    /// validated when it came there.
    #[inline]
    fn get(&mut self, bytes: &[u8], is: impl FnOnce(&T) -> bool, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        // The number of slots is a power of two.
        let index = slot(bytes) & (self.0.len() - 1);
        let slot = self.0.get_mut(index)?;
        if !slot.as_ref().is_some_and(is) {
            *slot = Some(make()?);
        }
        slot.as_ref()
    }
}

/// A number from the length, the first and the last eight bytes: names differ at their ends.
fn slot(bytes: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let first = bytes.first_chunk::<8>().map_or_else(|| word(bytes), |first| u64::from_le_bytes(*first));
    let last = bytes.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
    let mixed = (first ^ last.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(FACTOR);
    (mixed >> 32) as usize
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
                assert_eq!(names.stream(text.as_bytes()), StreamId::new(&text).ok().as_ref(), "round {round}");
                seen.insert(slot(text.as_bytes()) % SLOTS);
            }
        }
        assert!(seen.len() > SLOTS / 2, "{} slots are used", seen.len());
        for wrong in [b"order".as_slice(), b"", b"order-\xff", b"-1", b"order-\n"] {
            assert_eq!(names.stream(wrong), None, "{wrong:?}");
        }
        assert_eq!(names.event_type(b"a"), EventType::new("a").ok().as_ref());
        assert_eq!(names.text("布".as_bytes()).map(|text| &**text), Some("布"));
        assert_eq!(names.text(b"\xff"), None);
    }

    #[test]
    fn a_list_of_tags_is_what_its_bytes_say_whatever_was_there_before() {
        let bytes = |tags: &[&str]| {
            let mut bytes = Vec::new();
            for tag in tags {
                bytes.extend(u16::try_from(tag.len()).unwrap().to_le_bytes());
                bytes.extend(tag.as_bytes());
            }
            bytes
        };
        // With one slot, each list finds another one there.
        let mut names = Names::default();
        let lists = [&["a:b", "c:d"][..], &[], &["a:b"], &["a:b", "c:d", "a:b"], &["a:bc", ":d"], &["a:b", "c:e"]];
        for _ in 0..2 {
            for list in lists {
                let expected: Option<Vec<Tag>> = list.iter().map(|tag| Tag::new(tag).ok()).collect();
                let written = bytes(list);
                let given = TagBytes { bytes: &written, count: u16::try_from(list.len()).unwrap() };
                assert_eq!(names.tags(given).map(|tags| tags.to_vec()), expected, "{list:?}");
            }
        }
    }
}
