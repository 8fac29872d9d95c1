use domain::ids::Code;
use domain::units::Unit;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::runtime::{Given, Inputs};

/// A document with the inputs `x` and `y` and the table `curve`, whose last formula is the answer.
fn document(expressions: &[&str]) -> Document {
    let formulas: Vec<_> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| serde_json::json!({"name": format!("f{index}"), "expression": expression}))
        .collect();
    serde_json::from_value(serde_json::json!({
        "format": FORMAT,
        "name": {"en": "test"},
        "inputs": [{"name": "x", "unit": "1"}, {"name": "y", "unit": "1"}],
        "parameters": [{"name": "k", "unit": "1", "value": 10.0, "low": 0.0, "high": 20.0}],
        "tables": [{"name": "curve", "x_unit": "1", "y_unit": "1", "x": [0.0, 1.0, 3.0], "y": [0.0, 10.0, 20.0]}],
        "formulas": formulas,
        "outputs": [{"name": "out", "unit": "1", "formula": format!("f{}", expressions.len() - 1)}],
    }))
    .unwrap()
}

fn answer(expressions: &[&str], x: f64, y: f64) -> String {
    match MechanismModel::compile(&document(expressions)) {
        Ok(model) => match model.evaluate(&[x, y]) {
            Ok(values) => values[0].to_string(),
            Err(reason) => format!("unavailable: {reason}"),
        },
        Err(error) => format!("refused: {error}"),
    }
}

fn check(expressions: &[&str], expected: Expect) {
    expected.assert_eq(&answer(expressions, 2.0, 3.0));
}

#[test]
fn arithmetic() {
    check(&["1 + 2 * 3"], expect!["7"]);
    check(&["(1 + 2) * 3"], expect!["9"]);
    check(&["10 - 2 - 3"], expect!["5"]);
    check(&["16 / 4 / 2"], expect!["2"]);
    check(&["-2 ^ 2"], expect!["-4"]);
    check(&["2 ^ 3 ^ 2"], expect!["512"]);
    check(&["2 ^ -1"], expect!["0.5"]);
    check(&["--x"], expect!["2"]);
    check(&["1.5e1 + .5 + 2."], expect!["17.5"]);
    check(&["x * k + y"], expect!["23"]);
    check(&["x * y", "f0 + 1", "f0 * f1"], expect!["42"]);
}

#[test]
fn functions() {
    check(&["min(x, y, 1) + max(x, y)"], expect!["4"]);
    check(&["clamp(10, x, y) + clamp(-10, x, y)"], expect!["5"]);
    check(&["abs(-3) + sqrt(16) + exp(0) + ln(1) + log10(1000)"], expect!["11"]);
    check(&["sin(pi / 2) + cos(0) + tan(0) + tanh(0)"], expect!["2"]);
    check(&["table1d(curve, 0.5) + table1d(curve, x) + table1d(curve, 3)"], expect!["40"]);
}

#[test]
fn choices() {
    check(&["if(x < y, 1, 2)"], expect!["1"]);
    check(&["if(x >= y or not (x == 2), 1, 2)"], expect!["2"]);
    check(&["if(x != y and x <= 2 and y > 2, 1, 2)"], expect!["1"]);
    // A branch that is not taken needs no value, and neither does the right side where the left one decides.
    check(&["if(x > 0, x, ln(-1))"], expect!["2"]);
    check(&["if(x > 0 or ln(-1) > 0, 1, 2)"], expect!["1"]);
    check(&["if(x < 0 and ln(-1) > 0, 1, 2)"], expect!["2"]);
}

