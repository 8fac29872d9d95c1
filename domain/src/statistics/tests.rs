use proptest::prelude::*;

use super::*;

fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name} is {found}, not {expected}");
}

/// Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, method 3.
#[test]
fn wilson_agrees_with_newcombe_1998() {
    for (cases, trials, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let bounds = wilson(Share::new(cases, trials), LEVEL).unwrap();
        close("low", bounds.low, low, 5e-5);
        close("high", bounds.high, high, 5e-5);
    }
}

/// Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17 (1998), table II, method 10.
#[test]
fn differences_of_shares_agree_with_newcombe_1998() {
    for (a, b, low, high) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ] {
        let effect = difference_of_shares(Share::new(a.0, a.1), Share::new(b.0, b.1), LEVEL).unwrap();
        close("low", effect.low, low, 5e-5);
        close("high", effect.high, high, 5e-5);
    }
}

/// Bland and Altman, The odds ratio, BMJ 320 (2000): eczema and hay fever in 15,522 children, 4.89 (4.00 to 5.99).
#[test]
fn an_odds_ratio_agrees_with_bland_and_altman() {
    let effect = odds_ratio(Share::new(141, 561), Share::new(928, 14_453), LEVEL).unwrap();
    close("odds ratio", effect.value, 4.89, 5e-3);
    close("low", effect.low, 4.00, 5e-3);
    close("high", effect.high, 5.99, 5e-3);
    assert!(effect.p_value < 1e-12);
    // An empty cell has a finite estimate, and wide bounds.
    let empty = odds_ratio(Share::new(0, 10), Share::new(5, 10), LEVEL).unwrap();
    assert!(0.0 < empty.low && empty.low < empty.value && empty.value < empty.high && empty.high.is_finite());
}

/// Fisher, The Design of Experiments (1935): the lady who tastes tea tells three of four; and the twins of dizygotic criminals (Fisher 1925).
#[test]
fn exact_probabilities_agree_with_fisher() {
    close("tea", odds_ratio(Share::new(3, 4), Share::new(1, 4), LEVEL).unwrap().p_value, 34.0 / 70.0, 1e-9);
    close("twins", odds_ratio(Share::new(2, 17), Share::new(10, 13), LEVEL).unwrap().p_value, 5.367e-4, 5e-7);
}

/// NIST/SEMATECH e-Handbook 7.3.1 and Dataplot, AUTO83B.DAT: miles per gallon of cars made in the USA and in Japan; t = −12.94627 with 136.8750 degrees.
#[test]
fn welch_agrees_with_the_nist_cars() {
    let summary = |n: u64, mean: f64, deviation: f64| Summary { n, mean, squares: deviation * deviation * real(n - 1) };
    let (usa, japan) = (summary(249, 20.144_58, 6.414_70), summary(79, 30.481_01, 6.107_71));
    let effect = difference_of_means(&usa, &japan, LEVEL).unwrap();
    close("difference", effect.value, -10.336_43, 1e-9);
    // The half width is t(0.975; 136.875) = 1.97751 standard errors, and the error is 10.33643 / 12.94627.
    close("half width", effect.high - effect.value, 1.977_51 * 10.336_43 / 12.946_27, 1e-4);
    assert!(effect.p_value < 1e-20);
    assert_eq!(difference_of_means(&summary(1, 1.0, 0.0), &japan, LEVEL), None);
}

#[test]
fn rate_ratios_hold_the_conditional_test() {
    // 12 events against 4 over the same exposure: P(X ≥ 12 | 16, ½) = 2517 / 65536, by counting.
    let effect = rate_ratio(Rate { events: 12, exposure: 2.0 }, Rate { events: 4, exposure: 2.0 }, LEVEL).unwrap();
    close("ratio", effect.value, 3.0, 1e-12);
    close("probability", effect.p_value, 2.0 * 2517.0 / 65_536.0, 1e-9);
    // Clopper and Pearson for 12 of 16: 0.4762 to 0.9273.
    close("low", effect.low, 0.4762 / 0.5238, 2e-3);
    close("high", effect.high, 0.9273 / 0.0727, 3e-2);
    let none = rate_ratio(Rate { events: 0, exposure: 5.0 }, Rate { events: 3, exposure: 5.0 }, LEVEL).unwrap();
    assert_eq!((none.low, none.value), (0.0, 0.0));
    assert!(none.high.is_finite());
    assert_eq!(rate_ratio(Rate { events: 0, exposure: 5.0 }, Rate { events: 0, exposure: 5.0 }, LEVEL), None);
    assert_eq!(rate_ratio(Rate { events: 1, exposure: 0.0 }, Rate { events: 1, exposure: 5.0 }, LEVEL), None);
}

/// Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995), section 3.2: of fifteen hypotheses four are rejected at 0.05.
#[test]
fn discoveries_agree_with_benjamini_and_hochberg_1995() {
    let p_values = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ];
    let adjusted = benjamini_hochberg(&p_values);
    assert_eq!(adjusted.iter().filter(|q| **q <= 0.05).count(), 4);
    close("the fourth", adjusted[3], 0.0095 * 15.0 / 4.0, 1e-12);
    // The order of the input does not matter, and what is no number is no discovery.
    let mut turned: Vec<f64> = p_values.into_iter().rev().collect();
    turned.push(f64::NAN);
    assert_eq!(benjamini_hochberg(&turned).last(), Some(&1.0));
    assert!(benjamini_hochberg(&[]).is_empty());
}

fn life(duration: f64, failed: bool) -> Lifetime {
    Lifetime { duration, failed }
}

/// Remission of leukaemia under 6-mercaptopurine in weeks (Freireich et al. 1963), the standard example: Collett, Modelling Survival Data; Kalbfleisch and Prentice.
#[test]
fn survival_agrees_with_the_leukaemia_data() {
    let failed = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0];
    let censored = [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0];
    let lives: Vec<Lifetime> =
        failed.map(|weeks| life(weeks, true)).into_iter().chain(censored.map(|weeks| life(weeks, false))).collect();
    let steps = kaplan_meier(&lives, LEVEL).unwrap();
    let expected = [
        (6.0, 21, 0.8571, 0.0764),
        (7.0, 17, 0.8067, 0.0869),
        (10.0, 15, 0.7529, 0.0963),
        (13.0, 12, 0.6902, 0.1068),
        (16.0, 11, 0.6275, 0.1141),
        (22.0, 7, 0.5378, 0.1282),
        (23.0, 6, 0.4482, 0.1346),
    ];
    assert_eq!(steps.len(), expected.len());
    for (step, (time, at_risk, survival, error)) in steps.iter().zip(expected) {
        assert_eq!((step.time, step.at_risk), (time, at_risk));
        close("survival", step.survival, survival, 5e-5);
        close("error", step.error, error, 5e-5);
    }
    // Bounds of the log-log transformation at 6 weeks, as SAS gives them: 0.6197 to 0.9516.
    close("low", steps[0].low, 0.6197, 5e-5);
    close("high", steps[0].high, 0.9516, 5e-5);
    assert_eq!(median_survival(&steps), Some(23.0));
}

/// NIST/SEMATECH e-Handbook 8.4.1.2, the Weibull example: ten failures of twenty units, the others stopped at 500 hours; maximum likelihood gives shape 1.7208 and
/// characteristic life 606.5280.
#[test]
fn a_weibull_fit_agrees_with_nist() {
    let failed = [54.0, 187.0, 216.0, 240.0, 244.0, 335.0, 361.0, 373.0, 375.0, 386.0];
    let lives: Vec<Lifetime> =
        failed.map(|hours| life(hours, true)).into_iter().chain([life(500.0, false); 10]).collect();
    let fit = weibull(&lives, LEVEL).unwrap();
    close("shape", fit.shape.value, 1.7208, 5e-5);
    close("scale", fit.scale, 606.5280, 5e-4);
    assert_eq!((fit.failures, fit.censored), (10, 10));
    assert!(fit.shape.low < 1.0 && fit.shape.high > 2.5, "{:?}", fit.shape);
    close("survival at the scale", fit.survival(fit.scale), (-1.0_f64).exp(), 1e-12);
    close("life", fit.survival(fit.life(0.1).unwrap()), 0.9, 1e-12);
    // One failure, or several at one time, have no most likely shape.
    assert_eq!(weibull(&[life(5.0, true), life(9.0, false)], LEVEL), None);
    assert_eq!(weibull(&[life(5.0, true); 4], LEVEL), None);
}

