use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use crate::events::examples;

/// Fields that hold an id of a lot, so that the same few lots meet in all events.
const LOT_FIELDS: [&str; 6] = ["lot", "beam", "roll", "old_beam", "new_beam", "into"];
/// Fields that hold any other id that aggregates are known by.
const ID_FIELDS: [&str; 10] =
    ["order", "asset", "fault", "work_order", "inspection", "nonconformance", "model", "deployment", "person", "alarm"];

/// Replaces ids by one of a few, and numbers by small ones, as the dice say.
fn shuffle(name: &str, value: &mut Value, dice: &mut impl Iterator<Item = u8>) {
    let mut roll = |sides: u8| dice.next().unwrap_or(0) % sides;
    match value {
        Value::String(id) if LOT_FIELDS.contains(&name) => *id = format!("lot-{}", roll(3)),
        Value::String(id) if ID_FIELDS.contains(&name) => *id = format!("{name}-{}", roll(2)),
        Value::String(milestone) if name == "milestone" => {
            *milestone = if roll(2) == 0 { "machine_down" } else { "machine_up" }.to_owned();
        }
        Value::String(joining) if name == "joining" => {
            *joining = if roll(2) == 0 { "drawn_in" } else { "tied_in" }.to_owned()
        }
        Value::Number(_) if name == "version" || name == "replaces" => *value = json!(roll(4)),
        Value::Number(number) if number.is_f64() && name != "points" => *value = json!(f64::from(roll(8)) * 25.0 - 5.0),
        Value::Array(items) => items.iter_mut().for_each(|item| shuffle(name, item, dice)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| shuffle(name, field, dice)),
        _ => {}
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..Event::TYPES.len(), prop::collection::vec(any::<u8>(), 24)).prop_map(|(index, dice)| {
        let example = &examples()[index];
        let mut value: Value = serde_json::from_slice(&example.encode().unwrap()).unwrap();
        shuffle("", &mut value, &mut dice.into_iter());
        Event::from_value(example.event_type(), example.schema_version(), value).unwrap()
    })
}

/// A command that asks for the event, worked out where there is such a command.
fn command_for(event: Event) -> Command {
    match event {
        Event::LotSplit(split) => Command::SplitLot(split),
        Event::LotsMerged(merge) => Command::MergeLots(merge),
        Event::ClothDoffed(doff) => Command::DoffCloth(doff),
        Event::ModelVersionCreated(version) => Command::CreateVersion(version),
        Event::ModelDeployed(deploy) if deploy.replaces.is_some() => {
            Command::RollBack(RollBack { deployment: deploy.deployment, to: None, person: None, reason: None })
        }
        Event::ModelDeployed(deploy) => Command::Deploy(deploy),
        event => event.into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Anything can be observed in any order; states can be stored and read again; aggregates that are not touched stay as they are.
    #[test]
    fn evolve_is_total(events in prop::collection::vec(any_event(), 0..60)) {
        let mut states = States::new();
        for event in &events {
            for (key, found) in states.contradictions(event) {
                prop_assert!(found.rule.contains('.') && !found.reason.is_empty() && !found.reason_zh.is_empty(), "{key} {found:?}");
            }
            let touched = affected(event);
            for (key, state) in states.iter().filter(|(key, _)| !touched.contains(key)) {
                prop_assert_eq!(state.contradiction(event), None, "{} is not touched", key);
                prop_assert_eq!(&state.clone().evolve(event), state, "{} is not touched", key);
            }
            states.evolve(event);
        }
        for (key, state) in states.iter() {
            prop_assert_eq!(state.kind(), key.kind);
            let stored = serde_json::to_string(state).unwrap();
            prop_assert_eq!(&serde_json::from_str::<AggregateState>(&stored).unwrap(), state);
        }
    }

    /// What is decided fits what is known, and fits itself.
    #[test]
    fn decide_never_contradicts(commands in prop::collection::vec(any_event(), 0..80)) {
        let mut states = States::new();
        for event in commands {
            let command = command_for(event);
            let judged = command.affected();
            match decide(&states, command) {
                Ok(events) => {
                    prop_assert!(!events.is_empty());
                    for event in &events {
                        let found: Vec<_> = states.contradictions(event).into_iter().filter(|(key, _)| judged.contains(key)).collect();
                        prop_assert!(found.is_empty(), "{event:?} {found:?}");
                        states.evolve(event);
                    }
                }
                Err(rejection) => prop_assert!(!rejection.reason.is_empty() && !rejection.reason_zh.is_empty()),
            }
        }
        // A history of decisions only never takes more than there is.
        for (key, state) in states.iter() {
            if let AggregateState::Lot(lot) = state
                && let (Some(total), Some(left)) = (lot.total(&crate::Unit::metre()), lot.left(&crate::Unit::metre()))
            {
                prop_assert!(left >= -total.abs() * 0.01 - 0.1, "{key} has {left} of {total} left");
            }
        }
    }
}
