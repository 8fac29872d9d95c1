//! Texts that are kept once, however often they are used: keys, values, names.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Stands for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TextId(u32);

#[derive(Debug)]
struct Slot {
    text: Box<str>,
    /// How many hold it; with none the slot is free.
    uses: u32,
}

/// The texts. Who interns one holds it, and releases it when it is of no use any more; so a tag that changes each second leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    slots: Vec<Slot>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Texts {
    /// The text's id, held once more.
    pub(crate) fn intern(&mut self, text: &str) -> TextId {
        let hash = self.hasher.hash_one(text);
        let slots = &self.slots;
        if let Some(&id) = self.table.find(hash, |&id| text_of(slots, id) == text) {
            if let Some(slot) = self.slots.get_mut(id as usize) {
                slot.uses = slot.uses.saturating_add(1);
            }
            return TextId(id);
        }
        let slot = Slot { text: text.into(), uses: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.slots.get_mut(id as usize) {
                    *place = slot;
                }
                id
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.table.insert_unique(hash, id, |&id| hasher.hash_one(text_of(slots, id)));
        TextId(id)
    }

    /// Lets a text go.
    pub(crate) fn release(&mut self, id: TextId) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return };
        // A text that was ever held by everybody is never let go: its count is not known any more.
        if slot.uses == 0 || slot.uses == u32::MAX {
            return;
        }
        slot.uses -= 1;
        if slot.uses > 0 {
            return;
        }
        let text = std::mem::take(&mut slot.text);
        if let Ok(entry) = self.table.find_entry(self.hasher.hash_one(&*text), |&other| other == id.0) {
            entry.remove();
        }
        self.free.push(id.0);
    }

    /// The text.
    pub(crate) fn get(&self, id: TextId) -> &str {
        text_of(&self.slots, id.0)
    }

    /// The id of a text that somebody holds.
    pub(crate) fn find(&self, text: &str) -> Option<TextId> {
        self.table.find(self.hasher.hash_one(text), |&id| text_of(&self.slots, id) == text).map(|&id| TextId(id))
    }

    /// How many texts are held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

fn text_of(slots: &[Slot], id: u32) -> &str {
    slots.get(id as usize).map_or("", |slot| &slot.text)
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn a_text_is_kept_once_and_goes_with_its_last_use() {
        let mut texts = Texts::default();
        let first = texts.intern("loss");
        let other = texts.intern("accuracy");
        assert_eq!(texts.intern("loss"), first);
        assert_eq!((texts.get(first), texts.get(other), texts.len()), ("loss", "accuracy", 2));
        texts.release(first);
        assert_eq!(texts.find("loss"), Some(first));
        texts.release(first);
        assert_eq!((texts.find("loss"), texts.len()), (None, 1));
        let again = texts.intern("recall");
        assert_eq!((texts.get(again), texts.get(other)), ("recall", "accuracy"));
    }

    #[test]
    fn many_texts_are_all_found_again() {
        let mut texts = Texts::default();
        let ids: Vec<_> = (0..2_000).map(|number| texts.intern(&format!("key-{number}"))).collect();
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(texts.find(&format!("key-{number}")), Some(*id));
            assert_eq!(texts.get(*id), format!("key-{number}"));
        }
    }
}