#[test]
fn places_without_a_value() {
    check(
        &["1 / (x - 2)"],
        expect!["unavailable: formula f0 has no value: division of 1 by zero (characters 0 to 11)"],
    );
    check(
        &["sqrt(x - 3)", "f0 * 2 + 1"],
        expect!["unavailable: formula f0 has no value: square root of -1 (characters 0 to 11)"],
    );
    check(&["ln(x - 2)"], expect!["unavailable: formula f0 has no value: logarithm of 0 (characters 0 to 9)"]);
    check(
        &["1 + exp(x * 1000)"],
        expect!["unavailable: formula f0 has no value: exp of 2000 is too large (characters 4 to 17)"],
    );
    check(
        &["(0 - x) ^ 0.5"],
        expect![
            "unavailable: formula f0 has no value: -2 to the power of 0.5 is no finite number (characters 0 to 13)"
        ],
    );
    check(
        &["table1d(curve, x + 2)"],
        expect!["unavailable: formula f0 has no value: 4 lies outside table curve (0 to 3) (characters 0 to 21)"],
    );
    check(
        &["clamp(x, 5, 4)"],
        expect!["unavailable: formula f0 has no value: the bounds of clamp cross: 5 is above 4 (characters 0 to 14)"],
    );
    check(
        &["if(1 / (x - 2) > 0, 1, 2)"],
        expect!["unavailable: formula f0 has no value: division of 1 by zero (characters 3 to 14)"],
    );
    check(
        &["1e308 * 10"],
        expect!["unavailable: formula f0 has no value: the result is too large (characters 0 to 10)"],
    );
}

