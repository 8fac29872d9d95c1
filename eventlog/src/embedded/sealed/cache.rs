//! What was decoded from sealed segments and may be asked for again, within a limit of bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;
use parking_lot::Mutex;

use super::block::Block;
use super::chunk::{Chunk, Page};
use super::layout::Directory;
use crate::embedded::signals::Signals;

/// One part of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::embedded) struct Key {
    /// A number that no other open file has.
    pub(super) file: u64,
    pub(super) part: Part,
}

impl Key {
    /// The signals of a segment that is not sealed: there is one of each number.
    pub(in crate::embedded) fn signals(segment: u64) -> Self {
        Self { file: segment, part: Part::Signals }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Directory,
    Block(u32),
    Chunk(u32),
    Page(u32, u32),
    Signals,
}

/// What is kept.
#[derive(Clone, Debug)]
pub(in crate::embedded) enum Kept {
    Directory(Arc<Directory>),
    Block(Arc<Block>),
    Chunk(Arc<Chunk>),
    Page(Arc<Page>),
    Signals(Arc<Mutex<Signals>>),
}

/// The parts that were used last, up to a limit of bytes.
#[derive(Debug)]
pub(in crate::embedded) struct Cache {
    limit: usize,
    kept: Mutex<State>,
    files: AtomicU64,
}

#[derive(Debug)]
struct State {
    parts: LruCache<Key, (Kept, usize)>,
    bytes: usize,
}

impl Cache {
    pub(in crate::embedded) fn new(limit: usize) -> Arc<Self> {
        let kept = Mutex::new(State { parts: LruCache::unbounded(), bytes: 0 });
        Arc::new(Self { limit, kept, files: AtomicU64::new(0) })
    }

    /// A number for a file that was opened.
    pub(in crate::embedded) fn next_file(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::embedded) fn get(&self, key: Key) -> Option<Kept> {
        self.kept.lock().parts.get(&key).map(|(kept, _)| kept.clone())
    }

    /// Keeps a part that takes so many bytes; what was not used for the longest time goes. A part beyond the limit is not kept.
    pub(in crate::embedded) fn put(&self, key: Key, kept: Kept, bytes: usize) {
        let mut state = self.kept.lock();
        if let Some((_, before)) = state.parts.pop(&key) {
            state.bytes -= before;
        }
        if bytes > self.limit {
            return;
        }
        state.bytes += bytes;
        state.parts.put(key, (kept, bytes));
        while state.bytes > self.limit {
            let Some((_, (_, freed))) = state.parts.pop_lru() else { return };
            state.bytes -= freed;
        }
    }

    /// The bytes that are kept now.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.kept.lock().bytes
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
