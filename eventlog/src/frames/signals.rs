//! Ids of signals that were read before: frame after frame has the same ones, so that they need no copy.

use std::sync::Arc;

/// The most ids that are kept from frame to frame.
const MAX_KEPT: usize = 1 << 16;

/// Ids of signals, ascending, and where the frame that is being read has come to: its ids ascend too.
#[derive(Debug, Default)]
pub(super) struct Signals {
    known: Vec<Arc<str>>,
    /// Behind the last id of the frame.
    at: usize,
}

impl Signals {
    /// The next frame begins.
    pub(super) fn begin(&mut self) {
        if self.known.len() > MAX_KEPT {
            self.known.clear();
        }
        self.at = 0;
    }

    /// The last id of the frame; empty before the first one.
    pub(super) fn last(&self) -> &str {
        self.at.checked_sub(1).and_then(|last| self.known.get(last)).map_or("", |last| last)
    }

    /// The last id once more.
    pub(super) fn again(&self) -> Option<Arc<str>> {
        self.known.get(self.at.checked_sub(1)?).cloned()
    }

    /// The id that begins with the first `shared` bytes of the last one and ends with `rest`, and which comes after it. `None` when it is not UTF-8.
    pub(super) fn next(&mut self, shared: usize, rest: &[u8]) -> Option<Arc<str>> {
        let before = self.last().as_bytes().get(..shared)?;
        let order = |known: &Arc<str>| {
            let (start, end) = known.as_bytes().split_at_checked(shared).unwrap_or((known.as_bytes(), &[]));
            start.cmp(before).then_with(|| end.cmp(rest))
        };
        let later = self.known.get(self.at..).unwrap_or_default();
        // Most frames have the same signals as those before.
        let found = match later.first() {
            Some(first) if order(first).is_eq() => Ok(0),
            _ => later.binary_search_by(order),
        };
        let place = match found {
            Ok(place) => self.at + place,
            Err(place) => {
                let mut id = Vec::with_capacity(shared + rest.len());
                id.extend_from_slice(before);
                id.extend_from_slice(rest);
                let id: Arc<str> = String::from_utf8(id).ok()?.into();
                self.known.insert(self.at + place, id);
                self.at + place
            }
        };
        self.at = place + 1;
        self.known.get(place).cloned()
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
                    prop_assert_eq!(&signals.next(shared, &id.as_bytes()[shared..]), &expected);
                    prop_assert_eq!(&signals.again(), &expected);
                }
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