/// MIL-HDBK-338B, table of chi-square multipliers: 4 failures in 1000 hours at 90 % (time terminated, two-sided): 1000 × 0.109 to 1000 × 0.732.
#[test]
fn the_mean_time_between_failures_has_chi_square_bounds() {
    let bounds = mean_time_between_failures(4, 1000.0, 0.9).unwrap();
    close("mean", bounds.value, 250.0, 1e-9);
    close("low", bounds.low, 2000.0 / 18.307, 1e-2);
    close("high", bounds.high, 2000.0 / 2.733, 0.1);
    assert_eq!(mean_time_between_failures(0, 1000.0, 0.9), None);
    assert_eq!(mean_time_between_failures(3, 0.0, 0.9), None);
}

/// Conover, Practical Nonparametric Statistics (1980), section 3.2: of sixteen lifetimes of tubes, the upper quartile lies between the 9th (P = 0.0271 below) and the 15th
/// (P = 0.0635 above). Where neither tail may exceed 0.05, the upper bound is the 16th.
#[test]
fn quantile_bounds_agree_with_conover() {
    let hours = [46.9, 47.2, 49.1, 56.5, 56.8, 59.2, 59.9, 63.2, 63.3, 63.4, 63.7, 64.1, 67.1, 67.7, 73.3, 78.5];
    let quartile = quantile(hours, 0.75, 0.87).unwrap();
    assert_eq!((quartile.low, quartile.high, quartile.n), (Some(63.3), Some(73.3), 16));
    let surer = quantile(hours, 0.75, 0.9).unwrap();
    assert_eq!((surer.low, surer.high), (Some(63.3), Some(78.5)));
    // Type 7: place 0.75 × 15 = 11.25 between 64.1 and 67.1.
    close("quartile", quartile.value, 64.85, 1e-9);
    let one = quantile([3.0], 0.5, 0.9).unwrap();
    assert_eq!((one.value, one.low, one.high), (3.0, None, None));
    assert_eq!(quantile([], 0.5, 0.9), None);
    assert_eq!(quantile([f64::NAN], 0.5, 0.9), None);
    assert_eq!(quantile([1.0], 1.0, 0.9), None);
}

