use serde_json::json;

use super::super::error::Code;
use super::*;

fn body(value: &Value) -> Arguments {
    Arguments::of_body(value.to_string().as_bytes()).unwrap()
}

#[test]
fn a_wrong_type_is_refused_in_the_words_of_the_original() {
    let arguments =
        body(&json!({"name": 123, "n": "foo", "l": "5", "f": 9.0, "b": "yes", "o": [1], "long": "x".repeat(9_000)}));
    let fields = arguments.fields();
    let docs = "See the API docs for more information about request parameters.";
    let refusals = [
        (
            fields.text("name").unwrap_err(),
            "Invalid value 123 for parameter 'name' supplied:  Hint: Value was of type 'int'.",
        ),
        (
            fields.integer("n").unwrap_err(),
            "Invalid value \"foo\" for parameter 'n' supplied:  Hint: Value was of type 'str'.",
        ),
        (
            fields.list("l").unwrap_err(),
            "Invalid value \"5\" for parameter 'l' supplied:  Hint: Value was of type 'str'.",
        ),
        (
            fields.text("f").unwrap_err(),
            "Invalid value 9.0 for parameter 'f' supplied:  Hint: Value was of type 'float'.",
        ),
        (
            fields.boolean("b").unwrap_err(),
            "Invalid value \"yes\" for parameter 'b' supplied:  Hint: Value was of type 'str'.",
        ),
        (
            fields.objects("o").unwrap_err(),
            "Invalid value 1 for parameter 'o[0]' supplied:  Hint: Value was of type 'int'.",
        ),
        (
            fields.texts("o").unwrap_err(),
            "Invalid value [1] for parameter 'o' supplied:  Hint: Value was of type 'list'.",
        ),
    ];
    for (refusal, expected) in refusals {
        assert_eq!(
            (refusal.code(), refusal.message()),
            (Code::InvalidParameterValue, format!("{expected} {docs}").as_str())
        );
    }
    assert!(fields.integer("long").unwrap_err().message().len() < 800, "what is repeated is bounded");
}

#[test]
fn what_is_missing_is_named_with_its_place() {
    let arguments = body(&json!({"run_id": null, "name": "", "metrics": [{"key": "a", "value": 1}], "list": []}));
    let fields = arguments.fields();
    for (refusal, path) in [
        (fields.run_id().unwrap_err(), "run_id"),
        (fields.required_text("name").unwrap_err(), "name"),
        (fields.required_list("list").unwrap_err(), "list"),
        (fields.objects("metrics").unwrap()[0].missing("timestamp"), "metrics[0].timestamp"),
    ] {
        assert!(
            refusal.message().starts_with(&format!("Missing value for required parameter '{path}'.")),
            "{refusal:?}"
        );
    }
    let older = body(&json!({"run_uuid": "r"}));
    assert_eq!(older.fields().run_id().unwrap(), "r");
}

#[test]
fn numbers_come_as_numbers_or_texts() {
    let arguments = body(&json!({
        "a": 5, "b": "5", "c": 5.0, "max": i64::MAX, "nan": "NaN", "inf": "-Infinity", "text": "1.5", "half": 1.5, "yes": true,
        "big": 1e300, "experiment_id": 7, "experiment_ids": [1, "2"], "huge": u64::MAX,
    }));
    let fields = arguments.fields();
    for name in ["a", "b", "c"] {
        assert_eq!(fields.integer(name).unwrap(), Some(5), "{name}");
    }
    assert_eq!(fields.integer("max").unwrap(), Some(i64::MAX));
    for name in ["half", "yes", "big", "nan", "huge"] {
        assert!(fields.integer(name).is_err(), "{name}");
    }
    assert!(fields.real("nan").unwrap().unwrap().is_nan());
    assert_eq!(fields.real("inf").unwrap(), Some(f64::NEG_INFINITY));
    assert_eq!((fields.real("text").unwrap(), fields.real("a").unwrap()), (Some(1.5), Some(5.0)));
    assert!(fields.real("yes").is_err());
    assert_eq!(fields.required_experiment_id().unwrap(), "7");
    assert_eq!(fields.experiment_ids().unwrap(), ["1", "2"]);
    assert_eq!(fields.max_results(100, 1000).unwrap(), 100);
    let too_many = body(&json!({"max_results": 123_456_789}));
    let refused = too_many.fields().max_results(100, 50_000).unwrap_err();
    assert!(
        refused.message().starts_with("Invalid value 123456789 for parameter 'max_results' supplied"),
        "{refused:?}"
    );
}

#[test]
fn a_query_has_lists_where_a_name_comes_twice() {
    let arguments =
        Arguments::of_query("run_id=a&run_id=b&one=x&filter=name+LIKE+%27p%25%27&yes=True&n=3&empty=&bad=%ff");
    let fields = arguments.fields();
    assert_eq!(fields.texts("run_id").unwrap(), ["a", "b"]);
    assert_eq!(fields.texts("one").unwrap(), ["x"]);
    assert_eq!(fields.text("run_id").unwrap(), Some("a"));
    assert_eq!(fields.text("filter").unwrap(), Some("name LIKE 'p%'"));
    assert_eq!((fields.boolean("yes").unwrap(), fields.integer("n").unwrap()), (Some(true), Some(3)));
    assert_eq!((fields.text("empty").unwrap(), fields.some_text("empty").unwrap()), (Some(""), None));
    assert_eq!(fields.text("bad").unwrap(), Some("\u{fffd}"));
    let refused = fields.boolean("one").unwrap_err();
    assert_eq!(refused.message(), "Invalid boolean value: x, must be 'true' or 'false'.");
}

#[test]
fn a_body_is_an_object_a_text_of_one_or_nothing() {
    for text in ["", "  \n", "null", "{}", "\"{}\""] {
        assert!(Arguments::of_body(text.as_bytes()).unwrap().fields.is_empty(), "{text:?}");
    }
    let twice = Arguments::of_body(br#""{\"name\": \"x\"}""#).unwrap();
    assert_eq!(twice.fields().required_text("name").unwrap(), "x");
    for text in ["{", "[]", "3", "\"[\"", "{\"a\": 1} x", "\u{feff}{}"] {
        assert_eq!(Arguments::of_body(text.as_bytes()).unwrap_err().code(), Code::InvalidParameterValue, "{text:?}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Arguments::of_body(deep.as_bytes()).is_err(), "depth is bounded");
}
