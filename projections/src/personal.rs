//! Between the domain's data subjects and the log's keys.

use domain::personal::{DataSubject, data_subject};
use eventlog::privacy::Policy;
use eventlog::{InvalidName, Tag};

/// The name of a data subject in the log: the tag that its records carry.
///
/// # Errors
/// [`InvalidName`] when the log takes no such tag.
pub fn subject_tag(subject: &DataSubject) -> Result<Tag, InvalidName> {
    Tag::of(subject.kind().as_str(), subject.id())
}

/// What is encrypted: the payloads that the domain's table names.
pub fn subjects_policy() -> Policy {
    Policy::from_fn(|event| {
        let subject = data_subject(event.event_type.as_str(), event.stream.key())?;
        subject_tag(&subject).ok()
    })
}
