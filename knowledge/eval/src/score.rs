//! Measures of quality, and how sure they are.

/// Gains of the ranked items against the best possible order, down to `depth`.
pub fn ndcg(relevant: &[bool], all_relevant: usize, depth: usize) -> f64 {
    let discount = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let gained: f64 =
        relevant.iter().take(depth).enumerate().filter(|(_, hit)| **hit).map(|(rank, _)| discount(rank)).sum();
    let best: f64 = (0..all_relevant.min(depth)).map(discount).sum();
    if best > 0.0 { gained / best } else { 0.0 }
}

/// One over the rank of the first relevant item.
pub fn reciprocal_rank(relevant: &[bool]) -> f64 {
    relevant.iter().position(|hit| *hit).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0))
}

/// A mean with a 95 % confidence interval (percentiles of 2,000 bootstrap samples).
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// A small generator of numbers that never changes (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((number ^ (number >> 31)) % end as u64) as usize
    }
}

const SAMPLES: usize = 2_000;

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean of the values, each one question's.
pub fn estimate(values: &[f64]) -> Estimate {
    if values.is_empty() {
        return Estimate { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
    }
    let mut numbers = Numbers(2026);
    let mut means: Vec<f64> = (0..SAMPLES)
        .map(|_| (0..values.len()).map(|_| values[numbers.below(values.len())]).sum::<f64>() / values.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    Estimate { mean: mean(values), low: at(0.025), high: at(0.975) }
}

/// The difference between two ways on the same questions.
pub fn paired(ours: &[f64], theirs: &[f64]) -> Estimate {
    assert_eq!(ours.len(), theirs.len(), "the same questions");
    estimate(&ours.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>())
}
