//! How fast the exact scan is: `cargo bench -p millwright-retrieval --bench vectors`. Vectors of 384 numbers around 2,000 centres, as texts about like
//! things are; how many of the ten nearest by whole numbers are among the ten that bytes find; times and memory.

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

use std::hint::black_box;
use std::time::Instant;

use retrieval::vectors::{Rows, VectorIndex};
use wording::{Numbers, percentiles, resident_mib};

const DIMENSIONS: usize = 384;
const CENTRES: usize = 2_000;
const QUESTIONS: usize = 100;

fn around(numbers: &mut Numbers, centre: &[f32]) -> Vec<f32> {
    centre.iter().map(|own| own + (numbers.below(2_001) as f32 - 1_000.0) / 1_500.0).collect()
}

fn main() {
    let mut numbers = Numbers(8);
    let blank = vec![0.0; DIMENSIONS];
    let centres: Vec<Vec<f32>> = (0..CENTRES).map(|_| around(&mut numbers, &blank)).collect();
    let asked: Vec<Vec<f32>> = (0..QUESTIONS)
        .map(|_| {
            let centre = numbers.below(CENTRES);
            around(&mut numbers, &centres[centre])
        })
        .collect();
    let mut index = VectorIndex::new(Rows::in_memory(DIMENSIONS));
    let mut kept: Vec<Vec<f32>> = Vec::new();
    let before = resident_mib();
    for number in 0..1_000_000_usize {
        let centre = numbers.below(CENTRES);
        let vector = around(&mut numbers, &centres[centre]);
        // A tenth has ended.
        let end = (number % 10 == 0).then_some(number as u64 + 3);
        index.add(&number.to_string(), &number.to_string(), (number as u64, end), &vector).unwrap();
        if number < 10_000 {
            kept.push(vector);
        }
        match number + 1 {
            10_000 => println!("of the ten nearest of 10,000, {:.3} are found by bytes", recall(&index, &kept, &asked)),
            100_000 | 1_000_000 => {
                println!("{} vectors take {:.0} MiB", number + 1, resident_mib() - before);
                for (name, position) in [("newest", u64::MAX), ("half way", number as u64 / 2)] {
                    let mut taken = Vec::new();
                    for question in &asked {
                        let begun = Instant::now();
                        let near = index.nearest(black_box(question), position, 200).unwrap();
                        taken.push(begun.elapsed().as_secs_f64() * 1e3);
                        assert_eq!(near.len(), 200);
                    }
                    percentiles(&format!("the 200 nearest, {name}"), taken);
                }
            }
            _ => {}
        }
    }
}

fn recall(index: &VectorIndex, kept: &[Vec<f32>], asked: &[Vec<f32>]) -> f64 {
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let mut shared = 0;
    for question in asked {
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
    shared as f64 / (asked.len() * 10) as f64
}
