#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::{ChainError, Lifted, Upcasters, UpcastersBuilder};
use crate::{EventId, EventType, NewEvent, Position, Record, Revision, StreamId};

fn same(payload: Bytes) -> Result<Bytes, String> {
    Ok(payload)
}

fn event_type(text: &str) -> EventType {
    EventType::new(text).unwrap()
}

/// Version 1 had a text, version 2 a list of texts, version 3 names them; before all that the type had another name.
fn chain() -> Upcasters {
    Upcasters::builder()
        .current("fault.observed", 3)
        .unwrap()
        .current("lot.shipped", 1)
        .unwrap()
        .json_step("fault.observed", 1, |mut value| {
            let text = value["text"].take();
            if !text.is_string() {
                return Err("field text is not a text".to_owned());
            }
            Ok(json!({ "texts": [text] }))
        })
        .unwrap()
        .json_step("fault.observed", 2, |mut value| Ok(json!({ "descriptions": value["texts"].take() })))
        .unwrap()
        .step_to(("fault.seen", 4), ("fault.observed", 1), same)
        .unwrap()
        .build()
        .unwrap()
}

fn record(text: &str, version: u16, payload: &'static str) -> Record {
    let stream = StreamId::new("fault-1").unwrap();
    let event = NewEvent::json(EventId::generate(), stream, event_type(text), version, "test", payload.into());
    Record::from_new(event, Position::START, Revision::START, Timestamp::UNIX_EPOCH)
}

#[test]
fn every_old_version_is_lifted_to_the_present_one() {
    let table = [
        ("fault.observed", 3, r#"{"descriptions":["oil"]}"#),
        ("fault.observed", 2, r#"{"texts":["oil"]}"#),
        ("fault.observed", 1, r#"{"text":"oil"}"#),
        ("fault.seen", 4, r#"{"text":"oil"}"#),
    ];
    for (name, version, payload) in table {
        let old = record(name, version, payload);
        let before = old.clone();
        let lifted = chain().lift(&old).unwrap();
        let payload = Bytes::from_static(br#"{"descriptions":["oil"]}"#);
        assert_eq!(lifted, Lifted { event_type: event_type("fault.observed"), schema_version: 3, payload });
        // The record is as it was, and proves what it proved.
        assert_eq!((&old, old.leaf_digest()), (&before, before.leaf_digest()));
        assert_eq!(crate::Digest::of(&old.payload), old.payload_digest.digest);
    }
}

#[test]
fn what_has_no_steps_is_what_it_was() {
    for (name, version) in [("lot.shipped", 1), ("lot.shipped", 9), ("never.heard_of", 2)] {
        let old = record(name, version, "no JSON at all");
        let lifted = chain().lift(&old).unwrap();
        assert_eq!((lifted.event_type, lifted.schema_version), (event_type(name), version));
        assert_eq!(lifted.payload.as_ptr(), old.payload.as_ptr(), "nothing was copied");
    }
}

#[test]
fn a_payload_that_does_not_fit_its_version_is_named() {
    let error = chain().lift(&record("fault.seen", 4, r#"{"text":7}"#)).unwrap_err();
    assert_eq!(error.to_string(), "version 1 of fault.observed could not be lifted: field text is not a text");
    assert!(chain().lift(&record("fault.observed", 1, "no JSON")).is_err());
}

#[test]
fn what_is_no_chain_is_refused() {
    let check = |build: &dyn Fn(UpcastersBuilder) -> Result<UpcastersBuilder, ChainError>, expected: &str| {
        let error = build(Upcasters::builder()).unwrap().build().unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        &|chain| chain.current("a", 3)?.step("a", 1, same),
        "version 2 of a is neither the present one nor lifted to it",
    );
    check(
        &|chain| chain.current("a", 3)?.step("a", 2, same),
        "version 1 of a is neither the present one nor lifted to it",
    );
    check(&|chain| chain.step("a", 1, same), "version 2 of a is neither the present one nor lifted to it");
    check(
        &|chain| chain.current("a", 2)?.step("a", 1, same)?.step_to(("a", 1), ("a", 2), same),
        "two steps lift version 1 of a",
    );
    check(
        &|chain| chain.step_to(("a", 1), ("b", 1), same)?.step_to(("b", 1), ("a", 1), same),
        "the steps from version 1 of a lead in a circle",
    );
    check(&|chain| chain.current("a", 1)?.step("a", 1, same), "version 1 of a needs no step");
    check(&|chain| chain.current("a", 1)?.step("a", 0, same), "version 0 of a needs no step");
}
