use domain::events::{KeyValue, MetricPoint, Real};
use expect_test::{Expect, expect};

use super::*;

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_owned() }
}

fn check(result: Result<(), TrackingError>, expected: Expect) {
    let shown = match result {
        Ok(()) => "fine".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn keys() {
    for fine in ["loss", "val/loss", "a b.c-d_e:f", "精度", "mlflow.user", "x/y/z", "a..b"] {
        key("key", fine).unwrap();
    }
    check(
        key("metrics[3].name", "a*b"),
        expect![[
            r#"Invalid value "a*b" for parameter 'metrics[3].name' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."#
        ]],
    );
    check(
        key("key", "a//b"),
        expect![[
            r#"Invalid value "a//b" for parameter 'key' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to 'a/b'"#
        ]],
    );
    for (wrong, file) in [
        ("", "."),
        (".", "."),
        ("..", ".."),
        ("/a", "/a"),
        ("a/", "a"),
        ("./a", "a"),
        ("a/../b", "b"),
        ("../a", "../a"),
        ("..a/b", "..a/b"),
    ] {
        let text = key("key", wrong).unwrap_err().to_string();
        assert!(text.ends_with(&format!("would resolve to '{file}'")), "{wrong:?}: {text}");
    }
    for wrong in ["a\nb", "a\0", "a\u{202e}b", "a\\b", "a\tb", "\"quoted\""] {
        assert!(key("key", wrong).unwrap_err().to_string().contains("Names may only contain"), "{wrong:?}");
    }
}

#[test]
fn metrics() {
    let point = |key: &str, at_ms| MetricPoint {
        key: key.to_owned(),
        value: Real(0.5),
        at_ms,
        step: 0,
        logged_model: None,
        dataset: None,
        dataset_digest: None,
    };
    check(metric("", &point("loss", 0)), expect!["fine"]);
    check(
        metric("metrics[0]", &point("loss", -1)),
        expect![
            "Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'loss' (value=0.5). Timestamp must be a nonnegative long (64-bit integer) "
        ],
    );
    check(
        metric("", &point(&"k".repeat(251), 0)),
        expect!["'Metric name' exceeds the maximum length of 250 characters"],
    );
}

#[test]
fn long_values_are_cut_and_long_keys_are_not() {
    let mut long = pair("p", &"é".repeat(6_001));
    param("", &mut long).unwrap();
    assert_eq!(long.value.chars().count(), 6_000);
    let mut long = pair("t", &"x".repeat(9_000));
    tag("", &mut long).unwrap();
    assert_eq!(long.value.len(), 8_000);
    check(
        param("", &mut pair(&"é".repeat(251), "1")),
        expect!["'Param key' exceeds the maximum length of 250 characters"],
    );
    check(
        tag("tags[1]", &mut pair(&"k".repeat(251), "1")),
        expect!["'tags[1].key' exceeds the maximum length of 250 characters"],
    );
    param("", &mut pair(&"é".repeat(250), "")).unwrap();
}

#[test]
fn batches() {
    check(batch("metrics", 1_000, 1_000), expect!["fine"]);
    check(
        batch("metrics", 1_000, 1_001),
        expect![
            "A batch logging request can contain at most 1000 metrics. Got 1001 metrics. Please split up metrics across multiple requests and try again."
        ],
    );
    check(unique_params(&[pair("a", "1"), pair("b", "1")]), expect!["fine"]);
    check(
        unique_params(&[pair("a", "1"), pair("b", "1"), pair("a", "1"), pair("b'", "1"), pair("b'", "2")]),
        expect![[
            r#"Duplicate parameter keys have been submitted: ['a', "b'"]. Please ensure the request contains only one param value per param key."#
        ]],
    );
}

#[test]
fn names_and_places() {
    check(experiment_name(""), expect!["Invalid experiment name: ''"]);
    check(experiment_name(&"n".repeat(501)), expect!["'name' exceeds the maximum length of 500 characters"]);
    check(artifact_location("runs:/1/a"), expect!["Artifact location cannot be a runs:/ URI. Given: 'runs:/1/a'"]);
    check(run_id("../etc"), expect![[r#"Invalid value "../etc" for parameter 'run_id' supplied."#]]);
    check(run_id(""), expect![[r#"Invalid value "" for parameter 'run_id' supplied."#]]);
    check(run_id("0a1b_c-d"), expect!["fine"]);
    check(
        logged_model_name("a/b"),
        expect![[
            r#"Invalid model name ('a/b') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")"#
        ]],
    );
}

#[test]
fn paths_of_files() {
    for fine in ["1/r/artifacts/x.txt", "a", "a b/模型.pkl", "..a/b..", "%2e%2e/x"] {
        artifact_path(fine).unwrap();
    }
    for wrong in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a\0b", "a/./b", "a\n"] {
        assert!(matches!(artifact_path(wrong), Err(TrackingError::Invalid(_))), "{wrong:?}");
    }
    assert!(artifact_path(&"p".repeat(1_025)).is_err());
}