proptest! {
    #[test]
    fn summaries_add_up(left in prop::collection::vec(-1e3..1e3f64, 0..30), right in prop::collection::vec(-1e3..1e3f64, 0..30)) {
        let whole: Summary = left.iter().chain(&right).copied().collect();
        let added = left.iter().copied().collect::<Summary>() + right.iter().copied().collect::<Summary>();
        prop_assert_eq!(whole.n, added.n);
        prop_assert!((whole.mean - added.mean).abs() < 1e-9);
        prop_assert!((whole.squares - added.squares).abs() < 1e-6 * whole.squares.max(1.0));
    }

    #[test]
    fn effects_hold_their_estimate_and_turn_around(a in 0..60u64, more_a in 0..60u64, b in 0..60u64, more_b in 0..60u64) {
        let (first, second) = (Share::new(a, a + more_a), Share::new(b, b + more_b));
        for compare in [difference_of_shares, odds_ratio] {
            let (there, back) = (compare(first, second, LEVEL), compare(second, first, LEVEL));
            prop_assert_eq!(there.is_some(), first.trials > 0 && second.trials > 0);
            if let (Some(there), Some(back)) = (there, back) {
                prop_assert!(there.low <= there.value && there.value <= there.high, "{:?}", there);
                prop_assert!((0.0..=1.0).contains(&there.p_value));
                prop_assert!((there.p_value - back.p_value).abs() < 1e-6);
                match there.measure {
                    Measure::OddsRatio => prop_assert!((there.value * back.value - 1.0).abs() < 1e-9),
                    _ => prop_assert!((there.value + back.value).abs() < 1e-9 && (there.low + back.high).abs() < 1e-9),
                }
            }
        }
    }

    #[test]
    fn rate_ratios_turn_around(a in 0..500u64, b in 0..500u64, exposure_a in 0.1..100.0f64, exposure_b in 0.1..100.0f64) {
        prop_assume!(a + b > 0);
        let (first, second) = (Rate { events: a, exposure: exposure_a }, Rate { events: b, exposure: exposure_b });
        let (there, back) = (rate_ratio(first, second, LEVEL).unwrap(), rate_ratio(second, first, LEVEL).unwrap());
        prop_assert!(there.low <= there.value && there.value <= there.high, "{:?}", there);
        prop_assert!((there.p_value - back.p_value).abs() < 1e-9, "{:?} {:?}", there, back);
        if there.low > 0.0 {
            prop_assert!((there.low * back.high - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn adjusted_probabilities_keep_the_order_and_never_fall(p_values in prop::collection::vec(0.0..=1.0f64, 0..40)) {
        let adjusted = benjamini_hochberg(&p_values);
        for (i, p) in p_values.iter().enumerate() {
            prop_assert!(adjusted[i] >= *p && adjusted[i] <= 1.0);
            for (j, other) in p_values.iter().enumerate() {
                prop_assert!(p > other || adjusted[i] <= adjusted[j]);
            }
        }
    }

    /// Without censoring the curve is the share that lives longer; with it, it never rises, and no bound leaves 0 to 1.
    #[test]
    fn survival_falls(lives in prop::collection::vec((0..50u32, any::<bool>()), 0..60)) {
        let all: Vec<Lifetime> = lives.iter().map(|(duration, failed)| life(f64::from(*duration), *failed)).collect();
        let steps = kaplan_meier(&all, LEVEL).unwrap();
        let mut before = 1.0;
        for step in &steps {
            prop_assert!(step.survival <= before && 0.0 <= step.low && step.low <= step.survival + 1e-12 && step.survival <= step.high + 1e-12 && step.high <= 1.0, "{:?}", step);
            before = step.survival;
        }
        let complete: Vec<Lifetime> = all.iter().map(|life| Lifetime { failed: true, ..*life }).collect();
        for step in kaplan_meier(&complete, LEVEL).unwrap() {
            let longer = complete.iter().filter(|life| life.duration > step.time).count();
            prop_assert!((step.survival - real(count(longer)) / real(count(complete.len()))).abs() < 1e-9);
        }
    }

    /// A fit does not depend on the unit of time, and finds again what lives were drawn from.
    #[test]
    fn weibull_fits_scale(shape in 0.5..4.0f64, scale in 0.01..1e4f64, factor in 0.001..1e3f64) {
        let lives: Vec<Lifetime> = (1..200).map(|i| {
            let share = f64::from(i) / 200.0;
            let duration = scale * (-(1.0 - share).ln()).powf(1.0 / shape);
            Lifetime { duration: duration.min(scale), failed: duration < scale }
        }).collect();
        let fit = weibull(&lives, LEVEL).unwrap();
        prop_assert!((fit.shape.value / shape - 1.0).abs() < 0.1 && (fit.scale / scale - 1.0).abs() < 0.1, "{:?}", fit);
        prop_assert!(fit.shape.low < shape && shape < fit.shape.high);
        let other: Vec<Lifetime> = lives.iter().map(|life| Lifetime { duration: life.duration * factor, ..*life }).collect();
        let again = weibull(&other, LEVEL).unwrap();
        prop_assert!((again.shape.value - fit.shape.value).abs() < 1e-6 && (again.scale / fit.scale / factor - 1.0).abs() < 1e-6);
    }

    #[test]
    fn quantiles_and_their_bounds_lie_within_the_sample(values in prop::collection::vec(-100.0..100.0f64, 1..80), probability in 0.01..0.99f64) {
        // The estimate lies between two neighbours and the bounds on values: of two values, the first can be the upper bound of the first percent.
        let found = quantile(values.iter().copied(), probability, 0.9).unwrap();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for value in [Some(found.value), found.low, found.high].into_iter().flatten() {
            prop_assert!((least..=most).contains(&value), "{:?}", found);
        }
        prop_assert!(found.low.zip(found.high).is_none_or(|(low, high)| low <= high), "{:?}", found);
    }

    #[test]
    fn nothing_panics(a in any::<u64>(), b in any::<f64>(), level in any::<f64>()) {
        let _ = (z_of_level(level), wilson(Share::new(a % 100, 7), level), mean_time_between_failures(a, b, level), quantile([b], level, level));
        let _ = (rate_ratio(Rate { events: a % 1000, exposure: b }, Rate { events: 3, exposure: 2.0 }, level), normal_cdf(b), chi_square_quantile(b, level));
        let _ = (kaplan_meier(&[life(b, true)], level), weibull(&[life(b, true), life(2.0, true)], level));
    }
}
