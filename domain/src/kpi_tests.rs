use proptest::prelude::*;

use super::*;

fn check(name: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name} is {found}, not {expected}");
}

#[test]
fn beta_bounds_agree_with_closed_forms() {
    // Beta(1, 1) is uniform; Beta(n + 1, 1) has the quantile p^(1 / (n + 1)); Beta(1, n + 1) the mirrored one.
    check("nothing known, low", beta_bounds(0, 0).low, 0.05);
    check("nothing known, mean", beta_bounds(0, 0).mean, 0.5);
    check("nothing known, high", beta_bounds(0, 0).high, 0.95);
    for n in [1_u32, 4, 9, 99, 10_000] {
        let power = 1.0 / f64::from(n + 1);
        check("only successes", beta_bounds(n.into(), 0).low, 0.05_f64.powf(power));
        check("only failures", beta_bounds(0, n.into()).low, 1.0 - 0.95_f64.powf(power));
    }
    // I_x(2, 2) = x²(3 − 2x); I_x(3, 2) = x³(4 − 3x).
    for x in [0.01, 0.3, 0.5, 0.77, 0.999] {
        check("I_x(2, 2)", beta_cdf(x, 2.0, 2.0), x * x * (3.0 - 2.0 * x));
        check("I_x(3, 2)", beta_cdf(x, 3.0, 2.0), x * x * x * (4.0 - 3.0 * x));
    }
}

#[test]
fn what_was_shown_often_ranks_above_what_went_well_once() {
    assert!(beta_bounds(18, 2).low > beta_bounds(1, 0).low);
    assert!(beta_bounds(3, 0).low > beta_bounds(2, 0).low);
    assert!(beta_bounds(1_000_000, 1_000_000).high - beta_bounds(1_000_000, 1_000_000).low < 0.002);
}

#[test]
fn wilson_bounds_hold_their_definition() {
    assert_eq!(wilson_bounds(0, 0), None);
    let bounds = wilson_bounds(8, 2).unwrap();
    check("share", bounds.mean, 0.8);
    // Each bound p solves (share − p)² = z² p (1 − p) / n.
    for p in [bounds.low, bounds.high] {
        check("equation", (0.8 - p).powi(2), 1.644_853_626_951_472_2_f64.powi(2) * p * (1.0 - p) / 10.0);
    }
    check("no success", wilson_bounds(0, 5).unwrap().low, 0.0);
}

#[test]
fn ratios_roll_up_by_sums() {
    let shifts = [Ratio::new(90.0, 100.0), Ratio::new(1.0, 10.0)];
    check("together", shifts.into_iter().sum::<Ratio>().value().unwrap(), 91.0 / 110.0);
    assert_eq!(Ratio::default().value(), None);
}

#[test]
fn oee_is_the_product_of_its_factors() {
    let shift =
        OeeTimes { planned_busy_s: 28_800.0, production_s: 27_000.0, ideal_s: 25_650.0, produced: 100.0, good: 98.0 };
    check("availability", shift.availability().value().unwrap(), 0.9375);
    check("effectiveness", shift.effectiveness().value().unwrap(), 0.95);
    check("OEE", shift.oee().unwrap(), 25_650.0 / 28_800.0 * 0.98);
    check("two alike", (shift + shift).oee().unwrap(), shift.oee().unwrap());
    assert_eq!(OeeTimes::default().oee(), None);
}

#[test]
fn mean_times_count_censored_time() {
    let asset = FailureTimes { failures: 2, operating_s: 1000.0, repairs: 2, repair_s: 60.0 };
    let unfailed = FailureTimes { operating_s: 500.0, ..FailureTimes::default() };
    check("MTBF", (asset + unfailed).mtbf_s().unwrap(), 750.0);
    check("MTTR", (asset + unfailed).mttr_s().unwrap(), 30.0);
    assert_eq!(unfailed.mtbf_s(), None);
    assert_eq!(unfailed.mttr_s(), None);
}

proptest! {
    #[test]
    fn bounds_are_in_order(successes in 0..10_000_000u64, failures in 0..10_000_000u64) {
        let Bounds { low, mean, high } = beta_bounds(successes, failures);
        prop_assert!(0.0 <= low && low <= mean && mean <= high && high <= 1.0, "{low} {mean} {high}");
    }

    #[test]
    fn one_more_success_raises_the_bound(successes in 0..1000u64, failures in 0..1000u64) {
        prop_assert!(beta_bounds(successes + 1, failures).low > beta_bounds(successes, failures).low);
        prop_assert!(beta_bounds(successes, failures + 1).low < beta_bounds(successes, failures).low);
    }

    #[test]
    fn the_quantile_inverts_the_distribution(successes in 0..5000u32, failures in 0..5000u32) {
        let (a, b) = (1.0 + f64::from(successes), 1.0 + f64::from(failures));
        let bounds = beta_bounds(successes.into(), failures.into());
        prop_assert!((beta_cdf(bounds.low, a, b) - 0.05).abs() < 1e-7);
        prop_assert!((beta_cdf(bounds.high, a, b) - 0.95).abs() < 1e-7);
    }
}
