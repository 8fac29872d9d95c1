use proptest::prelude::*;

use super::{Level, levels};
use crate::statistics::{LEVEL, Robust, normal_cdf, quantile};

/// Values as a normal distribution has them: its quantiles.
fn normal(n: u32, mean: f64, deviation: f64) -> Vec<f64> {
    let quantile = |share: f64| {
        let (mut low, mut high) = (-8.0, 8.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if normal_cdf(middle) < share { low = middle } else { high = middle }
        }
        low
    };
    (0..n).map(|i| mean + deviation * quantile((f64::from(i) + 0.5) / f64::from(n))).collect()
}

fn counts(values: Vec<f64>) -> Vec<u64> {
    levels(values, 4, 12).iter().map(|level| level.n).collect()
}

#[test]
fn one_hump_stays_whole_and_two_are_cut_between() {
    assert_eq!(counts(normal(1000, 70.0, 3.0)), [1000]);
    assert_eq!(counts((0..1000).map(f64::from).collect()), [1000]);
    // The textbook case: two humps far apart, of unequal size, and a cut in the empty middle.
    let two: Vec<f64> = normal(300, 550.0, 3.0).into_iter().chain(normal(700, 600.0, 3.0)).collect();
    let found = levels(two, 4, 12);
    assert_eq!(found.iter().map(|level| level.n).collect::<Vec<_>>(), [300, 700]);
    let cut = found[0].to.unwrap();
    assert!((562.0..588.0).contains(&cut) && found[1].from == Some(cut), "{found:?}");
    let three = [normal(100, 1.0, 0.02), normal(100, 2.0, 0.02), normal(100, 3.0, 0.02)].concat();
    assert_eq!(counts(three), [100, 100, 100]);
}

#[test]
fn set_points_without_noise_and_outliers_are_told_apart() {
    assert_eq!(counts([vec![600.0; 950], vec![550.0; 50]].concat()), [50, 950]);
    assert_eq!(counts(vec![600.0; 100]), [100]);
    // Eleven wild values are fewer than a level has, and move nothing.
    assert_eq!(counts([normal(500, 70.0, 3.0), vec![5000.0; 11]].concat()), [511]);
    assert_eq!(counts(vec![f64::NAN, f64::INFINITY]), [0; 0]);
    assert_eq!(counts(vec![1.0, f64::NAN]), [1]);
    // Of a large sample not every rank is tried, and it is cut at the gap all the same.
    let large = [normal(9_000, 0.0, 1.0), normal(9_000, 30.0, 1.0)].concat();
    assert_eq!(counts(large), [9_000, 9_000]);
}

#[test]
fn a_robust_scale_is_that_of_a_normal_sample_and_ignores_wild_values() {
    let clean = Robust::of(normal(2000, 10.0, 2.0)).unwrap();
    assert!((clean.median - 10.0).abs() < 1e-6 && (clean.scale - 2.0).abs() < 0.01, "{clean:?}");
    let wild = Robust::of([normal(2000, 10.0, 2.0), vec![1e9; 100]].concat()).unwrap();
    assert!((wild.scale - 2.0).abs() < 0.2, "{wild:?}");
    assert_eq!(Robust::of([5.0, 5.0, 5.0]), Some(Robust { median: 5.0, scale: 0.0 }));
    assert_eq!(Robust::of([5.0, 5.0]).unwrap().z(6.0), None);
    assert_eq!(Robust::of([]), None);
    // More than half the values are the same: the standard deviation takes over.
    assert!(Robust::of([1.0, 1.0, 1.0, 1.0, 9.0]).unwrap().scale > 3.0);
}

proptest! {
    /// Levels cover the line, touch, and hold what they say they hold; the order of the values does not matter.
    #[test]
    fn levels_share_a_sample_out(mut values in prop::collection::vec(prop_oneof![-50.0..50.0_f64, Just(7.0), 900.0..901.0_f64], 1..80)) {
        let found = levels(values.iter().copied(), 4, 5);
        prop_assert!(!found.is_empty() && found.len() <= 4);
        prop_assert!(found.first().unwrap().from.is_none() && found.last().unwrap().to.is_none());
        prop_assert!(found.windows(2).all(|pair| pair[0].to.is_some() && pair[0].to == pair[1].from));
        for Level { from, to, n } in &found {
            let level = Level { from: *from, to: *to, n: *n };
            prop_assert_eq!(values.iter().filter(|value| level.holds(**value)).count() as u64, *n);
            prop_assert!(found.len() == 1 || *n >= 5);
        }
        values.reverse();
        prop_assert_eq!(levels(values, 4, 5), found);
    }

    /// The bounds of a quantile are order statistics that miss with at most half of what the level leaves out, and no narrower ones do.
    #[test]
    fn quantile_bounds_are_the_narrowest(n in 1_u32..200, probability in 0.01..0.99_f64) {
        let found = quantile((0..n).map(f64::from), probability, LEVEL).unwrap();
        let below = |k: u32| if k >= n { 1.0 } else { 1.0 - crate::kpi::beta_cdf(probability, f64::from(k + 1), f64::from(n - k)) };
        let low = (1..=n).rev().find(|rank| below(rank - 1) <= 0.025).map(|rank| f64::from(rank - 1));
        let high = (1..=n).find(|rank| below(rank - 1) >= 0.975).map(|rank| f64::from(rank - 1));
        prop_assert_eq!((found.low, found.high), (low, high));
    }
}
