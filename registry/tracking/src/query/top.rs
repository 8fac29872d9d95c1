//! The first few of many, without sorting all.

use std::cmp::Ordering;

/// Keeps the first `kept` of the items that it is given, in little more memory than they take.
pub(super) struct Top<T, C> {
    kept: usize,
    compare: C,
    items: Vec<T>,
    /// What comes behind it cannot be among the first.
    last: Option<T>,
}

/// How many items are gathered before those that cannot be among the first are dropped: so many that dropping costs little for each.
const ROOM: usize = 1_024;

impl<T: Copy, C: Fn(&T, &T) -> Ordering> Top<T, C> {
    pub(super) fn new(kept: usize, compare: C) -> Self {
        Self { kept, compare, items: Vec::new(), last: None }
    }

    pub(super) fn push(&mut self, item: T) {
        if self.kept == 0 || self.last.as_ref().is_some_and(|last| (self.compare)(&item, last).is_ge()) {
            return;
        }
        self.items.push(item);
        if self.items.len() >= self.kept.saturating_mul(2).saturating_add(ROOM) {
            let (_, last, _) = self.items.select_nth_unstable_by(self.kept - 1, &self.compare);
            self.last = Some(*last);
            self.items.truncate(self.kept);
        }
    }

    /// The first items, in order.
    pub(super) fn into_sorted(mut self) -> Vec<T> {
        self.items.sort_unstable_by(&self.compare);
        self.items.truncate(self.kept);
        self.items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Top;

    proptest! {
        #[test]
        fn it_keeps_what_sorting_everything_would_put_first(
            items in proptest::collection::vec(0_u32..5_000, 0..6_000),
            kept in 0_usize..400,
        ) {
            let mut top = Top::new(kept, u32::cmp);
            items.iter().for_each(|item| top.push(*item));
            let mut sorted = items;
            sorted.sort_unstable();
            sorted.truncate(kept);
            prop_assert_eq!(top.into_sorted(), sorted);
        }
    }
}
