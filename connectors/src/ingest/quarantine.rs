//! Inputs that were not understood.

use base64::Engine as _;
use bytes::Bytes;
use domain::Event;
use domain::events::InputQuarantined;
use eventlog::{Digest, NewEvent};
use projections::{Meta, seal as seal_event};

use super::{IngestError, MAX_QUARANTINED_BYTES};

/// Stands in the reason of an input that was cut, before the digest of the whole.
const CUT: &str = "SHA-256 of the whole";

/// An input on its way into quarantine.
#[derive(Clone, Copy, Debug)]
pub struct Quarantined<'a> {
    /// The source that it came from (`mqtt:shed-1`); it becomes the stream's key.
    pub source: &'a str,
    /// Where in the source: the topic, node or row.
    pub address: &'a str,
    /// The field that is wrong, where one is.
    pub field: Option<&'a str>,
    /// What is wrong.
    pub reason: &'a str,
    /// The input.
    pub payload: &'a [u8],
    /// What tells equal inputs apart, where the source knows: a time, a row number. Without it equal inputs are kept once.
    pub occurrence: Option<&'a str>,
}

/// Why a quarantined input cannot be given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It was larger than quarantine keeps.
    #[error("only its first {MAX_QUARANTINED_BYTES} bytes were kept")]
    Cut,
    /// The event holds neither text nor base64.
    #[error("the event does not hold it")]
    Missing,
    /// The event's base64 is damaged.
    #[error("its base64 is damaged: {0}")]
    Damaged(String),
}

/// The input as it came.
///
/// # Errors
/// [`NotKept`] when the event does not hold it whole.
pub fn payload_of(input: &InputQuarantined) -> Result<Bytes, NotKept> {
    let payload: Bytes = match (&input.text, &input.base64) {
        (Some(text), _) => text.clone().into(),
        (None, Some(base64)) => base64::engine::general_purpose::STANDARD
            .decode(base64)
            .map_err(|error| NotKept::Damaged(error.to_string()))?
            .into(),
        (None, None) => return Err(NotKept::Missing),
    };
    if payload.len() >= MAX_QUARANTINED_BYTES && input.reason.contains(CUT) {
        return Err(NotKept::Cut);
    }
    Ok(payload)
}

/// Makes the event. Its id follows from everything that it says, so that a redelivery is the same event.
pub(super) fn seal(input: &Quarantined<'_>) -> Result<NewEvent, IngestError> {
    let (kept, cut) = match input.payload.get(..MAX_QUARANTINED_BYTES) {
        Some(kept) if input.payload.len() > MAX_QUARANTINED_BYTES => (kept, true),
        _ => (input.payload, false),
    };
    let whole = Digest::of(input.payload);
    let reason = if cut {
        format!(
            "{} (the first {MAX_QUARANTINED_BYTES} of {} bytes are kept; {CUT}: {whole})",
            input.reason,
            input.payload.len()
        )
    } else {
        input.reason.to_owned()
    };
    let (text, base64) = match std::str::from_utf8(kept) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(base64::engine::general_purpose::STANDARD.encode(kept))),
    };
    let identity = serde_json::json!([input.address, input.field, reason, whole.to_string(), input.occurrence]);
    let external_id = format!("quarantine:{}", Digest::of(identity.to_string().as_bytes()));
    let event = Event::from(InputQuarantined {
        source: input.source.to_owned(),
        address: input.address.to_owned(),
        field: input.field.map(str::to_owned),
        reason,
        text,
        base64,
    });
    let meta = Meta::foreign(input.source, input.source, &external_id, None);
    seal_event(&event, meta).map_err(|error| IngestError::Invalid {
        index: 0,
        field: "source",
        reason: error.to_string(),
    })
}
