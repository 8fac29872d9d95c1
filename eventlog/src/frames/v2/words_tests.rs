use proptest::prelude::*;

use super::super::super::bytes::Reader;
use super::{Method, Range, Scratch, put_words};

fn words() -> impl Strategy<Value = Vec<i64>> {
    let any_words = prop::collection::vec(any::<i64>(), 1..50);
    let small = prop::collection::vec(-20_i64..20, 1..600);
    let runs = prop::collection::vec((any::<i32>(), 1_usize..90), 1..12)
        .prop_map(|runs| runs.iter().flat_map(|(word, count)| vec![i64::from(*word); *count]).collect());
    let walk = (any::<i64>(), prop::collection::vec(-9_i64..9, 0..700)).prop_map(|(start, steps)| {
        steps.iter().fold(vec![start], |mut words, step| {
            words.push(words[words.len() - 1].wrapping_add(*step));
            words
        })
    });
    prop_oneof![any_words, small, runs, walk]
}

proptest! {
    #[test]
    fn what_was_written_comes_back(words in words(), tail in prop::collection::vec(any::<u8>(), 0..12)) {
        let range = Range::of(&words);
        let mut bytes = Vec::new();
        let method = put_words(&mut bytes, &words, range);
        bytes.extend(&tail);
        let mut reader = Reader::new(&bytes);
        let mut scratch = Scratch::default();
        prop_assert_eq!(scratch.read(&mut reader, method, words.len(), range).unwrap(), words.as_slice());
        prop_assert_eq!(reader.rest(), tail.as_slice());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), rows in 1_usize..400, least in any::<i64>(), span in any::<u64>()) {
        for method in [Method::Packed, Method::Steps, Method::Runs] {
            let _ = Scratch::default().read(&mut Reader::new(&bytes), method, rows, Range { least, span });
        }
    }
}

#[test]
fn each_method_is_chosen_where_it_is_the_smallest() {
    let chosen = |words: &[i64]| {
        let mut bytes = Vec::new();
        (put_words(&mut bytes, words, Range::of(words)), bytes.len())
    };
    let noise: Vec<i64> = (0..100).map(|index| index * 7_919 % 101).collect();
    let counter: Vec<i64> = (0..1_000).map(|index| 5_000_000 + index * 3).collect();
    let steps: Vec<i64> = (0..1_000).map(|index| index / 100 * 977 % 64).collect();
    assert_eq!(chosen(&[4; 1_000]), (Method::Packed, 0));
    assert_eq!(chosen(&noise), (Method::Packed, 88));
    assert_eq!(chosen(&counter), (Method::Steps, 9));
    assert_eq!(chosen(&steps), (Method::Runs, 19));
}
