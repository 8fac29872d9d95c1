//! How fast the nearest vectors are found, and how many of them, by looking at all and by lists: `cargo bench -p millwright-retrieval --bench vectors`
//! (`-- real`: of one kind).
//! Vectors of 384 numbers of three kinds:
//! - `real`: real ones with noise, much and little, where `MILLWRIGHT_VECTORS` names a file of them (32-bit numbers, little end first, 384 a text); questions are real ones
//!   that nothing was made of;
//! - `nested`: around texts within topics, a few topics with most of the texts;
//! - `scattered`: around centres that have nothing to do with each other, as much noise as centre.
//!
//! Times as they were, and the least of a few for each question (what other programs take is not in it); memory; training; of the nearest by all how many
//! are among those by lists; and of the ten nearest of 10,000 by whole numbers how many are among the ten that bytes find.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints its figures and stops at the first failure"
)]
#![allow(dead_code, reason = "each benchmark uses a part of the wording")]

mod wording;

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use retrieval::vectors::{Near, Rows, VectorError, VectorIndex};
use wording::{Numbers, percentiles, resident_mib};

const DIMENSIONS: usize = 384;
const CENTRES: usize = 2_000;
const TOPICS: usize = 300;
const TEXTS: usize = 20_000;
const QUESTIONS: usize = 100;
const NEAREST: usize = 200;

/// The most noise on each number beside a vector of length 1: the noise is then 0.59 long, and a cosine 0.86.
const NOISE: f32 = 0.052;

/// The noise of copies that hardly differ: a cosine of 0.98 at the most of it.
const LITTLE_NOISE: f32 = 0.018;

/// The same for scattered ones, whose centres have such numbers, too: a cosine of 0.71 to the centre.
const SCATTER: f32 = 1.0 / 1.5;

/// Where vectors of a kind lie.
struct Kind {
    name: &'static str,
    centres: Vec<Vec<f32>>,
    asked: Vec<Vec<f32>>,
    /// The least and the most noise on each number.
    noise: (f32, f32),
}

fn around(numbers: &mut Numbers, centre: &[f32], most: f32) -> Vec<f32> {
    centre.iter().map(|own| own + most * (numbers.below(2_001) as f32 - 1_000.0) / 1_000.0).collect()
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = length(vector);
    vector.iter().map(|x| x / length).collect()
}

fn scattered(numbers: &mut Numbers) -> Kind {
    let blank = [0.0; DIMENSIONS];
    let centres: Vec<Vec<f32>> = (0..CENTRES).map(|_| around(numbers, &blank, SCATTER)).collect();
    let asked = (0..QUESTIONS).map(|_| {
        let centre = numbers.below(CENTRES);
        around(numbers, &centres[centre], SCATTER)
    });
    Kind { name: "scattered", asked: asked.collect(), centres, noise: (SCATTER, SCATTER) }
}

fn nested(numbers: &mut Numbers) -> Kind {
    let blank = [0.0; DIMENSIONS];
    let topics: Vec<Vec<f32>> = (0..TOPICS).map(|_| unit(&around(numbers, &blank, 1.0))).collect();
    let text = |numbers: &mut Numbers| {
        let topic = numbers.below(TOPICS).min(numbers.below(TOPICS)).min(numbers.below(TOPICS));
        unit(&around(numbers, &topics[topic], NOISE))
    };
    let centres = (0..TEXTS).map(|_| text(numbers)).collect();
    Kind { name: "nested", centres, asked: (0..QUESTIONS).map(|_| text(numbers)).collect(), noise: (0.0, NOISE) }
}

fn real(name: &'static str, noise: f32) -> Option<Kind> {
    let bytes = std::fs::read(std::env::var_os("MILLWRIGHT_VECTORS")?).unwrap();
    let all: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let mut centres: Vec<Vec<f32>> = all.chunks_exact(DIMENSIONS).map(unit).collect();
    let asked = centres.split_off(centres.len() - QUESTIONS);
    Some(Kind { name, centres, asked, noise: (0.0, noise) })
}

fn main() {
    let mut numbers = Numbers(8);
    let (nested, scattered) = (nested(&mut numbers), scattered(&mut numbers));
    let kinds = [real("real", NOISE), Some(scattered), real("real, little noise", LITTLE_NOISE), Some(nested)];
    let only = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    for kind in kinds.into_iter().flatten().filter(|kind| only.as_ref().is_none_or(|only| only == kind.name)) {
        filled(&kind, &mut numbers);
    }
}

