//! From scores to probabilities that hold: temperature and isotonic regression, fitted on history that was held back.

use serde::{Deserialize, Serialize};

/// The range in which a temperature is sought.
const TEMPERATURES: (f64, f64) = (0.05, 20.0);

/// Halvings of that range.
const STEPS: usize = 40;

/// Divides log probabilities by a temperature: above 1 it makes them less sure, below 1 surer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature(pub f64);

impl Default for Temperature {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Temperature {
    /// The temperature under which the true labels are most likely. Each example is the probabilities of all labels and the number of the true one; one
    /// whose true label is not among them says nothing.
    pub fn fit(examples: &[(Vec<f64>, usize)]) -> Self {
        let known: Vec<_> = examples.iter().filter(|(given, truth)| *truth < given.len()).collect();
        if known.is_empty() {
            return Self::default();
        }
        let loss = |log: f64| {
            let temperature = Self(log.exp());
            known
                .iter()
                .map(|(given, truth)| {
                    -temperature.apply(given).get(*truth).copied().unwrap_or_default().max(1e-12).ln()
                })
                .sum::<f64>()
        };
        // The loss has one valley over the logarithm of the temperature: golden section.
        let (mut low, mut high) = (TEMPERATURES.0.ln(), TEMPERATURES.1.ln());
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        for _ in 0..STEPS {
            let (a, b) = (high - golden * (high - low), low + golden * (high - low));
            if loss(a) < loss(b) {
                high = b;
            } else {
                low = a;
            }
        }
        Self(f64::midpoint(low, high).exp())
    }

    /// The probabilities at this temperature.
    pub fn apply(self, given: &[f64]) -> Vec<f64> {
        let mut scaled: Vec<f64> = given.iter().map(|p| p.max(1e-12).ln() / self.0).collect();
        let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        scaled.iter_mut().for_each(|log| *log = (*log - most).exp());
        let total: f64 = scaled.iter().sum();
        scaled.iter_mut().for_each(|p| *p /= total);
        scaled
    }
}

/// How often an answer with a score was right: a step function that never falls (pool adjacent violators), linear between its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// The mean score of each step with its share of right answers; scores rise.
    steps: Vec<(f64, f64)>,
}

impl Isotonic {
    /// Fits the steps to scores with whether the answer was right. Each step is drawn to the overall share by one answer, so that few examples claim
    /// little.
    pub fn fit(examples: &[(f64, bool)]) -> Self {
        struct Block {
            scores: f64,
            right: f64,
            n: f64,
        }
        let mut sorted: Vec<(f64, bool)> = examples.iter().copied().filter(|(score, _)| score.is_finite()).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = |flags: usize| u32::try_from(flags).map_or(f64::from(u32::MAX), f64::from);
        let overall = count(sorted.iter().filter(|(_, right)| *right).count()) / count(sorted.len()).max(1.0);
        let mut blocks: Vec<Block> = Vec::new();
        for (score, right) in sorted {
            let mut block = Block { scores: score, right: f64::from(u8::from(right)), n: 1.0 };
            while let Some(last) = blocks.pop_if(|last| last.right / last.n >= block.right / block.n) {
                block =
                    Block { scores: last.scores + block.scores, right: last.right + block.right, n: last.n + block.n };
            }
            blocks.push(block);
        }
        let steps = blocks.iter().map(|b| (b.scores / b.n, (b.right + overall) / (b.n + 1.0)));
        let mut rising: Vec<(f64, f64)> = Vec::new();
        for (score, share) in steps {
            // Drawing small blocks to the middle may bend the steps; they stay level there.
            let share = rising.last().map_or(share, |(_, before)| share.max(*before));
            rising.push((score, share));
        }
        Self { steps: rising }
    }

    /// The share of answers with this score that were right; `None` before anything was fitted.
    pub fn apply(&self, score: f64) -> Option<f64> {
        let after = self.steps.partition_point(|(known, _)| *known <= score);
        match (after.checked_sub(1).and_then(|at| self.steps.get(at)), self.steps.get(after)) {
            (None, None) => None,
            (None, Some((_, first))) => Some(*first),
            (Some((_, last)), None) => Some(*last),
            (Some((low, below)), Some((high, above))) => {
                let share = if high > low { (score - low) / (high - low) } else { 0.0 };
                Some(below + share * (above - below))
            }
        }
    }
}

#[cfg(test)]
#[path = "calibration_tests.rs"]
mod tests;
