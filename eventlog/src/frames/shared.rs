//! Lists of many columns in one piece of memory.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

/// A list that reads like a slice and is cheap to clone. The columns of a frame that was decoded are parts of a few pieces of memory, so that a frame of two
/// thousand short columns takes no allocation for each of them. Who keeps one column keeps the memory of all: copy what is to be kept for long.
pub struct Shared<T> {
    // Invariant: filled before anybody outside of the frame codec sees the list.
    memory: Memory<T>,
    start: u32,
    end: u32,
}

/// What lists are parts of; filled once.
type Memory<T> = Arc<OnceLock<Vec<T>>>;

impl<T> Shared<T> {
    /// Whether both are the same piece of memory: a cheap yes, and no more than a hint otherwise.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.memory, &other.memory) && (self.start, self.end) == (other.start, other.end)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { memory: Arc::clone(&self.memory), start: self.start, end: self.end }
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let all = self.memory.get().map(Vec::as_slice).unwrap_or_default();
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    /// At most 2³² elements: columns have far fewer rows.
    fn from(list: Vec<T>) -> Self {
        let end = u32::try_from(list.len()).unwrap_or(u32::MAX);
        Self { memory: Arc::new(OnceLock::from(list)), start: 0, end }
    }
}

impl<T: Clone> From<&[T]> for Shared<T> {
    fn from(list: &[T]) -> Self {
        list.to_vec().into()
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(list: I) -> Self {
        Vec::from_iter(list).into()
    }
}

/// Lists that are still being filled, and already handed out.
pub(crate) struct Filling<T> {
    pub(crate) list: Vec<T>,
    memory: Memory<T>,
}

impl<T> Default for Filling<T> {
    fn default() -> Self {
        Self { list: Vec::new(), memory: Arc::default() }
    }
}

impl<T> Filling<T> {
    /// Empty, with room for so many.
    pub(crate) fn with_room(count: usize) -> Self {
        Self { list: Vec::with_capacity(count), memory: Arc::default() }
    }

    /// A part that can be read after [`finish`](Self::finish).
    pub(crate) fn part(&self, range: Range<usize>) -> Shared<T> {
        let [start, end] = [range.start, range.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Shared { memory: Arc::clone(&self.memory), start, end }
    }

    /// The part from `start` on.
    pub(crate) fn since(&self, start: usize) -> Shared<T> {
        self.part(start..self.list.len())
    }

    /// From here on the parts can be read.
    pub(crate) fn finish(self) {
        // It is set here only.
        let _ = self.memory.set(self.list);
    }
}