/// Fills an index with vectors of a kind, and measures on the way.
fn filled(kind: &Kind, numbers: &mut Numbers) {
    println!("== {}: around {} vectors", kind.name, kind.centres.len());
    let mut index = VectorIndex::new(Rows::in_memory(DIMENSIONS));
    let mut kept: Vec<Vec<f32>> = Vec::new();
    let before = resident_mib();
    for number in 0..1_000_000_usize {
        let centre = numbers.below(kind.centres.len());
        let (least, most) = kind.noise;
        let noise = least + (most - least) * numbers.below(101) as f32 / 100.0;
        let vector = around(numbers, &kind.centres[centre], noise);
        // A tenth has ended.
        let end = (number % 10 == 0).then_some(number as u64 + 3);
        index.add(&number.to_string(), &number.to_string(), (number as u64, end), &vector).unwrap();
        if number < 10_000 {
            kept.push(vector);
        }
        match number + 1 {
            10_000 => println!("of the ten nearest of 10,000, {:.3} are found by bytes", by_bytes(&index, &kept, kind)),
            100_000 | 200_000 | 1_000_000 => {
                println!("-- {} vectors take {:.0} MiB", number + 1, resident_mib() - before);
                measure(&mut index, kind, number as u64);
            }
            _ => {}
        }
    }
}

fn measure(index: &mut VectorIndex, kind: &Kind, last: u64) {
    let (begun, before) = (Instant::now(), resident_mib());
    if index.train() {
        let (taken, grown) = (begun.elapsed().as_secs_f64(), resident_mib() - before);
        println!("{} lists, trained in {taken:.1} s, take {grown:.0} MiB", index.lists());
    }
    for (name, position) in [("newest", u64::MAX), ("half way", last / 2)] {
        let all = asked(&format!("all, {name}"), kind, 2, |question| index.nearest_of_all(question, position, NEAREST));
        if index.lists() == 0 {
            continue;
        }
        let listed = asked(&format!("lists, {name}"), kind, 8, |question| index.nearest(question, position, NEAREST));
        let share = |nearest| shared(&all, &listed, nearest);
        println!(
            "of the 10 nearest {:.4}, of the {NEAREST} nearest {:.4} are found by lists",
            share(10),
            share(NEAREST)
        );
    }
}

/// How long processors have worked for this process (Linux).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = text.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Asks every question a few times, and prints how long it took.
fn asked(
    name: &str,
    kind: &Kind,
    often: usize,
    ask: impl Fn(&[f32]) -> Result<Vec<Near>, VectorError>,
) -> Vec<Vec<Near>> {
    let (mut taken, mut least, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let before = processor_seconds();
    for question in &kind.asked {
        let mut times = Vec::new();
        for _ in 0..often {
            let begun = Instant::now();
            let near = ask(black_box(question)).unwrap();
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            assert_eq!(near.len(), NEAREST);
            if times.len() == 1 {
                answers.push(near);
            }
        }
        least.push(times.iter().copied().fold(f64::MAX, f64::min));
        taken.extend(times);
    }
    let processors = (processor_seconds() - before) * 1e3 / taken.len() as f64;
    percentiles(&format!("the {NEAREST} nearest by {name}, {processors:.1} ms of processors each"), taken);
    percentiles(&format!("    the least of {often}"), least);
    answers
}

/// Of as many nearest ones of all, how many are among those by lists.
fn shared(all: &[Vec<Near>], listed: &[Vec<Near>], nearest: usize) -> f64 {
    let both = all.iter().zip(listed).map(|(all, listed)| {
        let found: HashSet<&str> = listed.iter().take(nearest).map(|near| near.key.as_str()).collect();
        all.iter().take(nearest).filter(|near| found.contains(near.key.as_str())).count()
    });
    both.sum::<usize>() as f64 / (all.len() * nearest) as f64
}

fn by_bytes(index: &VectorIndex, kept: &[Vec<f32>], kind: &Kind) -> f64 {
    let mut shared = 0;
    for question in &kind.asked {
        let mut plain: Vec<(f32, usize)> = kept
            .iter()
            .enumerate()
            // Those that have not ended.
            .filter(|(number, _)| number % 10 != 0)
            .map(|(number, v)| (v.iter().zip(question).map(|(a, b)| a * b).sum::<f32>() / length(v), number))
            .collect();
        plain.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near = index.nearest(question, u64::MAX, 10).unwrap();
        shared += plain[..10].iter().filter(|(_, n)| near.iter().any(|one| one.key == n.to_string())).count();
    }
    shared as f64 / (kind.asked.len() * 10) as f64
}
