//! Ids of signals that were read before: frame after frame has the same ones, so that they need no copy.

use std::sync::Arc;

/// The most ids that are kept from frame to frame.
const MAX_KEPT: usize = 1 << 16;

/// Ids of signals, ascending, and where the frame that is being read has come to: its ids ascend too.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Those of all frames.
    known: Vec<Arc<str>>,
    /// Where the next id may stand in `known`.
    at: usize,
    /// Those of the frame before, which has given them away.
    before: Arc<[Arc<str>]>,
    /// How many of them the frame began with.
    same: usize,
    /// What followed them in the frame.
    others: Vec<Arc<str>>,
}

impl Signals {
    /// The next frame begins.
    pub(super) fn begin(&mut self) {
        if self.known.len() > MAX_KEPT {
            self.known.clear();
        }
        self.others.clear();
        (self.at, self.same) = (0, 0);
    }

    /// The last id of the frame; empty before the first one.
    pub(super) fn last(&self) -> &str {
        let same = || self.before.get(self.same.checked_sub(1)?);
        self.others.last().or_else(same).map_or("", |last| last)
    }

    /// The number of the last id once more.
    pub(super) fn again(&self) -> Option<u32> {
        u32::try_from((self.same + self.others.len()).checked_sub(1)?).ok()
    }

    /// The id with this number in the frame.
    pub(super) fn get(&self, number: u32) -> Option<&Arc<str>> {
        let number = number as usize;
        match number.checked_sub(self.same) {
            Some(number) => self.others.get(number),
            None => self.before.get(number),
        }
    }

    /// The number of the id that begins with the first `shared` bytes of the last one and ends with `rest`, and which comes after it. `None` when it is
    /// not UTF-8.
    pub(super) fn next(&mut self, shared: usize, rest: &[u8]) -> Option<u32> {
        let last = self.last().as_bytes().get(..shared)?;
        let order = |known: &Arc<str>| {
            let (start, end) = known.as_bytes().split_at_checked(shared).unwrap_or((known.as_bytes(), &[]));
            start.cmp(last).then_with(|| end.cmp(rest))
        };
        // Most frames have the same signals as the one before.
        if self.others.is_empty() && self.before.get(self.same).is_some_and(|id| order(id).is_eq()) {
            self.same += 1;
            return self.again();
        }
        let later = self.known.get(self.at..).unwrap_or_default();
        let found = match later.first() {
            Some(first) if order(first).is_eq() => Ok(0),
            _ => later.binary_search_by(order),
        };
        let place = match found {
            Ok(place) => self.at + place,
            Err(place) => {
                let mut id = Vec::with_capacity(shared + rest.len());
                id.extend_from_slice(last);
                id.extend_from_slice(rest);
                let id: Arc<str> = String::from_utf8(id).ok()?.into();
                self.known.insert(self.at + place, id);
                self.at + place
            }
        };
        self.at = place + 1;
        self.others.push(self.known.get(place).cloned()?);
        self.again()
    }

    /// The ids of the frame, which ends here.
    pub(super) fn finish(&mut self) -> Arc<[Arc<str>]> {
        if !self.others.is_empty() || self.same < self.before.len() {
            let same = self.before.get(..self.same).unwrap_or_default();
            self.before = same.iter().cloned().chain(self.others.drain(..)).collect();
            self.same = self.before.len();
        }
        Arc::clone(&self.before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_are_what_they_say_whatever_frames_came_before(frames in prop::collection::vec(prop::collection::btree_set("[abä]{1,4}", 1..12), 1..6)) {
            let mut signals = Signals::default();
            for frame in &frames {
                signals.begin();
                for id in frame {
                    let shared = signals.last().bytes().zip(id.bytes()).take_while(|(one, two)| one == two).count();
                    let expected: Option<Arc<str>> = Some(id.as_str().into());
                    let number = signals.next(shared, &id.as_bytes()[shared..]).unwrap();
                    prop_assert_eq!(signals.get(number), expected.as_ref());
                    prop_assert_eq!(signals.again(), Some(number));
                }
                prop_assert!(signals.finish().iter().map(|id| &**id).eq(frame.iter().map(String::as_str)));
            }
            let all: std::collections::BTreeSet<&str> = frames.iter().flatten().map(String::as_str).collect();
            prop_assert!(signals.known.iter().map(|id| &**id).eq(all));
        }
    }

    #[test]
    fn what_is_no_text_is_no_id() {
        let mut signals = Signals::default();
        assert_eq!(signals.next(0, b"\xff"), None);
        assert_eq!(signals.next(1, b"a"), None, "there is nothing to share");
    }
}
