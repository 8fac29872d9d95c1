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
