use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Latest, RECENT_READINGS};
use crate::Fold;
use crate::testing::{frame, logged};

#[test]
fn the_newest_source_time_wins() {
    let mut latest = Latest::default();
    latest.apply(&logged(0, frame(0, vec![("S", 10, 1.0), ("S", 30, 3.0)])));
    latest.apply(&logged(1, frame(1, vec![("S", 20, 2.0), ("T", 5, 9.0)])));
    let newest = latest.value("S").unwrap();
    assert_eq!((newest.value.as_f64(), newest.position.get(), newest.row), (Some(3.0), 0, 1));
    let values: Vec<_> = latest.signal("S").unwrap().recent().filter_map(|sample| sample.value.as_f64()).collect();
    assert_eq!(values, [1.0, 2.0, 3.0]);
    assert_eq!(latest.signal("S").unwrap().count(), 3);
    let since: Vec<_> =
        latest.signal("S").unwrap().since(latest.signal("S").unwrap().recent().nth(1).unwrap().time()).collect();
    assert_eq!(since.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// The ring holds the newest readings, in whatever order they come.
    #[test]
    fn the_ring_holds_the_newest(frames in prop::collection::vec(prop::collection::vec(0_i64..5_000, 1..200), 1..8)) {
        let mut latest = Latest::default();
        let mut all: BTreeMap<(i64, u64, usize), f64> = BTreeMap::new();
        for (times, position) in frames.iter().zip(0_u64..) {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            all.extend(sorted.iter().enumerate().map(|(row, time)| ((*time, position, row), *time as f64)));
            latest.apply(&logged(position, frame(position, times.iter().map(|time| ("S", *time, *time as f64)).collect())));
        }
        let series = latest.signal("S").unwrap();
        let kept: Vec<f64> = series.recent().filter_map(|sample| sample.value.as_f64()).collect();
        let expected: Vec<f64> = all.values().copied().skip(all.len().saturating_sub(RECENT_READINGS)).collect();
        prop_assert_eq!(kept, expected);
        prop_assert_eq!(series.count(), all.len() as u64);
    }
}
