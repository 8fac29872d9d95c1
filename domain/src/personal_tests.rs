use expect_test::expect;

use super::{DataSubject, PERSONAL, data_subject};
use crate::events::{Event, examples};

#[test]
fn the_subject_of_a_personal_event_is_the_key_of_its_stream_and_the_first_of_its_tags() {
    let mut personal = Vec::new();
    for event in examples() {
        let Some(subject) = data_subject(event.event_type(), &event.key()) else { continue };
        let first = event.subjects().into_iter().next().unwrap();
        assert_eq!((first.kind, first.id.as_str()), (subject.kind(), subject.id()), "{event:?}");
        assert_eq!(event.category(), subject.kind().as_str());
        personal.push(event.event_type());
    }
    let table: Vec<&str> = PERSONAL.iter().map(|(name, _)| *name).collect();
    assert_eq!(personal.len(), table.len());
    assert!(table.iter().all(|name| personal.contains(name)));
}

/// A payload that names a person by anything but an id must be in the table: this finds a new field that is forgotten.
#[test]
fn names_and_contacts_stand_in_personal_events_only() {
    let mut looked_at = 0;
    for event in examples() {
        let payload: serde_json::Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        let of_somebody = payload.get("person").is_some() || payload.get("customer").is_some();
        let identifying = ["contact", "phone", "email", "birthday"].iter().any(|field| payload.get(field).is_some());
        looked_at += usize::from(of_somebody);
        if identifying {
            assert!(data_subject(event.event_type(), &event.key()).is_some(), "{event:?}");
        }
    }
    assert!(looked_at > 10, "only {looked_at}");
    assert_eq!(Event::TYPES.iter().filter(|(name, _)| data_subject(name, "X-1").is_some()).count(), PERSONAL.len());
}

#[test]
fn subjects_are_written_and_read() {
    for text in ["person:P-17", "customer:C-4", "person:a:b"] {
        assert_eq!(DataSubject::parse(text).unwrap().to_string(), text);
        let json = serde_json::to_string(&DataSubject::parse(text).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<DataSubject>(&json).unwrap().to_string(), text);
    }
    let refused = |text: &str| DataSubject::parse(text).unwrap_err().to_string();
    expect![[r#""asset:L07" is not of the form person:ID or customer:ID"#]].assert_eq(&refused("asset:L07"));
    expect![[r#""P-17" is not of the form person:ID or customer:ID"#]].assert_eq(&refused("P-17"));
    expect![[r#"person "" is not valid: it is empty"#]].assert_eq(&refused("person:"));
}
