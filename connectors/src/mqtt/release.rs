//! Quarantined messages, sent through again after the mapping is mended.

use domain::Event;
use domain::events::{InputQuarantined, QuarantineReleased};
use domain::ids::PersonId;
use eventlog::{AppendCondition, AppendError, EventId, Position, ReadError};
use jiff::Timestamp;
use projections::{Meta, seal};

use super::config::{ConfigError, MqttConfig};
use super::mapping::{Decoded, Rejected};
use crate::ingest::{Ingest, IngestError, payload_of};

/// A message of a quarantine that is to be released.
#[derive(Clone, Debug)]
pub struct Release<'a> {
    /// The event that put it into quarantine.
    pub event: EventId,
    /// What the event says.
    pub input: &'a InputQuarantined,
    /// When it was logged: the time of arrival, for a mapping that takes that.
    pub arrival: Timestamp,
    /// Who asks for the release: the actor of what is appended.
    pub actor: &'a str,
    /// The person who releases it.
    pub person: Option<PersonId>,
}

/// What became of a released message. It exists only when everything in it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Everything of the message, and the release itself, lies at or before this position.
    pub position: Position,
    /// Readings that were new (conflicting ones included).
    pub readings: u64,
    /// Readings and events that were known already.
    pub duplicates: u64,
    /// Readings whose identity was known with another value: both are kept.
    pub conflicts: u64,
    /// Events that were new.
    pub events: u64,
}

/// Why a message stays in quarantine.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It was released before.
    #[error("it was released before, at position {0}")]
    AlreadyReleased(Position),
    /// The configuration is of another source.
    #[error("it came from {input}, not from {configured}")]
    OtherSource {
        /// The source of the message.
        input: String,
        /// The source of the configuration.
        configured: String,
    },
    /// The source's configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The present mapping does not understand it either. Nothing was appended.
    #[error("{field}: {reason}")]
    NotUnderstood {
        /// The field that is wrong.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What it says was not taken.
    #[error(transparent)]
    Ingest(IngestError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The release could not be appended. What the message says is in the log; releasing it again adds nothing twice.
    #[error("the release could not be appended")]
    Append(#[source] AppendError),
}

impl ReleaseError {
    fn not_understood(field: &str, reason: impl std::fmt::Display) -> Self {
        Self::NotUnderstood { field: field.to_owned(), reason: reason.to_string() }
    }
}

impl From<IngestError> for ReleaseError {
    fn from(error: IngestError) -> Self {
        if error.is_input() { Self::not_understood("payload", error) } else { Self::Ingest(error) }
    }
}

/// Reads a quarantined message with the present mapping of its source, gives what it says to ingest, and then logs that it was released.
///
/// All or nothing: while any part of it is not understood, it stays where it is. What it says is durable before the release is, and both are idempotent, so that a
/// release that was broken off can be asked for again. Of a message that was understood in part, quarantine holds the other part with what surrounds it.
///
/// Inputs of imports are never here: rows that cannot be taken go to the import's rejects file, and a mended import takes them up again.
///
/// # Errors
/// [`ReleaseError`].
pub async fn release(asked: Release<'_>, config: &MqttConfig, ingest: &Ingest) -> Result<Released, ReleaseError> {
    let Release { event, input, arrival, actor, person } = asked;
    if input.source != config.source() {
        return Err(ReleaseError::OtherSource { input: input.source.clone(), configured: config.source() });
    }
    let release_id = EventId::derived("quarantine-release", &event.to_string());
    if let Some(position) = ingest.log().position_of(release_id).await? {
        return Err(ReleaseError::AlreadyReleased(position));
    }
    let decoded = understand(input, arrival, config)?;
    let mut released = Released { position: Position::START, readings: 0, duplicates: 0, conflicts: 0, events: 0 };
    if !decoded.readings.is_empty() {
        let receipt = ingest.readings_by(actor, &input.source, decoded.readings).await?;
        released.readings = receipt.accepted;
        released.duplicates = receipt.duplicates;
        released.conflicts = receipt.conflicts;
    }
    if !decoded.events.is_empty() {
        // The actor of foreign events stays their source: whoever sends them again must say the same.
        let receipt = ingest.events(decoded.events).await?;
        released.events = receipt.appended;
        released.duplicates += receipt.repeated;
    }
    let quarantined = *event.as_uuid();
    let said = Event::from(QuarantineReleased { source: input.source.clone(), quarantined, person });
    let meta = Meta { id: release_id, causation_id: Some(quarantined), ..Meta::own(actor, Some(Timestamp::now())) };
    let sealed = seal(&said, meta).map_err(|error| ReleaseError::not_understood("source", error))?;
    // Ordering: the release says that the content is in the log, so it comes after it.
    match ingest.log().append(AppendCondition::none(), vec![sealed]).await {
        Ok(appended) => Ok(Released { position: appended.last, ..released }),
        // Somebody else released it meanwhile.
        Err(AppendError::IdConflict { position: Some(position), .. }) => Err(ReleaseError::AlreadyReleased(position)),
        Err(error) => Err(ReleaseError::Append(error)),
    }
}

/// What the message says, when every part of it is understood.
fn understand(input: &InputQuarantined, arrival: Timestamp, config: &MqttConfig) -> Result<Decoded, ReleaseError> {
    let mapping = config.check()?;
    let payload = payload_of(input).map_err(|error| ReleaseError::not_understood("payload", error))?;
    if payload.len() > config.max_payload_bytes {
        let reason = format!("{} bytes, the limit is {}", payload.len(), config.max_payload_bytes);
        return Err(ReleaseError::not_understood("payload", reason));
    }
    // A topic holds no #: what follows it is where in the message the part was.
    let topic = input.address.split_once('#').map_or(input.address.as_str(), |(topic, _)| topic);
    let decoded = mapping.decode(topic, &payload, arrival);
    match decoded.rejected.first() {
        None => Ok(decoded),
        Some(Rejected { pointer, field, reason, .. }) if pointer.is_empty() => {
            Err(ReleaseError::not_understood(field, reason))
        }
        Some(Rejected { pointer, field, reason, .. }) => {
            Err(ReleaseError::not_understood(field, format!("at {pointer}: {reason}")))
        }
    }
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
