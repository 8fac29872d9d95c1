//! Whether a call was appended before, where the bytes cannot be compared: the key is gone, or the event was logged before its type was encrypted.

use super::encrypted::EncryptedLog;
use crate::{AppendError, Appended, NewEvent};

/// The first result of the call, when every event of it is in the log already, in this order and at consecutive positions. An erased payload counts as the same:
/// the header is compared, and the content that came again is not looked at.
///
/// # Errors
/// [`AppendError::IdConflict`] when an id is known with other content, or a part of the call is known.
pub(super) async fn repeated(log: &EncryptedLog, events: &[NewEvent]) -> Result<Option<Appended>, AppendError> {
    let mut found = Vec::with_capacity(events.len());
    for event in events {
        let record = log.stored_record(event.id).await.map_err(AppendError::Check)?;
        found.push((event, record));
    }
    let Some((first_event, first)) = found.iter().find_map(|(event, record)| Some((event, record.as_ref()?.position)))
    else {
        return Ok(None);
    };
    let conflict =
        |event: &NewEvent, position, reason| AppendError::IdConflict { id: event.id, position: Some(position), reason };
    let mut expected = first;
    let mut last = first;
    for (event, record) in &found {
        let Some(record) = record else {
            return Err(conflict(first_event, first, "only a part of the call is known already"));
        };
        let position = record.position;
        if !log.open(record.clone()).await.map_err(AppendError::Check)?.is(event) {
            return Err(conflict(event, position, "it names an event with other content"));
        }
        if position != expected {
            return Err(conflict(event, position, "the events are known in another order or from several calls"));
        }
        (expected, last) = (position.next(), position);
    }
    Ok(Some(Appended { first, last, repeated: true }))
}
