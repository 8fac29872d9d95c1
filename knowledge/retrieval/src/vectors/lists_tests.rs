use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::index::Listing;
use super::lists::trained_at;
use super::*;

const NUMBERS: usize = 48;
const CENTRES: usize = 60;
const SMALL: Listing = Listing { above: 2_000, looked_at: 1_000 };

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn number(&mut self) -> f32 {
        (self.next() % 2_001) as f32 / 1_000.0 - 1.0
    }
}

/// A vector near to the centre of a number.
fn near(centre: u64, random: &mut Random) -> Vec<f32> {
    let mut own = Random(centre.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..NUMBERS).map(|_| own.number() + 0.5 * random.number()).collect()
}

fn valid(number: u64) -> (u64, Option<u64>) {
    (number, number.is_multiple_of(3).then_some(number + 2_000))
}

fn filled(count: u64, listing: Listing) -> VectorIndex {
    let mut index = VectorIndex::with_lists(Rows::in_memory(NUMBERS), listing);
    more(&mut index, 0..count);
    index
}

fn more(index: &mut VectorIndex, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let mut random = Random(number);
        let centre = random.next() % CENTRES as u64;
        let vector = near(centre, &mut random);
        index.add(&number.to_string(), &number.to_string(), valid(number), &vector).unwrap();
    }
}

fn trained(count: u64) -> VectorIndex {
    let mut index = filled(count, SMALL);
    assert!(index.train() && index.lists() >= 9);
    index
}

fn questions() -> impl Iterator<Item = Vec<f32>> {
    (0..40).map(|seed| near(seed, &mut Random(1_000_000 + seed)))
}

fn keys(near: &[Near]) -> HashSet<&str> {
    near.iter().map(|one| one.key.as_str()).collect()
}

/// Of the nearest of all, how many are answered.
fn recall(index: &VectorIndex, position: u64, limit: usize) -> f64 {
    let (mut shared, mut all) = (0, 0);
    for question in questions() {
        let listed = index.nearest(&question, position, limit).unwrap();
        let exact = index.nearest_of_all(&question, position, limit).unwrap();
        assert_eq!(listed.len(), exact.len(), "an answer is as full as that of all");
        shared += keys(&listed).intersection(&keys(&exact)).count();
        all += exact.len();
    }
    shared as f64 / all as f64
}

#[test]
fn lists_find_nearly_all_of_the_nearest_and_look_at_few_rows() {
    let index = trained(20_000);
    for (limit, position) in [(10, u64::MAX), (10, 12_000), (20, u64::MAX)] {
        let recall = recall(&index, position, limit);
        assert!(recall >= 0.97, "{recall} of {limit} at {position}");
    }
    // A vector that is near to nothing has its nearest ones in lists everywhere: some are missing, which shows that lists were looked at.
    let lost = (0..50).map(|seed| {
        let question: Vec<f32> = (0..NUMBERS).map(|_| 0.0).collect();
        let mut random = Random(77 + seed);
        let question: Vec<f32> = question.iter().map(|zero: &f32| zero + random.number()).collect();
        let listed = index.nearest(&question, u64::MAX, 20).unwrap();
        let exact = index.nearest_of_all(&question, u64::MAX, 20).unwrap();
        20 - keys(&listed).intersection(&keys(&exact)).count()
    });
    assert!(lost.sum::<usize>() > 0, "every vector was looked at");
}

#[test]
fn up_to_the_threshold_every_vector_is_looked_at() {
    let mut index = filled(2_000, SMALL);
    assert!(!index.train() && index.lists() == 0);
    more(&mut index, 2_000..2_001);
    assert!(index.train() && index.lists() == 4);
    assert!(!index.train(), "the lists are as good as they can be");
    assert_eq!(
        [2_000, 2_001, 3_000, 3_001, 10_000].map(|count| trained_at(count, 2_000)),
        [None, Some(2_000), Some(2_000), Some(3_000), Some(6_750)]
    );
}

#[test]
fn only_versions_that_were_valid_are_answered_and_their_similarity_is_the_true_one() {
    let index = trained(20_000);
    let all = |question: &[f32], position| index.nearest_of_all(question, position, 20_000).unwrap();
    for (question, position) in questions().zip([0, 1, 700, 2_000, 9_000, 15_000, 19_999, 40_000].into_iter().cycle()) {
        let listed = index.nearest(&question, position, 10).unwrap();
        let exact = all(&question, position);
        for one in &listed {
            let (from, end) = valid(one.key.parse().unwrap());
            assert!(from <= position && end.is_none_or(|end| position < end), "{one:?} at {position}");
            assert!(exact.contains(one));
        }
        assert!(listed.is_sorted_by(|a, b| a.similarity >= b.similarity));
    }
}

#[test]
fn where_few_rows_were_valid_the_answer_is_full_and_exact() {
    let index = trained(20_000);
    for position in [0, 5, 49, 180, 400] {
        for question in questions() {
            let listed = index.nearest(&question, position, 50).unwrap();
            assert_eq!(listed, index.nearest_of_all(&question, position, 50).unwrap());
            assert_eq!(listed.len() as u64, 50.min(position + 1));
        }
    }
    // As many as there are, and more.
    let question = questions().next().unwrap();
    assert_eq!(index.nearest(&question, 100, 30_000).unwrap().len(), 101);
    assert_eq!(index.nearest(&question, u64::MAX, 30_000).unwrap().len(), 13_333);
    assert!(index.nearest(&question, u64::MAX, 0).unwrap().is_empty());
}

