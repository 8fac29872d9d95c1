//! Given what has happened, when somebody asks for something, then these events or this refusal.

mod articles;
mod gates;
mod looms;
mod lots;
mod maintenance;
mod models;
mod privacy;
mod properties;

use expect_test::Expect;
use serde_json::Value;

use super::*;

/// An event from its type and payload.
fn event(event_type: &str, payload: Value) -> Event {
    Event::from_value(event_type, 1, payload).unwrap()
}

/// What has happened.
fn given(events: &[(&str, Value)]) -> Given {
    Given(States::given(
        events.iter().map(|(event_type, payload)| event(event_type, payload.clone())).collect::<Vec<_>>().iter(),
    ))
}

struct Given(States);

impl Given {
    /// Decides a command and compares the events, or the rule and the reason. Events that are returned have happened afterwards.
    fn when(mut self, command: &str, data: Value, then: Expect) -> Self {
        let command = Command::from_value(command, data).unwrap();
        let text = match decide(&self.0, command) {
            Ok(events) => {
                events.iter().for_each(|event| self.0.evolve(event));
                let line = |event: &Event| {
                    format!("{} {}", event.event_type(), String::from_utf8(event.encode().unwrap()).unwrap())
                };
                events.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Err(Rejection { rule, on, reason, reason_zh }) => {
                assert!(!reason_zh.is_empty());
                format!("refused by {rule} on {on}: {reason}")
            }
        };
        then.assert_eq(&text);
        self
    }

    /// Observes an event, which is never refused, and compares the contradictions that it makes.
    fn observed(mut self, event_type: &str, payload: Value, then: Expect) -> Self {
        let event = event(event_type, payload);
        let line = |(key, found): (AggregateKey, Contradiction)| format!("{} on {key}: {}", found.rule, found.reason);
        then.assert_eq(&self.0.contradictions(&event).into_iter().map(line).collect::<Vec<_>>().join("\n"));
        self.0.evolve(&event);
        self
    }
}

#[test]
fn the_story_of_the_examples_contradicts_itself_only_where_a_beam_is_tied_that_was_never_mounted() {
    let mut states = States::new();
    let mut found = Vec::new();
    for event in crate::events::story() {
        found.extend(
            states
                .contradictions(&event)
                .into_iter()
                .map(|(key, found)| format!("{} {} on {key}", event.event_type(), found.rule)),
        );
        states.evolve(&event);
    }
    expect_test::expect![[r#"
        weaving.warp_tied loom.beam_not_mounted on asset L07
        weaving.beam_finished loom.beam_not_mounted on asset L07"#]]
    .assert_eq(&found.join("\n"));
}

#[test]
fn every_command_is_read_and_an_unknown_field_is_named() {
    let mut read = 0;
    for name in Command::names() {
        let error = Command::from_value(name, serde_json::json!({"colour": "blue"})).unwrap_err().to_string();
        assert!(error.contains("colour") || error.contains("missing field"), "{error}");
        read += 1;
    }
    assert!(read > 45, "only {read} commands");
    let text = r#"{"command": "lot.ship", "data": {"lot": "R-1", "shipment": "S-7"}}"#;
    let command: Command = serde_json::from_str(text).unwrap();
    assert_eq!(command, Command::from(event("lot.shipped", serde_json::json!({"lot": "R-1", "shipment": "S-7"}))));
    let refused = |text: &str| serde_json::from_str::<Command>(text).unwrap_err().to_string();
    expect_test::expect![[r#"command "lot.melt" is not known"#]]
        .assert_eq(&refused(r#"{"command": "lot.melt", "data": {}}"#));
    expect_test::expect![[r#"command "lot.ship": missing field `shipment`"#]]
        .assert_eq(&refused(r#"{"command": "lot.ship", "data": {"lot": "R-1"}}"#));
    expect_test::expect!["unknown field `by`, expected `command` or `data` at line 1 column 40"]
        .assert_eq(&refused(r#"{"command": "lot.ship", "data": {}, "by": "me"}"#));
}
