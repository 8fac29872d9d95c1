use super::{Drift, Random};

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
}

#[test]
fn streams_of_one_seed_differ_and_repeat() {
    let draw = |seed, stream| {
        let mut random = Random::new(seed, stream);
        (0..8).map(|_| random.uniform()).collect::<Vec<_>>()
    };
    assert_eq!(draw(5, 1), draw(5, 1));
    assert_ne!(draw(5, 1), draw(5, 2));
    assert_ne!(draw(5, 1), draw(6, 1));
}

#[test]
fn draws_have_the_moments_of_their_laws() {
    let mut random = Random::new(3, 3);
    let normal: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
    let (mean, deviation) = mean_and_deviation(&normal);
    assert!(mean.abs() < 0.03 && (deviation - 1.0).abs() < 0.03, "{mean} {deviation}");
    let poisson: Vec<f64> = (0..20_000).map(|_| f64::from(random.poisson(4.0))).collect();
    let (mean, deviation) = mean_and_deviation(&poisson);
    assert!((mean - 4.0).abs() < 0.08 && (deviation - 2.0).abs() < 0.05, "{mean} {deviation}");
    assert_eq!(random.poisson(0.0), 0);
    assert!(random.pick::<u8>(&[]).is_none());
}

#[test]
fn drift_has_the_same_deviation_for_every_step() {
    for step in [1.0, 5.0, 60.0, 600.0] {
        let mut random = Random::new(9, 9);
        let mut drift = Drift::new(2.0, 40.0);
        let values: Vec<f64> = (0..20_000)
            .map(|_| {
                drift.advance(step, &mut random);
                drift.value()
            })
            .collect();
        let (_, deviation) = mean_and_deviation(&values);
        assert!((deviation - 2.0).abs() < 0.2, "step {step}: {deviation}");
    }
}
