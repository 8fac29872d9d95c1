//! Which of many differences can be believed.

/// The adjusted probabilities of Benjamini and Hochberg (1995), in the order of the input: those at most `q` are discoveries, of which at most the
/// share `q` is false on average. A probability that is not a number counts as 1.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let p = |index: usize| p_values.get(index).copied().filter(|p| !p.is_nan()).unwrap_or(1.0).clamp(0.0, 1.0);
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p(*b).total_cmp(&p(*a)));
    let all = super::real(super::count(p_values.len()));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (larger, index) in order.into_iter().enumerate() {
        let rank = all - super::real(super::count(larger));
        // Of the least probable one the quotient is 1: rounding must not make an adjusted probability less than its own.
        least = least.min(p(index) * (all / rank));
        if let Some(place) = adjusted.get_mut(index) {
            *place = least;
        }
    }
    adjusted
}
