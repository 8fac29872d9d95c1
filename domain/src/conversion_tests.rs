use super::*;

fn check(from: &str, to: &str, value: f64, expected: f64) {
    let conversion = Conversion::between(&Unit::new(from).unwrap(), &Unit::new(to).unwrap()).unwrap();
    let got = conversion.apply(value);
    assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{value} {from} is {got} {to}, not {expected}");
}

#[test]
fn units_of_one_kind_convert() {
    check("bar", "Pa", 4.5, 450_000.0);
    check("Cel", "K", 20.0, 293.15);
    check("[degF]", "Cel", 212.0, 100.0);
    check("cN", "N", 812.0, 8.12);
    check("{pick}/min", "/s", 600.0, 10.0);
    check("A", "A", 1.5, 1.5);
}

#[test]
fn units_of_different_kinds_do_not() {
    let refused = Conversion::between(&Unit::new("bar").unwrap(), &Unit::new("K").unwrap());
    assert!(matches!(refused, Err(ConversionError::Kinds(_))), "unexpected {refused:?}");
}