#[test]
fn rows_after_training_are_found_and_lists_are_trained_anew_when_there_are_half_as_many_more() {
    let mut index = trained(6_000);
    let lists = index.lists();
    // Texts of a kind that the lists were not trained on.
    for number in 6_000..6_700 {
        let vector = near(CENTRES as u64 + number % 5, &mut Random(number));
        index.add(&number.to_string(), &number.to_string(), (number, None), &vector).unwrap();
        let found = index.nearest(&vector, u64::MAX, 3).unwrap();
        assert_eq!(found[0].key, number.to_string(), "found at once");
    }
    assert!(!index.train(), "few are new");
    more(&mut index, 6_700..12_000);
    let digest = index.digest();
    assert!(index.train() && index.lists() > lists);
    assert_eq!(index.digest(), digest, "no digest depends on lists");
    assert!(recall(&index, u64::MAX, 10) >= 0.97);
}

#[test]
fn the_same_rows_in_the_same_order_give_the_same_answers_whenever_lists_were_trained() {
    let late = trained(9_000);
    let mut early = filled(2_500, SMALL);
    early.train();
    for to in [4_000, 6_900, 9_000] {
        let from = early.len() as u64;
        more(&mut early, from..to);
        early.train();
    }
    assert_eq!(late.lists(), early.lists());
    for question in questions() {
        for position in [3_000, 8_000, u64::MAX] {
            let answer = late.nearest(&question, position, 30).unwrap();
            assert_eq!(answer, early.nearest(&question, position, 30).unwrap());
        }
    }
}

#[test]
fn versions_with_one_text_are_answered_each() {
    let mut index = trained(8_000);
    let vector = near(7, &mut Random(5));
    for version in 0..40 {
        index.add(&format!("twin {version}"), "twin", (8_000 + version, Some(8_020 + version)), &vector).unwrap();
    }
    assert_eq!(index.texts(), 8_001);
    let found = index.nearest(&vector, 8_030, 25).unwrap();
    assert_eq!(found.iter().filter(|one| one.key.starts_with("twin")).count(), 20);
    assert_eq!(found[0].key, "twin 30", "the later one first");
    assert_eq!(found.len(), 25);
}

/// Vectors of numbers: the text is the number.
struct Numbered;

impl Embedder for Numbered {
    fn identity(&self) -> &str {
        "numbered@1"
    }

    fn dimensions(&self) -> usize {
        NUMBERS
    }

    fn document(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        self.question(text)
    }

    fn question(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        let number: u64 = text.parse().unwrap();
        let mut random = Random(number);
        let centre = random.next() % CENTRES as u64;
        Ok(Some(near(centre, &mut random)))
    }
}

fn told(through: u64) -> impl FnOnce(u64) -> Result<Batch, String> {
    move |from| {
        let changes = (from..through).map(|number| Change {
            key: number.to_string(),
            text: number.to_string(),
            valid_from: number,
            valid_to: None,
        });
        Ok(Batch { changes: changes.collect(), through })
    }
}

fn wait_for(vectors: &Vectors, lists: usize) {
    let begun = Instant::now();
    while vectors.lists() < lists {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} lists", vectors.lists());
        let answer = vectors.nearest("17", u64::MAX, 5).unwrap().unwrap().0;
        assert!(answer.len() == 5 && answer[0].key == "17", "questions go on while lists are trained");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_follower_trains_lists_beside_questions_and_again_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors");
    let open = || Vectors::with_lists(Arc::new(Numbered), Some(&path), SMALL).unwrap();
    let vectors = open();
    vectors.follow(told(2_000)).unwrap();
    assert_eq!(vectors.lists(), 0);
    for through in [2_600, 5_000, 8_000] {
        vectors.follow(told(through)).unwrap();
    }
    // Those of 6,750 rows.
    wait_for(&vectors, 12);
    let answers = |vectors: &Vectors| -> Vec<Vec<Near>> {
        let ask = |number: u64| vectors.nearest(&number.to_string(), 7_500, 10).unwrap().unwrap().0;
        (0..9_000).step_by(100).map(ask).collect()
    };
    let (before, digest) = (answers(&vectors), vectors.digest());
    drop(vectors);
    let again = open();
    again.follow(told(8_000)).unwrap();
    wait_for(&again, 12);
    assert_eq!((answers(&again), again.digest()), (before, digest), "the same lists, whenever they were trained");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_answered_is_as_near_as_the_scan_of_all_says_and_in_order(
        seed in any::<u64>(),
        count in 2_001_u64..4_000,
        position in 0_u64..5_000,
        limit in 1_usize..40,
        looked_at in 1_usize..600,
    ) {
        let mut index = filled(count, Listing { above: 2_000, looked_at });
        index.train();
        let question = near(seed % 100, &mut Random(seed));
        let listed = index.nearest(&question, position, limit).unwrap();
        let exact = index.nearest_of_all(&question, position, limit).unwrap();
        let all = index.nearest_of_all(&question, position, usize::try_from(count).unwrap()).unwrap();
        prop_assert_eq!(listed.len(), exact.len());
        prop_assert_eq!(keys(&listed).len(), listed.len());
        for (one, best) in listed.iter().zip(&exact) {
            prop_assert!(one.similarity <= best.similarity);
            prop_assert!(all.contains(one), "{:?} was not valid, or is not as near", one);
        }
        prop_assert!(listed.is_sorted_by(|a, b| a.similarity >= b.similarity));
    }
}
