//! Old versions of events, lifted to the present ones: the steps of the domain, as the log applies them.

use std::sync::LazyLock;

use bytes::Bytes;
use domain::{DecodeError, Event, LIFTS};
use eventlog::EventType;
use eventlog::upcast::{ChainError, LiftError, Lifted, Upcasters};
use serde_json::Value;

/// The steps of every event type.
///
/// # Errors
/// [`ChainError`] when a version has no way to the present one.
pub(crate) fn steps() -> Result<Upcasters, ChainError> {
    let mut chain = Upcasters::builder();
    for (event_type, version) in Event::TYPES {
        chain = chain.current(event_type, *version)?;
    }
    for step in LIFTS {
        chain = chain.json_step(step.event_type, step.version, step.lift)?;
    }
    chain.build()
}

#[expect(clippy::expect_used, reason = "the steps are constants, and a test builds the chain")]
static STEPS: LazyLock<Upcasters> = LazyLock::new(|| steps().expect("the steps are a chain"));

/// Reads an event of any version that there ever was.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_event(event_type: &EventType, version: u16, payload: &Bytes) -> Result<Event, DecodeError> {
    let lifted = STEPS.lift_parts(event_type.clone(), version, payload.clone()).map_err(not_lifted)?;
    let Lifted { event_type, schema_version, payload } = lifted;
    Event::decode(event_type.as_str(), schema_version, &payload)
}

/// As [`decode_event`], for an event that somebody reports.
///
/// # Errors
/// [`DecodeError`].
pub fn event_from_value(event_type: &str, version: u16, value: Value) -> Result<Event, DecodeError> {
    // What is at the present version needs no bytes in between.
    if Event::TYPES.iter().any(|(known, now)| *known == event_type && *now == version) {
        return Event::from_value(event_type, version, value);
    }
    let unknown = || DecodeError::UnknownType(event_type.to_owned());
    let name = EventType::new(event_type).map_err(|_| unknown())?;
    let payload = serde_json::to_vec(&value)
        .map_err(|error| DecodeError::Payload { event_type: event_type.to_owned(), reason: error.to_string() })?;
    decode_event(&name, version, &Bytes::from(payload))
}

fn not_lifted(error: LiftError) -> DecodeError {
    DecodeError::Payload { event_type: error.event_type.to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_version_of_every_type_has_a_way_to_the_present_one() {
        super::steps().unwrap();
    }
}
