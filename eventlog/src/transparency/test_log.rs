//! A log of bare leaves, which tests grow, cut off and change as no log ever may.

use parking_lot::RwLock;
use tokio::sync::watch;

use super::LeafSource;
use crate::{Digest, Position, ReadError, Tree};

pub(super) struct TestLog {
    state: RwLock<State>,
    tail: watch::Sender<Position>,
}

#[derive(Default)]
struct State {
    leaves: Vec<String>,
    digests: Vec<Digest>,
    tree: Tree,
}

impl State {
    fn push(&mut self, leaf: String) {
        let digest = hash(&leaf);
        self.leaves.push(leaf);
        self.digests.push(digest);
        self.tree.push(digest);
    }

    fn set(&mut self, leaves: Vec<String>) {
        *self = Self::default();
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

/// The leaf of a position: the number as text.
pub(super) fn leaf(index: u64) -> String {
    index.to_string()
}

pub(super) fn hash(leaf: &str) -> Digest {
    Digest::of(&[&[0_u8], leaf.as_bytes()].concat())
}

impl TestLog {
    pub(super) fn new(count: u64) -> Self {
        let log = Self { state: RwLock::default(), tail: watch::Sender::new(Position::START) };
        log.grow(count);
        log
    }

    /// Appends leaves up to this number of them.
    pub(super) fn grow(&self, count: u64) {
        let mut state = self.state.write();
        while (state.leaves.len() as u64) < count {
            let next = leaf(state.leaves.len() as u64);
            state.push(next);
        }
        self.tail.send_replace(Position::new(state.leaves.len() as u64));
    }

    pub(super) fn cut(&self, count: u64) {
        let mut state = self.state.write();
        let mut leaves = std::mem::take(&mut state.leaves);
        leaves.truncate(count as usize);
        state.set(leaves);
        self.tail.send_replace(Position::new(count));
    }

    pub(super) fn change(&self, index: u64) {
        let mut state = self.state.write();
        let mut leaves = std::mem::take(&mut state.leaves);
        leaves[index as usize].push('!');
        state.set(leaves);
    }
}

impl LeafSource for TestLog {
    fn tree(&self) -> Tree {
        self.state.read().tree.clone()
    }

    fn watch_tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }

    fn leaf_digests(&self, from: Position, count: usize) -> Result<Vec<Digest>, ReadError> {
        Ok(self.state.read().digests.iter().skip(from.get() as usize).take(count).copied().collect())
    }

    fn leaves(&self, from: Position, count: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let state = self.state.read();
        Ok(state.leaves.iter().skip(from.get() as usize).take(count).map(|leaf| leaf.clone().into_bytes()).collect())
    }
}
