use expect_test::expect;
use serde_json::json;

use super::*;

fn draft(revision: u32) -> Value {
    json!({"article": "KB", "revision": revision, "kind": "procedure", "title": {"en": "t"}, "author": "P-1"})
}

fn review(revision: u32, person: &str, approved: bool) -> Value {
    json!({"article": "KB", "revision": revision, "person": person, "approved": approved})
}

#[test]
fn a_revision_counts_when_somebody_else_has_approved_it() {
    given(&[])
        .when("article.review", review(1, "P-2", true), expect!["refused by article.no_such_revision on article KB: article KB has no revision 1"])
        .when("article.supersede", json!({"article": "KB", "person": "P-2"}), expect!["refused by article.not_there on article KB: article KB was never written"])
        .when("article.draft", draft(2), expect!["refused by article.revision_gap on article KB: the next revision of article KB is 1, not 2"])
        .when("article.draft", draft(1), expect![[r#"article.drafted {"article":"KB","revision":1,"kind":"procedure","title":{"en":"t"},"body":{},"author":"P-1"}"#]])
        .when("article.review", review(1, "P-1", true), expect!["refused by article.own_review on article KB: P-1 wrote revision 1 of article KB, and cannot review it"])
        .when("article.review", review(1, "P-2", false), expect![[r#"article.reviewed {"article":"KB","revision":1,"person":"P-2","approved":false}"#]])
        .when("article.review", review(1, "P-3", true), expect!["refused by article.reviewed_twice on article KB: revision 1 of article KB was reviewed before"])
        .when("article.draft", draft(2), expect![[r#"article.drafted {"article":"KB","revision":2,"kind":"procedure","title":{"en":"t"},"body":{},"author":"P-1"}"#]])
        .when("article.supersede", json!({"article": "KB", "by": "KB-2", "person": "P-2"}), expect![[r#"article.superseded {"article":"KB","by":"KB-2","person":"P-2"}"#]])
        .when("article.draft", draft(3), expect!["refused by article.superseded on article KB: article KB was superseded"]);
}

fn rule(detection: Value) -> Value {
    let mut rule = draft(1);
    rule["kind"] = json!("rule");
    rule["classes"] = json!(["air-jet-loom"]);
    rule["detection"] = detection;
    rule
}

fn readings(condition: Value) -> Value {
    let mut whole = json!({"of": "readings", "quantity": "vibration", "statistic": "level", "window_s": 3600, "baseline_s": 86400, "side": "at_least", "threshold": 5.0});
    for (field, value) in condition.as_object().unwrap() {
        whole[field] = value.clone();
    }
    json!({"mode": "BEA-WEA", "condition": whole, "horizon_s": 172_800})
}

#[test]
fn a_detection_that_cannot_run_is_refused_with_the_field() {
    let check = |draft: Value, expected: expect_test::Expect| {
        given(&[]).when("article.draft", draft, expected);
    };
    let mut no_rule = rule(readings(json!({})));
    no_rule["kind"] = json!("article");
    check(no_rule, expect!["refused by article.detection on article KB: article KB: only a rule has a detection"]);
    check(
        rule(readings(json!({"window_s": 5}))),
        expect![
            "refused by article.detection on article KB: article KB: window_s is 5, not between 6 and 7776000 seconds"
        ],
    );
    check(
        rule(readings(json!({"window_s": 10_000_000}))),
        expect![
            "refused by article.detection on article KB: article KB: window_s is 10000000, not between 6 and 7776000 seconds"
        ],
    );
    check(
        rule(readings(json!({"statistic": "mean"}))),
        expect!["refused by article.detection on article KB: article KB: baseline_s does not go with mean"],
    );
    check(
        rule(readings(json!({"baseline_s": null}))),
        expect!["refused by article.detection on article KB: article KB: level needs baseline_s"],
    );
    check(
        rule(readings(json!({"baseline_s": 600}))),
        expect![
            "refused by article.detection on article KB: article KB: baseline_s is 600, not between window_s (3600) and 1228800 seconds"
        ],
    );
    check(
        rule(readings(json!({"window_s": 60, "baseline_s": 86_400}))),
        expect![
            "refused by article.detection on article KB: article KB: baseline_s is 86400, not between window_s (60) and 20480 seconds"
        ],
    );
    let alarms = |codes: Value, at_least: u32| {
        rule(
            json!({"mode": "M", "condition": {"of": "alarms", "codes": codes, "window_s": 60, "at_least": at_least}, "horizon_s": 60}),
        )
    };
    check(
        alarms(json!([]), 1),
        expect!["refused by article.detection on article KB: article KB: codes must be one or more"],
    );
    check(
        alarms(json!(["E1"]), 0),
        expect!["refused by article.detection on article KB: article KB: at_least must be one or more"],
    );
    let mut nowhere = alarms(json!(["E1*"]), 2);
    nowhere["classes"] = json!([]);
    check(
        nowhere,
        expect![
            "refused by article.detection on article KB: article KB: a detection is for an asset or for classes of assets"
        ],
    );
    let mut never = rule(readings(json!({})));
    never["detection"]["horizon_s"] = json!(0);
    check(
        never,
        expect![
            "refused by article.detection on article KB: article KB: horizon_s is 0, not between 1 and 7776000 seconds"
        ],
    );
    check(
        rule(readings(json!({}))),
        expect![[
            r#"article.drafted {"article":"KB","revision":1,"kind":"rule","title":{"en":"t"},"body":{},"detection":{"mode":"BEA-WEA","condition":{"of":"readings","quantity":"vibration","statistic":"level","window_s":3600,"baseline_s":86400,"while_running":false,"side":"at_least","threshold":5.0},"hold_s":0,"clear_s":0,"horizon_s":172800},"classes":["air-jet-loom"],"author":"P-1"}"#
        ]],
    );
}

#[test]
fn a_pattern_of_alarm_codes_ends_in_a_star() {
    use crate::events::code_matches;
    use crate::ids::Code;
    let code = |text: &str| Code::new(text).unwrap();
    for (pattern, text, expected) in [
        ("E1", "E1", true),
        ("E1", "E12", false),
        ("E1*", "E12", true),
        ("E1*", "E1", true),
        ("*", "X", true),
        ("E1*", "F1", false),
    ] {
        assert_eq!(code_matches(&code(pattern), &code(text)), expected, "{pattern} {text}");
    }
}

#[test]
fn an_fmea_sheet_has_rows_with_ranks_from_1_to_10() {
    let mut sheet = draft(1);
    sheet["kind"] = json!("fmea");
    given(&[]).when(
        "article.draft",
        sheet.clone(),
        expect!["refused by article.rows on article KB: article KB: an FMEA sheet has rows, and nothing else has"],
    );
    sheet["rows"] = json!([{"item": "reed", "mode": "reed_mark", "severity": 7, "occurrence": 3, "detection": 5}]);
    let Event::ArticleDrafted(drafted) = event("article.drafted", sheet.clone()) else { panic!("not a draft") };
    assert_eq!(drafted.rows[0].risk_priority(), 105);
    sheet["rows"][0]["severity"] = json!(11);
    let refused = Command::from_value("article.draft", sheet).unwrap_err().to_string();
    assert_eq!(refused, r#"command "article.draft": 11 is not a rank from 1 to 10"#);
}
