//! Why a store did not append or did not read.

use eventlog::{AppendError, EventType, InvalidName, Position, ReadError, StreamId};

/// Why an operation of a [`crate::Store`] failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The source is not at the version that the append expects. Load it again, decide again.
    #[error("{stream} is at version {actual}, the append expects {expected}")]
    Conflict {
        /// The stream of the source.
        stream: StreamId,
        /// The version that the append expects.
        expected: u32,
        /// The version that the source has.
        actual: u32,
    },
    /// The source's id does not make a name of a stream.
    #[error("the source's id does not make a stream")]
    Source(#[source] InvalidName),
    /// The source's id does not come back from its text, so that its events could not be read again.
    #[error("the source's id {text:?} is another one when it is read back")]
    SourceText {
        /// The id as text.
        text: String,
    },
    /// The store's naming gave a name that the log does not take.
    #[error("event {index} of the append has no valid name")]
    Naming {
        /// Its index in the call.
        index: usize,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
    /// The event does not serialise to JSON.
    #[error("event {index} of the append does not serialise")]
    Encode {
        /// Its index in the call.
        index: usize,
        /// The serialiser's reason.
        #[source]
        source: serde_json::Error,
    },
    /// The events would get a version or a sequence number of more than 32 bits; nothing was written.
    #[error("{events} events do not fit {what} of 32 bits")]
    Full {
        /// What has no room: a version, or a sequence number.
        what: &'static str,
        /// The number of events of the call.
        events: usize,
    },
    /// The log did not take the events.
    #[error("the log refused the append")]
    Append(#[source] AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The log is append-only: events are not dropped, and nothing was changed.
    #[error("{stream} stays: the log is append-only and proves all that it took")]
    NotRemovable {
        /// The stream of the source.
        stream: StreamId,
    },
}

impl eventually_core::store::AppendError for StoreError {
    fn is_conflict_error(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[source] ReadError),
    /// The record has a position or a revision that does not fit 32 bits.
    #[error("record {position} lies beyond {what} of 32 bits")]
    TooFar {
        /// The record.
        position: Position,
        /// What does not fit: its version, or its sequence number.
        what: &'static str,
    },
    /// The key of the record's stream is not the text of a source id.
    #[error("record {position} belongs to {stream}, whose key is not an id of this store's sources")]
    Source {
        /// The record.
        position: Position,
        /// Its stream.
        stream: StreamId,
    },
    /// The record's payload is gone: erased, or past its retention. What it was is not known here any more; that it was stays proven.
    #[error("the payload of record {position} was dropped")]
    Dropped {
        /// The record.
        position: Position,
    },
    /// The record's payload is not an event of this store.
    #[error("record {position} ({event_type}, version {schema_version} of its shape) is not an event of this store")]
    Decode {
        /// The record.
        position: Position,
        /// Its type.
        event_type: EventType,
        /// The version of its shape.
        schema_version: u16,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
}
