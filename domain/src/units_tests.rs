use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn unit(code: &str) -> Unit {
    Unit::new(code).unwrap()
}

#[test]
fn the_units_of_a_mill_are_known() {
    let codes = [
        "{pick}/min",
        "{#}",
        "{pick}",
        "{piece}",
        "%",
        "Cel",
        "K",
        "[degF]",
        "cN",
        "N",
        "N.m",
        "tex",
        "[pt_us]",
        "1",
        "[in_i]",
        "[yd_i]",
        "[ft_i]",
        "[lb_av]",
        "m",
        "mm",
        "cm",
        "m2",
        "kg",
        "g",
        "g/m2",
        "mm/s",
        "mm/s2",
        "m/s",
        "m/min",
        "h",
        "min",
        "s",
        "ms",
        "d",
        "1/min",
        "/min",
        "{pick}/cm",
        "/cm",
        "Pa",
        "kPa",
        "MPa",
        "bar",
        "mbar",
        "[psi]",
        "A",
        "mA",
        "V",
        "W",
        "kW",
        "kW.h",
        "J",
        "kJ",
        "Hz",
        "L/min",
        "m3/h",
        "L",
        "deg",
        "rad",
        "rad/s",
        "{rpm}",
        "dB",
        "Ohm",
        "uS/cm",
        "[ppm]",
        "10*5",
        "{stop}/10*5{pick}",
        "{point}/(100.m2)",
        "%{rh}",
    ];
    let refused: Vec<String> =
        codes.iter().filter_map(|code| Unit::new(code).err()).map(|error| error.to_string()).collect();
    expect![[r#""#]].assert_eq(&refused.join("\n"));
}

#[test]
fn what_is_no_code_is_refused_with_the_reason() {
    for code in ["", "rpm", "°C", "celsius", "m//s", "{open", "picks/min", " m", &"m.".repeat(100)] {
        assert!(Unit::new(code).is_err(), "{code:?}");
        // Refused again: what is not valid is not remembered.
        assert!(Unit::new(code).is_err(), "{code:?}");
    }
    expect![[r#"unit "rpm" is not a UCUM code: Unknown unit: 'rpm'"#]]
        .assert_eq(&Unit::new("rpm").unwrap_err().to_string());
    expect![[r#"unit "" is not a UCUM code: it is empty"#]]
        .assert_eq(&serde_json::from_str::<Unit>("\"\"").unwrap_err().to_string());
}

#[test]
fn values_convert() {
    let check = |value: f64, from: &str, to: &str, expected: f64| {
        let converted = unit(from).convert(value, &unit(to)).unwrap();
        assert!(
            (converted - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{value} {from} is {converted} {to}, not {expected}"
        );
    };
    check(0.0, "Cel", "K", 273.15);
    check(212.0, "[degF]", "Cel", 100.0);
    check(300.0, "K", "[degF]", 80.33);
    check(1.0, "[yd_i]", "m", 0.9144);
    check(36.0, "[in_i]", "[yd_i]", 1.0);
    check(1.0, "/min", "1/min", 1.0);
    check(600.0, "{pick}/min", "/s", 10.0);
    check(250.0, "cN", "N", 2.5);
    check(1.0, "bar", "kPa", 100.0);
    check(90.0, "min", "h", 1.5);
    check(50.0, "%", "1", 0.5);
    check(60.0, "L/min", "m3/h", 3.6);
    check(1.0, "tex", "g/km", 1.0);
}

#[test]
fn what_is_of_another_dimension_does_not_convert() {
    assert!(!unit("m").commensurable(&unit("kg")));
    assert!(unit("Cel").commensurable(&unit("[degF]")));
    assert!(unit("{pick}/min").commensurable(&unit("Hz")));
    expect!["1 m cannot be converted to kg: Dimension mismatch in conversion from 'm' to 'kg': expected M, found L"]
        .assert_eq(&unit("m").convert(1.0, &unit("kg")).unwrap_err().to_string());
    assert!(unit("m").convert(f64::NAN, &unit("m")).is_err());
    assert!(unit("m").convert(f64::INFINITY, &unit("km")).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(code in "\\PC{0,40}", value in any::<f64>()) {
        if let Ok(unit) = Unit::new(&code) {
            let _ = unit.convert(value, &Unit::one());
            prop_assert!(unit.commensurable(&unit));
        }
    }

    #[test]
    fn there_and_back_is_the_same(value in -1e6..1e6f64) {
        for (from, to) in [("Cel", "[degF]"), ("bar", "[psi]"), ("m", "[yd_i]"), ("cN", "N")] {
            let back = unit(to).convert(unit(from).convert(value, &unit(to)).unwrap(), &unit(from)).unwrap();
            prop_assert!((back - value).abs() <= 1e-9 * value.abs().max(1.0));
        }
    }
}
