//! A linear model of labels: multinomial logistic regression on features weighted by rarity, trained by AdaGrad in a fixed order.
//!
//! The same examples in the same order give the same model bit by bit on one machine.

use std::collections::HashMap;

use crate::features::Feature;

/// How a model is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Passes over the examples.
    pub epochs: usize,
    /// The first step.
    pub rate: f32,
    /// How strongly weights are pulled to zero.
    pub decay: f32,
    /// Features that fewer examples have are left out.
    pub min_examples: u32,
}

impl Default for Training {
    /// Chosen on the earlier parts of the histories (docs/evaluation.md).
    fn default() -> Self {
        Self { epochs: 30, rate: 0.5, decay: 1e-4, min_examples: 1 }
    }
}

/// A trained model.
#[derive(Clone, Debug, Default)]
pub struct Linear {
    index: HashMap<u64, (u32, f32)>,
    /// One row a feature, one column a label; the last row is the bias.
    weights: Vec<f32>,
    labels: usize,
}

/// An error that moves no weight: most labels of most examples are settled after the first passes.
const SETTLED: f32 = 1e-3;

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        total += *score;
    }
    for score in scores.iter_mut() {
        *score /= total;
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of examples stay far below 2^24")]
fn real(count: usize) -> f32 {
    count as f32
}

impl Linear {
    /// Trains a model of `labels` labels on examples: features with the label's number.
    pub fn train(examples: &[(&[Feature], usize)], labels: usize, training: Training) -> Self {
        let mut having: HashMap<u64, u32> = HashMap::new();
        for (features, _) in examples {
            for feature in *features {
                *having.entry(feature.hash).or_default() += 1;
            }
        }
        let mut known: Vec<(u64, u32)> =
            having.into_iter().filter(|(_, examples)| *examples >= training.min_examples).collect();
        // A hash map has no order; the model must have one.
        known.sort_unstable();
        let all = real(examples.len());
        let index: HashMap<u64, (u32, f32)> = (0_u32..)
            .zip(known)
            .map(|(row, (hash, count))| {
                let count = u16::try_from(count).map_or(f32::from(u16::MAX), f32::from);
                (hash, (row, ((all + 1.0) / (count + 0.5)).ln()))
            })
            .collect();
        let mut model = Self { weights: vec![0.0; (index.len() + 1) * labels], index, labels };
        if labels > 0 {
            model.descend(examples, training);
        }
        model
    }

    fn descend(&mut self, examples: &[(&[Feature], usize)], training: Training) {
        let rows: Vec<(Vec<(usize, f32)>, usize)> =
            examples.iter().map(|(features, label)| (self.row(features), *label)).collect();
        let mut squares = vec![1e-3_f32; self.weights.len()];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut state = 7_u64;
        let mut scores = vec![0.0; self.labels];
        let mut wrong: Vec<(usize, f32)> = Vec::with_capacity(self.labels);
        for _ in 0..training.epochs {
            shuffle(&mut order, &mut state);
            for (row, label) in order.iter().filter_map(|at| rows.get(*at)) {
                self.scores(row, &mut scores);
                softmax(&mut scores);
                if let Some(score) = scores.get_mut(*label) {
                    *score -= 1.0;
                }
                wrong.clear();
                wrong.extend(scores.iter().copied().enumerate().filter(|(_, score)| score.abs() >= SETTLED));
                for (feature, value) in row {
                    let range = feature * self.labels..(feature + 1) * self.labels;
                    let (Some(weights), Some(squares)) = (self.weights.get_mut(range.clone()), squares.get_mut(range))
                    else {
                        continue;
                    };
                    for (at, score) in &wrong {
                        let (Some(weight), Some(square)) = (weights.get_mut(*at), squares.get_mut(*at)) else {
                            continue;
                        };
                        let slope = score * value + training.decay * *weight;
                        *square += slope * slope;
                        *weight -= training.rate * slope / square.sqrt();
                    }
                }
            }
        }
    }

    /// The features that the model knows, each with its weight in the text; the text's weights have length 1. The bias comes last.
    fn row(&self, features: &[Feature]) -> Vec<(usize, f32)> {
        let mut row: Vec<(usize, f32)> = features
            .iter()
            .filter_map(|feature| {
                let (row, rarity) = self.index.get(&feature.hash)?;
                Some((usize::try_from(*row).ok()?, (1.0 + feature.count.ln()) * rarity))
            })
            .collect();
        let length = row.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|(_, weight)| *weight /= length);
        }
        row.push((self.index.len(), 0.3));
        row
    }

    fn scores(&self, row: &[(usize, f32)], scores: &mut [f32]) {
        scores.fill(0.0);
        for (feature, value) in row {
            let weights = self.weights.get(feature * self.labels..(feature + 1) * self.labels).unwrap_or_default();
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += weight * value;
            }
        }
    }

    /// The probability of each label, before calibration.
    pub fn probabilities(&self, features: &[Feature]) -> Vec<f32> {
        let mut scores = vec![0.0; self.labels];
        self.scores(&self.row(features), &mut scores);
        softmax(&mut scores);
        scores
    }

    /// The share of the text's features that the model has seen, by number.
    pub fn known(&self, features: &[Feature]) -> f32 {
        let known = features.iter().filter(|feature| self.index.contains_key(&feature.hash)).count();
        if features.is_empty() { 0.0 } else { real(known) / real(features.len()) }
    }
}

/// Shuffles in an order that depends on the state alone (Fisher and Yates over SplitMix64).
fn shuffle(order: &mut [usize], state: &mut u64) {
    for end in (1..order.len()).rev() {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = *state;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        let bound = u64::try_from(end).unwrap_or(u64::MAX).saturating_add(1);
        order.swap(end, usize::try_from(number % bound).unwrap_or(0));
    }
}