#[test]
fn texts_that_are_no_expressions() {
    check(
        &[""],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 0..0: a value is expected, and the end stands here"#
        ]],
    );
    check(
        &["1 +"],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 3..3: a value is expected, and the end stands here"#
        ]],
    );
    check(&["1 2"], expect![[r#"refused: file "mechanism.json", formulas.f0: at 2..3: 2 does not belong here"#]]);
    check(
        &["(1"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 2..2: ")" is expected, and the end stands here"#]],
    );
    check(
        &["x + z"],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 4..5: the name "z" is not an input, a parameter or an earlier formula"#
        ]],
    );
    check(
        &["f0 + 1"],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 0..2: the name "f0" is not an input, a parameter or an earlier formula"#
        ]],
    );
    check(
        &["system(1)"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 0..6: there is no function "system""#]],
    );
    check(
        &["sqrt(1, 2)"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 0..4: sqrt does not take 2 argument(s)"#]],
    );
    check(
        &["if(1, 2, 3)"],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 3..4: a truth value is needed here, and this is a number"#
        ]],
    );
    check(
        &["(x > 1) + 1"],
        expect![[
            r#"refused: file "mechanism.json", formulas.f0: at 0..7: a number is needed here, and this is a truth value"#
        ]],
    );
    check(
        &["x > 1"],
        expect![[
            r#"refused: file "mechanism.json", outputs.out: a truth value has no unit; turn it into a number with if(condition, 1, 0)"#
        ]],
    );
    check(
        &["x § 1"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 2..4: the character '§' means nothing here"#]],
    );
    check(&["1.2.3"], expect![[r#"refused: file "mechanism.json", formulas.f0: at 0..5: this is not a number"#]]);
    check(
        &["table1d(x, 1)"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 8..9: there is no table "x""#]],
    );
    check(
        &["min(1)"],
        expect![[r#"refused: file "mechanism.json", formulas.f0: at 0..3: min does not take 1 argument"#]],
    );
}

#[test]
fn size_is_bounded() {
    let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
    assert!(answer(&[&deep], 0.0, 0.0).contains("nested deeper than 64 levels"));
    let signs = format!("{}1", "-".repeat(5_000));
    assert!(answer(&[&signs], 0.0, 0.0).contains("nested deeper than 64 levels"));
    let long = vec!["x"; 3_000].join("+");
    assert_eq!(answer(&[&long], 1.0, 0.0), "3000");
    assert!(answer(&[&long, &long], 0.0, 0.0).contains("more than 4096 nodes"));
    assert!(answer(&[&"1".repeat(MAX_EXPRESSION_BYTES + 1)], 0.0, 0.0).contains("the limit is 8192"));
}

/// The answer of a document whose inputs are a pressure and a temperature, and whose formula declares a unit.
fn units(expression: &str, unit: &str) -> String {
    let document: Document = serde_json::from_value(serde_json::json!({
        "format": FORMAT,
        "name": {"en": "units"},
        "inputs": [
            {"name": "p", "unit": "bar"}, {"name": "q", "unit": "Pa"}, {"name": "t", "unit": "K"},
            {"name": "w", "unit": "m"}, {"name": "v", "unit": "m/s"}, {"name": "angle", "unit": "deg"}
        ],
        "formulas": [{"name": "f", "expression": expression, "unit": unit}],
        "outputs": [{"name": "out", "unit": unit, "formula": "f"}],
    }))
    .unwrap();
    MechanismModel::compile(&document).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn units_are_checked_where_they_can_be_told() {
    assert_eq!(units("w / v", "s"), "accepted");
    assert_eq!(units("sqrt(w * w)", "m"), "accepted");
    assert_eq!(units("w ^ 2 / w", "m"), "accepted");
    assert_eq!(units("p + 1", "bar"), "accepted");
    // A number in the text may be a conversion factor: only the kind is checked after it.
    assert_eq!(units("p * 100000 + q", "Pa"), "accepted");
    assert_eq!(units("sin(angle * pi / 180)", "1"), "accepted");
    for (expression, unit, reason) in [
        ("p + t", "bar", "bar and K are of different kinds"),
        ("if(p > t, 1, 2)", "1", "bar and K are of different kinds"),
        ("p + q", "bar", "bar and Pa are of one kind and of different sizes"),
        ("w / v", "m", "m.(m/s)^-1 and m are of different kinds"),
        ("w / v", "ms", "of one kind and of different sizes"),
        ("exp(p)", "1", "a plain number or an angle in rad is needed, and this is in bar"),
        ("sin(angle)", "1", "a plain number or an angle in rad is needed, and this is in deg"),
    ] {
        let refused = units(expression, unit);
        assert!(refused.contains(reason), "{expression} in {unit}: {refused}");
    }
}

#[test]
fn documents_that_do_not_fit_together() {
    let with = |field: &str, value: serde_json::Value| {
        let mut json = serde_json::to_value(document(&["x"])).unwrap();
        json[field] = value;
        match MechanismModel::parse(&serde_json::to_vec(&json).unwrap()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let check = |field: &str, value: serde_json::Value, reason: &str| {
        let refused = with(field, value);
        assert!(refused.contains(reason), "{field}: {refused}");
    };
    check("format", "else".into(), "format: it must be");
    check("inputs", serde_json::json!([]), "inputs: there must be 1 to 256");
    check("inputs", serde_json::json!([{"name": "min", "unit": "1"}]), "inputs.min: the name belongs to the language");
    check("inputs", serde_json::json!([{"name": "a b", "unit": "1"}]), "inputs.a b: a name has letters");
    check("inputs", serde_json::json!([{"name": "k", "unit": "1"}]), "parameters.k: the name is taken");
    check("inputs", serde_json::json!([{"name": "x", "unit": "furlongs"}]), "furlongs");
    check(
        "inputs",
        serde_json::json!([{"name": "x", "unit": "1", "low": 2.0, "high": 1.0}]),
        "inputs.x: low is above high",
    );
    check(
        "parameters",
        serde_json::json!([{"name": "k", "unit": "1", "value": 30.0, "high": 20.0}]),
        "parameters.k: the value lies outside its bounds",
    );
    check(
        "tables",
        serde_json::json!([{"name": "c", "x_unit": "1", "y_unit": "1", "x": [1.0, 1.0], "y": [0.0, 1.0]}]),
        "tables.c: x does not ascend",
    );
    check(
        "outputs",
        serde_json::json!([{"name": "o", "unit": "1", "formula": "nothing"}]),
        "there is no formula \"nothing\"",
    );
    check("surprise", 1.into(), "unknown field `surprise`");
}

#[test]
fn inputs_are_converted_and_the_envelope_is_kept() {
    let document: Document = serde_json::from_value(serde_json::json!({
        "format": FORMAT,
        "name": {"en": "envelope"},
        "inputs": [{"name": "warp_tension", "unit": "cN", "low": 5.0, "high": 600.0}],
        "formulas": [{"name": "double", "expression": "2 * warp_tension"}],
        "outputs": [{"name": "double", "unit": "cN", "formula": "double"}],
    }))
    .unwrap();
    let model = MechanismModel::compile(&document).unwrap();
    let predict = |given: Option<Given>| {
        let inputs: Inputs = given.into_iter().map(|given| (Code::new("warp_tension").unwrap(), given)).collect();
        match model.predict(&inputs) {
            Ok(outputs) => format!("{outputs:?}"),
            Err(reason) => reason.to_string(),
        }
    };
    let unit = |code: &str| Unit::new(code).unwrap();
    expect![[r#"{"double": 600.0}"#]].assert_eq(&predict(Some(Given::plain(300.0))));
    expect![[r#"{"double": 600.0}"#]].assert_eq(&predict(Some(Given::with_unit(3.0, unit("N")))));
    expect!["input warp_tension 812 cN is above 600"].assert_eq(&predict(Some(Given::plain(812.0))));
    expect!["input warp_tension 812.5 cN is above 600"].assert_eq(&predict(Some(Given::with_unit(8.125, unit("N")))));
    expect!["input warp_tension 1 cN is below 5"].assert_eq(&predict(Some(Given::plain(1.0))));
    expect!["input warp_tension is missing"].assert_eq(&predict(None));
    expect!["input warp_tension is not a finite number"].assert_eq(&predict(Some(Given::plain(f64::NAN))));
    let refused = predict(Some(Given::with_unit(3.0, unit("bar"))));
    assert!(refused.starts_with("input warp_tension is in bar, the model wants cN:"), "unexpected {refused}");
}

#[test]
fn the_shipped_loom_model_answers() {
    let json = include_bytes!("../../../examples/models/loom-weft-arrival.json");
    let model = MechanismModel::parse(json).unwrap();
    let answers = model.evaluate(&[4.2, 600.0, 222.0]).unwrap();
    // 1.7 m at 46 m/s are 36.96 ms, in which a shaft of 600 turns a minute goes 133.04°.
    assert!((answers[0] - (85.0 + 3_600.0 * 1.7 / 46.0)).abs() < 1e-9, "{answers:?}");
    assert!((answers[1] - (222.0 - answers[0])).abs() < 1e-9, "{answers:?}");
    let weaker = model.evaluate(&[3.0, 600.0, 222.0]).unwrap();
    assert!(weaker[0] > answers[0], "less pressure arrives later");
    let stopped = model.evaluate(&[4.2, 0.0, 222.0]).unwrap_err();
    assert_eq!(stopped.to_string(), "input loom_speed 0 {pick}/min is below 200");
}

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("y".to_owned()),
        Just("k".to_owned()),
        Just("pi".to_owned()),
        (-1.0e3..1.0e3_f64).prop_map(|number| format!("({number})")),
        Just("1e300".to_owned()),
    ];
    leaf.prop_recursive(5, 64, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "^"]), inner.clone())
                .prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            (
                prop::sample::select(vec!["abs", "sqrt", "exp", "ln", "log10", "sin", "cos", "tan", "tanh"]),
                inner.clone()
            )
                .prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), prop::sample::select(vec!["<", "<=", "==", ">"]), inner.clone(), inner.clone())
                .prop_map(|(a, sign, b, c)| format!("if({a} {sign} {b} and not ({b} > {c}), {c}, {a})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("clamp({a}, {b}, max({b}, {c}))")),
            inner.prop_map(|a| format!("table1d(curve, {a})")),
        ]
    })
}

proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,200}") {
        let _ = MechanismModel::compile(&document(&[&text]));
    }

    #[test]
    fn the_parser_never_panics_on_words_of_the_language(
        words in prop::collection::vec(prop::sample::select(vec![
            "(", ")", ",", "+", "-", "*", "/", "^", "<", "<=", "==", "and", "or", "not", "if", "min", "clamp", "table1d", "curve", "x", "y", "1", "2.5e3", "sqrt", "pi", "é",
        ]), 0..60),
    ) {
        let _ = MechanismModel::compile(&document(&[&words.join(" ")]));
    }

    #[test]
    fn evaluation_is_total(
        text in expressions(),
        x in prop::num::f64::ANY,
        y in prop::num::f64::ANY,
    ) {
        let model = match MechanismModel::compile(&document(&[&text])) {
            Ok(model) => model,
            Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
        };
        match model.evaluate(&[x, y]) {
            Ok(values) => prop_assert!(values.iter().all(|value| value.is_finite())),
            Err(reason) => prop_assert!(!reason.to_string().is_empty()),
        }
    }
}
