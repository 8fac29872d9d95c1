use domain::events::Statistic;
use proptest::prelude::*;

use super::*;

fn spec(statistic: Statistic, window_s: u64, baseline_s: u64) -> FeatureSpec {
    FeatureSpec { statistic, window_s, baseline_s }
}

/// One reading a second, from second 0 on; what the feature says, with times in seconds.
fn said(spec: FeatureSpec, values: impl IntoIterator<Item = f64>) -> Vec<(i64, f64)> {
    let mut feature = Feature::new(spec);
    let points =
        values.into_iter().zip(0_i64..).filter_map(|(value, second)| feature.push(second * SECOND_NS, value, 0));
    points.map(|point| (point.time_ns / SECOND_NS, point.value)).collect()
}

#[test]
fn a_bucket_that_is_full_is_said_by_the_reading_after_it() {
    // Buckets of a second: at 3 s three of six are full.
    assert_eq!(said(spec(Statistic::Mean, 6, 0), [1.0, 2.0, 3.0]), []);
    assert_eq!(said(spec(Statistic::Mean, 6, 0), [1.0, 2.0, 3.0, 9.0]), [(3, 2.0)]);
    let ramp = said(spec(Statistic::Mean, 6, 0), (0..9).map(f64::from));
    // The window holds six buckets, and what is older is forgotten.
    assert_eq!(ramp.last(), Some(&(8, 4.5)));
}

#[test]
fn a_slope_is_by_hour_and_a_spread_in_the_unit() {
    let slope = said(spec(Statistic::Slope, 6, 0), (0..9).map(|second| f64::from(second) * 2.0));
    assert!(slope.iter().all(|(_, slope)| (slope - 7_200.0).abs() < 1e-6), "{slope:?}");
    assert!(!slope.is_empty());
    let spread = said(spec(Statistic::Spread, 6, 0), [1.0, 3.0, 1.0, 3.0, 0.0]);
    assert_eq!(spread.len(), 2);
    // Four values, two of 1 and two of 3: the variance is 4/3.
    assert!((spread[1].1 - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
}

#[test]
fn a_level_counts_robust_deviations_from_the_baseline() {
    // Twenty seconds of 0, 1, 2, 3, 4, 0, …, then a step to 100.
    let baseline = (0..20).map(|second| f64::from(second % 5));
    let levels = said(spec(Statistic::Level, 6, 20), baseline.chain(std::iter::repeat_n(100.0, 7)));
    let (time, level) = *levels.last().unwrap();
    assert_eq!(time, 26);
    // Median 2, median of deviations 1.
    assert!((level - 98.0 / 1.4826).abs() < 1e-9, "{level}");
    // A baseline without any spread has no scale.
    assert_eq!(said(spec(Statistic::Level, 6, 20), std::iter::repeat_n(1.0, 40)), []);
    // Too few buckets say nothing.
    assert_eq!(said(spec(Statistic::Level, 6, 20), (0..14).map(f64::from)), []);
}

#[test]
fn a_spread_ratio_sees_no_shift_between_buckets() {
    let of = |step: f64| {
        // Buckets of ten seconds with the same spread; the window lies higher by `step`.
        let wave = (0..300).map(move |second| f64::from(second % 2) + if second >= 240 { step } else { 0.0 });
        said(spec(Statistic::SpreadRatio, 60, 240), wave).last().unwrap().1
    };
    assert!((of(0.0) - of(500.0)).abs() < 1e-9);
    assert!((of(0.0) - 0.95).abs() < 0.1, "{}", of(0.0));
}

#[test]
fn what_is_no_number_or_late_is_left_out_until_the_clock_was_wrong() {
    let mut feature = Feature::new(spec(Statistic::Mean, 6, 0));
    assert_eq!(feature.push(0, f64::NAN, 0), None);
    for second in 0..4 {
        feature.push(second * SECOND_NS, 1.0, 0);
    }
    // A reading of next year, and then readings of today: after a hundred of them the feature begins anew.
    assert!(feature.push(30_000_000 * SECOND_NS, 1.0, 0).is_some());
    let said: Vec<i64> = (4..200)
        .filter_map(|second| feature.push(second * SECOND_NS, 1.0, 0))
        .map(|point| point.time_ns / SECOND_NS)
        .collect();
    let first = 4 + i64::from(LATE_BEFORE_RESET) - 1;
    assert_eq!(said.first(), Some(&(first + 3)));
}

#[test]
fn positions_are_those_of_the_window() {
    let mut feature = Feature::new(spec(Statistic::Mean, 6, 20));
    for second in 0..30_u32 {
        feature.push(i64::from(second) * SECOND_NS, 1.0, u64::from(second / 2));
    }
    // The bucket of second 28 is the last full one, 23 the first of its window.
    assert_eq!(feature.positions(), [11, 12, 13, 14]);
}

#[test]
fn alarms_count_for_as_long_as_the_window() {
    let mut count = AlarmCount::new(10);
    let second = |at: i64| at * SECOND_NS;
    assert_eq!(count.push(second(0), 1).unwrap().value, 1.0);
    assert_eq!(count.push(second(4), 2).unwrap().value, 2.0);
    assert_eq!(count.next_ns(), Some(second(10)));
    assert_eq!(count.expire(second(10)), Point { time_ns: second(10), value: 1.0 });
    // A late one counts while it is within the window, and not after.
    assert_eq!(count.push(second(2), 3).unwrap(), Point { time_ns: second(10), value: 2.0 });
    assert_eq!(count.push(second(0), 4), None);
    assert_eq!(count.positions(), [2, 3]);
    assert_eq!(count.expire(second(14)).value, 0.0);
}

proptest! {
    /// A feature that begins as far before as it reaches says what one says that has always run.
    #[test]
    fn what_is_said_depends_on_the_window_and_the_baseline_only(
        values in prop::collection::vec((0_i64..4, -5.0_f64..5.0), 200..400),
        which in 0..Statistic::ALL.len(),
    ) {
        let statistic = Statistic::ALL[which];
        let spec = spec(statistic, 12, if statistic.needs_baseline() { 60 } else { 0 });
        let mut time_ns = 0;
        let readings: Vec<(i64, f64)> = values
            .into_iter()
            .map(|(gap, value)| {
                time_ns += gap * SECOND_NS;
                (time_ns, value)
            })
            .collect();
        let run = |from_ns: i64| -> Vec<Point> {
            let mut feature = Feature::new(spec);
            readings.iter().filter(|(time, _)| *time >= from_ns).filter_map(|(time, value)| feature.push(*time, *value, 0)).collect()
        };
        let begin_ns = readings[100].0;
        let always: Vec<Point> = run(0).into_iter().filter(|point| point.time_ns > begin_ns + spec.step_ns()).collect();
        let late: Vec<Point> = run(begin_ns - spec.reach_ns()).into_iter().filter(|point| point.time_ns > begin_ns + spec.step_ns()).collect();
        prop_assert_eq!(always.len(), late.len());
        for (one, other) in always.iter().zip(&late) {
            prop_assert_eq!(one, other);
        }
    }
}
