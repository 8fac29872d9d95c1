//! The state of groups as events of the log.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Definition, GroupError, GroupName, Parked};
use crate::metadata::SYSTEM_CATEGORY;
use crate::{EventId, EventType, InvalidName, NewEvent, Position, Record, StreamId};

pub(super) const DEFINED: &str = "$group.defined";
pub(super) const DELETED: &str = "$group.deleted";
pub(super) const PROGRESSED: &str = "$group.progressed";
pub(super) const PARKED: &str = "$group.parked";
pub(super) const REPLAYED: &str = "$group.replayed";
pub(super) const RESET: &str = "$group.reset";

/// The payload of [`DEFINED`] and [`DELETED`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Defined {
    pub(super) name: GroupName,
    #[serde(default)]
    pub(super) definition: Definition,
}

/// The payload of [`PROGRESSED`]: everything that matches below the cursor is done or parked, but for the open ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progressed {
    pub(super) cursor: Position,
    /// Positions with the number of their deliveries.
    pub(super) open: Vec<(Position, u32)>,
}

/// The payload of [`PARKED`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ParkedNow {
    pub(super) parked: Vec<Parked>,
}

/// The payload of [`REPLAYED`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replayed {
    pub(super) positions: Vec<Position>,
}

/// The streams of one group.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) definition: StreamId,
    pub(super) progress: StreamId,
    pub(super) parked: StreamId,
}

impl Streams {
    pub(super) fn of(name: &GroupName) -> Result<Self, InvalidName> {
        let stream = |part: &str| StreamId::of(SYSTEM_CATEGORY, &format!("{part}-{name}"));
        Ok(Self { definition: stream("group")?, progress: stream("group_progress")?, parked: stream("group_parked")? })
    }
}

pub(super) fn event(
    stream: &StreamId,
    event_type: &str,
    payload: &impl Serialize,
    actor: &str,
) -> Result<NewEvent, InvalidName> {
    #[expect(clippy::expect_used, reason = "a struct of texts and numbers always serialises to JSON in memory")]
    let payload = Bytes::from(serde_json::to_vec(payload).expect("the state of a group serialises"));
    Ok(NewEvent::json(EventId::generate(), stream.clone(), EventType::new(event_type)?, 1, actor, payload))
}

pub(super) fn parsed<T: DeserializeOwned>(record: &Record) -> Result<T, GroupError> {
    serde_json::from_slice(&record.payload)
        .map_err(|error| GroupError::State { position: record.position, reason: error.to_string() })
}
