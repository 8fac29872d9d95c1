use proptest::prelude::*;

use super::*;

fn check(name: &str, found: Option<f64>, expected: f64) {
    let found = found.unwrap_or_else(|| panic!("{name} has no answer"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name} is {found}, not {expected}");
}

#[test]
fn known_answers() {
    check("cloth of 1000 m warp at 6 %", cloth_length_m(1000.0, 0.06), 940.0);
    check("warp for 940 m of cloth", warp_length_m(940.0, 0.06), 1000.0);
    // 6000 ends × 1000 m × 18 tex: 6,000 km of yarn at 18 g/km.
    check("warp weight", warp_kg(6000, 1000.0, 18.0), 108.0);
    // 250,000 picks of 1.7 m are 425 km of yarn at 20 g/km.
    check("weft weight", weft_kg(250_000.0, 1.7, 20.0), 8.5);
    check("rate", metres_per_hour(600.0, 25.0), 14.4);
    check("picks in 100 m", picks(100.0, 25.0), 250_000.0);
    check("metres of 36,000 picks", metres(36_000.0, 25.0), 14.4);
    check("efficiency", efficiency(270_000.0, 600.0, 480.0), 0.9375);
    check("stops", stops_per_100_000_picks(9, 300_000.0), 3.0);
    check("tex of Ne 32", tex_from_ne(32.0), 18.453_125);
    check("Ne of 590.5 tex", ne_from_tex(590.5), 1.0);
    // 28 points on 120 m of 1.6 m width: 192 m².
    check("points per 100 m²", points_per_100_m2(28, 120.0, 1.6), 14.583_333_333_333_334);
    check("points per 100 yd²", points_per_100_yd2(28, 120.0, 1.6), 12.193_524);
    // One square yard with one point has a hundred in a hundred.
    check("a square yard", points_per_100_yd2(1, 0.9144, 0.9144), 100.0);
}

#[test]
fn points_step_at_3_6_and_9_inches() {
    for (length_m, points) in [(0.0, 1), (0.075, 1), (0.0751, 2), (0.15, 2), (0.2, 3), (0.23, 3), (0.231, 4), (30.0, 4)]
    {
        assert_eq!(points_by_length(length_m), Some(points), "{length_m} m");
    }
    assert_eq!(points_by_length(-1.0), None);
    assert_eq!(points_by_length(f64::NAN), None);
}

#[test]
fn counts_of_cotton_convert_by_the_moisture_they_are_taken_at() {
    // The constants follow from the pound, the yard and the regains; each is rounded to four digits.
    let exact = 453_592.37 / (840.0 * 0.9144);
    assert!((exact - TEX_OF_NE_1).abs() < 0.05, "{exact}");
    let chinese = exact * 1.085 / 1.0989;
    assert!((chinese - TEX_OF_NE_1_CHINESE_COTTON).abs() < 0.05, "{chinese}");
    check("C18.2 is Ne 32 in a Chinese mill", tex_from_ne_chinese_cotton(32.0), 18.221_875);
    check("J14.5 is Ne 40", ne_from_tex_chinese_cotton(14.577_5), 40.0);
}

#[test]
fn a_metre_of_cloth_has_at_most_four_points() {
    // 120 m of 1.6 m: metre 33 is given 4 + 4 + 2 points and counts 4; the 2 points without a place count.
    let defects = [(Some(33.2), 4), (Some(33.9), 4), (Some(33.0), 2), (Some(80.5), 2), (None, 2)];
    let grade = grade_roll(defects, 120.0, 1.6).unwrap();
    assert_eq!((grade.points, grade.points_over), (8, 6));
    check("points per 100 m²", Some(grade.per_100_m2), 800.0 / 192.0);
    check("points per 100 yd²", Some(grade.per_100_yd2), 800.0 / 192.0 * 0.9144 * 0.9144);
    // 3600 / (inches of width × yards) × points, the formula of the trade: 28 points, 100 yards, 60 inches wide.
    let yards = grade_roll([(None, 28)], 91.44, 60.0 * 0.0254).unwrap();
    check("trade formula", Some(yards.per_100_yd2), 28.0 * 3600.0 / (100.0 * 60.0));
    assert_eq!(grade_roll([(None, 99)], 2.0, 1.0).unwrap().points, 8);
    assert_eq!(grade_roll([(None, 1)], 0.0, 1.6), None);
    assert_eq!((points_of_hole(0.025), points_of_hole(0.026), points_of_hole(-1.0)), (Some(2), Some(4), None));
}

#[test]
fn what_has_no_answer_has_none() {
    assert_eq!(cloth_length_m(1000.0, 1.0), None);
    assert_eq!(cloth_length_m(-1.0, 0.05), None);
    assert_eq!(warp_length_m(1000.0, 1.5), None);
    assert_eq!(metres_per_hour(600.0, 0.0), None);
    assert_eq!(efficiency(1.0, 600.0, 0.0), None);
    assert_eq!(tex_from_ne(0.0), None);
    assert_eq!(points_per_100_m2(4, 0.0, 1.6), None);
    assert_eq!(warp_kg(6000, f64::INFINITY, 18.0), None);
}

proptest! {
    #[test]
    fn there_and_back_is_the_same(length in 0.0..1e6f64, take_up in 0.0..0.9f64, density in 0.1..200.0f64) {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        prop_assert!(close(warp_length_m(cloth_length_m(length, take_up).unwrap(), take_up).unwrap(), length));
        prop_assert!(close(metres(picks(length, density).unwrap(), density).unwrap(), length));
    }

    /// Points that count never exceed those given, nor the cap; one more defect never lowers them.
    #[test]
    fn grades_are_capped_and_grow(defects in prop::collection::vec((prop::option::of(-5.0..60.0f64), 1..5u32), 0..80), length in 1.0..60.0f64) {
        let grade = grade_roll(defects.iter().copied(), length, 1.5).unwrap();
        let given: u32 = defects.iter().map(|(_, points)| points).sum();
        prop_assert_eq!(grade.points + grade.points_over, given);
        prop_assert!(f64::from(grade.points) <= 4.0 * length.ceil());
        let more = grade_roll(defects.iter().copied().chain([(None, 4)]), length, 1.5).unwrap();
        prop_assert!(more.points >= grade.points);
    }

    #[test]
    fn answers_are_amounts(a in any::<f64>(), b in any::<f64>(), c in any::<f64>(), n in any::<u32>()) {
        let answers = [
            cloth_length_m(a, b), warp_length_m(a, b), warp_kg(n, a, b), weft_kg(a, b, c), metres_per_hour(a, b), picks(a, b), metres(a, b),
            efficiency(a, b, c), tex_from_ne(a), points_per_100_m2(n, a, b), points_per_100_yd2(n, a, b),
        ];
        prop_assert!(answers.into_iter().flatten().all(|answer| answer.is_finite() && answer >= 0.0));
    }
}
