use expect_test::expect;
use serde_json::json;

use super::given;

fn erased(subject: &str) -> serde_json::Value {
    json!({"subject": subject, "reason": {"en": "left"}, "data_key": "0195590c-7c00-8000-8000-000000000003"})
}

#[test]
fn an_erasure_under_legal_hold_is_refused_by_the_holds_name() {
    given(&[])
        .when(
            "legal_hold.place",
            json!({"hold": "H-1", "scope": {"subjects": ["person:P-17"]}, "reason": {"en": "court"}}),
            expect![[r#"legal_hold.placed {"hold":"H-1","scope":{"subjects":["person:P-17"]},"reason":{"en":"court"}}"#]],
        )
        .when("subject.erase", erased("person:P-17"), expect!["refused by subject.under_legal_hold on privacy register: person:P-17 must be kept as long as legal hold H-1 lasts"])
        .when("subject.erase", erased("person:P-18"), expect![[r#"subject.erased {"subject":"person:P-18","reason":{"en":"left"},"data_key":"0195590c-7c00-8000-8000-000000000003"}"#]])
        .when("legal_hold.place", json!({"hold": "H-1", "scope": {}, "reason": {"en": "again"}}), expect!["refused by legal_hold.placed_twice on privacy register: legal hold H-1 lasts already"])
        .when("legal_hold.release", json!({"hold": "H-1", "reason": {"en": "over"}}), expect![[r#"legal_hold.released {"hold":"H-1","reason":{"en":"over"}}"#]])
        .when("legal_hold.release", json!({"hold": "H-1", "reason": {"en": "over"}}), expect!["refused by legal_hold.not_placed on privacy register: legal hold H-1 does not last"])
        .when("subject.erase", erased("person:P-17"), expect![[r#"subject.erased {"subject":"person:P-17","reason":{"en":"left"},"data_key":"0195590c-7c00-8000-8000-000000000003"}"#]])
        .when("subject.erase", erased("person:P-17"), expect!["refused by subject.erased_twice on privacy register: person:P-17 was erased before"]);
}

#[test]
fn a_hold_covers_a_subject_by_its_tag_its_stream_or_by_covering_everything() {
    for scope in [
        json!({"tags": ["customer:C-4"]}),
        json!({"streams": ["customer-C-4"]}),
        json!({}),
        json!({"from": "2026-01-01T00:00:00Z"}),
    ] {
        given(&[("legal_hold.placed", json!({"hold": "H", "scope": scope, "reason": {"en": "x"}}))])
            .when("subject.erase", erased("customer:C-4"), expect!["refused by subject.under_legal_hold on privacy register: customer:C-4 must be kept as long as legal hold H lasts"]);
    }
    given(&[("legal_hold.placed", json!({"hold": "H", "scope": {"tags": ["customer:C-5"]}, "reason": {"en": "x"}}))])
        .when("subject.erase", erased("customer:C-4"), expect![[r#"subject.erased {"subject":"customer:C-4","reason":{"en":"left"},"data_key":"0195590c-7c00-8000-8000-000000000003"}"#]]);
}

#[test]
fn an_erasure_forgets_what_a_person_may_do() {
    use crate::rules::{AggregateKey, AggregateKind, AggregateState, States};
    let events = [
        super::event("person.qualified", json!({"person": "P-17", "skill": "weaving"})),
        super::event("person.logged_in", json!({"person": "P-17", "asset": "L07"})),
        super::event("subject.erased", erased("person:P-17")),
    ];
    let key = AggregateKey::new(AggregateKind::Person, "P-17");
    let with = States::given(&events);
    let without = States::given(&events[1..]);
    assert_eq!(with.get(&key), without.get(&key));
    assert!(matches!(with.get(&key), Some(AggregateState::Person(state)) if state.assets.len() == 1));
}
