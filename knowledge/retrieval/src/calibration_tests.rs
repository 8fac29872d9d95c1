use super::*;

#[test]
fn a_temperature_makes_overconfident_probabilities_hold() {
    // A model that says 0.99 and is right in three of four cases.
    let examples: Vec<(Vec<f64>, usize)> =
        (0..400).map(|case| (vec![0.99, 0.01], usize::from(case % 4 == 0))).collect();
    let temperature = Temperature::fit(&examples);
    let mended = temperature.apply(&[0.99, 0.01]);
    assert!((mended[0] - 0.75).abs() < 0.01, "{temperature:?} {mended:?}");
    // The order of labels never changes.
    assert!(temperature.apply(&[0.2, 0.5, 0.3]).windows(2).next().is_some_and(|pair| pair[0] < pair[1]));
    assert_eq!(Temperature::fit(&[]), Temperature(1.0));
}

#[test]
fn isotonic_steps_rise_and_follow_the_shares() {
    let examples: Vec<(f64, bool)> = (0..1_000)
        .map(|case| {
            let score = f64::from(case % 10) / 10.0;
            (score, f64::from(case / 10 % 10) / 10.0 < score * score)
        })
        .collect();
    let fitted = Isotonic::fit(&examples);
    let shares: Vec<f64> = (0..10).map(|tenth| fitted.apply(f64::from(tenth) / 10.0).unwrap()).collect();
    assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{shares:?}");
    assert!(shares[0] < 0.05 && (shares[9] - 0.9).abs() < 0.1, "{shares:?}");
    assert_eq!(Isotonic::default().apply(0.5), None);
    let few = Isotonic::fit(&[(0.9, true)]);
    assert_eq!(few.apply(0.1), few.apply(1.0));
}

proptest::proptest! {
    #[test]
    fn whatever_is_fitted_stays_a_probability(
        examples in proptest::collection::vec((proptest::num::f64::ANY, proptest::bool::ANY), 0..40),
        asked in proptest::num::f64::NORMAL,
    ) {
        if let Some(share) = Isotonic::fit(&examples).apply(asked) {
            proptest::prop_assert!((0.0..=1.0).contains(&share), "{share}");
        }
    }
}
