use super::*;

#[test]
fn chi_square_bounds_are_those_of_the_tables() {
    // χ²(0.95; 12) = 21.026, χ²(0.05; 10) = 3.940.
    let bounds = mtbf(5, 1_000.0).unwrap();
    assert!((bounds.hours - 200.0).abs() < 1e-9);
    assert!((bounds.low - 2_000.0 / 21.026).abs() < 0.5, "{}", bounds.low);
    assert!((bounds.high - 2_000.0 / 3.940).abs() < 3.0, "{}", bounds.high);
}

#[test]
fn one_failure_makes_no_mean() {
    assert_eq!(mtbf(1, 1_000.0), None);
    assert_eq!(mtbf(5, 0.0), None);
}
