//! The best rows so far of those that were looked at.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::rows::Row;

/// A number with how near its vector is; the greater is the better one, of equal ones the later.
#[derive(PartialEq)]
pub(super) struct Scored(pub f32, pub Row);

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// The best ones, as many as are wanted.
pub(super) struct Best {
    limit: usize,
    found: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    pub fn new(limit: usize) -> Self {
        Self { limit, found: BinaryHeap::new() }
    }

    /// Whether there are as many as are wanted.
    pub fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    /// Takes one in that is among the best; only of such a one is asked whether it may be answered.
    pub fn offer(&mut self, scored: Scored, may: impl FnOnce() -> bool) {
        let full = self.is_full();
        if full && self.found.peek().is_none_or(|Reverse(least)| scored < *least) {
            return;
        }
        if may() {
            self.found.push(Reverse(scored));
            if full {
                self.found.pop();
            }
        }
    }

    pub fn into_vec(self) -> Vec<Scored> {
        self.found.into_iter().map(|Reverse(scored)| scored).collect()
    }
}
