#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use super::*;

fn key(file: u64) -> Key {
    Key { file, part: Part::Directory }
}

#[test]
fn what_was_not_used_for_long_goes_first() {
    let cache = Cache::new(100);
    let part = || Kept::Directory(Arc::default());
    for file in 0..4 {
        cache.put(key(file), part(), 25);
    }
    assert!(cache.get(key(0)).is_some());
    cache.put(key(4), part(), 30);
    let there: Vec<bool> = (0..5).map(|file| cache.get(key(file)).is_some()).collect();
    assert_eq!(there, [true, false, false, true, true]);
    assert_eq!(cache.bytes(), 80);
    cache.put(key(4), part(), 10);
    assert_eq!(cache.bytes(), 60);
    cache.put(key(5), part(), 101);
    assert!(cache.get(key(5)).is_none());
    assert_eq!(cache.bytes(), 60);
}
