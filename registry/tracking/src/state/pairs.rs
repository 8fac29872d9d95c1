//! Sorted lists of a few entries, in boxes that are no larger than they must be.

use super::rows::{Latest, Pair};
use super::texts::{TextId, Texts};

/// An entry with a key.
pub(crate) trait Keyed {
    fn key(&self) -> TextId;
}

impl Keyed for Pair {
    fn key(&self) -> TextId {
        self.key
    }
}

impl Keyed for Latest {
    fn key(&self) -> TextId {
        self.key
    }
}

/// The entry with the key.
pub(crate) fn find<T: Keyed>(list: &[T], key: TextId) -> Option<&T> {
    list.binary_search_by_key(&key, Keyed::key).ok().and_then(|at| list.get(at))
}

/// Puts entries into a list. `merge` gets an entry that is there already, and the new one with that key, and releases what it does not keep.
pub(crate) fn upsert<T: Keyed + Copy>(
    list: &mut Box<[T]>,
    new: impl IntoIterator<Item = T>,
    mut merge: impl FnMut(&mut T, T),
) {
    let mut entries = std::mem::take(list).into_vec();
    for entry in new {
        match entries.binary_search_by_key(&entry.key(), Keyed::key) {
            Ok(at) => {
                if let Some(present) = entries.get_mut(at) {
                    merge(present, entry);
                }
            }
            Err(at) => entries.insert(at, entry),
        }
    }
    *list = entries.into_boxed_slice();
}

/// Sets tags: the new value counts.
pub(crate) fn set<'a>(texts: &mut Texts, list: &mut Box<[Pair]>, new: impl Iterator<Item = (&'a str, &'a str)>) {
    let new: Vec<Pair> = new.map(|(key, value)| Pair { key: texts.intern(key), value: texts.intern(value) }).collect();
    upsert(list, new, |present, new| {
        texts.release(new.key);
        texts.release(present.value);
        present.value = new.value;
    });
}

/// Sets parameters: the first value counts.
pub(crate) fn set_once<'a>(texts: &mut Texts, list: &mut Box<[Pair]>, new: impl Iterator<Item = (&'a str, &'a str)>) {
    let new: Vec<Pair> = new.map(|(key, value)| Pair { key: texts.intern(key), value: texts.intern(value) }).collect();
    upsert(list, new, |_, new| {
        texts.release(new.key);
        texts.release(new.value);
    });
}

/// Takes a tag away.
pub(crate) fn remove(texts: &mut Texts, list: &mut Box<[Pair]>, key: &str) -> bool {
    let Some(key) = texts.find(key) else { return false };
    let Ok(at) = list.binary_search_by_key(&key, Keyed::key) else { return false };
    let mut entries = std::mem::take(list).into_vec();
    let gone = entries.remove(at);
    *list = entries.into_boxed_slice();
    texts.release(gone.key);
    texts.release(gone.value);
    true
}
