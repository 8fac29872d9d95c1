//! What is not simply reported.

/// What Millwright says itself, by the beginnings of types: with checks (gates, approvals, digests), or because it watches the log.
const OWN: [&str; 17] = [
    "artifact.",
    "dataset.",
    "deployment.",
    "diagnosis.",
    "discrepancy.",
    "experiment.",
    "fault.examined",
    "gate.",
    "input.",
    "logged_model.",
    "model.",
    "notice.",
    "package.",
    "prediction.",
    "run.",
    "warning.",
    "webhook.",
];

/// What is said together with its being done, by the beginnings of types.
const DONE: [&str; 3] = ["legal_hold.", "retention.", "subject."];

/// Whether only Millwright says events of this type. Whoever could report one could remove a gate, or say that a model was approved.
pub fn is_own(event_type: &str) -> bool {
    begins(&OWN, event_type)
}

/// Whether events of this type are said by whoever does what they say: a report of an erasure would erase nothing.
pub fn is_done(event_type: &str) -> bool {
    begins(&DONE, event_type)
}

fn begins(beginnings: &[&str], event_type: &str) -> bool {
    beginnings.iter().any(|beginning| event_type.starts_with(beginning))
}
