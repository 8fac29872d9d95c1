use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::features;

/// Character n-grams hashed into a few numbers: no meaning, but near texts are near.
#[derive(Default)]
struct Grams {
    made: AtomicUsize,
}

const NUMBERS: usize = 50;

impl Embedder for Grams {
    fn identity(&self) -> &str {
        "grams@1"
    }

    fn dimensions(&self) -> usize {
        NUMBERS
    }

    fn document(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.question(text)
    }

    fn question(&self, text: &str) -> Result<Option<Vec<f32>>, EmbedError> {
        if text.starts_with("断") {
            return Ok(None);
        }
        if text == "unreadable" {
            let source = "it has no tokens".into();
            return Err(EmbedError { model: self.identity().to_owned(), bytes: text.len(), source });
        }
        let mut vector = vec![0.0; NUMBERS];
        for feature in features::of(text) {
            let sign = if feature.hash >> 63 == 0 { 1.0 } else { -1.0 };
            vector[(feature.hash % NUMBERS as u64) as usize] += sign * feature.count;
        }
        Ok(Some(vector))
    }
}

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1_u64 << 24) as f32) - 0.5
    };
    (0..count).map(|_| next()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn the_scan_finds_what_a_plain_cosine_over_whole_numbers_finds() {
    let mut index = VectorIndex::new(Rows::in_memory(100));
    let vectors: Vec<Vec<f32>> = (0..500).map(|seed| numbers(100, seed)).collect();
    for (number, vector) in vectors.iter().enumerate() {
        index.add(&number.to_string(), &format!("text {number}"), (number as u64, None), vector).unwrap();
    }
    let mut shared = 0;
    for seed in 1_000..1_020 {
        let question = numbers(100, seed);
        let mut plain: Vec<(f32, usize)> = vectors.iter().map(|v| cosine(&question, v)).zip(0..).collect();
        plain.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near = index.nearest(&question, u64::MAX, 10).unwrap();
        assert_eq!(near.len(), 10);
        for one in &near {
            let exact = cosine(&question, &vectors[one.key.parse::<usize>().unwrap()]);
            assert!((one.similarity - exact).abs() < 0.01, "{} is {exact}", one.similarity);
        }
        shared += plain[..10].iter().filter(|(_, n)| near.iter().any(|one| one.key == n.to_string())).count();
    }
    // Vectors at random are the hardest: the tenth and the eleventh differ in the third digit.
    assert!(shared >= 185, "{shared} of 200");
}

#[test]
fn a_position_sees_the_versions_that_were_valid_then() {
    let mut index = VectorIndex::new(Rows::in_memory(NUMBERS));
    let of = |text: &str| Grams::default().question(text).unwrap().unwrap();
    let add = |index: &mut VectorIndex, key: &str, text: &str, valid| index.add(key, text, valid, &of(text)).unwrap();
    add(&mut index, "a@1", "pump leaking", (1, Some(5)));
    add(&mut index, "a@5", "pump leaking", (5, None));
    add(&mut index, "b@3", "belt torn", (3, None));
    assert_eq!((index.len(), index.texts()), (3, 2), "the same text has one vector");
    let keys = |position| -> Vec<String> {
        let near = index.nearest(&of("pump leaking"), position, 10).unwrap();
        near.into_iter().map(|near| near.key).collect()
    };
    assert_eq!(keys(0), Vec::<String>::new());
    assert_eq!(keys(1), ["a@1"]);
    assert_eq!(keys(4), ["a@1", "b@3"]);
    assert_eq!(keys(5), ["a@5", "b@3"]);
    let once = index.nearest(&of("pump leaking"), 4, 1).unwrap();
    assert_eq!(once.len(), 1);
}

#[test]
fn what_is_no_vector_is_refused() {
    let mut index = VectorIndex::new(Rows::in_memory(3));
    for vector in [&[0.0, 0.0, 0.0][..], &[f32::NAN, 1.0, 1.0], &[f32::INFINITY, 1.0, 1.0]] {
        assert!(matches!(index.add("k", "t", (0, None), vector), Err(VectorError::NoDirection)), "{vector:?}");
        assert!(matches!(index.nearest(vector, 0, 1), Err(VectorError::NoDirection)), "{vector:?}");
    }
    let error = index.add("k", "t", (0, None), &[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "a vector has 1 numbers instead of 3");
    assert!(index.is_empty() && index.texts() == 0);
}

fn change(number: u64, text: &str, valid_to: Option<u64>) -> Change {
    Change { key: format!("{text}@{number}"), text: text.to_owned(), valid_from: number, valid_to }
}

/// A log of versions as the text index would tell it.
fn told(through: u64) -> impl Fn(u64) -> Result<Batch, String> {
    move |from| {
        let versions = (0..through).map(|number| {
            let text = ["weft late", "warp loose", "belt torn", "weft is late", "no oil"][number as usize % 5];
            let end = number + 7;
            change(number, text, (end < through).then_some(end))
        });
        let changed = versions.filter(|one| one.valid_from >= from || one.valid_to.is_some_and(|end| end >= from));
        Ok(Batch { changes: changed.collect(), through })
    }
}

#[test]
fn following_in_steps_gives_the_digest_of_following_at_once() {
    let once = Vectors::open(std::sync::Arc::new(Grams::default()), None).unwrap();
    assert!(once.follow(told(40)).unwrap());
    let steps = Vectors::open(std::sync::Arc::new(Grams::default()), None).unwrap();
    for through in [1, 3, 4, 17, 40] {
        assert!(steps.follow(told(through)).unwrap());
        assert_eq!(steps.reach(), through);
        assert!(!steps.follow(told(through)).unwrap(), "nothing is new");
    }
    assert_eq!(once.digest(), steps.digest());
    assert_ne!(once.digest(), Vectors::open(std::sync::Arc::new(Grams::default()), None).unwrap().digest());
    let (near, reach) = steps.nearest("weft late", 39, 100).unwrap().unwrap();
    assert_eq!((near.len(), reach), (7, 40), "seven versions are valid at a time");
    assert_eq!(near[0].key, "weft late@35");
}

#[test]
fn an_embedded_text_is_not_embedded_again_and_a_torn_file_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors");
    let run = || {
        let grams = std::sync::Arc::new(Grams::default());
        let vectors = Vectors::open(std::sync::Arc::clone(&grams) as _, Some(&path)).unwrap();
        vectors.follow(told(40)).unwrap();
        (vectors.digest(), grams.made.load(Ordering::Relaxed))
    };
    let (digest, made) = run();
    assert_eq!(made, 5, "each text once");
    assert_eq!(run(), (digest, 0));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(run(), (digest, 1), "the last record was torn");
    let mut damaged = std::fs::read(&path).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let (mended, made) = run();
    assert_eq!(mended, digest);
    assert!((1..5).contains(&made), "what lies before the damage is kept: {made}");
    std::fs::write(&path, b"something else entirely, and not a file of vectors").unwrap();
    assert_eq!(run(), (digest, 5));
}

#[test]
fn an_error_of_the_model_or_the_documents_leaves_the_reach_where_it_was() {
    let vectors = Vectors::open(std::sync::Arc::new(Grams::default()), None).unwrap();
    let batch = |texts: &[&str]| Batch {
        changes: (0..).zip(texts).map(|(number, text)| change(number, text, None)).collect(),
        through: 9,
    };
    let error = vectors.follow(|_| Ok(batch(&["weft late", "unreadable"]))).unwrap_err();
    assert_eq!(error.to_string(), "the model grams@1 made no vector of a text of 10 bytes");
    assert_eq!((vectors.reach(), vectors.len()), (0, 0));
    let error = vectors.follow(|_| Err("the disk is gone".to_owned())).unwrap_err();
    assert!(error.to_string().ends_with("the disk is gone"), "{error}");
    assert!(vectors.follow(|_| Ok(batch(&["weft late", " ", "断经"]))).unwrap());
    assert_eq!(
        (vectors.reach(), vectors.len()),
        (9, 1),
        "neither a text without words nor one of another language has a vector"
    );
    assert!(vectors.nearest("断经", 8, 1).unwrap().is_none());
}
